//! SUSE Linux Enterprise Server, openSUSE Leap and openSUSE Tumbleweed: a document for each release, a
//! definition for each CVE. Packages are binary packages.
//!
//! What surprises:
//! - A document comes in three kinds. `NAME-affected.xml` has everything of `NAME.xml` and unfixed flaws too;
//!   `NAME-patch.xml` has the same by update and is not read. Of the two others the first is, where it is there.
//! - The document of a server has the definitions of its products, of which the server itself, its paid ends of
//!   life (`-LTSS`) and the modules are one release here. Others, such as the one for SAP, are left out. The
//!   modules of release 12 are the same for all its service packs.
//! - `is not affected` is a test for version 0. `is affected` is one for anything above `0:0-0`.
//! - Kernels that can be patched while they run are compared for equality, and with what must not be installed
//!   beside them. That is left out: containers bring no kernel to run.

use plimsoll_core::advisory::Advisory;
use plimsoll_core::distros;

use super::oval::{
    self, Check, Compares, Definition, Dialect, End, LeftOut, Meaning, Operation, Package, Versions,
    without_zero_epoch,
};
use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, text};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "suse-oval",
    title: "SUSE OVAL",
    url: "https://ftp.suse.com/pub/projects/security/oval",
    format: "OVAL XML, gzip",
    licence: "CC-BY-4.0",
    terms: "https://www.suse.com/support/security/oval/",
    cadence_hours: 24,
    max_age_days: 14,
    covers: &[
        Covers::Distro(&distros::opensuse_leap::DISTRO),
        Covers::Distro(&distros::opensuse_tumbleweed::DISTRO),
        Covers::Distro(&distros::sles::DISTRO),
    ],
    gives: "fixed versions, unfixed flaws, severity, CVSS; server from 11, Leap from 15.3 on, Tumbleweed",
    is_on_by_default: true,
    plan,
    parse,
};

/// The documents, without the endings of their names.
const DOCUMENTS: &[&str] = &[
    "opensuse.leap.15.3",
    "opensuse.leap.15.4",
    "opensuse.leap.15.5",
    "opensuse.leap.15.6",
    "opensuse.leap.16.0",
    "opensuse.tumbleweed",
    "suse.linux.enterprise.server.11",
    "suse.linux.enterprise.server.12",
    "suse.linux.enterprise.server.15",
    "suse.linux.enterprise.server.16",
];

/// Those of which the kind with unfixed flaws may not be there, so that the other is asked for as well.
const MAY_LACK_UNFIXED: &[&str] = &[
    "opensuse.leap.16.0",
    "opensuse.tumbleweed",
    "suse.linux.enterprise.server.11",
    "suse.linux.enterprise.server.16",
];

const WITH_UNFIXED: &str = "-affected.xml.gz";
const WITHOUT_UNFIXED: &str = ".xml.gz";

static DIALECT: Dialect =
    Dialect { has_tests: true, needs_architecture: false, namespace: |_| None, advisory, read };

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let mut parts = Vec::new();
    for name in DOCUMENTS {
        let mut add = |ending: &str| {
            let file = format!("{name}{ending}");
            parts.push(Part::new(file.clone(), file).that_may_be_absent());
        };
        add(WITH_UNFIXED);
        if MAY_LACK_UNFIXED.contains(name) {
            add(WITHOUT_UNFIXED);
        }
    }
    Ok(parts)
}

fn parse(reading: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let name = reading.part.name.as_str();
    if !name.ends_with(WITH_UNFIXED) {
        let better = format!("{}{WITH_UNFIXED}", name.trim_end_matches(WITHOUT_UNFIXED));
        if reading.snapshot.names().contains(&better) {
            sink.skip("the document has a twin with unfixed flaws");
            return Ok(());
        }
    }
    oval::read(&DIALECT, reading, source, sink)
}

fn advisory(definition: &Definition, problems: &mut Vec<&'static str>) -> Result<Advisory, LeftOut> {
    if definition.class != "vulnerability" {
        return Err(LeftOut::Skipped("it is an update, whose flaws have definitions of their own"));
    }
    if !text::is_id(&definition.title) {
        return Err(LeftOut::Refused("it has no usable id"));
    }
    let mut advisory = Advisory {
        id: definition.title.clone(),
        cvss: definition.vectors(FEED.name, problems),
        ..definition.advisory()
    };
    advisory.references.sort_by_key(|link| !link.starts_with("https://www.suse.com/"));
    Ok(advisory)
}

fn read(comment: &str, check: Option<Check<'_>>) -> Meaning {
    let Some(check) = check else { return Meaning::LeftOut(UNKNOWN) };
    if !check.is_of_rpm {
        return Meaning::LeftOut(LeftOut::Skipped("it depends on the kernel that runs"));
    }
    match (check.compares, check.operation, check.value) {
        (Compares::Other, ..) => Meaning::Holds,
        (Compares::Version, Operation::Equals, "0") => package(&check, End::Never),
        (Compares::Version, ..) => product(comment),
        (Compares::Evr, _, _) if check.is_none => Meaning::LeftOut(LIVE_PATCH),
        (Compares::Evr, Operation::Less, version) => {
            package(&check, End::Before(without_zero_epoch(version).into()))
        }
        (Compares::Evr, Operation::Greater, "0:0-0") => package(&check, End::Open),
        (Compares::Evr, Operation::Equals | Operation::GreaterOrEqual, _) => Meaning::LeftOut(LIVE_PATCH),
        _ => Meaning::LeftOut(UNKNOWN),
    }
}

const UNKNOWN: LeftOut = LeftOut::Refused("a criterion is none of SUSE's");
const LIVE_PATCH: LeftOut = LeftOut::Skipped("it depends on patches of the kernel that runs");

/// `SUSE Linux Enterprise Server 15 SP5 is installed`. The names are those of OSV behind `SUSE:` and `openSUSE:`.
fn product(comment: &str) -> Meaning {
    let Some(product) = comment.strip_suffix(" is installed") else { return Meaning::LeftOut(UNKNOWN) };
    let namespace = product
        .split_once(' ')
        .and_then(|(vendor, product)| distros::namespace_of_osv(&format!("{vendor}:{product}")));
    match namespace {
        None => Meaning::Elsewhere,
        Some((row, _)) if product.contains(" Module for ") && product.ends_with(" 12") => {
            let packs = SERVICE_PACKS_OF_12.iter().map(|release| row.namespace(release));
            Meaning::Namespaces(packs.collect())
        }
        Some((_, namespace)) => Meaning::Namespaces(vec![namespace]),
    }
}

/// Releases of the server that have the modules of 12. There will be no more.
const SERVICE_PACKS_OF_12: &[&str] = &["12", "12.1", "12.2", "12.3", "12.4", "12.5"];

fn package(check: &Check<'_>, end: End) -> Meaning {
    let is_version = |version: &str| text::is_id(version);
    let is_usable = match &end {
        End::Before(version) => is_version(version),
        _ => true,
    };
    if !text::is_package_name(check.package) || !is_usable {
        return Meaning::LeftOut(LeftOut::Refused("a package has no usable name or version"));
    }
    match architectures(check.architectures) {
        Some(architectures) => Meaning::Package(Package {
            name: check.package.into(),
            versions: Versions { from: None, end },
            architectures,
        }),
        None => Meaning::LeftOut(LeftOut::Refused("architectures are not a list of alternatives")),
    }
}

/// `(aarch64|x86_64)`.
fn architectures(pattern: &str) -> Option<Vec<String>> {
    if pattern.is_empty() {
        return Some(Vec::new());
    }
    let inner = pattern.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(pattern);
    let names = inner.split('|').map(|name| {
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        is_name.then(|| name.to_owned())
    });
    names.collect()
}
