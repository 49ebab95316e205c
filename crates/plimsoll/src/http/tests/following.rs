//! What a server makes of another advisory database.

use std::time::Duration;

use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_feeds::update::database_path;
use plimsoll_store::{EventKind, Outcome, ScanKind};

use super::samples::{self, TestServer, build_database, digest};
use crate::jobs::judging;

fn databases_told(server: &TestServer) -> usize {
    let events = server.store.events(0, 1_000, Duration::ZERO).unwrap();
    events.iter().filter(|event| event.kind == EventKind::DatabaseChanged).count()
}

/// Whoever notices it first: it is told once, and what waits is woken once.
#[test]
fn another_database_is_told_and_wakes_what_waits() {
    let server = TestServer::new("", false);
    let awaiting = Outcome::Awaiting {
        inventory: Box::new(samples::row(1, &samples::system())),
        reason: Reason::NoDatabase,
        awaited: Vec::new(),
        detail: String::new(),
    };
    let state = |server: &TestServer| server.store.scan(digest(1).as_str()).unwrap().unwrap().state;
    let claimed = server.claim(1, ScanKind::Image);
    let before = samples::now() - Duration::from_secs(60);
    assert!(server.store.finish(&claimed.lease, &awaiting, before).unwrap());
    server.server.follow_advisories().unwrap();
    assert_eq!((databases_told(&server), state(&server)), (0, ScanState::FeedsNotLoaded));
    build_database(server.folder.path());
    server.server.follow_advisories().unwrap();
    assert_eq!((databases_told(&server), state(&server)), (1, ScanState::Queued));
    // A scan that comes back to wait is left alone until something is another.
    let claimed = server.claim(1, ScanKind::Image);
    assert!(server.store.finish(&claimed.lease, &awaiting, before).unwrap());
    server.server.follow_advisories().unwrap();
    assert_eq!((databases_told(&server), state(&server)), (1, ScanState::FeedsNotLoaded));
}

/// That there is one and it cannot be read is another matter than that there is none yet.
#[test]
fn a_database_that_cannot_be_read_is_said_to_be() {
    let server = TestServer::new("", false);
    let detail = |server: &TestServer| {
        let advised = server.server.advised();
        let row = samples::row(1, &samples::system());
        let outcome =
            judging::outcome(row, &server.server.config, server.folder.path(), &advised, samples::now());
        match outcome {
            Outcome::Awaiting { reason: Reason::NoDatabase, detail, .. } => detail,
            other => panic!("{other:?}"),
        }
    };
    assert!(detail(&server).contains("there is no advisory database yet"), "{}", detail(&server));
    std::fs::write(database_path(server.folder.path()), "no database").unwrap();
    server.server.follow_advisories().unwrap();
    assert!(!detail(&server).contains("yet"), "{}", detail(&server));
    assert!(detail(&server).contains("database.plimsoll"), "{}", detail(&server));
}
