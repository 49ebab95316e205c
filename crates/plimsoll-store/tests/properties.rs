//! Whatever the order of operations, the store says what a simple model says; whatever is aboard, it comes back.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/scenes.rs"]
#[allow(dead_code, reason = "each test needs a part of it")]
mod scenes;

use std::collections::BTreeMap;

use plimsoll_core::distros::DISTROS;
use plimsoll_core::ecosystems::ECOSYSTEMS;
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::inventory::{Inventory, OsRelease, Package, Release, SourcePackage};
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Change, Claim, InventoryRow, Lease, Outcome, Priority, Store, Submission};
use proptest::prelude::*;
use proptest::sample::select;
use scenes::{any as claim_any, asked, at, completed, digest, inventory};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9:.~+/-]{0,12}",
        proptest::collection::vec(any::<char>(), 0..6).prop_map(String::from_iter),
    ]
}

fn package() -> impl Strategy<Value = Package> {
    let source = proptest::option::of((text(), text()));
    let source = source.prop_map(|source| source.map(|(name, version)| SourcePackage { name, version }));
    let layer = proptest::option::of(any::<u8>().prop_map(digest));
    let optional = || proptest::option::of(text());
    let names = (select(ECOSYSTEMS.to_vec()), text(), text(), text(), text());
    let rest = (source, optional(), optional(), proptest::collection::vec(text(), 0..3), layer, optional());
    (names, rest).prop_map(
        |(
            (ecosystem, name, version, purl, evidence_path),
            (source, architecture, module, licenses, layer, owned_by),
        )| {
            Package {
                ecosystem,
                name,
                version,
                purl,
                source,
                architecture,
                module,
                licenses,
                evidence_path,
                layer,
                owned_by,
            }
        },
    )
}

fn aboard() -> impl Strategy<Value = Inventory> {
    let release =
        (select(DISTROS.to_vec()), text()).prop_map(|(distro, release)| Release { distro, release });
    let gap = (select(GapKind::ALL.to_vec()), text(), text());
    let gap = gap.prop_map(|(kind, subject, detail)| Gap { kind, subject, detail });
    let os = (text(), proptest::collection::vec(text(), 0..3), proptest::option::of(text()));
    let os = os.prop_map(|(id, id_like, version_id)| OsRelease {
        id,
        id_like,
        version_id,
        ..OsRelease::default()
    });
    (
        proptest::option::of(release),
        proptest::option::of(os),
        proptest::collection::vec(package(), 0..12),
        proptest::collection::vec(gap, 0..3),
    )
        .prop_map(|(distro, os_release, packages, gaps)| Inventory {
            windows: None,
            distro,
            os_release,
            packages,
            gaps,
        })
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder is made");
    let store = Store::open(folder.path().join("store.db").to_str().expect("it is UTF-8")).expect("it opens");
    (folder, store)
}

/// What a worker can do, and what others can do to it.
#[derive(Clone, Copy, Debug)]
enum Step {
    Submit {
        scan: u8,
        is_forced: bool,
        priority: Priority,
    },
    Claim,
    Advance {
        scan: u8,
    },
    Complete {
        scan: u8,
    },
    Retry {
        scan: u8,
    },
    HandBack {
        scan: u8,
    },
    Await {
        scan: u8,
    },
    Cancel {
        scan: u8,
    },
    Wake,
    Forget {
        scan: u8,
    },
    /// Time passes; leases hold for ten seconds.
    Pass {
        seconds: i64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let scan = || 1_u8..5;
    let priority = select(vec![Priority::Asked, Priority::Watched, Priority::Rescan]);
    prop_oneof![
        4 => (scan(), any::<bool>(), priority)
            .prop_map(|(scan, is_forced, priority)| Step::Submit { scan, is_forced, priority }),
        6 => Just(Step::Claim),
        1 => scan().prop_map(|scan| Step::Advance { scan }),
        2 => scan().prop_map(|scan| Step::Complete { scan }),
        2 => scan().prop_map(|scan| Step::Retry { scan }),
        1 => scan().prop_map(|scan| Step::HandBack { scan }),
        1 => scan().prop_map(|scan| Step::Await { scan }),
        1 => scan().prop_map(|scan| Step::Cancel { scan }),
        1 => Just(Step::Wake),
        1 => scan().prop_map(|scan| Step::Forget { scan }),
        2 => (1_i64..12).prop_map(|seconds| Step::Pass { seconds }),
    ]
}

/// A scan as simply as can be said.
#[derive(Clone, Debug)]
struct Simple {
    state: ScanState,
    priority: Priority,
    queued_at: i64,
    attempt: u32,
    /// When it is due, or until when a worker has it.
    time: i64,
    is_cancelled: bool,
}

const ATTEMPTS_MAX: u32 = 3;
const LEASE: i64 = 10;

#[derive(Default)]
struct Model {
    scans: BTreeMap<u8, Simple>,
    /// The last lease of each scan, and whether it is still good.
    leases: BTreeMap<u8, (Lease, bool)>,
    now: i64,
}

impl Model {
    fn stand(&mut self, scan: u8, state: ScanState) {
        let simple = self.scans.get_mut(&scan).expect("it is known");
        simple.state = state;
        if !state.is_at_work() {
            simple.is_cancelled = false;
            if let Some((_, is_good)) = self.leases.get_mut(&scan) {
                *is_good = false;
            }
        }
    }

    fn fail(&mut self, scan: u8, at: i64) {
        let simple = self.scans.get_mut(&scan).expect("it is known");
        let state = match (simple.is_cancelled, simple.attempt >= ATTEMPTS_MAX) {
            (true, _) => ScanState::Cancelled,
            (false, true) => ScanState::Failed,
            (false, false) => ScanState::Retrying,
        };
        simple.time = at;
        self.stand(scan, state);
    }

    fn is_due(&self, simple: &Simple) -> bool {
        match simple.state {
            ScanState::Queued => true,
            ScanState::Retrying => simple.time <= self.now,
            state => state.is_at_work() && simple.time <= self.now,
        }
    }

    /// The scan that is claimed.
    fn claim(&mut self) -> Option<u8> {
        loop {
            let due = self.scans.iter().filter(|(_, simple)| self.is_due(simple));
            let (scan, simple) =
                due.min_by_key(|(scan, simple)| (simple.priority, simple.queued_at, **scan))?;
            let (scan, is_lost) = (*scan, simple.state.is_at_work());
            if is_lost {
                self.fail(scan, self.now);
                if self.scans[&scan].state.is_final() {
                    continue;
                }
            }
            self.stand(scan, ScanState::Fetching);
            let simple = self.scans.get_mut(&scan).expect("it is known");
            simple.attempt += 1;
            simple.time = self.now + LEASE;
            return Some(scan);
        }
    }
}

/// Does a step to both, and compares what they say.
fn take(model: &mut Model, store: &Store, step: Step) {
    match step {
        Step::Pass { seconds } => model.now += seconds,
        Step::Submit { scan, is_forced, priority } => submit(model, store, scan, is_forced, priority),
        Step::Claim => claim(model, store),
        Step::Advance { scan } => advance(model, store, scan),
        Step::Complete { scan } => finish(model, store, scan, &completed(inventory(scan, Vec::new()))),
        Step::Retry { scan } => {
            let at = at(model.now + 5);
            let retry = Outcome::Retry { reason: Reason::TimedOut, detail: String::new(), at };
            finish(model, store, scan, &retry);
        }
        Step::HandBack { scan } => finish(model, store, scan, &Outcome::HandedBack),
        Step::Await { scan } => {
            let awaiting = Outcome::Awaiting {
                inventory: Box::new(inventory(scan, Vec::new())),
                reason: Reason::NoDatabase,
                awaited: Vec::new(),
                detail: String::new(),
            };
            finish(model, store, scan, &awaiting);
        }
        Step::Cancel { scan } => cancel(model, store, scan),
        Step::Wake => wake(model, store),
        Step::Forget { scan } => {
            let is_known = model.scans.remove(&scan).is_some();
            model.leases.remove(&scan);
            assert_eq!(store.forget(digest(scan).as_str(), at(model.now)).unwrap(), is_known);
        }
    }
}

fn submit(model: &mut Model, store: &Store, scan: u8, is_forced: bool, priority: Priority) {
    let submission = Submission { is_forced, priority, attempts_max: ATTEMPTS_MAX, ..asked(scan) };
    let taken = store.submit(&submission, at(model.now)).unwrap();
    let is_new = !model.scans.contains_key(&scan);
    let new = Simple {
        state: ScanState::Queued,
        priority,
        queued_at: model.now,
        attempt: 0,
        time: 0,
        is_cancelled: false,
    };
    let simple = model.scans.entry(scan).or_insert_with(|| new.clone());
    let is_wanting = matches!(simple.state, ScanState::Failed | ScanState::Cancelled);
    let is_again = simple.state.is_final() && (is_wanting || is_forced);
    if is_again {
        *simple = new;
    } else if !simple.state.is_final() {
        simple.priority = simple.priority.min(priority);
    }
    assert_eq!((taken.is_new, taken.is_queued), (is_new, is_new || is_again));
}

fn claim(model: &mut Model, store: &Store) {
    let claim: Claim<'_> = Claim { until: at(model.now + LEASE), ..claim_any("w", 0) };
    let claimed = store.claim(&claim, at(model.now)).unwrap();
    let expected = model.claim();
    let id = expected.map(|scan| digest(scan).as_str().to_owned());
    assert_eq!(claimed.as_ref().map(|claimed| claimed.scan.id.clone()), id);
    if let (Some(claimed), Some(scan)) = (claimed, expected) {
        model.leases.insert(scan, (claimed.lease, true));
    }
}

fn advance(model: &mut Model, store: &Store, scan: u8) {
    let Some((lease, is_held)) = model.leases.get(&scan).cloned() else { return };
    let change = Change { state: ScanState::Indexing, detail: String::new(), kind: None };
    assert_eq!(store.advance(&lease, &change, at(model.now)).unwrap(), is_held);
    if is_held {
        model.stand(scan, ScanState::Indexing);
    }
}

fn cancel(model: &mut Model, store: &Store, scan: u8) {
    let done = store.cancel(digest(scan).as_str(), at(model.now)).unwrap();
    let known = model.scans.get_mut(&scan).filter(|simple| !simple.state.is_final());
    assert_eq!(done, known.is_some());
    let Some(simple) = known else { return };
    if simple.state.is_at_work() && simple.time > model.now {
        simple.is_cancelled = true;
    } else {
        model.stand(scan, ScanState::Cancelled);
    }
}

fn wake(model: &mut Model, store: &Store) {
    let waiting = model.scans.iter().filter(|(_, simple)| simple.state == ScanState::FeedsNotLoaded);
    let waiting: Vec<u8> = waiting.map(|(scan, _)| *scan).collect();
    for scan in &waiting {
        model.stand(*scan, ScanState::Queued);
        let simple = model.scans.get_mut(scan).expect("it is known");
        (simple.queued_at, simple.attempt) = (model.now, 0);
    }
    let woken = store.wake_awaiting(at(model.now + 1), at(model.now)).unwrap();
    assert_eq!(woken, u64::try_from(waiting.len()).unwrap());
}

fn finish(model: &mut Model, store: &Store, scan: u8, outcome: &Outcome) {
    let Some((lease, is_held)) = model.leases.get(&scan).cloned() else { return };
    if !is_held {
        // Whether it is told that it was done before is tested elsewhere; here only that nothing changes.
        store.finish(&lease, outcome, at(model.now)).unwrap();
        return;
    }
    assert!(store.finish(&lease, outcome, at(model.now)).unwrap());
    let is_cancelled = model.scans[&scan].is_cancelled;
    match outcome {
        Outcome::Judged { .. } => model.stand(scan, ScanState::Completed),
        Outcome::Retry { .. } => model.fail(scan, model.now + 5),
        _ if is_cancelled => model.stand(scan, ScanState::Cancelled),
        Outcome::HandedBack => {
            model.stand(scan, ScanState::Queued);
            let simple = model.scans.get_mut(&scan).expect("it is known");
            simple.attempt = simple.attempt.saturating_sub(1);
        }
        _ => model.stand(scan, ScanState::FeedsNotLoaded),
    }
}

/// Compares what can be seen.
fn compare(model: &Model, store: &Store) {
    let filter = plimsoll_store::ScanFilter { rows_max: 100, ..plimsoll_store::ScanFilter::default() };
    let seen: Vec<_> = store
        .scans(&filter)
        .unwrap()
        .into_iter()
        .map(|scan| (scan.id, scan.state, scan.priority, scan.attempt, scan.queued_at))
        .collect();
    let expected: Vec<_> = model
        .scans
        .iter()
        .map(|(scan, simple)| {
            let id = digest(*scan).as_str().to_owned();
            (id, simple.state, simple.priority, simple.attempt, at(simple.queued_at))
        })
        .collect();
    assert_eq!(seen, expected);
    let queue: Vec<_> = model.scans.iter().filter(|(_, simple)| simple.state == ScanState::Queued).collect();
    for (scan, simple) in &queue {
        let key = |scan: u8, simple: &Simple| (simple.priority, simple.queued_at, scan);
        let before = queue.iter().filter(|(other, its)| key(**other, its) < key(**scan, simple)).count();
        let position = store.scan(digest(**scan).as_str()).unwrap().unwrap().position;
        assert_eq!(position, Some(u64::try_from(before).unwrap()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_store_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..60)) {
        let (_folder, store) = store();
        let mut model = Model::default();
        for step in steps {
            take(&mut model, &store, step);
            compare(&model, &store);
        }
        let events = store.events(0, 10_000, std::time::Duration::ZERO).unwrap();
        prop_assert!(events.iter().map(|event| event.number).eq(1..=store.last_event().unwrap()));
    }

    #[test]
    fn inventories_come_back(aboard in aboard()) {
        let (_folder, store) = store();
        let row = InventoryRow { inventory: aboard, ..inventory(1, Vec::new()) };
        let lease = scenes::claimed(&store, 1).lease;
        prop_assert!(store.finish(&lease, &completed(row.clone()), at(5)).unwrap());
        let back = store.inventory(&digest(1)).unwrap().unwrap();
        prop_assert_eq!(format!("{:?}", back), format!("{:?}", row));
        // What can be looked up is found by just that, and is what it was but for where it lies.
        let names = plimsoll_core::matching::looked_up_by(&row.inventory);
        for (package, name) in row.inventory.packages.iter().zip(names) {
            let mut found = Vec::new();
            let Some(name) = name else { continue };
            store.packages_named(std::slice::from_ref(&name), &mut |row| found.push(row)).unwrap();
            let expected = Package {
                licenses: Vec::new(),
                evidence_path: String::new(),
                layer: None,
                owned_by: None,
                ..package.clone()
            };
            prop_assert!(found.iter().any(|row| row.package == expected), "{:?}: {:?}", name, found);
            let alone = |row: &plimsoll_store::PackageRow| Inventory {
                windows: None,
                distro: row.release.clone(),
                packages: vec![row.package.clone()],
                ..Inventory::default()
            };
            for row in &found {
                prop_assert_eq!(plimsoll_core::matching::looked_up_by(&alone(row)), [Some(name.clone())]);
            }
        }
    }
}
