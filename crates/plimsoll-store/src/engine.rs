//! The two engines under the store, as far as they differ.
//!
//! Statements are written once. They number their values `$1`, `$2`; a word in braces is spelled as the engine spells
//! it. Many rows go in and out as one JSON text of arrays in `$1`: `FROM {rows}` makes a row `listed` of each, whose
//! fields are `listed.value->>0` and on. Bytes of many rows go as one value that `substr` cuts up.
//!
//! A transaction that loses against another is tried again here, so the work that it does must be harmless to do again.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_core::digest::hex;
use sha2::{Digest as _, Sha256};

use crate::{NewEvent, StoreError};

mod bell;
mod place;
mod pool;
mod postgres;
mod sqlite;
mod tls;
mod value;

use bell::Bell;
use postgres::Postgres;
use sqlite::Sqlite;
pub(crate) use value::{Columns, Value, as_kept, clean, json};

/// How often a transaction is tried that loses against others.
pub(crate) const TRIES_MAX: u32 = 8;

/// The first wait before it is tried again; each following one may be twice as long.
const PAUSE: Duration = Duration::from_millis(4);

/// The longest wait.
const PAUSE_MAX: Duration = Duration::from_millis(250);

/// How long those who wait for events believe that no other process has written to the same file.
const POLL_OTHER_PROCESSES: Duration = Duration::from_millis(250);

/// How long they believe that the listener hears all there is.
const POLL_BESIDE_LISTENING: Duration = Duration::from_secs(2);

/// What only one transaction does at a time, over all replicas.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Alone {
    /// Claims scans, so that what is counted stays counted.
    Claiming,
    /// Gives packages numbers; many may at once.
    Numbering,
    /// Forgets packages, while nobody gives numbers.
    Forgetting,
    /// Notes tags.
    Tagging,
    /// Makes tables.
    Migrating,
    /// Asks for clearances and records them, so that a record follows the one before it.
    Recording,
}

/// What a connection is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Changes something.
    Write,
    /// Asks several questions about one state of everything.
    Read,
    /// Asks one question.
    Ask,
}

/// An engine, and how many statements it was given.
pub(crate) struct Engine {
    kind: Kind,
    statements: AtomicU64,
}

enum Kind {
    Sqlite(Sqlite, Bell),
    Postgres(Box<Postgres>),
}

impl Engine {
    pub(crate) fn open(place: &str) -> Result<Engine, StoreError> {
        let kind = match place::is_postgres(place) {
            true => Kind::Postgres(Box::new(Postgres::open(place)?)),
            false => Kind::Sqlite(Sqlite::open(place)?, Bell::default()),
        };
        Ok(Engine { kind, statements: AtomicU64::new(0) })
    }

    /// How many statements it was given since it was opened, besides those that begin and end transactions and number
    /// events.
    pub(crate) fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    pub(crate) fn name(&self) -> &'static str {
        match &self.kind {
            Kind::Sqlite(..) => "sqlite",
            Kind::Postgres(_) => "postgresql",
        }
    }

    /// Runs work that changes something, as one transaction, and again where it lost against another.
    pub(crate) fn transaction<T>(
        &self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.tried(Mode::Write, work)
    }

    /// Runs work that reads, on one state of everything.
    pub(crate) fn read<T>(
        &self,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.tried(Mode::Read, work)
    }

    /// One question.
    pub(crate) fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Columns>, StoreError> {
        self.tried(Mode::Ask, |transaction| transaction.query(sql, values))
    }

    fn tried<T>(
        &self,
        mode: Mode,
        mut work: impl FnMut(&mut Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut counted = |transaction: &mut Transaction<'_>| {
                let done = work(transaction);
                self.statements.fetch_add(transaction.statements, Ordering::Relaxed);
                done
            };
            let done = match &self.kind {
                Kind::Sqlite(sqlite, _) => in_sqlite(sqlite, mode, &mut counted),
                Kind::Postgres(postgres) => in_postgres(postgres, mode, &mut counted),
            };
            match done {
                Ok((done, has_events)) => {
                    if has_events {
                        self.bell().ring();
                    }
                    return Ok(done);
                }
                Err(StoreError::Conflict(_)) if tries < TRIES_MAX => pause(tries),
                Err(error) => return Err(error),
            }
        }
    }

    /// How often events were heard of; to be given to [`Engine::wait`].
    pub(crate) fn heard(&self) -> u64 {
        if let Kind::Postgres(postgres) = &self.kind {
            postgres.listen();
        }
        self.bell().rung()
    }

    /// Waits until there are events that were not heard of, at most so long, and at most as long as it is sensible to
    /// believe that nobody else has any.
    pub(crate) fn wait(&self, heard: u64, wait: Duration) {
        let believed = match self.kind {
            Kind::Sqlite(..) => POLL_OTHER_PROCESSES,
            Kind::Postgres(_) => POLL_BESIDE_LISTENING,
        };
        self.bell().wait(heard, wait.min(believed));
    }

    fn bell(&self) -> &Bell {
        match &self.kind {
            Kind::Sqlite(_, bell) => bell,
            Kind::Postgres(postgres) => &postgres.bell,
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Does work once; also says whether it had events.
fn in_sqlite<T>(
    sqlite: &Sqlite,
    mode: Mode,
    work: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, StoreError>,
) -> Result<(T, bool), StoreError> {
    let mut connection = if mode == Mode::Write { sqlite.writer()? } else { sqlite.reader()? };
    let (begin, end) = match mode {
        Mode::Write => ("BEGIN IMMEDIATE", "COMMIT"),
        Mode::Read => ("BEGIN", "COMMIT"),
        Mode::Ask => ("", ""),
    };
    connection.batch(begin)?;
    let done = Transaction::of(Session::Sqlite(&connection)).run(work);
    let done = done.and_then(|done| connection.batch(end).map(|()| done));
    if done.is_err() && mode != Mode::Ask && connection.batch("ROLLBACK").is_err() {
        connection.is_broken = true;
    }
    done
}

/// The same in PostgreSQL. Work is begun with an answer from the connection, so that one that was lost is noticed
/// before it; one question is asked as a transaction of its own, and again where the connection was lost.
fn in_postgres<T>(
    postgres: &Postgres,
    mode: Mode,
    work: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, StoreError>,
) -> Result<(T, bool), StoreError> {
    let mut connection = postgres.connection(match mode {
        Mode::Write => "BEGIN",
        Mode::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        Mode::Ask => return asked_of_postgres(postgres, work),
    })?;
    let done = Transaction::of(Session::Postgres(&mut connection)).run(work);
    let done = done.and_then(|(done, has_events)| {
        connection.batch(if has_events { "NOTIFY plimsoll_events; COMMIT" } else { "COMMIT" })?;
        Ok((done, has_events))
    });
    if let Err(error) = &done {
        connection.is_broken = is_lost(&connection, error) || connection.batch("ROLLBACK").is_err();
    }
    done
}

/// One question, without a greeting before it, which would take as long as the question.
fn asked_of_postgres<T>(
    postgres: &Postgres,
    work: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, StoreError>,
) -> Result<(T, bool), StoreError> {
    loop {
        let (mut connection, is_new) = postgres.ungreeted()?;
        let done = Transaction::of(Session::Postgres(&mut connection)).run(work);
        let Err(error) = &done else { return done };
        connection.is_broken = is_lost(&connection, error);
        // It was lost while nobody used it; the next one may be new.
        if is_new || !matches!(error, StoreError::Unavailable(_)) {
            return done;
        }
    }
}

fn is_lost(connection: &postgres::Connection, error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable(_)) || connection.is_closed()
}

enum Session<'s> {
    Sqlite(&'s sqlite::Connection),
    Postgres(&'s mut postgres::Connection),
}

/// A transaction that is open.
pub(crate) struct Transaction<'s> {
    session: Session<'s>,
    /// Numbered as the last thing before it is committed.
    events: Vec<(NewEvent, Timestamp)>,
    /// How many were given so far.
    statements: u64,
}

impl<'s> Transaction<'s> {
    fn of(session: Session<'s>) -> Transaction<'s> {
        Transaction { session, events: Vec::new(), statements: 0 }
    }

    fn run<T>(
        mut self,
        work: &mut impl FnMut(&mut Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<(T, bool), StoreError> {
        let done = work(&mut self)?;
        Ok((done, self.number_events()?))
    }

    /// Changes rows; how many.
    pub(crate) fn execute(&mut self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        self.statements += 1;
        match &mut self.session {
            Session::Sqlite(connection) => connection.execute(sql, values),
            Session::Postgres(connection) => connection.execute(sql, values),
        }
    }

    /// Asks for rows, or changes some and asks for them.
    pub(crate) fn query(&mut self, sql: &str, values: &[Value]) -> Result<Vec<Columns>, StoreError> {
        self.statements += 1;
        let rows = match &mut self.session {
            Session::Sqlite(connection) => connection.query(sql, values)?,
            Session::Postgres(connection) => connection.query(sql, values)?,
        };
        Ok(rows.into_iter().map(Columns::of).collect())
    }

    /// Asks for a row that may be there.
    pub(crate) fn row(&mut self, sql: &str, values: &[Value]) -> Result<Option<Columns>, StoreError> {
        Ok(self.query(sql, values)?.into_iter().next())
    }

    /// Runs several statements without values.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        match &mut self.session {
            Session::Sqlite(connection) => connection.batch(sql),
            Session::Postgres(connection) => connection.batch(sql),
        }
    }

    /// Does what follows alone. Must be the first thing in a transaction. Whoever writes to SQLite is alone anyway.
    pub(crate) fn alone(&mut self, what: Alone) -> Result<(), StoreError> {
        match &mut self.session {
            Session::Sqlite(_) => Ok(()),
            Session::Postgres(connection) => connection.alone(what),
        }
    }

    /// Notes an event that becomes visible with the transaction.
    pub(crate) fn note(&mut self, event: NewEvent, now: Timestamp) {
        self.events.push((event, now));
    }

    /// Gives the events their numbers. The row of the last number stays locked until all of it is committed, so that
    /// numbers become visible in their order; it is locked last, so that it is part of no deadlock.
    fn number_events(&mut self) -> Result<bool, StoreError> {
        let events = std::mem::take(&mut self.events);
        if events.is_empty() {
            return Ok(false);
        }
        let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
        let last = self
            .row("UPDATE event_numbers SET last = last + $1 RETURNING last", &[count.into()])?
            .ok_or_else(|| StoreError::Damaged("the number of the last event is gone".to_owned()))?
            .integer()?;
        let rows: Vec<_> = (last - count + 1..)
            .zip(&events)
            .map(|(number, (event, at))| {
                let at = at.as_microsecond();
                (number, at, event.kind.name(), clean(&event.subject), clean(&event.body))
            })
            .collect();
        self.execute(
            "INSERT INTO events (number, at, kind, subject, body)
             SELECT CAST(listed.value->>0 AS BIGINT), CAST(listed.value->>1 AS BIGINT), listed.value->>2,
                    listed.value->>3, listed.value->>4
             FROM {rows}",
            &[json(&rows).into()],
        )?;
        Ok(true)
    }
}

/// A statement with the words in braces as an engine spells them.
fn spell(sql: &str, words: &[(&str, &str)]) -> String {
    let mut spelled = String::with_capacity(sql.len() + 64);
    let mut rest = sql;
    while let Some((before, from)) = rest.split_once('{') {
        let (word, after) = from.split_once('}').expect("a brace in a statement is closed");
        let found = words.iter().find(|(name, _)| *name == word).expect("a word in braces is known");
        spelled.push_str(before);
        spelled.push_str(found.1);
        rest = after;
    }
    spelled.push_str(rest);
    spelled
}

/// Waits a little, longer after each try and never just as long as another one does.
fn pause(tries: u32) {
    let longest = PAUSE.saturating_mul(2_u32.saturating_pow(tries)).min(PAUSE_MAX);
    let share = u32::try_from(random() % 1024).unwrap_or_default();
    std::thread::sleep(longest.saturating_mul(512 + share / 2) / 1024);
}

/// An id for what has none of its own. Nobody can guess it, so it is as good as a secret among those who share it.
pub(crate) fn random_id(prefix: &str, now: Timestamp) -> String {
    let mut hash = Sha256::new();
    for part in [random(), random(), random(), random()] {
        hash.update(part.to_le_bytes());
    }
    hash.update(now.as_microsecond().to_le_bytes());
    let digits = hex(&hash.finalize());
    format!("{prefix}-{}", &digits[..32])
}

/// A number that nobody can foretell: the standard library keys its hashes with the system's randomness.
fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}
