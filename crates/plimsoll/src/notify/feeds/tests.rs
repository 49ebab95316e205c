//! A feed's fate, and what is said of it.

use std::time::Duration;

use plimsoll_feeds::status::{FeedStatus, status};

use super::*;
use crate::rematch::tests::fleet;

fn at(hours: u64) -> Timestamp {
    "2030-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + Duration::from_secs(hours * 60 * 60)
}

fn feed(age_days: i64) -> FeedStatus {
    let all = status(Path::new("/nowhere/at/all"), &Default::default(), at(0));
    let found = all.into_iter().find(|feed| feed.name == "kev").unwrap();
    FeedStatus {
        is_enabled: true,
        has_snapshot: true,
        is_in_database: true,
        age_days: Some(age_days),
        age_seconds: u64::try_from(age_days * 24 * 60 * 60).ok(),
        max_age_days: 7,
        data_date: Some("2029-12-01T00:00:00Z".to_owned()),
        ..found
    }
}

#[test]
fn each_change_is_said_once() {
    let mut memory: Option<String> = None;
    for (hours, age, said) in [
        (0, 1, ""),
        (1, 8, "kev late"),
        (2, 8, ""),
        // Whoever is warned is reminded; an event is not repeated.
        (30, 9, ""),
        (31, 1, "kev recovered"),
        (32, 1, ""),
        (33, 9, "kev late"),
    ] {
        let status = feed(age);
        let watched = [Watched { status: &status, every: Duration::from_secs(6 * 60 * 60) }];
        let (next, events) = look(memory.as_deref(), &watched, at(hours));
        let told = events.iter().map(|event| {
            let change: FeedChange = serde_json::from_str(&event.body).unwrap();
            format!("{} {}", event.subject, change.state)
        });
        assert_eq!(told.collect::<Vec<_>>().join(", "), said, "after {hours} hours");
        memory = Some(serde_json::to_string(&next).unwrap());
    }
}

#[test]
fn replicas_say_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("s.sqlite").to_str().unwrap()).unwrap();
    let config = Config::default();
    // Nothing was ever fetched: late once that lasts.
    let watch = |hours| watch(&store, &config, folder.path(), at(hours)).unwrap();
    assert_eq!(watch(0), 0);
    let told = watch(24 * 8);
    assert!(told > 0);
    assert_eq!(watch(24 * 8), 0);
    let events = store.events(0, 1000, Duration::ZERO).unwrap();
    assert_eq!(events.len(), told);
    assert!(events.iter().all(|event| event.kind == EventKind::FeedChanged));
}

#[test]
fn one_replica_says_what_it_sees() {
    let folder = tempfile::tempdir().unwrap();
    let store = fleet::store(folder.path());
    let [first, second] = ["first", "second"].map(|replica| {
        fleet::write_database(&folder.path().join(replica), "2029-12-01T00:00:00Z", &[], &[]);
        fleet::server(&folder.path().join(replica), &store, replica, fleet::now)
    });
    let (mut duty_of_first, mut duty_of_second) = (duty(), duty());
    assert!(watch_alone(&first, &store, &mut duty_of_first).unwrap().is_some());
    assert_eq!(watch_alone(&second, &store, &mut duty_of_second).unwrap(), None);
    assert!(watch_alone(&first, &store, &mut duty_of_first).unwrap().is_some());
}
