//! Small readings that the feeds share: ids, names, times, and how much of a text is kept.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Longest id that is taken, in bytes. Real ones stay below 60.
const ID_BYTES_MAX: usize = 200;

/// Longest package name that is taken, in bytes. Go's module paths and npm's names are the longest real ones.
const NAME_BYTES_MAX: usize = 512;

/// How much of a one-line summary is kept, in bytes.
pub(super) const SUMMARY_BYTES_MAX: usize = 400;

/// How much of a description is kept, in bytes. Kernel advisories carry whole logs.
pub(super) const DESCRIPTION_BYTES_MAX: usize = 4096;

/// Longest link that is kept, in bytes.
const LINK_BYTES_MAX: usize = 2048;

/// How many links of one advisory are kept. Kernel errata name a bug for every patch.
pub(super) const LINKS_MAX: usize = 24;

/// Cuts a text at a character's border, with an ellipsis where something was cut.
pub(super) fn shortened(text: &str, bytes_max: usize) -> String {
    let text = text.trim();
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let mut end = bytes_max.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text[..end].trim_end())
}

/// Whether a text can be an advisory's id: one word of moderate length.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= ID_BYTES_MAX
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Whether a text can be a package's name.
pub(super) fn is_package_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.contains(char::is_control)
}

/// Whether a link is one that people can follow.
pub(super) fn is_link(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://"))
        && text.len() <= LINK_BYTES_MAX
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Whether a text is a CVE id: `CVE-`, four digits, `-`, four digits or more
/// (<https://www.cve.org/ResourcesSupport/Glossary#glossaryCVEID>).
pub(super) fn is_cve(text: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    text.strip_prefix("CVE-").and_then(|rest| rest.split_once('-')).is_some_and(|(year, number)| {
        year.len() == 4 && (4..=19).contains(&number.len()) && digits(year) && digits(number)
    })
}

/// Reads a time as feeds write it and gives it in UTC as RFC 3339. Reads RFC 3339, offsets without a colon
/// (`+0000`, as EPSS writes them) and plain dates. Times before 1970 are fillers (`0001-01-01T00:00:00Z`).
pub(super) fn instant(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > 64 {
        return None;
    }
    let time = text
        .parse::<Timestamp>()
        .or_else(|_| Timestamp::strptime("%Y-%m-%dT%H:%M:%S%z", text))
        .or_else(|_| text.parse::<Date>()?.to_zoned(TimeZone::UTC).map(|day| day.timestamp()))
        .ok()?;
    (time >= Timestamp::UNIX_EPOCH).then(|| time.to_string())
}

/// Reads a plain date, `YYYY-MM-DD`.
pub(super) fn date(text: &str) -> Option<String> {
    let is_plain = text.len() == 10;
    text.parse::<Date>().ok().filter(|_| is_plain).map(|date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_become_utc() {
        for (text, expected) in [
            ("2026-08-21T00:00:00Z", Some("2026-08-21T00:00:00Z")),
            ("2025-02-20T00:00:00+0000", Some("2025-02-20T00:00:00Z")),
            ("2025-08-25T17:04:19.9796Z", Some("2025-08-25T17:04:19.9796Z")),
            ("2025-08-25T19:04:19+02:00", Some("2025-08-25T17:04:19Z")),
            ("2025-02-20", Some("2025-02-20T00:00:00Z")),
            ("0001-01-01T00:00:00Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(instant(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn cve_ids_have_a_year_and_four_digits() {
        for (text, expected) in [
            ("CVE-2024-1234", true),
            ("CVE-2018-1000500", true),
            ("CVE-2024-123", false),
            ("CVE-24-1234", false),
            ("CVE-2024-12x4", false),
            ("cve-2024-1234", false),
            ("GHSA-2024-1234", false),
        ] {
            assert_eq!(is_cve(text), expected, "{text}");
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(shortened(" as it is ", 20), "as it is");
        assert_eq!(shortened("ääääää", 8), "ää…");
        assert_eq!(shortened("abc", 1), "…");
    }
}
