//! What is to be delivered to whom, and how that goes.
//!
//! Deliveries of one target never wait for those of another: each target is claimed for itself.

use jiff::Timestamp;

use crate::{Lease, Store, StoreError};

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits for its time.
    Waiting,
    /// The other side took it.
    Delivered,
    /// It was tried as often as it may be.
    Dead,
}

/// Something to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// Name of the target in the configuration.
    pub target: String,
    /// Unique by target: what is put in twice is there once.
    pub key: String,
    /// Media type of the body.
    pub media_type: String,
    /// What is said.
    pub body: Vec<u8>,
    /// When it is due.
    pub due_at: Timestamp,
}

/// Something to deliver, and how that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number.
    pub number: u64,
    /// Name of the target.
    pub target: String,
    /// Unique by target.
    pub key: String,
    /// Media type of the body.
    pub media_type: String,
    /// What is said.
    pub body: Vec<u8>,
    /// When it was put in.
    pub at: Timestamp,
    /// How it stands.
    pub state: DeliveryState,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is tried next, while it waits.
    pub due_at: Timestamp,
    /// When it was delivered or given up.
    pub ended_at: Option<Timestamp>,
    /// What went wrong last.
    pub error: Option<String>,
}

/// Which deliveries are listed.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only to this target.
    pub target: Option<String>,
    /// Only of this state.
    pub state: Option<DeliveryState>,
    /// Only older than this number; the newest come first.
    pub before: Option<u64>,
    /// Most rows.
    pub rows_max: u32,
}

impl Store {
    /// Puts deliveries in, and moves a cursor in the same transaction, so that what follows events misses none and
    /// repeats none after a kill.
    pub fn put_deliveries(
        &self,
        deliveries: &[NewDelivery],
        cursor: Option<(&str, u64)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let _ = (deliveries, cursor, now);
        Err(StoreError::unfinished())
    }

    /// How far a cursor is; 0 where there is none.
    pub fn cursor(&self, name: &str) -> Result<u64, StoreError> {
        let _ = name;
        Err(StoreError::unfinished())
    }

    /// Claims up to so many deliveries of a target that are due, the oldest first.
    pub fn claim_deliveries(
        &self,
        target: &str,
        worker: &str,
        rows_max: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<(Delivery, Lease)>, StoreError> {
        let _ = (target, worker, rows_max, until, now);
        Err(StoreError::unfinished())
    }

    /// Notes how a delivery went: `Ok` delivered; `Err` what went wrong, and when to try again, or `None` to give up.
    pub fn finish_delivery(
        &self,
        lease: &Lease,
        went: Result<(), (String, Option<Timestamp>)>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let _ = (lease, went, now);
        Err(StoreError::unfinished())
    }

    /// Deliveries, the newest first.
    pub fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        let _ = filter;
        Err(StoreError::unfinished())
    }

    /// Has a delivery made once more, whatever became of it. `false` where it is not known.
    pub fn replay_delivery(&self, number: u64, now: Timestamp) -> Result<bool, StoreError> {
        let _ = (number, now);
        Err(StoreError::unfinished())
    }
}
