//! Who gets which scan, and what becomes of the scans of workers that are gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Claim, Outcome, Priority, Store, Submission};

use crate::scenes::{any, asked, at, completed, digest, inventory, named};

crate::scenarios! {
    claims_follow_urgency_and_age,
    registries_have_limits,
    all_together_have_a_limit,
    one_scan_may_be_claimed_by_name,
    a_lease_that_ran_out_is_claimed_by_another,
    a_lease_may_hold_for_ever,
    a_lost_worker_costs_an_attempt,
    a_lost_worker_ends_what_was_called_off,
    no_two_workers_have_one_scan,
    limits_hold_among_threads,
    one_submission_of_many_is_new,
}

fn ids(store: &Store, claim: &Claim<'_>, now: i64) -> Vec<String> {
    let mut ids = Vec::new();
    while let Some(claimed) = store.claim(claim, at(now)).unwrap() {
        ids.push(claimed.scan.id);
    }
    ids
}

fn text(byte: u8) -> String {
    digest(byte).as_str().to_owned()
}

fn claims_follow_urgency_and_age(store: &Store, _: &str) {
    for (byte, priority, queued) in [
        (1, Priority::Rescan, 0),
        (2, Priority::Watched, 2),
        (3, Priority::Asked, 5),
        (4, Priority::Asked, 4),
    ] {
        store.submit(&Submission { priority, ..asked(byte) }, at(queued)).unwrap();
    }
    assert_eq!(ids(store, &any("w", 60), 10), [4, 3, 2, 1].map(text));
}

fn registries_have_limits(store: &Store, _: &str) {
    let of = |byte, registry: &str| Submission { registry: registry.to_owned(), ..asked(byte) };
    for (byte, registry) in [(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, ""), (6, ""), (7, "")] {
        store.submit(&of(byte, registry), at(i64::from(byte))).unwrap();
    }
    let claim = Claim { per_registry_max: 2, ..any("w", 60) };
    assert_eq!(ids(store, &claim, 10), [1, 2, 4, 5, 6, 7].map(text));
    // A lease that ended, or ran out, makes room.
    assert_eq!(ids(store, &claim, 59), Vec::<String>::new());
    let first = Claim { until: at(90), ..claim };
    assert_eq!(store.claim(&first, at(60)).unwrap().unwrap().scan.id, text(1));
}

fn all_together_have_a_limit(store: &Store, _: &str) {
    for byte in 1..=4 {
        store.submit(&asked(byte), at(i64::from(byte))).unwrap();
    }
    let claim = Claim { all_max: 3, ..any("w", 60) };
    assert_eq!(ids(store, &claim, 10).len(), 3);
    let only = text(4);
    let waiting = Claim { only: Some(&only), ..claim };
    assert_eq!(store.claim(&waiting, at(11)).unwrap().unwrap().scan.id, only);
}

fn one_scan_may_be_claimed_by_name(store: &Store, _: &str) {
    store.submit(&asked(1), at(0)).unwrap();
    store.submit(&asked(2), at(1)).unwrap();
    let second = text(2);
    let claim = Claim { only: Some(&second), per_registry_max: 0, all_max: 0, ..any("w", 60) };
    let lease = store.claim(&claim, at(2)).unwrap().unwrap().lease;
    assert_eq!(lease.id, second);
    assert!(store.claim(&claim, at(3)).unwrap().is_none());
    assert!(store.claim(&Claim { only: Some("sha256:none"), ..claim.clone() }, at(3)).unwrap().is_none());
    assert!(store.finish(&lease, &completed(inventory(2, Vec::new())), at(4)).unwrap());
    assert!(store.claim(&claim, at(5)).unwrap().is_none());
}

fn a_lease_that_ran_out_is_claimed_by_another(store: &Store, _: &str) {
    store.submit(&asked(1), at(0)).unwrap();
    let first = store.claim(&any("w1", 60), at(1)).unwrap().unwrap();
    assert!(store.claim(&any("w2", 90), at(59)).unwrap().is_none());
    // A heartbeat keeps it.
    assert!(store.beat(&first.lease, at(100), None, at(59)).unwrap().is_held);
    assert!(store.claim(&any("w2", 130), at(99)).unwrap().is_none());
    let second = store.claim(&any("w2", 160), at(100)).unwrap().unwrap();
    assert_eq!((second.scan.attempt, second.scan.state), (2, ScanState::Fetching));
    assert!(second.lease.number > first.lease.number);
    // What the first one says is not heard.
    assert!(!store.beat(&first.lease, at(200), None, at(101)).unwrap().is_held);
    let outcome = completed(inventory(1, Vec::new()));
    assert!(!store.finish(&first.lease, &outcome, at(101)).unwrap());
    assert!(store.finish(&second.lease, &outcome, at(102)).unwrap());
    let states: Vec<String> = store
        .events(0, 100, std::time::Duration::ZERO)
        .unwrap()
        .iter()
        .map(|event| {
            let body: BTreeMap<String, serde_json::Value> = serde_json::from_str(&event.body).unwrap();
            format!("{} {}", body["state"].as_str().unwrap(), body["reason"].as_str().unwrap())
        })
        .collect();
    let expected =
        ["queued asked", "fetching asked", "retrying worker_lost", "fetching asked", "completed complete"];
    assert_eq!(states, expected);
}

fn a_lease_may_hold_for_ever(store: &Store, _: &str) {
    store.submit(&asked(1), at(0)).unwrap();
    let claim = Claim { until: jiff::Timestamp::MAX, ..any("w", 0) };
    let lease = store.claim(&claim, at(1)).unwrap().unwrap().lease;
    assert!(store.finish(&lease, &completed(inventory(1, Vec::new())), at(2)).unwrap());
}

fn a_lost_worker_costs_an_attempt(store: &Store, _: &str) {
    store.submit(&Submission { attempts_max: 2, ..asked(1) }, at(0)).unwrap();
    store.submit(&asked(2), at(1)).unwrap();
    let first = text(1);
    let only = Claim { only: Some(&first), ..any("w", 10) };
    assert!(store.claim(&only, at(2)).unwrap().is_some());
    let last = store.claim(&Claim { until: at(20), ..only }, at(10)).unwrap().unwrap();
    // It was the last one, so another scan is looked for.
    assert_eq!(store.claim(&any("w", 40), at(20)).unwrap().unwrap().scan.id, text(2));
    let scan = store.scan(&first).unwrap().unwrap();
    assert_eq!((scan.state, scan.reason), (ScanState::Failed, Reason::AttemptsExhausted));
    assert!(scan.detail.contains("`w`"), "{}", scan.detail);
    assert!(!store.finish(&last.lease, &completed(inventory(1, Vec::new())), at(21)).unwrap());
}

fn a_lost_worker_ends_what_was_called_off(store: &Store, _: &str) {
    store.submit(&asked(1), at(0)).unwrap();
    store.claim(&any("w", 10), at(1)).unwrap().unwrap();
    assert!(store.cancel(&text(1), at(2)).unwrap());
    assert!(store.claim(&any("w", 40), at(20)).unwrap().is_none());
    assert_eq!(store.scan(&text(1)).unwrap().unwrap().state, ScanState::Cancelled);
}

fn no_two_workers_have_one_scan(store: &Store, place: &str) {
    const SCANS: u8 = 40;
    for byte in 1..=SCANS {
        store.submit(&asked(byte), at(0)).unwrap();
    }
    let other = Store::open(place).unwrap();
    let claimed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for worker in 0..6 {
            let (store, claimed) = (if worker % 2 == 0 { store } else { &other }, &claimed);
            scope.spawn(move || {
                let worker = format!("w{worker}");
                while let Some(one) = store.claim(&any(&worker, 60), at(1)).unwrap() {
                    claimed.lock().unwrap().push(one.scan.id.clone());
                    assert!(
                        store
                            .finish(
                                &one.lease,
                                &Outcome::Ended {
                                    state: ScanState::Failed,
                                    reason: Reason::NotFound,
                                    detail: String::new()
                                },
                                at(2)
                            )
                            .unwrap()
                    );
                }
            });
        }
    });
    let claimed = claimed.into_inner().unwrap();
    assert_eq!(claimed.len(), usize::from(SCANS));
    assert_eq!(claimed.into_iter().collect::<BTreeSet<String>>().len(), usize::from(SCANS));
}

fn limits_hold_among_threads(store: &Store, place: &str) {
    for byte in 1..=30 {
        let registry = format!("r{}", byte % 3);
        store.submit(&Submission { registry, ..asked(byte) }, at(0)).unwrap();
    }
    let other = Store::open(place).unwrap();
    let claimed = Mutex::new(BTreeMap::<String, u32>::new());
    std::thread::scope(|scope| {
        for worker in 0..6 {
            let (store, claimed) = (if worker % 2 == 0 { store } else { &other }, &claimed);
            scope.spawn(move || {
                let worker = format!("w{worker}");
                let claim = Claim { per_registry_max: 4, all_max: 10, ..any(&worker, 60) };
                while let Some(one) = store.claim(&claim, at(1)).unwrap() {
                    *claimed.lock().unwrap().entry(one.scan.registry).or_default() += 1;
                }
            });
        }
    });
    let claimed = claimed.into_inner().unwrap();
    assert_eq!(claimed.values().sum::<u32>(), 10, "{claimed:?}");
    assert!(claimed.values().all(|count| *count <= 4), "{claimed:?}");
}

fn one_submission_of_many_is_new(store: &Store, place: &str) {
    let other = Store::open(place).unwrap();
    for submission in [asked(1), named("registry.example/shop/web:1")] {
        let taken = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for worker in 0..6 {
                let (store, taken, submission) =
                    (if worker % 2 == 0 { store } else { &other }, &taken, &submission);
                scope.spawn(move || {
                    let one = store.submit(submission, at(0)).unwrap();
                    taken.lock().unwrap().push((one.is_new, one.scan.id));
                });
            }
        });
        let taken = taken.into_inner().unwrap();
        assert_eq!(taken.iter().filter(|(is_new, _)| *is_new).count(), 1, "{taken:?}");
        assert!(taken.iter().all(|(_, id)| *id == taken[0].1), "{taken:?}");
    }
}
