//! GitHub's advisory database as its repository holds it: one tar.gz with a file for each advisory.
//!
//! OSV's zips of languages carry the same advisories, split by language and hours later, so this one is for those who
//! want GitHub's own. What surprises:
//! - what nobody at GitHub has looked at (`unreviewed/`, ten times as many) repeats the NVD and names no packages;
//! - a range without a fix may have its upper end aside, in `last_known_affected_version_range`; the reader of OSV
//!   records knows that;
//! - names are written as their registries show them (`Newtonsoft.Json`, `Pillow`), not as they are looked up;
//! - packages of Go's standard library are named by their path (`net/http`), which no inventory has.
//!
//! Format: <https://github.com/github/advisory-database#github-advisory-database>.

use plimsoll_core::ecosystems;

use super::archive::{self, Content, Limits};
use super::osv::record::Affected;
use super::osv::{self, Place, Scope};
use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "github-advisories",
    title: "GitHub Advisory Database",
    url: "https://github.com/github/advisory-database/archive/refs/heads/main.tar.gz",
    format: "OSV JSON in a tar.gz file",
    licence: "CC-BY-4.0",
    terms: "https://github.com/github/advisory-database/blob/main/LICENSE.md",
    cadence_hours: 6,
    max_age_days: 14,
    covers: COVERS,
    gives: "ranges of affected versions, fixed versions, severity, CVSS; what GitHub has reviewed",
    // OSV's zips have the same.
    is_on_by_default: false,
    plan,
    parse,
};

const COVERS: &[Covers] = &[
    Covers::Packages(&ecosystems::CARGO),
    Covers::Packages(&ecosystems::COMPOSER),
    Covers::Packages(&ecosystems::GEM),
    Covers::Packages(&ecosystems::GOLANG),
    Covers::Packages(&ecosystems::MAVEN),
    Covers::Packages(&ecosystems::NPM),
    Covers::Packages(&ecosystems::NUGET),
    Covers::Packages(&ecosystems::PYPI),
];

/// The folder of what was reviewed, below the one that is named after the branch.
const REVIEWED: &str = "/advisories/github-reviewed/";

/// There were 350,000 files of 3 KiB in 2026, each in a folder of its own.
const LIMITS: Limits = Limits { entries_max: 10_000_000, file_bytes_max: 4 << 20, bytes_max: 64 << 30 };

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    Ok(vec![Part::new("advisory-database.tar.gz", "")])
}

fn parse(reading: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let scope = Scope { covers: COVERS, place: Place::of, source: reading.feed.name };
    let mut reader = osv::Reader::new(scope, sink);
    let mut count = 0_u64;
    archive::each_file(source, &LIMITS, &is_reviewed, &mut |path, content| {
        count += 1;
        let name = path.rsplit('/').next().unwrap_or(path);
        match content {
            Content::TooLarge => reader.sink.refuse(name, "the record is larger than 4 MiB"),
            Content::Whole(bytes) => record(name, bytes, &mut reader),
        }
    })?;
    reader.finish();
    if count == 0 {
        return Err(ParseError(format!("the archive has nothing in `{REVIEWED}`")));
    }
    Ok(())
}

fn is_reviewed(path: &str) -> bool {
    path.contains(REVIEWED) && path.ends_with(".json")
}

fn record(name: &str, bytes: &[u8], reader: &mut osv::Reader<'_>) {
    let Some(mut record) = reader.parse(name, bytes) else { return };
    let count = record.affected.len();
    record.affected.retain(|affected| !is_of_go_itself(affected));
    if record.affected.len() < count {
        reader.sink.skip("of Go's standard library, which Go's own database knows");
        if record.affected.is_empty() {
            return;
        }
    }
    if let Some((advisory, affected)) = reader.statement(record) {
        reader.hand_on(&advisory, &affected);
    }
}

/// A module's path begins with a host, so its first part has a dot (<https://go.dev/ref/mod#module-path>).
fn is_of_go_itself(affected: &Affected) -> bool {
    let first = affected.package.name.split('/').next().unwrap_or_default();
    affected.package.ecosystem == ecosystems::GOLANG.osv && !first.contains('.')
}
