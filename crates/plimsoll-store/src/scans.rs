//! Scans and their queue.
//!
//! A scan goes from `queued` over the states of a worker to a final one. Only the worker that holds its lease changes
//! it, besides cancelling. A lease that ran out may be claimed by another worker; the number of the lease then is
//! another one, so that what the first one says afterwards is not heard.

use std::fmt;

use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::{Reason, ScanState};

use crate::engine::{Value, as_kept, json};
use crate::{InventoryRow, Judged, Store, StoreError};

mod claim;
mod finish;
mod row;
mod several;
mod submit;

use claim::Found;
use finish::Prepared;

/// Scans that are put back into the queue in one transaction.
const QUEUED_AT_ONCE_MAX: u32 = 500;

/// What a scan is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanKind {
    /// A name whose digest is not known yet. Ends with [`Outcome::Resolved`].
    Reference,
    /// A digest that is not known yet to be an index or an image.
    Digest,
    /// An image manifest.
    Image,
    /// An index: its state is that of its children.
    Index,
}

/// Whose turn it is: smaller comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Somebody waits for it.
    Asked,
    /// A watched registry has it.
    Watched,
    /// It was scanned before, by older rules.
    Rescan,
}

/// How far a worker is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Layers that are done.
    pub layers_done: u32,
    /// Layers there are.
    pub layers: u32,
    /// Stored bytes read so far.
    pub bytes_done: u64,
    /// Stored bytes there are; 0 where that is not known.
    pub bytes: u64,
}

/// What is asked for.
#[derive(Clone)]
pub struct Submission {
    /// The manifest's digest, or `None` for a name whose digest must first be asked for.
    pub digest: Option<Digest>,
    /// What it is, as far as is known.
    pub kind: ScanKind,
    /// The reference as it was given, without credentials; empty where there is none (Clair's manifests).
    pub reference: String,
    /// `HOST[:PORT]` of the registry, by which scans at once are limited; empty where there is none.
    pub registry: String,
    /// `NAMESPACE/NAME` in that registry; empty where there is none.
    pub repository: String,
    /// How to get it, and how it is to be asked for, in the worker's own form. May hold secrets: never shown.
    pub source: Vec<u8>,
    /// Whose turn it is.
    pub priority: Priority,
    /// Why it is queued: [`Reason::Asked`], [`Reason::Watched`] or [`Reason::Rescan`].
    pub reason: Reason,
    /// How often it may be tried.
    pub attempts_max: u32,
    /// What images are indexed by now. A scan that completed by the same is not queued again.
    pub index_state: String,
    /// Whether it is queued again although it is completed by the same.
    pub is_forced: bool,
}

impl fmt::Debug for Submission {
    /// Without its source.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission")
            .field("digest", &self.digest)
            .field("kind", &self.kind)
            .field("reference", &self.reference)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

/// What became of a submission.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The scan, new or not.
    pub scan: Scan,
    /// Whether it was not known before.
    pub is_new: bool,
    /// Whether it was put into the queue by this submission.
    pub is_queued: bool,
    /// Whether it is remembered that this repository has it. Of an image that is in very many repositories it is not,
    /// and whoever is held to this one does not see it.
    pub is_place_noted: bool,
}

/// One scan.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The digest as text; for a name whose digest was not known, `ref-` and random characters.
    pub id: String,
    /// What it is of.
    pub kind: ScanKind,
    /// The manifest's digest, once it is known.
    pub digest: Option<Digest>,
    /// The reference as it was first given.
    pub reference: String,
    /// `HOST[:PORT]` of its registry.
    pub registry: String,
    /// `NAMESPACE/NAME` there.
    pub repository: String,
    /// For a name that was resolved: the id of the scan that it led to.
    pub successor: Option<String>,
    /// Where it stands.
    pub state: ScanState,
    /// Why it stands there.
    pub reason: Reason,
    /// The same for people, and what to do.
    pub detail: String,
    /// Since when it stands there.
    pub since: Timestamp,
    /// When it was last put into the queue.
    pub queued_at: Timestamp,
    /// When a worker first took it since then.
    pub started_at: Option<Timestamp>,
    /// When it reached a final state.
    pub finished_at: Option<Timestamp>,
    /// Attempts that were begun since it was put into the queue.
    pub attempt: u32,
    /// How often it may be tried.
    pub attempts_max: u32,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// Whose turn it is.
    pub priority: Priority,
    /// How many scans are before it in the queue; only while it is queued.
    pub position: Option<u64>,
    /// How far the worker is; only while one is at work.
    pub progress: Option<Progress>,
    /// Feeds that it waits for.
    pub awaited: Vec<String>,
    /// What it was last indexed by.
    pub index_state: Option<String>,
    /// What was last found, and in which database.
    pub judged: Option<Judged>,
    /// For an index: what it names, in its order.
    pub children: Vec<Child>,
}

/// One entry of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its digest.
    pub digest: Digest,
    /// `os/architecture[/variant]`; empty where the index does not say.
    pub platform: String,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is something about an image instead of an image, and so is not scanned.
    pub is_attestation: bool,
}

/// What a worker may claim.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// Who claims: unique among all workers of all replicas.
    pub worker: &'a str,
    /// Until when the lease holds unless it is prolonged.
    pub until: Timestamp,
    /// Most scans of one registry in hand at once, over all replicas.
    pub per_registry_max: u32,
    /// Most scans in hand at once, over all replicas.
    pub all_max: u32,
    /// Claims this scan and no other, whatever the limits (a client waits for it with its connection open).
    pub only: Option<&'a str>,
}

/// A scan that was claimed.
#[derive(Clone)]
pub struct Claimed {
    /// The scan, its attempt counted.
    pub scan: Scan,
    /// How to get it, as it was submitted.
    pub source: Vec<u8>,
    /// The right to change it.
    pub lease: Lease,
}

impl fmt::Debug for Claimed {
    /// Without its source.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claimed")
            .field("scan", &self.scan)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// The right to change a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which scan.
    pub id: String,
    /// Whose.
    pub worker: String,
    /// Counts the leases of the scan.
    pub number: u64,
}

/// What the store says to a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Whether the lease still holds; otherwise whatever the worker does is in vain.
    pub is_held: bool,
    /// Whether somebody asked to call it off.
    pub is_cancelled: bool,
}

/// A change on the way.
#[derive(Clone, Debug)]
pub struct Change {
    /// [`ScanState::Fetching`], [`ScanState::Indexing`] or [`ScanState::Matching`].
    pub state: ScanState,
    /// For people.
    pub detail: String,
    /// What it turned out to be, where that is new.
    pub kind: Option<ScanKind>,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A name leads to this digest, which is submitted in the same transaction; the scan of the name ends as
    /// completed with a successor.
    Resolved(Box<Submission>),
    /// It is an index; its children that are images are submitted in the same transaction.
    Index {
        /// What it names.
        children: Vec<Child>,
        /// The submissions of its images.
        submissions: Vec<Submission>,
    },
    /// It is indexed and judged: [`ScanState::Completed`] or [`ScanState::Unsupported`] with this reason.
    Judged {
        /// What is aboard.
        inventory: Box<InventoryRow>,
        /// What was found.
        judged: Judged,
        /// [`ScanState::Completed`] or [`ScanState::Unsupported`].
        state: ScanState,
        /// [`Reason::Complete`], [`Reason::WithGaps`] or why it is not supported.
        reason: Reason,
        /// For people.
        detail: String,
    },
    /// It is indexed, and there is nothing to match it against: [`ScanState::FeedsNotLoaded`]. The lease ends; the
    /// scan is claimed again for matching when [`Store::wake_awaiting`] says so.
    Awaiting {
        /// What is aboard.
        inventory: Box<InventoryRow>,
        /// [`Reason::NoDatabase`] or [`Reason::FeedsAwaited`].
        reason: Reason,
        /// Which feeds it waits for.
        awaited: Vec<String>,
        /// For people.
        detail: String,
    },
    /// It may work another time: [`ScanState::Retrying`], or [`ScanState::Failed`] with
    /// [`Reason::AttemptsExhausted`] where this was the last attempt.
    Retry {
        /// Why it did not work.
        reason: Reason,
        /// For people.
        detail: String,
        /// When to try again.
        at: Timestamp,
    },
    /// The worker ends: the scan goes back into the queue, and the attempt does not count.
    HandedBack,
    /// It will not work: [`ScanState::Unsupported`], [`ScanState::Failed`] or [`ScanState::Cancelled`].
    Ended {
        /// The final state.
        state: ScanState,
        /// Why.
        reason: Reason,
        /// For people.
        detail: String,
    },
}

/// Which scans are listed.
#[derive(Clone, Debug, Default)]
pub struct ScanFilter {
    /// Only of this state.
    pub state: Option<ScanState>,
    /// Only of this registry and repository, as far as each is not empty.
    pub registry: String,
    /// See `registry`.
    pub repository: String,
    /// Only after this id, in the order of ids.
    pub after: Option<String>,
    /// Most rows.
    pub rows_max: u32,
}

impl Store {
    /// Takes a submission: a scan that is not known is queued; one that is on its way moves forward in the queue if
    /// this one is more urgent, and keeps the newer source; one that is final is queued again where it failed, was
    /// cancelled, was indexed by something else, or `is_forced`. What this returns is on disk.
    pub fn submit(&self, submission: &Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        let now = as_kept(now);
        self.engine.transaction(|transaction| {
            let taken = submit::take(transaction, submission, now)?;
            let scan = row::complete(transaction, taken.scan.clone())?;
            let submit::Taken { is_new, is_queued, is_place_noted, .. } = taken;
            Ok(Submitted { scan, is_new, is_queued, is_place_noted })
        })
    }

    /// One scan by its id, with its position, children, and what was found.
    pub fn scan(&self, id: &str) -> Result<Option<Scan>, StoreError> {
        // Asked for most often and by itself mostly all there is, which spares beginning and ending a transaction.
        let rows = self.engine.query(&row::by_id(), &[id.into()])?;
        let Some(columns) = rows.into_iter().next() else { return Ok(None) };
        let scan = row::Row::of(columns)?.scan;
        match row::is_whole(&scan) {
            true => Ok(Some(scan)),
            false => self.engine.read(|transaction| row::whole(transaction, id)),
        }
    }

    /// Scans, in the order of their ids, without positions and children.
    pub fn scans(&self, filter: &ScanFilter) -> Result<Vec<Scan>, StoreError> {
        self.listed(filter, None)
    }

    /// The same, of those alone that were asked for in a repository that `is_within` says of: registry, repository.
    pub fn scans_within(
        &self,
        filter: &ScanFilter,
        is_within: &dyn Fn(&str, &str) -> bool,
    ) -> Result<Vec<Scan>, StoreError> {
        // Of those there are few, and their names are not for a database to compare.
        let rows = self.engine.query("SELECT DISTINCT registry, repository FROM places", &[])?;
        let mut within = Vec::new();
        for mut row in rows {
            let place = (row.text()?, row.text()?);
            if is_within(&place.0, &place.1) {
                within.push(place);
            }
        }
        self.listed(filter, Some(within))
    }

    fn listed(
        &self,
        filter: &ScanFilter,
        within: Option<Vec<(String, String)>>,
    ) -> Result<Vec<Scan>, StoreError> {
        let mut values: Vec<Value> = Vec::new();
        let mut rest = "WHERE TRUE".to_owned();
        if let Some(within) = within {
            // The first value is the one that is laid out as rows.
            values.push(json(&within).into());
            rest.push_str(
                " AND id IN (SELECT places.scan FROM {rows} JOIN places ON places.registry = listed.value->>0
                             AND places.repository = listed.value->>1)",
            );
        }
        if let Some(after) = &filter.after {
            values.push(after.as_str().into());
            rest += &format!(" AND id > ${}", values.len());
        }
        let is = |column: &str, wanted: &str, values: &mut Vec<Value>| match wanted {
            "" => String::new(),
            _ => {
                values.push(wanted.into());
                format!(" AND {column} = ${}", values.len())
            }
        };
        rest += &is("state", filter.state.map_or("", ScanState::name), &mut values);
        let registry = is("registry", &filter.registry, &mut values);
        let repository = is("repository", &filter.repository, &mut values);
        if !registry.is_empty() || !repository.is_empty() {
            rest += &format!(" AND id IN (SELECT scan FROM places WHERE TRUE{registry}{repository})");
        }
        values.push(filter.rows_max.into());
        rest += &format!(" ORDER BY id LIMIT ${}", values.len());
        let rows = self.engine.read(|transaction| row::rows(transaction, &rest, &values))?;
        Ok(rows.into_iter().map(|row| row.scan).collect())
    }

    /// Every repository that a scan was asked for in, registry and repository, sorted.
    pub fn places(&self, id: &str) -> Result<Vec<(String, String)>, StoreError> {
        let asked = "SELECT registry, repository FROM places WHERE scan = $1 ORDER BY registry, repository";
        let rows = self.engine.query(asked, &[id.into()])?;
        rows.into_iter().map(|mut row| Ok((row.text()?, row.text()?))).collect()
    }

    /// Claims the next scan that is due: queued, retrying with its time come, woken, or left by a worker whose lease
    /// ran out. The latter counts as an attempt that failed with [`Reason::WorkerLost`]: where it was the last one,
    /// the scan ends as failed and another one is looked for. The scan becomes [`ScanState::Fetching`].
    ///
    /// `per_registry_max` does not hold for scans without a registry.
    pub fn claim(&self, claim: &Claim<'_>, now: Timestamp) -> Result<Option<Claimed>, StoreError> {
        let now = as_kept(now);
        loop {
            match self.engine.transaction(|transaction| claim::claim(transaction, claim, now))? {
                Found::Nothing => return Ok(None),
                Found::Ended => {}
                Found::Scan(claimed) => return Ok(Some(*claimed)),
            }
        }
    }

    /// Prolongs a lease and notes how far the worker is. No event is written for progress.
    pub fn beat(
        &self,
        lease: &Lease,
        until: Timestamp,
        progress: Option<Progress>,
        _now: Timestamp,
    ) -> Result<Beat, StoreError> {
        let progress = progress.map(|progress| json(&progress.numbers()));
        let values: [Value; 5] = [
            lease.id.as_str().into(),
            lease.worker.as_str().into(),
            lease.number.into(),
            until.into(),
            progress.into(),
        ];
        self.engine.transaction(|transaction| {
            let beaten = transaction.row(
                "UPDATE scans SET lease_until = $4, due_at = $4, progress = COALESCE($5, progress)
                 WHERE id = $1 AND worker = $2 AND lease = $3 AND lease_until IS NOT NULL RETURNING cancelled",
                &values,
            )?;
            match beaten {
                Some(mut row) => Ok(Beat { is_held: true, is_cancelled: row.is_so()? }),
                None => Ok(Beat { is_held: false, is_cancelled: false }),
            }
        })
    }

    /// Changes a scan on the way. `false` where the lease does not hold any more.
    pub fn advance(&self, lease: &Lease, change: &Change, now: Timestamp) -> Result<bool, StoreError> {
        self.engine.transaction(|transaction| {
            let Some(mut row) = claim::held(transaction, lease)? else { return Ok(false) };
            let reason = row.scan.reason;
            row.stand(change.state, reason, &change.detail, now);
            row.scan.kind = change.kind.unwrap_or(row.scan.kind);
            row.write_changed(transaction, now)?;
            Ok(true)
        })
    }

    /// Ends an attempt and gives the lease back, with all that comes of it in one transaction. `false` where the lease
    /// does not hold any more, and then nothing has changed. Doing it twice is doing it once.
    pub fn finish(&self, lease: &Lease, outcome: &Outcome, now: Timestamp) -> Result<bool, StoreError> {
        let prepared = Prepared::of(lease, outcome)?;
        self.engine.transaction(|transaction| prepared.apply(transaction, lease, now))
    }

    /// Calls a scan off: at once where no worker has it, else at the worker's next heartbeat. `false` where it is
    /// final already or not known.
    pub fn cancel(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.engine.transaction(|transaction| claim::cancel(transaction, id, now))
    }

    /// Puts scans that have waited for feeds since before a time back into the queue; returns how many. They are claimed
    /// as scans whose layers are known, so that only matching is left. One that comes back to wait is not among them.
    pub fn wake_awaiting(&self, stood_before: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        let mut woken = 0;
        loop {
            let some = self.engine.transaction(|transaction| {
                submit::wake(transaction, stood_before, QUEUED_AT_ONCE_MAX, now)
            })?;
            woken += some;
            if some == 0 {
                return Ok(woken);
            }
        }
    }

    /// Puts up to so many completed images of another index state back into the queue, the newest first; returns
    /// their number. Their sources are gone, so a worker gets them by reference or from what it remembers.
    pub fn queue_rescans(&self, index_state: &str, rows_max: u32, now: Timestamp) -> Result<u64, StoreError> {
        let mut queued = 0;
        loop {
            let left = rows_max.saturating_sub(u32::try_from(queued).unwrap_or(u32::MAX));
            let rows_max = left.min(QUEUED_AT_ONCE_MAX);
            let some = self
                .engine
                .transaction(|transaction| submit::rescan(transaction, index_state, rows_max, now))?;
            queued += some;
            if some == 0 {
                return Ok(queued);
            }
        }
    }

    /// Forgets a scan, its inventory and its tags. `false` where it is not known. A worker that has it loses its
    /// lease. Layers stay until [`Store::prune`].
    pub fn forget(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.engine.transaction(|transaction| {
            if transaction.execute("DELETE FROM scans WHERE id = $1", &[id.into()])? == 0 {
                return Ok(false);
            }
            transaction.execute("DELETE FROM inventories WHERE image = $1", &[id.into()])?;
            crate::tags::forget_leading_to(transaction, id, now)?;
            Ok(true)
        })
    }
}
