//! Clearances that are asked for, and their queue.
//!
//! A hearing is its own job, as a scan is: one row, claimed with a lease. It ends with a record, or as failed where none
//! could be made. What surprises: who asks for what was decided already, of the same inputs, is given that hearing, as long
//! as it is cleared or refused and still holds; what could not be decided is looked at again.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use plimsoll_core::clearance::Verdict;
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::Reason;

use crate::engine::{Alone, Transaction, Value, as_kept, clean, json, random_id};
use crate::{Lease, Report, Spoken, Store, StoreError, records};

mod row;

use row::Row;

/// Where a hearing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HearingState {
    /// It waits for a worker.
    Queued,
    /// A worker looks and judges.
    Running,
    /// An attempt told nothing that can be decided by; another one follows.
    Retrying,
    /// There is a record.
    Decided,
    /// There is none, and it is not tried again.
    Failed,
}

impl HearingState {
    /// All states, in the order in which a hearing meets them.
    pub const ALL: [HearingState; 5] = [
        HearingState::Queued,
        HearingState::Running,
        HearingState::Retrying,
        HearingState::Decided,
        HearingState::Failed,
    ];

    /// The state's stable name.
    pub fn name(self) -> &'static str {
        match self {
            HearingState::Queued => "queued",
            HearingState::Running => "running",
            HearingState::Retrying => "retrying",
            HearingState::Decided => "decided",
            HearingState::Failed => "failed",
        }
    }

    /// The state of a name.
    pub fn of_name(name: &str) -> Option<HearingState> {
        HearingState::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more happens to it by itself.
    pub fn is_final(self) -> bool {
        matches!(self, HearingState::Decided | HearingState::Failed)
    }
}

/// What is asked for.
#[derive(Clone)]
pub struct NewHearing {
    /// All that the answer is made from, hashed; empty where that is not known before registries are asked.
    pub inputs: String,
    /// Name of the policy.
    pub policy: String,
    /// Who asks.
    pub asked_by: String,
    /// What is asked, in the worker's own form.
    pub request: Vec<u8>,
    /// Every repository that it speaks of: registry, repository.
    pub places: Vec<(String, String)>,
    /// How often it may be tried.
    pub attempts_max: u32,
    /// Whether it is decided anew although it is decided.
    pub is_fresh: bool,
}

/// One clearance that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    /// Counts hearings; later ones are larger.
    pub number: u64,
    /// `clr-` and random characters.
    pub id: String,
    /// Name of the policy.
    pub policy: String,
    /// Who asked.
    pub asked_by: String,
    /// Where it stands.
    pub state: HearingState,
    /// Why it stands there.
    pub reason: Reason,
    /// The same for people.
    pub detail: String,
    /// Since when it stands there.
    pub since: Timestamp,
    /// When it was asked for.
    pub queued_at: Timestamp,
    /// When a worker first took it.
    pub started_at: Option<Timestamp>,
    /// When it was decided, or failed.
    pub finished_at: Option<Timestamp>,
    /// Attempts that were begun.
    pub attempt: u32,
    /// How often it may be tried.
    pub attempts_max: u32,
    /// When it is tried again.
    pub retry_at: Option<Timestamp>,
    /// What was decided.
    pub verdict: Option<Verdict>,
    /// Until when that holds; without a time until another record says otherwise.
    pub holds_until: Option<Timestamp>,
    /// Number of the record.
    pub record: Option<u64>,
}

/// A hearing that was claimed.
#[derive(Clone)]
pub struct HearingClaimed {
    /// The hearing, its attempt counted.
    pub hearing: Hearing,
    /// What is asked.
    pub request: Vec<u8>,
    /// The right to change it.
    pub lease: Lease,
}

impl fmt::Debug for HearingClaimed {
    /// Without the request.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HearingClaimed")
            .field("hearing", &self.hearing)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Of all of it.
    pub verdict: Verdict,
    /// Until when it may be acted on, where it clears anything.
    pub holds_until: Option<Timestamp>,
    /// Name under which the policies are configured.
    pub policy: String,
    /// The policies that it was judged by, with the digests of their files.
    pub policies: Vec<(String, Digest)>,
    /// Identity of the advisory database.
    pub database: Option<String>,
    /// How closely was looked.
    pub level: String,
    /// What is said of each digest.
    pub spoken: Vec<Spoken>,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum HearingOutcome {
    /// It is decided; recorded in the same transaction.
    Decided {
        /// What.
        decision: Box<Decision>,
        /// The reports of it.
        reports: Vec<Report>,
        /// For people.
        detail: String,
    },
    /// It may work another time; it is failed where this was the last attempt.
    Retry {
        /// Why it did not work.
        reason: Reason,
        /// For people.
        detail: String,
        /// When to try again.
        at: Timestamp,
    },
    /// The worker ends: it goes back into the queue, and the attempt does not count.
    HandedBack,
    /// It will not work.
    Failed {
        /// Why.
        reason: Reason,
        /// For people.
        detail: String,
    },
}

/// Which hearings are listed.
#[derive(Clone, Debug, Default)]
pub struct HearingFilter {
    /// Only of this state.
    pub state: Option<HearingState>,
    /// Only of this verdict.
    pub verdict: Option<Verdict>,
    /// Only of this registry and repository, as far as each is not empty.
    pub registry: String,
    /// See `registry`.
    pub repository: String,
    /// Only before this number.
    pub before: Option<u64>,
    /// Most rows.
    pub rows_max: u32,
}

/// Whether somebody may see a repository: registry, repository.
pub type IsWithin<'a> = &'a dyn Fn(&str, &str) -> bool;

impl Store {
    /// Takes a hearing, and says whether it is new: one of the same inputs that is on its way, or was decided and still
    /// holds, is the answer unless it is to be fresh. What this returns is on disk.
    pub fn ask(&self, asked: &NewHearing, now: Timestamp) -> Result<(Hearing, bool), StoreError> {
        let now = as_kept(now);
        self.engine.transaction(|transaction| {
            transaction.alone(Alone::Recording)?;
            if !asked.is_fresh
                && !asked.inputs.is_empty()
                && let Some(known) = row::standing(transaction, &asked.inputs, now)?
            {
                return Ok((known.hearing, false));
            }
            let id = random_id("clr", now);
            let row = row::insert(transaction, asked, &id, now)?;
            let places: Vec<_> = asked
                .places
                .iter()
                .map(|(registry, repository)| (clean(registry), clean(repository)))
                .collect();
            transaction.execute(
                "INSERT INTO hearing_places (hearing, registry, repository)
                 SELECT $2, listed.value->>0, listed.value->>1 FROM {rows} WHERE true ON CONFLICT DO NOTHING",
                &[json(&places).into(), id.as_str().into()],
            )?;
            row.note(transaction, None, now)?;
            Ok((row.hearing, true))
        })
    }

    /// One hearing by its id.
    pub fn hearing(&self, id: &str) -> Result<Option<Hearing>, StoreError> {
        self.engine.read(|transaction| {
            Ok(row::rows(transaction, "WHERE id = $1", &[id.into()])?.pop().map(|row| row.hearing))
        })
    }

    /// Every repository that a hearing speaks of, registry and repository, sorted.
    pub fn hearing_places(&self, id: &str) -> Result<Vec<(String, String)>, StoreError> {
        self.engine.read(|transaction| row::places(transaction, id))
    }

    /// Every repository that each of these hearings speaks of, by hearing.
    pub fn hearings_places(
        &self,
        ids: &[&str],
    ) -> Result<BTreeMap<String, Vec<(String, String)>>, StoreError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let listed: Vec<[&str; 1]> = ids.iter().map(|id| [*id]).collect();
        let sql = "SELECT hearing, registry, repository FROM hearing_places
                   WHERE hearing IN (SELECT listed.value->>0 FROM {rows}) ORDER BY hearing, registry, repository";
        self.engine.read(|transaction| {
            let mut places: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
            for mut row in transaction.query(sql, &[json(&listed).into()])? {
                places.entry(row.text()?).or_default().push((row.text()?, row.text()?));
            }
            Ok(places)
        })
    }

    /// Hearings, the newest first; of those alone that speak of nothing but repositories that `is_within` says of, where
    /// it is given.
    pub fn hearings(
        &self,
        filter: &HearingFilter,
        is_within: Option<IsWithin<'_>>,
    ) -> Result<Vec<Hearing>, StoreError> {
        let mut values: Vec<Value> = Vec::new();
        let mut rest = "WHERE TRUE".to_owned();
        if let Some(is_within) = is_within {
            // The first value is the one that is laid out as rows.
            values.push(json(&self.places_not(is_within)?).into());
            rest.push_str(
                " AND id IN (SELECT hearing FROM hearing_places) AND id NOT IN (
                      SELECT places.hearing FROM {rows} JOIN hearing_places AS places
                      ON places.registry = listed.value->>0 AND places.repository = listed.value->>1)",
            );
        }
        let mut is = |test: &str, wanted: Option<Value>| {
            let Some(wanted) = wanted else { return String::new() };
            values.push(wanted);
            format!(" AND {test} ${}", values.len())
        };
        let text = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Value::from);
        rest += &is("state =", filter.state.map(|state| state.name().into()));
        rest += &is("verdict =", filter.verdict.map(|verdict| verdict.name().into()));
        rest += &is("number <", filter.before.map(Value::from));
        let place = is("registry =", text(&filter.registry)) + &is("repository =", text(&filter.repository));
        if !place.is_empty() {
            rest += &format!(" AND id IN (SELECT hearing FROM hearing_places WHERE TRUE{place})");
        }
        values.push(filter.rows_max.into());
        rest += &format!(" ORDER BY number DESC LIMIT ${}", values.len());
        let rows = self.engine.read(|transaction| row::rows(transaction, &rest, &values))?;
        Ok(rows.into_iter().map(|row| row.hearing).collect())
    }

    /// Places that are not within. Of places there are few, and their names are not for a database to compare.
    fn places_not(&self, is_within: IsWithin<'_>) -> Result<Vec<(String, String)>, StoreError> {
        let rows = self.engine.query("SELECT DISTINCT registry, repository FROM hearing_places", &[])?;
        let mut places = Vec::new();
        for mut row in rows {
            let place = (row.text()?, row.text()?);
            if !is_within(&place.0, &place.1) {
                places.push(place);
            }
        }
        Ok(places)
    }

    /// Claims the oldest hearing that is due.
    pub fn claim_hearing(
        &self,
        worker: &str,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Option<HearingClaimed>, StoreError> {
        loop {
            let found = self.engine.transaction(|transaction| claim(transaction, worker, until, now))?;
            match found {
                Found::Nothing => return Ok(None),
                Found::Ended => {}
                Found::Hearing(claimed) => return Ok(Some(*claimed)),
            }
        }
    }

    /// Prolongs a lease. `false` where it is another's by now.
    pub fn beat_hearing(&self, lease: &Lease, until: Timestamp) -> Result<bool, StoreError> {
        self.engine.transaction(|transaction| {
            let kept = transaction.execute(
                "UPDATE hearings SET lease_until = $4, due_at = $4
                 WHERE id = $1 AND worker = $2 AND lease = $3 AND lease_until IS NOT NULL",
                &[lease.id.as_str().into(), lease.worker.as_str().into(), lease.number.into(), until.into()],
            )?;
            Ok(kept == 1)
        })
    }

    /// Ends an attempt; what was decided is recorded in the same transaction. `false` where the lease is another's, and
    /// then nothing has changed.
    pub fn finish_hearing(
        &self,
        lease: &Lease,
        outcome: &HearingOutcome,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let now = as_kept(now);
        self.engine.transaction(|transaction| finish(transaction, lease, outcome, now))
    }
}

enum Found {
    Nothing,
    /// It ended instead, because its last worker was lost.
    Ended,
    Hearing(Box<HearingClaimed>),
}

fn claim(
    transaction: &mut Transaction<'_>,
    worker: &str,
    until: Timestamp,
    now: Timestamp,
) -> Result<Found, StoreError> {
    let due = "WHERE due_at <= $1 ORDER BY number LIMIT 1 {skip_locked}";
    let Some(mut row) = row::rows(transaction, due, &[now.into()])?.pop() else { return Ok(Found::Nothing) };
    // Whatever a worker says that held it before is not heard.
    row.lease += 1;
    if row.lease_until.is_some() {
        let detail = format!("worker `{}` did not say anything until its lease ran out", row.worker);
        row.attempt_failed(Reason::WorkerLost, &detail, now, now);
        row.write(transaction)?;
        row.note(transaction, None, now)?;
        if row.hearing.state.is_final() {
            return Ok(Found::Ended);
        }
    }
    row.stand(HearingState::Running, Reason::Asked, "", now);
    row.hearing.attempt += 1;
    row.hearing.started_at = row.hearing.started_at.or(Some(now));
    row.worker = clean(worker);
    row.lease_until = Some(until);
    row.write(transaction)?;
    row.note(transaction, None, now)?;
    let lease = Lease { id: row.hearing.id.clone(), worker: row.worker.clone(), number: row.lease };
    Ok(Found::Hearing(Box::new(HearingClaimed { hearing: row.hearing, request: row.request, lease })))
}

fn finish(
    transaction: &mut Transaction<'_>,
    lease: &Lease,
    outcome: &HearingOutcome,
    now: Timestamp,
) -> Result<bool, StoreError> {
    transaction.alone(Alone::Recording)?;
    let row = row::rows(transaction, "WHERE id = $1 {for_update}", &[lease.id.as_str().into()])?.pop();
    let held = row.filter(|row| row.lease == lease.number && row.worker == lease.worker);
    let Some(mut row) = held else { return Ok(false) };
    if row.lease_until.is_none() {
        // This lease ended it already: the answer to that was lost on its way.
        return Ok(true);
    }
    let mut recorded = None;
    match outcome {
        HearingOutcome::Decided { decision, reports, detail } => {
            let head = records::add(transaction, &row.hearing.id, decision, reports, now)?;
            row.stand(HearingState::Decided, Reason::Complete, detail, now);
            row.hearing.verdict = Some(decision.verdict);
            row.hearing.holds_until = decision.holds_until.map(as_kept);
            row.hearing.record = Some(head.number);
            recorded = head.digest;
        }
        HearingOutcome::Retry { reason, detail, at } => row.attempt_failed(*reason, detail, *at, now),
        HearingOutcome::HandedBack => {
            row.hearing.attempt = row.hearing.attempt.saturating_sub(1);
            row.stand(HearingState::Queued, Reason::HandedBack, "", now);
        }
        HearingOutcome::Failed { reason, detail } => row.stand(HearingState::Failed, *reason, detail, now),
    }
    row.write(transaction)?;
    row.note(transaction, recorded, now)?;
    Ok(true)
}

impl Row {
    /// An attempt that failed is followed by another one, unless it was the last.
    fn attempt_failed(&mut self, reason: Reason, detail: &str, at: Timestamp, now: Timestamp) {
        if self.hearing.attempt >= self.hearing.attempts_max {
            return self.stand(HearingState::Failed, Reason::AttemptsExhausted, detail, now);
        }
        self.stand(HearingState::Retrying, reason, detail, now);
        self.hearing.retry_at = Some(as_kept(at));
    }
}
