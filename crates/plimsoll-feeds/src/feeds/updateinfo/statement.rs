//! From one update to one advisory and its statements.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::advisory::{Advisory, Affected, FixState, Range, RangeEnd, Severity, Status};

use super::document::{Package, Reference, Update};
use crate::feeds::text;

/// Most flaws of one update. Kernel updates name some hundreds.
const FLAWS_MAX: usize = 2_000;

/// Whether an update is about security: it says so, or it names a flaw as one. A bug's title may mention a CVE
/// for any reason.
pub(super) fn is_about_security(update: &Update) -> bool {
    let names_flaw =
        |reference: &Reference| reference.kind.eq_ignore_ascii_case("cve") && !cves(&reference.id).is_empty();
    update.kind.eq_ignore_ascii_case("security") || update.references.iter().any(names_flaw)
}

/// When an update was changed last; when it was issued where that is not said.
pub(super) fn date(update: &Update) -> Option<String> {
    instant(&update.updated).or_else(|| instant(&update.issued))
}

/// The advisory. `page` is the vendor's own page on it.
pub(super) fn advisory(update: &Update, page: Option<String>) -> Advisory {
    let mut flaws = BTreeSet::new();
    for reference in &update.references {
        flaws.extend(cves(&reference.id));
        flaws.extend(cves(&reference.title));
    }
    let links = update.references.iter().map(|reference| reference.href.as_str());
    let mut references: Vec<String> = page.into_iter().collect();
    for link in links.filter(|link| text::is_link(link)) {
        if references.len() < text::LINKS_MAX && !references.iter().any(|known| known == link) {
            references.push(link.to_owned());
        }
    }
    Advisory {
        id: update.id.trim().to_owned(),
        flaws: flaws.into_iter().take(FLAWS_MAX).collect(),
        summary: text::shortened(&update.title, text::SUMMARY_BYTES_MAX),
        description: text::shortened(&update.description, text::DESCRIPTION_BYTES_MAX),
        severity: Severity::from_vendor_word(update.severity.trim()),
        references,
        published: instant(&update.issued),
        modified: instant(&update.updated),
        ..Advisory::default()
    }
}

/// The statements: one for each version of each package, limited to the architectures that have it. `begin` says
/// where the statements about a package begin.
pub(super) fn affected(
    packages: &[Package],
    namespace: &str,
    begin: &dyn Fn(&str) -> Option<String>,
) -> Vec<Affected> {
    let mut builds: BTreeMap<(&str, Option<&str>, &str), BTreeSet<&str>> = BTreeMap::new();
    // What is installed is a binary package.
    let binaries = packages.iter().filter(|one| !matches!(one.architecture.as_str(), "src" | "nosrc"));
    for one in binaries {
        let build = (one.name.as_str(), one.module.as_deref(), one.version.as_str());
        builds.entry(build).or_default().insert(&one.architecture);
    }
    let statement =
        |((name, module, version), architectures): ((&str, Option<&str>, &str), BTreeSet<&str>)| {
            let is_for_all = architectures.contains("noarch") || architectures.contains("");
            let fixed = Range { introduced: begin(name), end: RangeEnd::Fixed(version.to_owned()) };
            Affected {
                namespace: namespace.to_owned(),
                package: name.to_owned(),
                status: Status::Affected,
                fix: FixState::Unstated,
                ranges: vec![fixed],
                module: module.map(str::to_owned),
                architectures: match is_for_all {
                    true => Vec::new(),
                    false => architectures.into_iter().map(str::to_owned).collect(),
                },
                severity: None,
            }
        };
    builds.into_iter().map(statement).collect()
}

/// The CVEs that a text names, in capitals.
fn cves(written: &str) -> Vec<String> {
    let upper = written.to_ascii_uppercase();
    let starts = upper.match_indices("CVE-").map(|(at, _)| at);
    let found = starts.filter_map(|at| {
        let rest = upper.get(at..)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
        let mut parts = rest.get(..end)?.splitn(4, '-');
        let cve = format!("{}-{}-{}", parts.next()?, parts.next()?, parts.next()?);
        text::is_cve(&cve).then_some(cve)
    });
    found.take(FLAWS_MAX).collect()
}

/// Reads a time, also without seconds and without the `T` and the offset, which is UTC then.
fn instant(written: &str) -> Option<String> {
    let written = written.trim();
    // Read as it is, a time without an offset would be taken for its day.
    text::instant(&format!("{}Z", written.replacen(' ', "T", 1))).or_else(|| text::instant(written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cves_are_found_in_titles() {
        for (written, expected) in [
            ("CVE-2024-39331 emacs: org: arbitrary shell code evaluation [fedora-39]", "CVE-2024-39331"),
            ("CVE-2007-3568, CVE-2024-12345: two", "CVE-2007-3568 CVE-2024-12345"),
            ("cve-2024-1234", "CVE-2024-1234"),
            ("TRIAGE-CVE-2024-1234", "CVE-2024-1234"),
            ("CVE-2024-1234-fix", "CVE-2024-1234"),
            ("CVE-2024-12x4 CVE-2024-123 CVE-XXXX-1234 CVE-", ""),
            ("1839351", ""),
        ] {
            assert_eq!(cves(written).join(" "), expected, "{written}");
        }
    }

    #[test]
    fn times_without_seconds_are_times() {
        for (written, expected) in [
            ("2023-08-07 05:59", Some("2023-08-07T05:59:00Z")),
            ("2025-11-26 20:40:36", Some("2025-11-26T20:40:36Z")),
            ("2023-02-22T23:22:00Z", Some("2023-02-22T23:22:00Z")),
            ("2023-02-22", Some("2023-02-22T00:00:00Z")),
            ("None", None),
            ("", None),
        ] {
            assert_eq!(instant(written).as_deref(), expected, "{written}");
        }
    }
}
