//! Scanning, as a user does it: every form of an image, every threshold, every kind of gap.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;

use serde_json::{Value, json};

use support::images::{self, Image, Layout, fleet, ship};
use support::layer::Layer;
use support::{World, assert_run, feeds, findings, without_identity};

mod support;

#[test]
fn a_scan_in_every_format() {
    let world = World::with_database();
    ship("amd64").write_layout(&world, "ship");
    let arguments = ["scan", "oci:ship:1", "-f", "table", "-f", "json=ship.json", "-f", "markdown=ship.md"];
    assert_run!(world, "table", arguments);
    assert_run!(world, "json", ["scan", "oci:ship:1", "--format", "json"]);
    for (file, format) in [("ship.json", "json"), ("ship.md", "markdown")] {
        let alone = world.plimsoll(&["scan", "oci:ship:1", "--format", format]).expect(0);
        assert_eq!(fs::read_to_string(world.path(file)).unwrap(), alone.stdout, "{format}");
    }
    for format in ["cyclonedx", "sarif", "spdx"] {
        world.plimsoll(&["scan", "oci:ship:1", "--format", format]).expect(0).json();
    }
    assert!(!world.files(".").iter().any(|name| name.contains("tmp")), "reports are renamed into place");
}

#[test]
fn one_root_gives_the_same_findings_by_every_way() {
    let world = World::with_database();
    let image = ship("amd64");
    let digest = image.write_layout(&world, "ship");
    let mut layout = Layout::default();
    let descriptor = layout.image(&image);
    layout.name(descriptor, Some("1"));
    layout.write_archive(&world, "ship.tar");
    image.write_docker_archive(&world, "saved.tar");
    image.write_rootfs(&world, "root");
    let (code, expected) = world.scan(&["oci:ship:1"]);
    assert_eq!(code, 0);
    assert_eq!(findings(&expected).len(), 3, "{:?}", findings(&expected));
    for reference in [
        "oci:ship",
        &format!("oci:ship@{digest}"),
        "oci-archive:ship.tar",
        "oci-archive:ship.tar:1",
        &format!("oci-archive:ship.tar@{digest}"),
        "docker-archive:saved.tar",
        "docker-archive:saved.tar:1",
        "docker-archive:saved.tar:harbour/ship:1",
        "docker-archive:saved.tar:ship:1",
        "dir:root",
    ] {
        let (code, mut report) = world.scan(&[reference]);
        assert_eq!(code, 0, "{reference}");
        if reference.starts_with("oci") {
            report["image"]["reference"] = expected["image"]["reference"].clone();
            assert_eq!(report, expected, "{reference}");
        }
        assert_eq!(without_identity(report), without_identity(expected.clone()), "{reference}");
    }
}

#[test]
fn the_same_image_and_database_give_the_same_bytes() {
    let world = World::with_database();
    let (mut layout, index) = fleet();
    layout.name(index, None);
    layout.write(&world, "fleet");
    let scan = |more: &[&str]| {
        let arguments = ["scan", "oci:fleet", "--platform", "all", "--format", "json"];
        world.plimsoll(&[&arguments, more].concat()).expect(0).stdout
    };
    let cold = scan(&[]);
    assert_eq!(scan(&[]), cold, "warm");
    assert_eq!(scan(&["--no-cache"]), cold, "without cache");
    for threads in ["1", "4"] {
        assert_eq!(scan(&["--threads", threads]), cold, "warm, {threads} threads");
        assert_eq!(scan(&["--no-cache", "--threads", threads]), cold, "{threads} threads");
        fs::remove_dir_all(world.path("data/layers")).unwrap();
        assert_eq!(scan(&["--threads", threads]), cold, "cold, {threads} threads");
    }
}

#[test]
fn all_platforms_of_an_index() {
    let world = World::with_database();
    let (mut layout, index) = fleet();
    layout.name(index, None);
    layout.write(&world, "fleet");
    let (code, reports) = world.scan(&["oci:fleet", "--platform", "all"]);
    assert_eq!(code, 0);
    let reports = reports["reports"].as_array().unwrap();
    let architectures: Vec<&str> =
        reports.iter().map(|report| report["image"]["platform"]["architecture"].as_str().unwrap()).collect();
    assert_eq!(architectures, ["amd64", "arm64"], "attestations are not images");
    // Two bases; the application and the removal are one blob each for both.
    assert_eq!(world.cached_layers(), 4);
    for (architecture, report) in architectures.iter().zip(reports) {
        let (_, alone) = world.scan(&["oci:fleet", "--platform", &format!("linux/{architecture}")]);
        assert_eq!(&alone, report);
        let mut single = World::scan(&world, &[&layout_of(&world, architecture)]).1;
        single["image"]["reference"] = "oci:fleet".into();
        assert_eq!(&single, report);
    }
    assert_run!(world, "all_platforms", ["scan", "oci:fleet", "--platform", "all"]);
    assert_run!(world, "no_such_platform", ["scan", "oci:fleet", "--platform", "linux/riscv64"]);
}

/// The reference of a layout with one platform alone.
fn layout_of(world: &World, architecture: &str) -> String {
    ship(architecture).write_layout(world, architecture);
    format!("oci:{architecture}")
}

#[test]
fn an_index_in_an_index() {
    let world = World::with_database();
    let (mut layout, inner) = fleet();
    let outer = layout.index(&[inner]);
    layout.name(outer, None);
    layout.write(&world, "fleet");
    let (_, reports) = world.scan(&["oci:fleet", "--platform", "all"]);
    assert_eq!(reports["reports"].as_array().unwrap().len(), 2);
    let (code, report) = world.scan(&["oci:fleet", "--platform", "linux/arm64"]);
    assert_eq!((code, report["image"]["platform"]["architecture"].as_str()), (0, Some("arm64")));
}

#[test]
fn an_artifact_beside_images_is_told_and_does_not_cost_them() {
    let world = World::with_database();
    let mut layout = Layout::default();
    let image = layout.image(&ship("amd64"));
    let config = layout.blob("application/vnd.cncf.helm.config.v1+json", b"{}".to_vec());
    let chart = json!({"schemaVersion": 2, "mediaType": images::MANIFEST, "config": config, "layers": []});
    let chart = layout.blob(images::MANIFEST, chart.to_string().into_bytes());
    let index = layout.index(&[image, chart]);
    layout.name(index, None);
    layout.write(&world, "mixed");
    let (code, report) = world.scan(&["oci:mixed", "--platform", "all"]);
    let gap = &report["gaps"][0];
    assert_eq!((code, gap["kind"].as_str()), (2, Some("unsupported")), "{gap}");
    assert!(gap["detail"].as_str().unwrap().contains("helm"), "{gap}");
    assert_eq!(report["findings"].as_array().unwrap().len(), 3);
    // Who asks for one platform is not told of others.
    let (code, report) = world.scan(&["oci:mixed", "--platform", "linux/amd64"]);
    assert_eq!((code, report["gaps"].as_array().unwrap().len()), (0, 0));
}

/// A base with one package that nothing is known against.
fn sound_base() -> Layer {
    let sound = "P:rope\nV:9.9.9-r0\nA:x86_64\no:rope\n\n";
    images::os_release("ID=alpine\nVERSION_ID=3.20.3\n").file("lib/apk/db/installed", sound)
}

#[test]
fn thresholds_decide_the_exit_code() {
    let world = World::with_database();
    // One finding is critical and has a fix, one low without, one of unknown severity with a fix.
    ship("amd64").write_layout(&world, "ship");
    // Only the first two.
    let text = "ID=alpine\nVERSION_ID=3.20.3\n";
    let layers = vec![("", images::os_release(text)), ("", images::application())];
    let base_only = Image::new("amd64", layers);
    base_only.write_layout(&world, "python");
    let bare = Image::new("amd64", vec![("", sound_base())]);
    bare.write_layout(&world, "bare");
    for (image, fail_on, code) in [
        ("ship", "critical", 1),
        ("ship", "critical,fixable", 1),
        ("ship", "high", 1),
        ("ship", "negligible,fixable", 1),
        ("ship", "any", 1),
        ("ship", "any,fixable", 1),
        ("python", "low", 1),
        ("python", "critical", 1),
        ("bare", "any", 0),
        ("bare", "negligible", 0),
    ] {
        let reference = format!("oci:{image}");
        let ran = world.plimsoll(&["scan", &reference, "--fail-on", fail_on, "--allow-gaps"]);
        assert_eq!(ran.code, code, "{image} {fail_on}\n{ran}");
        let ran = world.plimsoll(&["scan", &reference, "--fail-on", fail_on]);
        assert_eq!(ran.code, code, "{image} {fail_on}, gaps counted\n{ran}");
    }
    assert_run!(world, "refused", ["scan", "oci:ship", "--fail-on", "any,fixable"]);
}

/// A finding whose severity nobody states can neither meet a threshold nor be below it.
#[test]
fn an_unknown_severity_leaves_a_threshold_undecided() {
    let world = World::with_database();
    Image::new("amd64", vec![("", images::base("amd64"))]).write_layout(&world, "base");
    assert_run!(world, "severity_unknown", ["scan", "oci:base", "--fail-on", "critical"]).expect(2);
    let (code, report) = world.scan(&["oci:base", "--fail-on", "critical", "--allow-gaps"]);
    assert_eq!((code, report["verdict"]["answer"].as_str()), (0, Some("cleared")));
    assert_eq!(report["verdict"]["accepted_gaps"], report["gaps"], "what was accepted is told");
    assert_eq!(report["gaps"][0]["kind"], "severity-unknown");
    world.plimsoll(&["scan", "oci:base", "--fail-on", "any"]).expect(1);
    world.plimsoll(&["scan", "oci:base"]).expect(0);
}

/// What is not judged stands in the first lines and exits with 2, until gaps are accepted.
#[track_caller]
fn check_unjudged(world: &World, name: &str, reference: &str, kind: &str) {
    let ran = assert_run!(world, name, ["scan", reference]).expect(2);
    let first: Vec<&str> = ran.stdout.lines().take(6).collect();
    assert!(first.iter().any(|line| line.starts_with("NOT JUDGED")), "{ran}");
    let (code, report) = world.scan(&[reference]);
    let kinds: Vec<&str> =
        report["gaps"].as_array().unwrap().iter().map(|gap| gap["kind"].as_str().unwrap()).collect();
    assert!(code == 2 && kinds.contains(&kind), "{code} {kinds:?}");
    assert_eq!(report["verdict"]["answer"], "undecided", "{}", report["verdict"]);
    let (code, report) = world.scan(&[reference, "--allow-gaps"]);
    assert_eq!((code, report["verdict"]["answer"].as_str()), (0, Some("nothing-demanded")));
    assert_eq!(report["gaps"].as_array().unwrap().len(), kinds.len(), "accepted gaps are still told");
}

#[test]
fn without_a_database_nothing_is_judged() {
    let world = World::new();
    ship("amd64").write_layout(&world, "ship");
    check_unjudged(&world, "no_database", "oci:ship", "database-missing");
}

#[test]
fn a_database_without_the_feed_of_the_image() {
    let world = World::new();
    feeds::write_all(&world);
    world.plimsoll(&["feeds", "update", "osv-pypi", "kev"]).expect(0);
    ship("amd64").write_layout(&world, "ship");
    check_unjudged(&world, "feed_missing", "oci:ship", "feed-missing");
}

#[test]
fn a_release_that_the_feed_does_not_have() {
    let world = World::with_database();
    let layers =
        vec![("", images::base("amd64")), ("", images::os_release("ID=alpine\nVERSION_ID=3.99.0\n"))];
    Image::new("amd64", layers).write_layout(&world, "future");
    check_unjudged(&world, "release_missing", "oci:future", "feed-missing");
}

#[test]
fn a_distribution_that_is_not_known() {
    let world = World::with_database();
    let layer = images::os_release("ID=atlantis\nVERSION_ID=1\nPRETTY_NAME=\"Atlantis 1\"\n");
    Image::new("amd64", vec![("", layer)]).write_layout(&world, "sunk");
    check_unjudged(&world, "unknown_distro", "oci:sunk", "unknown-distro");
    Image::new("amd64", vec![("", Layer::new().file("bin/app", "x"))]).write_layout(&world, "scratch");
    check_unjudged(&world, "no_distro", "oci:scratch", "unknown-distro");
}

#[test]
fn a_layer_that_is_not_what_its_digest_says() {
    let world = World::with_database();
    let image = ship("amd64");
    let mut layout = Layout::default();
    let descriptor = layout.image(&image);
    layout.name(descriptor, None);
    let manifest: Value = layout
        .blobs
        .values()
        .find_map(|bytes| serde_json::from_slice(bytes).ok().filter(|json: &Value| json["layers"].is_array()))
        .unwrap();
    let application = manifest["layers"][1]["digest"].as_str().unwrap();
    layout.blobs.insert(application.to_owned(), support::layer::gzip(&Layer::new().tar()));
    layout.write(&world, "swapped");
    check_unjudged(&world, "layer_swapped", "oci:swapped", "layer-mismatch");
    assert_eq!(world.cached_layers(), 2, "only layers that were verified are kept");
    layout.blobs.remove(application);
    layout.write(&world, "absent");
    check_unjudged(&world, "layer_absent", "oci:absent", "layer-unreadable");
}

#[test]
fn a_stale_feed_is_told_and_weighs_only_with_a_threshold() {
    let world = World::new();
    feeds::write_all(&world);
    feeds::write_last_update(&world, 400);
    world.plimsoll(&["feeds", "update", "alpine-secdb", "osv-pypi"]).expect(0);
    Image::new("amd64", vec![("", sound_base())]).write_layout(&world, "bare");
    assert_run!(world, "stale", ["scan", "oci:bare"]).expect(0);
    let (code, report) = world.scan(&["oci:bare", "--fail-on", "any"]);
    assert_eq!((code, report["coverage"][0]["state"].as_str()), (2, Some("stale")));
    world.plimsoll(&["scan", "oci:bare", "--fail-on", "any", "--allow-gaps"]).expect(0);
    // The user may know better.
    let config = fs::read_to_string(world.path("config.toml")).unwrap();
    let patient = config.replace("[feeds.alpine-secdb]\n", "[feeds.alpine-secdb]\nmax_age = 1000\n");
    world.write("config.toml", patient);
    let (code, report) = world.scan(&["oci:bare", "--fail-on", "any"]);
    assert_eq!((code, report["coverage"][0]["state"].as_str()), (0, Some("loaded")));
}

/// It is judged by the distribution's advisories: `rope` alone would be affected.
#[test]
fn a_language_package_of_a_system_package_is_marked_and_not_matched() {
    let world = World::with_database();
    let image = ship("amd64");
    image.write_layout(&world, "ship");
    let (_, report) = world.scan(&["oci:ship"]);
    let rope = |report: &Value| {
        let packages = report["packages"].as_array().unwrap();
        packages.iter().find(|package| package["name"] == "rope").unwrap()["owned_by"].clone()
    };
    assert_eq!(rope(&report), "py3-rope");
    assert!(!findings(&report).contains(&"CVE-2030-0012 rope".to_owned()));
    // The same file, after the package that owned it is gone.
    let mut layers = image.layers;
    layers.push(("RUN apk del", Layer::new().file("lib/apk/db/installed", "")));
    Image::new("amd64", layers).write_layout(&world, "orphan");
    let (_, report) = world.scan(&["oci:orphan"]);
    assert_eq!(rope(&report), Value::Null);
    assert!(findings(&report).contains(&"CVE-2030-0012 rope".to_owned()), "{:?}", findings(&report));
}

#[test]
fn another_database_can_be_named() {
    let world = World::with_database();
    ship("amd64").write_layout(&world, "ship");
    fs::rename(world.path("data/database.plimsoll"), world.path("other.plimsoll")).unwrap();
    world.plimsoll(&["scan", "oci:ship"]).expect(2);
    world.plimsoll(&["scan", "oci:ship", "--database", "other.plimsoll"]).expect(0);
    assert_run!(world, "named_database_missing", ["scan", "oci:ship", "--database", "none.plimsoll"])
        .expect(2);
}
