//! The main job from end to end, with the binary as it is shipped: the feeds and the image in `examples/`.
//!
//! The feeds there stand still and their configuration keeps them from ageing. What depends on the time of the
//! run is replaced before it is compared: when the database was built, and its digest, which covers when the
//! feeds were fetched.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Feeds, and the file or folder of each below `examples/feeds`.
const FEEDS: [(&str, &str); 5] = [
    ("alpine-secdb", "alpine-secdb"),
    ("epss", "epss/epss_scores-current.csv"),
    ("kev", "kev/known_exploited_vulnerabilities.json"),
    ("osv-npm", "osv"),
    ("osv-pypi", "osv"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the package is two levels down")
}

/// Runs the binary in the repository's root; its standard output, if it exits with this code.
#[track_caller]
fn plimsoll(data: &Path, arguments: &[&str], code: i32) -> String {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["--quiet", "--config", "examples/config.toml", "--data-dir"])
        .arg(data)
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("the binary runs");
    assert_eq!(status.code(), Some(code), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("reports are UTF-8")
}

fn update(data: &Path) {
    let urls = FEEDS.map(|(feed, place)| {
        format!("--feed-url={feed}=file://{}", root().join("examples/feeds").join(place).display())
    });
    let mut arguments = vec!["feeds", "update"];
    arguments.extend(FEEDS.map(|(feed, _)| feed));
    arguments.extend(urls.iter().map(String::as_str));
    plimsoll(data, &arguments, 0);
}

#[test]
fn the_example_is_scanned() {
    let data = tempfile::tempdir().expect("a folder can be made");
    update(data.path());
    let json = plimsoll(data.path(), &["scan", "oci:examples/image", "--format", "json"], 0);
    let report: Value = serde_json::from_str(&json).expect("the report is JSON");
    let of_database =
        |field: &str| report["database"][field].as_str().expect("it names the database").to_owned();
    let (id, built_at) = (of_database("id"), of_database("built_at"));
    let stable = |text: String| text.replace(&id, "[digest]").replace(&built_at, "[time]");
    insta::assert_snapshot!("table", stable(plimsoll(data.path(), &["scan", "oci:examples/image"], 0)));
    insta::assert_snapshot!("json", stable(json));
}

#[test]
fn a_threshold_stops_a_pipeline() {
    let data = tempfile::tempdir().expect("a folder can be made");
    update(data.path());
    // Alpine states no severity: whether any of its findings is critical is not known, so neither is cleared.
    for (threshold, code) in [("critical", 2), ("high", 1), ("high,fixable", 1), ("any", 1), ("worst", 3)] {
        plimsoll(data.path(), &["scan", "oci:examples/image", "--fail-on", threshold], code);
    }
    plimsoll(data.path(), &["scan", "oci:examples/image", "--fail-on", "critical", "--allow-gaps"], 0);
}

#[test]
fn without_a_database_nothing_is_cleared() {
    let data = tempfile::tempdir().expect("a folder can be made");
    let table = plimsoll(data.path(), &["scan", "oci:examples/image"], 2);
    assert!(table.contains("undecided") && table.contains("plimsoll feeds update"), "{table}");
}
