//! The routes with a store behind them, and Harbor's whole flow over a socket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, header};
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Claim, InventoryRow, Judged, Outcome, Severities, Store};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::client::{Artifact, Harbor};
use super::samples;
use crate::config::Config;
use crate::http::router;
use crate::server::Server;

const VULNERABILITY: &str = "application/vnd.security.vulnerability.report; version=1.1";
const SBOM: &str = "application/vnd.security.sbom.report+json; version=1.0";

fn now() -> Timestamp {
    "2030-01-02T03:04:05Z".parse().unwrap()
}

/// Longer than Harbor is told to wait.
fn later() -> Timestamp {
    now() + SignedDuration::from_secs(31 * 60)
}

fn digest() -> String {
    format!("sha256:{}", "a".repeat(64))
}

/// Two replicas on one store, the second at a later time; `with_store` also says whether they are ready.
struct World {
    folder: tempfile::TempDir,
    servers: Vec<Arc<Server>>,
    store: Arc<Store>,
}

impl World {
    fn new(config: &str, with_store: bool) -> World {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("server.sqlite").display().to_string();
        let store = Arc::new(Store::open(&place).unwrap());
        let server = |replica: &str, now: fn() -> Timestamp| {
            let config = Config::parse(config).unwrap();
            let data_dir = folder.path().to_owned();
            let server = Arc::new(Server::new(config, data_dir, Vec::new(), replica.to_owned(), now));
            if with_store {
                server.set_store(Arc::clone(&store));
                server.lifecycle.ready();
            }
            server
        };
        let servers = vec![server("first", now), server("second", later)];
        World { folder, servers, store }
    }

    async fn ask(&self, replica: usize, request: Request<Body>) -> (u16, BTreeMap<String, String>, String) {
        let response: Response<Body> = router(&self.servers[replica]).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().iter();
        let headers =
            headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn get(&self, replica: usize, path: &str, accept: &str) -> (u16, BTreeMap<String, String>, String) {
        let request = Request::get(path).header(header::ACCEPT, accept).body(Body::empty()).unwrap();
        self.ask(replica, request).await
    }

    async fn submit(&self, body: &Value) -> (u16, String) {
        let request = Request::post("/harbor/api/v1/scan").body(Body::from(body.to_string())).unwrap();
        let (status, _, body) = self.ask(0, request).await;
        (status, body)
    }

    async fn id(&self, kind: &str, mime_type: &str) -> String {
        let (status, body) = self.submit(&request(kind, mime_type)).await;
        assert_eq!(status, 202, "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        body["id"].as_str().unwrap().to_owned()
    }

    /// Ends the attempt at whatever is queued.
    fn work(&self, outcome: &Outcome) {
        work(&self.store, outcome);
    }
}

fn work(store: &Store, outcome: &Outcome) {
    let until = later() + SignedDuration::from_secs(3_600);
    let claim = Claim { worker: "worker", until, per_registry_max: 8, all_max: 8, only: None };
    let claimed = store.claim(&claim, now()).unwrap().expect("something is queued");
    assert!(store.finish(&claimed.lease, outcome, now()).unwrap());
}

fn request(kind: &str, mime_type: &str) -> Value {
    json!({
        "registry": {"url": "https://core.harbor.example", "authorization": "Basic cm9ib3Q6Z2VoZWlt"},
        "artifact": {
            "repository": "library/mongo", "tag": "7", "digest": digest(),
            "mime_type": "application/vnd.oci.image.manifest.v1+json"
        },
        "enabled_capabilities": [{"type": kind, "produces_mime_types": [mime_type], "parameters": null}]
    })
}

fn inventory() -> Box<InventoryRow> {
    let assessment = samples::clean();
    let mut image = assessment.image;
    image.digest = Some(digest().parse::<Digest>().unwrap());
    // The sample's distribution is one of the samples' own.
    let inventory = plimsoll_core::inventory::Inventory { distro: None, ..assessment.inventory };
    let index_state = plimsoll_image::cache::index_state();
    Box::new(InventoryRow { image, inventory, index_state, indexed_at: now() })
}

fn completed() -> Outcome {
    let judged = Judged {
        database: String::new(),
        database_built_at: String::new(),
        at: now(),
        packages: 1,
        findings: Severities::default(),
        fixable: 0,
        exploited: 0,
        gaps: 0,
        late_feeds: Vec::new(),
        layer_bytes: None,
    };
    Outcome::Judged {
        inventory: inventory(),
        judged,
        state: ScanState::Completed,
        reason: Reason::WithGaps,
        detail: "done".to_owned(),
    }
}

fn awaiting() -> Outcome {
    Outcome::Awaiting {
        inventory: inventory(),
        reason: Reason::FeedsAwaited,
        awaited: vec!["debian-tracker".to_owned(), "kev".to_owned()],
        detail: "feeds that judge it were never loaded and are to come: debian-tracker, kev".to_owned(),
    }
}

#[tokio::test]
async fn what_is_always_there_needs_no_store() {
    let world = World::new("", false);
    let (status, headers, body) = world.get(0, "/harbor/api/v1/metadata", "*/*").await;
    assert_eq!((status, headers["content-type"].as_str()), (200, super::super::wire::METADATA));
    super::client::check("metadata", &serde_json::from_str(&body).unwrap()).unwrap();
    assert_eq!(world.get(0, "/harbor/probe/healthy", "*/*").await.0, 200);
    let (status, _, body) = world.get(0, "/harbor/probe/ready", "*/*").await;
    assert_eq!((status, body.as_str()), (503, r#"{"error":{"message":"not ready: starting"}}"#));
    let (status, body) = world.submit(&request("vulnerability", VULNERABILITY)).await;
    assert_eq!(status, 503, "{body}");
    assert!(world.folder.path().exists());
}

#[tokio::test]
async fn a_wait_leads_to_itself_and_the_report_is_any_replicas() {
    let world = World::new("", true);
    let id = world.id("sbom", SBOM).await;
    let path = format!("/harbor/api/v1/scan/{id}/report?sbom_media_type=application%2Fspdx%2Bjson");
    for replica in [0, 1] {
        let (status, headers, _) = world.get(replica, &path, SBOM).await;
        assert_eq!(status, 302);
        assert_eq!((headers["refresh-after"].as_str(), headers["retry-after"].as_str()), ("2", "2"));
        assert_eq!(headers["location"], path);
    }
    world.work(&completed());
    for replica in [1, 0] {
        let (status, headers, body) = world.get(replica, &path, SBOM).await;
        assert_eq!((status, headers["content-type"].as_str()), (200, SBOM), "{body}");
        let report: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&report["media_type"], &report["artifact"]["repository"]),
            (&"application/spdx+json".into(), &"library/mongo".into())
        );
    }
    let other = path.replace("spdx", "vnd.cyclonedx");
    let (_, _, body) = world.get(0, &other, SBOM).await;
    assert!(body.contains("bomFormat"), "{body}");
}

#[tokio::test]
async fn without_feeds_harbor_waits_and_then_is_told_which() {
    let world = World::new("", true);
    let id = world.id("vulnerability", VULNERABILITY).await;
    let path = format!("/harbor/api/v1/scan/{id}/report");
    world.work(&awaiting());
    let (status, headers, _) = world.get(0, &path, VULNERABILITY).await;
    assert_eq!((status, headers["refresh-after"].as_str()), (302, "15"));
    let (status, headers, body) = world.get(1, &path, VULNERABILITY).await;
    assert_eq!((status, headers["content-type"].as_str()), (500, super::super::wire::ERROR));
    insta::assert_snapshot!(body.replace(&digest(), "[DIGEST]"));
    // What is aboard is known all the same.
    let id = world.id("sbom", SBOM).await;
    assert_eq!(world.get(1, &format!("/harbor/api/v1/scan/{id}/report"), SBOM).await.0, 200);
}

#[tokio::test]
async fn a_replica_without_advisories_does_not_call_an_image_clean() {
    let world = World::new("", true);
    let id = world.id("vulnerability", VULNERABILITY).await;
    world.work(&completed());
    let path = format!("/harbor/api/v1/scan/{id}/report");
    assert_eq!(world.get(0, &path, VULNERABILITY).await.0, 302);
    let (status, _, body) = world.get(1, &path, VULNERABILITY).await;
    assert_eq!(status, 500);
    assert!(body.contains("there is no advisory database yet"), "{body}");
}

/// Whatever the row of the scan says: feeds are switched off, or nobody judges what is aboard.
#[test]
fn what_was_not_judged_has_no_report_that_looks_clean() {
    use crate::http::tests::samples::{self, TestServer, digest};
    use plimsoll_store::ScanKind;
    for (config, assessment, expected) in [
        ("", samples::system(), (200, r#""vulnerabilities":[{"#)),
        ("[feeds.alpine-secdb]\nenabled = false", samples::system(), (500, "`alpine-secdb` is switched off")),
        ("", samples::unknown_distro(), (500, "none of its 1 package can be judged")),
        ("", samples::bare(), (500, "it has no package that is known")),
    ] {
        let server = TestServer::new(config, true);
        let mut body = request("vulnerability", VULNERABILITY);
        body["artifact"]["digest"] = json!(digest(1).as_str());
        let id = server.ask("POST /harbor/api/v1/scan", &[], &body.to_string()).json();
        server.finish(1, ScanKind::Image, &samples::judged(samples::row(1, &assessment)));
        let path = format!("GET /harbor/api/v1/scan/{}/report", id["id"].as_str().unwrap());
        let told = server.ask(&path, &[&format!("Accept: {VULNERABILITY}")], "");
        assert_eq!(told.status.as_u16(), expected.0, "{config} {}", told.text());
        assert!(told.text().contains(expected.1), "{config} {}", told.text());
    }
}

#[tokio::test]
async fn errors_are_of_harbors_form_and_help() {
    let world = World::new("[server]\nregistries_allowed = ['*.harbor.example']", true);
    let id = world.id("vulnerability", VULNERABILITY).await;
    world.work(&Outcome::Ended {
        state: ScanState::Failed,
        reason: Reason::Unauthorized,
        detail: "the registry `core.harbor.example` refuses the login".to_owned(),
    });
    let report = |id: &str| format!("/harbor/api/v1/scan/{id}/report");
    let mut lines = Vec::new();
    for (path, accept) in [
        (report(&id), VULNERABILITY),
        (report(&id), SBOM),
        (report(&id), "text/html"),
        (report(&format!("{id}x")), VULNERABILITY),
        (report(&digest()), VULNERABILITY),
    ] {
        let (status, headers, body) = world.get(0, &path, accept).await;
        assert_eq!(headers["content-type"], super::super::wire::ERROR);
        lines.push(format!("{status} {}", body.replace(&digest(), "[DIGEST]")));
    }
    for (pointer, value) in [
        ("/registry/url", json!("https://elsewhere.example")),
        ("/registry/url", json!("http://core.harbor.example")),
        ("/artifact/repository", json!("Library/Mongo")),
        ("/artifact/digest", json!(7)),
        ("/enabled_capabilities/0/type", json!("license")),
    ] {
        let mut request = request("vulnerability", VULNERABILITY);
        *request.pointer_mut(pointer).unwrap() = value;
        let (status, body) = world.submit(&request).await;
        lines.push(format!("{status} {body}"));
    }
    let sbom = world.id("sbom", SBOM).await;
    let (status, _, body) = world.get(0, &format!("{}?sbom_media_type=text/spdx", report(&sbom)), SBOM).await;
    lines.push(format!("{status} {body}"));
    insta::assert_snapshot!(lines.join("\n"));
}

#[tokio::test]
async fn an_id_is_no_way_to_another_projects_report() {
    let world = World::new("", true);
    let id = world.id("sbom", SBOM).await;
    world.work(&completed());
    let said = super::super::scan_id::ScanId::read(&id).unwrap();
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[0; 32]);
    let forged = said.seal(&key);
    let (status, _, body) = world.get(0, &format!("/harbor/api/v1/scan/{forged}/report"), SBOM).await;
    assert_eq!(status, 404, "{body}");
    assert_eq!(world.get(0, &format!("/harbor/api/v1/scan/{id}/report"), SBOM).await.0, 200);
}

#[tokio::test]
async fn harbors_flow_from_registration_to_the_list_of_packages() {
    let world = World::new("", true);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/harbor", listener.local_addr().unwrap());
    let serving = tokio::spawn(axum::serve(listener, router(&world.servers[0])).into_future());
    let store = Arc::clone(&world.store);
    let reports = tokio::task::spawn_blocking(move || {
        let harbor = Harbor { url, login: None };
        let artifact = Artifact {
            registry: "https://core.harbor.example".to_owned(),
            authorization: "Bearer a.b.c".to_owned(),
            repository: "library/mongo".to_owned(),
            tag: "7".to_owned(),
            digest: digest(),
            mime_type: "application/vnd.docker.distribution.manifest.v2+json".to_owned(),
        };
        let mut waits = Vec::new();
        let reports = harbor.scan(&artifact, "sbom", &mut |wait: Duration| {
            waits.push(wait.as_secs());
            if waits.len() == 3 {
                work(&store, &completed());
            }
        });
        (reports, waits)
    });
    let (reports, waits) = reports.await.unwrap();
    serving.abort();
    let reports = reports.unwrap();
    assert_eq!(waits, [2, 2, 2]);
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].0, SBOM);
}
