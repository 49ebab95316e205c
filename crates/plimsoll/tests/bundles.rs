//! Feeds that are carried from one machine to another.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::{Command, Stdio};

use support::images::ship;
use support::{World, assert_run, feeds, findings, second_tier};

mod support;

/// Keys of nobody, so that their ids are the same in every run.
const OURS: [&str; 2] = [
    "plimsoll-private-key ed25519 3a866032c3c2d288 z8oWhA3WcFYE7DvXQg+qKBo0BfwvaegH0ckYlWb0PBU=\n",
    "plimsoll-public-key ed25519 3a866032c3c2d288 kr1YtTO9XmegNyE2b3arVJ1pKPs9AdkYV4grky5+TE8=\n",
];
const OTHERS: [&str; 2] = [
    "plimsoll-private-key ed25519 fe31db5cd1c7c220 HYUTWoAb5jHIWKW25uMS1pBmkfIdE0KEJyqx8JLT2ps=\n",
    "plimsoll-public-key ed25519 fe31db5cd1c7c220 9SkNJh0Qf3o0pfHGceYOUR+L9BRKDTjTaYQTnXsREOc=\n",
];

const ON_B: [&str; 2] = ["--data-dir", "b"];

/// A machine with feeds and keys. The other one is the data directory `b`.
fn world() -> World {
    let world = World::with_database();
    for (name, [private, public]) in [("ours", OURS), ("other", OTHERS)] {
        world.write(&format!("{name}.key"), private);
        world.write(&format!("{name}.pub"), public);
    }
    let mut config = fs::read_to_string(world.path("config.toml")).unwrap();
    config += "[bundles]\nkeys = [\"ours.pub\"]\nsigning_key = \"ours.key\"\n";
    world.write("config.toml", config);
    world
}

fn import<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&["feeds", "import"], arguments, &ON_B].concat()
}

#[test]
fn feeds_are_carried() {
    let world = world();
    assert_run!(world, "export", ["feeds", "export", "all.bundle"]).expect(0);
    assert_run!(world, "import", import(&["all.bundle"])).expect(0);
    assert_run!(world, "import_again", import(&["all.bundle"])).expect(0);
    let database = |name: &str| fs::read(world.path(name).join("database.plimsoll")).unwrap();
    assert!(database("b") == database("data"), "equal snapshots make equal bytes");
    let status = |on: &[&str]| world.plimsoll(&[&["feeds", "status", "-v"], on].concat()).expect(0).stdout;
    assert_eq!(status(&ON_B), status(&[]), "nothing looks fresher");
    ship("amd64").write_layout(&world, "ship");
    let (code, report) = world.scan(&["oci:ship", "--data-dir", "b"]);
    assert_eq!((code, findings(&report).len()), (0, 3));
    // What has changed since.
    feeds::write_secdb(&world, "1.2.3-r0");
    world.plimsoll(&["feeds", "update", "alpine-secdb"]).expect(0);
    let delta = ["feeds", "export", "delta.bundle", "--since", "all.bundle", "--both"];
    assert_run!(world, "export_delta", delta).expect(0);
    assert_run!(world, "import_delta", import(&["delta.bundle"])).expect(0);
    assert!(database("b") == database("data"));
    let (_, report) = world.scan(&["oci:ship", "--data-dir", "b"]);
    assert_eq!(findings(&report).len(), 2);
    // By the id, through a URL, and in a pipe.
    let remembered = world.files("data/exports");
    let id = remembered.first().unwrap().strip_suffix(".json").unwrap();
    world.plimsoll(&["feeds", "export", "by-id.bundle", "--since", id]).expect(0);
    let url = world.url("all.bundle");
    world.plimsoll(&["feeds", "import", &url, "--data-dir", "c"]).expect(0);
    let piped = world.command(&["feeds", "export", "-", "--feeds", "kev,osv-*"]).output().unwrap();
    world.write("piped.bundle", &piped.stdout);
    let file = fs::File::open(world.path("piped.bundle")).unwrap();
    let mut command = world.command(&["feeds", "import", "-", "--data-dir", "d"]);
    let ran = world.finish(command.stdin(Stdio::from(file)).spawn().unwrap()).expect(0);
    assert!(ran.stdout.contains("kev: 1 files changed") && !ran.stdout.contains("alpine"), "{ran}");
}

#[test]
fn what_is_refused() {
    let world = world();
    world.plimsoll(&["feeds", "export", "old.bundle"]).expect(0);
    feeds::write_secdb(&world, "1.2.3-r2");
    feeds::write_last_update(&world, 0);
    world.plimsoll(&["feeds", "update", "alpine-secdb"]).expect(0);
    world.plimsoll(&["feeds", "export", "new.bundle"]).expect(0);
    world.plimsoll(&["feeds", "export", "delta.bundle", "--since", "old.bundle"]).expect(0);
    world.plimsoll(&["feeds", "export", "unsigned.bundle", "--unsigned"]).expect(0);
    world.plimsoll(&["feeds", "export", "other.bundle", "--key", "other.key"]).expect(0);
    world.plimsoll(&["feeds", "export", "built.bundle", "--built"]).expect(0);
    let whole = fs::read(world.path("new.bundle")).unwrap();
    world.write("cut.bundle", &whole[..whole.len() - 2000]);
    world.write("longer.bundle", [&whole[..], b"more"].concat());
    let mut flipped = whole.clone();
    flipped[700] ^= 1;
    world.write("flipped.bundle", &flipped);
    let mut flipped = whole.clone();
    let length = flipped.len();
    // Behind the last payload, in front of the end.
    flipped[length - 1025] ^= 1;
    world.write("flipped-late.bundle", &flipped);
    world.write("text.bundle", "hello\n".repeat(200));
    world.write("clair.bundle", "{\"Updater\":\"debian/updater\"}\n");
    for (name, arguments) in [
        ("unsigned", ["unsigned.bundle"].as_slice()),
        ("other_key", &["other.bundle"]),
        ("flipped", &["flipped.bundle"]),
        ("flipped_late", &["flipped-late.bundle"]),
        ("cut", &["cut.bundle"]),
        ("longer", &["longer.bundle"]),
        ("delta", &["delta.bundle"]),
        ("text", &["text.bundle"]),
        ("absent", &["absent.bundle"]),
        ("private_key", &["new.bundle", "--key", "ours.key"]),
    ] {
        assert_run!(world, format!("refused_{name}"), import(arguments)).expect(2);
        assert!(world.files("b").iter().all(|name| name == "update.lock"), "{name}: {:?}", world.files("b"));
    }
    // What it says depends on whether this version reads them.
    world.plimsoll(&import(&["clair.bundle"])).expect(2);
    world.plimsoll(&import(&["new.bundle"])).expect(0);
    let held = world.files("b");
    assert_run!(world, "refused_older", import(&["old.bundle"])).expect(2);
    assert_run!(world, "refused_built", import(&["built.bundle"])).expect(2);
    assert_eq!(world.files("b"), held);
    assert_run!(world, "import_older", import(&["old.bundle", "--allow-older"])).expect(0);
    assert_run!(world, "import_unsigned", import(&["unsigned.bundle", "--allow-unsigned"])).expect(0);
    let on_c = ["feeds", "import", "built.bundle", "--data-dir", "c"];
    assert_run!(world, "import_built", on_c).expect(0);
    assert_run!(world, "refused_update", ["feeds", "update", "kev", "--data-dir", "c"]).expect(2);
    assert_run!(world, "status_built", ["feeds", "status", "--data-dir", "c"]).expect(0);
}

#[test]
fn what_is_not_exported() {
    let world = world();
    let export = |arguments: &[&'static str]| [&["feeds", "export"], arguments].concat();
    for (name, code, arguments) in [
        ("nothing_held", 2, ["x.bundle", "--data-dir", "b"].as_slice()),
        ("subset_of_database", 2, &["x.bundle", "--feeds", "kev", "--built"]),
        ("feed_not_held", 2, &["x.bundle", "--feeds", "kev,osv-npm"]),
        ("unknown_feed", 3, &["x.bundle", "--feeds", "nothing"]),
        ("unknown_pattern", 3, &["x.bundle", "--feeds", "nothing-*"]),
        ("two_contents", 3, &["x.bundle", "--raw", "--built"]),
        ("public_key", 2, &["x.bundle", "--key", "ours.pub"]),
        ("base_absent", 2, &["x.bundle", "--since", "absent.bundle"]),
        (
            "base_unknown",
            2,
            &["x.bundle", "--since", "0000000000000000000000000000000000000000000000000000000000000000"],
        ),
        ("no_folder", 2, &["none/x.bundle"]),
        ("a_device", 2, &["/dev/null"]),
    ] {
        assert_run!(world, format!("not_exported_{name}"), export(arguments)).expect(code);
    }
    assert!(!world.path("x.bundle").exists() && world.files("data/exports").is_empty());
    fs::remove_file(world.path("config.toml")).unwrap();
    assert_run!(world, "not_exported_without_key", export(&["x.bundle"])).expect(3);
}

#[test]
fn keys_are_made() {
    let world = World::new();
    let mut settings = world.settings();
    settings.add_filter("[0-9a-f]{16}", "[KEY]");
    let ran = world.plimsoll(&["feeds", "keygen", "--out", "site"]).expect(0);
    settings.bind(|| insta::assert_snapshot!("keygen", ran.to_string()));
    assert_run!(world, "keygen_again", ["feeds", "keygen", "--out", "site"]).expect(2);
    assert_eq!(world.files(".").into_iter().collect::<Vec<_>>(), ["site.key", "site.pub"]);
}

#[test]
fn feeds_are_mirrored() {
    let world = World::with_database();
    let mirror = ["feeds", "mirror", "mirror", "alpine-secdb", "osv-pypi", "kev", "epss"];
    assert_run!(world, "mirror", mirror).expect(0);
    assert_run!(world, "mirror_again", mirror).expect(0);
    let config = fs::read_to_string(world.path("mirror/plimsoll-mirror.toml")).unwrap();
    world.settings().bind(|| insta::assert_snapshot!("mirror_config", config));
    let update = ["feeds", "update", "alpine-secdb", "osv-pypi", "kev", "epss", "--data-dir", "b"];
    world.plimsoll(&[&update[..], &["--config", "mirror/plimsoll-mirror.toml"]].concat()).expect(0);
    let diff = world.plimsoll(&["feeds", "diff", "data/database.plimsoll", "b/database.plimsoll"]).expect(0);
    assert_run!(world, "mirror_diff", ["feeds", "diff", "data/database.plimsoll", "b/database.plimsoll"]);
    assert!(!diff.stdout.lines().any(|line| line.starts_with(['+', '-', '~'])), "{diff}");
    fs::remove_file(world.path("feeds/kev.json")).unwrap();
    let served = [&mirror[..], &["--base-url", "https://feeds.example/plimsoll"]].concat();
    assert_run!(world, "mirror_fails", served).expect(2);
}

/// A machine without any network: not even a loopback device that is up.
#[test]
fn a_machine_without_a_network() {
    if !second_tier(&["unshare"]) {
        return;
    }
    let world = world();
    ship("amd64").write_layout(&world, "ship");
    let alone = |arguments: &[&str]| {
        let plain = world.command(arguments);
        let mut command = Command::new("unshare");
        command
            .arg("-rn")
            .arg(plain.get_program())
            .args(plain.get_args())
            .current_dir(plain.get_current_dir().unwrap());
        command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        world.finish(
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(),
        )
    };
    let allowed = Command::new("unshare").args(["-rn", "true"]).output().unwrap();
    if !allowed.status.success() {
        println!("skipped: `unshare -rn` is not permitted: {}", String::from_utf8_lossy(&allowed.stderr));
        return;
    }
    for (content, expected) in
        [("--raw", "database built"), ("--both", "of the bundle, as it came"), ("--built", "in the database")]
    {
        world.plimsoll(&["feeds", "export", "all.bundle", content]).expect(0);
        drop(fs::remove_dir_all(world.path("b")));
        let ran = alone(&import(&["all.bundle"])).expect(0);
        assert!(ran.stdout.contains(expected), "{ran}");
        let ran = alone(&["scan", "oci:ship", "--format", "json", "--data-dir", "b"]).expect(0);
        assert_eq!(findings(&ran.json()).len(), 3);
    }
    // The reason for bundles: a feed of the internet cannot be reached.
    let update =
        ["feeds", "update", "kev", "--data-dir", "e", "--feed-url", "kev=https://feeds.example/kev.json"];
    assert_eq!(alone(&update).code, 2);
}
