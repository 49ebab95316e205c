//! Whether the server is starting, ready or ending, for whoever asks while it cannot do anything else.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use plimsoll_core::scan::Reason;

const STARTING: u8 = 0;
const MIGRATING: u8 = 1;
const READY: u8 = 2;
const ENDING: u8 = 3;

/// Where the server itself stands. It only goes forward.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle {
    stage: AtomicU8,
    /// What keeps it from being ready, for people.
    hindrance: Mutex<Option<String>>,
}

impl Lifecycle {
    /// The store is being opened and brought to the form that is needed.
    pub(crate) fn migrating(&self) {
        self.stage.fetch_max(MIGRATING, Ordering::SeqCst);
    }

    /// Everything is there.
    pub(crate) fn ready(&self) {
        *self.hindrance.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.stage.fetch_max(READY, Ordering::SeqCst);
    }

    /// No new work is taken.
    pub(crate) fn ending(&self) {
        self.stage.fetch_max(ENDING, Ordering::SeqCst);
    }

    /// Whether the server ends.
    pub(crate) fn is_ending(&self) -> bool {
        self.stage.load(Ordering::SeqCst) == ENDING
    }

    /// Something keeps it from being ready.
    pub(crate) fn is_hindered(&self, by: String) {
        *self.hindrance.lock().unwrap_or_else(PoisonError::into_inner) = Some(by);
    }

    /// What keeps it from being ready, where that is known.
    pub(crate) fn hindrance(&self) -> Option<String> {
        self.hindrance.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why the server is not ready; `None` where it is.
    pub(crate) fn not_ready(&self) -> Option<Reason> {
        match self.stage.load(Ordering::SeqCst) {
            STARTING => Some(Reason::Starting),
            MIGRATING => Some(Reason::Migrating),
            READY => None,
            _ => Some(Reason::Ending),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_only_goes_forward() {
        let lifecycle = Lifecycle::default();
        assert_eq!(lifecycle.not_ready(), Some(Reason::Starting));
        lifecycle.migrating();
        assert_eq!(lifecycle.not_ready(), Some(Reason::Migrating));
        lifecycle.ready();
        assert_eq!(lifecycle.not_ready(), None);
        lifecycle.ending();
        lifecycle.ready();
        assert_eq!((lifecycle.not_ready(), lifecycle.is_ending()), (Some(Reason::Ending), true));
    }
}
