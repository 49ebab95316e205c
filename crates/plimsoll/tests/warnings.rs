//! Feeds that are late: how the status says it, who is told of it, and what keeps them fresh.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use support::receivers::{HookRequest, HookServer, MailServer, Tls, tls_file};
use support::{Ran, World, assert_run, feeds};

mod support;

const NAMES: [&str; 4] = ["alpine-secdb", "epss", "kev", "osv-pypi"];
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The four feeds alone, whatever others there are; Alpine's may be a week old and is as old as given.
fn world(days: u64) -> World {
    let world = World::new();
    feeds::write_all(&world);
    feeds::write_last_update(&world, days);
    feeds::turn_others_off(&world);
    let config = fs::read_to_string(world.path("config.toml")).unwrap();
    world.write("config.toml", config.replace("[feeds.alpine-secdb]", "[feeds.alpine-secdb]\nmax_age = 7"));
    world
}

fn configure(world: &World, more: &str) {
    let config = fs::read_to_string(world.path("config.toml")).unwrap();
    world.write("config.toml", config + more);
}

fn by_email(server: &MailServer, scheme: &str, more: &str) -> String {
    format!(
        "[warnings.email]\nserver = \"{scheme}://localhost:{}\"\nfrom = \"Plimsoll <plimsoll@ship.example>\"\nto = \
         [\"bridge@ship.example\", \"hold@ship.example\"]\nca = {:?}\n{more}",
        server.port,
        tls_file("ca.pem")
    )
}

fn by_webhook(server: &HookServer) -> String {
    format!(
        "[warnings.webhook]\nurl = \"http://127.0.0.1:{}/hook?token=abc\"\nsecret_file = \"secret\"\n",
        server.port
    )
}

fn update(world: &World) -> Ran {
    world.plimsoll(&[["feeds", "update"].as_slice(), &NAMES].concat())
}

/// The body of a request, after its signature was found to be the secret's.
fn verified(request: &HookRequest) -> Value {
    let key =
        aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &BASE64_STANDARD.decode(SECRET).unwrap());
    let (id, timestamp) = (request.header("webhook-id"), request.header("webhook-timestamp"));
    let signature = request.header("webhook-signature").strip_prefix("v1,").unwrap();
    let signed = format!("{id}.{timestamp}.{}", request.body);
    aws_lc_rs::hmac::verify(&key, signed.as_bytes(), &BASE64_STANDARD.decode(signature).unwrap()).unwrap();
    let age = jiff::Timestamp::now().as_second() - timestamp.parse::<i64>().unwrap();
    assert!((0..600).contains(&age), "{timestamp}");
    serde_json::from_str(&request.body).unwrap()
}

/// Data a month old where a week is the limit: everybody says so, once; and once that it is fresh again.
#[test]
fn a_feed_that_is_late_and_recovers() {
    let (mail, hook, world) = (MailServer::start(Tls::OnDemand), HookServer::start(), world(31));
    world.write("secret", format!("whsec_{SECRET}\n"));
    configure(&world, &(by_email(&mail, "smtp", "") + &by_webhook(&hook)));

    let ran = update(&world).expect(0);
    assert_eq!(ran.stderr, "told by email: 1 feed is late\ntold by webhook: 1 feed is late\n");
    let mails = mail.take();
    let [one] = mails.as_slice() else { panic!("{mails:?}") };
    assert!(one.header("Subject").ends_with(": 1 feed is late"), "{one:?}");
    assert!(
        one.body().contains("alpine-secdb (Alpine Security Database)\n  Its data is 31 days old"),
        "{one:?}"
    );
    assert!(one.body().contains("it is late after 7 days."), "{one:?}");
    let requests = hook.take();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(request.line, "POST /hook?token=abc HTTP/1.1");
    let event = verified(request);
    assert_eq!(event["type"], "plimsoll.feeds.late");
    assert_eq!(event["data"]["late"][0]["name"], "alpine-secdb");
    assert_eq!(event["data"]["late"][0]["age_days"], 31);
    assert_eq!(event["data"]["text"], one.body());

    assert_run!(world, "late", ["feeds", "status"]).expect(0);
    assert_run!(world, "late_fails", ["feeds", "status", "--fail-on-stale"]).expect(1);
    let metrics = world.plimsoll(&["feeds", "status", "--format", "prometheus"]).expect(0).stdout;
    assert!(metrics.contains("plimsoll_feed_state{feed=\"alpine-secdb\",state=\"stale\"} 1\n"), "{metrics}");

    assert_eq!(update(&world).expect(0).stderr, "");
    world.plimsoll(&["feeds", "warn"]).expect(0);
    assert!(mail.take().is_empty() && hook.take().is_empty(), "nothing is told twice a day");

    feeds::write_last_update(&world, 0);
    let ran = update(&world).expect(0);
    assert_eq!(ran.stderr, "told by email: 1 feed has recovered\ntold by webhook: 1 feed has recovered\n");
    assert!(mail.take()[0].header("Subject").ends_with(": 1 feed has recovered"));
    assert_eq!(verified(&hook.take()[0])["type"], "plimsoll.feeds.recovered");
    assert_run!(world, "recovered", ["feeds", "status", "--fail-on-stale"]).expect(0);
    update(&world).expect(0);
    assert!(mail.take().is_empty() && hook.take().is_empty());
}

#[test]
fn a_channel_that_fails_is_shown_and_tried_again() {
    let (mail, hook, world) = (MailServer::start(Tls::AtOnce), HookServer::start(), world(31));
    world.write("secret", SECRET);
    configure(&world, &(by_email(&mail, "smtps", "") + &by_webhook(&hook)));
    hook.answer(500);
    let ran = update(&world).expect(0);
    assert!(ran.stderr.contains("NOT told by webhook: 1 feed is late: "), "{ran}");
    let status = world.plimsoll(&["feeds", "status"]).stdout;
    assert!(status.contains("\nnobody can be warned by webhook since "), "{status}");
    let metrics = world.plimsoll(&["feeds", "status", "--format", "prometheus"]).stdout;
    assert!(metrics.contains("\nplimsoll_warnings_failing{channel=\"webhook\"} 1\n"), "{metrics}");
    world.plimsoll(&["feeds", "warn"]).expect(2);
    // Of a channel that was taken out nobody wants to hear.
    let config = fs::read_to_string(world.path("config.toml")).unwrap();
    world.write("config.toml", config.split("[warnings.webhook]").next().unwrap());
    assert!(!world.plimsoll(&["feeds", "status"]).stdout.contains("nobody can be warned"));
    world.write("config.toml", config);
    hook.answer(200);
    let ran = world.plimsoll(&["feeds", "warn"]).expect(0);
    assert_eq!(ran.stdout, "nothing to tell by email\ntold by webhook: 1 feed is late\n");
    assert_eq!(mail.take().len(), 1);
    let ids: Vec<String> =
        hook.take().iter().map(|request| request.header("webhook-id").to_owned()).collect();
    assert!(ids.len() == 3 && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert!(!world.plimsoll(&["feeds", "status"]).stdout.contains("nobody can be warned"));
}

/// No password and no text goes over a connection that is not trusted.
#[test]
fn mail_goes_with_tls_or_not_at_all() {
    let credentials = "[warnings.email.credentials]\nuser = \"plimsoll\"\npassword_file = \"password\"\n";
    let mail = |tls: Tls, scheme: &str, more: &str, has_ca: bool| {
        let (server, world) = (MailServer::start(tls), world(0));
        world.write("password", "ahoy\n");
        let mut config = by_email(&server, scheme, more) + credentials;
        if !has_ca {
            config = config.lines().filter(|line| !line.starts_with("ca = ")).collect::<Vec<_>>().join("\n");
        }
        configure(&world, &config);
        let ran = world.plimsoll(&["feeds", "warn", "--test"]);
        (ran, server.take())
    };
    let said = BASE64_STANDARD.encode("\0plimsoll\0ahoy");
    for (tls, scheme, more) in [
        (Tls::AtOnce, "smtps", ""),
        (Tls::OnDemand, "smtp", ""),
        (Tls::OnDemand, "smtp", "allow_plain = true\n"),
        (Tls::Never, "smtp", "allow_plain = true\n"),
    ] {
        let (ran, mails) = mail(tls, scheme, more, true);
        assert_eq!(ran.expect(0).stdout, "told by email: a test, nothing is wrong\n");
        assert_eq!(mails.len(), 1, "{tls:?} {more}");
        assert_eq!(mails[0].credentials.as_ref(), Some(&said), "{tls:?}");
        let starts = mails[0].commands.iter().any(|command| command == "STARTTLS");
        assert_eq!(starts, tls == Tls::OnDemand);
    }
    for (tls, scheme, more, has_ca) in [
        (Tls::Never, "smtp", "", true),
        (Tls::AtOnce, "smtps", "", false),
        (Tls::OnDemand, "smtp", "", false),
        (Tls::OnDemand, "smtp", "allow_plain = true\n", false),
    ] {
        let (ran, mails) = mail(tls, scheme, more, has_ca);
        let ran = ran.expect(2);
        assert!(ran.stdout.starts_with("NOT told by email: "), "{ran}");
        assert!(mails.is_empty(), "{tls:?} {more} {mails:?}");
    }
}

#[test]
fn wrong_configurations_are_said_before_anything_is_fetched() {
    for (name, config) in [
        ("no_channel", ""),
        (
            "no_server",
            "[warnings.email]\nserver = \"mail.example\"\nfrom = \"a@b.example\"\nto = [\"c@d.example\"]\n",
        ),
        ("no_receiver", "[warnings.email]\nserver = \"smtp://h\"\nfrom = \"a@b.example\"\nto = []\n"),
        (
            "no_address",
            "[warnings.email]\nserver = \"smtp://h\"\nfrom = \"a\\r\\nBcc: b@c.example\"\nto = [\"d@e.example\"]\n",
        ),
        ("no_secret", "[warnings.webhook]\nurl = \"https://hook.example\"\nsecret_env = \"NOT_SET\"\n"),
        ("no_url", "[warnings.webhook]\nurl = \"hook.example\"\n"),
    ] {
        let world = world(31);
        configure(&world, config);
        assert_run!(world, format!("wrong_{name}"), ["feeds", "warn"]).expect(3);
        if !config.is_empty() {
            update(&world).expect(3);
            assert!(!world.path("data/database.plimsoll").exists());
        }
    }
}

#[test]
fn a_rehearsal() {
    let world = world(31);
    update(&world).expect(0);
    let ran = world.plimsoll(&["feeds", "warn", "--dry-run"]).expect(0);
    assert!(ran.stdout.starts_with("by email: plimsoll on ") && ran.stdout.contains("31 days old"), "{ran}");
    assert!(!world.path("data/warnings.json").exists());
}

#[test]
fn the_status_for_programs() {
    let world = world(31);
    let before = ["feeds", "status", "--format", "json", "--output", "before.json"];
    assert_eq!(world.plimsoll(&before).expect(0).stdout, "");
    let before: Value = serde_json::from_slice(&fs::read(world.path("before.json")).unwrap()).unwrap();
    assert_eq!((&before["database"], &before["database_error"]), (&Value::Null, &Value::Null));
    update(&world).expect(0);
    let mut json = world.plimsoll(&["feeds", "status", "--format", "json"]).expect(0).json();
    let feeds = json["feeds"].as_array_mut().unwrap();
    assert!(feeds.iter().any(|feed| feed["state"] == "off"), "those that are off are there");
    feeds.retain(|feed| feed["enabled"] == true);
    json["database"]["bytes"] = "[SIZE]".into();
    for feed in json["feeds"].as_array_mut().unwrap() {
        feed["bytes"] = "[SIZE]".into();
    }
    let json = serde_json::to_string_pretty(&json).unwrap();
    world.settings().bind(|| insta::assert_snapshot!("json", json));

    world.write("node/plimsoll.prom", "old\n");
    let arguments = ["feeds", "status", "--format", "prometheus", "--output", "node/plimsoll.prom"];
    assert_eq!(world.plimsoll(&arguments).expect(0).stdout, "");
    assert_eq!(world.files("node").len(), 1, "nothing is left beside it");
    let metrics = fs::read_to_string(world.path("node/plimsoll.prom")).unwrap();
    let mut settings = world.settings();
    settings.add_filter("sha256:[0-9a-f]{64}", "[DATABASE]");
    settings.add_filter(r"(seconds(\{[^}]*\})?) \d+", "$1 [SECONDS]");
    settings.bind(|| insta::assert_snapshot!("prometheus", metrics));
}

#[test]
fn what_is_due_is_fetched_and_nothing_else() {
    let world = world(0);
    let once = ["feeds", "watch", "--once"];
    let ran = world.plimsoll(&once).expect(0);
    assert_eq!(ran.stdout, "");
    for name in NAMES {
        assert!(ran.stderr.lines().any(|line| line.starts_with(&format!("{name}: "))), "{ran}");
    }
    assert!(ran.stderr.contains("\ndatabase built: 8 advisories, "), "{ran}");
    let ran = world.plimsoll(&once).expect(0);
    assert!(ran.stderr.starts_with("nothing is due; next is "), "{ran}");
    // A day ago; the others were tried a moment ago.
    let path = "data/snapshots/kev/attempts.json";
    let attempts = fs::read_to_string(world.path(path)).unwrap();
    let mut attempts: Value = serde_json::from_str(&attempts).unwrap();
    attempts["attempted_at"] = feeds::days_ago(1).into();
    world.write(path, attempts.to_string());
    let ran = world.plimsoll(&once).expect(0);
    assert!(ran.stderr.starts_with("kev: unchanged; next at 20") && ran.stderr.lines().count() == 1, "{ran}");
}

#[test]
fn a_feed_that_fails_is_tried_again_soon() {
    let world = world(0);
    fs::remove_file(world.path("feeds/kev.json")).unwrap();
    let ran = world.plimsoll(&["feeds", "watch", "--once"]).expect(2);
    assert!(ran.stderr.contains("\nkev: FAILED, and there is no earlier data: "), "{ran}");
    let ran = world.plimsoll(&["feeds", "watch", "--once"]).expect(0);
    assert!(ran.stderr.starts_with("nothing is due; next is kev at "), "{ran}");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_the_watch_and_is_no_failure() {
    for signal in ["TERM", "INT"] {
        let world = world(0);
        let mut watch = world.spawn(&["feeds", "watch"]);
        let mut stderr = BufReader::new(watch.stderr.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("database built") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended by itself");
        }
        let sent =
            Command::new("kill").args([&format!("-{signal}"), &watch.id().to_string()]).status().unwrap();
        assert!(sent.success());
        assert_eq!(watch.wait().unwrap().code(), Some(0), "{signal}");
    }
}

/// A message that was taken is noted, whatever comes: it would be sent again.
#[cfg(unix)]
#[test]
fn a_signal_waits_for_a_message_that_is_under_way() {
    let (hook, world) = (HookServer::start(), world(31));
    world.write("secret", SECRET);
    configure(&world, &by_webhook(&hook));
    let answer = hook.status.lock().unwrap();
    let mut watch = world.spawn(&["feeds", "watch"]);
    while hook.take().is_empty() {
        assert!(watch.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    send("TERM", &watch);
    drop(answer);
    assert_eq!(watch.wait().unwrap().code(), Some(0));
    let memory: Value = serde_json::from_slice(&fs::read(world.path("data/warnings.json")).unwrap()).unwrap();
    assert!(memory["channels"]["webhook"]["told"]["alpine-secdb"].is_object(), "{memory}");
    world.plimsoll(&["feeds", "warn"]).expect(0);
    assert!(hook.take().is_empty());
}

#[cfg(unix)]
fn send(signal: &str, to: &Child) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &to.id().to_string()]).status().unwrap();
    assert!(sent.success());
}
