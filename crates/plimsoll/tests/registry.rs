//! Scanning from a real registry: Debian's `docker-registry`, with and without a login.
//!
//! Second tier: runs with `PLIMSOLL_TIER2=1` and needs `docker-registry` and `htpasswd` (`apache2-utils`).

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use support::images::{Layout, MANIFEST, fleet, ship};
use support::registry::{Registry, SignIn};
use support::{World, second_tier};

mod support;

/// `me:geheim` and `me:wrong`, as `docker login` stores them.
const LOGIN: &str = "bWU6Z2VoZWlt";
const WRONG_LOGIN: &str = "bWU6d3Jvbmc=";

/// The report with another reference.
fn named(mut report: Value, reference: &str) -> Value {
    match report.get_mut("reports").and_then(Value::as_array_mut) {
        Some(reports) => {
            for one in reports {
                one["image"]["reference"] = reference.into();
            }
        }
        None => report["image"]["reference"] = reference.into(),
    }
    report
}

/// Pushes a single image and an index; the scans of both give what those of the layout give.
fn check_same_as_layout(world: &World, registry: &Registry, login: &[&str]) {
    let (mut layout, index) = fleet();
    registry.push("harbour/fleet", &layout, &index, "1");
    layout.name(index.clone(), None);
    layout.write(world, "fleet");
    let mut layout = Layout::default();
    let single = layout.image(&ship("amd64"));
    registry.push("harbour/ship", &layout, &single, "1");
    layout.name(single.clone(), None);
    layout.write(world, "ship");
    let host = &registry.host;
    let (index, single) = (index["digest"].as_str().unwrap(), single["digest"].as_str().unwrap());
    for (local, remote, platform) in [
        ("oci:ship", format!("{host}/harbour/ship:1"), None),
        ("oci:ship", format!("{host}/harbour/ship@{single}"), None),
        ("oci:ship", format!("{host}/harbour/ship:1@{single}"), None),
        ("oci:ship", format!("docker://{host}/harbour/ship:1"), None),
        ("oci:fleet", format!("{host}/harbour/fleet:1"), Some("all")),
        ("oci:fleet", format!("{host}/harbour/fleet@{index}"), Some("all")),
        ("oci:fleet", format!("{host}/harbour/fleet:1"), Some("linux/arm64")),
    ] {
        let mut more = vec!["--no-cache"];
        more.extend(platform.iter().flat_map(|platform| ["--platform", platform]));
        let (code, expected) = world.scan(&[&[local], more.as_slice()].concat());
        assert_eq!(code, 0, "{local}");
        let (code, report) = world.scan(&[&[remote.as_str()], more.as_slice(), login].concat());
        assert_eq!(code, 0, "{remote}");
        assert_eq!(report, named(expected, &remote), "{remote}");
    }
    // Layers that were read from one place need not be fetched from another.
    world.plimsoll(&["scan", "oci:ship"]).expect(0);
    assert_eq!(world.cached_layers(), 3);
    world.plimsoll(&[&["scan", &format!("{host}/harbour/ship:1")], login].concat()).expect(0);
    assert_eq!(world.cached_layers(), 3);
}

/// What the user sees, without the port.
fn check_error(world: &World, registry: &Registry, name: &str, arguments: &[&str]) {
    let mut settings = world.settings();
    settings.add_filter(&registry.host, "[HOST]");
    settings.bind(|| {
        let ran = world.plimsoll(&[&["scan"], arguments].concat());
        insta::assert_snapshot!(name, ran);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{ran}");
    });
}

#[test]
fn images_of_an_open_registry() {
    if !second_tier(&["docker-registry"]) {
        return;
    }
    let world = World::with_database();
    let mut registry = Registry::start(&world, SignIn::Nobody);
    check_same_as_layout(&world, &registry, &[]);
    let reference = |name: &str| format!("{}/harbour/{name}", registry.host);
    check_error(&world, &registry, "no_tag", &[&reference("ship:2")]);
    check_error(&world, &registry, "no_repository", &[&reference("boat:1")]);
    let absent = format!("ship@sha256:{}", "0".repeat(64));
    check_error(&world, &registry, "no_digest", &[&reference(&absent)]);
    check_error(&world, &registry, "no_platform", &[&reference("fleet:1"), "--platform", "linux/s390x"]);
    let reference = reference("ship:1");
    registry.kill();
    check_error(&world, &registry, "stopped", &[&reference]);
}

#[test]
fn images_of_a_registry_with_a_login() {
    if !second_tier(&["docker-registry", "htpasswd"]) {
        return;
    }
    let world = World::with_database();
    let registry = Registry::start(&world, SignIn::Login);
    let logins = |login: &str| format!(r#"{{"auths":{{"{}":{{"auth":"{login}"}}}}}}"#, registry.host);
    world.write("auth.json", logins(LOGIN));
    world.write("wrong.json", logins(WRONG_LOGIN));
    check_same_as_layout(&world, &registry, &["--auth-file", "auth.json"]);
    let reference = format!("{}/harbour/ship:1", registry.host);
    check_error(&world, &registry, "no_login", &[&reference]);
    check_error(&world, &registry, "wrong_login", &[&reference, "--auth-file", "wrong.json"]);
    check_error(&world, &registry, "no_auth_file", &[&reference, "--auth-file", "none.json"]);
    // As `docker login` leaves it.
    world.write("docker/config.json", logins(LOGIN));
    let mut command = world.command(&["scan", &reference, "--format", "json"]);
    let ran = world.finish(command.env("DOCKER_CONFIG", "docker").spawn().unwrap()).expect(0);
    let ran_in_home = || {
        world.write(".docker/config.json", logins(LOGIN));
        world.plimsoll(&["scan", &reference, "--format", "json"]).expect(0)
    };
    assert_eq!(ran.stdout, ran_in_home().stdout);
}

/// Bundles of feeds go through a registry, and what is there already is not sent again.
#[test]
fn bundles_go_through_a_registry() {
    if !second_tier(&["docker-registry", "htpasswd"]) {
        return;
    }
    let world = World::with_database();
    let registry = Registry::start(&world, SignIn::Login);
    world
        .write(".docker/config.json", format!(r#"{{"auths":{{"{}":{{"auth":"{LOGIN}"}}}}}}"#, registry.host));
    world.plimsoll(&["feeds", "keygen", "--out", "site"]).expect(0);
    world.plimsoll(&["feeds", "keygen", "--out", "other"]).expect(0);
    let url = format!("oci://{}/plimsoll/feeds:latest", registry.host);
    let push = ["feeds", "push", &url, "--key", "site.key"];
    let first = world.plimsoll(&push).expect(0).stdout;
    assert!(first.ends_with("entries sent, 0 were there\n"), "{first}");
    let again = world.plimsoll(&push).expect(0).stdout;
    // Another time, so another manifest with another signature; the payloads are the same.
    assert!(again.contains(": 2 entries sent, "), "{again}");
    let pull = |folder: &str, rest: &[&str]| {
        world.plimsoll(&[&["--data-dir", folder, "feeds", "pull", &url], rest].concat())
    };
    pull("arrived", &["--key", "site.pub"]).expect(0);
    let database = |folder: &str| std::fs::read(world.path(folder).join("database.plimsoll")).unwrap();
    assert!(database("data") == database("arrived"), "the same snapshots give the same bytes");
    for (name, rest) in [("no_key", [].as_slice()), ("other_key", &["--key", "other.pub"])] {
        let refused = pull(name, rest).expect(2);
        assert!(refused.stderr.contains("is signed with key"), "{refused}");
        assert!(!world.path(name).join("database.plimsoll").exists(), "{name}");
    }
    let absent = url.replace(":latest", ":none");
    let absent = world.plimsoll(&["feeds", "pull", &absent, "--key", "site.pub"]).expect(2);
    assert!(absent.stderr.contains("there is no bundle at"), "{absent}");
    world.plimsoll(&["feeds", "pull", "site.key"]).expect(3);
    world.plimsoll(&["feeds", "push", &format!("{url}/file"), "--key", "site.key"]).expect(3);
}

/// A feed may be read from an artifact, as `oras push` makes it.
#[test]
fn a_feed_is_an_artifact() {
    if !second_tier(&["docker-registry"]) {
        return;
    }
    let world = World::new();
    support::feeds::write_all(&world);
    let registry = Registry::start(&world, SignIn::Nobody);
    let push = |tag: &str, files: &[(&str, &str)]| {
        let mut layers = Vec::new();
        for (title, path) in files {
            let bytes = std::fs::read(world.path(path)).unwrap();
            let digest = registry.push_blob("feeds", &bytes);
            layers.push(serde_json::json!({
                "mediaType": "application/octet-stream", "digest": digest, "size": bytes.len(),
                "annotations": {"org.opencontainers.image.title": title},
            }));
        }
        let config = registry.push_blob("feeds", b"{}");
        let config = serde_json::json!({
            "mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2,
        });
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers,
        });
        let url = registry.url(&format!("/v2/feeds/manifests/{tag}"));
        registry.put(&url, MANIFEST, manifest.to_string().as_bytes());
    };
    push("kev", &[("whatever.json", "feeds/kev.json")]);
    push(
        "alpine",
        &[("last-update", "feeds/secdb/last-update"), ("v3.20/main.json", "feeds/secdb/v3.20/main.json")],
    );
    let url = |tag: &str| format!("oci://{}/feeds:{tag}", registry.host);
    world.write(
        "config.toml",
        format!(
            "offline = true\n[feeds.kev]\nurl = \"{}\"\n[feeds.alpine-secdb]\nurl = \"{}\"\n",
            url("kev"),
            url("alpine")
        ),
    );
    let update = ["feeds", "update", "kev", "alpine-secdb"];
    let first = world.plimsoll(&update).expect(0).stdout;
    assert!(
        first.contains("alpine-secdb: 2 files changed") && first.contains("kev: 1 files changed"),
        "{first}"
    );
    let second = world.plimsoll(&update).expect(0).stdout;
    assert!(second.contains("alpine-secdb: unchanged\nkev: unchanged\n"), "{second}");
    push("kev", &[]);
    let gone = world.plimsoll(&update).expect(2).stdout;
    assert!(gone.contains("kev: FAILED, its last good data stays in use: there is no `oci://"), "{gone}");
}
