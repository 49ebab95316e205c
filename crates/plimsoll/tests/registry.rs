//! Scanning from a real registry: Debian's `docker-registry`, with and without a login.
//!
//! Second tier: runs with `PLIMSOLL_TIER2=1` and needs `docker-registry` and `htpasswd` (`apache2-utils`).

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use plimsoll_net::{Client, Proxies, Request, Settings};
use serde_json::Value;

use support::images::{INDEX, Layout, MANIFEST, fleet, ship};
use support::{World, second_tier};

mod support;

const USER: &str = "me";
const PASSWORD: &str = "geheim";
/// `me:geheim` and `me:wrong`, as `docker login` stores them.
const LOGIN: &str = "bWU6Z2VoZWlt";
const WRONG_LOGIN: &str = "bWU6d3Jvbmc=";

/// A registry process with its data in a world, ended with its test.
struct Registry {
    child: Child,
    host: String,
    has_login: bool,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Registry {
    fn start(world: &World, has_login: bool) -> Registry {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut config = format!(
            "version: 0.1\nlog: {{level: error}}\nhttp: {{addr: 'localhost:{port}'}}\n\
             storage: {{filesystem: {{rootdirectory: {}}}}}\n",
            world.path("registry").display()
        );
        if has_login {
            let output = Command::new("htpasswd").args(["-Bbn", USER, PASSWORD]).output().unwrap();
            assert!(output.status.success());
            world.write("htpasswd", output.stdout);
            config +=
                &format!("auth: {{htpasswd: {{realm: r, path: {}}}}}\n", world.path("htpasswd").display());
        }
        world.write("registry.yml", config);
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(world.path("registry.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = Registry { child, host: format!("localhost:{port}"), has_login };
        // Asks until it answers; the client waits between attempts.
        let status = client(50).send(&Request::get(registry.url("/v2/"))).unwrap().status;
        assert_eq!(status, if has_login { 401 } else { 200 });
        registry
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    fn put(&self, url: &str, media_type: &str, bytes: &[u8]) {
        let response = self.send(Request::put(url, bytes).header("Content-Type", media_type));
        assert_eq!(response.status, 201, "{url}");
    }

    fn send(&self, request: Request) -> plimsoll_net::Response {
        let request = if self.has_login { request.basic_auth(USER, PASSWORD) } else { request };
        client(1).send(&request).unwrap()
    }

    /// Pushes all that a layout holds: blobs, then manifests, then indexes; then the tag.
    fn push(&self, repository: &str, layout: &Layout, top: &Value, tag: &str) {
        let mut documents = [Vec::new(), Vec::new()];
        for (digest, bytes) in &layout.blobs {
            let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
            match json["mediaType"].as_str() {
                Some(MANIFEST) => documents[0].push((digest, MANIFEST)),
                Some(INDEX) => documents[1].push((digest, INDEX)),
                _ => {
                    let started =
                        self.send(Request::post(self.url(&format!("/v2/{repository}/blobs/uploads/")), ""));
                    let location = started.header("location").unwrap();
                    self.put(&format!("{location}&digest={digest}"), "application/octet-stream", bytes);
                }
            }
        }
        let top_digest = top["digest"].as_str().unwrap();
        let tagged = (top_digest, top["mediaType"].as_str().unwrap());
        for (digest, media_type) in documents.iter().flatten().map(|(digest, kind)| (digest.as_str(), *kind))
        {
            self.put(
                &self.url(&format!("/v2/{repository}/manifests/{digest}")),
                media_type,
                &layout.blobs[digest],
            );
        }
        self.put(&self.url(&format!("/v2/{repository}/manifests/{tag}")), tagged.1, &layout.blobs[tagged.0]);
    }
}

fn client(attempts_max: u32) -> Client {
    let backoff_base = Duration::from_millis(100);
    Client::new(Settings { attempts_max, backoff_base, proxies: Proxies::none(), ..Settings::default() })
        .unwrap()
}

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
    let mut registry = Registry::start(&world, false);
    check_same_as_layout(&world, &registry, &[]);
    let reference = |name: &str| format!("{}/harbour/{name}", registry.host);
    check_error(&world, &registry, "no_tag", &[&reference("ship:2")]);
    check_error(&world, &registry, "no_repository", &[&reference("boat:1")]);
    let absent = format!("ship@sha256:{}", "0".repeat(64));
    check_error(&world, &registry, "no_digest", &[&reference(&absent)]);
    check_error(&world, &registry, "no_platform", &[&reference("fleet:1"), "--platform", "linux/s390x"]);
    let reference = reference("ship:1");
    registry.child.kill().unwrap();
    registry.child.wait().unwrap();
    check_error(&world, &registry, "stopped", &[&reference]);
}

#[test]
fn images_of_a_registry_with_a_login() {
    if !second_tier(&["docker-registry", "htpasswd"]) {
        return;
    }
    let world = World::with_database();
    let registry = Registry::start(&world, true);
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
