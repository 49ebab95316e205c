//! Canonical's OSV export, one record a flaw, joined with its VEX.
//!
//! The export writes whatever has no fix in one way: introduced at 0, no fix. Whether Canonical looks into it, puts
//! it off or will never fix it only the VEX tells. So the VEX is read first, into a map of one number a statement
//! (`vex.rs`), and each record is then completed from it. Handing the VEX's statements to the sink as rows of their
//! own would be less code and wrong: among the rows of one feed a claim beats a denial and "affected" beats "under
//! investigation", and the export's own rows always claim. What surprises:
//! - what only Ubuntu Pro fixes stands under `Ubuntu:Pro:22.04:LTS`, and then mostly nothing under
//!   `Ubuntu:22.04:LTS`. The release has the flaw all the same: its package is what Pro's was made from;
//! - builds of their own (FIPS, Realtime, BlueField) say nothing of the release's packages;
//! - a package that never had the flaw may be written as fixed in its first version;
//! - notices (USN, LSN) repeat the flaws' records, and claim every flaw of every package that they name;
//! - a release that is out of support stays, but for two that went before Canonical promised so.
//!
//! Formats: <https://documentation.ubuntu.com/security/security-updates/osv/> and `../vex/`.

use std::collections::BTreeMap;

use plimsoll_core::advisory::{Advisory, Affected, FixState, Range, RangeEnd, Status};
use plimsoll_core::distros::ubuntu;

use super::archive::{self, Content, Limits};
use super::osv::{self, Place, Scope};
use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, text};

mod vex;

use vex::{Said, Statements};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "ubuntu-osv",
    title: "Ubuntu (Canonical's OSV and VEX)",
    url: "https://security-metadata.canonical.com",
    format: "OSV and OpenVEX JSON in tar.xz files",
    licence: "CC-BY-SA-4.0",
    terms: "https://github.com/canonical/ubuntu-security-notices",
    cadence_hours: 6,
    max_age_days: 7,
    covers: COVERS,
    gives: "fixed versions, Ubuntu's priority, CVSS, what is not yet known, put off or will not be fixed; releases from 14.04 on",
    is_on_by_default: true,
    plan,
    parse,
};

const COVERS: &[Covers] = &[Covers::Distro(&ubuntu::DISTRO)];

/// The part with the statements; the other holds the records.
const VEX: &str = "vex-all.tar.xz";

/// The two parts had 33 GiB together in 2026, and some 60,000 files each. The largest are of the kernel, which names
/// thousands of packages.
const LIMITS: Limits = Limits { entries_max: 2_000_000, file_bytes_max: 64 << 20, bytes_max: 256 << 30 };

/// What ends the namespace of a statement on Ubuntu Pro's builds, until it is joined with the release's.
const PRO: &str = "+pro";

/// Releases of which Canonical removed what it knew; what is left would make them look clean.
const REMOVED_RELEASES: &[&str] = &["24.10", "25.04"];

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    Ok(vec![Part::new("osv-all.tar.xz", "osv/osv-all.tar.xz"), Part::new(VEX, format!("vex/{VEX}"))])
}

fn parse(reading: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    if reading.part.path.starts_with("vex/") {
        // It is read with the records. Here it only has to be whole.
        return archive::each_file(source, &LIMITS, &|_| false, &mut |_, _| {});
    }
    let unreadable = |error| ParseError(format!("cannot open `{VEX}`: {error}"));
    let mut statements = Statements::default();
    match reading.snapshot.open(VEX).map_err(unreadable)? {
        Some(mut vex) => statements.read(&mut vex, &LIMITS, sink)?,
        None => sink.refuse(VEX, "it is not there, so what will not be fixed is not known"),
    }
    let scope = Scope { covers: COVERS, place, source: reading.feed.name };
    let mut reader = osv::Reader::new(scope, sink);
    archive::each_file(source, &LIMITS, &is_json, &mut |path, content| {
        let name = path.rsplit('/').next().unwrap_or(path);
        match content {
            _ if is_notice(name) => reader.sink.skip("a notice, whose flaws have records of their own"),
            Content::TooLarge => reader.sink.refuse(name, "the record is larger than 64 MiB"),
            Content::Whole(bytes) => record(name, bytes, &statements, &mut reader),
        }
    })?;
    reader.finish();
    Ok(())
}

fn is_json(path: &str) -> bool {
    path.ends_with(".json")
}

/// Whether a file is a security notice, of a package or of a live patch of the kernel.
fn is_notice(name: &str) -> bool {
    name.starts_with("USN-") || name.starts_with("LSN-")
}

/// Where the packages of one of Canonical's ecosystems stand.
fn place(covers: &[Covers], ecosystem: &str) -> Place {
    let of_pro = ecosystem.strip_prefix("Ubuntu:Pro:");
    let found = match of_pro {
        Some(release) => Place::of(covers, &format!("Ubuntu:{release}")),
        None => Place::of(covers, ecosystem),
    };
    match found {
        Place::In(_, namespace) if is_removed(&namespace) => Place::UnknownRelease,
        Place::In(row, namespace) if of_pro.is_some() => Place::In(row, format!("{namespace}{PRO}")),
        found => found,
    }
}

fn is_removed(namespace: &str) -> bool {
    namespace.rsplit(':').next().is_some_and(|release| REMOVED_RELEASES.contains(&release))
}

/// Reads one record and hands on what it says together with the VEX.
fn record(name: &str, bytes: &[u8], statements: &Statements, reader: &mut osv::Reader<'_>) {
    let Some(mut record) = reader.parse(name, bytes) else { return };
    let count = record.affected.len();
    record
        .affected
        .retain(|affected| !matches!(place(COVERS, &affected.package.ecosystem), Place::UnknownRelease));
    if record.affected.len() < count {
        reader.sink.skip("builds of their own (FIPS, Realtime, BlueField) and releases that were removed");
        if record.affected.is_empty() {
            return;
        }
    }
    let Some((advisory, affected)) = reader.statement(record) else { return };
    let affected = joined(affected, &cve(&advisory), statements);
    if affected.is_empty() {
        reader.sink.skip("the VEX says that no release has the packages");
    } else {
        reader.hand_on(&advisory, &affected);
    }
}

fn cve(advisory: &Advisory) -> String {
    let names = std::iter::once(&advisory.id).chain(&advisory.aliases);
    names.into_iter().find(|name| text::is_cve(name)).cloned().unwrap_or_default()
}

/// All that is said of one package of one release.
#[derive(Default)]
struct Package {
    /// The export's statement on the release's own build.
    own: Option<Affected>,
    /// The export's statement on Ubuntu Pro's build.
    pro: Option<Affected>,
    /// The VEX's statement on the release's own build.
    said: Option<Said>,
    /// The VEX's statement on Ubuntu Pro's build, the firmest of them.
    said_of_pro: Option<Said>,
}

/// Brings all statements on one flaw together, one for each package of a release.
fn joined(affected: Vec<Affected>, cve: &str, statements: &Statements) -> Vec<Affected> {
    let mut packages: BTreeMap<(String, String), Package> = BTreeMap::new();
    for mut one in affected {
        let namespace = one.namespace.strip_suffix(PRO).map(str::to_owned);
        let is_pro = namespace.is_some();
        one.namespace = namespace.unwrap_or(one.namespace);
        let package = packages.entry((one.namespace.clone(), one.package.clone())).or_default();
        let place = if is_pro { &mut package.pro } else { &mut package.own };
        match place {
            Some(first) => first.ranges.append(&mut one.ranges),
            None => *place = Some(one),
        }
    }
    for statement in statements.of(cve).filter(|one| !REMOVED_RELEASES.contains(&one.release)) {
        let key = (ubuntu::DISTRO.namespace(statement.release), statement.package.to_owned());
        let package = packages.entry(key).or_default();
        let place = if statement.is_pro { &mut package.said_of_pro } else { &mut package.said };
        *place = (*place).max(Some(statement.said));
    }
    packages.into_iter().filter_map(|((namespace, name), package)| package.decide(namespace, name)).collect()
}

impl Package {
    /// What holds for the release that everybody has. No version is ever taken from the VEX: the ones it names are
    /// the latest of the archive, not those with the fix.
    fn decide(self, namespace: String, package: String) -> Option<Affected> {
        let Package { own, pro, said, said_of_pro } = self;
        let is_fixed = |one: &Option<Affected>| {
            one.iter().flat_map(|one| &one.ranges).any(|range| matches!(range.end, RangeEnd::Fixed(_)))
        };
        let (has_own_fix, has_pro_fix) = (is_fixed(&own), is_fixed(&pro));
        let severity = own.as_ref().or(pro.as_ref()).and_then(|one| one.severity);
        let one = |status, fix, ranges| {
            let (module, architectures) = (None, Vec::new());
            Some(Affected { namespace, package, status, fix, ranges, module, architectures, severity })
        };
        let open = || vec![Range { introduced: None, end: RangeEnd::Open }];
        if said == Some(Said::Cleared) || (!has_own_fix && is_cleared_by_pro(said, said_of_pro)) {
            // Said only where the export claims otherwise: for the rest there are millions, and nobody asks.
            let is_claimed = own.is_some() || pro.is_some();
            return is_claimed.then(|| one(Status::NotAffected, FixState::Unstated, Vec::new()))?;
        }
        match (own, pro) {
            (Some(own), _) if has_own_fix => one(Status::Affected, FixState::Unstated, own.ranges),
            _ if said == Some(Said::Absent) => None,
            (_, Some(pro)) if has_pro_fix => {
                let fix = said.map_or(FixState::Unstated, |said| said.meaning().1);
                let fix = if fix == FixState::Unstated { FixState::WillNotFix } else { fix };
                one(Status::Affected, fix, pro.ranges.into_iter().map(without_fix).collect())
            }
            (Some(own), _) => {
                let (status, fix) = said.map_or((Status::Affected, FixState::Unstated), Said::meaning);
                one(status, fix, own.ranges)
            }
            (None, pro) => match (said, pro) {
                (Some(said), _) => one(said.meaning().0, said.meaning().1, open()),
                // What Pro does not know yet, or has not fixed yet, the release will not have fixed.
                (None, Some(_)) => {
                    let status = said_of_pro.map_or(Status::Affected, |said| said.meaning().0);
                    (said_of_pro != Some(Said::Absent)).then(|| one(status, FixState::WillNotFix, open()))?
                }
                (None, None) => None,
            },
        }
    }
}

/// Whether research on Pro's build, which the same people do, clears the release's as well: it does where nobody
/// looked into that one, or where it is only said to be out of support.
fn is_cleared_by_pro(said: Option<Said>, said_of_pro: Option<Said>) -> bool {
    said_of_pro == Some(Said::Cleared)
        && matches!(said, None | Some(Said::UnderInvestigation | Said::EndOfLife))
}

/// A version that only those with Ubuntu Pro can have is where the flaw ends, and is no fix for everybody.
fn without_fix(range: Range) -> Range {
    match range.end {
        RangeEnd::Fixed(version) => Range { end: RangeEnd::Before(version), ..range },
        _ => range,
    }
}
