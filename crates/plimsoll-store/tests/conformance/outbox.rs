//! Deliveries and notifications.

use plimsoll_store::{CursorMove, Delivery, DeliveryFilter, DeliveryState, NewDelivery, NoticeItem, Store};

use crate::scenes::at;

crate::scenarios! {
    deliveries_are_put_in_once,
    a_cursor_that_another_moved_puts_nothing_in,
    targets_do_not_wait_for_each_other,
    deliveries_are_tried_again_and_given_up,
    deliveries_are_replayed,
    deliveries_are_listed_and_forgotten,
    no_two_workers_have_one_delivery,
    notifications_are_read_page_by_page,
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
