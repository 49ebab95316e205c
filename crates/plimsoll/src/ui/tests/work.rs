//! The pages of jobs, feeds and search, and the buttons that change something.

use plimsoll_core::clearance::Verdict;
use plimsoll_core::digest::hex;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{
    Decision, HearingOutcome, NewDelivery, NewHearing, Report, ScanKind, Spoken, Submission, Tag,
};
use sha2::{Digest as _, Sha256};

use super::{FORM, failed, main_part, repository};
use crate::http::tests::samples::{self, TestServer, digest, now, submission};

/// A token of each scope, called as the scope; and one that may submit to one repository alone.
fn scoped() -> TestServer {
    let token = |name: &str, scope: &str, rest: &str| {
        let hash = hex(&Sha256::digest(name));
        format!("[[server.auth.tokens]]\nname = '{name}'\nsha256 = '{hash}'\nscopes = ['{scope}']\n{rest}\n")
    };
    let of_shop = "repositories = ['registry.example/shop/*']";
    let tokens = ["read", "submit", "admin"].map(|scope| token(scope, scope, ""));
    TestServer::new(&format!("{}{}", tokens.concat(), token("shop", "submit", of_shop)), true)
}

fn cookie(token: &str) -> String {
    format!("cookie: plimsoll_token={token}")
}

/// What a form of a page brings.
fn form_key(server: &TestServer, cookie: &str) -> String {
    let answered = server.ask("GET /ui/jobs", &[cookie], "");
    let key = answered.text().split_once("name=\"form_key\" value=\"").unwrap().1.split_once('"').unwrap().0;
    format!("form_key={key}")
}

fn named(byte: u8) -> Submission {
    let repository = "team/app".to_owned();
    Submission {
        repository,
        reference: "registry.example/team/app:1".to_owned(),
        ..submission(byte, ScanKind::Image)
    }
}

#[test]
fn jobs_stand_where_they_are() {
    let server = repository();
    let jobs = main_part(&server.ask("GET /ui/jobs", &[], ""));
    let lists: Vec<&str> = jobs.split("<h2>").skip(1).collect();
    assert!(
        lists[0].starts_with("At work") && lists[0].contains("No worker has anything in hand."),
        "{jobs}"
    );
    assert!(
        lists[2].contains("next in the queue") && lists[2].contains("1 before it in the queue"),
        "{jobs}"
    );
    let next = lists[2].find("next in the queue").unwrap();
    assert!(next < lists[2].find("1 before it").unwrap(), "{jobs}");
    assert!(lists[3].contains("the registry does not have it"), "{jobs}");
    assert!(lists[4].contains("every target took what it was told"), "{jobs}");
}

#[test]
fn a_scan_is_called_off_by_those_who_may() {
    let server = scoped();
    server.store.submit(&named(1), now()).unwrap();
    let path = format!("/ui/images/{}/cancel", digest(1).as_str());
    let reader = cookie("read");
    assert!(!server.ask("GET /ui/jobs", &[&reader], "").text().contains("Call off"));
    let key = form_key(&server, &reader);
    assert_eq!(server.ask(&format!("POST {path}"), &[FORM, &reader], &key).status, 403);

    let submitter = cookie("submit");
    assert!(server.ask("GET /ui/jobs", &[&submitter], "").text().contains("Call off"));
    for forged in ["", "form_key=guess", key.as_str()] {
        assert_eq!(server.ask(&format!("POST {path}"), &[FORM, &submitter], forged).status, 403, "{forged}");
    }
    let key = form_key(&server, &submitter);
    let shop = cookie("shop");
    let of_shop = form_key(&server, &shop);
    assert_eq!(server.ask(&format!("POST {path}"), &[FORM, &shop], &of_shop).status, 404);
    let done = server.ask(&format!("POST {path}"), &[FORM, &submitter], &key);
    assert_eq!(done.status, 303, "{}", done.text());
    let scan = server.store.scan(digest(1).as_str()).unwrap().unwrap();
    assert_eq!(scan.state, ScanState::Cancelled);
    assert_eq!(server.ask(&format!("POST {path}"), &[FORM, &submitter], &key).status, 409);
}

#[test]
fn an_image_is_scanned_again_by_its_digest() {
    let server = scoped();
    server.store.submit(&named(1), now()).unwrap();
    server.finish(1, ScanKind::Image, &failed(Reason::NotFound, ScanState::Failed, "it is not there"));
    server.finish(2, ScanKind::Image, &failed(Reason::NotFound, ScanState::Failed, "it is not there"));
    let submitter = cookie("submit");
    let key = form_key(&server, &submitter);
    let path = |byte: u8| format!("/ui/images/{}", digest(byte).as_str());
    assert!(server.ask(&format!("GET {}", path(1)), &[&submitter], "").text().contains("Scan again"));
    assert!(!server.ask(&format!("GET {}", path(1)), &[&cookie("read")], "").text().contains("Scan again"));
    let again = server.ask(&format!("POST {}/again", path(1)), &[FORM, &submitter], &key);
    assert_eq!((again.status.as_u16(), again.header("location")), (303, path(1).replace(':', "%3A")));
    let scan = server.store.scan(digest(1).as_str()).unwrap().unwrap();
    assert_eq!(scan.state, ScanState::Queued);
    // One that has no name cannot be asked for.
    assert!(!server.ask(&format!("GET {}", path(2)), &[&submitter], "").text().contains("Scan again"));
    assert_eq!(server.ask(&format!("POST {}/again", path(2)), &[FORM, &submitter], &key).status, 409);
}

#[test]
fn a_notification_that_was_given_up_is_delivered_again() {
    let server = scoped();
    let delivery = NewDelivery {
        target: "<script>chat".to_owned(),
        key: "1".to_owned(),
        media_type: "text/plain".to_owned(),
        body: b"news".to_vec(),
        due_at: now(),
    };
    server.store.put_deliveries(&[delivery], None, now()).unwrap();
    let until = now() + std::time::Duration::from_secs(60);
    let (_, lease) = {
        let mut claimed = server.store.claim_deliveries("<script>chat", "w", 1, until, now()).unwrap();
        claimed.remove(0)
    };
    server.store.finish_delivery(&lease, Err(("it said 410".to_owned(), None)), now()).unwrap();
    let (admin, submitter) = (cookie("admin"), cookie("submit"));
    let jobs = server.ask("GET /ui/jobs", &[&admin], "");
    assert!(jobs.text().contains("it said 410") && jobs.text().matches("<script").count() == 1);
    assert!(!server.ask("GET /ui/jobs", &[&submitter], "").text().contains("it said 410"));
    let key = form_key(&server, &admin);
    let of_submitter = form_key(&server, &submitter);
    let path = "POST /ui/deliveries/1/replay";
    assert_eq!(server.ask(path, &[FORM, &submitter], &of_submitter).status, 403);
    assert_eq!(server.ask("POST /ui/deliveries/99/replay", &[FORM, &admin], &key).status, 404);
    assert_eq!(server.ask(path, &[FORM, &admin], &key).status, 303);
    assert!(!server.ask("GET /ui/jobs", &[&admin], "").text().contains("it said 410"));
}

#[test]
fn feeds_say_how_they_stand() {
    let server = repository();
    let feeds = main_part(&server.ask("GET /ui/feeds", &[], ""));
    // What the database has, and what was never fetched.
    assert!(feeds.contains("of 2 feeds, and has 1 advisories"), "{feeds}");
    assert!(feeds.contains("need somebody") && feeds.contains("it was never fetched"), "{feeds}");
    assert!(feeds.contains("<code>alpine-secdb</code>") && feeds.contains("Licence"), "{feeds}");
    let empty = TestServer::new("", false);
    assert!(main_part(&empty.ask("GET /ui/feeds", &[], "")).contains("Nothing can be judged"));
}

#[test]
fn a_flaw_or_a_package_is_found_in_all_images() {
    let server = repository();
    for (query, wanted, absent) in [
        ("", "A flaw is found by any of its names", "have"),
        ("flaw=cve-2030-0001", "1 image has", "No advisory"),
        ("flaw=cve-2030-0001", "fixed in <bdi>3.3.2-r0</bdi>", "no fix is stated"),
        ("flaw=CVE-1999-1", "No advisory of the database is of this name", "<table"),
        ("package=OPENSSL", "<bdi>libcrypto3</bdi>", "<bdi>stdlib</bdi>"),
        ("package=libssl3&version=3.3.1-r0", "1 image has", "libcrypto3"),
        ("package=libssl3&version=3.3.2-r0", "0 images have", "<table"),
        ("package=%3Cscript%3E", "&lt;script&gt;", "<script>"),
    ] {
        let answered = server.ask(&format!("GET /ui/search?{query}"), &[], "");
        assert_eq!(answered.status, 200, "{query}");
        let main = main_part(&answered).replace(">\n<", "><");
        assert!(main.contains(wanted) && !main.contains(absent), "{query}: {main}");
    }
    let long = "x".repeat(501);
    for query in ["flaw=a&package=b", "version=1", &format!("flaw={long}")] {
        assert_eq!(server.ask(&format!("GET /ui/search?{query}"), &[], "").status, 400, "{query}");
    }
    let bare = TestServer::new("", false);
    assert_eq!(bare.ask("GET /ui/search?flaw=CVE-2030-0001", &[], "").status, 409);
}

#[test]
fn search_tells_nobody_of_images_that_they_may_not_see() {
    let server = scoped();
    server.scanned(1, &samples::rich());
    for (token, count) in [("read", "1 image has"), ("shop", "0 images have")] {
        for query in ["flaw=CVE-2030-0001", "package=openssl"] {
            let answered = server.ask(&format!("GET /ui/search?{query}"), &[&cookie(token)], "");
            let main = main_part(&answered).replace(">\n<", "><");
            assert!(main.contains(count), "{token} {query}: {main}");
            assert_eq!(main.contains("libcrypto3"), token == "read", "{token} {query}");
        }
    }
}

/// A clearance of an image of a repository, refused; and another one that waits.
fn refused(server: &TestServer, document: &str) -> String {
    let asked = NewHearing {
        inputs: String::new(),
        policy: "<script>strict".to_owned(),
        asked_by: "token:ci".to_owned(),
        request: Vec::new(),
        places: vec![("registry.example".to_owned(), "team/app".to_owned())],
        attempts_max: 1,
        is_fresh: false,
    };
    let (hearing, _) = server.store.ask(&asked, now()).unwrap();
    let until = now() + std::time::Duration::from_secs(60);
    let claimed = server.store.claim_hearing("w", until, now()).unwrap().unwrap();
    let spoken = Spoken {
        digest: digest(1),
        subject: digest(1),
        repositories: vec!["registry.example/team/app".to_owned()],
        verdict: Verdict::Refused,
        why: vec!["layer_foreign: a layer is <b>elsewhere".to_owned()],
        signers: vec!["release".to_owned()],
    };
    let decision = Decision {
        verdict: Verdict::Refused,
        holds_until: None,
        policy: asked.policy.clone(),
        policies: Vec::new(),
        database: None,
        level: "content".to_owned(),
        spoken: vec![spoken],
    };
    let reports = vec![Report {
        format: "json".to_owned(),
        media_type: "application/json".to_owned(),
        body: document.as_bytes().to_vec(),
    }];
    let outcome = HearingOutcome::Decided { decision: Box::new(decision), reports, detail: String::new() };
    assert!(server.store.finish_hearing(&claimed.lease, &outcome, now()).unwrap());
    server.store.ask(&asked, now()).unwrap();
    hearing.id
}

#[test]
fn clearances_say_what_was_decided_and_why() {
    let server = scoped();
    let id = refused(&server, DOCUMENT);
    let reader = cookie("read");
    let list = server.ask("GET /ui/clearances", &[&reader], "");
    let main = main_part(&list);
    assert!(main.contains("refused") && main.contains("queued"), "{main}");
    assert!(main.find("Clearance 2").unwrap() < main.find("Clearance 1").unwrap(), "{main}");
    let one = server.ask(&format!("GET /ui/clearances/{id}"), &[&reader], "");
    let main = main_part(&one);
    assert!(
        main.contains("a layer is &lt;b&gt;elsewhere") && main.contains("registry.example/team/app"),
        "{main}"
    );
    for answered in [&list, &one] {
        assert_eq!(answered.text().matches("<script").count(), 1);
    }
    let shop = cookie("shop");
    assert_eq!(server.ask(&format!("GET /ui/clearances/{id}"), &[&shop], "").status, 404);
    let hidden = main_part(&server.ask("GET /ui/clearances", &[&shop], ""));
    assert!(hidden.contains("No clearance was asked for here."), "{hidden}");
    assert_eq!(server.ask("GET /ui/clearances?before=x", &[&reader], "").status, 400);
    assert!(main.contains("ref.exists") && main.contains("it is there"), "{main}");
    // A document that cannot be read is not one that says nothing.
    let server = scoped();
    let id = refused(&server, "{}");
    let main = main_part(&server.ask(&format!("GET /ui/clearances/{id}"), &[&reader], ""));
    assert!(main.contains("The document of them cannot be read"), "{main}");
}

/// What a record keeps of a clearance.
const DOCUMENT: &str = r#"{"schema": "plimsoll/clearance/1", "entries": [{"name": "app", "verdict": "refused",
    "checks": [{"id": "ref.exists", "outcome": "PASS", "weight": "refuse", "detail": "it is there"}]}]}"#;

#[test]
fn tags_show_the_newest_clearance_to_those_who_may_see_it() {
    let server = scoped();
    let id = refused(&server, DOCUMENT);
    super::tag(&server, "1.0", 1);
    let own = Tag {
        registry: "registry.example".to_owned(),
        repository: "shop/app".to_owned(),
        tag: "1.0".to_owned(),
        digest: digest(1),
        since: now(),
        seen_at: now(),
    };
    server.store.note_tags(&[own], now()).unwrap();
    let tags = |repository: &str, token: &str| {
        let path = format!("GET /ui/repositories/registry.example/{repository}");
        main_part(&server.ask(&path, &[&cookie(token)], ""))
    };
    let main = tags("team/app", "read");
    assert!(
        main.contains(&format!("href=\"/ui/clearances/{id}\"")) && main.contains("signed by release"),
        "{main}"
    );
    // It speaks of another repository, too, that they may not see.
    let main = tags("shop/app", "shop");
    assert!(
        main.contains("1.0") && !main.contains("/ui/clearances/clr") && !main.contains("signed by"),
        "{main}"
    );
}
