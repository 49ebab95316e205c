//! A real Windows base image, on a host that has a licence for it: `PLIMSOLL_REAL_WINDOWS=1 cargo test --test windows_real`.
//!
//! It pulls Nano Server from Microsoft's registry, about 124 MB, through the scanner, which keeps facts alone, and in a
//! folder that is removed. Without the variable it says that it was skipped, since it needs the network and a licence.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use serde_json::Value;

use support::World;

mod support;

const IMAGE: &str = "mcr.microsoft.com/windows/nanoserver:ltsc2022";

#[test]
fn a_real_image_says_what_its_config_says() {
    if std::env::var_os("PLIMSOLL_REAL_WINDOWS").is_none() {
        eprintln!(
            "skipped: set PLIMSOLL_REAL_WINDOWS=1 on a host with a licence of Windows Server, and with a network"
        );
        return;
    }
    let world = World::new();
    let run =
        world.plimsoll(&["scan", IMAGE, "--platform", "windows/amd64", "--format", "json", "--no-cache"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run}"));
    let windows = &report["windows"];
    assert_eq!(windows["source"], "registry", "{windows}");
    assert_eq!(windows["version"], report["image"]["platform"]["os_version"], "{windows}");
    assert_eq!(report["distro"]["namespace"], "windows-server-core:2022");
    let unread: Vec<&Value> = report["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|gap| {
            ["layer-unreadable", "evidence-unreadable", "claim-mismatch"]
                .contains(&gap["kind"].as_str().unwrap())
        })
        .collect();
    assert!(unread.is_empty(), "{unread:?}");
}
