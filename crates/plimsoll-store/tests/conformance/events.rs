//! Events: numbered without holes, in order, and heard of at once.

use std::time::{Duration, Instant};

use plimsoll_store::{EventKind, NewEvent, Store};

use crate::scenes::{asked, at, digest};

crate::scenarios! {
    events_are_numbered,
    readers_miss_nothing_while_others_write,
    who_waits_is_woken,
    old_events_are_forgotten,
}

fn event(subject: String) -> NewEvent {
    NewEvent { kind: EventKind::FeedChanged, subject, body: "{\"a\":\"ü\"}".to_owned() }
}

fn events_are_numbered(store: &Store, _: &str) {
    assert_eq!((store.first_event().unwrap(), store.last_event().unwrap()), (1, 0));
    store.note_events(&[], at(0)).unwrap();
    store.note_events(&[event("a".to_owned()), event("b".to_owned())], at(1)).unwrap();
    store.submit(&asked(1), at(2)).unwrap();
    let events = store.events(0, 10, Duration::ZERO).unwrap();
    let seen: Vec<_> = events.iter().map(|event| (event.number, event.at, event.kind)).collect();
    let (feed, scan) = (EventKind::FeedChanged, EventKind::ScanChanged);
    assert_eq!(seen, [(1, at(1), feed), (2, at(1), feed), (3, at(2), scan)]);
    assert_eq!((events[0].subject.as_str(), events[0].body.as_str()), ("a", "{\"a\":\"ü\"}"));
    let id = digest(1);
    let first = r#"{"state":"queued","reason":"asked","detail":"","attempt":0,"repository":"shop/web","#;
    let rest = format!(
        r#""registry":"registry.example","reference":"registry.example/shop/web@{id}","digest":"{id}"}}"#
    );
    let expected = format!("{first}{rest}");
    assert_eq!(events[2].body, expected);
    assert_eq!(store.events(1, 1, Duration::ZERO).unwrap()[0].number, 2);
    assert!(store.events(3, 10, Duration::ZERO).unwrap().is_empty());
    assert_eq!((store.first_event().unwrap(), store.last_event().unwrap()), (1, 3));
}

fn readers_miss_nothing_while_others_write(store: &Store, place: &str) {
    const WRITERS: u64 = 4;
    const EVENTS: u64 = 25;
    let other = Store::open(place).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = if writer % 2 == 0 { store } else { &other };
            scope.spawn(move || {
                for number in 0..EVENTS {
                    store.note_events(&[event(format!("{writer}/{number}"))], at(0)).unwrap();
                }
            });
        }
        let mut seen = 0;
        while seen < WRITERS * EVENTS {
            for event in store.events(seen, 7, Duration::from_secs(20)).unwrap() {
                assert_eq!(event.number, seen + 1);
                seen += 1;
            }
        }
    });
    assert_eq!(store.last_event().unwrap(), WRITERS * EVENTS);
}

fn who_waits_is_woken(store: &Store, place: &str) {
    let patience = Duration::from_secs(60);
    let other = Store::open(place).unwrap();
    for (number, writer) in [(0, store), (1, &other)] {
        let began = Instant::now();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| store.events(number, 10, patience).unwrap());
            writer.note_events(&[event("a".to_owned())], at(0)).unwrap();
            assert_eq!(waiting.join().unwrap().len(), 1);
        });
        assert!(began.elapsed() < patience);
    }
    // Nobody waits longer than they like.
    assert!(store.events(2, 10, Duration::from_millis(20)).unwrap().is_empty());
}

fn old_events_are_forgotten(store: &Store, _: &str) {
    for seconds in [1, 2, 3] {
        store.note_events(&[event("a".to_owned())], at(seconds)).unwrap();
    }
    store.prune(at(3)).unwrap();
    assert_eq!((store.first_event().unwrap(), store.last_event().unwrap()), (3, 3));
    store.prune(at(4)).unwrap();
    assert_eq!((store.first_event().unwrap(), store.last_event().unwrap()), (4, 3));
    store.note_events(&[event("a".to_owned())], at(5)).unwrap();
    assert_eq!((store.first_event().unwrap(), store.last_event().unwrap()), (4, 4));
}
