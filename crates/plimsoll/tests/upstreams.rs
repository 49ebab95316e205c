//! Where feeds are fetched from: mirrors, credentials, and what is asked offline.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;

use scripted::{Reply, Server};
use support::images::ship;
use support::{World, assert_run, feeds, findings, second_tier};

#[allow(dead_code)]
#[path = "../../plimsoll-net/tests/scripted/mod.rs"]
mod scripted;
mod support;

/// Answers with the file of a world, again and again.
fn serve(server: &Server, path: &str, world: &World, file: &str) {
    server.on(path, [Reply::new(200).body(fs::read(world.path(file)).unwrap())]);
}

/// The four feeds on a server, and a configuration that points there.
fn serve_all(server: &Server, world: &World) {
    feeds::write_all(world);
    let mut config = String::new();
    for (name, path) in
        [("alpine-secdb", "secdb"), ("epss", "epss.csv"), ("kev", "kev.json"), ("osv-*", "osv")]
    {
        config += &format!("[feeds.\"{name}\"]\nurl = \"{}\"\n", server.url(&format!("/{path}")));
    }
    for file in world.files("feeds") {
        serve(server, &format!("/{file}"), world, &format!("feeds/{file}"));
    }
    for release in ["edge".to_owned()].into_iter().chain((3..=40).map(|minor| format!("v3.{minor}"))) {
        for repository in ["main", "community"] {
            let path = format!("/secdb/{release}/{repository}.json");
            if path != "/secdb/v3.20/main.json" {
                server.on(&path, [Reply::new(404)]);
            }
        }
    }
    world.write("config.toml", config);
}

const UPDATE: [&str; 6] = ["feeds", "update", "alpine-secdb", "epss", "kev", "osv-pypi"];

/// `(path, Authorization)` of all requests.
fn told(server: &Server) -> Vec<(String, String)> {
    let seen = server.seen();
    let told = |seen: &scripted::Seen| seen.header("authorization").unwrap_or("-").to_owned();
    seen.iter().map(|seen| (seen.path.clone(), told(seen))).collect()
}

#[test]
fn credentials_go_to_one_server_and_into_no_file() {
    let world = World::new();
    feeds::write_all(&world);
    let (own, mirror) = (Server::start(), Server::start());
    own.on("/kev", [Reply::new(404)]);
    serve(&mirror, "/kev", &world, "feeds/kev.json");
    world.write("secret", "geheim\n");
    let config = |more: &str| {
        let (own, mirror) = (own.url("/kev"), mirror.url("/kev"));
        world.write(
            "config.toml",
            format!("[feeds.kev]\nurl = \"{own}\"\nmirrors = [\"{mirror}\"]\n{more}\n"),
        );
    };
    config("credentials = { token_file = \"secret\" }");
    let ran = world.plimsoll(&["feeds", "update", "kev"]).expect(0);
    assert!(ran.stdout.contains("this one failed: `http://127.0.0.1:"), "{ran}");
    assert_eq!(told(&own), [("/kev".to_owned(), "Bearer geheim".to_owned())]);
    assert_eq!(told(&mirror), [("/kev".to_owned(), "-".to_owned())]);
    config("credentials = { token_file = \"none\" }");
    let ran = world.plimsoll(&["feeds", "update", "kev"]).expect(2);
    assert!(ran.stdout.contains("cannot read the secret in the file `none`"), "{ran}");
    let secret = [b"geheim".as_slice(), b"Bearer"];
    for file in world.files("data") {
        let content = fs::read(world.path(&format!("data/{file}"))).unwrap();
        assert!(!secret.iter().any(|secret| content.windows(6).any(|at| at == *secret)), "{file}");
    }
    // The last attempt failed before anybody was asked.
    assert_eq!((told(&own).len(), told(&mirror).len()), (1, 1));
}

#[test]
fn limits_of_a_feed() {
    let world = World::new();
    feeds::write_all(&world);
    let config = fs::read_to_string(world.path("config.toml")).unwrap();
    world.write("config.toml", config.replace("[feeds.kev]", "[feeds.kev]\nsize_max = \"20B\""));
    let ran = world.plimsoll(&["feeds", "update", "kev", "epss"]).expect(2);
    assert!(ran.stdout.contains("is larger than the limit of 20 bytes"), "{ran}");
    assert!(ran.stdout.contains("epss: 1 files changed"), "{ran}");
}

/// Nothing that is not named is asked, by whatever way it is asked offline.
#[test]
fn offline_only_what_is_named_is_asked() {
    let world = World::new();
    let (named, other) = (Server::start(), Server::start());
    serve_all(&named, &world);
    let config = fs::read_to_string(world.path("config.toml")).unwrap();
    world.write("config.toml", format!("offline = true\n{config}"));
    world.plimsoll(&UPDATE).expect(0);
    // A redirect to another server, and a name that resolves to the same one.
    named.on("/kev.json", [Reply::new(307).header("Location", other.url("/kev.json"))]);
    let ran = world.plimsoll(&["feeds", "update", "kev"]).expect(2);
    assert!(ran.stdout.contains("`offline` is set, and `127.0.0.1:"), "{ran}");
    let reference = format!("localhost:{}/ship", other.address.port());
    let ran = world.plimsoll(&["scan", &reference]).expect(2);
    assert!(ran.stderr.contains("`offline` is set, and `localhost:"), "{ran}");
    assert_eq!(other.seen().len(), 0);
    // Named, it is asked; that it speaks no registry's language is another matter.
    let config = fs::read_to_string(world.path("config.toml")).unwrap();
    let registry = format!("[registries.\"localhost:{}\"]\n", other.address.port());
    world.write("config.toml", config + &registry);
    world.plimsoll(&["scan", &reference]).expect(2);
    assert!(!other.seen().is_empty());
}

#[test]
fn offline_a_feed_needs_a_url() {
    let world = World::new();
    assert_run!(world, "offline_without_url", ["--offline", "feeds", "update", "kev"]).expect(2);
    let by_variable = |value: &str| {
        let mut command = world.command(&["feeds", "update", "kev", "--feed-url", "kev=http://127.0.0.1:1/"]);
        world.finish(command.env("PLIMSOLL_OFFLINE", value).spawn().unwrap())
    };
    // A URL of the command line is configured as well. Nobody listens there.
    assert!(by_variable("1").expect(2).stdout.contains("cannot reach `http://127.0.0.1:1/`"));
    by_variable("perhaps").expect(3);
    world.write("config.toml", "offline = true\n[feeds.kev]\nenabled = false\n");
    assert_run!(world, "offline_and_off", ["feeds", "update", "kev"]).expect(3);
}

/// Says to the test below that it is where it should be.
const INSIDE: &str = "PLIMSOLL_TEST_IN_NAMESPACE";

/// Second tier: in a network namespace that has nothing but its own loopback device, an update from a mirror and a
/// scan work, and what is not named is refused by name and not by a lookup that fails.
#[test]
fn without_any_network() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    if !second_tier(&["unshare", "ip"]) {
        return;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh"]);
        command
    };
    if !unshare().arg("true").output().is_ok_and(|output| output.status.success()) {
        println!(
            "SKIPPED: this machine does not let `unshare --map-root-user --net` make a network namespace"
        );
        return;
    }
    let output = unshare()
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "without_any_network", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn inside() {
    let routes = Command::new("ip").args(["route", "show", "default"]).output().unwrap();
    assert!(routes.status.success() && routes.stdout.is_empty(), "there is a way out");
    let world = World::new();
    let server = Server::start();
    serve_all(&server, &world);
    world.plimsoll(&[["--offline"].as_slice(), &UPDATE].concat()).expect(0);
    ship("amd64").write_layout(&world, "ship");
    let (code, report) = world.scan(&["--offline", "oci:ship"]);
    assert_eq!((code, findings(&report).len()), (0, 3));
    let ran = world.plimsoll(&["--offline", "scan", "registry.example/ship"]).expect(2);
    assert!(ran.stderr.contains("`offline` is set, and `registry.example`"), "{ran}");
    // Without the setting it is looked up, in vain: the refusal above is not for want of a network.
    let ran = world.plimsoll(&["scan", "registry.example/ship"]).expect(2);
    assert!(!ran.stderr.contains("`offline` is set"), "{ran}");
}
