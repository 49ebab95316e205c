//! The layout of a database file: what each byte means, and the small readers for it.
//!
//! Numbers are little-endian. A *varint* is LEB128: seven bits a byte, lowest first, the top bit set on all
//! but the last. A *text* is a varint length and that many bytes. Nothing is aligned.
//!
//! ```text
//! header, 128 bytes
//!     0  8   magic `PLIMSDB\n`
//!     8  4   format version, 2
//!    12  4   bytes of the build time, at most 64
//!    16  8   bytes of the body
//!    24  32  SHA-256 of the body; `sha256:` and its hex digits are the database's identity
//!    56  64  build time, RFC 3339, padded with zeros. Not in the body: the same content built twice is equal
//!   120  8   zeros
//! body
//!    section table: the length of each section, 8 bytes each, in the order below. The sections follow
//!    without gaps and end with the file.
//!
//!  0 strings      texts, each distinct one once; referred to by their offset. Offset 0 is the empty one
//!  1 versions     pairs of texts: a version as written and its sort key; referred to by their offset.
//!                 Offset 0 is a pair of empty ones. Key and text share an entry because a row needs both
//!  2 namespaces   8 bytes each, sorted by name: u32 name (string), u32 index of its first package. Its packages
//!                 end where the next namespace's begin
//!  3 packages     8 bytes each, sorted by name within a namespace: u32 name (string), u32 offset of its rows.
//!                 They end where the next package's begin
//!  4 rows         per package, see below
//!  5 frame table  12 bytes each: u32 offset in `frames`, u32 number of its first advisory, u32 inflated bytes
//!  6 frames       zstd frames one after another. Inflated: advisories, each a text that holds a `Body` as
//!                 postcard. The advisory's number is its position in the whole file
//!  7 epss         16 bytes each, sorted: u64 CVE, u32 score, u32 percentile, in billionths
//!  8 kev          20 bytes each, sorted: u64 CVE, u32 date added (string), u32 due date (string), u32 used by
//!                 ransomware (0 or 1)
//!  9 cvss         16 bytes each, sorted: u64 CVE, u32 source (string), u32 vector (string)
//! 10 repositories 8 bytes each, sorted by id: u32 id (string), u32 products (string), separated by blanks
//! 11 dictionary   what the frames are compressed with; empty for nothing
//! 12 meta         `Meta` as postcard: counts and feed records. The one section that opening reads
//!
//! CVE            u64: the year shifted left by 40, plus the number in that year
//! row
//!    u8  bits 0-1 status, 2-4 fix state, 5-6 end (0 open, 1 fixed, 2 before, 3 last), 7 unparsable
//!    u8  bits 0-2 severity (0 none, 1 negligible .. 5 critical), 3 has introduced, 4 has module,
//!        5 has architectures, 6-7 zero
//!    varint  advisory number less the row's before (less 0 in the package's first)
//!    varint  introduced, where there: offset in `versions` less the version offset last read in this package
//!            (less 0 for the first), zigzag
//!    varint  end, unless open: likewise
//!    varint  module (string), where there
//!    varint  architectures (string), separated by blanks, where there
//! ```
//!
//! Which feed an advisory is of follows from its number: each feed's advisories are numbered in a row, and its
//! record says where it begins. Rows of a package are sorted by advisory. Both keep a row at about ten bytes.

use std::borrow::Cow;

use plimsoll_core::advisory::{Advisory, Cvss, EndOfLife, FeedRecord, Severity, VendorUpdate};
use serde::{Deserialize, Serialize};

pub(super) const MAGIC: [u8; 8] = *b"PLIMSDB\n";
pub(super) const FORMAT_VERSION: u32 = 3;
pub(super) const HEADER_BYTES: usize = 128;
pub(super) const BUILT_AT_BYTES_MAX: usize = 64;

pub(super) const STRINGS: usize = 0;
pub(super) const VERSIONS: usize = 1;
pub(super) const NAMESPACES: usize = 2;
pub(super) const PACKAGES: usize = 3;
pub(super) const ROWS: usize = 4;
pub(super) const FRAME_TABLE: usize = 5;
pub(super) const FRAMES: usize = 6;
pub(super) const EPSS: usize = 7;
pub(super) const KEV: usize = 8;
pub(super) const CVSS: usize = 9;
pub(super) const REPOSITORIES: usize = 10;
pub(super) const DICTIONARY: usize = 11;
pub(super) const META: usize = 12;
/// How many sections there are.
pub(super) const SECTIONS: usize = 13;

/// Name of each section, for people.
pub(super) const SECTION_NAMES: [&str; SECTIONS] = [
    "strings",
    "versions",
    "namespaces",
    "packages",
    "rows",
    "frame table",
    "frames",
    "epss",
    "kev",
    "cvss",
    "repositories",
    "dictionary",
    "meta",
];

/// Bytes of a record of each section; 1 where it has none of fixed width.
pub(super) const SECTION_WIDTHS: [usize; SECTIONS] = [
    1,
    1,
    NAMESPACE_BYTES,
    PACKAGE_BYTES,
    1,
    FRAME_BYTES,
    1,
    EPSS_BYTES,
    KEV_BYTES,
    CVSS_BYTES,
    REPOSITORY_BYTES,
    1,
    1,
];

pub(super) const NAMESPACE_BYTES: usize = 8;
pub(super) const PACKAGE_BYTES: usize = 8;
pub(super) const FRAME_BYTES: usize = 12;
pub(super) const EPSS_BYTES: usize = 16;
pub(super) const KEV_BYTES: usize = 20;
pub(super) const CVSS_BYTES: usize = 16;
pub(super) const REPOSITORY_BYTES: usize = 8;

/// Where a frame is closed. Larger ones compress better, smaller ones cost less to read one advisory from.
pub(super) const FRAME_TARGET_BYTES: usize = 4 << 10;
/// Largest dictionary.
pub(super) const DICTIONARY_BYTES_MAX: usize = 64 << 10;
/// Largest encoded advisory.
pub(super) const BODY_BYTES_MAX: usize = 512 << 10;
/// Largest inflated frame: an advisory of the largest size and its length.
pub(super) const FRAME_INFLATED_BYTES_MAX: usize = BODY_BYTES_MAX + 16;
/// Longest name, version, module or list of architectures. Versions end at 512 in every scheme.
pub(super) const TEXT_BYTES_MAX: usize = 2_048;
/// Longest sort key.
pub(super) const KEY_BYTES_MAX: usize = 8_192;
/// Largest `meta` section. It is decoded on opening, so this bounds the time and memory of that.
pub(super) const META_BYTES_MAX: usize = 4 << 20;

/// What a row's end is, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EndKind {
    Open,
    Fixed,
    Before,
    Last,
}

/// Reads forward through bytes; `None` where they end or make no sense.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// Whether all is read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A varint that is an offset or a number of 32 bits.
    pub(super) fn varint_u32(&mut self) -> Option<u32> {
        u32::try_from(self.varint()?).ok()
    }

    /// A text that is no longer than allowed.
    pub(super) fn text(&mut self, bytes_max: usize) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok().filter(|length| *length <= bytes_max)?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }
}

/// Appends a varint.
pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a text.
pub(super) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// Folds the sign into the lowest bit, so that small numbers of either sign are short varints.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Undoes [`zigzag`].
pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// A record of a section of fixed width.
pub(super) fn record<const N: usize>(section: &[u8], index: usize) -> Option<&[u8; N]> {
    section.get(index.checked_mul(N)?..)?.first_chunk()
}

/// The `u32` at a place of a record.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The `u64` at a place of a record.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

const CVE_YEAR_SHIFT: u32 = 40;
/// Most digits of a CVE's number in its year that are read; twelve stay below 2^40.
const CVE_DIGITS_MAX: usize = 12;

/// Packs `CVE-2021-44228`. `None` for whatever is not written exactly so, with four digits or more and no
/// needless zeros.
pub(super) fn pack_cve(cve: &str) -> Option<u64> {
    let (year, number) = cve.strip_prefix("CVE-")?.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let is_padded = number.len() > 4 && number.starts_with('0');
    if year.len() != 4 || !(4..=CVE_DIGITS_MAX).contains(&number.len()) || is_padded {
        return None;
    }
    if !digits(year) || !digits(number) {
        return None;
    }
    Some(year.parse::<u64>().ok()? << CVE_YEAR_SHIFT | number.parse::<u64>().ok()?)
}

/// Undoes [`pack_cve`].
pub(super) fn unpack_cve(packed: u64) -> String {
    format!("CVE-{:04}-{:04}", packed >> CVE_YEAR_SHIFT, packed & ((1 << CVE_YEAR_SHIFT) - 1))
}

const BILLION: f64 = 1e9;

/// A share in billionths: EPSS is published with at most nine decimals, and dividing gives back the very
/// number that the decimals mean. `None` outside 0 to 1.
pub(super) fn billionths(share: f64) -> Option<u32> {
    (0.0..=1.0).contains(&share).then(|| (share * BILLION).round() as u32)
}

/// Undoes [`billionths`].
pub(super) fn share(billionths: u32) -> f64 {
    f64::from(billionths) / BILLION
}

/// Severity as stored, 0 for none.
pub(super) fn severity_code(severity: Option<Severity>) -> u8 {
    let place = severity.and_then(|word| Severity::ALL.iter().position(|row| *row == word));
    place.map_or(0, |place| place as u8 + 1)
}

/// Undoes [`severity_code`].
pub(super) fn severity_of(code: u8) -> Option<Option<Severity>> {
    match code.checked_sub(1) {
        None => Some(None),
        Some(place) => Severity::ALL.get(usize::from(place)).copied().map(Some),
    }
}

/// CVSS versions by their code.
const CVSS_VERSIONS: [&str; 4] = ["2.0", "3.0", "3.1", "4.0"];

/// An advisory as stored. Field order is the format.
#[derive(Serialize, Deserialize)]
pub(super) struct Body<'a> {
    pub(super) id: &'a str,
    #[serde(borrow)]
    pub(super) aliases: Vec<&'a str>,
    #[serde(borrow)]
    pub(super) flaws: Vec<&'a str>,
    summary: &'a str,
    #[serde(borrow)]
    description: Cow<'a, str>,
    severity: u8,
    #[serde(borrow)]
    cvss: Vec<Score<'a>>,
    #[serde(borrow)]
    references: Vec<&'a str>,
    /// Name, namespace, package and version of each.
    #[serde(borrow)]
    updates: Vec<[&'a str; 4]>,
    component: &'a str,
    is_exploited: bool,
    published: Option<&'a str>,
    modified: Option<&'a str>,
}

/// A CVSS vector as stored.
#[derive(Serialize, Deserialize)]
struct Score<'a> {
    source: &'a str,
    version: u8,
    vector: &'a str,
    score: f64,
}

impl<'a> Body<'a> {
    /// Readies an advisory for storing, its description cut. `None` where a CVSS version is not known.
    pub(super) fn of(advisory: &'a Advisory, description_chars_max: usize) -> Option<Body<'a>> {
        let texts = |list: &'a [String]| list.iter().map(String::as_str).collect();
        let cvss = advisory.cvss.iter().map(|cvss| {
            let version = CVSS_VERSIONS.iter().position(|version| *version == cvss.version)? as u8;
            Some(Score { source: &cvss.source, version, vector: &cvss.vector, score: cvss.score })
        });
        Some(Body {
            id: &advisory.id,
            aliases: texts(&advisory.aliases),
            flaws: texts(&advisory.flaws),
            summary: &advisory.summary,
            description: shorten(&advisory.description, description_chars_max),
            severity: severity_code(advisory.severity),
            cvss: cvss.collect::<Option<_>>()?,
            references: texts(&advisory.references),
            updates: advisory
                .updates
                .iter()
                .map(|update| {
                    [&update.name, &update.namespace, &update.package, &update.version].map(String::as_str)
                })
                .collect(),
            component: &advisory.component,
            is_exploited: advisory.is_exploited,
            published: advisory.published.as_deref(),
            modified: advisory.modified.as_deref(),
        })
    }

    /// Reads an advisory; `None` where the bytes make no sense.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Body<'a>> {
        postcard::take_from_bytes(bytes).ok().filter(|(_, rest)| rest.is_empty()).map(|(body, _)| body)
    }

    /// The advisory itself; `None` where a code has no meaning.
    pub(super) fn into_advisory(self) -> Option<Advisory> {
        let texts = |list: Vec<&str>| list.into_iter().map(str::to_owned).collect();
        let cvss = self.cvss.into_iter().map(|score| {
            Some(Cvss {
                source: score.source.to_owned(),
                version: CVSS_VERSIONS.get(usize::from(score.version))?,
                vector: score.vector.to_owned(),
                score: score.score,
            })
        });
        Some(Advisory {
            id: self.id.to_owned(),
            aliases: texts(self.aliases),
            flaws: texts(self.flaws),
            summary: self.summary.to_owned(),
            description: self.description.into_owned(),
            severity: severity_of(self.severity)?,
            cvss: cvss.collect::<Option<_>>()?,
            references: texts(self.references),
            updates: self
                .updates
                .into_iter()
                .map(|texts| {
                    let [name, namespace, package, version] = texts.map(str::to_owned);
                    VendorUpdate { name, namespace, package, version }
                })
                .collect(),
            component: self.component.to_owned(),
            is_exploited: self.is_exploited,
            published: self.published.map(str::to_owned),
            modified: self.modified.map(str::to_owned),
        })
    }
}

/// Cuts a text that has more characters than allowed, and says so by an ellipsis as its last.
pub(super) fn shorten(text: &str, chars_max: usize) -> Cow<'_, str> {
    if text.len() <= chars_max {
        return Cow::Borrowed(text);
    }
    match text.char_indices().nth(chars_max) {
        None => Cow::Borrowed(text),
        Some(_) => {
            let cut = text.chars().take(chars_max.saturating_sub(1));
            Cow::Owned(cut.chain(['…']).collect())
        }
    }
}

/// The `meta` section. Field order is the format.
#[derive(Serialize, Deserialize)]
pub(super) struct Meta {
    pub(super) rows: u64,
    pub(super) advisories: u32,
    pub(super) feeds: Vec<StoredFeed>,
    /// How long releases are supported, sorted by namespace.
    pub(super) ends: Vec<StoredEnd>,
}

/// How long a release is supported, as stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredEnd {
    pub(super) namespace: String,
    date: Option<String>,
    is_over: bool,
    extended_until: Option<String>,
}

impl StoredEnd {
    pub(super) fn of(namespace: String, end: EndOfLife) -> StoredEnd {
        let EndOfLife { date, is_over, extended_until } = end;
        StoredEnd { namespace, date, is_over, extended_until }
    }

    pub(super) fn end(&self) -> EndOfLife {
        let StoredEnd { date, is_over, extended_until, .. } = self.clone();
        EndOfLife { date, is_over, extended_until }
    }
}

/// A feed record as stored.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredFeed {
    /// Number of its first advisory; its last is the one before the next feed's first.
    pub(super) first_advisory: u32,
    name: String,
    fetched_at: String,
    data_date: Option<String>,
    namespaces: Vec<String>,
    namespace_dates: Vec<(String, String)>,
    records: u64,
    refused: Vec<(String, u64)>,
    skipped: Vec<(String, u64)>,
    examples: Vec<String>,
}

impl StoredFeed {
    pub(super) fn of(first_advisory: u32, record: FeedRecord) -> StoredFeed {
        let FeedRecord {
            name,
            fetched_at,
            data_date,
            namespaces,
            namespace_dates,
            records,
            refused,
            skipped,
            examples,
        } = record;
        StoredFeed {
            first_advisory,
            name,
            fetched_at,
            data_date,
            namespaces,
            namespace_dates,
            records,
            refused,
            skipped,
            examples,
        }
    }

    pub(super) fn into_record(self) -> FeedRecord {
        FeedRecord {
            name: self.name,
            fetched_at: self.fetched_at,
            data_date: self.data_date,
            namespaces: self.namespaces,
            namespace_dates: self.namespace_dates,
            records: self.records,
            refused: self.refused,
            skipped: self.skipped,
            examples: self.examples,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cves_are_packed_only_as_written_by_the_rules() {
        for cve in ["CVE-1999-0001", "CVE-2021-44228", "CVE-2024-1000000", "CVE-2024-999999999999"] {
            assert_eq!(unpack_cve(pack_cve(cve).unwrap()), cve);
        }
        let bad =
            ["CVE-2021-123", "CVE-2021-00001", "cve-2021-4422", "CVE-21-4422", "CVE-2021-+123", "GHSA-1"];
        for cve in bad.into_iter().chain(["CVE-2021-1000000000000", "CVE-", ""]) {
            assert_eq!(pack_cve(cve), None, "{cve}");
        }
        assert!(pack_cve("CVE-2020-9999") < pack_cve("CVE-2021-0001"));
        assert!(pack_cve("CVE-2021-9999") < pack_cve("CVE-2021-10000"));
    }

    #[test]
    fn varints_read_back_and_overlong_ones_do_not() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            let mut reader = Reader(&out);
            assert_eq!(reader.varint(), Some(value));
            assert!(reader.is_empty());
            assert_eq!(Reader(&out[..out.len() - 1]).varint(), None);
        }
        assert_eq!(Reader(&[0xff; 11]).varint(), None);
        assert_eq!(Reader(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).varint(), None);
        for value in [0, 1, -1, 5_000_000_000, -5_000_000_000, i64::MAX, i64::MIN] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }

    #[test]
    fn shares_of_nine_decimals_read_back_exactly() {
        for text in ["0", "1", "0.00043", "0.943580000", "0.999999999", "0.123456789"] {
            let value: f64 = text.parse().unwrap();
            assert_eq!(share(billionths(value).unwrap()), value, "{text}");
        }
        for value in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(billionths(value), None);
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        for (text, expected) in [("abc", "abc"), ("äöü", "äöü"), ("äöüß", "äö…"), ("", "")] {
            assert_eq!(shorten(text, 3), expected);
        }
    }
}
