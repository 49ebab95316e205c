//! What is told, day by day: a feed's fate is a script, and what the channels heard of it is compared.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::bail;
use plimsoll_feeds::status::{FeedStatus, status};

use super::channels::{CHANNELS, OpenChannel};
use super::*;

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

fn at(seconds: u64) -> Timestamp {
    "2030-01-01T03:00:00Z".parse::<Timestamp>().unwrap() + Duration::from_secs(seconds)
}

fn feed(name: &str) -> FeedStatus {
    let nowhere = Path::new("/nowhere/at/all");
    let all = status(nowhere, &Default::default(), at(0));
    let found = all.into_iter().find(|feed| feed.name == name).unwrap();
    FeedStatus {
        is_enabled: true,
        has_snapshot: true,
        is_in_database: true,
        age_days: Some(1),
        age_seconds: Some(DAY),
        max_age_days: 7,
        data_date: Some("2029-12-31T00:00:00Z".to_owned()),
        ..found
    }
}

fn stale(name: &str) -> FeedStatus {
    let data_date = Some("2029-12-01T00:00:00Z".to_owned());
    FeedStatus { age_days: Some(31), age_seconds: Some(31 * DAY), data_date, ..feed(name) }
}

fn failing(name: &str, since: u64) -> FeedStatus {
    let error = Some("cannot reach `https://feeds.example/`\r\nBcc: <all@ship.example>\u{1b}[2J".to_owned());
    FeedStatus { failing_since: Some(at(since).to_string()), failures: 3, error, ..feed(name) }
}

fn absent(name: &str) -> FeedStatus {
    FeedStatus {
        has_snapshot: false,
        is_in_database: false,
        age_days: None,
        age_seconds: None,
        data_date: None,
        ..feed(name)
    }
}

fn off(feed: FeedStatus) -> FeedStatus {
    FeedStatus { is_enabled: false, ..feed }
}

fn watched(statuses: &[FeedStatus]) -> Vec<Watched<'_>> {
    statuses.iter().map(|status| Watched { status, every: Duration::from_secs(6 * HOUR) }).collect()
}

/// A data directory and channels that write down what they hear. The second one can be out of order.
struct Crew {
    data: tempfile::TempDir,
    heard: Rc<RefCell<Vec<(&'static str, Message)>>>,
    is_webhook_down: Rc<RefCell<bool>>,
}

impl Crew {
    fn new() -> Crew {
        let data = tempfile::tempdir().unwrap();
        Crew { data, heard: Rc::default(), is_webhook_down: Rc::default() }
    }

    fn channels(&self) -> Vec<OpenChannel> {
        let open = CHANNELS.iter().copied().map(|row| {
            let (heard, is_down) = (Rc::clone(&self.heard), Rc::clone(&self.is_webhook_down));
            let send = move |message: &Message| {
                heard.borrow_mut().push((row.name, message.clone()));
                if row.name == "webhook" && *is_down.borrow() {
                    bail!("`https://hook.example/` answers with status 503");
                }
                Ok(())
            };
            OpenChannel { row, send: Box::new(send) }
        });
        open.collect()
    }

    /// What was said at a time: `CHANNEL: GIST`, joined.
    fn said(&self, seconds: u64, statuses: &[FeedStatus]) -> String {
        warn(self.data.path(), &self.channels(), &watched(statuses), "ship.example", at(seconds)).unwrap();
        let heard = self.heard.take();
        let lines = heard.iter().map(|(channel, message)| format!("{channel}: {}", message.gist()));
        lines.collect::<Vec<String>>().join("; ")
    }
}

#[track_caller]
fn check(script: &[(u64, &[FeedStatus], &str)]) {
    let crew = Crew::new();
    for (seconds, statuses, gist) in script {
        let both = if gist.is_empty() { String::new() } else { format!("email: {gist}; webhook: {gist}") };
        assert_eq!(crew.said(*seconds, statuses), both, "at {}", at(*seconds));
    }
}

#[test]
fn once_when_it_becomes_late_daily_while_it_is_and_once_when_it_recovers() {
    check(&[
        (0, &[feed("kev")], ""),
        (DAY, &[stale("kev")], "1 feed is late"),
        (DAY + HOUR, &[stale("kev")], ""),
        (2 * DAY - 2 * HOUR, &[stale("kev")], ""),
        // A minute earlier in the day than the day before.
        (2 * DAY - 60, &[stale("kev")], "1 feed is late"),
        (2 * DAY + HOUR, &[stale("kev")], ""),
        (3 * DAY, &[feed("kev")], "1 feed has recovered"),
        (4 * DAY, &[feed("kev")], ""),
        (5 * DAY, &[stale("kev")], "1 feed is late"),
    ]);
}

#[test]
fn one_digest_tells_of_all_feeds() {
    check(&[
        (0, &[stale("epss"), feed("kev")], "1 feed is late"),
        (HOUR, &[stale("epss"), stale("kev")], "2 feeds are late"),
        // All were told an hour after the first.
        (DAY - HOUR, &[stale("epss"), stale("kev")], ""),
        (DAY, &[stale("epss"), stale("kev")], "2 feeds are late"),
        (DAY + HOUR, &[feed("epss"), stale("kev")], "1 feed is late, 1 feed has recovered"),
        (DAY + 2 * HOUR, &[feed("epss"), feed("kev")], "1 feed has recovered"),
    ]);
}

#[test]
fn failures_are_told_once_they_last() {
    check(&[
        (HOUR, &[failing("kev", 0)], ""),
        (6 * HOUR, &[failing("kev", 0)], ""),
        (7 * HOUR, &[failing("kev", 0)], "1 feed is late"),
        (8 * HOUR, &[feed("kev")], "1 feed has recovered"),
    ]);
}

#[test]
fn feeds_without_data_are_told_once_that_lasts() {
    let not_built = FeedStatus { is_in_database: false, ..feed("kev") };
    check(&[
        (0, &[absent("kev")], ""),
        (6 * HOUR, &[absent("kev")], ""),
        (7 * HOUR, &[absent("kev")], "1 feed is late"),
        (8 * HOUR, std::slice::from_ref(&not_built), ""),
        (9 * HOUR, &[feed("kev")], "1 feed has recovered"),
        // It is counted anew.
        (10 * HOUR, &[absent("kev")], ""),
        (17 * HOUR, std::slice::from_ref(&not_built), "1 feed is late"),
    ]);
}

#[test]
fn feeds_that_are_off_are_nobody_s_concern() {
    check(&[
        (0, &[off(stale("kev")), off(absent("epss"))], ""),
        (DAY, &[off(failing("kev", 0)), off(absent("epss"))], ""),
        (2 * DAY, &[stale("kev")], "1 feed is late"),
        (2 * DAY + HOUR, &[off(stale("kev"))], ""),
        // Nobody is told of a recovery, and it is late anew.
        (2 * DAY + 2 * HOUR, &[feed("kev")], ""),
        (2 * DAY + 3 * HOUR, &[stale("kev")], "1 feed is late"),
    ]);
}

#[test]
fn a_channel_that_fails_is_told_at_the_next_run_and_no_other_is() {
    let crew = Crew::new();
    *crew.is_webhook_down.borrow_mut() = true;
    let late = [stale("kev")];
    let first = warn(crew.data.path(), &crew.channels(), &watched(&late), "ship.example", at(0)).unwrap();
    assert_eq!(first[0].error, None);
    assert_eq!(first[1].error.as_deref(), Some("`https://hook.example/` answers with status 503"));
    let failing = |crew: &Crew| -> Vec<String> {
        read(crew.data.path()).failing_channels().map(|(name, _)| name.to_owned()).collect()
    };
    assert_eq!(failing(&crew), ["webhook"]);
    let second = warn(crew.data.path(), &crew.channels(), &watched(&late), "ship.example", at(HOUR)).unwrap();
    let id = |told: &[Told], at: usize| told[at].message.as_ref().map(|message| message.id.clone());
    assert_eq!(id(&second, 0), None, "the mail was sent");
    assert_eq!(id(&second, 1), id(&first, 1), "it is the same message");
    assert_ne!(id(&first, 0), id(&first, 1));
    *crew.is_webhook_down.borrow_mut() = false;
    crew.heard.take();
    assert_eq!(crew.said(2 * HOUR, &late), "webhook: 1 feed is late");
    assert!(failing(&crew).is_empty());
    assert_eq!(crew.said(3 * HOUR, &late), "");
    // It recovered and is late again, as it was the first time: another message.
    crew.said(4 * HOUR, &[feed("kev")]);
    let again =
        warn(crew.data.path(), &crew.channels(), &watched(&late), "ship.example", at(5 * HOUR)).unwrap();
    assert_ne!(id(&again, 1), id(&first, 1));
}

#[test]
fn a_memory_that_is_not_understood_is_none() {
    let crew = Crew::new();
    for text in ["", "{", "[]", r#"{"version": 99, "channels": {}}"#] {
        fs::write(crew.data.path().join(MEMORY), text).unwrap();
        assert_eq!(read(crew.data.path()), Memory::default(), "{text}");
    }
    let both = "email: 1 feed is late; webhook: 1 feed is late";
    assert_eq!(crew.said(0, &[stale("kev")]), both);
    // A clock that is put back by years does not silence it.
    let long_ago =
        warn(crew.data.path(), &crew.channels(), &watched(&[stale("kev")]), "h", Timestamp::UNIX_EPOCH);
    assert!(long_ago.unwrap().iter().all(|told| told.message.is_some()));
}

#[test]
fn a_rehearsal_changes_nothing() {
    let crew = Crew::new();
    let late = [stale("kev")];
    for _ in 0..2 {
        let told = rehearse(crew.data.path(), &["email"], &watched(&late), "ship.example", at(0));
        assert_eq!(told[0].message.as_ref().unwrap().gist(), "1 feed is late");
    }
    assert_eq!(fs::read_dir(crew.data.path()).unwrap().count(), 0);
}

/// All that a message can say, with an error that would like to be more than one line.
#[test]
fn messages() {
    let crew = Crew::new();
    crew.said(0, &[stale("osv-pypi"), absent("alpine-secdb")]);
    let late = [feed("osv-pypi"), absent("alpine-secdb"), failing("epss", 0), stale("kev")];
    let told = warn(crew.data.path(), &crew.channels(), &watched(&late), "ship.example", at(DAY)).unwrap();
    let message = told[0].message.as_ref().unwrap();
    insta::assert_snapshot!("text", format!("{}\n\n{}", message.subject(), message.text()));
    let json: serde_json::Value = serde_json::from_str(&message.json()).unwrap();
    insta::assert_json_snapshot!("json", json);
    insta::assert_snapshot!("test", Message::test("ship.example", at(0)).text());
}

#[test]
fn texts_of_others_stay_in_their_line() {
    for (text, wanted) in [
        ("plain", "plain"),
        ("a\r\nBcc: b", "a Bcc: b"),
        ("\u{1b}[31mred\u{0} \u{9b}2J", "[31mred 2J"),
        ("é ü", "é ü"),
        ("", ""),
    ] {
        assert_eq!(message::clean(text), wanted);
    }
    let long = "x".repeat(10_000);
    assert_eq!(message::clean(&long).chars().count(), 501);
}
