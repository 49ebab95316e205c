//! From one OSV record to one advisory and its statements.
//!
//! What surprises: who writes a record decides where it puts things. Distributions name the CVEs of an
//! erratum in `upstream` or `related`, and their own word for its severity in front of the summary
//! (`Important: perl security update`) or as a severity of their own type.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::advisory::{Advisory, Affected, Cvss, FixState, Range, RangeEnd, Severity, Status};
use plimsoll_core::distros;

use super::record::{self, Record};
use super::{SOURCE, Scope, ranges};
use crate::feeds::text;

/// What becomes of a record.
pub(super) enum Reading {
    Kept(Box<Advisory>, Vec<Affected>),
    /// It is understood and does not belong in the database.
    Skipped(&'static str),
    Refused(&'static str),
}

/// Most module streams that one erratum is taken to name.
const STREAMS_MAX: usize = 8;

/// Prefixes of errata that repair bugs or add something. They are flaws only where they name one.
const NO_SECURITY: &[&str] = &[
    "ALBA-",
    "ALEA-",
    "ELBA-",
    "ELEA-",
    "RHBA-",
    "RHEA-",
    "RLBA-",
    "RLEA-",
    "SUSE-FU-",
    "SUSE-OU-",
    "SUSE-RU-",
    "openSUSE-FU-",
    "openSUSE-OU-",
    "openSUSE-RU-",
];

/// Reads a record. Reasons for leaving something out of one that is kept go to `problems`.
pub(super) fn read(mut record: Record, scope: Scope, problems: &mut BTreeSet<&'static str>) -> Reading {
    if record.withdrawn.is_some() {
        return Reading::Skipped("withdrawn");
    }
    if !text::is_id(&record.id) {
        return Reading::Refused("it has no usable id");
    }
    let mut advisory = Advisory {
        severity: severity(&record, scope),
        cvss: vectors(&record, problems),
        ..names(&record, scope)
    };
    if is_informational(&record) && advisory.cvss.is_empty() {
        return Reading::Skipped("informational: unmaintained or a notice");
    }
    let names_a_flaw = !advisory.flaws.is_empty() || advisory.aliases.iter().any(|alias| text::is_cve(alias));
    if !names_a_flaw && NO_SECURITY.iter().any(|prefix| record.id.starts_with(prefix)) {
        return Reading::Skipped("a bug fix or an enhancement without a flaw");
    }
    let affected = match packages(&record, scope, problems) {
        Ok(affected) => affected,
        Err(reading) => return reading,
    };
    let first_line = record.details.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let summary = if record.summary.trim().is_empty() { first_line } else { &record.summary };
    advisory.summary = text::shortened(summary, text::SUMMARY_BYTES_MAX);
    advisory.description = text::shortened(&record.details, text::DESCRIPTION_BYTES_MAX);
    advisory.published = text::instant(&record.published);
    advisory.modified = text::instant(&record.modified);
    advisory.references = links(&mut record);
    Reading::Kept(Box::new(advisory), affected)
}

/// Id, aliases and flaws. A distribution's erratum on several CVEs has them as flaws, wherever it lists them;
/// `DEBIAN-CVE-2024-1234` is another name of the CVE in it.
fn names(record: &Record, scope: Scope) -> Advisory {
    let is_os = scope.ecosystem().is_os;
    let own = embedded_cve(&record.id);
    let mut aliases: BTreeSet<&str> =
        record.aliases.iter().map(String::as_str).filter(|id| text::is_id(id)).collect();
    aliases.extend(own);
    aliases.remove(record.id.as_str());
    let mut flaws = BTreeSet::new();
    let alias_cves: Vec<&str> = aliases.iter().copied().filter(|id| text::is_cve(id)).collect();
    if is_os && own.is_none() && alias_cves.len() > 1 {
        aliases.retain(|id| !text::is_cve(id));
        flaws.extend(alias_cves);
    } else if own.is_none() && alias_cves.is_empty() {
        flaws.extend(record.upstream.iter().filter_map(|id| embedded_cve(id)));
        if flaws.is_empty() && is_os {
            flaws.extend(record.related.iter().filter_map(|id| embedded_cve(id)));
        }
    }
    let owned = |ids: BTreeSet<&str>| ids.into_iter().map(str::to_owned).collect();
    Advisory { id: record.id.clone(), aliases: owned(aliases), flaws: owned(flaws), ..Advisory::default() }
}

/// The CVE in `CVE-2024-1234` and in `UBUNTU-CVE-2024-1234`.
fn embedded_cve(id: &str) -> Option<&str> {
    id.find("CVE-").and_then(|at| id.get(at..)).filter(|cve| text::is_cve(cve))
}

/// The source's own word.
fn severity(record: &Record, scope: Scope) -> Option<Severity> {
    if record.id.starts_with("MAL-") {
        return Some(Severity::Critical);
    }
    let before_summary = record.summary.split_once(':').map(|(word, _)| word.trim());
    let before_summary = before_summary.filter(|_| scope.ecosystem().is_os);
    word(&record.severity)
        .or_else(|| Severity::from_vendor_word(&record.database_specific.severity))
        .or_else(|| before_summary.and_then(Severity::from_vendor_word))
}

fn word(severities: &[record::Severity]) -> Option<Severity> {
    severities
        .iter()
        .filter(|one| !is_vector(one))
        .find_map(|one| Severity::from_vendor_word(one.score.trim()))
}

fn is_vector(severity: &record::Severity) -> bool {
    severity.kind.starts_with("CVSS")
}

/// All CVSS vectors, of the record and of its packages. One that is not a vector is left out and counted.
fn vectors(record: &Record, problems: &mut BTreeSet<&'static str>) -> Vec<Cvss> {
    let of_packages = record.affected.iter().flat_map(|affected| {
        let of_specific =
            std::iter::once(affected.database_specific.cvss.as_str()).filter(|it| !it.is_empty());
        affected.severity.iter().filter(|it| is_vector(it)).map(|it| it.score.as_str()).chain(of_specific)
    });
    let stated: BTreeSet<&str> = record
        .severity
        .iter()
        .filter(|one| is_vector(one))
        .map(|one| one.score.as_str())
        .chain(of_packages)
        .map(str::trim)
        .collect();
    let mut vectors = Vec::with_capacity(stated.len());
    for vector in stated {
        match Cvss::read(SOURCE, vector) {
            Ok(cvss) => vectors.push(cvss),
            Err(_) => {
                problems.insert("a CVSS vector that is none was left out");
            }
        }
    }
    vectors
}

/// RustSec's records on crates that are unmaintained, and its notices, state no flaw. `unsound` does.
fn is_informational(record: &Record) -> bool {
    !record.affected.is_empty()
        && record.affected.iter().all(|affected| {
            matches!(affected.database_specific.informational.as_str(), "unmaintained" | "notice")
        })
}

/// What the record states of the packages of the scope.
fn packages(
    record: &Record,
    scope: Scope,
    problems: &mut BTreeSet<&'static str>,
) -> Result<Vec<Affected>, Reading> {
    let mut kept = Vec::new();
    let mut refused = BTreeSet::new();
    let mut skipped = "it speaks of no package of the ecosystem";
    for affected in &record.affected {
        let ecosystem = affected.package.ecosystem.as_str();
        if ecosystem.split(':').next() != Some(scope.osv()) {
            continue;
        }
        let Some(namespace) = namespace(ecosystem, scope) else {
            skipped = "the release is not known";
            continue;
        };
        if !text::is_package_name(&affected.package.name) {
            refused.insert("a package has no usable name");
            continue;
        }
        match ranges::of_package(affected, scope.ecosystem().scheme) {
            Ok(ranges) => kept.extend(statements(record, affected, namespace, ranges, scope, problems)),
            Err(reason) => {
                refused.insert(reason);
            }
        }
    }
    match (kept.is_empty(), refused.pop_first()) {
        (false, first) => {
            problems.extend(first);
            problems.extend(refused);
            Ok(kept)
        }
        (true, Some(reason)) => {
            problems.extend(refused);
            Err(Reading::Refused(reason))
        }
        (true, None) => Err(Reading::Skipped(skipped)),
    }
}

/// The namespace; `None` for a release that no row reads. What follows the colon of a language's ecosystem
/// is another registry of the same language (`Packagist:https://packages.drupal.org/8`).
fn namespace(ecosystem: &str, scope: Scope) -> Option<String> {
    match scope {
        Scope::Language(row) => Some(row.name.to_owned()),
        Scope::Distribution(_) => distros::namespace_of_osv(ecosystem).map(|(_, namespace)| namespace),
    }
}

/// One statement, or one for each module stream that the erratum names.
fn statements(
    record: &Record,
    affected: &record::Affected,
    namespace: String,
    ranges: Vec<Range>,
    scope: Scope,
    problems: &mut BTreeSet<&'static str>,
) -> Vec<Affected> {
    let specific = [&affected.ecosystem_specific, &affected.database_specific];
    let severity = word(&affected.severity)
        .or_else(|| specific.iter().find_map(|specific| Severity::from_vendor_word(&specific.severity)))
        .or_else(|| specific.iter().find_map(|specific| Severity::from_vendor_word(&specific.urgency)));
    let streams = if is_modular(&ranges) { streams(&record.summary) } else { Vec::new() };
    let one = Affected {
        namespace,
        package: (scope.ecosystem().normalize)(&affected.package.name).into_owned(),
        status: Status::Affected,
        fix: FixState::Unstated,
        ranges,
        module: None,
        architectures: Vec::new(),
        severity,
    };
    if streams.is_empty() {
        return of_binaries(one, &affected.ecosystem_specific.binaries, scope, problems);
    }
    streams.into_iter().map(|stream| Affected { module: Some(stream), ..one.clone() }).collect()
}

/// The same of the binary packages that are listed, for a distribution that is judged by them: SUSE's records name
/// source packages. One without a list stays as it is.
fn of_binaries(
    one: Affected,
    binaries: &[BTreeMap<String, String>],
    scope: Scope,
    problems: &mut BTreeSet<&'static str>,
) -> Vec<Affected> {
    let is_judged_by_them =
        matches!(scope, Scope::Distribution(row) if row.keyed_by == distros::KeyedBy::Binary);
    let is_fixed = matches!(one.ranges.as_slice(), [Range { introduced: None, end: RangeEnd::Fixed(_) }]);
    let binaries: BTreeMap<&String, &String> = binaries.iter().flatten().collect();
    if !is_judged_by_them || !is_fixed || binaries.is_empty() {
        return vec![one];
    }
    let mut all = Vec::with_capacity(binaries.len());
    for (name, version) in binaries {
        if text::is_package_name(name) && text::is_id(version) {
            let ranges = vec![Range { introduced: None, end: RangeEnd::Fixed(version.clone()) }];
            all.push(Affected { package: name.clone(), ranges, ..one.clone() });
        } else {
            problems.insert("a binary package has no usable name or version");
        }
    }
    all
}

/// Whether the fix was built in a module: AlmaLinux writes `.module_el8.` into releases, Rocky `.module+el8.`.
fn is_modular(ranges: &[Range]) -> bool {
    ranges.iter().any(|range| match &range.end {
        RangeEnd::Fixed(version) => version.contains(".module_el") || version.contains(".module+el"),
        _ => false,
    })
}

/// The streams that an erratum names. The records have no field for them, but the summaries of modular errata do
/// name them: `Important: virt:rhel and virt-devel:rhel security update`.
fn streams(summary: &str) -> Vec<String> {
    let words = summary.split_whitespace().map(|word| word.trim_end_matches([',', ':', '.']));
    let is_stream = |word: &&str| {
        word.split_once(':').is_some_and(|(module, stream)| {
            let is_part = |part: &str| {
                !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b))
            };
            is_part(module) && is_part(stream)
        })
    };
    words.filter(is_stream).take(STREAMS_MAX).map(str::to_owned).collect()
}

/// Links without repetition, the source's own page first.
fn links(record: &mut Record) -> Vec<String> {
    record.references.sort_by_key(|link| link.kind != "ADVISORY");
    let mut seen = BTreeSet::new();
    record
        .references
        .iter()
        .map(|link| link.url.trim())
        .filter(|url| text::is_link(url) && seen.insert(*url))
        .take(text::LINKS_MAX)
        .map(str::to_owned)
        .collect()
}
