//! What tokens see and may do that are held to some repositories, over all APIs.

use plimsoll_core::digest::Digest;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{NoticeItem, Outcome, ScanKind, Submission, TagFilter};

use super::samples::{self, Answered, TestServer, digest, submission};
use super::token;

/// A server with a token for everything and one for `registry.example/team/*`.
fn server(has_database: bool) -> TestServer {
    let team = token("team", "submit", "repositories = ['registry.example/team/*']");
    let registry = "[registries.'registry.example']\n".to_owned();
    TestServer::new(&[token("operator", "admin", ""), team, registry].concat(), has_database)
}

fn ask(server: &TestServer, who: &str, line: &str, body: &str) -> Answered {
    server.ask(line, &[&format!("Authorization: Bearer {who}")], body)
}

/// Has an image asked for in a repository.
fn submit(server: &TestServer, byte: u8, repository: &str) {
    let submission = Submission { repository: repository.to_owned(), ..submission(byte, ScanKind::Image) };
    server.store.submit(&submission, samples::now()).unwrap();
}

/// What is done to a scan is done for all repositories that have it.
#[test]
fn nobody_takes_a_scan_from_others() {
    let server = server(true);
    let cancel = |byte: u8| format!("POST /api/v1/scans/{}/cancel", digest(byte));
    let clair = "DELETE /indexer/api/v1/index_report";
    let one = |byte: u8| format!("{clair}/{}", digest(byte));
    let list = |digest: &Digest| format!("[\"{digest}\"]");
    for (byte, repositories) in [(1, &["team/a"][..]), (2, &["team/a", "bank/vault"])] {
        for repository in repositories {
            submit(&server, byte, repository);
        }
    }
    for (who, line, body, status) in [
        ("team", cancel(2), String::new(), 403),
        ("team", cancel(1), String::new(), 202),
        ("team", cancel(1), String::new(), 409),
        ("team", one(1), String::new(), 403),
        ("team", one(0xee), String::new(), 403),
        ("team", clair.to_owned(), list(&digest(1)), 403),
        ("operator", cancel(2), String::new(), 202),
        ("operator", clair.to_owned(), list(&digest(1)), 200),
        ("operator", one(2), String::new(), 204),
    ] {
        let told = ask(&server, who, &line, &body);
        assert_eq!(told.status.as_u16(), status, "{who} {line}: {}", told.text());
    }
}

/// A notification is of images of all repositories, and its id can be worked out.
#[test]
fn notifications_are_for_those_who_reach_everything() {
    let server = server(false);
    let id = "11111111-2222-3333-4444-555555555555";
    let item = NoticeItem { id: id.to_owned(), body: "{}".to_owned() };
    server.store.put_notice(id, &[item], samples::now()).unwrap();
    let path = format!("/notifier/api/v1/notification/{id}");
    for (who, method, status) in
        [("team", "GET", 404), ("team", "DELETE", 404), ("operator", "GET", 200), ("operator", "DELETE", 200)]
    {
        let told = ask(&server, who, &format!("{method} {path}"), "");
        assert_eq!(told.status.as_u16(), status, "{who} {method}: {}", told.text());
    }
}

/// What was said where a repository of others was asked says its name.
#[test]
fn details_do_not_name_repositories_of_others() {
    let server = server(true);
    let ended = Outcome::Ended {
        state: ScanState::Failed,
        reason: Reason::NotFound,
        detail: "`registry.example/bank/vault:1`: it is gone".to_owned(),
    };
    submit(&server, 1, "bank/vault");
    server.finish(1, ScanKind::Image, &ended);
    submit(&server, 2, "bank/vault");
    submit(&server, 2, "team/a");
    server.finish(2, ScanKind::Image, &ended);
    let body = serde_json::json!({ "reference": "registry.example/team/a:1" }).to_string();
    let security = format!("GET /api/v1/repository/team/a/manifest/{}/security", digest(2));
    for (line, body) in [
        ("GET /api/v1/scans".to_owned(), ""),
        (format!("GET /api/v1/scans/{}", digest(2)), ""),
        (security, ""),
        (format!("GET /indexer/api/v1/index_report/{}", digest(2)), ""),
        ("POST /api/v1/scans".to_owned(), body.as_str()),
    ] {
        let told = ask(&server, "team", &line, body);
        assert!(told.status.is_success(), "{line}: {}", told.text());
        assert!(!told.text().contains("vault"), "{line}: {}", told.text());
    }
    let told = ask(&server, "operator", &format!("GET /api/v1/scans/{}", digest(2)), "");
    assert!(told.text().contains("vault"), "{}", told.text());
}

/// A page is full of what may be seen, and where it ends tells of nothing else.
#[test]
fn lists_tell_nothing_of_others() {
    let server = server(false);
    for byte in 1..=6 {
        submit(&server, byte, if byte % 3 == 0 { "team/a" } else { "bank/vault" });
    }
    let mut told = Vec::new();
    let mut after = String::new();
    for _ in 0..3 {
        let page = ask(&server, "team", &format!("GET /api/v1/scans?rows=1{after}"), "").json();
        let ids =
            page["scans"].as_array().unwrap().iter().map(|scan| scan["id"].as_str().unwrap().to_owned());
        told.extend(ids);
        let Some(next) = page["next"].as_str() else { break };
        assert!(told.iter().any(|id| id == next), "{page}");
        after = format!("&after={next}");
    }
    assert_eq!(told, [digest(3), digest(6)].map(|digest| digest.as_str().to_owned()));
    let all = ask(&server, "operator", "GET /api/v1/scans", "").json();
    assert_eq!(all["scans"].as_array().unwrap().len(), 6);
}

/// Where a tag leads is the registry's to say.
#[test]
fn webhooks_of_some_repositories_are_not_believed_where_a_tag_leads() {
    let server = server(false);
    let body = serde_json::json!({ "reference": format!("registry.example/team/a:1@{}", digest(1)) });
    for (who, tags) in [("team", 0), ("operator", 1)] {
        let told = ask(&server, who, "POST /api/v1/hooks/plain", &body.to_string());
        assert_eq!(told.json()["submitted"].as_array().unwrap().len(), 1, "{who}: {}", told.text());
        let filter = TagFilter { rows_max: 9, ..TagFilter::default() };
        assert_eq!(server.store.tags(&filter).unwrap().len(), tags, "{who}");
    }
}
