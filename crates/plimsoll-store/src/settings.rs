//! Small things that all replicas share, who does what alone, and counts for metrics.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_core::scan::ScanState;

use crate::engine::Transaction;
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
    /// Deliveries that were dropped, by target.
    pub dropped: BTreeMap<String, u64>,
}

impl Store {
    /// A small text that all replicas share.
    pub fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let rows = self.engine.query("SELECT value FROM settings WHERE name = $1", &[name.into()])?;
        rows.into_iter().next().map(|mut row| row.text()).transpose()
    }

    /// Sets it.
    pub fn set_setting(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.engine.transaction(|transaction| {
            transaction.execute(
                "INSERT INTO settings (name, value) VALUES ($1, $2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                &[name.into(), value.into()],
            )?;
            Ok(())
        })
    }

    /// Takes or prolongs a duty that one replica at a time has: `true` where `holder` has it until then.
    pub fn take_duty(
        &self,
        name: &str,
        holder: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let values = [name.into(), holder.into(), until.into(), now.into()];
        self.engine.transaction(|transaction| {
            let taken = transaction.execute(
                "INSERT INTO duties (name, holder, until) VALUES ($1, $2, $3)
                 ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
                 WHERE duties.holder = excluded.holder OR duties.until <= $4",
                &values,
            )?;
            Ok(taken == 1)
        })
    }

    /// Counts.
    pub fn counts(&self) -> Result<Counts, StoreError> {
        self.engine.read(|transaction| {
            let mut counts = Counts::default();
            for mut row in transaction.query("SELECT state, count(*) FROM scans GROUP BY state", &[])? {
                counts.scans.insert(row.named(ScanState::of_name)?, row.number()?);
            }
            let oldest = "SELECT min(queued_at) FROM scans WHERE state IN ('queued', 'retrying')";
            if let Some(mut row) = transaction.row(oldest, &[])? {
                counts.oldest_queued = row.optional_time()?;
            }
            counts.inventories = count(transaction, "SELECT count(*) FROM inventories")?;
            counts.layers = count(transaction, "SELECT count(*) FROM layers")?;
            counts.packages = count(transaction, "SELECT count(*) FROM packages")?;
            let deliveries =
                "SELECT target, CAST(sum(CASE WHEN state = 'waiting' THEN 1 ELSE 0 END) AS BIGINT),
                                     CAST(sum(CASE WHEN state = 'dead' THEN 1 ELSE 0 END) AS BIGINT),
                                     CAST(sum(CASE WHEN state = 'dropped' THEN 1 ELSE 0 END) AS BIGINT)
                              FROM deliveries WHERE state <> 'delivered' GROUP BY target";
            for mut row in transaction.query(deliveries, &[])? {
                let target = row.text()?;
                counts.deliveries.insert(target.clone(), (row.number()?, row.number()?));
                counts.dropped.insert(target, row.number()?);
            }
            Ok(counts)
        })
    }

    /// Forgets what is too old: events and ended deliveries from before a time, notifications from before it, names
    /// that were resolved before it or could not be, clearances that failed before it, digests that led to nothing before
    /// it and that no index names, and layers and packages that no inventory has.
    ///
    /// Each of these is a transaction of its own. Of a layer that was read by several sets of rules, only what the
    /// newest said is kept. A scan that is in hand and has no inventory yet may have to read a layer again.
    pub fn prune(&self, before: Timestamp) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM events WHERE at < $1",
            "DELETE FROM deliveries WHERE ended_at < $1",
            "DELETE FROM notices WHERE at < $1",
            "DELETE FROM scans WHERE kind = 'reference' AND finished_at < $1",
            "DELETE FROM hearings WHERE state = 'failed' AND finished_at < $1",
            "DELETE FROM scans WHERE kind = 'digest' AND state IN ('failed', 'cancelled') AND finished_at < $1
             AND NOT EXISTS (SELECT 1 FROM children WHERE children.digest = scans.id)",
        ] {
            self.engine.transaction(|transaction| transaction.execute(sql, &[before.into()]))?;
        }
        for sql in [
            "DELETE FROM layers
             WHERE EXISTS (SELECT 1 FROM layers newer WHERE newer.digest = layers.digest AND newer.number > layers.number)",
            "DELETE FROM layers
             WHERE NOT EXISTS (SELECT 1 FROM image_layers WHERE image_layers.layer = layers.digest)",
        ] {
            self.engine.transaction(|transaction| transaction.execute(sql, &[]))?;
        }
        crate::inventories::forget_packages(&self.engine)
    }
}

fn count(transaction: &mut Transaction<'_>, sql: &str) -> Result<u64, StoreError> {
    transaction.row(sql, &[])?.map_or(Ok(0), |mut row| row.number())
}
