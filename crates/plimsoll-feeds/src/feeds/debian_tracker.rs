//! Debian's security tracker: one JSON document of more than 70 MB, read as a stream.
//!
//! `package -> CVE -> releases -> codename`. Packages are source packages. The tracker resolves unannotated
//! releases by itself: a release that is listed has a status of its own. What surprises:
//! - `resolved` with a fixed version of `0` means that the release never was affected;
//! - an urgency that ends in `**` was taken over from the NVD;
//! - flaws without a CVE are called `TEMP-0123456-ABCDEF`.
//!
//! The format is described by its producer only:
//! <https://salsa.debian.org/security-tracker-team/security-tracker/-/blob/master/bin/tracker_service.py>.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::advisory::{Advisory, Affected, FixState, Range, RangeEnd, Severity, Status};
use plimsoll_core::distros::debian::{self, release_of_codename};
use serde::Deserialize;

use super::json::{self, Field, Object, Text};
use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, text};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "debian-tracker",
    title: "Debian Security Tracker",
    url: "https://security-tracker.debian.org/tracker/data/json",
    format: "JSON",
    licence: "public",
    terms: "https://www.debian.org/license",
    cadence_hours: 6,
    max_age_days: 7,
    covers: &[Covers::Distro(&debian::DISTRO)],
    gives: "fixed versions, urgency, what is put off or will not be fixed; all supported releases, testing and unstable",
    is_on_by_default: true,
    plan,
    parse,
};

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    Ok(vec![Part::new("tracker.json", "")])
}

fn parse(_: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let mut codenames = BTreeSet::new();
    json::each_inner_member(source, &mut |package, flaw, record| {
        if let Err(reason) = statement(package, flaw, record, &mut codenames, sink) {
            sink.refuse(&text::shortened(&format!("{package} {flaw}"), 120), reason);
        }
    })
}

/// What is said of one flaw of one package.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    description: Field<Text<'a>>,
    /// By codename.
    #[serde(borrow)]
    releases: Field<BTreeMap<Text<'a>, Field<Object<State<'a>>>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct State<'a> {
    #[serde(borrow)]
    status: Field<Text<'a>>,
    #[serde(borrow)]
    fixed_version: Field<Text<'a>>,
    #[serde(borrow)]
    urgency: Field<Text<'a>>,
    #[serde(borrow)]
    nodsa_reason: Field<Text<'a>>,
}

/// Hands one flaw of one package to the sink: one advisory, and a statement for each release.
fn statement(
    package: &str,
    flaw: &str,
    record: &str,
    codenames: &mut BTreeSet<String>,
    sink: &mut dyn Sink,
) -> Result<(), &'static str> {
    if flaw.is_empty() && record == "null" {
        return Err("the flaws of the package are not an object");
    }
    if !text::is_package_name(package) {
        return Err("the package has no usable name");
    }
    if !text::is_id(flaw) {
        return Err("the flaw has no usable id");
    }
    let record: Record<'_> = json::read(record);
    let releases = record.releases.read().ok_or("`releases` is not an object")?;
    let mut affected = Vec::with_capacity(releases.len());
    let mut bad = None;
    let none = State::default();
    for (Text(codename), state) in releases {
        let Some(release) = release_of_codename(codename) else {
            sink.skip("the release is not known");
            continue;
        };
        let namespace = format!("debian:{release}");
        if !codenames.contains(&**codename) {
            sink.namespace(&namespace);
            codenames.insert(codename.to_string());
        }
        match of_release(namespace, package, state.fields().unwrap_or(&none)) {
            Ok(Some(one)) => affected.push(one),
            Ok(None) => sink.skip("it is undetermined whether the release is affected"),
            Err(reason) => bad = Some(reason),
        }
    }
    if !affected.is_empty() {
        sink.advisory(&advisory(flaw, &record), &affected);
    }
    bad.map_or(Ok(()), Err)
}

fn advisory(flaw: &str, record: &Record<'_>) -> Advisory {
    let description = record.description.text().unwrap_or_default();
    Advisory {
        id: flaw.to_owned(),
        description: text::shortened(description, text::DESCRIPTION_BYTES_MAX),
        references: vec![format!("https://security-tracker.debian.org/tracker/{flaw}")],
        ..Advisory::default()
    }
}

/// Reads what is stated of one release; `None` where the tracker has not decided.
fn of_release(namespace: String, package: &str, state: &State<'_>) -> Result<Option<Affected>, &'static str> {
    let urgency = state.urgency.text().unwrap_or_default().trim_end_matches('*');
    let mut affected = Affected {
        namespace,
        package: package.to_owned(),
        status: Status::Affected,
        fix: FixState::Unstated,
        ranges: Vec::new(),
        module: None,
        architectures: Vec::new(),
        severity: Severity::from_vendor_word(urgency),
    };
    match (state.status.text(), state.fixed_version.text()) {
        (Some("resolved"), Some("0")) => affected.status = Status::NotAffected,
        (Some("resolved"), Some(version)) if !version.is_empty() => {
            affected.ranges.push(Range { introduced: None, end: RangeEnd::Fixed(version.to_owned()) });
        }
        (Some("resolved"), _) => return Err("`resolved` without a fixed version"),
        (Some("open"), _) => {
            affected.fix = fix_state(urgency, state.nodsa_reason.text().unwrap_or_default());
            affected.ranges.push(Range { introduced: None, end: RangeEnd::Open });
        }
        (Some("undetermined"), _) => return Ok(None),
        _ => return Err("the status is not `resolved`, `open` or `undetermined`"),
    }
    Ok(Some(affected))
}

/// What the tracker says about a fix of an open flaw. Without a reason, `nodsa` alone only says that the fix
/// will come with a point release.
fn fix_state(urgency: &str, nodsa_reason: &str) -> FixState {
    match (urgency, nodsa_reason) {
        ("end-of-life", _) | (_, "end-of-life") => FixState::EndOfLife,
        (_, "ignored") => FixState::WillNotFix,
        (_, "postponed") => FixState::Deferred,
        _ => FixState::None,
    }
}
