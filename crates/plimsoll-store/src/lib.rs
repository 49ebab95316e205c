//! What the server remembers: scans and their queue, what was found aboard, events, and what is to be delivered.
//!
//! There is one [`Store`], written once over two engines: SQLite for one machine, PostgreSQL for several. Its methods
//! block; whoever calls them from asynchronous code does so on a thread that may. Each method is one transaction. The
//! time comes in as an argument, so that all replicas can be held to one clock and tests need none.
//!
//! What surprises:
//!
//! - A scan *is* its job: one row in one table, found by its id, claimed with a lease. There is no second queue that
//!   could disagree with it.
//! - Every change of a scan's state writes an event in the same transaction. Events are numbered without holes that
//!   could be filled later, so that whoever has read up to a number has missed nothing before it.
//! - A transaction that loses against another is tried again a few times; only then is it [`StoreError::Conflict`].

mod days;
mod engine;
mod error;
mod events;
mod hearings;
mod inventories;
mod layers;
mod migrations;
mod notices;
mod outbox;
mod records;
mod scans;
mod settings;
mod steps;
mod tags;
mod wire;

use engine::Engine;

pub use days::Day;
pub use error::StoreError;
pub use events::{Event, EventKind, NewEvent};
pub use hearings::{
    Decision, Hearing, HearingClaimed, HearingFilter, HearingOutcome, HearingState, IsWithin, NewHearing,
};
pub use inventories::{InventoryRow, Judged, PackageRow, Severities};
pub use notices::{Notice, NoticeItem};
pub use outbox::{CursorMove, Delivery, DeliveryFilter, DeliveryState, DroppedDeliveries, NewDelivery, Went};
pub use records::{Checked, Ended, Record, RecordHead, Report, Spoken};
pub use scans::{
    Beat, Change, Child, Claim, Claimed, Lease, Outcome, Priority, Progress, Scan, ScanFilter, ScanKind,
    Submission, Submitted,
};
pub use settings::Counts;
pub use steps::Step;
pub use tags::{Repository, Tag, TagFilter};

/// Where the server remembers.
#[derive(Debug)]
pub struct Store {
    engine: Engine,
}

impl Store {
    /// Opens a store and brings its tables to the form that this version needs; safe where several do so at once.
    ///
    /// `place` is a path of a SQLite file, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=..`.
    pub fn open(place: &str) -> Result<Store, StoreError> {
        let engine = Engine::open(place)?;
        migrations::migrate(&engine)?;
        Ok(Store { engine })
    }

    /// `sqlite` or `postgresql`.
    pub fn engine(&self) -> &'static str {
        self.engine.name()
    }

    /// How many statements the store gave its engine since it was opened. What a page costs is held to this.
    pub fn statements(&self) -> u64 {
        self.engine.statements()
    }

    /// Whether the store takes what it is told: a full disk, and a PostgreSQL that only reads, answer every question.
    pub fn ping(&self) -> Result<(), StoreError> {
        self.set_setting("ping", "")
    }
}
