//! Attempts that come to an end which nobody meant.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use plimsoll_core::image::{Image, Layer, Platform};
use plimsoll_core::inventory::Inventory;
use plimsoll_store::{Claim, Judged, Priority, Severities, Submission};

use super::*;
use crate::config::Config;
use crate::jobs::source::{ClairManifest, SourceLayer};
use crate::jobs::submission;

fn at() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

/// A clock that breaks when it is looked at for the third time: after the start of the server and that of the work.
fn breaking() -> Timestamp {
    static LOOKED: AtomicU32 = AtomicU32::new(0);
    assert_ne!(LOOKED.fetch_add(1, Ordering::SeqCst), 2, "the clock is broken");
    at()
}

/// A server with an image that is asked for.
struct World {
    server: Server,
    store: Arc<Store>,
    digest: Digest,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(now: fn() -> Timestamp, reference: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(folder.path().join("store.sqlite").to_str().unwrap()).unwrap());
        let server =
            Server::new(Config::default(), folder.path().to_owned(), Vec::new(), "replica".to_owned(), now);
        server.set_store(Arc::clone(&store));
        let digest = Digest::sha256(&[1; 32]);
        let submission = Submission {
            digest: Some(digest.clone()),
            kind: ScanKind::Image,
            reference: reference.to_owned(),
            registry: "registry.example".to_owned(),
            repository: "shop/web".to_owned(),
            source: Vec::new(),
            priority: Priority::Asked,
            reason: Reason::Asked,
            attempts_max: 3,
            index_state: cache::index_state(),
            is_forced: false,
        };
        store.submit(&submission, at()).unwrap();
        World { server, store, digest, _folder: folder }
    }

    /// What is aboard the image: one layer.
    fn inventory(&self, index_state: &str) -> Box<InventoryRow> {
        let layer = Layer {
            digest: Digest::sha256(&[0x11; 32]),
            diff_id: None,
            media_type: String::new(),
            size: 1,
            created_by: None,
        };
        let image = Image {
            reference: String::new(),
            digest: Some(self.digest.clone()),
            config_digest: None,
            platform: Platform::default(),
            layers: vec![layer],
        };
        let inventory = Inventory::default();
        Box::new(InventoryRow { image, inventory, index_state: index_state.to_owned(), indexed_at: at() })
    }

    fn claim(&self) -> Claimed {
        let until = at() + Duration::from_secs(60);
        let claim = Claim { worker: "w", until, per_registry_max: 9, all_max: 9, only: None };
        self.store.claim(&claim, at()).unwrap().unwrap()
    }
}

/// Layers that are handed in are those that the registry has shown, or they are not taken for the image's.
#[test]
fn an_image_keeps_the_layers_that_its_registry_has_shown() {
    for (byte, is_of_image) in [(0x11, true), (0x22, false)] {
        let world = World::new(at, "registry.example/shop/web:1");
        let judged = Outcome::Judged {
            inventory: world.inventory("older rules"),
            judged: Judged {
                database: String::new(),
                database_built_at: String::new(),
                at: at(),
                packages: 0,
                findings: Severities::default(),
                fixable: 0,
                exploited: 0,
                gaps: 0,
                late_feeds: Vec::new(),
                layer_bytes: None,
            },
            state: ScanState::Completed,
            reason: Reason::Complete,
            detail: String::new(),
        };
        assert!(world.store.finish(&world.claim().lease, &judged, at()).unwrap());
        let layer = Digest::sha256(&[byte; 32]);
        let layers = vec![SourceLayer {
            digest: layer.as_str().to_owned(),
            url: "http://127.0.0.1:9/".to_owned(),
            headers: std::collections::BTreeMap::new(),
        }];
        let manifest = ClairManifest { digest: world.digest.clone(), layers };
        let submission = submission::of_layers(&manifest, &Config::default()).unwrap();
        assert!(world.store.submit(&submission, at()).unwrap().is_queued);
        make(&world.server, world.claim());
        let scan = world.store.scan(world.digest.as_str()).unwrap().unwrap();
        assert_eq!(scan.reason != Reason::DigestMismatch, is_of_image, "{}", scan.detail);
    }
}

/// It is no fault of the image, so that clients are not told to give it up.
#[test]
fn an_image_whose_place_is_forgotten_is_not_to_be_had() {
    let world = World::new(at, "");
    make(&world.server, world.claim());
    let scan = world.store.scan(world.digest.as_str()).unwrap().unwrap();
    assert_eq!((scan.state, scan.reason), (ScanState::Failed, Reason::NotFound), "{}", scan.detail);
}

#[test]
fn a_panic_ends_the_attempt_and_not_the_worker() {
    let world = World::new(breaking, "registry.example/shop/web:1");
    let World { server, store, digest, .. } = &world;
    let awaiting = Outcome::Awaiting {
        inventory: world.inventory(&cache::index_state()),
        reason: Reason::NoDatabase,
        awaited: Vec::new(),
        detail: String::new(),
    };
    assert!(store.finish(&world.claim().lease, &awaiting, at()).unwrap());
    store.wake_awaiting(Timestamp::MAX, at()).unwrap();
    make(server, world.claim());
    let scan = store.scan(digest.as_str()).unwrap().unwrap();
    assert_eq!((scan.state, scan.reason), (ScanState::Failed, Reason::Internal), "{}", scan.detail);
    assert!(scan.detail.contains("a mistake in plimsoll"), "{}", scan.detail);
}

/// What is known of a Windows image whose every layer is foreign stands in its config. Of any other nothing is.
#[test]
fn layers_that_nobody_has_leave_what_an_image_claims() {
    let failure = |nth: u8, cause: Cause| (Digest::sha256(&[nth; 32]), LayerFailure::new(cause, "x"));
    let foreign = |nth| failure(nth, Cause::ForeignLayer);
    for (failures, layers, is_windows, cause) in [
        (vec![foreign(1)], 1, true, None),
        (vec![foreign(1), foreign(2)], 2, true, None),
        (vec![foreign(1)], 1, false, Some(Cause::ForeignLayer)),
        (vec![foreign(1)], 2, false, None),
        (vec![failure(1, Cause::Limit)], 1, true, Some(Cause::Limit)),
        (vec![foreign(1), failure(2, Cause::Corrupt)], 3, true, Some(Cause::Corrupt)),
    ] {
        let found = unusable(&failures, layers, is_windows).map(|(cause, _)| cause);
        assert_eq!(found, cause, "{failures:?} of {layers}, {is_windows}");
    }
}
