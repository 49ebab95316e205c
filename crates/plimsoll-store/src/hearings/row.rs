//! A hearing as its row has it. A transition locks the row, changes this, and writes all of it back.

use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::Reason;

use super::{Hearing, HearingState, NewHearing};
use crate::engine::{Columns, Transaction, Value, clean, json};
use crate::records::verdict_of;
use crate::{EventKind, NewEvent, StoreError};

const COLUMNS: &str = "number, id, policy, asked_by, request, state, reason, detail, since, queued_at, started_at, \
                       finished_at, attempt, attempts_max, retry_at, verdict, holds_until, record, worker, lease, \
                       lease_until";

/// A hearing and what only the store knows of it.
pub(super) struct Row {
    pub(super) hearing: Hearing,
    pub(super) request: Vec<u8>,
    /// Who has it, or had it last.
    pub(super) worker: String,
    pub(super) lease: u64,
    /// There as long as a worker has it.
    pub(super) lease_until: Option<Timestamp>,
}

/// The body of an event, as `Event.body` describes it.
#[derive(serde::Serialize)]
struct ClearanceChanged<'a> {
    state: &'a str,
    reason: &'a str,
    detail: &'a str,
    attempt: u32,
    policy: &'a str,
    /// `HOST/PATH`, sorted.
    repositories: Vec<String>,
    verdict: Option<&'a str>,
    record: Option<u64>,
    record_digest: Option<&'a str>,
}

impl Row {
    fn of(mut columns: Columns) -> Result<Row, StoreError> {
        let columns = &mut columns;
        let (number, id) = (columns.number()?, columns.text()?);
        let (policy, asked_by, request) = (columns.text()?, columns.text()?, columns.blob()?);
        let hearing = Hearing {
            number,
            id,
            policy,
            asked_by,
            state: columns.named(HearingState::of_name)?,
            reason: columns.named(Reason::of_name)?,
            detail: columns.text()?,
            since: columns.time()?,
            queued_at: columns.time()?,
            started_at: columns.optional_time()?,
            finished_at: columns.optional_time()?,
            attempt: columns.number()?,
            attempts_max: columns.number()?,
            retry_at: columns.optional_time()?,
            verdict: match columns.optional_text()? {
                None => None,
                Some(name) => Some(
                    verdict_of(&name)
                        .ok_or_else(|| StoreError::Damaged(format!("`{name}` is no verdict")))?,
                ),
            },
            holds_until: columns.optional_time()?,
            record: columns.optional_integer()?.and_then(|number| u64::try_from(number).ok()),
        };
        Ok(Row {
            hearing,
            request,
            worker: columns.text()?,
            lease: columns.number()?,
            lease_until: columns.optional_time()?,
        })
    }

    /// Puts it into a state, with what the state implies.
    pub(super) fn stand(&mut self, state: HearingState, reason: Reason, detail: &str, now: Timestamp) {
        let hearing = &mut self.hearing;
        (hearing.state, hearing.reason, hearing.since) = (state, reason, now);
        hearing.detail = clean(detail);
        hearing.finished_at = state.is_final().then_some(now);
        hearing.retry_at = None;
        self.lease_until = None;
        // Nobody reads it again, and manifests are long.
        if state.is_final() {
            self.request.clear();
        }
    }

    /// From when on it may be claimed.
    fn due_at(&self) -> Option<Timestamp> {
        match self.hearing.state {
            HearingState::Queued => Some(self.hearing.queued_at),
            HearingState::Retrying => self.hearing.retry_at,
            HearingState::Running => self.lease_until,
            HearingState::Decided | HearingState::Failed => None,
        }
    }

    /// Writes it.
    pub(super) fn write(&self, transaction: &mut Transaction<'_>) -> Result<(), StoreError> {
        let hearing = &self.hearing;
        let values: [Value; 17] = [
            hearing.id.as_str().into(),
            hearing.state.name().into(),
            hearing.reason.name().into(),
            hearing.detail.as_str().into(),
            hearing.since.into(),
            hearing.started_at.into(),
            hearing.finished_at.into(),
            hearing.attempt.into(),
            hearing.retry_at.into(),
            hearing.verdict.map(|verdict| verdict.name()).into(),
            hearing.holds_until.into(),
            hearing.record.into(),
            self.worker.as_str().into(),
            self.lease.into(),
            self.lease_until.into(),
            self.due_at().into(),
            self.request.as_slice().into(),
        ];
        let update = "UPDATE hearings SET state = $2, reason = $3, detail = $4, since = $5, started_at = $6,
                      finished_at = $7, attempt = $8, retry_at = $9, verdict = $10, holds_until = $11, record = $12,
                      worker = $13, lease = $14, lease_until = $15, due_at = $16, request = $17 WHERE id = $1";
        transaction.execute(update, &values).map(drop)
    }

    /// Notes the event of its state; with the digest of the record that ended it.
    pub(super) fn note(
        &self,
        transaction: &mut Transaction<'_>,
        recorded: Option<Digest>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let hearing = &self.hearing;
        let places = places(transaction, &hearing.id)?;
        let body = ClearanceChanged {
            state: hearing.state.name(),
            reason: hearing.reason.name(),
            detail: &hearing.detail,
            attempt: hearing.attempt,
            policy: &hearing.policy,
            repositories: places.iter().map(|(host, path)| format!("{host}/{path}")).collect(),
            verdict: hearing.verdict.map(|verdict| verdict.name()),
            record: hearing.record,
            record_digest: recorded.as_ref().map(Digest::as_str),
        };
        let kind = EventKind::ClearanceChanged;
        transaction.note(NewEvent { kind, subject: hearing.id.clone(), body: json(&body) }, now);
        Ok(())
    }
}

/// Writes a new one.
pub(super) fn insert(
    transaction: &mut Transaction<'_>,
    asked: &NewHearing,
    id: &str,
    now: Timestamp,
) -> Result<Row, StoreError> {
    let values: [Value; 9] = [
        id.into(),
        asked.inputs.as_str().into(),
        asked.policy.as_str().into(),
        asked.asked_by.as_str().into(),
        asked.request.as_slice().into(),
        HearingState::Queued.name().into(),
        Reason::Asked.name().into(),
        now.into(),
        asked.attempts_max.into(),
    ];
    transaction.execute(
        "INSERT INTO hearings (id, inputs, policy, asked_by, request, state, reason, detail, since, queued_at, attempt,
                               attempts_max, worker, lease, due_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, '', $8, $8, 0, $9, '', 0, $8)",
        &values,
    )?;
    let row = rows(transaction, "WHERE id = $1", &[id.into()])?.pop();
    row.ok_or_else(|| StoreError::Damaged(format!("`{id}` was written and is not there")))
}

/// The newest of the same inputs that is on its way, or is decided and still holds. What could not be decided does not.
pub(super) fn standing(
    transaction: &mut Transaction<'_>,
    inputs: &str,
    now: Timestamp,
) -> Result<Option<Row>, StoreError> {
    let rest = "WHERE inputs = $1 AND (state IN ('queued', 'running', 'retrying')
                OR (state = 'decided' AND verdict IN ('cleared', 'refused')
                    AND (holds_until IS NULL OR holds_until > $2)))
                ORDER BY number DESC LIMIT 1";
    Ok(rows(transaction, rest, &[inputs.into(), now.into()])?.pop())
}

/// Rows by what follows `FROM hearings` in a statement.
pub(super) fn rows(
    transaction: &mut Transaction<'_>,
    rest: &str,
    values: &[Value],
) -> Result<Vec<Row>, StoreError> {
    let found = transaction.query(&format!("SELECT {COLUMNS} FROM hearings {rest}"), values)?;
    found.into_iter().map(Row::of).collect()
}

/// Every repository that a hearing speaks of.
pub(super) fn places(
    transaction: &mut Transaction<'_>,
    id: &str,
) -> Result<Vec<(String, String)>, StoreError> {
    let sql =
        "SELECT registry, repository FROM hearing_places WHERE hearing = $1 ORDER BY registry, repository";
    let rows = transaction.query(sql, &[id.into()])?;
    rows.into_iter().map(|mut row| Ok((row.text()?, row.text()?))).collect()
}
