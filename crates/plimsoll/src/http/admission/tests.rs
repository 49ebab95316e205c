//! Reviews of every sort, each with what is answered, and who is answered at all.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use plimsoll_core::clearance::Verdict;
use plimsoll_core::digest::Digest;
use plimsoll_store::{Decision, HearingFilter, HearingOutcome, NewHearing, Spoken};
use serde_json::{Value, json};

use super::super::tests::samples::{Answered, TestServer, digest, now};
use super::*;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/admission");

const CONFIG: &str = "
[clearances.policies]
strict = ['strict.yaml']
lax = ['lax.yaml']
[admission]
enabled = true
access = 'everybody'
policy = 'strict'
[admission.namespaces.'dev-*']
unknown = 'warn'
[admission.namespaces.lab]
policy = 'lax'
any_repository = true
";

/// Records that a digest is so under a policy, and its child, whose first byte is 0x80 more.
fn record(server: &TestServer, byte: u8, policy: &str, verdict: Verdict, hours: i64) {
    let why = match verdict {
        Verdict::Cleared => Vec::new(),
        Verdict::Refused => vec!["vuln.refuse FAIL: CVE-2030-0001 critical in hull 1.2".to_owned()],
        Verdict::Undecided => vec!["evidence.discovery ERROR: 503".to_owned()],
    };
    let spoken = |digest: Digest, why: Vec<String>| Spoken {
        digest,
        subject: self::digest(byte),
        repositories: vec!["registry.example/shop/web".to_owned(), "docker.io/library/web".to_owned()],
        verdict,
        why,
        signers: Vec::new(),
    };
    let decision = Decision {
        verdict,
        holds_until: (verdict == Verdict::Cleared)
            .then(|| now() + Duration::from_secs(3600) * u32::try_from(hours).unwrap_or(0)),
        policy: policy.to_owned(),
        policies: Vec::new(),
        database: None,
        level: "content".to_owned(),
        spoken: vec![spoken(digest(byte), why), spoken(digest(byte + 0x80), Vec::new())],
    };
    let asked = NewHearing {
        inputs: String::new(),
        policy: policy.to_owned(),
        asked_by: "token:ci".to_owned(),
        request: Vec::new(),
        places: Vec::new(),
        attempts_max: 1,
        is_fresh: false,
    };
    server.store.ask(&asked, now()).unwrap();
    let claimed = server.store.claim_hearing("w", now() + Duration::from_secs(60), now()).unwrap().unwrap();
    let outcome =
        HearingOutcome::Decided { decision: Box::new(decision), reports: Vec::new(), detail: String::new() };
    assert!(server.store.finish_hearing(&claimed.lease, &outcome, now()).unwrap());
}

/// 1 is cleared, 2 refused, 3 undecided, 4 cleared and run out, 5 cleared under another policy, 6 cleared and later
/// refused, 7 refused and later cleared, 8 is not known.
fn server(config: &str) -> TestServer {
    let server = TestServer::new(config, false);
    for (byte, policy, verdict, hours) in [
        (1, "strict", Verdict::Cleared, 1),
        (2, "strict", Verdict::Refused, 0),
        (3, "strict", Verdict::Undecided, 0),
        (4, "strict", Verdict::Cleared, 0),
        (5, "lax", Verdict::Cleared, 1),
        (6, "strict", Verdict::Cleared, 1),
        (6, "strict", Verdict::Refused, 0),
        (7, "strict", Verdict::Refused, 0),
        (7, "strict", Verdict::Cleared, 1),
    ] {
        record(&server, byte, policy, verdict, hours);
    }
    server
}

fn ask(server: &TestServer, body: &str) -> Answered {
    let kind = serde_json::from_str::<Value>(body).map_or(Value::Null, |body| body["kind"].clone());
    let path = if kind == "ImageReview" { "POST /admission/images" } else { "POST /admission" };
    server.ask(path, &["Content-Type: application/json"], body)
}

fn fixtures() -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(FIXTURES).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 10);
    paths
}

/// A fixture; `@7` in it is the digest of that byte.
fn read(path: &Path) -> String {
    let mut text = fs::read_to_string(path).unwrap();
    for byte in [1, 2, 3, 4, 5, 6, 7, 8, 0x81, 0x82_u8] {
        text = text.replace(&format!("@{byte:02x}\""), &format!("@{}\"", digest(byte)));
    }
    text
}

#[test]
fn every_fixture_is_answered() {
    let server = server(CONFIG);
    let last = server.store.last_event().unwrap();
    for path in fixtures() {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let answered = ask(&server, &read(&path));
        let filters = vec![(r"clr-[0-9a-f]{32}", "[ID]"), (r"([0-9a-f]{2}){31}([0-9a-f]{2})", "..$2")];
        insta::with_settings!({filters => filters}, {
            insta::assert_snapshot!(name, format!("{}\n{:#}", answered.status, answered.json()));
        });
    }
    assert_eq!(server.store.last_event().unwrap(), last, "asking has no effect");
}

/// Whatever is cut off, of another shape, or taken away is never let through.
#[test]
fn hostile_bodies_are_never_let_through() {
    let server = server(CONFIG);
    for body in ["null", "7", "[]", "\"x\"", "{}", "", "\u{feff}{}"] {
        assert_eq!(ask(&server, body).status, 400, "{body}");
    }
    assert_eq!(server.ask("POST /admission", &[], &"[".repeat(100_000)).status, 400);
    assert_eq!(server.ask("POST /admission", &[], &" ".repeat(REVIEW_BYTES_MAX + 1)).status, 413);
    let refused = read(&Path::new(FIXTURES).join("refused.json"));
    let review: Value = serde_json::from_str(&refused).unwrap();
    assert_eq!(ask(&server, &refused).json()["response"]["allowed"], false);
    for end in (0..refused.trim_end().len()).step_by(7) {
        assert_eq!(server.ask("POST /admission", &[], &refused[..end]).status, 400, "cut at {end}");
    }
    for (pointer, value) in [
        ("/request/object/spec/containers/0/image", json!(7)),
        ("/request/object/spec/containers/0/image", json!(null)),
        ("/request/object/spec/containers/0/image", json!(format!("a@{}", "x".repeat(9_999)))),
        ("/request/object/spec/containers/0", json!("image")),
        ("/request/object/spec/containers", json!({})),
        ("/request/object/spec", json!(null)),
        ("/request/object/spec", json!([])),
        ("/request/object", json!(null)),
        ("/request/kind/kind", json!("Pods")),
        ("/request/kind/group", json!("apps")),
        ("/request/operation", json!("create")),
    ] {
        let mut hostile = review.clone();
        *hostile.pointer_mut(pointer).unwrap() = value.clone();
        let answered = ask(&server, &hostile.to_string());
        let answer = answered.json();
        assert_eq!(answer["response"]["allowed"], false, "{pointer} {value}: {answer}");
        assert_eq!(answer["response"]["uid"], review["request"]["uid"]);
        let message = answer["response"]["status"]["message"].as_str().unwrap();
        assert!(message.len() < 2_000, "{message}");
    }
    for (pointer, value) in [
        ("/apiVersion", json!("admission.k8s.io/v1beta1")),
        ("/kind", json!("ImageReview")),
        ("/request", json!(null)),
        ("/request/uid", json!("")),
        ("/request/uid", json!("u".repeat(254))),
    ] {
        let mut hostile = review.clone();
        *hostile.pointer_mut(pointer).unwrap() = value.clone();
        assert_eq!(server.ask("POST /admission", &[], &hostile.to_string()).status, 400, "{pointer} {value}");
    }
}

#[test]
fn more_than_is_shown_is_told() {
    let server = server(CONFIG);
    let mut review: Value = serde_json::from_str(&read(&Path::new(FIXTURES).join("refused.json"))).unwrap();
    let containers: Vec<Value> = (0..14).map(|number| json!({"image": format!("web:{number}")})).collect();
    review["request"]["object"]["spec"]["containers"] = json!(containers);
    let answer = ask(&server, &review.to_string()).json();
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    assert!(message.contains("and 4 more images"), "{message}");
    // As warnings.
    let containers: Vec<Value> =
        (0..14).map(|number| json!({"image": format!("web{number}@{}", digest(8))})).collect();
    review["request"]["object"]["spec"]["containers"] = json!(containers);
    review["request"]["namespace"] = json!("dev-a");
    let answer = ask(&server, &review.to_string()).json();
    assert_eq!(answer["response"]["allowed"], true);
    let warnings = answer["response"]["warnings"].as_array().unwrap();
    assert_eq!((warnings.len(), &warnings[10]), (11, &json!("plimsoll: 4 more images are not cleared")));
    assert!(warnings.iter().all(|warning| warning.as_str().unwrap().len() <= 256));
}

#[test]
fn who_is_answered() {
    let good = read(&Path::new(FIXTURES).join("cleared.json"));
    assert_eq!(ask(&server(""), &good).status, 404, "it is not enabled");
    let closed = CONFIG.replace("'everybody'", "'read'");
    let hash = |name: &str| plimsoll_core::digest::hex(&<sha2::Sha256 as sha2::Digest>::digest(name));
    let token = |name: &str, repositories: &str| {
        format!(
            "[[server.auth.tokens]]\nname = '{name}'\nsha256 = '{}'\nscopes = ['read']\n{repositories}\n",
            hash(name)
        )
    };
    let tokens = token("cluster", "") + &token("team", "repositories = ['registry.example/other/*']");
    let server = server(&(closed + &tokens));
    assert_eq!(ask(&server, &good).status, 401);
    for (who, allowed) in [("cluster", true), ("team", false)] {
        let answered = server.ask("POST /admission", &[&format!("Authorization: Bearer {who}")], &good);
        assert_eq!(answered.json()["response"]["allowed"], allowed, "{who}: {}", answered.text());
    }
}

/// What is not as it was written clears nothing, and says so.
#[test]
fn records_that_were_changed_clear_nothing() {
    let server = server(CONFIG);
    let good = read(&Path::new(FIXTURES).join("cleared.json"));
    assert_eq!(server.server.check_records().unwrap().broken, None);
    let place = server.folder.path().join("store.sqlite");
    let raw = rusqlite::Connection::open(place).unwrap();
    // The record after that of the image is gone: its own stands.
    raw.execute_batch(
        "DROP TRIGGER records_delete; DROP TRIGGER record_digests_delete;
         DELETE FROM record_digests WHERE record = 2; DELETE FROM records WHERE number = 2;",
    )
    .unwrap();
    let chain = server.server.check_all_records().unwrap();
    assert_eq!(chain.broken.map(|(number, _)| number), Some(2));
    assert_eq!(ask(&server, &good).json()["response"]["allowed"], true);
    let later = read(&Path::new(FIXTURES).join("refused-then-cleared.json"));
    let answer = ask(&server, &later).json();
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    assert!(message.contains("not as they were written"), "{message}");
    // Number of the record, whether it may be relied on.
    let hearings =
        server.store.hearings(&HearingFilter { rows_max: 99, ..HearingFilter::default() }, None).unwrap();
    let status = |number: u64| {
        let hearing = hearings.iter().find(|hearing| hearing.record == Some(number)).unwrap();
        server.ask(&format!("GET /api/v1/clearances/{}", hearing.id), &[], "")
    };
    assert_eq!(status(1).json()["decided"]["is_whole"], true);
    assert_eq!(status(9).json()["decided"]["is_whole"], false);
    assert_eq!(status(2).status, 500, "it is gone");
    raw.execute_batch("UPDATE hearings SET verdict = 'cleared' WHERE record = 3").unwrap();
    assert!(status(3).status == 500 && status(3).text().contains("says otherwise"), "{}", status(3).text());
    let ready = server.ask("GET /readyz", &[], "");
    assert!(ready.status == 200 && ready.text().contains("record 2 is gone"), "{}", ready.text());
    // The record itself is another.
    raw.execute_batch(
        "DROP TRIGGER records_change; UPDATE records SET body = replace(body, 'refused', 'cleared') WHERE number = 1;
         UPDATE records SET body = replace(body, 'content', 'exists') WHERE number = 1;",
    )
    .unwrap();
    let answer = ask(&server, &good).json();
    let message = answer["response"]["status"]["message"].as_str().unwrap();
    assert!(message.contains("is not what its digest says"), "{message}");
}

/// Only where it is configured, and then also without any database.
#[test]
fn an_old_database_may_make_the_server_not_ready() {
    for (max, has_database, status) in
        [("", true, 200), ("", false, 200), ("30h", true, 200), ("20h", true, 503), ("20h", false, 503)]
    {
        let config = match max {
            "" => String::new(),
            max => format!("[admission]\ndatabase_age_max = '{max}'\n"),
        };
        let server = TestServer::new(&config, has_database);
        let ready = server.ask("GET /readyz", &[], "");
        assert_eq!(ready.status, status, "{max} {has_database}: {}", ready.text());
    }
}
