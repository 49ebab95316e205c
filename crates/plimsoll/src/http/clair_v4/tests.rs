//! What clients of Clair see: documents by snapshot and by what Quay demands of them, and every endpoint by a table.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_image::cache::index_state;
use plimsoll_store::{NoticeItem, Outcome, ScanKind};
use serde_json::{Value, json};

use super::report::{IndexReport, VulnerabilityReport};
use super::{ENDPOINTS, refuse};
use crate::http::Refusal;
use crate::http::tests::samples::{self, Answered, TestServer, digest, row};

const QUAY: &str = include_str!("../../../testdata/quay/accepts.schema.json");

/// What Quay has against a document.
fn complaints(definition: &str, document: &Value) -> Vec<String> {
    let mut schema: Value = serde_json::from_str(QUAY).unwrap();
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[track_caller]
fn assert_accepted(definition: &str, document: &Value) {
    assert_eq!(complaints(definition, document), Vec::<String>::new());
}

#[test]
fn reports_are_as_quay_demands() {
    for (name, assessment) in samples::all() {
        let index = json!(IndexReport::finished(&digest(0xaa), &assessment.inventory));
        assert_accepted("IndexReport", &index);
        insta::assert_json_snapshot!(format!("index-{name}"), index);
        let report = VulnerabilityReport::of(&digest(0xaa), &assessment);
        let text = serde_json::to_string(&report).unwrap();
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_accepted("VulnerabilityReport", &report);
        for package in report["packages"].as_object().unwrap().keys() {
            assert!(report["environments"][package].is_array(), "{name} {package}");
        }
        insta::assert_json_snapshot!(format!("vulnerabilities-{name}"), report);
        assert_scores_lead(&text, &report);
    }
    let unfinished =
        IndexReport::unfinished(&digest(0xaa), "IndexError", "not_found: there is no such manifest");
    assert_accepted("IndexReport", &json!(unfinished));
}

/// Quay takes the first enrichment and reads a base score of each entry.
#[track_caller]
fn assert_scores_lead(text: &str, report: &Value) {
    let Some(enrichments) = report["enrichments"].as_object().filter(|map| !map.is_empty()) else { return };
    let mut keys: Vec<&String> = enrichments.keys().collect();
    keys.sort_by_key(|key| text.find(key.as_str()).unwrap());
    assert!(keys[0].contains("enricher=clair.cvss"), "{keys:?}");
    let scores = enrichments[keys[0]][0].as_object().unwrap();
    assert!(!scores.is_empty());
    for entry in scores.values().flat_map(|entries| entries.as_array().unwrap()) {
        assert!(entry["baseScore"].is_number() && entry["version"].as_str().unwrap().starts_with("3."));
        assert!(entry["vectorString"].as_str().unwrap().starts_with("CVSS:3."));
    }
}

#[test]
fn the_check_sees_what_quay_would_not_accept() {
    let good = json!(VulnerabilityReport::of(&digest(0xaa), &samples::rich()));
    let package = good["packages"].as_object().unwrap().keys().next().unwrap().clone();
    let vulnerability = good["vulnerabilities"].as_object().unwrap().keys().next().unwrap().clone();
    let of_vulnerability = format!("/vulnerabilities/{vulnerability}");
    for (pointer, field, value) in [
        ("", "packages", Value::Null),
        (&of_vulnerability, "range", json!({"[": "0", ")": "1"})),
        (&of_vulnerability, "package", Value::Null),
        (&of_vulnerability, "distribution", json!({})),
        (&of_vulnerability, "repository", Value::Null),
        (&of_vulnerability, "normalized_severity", json!("moderate")),
        (&of_vulnerability, "fixed_in_version", Value::Null),
        (&format!("/packages/{package}"), "source", Value::Null),
        (&format!("/packages/{package}"), "normalized_version", Value::Null),
        (&format!("/environments/{package}/0"), "distribution_id", Value::Null),
        ("/environments", &package, json!([])),
    ] {
        let mut broken = good.clone();
        broken.pointer_mut(pointer).unwrap()[field] = value;
        assert!(!complaints("VulnerabilityReport", &broken).is_empty(), "{pointer} {field}");
    }
    assert!(!complaints("State", &json!({"state": "0".repeat(129)})).is_empty());
}

#[test]
fn what_is_the_same_has_the_same_id() {
    let one = json!(VulnerabilityReport::of(&digest(0xaa), &samples::rich()));
    let other = json!(VulnerabilityReport::of(&digest(0xbb), &samples::without_scores()));
    assert_eq!(one["packages"], other["packages"]);
    for (id, vulnerability) in other["vulnerabilities"].as_object().unwrap() {
        assert_eq!(&one["vulnerabilities"][id], vulnerability);
    }
    // Two packages of one source have the same statement; a package in two places has two environments.
    let named = |name: &str| {
        let packages = one["packages"].as_object().unwrap();
        packages.values().filter(|package| package["name"] == name).count()
    };
    assert_eq!((named("libcrypto3"), named("libssl3"), named("@deck/knot")), (1, 1, 2));
    let shared = one["package_vulnerabilities"].as_object().unwrap().values().filter(|of_package| {
        of_package
            .as_array()
            .unwrap()
            .iter()
            .any(|id| one["vulnerabilities"][id.as_str().unwrap()]["name"] == "CVE-2030-0001")
    });
    assert_eq!(shared.count(), 2);
}

#[test]
fn errors_are_worded_as_clair_does() {
    for (status, code) in [
        (400, "bad-request"),
        (404, "not-found"),
        (405, "method-not-allowed"),
        (429, "too-many-requests"),
        (403, "internal-error"),
        (413, "internal-error"),
        (415, "internal-error"),
        (500, "internal-error"),
        (503, "internal-error"),
    ] {
        let response = refuse(&Refusal::new(status, "x", "naïve\n\"quoted\""));
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let body = futures_body(response);
        assert!(body.is_ascii());
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, json!({"code": code, "message": "na?ve?\"quoted\""}));
    }
    let unauthorized = refuse(&Refusal::new(401, "unauthorized", "no token"));
    assert!(unauthorized.headers().get("www-authenticate").is_none());
    assert!(futures_body(unauthorized).is_empty());
}

fn futures_body(response: axum::http::Response<axum::body::Body>) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(axum::body::to_bytes(response.into_body(), usize::MAX)).unwrap().to_vec()
}

/// One line of the table: what is asked, and what has to come of it. An expected text ends with `..` where only its
/// beginning is told; headers are `NAME: VALUE`.
struct Row {
    ask: String,
    headers: Vec<String>,
    body: String,
    status: u16,
    said: String,
    has: Vec<String>,
}

fn asking(ask: impl Into<String>, status: u16, said: impl Into<String>) -> Row {
    Row {
        ask: ask.into(),
        headers: Vec::new(),
        body: String::new(),
        status,
        said: said.into(),
        has: Vec::new(),
    }
}

impl Row {
    fn with(mut self, header: impl Into<String>) -> Row {
        self.headers.push(header.into());
        self
    }

    fn sending(mut self, body: impl Into<String>) -> Row {
        self.body = body.into();
        self
    }

    fn has(mut self, header: impl Into<String>) -> Row {
        self.has.push(header.into());
        self
    }

    #[track_caller]
    fn check(&self, server: &TestServer) -> Answered {
        let headers: Vec<&str> = self.headers.iter().map(String::as_str).collect();
        let answered = server.ask(&self.ask, &headers, &self.body);
        let Row { ask, status, said, .. } = self;
        let text = answered.text();
        assert_eq!(answered.status.as_u16(), *status, "{ask} {headers:?}: {text}");
        match said.strip_suffix("..") {
            Some(start) => assert!(text.starts_with(start), "{ask} {headers:?}: {text}"),
            None => assert_eq!(text, said, "{ask} {headers:?}"),
        }
        for header in &self.has {
            let (name, value) = header.split_once(": ").unwrap();
            assert_eq!(answered.header(name), value, "{ask} {headers:?}: {name}");
        }
        answered
    }
}

fn manifest(byte: u8) -> String {
    let layer = json!({"hash": digest(0x11).as_str(), "uri": "http://127.0.0.1:9/", "headers": {}});
    json!({"hash": digest(byte).as_str(), "layers": [layer]}).to_string()
}

fn problem(code: &str, message: &str) -> String {
    format!(r#"{{"code":"{code}","message":"{message}"#)
}

const INDEX: &str = "/indexer/api/v1/index_report";
const MATCH: &str = "/matcher/api/v1/vulnerability_report";
const OPERATION: &str = "/matcher/api/v1/internal/update_operation";
const DIFF: &str = "/matcher/api/v1/internal/update_diff";
const NOTICE: &str = "/notifier/api/v1/notification";
const UUID: &str = "11111111-2222-3333-4444-555555555555";
const VENDOR: &str = "content-type: application/vnd.clair.index_report.v1+json";
const OTHER_UUID: &str = "aaaaaaaa-2222-3333-4444-555555555555";

/// A server with an image in each state that clients of the indexer meet.
fn indexer() -> TestServer {
    let server = TestServer::new("", true);
    server.scanned(1, &samples::rich());
    server.finish(2, ScanKind::Image, &ended(ScanState::Unsupported, Reason::ArtifactType));
    server.finish(3, ScanKind::Image, &ended(ScanState::Unsupported, Reason::LayerTooLarge));
    server.finish(4, ScanKind::Image, &unknown_os(4));
    server.submit(6, ScanKind::Image);
    server
}

/// How a report of an image begins that is in this state.
fn report_of(byte: u8, state: &str) -> String {
    format!(r#"{{"manifest_hash":"{}","state":"{state}".."#, digest(byte))
}

fn finished(byte: u8) -> String {
    report_of(byte, "IndexFinished")
}

#[test]
fn manifests_are_indexed_as_clair_does() {
    let etag = format!("\"{}\"", index_state());
    let same = format!("If-None-Match: {etag}");
    let known = digest(1);
    let links = format!(
        "link: <{INDEX}/{known}>; rel=\"https://projectquay.io/clair/v1/index_report\", <{MATCH}/{known}>; \
         rel=\"https://projectquay.io/clair/v1/vulnerability_report\""
    );
    let server = indexer();
    for row in [
        asking(format!("POST {INDEX}"), 201, finished(1))
            .sending(manifest(1))
            .has(format!("etag: {etag}"))
            .has(format!("location: {INDEX}/{known}"))
            .has(links)
            .has(VENDOR),
        asking(format!("POST {INDEX}"), 201, finished(1)).sending(manifest(1)).with("Content-Type: text/x"),
        asking(format!("POST {INDEX}"), 412, "").sending(manifest(1)).with(&same),
        asking(format!("POST {INDEX}"), 400, problem("bad-request", "bogus manifest.."))
            .sending("{}")
            .with(&same),
        asking(format!("POST {INDEX}"), 400, problem("bad-request", "failed to deserialize manifest.."))
            .sending("["),
        asking(
            format!("POST {INDEX}"),
            400,
            problem("bad-request", "the manifest can never be indexed: artifact_type.."),
        )
        .sending(manifest(2)),
        asking(
            format!("POST {INDEX}"),
            500,
            problem("internal-error", "the manifest is not indexed: layer_too_large.."),
        )
        .sending(manifest(3)),
        asking(format!("POST {INDEX}"), 201, finished(4)).sending(manifest(4)),
    ] {
        let answered = row.check(&server);
        if answered.status.is_success() {
            assert_accepted("IndexReport", &answered.json());
        }
    }
}

#[test]
fn index_reports_are_read_as_clair_does() {
    let state = index_state();
    let etag = format!("\"{state}\"");
    let same = format!("If-None-Match: {etag}");
    let (known, unknown) = (digest(1), digest(0xee));
    let not_found = problem("not-found", "index report not found\"}");
    let server = indexer();
    for row in [
        asking(format!("GET {INDEX}/{known}"), 200, finished(1)).has(VENDOR).has(format!("etag: {etag}")),
        asking(format!("GET {INDEX}/{known}"), 200, finished(1))
            .with("Accept: application/json")
            .has("content-type: application/json"),
        asking(format!("GET {INDEX}/{known}"), 415, problem("internal-error", "no media type.."))
            .with("Accept: text/html"),
        asking(format!("GET {INDEX}/{known}"), 400, problem("bad-request", "malformed `Accept`.."))
            .with("Accept: json"),
        asking(format!("GET {INDEX}/{known}"), 415, problem("internal-error", "no coding.."))
            .with("Accept-Encoding: br")
            .has("accept-encoding: zstd, gzip, deflate"),
        asking(format!("GET {INDEX}/{known}"), 304, "").with(&same),
        asking(format!("GET {INDEX}/{unknown}"), 304, "").with(&same),
        asking(format!("GET {INDEX}/{known}"), 200, finished(1)).with(format!("If-None-Match: W/{etag}")),
        asking(format!("GET {INDEX}/{unknown}"), 404, &not_found),
        asking(format!("GET {INDEX}/{}", digest(6)), 200, report_of(6, "CheckManifest")),
        asking(format!("GET {INDEX}/{}", digest(3)), 200, report_of(3, "IndexError")),
        asking(format!("GET {INDEX}/latest"), 400, problem("bad-request", "malformed path: ..")),
        asking(format!("GET {INDEX}/md5:00"), 400, problem("bad-request", "malformed path: ..")),
        asking(format!("PUT {INDEX}/{known}"), 405, problem("method-not-allowed", "..")),
        asking(format!("GET {INDEX}"), 405, problem("method-not-allowed", "..")),
        asking("GET /indexer/api/v1/index_state", 200, json!({"state": state}).to_string())
            .has(format!("etag: {etag}"))
            .has("content-type: application/vnd.clair.index_state.v1+json"),
        asking("GET /indexer/api/v1/index_state", 304, "").with(&same),
        asking("GET /indexer/api/v1/index_state", 415, problem("internal-error", "..")).with("Accept: json"),
    ] {
        let answered = row.check(&server);
        if answered.status.is_success() {
            let definition = if row.said.contains("manifest_hash") { "IndexReport" } else { "State" };
            assert_accepted(definition, &answered.json());
        }
    }
}

#[test]
fn manifests_are_forgotten_as_clair_does() {
    let (known, unknown) = (digest(1), digest(0xee));
    let not_found = problem("not-found", "index report not found\"}");
    let server = indexer();
    for row in [
        asking(format!("DELETE {INDEX}"), 400, problem("bad-request", "failed to deserialize digests.."))
            .sending("{}"),
        asking(format!("DELETE {INDEX}"), 400, problem("bad-request", "failed to deserialize digests.."))
            .sending("[\"a\"]"),
        asking(format!("DELETE {INDEX}"), 200, "null").sending(json!([unknown.as_str()]).to_string()),
        asking(format!("DELETE {INDEX}"), 200, json!([digest(2).as_str()]).to_string())
            .sending(json!([unknown.as_str(), digest(2).as_str()]).to_string()),
        asking(format!("DELETE {INDEX}/{known}"), 204, ""),
        asking(format!("DELETE {INDEX}/{known}"), 204, ""),
        asking(format!("DELETE {INDEX}/latest"), 400, problem("bad-request", "malformed path: ..")),
        asking(format!("GET {INDEX}/{known}"), 404, &not_found),
    ] {
        row.check(&server);
    }
}

fn ended(state: ScanState, reason: Reason) -> Outcome {
    Outcome::Ended { state, reason, detail: "it is not".to_owned() }
}

/// Nothing in it can be judged, but what is aboard is known.
fn unknown_os(byte: u8) -> Outcome {
    match samples::judged(row(byte, &samples::unknown_distro())) {
        Outcome::Judged { inventory, judged, .. } => Outcome::Judged {
            inventory,
            judged,
            state: ScanState::Unsupported,
            reason: Reason::UnknownOs,
            detail: String::new(),
        },
        other => other,
    }
}

fn awaiting(byte: u8) -> Outcome {
    Outcome::Awaiting {
        inventory: Box::new(row(byte, &samples::rich())),
        reason: Reason::FeedsAwaited,
        awaited: vec!["alpine-secdb".to_owned()],
        detail: String::new(),
    }
}

#[test]
fn with_a_shared_key_its_holders_alone_are_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, BASE64_STANDARD.encode([7; 32])).unwrap();
    let server = TestServer::new(&format!("[server.psk]\nkey_file = '{}'", path.display()), true);
    let token = |byte: u8, issuer: &str, seconds: i64| {
        let claims = json!({"iss": issuer, "exp": samples::now().as_second() + seconds});
        let token = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(&[byte; 32]));
        format!("Authorization: Bearer {}", token.unwrap())
    };
    for (headers, status) in [
        (vec![token(7, "quay", 300)], 200),
        (vec![token(7, "clair-intraservice", 300)], 200),
        (vec![token(7, "quay", -300)], 401),
        (vec![token(7, "somebody", 300)], 401),
        (vec![token(8, "quay", 300)], 401),
        (vec!["Authorization: Bearer x".to_owned()], 401),
        (vec![], 401),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answered = server.ask("GET /indexer/api/v1/index_state", &headers, "");
        assert_eq!(answered.status.as_u16(), status, "{headers:?}");
        assert_eq!(answered.body.is_empty(), status == 401, "{}", answered.text());
    }
}

#[test]
fn bodies_are_compressed_as_asked() {
    let server = TestServer::new("", true);
    server.scanned(1, &samples::rich());
    let path = format!("GET {MATCH}/{}", digest(1));
    let plain = server.ask(&path, &[], "");
    assert_eq!(plain.header("content-encoding"), "");
    for (accepted, coding) in [
        ("gzip", "gzip"),
        ("br, x-gzip", "gzip"),
        ("*", "gzip"),
        ("zstd", "zstd"),
        ("deflate;q=0.5, zstd;q=0.4", "deflate"),
        ("identity", ""),
    ] {
        let answered = server.ask(&path, &[&format!("Accept-Encoding: {accepted}")], "");
        assert_eq!(answered.header("content-encoding"), coding, "{accepted}");
        assert_eq!(answered.body.len() < plain.body.len(), !coding.is_empty());
    }
}

#[test]
fn a_manifest_whose_feeds_are_to_come_is_indexed() {
    let server = TestServer::new("", true);
    server.finish(5, ScanKind::Image, &awaiting(5));
    let known = digest(5);
    asking(format!("POST {INDEX}"), 201, format!(r#"{{"manifest_hash":"{known}","state":"IndexFinished".."#))
        .sending(manifest(5))
        .check(&server);
    asking(format!("GET {MATCH}/{known}"), 202, "").check(&server);
}

#[test]
fn the_matcher_answers_as_clair_does() {
    let server = TestServer::new("", true);
    server.scanned(1, &samples::rich());
    server.submit(6, ScanKind::Image);
    let advised = server.server.advised();
    let not_found =
        |what: &str| problem("not-found", &format!("index report for manifest \\\"{what}\\\" not found\"}}"));
    let report =
        asking(format!("GET {MATCH}/{}", digest(1)), 200, format!(r#"{{"manifest_hash":"{}".."#, digest(1)))
            .has("content-type: application/vnd.clair.index_report.v1+json")
            .has("cache-control: max-age=300")
            .has(format!("plimsoll-database: {}", advised.database_id()))
            .has("plimsoll-stale-feeds: ")
            .check(&server);
    assert_accepted("VulnerabilityReport", &report.json());
    assert_eq!(report.json()["vulnerabilities"].as_object().unwrap().len(), 1, "{}", report.text());
    let missing = report.header("plimsoll-missing-feeds");
    assert!(missing.contains("osv-npm;for=\"npm\";state=missing"), "{missing}");
    assert_ne!(report.header("plimsoll-gaps"), "0");
    let rows = [
        asking(format!("GET {MATCH}/{}", digest(6)), 404, not_found(digest(6).as_str())),
        asking(format!("GET {MATCH}/{}", digest(0xee)), 404, not_found(digest(0xee).as_str())),
        asking(format!("GET {MATCH}/latest"), 404, not_found("latest")),
        asking(format!("GET {MATCH}/%ff"), 404, not_found("")),
        asking(format!("POST {MATCH}/{}", digest(1)), 405, problem("method-not-allowed", "..")),
        asking(format!("GET {OPERATION}?kind=rumour"), 400, problem("bad-request", "unknown kind..")),
        asking(format!("GET {OPERATION}?kind=enrichment&latest=true"), 200, r#"{"kev":[{"ref":".."#),
        asking(format!("DELETE {OPERATION}/nonsense"), 400, problem("bad-request", "malformed path..")),
        asking(format!("DELETE {OPERATION}/{UUID}"), 200, ""),
        asking(format!("GET {DIFF}"), 400, problem("bad-request", "`cur` is missing\"}")),
        asking(format!("GET {DIFF}?cur=x"), 400, problem("bad-request", "..")),
        asking(format!("GET {DIFF}?cur={UUID}"), 404, problem("not-found", "..")),
    ];
    for row in rows {
        row.check(&server);
    }
    let operations = asking(format!("GET {OPERATION}"), 200, r#"{"alpine-secdb":[{"ref":".."#).check(&server);
    let reference = operations.json()["alpine-secdb"][0]["ref"].as_str().unwrap().to_owned();
    assert_eq!(operations.header("etag"), format!("\"{reference}\""));
    for row in [
        asking(format!("GET {OPERATION}"), 304, "").with(format!("If-None-Match: \"{reference}\"")),
        asking(format!("DELETE {OPERATION}/{reference}"), 409, problem("internal-error", "..")),
        asking(format!("GET {DIFF}?cur={reference}&prev={reference}"), 200, r#"{"prev":{"ref":".."#),
        asking(format!("GET {DIFF}?cur={reference}&prev={UUID}"), 404, problem("not-found", "..")),
    ] {
        row.check(&server);
    }
}

#[test]
fn an_image_that_nobody_judges_has_no_packages_that_look_clean() {
    let server = TestServer::new("", true);
    server.finish(4, ScanKind::Image, &unknown_os(4));
    let report = asking(format!("GET {MATCH}/{}", digest(4)), 200, "{..").check(&server).json();
    assert_accepted("VulnerabilityReport", &report);
    assert_eq!((&report["packages"], &report["environments"]), (&json!({}), &json!({})));
    let indexed = asking(format!("GET {INDEX}/{}", digest(4)), 200, "{..").check(&server).json();
    assert_eq!(indexed["packages"].as_object().unwrap().len(), 1);
}

/// Whatever the row of the scan says: feeds are switched off or were never fetched, or nobody judges what is aboard.
#[test]
fn what_was_not_judged_does_not_look_clean() {
    for (config, assessment, packages) in [
        ("", samples::system(), 2),
        ("[feeds.alpine-secdb]\nenabled = false", samples::system(), 0),
        ("", samples::unknown_distro(), 0),
        ("", samples::bare(), 0),
    ] {
        let server = TestServer::new(config, true);
        server.scanned(1, &assessment);
        let report = asking(format!("GET {MATCH}/{}", digest(1)), 200, "{..").check(&server).json();
        assert_accepted("VulnerabilityReport", &report);
        assert_eq!(report["packages"].as_object().unwrap().len(), packages, "{config} {report}");
    }
}

#[test]
fn without_a_database_nothing_looks_clean() {
    let server = TestServer::new("", false);
    server.scanned(1, &samples::rich());
    for byte in [1, 0xee] {
        asking(format!("GET {MATCH}/{}", digest(byte)), 202, "").check(&server);
    }
    asking(format!("GET {OPERATION}"), 200, "{}").check(&server);
    let server = TestServer::new("[server.clair]\nnot_ready = '404'", false);
    server.scanned(1, &samples::rich());
    asking(format!("GET {MATCH}/{}", digest(1)), 404, problem("not-found", "index report..")).check(&server);
}

#[test]
fn notifications_are_read_page_by_page_and_deleted() {
    let server = TestServer::new("", false);
    let item = |number: u8| NoticeItem {
        id: format!("{number:08}-2222-3333-4444-555555555555"),
        body: json!({"id": number, "vulnerability": {"severity": "High", "normalized_severity": "High"}})
            .to_string(),
    };
    server.store.put_notice(UUID, &[item(1), item(2), item(3)], samples::now()).unwrap();
    let pages = [("", "2"), ("&next=00000002-2222-3333-4444-555555555555", "1")];
    let mut seen = 0;
    for (next, expected) in pages {
        let page = asking(format!("GET {NOTICE}/{UUID}?page_size=2{next}"), 200, "{..")
            .has("content-type: application/vnd.clair.notification_page.v1+json")
            .check(&server)
            .json();
        assert_accepted("NotificationPage", &page);
        assert_eq!(page["notifications"].as_array().unwrap().len().to_string(), expected);
        seen += page["notifications"].as_array().unwrap().len();
        assert_eq!(page["page"].get("next").is_some(), seen < 3, "{page}");
    }
    for row in [
        asking(format!("GET {NOTICE}/{UUID}"), 200, r#"{"page":{"size":500},"notifications":[{"id":1,.."#),
        asking(format!("GET {NOTICE}/{}", UUID.to_uppercase()), 200, "{.."),
        asking(format!("GET {NOTICE}/{UUID}"), 415, problem("internal-error", ".."))
            .with("Accept: text/html"),
        asking(format!("GET {NOTICE}/{UUID}?page_size=0"), 400, problem("bad-request", "`page_size`..")),
        asking(format!("GET {NOTICE}/{UUID}?page_size=many"), 400, problem("bad-request", "`page_size`..")),
        asking(format!("GET {NOTICE}/{UUID}?next=-1"), 400, problem("bad-request", "`next`..")),
        asking(format!("GET {NOTICE}/1"), 400, problem("bad-request", "malformed path..")),
        asking(format!("GET {NOTICE}/{OTHER_UUID}"), 404, problem("not-found", "..")),
        asking(format!("DELETE {NOTICE}/{OTHER_UUID}"), 404, problem("not-found", "..")),
        asking(format!("DELETE {NOTICE}/1"), 400, problem("bad-request", "malformed path..")),
        asking(format!("DELETE {NOTICE}/{UUID}"), 200, ""),
        asking(format!("GET {NOTICE}/{UUID}"), 404, problem("not-found", "..")),
    ] {
        row.check(&server);
    }
}

#[test]
fn statements_lead_to_the_images_that_they_are_about() {
    let server = TestServer::new("", true);
    server.scanned(1, &samples::rich());
    server.scanned(2, &samples::bare());
    let path = "POST /indexer/api/v1/internal/affected_manifest";
    let alpine = json!({"did": "alpine", "version_id": "3.20.9"});
    let statement = |id: &str, name: &str, kind: &str, fixed: &str, severity: &str| {
        json!({"id": id, "package": {"name": name, "kind": kind}, "distribution": alpine, "fixed_in_version": fixed,
            "normalized_severity": severity})
    };
    let body = json!({"vulnerabilities": [
        statement("1", "openssl", "source", "3.3.2-r0", "Low"),
        statement("2", "openssl", "source", "3.3.1-r0", "High"),
        statement("3", "openssl", "source", "", "Critical"),
        statement("4", "libssl3", "binary", "3.3.2-r0", "High"),
        statement("5", "openssl", "source", "0", "High"),
        {"id": "6", "package": {"name": "@deck/knot"}, "repository": {"name": "npm"}, "fixed_in_version": "fixed=1.0.1&introduced=1.0.0"},
        {"id": "7", "package": {"name": "@deck/knot"}, "repository": {"name": "npm"}, "fixed_in_version": "fixed=1.2.0&introduced=1.0.1"},
        {"id": "8", "package": {"name": "openssl"}, "distribution": {"did": "borealis"}},
        {"id": "9", "package": {"name": "@deck/knot"}, "repository": {"name": "npm"}, "fixed_in_version": "introduced=0.1.0&lastAffected=1.0.0"},
        {"id": "10", "package": {"name": "@deck/knot"}, "repository": {"name": "npm"}, "fixed_in_version": "introduced=0.1.0&lastAffected=0.9.0"},
        {"id": "11", "package": {"name": "@deck/knot"}, "repository": {"name": "npm"}, "fixed_in_version": "not a version"},
        {"id": "", "package": {"name": "@deck/knot"}, "repository": {"name": "npm"}},
        statement("1", "openssl", "source", "3.3.2-r0", "Low"),
        statement("1", "openssl", "source", "3.3.0-r0", "Critical"),
    ]});
    // Of the binary package, of what is no distribution, of what is no version, without an id, with the id of another.
    let gaps = "plimsoll-gaps: 5";
    for path in [path.to_owned(), format!("{path}/")] {
        let found = asking(path, 200, "{..").sending(body.to_string()).has(gaps).check(&server).json();
        let of_image = &found["vulnerable_manifests"];
        assert_eq!(of_image, &json!({digest(1).as_str(): ["3", "4", "1", "6", "9"]}), "{found}");
        assert_eq!(found["vulnerabilities"]["3"], body["vulnerabilities"][2]);
        assert_eq!(found["vulnerabilities"]["1"], body["vulnerabilities"][0]);
        assert_eq!(found["vulnerabilities"].as_object().unwrap().len(), 5);
    }
    asking(path, 400, problem("bad-request", "failed to deserialize..")).sending("[]").check(&server);
    asking(path, 415, problem("internal-error", "..")).sending("{}").with("Accept: text/html").check(&server);
}

#[test]
fn the_document_names_every_endpoint() {
    let server = TestServer::new("", false);
    let document =
        asking("GET /openapi/v1", 200, "{..").has("content-type: application/openapi+json").check(&server);
    for endpoint in ENDPOINTS {
        assert!(document.text().contains(&format!("\"{}\"", endpoint.id)), "{}", endpoint.id);
    }
    let etag = document.header("etag");
    for row in [
        asking("GET /openapi/v1", 304, "").with(format!("If-None-Match: {etag}")),
        asking("GET /openapi/v1", 200, "{..")
            .with("Accept: application/yaml")
            .has("content-type: application/yaml"),
        asking("GET /openapi/v1", 415, problem("internal-error", "..")).with("Accept: text/html"),
        asking("GET /robots.txt", 200, "User-agent: *\nDisallow: /\n")
            .has("cache-control: no-store")
            .has("content-type: text/plain; charset=utf-8"),
    ] {
        row.check(&server);
    }
}
