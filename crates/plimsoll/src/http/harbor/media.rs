//! Media types as Harbor and others write them, read leniently: any case, any blanks, a version that is missing.

/// A media type, or a range of them, as a header has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MediaType {
    /// `type/subtype`, lower case; `*/*` for any.
    pub(super) essence: String,
    /// The parameter `version`.
    pub(super) version: Option<String>,
}

/// Most media types of one header that are looked at.
const RANGES_MAX: usize = 32;

impl MediaType {
    /// Reads one.
    pub(super) fn read(text: &str) -> MediaType {
        let mut parts = text.split(';').map(str::trim);
        let essence: String =
            parts.next().unwrap_or_default().chars().filter(|c| !c.is_whitespace()).collect();
        let version = parts.filter_map(|part| part.split_once('=')).find_map(|(name, value)| {
            let value = value.trim().trim_matches('"').trim();
            (name.trim().eq_ignore_ascii_case("version") && !value.is_empty()).then(|| value.to_owned())
        });
        MediaType { essence: essence.to_ascii_lowercase(), version }
    }

    /// All that a header names, in its order.
    pub(super) fn read_all(header: &str) -> Vec<MediaType> {
        header
            .split(',')
            .filter(|text| !text.trim().is_empty())
            .take(RANGES_MAX)
            .map(MediaType::read)
            .collect()
    }

    /// Whether whoever asks for this takes `offered`: the same type, and the same version where both say one.
    pub(super) fn takes(&self, offered: &MediaType) -> bool {
        let is_same_version = match (&self.version, &offered.version) {
            (Some(wanted), Some(offered)) => wanted == offered,
            _ => true,
        };
        self.is_any() || (self.essence == offered.essence && is_same_version)
    }

    /// Whether anything will do.
    pub(super) fn is_any(&self) -> bool {
        matches!(self.essence.as_str(), "" | "*" | "*/*" | "application/*" | "application/json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_are_read_leniently() {
        let offered = MediaType::read("application/vnd.security.vulnerability.report; version=1.1");
        for (text, is_taken) in [
            ("application/vnd.security.vulnerability.report; version=1.1", true),
            ("application/vnd.security.vulnerability.report;version=1.1", true),
            ("Application/VND.Security.Vulnerability.Report ; Version = \"1.1\"", true),
            ("application/vnd.security.vulnerability.report", true),
            ("application/vnd.security.vulnerability.report; charset=utf-8", true),
            ("application/vnd.security.vulnerability.report; version=1.0", false),
            ("application/vnd.security.vulnerability.report; version=9", false),
            ("application/vnd.security.sbom.report+json; version=1.1", false),
            ("*/*", true),
            ("", true),
            ("application/json", true),
            ("text/html", false),
        ] {
            assert_eq!(MediaType::read(text).takes(&offered), is_taken, "{text}");
        }
        assert_eq!(MediaType::read_all("text/html, */*;q=0.8,,").len(), 2);
        assert_eq!(MediaType::read_all(&"a/b,".repeat(1_000)).len(), RANGES_MAX);
    }
}
