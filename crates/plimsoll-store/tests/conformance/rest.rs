//! Settings, duties, counts, layers, tags and opening.

use std::ops::ControlFlow;
use std::time::Duration;

use jiff::civil::date;
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{
    Day, EventKind, Judged, NewEvent, Outcome, Repository, Severities, Step, Store, Tag, TagFilter,
};

use crate::scenes::{asked, at, claimed, deb, digest, done, inventory, judged, named};

crate::scenarios! {
    settings_are_shared,
    a_duty_has_one_holder,
    a_step_is_taken_once_and_whole,
    everything_is_counted,
    layers_are_kept_by_rules,
    what_nothing_needs_is_forgotten,
    tags_come_move_and_go,
    tags_are_forgotten_one_by_one,
    tags_are_listed,
    repositories_within_are_listed_to_the_end,
    many_open_at_once,
    what_befell_one_subject_is_told,
    each_judged_image_is_handed_out,
    days_are_noted,
}

fn settings_are_shared(store: &Store, place: &str) {
    store.ping().unwrap();
    assert_eq!(store.setting("a").unwrap(), None);
    store.set_setting("a", "1").unwrap();
    store.set_setting("a", "2").unwrap();
    assert_eq!(Store::open(place).unwrap().setting("a").unwrap().as_deref(), Some("2"));
}

fn a_duty_has_one_holder(store: &Store, _: &str) {
    for (holder, until, now, is_taken) in [
        ("a", 10, 0, true),
        ("b", 15, 5, false),
        ("a", 20, 5, true),
        ("b", 30, 19, false),
        ("b", 30, 20, true),
        ("a", 40, 25, false),
    ] {
        assert_eq!(store.take_duty("watch", holder, at(until), at(now)).unwrap(), is_taken, "{holder} {now}");
    }
    assert!(store.take_duty("other", "a", at(10), at(0)).unwrap());
}

fn a_step_is_taken_once_and_whole(store: &Store, _: &str) {
    done(store, 1, vec![deb("a", "1")]);
    done(store, 2, vec![deb("b", "1")]);
    let noted = store.judged(&[digest(2), digest(9), digest(1)]).unwrap();
    let [(first, before), (second, other)] = noted.as_slice() else { panic!("{noted:?}") };
    assert_eq!((first, second), (&digest(1), &digest(2)));
    let after = Judged { database: "sha256:new".to_owned(), fixable: 9, ..before.clone() };
    let changed = Judged { gaps: 7, ..other.clone() };
    let judged: [(Digest, Judged, Judged); 2] = [
        (digest(1), before.clone(), after.clone()),
        // Of this one something else is noted meanwhile.
        (digest(2), changed.clone(), after.clone()),
    ];
    let event = |subject: &str| {
        let subject = subject.to_owned();
        NewEvent { kind: EventKind::FindingsChanged, subject, body: "{}".to_owned() }
    };
    let events = [event("s"), event(digest(1).as_str()), event(digest(2).as_str())];
    let last = store.last_event().unwrap();
    let step = |before: Option<&str>, after: &str| {
        let step = Step { setting: "far", before, after, events: &events, judged: &judged };
        store.take_step(&step, at(50)).unwrap()
    };
    assert!(!step(Some("0"), "1"), "there is nothing to move on from");
    assert_eq!(store.last_event().unwrap(), last);
    assert_eq!(store.judged(&[digest(1)]).unwrap(), [(digest(1), before.clone())]);
    assert!(step(None, "1"));
    assert!(!step(None, "1"), "it is taken");
    assert!(!step(Some("0"), "2"));
    assert!(step(Some("1"), "2"));
    assert_eq!(store.setting("far").unwrap().as_deref(), Some("2"));
    let events = store.events(last, 10, Duration::ZERO).unwrap();
    // The second time nothing of the first image is as it was.
    let told: Vec<&str> = events.iter().map(|event| event.subject.as_str()).collect();
    assert_eq!(told, ["s", digest(1).as_str(), "s"]);
    assert_eq!(store.judged(&[digest(1)]).unwrap(), [(digest(1), after)]);
    assert_eq!(store.judged(&[digest(2)]).unwrap(), [(digest(2), other.clone())]);
}

fn everything_is_counted(store: &Store, _: &str) {
    assert_eq!(store.counts().unwrap(), plimsoll_store::Counts::default());
    done(store, 1, vec![deb("a", "1"), deb("b", "1")]);
    done(store, 2, vec![deb("a", "1"), deb("a", "1")]);
    store.submit(&asked(3), at(30)).unwrap();
    store.submit(&asked(4), at(20)).unwrap();
    store.put_layer(&digest(200), "f", b"facts").unwrap();
    let counts = store.counts().unwrap();
    assert_eq!(
        counts.scans.into_iter().collect::<Vec<_>>(),
        [(ScanState::Queued, 2), (ScanState::Completed, 2)]
    );
    assert_eq!((counts.inventories, counts.layers, counts.packages), (2, 1, 2));
    assert_eq!(counts.oldest_queued, Some(at(20)));
}

fn layers_are_kept_by_rules(store: &Store, _: &str) {
    assert_eq!(store.layer(&digest(1), "f").unwrap(), None);
    store.put_layer(&digest(1), "f", b"one").unwrap();
    store.put_layer(&digest(1), "g", b"").unwrap();
    store.put_layer(&digest(1), "f", b"two\0\xff").unwrap();
    assert_eq!(store.layer(&digest(1), "f").unwrap().as_deref(), Some(&b"two\0\xff"[..]));
    assert_eq!(store.layer(&digest(1), "g").unwrap().as_deref(), Some(&b""[..]));
    assert_eq!(store.layer(&digest(2), "f").unwrap(), None);
}

fn what_nothing_needs_is_forgotten(store: &Store, _: &str) {
    done(store, 1, vec![deb("a", "1"), deb("b", "1")]);
    done(store, 2, vec![deb("c", "1"), deb("b", "1")]);
    store.put_layer(&digest(200), "old", b"facts").unwrap();
    store.put_layer(&digest(200), "new", b"facts").unwrap();
    store.put_layer(&digest(99), "new", b"facts").unwrap();
    let name = store.submit(&named("registry.example/shop/web:1"), at(0)).unwrap().scan;
    store.cancel(&name.id, at(5)).unwrap();
    // A digest that led to nothing, and one that an index names.
    for byte in [7, 8] {
        let digest = plimsoll_store::Submission { kind: plimsoll_store::ScanKind::Digest, ..asked(byte) };
        store.submit(&digest, at(0)).unwrap();
        store.cancel(digest.digest.unwrap().as_str(), at(5)).unwrap();
    }
    let child = plimsoll_store::Child {
        digest: digest(8),
        platform: String::new(),
        media_type: String::new(),
        size: 1,
        is_attestation: false,
    };
    let index = plimsoll_store::Outcome::Index { children: vec![child], submissions: Vec::new() };
    assert!(store.finish(&claimed(store, 9).lease, &index, at(5)).unwrap());
    store.forget(digest(1).as_str(), at(6)).unwrap();
    store.prune(at(5)).unwrap();
    assert!(store.scan(&name.id).unwrap().is_some());
    assert_eq!(store.counts().unwrap().packages, 2);
    assert!(store.layer(&digest(200), "new").unwrap().is_some());
    assert!(store.layer(&digest(200), "old").unwrap().is_none());
    assert!(store.layer(&digest(99), "new").unwrap().is_none());
    store.prune(at(6)).unwrap();
    assert!(store.scan(&name.id).unwrap().is_none());
    assert!(store.scan(digest(7).as_str()).unwrap().is_none());
    assert!(store.scan(digest(8).as_str()).unwrap().is_some());
    assert!(store.scan(digest(2).as_str()).unwrap().is_some());
    // Numbers of what was forgotten are not given again.
    done(store, 3, vec![deb("d", "1")]);
    let mut last = 0;
    let names = [("debian:12".to_owned(), "d-src".to_owned())];
    store.packages_named(&names, &mut |package| last = package.number).unwrap();
    assert_eq!(last, 4);
    drop(claimed(store, 4));
}

fn tag(name: &str, byte: u8, seen: i64) -> Tag {
    let (repository, tag) = name.split_once(':').unwrap();
    Tag {
        registry: "r:5000".to_owned(),
        repository: repository.to_owned(),
        tag: tag.to_owned(),
        digest: digest(byte),
        since: at(seen),
        seen_at: at(seen),
    }
}

fn tags_come_move_and_go(store: &Store, _: &str) {
    let first = [tag("a:1", 1, 10), tag("a:2", 2, 10)];
    assert_eq!(store.note_tags(&first, at(10)).unwrap(), first);
    assert!(store.note_tags(&[tag("a:1", 1, 20)], at(20)).unwrap().is_empty());
    let all = TagFilter { rows_max: 10, ..TagFilter::default() };
    assert_eq!(store.tags(&all).unwrap()[0], Tag { since: at(10), ..tag("a:1", 1, 20) });
    // Who has looked for long does not undo what was seen meanwhile.
    assert!(store.note_tags(&[tag("a:1", 9, 19)], at(21)).unwrap().is_empty());
    assert_eq!(store.tags(&all).unwrap()[0], Tag { since: at(10), ..tag("a:1", 1, 20) });
    let moved = [tag("a:1", 3, 30)];
    assert_eq!(store.note_tags(&moved, at(30)).unwrap(), moved);
    assert_eq!(store.forget_tags("r:5000", "a", at(30), at(31)).unwrap(), [tag("a:2", 2, 10)]);
    assert!(store.forget_tags("r:5000", "b", at(90), at(31)).unwrap().is_empty());
    assert_eq!(store.tags(&all).unwrap(), moved);
    let events = store.events(0, 10, std::time::Duration::ZERO).unwrap();
    let seen: Vec<String> = events
        .iter()
        .map(|event| {
            assert_eq!(event.kind, EventKind::TagChanged);
            let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
            let short = |key: &str| body[key].as_str().map_or("-", |digest| &digest[7..9]).to_owned();
            format!("{} {} {}", event.subject, short("before"), short("digest"))
        })
        .collect();
    assert_eq!(seen, ["r:5000/a:1 - 01", "r:5000/a:2 - 02", "r:5000/a:1 01 03", "r:5000/a:2 02 -"]);
}

fn tags_are_forgotten_one_by_one(store: &Store, _: &str) {
    store.note_tags(&[tag("a:1", 1, 10), tag("a:2", 2, 10), tag("b:1", 1, 10)], at(10)).unwrap();
    // `a:2` leads elsewhere by now, and `a:3` is not known.
    let gone = [tag("a:1", 1, 10), tag("a:2", 9, 10), tag("a:3", 1, 10)];
    assert_eq!(store.forget_these_tags(&gone, at(11)).unwrap(), [tag("a:1", 1, 10)]);
    assert!(store.forget_these_tags(&[], at(11)).unwrap().is_empty());
    let all = TagFilter { rows_max: 10, ..TagFilter::default() };
    assert_eq!(store.tags(&all).unwrap(), [tag("a:2", 2, 10), tag("b:1", 1, 10)]);
    assert_eq!(store.last_event().unwrap(), 4);
}

fn tags_are_listed(store: &Store, _: &str) {
    let tags = [tag("a:Z", 1, 10), tag("a:b", 2, 11), tag("b:a", 1, 12), tag("B:a", 1, 13)];
    store.note_tags(&tags, at(10)).unwrap();
    let all = TagFilter { rows_max: 10, ..TagFilter::default() };
    let names = |filter: &TagFilter| -> Vec<String> {
        let found = store.tags(filter).unwrap();
        found.into_iter().map(|tag| format!("{}:{}", tag.repository, tag.tag)).collect()
    };
    // By bytes, whatever language the database has.
    assert_eq!(names(&all), ["B:a", "a:Z", "a:b", "b:a"]);
    assert_eq!(names(&TagFilter { repository: "a".to_owned(), ..all.clone() }), ["a:Z", "a:b"]);
    assert_eq!(names(&TagFilter { digest: Some(digest(1)), rows_max: 2, ..all.clone() }), ["B:a", "a:Z"]);
    let after = ("r:5000".to_owned(), "a".to_owned(), "Z".to_owned());
    assert_eq!(names(&TagFilter { after: Some(after), ..all }), ["a:b", "b:a"]);
    let repository = |name: &str, tags, seen| Repository {
        registry: "r:5000".to_owned(),
        repository: name.to_owned(),
        tags,
        seen_at: at(seen),
    };
    let expected = [repository("B", 1, 13), repository("a", 2, 11), repository("b", 1, 12)];
    assert_eq!(store.repositories(None, 10).unwrap(), expected);
    assert_eq!(store.repositories(Some(("r:5000", "B")), 1).unwrap(), expected[1..2]);
}

/// Those that are not within are more than are read at once, and stand before, between and behind those that are.
fn repositories_within_are_listed_to_the_end(store: &Store, _: &str) {
    let others = (0..2_100).map(|number| tag(&format!("other-{number:04}:1"), 1, 10));
    let tags: Vec<Tag> =
        others.chain(["a:1", "a:2", "other-1050-own:1", "z:1"].map(|name| tag(name, 1, 11))).collect();
    store.note_tags(&tags, at(11)).unwrap();
    let is_within = |registry: &str, repository: &str| {
        assert_eq!(registry, "r:5000");
        ["a", "z"].contains(&repository) || repository.ends_with("-own")
    };
    let names = |after: Option<(&str, &str)>, rows_max| -> Vec<(String, u64)> {
        let found = store.repositories_within(after, rows_max, &is_within).unwrap();
        found.into_iter().map(|one| (one.repository, one.tags)).collect()
    };
    let expected = [("a", 2), ("other-1050-own", 1), ("z", 1)].map(|(name, tags)| (name.to_owned(), tags));
    assert_eq!(names(None, 10), expected);
    assert_eq!(names(None, 3), expected);
    assert_eq!(names(None, 2), expected[..2]);
    assert_eq!(names(Some(("r:5000", "a")), 1), expected[1..2]);
    assert_eq!(names(Some(("r:5000", "other-1050-own")), 10), expected[2..]);
    assert!(names(Some(("r:5000", "z")), 10).is_empty());
    assert!(store.repositories_within(None, 10, &|_, _| false).unwrap().is_empty());
}

fn many_open_at_once(store: &Store, place: &str) {
    // An empty place beside this one; for PostgreSQL the same one with its tables taken away.
    let place = match store.engine() {
        "sqlite" => format!("{place}.new"),
        _ => {
            let mut client = ::postgres::Client::connect(place, ::postgres::NoTls).unwrap();
            client.batch_execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public").unwrap();
            place.to_owned()
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| Store::open(&place).unwrap().ping().unwrap());
        }
    });
    assert_eq!(Store::open(&place).unwrap().last_event().unwrap(), 0);
}

fn what_befell_one_subject_is_told(store: &Store, _: &str) {
    let event = |subject: &str, body: &str| NewEvent {
        kind: EventKind::FindingsChanged,
        subject: subject.to_owned(),
        body: body.to_owned(),
    };
    store.note_events(&[event("a", "1"), event("b", "2"), event("a", "3"), event("a", "4")], at(1)).unwrap();
    let bodies = |before, rows_max| {
        let events = store.events_of("a", before, rows_max).unwrap();
        events.into_iter().map(|event| (event.number, event.body)).collect::<Vec<_>>()
    };
    let newest = bodies(None, 2);
    assert_eq!(newest.iter().map(|(_, body)| body.as_str()).collect::<Vec<_>>(), ["4", "3"]);
    let (last, _) = newest[1];
    assert_eq!(bodies(Some(last), 9).iter().map(|(_, body)| body.as_str()).collect::<Vec<_>>(), ["1"]);
    assert_eq!(store.events_of("none", None, 9).unwrap(), []);
}

fn each_judged_image_is_handed_out(store: &Store, _: &str) {
    done(store, 2, vec![deb("a", "1")]);
    done(store, 1, vec![deb("a", "1")]);
    store.submit(&named("registry.example/unresolved:1"), at(1)).unwrap();
    let unsupported = Outcome::Judged {
        inventory: Box::new(inventory(3, vec![])),
        judged: judged(),
        state: ScanState::Unsupported,
        reason: Reason::UnknownOs,
        detail: String::new(),
    };
    assert!(store.finish(&claimed(store, 3).lease, &unsupported, at(2)).unwrap());
    let mut seen = Vec::new();
    let mut all = |digest, judged: Judged| {
        seen.push((digest, judged.layer_bytes));
        ControlFlow::Continue(())
    };
    store.each_judged(&mut all).unwrap();
    let bytes = judged().layer_bytes;
    assert_eq!(seen, [(digest(1), bytes), (digest(2), bytes)]);
    let mut count = 0;
    let mut first = |_, _| {
        count += 1;
        ControlFlow::Break(())
    };
    store.each_judged(&mut first).unwrap();
    assert_eq!(count, 1);
}

fn days_are_noted(store: &Store, _: &str) {
    assert_eq!(store.days(9).unwrap(), []);
    let mut day = Day::default();
    day.add(&judged());
    day.add(&Judged {
        findings: Severities::default(),
        fixable: 0,
        exploited: 0,
        gaps: 0,
        late_feeds: Vec::new(),
        ..judged()
    });
    assert_eq!((day.worst.critical, day.worst.high, day.without), (1, 0, 1));
    assert_eq!((day.fixable, day.exploited, day.unsure), (1, 1, 1));
    for number in [3, 1, 2, 3] {
        store.note_day(date(2030, 1, number), &day).unwrap();
        day.add(&judged());
    }
    let noted = store.days(2).unwrap();
    assert_eq!(noted.iter().map(|(date, _)| date.day()).collect::<Vec<_>>(), [2, 3]);
    // The latest word on a day counts.
    assert_eq!(noted[1].1.worst.critical, 4);
}
