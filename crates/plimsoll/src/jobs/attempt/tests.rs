//! Attempts that come to an end which nobody meant.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use plimsoll_core::image::{Image, Platform};
use plimsoll_core::inventory::Inventory;
use plimsoll_store::{Claim, Priority, Submission};

use super::*;
use crate::config::Config;

fn at() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

/// A clock that breaks when it is looked at for the third time: after the start of the server and that of the work.
fn breaking() -> Timestamp {
    static LOOKED: AtomicU32 = AtomicU32::new(0);
    assert_ne!(LOOKED.fetch_add(1, Ordering::SeqCst), 2, "the clock is broken");
    at()
}

#[test]
fn a_panic_ends_the_attempt_and_not_the_worker() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(folder.path().join("store.sqlite").to_str().unwrap()).unwrap());
    let server =
        Server::new(Config::default(), folder.path().to_owned(), Vec::new(), "replica".to_owned(), breaking);
    server.set_store(Arc::clone(&store));
    let digest = Digest::sha256(&[1; 32]);
    let submission = Submission {
        digest: Some(digest.clone()),
        kind: ScanKind::Image,
        reference: "registry.example/shop/web:1".to_owned(),
        registry: "registry.example".to_owned(),
        repository: "shop/web".to_owned(),
        source: Vec::new(),
        priority: Priority::Asked,
        reason: Reason::Asked,
        attempts_max: 3,
        index_state: cache::index_state(),
        is_forced: false,
    };
    let claim = || {
        let until = at() + Duration::from_secs(60);
        let claim = Claim { worker: "w", until, per_registry_max: 9, all_max: 9, only: None };
        store.claim(&claim, at()).unwrap().unwrap()
    };
    store.submit(&submission, at()).unwrap();
    let image = Image {
        reference: String::new(),
        digest: Some(digest.clone()),
        config_digest: None,
        platform: Platform::default(),
        layers: Vec::new(),
    };
    let inventory = Box::new(InventoryRow {
        image,
        inventory: Inventory::default(),
        index_state: cache::index_state(),
        indexed_at: at(),
    });
    let awaiting = Outcome::Awaiting {
        inventory,
        reason: Reason::NoDatabase,
        awaited: Vec::new(),
        detail: String::new(),
    };
    assert!(store.finish(&claim().lease, &awaiting, at()).unwrap());
    store.wake_awaiting(Timestamp::MAX, at()).unwrap();
    make(&server, claim());
    let scan = store.scan(digest.as_str()).unwrap().unwrap();
    assert_eq!((scan.state, scan.reason), (ScanState::Failed, Reason::Internal), "{}", scan.detail);
    assert!(scan.detail.contains("a mistake in plimsoll"), "{}", scan.detail);
}
