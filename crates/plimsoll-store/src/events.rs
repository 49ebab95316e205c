//! What happened, in order.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::engine::{Columns, Engine};
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
    /// Deliveries to a target waited for too long, or were too many, and were dropped; the subject is the target.
    DeliveriesDropped,
    /// A tag of a watched repository came, moved or went; the subject is `HOST/REPO:TAG`.
    TagChanged,
    /// A clearance that was asked for changed its state; the subject is its id.
    ClearanceChanged,
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
    /// "reference", "digest"}`. Of a tag: `{"registry", "repository", "tag", "digest", "before"}`. Of a clearance: `{"state",
    /// "reason", "detail", "attempt", "policy", "repositories", "verdict", "record", "record_digest"}`. Of
    /// deliveries that were dropped: `{"too_old", "too_many"}`.
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

impl EventKind {
    /// All kinds.
    pub const ALL: [EventKind; 7] = [
        EventKind::ScanChanged,
        EventKind::FindingsChanged,
        EventKind::FeedChanged,
        EventKind::DatabaseChanged,
        EventKind::TagChanged,
        EventKind::ClearanceChanged,
        EventKind::DeliveriesDropped,
    ];

    /// The kind's stable name, snake_case.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::ScanChanged => "scan_changed",
            EventKind::FindingsChanged => "findings_changed",
            EventKind::FeedChanged => "feed_changed",
            EventKind::DatabaseChanged => "database_changed",
            EventKind::DeliveriesDropped => "deliveries_dropped",
            EventKind::TagChanged => "tag_changed",
            EventKind::ClearanceChanged => "clearance_changed",
        }
    }

    /// The kind of a name.
    pub fn of_name(name: &str) -> Option<EventKind> {
        EventKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Store {
    /// Notes events.
    pub fn note_events(&self, events: &[NewEvent], now: Timestamp) -> Result<(), StoreError> {
        self.engine.transaction(|transaction| {
            events.iter().for_each(|event| transaction.note(event.clone(), now));
            Ok(())
        })
    }

    /// The number of the newest event; 0 where there never was one.
    pub fn last_event(&self) -> Result<u64, StoreError> {
        let rows = self.engine.query("SELECT last FROM event_numbers", &[])?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.number())
    }

    /// The number of the oldest event that is still kept; where none is, the number of the next one.
    pub fn first_event(&self) -> Result<u64, StoreError> {
        let rows = self
            .engine
            .query("SELECT COALESCE((SELECT min(number) FROM events), last + 1) FROM event_numbers", &[])?;
        rows.into_iter().next().map_or(Ok(1), |mut row| row.number())
    }

    /// What happened to one subject that is still kept, before a number where there is one, the newest first.
    pub fn events_of(
        &self,
        subject: &str,
        before: Option<u64>,
        rows_max: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let rows = self.engine.query(
            "SELECT number, at, kind, subject, body FROM events WHERE subject = $1 AND number < $2
             ORDER BY number DESC LIMIT $3",
            &[subject.into(), before.unwrap_or(i64::MAX.unsigned_abs()).into(), rows_max.into()],
        )?;
        rows.into_iter().map(event).collect()
    }

    /// Events after a number, the oldest first; waits up to `wait` where there are none yet. Other replicas' events
    /// end the wait too.
    pub fn events(&self, after: u64, rows_max: u32, wait: Duration) -> Result<Vec<Event>, StoreError> {
        let until = Instant::now().checked_add(wait);
        loop {
            // What comes between asking and waiting has been heard then, and ends the wait at once.
            let heard = self.engine.heard();
            let events = events(&self.engine, after, rows_max)?;
            let left = until.map_or(wait, |until| until.saturating_duration_since(Instant::now()));
            if !events.is_empty() || left.is_zero() {
                return Ok(events);
            }
            self.engine.wait(heard, left);
        }
    }
}

fn events(engine: &Engine, after: u64, rows_max: u32) -> Result<Vec<Event>, StoreError> {
    let rows = engine.query(
        "SELECT number, at, kind, subject, body FROM events WHERE number > $1 ORDER BY number LIMIT $2",
        &[after.into(), rows_max.into()],
    )?;
    rows.into_iter().map(event).collect()
}

fn event(mut row: Columns) -> Result<Event, StoreError> {
    Ok(Event {
        number: row.number()?,
        at: row.time()?,
        kind: row.named(EventKind::of_name)?,
        subject: row.text()?,
        body: row.text()?,
    })
}
