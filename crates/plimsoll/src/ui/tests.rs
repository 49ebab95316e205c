//! The pages, asked for without a socket: what each may do, who may see it, and what stands on those that people read.

use plimsoll_core::digest::hex;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Child, Outcome, ScanKind, Submission, Tag};
use sha2::{Digest as _, Sha256};

use super::{ENDPOINTS, NAVIGATION};
use crate::http::endpoint::{Access, Endpoint, Method};
use crate::http::tests::samples::{self, Answered, TestServer, digest, now, submission};

/// Largest page of an image with 5,000 findings, in bytes.
const PAGE_BYTES_MAX: usize = 300_000;

/// A server that lets in who has a token: `reader` sees everything, `shop` one repository.
fn closed() -> TestServer {
    let token = |name: &str, rest: &str| {
        let hash = hex(&Sha256::digest(name));
        format!("[[server.auth.tokens]]\nname = '{name}'\nsha256 = '{hash}'\nscopes = ['read']\n{rest}\n")
    };
    let shop = token("shop", "repositories = ['registry.example/shop/*']");
    TestServer::new(&format!("{}{shop}", token("reader", "")), true)
}

fn tag(server: &TestServer, name: &str, byte: u8) {
    let tag = Tag {
        registry: "registry.example".to_owned(),
        repository: "team/app".to_owned(),
        tag: name.to_owned(),
        digest: digest(byte),
        since: now(),
        seen_at: now(),
    };
    server.store.note_tags(&[tag], now()).unwrap();
}

/// What stands in the main part, an element a line.
fn main_part(answered: &Answered) -> String {
    let main = answered.text().split_once("<main").unwrap().1.split_once("</main>").unwrap().0;
    main.replace("><", ">\n<")
}

fn failed(reason: Reason, state: ScanState, detail: &str) -> Outcome {
    Outcome::Ended { state, reason, detail: detail.to_owned() }
}

/// A repository with an image in each of several states, and an index.
fn repository() -> TestServer {
    let server = TestServer::new("", true);
    let image =
        |byte: u8| Submission { repository: "team/app".to_owned(), ..submission(byte, ScanKind::Image) };
    server.scanned(1, &samples::rich());
    server.submit(2, ScanKind::Image);
    server.submit(3, ScanKind::Image);
    server.finish(
        4,
        ScanKind::Image,
        &failed(Reason::NotFound, ScanState::Failed, "the registry does not have it"),
    );
    server.finish(5, ScanKind::Image, &failed(Reason::ArtifactType, ScanState::Unsupported, "it is a chart"));
    let child = |byte: u8, platform: &str| Child {
        digest: digest(byte),
        platform: platform.to_owned(),
        media_type: String::new(),
        size: 1,
        is_attestation: platform.is_empty(),
    };
    let children = vec![child(1, "linux/amd64"), child(7, "linux/arm64"), child(8, "")];
    server.finish(6, ScanKind::Digest, &Outcome::Index { children, submissions: vec![image(7)] });
    for (name, byte) in
        [("1.0", 1), ("1.1", 2), ("1.2", 3), ("bad", 4), ("chart", 5), ("latest", 6), ("new", 9)]
    {
        tag(&server, name, byte);
    }
    server
}

#[test]
fn every_page_holds_to_the_policy() {
    let server = repository();
    let image = format!("/ui/images/{}", digest(1).as_str());
    // A clearance is asked for in a test of its own.
    let is_shown = |row: &&Endpoint| {
        row.method == Method::Get && row.access == Access::Read && !row.path.starts_with("/ui/clearances/")
    };
    for endpoint in ENDPOINTS.iter().filter(is_shown) {
        let path =
            endpoint.path.replace("/ui/images/{id}", &image).replace("{*name}", "registry.example/team/app");
        let answered = server.ask(&format!("GET {path}"), &[], "");
        assert_eq!(answered.status, 200, "{path}: {}", answered.text());
        let policy = answered.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"), "{path}");
        let text = answered.text();
        assert!(!text.contains(" style=") && !text.contains("<style"), "{path}");
        assert_eq!(text.matches("<script").count(), 1, "{path}");
        for start in ["<link rel=\"stylesheet\" href=\"", "<script src=\""] {
            let asset = text.split_once(start).unwrap().1.split_once('"').unwrap().0;
            let answered = server.ask(&format!("GET {asset}"), &[], "");
            assert_eq!(answered.status, 200, "{asset}");
            assert!(answered.header("cache-control").contains("immutable"));
        }
    }
    assert_eq!(server.ask("GET /ui/assets/page-0.css", &[], "").status, 404);
}

#[test]
fn what_every_page_leads_to_is_there() {
    let server = TestServer::new("", false);
    for (path, _) in NAVIGATION {
        let answered = server.ask(&format!("GET {path}"), &[], "");
        assert_eq!(answered.status, 200, "{path}");
        assert!(answered.text().contains(&format!("href=\"{path}\" aria-current=\"page\"")), "{path}");
    }
}

#[test]
fn an_empty_server_says_what_to_do() {
    let server = TestServer::new("", false);
    let overview = main_part(&server.ask("GET /", &[], ""));
    assert!(
        overview.contains("Nothing can be judged") && overview.contains("No image was asked for yet."),
        "{overview}"
    );
    assert!(main_part(&server.ask("GET /ui/repositories", &[], "")).contains("No repository is known yet."));
}

#[test]
fn pages_that_people_read() {
    let server = repository();
    let image = format!("/ui/images/{}", digest(1).as_str());
    for (name, path) in [
        ("overview", "/".to_owned()),
        ("tags", "/ui/repositories/registry.example/team/app".to_owned()),
        ("index", format!("/ui/images/{}", digest(6).as_str())),
        ("failed", format!("/ui/images/{}", digest(4).as_str())),
        ("packages", format!("{image}/packages?text=lib")),
    ] {
        let answered = server.ask(&format!("GET {path}"), &[], "");
        assert_eq!(answered.status, 200, "{path}: {}", answered.text());
        insta::assert_snapshot!(name, main_part(&answered));
    }
}

#[test]
fn each_view_of_a_report_has_an_address() {
    let server = repository();
    let image = format!("/ui/images/{}", digest(1).as_str());
    for (query, wanted, absent) in [
        ("", "CVE-2030-0001", "fits"),
        ("?severity=high&fixable=1", "CVE-2030-0001", "fits"),
        ("?severity=low", "None of the", "CVE-2030-0001</th>"),
        ("?text=libssl3", "1 of 2 findings", "libcrypto3</span>"),
    ] {
        let main = main_part(&server.ask(&format!("GET {image}{query}"), &[], ""));
        assert!(main.contains(wanted) && !main.contains(absent), "{query}: {main}");
    }
    let answered = server.ask(&format!("GET {image}?severity=terrible"), &[], "");
    assert_eq!(answered.status, 400);
    assert!(answered.text().contains("one of critical, high"));
    assert_eq!(server.ask(&format!("GET /ui/images/{}", digest(99).as_str()), &[], "").status, 404);
    let unread = server.ask(&format!("GET /ui/images/{}/packages", digest(4).as_str()), &[], "");
    assert_eq!(unread.status, 409);
}

#[test]
fn whoever_signs_in_reads_and_whoever_signs_out_does_not() {
    let server = closed();
    let outside = server.ask("GET /", &[], "");
    assert_eq!(outside.status, 401);
    assert_eq!(outside.header("www-authenticate"), "Bearer realm=\"plimsoll\"");
    assert!(outside.text().contains("action=\"/ui/sign-in\""));
    let wrong = server.ask("POST /ui/sign-in", &[FORM], "token=guess");
    assert_eq!(wrong.status, 401);
    assert!(wrong.text().contains("role=\"alert\"") && !wrong.text().contains("guess"));
    let foreign = server.ask("POST /ui/sign-in", &[FORM, "sec-fetch-site: cross-site"], "token=reader");
    assert_eq!(foreign.status, 403);
    let inside = server.ask("POST /ui/sign-in", &[FORM], "token=reader");
    assert_eq!((inside.status.as_u16(), inside.header("location").as_str()), (303, "/"));
    assert_eq!(inside.header("set-cookie"), "plimsoll_token=reader; Path=/; HttpOnly; SameSite=Strict");

    let cookie = "cookie: plimsoll_token=reader";
    let overview = server.ask("GET /", &[cookie], "");
    assert_eq!(overview.status, 200);
    assert!(overview.text().contains("token:reader"));
    assert_eq!(server.ask("GET /api/v1/scans", &[cookie], "").status, 200);
    // What changes something takes a header.
    assert_eq!(server.ask("POST /api/v1/scans", &[cookie], "{}").status, 401);
    // A header that says somebody else is not made up for by the cookie.
    assert_eq!(server.ask("GET /", &[cookie, "authorization: Bearer guess"], "").status, 401);

    assert_eq!(server.ask("POST /ui/sign-out", &[FORM, cookie], "form_key=guess").status, 403);
    let key = overview.text().split_once("name=\"form_key\" value=\"").unwrap().1.split_once('"').unwrap().0;
    let left = server.ask("POST /ui/sign-out", &[FORM, cookie], &format!("form_key={key}"));
    assert_eq!(left.status, 303);
    assert!(left.header("set-cookie").contains("Max-Age=0"));
    let ended = server.ask("GET /", &["cookie: plimsoll_token=former"], "");
    assert_eq!(ended.status, 401);
    assert!(ended.header("set-cookie").contains("Max-Age=0"));
}

const FORM: &str = "content-type: application/x-www-form-urlencoded";

#[test]
fn the_cookie_is_for_tls_alone_where_the_server_is_reached_by_it() {
    let server = TestServer::new("[server]\nurl = 'https://plimsoll.example'\n", false);
    let inside = server.ask("POST /ui/sign-in", &[FORM], "token=anything");
    assert!(inside.header("set-cookie").ends_with("; Secure"), "{}", inside.header("set-cookie"));
}

#[test]
fn whoever_is_held_to_some_repositories_sees_no_others() {
    let server = closed();
    server.scanned(1, &samples::rich());
    tag(&server, "1.0", 1);
    let cookie = "cookie: plimsoll_token=shop";
    for path in [
        "/ui/repositories/registry.example/team/app".to_owned(),
        format!("/ui/images/{}", digest(1).as_str()),
    ] {
        assert_eq!(server.ask(&format!("GET {path}"), &[cookie], "").status, 404, "{path}");
    }
    for path in ["/", "/ui/repositories"] {
        let answered = server.ask(&format!("GET {path}"), &[cookie], "");
        assert_eq!(answered.status, 200);
        assert!(
            !answered.text().contains("team/app") && !answered.text().contains(digest(1).as_str()),
            "{path}"
        );
    }
}

#[test]
fn hostile_content_is_text() {
    let server = TestServer::new("", true);
    let mut assessment = samples::rich();
    assessment.inventory.packages[0].name = "<script>alert(1)</script>".to_owned();
    assessment.inventory.packages[1].version = format!("3.3.1{}", "9".repeat(10_000));
    assessment.inventory.packages[2].name = "gpj.\u{202e}exe".to_owned();
    server.scanned(1, &assessment);
    tag(&server, "<b>\"'", 1);
    let image = format!("/ui/images/{}", digest(1).as_str());
    for path in [&image, &format!("{image}/packages"), "/ui/repositories/registry.example/team/app"] {
        let answered = server.ask(&format!("GET {path}"), &[], "");
        assert_eq!(answered.status, 200, "{path}");
        let text = answered.text();
        assert_eq!(text.matches("<script").count(), 1, "{path}");
        assert!(
            !text.contains("<b>") && !text.contains('\u{202e}') && !text.contains(&"9".repeat(200)),
            "{path}"
        );
    }
}

#[test]
fn a_page_of_five_thousand_findings_is_small() {
    let server = TestServer::new("", false);
    let flaws: Vec<String> = (0..2_500).map(|number| format!("CVE-2030-{number:05}")).collect();
    samples::build_database_of(server.folder.path(), &flaws);
    server.server.follow_advisories().unwrap();
    server.scanned(1, &samples::rich());
    let answered = server.ask(&format!("GET /ui/images/{}", digest(1).as_str()), &[], "");
    assert!(answered.text().contains("5000 findings"));
    assert!(answered.body.len() < PAGE_BYTES_MAX, "{}", answered.body.len());
}

mod work;
