//! What goes out, to whom and when: bodies by snapshot, and receivers on ports of their own.

use std::net::TcpListener;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use plimsoll_store::{Delivery, DeliveryFilter, DeliveryState, EventKind, NewEvent};

use self::samples::{IMAGE, all, at, changes};
use super::topics::Occurrence;
use super::*;
use crate::rematch::tests::fleet;

pub(super) mod samples;

use crate::mail::receivers::{HookServer, MailServer, Tls};

const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "c2hpcHMgYWhveSwgc2hpcHMgYWhveSwgYWhveQ==";

fn config(toml: &str) -> Config {
    Config::parse(&format!("[server]\nurl = 'https://plimsoll.example/'\n{toml}")).unwrap()
}

fn targets(toml: &str) -> Vec<Target> {
    open(&config(toml), &Settings::default()).unwrap()
}

fn keyed(happened: &[Occurrence]) -> Vec<(String, Occurrence)> {
    happened.iter().map(|one| (one.number.to_string(), one.clone())).collect()
}

fn prepared(toml: &str, happened: &[Occurrence]) -> kinds::Prepared {
    let targets = targets(toml);
    let told: Vec<Occurrence> = happened.iter().filter_map(|one| targets[0].wants.narrow(one)).collect();
    (targets[0].ways.prepare)(&keyed(&told), at())
}

/// Bodies as JSON, with their keys and media types.
fn shown(prepared: &kinds::Prepared) -> serde_json::Value {
    let drafts: Vec<serde_json::Value> = prepared
        .drafts
        .iter()
        .map(|draft| {
            let body: serde_json::Value = serde_json::from_str(&draft.body).unwrap();
            serde_json::json!({
                "key": draft.key,
                "media_type": draft.media_type,
                "due_at": draft.due_at.to_string(),
                "body": body,
            })
        })
        .collect();
    let items: Vec<serde_json::Value> = prepared
        .notices
        .iter()
        .flat_map(|(id, items)| items.iter().map(move |item| (id, item)))
        .map(|(id, item)| {
            let body: serde_json::Value = serde_json::from_str(&item.body).unwrap();
            assert_eq!(body["id"], item.id.as_str());
            serde_json::json!({"notice": id, "item": body})
        })
        .collect();
    serde_json::json!({"drafts": drafts, "notices": items})
}

#[test]
fn bodies() {
    let webhook = "[notify.a]\nkind = 'webhook'\nurl = 'https://hooks.example/'";
    insta::assert_json_snapshot!("cloudevents", shown(&prepared(webhook, &all())));
    let clair = "[notify.quay]\nkind = 'clair'\nurl = 'https://quay.example/secscan/notification'";
    insta::assert_json_snapshot!("clair", shown(&prepared(clair, &all())));
    let each = prepared(&format!("{clair}\ndisable_summary = true"), &all());
    assert_eq!(each.notices[0].1.len(), 3, "each that is named; what changed is not told");
    insta::assert_json_snapshot!(
        "clair_each",
        each.notices[0].1.iter().map(|item| item.body.clone()).collect::<Vec<_>>()
    );
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "word").unwrap();
    let amqp = format!(
        "[notify.bus]\nkind = 'amqp'\nurl = 'amqps://mq.example/vhost'\nexchange = 'x'\nrouting_key = 'k'\n\
         credentials = {{ user = 'u', password_file = {password:?} }}\n"
    );
    insta::assert_json_snapshot!("amqp_callback", shown(&prepared(&amqp, &all())));
    let direct = format!("{amqp}direct = true\nrollup = 1\nevents = ['findings.changed']\n");
    let direct = prepared(&direct, &all());
    assert!(direct.notices.is_empty());
    insta::assert_json_snapshot!("amqp_direct", shown(&direct));
}

#[test]
fn a_notice_is_the_same_for_the_same_events_and_another_for_others() {
    let of = |happened: &[Occurrence]| {
        let clair = "[notify.quay]\nkind = 'clair'\nurl = 'https://quay.example/'";
        prepared(clair, happened).notices.pop().map(|(id, _)| id)
    };
    let mut two = vec![all().remove(0), all().remove(0)];
    two[1].number += 1;
    assert_eq!(of(&two), of(&two));
    assert_ne!(of(&two), of(&two[..1]));
    assert_eq!(of(&all()[1..]), None, "there is nothing to page through");
}

#[test]
fn configurations_that_are_refused_say_why() {
    for (toml, wanted) in [
        ("kind = 'pigeon'", "`kind` is `pigeon`; write one of `amqp` ("),
        ("kind = 'webhook'", "`url` is missing"),
        ("kind = 'webhook'\nurl = 'ftp://a'", "`ftp://a` is no URL to send to; write `https://HOST/PATH`"),
        ("kind = 'webhook'\nurl = 'https://a'\ndigest = '1m'", "a target of kind `webhook` has no `digest`"),
        (
            "kind = 'webhook'\nurl = 'https://a'\nsecret_files = ['/none']",
            "cannot read the secret in the file",
        ),
        (
            "kind = 'clair'\nurl = 'https://a'\nevents = ['feed.late']",
            "`feed.late` is no event that this kind",
        ),
        ("kind = 'email'\nfrom = 'a@b.example'\nserver = 'smtp://h'", "`to` is empty"),
        ("kind = 'amqp'\nurl = 'amqp://h'\nrouting_key = 'k'", "`amqp://h` is no broker; write"),
        ("kind = 'amqp'\nurl = 'amqps://u:word@h'\nrouting_key = 'k'", "the broker's URL has a user in it"),
        ("kind = 'amqp'\nurl = 'amqps://h'\nrouting_key = 'k'\nrollup = 3", "`rollup` is of use only with"),
    ] {
        let error = open(&config(&format!("[notify.a]\n{toml}")), &Settings::default()).err().unwrap();
        let text = format!("{error:#}");
        assert!(text.starts_with(&format!("in `[notify.a]`: {wanted}")), "{toml}: {text}");
        assert!(!text.contains("word"), "{text}");
    }
}

/// A store in which things have happened.
struct Log {
    folder: tempfile::TempDir,
    store: Arc<Store>,
}

impl Log {
    fn new() -> Log {
        let folder = tempfile::tempdir().unwrap();
        let store = fleet::store(folder.path());
        Log { folder, store }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn happen(&self, count: usize) {
        let body = serde_json::to_string(&changes()).unwrap();
        let event = NewEvent { kind: EventKind::FindingsChanged, subject: IMAGE.to_owned(), body };
        self.store.note_events(&vec![event; count], at()).unwrap();
    }

    fn follow(&self, targets: &[Target]) -> follow::Followed {
        let since = follow::since(&self.store, targets).unwrap();
        follow::step(&self.store, targets, &since, Duration::ZERO, at).unwrap()
    }

    fn deliveries(&self, target: &str) -> Vec<Delivery> {
        let filter =
            DeliveryFilter { target: Some(target.to_owned()), rows_max: 1000, ..DeliveryFilter::default() };
        self.store.deliveries(&filter).unwrap()
    }
}

#[test]
fn a_follower_that_is_killed_neither_loses_nor_repeats() {
    let log = Log::new();
    let targets = targets(
        "[notify.hook]\nkind = 'webhook'\nurl = 'https://a.example/'\n[notify.quay]\nkind = 'clair'\nurl = \
         'https://q.example/'",
    );
    log.happen(3);
    assert_eq!(log.follow(&targets).events, 0, "what was before a target is not told to it");
    log.happen(3);
    // Killed before anything is stored: the notice is there, the deliveries are not.
    let since = follow::since(&log.store, &targets).unwrap();
    let events = log.store.events(since["hook"], 100, Duration::ZERO).unwrap();
    let happened: Vec<Occurrence> = events.iter().filter_map(|event| topics::read(event).unwrap()).collect();
    let lost = (targets[1].ways.prepare)(&keyed(&happened), at());
    let (id, items) = &lost.notices[0];
    log.store.put_notice(id, items, at()).unwrap();
    let followed = log.follow(&targets);
    assert_eq!((followed.events, followed.deliveries, followed.refused), (3, 4, 0));
    assert_eq!(log.follow(&targets).events, 0);
    let keys: Vec<String> = log.deliveries("hook").into_iter().map(|delivery| delivery.key).collect();
    assert_eq!(keys, ["6", "5", "4"]);
    let quay = log.deliveries("quay");
    let [notice] = quay.as_slice() else { panic!("{quay:?}") };
    assert_eq!(&notice.key, id);
    assert_eq!(log.store.notice_items(id, None, 100).unwrap().unwrap(), *items);
}

#[test]
fn what_is_not_understood_or_too_old_is_counted_and_the_rest_is_told() {
    let log = Log::new();
    let targets = targets("[notify.hook]\nkind = 'webhook'\nurl = 'https://a.example/'");
    log.follow(&targets);
    let odd = |body: &str| NewEvent {
        kind: EventKind::FindingsChanged,
        subject: IMAGE.to_owned(),
        body: body.to_owned(),
    };
    log.store.note_events(&[odd("{"), odd("[]")], at()).unwrap();
    let old = at() - jiff::SignedDuration::from_hours(24 * 4);
    log.store.note_events(&[odd(&serde_json::to_string(&changes()).unwrap())], old).unwrap();
    log.happen(1);
    let followed = log.follow(&targets);
    assert_eq!((followed.refused, followed.too_old, followed.deliveries), (2, 1, 1));
}

/// Takes connections and says nothing.
fn silent() -> (u16, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener.local_addr().unwrap().port(), listener)
}

/// A port at which nobody listens.
fn gone() -> u16 {
    silent().0
}

#[test]
fn targets_that_hang_fail_or_are_gone_delay_no_other() {
    let log = Log::new();
    std::fs::write(log.path().join("secret"), format!("whsec_{SECRET}\n")).unwrap();
    std::fs::write(log.path().join("other"), OTHER_SECRET).unwrap();
    let ((hanging, _held), failing, good) = (silent(), HookServer::start(), HookServer::start());
    failing.answer(500);
    let hook = |name: &str, port: u16| {
        format!("[notify.{name}]\nkind = 'webhook'\nurl = 'http://127.0.0.1:{port}/hook'\n")
    };
    let toml = hook("hanging", hanging)
        + &hook("failing", failing.port)
        + &hook("gone", gone())
        + &hook("good", good.port)
        + &format!("secret_files = [{:?}, {:?}]\n", log.path().join("other"), log.path().join("secret"));
    let mut config = config(&toml);
    config.server.listen = "127.0.0.1:0".to_owned();
    let targets = open(&config, &Settings::default()).unwrap();
    log.follow(&targets);
    let server = Arc::new(fleet::server(log.path(), &log.store, "one", Timestamp::now));
    let body = serde_json::to_string(&changes()).unwrap();
    let event = NewEvent { kind: EventKind::FindingsChanged, subject: IMAGE.to_owned(), body };
    log.store.note_events(&vec![event; 3], Timestamp::now()).unwrap();
    let threads = start(&server, targets);
    let begun = std::time::Instant::now();
    let state_of = |name: &str| -> Vec<(DeliveryState, bool)> {
        let deliveries = log.deliveries(name);
        deliveries.iter().map(|delivery| (delivery.state, delivery.error.is_some())).collect()
    };
    while state_of("good") != [(DeliveryState::Delivered, false); 3]
        || ["failing", "gone"].iter().any(|name| !state_of(name).contains(&(DeliveryState::Waiting, true)))
    {
        assert!(begun.elapsed() < Duration::from_secs(25), "{:?} {:?}", state_of("good"), state_of("gone"));
        std::thread::yield_now();
    }
    assert_eq!(state_of("hanging"), [(DeliveryState::Waiting, false); 3], "the first is still being tried");
    server.lifecycle.ending();
    let requests = good.take();
    assert_eq!(requests.len(), 3);
    let mut ids: Vec<&str> = requests.iter().map(|request| request.header("webhook-id")).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["evt_1", "evt_2", "evt_3"]);
    for request in &requests {
        assert_eq!(request.header("content-type"), "application/cloudevents+json");
        let event: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(event["id"], request.header("webhook-id"));
        let signatures: Vec<&str> = request.header("webhook-signature").split(' ').collect();
        let signed = [OTHER_SECRET, SECRET].map(|secret| {
            let key = aws_lc_rs::hmac::Key::new(
                aws_lc_rs::hmac::HMAC_SHA256,
                &BASE64_STANDARD.decode(secret).unwrap(),
            );
            let text = format!(
                "{}.{}.{}",
                request.header("webhook-id"),
                request.header("webhook-timestamp"),
                request.body
            );
            format!("v1,{}", BASE64_STANDARD.encode(aws_lc_rs::hmac::sign(&key, text.as_bytes())))
        });
        assert_eq!(signatures, signed);
    }
    // The one that hangs is not waited for: its thread ends with its request.
    drop(threads);
}

#[test]
fn deliveries_are_given_up_and_made_again() {
    let log = Log::new();
    let hook = HookServer::start();
    let targets =
        targets(&format!("[notify.hook]\nkind = 'webhook'\nurl = 'http://127.0.0.1:{}/'", hook.port));
    log.follow(&targets);
    log.happen(1);
    log.follow(&targets);
    // Each try is late enough for the next.
    thread_local!(static NOW: std::cell::Cell<i64> = const { std::cell::Cell::new(0) });
    fn clock() -> Timestamp {
        NOW.set(NOW.get() + 24 * 60 * 60);
        at() + jiff::SignedDuration::from_secs(NOW.get())
    }
    let hand_over = || hand_over::step(&log.store, &targets[0], "w", clock).unwrap();
    hook.answer(503);
    for attempt in 1..backoff::ATTEMPTS_MAX {
        assert_eq!(hand_over().postponed, 1, "attempt {attempt}");
    }
    assert_eq!(hand_over().dead, 1);
    assert!(hand_over().is_nothing());
    let dead = log.deliveries("hook").remove(0);
    assert_eq!((dead.state, dead.attempts), (DeliveryState::Dead, backoff::ATTEMPTS_MAX));
    assert!(dead.error.unwrap().ends_with("answers with status 503"));
    // Once more by hand; who says that it is gone for good is not asked again.
    for (status, wanted) in
        [(410, DeliveryState::Dead), (404, DeliveryState::Dead), (200, DeliveryState::Delivered)]
    {
        hook.answer(status);
        assert!(log.store.replay_delivery(dead.number, clock()).unwrap());
        hand_over();
        let after = log.deliveries("hook").remove(0);
        assert_eq!((after.state, after.attempts), (wanted, 1), "{status}");
        assert!(hand_over().is_nothing());
    }
    let ids: Vec<String> =
        hook.take().iter().map(|request| request.header("webhook-id").to_owned()).collect();
    assert!(ids.iter().all(|id| *id == "evt_1"), "the receiver knows it by its id: {ids:?}");
}

/// A secret is replaced at one end before the other: nothing is given up for it, and nobody is asked every few seconds.
#[test]
fn who_is_refused_is_asked_again_with_the_secret_that_is_there_then() {
    let log = Log::new();
    let hook = HookServer::start();
    let token = log.path().join("token");
    std::fs::write(&token, "old").unwrap();
    let targets = targets(&format!(
        "[notify.hook]\nkind = 'webhook'\nurl = 'http://127.0.0.1:{}/'\ncredentials = {{ token_file = {token:?} }}",
        hook.port
    ));
    log.follow(&targets);
    log.happen(1);
    log.follow(&targets);
    for status in [401, 403] {
        hook.answer(status);
        log.store.replay_delivery(1, at()).unwrap();
        assert_eq!(hand_over::step(&log.store, &targets[0], "w", at).unwrap().postponed, 1, "{status}");
        let delivery = log.deliveries("hook").remove(0);
        let wait = delivery.due_at.duration_since(at());
        assert_eq!((delivery.state, wait.as_mins()), (DeliveryState::Waiting, 30), "{status}");
        let error = delivery.error.unwrap();
        assert!(error.contains(&format!("status {status}; see to its credentials")), "{error}");
    }
    std::fs::write(&token, "new").unwrap();
    hook.answer(204);
    fn later() -> Timestamp {
        at() + jiff::SignedDuration::from_mins(30)
    }
    assert_eq!(hand_over::step(&log.store, &targets[0], "w", later).unwrap().delivered, 1);
    let said: Vec<String> =
        hook.take().iter().map(|request| request.header("authorization").to_owned()).collect();
    assert_eq!(said, ["Bearer old", "Bearer old", "Bearer new"]);
}

#[test]
fn quay_is_told_with_a_token_and_a_length() {
    let log = Log::new();
    std::fs::write(log.path().join("psk"), BASE64_STANDARD.encode([7; 32])).unwrap();
    let hook = HookServer::start();
    let targets = targets(&format!(
        "[notify.quay]\nkind = 'clair'\nurl = 'http://127.0.0.1:{}/secscan/notification'\npsk_file = {:?}",
        hook.port,
        log.path().join("psk")
    ));
    log.follow(&targets);
    log.happen(2);
    log.follow(&targets);
    assert_eq!(hand_over::step(&log.store, &targets[0], "w", at).unwrap().delivered, 1);
    let requests = hook.take();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(request.line, "POST /secscan/notification HTTP/1.1");
    assert_eq!(request.header("content-length"), request.body.len().to_string());
    assert_eq!(request.header("transfer-encoding"), "");
    assert_eq!(request.header("content-type"), "application/json");
    let token = request.header("authorization").strip_prefix("Bearer ").unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.validate_exp = false;
    let key = jsonwebtoken::DecodingKey::from_secret(&[7; 32]);
    jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation).unwrap();
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    let id = body["notification_id"].as_str().unwrap();
    assert_eq!(log.store.notice_items(id, None, 100).unwrap().unwrap().len(), 4);
}

#[test]
fn what_happens_within_a_while_is_one_mail() {
    let log = Log::new();
    let mail = MailServer::start(Tls::Never);
    let targets = targets(&format!(
        "[notify.crew]\nkind = 'email'\nserver = 'smtp://127.0.0.1:{}'\nfrom = 'plimsoll@ship.example'\nto = \
         ['bridge@ship.example']\nallow_plain = true\ndigest = '10m'",
        mail.port
    ));
    log.follow(&targets);
    log.happen(2);
    log.follow(&targets);
    assert!(hand_over::step(&log.store, &targets[0], "w", at).unwrap().is_nothing(), "it gathers");
    log.happen(1);
    log.follow(&targets);
    fn later() -> Timestamp {
        at() + jiff::SignedDuration::from_mins(10)
    }
    assert_eq!(hand_over::step(&log.store, &targets[0], "w", later).unwrap().delivered, 3);
    let mails = mail.take();
    let [one] = mails.as_slice() else { panic!("{mails:?}") };
    assert!(one.header("Subject").ends_with("3 images with changed findings"), "{one:?}");
    assert!(one.text.contains("Content-Type: text/plain; charset=utf-8"), "{one:?}");
    assert!(one.text.contains("Content-Type: text/html; charset=utf-8"), "{one:?}");
    assert!(hand_over::step(&log.store, &targets[0], "w", later).unwrap().is_nothing());
}

#[test]
fn a_receiver_who_is_refused_keeps_nothing_from_the_others() {
    let log = Log::new();
    let mail = MailServer::start(Tls::Never);
    let targets = targets(&format!(
        "[notify.crew]\nkind = 'email'\nserver = 'smtp://127.0.0.1:{}'\nfrom = 'plimsoll@ship.example'\nto = \
         ['nobody@ship.example', 'Bridge <bridge@ship.example>', 'deck@ship.example']\nallow_plain = true",
        mail.port
    ));
    log.follow(&targets);
    log.happen(2);
    log.follow(&targets);
    fn later() -> Timestamp {
        at() + jiff::SignedDuration::from_mins(15)
    }
    let handed_over = hand_over::step(&log.store, &targets[0], "w", later).unwrap();
    assert_eq!((handed_over.delivered, handed_over.postponed), (4, 2));
    let told: Vec<String> = mail.take().iter().map(|mail| mail.header("To").to_owned()).collect();
    assert_eq!(told, ["Bridge <bridge@ship.example>", "deck@ship.example"]);
    let refused: Vec<Delivery> = log
        .deliveries("crew")
        .into_iter()
        .filter(|delivery| delivery.state == DeliveryState::Waiting)
        .collect();
    for delivery in &refused {
        assert!(delivery.key.ends_with("/nobody@ship.example"), "{}", delivery.key);
        let error = delivery.error.as_deref().unwrap();
        assert!(error.starts_with("`nobody@ship.example`: ") && error.contains("no such mailbox"), "{error}");
    }
    assert_eq!(refused[0].due_at, refused[1].due_at, "they are one mail again");
}

/// What failed together is one mail again, also where some of it was tried before.
#[test]
fn what_was_one_mail_stays_one_mail() {
    let log = Log::new();
    let targets = targets(&format!(
        "[notify.crew]\nkind = 'email'\nserver = 'smtp://127.0.0.1:{}'\nfrom = 'plimsoll@ship.example'\nto = \
         ['bridge@ship.example']\nallow_plain = true",
        gone()
    ));
    log.follow(&targets);
    thread_local!(static NOW: std::cell::Cell<i64> = const { std::cell::Cell::new(0) });
    fn clock() -> Timestamp {
        at() + jiff::SignedDuration::from_secs(NOW.get())
    }
    for count in [5, 10] {
        log.happen(5);
        log.follow(&targets);
        NOW.set(NOW.get() + 60 * 60);
        assert_eq!(hand_over::step(&log.store, &targets[0], "w", clock).unwrap().postponed, count);
        let due: std::collections::BTreeSet<Timestamp> =
            log.deliveries("crew").iter().map(|delivery| delivery.due_at).collect();
        assert_eq!(due.len(), 1, "{due:?}");
    }
}

/// By whichever of its names an image is of interest, that one is told.
#[test]
fn an_image_is_known_by_each_of_its_names() {
    let log = Log::new();
    let targets = targets(
        "[notify.hook]\nkind = 'webhook'\nurl = 'https://a.example/'\nrepositories = ['registry.example/team/*', \
         'r.example:5000/asked']",
    );
    log.follow(&targets);
    let tag = |repository: &str, tag: String| plimsoll_store::Tag {
        registry: repository.split_once('/').unwrap().0.to_owned(),
        repository: repository.split_once('/').unwrap().1.to_owned(),
        tag,
        digest: IMAGE.parse().unwrap(),
        since: at(),
        seen_at: at(),
    };
    let told = |count: usize| -> Vec<serde_json::Value> {
        log.happen(1);
        log.follow(&targets);
        let deliveries = log.deliveries("hook");
        assert_eq!(deliveries.len(), count);
        let body =
            deliveries.first().map(|first| serde_json::from_slice::<serde_json::Value>(&first.body).unwrap());
        body.map(|body| vec![body["data"]["images"].clone(), body["data"]["more_images"].clone()])
            .unwrap_or_default()
    };
    // So many of another repository come first in every list.
    let others: Vec<plimsoll_store::Tag> =
        (0..200).map(|at| tag("a.example/other", at.to_string())).collect();
    log.store.note_tags(&others, at()).unwrap();
    assert_eq!(told(0), [""; 0]);
    // Known by the digest alone, in a second repository.
    for repository in ["other", "asked"] {
        let submission = plimsoll_store::Submission {
            digest: Some(IMAGE.parse().unwrap()),
            kind: plimsoll_store::ScanKind::Image,
            reference: format!("r.example:5000/{repository}@{IMAGE}"),
            registry: "r.example:5000".to_owned(),
            repository: repository.to_owned(),
            source: Vec::new(),
            priority: plimsoll_store::Priority::Asked,
            reason: plimsoll_core::scan::Reason::Asked,
            attempts_max: 1,
            index_state: String::new(),
            is_forced: false,
        };
        log.store.submit(&submission, at()).unwrap();
    }
    assert_eq!(
        told(1),
        [serde_json::json!([format!("r.example:5000/asked@{IMAGE}")]), serde_json::Value::Null]
    );
    log.store.note_tags(&[tag("registry.example/team/app", "1.2".to_owned())], at()).unwrap();
    assert_eq!(told(2), [serde_json::json!(["registry.example/team/app:1.2"]), serde_json::Value::Null]);
    let many: Vec<plimsoll_store::Tag> =
        (0..60).map(|at| tag("registry.example/team/app", format!("2.{at:02}"))).collect();
    log.store.note_tags(&many, at()).unwrap();
    let told = told(3);
    assert_eq!((told[0].as_array().unwrap().len(), &told[1]), (50, &serde_json::json!(11)));
}

/// A target that is dead loses the oldest, all others are told of it, and it is not told that itself.
#[test]
fn a_queue_that_nobody_takes_from_has_an_end_and_that_is_told() {
    let log = Log::new();
    let targets = targets(
        "[notify.dead]\nkind = 'webhook'\nurl = 'https://a.example/'\nqueue_max = 10\nqueue_age_max = '1d'\n\
         [notify.other]\nkind = 'webhook'\nurl = 'https://b.example/'\nevents = ['deliveries.dropped']",
    );
    let count = |target: &str, state: DeliveryState| {
        log.deliveries(target).iter().filter(|delivery| delivery.state == state).count()
    };
    log.follow(&targets);
    log.happen(12);
    log.follow(&targets);
    let dead = &targets[0];
    assert_eq!(dead.queue.hold(&log.store, "dead", at()).unwrap(), 3);
    let (waiting, dropped) = (DeliveryState::Waiting, DeliveryState::Dropped);
    assert_eq!((count("dead", waiting), count("dead", dropped)), (9, 3));
    log.follow(&targets);
    assert_eq!((count("dead", waiting), count("other", waiting)), (9, 1));
    let body: serde_json::Value = serde_json::from_slice(&log.deliveries("other")[0].body).unwrap();
    assert_eq!(body["type"], "io.plimsoll.deliveries.dropped");
    assert_eq!(
        (&body["subject"], &body["data"]),
        (&"dead".into(), &serde_json::json!({"too_old": 0, "too_many": 3}))
    );
    let later = at() + jiff::SignedDuration::from_hours(25);
    assert_eq!(dead.queue.hold(&log.store, "dead", later).unwrap(), 9);
    // One that is configured no more.
    let others = queues::hold_others(&log.store, &targets[1..], at()).unwrap();
    assert_eq!(others, [], "nothing waits for it");
    assert!(log.store.replay_delivery(1, at()).unwrap());
    assert_eq!(queues::hold_others(&log.store, &targets[1..], later).unwrap(), [("dead".to_owned(), 0)]);
    let late = at() + jiff::SignedDuration::from_hours(24 * 8);
    assert_eq!(queues::hold_others(&log.store, &targets[1..], late).unwrap(), [("dead".to_owned(), 1)]);
}
