//! Claiming a scan, keeping it and letting it go.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_core::scan::{Reason, ScanState};

use super::row::{self, Row};
use super::{Claim, Claimed, Lease};
use crate::StoreError;
use crate::engine::{Alone, Transaction, Value, clean, json};

/// What a claim came upon.
pub(super) enum Found {
    /// Nothing that may be claimed.
    Nothing,
    /// A scan that ended instead, because its last worker was lost.
    Ended,
    /// A scan.
    Scan(Box<Claimed>),
}

pub(super) fn claim(
    transaction: &mut Transaction<'_>,
    claim: &Claim<'_>,
    now: Timestamp,
) -> Result<Found, StoreError> {
    let candidate = match claim.only {
        Some(id) => {
            row::rows(transaction, "WHERE id = $1 AND due_at <= $2 {skip_locked}", &[id.into(), now.into()])?
        }
        None => next(transaction, claim, now)?,
    };
    let Some(mut row) = candidate.into_iter().next() else { return Ok(Found::Nothing) };
    if row.lease_until.is_some() && !lose(transaction, &mut row, now)? {
        return Ok(Found::Ended);
    }
    let reason = row.scan.priority.reason();
    row.stand(ScanState::Fetching, reason, "", now);
    row.scan.attempt += 1;
    row.scan.started_at = row.scan.started_at.or(Some(now));
    row.worker = clean(claim.worker);
    row.lease += 1;
    row.lease_until = Some(claim.until);
    row.write_changed(transaction, now)?;
    let lease = Lease { id: row.scan.id.clone(), worker: row.worker.clone(), number: row.lease };
    Ok(Found::Scan(Box::new(Claimed { scan: row.scan, source: row.source, lease })))
}

/// The first that is due and whose registry is not busy. Claims are counted one at a time, so limits are exact.
fn next(
    transaction: &mut Transaction<'_>,
    claim: &Claim<'_>,
    now: Timestamp,
) -> Result<Vec<Row>, StoreError> {
    transaction.alone(Alone::Claiming)?;
    // Counted here, for a `GROUP BY` would read all scans in the order of their registries.
    let mut held = BTreeMap::<String, u64>::new();
    for mut columns in
        transaction.query("SELECT registry FROM scans WHERE lease_until > $1", &[now.into()])?
    {
        *held.entry(columns.text()?).or_default() += 1;
    }
    let all: u64 = held.values().sum();
    if all >= u64::from(claim.all_max) {
        return Ok(Vec::new());
    }
    // What comes from nowhere in particular overloads nobody.
    let is_busy = |(registry, count): &(String, u64)| {
        *count >= u64::from(claim.per_registry_max) && !registry.is_empty()
    };
    let busy: Vec<[String; 1]> = held.into_iter().filter(is_busy).map(|(registry, _)| [registry]).collect();
    let values: [Value; 2] = [json(&busy).into(), now.into()];
    row::rows(
        transaction,
        "WHERE due_at <= $2 AND registry NOT IN (SELECT listed.value->>0 FROM {rows})
         ORDER BY priority, queued_at, id LIMIT 1 {skip_locked}",
        &values,
    )
}

/// Ends the attempt of a worker that is gone. `false` where that was the last one, or was called off.
fn lose(transaction: &mut Transaction<'_>, row: &mut Row, now: Timestamp) -> Result<bool, StoreError> {
    let detail = format!("worker `{}` did not say anything until its lease ran out", row.worker);
    // What it says afterwards is not heard.
    row.lease += 1;
    let is_cancelled = row.is_cancelled;
    attempt_failed(row, is_cancelled, Reason::WorkerLost, &detail, now, now);
    if row.scan.state.is_final() {
        row.write_changed(transaction, now)?;
        return Ok(false);
    }
    transaction.note(row.changed(), now);
    Ok(true)
}

/// An attempt that failed is followed by another one, unless it was the last or was called off.
pub(super) fn attempt_failed(
    row: &mut Row,
    is_cancelled: bool,
    reason: Reason,
    detail: &str,
    at: Timestamp,
    now: Timestamp,
) {
    if is_cancelled {
        row.stand(ScanState::Cancelled, Reason::ByRequest, "", now);
    } else if row.scan.attempt >= row.scan.attempts_max {
        row.fail(Reason::AttemptsExhausted, detail, now);
    } else {
        row.stand(ScanState::Retrying, reason, detail, now);
        row.scan.retry_at = Some(at);
    }
}

/// The row of a lease that holds, locked.
pub(super) fn held(transaction: &mut Transaction<'_>, lease: &Lease) -> Result<Option<Row>, StoreError> {
    Ok(of_lease(transaction, lease)?.filter(|row| row.lease_until.is_some()))
}

/// The row that a lease holds, or that it was the last one to hold.
pub(super) fn of_lease(transaction: &mut Transaction<'_>, lease: &Lease) -> Result<Option<Row>, StoreError> {
    let row = row::locked(transaction, &lease.id)?;
    Ok(row.filter(|row| row.lease == lease.number && row.worker == lease.worker))
}

/// Calls a scan off. `false` where there is nothing to call off.
pub(super) fn cancel(
    transaction: &mut Transaction<'_>,
    id: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(mut row) = row::locked(transaction, id)?.filter(|row| !row.scan.state.is_final()) else {
        return Ok(false);
    };
    if row.is_held(now) {
        row.is_cancelled = true;
        row.write(transaction)?;
        return Ok(true);
    }
    row.lease += 1;
    row.stand(ScanState::Cancelled, Reason::ByRequest, "", now);
    row.write_changed(transaction, now)?;
    Ok(true)
}
