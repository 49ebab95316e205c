//! What is in `deploy/`: the files agree with the program and with each other, and whoever reads them for real takes
//! them.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::{World, second_tier};

mod support;

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(deploy(name)).unwrap()
}

const MANIFESTS: [&str; 3] = ["plimsoll.yaml", "postgresql.yaml", "secret.yaml"];

/// The configuration in the manifests is one that the program takes.
#[test]
fn the_configuration_in_the_manifests_is_good() {
    let text = read("kubernetes/plimsoll.yaml");
    let block = text.split("  config.toml: |\n").nth(1).unwrap();
    let lines = block.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let config: Vec<&str> = lines.map(|line| line.trim_start()).collect();
    assert!(config.contains(&"[server]"), "{config:?}");
    let world = World::new();
    world.write("config.toml", config.join("\n"));
    world.plimsoll(&["config", "check"]).expect(0);
}

/// Variables that the files set mean something.
#[test]
fn variables_are_known() {
    let documented = fs::read_to_string(deploy("../docs/configuration.md")).unwrap();
    let files = ["Containerfile", "systemd/plimsoll.service", "kubernetes/plimsoll.yaml"];
    for name in files {
        let text = read(name);
        let words = text.split(|c: char| !c.is_ascii_uppercase() && c != '_' && !c.is_ascii_digit());
        for word in words.filter(|word| word.starts_with("PLIMSOLL_SERVER_")) {
            assert!(documented.contains(&format!("`{word}`")), "{name}: {word}");
        }
    }
}

/// The service waits longer than the server does for requests under way.
#[test]
fn nothing_is_killed_before_its_time() {
    let ending = 25;
    let service = read("systemd/plimsoll.service");
    let number = |text: &str, key: &str| -> u32 {
        let rest = text.split(key).nth(1).unwrap();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    assert!(number(&service, "TimeoutStopSec=") > ending);
    assert!(number(&read("kubernetes/plimsoll.yaml"), "terminationGracePeriodSeconds: ") > ending);
    let documented = fs::read_to_string(deploy("../docs/configuration.md")).unwrap();
    assert!(documented.contains(&format!("| `ending_time_max` | time | `\"{ending}s\"` |")));
}

/// PyPI's `kubernetes-validate`, which brings Kubernetes' schemas along.
#[test]
fn the_manifests_are_kubernetes() {
    if !second_tier(&["kubernetes-validate"]) {
        return;
    }
    for name in MANIFESTS {
        let path = deploy("kubernetes").join(name);
        let ran = Command::new("kubernetes-validate").arg("--strict").arg(&path).output().unwrap();
        assert!(ran.status.success(), "{name}: {ran:?}");
    }
}

#[test]
fn the_unit_is_systemd_s() {
    if !second_tier(&["systemd-analyze"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plimsoll.service");
    // It is looked for whether the program is there.
    let unit = read("systemd/plimsoll.service").replace("/usr/bin/plimsoll", env!("CARGO_BIN_EXE_plimsoll"));
    fs::write(&path, unit).unwrap();
    let ran = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output().unwrap();
    assert!(ran.status.success() && ran.stderr.is_empty(), "{ran:?}");
}
