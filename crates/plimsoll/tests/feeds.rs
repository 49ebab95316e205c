//! The feeds and the advisory database: updating, failing, recovering, exporting, comparing.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};

use serde_json::json;

use support::images::ship;
use support::{World, assert_run, feeds, findings};

mod support;

const NAMES: [&str; 4] = ["alpine-secdb", "epss", "kev", "osv-pypi"];

#[test]
fn the_list() {
    assert_run!(World::new(), "list", ["feeds", "list"]).expect(0);
}

#[test]
fn an_update_from_files() {
    let world = World::new();
    feeds::turn_others_off(&world);
    assert_run!(world, "status_before", ["feeds", "status"]).expect(0);
    feeds::write_all(&world);
    feeds::turn_others_off(&world);
    let update = [["feeds", "update"].as_slice(), &NAMES].concat();
    assert_run!(world, "update", update).expect(0);
    assert_run!(world, "status", ["feeds", "status"]).expect(0);
    assert_run!(world, "status_verbose", ["feeds", "status", "--verbose"]).expect(0);
    let database = fs::read(world.path("data/database.plimsoll")).unwrap();
    assert_run!(world, "second_update", update).expect(0);
    assert_eq!(fs::read(world.path("data/database.plimsoll")).unwrap(), database, "it is not written again");
}

#[test]
fn urls_of_the_command_line_win() {
    let world = World::new();
    feeds::write_all(&world);
    world.write("other.json", json!({"vulnerabilities": []}).to_string());
    let url = format!("kev={}", world.url("other.json"));
    assert_run!(world, "update_without_records", ["feeds", "update", "kev", "--feed-url", &url]).expect(2);
    let url = format!("kev={}", world.url("none.json"));
    assert_run!(world, "update_of_a_file_that_is_absent", ["feeds", "update", "kev", "--feed-url", &url])
        .expect(2);
    fs::remove_file(world.path("config.toml")).unwrap();
    let url = format!("kev={}", world.url("feeds/kev.json"));
    world.plimsoll(&["feeds", "update", "kev", "--feed-url", &url]).expect(0);
}

/// A feed that breaks keeps what it had; the others go on.
#[test]
fn a_feed_that_becomes_broken() {
    let world = World::with_database();
    ship("amd64").write_layout(&world, "ship");
    let (_, before) = world.scan(&["oci:ship"]);
    let whole = fs::read(world.path("feeds/secdb/v3.20/main.json")).unwrap();
    world.write("feeds/secdb/v3.20/main.json", &whole[..whole.len() / 2]);
    let update = ["feeds", "update", "alpine-secdb", "kev"];
    assert_run!(world, "broken_update", update).expect(2);
    feeds::turn_others_off(&world);
    let status = assert_run!(world, "broken_status", ["feeds", "status"]).expect(0).stdout;
    let (code, report) = world.scan(&["oci:ship"]);
    assert_eq!((code, &report["findings"]), (0, &before["findings"]), "the last good data is still used");
    let alpine = &report["coverage"][0];
    assert_eq!((&alpine["feed"], &alpine["state"]), (&json!("alpine-secdb"), &json!("loaded")));
    assert!(alpine["failing_since"].is_string() && before["coverage"][0]["failing_since"].is_null());
    assert_eq!(world.scan(&["oci:ship", "--fail-on-stale"]).0, 1);
    // A later failure has the date of the first one.
    world.plimsoll(&update).expect(2);
    assert_eq!(failing_since(&world.plimsoll(&["feeds", "status"]).stdout), failing_since(&status));
    assert_eq!(world.scan(&["oci:ship"]), (0, report));
    // It recovers, with other content.
    feeds::write_secdb(&world, "1.2.3-r0");
    world.plimsoll(&update).expect(0);
    let status = world.plimsoll(&["feeds", "status"]).stdout;
    assert!(!status.contains("fails since"), "{status}");
    let (_, after) = world.scan(&["oci:ship"]);
    assert_eq!((findings(&before).len(), findings(&after).len()), (3, 2), "{:?}", findings(&after));
}

fn failing_since(status: &str) -> &str {
    let (_, rest) = status.split_once("fails since ").unwrap();
    rest.split_once(": ").unwrap().0
}

#[test]
fn a_feed_that_never_worked() {
    let world = World::new();
    feeds::write_all(&world);
    world.write("feeds/kev.json", "<html>not what you wanted</html>");
    assert_run!(world, "never_worked_update", ["feeds", "update", "kev"]).expect(2);
    feeds::turn_others_off(&world);
    assert_run!(world, "never_worked_status", ["feeds", "status"]).expect(0);
    // The others are not held up.
    world.plimsoll(&["feeds", "update", "kev", "osv-pypi"]).expect(2);
    ship("amd64").write_layout(&world, "ship");
    assert_eq!(findings(&world.scan(&["oci:ship"]).1).len(), 2);
}

#[test]
fn malformed_records_are_refused_and_counted() {
    let world = World::new();
    feeds::write_all(&world);
    let mut records = feeds::records();
    records.push(json!({"id": "GHSA-6666-6666-6666", "affected": "everything"}));
    records.push(json!(["no", "record"]));
    feeds::write_osv(&world, &records);
    let mut secdb = feeds::secdb("1.2.3-r1");
    let packages = secdb["packages"].as_array_mut().unwrap();
    packages.push(json!({"pkg": {"name": "", "secfixes": {}}}));
    packages.push(json!({"pkg": {"name": "oar", "secfixes": {"1.0": ["no id at all"]}}}));
    world.write("feeds/secdb/v3.20/main.json", secdb.to_string());
    world.write("feeds/epss.csv", "cve,epss,percentile\nCVE-2030-0010,0.91,0.99\nCVE-2030-0011,often,0.2\n");
    assert_run!(world, "refused_update", ["feeds", "update", "alpine-secdb", "epss", "osv-pypi"]).expect(0);
    feeds::turn_others_off(&world);
    assert_run!(world, "refused_status", ["feeds", "status", "-v"]).expect(0);
    ship("amd64").write_layout(&world, "ship");
    assert_eq!(findings(&world.scan(&["oci:ship"]).1).len(), 3, "the rest is there");
}

#[test]
fn an_export_is_readable() {
    let world = World::with_database();
    world.plimsoll(&["feeds", "export", "--sqlite", "out.sqlite"]).expect(0);
    let connection = rusqlite::Connection::open(world.path("out.sqlite")).unwrap();
    let lines = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            (0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at)).collect::<Result<Vec<_>, _>>()
        });
        rows.unwrap().map(|row| format!("{:?}", row.unwrap())).collect()
    };
    assert_eq!(lines("PRAGMA integrity_check"), ["[Text(\"ok\")]"]);
    let schema = lines("SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name");
    insta::assert_snapshot!("export_schema", schema.join("\n"));
    // It is written anew, not added to.
    world.plimsoll(&["feeds", "export", "--sqlite", "out.sqlite"]).expect(0);
    assert_run!(world, "export_into_no_folder", ["feeds", "export", "--sqlite", "none/out.sqlite"]).expect(2);
    let empty = World::new();
    assert_run!(empty, "export_without_database", ["feeds", "export", "--sqlite", "out.sqlite"]).expect(2);
    assert_eq!(empty.files(".").len(), 0);
}

#[test]
fn databases_are_compared() {
    let world = World::with_database();
    fs::copy(world.path("data/database.plimsoll"), world.path("old.plimsoll")).unwrap();
    assert_run!(world, "diff_same", ["feeds", "diff", "old.plimsoll"]).expect(0);
    feeds::write_secdb(&world, "1.2.3-r2");
    let mut records = feeds::records();
    records.remove(3);
    let mut added = records[0].clone();
    (added["id"], added["aliases"]) = (json!("GHSA-7777-7777-7777"), json!(["CVE-2030-0014"]));
    records.push(added);
    feeds::write_osv(&world, &records);
    world.plimsoll(&["feeds", "update", "alpine-secdb", "osv-pypi"]).expect(0);
    assert_run!(world, "diff", ["feeds", "diff", "old.plimsoll"]).expect(0);
    let named = world.plimsoll(&["feeds", "diff", "data/database.plimsoll", "old.plimsoll"]).expect(0);
    assert!(named.stdout.contains("+ osv-pypi GHSA-5555-5555-5555"), "the other way round:\n{named}");
    assert_run!(world, "diff_absent", ["feeds", "diff", "none.plimsoll"]).expect(2);
}

/// The test itself is the other update: it holds the lock.
#[test]
fn one_update_at_a_time() {
    let world = World::new();
    feeds::write_all(&world);
    fs::create_dir(world.path("data")).unwrap();
    let lock = File::create(world.path("data/update.lock")).unwrap();
    lock.lock().unwrap();
    assert_run!(world, "update_busy", ["feeds", "update", "kev"]).expect(2);
    let mut waiting = world.spawn(&["feeds", "update", "kev", "--wait"]);
    if cfg!(target_os = "linux") {
        // Until it has the file open, and so has nothing to do but wait.
        let folder = format!("/proc/{}/fd", waiting.id());
        let has_lock = || {
            let files = fs::read_dir(&folder).into_iter().flatten().flatten();
            files.filter_map(|file| fs::read_link(file.path()).ok()).any(|path| path.ends_with("update.lock"))
        };
        while !has_lock() {
            assert!(waiting.try_wait().unwrap().is_none(), "it did not wait");
            std::thread::yield_now();
        }
    }
    assert!(!world.path("data/database.plimsoll").exists());
    drop(lock);
    world.finish(waiting).expect(0);
    assert!(world.path("data/database.plimsoll").exists());
}

#[test]
fn updates_at_once_do_not_disturb_each_other() {
    let world = World::new();
    feeds::write_all(&world);
    let update = |wait: &[&str]| {
        let arguments = [["feeds", "update"].as_slice(), &NAMES, wait].concat();
        [(); 3].map(|()| world.spawn(&arguments)).map(|child| world.finish(child))
    };
    for ran in update(&["--wait"]) {
        ran.expect(0);
    }
    feeds::write_secdb(&world, "1.2.3-r2");
    let ran = update(&[]);
    assert!(ran.iter().any(|ran| ran.code == 0));
    for ran in ran.iter().filter(|ran| ran.code != 0) {
        assert!(ran.code == 2 && ran.stderr.contains("another update of `data` is running"), "{ran}");
    }
    world.plimsoll(&["feeds", "update", "kev"]).expect(0);
    ship("amd64").write_layout(&world, "ship");
    let (code, report) = world.scan(&["oci:ship"]);
    assert_eq!((code, findings(&report).len()), (0, 3));
}
