//! Small things that all replicas share, who does what alone, and counts for metrics.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_core::scan::ScanState;

use crate::{Store, StoreError};

/// How much there is of what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Scans by state.
    pub scans: BTreeMap<ScanState, u64>,
    /// When the oldest scan that waits was put into the queue.
    pub oldest_queued: Option<Timestamp>,
    /// Images with an inventory.
    pub inventories: u64,
    /// Layers.
    pub layers: u64,
    /// Distinct packages.
    pub packages: u64,
    /// Deliveries that wait, by target, and those that were given up.
    pub deliveries: BTreeMap<String, (u64, u64)>,
}

impl Store {
    /// A small text that all replicas share.
    pub fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let _ = name;
        Err(StoreError::unfinished())
    }

    /// Sets it.
    pub fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let _ = (name, value);
        Err(StoreError::unfinished())
    }

    /// Takes or prolongs a duty that one replica at a time has: `true` where `holder` has it until then.
    pub fn take_duty(
        &self,
        name: &str,
        holder: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let _ = (name, holder, until, now);
        Err(StoreError::unfinished())
    }

    /// Counts.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        Err(StoreError::unfinished())
    }

    /// Forgets what is too old: events and ended deliveries from before a time, notifications from before it, names
    /// that were resolved before it, and layers and packages that no inventory has.
    pub fn prune(&self, before: Timestamp) -> Result<(), StoreError> {
        let _ = before;
        Err(StoreError::unfinished())
    }
}
