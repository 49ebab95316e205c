//! Oracle Linux 5 to 10: all security errata (ELSA) in one document.
//!
//! The comments of criteria state everything, so the tests behind them are not read. What surprises:
//! - Fixes come for three flavors of a package. Those for FIPS 140 (`_fips` in the release) and for Ksplice
//!   (`.ksplice1.` in it) count from epochs of their own and say nothing of the normal package, so they are left
//!   out.
//! - An architecture is that of the system, on which packages of an older one are installed as well.
//! - Errata without any architecture are mistakes of their producer's and left out.
//! - An erratum may name no CVE. It keeps its own id.

use plimsoll_core::advisory::Advisory;
use plimsoll_core::distros;

use super::oval::{
    self, Check, Definition, Dialect, End, LeftOut, Meaning, Package, Versions, without_zero_epoch,
};
use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, text};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "oracle-oval",
    title: "Oracle Linux OVAL",
    url: "https://linux.oracle.com/security/oval",
    format: "OVAL XML, bzip2",
    licence: "copyright of Oracle, published for use with Oracle Linux",
    terms: "https://linux.oracle.com/security/",
    cadence_hours: 24,
    max_age_days: 14,
    covers: &[Covers::Distro(&distros::oracle::DISTRO)],
    gives: "fixed versions, severity, modules, architectures; releases from 5 on",
    is_on_by_default: true,
    plan,
    parse,
};

static DIALECT: Dialect =
    Dialect { has_tests: false, needs_architecture: true, namespace: |_| None, advisory, read };

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let file = "com.oracle.elsa-all.xml.bz2";
    Ok(vec![Part::new(file, file)])
}

fn parse(reading: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    oval::read(&DIALECT, reading, source, sink)
}

fn advisory(definition: &Definition, problems: &mut Vec<&'static str>) -> Result<Advisory, LeftOut> {
    let (of_title, summary) = definition.title.split_once(':').unwrap_or_default();
    let of_reference = definition.references.iter().find(|reference| reference.source == "elsa");
    let id = of_reference.map_or(of_title.trim(), |reference| reference.id.as_str());
    if !text::is_id(id) {
        return Err(LeftOut::Refused("it has no usable id"));
    }
    let flaws = definition.cve_ids();
    // Which vector is which flaw's is lost in an advisory of several.
    let cvss = if flaws.len() > 1 { Vec::new() } else { definition.vectors(FEED.name, problems) };
    // The title ends in the severity, which is told apart from it.
    let summary = summary.rsplit_once('(').map_or(summary, |(summary, _)| summary);
    let summary = summary.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Advisory {
        id: id.to_owned(),
        flaws,
        cvss,
        summary: text::shortened(&summary, text::SUMMARY_BYTES_MAX),
        ..definition.advisory()
    })
}

/// Architectures of packages on a system of one.
fn of_system(architecture: &str) -> Vec<String> {
    let all: &[&str] = match architecture {
        "x86_64" => &["x86_64", "i686", "i586", "i386"],
        "i386" | "i686" => &["i686", "i586", "i386"],
        other => &[other],
    };
    all.iter().map(|&name| name.to_owned()).collect()
}

fn read(comment: &str, _: Option<Check<'_>>) -> Meaning {
    if let Some(architecture) = comment.strip_prefix("Oracle Linux arch is ") {
        return Meaning::Architectures(of_system(architecture.trim()));
    }
    if let Some(product) = comment.strip_suffix(" is installed") {
        let release = product.strip_prefix("Oracle Linux ").filter(|release| release.parse::<u32>().is_ok());
        return match release {
            Some(release) => Meaning::Namespaces(vec![distros::oracle::DISTRO.namespace(release)]),
            None => Meaning::Elsewhere,
        };
    }
    let module = comment.strip_prefix("Module ").and_then(|rest| rest.strip_suffix(" is enabled"));
    if let Some(module) = module {
        return match module.split_once(':') {
            Some((name, stream)) if !name.is_empty() && !stream.is_empty() => {
                Meaning::Module(module.to_owned())
            }
            _ => Meaning::LeftOut(LeftOut::Refused("a module has no stream")),
        };
    }
    if comment.contains(" is signed with ") {
        return Meaning::Holds;
    }
    if comment.ends_with(" is ksplice-based") {
        return Meaning::LeftOut(KSPLICE);
    }
    match comment.split_once(" is earlier than ") {
        Some((name, version)) => package(name.trim(), version.trim()),
        None => Meaning::LeftOut(LeftOut::Refused("a criterion is none of Oracle's")),
    }
}

const KSPLICE: LeftOut =
    LeftOut::Skipped("it is of packages that Ksplice can patch, which count on their own");

fn package(name: &str, version: &str) -> Meaning {
    if version.contains(".ksplice") {
        return Meaning::LeftOut(KSPLICE);
    }
    if version.contains("_fips") {
        let reason = "it is of packages that are built for FIPS 140, which count on their own";
        return Meaning::LeftOut(LeftOut::Skipped(reason));
    }
    if !text::is_package_name(name) || !text::is_id(version) {
        return Meaning::LeftOut(LeftOut::Refused("a package has no usable name or version"));
    }
    Meaning::Package(Package {
        name: name.into(),
        versions: Versions { from: None, end: End::Before(without_zero_epoch(version).into()) },
        architectures: Vec::new(),
    })
}
