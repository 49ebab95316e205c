//! What each kind of webhook is read as, and what the server does with it.

use std::fs;
use std::path::Path;

use axum::body::Body;
use axum::body::to_bytes;
use axum::http::Request;
use plimsoll_store::ScanFilter;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::kinds::{EVENTS_MAX, by_name, read};
use super::*;
use crate::config::Config;
use crate::http::router;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/hooks");

fn sorted(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn rows_are_sorted_and_told_in_the_document() {
    assert!(KINDS.is_sorted_by(|a, b| a.name < b.name));
    let schema = (RECEIVE.parameters[0].schema)(&mut schemars::SchemaGenerator::default());
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(schema.get("enum"), Some(&serde_json::json!(names)));
    for kind in KINDS {
        assert!(kind.about.ends_with('.') && Path::new(FIXTURES).join(kind.name).is_dir());
    }
}

#[test]
fn every_fixture_is_read() {
    for folder in sorted(Path::new(FIXTURES)) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let kind = by_name(&name).unwrap();
        let mut lines = Vec::new();
        for path in sorted(&folder) {
            let file = path.file_name().unwrap().to_str().unwrap();
            lines.push(format!("{file}: {:#?}", read(kind, &fs::read(&path).unwrap()).unwrap()));
        }
        insta::assert_snapshot!(name, lines.join("\n"));
    }
}

#[test]
fn bodies_of_other_kinds_and_of_none_are_problems_and_never_panics() {
    for folder in sorted(Path::new(FIXTURES)) {
        for path in sorted(&folder) {
            let bytes = fs::read(&path).unwrap();
            for kind in KINDS {
                read(kind, &bytes).unwrap();
                // Whatever is cut off is no JSON.
                assert!(read(kind, &bytes[..bytes.len() - 2]).is_err());
            }
        }
    }
    for kind in KINDS {
        for body in ["null", "7", "[]", "\"x\"", "{}", "[[[]]]"] {
            let events = read(kind, body.as_bytes()).unwrap();
            assert!(events.events.is_empty());
            assert_eq!(events.problems.len(), 1, "{} {body}", kind.name);
        }
        assert!(read(kind, "[".repeat(100_000).as_bytes()).is_err());
        assert!(read(kind, &vec![b' '; BODY_BYTES_MAX + 1]).is_err());
    }
}

#[test]
fn what_is_beyond_a_limit_is_told() {
    let event = json!({
        "action": "push",
        "target": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "repository": "a", "tag": "1"},
        "request": {"host": "registry.example"}
    });
    let body = json!({"events": vec![event; EVENTS_MAX + 2]}).to_string();
    let events = read(by_name("distribution").unwrap(), body.as_bytes()).unwrap();
    assert_eq!((events.events.len(), events.more_problems), (EVENTS_MAX, 1));
    assert!(events.problems[0].contains("more than 256 events"), "{:?}", events.problems);
    let body = json!({"reference": "a".repeat(1_000)}).to_string();
    let events = read(by_name("plain").unwrap(), body.as_bytes()).unwrap();
    assert_eq!((events.events.len(), events.problems.len()), (0, 1));
}

fn now() -> Timestamp {
    "2030-01-02T03:04:05Z".parse().unwrap()
}

struct World {
    server: Arc<Server>,
    store: Arc<Store>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(config: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("server.sqlite").display().to_string();
        let store = Arc::new(Store::open(&place).unwrap());
        let config = Config::parse(config).unwrap();
        let server = Server::new(config, folder.path().to_owned(), Vec::new(), "one".to_owned(), now);
        server.set_store(Arc::clone(&store));
        server.lifecycle.ready();
        World { server: Arc::new(server), store, _folder: folder }
    }

    async fn send(&self, kind: &str, body: Vec<u8>) -> (u16, Value) {
        let request = Request::post(format!("/api/v1/hooks/{kind}")).body(Body::from(body)).unwrap();
        let response = router(&self.server).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn fixture(&self, name: &str) -> (u16, Value) {
        let body = fs::read(Path::new(FIXTURES).join(name)).unwrap();
        self.send(name.split('/').next().unwrap(), body).await
    }

    fn tags(&self) -> Vec<String> {
        let filter = TagFilter { rows_max: 100, ..TagFilter::default() };
        let tags = self.store.tags(&filter).unwrap();
        tags.iter()
            .map(|tag| format!("{}/{}:{}={}", tag.registry, tag.repository, tag.tag, &tag.digest.hex()[..2]))
            .collect()
    }

    fn scans(&self) -> Vec<String> {
        let filter = ScanFilter { rows_max: 100, ..ScanFilter::default() };
        let scans = self.store.scans(&filter).unwrap();
        let mut scans: Vec<String> = scans.into_iter().map(|scan| scan.reference).collect();
        scans.sort_unstable();
        scans
    }
}

#[tokio::test]
async fn what_is_pushed_is_noted_and_scanned_and_what_is_deleted_is_forgotten() {
    let world = World::new("[registries.'registry.example']\n[registries.'quay.example']");
    let digest = format!("sha256:{}", "1".repeat(64));
    let (status, told) = world.fixture("distribution/push-and-pull.json").await;
    assert_eq!(status, 202);
    assert_eq!(told["submitted"], json!([format!("registry.example/team/app:1.4@{digest}")]));
    assert_eq!(told["ignored"], 2);
    assert_eq!(world.tags(), ["registry.example/team/app:1.4=11"]);
    let (_, told) = world.fixture("quay/repo-push.json").await;
    assert_eq!(told["submitted"].as_array().unwrap().len(), 2);
    assert_eq!(
        world.scans(),
        [
            "quay.example/team/app:1.4".to_owned(),
            "quay.example/team/app:latest".to_owned(),
            format!("registry.example/team/app:1.4@{digest}"),
        ]
    );
    // Another tag of the same image and one of another stay, whatever is forgotten beside them.
    for (tag, byte) in [("keep", "2"), ("old", "2")] {
        let reference = format!("registry.example/team/app:{tag}@sha256:{}", byte.repeat(64));
        world.send("plain", json!({ "reference": reference }).to_string().into_bytes()).await;
    }
    let (_, told) = world.fixture("distribution/delete.json").await;
    let forgotten = ["registry.example/team/app:1.4", "registry.example/team/app:old"];
    assert_eq!(told["forgotten"], json!(forgotten));
    assert_eq!(world.tags(), ["registry.example/team/app:keep=22"]);
}

#[tokio::test]
async fn a_webhook_sends_the_server_nowhere_that_the_operator_did_not_name() {
    let world = World::new("[registries.'registry.example']");
    let mut lines = Vec::new();
    for reference in [
        "169.254.169.254/latest/meta-data:1",
        "127.0.0.1:5000/team/app:1",
        "elsewhere.example/team/app:1",
        "alpine",
        "registry.example:8080/team/app:1",
        "registry.example@elsewhere.example/team/app:1",
        "registry.example/team/../app:1",
        "registry.example/Team/app:1",
        "",
    ] {
        let (status, told) =
            world.send("plain", json!({ "reference": reference }).to_string().into_bytes()).await;
        lines.push(format!("{status} {reference}: {}{}", told["refused"], told["problems"]));
    }
    assert_eq!(world.scans(), [""; 0]);
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused() {
    let world = World::new("");
    for (kind, body, status, part) in
        [("none", "{}", 404, "`plain` (Anything: `reference`"), ("plain", "{", 400, "is not JSON")]
    {
        let (got, told) = world.send(kind, body.as_bytes().to_vec()).await;
        assert_eq!(got, status);
        assert!(told["detail"].as_str().unwrap().contains(part), "{told}");
    }
}
