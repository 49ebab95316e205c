//! The pages, asked for without a socket: what each may do, who may see it, and what stands on those that people read.

use plimsoll_core::digest::{Digest, hex};
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Child, Claim, EventKind, NewEvent, Outcome, ScanKind, Submission, Tag};
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
fn all_images_together_are_shown_to_those_alone_who_may_see_all() {
    let server = closed();
    server.scanned(1, &samples::rich());
    server.scanned(2, &samples::rich());
    let reader = "cookie: plimsoll_token=reader";
    let before = main_part(&server.ask("GET /", &[reader], ""));
    assert!(!before.contains("What would mend most images") && !before.contains("Day by day"), "{before}");
    server.server.fleet.look(&server.server).unwrap();
    let overview = main_part(&server.ask("GET /", &[reader], ""));
    let flaws = overview.split_once("What would mend most images").unwrap().1;
    insta::assert_snapshot!("fleet", flaws);
    let limited = main_part(&server.ask("GET /", &["cookie: plimsoll_token=shop"], ""));
    assert!(!limited.contains("What would mend most images") && !limited.contains("Day by day"), "{limited}");
}

#[test]
fn a_history_tells_what_befell_an_image() {
    let server = repository();
    let image = format!("/ui/images/{}", digest(1).as_str());
    let body = r#"{"old_database": "sha256:a", "new_database": "sha256:b", "added": {}, "removed": {}, "changed": {},
        "findings": [{"change": "added", "id": "CVE-2030-0009<b>", "package": "hull", "version": "1.0", "severity": "high",
        "fixed_in": "1.1", "advisory": "A", "feed": "f", "is_exploited": false, "summary": "", "link": "", "distro": "", "release": ""}],
        "left_out": 3}"#;
    let event = NewEvent {
        kind: EventKind::FindingsChanged,
        subject: digest(1).as_str().to_owned(),
        body: body.to_owned(),
    };
    let unread = NewEvent { body: "{".to_owned(), ..event.clone() };
    server.store.note_events(&[event, unread], now()).unwrap();
    let main = main_part(&server.ask(&format!("GET {image}/history"), &[], ""));
    insta::assert_snapshot!("history", main);
    // An image that could not be scanned has one, too.
    let failed = server.ask(&format!("GET /ui/images/{}/history", digest(4).as_str()), &[], "");
    assert!(main_part(&failed).contains("the registry does not have it"));
    assert_eq!(server.ask(&format!("GET {image}/history?before=x"), &[], "").status, 400);
    let limited = closed();
    limited.scanned(1, &samples::rich());
    let hidden = limited.ask(&format!("GET {image}/history"), &["cookie: plimsoll_token=shop"], "");
    assert_eq!(hidden.status, 404);
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
    // Pages go on where the one before ended, to the last, which leads no further.
    let flaws = |page: usize| {
        let answered = server.ask(&format!("GET /ui/images/{}?page={page}", digest(1).as_str()), &[], "");
        let main = main_part(&answered);
        let found = main.split("CVE-2030-").skip(1).map(|rest| rest[..5].to_owned());
        (found.collect::<std::collections::BTreeSet<_>>(), main.contains("rel=\"next\""))
    };
    let rows = plimsoll_report::html::PAGE_ROWS;
    let ((first, has_next), (second, _)) = (flaws(1), flaws(2));
    // Two packages have each flaw, so one may stand on two pages.
    let both = first.intersection(&second).count();
    assert!(has_next && first.len() == rows.div_ceil(2) && both <= 1, "{first:?} {second:?}");
    let (last, has_next) = flaws(5_000 / rows);
    assert!(!has_next && !last.is_empty());
}

#[test]
fn images_that_were_handed_in_are_listed_once_with_what_is_known_of_them() {
    let server = TestServer::new("", true);
    for (byte, kind) in [(1, ScanKind::Image), (6, ScanKind::Digest), (8, ScanKind::Image)] {
        let asked = Submission { repository: "team/app".to_owned(), ..submission(byte, kind) };
        server.store.submit(&asked, now()).unwrap();
    }
    server.scanned(1, &samples::rich());
    let children = [(1, "linux/amd64"), (7, "linux/arm64")].map(|(byte, platform)| Child {
        digest: digest(byte),
        platform: platform.to_owned(),
        media_type: String::new(),
        size: 1,
        is_attestation: false,
    });
    server.finish(
        6,
        ScanKind::Digest,
        &Outcome::Index { children: children.to_vec(), submissions: Vec::new() },
    );
    server.scanned(8, &samples::rich());
    let path = "GET /ui/repositories/registry.example/team/app";
    let main = main_part(&server.ask(path, &[], ""));
    assert!(main.contains("No tags of this repository are watched"), "{main}");
    // The index with its images, and the image by itself; that of the index does not stand alone.
    let rows = main.matches("<th scope=\"row\">").count();
    assert!(
        rows == 2 && main.contains("See its 2 images") && main.contains("1 of 2 images judged"),
        "{rows}: {main}"
    );
    assert_eq!(main.matches("data-label=\"Findings\"").count(), 2, "{main}");
    // Once tags are watched, these are listed.
    tag(&server, "1.0", 8);
    let main = main_part(&server.ask(path, &[], ""));
    assert!(main.matches("<th scope=\"row\">").count() == 1 && main.contains("Leads there since"), "{main}");
    let behind = main_part(&server.ask(&format!("{path}?after=9"), &[], ""));
    assert!(behind.contains("There are no further tags."), "{behind}");
}

/// Repositories of others stand before, between and behind, and are more than a page has.
#[test]
fn whoever_is_held_to_some_repositories_finds_all_of_them() {
    let server = closed();
    let named = |repository: String| Tag {
        registry: "registry.example".to_owned(),
        repository,
        tag: "1".to_owned(),
        digest: digest(1),
        since: now(),
        seen_at: now(),
    };
    let others = (0..450).flat_map(|number| [format!("a/{number:03}"), format!("z/{number:03}")]);
    let own = (0..401).map(|number| format!("shop/{number:03}"));
    let tags: Vec<Tag> = others.chain(own).map(named).collect();
    server.store.note_tags(&tags, now()).unwrap();
    let (mut path, mut seen) = ("/ui/repositories".to_owned(), Vec::new());
    for rows in [200, 200, 1] {
        let answered = server.ask(&format!("GET {path}"), &["cookie: plimsoll_token=shop"], "");
        assert_eq!(answered.status, 200);
        let text = answered.text();
        assert!(!text.contains("/a/") && !text.contains("=a/") && !text.contains("/z/"), "{path}");
        let before = seen.len();
        seen.extend(text.split("registry.example/shop/").skip(1).map(|rest| rest[..3].to_owned()));
        assert_eq!(seen.len() - before, rows, "{path}");
        let next = text.split_once("rel=\"next\" href=\"").map(|(_, rest)| rest.split_once('"').unwrap().0);
        assert_eq!(next.is_some(), rows == 200, "{path}");
        path = next.unwrap_or_default().replace("&amp;", "&");
    }
    assert_eq!(seen, (0..401).map(|number| format!("{number:03}")).collect::<Vec<_>>());
}

/// Tags of as many images that are scanned, every fifth an index of two. All were asked for in another repository first, so that
/// who is held to this one is not shown them by the scans' own rows.
fn many_tags(count: u32) -> TestServer {
    let server = closed();
    let digest = |number: u32| Digest::sha256(&Sha256::digest(number.to_le_bytes()).into());
    let end = |number: u32, kind: ScanKind, outcome: &Outcome| {
        for repository in ["other/app", "shop/app"] {
            let repository = repository.to_owned();
            let asked = Submission { digest: Some(digest(number)), repository, ..submission(0, kind) };
            server.store.submit(&asked, now()).unwrap();
        }
        let (id, until) = (digest(number), now() + std::time::Duration::from_secs(60));
        let claim = Claim { worker: "w", until, per_registry_max: 9, all_max: 9, only: Some(id.as_str()) };
        let lease = server.store.claim(&claim, now()).unwrap().unwrap().lease;
        assert!(server.store.finish(&lease, outcome, now()).unwrap());
    };
    let scanned = |number: u32| {
        let mut row = samples::row(0, &samples::rich());
        row.image.digest = Some(digest(number));
        end(number, ScanKind::Image, &samples::judged(row));
    };
    let mut tags = Vec::new();
    for number in 0..count {
        if number.is_multiple_of(5) {
            let children = [number + 10_000, number + 20_000].map(|number| {
                scanned(number);
                Child {
                    digest: digest(number),
                    platform: "linux/amd64".to_owned(),
                    media_type: String::new(),
                    size: 1,
                    is_attestation: false,
                }
            });
            let outcome = Outcome::Index { children: children.to_vec(), submissions: Vec::new() };
            end(number, ScanKind::Digest, &outcome);
        } else {
            scanned(number);
        }
        tags.push(Tag {
            registry: "registry.example".to_owned(),
            repository: "shop/app".to_owned(),
            tag: format!("{number:03}"),
            digest: digest(number),
            since: now(),
            seen_at: now(),
        });
    }
    server.store.note_tags(&tags, now()).unwrap();
    server
}

#[test]
fn two_hundred_tags_take_as_many_questions_as_ten() {
    let asked = |count: u32, token: &str| {
        let server = many_tags(count);
        let before = server.store.statements();
        let cookie = format!("cookie: plimsoll_token={token}");
        let answered = server.ask("GET /ui/repositories/registry.example/shop/app", &[&cookie], "");
        let asked = server.store.statements() - before;
        assert_eq!(answered.status, 200, "{}", answered.text());
        let text = answered.text();
        let indexes = usize::try_from(count / 5).unwrap();
        assert_eq!(text.matches("<th scope=\"row\">").count(), usize::try_from(count).unwrap(), "{token}");
        assert_eq!(text.matches("See its 2 images").count(), indexes, "{token}");
        assert!(!text.contains("Not asked for") && !text.contains("not known here"), "{token}");
        assert!(!text.contains("Not judged"), "{token}");
        asked
    };
    for token in ["reader", "shop"] {
        let (few, many) = (asked(10, token), asked(200, token));
        assert_eq!(few, many, "{token}");
        assert!((3..=10).contains(&many), "{token}: {many}");
    }
}

mod work;
