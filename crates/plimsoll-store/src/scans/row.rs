//! A scan as its row has it. A transition locks the row, changes this, and writes all of it back, so that what a state
//! implies for leases, times and secrets is said once, in [`Row::stand`].

use jiff::Timestamp;
use plimsoll_core::scan::{Reason, ScanState};

use super::{Child, Priority, Progress, Scan, ScanKind};
use crate::engine::{Columns, Transaction, Value, json};
use crate::wire::{judged_of_json, judged_to_json};
use crate::{EventKind, NewEvent, StoreError};

const COLUMNS: &str = "id, kind, digest, reference, registry, repository, successor, state, reason, detail, since, \
                       queued_at, started_at, finished_at, attempt, attempts_max, retry_at, priority, progress, awaited, \
                       index_state, judged, source, index_wanted, worker, lease, lease_until, cancelled";

const INSERT: &str = "INSERT INTO scans (id, kind, digest, reference, registry, repository, successor, state, reason, \
                      detail, since, queued_at, started_at, finished_at, attempt, attempts_max, retry_at, priority, \
                      progress, awaited, index_state, judged, source, index_wanted, worker, lease, lease_until, cancelled, \
                      due_at) \
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, \
                      $21, $22, $23, $24, $25, $26, $27, $28, $29) ON CONFLICT DO NOTHING";

const UPDATE: &str = "UPDATE scans SET kind = $2, digest = $3, reference = $4, registry = $5, repository = $6, \
                      successor = $7, state = $8, reason = $9, detail = $10, since = $11, queued_at = $12, \
                      started_at = $13, finished_at = $14, attempt = $15, attempts_max = $16, retry_at = $17, \
                      priority = $18, progress = $19, awaited = $20, index_state = $21, judged = $22, source = $23, \
                      index_wanted = $24, worker = $25, lease = $26, lease_until = $27, cancelled = $28, due_at = $29 \
                      WHERE id = $1";

/// A scan and what only the store knows of it. Has no `Debug`, for `source` is secret.
pub(super) struct Row {
    pub(super) scan: Scan,
    pub(super) source: Vec<u8>,
    /// What it is to be indexed by.
    pub(super) index_wanted: String,
    /// Who has it, or had it last.
    pub(super) worker: String,
    pub(super) lease: u64,
    /// There as long as a worker has it.
    pub(super) lease_until: Option<Timestamp>,
    pub(super) is_cancelled: bool,
}

impl Row {
    pub(super) fn of(mut columns: Columns) -> Result<Row, StoreError> {
        let columns = &mut columns;
        let scan = Scan {
            id: columns.text()?,
            kind: columns.named(ScanKind::of_name)?,
            digest: columns.optional_digest()?,
            reference: columns.text()?,
            registry: columns.text()?,
            repository: columns.text()?,
            successor: columns.optional_text()?,
            state: columns.named(ScanState::of_name)?,
            reason: columns.named(Reason::of_name)?,
            detail: columns.text()?,
            since: columns.time()?,
            queued_at: columns.time()?,
            started_at: columns.optional_time()?,
            finished_at: columns.optional_time()?,
            attempt: columns.number()?,
            attempts_max: columns.number()?,
            retry_at: columns.optional_time()?,
            priority: Priority::of_number(columns.integer()?)?,
            position: None,
            progress: columns.optional_json()?.map(Progress::of_numbers),
            awaited: columns.optional_json()?.unwrap_or_default(),
            index_state: columns.optional_text()?,
            judged: columns.optional_text()?.as_deref().map(judged_of_json).transpose()?,
            children: Vec::new(),
        };
        Ok(Row {
            scan,
            source: columns.blob()?,
            index_wanted: columns.text()?,
            worker: columns.text()?,
            lease: columns.number()?,
            lease_until: columns.optional_time()?,
            is_cancelled: columns.is_so()?,
        })
    }

    fn values(&self) -> Vec<Value> {
        let scan = &self.scan;
        vec![
            scan.id.as_str().into(),
            scan.kind.name().into(),
            scan.digest.as_ref().into(),
            scan.reference.as_str().into(),
            scan.registry.as_str().into(),
            scan.repository.as_str().into(),
            scan.successor.as_deref().into(),
            scan.state.name().into(),
            scan.reason.name().into(),
            scan.detail.as_str().into(),
            scan.since.into(),
            scan.queued_at.into(),
            scan.started_at.into(),
            scan.finished_at.into(),
            scan.attempt.into(),
            scan.attempts_max.into(),
            scan.retry_at.into(),
            scan.priority.number().into(),
            scan.progress.map(|progress| json(&progress.numbers())).into(),
            json(&scan.awaited).into(),
            scan.index_state.as_deref().into(),
            scan.judged.as_ref().map(judged_to_json).into(),
            self.source.as_slice().into(),
            self.index_wanted.as_str().into(),
            self.worker.as_str().into(),
            self.lease.into(),
            self.lease_until.into(),
            self.is_cancelled.into(),
            self.due_at().into(),
        ]
    }

    /// From when on it may be claimed.
    fn due_at(&self) -> Option<Timestamp> {
        match self.scan.state {
            ScanState::Queued => Some(self.scan.queued_at),
            ScanState::Retrying => self.scan.retry_at,
            state if state.is_at_work() => self.lease_until,
            _ => None,
        }
    }

    /// Whether a worker has it whose lease has not run out.
    pub(super) fn is_held(&self, now: Timestamp) -> bool {
        self.lease_until.is_some_and(|until| until > now)
    }

    /// Puts it into a state, with what the state implies.
    pub(super) fn stand(&mut self, state: ScanState, reason: Reason, detail: &str, now: Timestamp) {
        let scan = &mut self.scan;
        (scan.state, scan.reason, scan.since) = (state, reason, now);
        detail.clone_into(&mut scan.detail);
        scan.finished_at = state.is_final().then_some(now);
        if state != ScanState::Retrying {
            scan.retry_at = None;
        }
        if state != ScanState::FeedsNotLoaded {
            scan.awaited.clear();
        }
        if !state.is_at_work() {
            scan.progress = None;
            self.lease_until = None;
            self.is_cancelled = false;
        }
        // Layers are known then, and whoever needs it again gives it again.
        if state.is_final() || state == ScanState::FeedsNotLoaded {
            self.source.clear();
        }
    }

    /// Ends it as failed. What was only to be read again by newer rules, and cannot be (whoever asked for it gave a login
    /// that is gone), stands as it was found before, and says so.
    pub(super) fn fail(&mut self, reason: Reason, detail: &str, now: Timestamp) {
        if self.scan.priority != Priority::Rescan || self.scan.judged.is_none() {
            return self.stand(ScanState::Failed, reason, detail, now);
        }
        let detail = format!(
            "what was found before stands; it could not be read again by newer rules ({reason}): {detail}; ask for it again"
        );
        self.stand(ScanState::Completed, Reason::WithGaps, &detail, now);
    }

    /// Puts it into the queue as if for the first time.
    pub(super) fn queue(&mut self, reason: Reason, now: Timestamp) {
        self.stand(ScanState::Queued, reason, "", now);
        self.scan.queued_at = now;
        self.scan.started_at = None;
        self.scan.attempt = 0;
    }

    /// The event of the state that it is in.
    pub(super) fn changed(&self) -> NewEvent {
        let scan = &self.scan;
        let body = ScanChanged {
            state: scan.state.name(),
            reason: scan.reason.name(),
            detail: &scan.detail,
            attempt: scan.attempt,
            repository: &scan.repository,
            registry: &scan.registry,
            reference: &scan.reference,
            digest: scan.digest.as_ref().map(|digest| digest.as_str()),
        };
        NewEvent { kind: EventKind::ScanChanged, subject: scan.id.clone(), body: json(&body) }
    }

    /// Writes it and notes the event of its state.
    pub(super) fn write_changed(
        &self,
        transaction: &mut Transaction<'_>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(transaction)?;
        transaction.note(self.changed(), now);
        Ok(())
    }

    /// Writes it.
    pub(super) fn write(&self, transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
        transaction.execute(UPDATE, &self.values()).map(drop)
    }

    /// Writes it where it is not there yet; whether it was not.
    pub(super) fn insert(&self, transaction: &mut Transaction<'_>) -> Result<bool, StoreError> {
        Ok(transaction.execute(INSERT, &self.values())? == 1)
    }
}

/// The body of an event, as `Event.body` describes it.
#[derive(serde::Serialize)]
struct ScanChanged<'a> {
    state: &'a str,
    reason: &'a str,
    detail: &'a str,
    attempt: u32,
    repository: &'a str,
    registry: &'a str,
    reference: &'a str,
    digest: Option<&'a str>,
}

/// Rows by what follows `FROM scans` in a statement.
pub(super) fn rows(
    transaction: &mut Transaction<'_>,
    rest: &str,
    values: &[Value],
) -> Result<Vec<Row>, StoreError> {
    let found = transaction.query(&format!("SELECT {COLUMNS} FROM scans {rest}"), values)?;
    found.into_iter().map(Row::of).collect()
}

/// The question for one row.
pub(super) fn by_id() -> String {
    format!("SELECT {COLUMNS} FROM scans WHERE id = $1")
}

/// Whether no other rows say anything of a scan; see [`complete`].
pub(super) fn is_whole(scan: &Scan) -> bool {
    scan.state != ScanState::Queued && scan.kind != ScanKind::Index
}

/// A row that nobody else changes until the transaction ends.
pub(super) fn locked(transaction: &mut Transaction<'_>, id: &str) -> Result<Option<Row>, StoreError> {
    Ok(rows(transaction, "WHERE id = $1 {for_update}", &[id.into()])?.pop())
}

/// A scan with its position and children.
pub(super) fn whole(transaction: &mut Transaction<'_>, id: &str) -> Result<Option<Scan>, StoreError> {
    let Some(row) = rows(transaction, "WHERE id = $1", &[id.into()])?.pop() else { return Ok(None) };
    complete(transaction, row.scan).map(Some)
}

/// Adds what other rows say of a scan.
pub(super) fn complete(transaction: &mut Transaction<'_>, mut scan: Scan) -> Result<Scan, StoreError> {
    if scan.state == ScanState::Queued {
        let before = transaction.row(
            "SELECT count(*) FROM scans
             WHERE state = 'queued' AND (priority, queued_at, id) < ($1, $2, $3)",
            &[scan.priority.number().into(), scan.queued_at.into(), scan.id.as_str().into()],
        )?;
        scan.position = before.map(|mut row| row.number()).transpose()?;
    }
    if scan.kind == ScanKind::Index {
        let children = transaction.query(
            "SELECT digest, platform, media_type, size, attestation FROM children WHERE parent = $1 ORDER BY position",
            &[scan.id.as_str().into()],
        )?;
        for mut row in children {
            scan.children.push(Child {
                digest: row.digest()?,
                platform: row.text()?,
                media_type: row.text()?,
                size: row.number()?,
                is_attestation: row.is_so()?,
            });
        }
    }
    Ok(scan)
}

impl ScanKind {
    const ALL: [ScanKind; 4] = [ScanKind::Reference, ScanKind::Digest, ScanKind::Image, ScanKind::Index];

    fn name(self) -> &'static str {
        match self {
            ScanKind::Reference => "reference",
            ScanKind::Digest => "digest",
            ScanKind::Image => "image",
            ScanKind::Index => "index",
        }
    }

    fn of_name(name: &str) -> Option<ScanKind> {
        ScanKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Priority {
    const ALL: [Priority; 3] = [Priority::Asked, Priority::Watched, Priority::Rescan];

    fn number(self) -> i64 {
        match self {
            Priority::Asked => 0,
            Priority::Watched => 1,
            Priority::Rescan => 2,
        }
    }

    fn of_number(number: i64) -> Result<Priority, StoreError> {
        let found = Priority::ALL.into_iter().find(|priority| priority.number() == number);
        found.ok_or_else(|| StoreError::Damaged(format!("{number} is no priority")))
    }

    /// Why something of this priority waits.
    pub(super) fn reason(self) -> Reason {
        match self {
            Priority::Asked => Reason::Asked,
            Priority::Watched => Reason::Watched,
            Priority::Rescan => Reason::Rescan,
        }
    }
}

impl Progress {
    pub(super) fn numbers(self) -> (u32, u32, u64, u64) {
        (self.layers_done, self.layers, self.bytes_done, self.bytes)
    }

    fn of_numbers((layers_done, layers, bytes_done, bytes): (u32, u32, u64, u64)) -> Progress {
        Progress { layers_done, layers, bytes_done, bytes }
    }
}
