//! What Harbor can have of us: one row a capability.
//!
//! Harbor fetches every media type that a capability names, whatever it asked for, and has no use for some of them. So
//! each capability names exactly one, the first of its reports; others are there for whoever asks for them.

use jiff::Timestamp;

use super::media::MediaType;
use super::wire::Artifact;
use crate::http::Refusal;
use crate::server::Assessed;

mod sbom;
mod vulnerability;

/// Media types of manifests that are scanned: exactly these are sent by Harbor. It refuses a scanner that leaves out
/// Docker's.
pub(super) const CONSUMES: [&str; 2] =
    ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];

/// Something that Harbor can ask for.
pub(super) struct Capability {
    /// Harbor's word for it.
    pub(super) name: &'static str,
    /// What can be had of it; Harbor is told of the first alone.
    pub(super) reports: &'static [Report],
    /// Media types of the documents that a report can hold, the usual one first; empty where it holds none.
    pub(super) documents: &'static [&'static str],
    /// Whether it says anything at all without advisories.
    pub(super) needs_feeds: bool,
}

/// One form of a report.
pub(super) struct Report {
    /// Its media type.
    pub(super) media_type: &'static str,
    /// Writes it.
    pub(super) write: fn(&Told<'_>) -> Result<Vec<u8>, Refusal>,
}

/// What a report is written from.
pub(super) struct Told<'a> {
    /// What is known of the image.
    pub(super) assessed: &'a Assessed,
    /// What Harbor called it.
    pub(super) artifact: &'a Artifact,
    /// Media type of the document that is wanted; empty where there is none to choose.
    pub(super) document: &'a str,
    /// When it is written.
    pub(super) now: Timestamp,
}

/// All capabilities, sorted by name.
pub(super) static CAPABILITIES: &[&Capability] = &[&sbom::CAPABILITY, &vulnerability::CAPABILITY];

/// What an older Harbor means that names no capability.
pub(super) fn usual() -> &'static Capability {
    &vulnerability::CAPABILITY
}

/// The capability with a name.
pub(super) fn by_name(name: &str) -> Option<&'static Capability> {
    CAPABILITIES.iter().copied().find(|row| row.name == name)
}

/// What an `Accept` header asks for, of the capabilities that a scan was asked for.
pub(super) fn choose(
    accept: Option<&str>,
    asked: &[&'static Capability],
) -> Result<(&'static Capability, &'static Report), Refusal> {
    let wanted = MediaType::read_all(accept.unwrap_or("*/*"));
    let wanted = if wanted.is_empty() { vec![MediaType::read("*/*")] } else { wanted };
    let offered = |rows: &[&'static Capability]| -> Vec<(&'static Capability, &'static Report)> {
        rows.iter().flat_map(|row| row.reports.iter().map(|report| (*row, report))).collect()
    };
    let find = |rows: &[&'static Capability]| {
        let offered = offered(rows);
        let takes = |range: &MediaType| {
            offered.iter().copied().find(|(_, report)| range.takes(&MediaType::read(report.media_type)))
        };
        wanted.iter().find_map(takes)
    };
    if let Some(found) = find(asked) {
        return Ok(found);
    }
    let names: Vec<&str> = offered(asked).iter().map(|(_, report)| report.media_type).collect();
    let what = match find(CAPABILITIES) {
        Some((other, _)) => format!("the scan was not asked for the capability `{}`", other.name),
        None => format!("no report of the type `{}` is made", accept.unwrap_or_default()),
    };
    Err(Refusal::new(501, "not_implemented", format!("{what}; accept one of: {}", names.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_name_what_exists() {
        assert!(CAPABILITIES.is_sorted_by(|a, b| a.name < b.name));
        for row in CAPABILITIES {
            assert!(by_name(row.name).is_some_and(|found| std::ptr::eq(found, *row)));
            assert!(!row.reports.is_empty(), "{}", row.name);
            for document in row.documents {
                assert!(sbom::format_of(document).is_some(), "{document}");
            }
        }
    }

    #[test]
    fn reports_are_chosen_by_what_is_accepted_and_was_asked_for() {
        let vulnerability = usual();
        let sbom = by_name("sbom").unwrap();
        let native = "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0";
        let current = "application/vnd.security.vulnerability.report; version=1.1";
        let raw = "application/vnd.scanner.adapter.vuln.report.raw";
        let bill = "application/vnd.security.sbom.report+json; version=1.0";
        for (accept, asked, chosen) in [
            (None, vulnerability, current),
            (Some(""), vulnerability, current),
            (Some("*/*"), vulnerability, current),
            (Some(current), vulnerability, current),
            (Some(native), vulnerability, native),
            (Some(raw), vulnerability, raw),
            (Some("text/html, */*"), vulnerability, current),
            (None, sbom, bill),
            (Some("application/vnd.security.sbom.report+json"), sbom, bill),
        ] {
            let (_, report) = choose(accept, &[asked]).unwrap();
            assert_eq!(report.media_type, chosen, "{accept:?}");
        }
        for (accept, asked, part) in [
            ("text/html", vulnerability, "no report of the type `text/html` is made"),
            (bill, vulnerability, "not asked for the capability `sbom`"),
            (current, sbom, "not asked for the capability `vulnerability`"),
            ("application/vnd.security.vulnerability.report; version=2.0", vulnerability, "is made"),
        ] {
            let refusal = choose(Some(accept), &[asked]).map(|_| ()).unwrap_err();
            assert_eq!(refusal.status, 501);
            assert!(refusal.message.contains(part), "{}", refusal.message);
        }
    }
}
