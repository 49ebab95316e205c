//! What has to be done from time to time: noticing another advisory database, waking scans that wait for feeds,
//! rescanning what was indexed by older rules, forgetting what is old, looking whether records are what they were.

use std::thread::sleep;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use plimsoll_image::cache;
use plimsoll_store::{Store, StoreError};

use crate::server::Server;

/// How often it is looked whether there is another database.
const LOOK: Duration = Duration::from_secs(1);

/// How often feeds' standings are read anew at least, and waiting scans are woken where they have changed.
const STAND: Duration = Duration::from_secs(30);

/// How often what is old is forgotten, and rescans are queued.
const TIDY: Duration = Duration::from_secs(10 * 60);

/// Most rescans that are queued at once: they wait behind whatever somebody asks for.
const RESCANS_MAX: u32 = 1_000;

/// Who forgets and rescans, of all replicas.
const DUTY: &str = "upkeep";

pub(super) fn run(server: &Server) {
    let mut stood = Instant::now();
    let mut tidied: Option<Instant> = None;
    while !server.lifecycle.is_ending() {
        sleep(LOOK);
        let Ok(store) = server.store() else { continue };
        if stood.elapsed() >= STAND || server.advised().is_outdated(&server.data_dir) {
            stood = Instant::now();
            note(
                server.follow_advisories(),
                "how the advisory database and its feeds stand could not be told",
            );
        }
        server.advised().read_names();
        if tidied.is_none_or(|at| at.elapsed() >= TIDY) {
            tidied = Some(Instant::now());
            note(tidy(server, store), "what is old could not be forgotten");
            note(server.check_records().map(drop), "the records of clearances could not be checked");
        }
    }
}

fn note(done: Result<(), StoreError>, what: &str) {
    if let Err(error) = done {
        tracing::warn!(error = %error, "{what}; it is tried again");
    }
}

fn tidy(server: &Server, store: &Store) -> Result<(), StoreError> {
    let now = (server.now)();
    let later = |time: Duration| {
        let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        now.checked_add(time).unwrap_or(Timestamp::MAX)
    };
    if !store.take_duty(DUTY, &server.replica, later(TIDY * 2), now)? {
        return Ok(());
    }
    let kept = SignedDuration::from_hours(i64::from(server.config.server.keep_days) * 24);
    store.prune(now.checked_sub(kept).unwrap_or(Timestamp::MIN))?;
    if store.queue_rescans(&cache::index_state(), RESCANS_MAX, now)? > 0 {
        server.bell.ring();
    }
    Ok(())
}
