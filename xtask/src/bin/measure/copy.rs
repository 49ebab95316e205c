//! Copies a filled store from SQLite into an empty one in PostgreSQL, table by table: both have the same columns in the same
//! order, and writing a fleet anew takes a quarter of an hour.

use std::io::Write as _;

use anyhow::Context as _;
use plimsoll_store::Store;
use rusqlite::types::ValueRef;

/// Those that a fleet is in, each after those that it refers to.
const TABLES: [&str; 5] = ["scans", "inventories", "image_packages", "packages", "events"];

/// Copies what is in a file to a place.
pub(super) fn copy(file: &str, place: &str) -> anyhow::Result<()> {
    // Makes the tables.
    drop(Store::open(place)?);
    let from = rusqlite::Connection::open(file).with_context(|| format!("cannot open `{file}`"))?;
    let mut to = postgres::Client::connect(place, postgres::NoTls)?;
    let mut transaction = to.transaction()?;
    for table in TABLES {
        let mut writer = transaction.copy_in(&format!("COPY {table} FROM STDIN"))?;
        let mut statement = from.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        let mut line = Vec::new();
        while let Some(row) = rows.next()? {
            line.clear();
            for column in 0..columns {
                if column > 0 {
                    line.push(b'\t');
                }
                append(&mut line, row.get_ref(column)?)?;
            }
            line.push(b'\n');
            writer.write_all(&line)?;
        }
        writer.finish()?;
    }
    let last: i64 = from.query_row("SELECT last FROM event_numbers", [], |row| row.get(0))?;
    transaction.execute("UPDATE event_numbers SET last = $1", &[&last])?;
    transaction.batch_execute(
        "SELECT setval(pg_get_serial_sequence('packages', 'number'), (SELECT max(number) FROM packages))",
    )?;
    transaction.commit()?;
    Ok(to.batch_execute("ANALYZE; CHECKPOINT")?)
}

/// A value as `COPY` has it (PostgreSQL's manual, "COPY", text format).
fn append(line: &mut Vec<u8>, value: ValueRef<'_>) -> anyhow::Result<()> {
    match value {
        ValueRef::Null => line.extend_from_slice(b"\\N"),
        ValueRef::Integer(number) => write!(line, "{number}")?,
        ValueRef::Real(number) => write!(line, "{number}")?,
        ValueRef::Text(text) => {
            for byte in text {
                match byte {
                    b'\\' => line.extend_from_slice(b"\\\\"),
                    b'\t' => line.extend_from_slice(b"\\t"),
                    b'\n' => line.extend_from_slice(b"\\n"),
                    b'\r' => line.extend_from_slice(b"\\r"),
                    byte => line.push(*byte),
                }
            }
        }
        ValueRef::Blob(bytes) => {
            line.extend_from_slice(b"\\\\x");
            for byte in bytes {
                write!(line, "{byte:02x}")?;
            }
        }
    }
    Ok(())
}
