//! What tokens see and may do that are held to some repositories, over all APIs.

use plimsoll_core::digest::Digest;
use plimsoll_store::{NoticeItem, ScanKind, Submission};

use super::samples::{self, Answered, TestServer, digest, submission};
use super::token;

/// A server with a token for everything and one for `registry.example/team/*`.
fn server(has_database: bool) -> TestServer {
    let team = token("team", "submit", "repositories = ['registry.example/team/*']");
    TestServer::new(&[token("operator", "admin", ""), team].concat(), has_database)
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
