//! Azure Linux 3 and CBL-Mariner 1 and 2: a document for each, a definition for each CVE of a package. Packages
//! are source packages.
//!
//! What surprises:
//! - Criteria name no release; the document is of one.
//! - `less than or equal` means that there is no fix: the version is the newest that was out when the document
//!   was made. `greater than` beside `less than` is where the flaw came in.
//! - `patchable` of `Not Applicable` means that Microsoft no longer holds the package to have the flaw.
//! - Comments leave the dist tag of a version out (`1.20.7-1`), states have it (`1.20.7-1.cm2`).

use plimsoll_core::advisory::Advisory;
use plimsoll_core::distros;

use super::oval::{
    self, Check, Compares, Definition, Dialect, End, LeftOut, Meaning, Operation, Package, Versions,
    without_zero_epoch,
};
use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, text};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "azurelinux-oval",
    title: "Azure Linux OVAL",
    url: "https://raw.githubusercontent.com/microsoft/AzureLinuxVulnerabilityData/main",
    format: "OVAL XML",
    licence: "MIT",
    terms: "https://github.com/microsoft/AzureLinuxVulnerabilityData",
    cadence_hours: 24,
    max_age_days: 14,
    covers: &[Covers::Distro(&distros::azurelinux::DISTRO)],
    gives: "fixed versions, unfixed flaws, severity; Azure Linux 3, CBL-Mariner 1 and 2",
    is_on_by_default: true,
    plan,
    parse,
};

/// The documents and the releases that they are about.
const DOCUMENTS: &[(&str, &str)] =
    &[("azurelinux-3.0-oval.xml", "3"), ("cbl-mariner-1.0-oval.xml", "1"), ("cbl-mariner-2.0-oval.xml", "2")];

static DIALECT: Dialect = Dialect { has_tests: true, needs_architecture: false, namespace, advisory, read };

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    Ok(DOCUMENTS.iter().map(|(file, _)| Part::new(*file, *file).that_may_be_absent()).collect())
}

fn parse(reading: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    oval::read(&DIALECT, reading, source, sink)
}

fn namespace(part: &Part) -> Option<String> {
    let (_, release) = DOCUMENTS.iter().find(|(file, _)| *file == part.path)?;
    Some(distros::azurelinux::DISTRO.namespace(release))
}

fn advisory(definition: &Definition, problems: &mut Vec<&'static str>) -> Result<Advisory, LeftOut> {
    if definition.patchable.eq_ignore_ascii_case("not applicable") {
        return Err(LeftOut::Skipped("its producer no longer holds it to apply"));
    }
    let of_reference = definition.references.iter().map(|reference| reference.id.as_str());
    let of_title = definition.title.split_whitespace().next();
    let id = of_reference.chain(of_title).find(|id| text::is_cve(id));
    let Some(id) = id else { return Err(LeftOut::Refused("it names no CVE")) };
    Ok(Advisory {
        id: id.to_owned(),
        cvss: definition.vectors(FEED.name, problems),
        summary: text::shortened(&definition.title, text::SUMMARY_BYTES_MAX),
        ..definition.advisory()
    })
}

fn read(_: &str, check: Option<Check<'_>>) -> Meaning {
    let unknown = Meaning::LeftOut(LeftOut::Refused("a criterion is none of Azure Linux's"));
    let Some(check) = check.filter(|check| check.is_of_rpm && !check.is_none) else { return unknown };
    if check.compares != Compares::Evr || !check.architectures.is_empty() {
        return unknown;
    }
    let version = without_zero_epoch(check.value);
    if !text::is_package_name(check.package) || !text::is_id(version) {
        return Meaning::LeftOut(LeftOut::Refused("a package has no usable name or version"));
    }
    let (from, end) = match check.operation {
        Operation::Less => (None, End::Before(version.into())),
        Operation::LessOrEqual => (None, End::Through(version.into())),
        Operation::Greater => (Some(after(version).into()), End::Open),
        Operation::GreaterOrEqual => (Some(version.into()), End::Open),
        Operation::Equals | Operation::Other => return unknown,
    };
    let versions = Versions { from, end };
    Meaning::Package(Package { name: check.package.into(), versions, architectures: Vec::new() })
}

/// The first version after one. A version without a release is below every one with a release, so it is not
/// itself the version of a package; behind one with a release comes the same with a caret
/// (rpm-version(7)).
fn after(version: &str) -> String {
    if version.contains('-') { format!("{version}^") } else { version.to_owned() }
}
