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

const MANIFESTS: [&str; 4] = ["admission.yaml", "plimsoll.yaml", "postgresql.yaml", "secret.yaml"];

/// A text that stands in a manifest.
fn block(manifest: &str, name: &str) -> String {
    let text = read(&format!("kubernetes/{manifest}"));
    let block = text.split(&format!("  {name}: |\n")).nth(1).unwrap();
    let lines = block.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(|line| line.get(4..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The configuration in the manifests is one that the program takes.
#[test]
fn the_configuration_in_the_manifests_is_good() {
    for manifest in ["plimsoll.yaml", "admission.yaml"] {
        let config = block(manifest, "config.toml");
        assert!(config.contains("[server]"), "{config}");
        let world = World::new();
        world.write("config.toml", config);
        world.plimsoll(&["config", "check"]).expect(0);
    }
}

#[test]
fn the_policy_in_the_manifests_is_good() {
    let world = World::new();
    world.write("policy.yaml", block("admission.yaml", "production.yaml"));
    world.plimsoll(&["policy", "check", "policy.yaml"]).expect(0);
}

/// Whatever has pods and can be read is asked for, and nothing else, which would be denied.
#[test]
fn the_webhook_asks_for_what_is_understood() {
    let text = read("kubernetes/admission.yaml");
    let resources = text.lines().filter_map(|line| line.trim().strip_prefix("resources: ["));
    let asked: Vec<&str> = resources.flat_map(|line| line.trim_end_matches(']').split(", ")).collect();
    let source = fs::read_to_string(deploy("../crates/plimsoll/src/http/admission/images.rs")).unwrap();
    let rows = source.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split("\", \"").nth(1));
    let kinds: Vec<String> =
        rows.filter_map(|rest| Some(format!("{}s", rest.split('"').next()?.to_lowercase()))).collect();
    assert_eq!(kinds.len(), 9, "{kinds:?}");
    for kind in &kinds {
        assert!(asked.contains(&kind.as_str()), "{kind}: {asked:?}");
    }
    let is_other = |name: &&&str| !kinds.iter().any(|kind| name.split('/').next() == Some(kind.as_str()));
    let others: Vec<&&str> = asked.iter().filter(is_other).collect();
    assert!(others.is_empty(), "{others:?}");
    for part in ["failurePolicy: Fail", "sideEffects: None", "path: /admission,"] {
        assert!(text.contains(part), "{part}");
    }
}

/// Variables that the files set mean something.
#[test]
fn variables_are_known() {
    let documented = fs::read_to_string(deploy("../docs/configuration.md")).unwrap();
    let files = [
        "Containerfile",
        "systemd/plimsoll.service",
        "kubernetes/admission.yaml",
        "kubernetes/plimsoll.yaml",
    ];
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
