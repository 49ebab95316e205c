//! What is to be delivered to whom, and how that goes.
//!
//! Deliveries of one target never wait for those of another: each target is claimed for itself.

use jiff::Timestamp;
use serde::Serialize;

use crate::engine::{Columns, Transaction, Value, clean, json};
use crate::{EventKind, Lease, NewEvent, Store, StoreError};

const COLUMNS: &str = "number, target, key, media_type, body, at, state, attempts, due_at, ended_at, error";

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryState {
    /// It waits for its time.
    Waiting,
    /// The other side took it.
    Delivered,
    /// It was tried as often as it may be.
    Dead,
    /// It waited for too long, or too many waited with it.
    Dropped,
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

/// How many deliveries were dropped, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DroppedDeliveries {
    /// They waited for too long.
    pub too_old: u64,
    /// They were the oldest of too many.
    pub too_many: u64,
}

/// How far somebody has followed events.
#[derive(Clone, Copy, Debug)]
pub struct CursorMove<'a> {
    /// The cursor's name.
    pub name: &'a str,
    /// Where it is believed to be; 0 where there is none yet.
    pub before: u64,
    /// Where it is afterwards.
    pub after: u64,
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
    /// Attempts that were begun: one that is claimed counts.
    pub attempts: u32,
    /// When it is tried next, while it waits.
    pub due_at: Timestamp,
    /// When it was delivered or given up.
    pub ended_at: Option<Timestamp>,
    /// What went wrong last.
    pub error: Option<String>,
}

/// How a delivery went: `Ok` delivered; `Err` what went wrong, and when to try again, or `None` to give up.
pub type Went = Result<(), (String, Option<Timestamp>)>;

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

impl DeliveryState {
    const ALL: [DeliveryState; 4] =
        [DeliveryState::Waiting, DeliveryState::Delivered, DeliveryState::Dead, DeliveryState::Dropped];

    /// The state's stable name, snake_case.
    pub fn name(self) -> &'static str {
        match self {
            DeliveryState::Waiting => "waiting",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Dead => "dead",
            DeliveryState::Dropped => "dropped",
        }
    }

    /// The state of a name.
    pub fn of_name(name: &str) -> Option<DeliveryState> {
        DeliveryState::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl Store {
    /// Puts deliveries in, and moves a cursor forward in the same transaction, so that what follows events misses none
    /// and repeats none after a kill. `false`, and nothing is put in, where somebody else has moved the cursor meanwhile.
    pub fn put_deliveries(
        &self,
        deliveries: &[NewDelivery],
        cursor: Option<CursorMove<'_>>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut bodies = Vec::new();
        let mut rows = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let NewDelivery { target, key, media_type, body, due_at } = delivery;
            let (from, due_at) = (bodies.len() + 1, due_at.as_microsecond());
            rows.push((clean(target), clean(key), clean(media_type), from, body.len(), due_at));
            bodies.extend_from_slice(body);
        }
        let values: [Value; 3] = [json(&rows).into(), bodies.into(), now.into()];
        self.engine.transaction(|transaction| {
            if let Some(CursorMove { name, before, after }) = cursor {
                let moved = transaction.execute(
                    "INSERT INTO cursors (name, number) VALUES ($1, $3)
                     ON CONFLICT (name) DO UPDATE SET number = excluded.number WHERE cursors.number = $2",
                    &[name.into(), before.into(), after.into()],
                )?;
                if moved == 0 {
                    return Ok(false);
                }
            }
            if !deliveries.is_empty() {
                // Of no bytes at all, SQLite's `substr` is null.
                transaction.execute(
                    "INSERT INTO deliveries (target, key, media_type, body, at, waiting_since, state, attempts, due_at,
                                             worker, lease)
                     SELECT listed.value->>0, listed.value->>1, listed.value->>2,
                            COALESCE(substr(CAST($2 AS {blob}), CAST(listed.value->>3 AS INTEGER),
                                            CAST(listed.value->>4 AS INTEGER)), CAST('' AS {blob})),
                            CAST($3 AS BIGINT), CAST($3 AS BIGINT), 'waiting', 0, CAST(listed.value->>5 AS BIGINT), '', 0
                     FROM {rows} WHERE true ON CONFLICT (target, key) DO NOTHING",
                    &values,
                )?;
            }
            Ok(true)
        })
    }

    /// How far a cursor is; 0 where there is none.
    pub fn cursor(&self, name: &str) -> Result<u64, StoreError> {
        let rows = self.engine.query("SELECT number FROM cursors WHERE name = $1", &[name.into()])?;
        rows.into_iter().next().map_or(Ok(0), |mut row| row.number())
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
        self.engine.transaction(|transaction| claim(transaction, target, worker, rows_max, until, now))
    }

    /// Notes how deliveries went that were claimed before, and claims the next in the same transaction: one wait for the
    /// disk a delivery, where each is to be noted before the next is made.
    pub fn end_and_claim_deliveries(
        &self,
        ended: &[(Lease, Went)],
        target: &str,
        worker: &str,
        rows_max: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<(Delivery, Lease)>, StoreError> {
        self.engine.transaction(|transaction| {
            for (lease, went) in ended {
                finish(transaction, lease, went, now)?;
            }
            claim(transaction, target, worker, rows_max, until, now)
        })
    }

    /// Notes how a delivery went. `false` where the lease does not hold any more.
    pub fn finish_delivery(&self, lease: &Lease, went: Went, now: Timestamp) -> Result<bool, StoreError> {
        self.engine.transaction(|transaction| finish(transaction, lease, &went, now))
    }

    /// Deliveries, the newest first.
    pub fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        let mut values: Vec<Value> = vec![filter.rows_max.into()];
        let mut sql = format!("SELECT {COLUMNS} FROM deliveries WHERE true");
        let wanted: [(&str, Option<Value>); 3] = [
            ("target =", filter.target.as_deref().map(Value::from)),
            ("state =", filter.state.map(|state| state.name().into())),
            ("number <", filter.before.map(Value::from)),
        ];
        for (test, value) in wanted {
            if let Some(value) = value {
                values.push(value);
                sql.push_str(&format!(" AND {test} ${}", values.len()));
            }
        }
        sql.push_str(" ORDER BY number DESC LIMIT $1");
        self.engine.query(&sql, &values)?.into_iter().map(|mut row| delivery(&mut row)).collect()
    }

    /// The targets to which deliveries wait, sorted.
    pub fn targets_awaited(&self) -> Result<Vec<String>, StoreError> {
        let asked = "SELECT DISTINCT target FROM deliveries WHERE state = 'waiting' ORDER BY target";
        self.engine.query(asked, &[])?.into_iter().map(|mut row| row.text()).collect()
    }

    /// Drops deliveries to a target that wait since before a time, and the oldest of more than so many: then a tenth more,
    /// so that it is not done again for each that follows. What is being handed over is left. What is dropped is an event.
    pub fn drop_deliveries(
        &self,
        target: &str,
        waiting_before: Timestamp,
        rows_max: u32,
        now: Timestamp,
    ) -> Result<DroppedDeliveries, StoreError> {
        self.engine.transaction(|transaction| {
            let too_old = transaction.execute(
                &dropping("it waited for too long (`queue_age_max`)", "waiting_since < $3"),
                &[target.into(), now.into(), waiting_before.into()],
            )?;
            let waiting = "SELECT count(*) FROM deliveries WHERE target = $1 AND state = 'waiting'";
            let waiting: u64 =
                transaction.row(waiting, &[target.into()])?.map_or(Ok(0), |mut row| row.number())?;
            let too_many = match waiting > u64::from(rows_max) {
                false => 0,
                true => transaction.execute(
                    &dropping(
                        "too many waited with it (`queue_max`)",
                        "number IN (SELECT number FROM deliveries WHERE target = $1 AND state = 'waiting'
                         AND (lease_until IS NULL OR lease_until <= $2) ORDER BY number LIMIT $3)",
                    ),
                    &[
                        target.into(),
                        now.into(),
                        waiting.saturating_sub(u64::from(rows_max - rows_max / 10)).into(),
                    ],
                )?,
            };
            let dropped = DroppedDeliveries { too_old, too_many };
            if dropped != DroppedDeliveries::default() {
                let (kind, subject) = (EventKind::DeliveriesDropped, clean(target));
                transaction.note(NewEvent { kind, subject, body: json(&dropped) }, now);
            }
            Ok(dropped)
        })
    }

    /// Has a delivery made once more, whatever became of it. `false` where it is not known. Whoever has it in hand is
    /// not heard afterwards.
    pub fn replay_delivery(&self, number: u64, now: Timestamp) -> Result<bool, StoreError> {
        self.engine.transaction(|transaction| {
            let replayed = transaction.execute(
                "UPDATE deliveries SET state = 'waiting', attempts = 0, due_at = $2, waiting_since = $2, ended_at = NULL,
                 error = NULL, lease = lease + 1, lease_until = NULL
                 WHERE number = $1",
                &[number.into(), now.into()],
            )?;
            Ok(replayed == 1)
        })
    }
}

/// A statement that drops deliveries to `$1` at `$2`. What went wrong with each at last stays told.
fn dropping(why: &str, which: &str) -> String {
    format!(
        "UPDATE deliveries SET state = 'dropped', ended_at = $2, lease = lease + 1, lease_until = NULL,
         error = '{why}' || CASE WHEN error IS NULL THEN '' ELSE '; at last: ' || error END
         WHERE target = $1 AND state = 'waiting' AND (lease_until IS NULL OR lease_until <= $2) AND {which}"
    )
}

fn delivery(row: &mut Columns) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        number: row.number()?,
        target: row.text()?,
        key: row.text()?,
        media_type: row.text()?,
        body: row.blob()?,
        at: row.time()?,
        state: row.named(DeliveryState::of_name)?,
        attempts: row.number()?,
        due_at: row.time()?,
        ended_at: row.optional_time()?,
        error: row.optional_text()?,
    })
}

fn finish(
    transaction: &mut Transaction<'_>,
    lease: &Lease,
    went: &Went,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Ok(number) = lease.id.parse::<i64>() else { return Ok(false) };
    let (state, due_at, error) = match went {
        Ok(()) => (DeliveryState::Delivered, None, None),
        Err((error, Some(at))) => (DeliveryState::Waiting, Some(*at), Some(error.as_str())),
        Err((error, None)) => (DeliveryState::Dead, None, Some(error.as_str())),
    };
    let ended_at = due_at.is_none().then_some(now);
    let finished = transaction.execute(
        "UPDATE deliveries SET state = $4, due_at = COALESCE($5, due_at), ended_at = $6, error = $7,
         lease_until = NULL
         WHERE number = $1 AND worker = $2 AND lease = $3 AND lease_until IS NOT NULL",
        &[
            number.into(),
            lease.worker.as_str().into(),
            lease.number.into(),
            state.name().into(),
            due_at.into(),
            ended_at.into(),
            error.into(),
        ],
    )?;
    Ok(finished == 1)
}

fn claim(
    transaction: &mut Transaction<'_>,
    target: &str,
    worker: &str,
    rows_max: u32,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<(Delivery, Lease)>, StoreError> {
    let due = transaction.query(
        &format!(
            "SELECT {COLUMNS}, lease FROM deliveries
             WHERE target = $1 AND state = 'waiting' AND due_at <= $2 AND (lease_until IS NULL OR lease_until <= $2)
             ORDER BY number LIMIT $3 {{skip_locked}}"
        ),
        &[target.into(), now.into(), rows_max.into()],
    )?;
    let mut claimed = Vec::with_capacity(due.len());
    for mut row in due {
        let mut delivery = delivery(&mut row)?;
        delivery.attempts += 1;
        let id = delivery.number.to_string();
        claimed.push((delivery, Lease { id, worker: clean(worker), number: row.number::<u64>()? + 1 }));
    }
    let numbers: Vec<[u64; 1]> = claimed.iter().map(|(delivery, _)| [delivery.number]).collect();
    transaction.execute(
        "UPDATE deliveries SET attempts = attempts + 1, worker = $2, lease = lease + 1, lease_until = $3
         WHERE number IN (SELECT CAST(listed.value->>0 AS BIGINT) FROM {rows})",
        &[json(&numbers).into(), worker.into(), until.into()],
    )?;
    Ok(claimed)
}
