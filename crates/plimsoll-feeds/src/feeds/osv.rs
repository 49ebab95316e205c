//! OSV: one zip of JSON records for each ecosystem, `PyPI/all.zip`; each is a feed of its own (`rows.rs`).
//!
//! OSV lists releases as well (`AlmaLinux:8` beside `AlmaLinux`); their zips repeat what the base name's zip
//! holds, so only base names are read. A record may speak of several ecosystems and then stands in the zip of
//! each: from a zip only what speaks of its ecosystem is taken.
//! Formats: <https://google.github.io/osv.dev/data/>, <https://ossf.github.io/osv-schema/>.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use plimsoll_core::distros::Distro;
use plimsoll_core::ecosystems::Ecosystem;
use zip::read::Config;
// Walks the directory without holding it: the npm zip has some 200,000 entries. Its place in the crate is
// marked as one that may move.
use zip::unstable::read::ZipIterable;

use super::{Covers, Feed, Index, ParseError, Part, PlanError, Sink, Source, text};

mod ranges;
mod record;
pub(super) mod rows;
mod statement;

/// Who is named as the source of a CVSS vector.
const SOURCE: &str = "osv";

/// Most bytes of one record. The largest real ones, of the kernel, stay below 4 MiB.
const ENTRY_BYTES_MAX: u64 = 16 << 20;

/// Most entries of one zip.
const ENTRIES_MAX: usize = 2_000_000;

/// Most bytes of all records of one zip.
const RECORDS_BYTES_MAX: u64 = 32 << 30;

/// What the records of one zip are about.
#[derive(Clone, Copy)]
enum Scope {
    Language(&'static Ecosystem),
    Distribution(&'static Distro),
}

impl Scope {
    /// What a row's zip is about.
    fn of(feed: &Feed) -> Option<Scope> {
        feed.covers.iter().find_map(|covers| match covers {
            Covers::Distro(row) => Some(Scope::Distribution(row)),
            Covers::Packages(row) => Some(Scope::Language(row)),
            Covers::Flaws(_) | Covers::Other(_) => None,
        })
    }

    /// The name that OSV gives it.
    fn osv(self) -> &'static str {
        match self {
            Scope::Language(row) => row.osv,
            Scope::Distribution(row) => row.osv,
        }
    }

    fn ecosystem(self) -> &'static Ecosystem {
        match self {
            Scope::Language(row) => row,
            Scope::Distribution(row) => row.ecosystem,
        }
    }
}

fn scope(feed: &Feed) -> Scope {
    Scope::of(feed).expect("a row of OSV covers a distribution or a language")
}

fn plan(feed: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let name = scope(feed).osv();
    let file = format!("{}.zip", name.replace(' ', "-"));
    Ok(vec![Part::new(file, format!("{}/all.zip", name.replace(' ', "%20")))])
}

fn parse(
    reading: &super::Reading<'_>,
    source: &mut dyn Source,
    sink: &mut dyn Sink,
) -> Result<(), ParseError> {
    let scope = scope(reading.feed);
    let mut namespaces = BTreeSet::new();
    if let Scope::Language(row) = scope {
        sink.namespace(row.name);
        namespaces.insert(row.name.to_owned());
    }
    let mut reader = Reader { scope, sink, namespaces, modified: String::new(), bytes: 0 };
    read_zip(source, &mut reader)?;
    if !reader.modified.is_empty() {
        reader.sink.data_date(&reader.modified);
        // Of the zip, not of the release: a release that is out of support is not out of date.
        for namespace in &reader.namespaces {
            reader.sink.namespace_date(namespace, &reader.modified);
        }
    }
    Ok(())
}

fn read_zip<S: Read + Seek>(source: S, reader: &mut Reader<'_>) -> Result<(), ParseError> {
    let broken = |error: zip::result::ZipError| ParseError(format!("cannot read the zip: {error}"));
    let mut zip = ZipIterable::try_new(source, Config::default()).map_err(broken)?;
    if zip.len() > ENTRIES_MAX {
        return Err(ParseError(format!("the zip has more than {ENTRIES_MAX} entries")));
    }
    let mut bytes = Vec::new();
    let entries = zip.files().map_err(broken)?;
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(broken)?;
        if !entry.is_file() {
            continue;
        }
        let name = entry.name().map(|name| text::shortened(&name, 120)).unwrap_or_default();
        bytes.clear();
        let length = match entry.with_reader(entries.reader_mut(), zip::read::ZipReadOptions::new()) {
            Ok(file) => file.take(ENTRY_BYTES_MAX + 1).read_to_end(&mut bytes).ok(),
            Err(_) => None,
        };
        match length {
            None => reader.sink.refuse(&name, "the entry is damaged"),
            Some(_) if bytes.len() as u64 > ENTRY_BYTES_MAX => {
                reader.sink.refuse(&name, "the entry is larger than 16 MiB");
            }
            Some(_) => reader.record(&name, &bytes),
        }
        reader.bytes = reader.bytes.saturating_add(bytes.len() as u64);
        if reader.bytes > RECORDS_BYTES_MAX {
            return Err(ParseError("the records are larger than 32 GiB together".to_owned()));
        }
    }
    Ok(())
}

/// Reads records one after the other.
struct Reader<'a> {
    scope: Scope,
    sink: &'a mut dyn Sink,
    /// Those that the sink knows already.
    namespaces: BTreeSet<String>,
    /// The latest time of a change.
    modified: String,
    /// Bytes of all records so far.
    bytes: u64,
}

impl Reader<'_> {
    fn record(&mut self, name: &str, bytes: &[u8]) {
        use statement::Reading;

        // Serde would take a list for the fields of a record in their order.
        if bytes.trim_ascii_start().starts_with(b"[") {
            self.sink.refuse(name, "it is not an OSV record");
            return;
        }
        let record: record::Record = match serde_json::from_slice(bytes) {
            Ok(record) => record,
            Err(error) => {
                let reason = if error.is_data() { "it is not an OSV record" } else { "it is not JSON" };
                self.sink.refuse(name, reason);
                return;
            }
        };
        let id = if record.id.is_empty() { name.to_owned() } else { text::shortened(&record.id, 120) };
        let mut problems = BTreeSet::new();
        match statement::read(record, self.scope, &mut problems) {
            Reading::Skipped(reason) => self.sink.skip(reason),
            Reading::Refused(reason) => {
                problems.insert(reason);
            }
            Reading::Kept(advisory, affected) => {
                if let Some(modified) = advisory.modified.as_ref().filter(|time| **time > self.modified) {
                    self.modified.clone_from(modified);
                }
                for one in &affected {
                    if !self.namespaces.contains(&one.namespace) {
                        self.sink.namespace(&one.namespace);
                        self.namespaces.insert(one.namespace.clone());
                    }
                }
                self.sink.advisory(&advisory, &affected);
            }
        }
        for reason in problems {
            self.sink.refuse(&id, reason);
        }
    }
}
