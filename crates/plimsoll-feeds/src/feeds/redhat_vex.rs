//! Red Hat's VEX: one CSAF 2.0 document for each CVE, which says of every product and package whether it is affected,
//! fixed (and by which build), not affected or not known yet.
//!
//! All documents together are a tar of more than 100 MB, made every few days, so that an update takes the tar once and
//! after it only what has changed: `changes.csv` names each document with the time of its last change,
//! `deletions.csv` those that are gone. A document of its own overrules the one in the tar.
//!
//! Formats: <https://docs.oasis-open.org/csaf/csaf/v2.0/os/csaf-v2.0-os.html> and
//! <https://redhatproductsecurity.github.io/security-data-guidelines/csaf-vex/>.

use std::collections::{BTreeSet, HashMap, HashSet};

use plimsoll_core::distros::{centos, redhat};

use super::archive::{self, Content, Limits};
use super::{
    Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Snapshot, Source, inflate, text,
};

mod builds;
mod document;
mod products;
mod statement;

/// Who is named as the source of a CVSS vector.
const SOURCE: &str = "redhat-vex";

const CHANGES: &str = "changes.csv";
const DELETIONS: &str = "deletions.csv";
const ARCHIVE_PREFIX: &str = "csaf_vex_";
const ARCHIVE_SUFFIX: &str = ".tar.zst";

/// How many documents may have changed before a new tar is taken instead of going on with the one that is here.
const CHANGED_MAX: usize = 3_000;

/// Most documents that are fetched one by one beside a new tar: nearly all change at once where Red Hat generates them
/// anew.
const DOCUMENTS_MAX: usize = 9_000;

/// Most bytes of one document. The largest real ones have some 40 MB.
const DOCUMENT_BYTES_MAX: u64 = 96 << 20;

/// Most bytes of a list of documents.
const LIST_BYTES_MAX: u64 = 16 << 20;

/// What the tar may hold.
const LIMITS: Limits =
    Limits { entries_max: 5_000_000, file_bytes_max: DOCUMENT_BYTES_MAX, bytes_max: 128 << 30 };

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "redhat-vex",
    title: "Red Hat VEX",
    url: "https://security.access.redhat.com/data/csaf/v2/vex",
    format: "CSAF 2.0 VEX in a tar, and single documents",
    licence: "CC-BY-4.0",
    terms: "https://access.redhat.com/security/data",
    cadence_hours: 6,
    max_age_days: 7,
    covers: &[Covers::Distro(&centos::DISTRO), Covers::Distro(&redhat::DISTRO)],
    gives: "fixed builds of each stream, severity, CVSS, what will not be fixed or is put off, what is not affected",
    is_on_by_default: true,
    plan,
    parse,
};

fn plan(_: &Feed, index: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let newest = index.get("archive_latest.txt")?.ok_or_else(|| missing("archive_latest.txt"))?;
    let newest = String::from_utf8_lossy(&newest).trim().to_owned();
    if archive_date(&newest).is_none() {
        let name = text::shortened(&newest, 80);
        return Err(PlanError(format!("`archive_latest.txt` names `{name}`, which is no archive of VEX")));
    }
    let changes = index.get(CHANGES)?.ok_or_else(|| missing(CHANGES))?;
    let deletions = index.get(DELETIONS)?.unwrap_or_default();
    let deleted: HashMap<String, String> = entries(&deletions).flatten().collect();
    let mut changed: Vec<(String, String)> = entries(&changes)
        .flatten()
        .filter(|(path, time)| deleted.get(path).is_none_or(|deletion| deletion < time))
        .collect();
    changed.sort_unstable_by(|a, b| (&b.1, &b.0).cmp(&(&a.1, &a.0)));
    changed.dedup_by(|a, b| a.0 == b.0);
    // From the newest to the oldest.
    let since = |date: &str| changed.partition_point(|(_, time)| time.as_str() >= date);
    let held = index.held().into_iter().filter(|name| archive_date(name).is_some()).max();
    let archive = held
        .filter(|held| archive_date(held).is_some_and(|date| since(date) < CHANGED_MAX))
        .filter(|held| *held < newest)
        .unwrap_or(newest);
    let count = since(archive_date(&archive).unwrap_or_default()).min(DOCUMENTS_MAX);
    let date = archive_date(&archive).map(str::to_owned);
    let mut parts = vec![
        Part { revision: date, ..Part::new(archive.clone(), archive) },
        Part::new(CHANGES, CHANGES),
        Part::new(DELETIONS, DELETIONS).that_may_be_absent(),
    ];
    let documents = changed.into_iter().take(count).map(|(path, time)| Part {
        revision: Some(time),
        ..Part::new(part_name(&path), path).that_may_be_absent()
    });
    parts.extend(documents);
    Ok(parts)
}

fn missing(path: &str) -> PlanError {
    PlanError(format!("there is no `{path}`"))
}

/// The date in an archive's name, `YYYY-MM-DD`.
fn archive_date(name: &str) -> Option<&str> {
    let date = name.strip_prefix(ARCHIVE_PREFIX)?.strip_suffix(ARCHIVE_SUFFIX)?;
    text::date(date).is_some().then_some(date)
}

/// The lines of a list of documents: path and time, RFC 3339 in UTC. A line that is not one is handed out as it is.
fn entries(list: &[u8]) -> impl Iterator<Item = Result<(String, String), String>> {
    let lines = list.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    lines.map(|line| {
        let line = String::from_utf8_lossy(line);
        let entry = line.split_once(',').and_then(|(path, time)| {
            let time = text::instant(time.trim().trim_matches('"'))?;
            let path = path.trim().trim_matches('"');
            is_document(path).then(|| (path.to_owned(), time))
        });
        entry.ok_or_else(|| text::shortened(&line, 120))
    })
}

/// Whether a path is a document's: `2024/cve-2024-1234.json`.
fn is_document(path: &str) -> bool {
    let parts = path.strip_suffix(".json").and_then(|path| path.split_once("/cve-"));
    parts.is_some_and(|(year, name)| {
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        year.len() == 4
            && year.bytes().all(|byte| byte.is_ascii_digit())
            && path.len() < 80
            && name.bytes().all(is_name)
    })
}

fn part_name(path: &str) -> String {
    path.replace('/', "-")
}

fn parse(reading: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let path = reading.part.path.as_str();
    let mut reader = Reader { sink, namespaces: BTreeSet::new(), modified: String::new() };
    match path {
        CHANGES => return changes(reading, &list(source)?, reader.sink),
        DELETIONS => return deletions(&list(source)?, reader.sink),
        _ if path.ends_with(ARCHIVE_SUFFIX) => read_archive(reading, source, &mut reader)?,
        _ => {
            let bytes = inflate::whole(source, DOCUMENT_BYTES_MAX)?;
            // One document that is none must not keep thousands of others from counting.
            reader.document(path, bytes.as_deref().map_or(Content::TooLarge, Content::Whole));
        }
    }
    if !reader.modified.is_empty() {
        reader.sink.data_date(&reader.modified);
    }
    Ok(())
}

fn list(source: &mut dyn Source) -> Result<Vec<u8>, ParseError> {
    let bytes = inflate::whole(source, LIST_BYTES_MAX)?;
    let bytes = bytes.ok_or_else(|| ParseError("the list is larger than 16 MiB".to_owned()))?;
    if entries(&bytes).all(|entry| entry.is_err()) && !bytes.trim_ascii().is_empty() {
        return Err(ParseError("it is not a list of documents and times".to_owned()));
    }
    Ok(bytes)
}

/// Reads the times of the last changes. The newest is the date of the data: what was not changed was left as it is
/// on purpose. A document that changed after the tar was made and is not here is told.
fn changes(reading: &Reading<'_>, list: &[u8], sink: &mut dyn Sink) -> Result<(), ParseError> {
    let names = reading.snapshot.names();
    let made = names.iter().filter_map(|name| archive_date(name)).max();
    let deleted = deleted_since("", reading.snapshot)?;
    let (mut newest, mut has_entry) = (String::new(), false);
    for entry in entries(list) {
        let (path, time) = match entry {
            Ok(entry) => entry,
            Err(line) => {
                sink.refuse(&line, "the line does not name a document and a time");
                continue;
            }
        };
        let is_newer = made.is_some_and(|made| time.as_str() >= made);
        if is_newer && names.binary_search(&part_name(&path)).is_err() && !deleted.contains(&path) {
            sink.skip("the document changed after the tar was made and was not fetched by itself");
        }
        has_entry = true;
        newest = newest.max(time);
    }
    if has_entry {
        sink.data_date(&newest);
    }
    Ok(())
}

fn deletions(list: &[u8], sink: &mut dyn Sink) -> Result<(), ParseError> {
    for line in entries(list).filter_map(Result::err) {
        sink.refuse(&line, "the line does not name a document and a time");
    }
    Ok(())
}

/// Documents that were deleted on this day or later.
fn deleted_since(date: &str, snapshot: &dyn Snapshot) -> Result<HashSet<String>, ParseError> {
    let opened = snapshot
        .open(DELETIONS)
        .map_err(|error| ParseError(format!("cannot open the deletions: {error}")))?;
    let Some(mut source) = opened else { return Ok(HashSet::new()) };
    let list = list(&mut source)?;
    Ok(entries(&list).flatten().filter(|(_, time)| time.as_str() >= date).map(|(path, _)| path).collect())
}

/// Reads the documents of the tar that nothing newer has taken the place of.
fn read_archive(
    reading: &Reading<'_>,
    source: &mut dyn Source,
    reader: &mut Reader<'_>,
) -> Result<(), ParseError> {
    let date = archive_date(&reading.part.path).unwrap_or_default();
    let newer: HashSet<String> = reading.snapshot.names().into_iter().collect();
    let deleted = deleted_since(date, reading.snapshot)?;
    archive::each_file(source, &LIMITS, &|path| path.ends_with(".json"), &mut |path, content| {
        let path = path.strip_prefix("./").unwrap_or(path);
        if newer.contains(&part_name(path)) {
            reader.sink.skip("a newer document stands beside the tar");
        } else if deleted.contains(path) {
            reader.sink.skip("the document was deleted");
        } else {
            reader.document(path, content);
        }
    })
}

/// Reads documents one after the other.
struct Reader<'a> {
    sink: &'a mut dyn Sink,
    /// Those that the sink knows already.
    namespaces: BTreeSet<String>,
    /// The latest time of a change.
    modified: String,
}

impl Reader<'_> {
    fn document(&mut self, path: &str, content: Content<'_>) {
        let path = text::shortened(path, 120);
        let read = match content {
            Content::TooLarge => Err("the document is larger than 96 MiB"),
            Content::Whole(bytes) => document::read(bytes),
        };
        let document = match read {
            Ok(document) => document,
            Err(reason) => {
                self.sink.refuse(&path, reason);
                return;
            }
        };
        if let Some(time) = text::instant(&document.document.tracking.current_release_date.0) {
            self.modified = time.max(std::mem::take(&mut self.modified));
        }
        let statements = statement::read(&document);
        for namespace in statements.namespaces {
            if !self.namespaces.contains(&namespace) {
                self.sink.namespace(&namespace);
                self.namespaces.insert(namespace);
            }
        }
        for (advisory, affected) in &statements.advisories {
            self.sink.advisory(advisory, affected);
        }
        for reason in statements.skipped {
            self.sink.skip(reason);
        }
        for reason in statements.refused {
            self.sink.refuse(&path, reason);
        }
    }
}

#[cfg(test)]
mod tests;
