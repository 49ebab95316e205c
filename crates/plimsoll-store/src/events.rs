//! What happened, in order.

use std::time::Duration;

use jiff::Timestamp;

use crate::{Store, StoreError};

/// What sort of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A scan changed its state; the subject is its id.
    ScanChanged,
    /// A new advisory database changed the findings of an image; the subject is its digest.
    FindingsChanged,
    /// A feed became late or recovered; the subject is its name.
    FeedChanged,
    /// The server has another advisory database; the subject is its id.
    DatabaseChanged,
    /// A tag of a watched repository came, moved or went; the subject is `HOST/REPO:TAG`.
    TagChanged,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number; later ones are larger.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What sort of thing.
    pub kind: EventKind,
    /// What it happened to.
    pub subject: String,
    /// More of it, as JSON. Of a scan: `{"state", "reason", "detail", "attempt", "repository", "registry",
    /// "reference", "digest"}`.
    pub body: String,
}

/// Something that happened and has no number yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What sort of thing.
    pub kind: EventKind,
    /// What it happened to.
    pub subject: String,
    /// More of it, as JSON.
    pub body: String,
}

impl Store {
    /// Notes events.
    pub fn note_events(&self, events: &[NewEvent], now: Timestamp) -> Result<(), StoreError> {
        let _ = (events, now);
        Err(StoreError::unfinished())
    }

    /// The number of the newest event; 0 where there is none.
    pub fn last_event(&self) -> Result<u64, StoreError> {
        Err(StoreError::unfinished())
    }

    /// The number of the oldest event that is still kept.
    pub fn first_event(&self) -> Result<u64, StoreError> {
        Err(StoreError::unfinished())
    }

    /// Events after a number, the oldest first; waits up to `wait` where there are none yet. Other replicas' events
    /// end the wait too.
    pub fn events(&self, after: u64, rows_max: u32, wait: Duration) -> Result<Vec<Event>, StoreError> {
        let _ = (after, rows_max, wait);
        Err(StoreError::unfinished())
    }
}
