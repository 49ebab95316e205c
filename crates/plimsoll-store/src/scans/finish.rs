//! How an attempt ends.

use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::{Reason, ScanState};

use super::claim::{attempt_failed, of_lease};
use super::row::Row;
use super::{Child, Lease, Outcome, ScanKind, Submission, submit};
use crate::engine::{Alone, Transaction, json};
use crate::inventories::{Encoded, put};
use crate::{InventoryRow, StoreError};

/// An outcome with its inventory in the form that is stored, which is made before anything is locked.
pub(super) struct Prepared<'o> {
    outcome: &'o Outcome,
    inventory: Option<Encoded>,
}

impl<'o> Prepared<'o> {
    pub(super) fn of(lease: &Lease, outcome: &'o Outcome) -> Result<Prepared<'o>, StoreError> {
        let inventory = match outcome {
            Outcome::Judged { inventory, .. } | Outcome::Awaiting { inventory, .. } => {
                Some(encoded(lease, inventory)?)
            }
            _ => None,
        };
        Ok(Prepared { outcome, inventory })
    }

    pub(super) fn apply(
        &self,
        transaction: &mut Transaction<'_>,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if self.inventory.is_some() {
            transaction.alone(Alone::Numbering)?;
        }
        let Some(mut row) = of_lease(transaction, lease)? else { return Ok(false) };
        if row.lease_until.is_none() {
            // This lease ended it already: the answer to that was lost on its way.
            return Ok(true);
        }
        end(&mut row, self.outcome, now)?;
        row.write_changed(transaction, now)?;
        if let Some(inventory) = &self.inventory {
            put(transaction, inventory)?;
        }
        match self.outcome {
            // What it leads to is called off with it.
            _ if row.scan.state == ScanState::Cancelled => {}
            Outcome::Resolved(submission) => {
                let taken = submit::take(transaction, submission, now)?;
                if !taken.is_place_noted {
                    // Whoever asked for the name may see it nowhere else.
                    let max = submit::PLACES_MAX;
                    let detail = format!(
                        "it is `{}`, which is remembered of {max} repositories, and of no more; ask for its digest with \
                         a token that is not held to some",
                        taken.scan.id
                    );
                    row.scan.successor = None;
                    row.stand(ScanState::Failed, Reason::Internal, &detail, now);
                    row.write_changed(transaction, now)?;
                }
            }
            Outcome::Index { children, submissions } => {
                put_children(transaction, &lease.id, children)?;
                submit_all(transaction, submissions, now)?;
            }
            _ => {}
        }
        Ok(true)
    }
}

/// An inventory is of the image that was scanned, and of no other.
fn encoded(lease: &Lease, inventory: &InventoryRow) -> Result<Encoded, StoreError> {
    match &inventory.image.digest {
        Some(digest) if digest.as_str() == lease.id => Encoded::of(digest, inventory),
        _ => Err(StoreError::Refused(format!("the inventory is not that of `{}`", lease.id))),
    }
}

/// Puts the row into the state that an outcome leads to.
fn end(row: &mut Row, outcome: &Outcome, now: Timestamp) -> Result<(), StoreError> {
    let is_cancelled = row.is_cancelled;
    match outcome {
        Outcome::Resolved(_) | Outcome::Index { .. } if is_cancelled => {
            row.stand(ScanState::Cancelled, Reason::ByRequest, "", now);
        }
        Outcome::Resolved(submission) => resolved(row, submission.digest.as_ref(), now)?,
        Outcome::Index { .. } => {
            row.scan.kind = ScanKind::Index;
            row.scan.index_state = Some(row.index_wanted.clone());
            row.stand(ScanState::Completed, Reason::Complete, "", now);
        }
        Outcome::Judged { inventory, judged, state, reason, detail } => {
            row.scan.kind = ScanKind::Image;
            row.scan.index_state = Some(inventory.index_state.clone());
            row.scan.judged = Some(judged.clone());
            row.stand(*state, *reason, detail, now);
        }
        Outcome::Awaiting { inventory, reason, awaited, detail } => {
            row.scan.kind = ScanKind::Image;
            row.scan.index_state = Some(inventory.index_state.clone());
            row.stand(ScanState::FeedsNotLoaded, *reason, detail, now);
            row.scan.awaited.clone_from(awaited);
            if is_cancelled {
                row.stand(ScanState::Cancelled, Reason::ByRequest, "", now);
            }
        }
        Outcome::Retry { reason, detail, at } => attempt_failed(row, is_cancelled, *reason, detail, *at, now),
        Outcome::HandedBack if is_cancelled => {
            row.stand(ScanState::Cancelled, Reason::ByRequest, "", now);
        }
        Outcome::HandedBack => {
            row.scan.attempt = row.scan.attempt.saturating_sub(1);
            row.stand(ScanState::Queued, Reason::HandedBack, "", now);
        }
        Outcome::Ended { state: ScanState::Failed, reason, detail } => row.fail(*reason, detail, now),
        Outcome::Ended { state, reason, detail } => {
            // What is not supported by these rules may be by others.
            if *state == ScanState::Unsupported {
                row.scan.index_state = Some(row.index_wanted.clone());
            }
            row.stand(*state, *reason, detail, now);
        }
    }
    Ok(())
}

fn resolved(row: &mut Row, digest: Option<&Digest>, now: Timestamp) -> Result<(), StoreError> {
    let Some(digest) = digest else {
        return Err(StoreError::Refused("a name was resolved to no digest".to_owned()));
    };
    row.scan.digest = Some(digest.clone());
    row.scan.successor = Some(digest.as_str().to_owned());
    row.stand(ScanState::Completed, Reason::Complete, "", now);
    Ok(())
}

fn put_children(
    transaction: &mut Transaction<'_>,
    parent: &str,
    children: &[Child],
) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM children WHERE parent = $1", &[parent.into()])?;
    let rows: Vec<_> = children
        .iter()
        .enumerate()
        .map(|(position, child)| {
            let Child { digest, platform, media_type, size, is_attestation } = child;
            (
                position,
                digest.as_str(),
                crate::engine::clean(platform),
                crate::engine::clean(media_type),
                size,
                u8::from(*is_attestation),
            )
        })
        .collect();
    transaction.execute(
        "INSERT INTO children (parent, position, digest, platform, media_type, size, attestation)
         SELECT $2, CAST(listed.value->>0 AS BIGINT), listed.value->>1, listed.value->>2, listed.value->>3,
                CAST(listed.value->>4 AS BIGINT), CAST(listed.value->>5 AS BIGINT)
         FROM {rows}",
        &[json(&rows).into(), parent.into()],
    )?;
    Ok(())
}

/// In the order of their digests, so that two indexes with the same images do not lock them crosswise.
fn submit_all(
    transaction: &mut Transaction<'_>,
    submissions: &[Submission],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut sorted: Vec<&Submission> = submissions.iter().collect();
    sorted.sort_by_key(|submission| submission.digest.as_ref());
    for submission in sorted {
        submit::take(transaction, submission, now)?;
    }
    Ok(())
}
