//! Deliveries and notifications.

use plimsoll_store::{CursorMove, Delivery, DeliveryFilter, DeliveryState, NewDelivery, NoticeItem, Store};

use crate::scenes::at;

crate::scenarios! {
    deliveries_are_put_in_once,
    a_cursor_that_another_moved_puts_nothing_in,
    targets_do_not_wait_for_each_other,
    deliveries_are_tried_again_and_given_up,
    deliveries_are_replayed,
    queues_have_an_end,
    deliveries_are_listed_and_forgotten,
    no_two_workers_have_one_delivery,
    notifications_are_read_page_by_page,
    a_delivery_may_say_nothing,
    what_ended_is_noted_with_the_next_claim,
}

fn to(target: &str, key: &str, due: i64) -> NewDelivery {
    NewDelivery {
        target: target.to_owned(),
        key: key.to_owned(),
        media_type: "application/json".to_owned(),
        body: [b"{\0\xff".as_slice(), key.as_bytes()].concat(),
        due_at: at(due),
    }
}

fn moved(before: u64, after: u64) -> Option<CursorMove<'static>> {
    Some(CursorMove { name: "hooks", before, after })
}

fn keys(claimed: &[(Delivery, plimsoll_store::Lease)]) -> Vec<&str> {
    claimed.iter().map(|(delivery, _)| delivery.key.as_str()).collect()
}

fn listed(store: &Store, filter: &DeliveryFilter) -> Vec<String> {
    let all = store.deliveries(&DeliveryFilter { rows_max: 10, ..filter.clone() }).unwrap();
    all.into_iter().map(|delivery| delivery.key).collect()
}

fn deliveries_are_put_in_once(store: &Store, _: &str) {
    assert_eq!(store.cursor("hooks").unwrap(), 0);
    let some = [to("a", "1", 0), to("a", "2", 0), to("b", "1", 0)];
    store.put_deliveries(&some, moved(0, 7), at(0)).unwrap();
    store.put_deliveries(&[to("a", "2", 9), to("a", "3", 0)], moved(7, 9), at(1)).unwrap();
    assert_eq!(store.cursor("hooks").unwrap(), 9);
    assert_eq!(listed(store, &DeliveryFilter::default()), ["3", "1", "2", "1"]);
    let claimed = store.claim_deliveries("a", "w", 10, at(60), at(1)).unwrap();
    assert_eq!(keys(&claimed), ["1", "2", "3"]);
    for (delivery, _) in &claimed {
        assert_eq!(delivery.body, to("a", &delivery.key, 0).body);
        assert_eq!((delivery.media_type.as_str(), delivery.due_at), ("application/json", at(0)));
    }
}

/// Two that both believe to be the one that follows events: the slower one tells nothing.
fn a_cursor_that_another_moved_puts_nothing_in(store: &Store, place: &str) {
    let other = Store::open(place).unwrap();
    assert!(store.put_deliveries(&[to("a", "1-3", 0)], moved(0, 3), at(0)).unwrap());
    assert!(!other.put_deliveries(&[to("a", "1-2", 0)], moved(0, 2), at(0)).unwrap());
    assert!(!other.put_deliveries(&[to("a", "1-5", 0)], moved(0, 5), at(0)).unwrap());
    assert!(other.put_deliveries(&[to("a", "4-5", 0)], moved(3, 5), at(0)).unwrap());
    assert_eq!(store.cursor("hooks").unwrap(), 5);
    assert_eq!(listed(store, &DeliveryFilter::default()), ["4-5", "1-3"]);
    let put = std::thread::scope(|scope| {
        let all = [(store, "a"), (&other, "b"), (store, "c"), (&other, "d")].map(|(store, key)| {
            scope.spawn(move || store.put_deliveries(&[to(key, "6", 0)], moved(5, 6), at(0)).unwrap())
        });
        all.map(|one| one.join().unwrap())
    });
    assert_eq!(put.into_iter().filter(|is_put| *is_put).count(), 1);
    assert_eq!(listed(store, &DeliveryFilter::default()).len(), 3);
}

fn targets_do_not_wait_for_each_other(store: &Store, _: &str) {
    store.put_deliveries(&[to("a", "1", 0), to("a", "2", 5), to("b", "1", 0)], None, at(0)).unwrap();
    assert_eq!(keys(&store.claim_deliveries("a", "w", 10, at(60), at(1)).unwrap()), ["1"]);
    assert_eq!(keys(&store.claim_deliveries("b", "w", 10, at(60), at(1)).unwrap()), ["1"]);
    assert!(store.claim_deliveries("a", "w", 10, at(60), at(1)).unwrap().is_empty());
    assert_eq!(keys(&store.claim_deliveries("a", "w", 10, at(60), at(5)).unwrap()), ["2"]);
    // Whoever had them is gone.
    let again = store.claim_deliveries("a", "w2", 10, at(90), at(60)).unwrap();
    assert_eq!(keys(&again), ["1", "2"]);
    assert_eq!(again[0].0.attempts, 2);
}

fn deliveries_are_tried_again_and_given_up(store: &Store, _: &str) {
    store.put_deliveries(&[to("a", "1", 0)], None, at(0)).unwrap();
    let one = |now| store.claim_deliveries("a", "w", 1, at(now + 10), at(now)).unwrap().pop();
    let (delivery, lease) = one(1).unwrap();
    assert_eq!((delivery.attempts, delivery.state), (1, DeliveryState::Waiting));
    assert!(store.finish_delivery(&lease, Err(("500".to_owned(), Some(at(20)))), at(2)).unwrap());
    assert!(!store.finish_delivery(&lease, Ok(()), at(2)).unwrap());
    assert!(one(19).is_none());
    let (delivery, lost) = one(20).unwrap();
    assert_eq!((delivery.attempts, delivery.error.as_deref()), (2, Some("500")));
    let (_, lease) = one(30).unwrap();
    assert!(!store.finish_delivery(&lost, Ok(()), at(31)).unwrap());
    assert!(store.finish_delivery(&lease, Err(("gone".to_owned(), None)), at(31)).unwrap());
    let dead = store
        .deliveries(&DeliveryFilter { rows_max: 1, ..DeliveryFilter::default() })
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(
        (dead.state, dead.ended_at, dead.error.as_deref()),
        (DeliveryState::Dead, Some(at(31)), Some("gone"))
    );
    assert!(one(99).is_none());
    assert_eq!(store.counts().unwrap().deliveries["a"], (0, 1));
}

fn queues_have_an_end(store: &Store, _: &str) {
    let put = |target: &str, keys: std::ops::Range<u32>, now: i64| {
        let some: Vec<NewDelivery> = keys.map(|key| to(target, &key.to_string(), now)).collect();
        store.put_deliveries(&some, None, at(now)).unwrap();
    };
    put("a", 0..5, 10);
    put("a", 5..30, 20);
    put("b", 0..30, 10);
    let of = |state| {
        listed(
            store,
            &DeliveryFilter { target: Some("a".to_owned()), state: Some(state), before: None, rows_max: 0 },
        )
    };
    // One is in hand, and one went wrong before.
    let mut claimed = store.claim_deliveries("a", "w", 2, at(60), at(20)).unwrap();
    let (_, in_hand) = claimed.pop().unwrap();
    let (_, lease) = claimed.pop().unwrap();
    assert!(store.finish_delivery(&lease, Err(("500".to_owned(), Some(at(90)))), at(21)).unwrap());
    let drop = |before, rows_max, now| {
        let dropped = store.drop_deliveries("a", at(before), rows_max, at(now)).unwrap();
        (dropped.too_old, dropped.too_many)
    };
    assert_eq!(drop(10, 30, 22), (0, 0));
    assert_eq!(store.last_event().unwrap(), 0, "nothing was dropped");
    assert_eq!(drop(20, 30, 22), (4, 0));
    assert_eq!(of(DeliveryState::Dropped), ["4", "3", "2", "0"]);
    assert!(store.finish_delivery(&in_hand, Ok(()), at(23)).unwrap(), "what is in hand is left");
    // 25 wait: of 20 that may, 18 are left.
    assert_eq!(drop(20, 20, 24), (0, 7));
    assert_eq!(drop(20, 20, 25), (0, 0));
    let events = store.events(0, 10, std::time::Duration::ZERO).unwrap();
    let told: Vec<(&str, &str)> =
        events.iter().map(|event| (event.subject.as_str(), event.body.as_str())).collect();
    assert_eq!(told, [("a", r#"{"too_old":4,"too_many":0}"#), ("a", r#"{"too_old":0,"too_many":7}"#)]);
    let counts = store.counts().unwrap();
    assert_eq!((counts.deliveries["a"], counts.dropped["a"], counts.deliveries["b"]), ((18, 0), 11, (30, 0)));
    assert_eq!(store.targets_awaited().unwrap(), ["a", "b"]);
    let filter = DeliveryFilter { target: Some("a".to_owned()), rows_max: 99, ..DeliveryFilter::default() };
    let all = store.deliveries(&filter).unwrap();
    let error = |key: &str| all.iter().find(|delivery| delivery.key == key).unwrap().error.clone().unwrap();
    assert_eq!(error("0"), "it waited for too long (`queue_age_max`); at last: 500");
    assert_eq!(error("2"), "it waited for too long (`queue_age_max`)");
    assert_eq!(error("5"), "too many waited with it (`queue_max`)");
    // Once more by hand: it waits from then on.
    let number = all.iter().find(|delivery| delivery.key == "0").unwrap().number;
    assert!(store.replay_delivery(number, at(40)).unwrap());
    assert_eq!(drop(40, 30, 41), (18, 0));
    assert_eq!(of(DeliveryState::Waiting), ["0"]);
    store.prune(at(42)).unwrap();
    assert!(of(DeliveryState::Dropped).is_empty());
}

fn deliveries_are_replayed(store: &Store, _: &str) {
    store.put_deliveries(&[to("a", "1", 0)], None, at(0)).unwrap();
    let one = |now| store.claim_deliveries("a", "w", 1, at(60), at(now)).unwrap().pop();
    let (delivery, lease) = one(1).unwrap();
    assert!(store.finish_delivery(&lease, Ok(()), at(2)).unwrap());
    assert!(one(3).is_none());
    assert!(store.replay_delivery(delivery.number, at(4)).unwrap());
    assert!(!store.replay_delivery(delivery.number + 1, at(4)).unwrap());
    let (again, lease) = one(4).unwrap();
    assert_eq!((again.number, again.attempts, again.ended_at), (delivery.number, 1, None));
    // Who has it in hand is not heard after a replay.
    assert!(store.replay_delivery(delivery.number, at(5)).unwrap());
    assert!(!store.finish_delivery(&lease, Ok(()), at(6)).unwrap());
    assert!(one(6).is_some());
}

fn deliveries_are_listed_and_forgotten(store: &Store, _: &str) {
    store.put_deliveries(&[to("a", "1", 0), to("b", "2", 0), to("a", "3", 0)], None, at(0)).unwrap();
    let (first, lease) = store.claim_deliveries("a", "w", 1, at(60), at(1)).unwrap().pop().unwrap();
    assert!(store.finish_delivery(&lease, Ok(()), at(2)).unwrap());
    let all = DeliveryFilter::default();
    assert_eq!(listed(store, &DeliveryFilter { target: Some("a".to_owned()), ..all.clone() }), ["3", "1"]);
    assert_eq!(
        listed(store, &DeliveryFilter { state: Some(DeliveryState::Waiting), ..all.clone() }),
        ["3", "2"]
    );
    assert_eq!(listed(store, &DeliveryFilter { before: Some(first.number + 1), ..all.clone() }), ["1"]);
    store.prune(at(2)).unwrap();
    assert_eq!(listed(store, &all).len(), 3);
    store.prune(at(3)).unwrap();
    assert_eq!(listed(store, &all), ["3", "2"]);
}

fn no_two_workers_have_one_delivery(store: &Store, place: &str) {
    let many: Vec<NewDelivery> = (0..60).map(|key| to("a", &key.to_string(), 0)).collect();
    store.put_deliveries(&many, None, at(0)).unwrap();
    let other = Store::open(place).unwrap();
    let claimed = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (store, claimed) = (if worker % 2 == 0 { store } else { &other }, &claimed);
            scope.spawn(move || {
                loop {
                    let some = store.claim_deliveries("a", "w", 7, at(60), at(1)).unwrap();
                    if some.is_empty() {
                        return;
                    }
                    claimed.lock().unwrap().extend(some.into_iter().map(|(delivery, _)| delivery.number));
                }
            });
        }
    });
    // Rows that another one just locks are passed by, so some may be left for a later turn.
    let mut claimed = claimed.into_inner().unwrap();
    claimed.extend(
        store
            .claim_deliveries("a", "w", 99, at(60), at(1))
            .unwrap()
            .iter()
            .map(|(delivery, _)| delivery.number),
    );
    claimed.sort_unstable();
    let count = claimed.len();
    claimed.dedup();
    assert_eq!((count, claimed.len()), (60, 60));
}

fn notifications_are_read_page_by_page(store: &Store, _: &str) {
    let items: Vec<NoticeItem> = ["c", "a", "b"]
        .map(|id| NoticeItem { id: id.to_owned(), body: format!("{{\"id\":\"{id}\\u0000\"}}") })
        .to_vec();
    store.put_notice("n", &items, at(0)).unwrap();
    store.put_notice("n", &items[..1], at(1)).unwrap();
    assert_eq!(store.notice("n").unwrap().unwrap().items, 3);
    assert_eq!(store.notice_items("n", None, 2).unwrap().unwrap(), items[..2]);
    assert_eq!(store.notice_items("n", Some("a"), 2).unwrap().unwrap(), items[2..]);
    assert!(store.notice_items("n", Some("b"), 2).unwrap().unwrap().is_empty());
    assert!(store.notice_items("n", Some("z"), 2).unwrap().unwrap().is_empty());
    assert!(store.notice_items("m", None, 2).unwrap().is_none());
    store.put_notice("empty", &[], at(5)).unwrap();
    assert!(store.notice_items("empty", None, 2).unwrap().unwrap().is_empty());
    store.prune(at(5)).unwrap();
    assert!(store.notice("n").unwrap().is_none());
    assert!(store.delete_notice("empty").unwrap());
    assert!(!store.delete_notice("empty").unwrap());
}

/// Alone, beside others that say nothing, and between others that say something.
fn a_delivery_may_say_nothing(store: &Store, _: &str) {
    let empty = |key: &str| NewDelivery { body: Vec::new(), ..to("a", key, 0) };
    let table = [
        vec![empty("1")],
        vec![empty("2"), empty("3")],
        vec![to("a", "4", 0), empty("5"), to("a", "6", 0), empty("7")],
    ];
    for deliveries in &table {
        assert!(store.put_deliveries(deliveries, None, at(0)).unwrap());
    }
    let claimed = store.claim_deliveries("a", "w", 10, at(60), at(1)).unwrap();
    let bodies: Vec<(&str, &[u8])> =
        claimed.iter().map(|(one, _)| (one.key.as_str(), one.body.as_slice())).collect();
    let expected: Vec<(&str, &[u8])> =
        table.iter().flatten().map(|one| (one.key.as_str(), one.body.as_slice())).collect();
    assert_eq!(bodies, expected);
}

fn what_ended_is_noted_with_the_next_claim(store: &Store, _: &str) {
    store.put_deliveries(&[to("a", "1", 0), to("a", "2", 0), to("a", "3", 0)], None, at(0)).unwrap();
    let next = |ended: &[(plimsoll_store::Lease, plimsoll_store::Went)], now: i64| {
        store.end_and_claim_deliveries(ended, "a", "w", 1, at(now + 10), at(now)).unwrap()
    };
    let first = next(&[], 1);
    let second = next(&[(first[0].1.clone(), Ok(()))], 2);
    let third = next(&[(second[0].1.clone(), Err(("500".to_owned(), Some(at(50)))))], 3);
    assert_eq!([&first, &second, &third].map(|claimed| keys(claimed)), [["1"], ["2"], ["3"]]);
    // A lease that ran out and is another's by now notes nothing, and does not keep the next from being claimed.
    let again = store.claim_deliveries("a", "w2", 1, at(60), at(20)).unwrap();
    assert_eq!(keys(&again), ["3"]);
    let fourth = next(&[(third[0].1.clone(), Ok(()))], 50);
    assert_eq!(keys(&fourth), ["2"]);
    let states: Vec<(String, DeliveryState)> = store
        .deliveries(&DeliveryFilter { rows_max: 10, ..DeliveryFilter::default() })
        .unwrap()
        .into_iter()
        .map(|delivery| (delivery.key, delivery.state))
        .collect();
    let expected =
        [("3", DeliveryState::Waiting), ("2", DeliveryState::Waiting), ("1", DeliveryState::Delivered)];
    assert_eq!(states, expected.map(|(key, state)| (key.to_owned(), state)));
}
