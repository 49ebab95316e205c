//! What `/readyz` and `/metrics` say, and that the dashboard asks for nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use axum::extract::Request;
use jiff::Timestamp;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Counts, StoreError};
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::config::Config;
use crate::http::router;
use crate::server::metrics::DeliveryResult;

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn server(config: &str) -> (Arc<Server>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::parse(config).unwrap();
    (Arc::new(Server::new(config, folder.path().to_owned(), Vec::new(), "r".to_owned(), now)), folder)
}

/// Only one feed is on, so that the snapshot does not hold them all.
const ONE_FEED: &str = "[feeds.\"*\"]\nenabled = false\n[feeds.kev]\nenabled = true\n";

async fn get(server: &Arc<Server>, path: &str) -> (u16, String) {
    let request = Request::builder().uri(path).body(Body::empty()).unwrap();
    let response = router(server).oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 8 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn readiness_without_a_store() {
    let (server, _folder) = server(ONE_FEED);
    let (status, text) = get(&server, "/readyz").await;
    let readiness: Value = serde_json::from_str(&text).unwrap();
    insta::assert_json_snapshot!(readiness);
    assert_eq!(status, 503);
    server.lifecycle.ending();
    let (status, text) = get(&server, "/readyz").await;
    assert!(status == 503 && text.contains("it is ending"), "{text}");
    assert_eq!(get(&server, "/healthz").await, (200, "ok\n".to_owned()));
}

/// Nobody finds out only when something is to ship.
#[tokio::test]
async fn a_policy_that_cannot_be_read_is_told() {
    let (server, _folder) = server("[clearances.policies]\nproduction = ['/nowhere/production.yaml']\n");
    server.lifecycle.ready();
    let (_, text) = get(&server, "/readyz").await;
    assert!(text.contains("clear nothing: `production`") && !text.contains("/nowhere"), "{text}");
}

/// A store that hangs takes a few questions with it, and the others are answered at once.
#[tokio::test]
async fn questions_do_not_queue_up_behind_a_store_that_hangs() {
    let (server, _folder) = server("");
    let hanging = Arc::clone(&server.probes).acquire_many_owned(4).await.unwrap();
    let (status, text) = get(&server, "/readyz").await;
    assert!(status == 503 && text.contains("earlier questions"), "{text}");
    drop(hanging);
    assert!(!get(&server, "/readyz").await.1.contains("earlier questions"));
}

/// A server where everything has happened once.
fn busy() -> (String, tempfile::TempDir) {
    let (server, folder) = server(ONE_FEED);
    server.lifecycle.ready();
    server.metrics.request("getScan", 200, 0.003);
    server.metrics.scan_finished(ScanState::Completed, Reason::Complete, 2.0);
    server.metrics.layers(3, 1, 1000);
    server.metrics.worker_began();
    server.metrics.store_failed(&StoreError::Conflict(String::new()));
    server.metrics.delivered("chat", DeliveryResult::Failed, 1);
    server.metrics.clearance_ended(&plimsoll_store::HearingOutcome::HandedBack);
    server.metrics.admission_answered(true, true);
    let counts = Counts {
        scans: [(ScanState::Queued, 2), (ScanState::Completed, 5)].into(),
        oldest_queued: Some("2026-01-01T11:59:00Z".parse().unwrap()),
        inventories: 5,
        layers: 12,
        packages: 300,
        deliveries: [("chat".to_owned(), (1, 0))].into(),
        dropped: [("chat".to_owned(), 4)].into(),
    };
    (metrics::write(&server, Some(&counts)).unwrap(), folder)
}

#[test]
fn all_metrics() {
    let (text, _folder) = busy();
    insta::with_settings!({filters => vec![(r#"version="[^"]+""#, "version=\"[VERSION]\"")]}, {
        insta::assert_snapshot!(text);
    });
}

#[tokio::test]
async fn metrics_without_a_store() {
    let (server, _folder) = server("");
    let (status, text) = get(&server, "/metrics").await;
    assert!(status == 200 && text.contains("\nplimsoll_store_up 0\n") && text.ends_with("# EOF\n"), "{text}");
}

/// Names of metrics in a text: what begins with `plimsoll_`.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("plimsoll_")).map(str::to_owned).collect()
}

/// Every query of the dashboard is of metrics that there are, and no two panels lie on each other.
#[test]
fn the_dashboard_asks_for_what_there_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/grafana/plimsoll.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut text = busy().0;
    // Only there with a database.
    text.push_str(
        "plimsoll_database_built_timestamp_seconds plimsoll_database_advisories plimsoll_database_info",
    );
    let known = names(&text);
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 8);
    let mut places = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(places.insert(panel["gridPos"].to_string()), "{title}");
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let asked = names(query);
            assert!(!asked.is_empty(), "{title}: {query}");
            for name in asked {
                assert!(known.contains(&name), "{title}: there is no `{name}`");
            }
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert_eq!(variables[0]["type"], "datasource");
}
