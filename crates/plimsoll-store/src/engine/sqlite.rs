//! SQLite: one file on one machine, in write-ahead mode.
//!
//! One connection writes, and whoever wants it waits for it here, not in SQLite, where waiting is a matter of luck.
//! Several others read meanwhile. The file holds tokens of registries, so nobody else may read it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{ErrorCode, OpenFlags, params_from_iter};

use super::place;
use super::pool::{Held, Pool};
use super::{Value, spell};
use crate::StoreError;

/// Readers at once.
const READERS_MAX: usize = 4;

/// How long to wait for another process that writes.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// How often the file is opened where other processes just open it too.
const OPENINGS_MAX: u32 = 20;

/// Statements that a connection keeps prepared.
const STATEMENTS_MAX: usize = 128;

/// How SQLite spells what it spells its own way.
const WORDS: &[(&str, &str)] = &[
    ("append_only", "BEGIN SELECT RAISE(ABORT, 'records are only ever added'); END"),
    ("append_only_function", ""),
    ("blob", "BLOB"),
    ("clustered", " WITHOUT ROWID"),
    ("for_update", ""),
    ("or_truncate", ""),
    ("rows", "json_each(?1) AS listed"),
    ("serial", "INTEGER PRIMARY KEY AUTOINCREMENT"),
    ("skip_locked", ""),
    ("text", "TEXT"),
];

pub(crate) struct Sqlite {
    path: PathBuf,
    writer: Pool<Connection>,
    readers: Pool<Connection>,
}

impl Sqlite {
    pub(super) fn open(path: &str) -> Result<Sqlite, StoreError> {
        if place::is_of_another_kind(path) {
            let reason = "it is neither a path nor `postgres://USER@HOST/DATABASE`".to_owned();
            return Err(place::bad(path, reason));
        }
        let path = PathBuf::from(path);
        create(&path).map_err(|error| StoreError::BadPlace {
            place: path.display().to_string(),
            reason: format!("it cannot be made: {error}"),
        })?;
        Ok(Sqlite { path, writer: Pool::new(1), readers: Pool::new(READERS_MAX) })
    }

    pub(super) fn writer(&self) -> Result<Held<'_, Connection>, StoreError> {
        Ok(self.writer.take(|| Connection::open(&self.path, false))?.0)
    }

    pub(super) fn reader(&self) -> Result<Held<'_, Connection>, StoreError> {
        Ok(self.readers.take(|| Connection::open(&self.path, true))?.0)
    }
}

/// Makes the file and its folder where they are missing. The files that SQLite puts beside it get its mode.
fn create(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

pub(crate) struct Connection {
    connection: rusqlite::Connection,
}

impl Connection {
    fn open(path: &Path, is_reader: bool) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut openings = 0;
        loop {
            openings += 1;
            let opened = rusqlite::Connection::open_with_flags(path, flags).and_then(|connection| {
                connection.busy_timeout(BUSY_MAX)?;
                connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
                // What is acknowledged is on disk, also when the machine loses power.
                connection.execute_batch(
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
                )?;
                connection.pragma_update(None, "query_only", is_reader)?;
                Ok(Connection { connection })
            });
            match opened.map_err(failed) {
                // Going over to write-ahead mode is refused at once while others do the same.
                Err(StoreError::Conflict(_)) if openings < OPENINGS_MAX => super::pause(openings),
                Err(StoreError::Damaged(what)) => {
                    return Err(StoreError::Damaged(format!("`{}`: {what}", path.display())));
                }
                opened => return opened,
            }
        }
    }

    /// Runs several statements without values.
    pub(super) fn batch(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.execute_batch(&spell(sql, WORDS)).map_err(failed)
    }

    /// Changes rows; how many.
    pub(super) fn execute(&self, sql: &str, values: &[Value]) -> Result<u64, StoreError> {
        let sql = spell(sql, WORDS).replace('$', "?");
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        let changed = statement.execute(params_from_iter(values)).map_err(failed)?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    pub(super) fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, StoreError> {
        let sql = spell(sql, WORDS).replace('$', "?");
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        let columns = statement.column_count();
        let mut found = statement.query(params_from_iter(values)).map_err(failed)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next().map_err(failed)? {
            let values = (0..columns).map(|column| value(row.get_ref(column).map_err(failed)?));
            rows.push(values.collect::<Result<Vec<Value>, StoreError>>()?);
        }
        Ok(rows)
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
        Ok(rusqlite::types::ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(value: ValueRef<'_>) -> Result<Value, StoreError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Text(text) => match String::from_utf8(text.to_vec()) {
            Ok(text) => Value::Text(text),
            Err(_) => return Err(StoreError::Damaged("a text is not UTF-8".to_owned())),
        },
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        ValueRef::Real(_) => return Err(StoreError::Damaged("a fraction stands in a column".to_owned())),
    })
}

fn failed(error: rusqlite::Error) -> StoreError {
    let text = error.to_string();
    let Some(code) = error.sqlite_error_code() else { return StoreError::Refused(text) };
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Conflict(text),
        ErrorCode::DiskFull
        | ErrorCode::SystemIoFailure
        | ErrorCode::CannotOpen
        | ErrorCode::PermissionDenied
        | ErrorCode::ReadOnly
        | ErrorCode::OutOfMemory => StoreError::Unavailable(text),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Damaged(text),
        _ => StoreError::Refused(text),
    }
}
