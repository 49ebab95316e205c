//! Filters, as tables.

use super::*;
use crate::notify::kinds::KINDS;
use crate::notify::tests::samples::{IMAGE, all, changes, occurrence, scan_ended};

fn wants(toml: &str) -> Wants {
    let config: TargetConfig = toml::from_str(toml).unwrap();
    let webhook = KINDS.iter().find(|kind| kind.name == "webhook").unwrap();
    Wants::read(&config, webhook.tells).unwrap()
}

/// What is told: topics, and of findings their ids and how many are not named.
fn told(toml: &str) -> String {
    let wants = wants(toml);
    let all = all();
    let told = all.iter().filter_map(|happened| wants.narrow(happened)).map(|told| match told.what {
        What::Findings(changes) => {
            let ids = changes.findings.iter().map(|finding| finding.id.trim_start_matches("CVE-2029-"));
            format!("findings[{} +{}]", ids.collect::<Vec<_>>().join(" "), changes.left_out)
        }
        _ => told.topic.name.to_owned(),
    });
    told.collect::<Vec<String>>().join(", ")
}

#[test]
fn filters() {
    let late = "feed.late, feed.recovered, clearance.decided, clearance.failed, deliveries.dropped";
    let rest = format!("scan.completed, scan.failed, {late}");
    for (toml, wanted) in [
        ("", format!("findings[1 2 3 4 +1], {rest}")),
        ("severity = 'unknown'", format!("findings[1 2 3 4 +1], {rest}")),
        ("severity = 'low'", format!("findings[1 3 4 +1], {rest}")),
        ("severity = 'high'", format!("findings[1 3 4 +0], {rest}")),
        // The scan found nothing critical; that another one failed is told all the same.
        ("severity = 'critical'", format!("findings[1 4 +0], scan.failed, {late}")),
        ("fixable = true", format!("findings[1 4 +0], {rest}")),
        ("new_only = true", format!("findings[1 2 +1], {rest}")),
        ("new_only = true\nfixable = true", format!("findings[1 +0], {rest}")),
        ("events = ['feed.late']", "feed.late".to_owned()),
        ("events = ['scan.failed', 'findings.changed']", "findings[1 2 3 4 +1], scan.failed".to_owned()),
        ("repositories = ['registry.example/team/*']", format!("findings[1 2 3 4 +1], {rest}")),
        ("repositories = ['registry.example/*']", "feed.late, feed.recovered, deliveries.dropped".to_owned()),
        (
            "repositories = ['other.example/**', 'registry.example/**']",
            format!("findings[1 2 3 4 +1], {rest}"),
        ),
    ] {
        assert_eq!(told(toml), wanted, "{toml}");
    }
}

#[test]
fn what_a_filter_leaves_nothing_of_is_not_told() {
    let mut removed = changes();
    removed.added = Tally::default();
    removed.changed = Tally::default();
    let happened = occurrence("findings.changed", 1, IMAGE, What::Findings(removed));
    assert!(wants("").narrow(&happened).is_some());
    assert!(wants("new_only = true").narrow(&happened).is_none());
}

#[test]
fn a_first_scan_is_told_once() {
    let scan = |number| occurrence("scan.completed", number, IMAGE, What::Scan(scan_ended("completed")));
    let keys = |toml: &str| [1, 2].map(|number| wants(toml).key(&scan(number)));
    assert_eq!(keys(""), ["1", "2"]);
    let [first, second] = keys("new_only = true");
    assert_eq!(first, second);
}

#[test]
fn what_means_nothing_is_refused() {
    for (toml, wanted) in [
        ("events = []", "`events` is empty"),
        ("events = ['scan.done']", "`scan.done` is no event that this kind tells"),
        ("severity = 'High'", "`severity` is one of unknown, negligible"),
        ("repositories = ['']", "a pattern in `repositories`"),
    ] {
        let config: TargetConfig = toml::from_str(toml).unwrap();
        let error = Wants::read(&config, |topic| topic.name == "scan.failed").unwrap_err().to_string();
        assert!(error.starts_with(wanted), "{error}");
    }
}
