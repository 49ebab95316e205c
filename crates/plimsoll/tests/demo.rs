//! `plimsoll serve --demo`: that each state can be seen in it, that nothing was written by hand for it, and that it leaves
//! nothing behind.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;

use support::World;
use support::demo::until_shown;
use support::serving::Serving;

mod support;

/// What is decided of a clearance, waited for by asking so that the server waits.
fn verdict(serving: &Serving, url: &str) -> String {
    for _ in 0..60 {
        let stands = serving.get(&format!("{url}?wait=2s"), 200);
        if stands["is_final"] == true {
            return stands["verdict"].as_str().unwrap_or_default().to_owned();
        }
    }
    panic!("{url} is not decided\n{}", serving.log());
}

#[test]
fn the_demo_shows_every_state_and_leaves_nothing_behind() {
    let world = World::new();
    fs::create_dir(world.path("temporary")).unwrap();
    // A configuration that would be refused: the demo has nothing to do with it.
    world.write("config.toml", "nonsense = true\n");
    let serving = Serving::demo(&world, "temporary");
    until_shown(&serving);
    // It stays so for minutes.
    let queued = serving.get("/api/v1/scans?state=queued", 200)["scans"].as_array().unwrap().len();
    let fetching = serving.get("/api/v1/scans?state=fetching", 200)["scans"].as_array().unwrap().len();
    assert_eq!((queued, fetching), (1, 1));

    let listed = serving.get("/api/v1/clearances", 200);
    let asked = listed["clearances"].as_array().unwrap().iter();
    let verdicts: Vec<String> = asked.map(|one| verdict(&serving, one["url"].as_str().unwrap())).collect();
    // The newest comes first.
    assert_eq!(verdicts, ["refused", "undecided", "cleared", "refused"]);

    assert_eq!(world.files("temporary").iter().filter(|name| name.ends_with("server.sqlite")).count(), 1);
    assert_eq!(serving.end(), Some(0));
    assert_eq!(fs::read_dir(world.path("temporary")).unwrap().count(), 0, "its folder is gone");
    assert!(!world.path("data").exists());
}

#[test]
fn the_demo_has_a_place_of_its_own() {
    let world = World::new();
    for arguments in [&["serve", "--demo", "--store", "x.sqlite"][..], &["serve", "--demo", "--no-update"]] {
        let ran = world.plimsoll(arguments);
        assert_eq!(ran.code, 3, "{ran}");
    }
    // Everybody may do everything in it.
    let ran = world.plimsoll(&["serve", "--demo", "--listen", "0.0.0.0:0"]);
    assert_eq!(ran.code, 2, "{ran}");
    assert!(ran.stderr.contains("can be reached from other machines"), "{ran}");
}
