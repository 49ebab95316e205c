//! What clients of Quay see: documents against what Quay itself makes of Clair's report, and every state of a scan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Change, Child, Outcome, ScanKind, Store, Submission};
use serde_json::{Value, json};

use super::features::Data;
use super::standing::status_word;
use super::{API, refuse};
use crate::config::QuayApiConfig;
use crate::http::clair_v4::report::VulnerabilityReport;
use crate::http::tests::samples::{self, Answered, TestServer, digest, now, submission};
use crate::http::{Refusal, guard};

const STATUSES: [&str; 5] = ["queued", "scanned", "failed", "unsupported", "manifest_layer_too_large"];

/// What Quay makes of Clair's report, by its own rules, from the document alone.
fn features_for(report: &Value) -> Vec<Value> {
    let mut told = BTreeSet::new();
    let mut features = Vec::new();
    for (id, package) in report["packages"].as_object().unwrap() {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut vulnerabilities = Vec::new();
        for of_package in report["package_vulnerabilities"][id].as_array().into_iter().flatten() {
            let of_package = of_package.as_str().unwrap();
            let name = &report["vulnerabilities"][of_package]["name"];
            if told.insert((text(&package["name"]), text(&package["version"]), text(name))) {
                vulnerabilities.push(vulnerability_for(report, of_package));
            }
        }
        let scores: Vec<Value> = vulnerabilities
            .iter()
            .map(|vulnerability| vulnerability["Metadata"]["NVD"]["CVSSv3"]["Score"].clone())
            .filter(Value::is_number)
            .collect();
        let cves: BTreeSet<String> = vulnerabilities
            .iter()
            .flat_map(|vulnerability| vulnerability["Link"].as_str().unwrap().split(['/', ' ', '?']))
            .filter(|part| part.starts_with("CVE-"))
            .map(str::to_owned)
            .collect();
        features.push(json!({
            "Name": package["name"],
            "VersionFormat": "",
            "NamespaceName": "",
            "AddedBy": report["environments"][id][0]["introduced_in"],
            "Version": package["version"],
            "BaseScores": scores,
            "CVEIds": cves,
            "Vulnerabilities": vulnerabilities,
        }));
    }
    features
}

fn vulnerability_for(report: &Value, id: &str) -> Value {
    let vulnerability = &report["vulnerabilities"][id];
    let (score, vector) = highest_score(report, id);
    let severity = match (vulnerability["normalized_severity"].as_str().unwrap(), score.as_f64()) {
        ("Unknown", Some(score)) if score > 0.0 && score < 4.0 => "Low",
        ("Unknown", Some(score)) if (4.0..7.0).contains(&score) => "Medium",
        ("Unknown", Some(score)) if (7.0..9.0).contains(&score) => "High",
        // Quay leaves out ten itself.
        ("Unknown", Some(score)) if (9.0..=10.0).contains(&score) => "Critical",
        (stated, _) => stated,
    };
    let fixed = match vulnerability["fixed_in_version"].as_str().unwrap() {
        "0" => "",
        fixed => fixed,
    };
    let stated = |pointer: &str| vulnerability.pointer(pointer).cloned();
    json!({
        "Severity": severity,
        "NamespaceName": vulnerability["updater"],
        "Link": vulnerability["links"],
        "FixedBy": fixed,
        "Description": vulnerability["description"],
        "Name": vulnerability["name"],
        "Metadata": {
            "UpdatedBy": vulnerability["updater"],
            "RepoName": stated("/repository/name"),
            "RepoLink": stated("/repository/uri"),
            "DistroName": stated("/distribution/name").unwrap_or(json!("")),
            "DistroVersion": stated("/distribution/version").unwrap_or(json!("")),
            "NVD": { "CVSSv3": { "Vectors": vector, "Score": score } },
        },
    })
}

/// Score and vector of the first enrichment of the document, whatever that is.
fn highest_score(report: &Value, id: &str) -> (Value, Value) {
    let first = report["enrichments"].as_object().and_then(|map| map.values().next());
    let scores =
        first.and_then(|first| first[0].get(id)).and_then(Value::as_array).cloned().unwrap_or_default();
    let score = |entry: &Value| entry["baseScore"].as_f64().unwrap();
    match scores.iter().max_by(|a, b| score(a).total_cmp(&score(b))) {
        Some(highest) => (highest["baseScore"].clone(), highest["vectorString"].clone()),
        None => (json!(""), json!("")),
    }
}

fn sorted(mut values: Vec<Value>) -> Vec<Value> {
    values.sort_by_key(Value::to_string);
    values
}

#[test]
fn what_quay_would_make_of_clairs_report_is_answered() {
    for (name, assessment) in samples::all() {
        let report = VulnerabilityReport::of(&digest(0xaa), &assessment);
        let data = json!(Data::of(&report));
        let features = data["Layer"]["Features"].as_array().unwrap().clone();
        assert_eq!(sorted(features), sorted(features_for(&json!(report))), "{name}");
        insta::assert_json_snapshot!(name, data);
    }
}

/// What Quay's pages read without a look: texts are texts, vectors are of version 3, severities are six words.
#[track_caller]
fn assert_bearable(body: &Value) {
    assert!(STATUSES.contains(&body["status"].as_str().unwrap()));
    assert_eq!(body["data"].is_null(), body["status"] != "scanned", "{body}");
    assert!(body["scan"]["state"].is_string() && body["scan"]["reason"].is_string());
    for feature in body["data"]["Layer"]["Features"].as_array().into_iter().flatten() {
        for vulnerability in feature["Vulnerabilities"].as_array().unwrap() {
            assert!(vulnerability["FixedBy"].is_string() && vulnerability["Link"].is_string());
            let vector = vulnerability["Metadata"]["NVD"]["CVSSv3"]["Vectors"].as_str().unwrap();
            assert!(vector.is_empty() || vector.starts_with("CVSS:3."), "{vector}");
            let severity = vulnerability["Severity"].as_str().unwrap();
            assert!(["Critical", "High", "Medium", "Low", "Negligible", "Unknown"].contains(&severity));
        }
    }
}

fn ask(server: &TestServer, byte: u8) -> Answered {
    server.ask(&format!("GET /api/v1/repository/shop/web/manifest/{}/security", digest(byte)), &[], "")
}

#[track_caller]
fn body(server: &TestServer, byte: u8) -> Value {
    let answered = ask(server, byte);
    assert_eq!(answered.status, 200, "{}", answered.text());
    assert_eq!(answered.header("content-type"), "application/json");
    let body = answered.json();
    assert_bearable(&body);
    body
}

#[test]
fn every_state_has_one_of_quays_words() {
    let (plain, own) = (QuayApiConfig::default(), QuayApiConfig { layer_too_large_is_own_status: true });
    let mut words: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for state in ScanState::ALL {
        words.entry(status_word(state, Reason::Asked, &plain)).or_default().push(state.name());
    }
    insta::assert_json_snapshot!("words", words);
    let too_large = |config| status_word(ScanState::Unsupported, Reason::LayerTooLarge, config);
    assert_eq!((too_large(&plain), too_large(&own)), ("unsupported", "manifest_layer_too_large"));
    assert_eq!(status_word(ScanState::Unsupported, Reason::UnknownOs, &own), "unsupported");
}

#[test]
fn where_a_scan_stands_is_said_beside_quays_word() {
    let server = TestServer::new("", true);
    server.submit(1, ScanKind::Image);
    let waiting = body(&server, 1);
    assert_eq!(waiting["status"], "queued");
    assert_eq!((&waiting["scan"]["position"], &waiting["scan"]["reason"]), (&json!(0), &json!("asked")));

    let claimed = server.claim(2, ScanKind::Image);
    let change = Change { state: ScanState::Indexing, detail: "layer 1 of 2".to_owned(), kind: None };
    assert!(server.store.advance(&claimed.lease, &change, now()).unwrap());
    let progress = plimsoll_store::Progress { layers_done: 1, layers: 2, bytes_done: 5, bytes: 9 };
    server.store.beat(&claimed.lease, now() + Duration::from_secs(60), Some(progress), now()).unwrap();
    let indexing = body(&server, 2);
    assert_eq!((&indexing["status"], &indexing["scan"]["state"]), (&json!("queued"), &json!("indexing")));
    assert_eq!(
        indexing["scan"]["progress"],
        json!({"layers_done": 1, "layers": 2, "bytes_done": 5, "bytes": 9})
    );

    let retry = Outcome::Retry {
        reason: Reason::RateLimited,
        detail: "the registry was asked too often".to_owned(),
        at: now() + Duration::from_secs(30),
    };
    server.finish(3, ScanKind::Image, &retry);
    let retrying = body(&server, 3);
    assert_eq!((&retrying["status"], &retrying["scan"]["state"]), (&json!("queued"), &json!("retrying")));
    assert_eq!(retrying["scan"]["next_retry_at"], "2030-01-02T03:04:35Z");
    assert_eq!((&retrying["scan"]["attempt"], &retrying["scan"]["max_attempts"]), (&json!(1), &json!(3)));

    let ended = |state, reason| Outcome::Ended { state, reason, detail: "it is not".to_owned() };
    server.finish(4, ScanKind::Image, &ended(ScanState::Unsupported, Reason::ArtifactType));
    assert_eq!(body(&server, 4)["status"], "unsupported");
    server.finish(5, ScanKind::Image, &ended(ScanState::Failed, Reason::NotFound));
    assert_eq!(body(&server, 5)["status"], "failed");

    server.scanned(6, &samples::rich());
    let scanned = body(&server, 6);
    assert_eq!((&scanned["status"], &scanned["scan"]["state"]), (&json!("scanned"), &json!("completed")));
    assert_eq!(scanned["data"]["Layer"]["Name"], digest(6).as_str());
    assert_eq!(scanned["scan"]["database"]["id"], server.server.advised().database_id());
    let coverage = scanned["scan"]["coverage"].as_array().unwrap();
    assert!(coverage.iter().any(|need| need["feed"] == "osv-npm" && need["state"] == "missing"));
    assert!(!scanned["scan"]["gaps"].as_array().unwrap().is_empty());
    assert!(scanned["scan"]["finished_at"].is_string());
}

#[test]
fn without_a_database_nothing_is_called_scanned() {
    let server = TestServer::new("", false);
    server.scanned(1, &samples::rich());
    let body = body(&server, 1);
    assert_eq!((&body["status"], &body["scan"]["state"]), (&json!("queued"), &json!("feeds_not_loaded")));
}

/// Whatever the row of the scan says: feeds are switched off, or nobody judges what is aboard.
#[test]
fn what_was_not_judged_is_unsupported() {
    for (config, assessment, status) in [
        ("", samples::system(), "scanned"),
        ("[feeds.alpine-secdb]\nenabled = false", samples::system(), "unsupported"),
        ("", samples::unknown_distro(), "unsupported"),
        ("", samples::bare(), "unsupported"),
    ] {
        let server = TestServer::new(config, true);
        server.scanned(1, &assessment);
        let told = body(&server, 1);
        assert_eq!(told["status"], status, "{config} {told}");
        let child = Child {
            digest: digest(1),
            platform: "linux/amd64".to_owned(),
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            size: 500,
            is_attestation: false,
        };
        server.finish(2, ScanKind::Index, &Outcome::Index { children: vec![child], submissions: Vec::new() });
        assert_eq!(body(&server, 2)["scan"]["children"][0]["status"], status, "{config}");
    }
}

#[test]
fn an_index_is_told_with_its_children() {
    let server = TestServer::new("", true);
    let child = |byte: u8, platform: &str, is_attestation: bool| Child {
        digest: digest(byte),
        platform: platform.to_owned(),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        size: 500,
        is_attestation,
    };
    let index = Outcome::Index {
        children: vec![child(2, "linux/amd64", false), child(3, "linux/arm64", false), child(4, "", true)],
        submissions: vec![submission(2, ScanKind::Image), submission(3, ScanKind::Image)],
    };
    server.finish(1, ScanKind::Index, &index);
    let waiting = body(&server, 1);
    assert_eq!((&waiting["status"], &waiting["data"]), (&json!("queued"), &Value::Null));
    server.scanned(2, &samples::rich());
    server.scanned(3, &samples::rich());
    let done = body(&server, 1);
    assert_eq!((&done["status"], &done["scan"]["state"]), (&json!("unsupported"), &json!("completed")));
    assert_eq!(done["scan"]["findings"]["high"], 4);
    let children = done["scan"]["children"].as_array().unwrap();
    let told: Vec<_> = children.iter().map(|child| (&child["platform"], &child["status"])).collect();
    let scanned = json!("scanned");
    assert_eq!(
        told,
        [(&json!("linux/amd64"), &scanned), (&json!("linux/arm64"), &scanned), (&json!(""), &Value::Null)]
    );
    assert_eq!(children[0]["findings"]["high"], 2);
}

#[test]
fn a_repository_shows_its_own_images() {
    let server = TestServer::new("", true);
    let of = |byte: u8, repository: &str| Submission {
        repository: repository.to_owned(),
        ..submission(byte, ScanKind::Image)
    };
    let submit = |store: &Store, submission: &Submission| drop(store.submit(submission, now()).unwrap());
    submit(&server.store, &of(1, "shop/web"));
    submit(&server.store, &of(2, "bank/vault"));
    submit(&server.store, &of(3, "bank/vault"));
    submit(&server.store, &of(3, "shop/web"));
    for (byte, expected) in [(1, 200), (2, 404), (3, 200), (0xee, 404)] {
        assert_eq!(ask(&server, byte).status.as_u16(), expected, "{byte}");
    }
}

#[test]
fn a_server_that_is_not_ready_has_images_waiting() {
    let server = TestServer::new("", true);
    server.server.lifecycle.ending();
    let body = body(&server, 1);
    assert_eq!((&body["scan"]["state"], &body["scan"]["reason"]), (&json!("not_ready"), &json!("ending")));
}

#[test]
fn errors_are_worded_as_quay_does() {
    let server = TestServer::new("", true);
    for (line, status, error_type) in [
        (format!("GET /api/v1/repository/shop/web/manifest/{}/security", digest(1)), 404, "not_found"),
        ("GET /api/v1/repository/shop/web/manifest/latest/security".to_owned(), 404, "not_found"),
        ("GET /api/v1/repository/shop/web".to_owned(), 404, "not_found"),
        (format!("PUT /api/v1/repository/shop/web/manifest/{}/security", digest(1)), 405, "invalid_request"),
    ] {
        let answered = server.ask(&line, &[], "");
        assert_eq!(answered.status.as_u16(), status, "{line}");
        let problem = answered.json();
        assert_eq!((&problem["error_type"], &problem["status"]), (&json!(error_type), &json!(status)));
        for field in ["detail", "error_message", "title", "type"] {
            assert!(problem[field].is_string(), "{problem}");
        }
    }
    for (status, expected) in [(401, 401), (403, 403), (500, 520), (503, 520), (400, 400)] {
        let response = guard::refuse(&API, &Refusal::unavailable("unavailable", "x"));
        assert_eq!(response.status().as_u16(), 520);
        assert_eq!(response.headers()["retry-after"], "5");
        assert_eq!(refuse(&Refusal::new(status, "x", "x")).status().as_u16(), expected);
    }
}

#[test]
fn the_operator_finds_the_endpoint() {
    let server = TestServer::new("[server]\nurl = 'https://plimsoll.example/'", false);
    insta::assert_json_snapshot!(
        "capabilities",
        server.ask("GET /.well-known/app-capabilities", &[], "").json()
    );
}
