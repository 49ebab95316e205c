//! The demo in a browser: each state with its words and its reason, and the pages that have something to show there alone.
//!
//! Second tier: runs with `PLIMSOLL_TIER2=1` and needs `chromium`; axe is run where `PLIMSOLL_SCHEMAS` has it.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;

use serde_json::Value;
use support::browser::{Browser, axe};
use support::demo::{SHOWN, until_shown};
use support::serving::Serving;
use support::{World, second_tier};

mod support;

/// What people read for each state, and for those that stay so what stands beside it.
static WORDS: &[(&str, &str)] = &[
    ("retrying", "Will be tried again"),
    ("feeds_not_loaded", "Waits for feeds"),
    ("fetching", "Fetching"),
    ("queued", "Queued"),
    ("unsupported", "Unsupported"),
    ("completed", "Scanned"),
    ("failed", "Failed"),
];

/// Opens the demo once everything is so far.
fn demo() -> (World, Serving) {
    let world = World::new();
    fs::create_dir(world.path("temporary")).unwrap();
    let serving = Serving::demo(&world, "temporary");
    until_shown(&serving);
    (world, serving)
}

/// Where each scan stands: `REPOSITORY:TAG` with its registry, state and reason.
fn scans(serving: &Serving) -> Vec<Value> {
    serving.get("/api/v1/scans", 200)["scans"].as_array().unwrap().clone()
}

/// Registry, repository and tag of the reference that a scan was asked for by.
fn parts(scan: &Value) -> (&str, &str, &str) {
    let name = scan["reference"].as_str().unwrap().split('@').next().unwrap();
    let (registry, rest) = name.split_once('/').unwrap();
    let (repository, tag) = rest.rsplit_once(':').unwrap();
    (registry, repository, tag)
}

#[test]
fn each_state_is_told_in_words() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let (_world, serving) = demo();
    let mut browser = Browser::start();
    let scans = scans(&serving);
    let states: Vec<&str> = scans.iter().map(|scan| scan["state"].as_str().unwrap()).collect();
    for (state, word) in WORDS {
        assert!(states.contains(state), "{state} is not among {states:?}");
        for scan in scans.iter().filter(|scan| scan["state"] == **state) {
            let (registry, repository, tag) = parts(scan);
            browser.open(&format!("{}/ui/repositories/{registry}/{repository}", serving.url));
            let row = format!(
                "[...document.querySelectorAll('#tags tr')].find((row) => row.querySelector('th a') && row.querySelector('th a').innerText === '{tag}').innerText"
            );
            let row = browser.value(&row);
            let row = row.as_str().unwrap();
            let reason = scan["reason"].as_str().unwrap().replace('_', " ");
            let is_told = row.contains(word) && (*state == "completed" || row.contains(&reason));
            assert!(is_told, "{word}, {reason}: {row}");
            browser.open(&format!("{}/ui/images/{}", serving.url, scan["id"].as_str().unwrap()));
            let page = browser.value("document.querySelector('#image').innerText");
            assert!(page.as_str().unwrap().contains(word), "{page}");
            if *state == "retrying" {
                assert!(row.contains("attempt 1 of 5") && row.contains("again at"), "{row}");
            }
            if *state == "queued" {
                assert!(row.contains("next in the queue"), "{row}");
            }
        }
    }
    assert!(SHOWN.lines().count() + 2 <= scans.len(), "{scans:#?}");
}

#[test]
fn what_only_the_demo_shows_is_as_good_as_the_rest() {
    if !second_tier(&["chromium"]) {
        return;
    }
    let (_world, serving) = demo();
    let (mut browser, axe) = (Browser::start(), axe());
    let scans = scans(&serving);
    let of = |end: &str| {
        let is_it = |scan: &&Value| scan["reference"].as_str().unwrap().contains(end);
        scans.iter().find(is_it).unwrap().clone()
    };
    let web = of("shop/web:1.0@");
    let image = |end: &str| format!("/ui/images/{}", of(end)["id"].as_str().unwrap());
    let list = serving.get("/api/v1/clearances", 200);
    let clearance = |number: u64| {
        let all = list["clearances"].as_array().unwrap();
        let id = all.iter().find(|one| one["number"] == number).unwrap()["id"].as_str().unwrap();
        format!("/ui/clearances/{id}")
    };
    let (registry, ..) = parts(&web);
    let mut bad = Vec::new();
    for (name, path) in [
        ("demo-overview", "/".to_owned()),
        ("demo-tags", format!("/ui/repositories/{registry}/shop/web")),
        ("demo-index", image("shop/web:latest@")),
        ("demo-windows", image("windows/iis")),
        ("demo-unsupported", image("charts/web")),
        ("demo-waiting", image("shop/billing")),
        ("demo-history", format!("{}/history", image("shop/web:1.0@"))),
        ("demo-clearances", "/ui/clearances".to_owned()),
        ("demo-refused", clearance(1)),
        ("demo-cleared", clearance(2)),
        ("demo-undecided", clearance(3)),
        ("demo-jobs", "/ui/jobs".to_owned()),
        ("demo-feeds", "/ui/feeds".to_owned()),
    ] {
        bad.extend(browser.look(name, &format!("{}{path}", serving.url), axe.as_deref()));
    }
    assert!(bad.is_empty(), "{} problems:\n{}", bad.len(), bad.join("\n"));
}
