//! What becomes of a submission.

use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::{Reason, ScanState};

use super::row::{self, Row};
use super::{Scan, ScanKind, Submission};
use crate::StoreError;
use crate::engine::{Transaction, clean, random_id};

/// Most repositories that are remembered of one scan.
pub(super) const PLACES_MAX: u32 = 1_000;

/// A scan that was submitted, whether it is new, and whether it was put into the queue.
pub(super) struct Taken {
    pub(super) scan: Scan,
    pub(super) is_new: bool,
    pub(super) is_queued: bool,
    /// See [`super::Submitted::is_place_noted`].
    pub(super) is_place_noted: bool,
}

impl Taken {
    /// Its place is noted next.
    fn of(scan: Scan, is_new: bool, is_queued: bool) -> Taken {
        Taken { scan, is_new, is_queued, is_place_noted: true }
    }
}

pub(super) fn take(
    transaction: &mut Transaction<'_>,
    submission: &Submission,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    let taken = match &submission.digest {
        Some(digest) => by_digest(transaction, submission, digest, now),
        None => by_name(transaction, submission, now),
    }?;
    let is_place_noted = note_place(transaction, &taken.scan.id, submission)?;
    Ok(Taken { is_place_noted, ..taken })
}

/// Notes in which repository a scan was asked for. `false` where there are too many of them.
fn note_place(
    transaction: &mut Transaction<'_>,
    id: &str,
    submission: &Submission,
) -> Result<bool, StoreError> {
    if submission.repository.is_empty() {
        return Ok(true);
    }
    let place = [id.into(), clean(&submission.registry).into(), clean(&submission.repository).into()];
    let note = "INSERT INTO places (scan, registry, repository)
                SELECT $1, $2, $3 WHERE (SELECT COUNT(*) FROM places WHERE scan = $1) < $4
                ON CONFLICT DO NOTHING";
    let [scan, registry, repository] = place.clone();
    if transaction.execute(note, &[scan, registry, repository, PLACES_MAX.into()])? > 0 {
        return Ok(true);
    }
    let known = "SELECT 1 FROM places WHERE scan = $1 AND registry = $2 AND repository = $3";
    Ok(transaction.row(known, &place)?.is_some())
}

fn by_digest(
    transaction: &mut Transaction<'_>,
    submission: &Submission,
    digest: &Digest,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    if let Some(known) = row::locked(transaction, digest.as_str())? {
        return again(transaction, known, submission, now);
    }
    let new = new(submission, digest.as_str().to_owned(), now);
    if new.insert(transaction)? {
        transaction.note(new.changed(), now);
        return Ok(Taken::of(new.scan, true, true));
    }
    // Somebody else was faster.
    match row::locked(transaction, digest.as_str())? {
        Some(known) => again(transaction, known, submission, now),
        None => Err(StoreError::Conflict(format!("`{digest}` comes and goes"))),
    }
}

/// A name that is being resolved is found by itself; one that was is asked for anew.
fn by_name(
    transaction: &mut Transaction<'_>,
    submission: &Submission,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    let unresolved = "WHERE reference = $1 AND kind = 'reference' AND due_at IS NOT NULL {for_update}";
    let reference = clean(&submission.reference);
    if let Some(known) = row::rows(transaction, unresolved, &[reference.as_str().into()])?.pop() {
        return again(transaction, known, submission, now);
    }
    let new = new(submission, random_id("ref", now), now);
    if new.insert(transaction)? {
        transaction.note(new.changed(), now);
        return Ok(Taken::of(new.scan, true, true));
    }
    match row::rows(transaction, unresolved, &[reference.as_str().into()])?.pop() {
        Some(known) => again(transaction, known, submission, now),
        None => Err(StoreError::Conflict(format!("`{reference}` comes and goes"))),
    }
}

fn new(submission: &Submission, id: String, now: Timestamp) -> Row {
    let kind = if submission.digest.is_none() { ScanKind::Reference } else { submission.kind };
    let scan = Scan {
        id,
        kind,
        digest: submission.digest.clone(),
        reference: clean(&submission.reference),
        registry: clean(&submission.registry),
        repository: clean(&submission.repository),
        successor: None,
        state: ScanState::Queued,
        reason: submission.reason,
        detail: String::new(),
        since: now,
        queued_at: now,
        started_at: None,
        finished_at: None,
        attempt: 0,
        attempts_max: submission.attempts_max,
        retry_at: None,
        priority: submission.priority,
        position: None,
        progress: None,
        awaited: Vec::new(),
        index_state: None,
        judged: None,
        children: Vec::new(),
    };
    Row {
        scan,
        source: submission.source.clone(),
        index_wanted: submission.index_state.clone(),
        worker: String::new(),
        lease: 0,
        lease_until: None,
        is_cancelled: false,
    }
}

/// What is submitted although it is known.
fn again(
    transaction: &mut Transaction<'_>,
    mut known: Row,
    submission: &Submission,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    let state = known.scan.state;
    let is_by_other_rules = known.scan.index_state.as_deref() != Some(submission.index_state.as_str());
    if known.scan.kind == ScanKind::Digest {
        known.scan.kind = submission.kind;
    }
    if !known.is_of_registry() && submission.is_of_registry() {
        return proven(transaction, known, submission, now);
    }
    if !state.is_final() {
        known.scan.priority = known.scan.priority.min(submission.priority);
        // What waits for feeds has its layers, and so no use for secrets.
        let is_of_use = state != ScanState::FeedsNotLoaded || is_by_other_rules;
        // What a registry shows is not given up for what somebody says of it.
        let is_as_good = submission.is_of_registry() || !known.is_of_registry();
        if is_of_use && is_as_good && !submission.source.is_empty() {
            known.source.clone_from(&submission.source);
            known.index_wanted.clone_from(&submission.index_state);
        }
        known.write(transaction)?;
        return Ok(Taken::of(known.scan, false, false));
    }
    let is_wanting = matches!(state, ScanState::Failed | ScanState::Cancelled)
        || is_by_other_rules
        || (known.scan.kind == ScanKind::Index && lacks_images(transaction, &known.scan.id, submission)?);
    // An index names it, and the index's repository does not have it: there is nothing to be had there.
    let is_hearsay = !submission.is_of_registry() && !submission.reference.is_empty();
    if is_hearsay || (!is_wanting && !submission.is_forced) {
        return Ok(Taken::of(known.scan, false, false));
    }
    if submission.is_forced {
        look_again(transaction, &known.scan.id)?;
    }
    if submission.is_of_registry() {
        // Where it was not to be had, it may be elsewhere.
        if state != ScanState::Completed {
            known.is_at(submission);
        }
    } else if known.scan.judged.is_none() {
        // No registry has shown it so far, and so it is of none of its repositories.
        known.is_at(submission);
        transaction.execute("DELETE FROM places WHERE scan = $1", &[known.scan.id.as_str().into()])?;
    }
    requeued(transaction, known, submission, now)
}

/// What came without a registry is looked at anew where one is named: nothing has shown yet that its layers are those of
/// its digest. Whoever is at it loses its lease.
fn proven(
    transaction: &mut Transaction<'_>,
    mut known: Row,
    submission: &Submission,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    look_again(transaction, &known.scan.id)?;
    known.is_at(submission);
    known.scan.kind = submission.kind;
    // By this it is told later whether a registry has ever shown it.
    known.scan.judged = None;
    known.lease += 1;
    requeued(transaction, known, submission, now)
}

fn requeued(
    transaction: &mut Transaction<'_>,
    mut known: Row,
    submission: &Submission,
    now: Timestamp,
) -> Result<Taken, StoreError> {
    known.queue(submission.reason, now);
    known.scan.priority = submission.priority;
    known.scan.attempts_max = submission.attempts_max;
    known.source.clone_from(&submission.source);
    known.index_wanted.clone_from(&submission.index_state);
    known.write_changed(transaction, now)?;
    Ok(Taken::of(known.scan, false, true))
}

/// Has its layers looked at again, and not only what was made of them.
fn look_again(transaction: &mut Transaction<'_>, id: &str) -> Result<(), StoreError> {
    let anew = "UPDATE inventories SET index_state = '' WHERE image = $1";
    transaction.execute(anew, &[id.into()]).map(drop)
}

impl Submission {
    /// Whether a repository is to show the image, or has. Otherwise it is what somebody says that it is.
    fn is_of_registry(&self) -> bool {
        !self.reference.is_empty() && !self.repository.is_empty()
    }
}

impl Row {
    fn is_of_registry(&self) -> bool {
        !self.scan.reference.is_empty()
    }

    fn is_at(&mut self, submission: &Submission) {
        self.scan.reference = clean(&submission.reference);
        self.scan.registry = clean(&submission.registry);
        self.scan.repository = clean(&submission.repository);
    }
}

/// Whether an index names an image that is not known, that was not to be had or was called off, or that its repository has
/// not shown yet.
fn lacks_images(
    transaction: &mut Transaction<'_>,
    index: &str,
    submission: &Submission,
) -> Result<bool, StoreError> {
    let values = [index.into(), clean(&submission.registry).into(), clean(&submission.repository).into()];
    let lacking = "SELECT 1 FROM children LEFT JOIN scans ON scans.id = children.digest
                   WHERE children.parent = $1 AND children.attestation = 0
                   AND (scans.id IS NULL OR scans.state IN ('failed', 'cancelled')
                        OR ($3 <> '' AND NOT EXISTS (SELECT 1 FROM places WHERE places.scan = children.digest
                                                     AND places.registry = $2 AND places.repository = $3)))
                   LIMIT 1";
    Ok(transaction.row(lacking, &values)?.is_some())
}

/// Puts scans that have waited for feeds since before a time back into the queue, up to so many; how many they were.
pub(super) fn wake(
    transaction: &mut Transaction<'_>,
    stood_before: Timestamp,
    rows_max: u32,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let waiting = "WHERE state = 'feeds_not_loaded' AND since < $2
                   ORDER BY priority, queued_at, id LIMIT $1 {skip_locked}";
    let rows = row::rows(transaction, waiting, &[rows_max.into(), stood_before.into()])?;
    queue_all(transaction, rows, |row| row.scan.priority.reason(), now)
}

/// Puts completed images of another index state back into the queue, up to so many; how many they were. What has no
/// reference came with somebody's own URLs and credentials, and can only be handed in again. What was queued for the same
/// before, and could not be read, waits until somebody asks for it.
pub(super) fn rescan(
    transaction: &mut Transaction<'_>,
    index_state: &str,
    rows_max: u32,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let older = "WHERE state = 'completed' AND kind = 'image' AND reference <> '' AND index_state <> $1
                 AND index_wanted <> $1 ORDER BY finished_at DESC, id DESC LIMIT $2 {skip_locked}";
    let mut rows = row::rows(transaction, older, &[index_state.into(), rows_max.into()])?;
    for row in &mut rows {
        row.scan.priority = super::Priority::Rescan;
        index_state.clone_into(&mut row.index_wanted);
    }
    queue_all(transaction, rows, |_| Reason::Rescan, now)
}

fn queue_all(
    transaction: &mut Transaction<'_>,
    rows: Vec<Row>,
    reason: fn(&Row) -> Reason,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let mut count = 0;
    for mut row in rows {
        row.queue(reason(&row), now);
        row.write_changed(transaction, now)?;
        count += 1;
    }
    Ok(count)
}
