//! Photon OS: one JSON list a release, a record for each package that a flaw touches; `photon_versions.json` lists
//! the releases.
//!
//! What surprises:
//! - `res_ver` is `NA` where there is no fix, which is also written for packages that are not affected;
//! - `status` came later than the format, so a record without one is judged by `res_ver`;
//! - `Fixed` without a version occurs, and says nothing that can be held against a version;
//! - `aff_ver` is free text that repeats `res_ver`;
//! - besides CVEs there are ids of Black Duck (`BDSA-2025-0719`) and unknown ones (`UNK-12`).
//!
//! <https://github.com/vmware/photon/wiki/Security-Advisories>

use plimsoll_core::advisory::{Advisory, Affected, FixState, Range, RangeEnd, Severity, Status};
use plimsoll_core::distros::photon;
use serde::Deserialize;
use serde_json::Value;

use super::json::{self, Field, Text};
use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, text};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "photon-cve",
    title: "Photon OS CVE metadata",
    url: "https://packages.broadcom.com/photon/photon_cve_metadata",
    format: "JSON",
    licence: "public",
    terms: "https://github.com/vmware/photon/wiki/Security-Advisories",
    cadence_hours: 24,
    max_age_days: 30,
    covers: &[Covers::Distro(&photon::DISTRO)],
    gives: "fixed versions, what has no fix, what is not affected, severity",
    is_on_by_default: true,
    plan,
    parse,
};

/// Lists the releases.
const VERSIONS: &str = "photon_versions.json";

/// Releases that are asked for where the list is not mirrored.
const RELEASES: [&str; 5] = ["1.0", "2.0", "3.0", "4.0", "5.0"];

/// Most releases of the list.
const RELEASES_MAX: usize = 100;

const PREFIX: &str = "cve_data_photon";

fn plan(_: &Feed, index: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let part = |release: &str| {
        let file = format!("{PREFIX}{release}.json");
        Part::new(file.clone(), file).that_may_be_absent()
    };
    let Some(list) = index.get(VERSIONS)? else {
        return Ok(RELEASES.map(part).to_vec());
    };
    let list: Value = serde_json::from_slice(&list).unwrap_or_default();
    let branches = list.get("branches").and_then(Value::as_array);
    let mut releases: Vec<&str> =
        branches.into_iter().flatten().filter_map(Value::as_str).filter(|name| is_release(name)).collect();
    releases.sort_unstable();
    releases.dedup();
    if releases.is_empty() || releases.len() > RELEASES_MAX {
        return Err(PlanError(format!("`{VERSIONS}` does not list releases as its `branches`")));
    }
    Ok(releases.into_iter().map(part).collect())
}

/// `4.0`; not `dev`.
fn is_release(name: &str) -> bool {
    let is_number = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    name.split_once('.').is_some_and(|(major, minor)| is_number(major) && is_number(minor))
}

fn parse(reading: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let path = reading.part.path.as_str();
    let release = path.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(".json"));
    let namespace = photon::DISTRO.namespace(release.unwrap_or_default());
    sink.namespace(&namespace);
    let mut is_empty = true;
    json::each_item(source, &mut |record| {
        is_empty = false;
        let record: Record<'_> = json::read(record);
        match read(&namespace, &record) {
            Ok((advisory, affected)) => sink.advisory(&advisory, &[affected]),
            Err(reason) => {
                let id = record.cve_id.text().unwrap_or("?");
                let record = format!("{id} {}", record.pkg.text().unwrap_or("?"));
                sink.refuse(&text::shortened(&record, 120), reason);
            }
        }
    })?;
    // No release is without flaws.
    if is_empty { Err(ParseError("the list is empty".to_owned())) } else { Ok(()) }
}

/// What is said of one package and one flaw.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record<'a> {
    #[serde(borrow)]
    cve_id: Field<Text<'a>>,
    #[serde(borrow)]
    pkg: Field<Text<'a>>,
    cve_score: Field<f64>,
    #[serde(borrow)]
    res_ver: Field<Text<'a>>,
    #[serde(borrow)]
    status: Field<Text<'a>>,
}

fn read(namespace: &str, record: &Record<'_>) -> Result<(Advisory, Affected), &'static str> {
    let trimmed = |field| Field::text(field).map(str::trim);
    let has_digit = |id: &&str| id.bytes().any(|b| b.is_ascii_digit());
    let id = trimmed(&record.cve_id).filter(|id| text::is_id(id)).filter(has_digit);
    let id = id.ok_or("the flaw has no usable id")?;
    let package = trimmed(&record.pkg).filter(|name| text::is_package_name(name));
    let package = package.ok_or("the package has no usable name")?;
    let fixed = trimmed(&record.res_ver).unwrap_or_default();
    let (status, fix, ranges) = state(trimmed(&record.status), fixed)?;
    // Their own score is all that they say of the severity; its vector is not given.
    let severity = record.cve_score.read().copied().and_then(Severity::from_cvss_score);
    let advisory = Advisory { id: id.to_owned(), severity, ..Advisory::default() };
    let affected = Affected {
        namespace: namespace.to_owned(),
        package: package.to_owned(),
        status,
        fix,
        ranges,
        module: None,
        architectures: Vec::new(),
        severity: None,
    };
    Ok((advisory, affected))
}

/// What is stated of a package's versions.
fn state(status: Option<&str>, fixed: &str) -> Result<(Status, FixState, Vec<Range>), &'static str> {
    let fixed = Some(fixed).filter(|version| !matches!(*version, "" | "NA" | "N/A"));
    let end = fixed.map_or(RangeEnd::Open, |version| RangeEnd::Fixed(version.to_owned()));
    let range = Range { introduced: None, end };
    match (status, fixed) {
        (Some("Not Affected"), _) => Ok((Status::NotAffected, FixState::Unstated, Vec::new())),
        (_, Some(_)) => Ok((Status::Affected, FixState::Unstated, vec![range])),
        (Some("Fixed"), None) => Err("`Fixed` without a version"),
        (_, None) => Ok((Status::Affected, FixState::None, vec![range])),
    }
}
