//! What must hold while processes run side by side, and when they are killed.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use plimsoll_feeds::bundle::{TarBundle, inspect};
use serde_json::{Value, json};

use support::images::{Image, base, fleet, ship};
use support::layer::Layer;
use support::{World, feeds, findings, without_identity};

mod support;

#[test]
fn scans_at_once_share_a_cold_cache() {
    let world = World::with_database();
    let (mut layout, index) = fleet();
    layout.name(index, None);
    layout.write(&world, "fleet");
    let arguments = ["scan", "oci:fleet", "--platform", "all", "--format", "json"];
    for _ in 0..5 {
        let ran = [(); 4].map(|()| world.spawn(&arguments)).map(|child| world.finish(child).expect(0));
        assert!(ran.iter().all(|one| one.stdout == ran[0].stdout));
        assert_eq!(world.cached_layers(), 4, "no temporary file stays: {:?}", world.files("data/layers"));
        std::fs::remove_dir_all(world.path("data/layers")).unwrap();
    }
}

/// A scan killed while it fills the cache leaves nothing that a later one would believe.
#[test]
fn killed_scans_leave_a_cache_that_can_be_used() {
    let world = World::with_database();
    let mut image = ship("amd64");
    // Enough work to be killed in.
    for at in 0..20 {
        let folder = |n: u32| format!("srv/{at}/{n}-1.0.dist-info/METADATA");
        let layer = (0..40)
            .fold(Layer::new(), |layer, n| layer.file(&folder(n), format!("Name: x{n}\nVersion: 1\n")));
        image.layers.push(("", layer));
    }
    image.write_layout(&world, "ship");
    let arguments = ["scan", "oci:ship", "--format", "json"];
    let expected = world.plimsoll(&[&arguments[..], &["--no-cache"]].concat()).expect(0).stdout;
    let takes = kill_after(&world, &arguments, Duration::MAX).expect("it ends by itself");
    kill_later_and_later(takes, |time, at| {
        std::fs::remove_dir_all(world.path("data/layers")).unwrap();
        let ended = kill_after(&world, &arguments, time);
        assert_eq!(world.plimsoll(&arguments).expect(0).stdout, expected, "after kill {at}");
        ended.is_some()
    });
}

/// A scan sees the database of before or of after an update, never none and never half of one.
#[test]
fn scans_while_the_database_is_swapped() {
    let world = World::with_database();
    ship("amd64").write_layout(&world, "ship");
    let states = ["1.2.3-r1", "1.2.3-r2"].map(|fixed| {
        feeds::write_secdb(&world, fixed);
        world.plimsoll(&["feeds", "update", "alpine-secdb"]).expect(0);
        judged(&world.scan(&["oci:ship"]).1)
    });
    assert_ne!(states[0], states[1]);
    let is_done = std::sync::atomic::AtomicBool::new(false);
    let scan = || {
        let mut seen = BTreeSet::new();
        while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
            let (code, report) = world.scan(&["oci:ship"]);
            assert_eq!(code, 0, "{report}");
            let place = states.iter().position(|state| *state == judged(&report));
            seen.insert(place.expect("the content of one update"));
        }
        seen
    };
    let seen = std::thread::scope(|scope| {
        let scans = [scope.spawn(scan), scope.spawn(scan)];
        for at in 0..40 {
            feeds::write_secdb(&world, ["1.2.3-r1", "1.2.3-r2"][at % 2]);
            world.plimsoll(&["feeds", "update", "alpine-secdb"]).expect(0);
        }
        is_done.store(true, std::sync::atomic::Ordering::Relaxed);
        scans.map(|scan| scan.join().unwrap())
    });
    assert_eq!(seen.into_iter().flatten().collect::<BTreeSet<_>>(), BTreeSet::from([0, 1]));
}

/// What depends on the content of the database alone.
fn judged(report: &Value) -> Value {
    let mut report = without_identity(report.clone());
    report
        .as_object_mut()
        .unwrap()
        .retain(|name, _| matches!(name.as_str(), "findings" | "gaps" | "verdict"));
    report
}

/// A killed update leaves the database of before or the new one; the next update leaves what one that was
/// never killed would.
#[test]
fn killed_updates_lose_nothing() {
    let world = world_with_large_feed();
    let update = ["feeds", "update", "alpine-secdb", "kev"];
    write_large_secdb(&world, "1.2.3-r1");
    world.plimsoll(&update).expect(0);
    let whole = world.files("data");
    write_large_secdb(&world, "1.2.3-r2");
    let takes = kill_after(&world, &update, Duration::MAX).expect("it ends by itself");
    let (mut old, mut new) = ("1.2.3-r2", "1.2.3-r1");
    let mut left = [0, 0];
    kill_later_and_later(takes, |time, at| {
        write_large_secdb(&world, new);
        let ended = kill_after(&world, &update, time);
        let (code, report) = world.scan(&["oci:base", "--no-cache"]);
        let fixed = fixed_hull(&report);
        assert!(
            code == 0 && [Some(old), Some(new)].contains(&fixed.as_deref()),
            "kill {at}: {code} {fixed:?}"
        );
        left[usize::from(fixed.as_deref() == Some(new))] += 1;
        world.plimsoll(&update).expect(0);
        assert_eq!(world.files("data"), whole, "after kill {at}");
        let (code, report) = world.scan(&["oci:base", "--no-cache"]);
        assert_eq!((code, fixed_hull(&report).as_deref()), (0, Some(new)), "after kill {at}");
        std::mem::swap(&mut old, &mut new);
        ended.is_some()
    });
    assert!(left[0] > 0 && left[1] > 0, "{left:?}");
}

/// The first update of all: until it is done there is no database.
#[test]
fn a_killed_first_update_leaves_no_database_or_a_whole_one() {
    let world = world_with_large_feed();
    let update = ["feeds", "update", "alpine-secdb", "kev"];
    write_large_secdb(&world, "1.2.3-r1");
    let takes = kill_after(&world, &update, Duration::MAX).expect("it ends by itself");
    let whole = world.files("data");
    kill_later_and_later(takes, |time, at| {
        std::fs::remove_dir_all(world.path("data")).unwrap();
        let ended = kill_after(&world, &update, time);
        let (code, report) = world.scan(&["oci:base", "--no-cache"]);
        let judged = (code, fixed_hull(&report), report["database"].is_null());
        let expected = [(2, None, true), (0, Some("1.2.3-r1".to_owned()), false)];
        assert!(expected.contains(&judged), "kill {at}: {judged:?}");
        world.plimsoll(&update).expect(0);
        assert_eq!(world.files("data"), whole, "after kill {at}");
        ended.is_some()
    });
}

/// A killed import leaves the feeds of before or the new ones; run again it leaves what one that was never killed would.
#[test]
fn killed_imports_lose_nothing() {
    let world = world_with_large_feed();
    for (fixed, bundle) in [("1.2.3-r1", "one.bundle"), ("1.2.3-r2", "two.bundle")] {
        write_large_secdb(&world, fixed);
        world.plimsoll(&["feeds", "update", "alpine-secdb", "kev"]).expect(0);
        world.plimsoll(&["feeds", "export", bundle, "--both", "--unsigned"]).expect(0);
    }
    let import = |bundle| ["feeds", "import", bundle, "--allow-unsigned", "--allow-older", "--data-dir", "b"];
    let scan = || world.scan(&["oci:base", "--no-cache", "--data-dir", "b"]);
    world.plimsoll(&import("one.bundle")).expect(0);
    let whole = world.files("b");
    let takes = kill_after(&world, &import("two.bundle"), Duration::MAX).expect("it ends by itself");
    let (mut old, mut new) = (("1.2.3-r2", "two.bundle"), ("1.2.3-r1", "one.bundle"));
    let mut left = [0, 0];
    kill_later_and_later(takes, |time, at| {
        let ended = kill_after(&world, &import(new.1), time);
        let (code, report) = scan();
        let fixed = fixed_hull(&report);
        assert!(
            code == 0 && [Some(old.0), Some(new.0)].contains(&fixed.as_deref()),
            "kill {at}: {code} {fixed:?}"
        );
        left[usize::from(fixed.as_deref() == Some(new.0))] += 1;
        world.plimsoll(&import(new.1)).expect(0);
        assert_eq!(world.files("b"), whole, "after kill {at}");
        assert_eq!(fixed_hull(&scan().1).as_deref(), Some(new.0), "after kill {at}");
        std::mem::swap(&mut old, &mut new);
        ended.is_some()
    });
    assert!(left[0] > 0 && left[1] > 0, "{left:?}");
}

/// The first import of all, of files from which the database is built.
#[test]
fn a_killed_first_import_leaves_no_database_or_a_whole_one() {
    let world = world_with_large_feed();
    write_large_secdb(&world, "1.2.3-r1");
    world.plimsoll(&["feeds", "update", "alpine-secdb", "kev"]).expect(0);
    world.plimsoll(&["feeds", "export", "one.bundle", "--unsigned"]).expect(0);
    let import = ["feeds", "import", "one.bundle", "--allow-unsigned", "--data-dir", "b"];
    let takes = kill_after(&world, &import, Duration::MAX).expect("it ends by itself");
    let whole = world.files("b");
    let database = std::fs::read(world.path("data/database.plimsoll")).unwrap();
    kill_later_and_later(takes, |time, at| {
        std::fs::remove_dir_all(world.path("b")).unwrap();
        let ended = kill_after(&world, &import, time);
        let (code, report) = world.scan(&["oci:base", "--no-cache", "--data-dir", "b"]);
        let judged = (code, fixed_hull(&report), report["database"].is_null());
        let expected = [(2, None, true), (0, Some("1.2.3-r1".to_owned()), false)];
        assert!(expected.contains(&judged), "kill {at}: {judged:?}");
        world.plimsoll(&import).expect(0);
        assert_eq!(world.files("b"), whole, "after kill {at}");
        assert!(std::fs::read(world.path("b/database.plimsoll")).unwrap() == database, "after kill {at}");
        ended.is_some()
    });
}

/// A killed export leaves no bundle, the one of before or a whole new one.
#[test]
fn killed_exports_leave_no_half_bundle() {
    let world = world_with_large_feed();
    write_large_secdb(&world, "1.2.3-r1");
    world.plimsoll(&["feeds", "update", "alpine-secdb", "kev"]).expect(0);
    let export = ["feeds", "export", "folder/out.bundle", "--both", "--unsigned"];
    std::fs::create_dir(world.path("folder")).unwrap();
    let data = |world: &World| {
        let files = world.files("data").into_iter();
        files.filter(|name| !name.starts_with("exports/") || !name.ends_with(".json")).collect::<Vec<_>>()
    };
    let takes = kill_after(&world, &export, Duration::MAX).expect("it ends by itself");
    let whole = data(&world);
    let is_whole = || {
        let bundle = std::fs::File::open(world.path("folder/out.bundle")).unwrap();
        inspect(&mut TarBundle::new(bundle)).unwrap();
    };
    kill_later_and_later(takes, |time, at| {
        if at % 2 == 0 {
            std::fs::remove_file(world.path("folder/out.bundle")).unwrap();
        }
        let ended = kill_after(&world, &export, time);
        if world.path("folder/out.bundle").exists() {
            is_whole();
        }
        world.plimsoll(&export).expect(0);
        is_whole();
        assert_eq!(world.files("folder").into_iter().collect::<Vec<_>>(), ["out.bundle"], "after kill {at}");
        assert_eq!(data(&world), whole, "after kill {at}");
        ended.is_some()
    });
}

/// A killed mirror leaves whole files, each the old or the new one; run again it goes on.
#[test]
fn killed_mirrors_leave_whole_files() {
    let world = world_with_large_feed();
    write_large_secdb(&world, "1.2.3-r1");
    let mirror = ["feeds", "mirror", "mirror", "alpine-secdb", "kev", "osv-pypi"];
    let takes = kill_after(&world, &mirror, Duration::MAX).expect("it ends by itself");
    let whole = world.files("mirror");
    let upstream = |path: &str| std::fs::read(world.path("feeds").join(path)).unwrap();
    let mirrored = |path: &str| std::fs::read(world.path("mirror/alpine-secdb").join(path)).ok();
    let mut states = ["1.2.3-r1", "1.2.3-r2"];
    kill_later_and_later(takes, |time, at| {
        if at % 2 == 0 {
            std::fs::remove_dir_all(world.path("mirror")).unwrap();
        }
        let old = mirrored("v3.20/main.json");
        states.reverse();
        write_large_secdb(&world, states[0]);
        let new = upstream("secdb/v3.20/main.json");
        let ended = kill_after(&world, &mirror, time);
        let left = mirrored("v3.20/main.json");
        assert!(left == old || left.as_ref() == Some(&new), "after kill {at}");
        world.plimsoll(&mirror).expect(0);
        assert_eq!(world.files("mirror"), whole, "after kill {at}");
        assert!(mirrored("v3.20/main.json") == Some(new), "after kill {at}");
        ended.is_some()
    });
    let update =
        ["feeds", "update", "alpine-secdb", "kev", "osv-pypi", "--config", "mirror/plimsoll-mirror.toml"];
    world.plimsoll(&update).expect(0);
    assert_eq!(fixed_hull(&world.scan(&["oci:base", "--no-cache"]).1).as_deref(), Some(states[0]));
}

/// Runs something that is killed at a given time, each time later, until it was done before its time; it says
/// whether it was. Where that comes before it was killed often enough (other load made `takes` too long) it
/// begins anew with smaller steps.
fn kill_later_and_later(takes: Duration, mut killed_at: impl FnMut(Duration, u32) -> bool) {
    const KILLS_MIN: u32 = 20;
    let (mut step, mut time, mut kills) = (takes / KILLS_MIN, Duration::ZERO, 0);
    for at in 0..500 {
        if !killed_at(time, at) {
            (kills, time) = (kills + 1, time + step);
        } else if kills < KILLS_MIN {
            (step, time) = (step / 2, Duration::ZERO);
        } else {
            return;
        }
    }
    panic!("it was killed {kills} times and never done after that");
}

/// The version that has the fix, as the scan says; `None` without a finding.
fn fixed_hull(report: &Value) -> Option<String> {
    assert!(findings(report).len() <= 1);
    report["findings"][0]["fixed_in"].as_str().map(str::to_owned)
}

/// A small image, and feeds of which one takes an update some time.
fn world_with_large_feed() -> World {
    let world = World::new();
    feeds::write_all(&world);
    Image::new("amd64", vec![("", base("amd64"))]).write_layout(&world, "base");
    world
}

fn write_large_secdb(world: &World, fixed_hull: &str) {
    let mut secdb = feeds::secdb(fixed_hull);
    let packages = secdb["packages"].as_array_mut().unwrap();
    packages.extend((0..1000).map(|at| {
        let fixes = json!({"1.0-r0": [format!("CVE-2029-{at:05}")], "2.0-r0": [format!("CVE-2028-{at:05}")]});
        json!({"pkg": {"name": format!("crate-{at}"), "secfixes": fixes}})
    }));
    world.write("feeds/secdb/v3.20/main.json", secdb.to_string());
}

/// Runs the binary and kills it after a time; gives how long it took if it was done before.
fn kill_after(world: &World, arguments: &[&str], time: Duration) -> Option<Duration> {
    let begun = Instant::now();
    // Nobody reads what it prints, and it must not wait for a reader.
    let mut child = world.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while begun.elapsed() < time {
        if child.try_wait().unwrap().is_some() {
            return Some(begun.elapsed());
        }
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    None
}
