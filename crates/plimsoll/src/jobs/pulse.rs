//! Keeping a lease while its scan is being worked on, and hearing that the work is in vain.
//!
//! A thread beside the worker tells the store every few seconds how far the worker is. Where the store says that the
//! lease is another's, that somebody called the scan off, or cannot be asked until the lease has run out, the worker is
//! told to stop: two workers must not both believe that a scan is theirs.
//!
//! A worker that waits for a registry does not hear that it is to stop before the registry answers. So where somebody
//! called the scan off, or the server ends, the pulse itself tells the store after a moment; what the worker says later
//! is not heard any more.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use plimsoll_image::catalog;
use plimsoll_store::{Lease, Outcome, Progress, Store};

/// How long a lease holds unless it is prolonged.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// How often it is prolonged.
const BEAT: Duration = Duration::from_secs(2);

/// How long a worker has to stop by itself.
const STOP: Duration = Duration::from_secs(2);

/// Why a worker is to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The lease is another's, or could not be kept.
    Lost,
    /// Somebody called the scan off.
    Cancelled,
    /// The server ends.
    Ending,
    /// It took longer than it may.
    TimedOut,
}

/// How far a worker is, and whether it is to stop. Shared by the worker's threads and the pulse.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    stop: AtomicU8,
    layers: AtomicU32,
    layers_done: AtomicU32,
    /// Of those, how many were read before.
    layers_known: AtomicU32,
    bytes: AtomicU64,
    bytes_done: AtomicU64,
}

impl Pulse {
    /// Whether the worker is to stop.
    pub(super) fn stop(&self) -> Option<Stop> {
        match self.stop.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Stop::Lost),
            2 => Some(Stop::Cancelled),
            3 => Some(Stop::Ending),
            _ => Some(Stop::TimedOut),
        }
    }

    /// Has the worker stop; the first reason counts.
    fn end(&self, why: Stop) {
        let code = match why {
            Stop::Lost => 1,
            Stop::Cancelled => 2,
            Stop::Ending => 3,
            Stop::TimedOut => 4,
        };
        let _ = self.stop.compare_exchange(0, code, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Notes what the layer pass tells.
    pub(super) fn note(&self, progress: catalog::Progress) {
        match progress {
            catalog::Progress::Layers { count, bytes } => {
                self.layers.store(u32::try_from(count).unwrap_or(u32::MAX), Ordering::Relaxed);
                self.bytes.store(bytes, Ordering::Relaxed);
            }
            catalog::Progress::Sized { bytes } => {
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            catalog::Progress::Read { bytes } => {
                self.bytes_done.fetch_add(bytes, Ordering::Relaxed);
            }
            catalog::Progress::LayerDone { was_cached } => {
                self.layers_done.fetch_add(1, Ordering::Relaxed);
                self.layers_known.fetch_add(u32::from(was_cached), Ordering::Relaxed);
            }
        }
    }

    /// How many layers were known from before, how many were read, and how many bytes of layers are done.
    pub(super) fn layers_read(&self) -> (u64, u64, u64) {
        let known = u64::from(self.layers_known.load(Ordering::Relaxed));
        let done = u64::from(self.layers_done.load(Ordering::Relaxed));
        (known, done.saturating_sub(known), self.bytes_done.load(Ordering::Relaxed))
    }

    fn progress(&self) -> Option<Progress> {
        let layers = self.layers.load(Ordering::Relaxed);
        (layers > 0).then(|| Progress {
            layers,
            layers_done: self.layers_done.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            bytes_done: self.bytes_done.load(Ordering::Relaxed),
        })
    }
}

/// What the pulse needs to know.
pub(super) struct Beating<'a> {
    /// Where the lease is.
    pub(super) store: &'a Store,
    /// The lease.
    pub(super) lease: &'a Lease,
    /// Whether the server ends.
    pub(super) is_ending: &'a (dyn Fn() -> bool + Sync),
    /// Longest time for the work.
    pub(super) time_max: Duration,
    /// How an attempt ends that was stopped for a reason, where the store can be told for the worker.
    pub(super) stopped: fn(Stop) -> Option<Outcome>,
    /// The time.
    pub(super) now: fn() -> Timestamp,
}

/// Does some work while its lease is kept.
pub(super) fn while_beating<T>(beating: &Beating<'_>, pulse: &Pulse, work: impl FnOnce() -> T) -> T {
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || beat(beating, pulse, &is_done));
        let result = work();
        drop(done);
        result
    })
}

fn beat(beating: &Beating<'_>, pulse: &Pulse, is_done: &mpsc::Receiver<()>) {
    let started = Instant::now();
    let mut kept = Instant::now();
    // Shorter than a beat, so that a server that ends does not wait for one.
    let look = BEAT / 10;
    let mut beaten = Instant::now();
    let mut stopped_at = None;
    loop {
        match is_done.recv_timeout(look) {
            Err(RecvTimeoutError::Timeout) => {}
            _ => return,
        }
        if (beating.is_ending)() {
            pulse.end(Stop::Ending);
        }
        if started.elapsed() > beating.time_max {
            pulse.end(Stop::TimedOut);
        }
        if let Some(stop) = pulse.stop() {
            let since: Instant = *stopped_at.get_or_insert_with(Instant::now);
            let outcome = (beating.stopped)(stop).filter(|_| since.elapsed() >= STOP);
            if let Some(outcome) = outcome
                && beating.store.finish(beating.lease, &outcome, (beating.now)()).is_ok()
            {
                return;
            }
        }
        if beaten.elapsed() < BEAT {
            continue;
        }
        beaten = Instant::now();
        let now = (beating.now)();
        match beating.store.beat(beating.lease, lease_end(now), pulse.progress(), now) {
            Ok(beat) if !beat.is_held => pulse.end(Stop::Lost),
            Ok(beat) => {
                kept = beaten;
                if beat.is_cancelled {
                    pulse.end(Stop::Cancelled);
                }
            }
            Err(_) if kept.elapsed() > LEASE => pulse.end(Stop::Lost),
            Err(_) => {}
        }
    }
}

/// Until when a lease holds that is given now.
pub(super) fn lease_end(now: Timestamp) -> Timestamp {
    let lease = SignedDuration::try_from(LEASE).unwrap_or(SignedDuration::MAX);
    now.checked_add(lease).unwrap_or(Timestamp::MAX)
}
