//! OSV: one zip of JSON records for each ecosystem, `PyPI/all.zip`; each is a feed of its own (`rows.rs`).
//!
//! OSV lists releases as well (`AlmaLinux:8` beside `AlmaLinux`); their zips repeat what the base name's zip
//! holds, so only base names are read. A record may speak of several ecosystems and then stands in the zip of
//! each: from a zip only what speaks of its ecosystem is taken. Other sources publish records of the same format in
//! other ways; they read them with [`Reader`].
//! Formats: <https://google.github.io/osv.dev/data/>, <https://ossf.github.io/osv-schema/>.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use plimsoll_core::advisory::{Advisory, Affected};
use plimsoll_core::distros;
use plimsoll_core::ecosystems::Ecosystem;
use zip::read::Config;
// Walks the directory without holding it: the npm zip has some 200,000 entries. Its place in the crate is
// marked as one that may move.
use zip::unstable::read::ZipIterable;

use super::{Covers, Feed, Index, ParseError, Part, PlanError, Sink, Source, json, text};

mod ranges;
pub(super) mod record;
pub(super) mod rows;
mod statement;

use record::Record;

/// Who is named as the source of a CVSS vector.
const SOURCE: &str = "osv";

/// Most bytes of one record. The largest real ones, of the kernel, stay below 4 MiB.
const ENTRY_BYTES_MAX: u64 = 16 << 20;

/// Most entries of one zip.
const ENTRIES_MAX: usize = 2_000_000;

/// Most bytes of all records of one zip.
const RECORDS_BYTES_MAX: u64 = 32 << 30;

/// What is taken of records, and how.
#[derive(Clone, Copy)]
pub(super) struct Scope {
    /// A distribution, or languages.
    pub(super) covers: &'static [Covers],
    /// Where the packages of an OSV ecosystem stand; [`Place::of`] but for a feed that has ecosystems of its own.
    pub(super) place: fn(&[Covers], &str) -> Place,
    /// Who is named as the source of a CVSS vector.
    pub(super) source: &'static str,
}

impl Scope {
    /// Whether it is about the packages of a distribution.
    fn is_os(&self) -> bool {
        self.covers.iter().any(|covers| matches!(covers, Covers::Distro(_)))
    }
}

/// Where the packages of an OSV ecosystem stand.
pub(super) enum Place {
    /// In this namespace.
    In(&'static Ecosystem, String),
    /// In a release that no row reads.
    UnknownRelease,
    /// They are of something that the feed does not cover.
    Elsewhere,
}

impl Place {
    /// What follows the colon of a language's ecosystem is another registry of the same language
    /// (`Packagist:https://packages.drupal.org/8`), of a distribution's the release.
    pub(super) fn of(covers: &[Covers], ecosystem: &str) -> Place {
        let name = ecosystem.split(':').next().unwrap_or_default();
        for covers in covers {
            match covers {
                Covers::Packages(row) if row.osv == name => return Place::In(row, row.name.to_owned()),
                Covers::Distro(row) if row.osv == name => {
                    return match distros::namespace_of_osv(ecosystem) {
                        Some((distro, namespace)) => Place::In(distro.ecosystem, namespace),
                        None => Place::UnknownRelease,
                    };
                }
                _ => {}
            }
        }
        Place::Elsewhere
    }
}

/// The name that OSV gives to what a row's zip is about.
fn name_in_osv(feed: &Feed) -> &'static str {
    let name = feed.covers.iter().find_map(|covers| match covers {
        Covers::Distro(row) => Some(row.osv),
        Covers::Packages(row) => Some(row.osv),
        Covers::Flaws(_) | Covers::Other(_) => None,
    });
    name.expect("a row of OSV covers a distribution or a language")
}

fn plan(feed: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let name = name_in_osv(feed);
    let file = format!("{}.zip", name.replace(' ', "-"));
    Ok(vec![Part::new(file, format!("{}/all.zip", name.replace(' ', "%20")))])
}

fn parse(
    reading: &super::Reading<'_>,
    source: &mut dyn Source,
    sink: &mut dyn Sink,
) -> Result<(), ParseError> {
    let scope = Scope { covers: reading.feed.covers, place: Place::of, source: SOURCE };
    let mut reader = Reader::new(scope, sink);
    read_zip(source, &mut reader)?;
    reader.finish();
    Ok(())
}

fn read_zip<S: Read + Seek>(source: S, reader: &mut Reader<'_>) -> Result<(), ParseError> {
    let broken = |error: zip::result::ZipError| ParseError(format!("cannot read the zip: {error}"));
    let mut zip = ZipIterable::try_new(source, Config::default()).map_err(broken)?;
    if zip.len() > ENTRIES_MAX {
        return Err(ParseError(format!("the zip has more than {ENTRIES_MAX} entries")));
    }
    let (mut bytes, mut all_bytes) = (Vec::new(), 0_u64);
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
        all_bytes = all_bytes.saturating_add(bytes.len() as u64);
        if all_bytes > RECORDS_BYTES_MAX {
            return Err(ParseError("the records are larger than 32 GiB together".to_owned()));
        }
    }
    Ok(())
}

/// Reads records one after the other.
pub(super) struct Reader<'a> {
    scope: Scope,
    pub(super) sink: &'a mut dyn Sink,
    /// Those that the sink knows already.
    namespaces: BTreeSet<String>,
    /// The latest time of a change.
    modified: String,
}

impl<'a> Reader<'a> {
    pub(super) fn new(scope: Scope, sink: &'a mut dyn Sink) -> Reader<'a> {
        let mut namespaces = BTreeSet::new();
        for covers in scope.covers {
            if let Covers::Packages(row) = covers {
                sink.namespace(row.name);
                namespaces.insert(row.name.to_owned());
            }
        }
        Reader { scope, sink, namespaces, modified: String::new() }
    }

    /// Reads one record, `name` being its file's, and hands it on.
    pub(super) fn record(&mut self, name: &str, bytes: &[u8]) {
        if let Some(record) = self.parse(name, bytes)
            && let Some((advisory, affected)) = self.statement(record)
        {
            self.hand_on(&advisory, &affected);
        }
    }

    /// The record as it is written. One without an id has its file's name.
    pub(super) fn parse(&mut self, name: &str, bytes: &[u8]) -> Option<Record> {
        match json::read_whole::<Record>(bytes, "it is not an OSV record") {
            Ok(record) if record.id.is_empty() => {
                self.sink.refuse(name, "it has no usable id");
                None
            }
            Ok(record) => Some(record),
            Err(reason) => {
                self.sink.refuse(name, reason);
                None
            }
        }
    }

    /// What the record states within the scope.
    pub(super) fn statement(&mut self, record: Record) -> Option<(Box<Advisory>, Vec<Affected>)> {
        let id = text::shortened(&record.id, 120);
        let mut problems = BTreeSet::new();
        let kept = match statement::read(record, self.scope, &mut problems) {
            statement::Reading::Skipped(reason) => {
                self.sink.skip(reason);
                None
            }
            statement::Reading::Refused(reason) => {
                problems.insert(reason);
                None
            }
            statement::Reading::Kept(advisory, affected) => Some((advisory, affected)),
        };
        for reason in problems {
            self.sink.refuse(&id, reason);
        }
        kept
    }

    /// Hands a statement to the sink, and namespaces that are new with it.
    pub(super) fn hand_on(&mut self, advisory: &Advisory, affected: &[Affected]) {
        if let Some(modified) = advisory.modified.as_ref().filter(|time| **time > self.modified) {
            self.modified.clone_from(modified);
        }
        for one in affected {
            if !self.namespaces.contains(&one.namespace) {
                self.sink.namespace(&one.namespace);
                self.namespaces.insert(one.namespace.clone());
            }
        }
        self.sink.advisory(advisory, affected);
    }

    /// Tells the date of the data.
    pub(super) fn finish(self) {
        if self.modified.is_empty() {
            return;
        }
        self.sink.data_date(&self.modified);
        // Of the whole, not of the release: a release that is out of support is not out of date.
        for namespace in &self.namespaces {
            self.sink.namespace_date(namespace, &self.modified);
        }
    }
}
