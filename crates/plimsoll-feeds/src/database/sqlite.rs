//! Writes a database out as SQLite, for people who want to query it. Nothing reads it back.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use plimsoll_core::advisory::{Advisories, Advisory, High, Interval, LookupError, Row};
use rusqlite::{Connection, Transaction, params};

use super::format::{Body, unpack_cve};
use super::open::Database;
use super::write::{beside, sync_directory};

/// An export could not be written. What stood in its place still does.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database could not be read.
    #[error("cannot read what is to be exported")]
    Lookup(#[from] LookupError),
    /// Something stands there that a rename would destroy: a device, a pipe, a link.
    #[error("`{0}` is no plain file and is not replaced; name another file")]
    InTheWay(PathBuf),
    /// SQLite refused.
    #[error("cannot write the export")]
    Sqlite(#[from] rusqlite::Error),
    /// A file operation failed.
    #[error("cannot write the export `{path}`")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// The tables. Versions stand as written and, in the columns `low` and `high`, as sort keys: a version with
/// key K is in the range when `low <= K` and K is below `high`, or at it where `high_is_included`.
const TABLES: &str = "
create table meta (key text primary key, value text not null) without rowid;
create table feeds (
    feed integer primary key, name text not null unique, fetched_at text not null, data_date text,
    records integer not null);
create table feed_namespaces (
    feed integer not null references feeds, namespace text not null, data_date text not null);
create table feed_counts (
    feed integer not null references feeds, what text not null, reason text not null, records integer not null);
create table feed_examples (feed integer not null references feeds, example text not null);
create table advisories (
    advisory integer primary key, feed integer not null references feeds, id text not null,
    summary text not null, description text not null, severity text, published text, modified text);
create table aliases (advisory integer not null references advisories, alias text not null);
create table flaws (advisory integer not null references advisories, cve text not null);
create table cvss (
    advisory integer not null references advisories, source text not null, version text not null,
    vector text not null, score real not null);
create table links (advisory integer not null references advisories, url text not null);
create table affected (
    namespace text not null, package text not null, advisory integer not null references advisories,
    status text not null, fix text not null, introduced text, end text, has_fix integer not null,
    is_parsable integer not null, low blob, high blob, high_is_included integer not null,
    module text, architectures text, severity text);
create table kev (
    cve text primary key, date_added text not null, due_date text not null,
    is_used_by_ransomware integer not null) without rowid;
create table epss (cve text primary key, score real not null, percentile real not null) without rowid;
create table cve_cvss (
    cve text not null, source text not null, version text not null, vector text not null, score real not null);
create table repositories (id text not null, product text not null);
create table ends_of_life (
    namespace text primary key, date text, is_over integer not null, extended_until text) without rowid;
";

/// Made after the rows are in, which is faster.
const INDEXES: &str = "
create index affected_package on affected (package, namespace);
create index affected_advisory on affected (advisory);
create index advisories_id on advisories (id);
create index aliases_alias on aliases (alias);
create index aliases_advisory on aliases (advisory);
create index flaws_cve on flaws (cve);
create index flaws_advisory on flaws (advisory);
create index cvss_advisory on cvss (advisory);
create index cve_cvss_cve on cve_cvss (cve);
create index repositories_id on repositories (id);
create index links_advisory on links (advisory);
";

/// Writes a database as SQLite: aside first, then in place of what stands at `path`.
pub fn export_sqlite(db: &Database, path: &Path) -> Result<(), ExportError> {
    if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(ExportError::InTheWay(path.to_owned()));
    }
    let aside = beside(path, ".exporting");
    let io = |source| ExportError::Io { path: path.to_owned(), source };
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let written = fill(db, &aside).and_then(|()| {
        File::open(&aside).and_then(|file| file.sync_all()).map_err(io)?;
        fs::rename(&aside, path).map_err(io)?;
        sync_directory(path).map_err(io)
    });
    if written.is_err() {
        // The error that is already there says more than one of this would.
        let _ = fs::remove_file(&aside);
    }
    written
}

fn fill(db: &Database, path: &Path) -> Result<(), ExportError> {
    let mut connection = Connection::open(path)?;
    // A file that is thrown away when anything goes wrong needs no journal.
    connection.execute_batch("pragma journal_mode = off; pragma synchronous = off;")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    fill_feeds(db, &transaction)?;
    fill_advisories(db, &transaction)?;
    fill_affected(db, &transaction)?;
    fill_cves(db, &transaction)?;
    fill_places(db, &transaction)?;
    transaction.execute_batch(INDEXES)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error.into())
}

/// NULL for an empty text.
fn stated(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn fill_feeds(db: &Database, to: &Transaction<'_>) -> Result<(), ExportError> {
    let identity = db.identity();
    for (key, value) in [
        ("id", identity.id.clone()),
        ("built_at", identity.built_at.clone()),
        ("rows", db.row_count().to_string()),
        ("advisories", db.advisory_count().to_string()),
    ] {
        to.execute("insert into meta values (?, ?)", params![key, value])?;
    }
    for (number, feed) in (0i64..).zip(db.feeds()) {
        to.execute(
            "insert into feeds values (?, ?, ?, ?, ?)",
            params![number, feed.name, feed.fetched_at, feed.data_date, signed(feed.records)],
        )?;
        for namespace in &feed.namespaces {
            let row = params![number, namespace, feed.date_of(namespace)];
            to.execute("insert into feed_namespaces values (?, ?, ?)", row)?;
        }
        for (what, counts) in [("refused", &feed.refused), ("skipped", &feed.skipped)] {
            for (reason, records) in counts {
                to.execute(
                    "insert into feed_counts values (?, ?, ?, ?)",
                    params![number, what, reason, signed(*records)],
                )?;
            }
        }
        for example in &feed.examples {
            to.execute("insert into feed_examples values (?, ?)", params![number, example])?;
        }
    }
    Ok(())
}

/// SQLite's integers have a sign.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn fill_advisories(db: &Database, to: &Transaction<'_>) -> Result<(), ExportError> {
    let mut advisories = to.prepare("insert into advisories values (?, ?, ?, ?, ?, ?, ?, ?)")?;
    let mut aliases = to.prepare("insert into aliases values (?, ?)")?;
    let mut flaws = to.prepare("insert into flaws values (?, ?)")?;
    let mut cvss = to.prepare("insert into cvss values (?, ?, ?, ?, ?)")?;
    let mut links = to.prepare("insert into links values (?, ?)")?;
    db.each_body(|number, body| {
        let advisory: Advisory = Body::read(body)
            .and_then(Body::into_advisory)
            .ok_or_else(|| db.damaged(&format!("advisory {number} cannot be read")))?;
        let feed = signed(db.feed_of(number)? as u64);
        advisories.execute(params![
            number,
            feed,
            advisory.id,
            advisory.summary,
            advisory.description,
            advisory.severity.map(|severity| severity.name()),
            advisory.published,
            advisory.modified
        ])?;
        for alias in &advisory.aliases {
            aliases.execute(params![number, alias])?;
        }
        for flaw in &advisory.flaws {
            flaws.execute(params![number, flaw])?;
        }
        for entry in &advisory.cvss {
            cvss.execute(params![number, entry.source, entry.version, entry.vector, entry.score])?;
        }
        for reference in &advisory.references {
            links.execute(params![number, reference])?;
        }
        Ok(())
    })
}

fn fill_affected(db: &Database, to: &Transaction<'_>) -> Result<(), ExportError> {
    let mut insert =
        to.prepare("insert into affected values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
    db.each_row(|namespace, package, row: Row<'_>| {
        let (is_parsable, low, high, high_is_included) = match row.interval {
            Interval::Unparsable => (false, None, None, false),
            Interval::Keys { low, high: High::Open } => (true, Some(low), None, false),
            Interval::Keys { low, high: High::Before(key) } => (true, Some(low), Some(key), false),
            Interval::Keys { low, high: High::Through(key) } => (true, Some(low), Some(key), true),
        };
        insert.execute(params![
            namespace,
            package,
            row.advisory,
            row.status.name(),
            row.fix.name(),
            stated(row.introduced),
            stated(row.end),
            row.has_fix,
            is_parsable,
            low,
            high,
            high_is_included,
            stated(row.module),
            stated(row.architectures),
            row.severity.map(|severity| severity.name())
        ])?;
        Ok(())
    })
}

fn fill_cves(db: &Database, to: &Transaction<'_>) -> Result<(), ExportError> {
    let mut insert = to.prepare("insert into kev values (?, ?, ?, ?)")?;
    db.each_kev(|cve, kev| {
        insert.execute(params![unpack_cve(cve), kev.date_added, kev.due_date, kev.is_used_by_ransomware])?;
        Ok::<_, ExportError>(())
    })?;
    let mut insert = to.prepare("insert into epss values (?, ?, ?)")?;
    db.each_epss(|cve, epss| {
        insert.execute(params![unpack_cve(cve), epss.score, epss.percentile])?;
        Ok::<_, ExportError>(())
    })?;
    let mut insert = to.prepare("insert into cve_cvss values (?, ?, ?, ?, ?)")?;
    db.each_cvss(|cve, cvss| {
        insert.execute(params![unpack_cve(cve), cvss.source, cvss.version, cvss.vector, cvss.score])?;
        Ok::<_, ExportError>(())
    })
}

fn fill_places(db: &Database, to: &Transaction<'_>) -> Result<(), ExportError> {
    let mut insert = to.prepare("insert into repositories values (?, ?)")?;
    db.each_repository(|id, products| {
        for product in products.split(' ') {
            insert.execute(params![id, product])?;
        }
        Ok::<_, ExportError>(())
    })?;
    let mut insert = to.prepare("insert into ends_of_life values (?, ?, ?, ?)")?;
    for (namespace, end) in db.each_end() {
        insert.execute(params![namespace, end.date, end.is_over, end.extended_until])?;
    }
    Ok(())
}
