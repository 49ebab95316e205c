//! What feeds state about packages, and how it is looked up.

use std::fmt;
use std::str::FromStr;

/// One source's statement about one flaw or several: everything but the ranges, which stand in [`Affected`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Advisory {
    /// Id as the source gives it: `ALSA-2023:4520`, `GHSA-..`, `CVE-..`.
    pub id: String,
    /// Other names of the very same flaw.
    pub aliases: Vec<String>,
    /// The flaws that an advisory of several speaks of, each a CVE. Empty where the advisory *is* the flaw.
    pub flaws: Vec<String>,
    /// One line for people.
    pub summary: String,
    /// The long text, shortened by the feed where it is very long.
    pub description: String,
    /// The source's own word, where it has one.
    pub severity: Option<Severity>,
    /// CVSS vectors as stated.
    pub cvss: Vec<Cvss>,
    /// Links, the source's own page first.
    pub references: Vec<String>,
    /// The vendor's updates that bring the fix, where they have names of their own.
    pub updates: Vec<VendorUpdate>,
    /// The part of a product that has the flaw, as the vendor calls it: `Windows Kernel`. Empty if not stated.
    pub component: String,
    /// Whether the vendor says that it is exploited.
    pub is_exploited: bool,
    /// RFC 3339 time of publication, where stated.
    pub published: Option<String>,
    /// RFC 3339 time of the last change, where stated.
    pub modified: Option<String>,
}

/// An update of a vendor that has a name beside the version that it brings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VendorUpdate {
    /// Its name: `KB5039227`.
    pub name: String,
    /// The namespace of the package that it brings.
    pub namespace: String,
    /// Name of the package, as in [`Affected::package`].
    pub package: String,
    /// The version that it brings, in the scheme of the namespace.
    pub version: String,
}

/// What an advisory states about one package of one namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct Affected {
    /// `alpine:3.20`, `pypi`.
    pub namespace: String,
    /// Name of the package, normalized as its ecosystem does.
    pub package: String,
    /// What is stated of the versions in `ranges`.
    pub status: Status,
    /// What the vendor says about a fix, where no range carries one.
    pub fix: FixState,
    /// The versions. Empty with [`Status::NotAffected`] means none at all.
    pub ranges: Vec<Range>,
    /// Module and stream that the statement is limited to: `nodejs:18`.
    pub module: Option<String>,
    /// Architectures that the statement is limited to. Empty: all.
    pub architectures: Vec<String>,
    /// The source's word for this package, where it differs from the advisory's.
    pub severity: Option<Severity>,
}

/// A stretch of versions, as the source writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// First version in it; `None` from the very beginning.
    pub introduced: Option<String>,
    /// Where it ends.
    pub end: RangeEnd,
}

/// Where a [`Range`] ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeEnd {
    /// It does not: no fix is known.
    Open,
    /// Before this version, which has the fix.
    Fixed(String),
    /// Before this version, which is not called a fix (OSV's `limit`).
    Before(String),
    /// With this version included.
    Last(String),
}

/// OpenVEX's words for what a version is to a flaw
/// (<https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md#status-labels>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// The flaw is there.
    Affected,
    /// It is not.
    NotAffected,
    /// It was, and these versions have the fix.
    Fixed,
    /// The vendor does not know yet.
    UnderInvestigation,
}

impl Status {
    /// OpenVEX's spelling.
    pub fn name(self) -> &'static str {
        match self {
            Status::Affected => "affected",
            Status::NotAffected => "not_affected",
            Status::Fixed => "fixed",
            Status::UnderInvestigation => "under_investigation",
        }
    }
}

/// What the vendor says about a fix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum FixState {
    /// Nothing beyond the ranges.
    #[default]
    Unstated,
    /// No fix yet.
    None,
    /// Put off.
    Deferred,
    /// There will be none.
    WillNotFix,
    /// The release is no longer supported.
    EndOfLife,
}

impl FixState {
    /// Name in reports, kebab-case.
    pub fn name(self) -> &'static str {
        match self {
            FixState::Unstated => "unstated",
            FixState::None => "none",
            FixState::Deferred => "deferred",
            FixState::WillNotFix => "will-not-fix",
            FixState::EndOfLife => "end-of-life",
        }
    }
}

/// How bad a flaw is. Ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Not worth a fix of its own (Debian's `unimportant`, Ubuntu's `negligible`).
    Negligible,
    /// Low.
    Low,
    /// Medium; Red Hat's and SUSE's `moderate`.
    Medium,
    /// High; Red Hat's and SUSE's `important`.
    High,
    /// Critical.
    Critical,
}

impl Severity {
    /// All, lowest first.
    pub const ALL: [Severity; 5] =
        [Severity::Negligible, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Negligible => "negligible",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// Reads a vendor's word, in any case. `None` for words that state nothing (`unknown`, `not yet assigned`).
    pub fn from_vendor_word(word: &str) -> Option<Severity> {
        match word.to_ascii_lowercase().as_str() {
            "negligible" | "unimportant" => Some(Severity::Negligible),
            "low" | "minor" => Some(Severity::Low),
            "medium" | "moderate" => Some(Severity::Medium),
            "high" | "important" => Some(Severity::High),
            "critical" => Some(Severity::Critical),
            _ => None,
        }
    }

    /// The qualitative rating of a CVSS v3 or v4 base score (CVSS 3.1 section 5). `None` for a score of 0.
    pub fn from_cvss_score(score: f64) -> Option<Severity> {
        match score {
            s if s >= 9.0 => Some(Severity::Critical),
            s if s >= 7.0 => Some(Severity::High),
            s if s >= 4.0 => Some(Severity::Medium),
            s if s > 0.0 => Some(Severity::Low),
            _ => None,
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A CVSS vector with its base score.
#[derive(Clone, Debug, PartialEq)]
pub struct Cvss {
    /// Who scored it: a feed's name.
    pub source: String,
    /// `2.0`, `3.0`, `3.1`, `4.0`.
    pub version: &'static str,
    /// The vector as stated.
    pub vector: String,
    /// Base score, computed from the vector; 0.0 to 10.0.
    pub score: f64,
}

/// A CVSS vector that does not follow its specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a CVSS vector")]
pub struct BadCvss(pub String);

impl Cvss {
    /// Reads a vector of CVSS 2.0 to 4.0 and scores it.
    pub fn read(source: &str, vector: &str) -> Result<Cvss, BadCvss> {
        let bad = || BadCvss(vector.chars().take(120).collect());
        let parsed = cvss::Cvss::from_str(vector.trim()).map_err(|_| bad())?;
        let version = match &parsed {
            cvss::Cvss::CvssV20(_) => "2.0",
            cvss::Cvss::CvssV30(_) => "3.0",
            cvss::Cvss::CvssV31(_) => "3.1",
            cvss::Cvss::CvssV40(_) => "4.0",
            _ => return Err(bad()),
        };
        Ok(Cvss {
            source: source.to_owned(),
            version,
            vector: vector.trim().to_owned(),
            score: parsed.score(),
        })
    }

    /// The qualitative rating of the score. Version 2 has none of its own; the NVD's ends with `high`
    /// (<https://nvd.nist.gov/vuln-metrics/cvss>).
    pub fn rating(&self) -> Option<Severity> {
        let rating = Severity::from_cvss_score(self.score)?;
        Some(if self.version == "2.0" { rating.min(Severity::High) } else { rating })
    }
}

/// A stretch of versions as sort keys, as the database stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval<'a> {
    /// `low <= key`, and below or at `high`.
    Keys {
        /// Key of the first version; empty from the very beginning.
        low: &'a [u8],
        /// The upper end.
        high: High<'a>,
    },
    /// The range was stated but does not follow its scheme: whether a version is in it is unknown.
    Unparsable,
}

/// The upper end of an [`Interval`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum High<'a> {
    /// There is none.
    Open,
    /// Below this key.
    Before(&'a [u8]),
    /// At this key or below.
    Through(&'a [u8]),
}

impl Interval<'_> {
    /// Whether a version's key lies in it; `None` where that cannot be said.
    pub fn contains(&self, key: &[u8]) -> Option<bool> {
        match *self {
            Interval::Unparsable => None,
            Interval::Keys { low, high } => Some(
                low <= key
                    && match high {
                        High::Open => true,
                        High::Before(end) => key < end,
                        High::Through(end) => key <= end,
                    },
            ),
        }
    }
}

/// One stretch of one statement, as the database hands it out.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Which advisory; to be given to [`Advisories::advisory`].
    pub advisory: u32,
    /// Index of the feed in [`Advisories::feeds`].
    pub feed: usize,
    /// What is stated of the versions in the interval.
    pub status: Status,
    /// What the vendor says about a fix.
    pub fix: FixState,
    /// The versions.
    pub interval: Interval<'a>,
    /// First version as written; empty from the beginning.
    pub introduced: &'a str,
    /// The end as written: the fixed version with [`High::Before`] and `has_fix`; empty where open.
    pub end: &'a str,
    /// Whether `end` is a version with the fix.
    pub has_fix: bool,
    /// Module that the statement is limited to; empty for none.
    pub module: &'a str,
    /// Architectures that it is limited to, separated by blanks; empty for all.
    pub architectures: &'a str,
    /// The source's word for this package, where it differs from the advisory's.
    pub severity: Option<Severity>,
}

/// What is known of a CVE beside advisories.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Enrichment {
    /// CISA lists it as exploited.
    pub kev: Option<Kev>,
    /// FIRST's estimate that it will be exploited.
    pub epss: Option<Epss>,
    /// Vectors of those who score flaws whatever has them, such as the NVD; sorted by source.
    pub cvss: Vec<Cvss>,
}

/// An entry of CISA's catalogue of known exploited vulnerabilities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kev {
    /// `YYYY-MM-DD`.
    pub date_added: String,
    /// `YYYY-MM-DD`, by when United States agencies must have acted.
    pub due_date: String,
    /// Whether ransomware is known to use it.
    pub is_used_by_ransomware: bool,
}

/// A score of the Exploit Prediction Scoring System.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epss {
    /// Probability of exploitation within 30 days, 0 to 1.
    pub score: f64,
    /// Share of CVEs that score at most as high, 0 to 1.
    pub percentile: f64,
}

/// How long a release of a distribution is supported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndOfLife {
    /// Last day of security updates for everybody, `YYYY-MM-DD`; `None` where the end is not fixed yet.
    pub date: Option<String>,
    /// Whether that is over, where no date says so.
    pub is_over: bool,
    /// Last day of security updates that are sold or given on request, `YYYY-MM-DD`.
    pub extended_until: Option<String>,
}

/// One feed as a database knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedRecord {
    /// The feed's name.
    pub name: String,
    /// RFC 3339 time of the fetch that its data came with.
    pub fetched_at: String,
    /// RFC 3339 time that the data itself states, where it does.
    pub data_date: Option<String>,
    /// Namespaces that it has data for, sorted. Empty for a feed that only enriches.
    pub namespaces: Vec<String>,
    /// RFC 3339 time of the data of a namespace, where a part of the feed states one of its own: one file of a
    /// mirror may be years older than the others. Sorted by namespace.
    pub namespace_dates: Vec<(String, String)>,
    /// Records read.
    pub records: u64,
    /// Records left out because they could not be understood: reason and how many, sorted by reason.
    pub refused: Vec<(String, u64)>,
    /// Records that do not belong in the database, such as withdrawn ones: reason and how many, sorted by
    /// reason.
    pub skipped: Vec<(String, u64)>,
    /// The first refused records, each with its reason, for people.
    pub examples: Vec<String>,
}

impl FeedRecord {
    /// How old the data of a namespace is: the date that it states, else the feed's, else that of the fetch.
    /// Where a feed's parts age apart, the date of the others says nothing of a part without one.
    pub fn date_of(&self, namespace: &str) -> &str {
        let own = self.namespace_dates.binary_search_by(|(name, _)| name.as_str().cmp(namespace));
        match (own, &self.data_date) {
            (Ok(index), _) => &self.namespace_dates[index].1,
            (Err(_), Some(date)) if self.namespace_dates.is_empty() => date,
            (Err(_), _) => &self.fetched_at,
        }
    }
}

/// Asking the database failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LookupError(pub String);

/// A place to look advisories up in. A failed lookup is an error, never an empty answer.
pub trait Advisories {
    /// Hands out every row of a package, in the database's order.
    fn rows<'a>(
        &'a self,
        namespace: &str,
        package: &str,
        each: &mut dyn FnMut(Row<'a>),
    ) -> Result<(), LookupError>;

    /// Reads an advisory's body.
    fn advisory(&self, advisory: u32) -> Result<Advisory, LookupError>;

    /// What is known of a CVE beside advisories.
    fn enrichment(&self, cve: &str) -> Result<Enrichment, LookupError>;

    /// How long a release is supported, where a feed says: `alpine:3.20`.
    fn end_of_life(&self, namespace: &str) -> Option<EndOfLife>;

    /// The products that a package repository serves, CPEs without their prefix. Empty for one that no feed
    /// knows.
    fn products(&self, repository: &str) -> Result<Vec<String>, LookupError>;

    /// The feeds in the database.
    fn feeds(&self) -> &[FeedRecord];

    /// What the database is.
    fn identity(&self) -> &DatabaseIdentity;
}

/// What a database is, so that a finding can name the one that it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseIdentity {
    /// `sha256:..` of its content.
    pub id: String,
    /// RFC 3339 time at which it was built.
    pub built_at: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_2_has_nothing_critical() {
        for (vector, expected) in [
            ("AV:N/AC:L/Au:N/C:C/I:C/A:C", Some(Severity::High)),
            ("AV:N/AC:L/Au:N/C:N/I:N/A:N", None),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", Some(Severity::Critical)),
        ] {
            let cvss = Cvss::read("nvd", vector).expect("it is a vector");
            assert_eq!(cvss.rating(), expected, "{vector}");
        }
    }

    #[test]
    fn intervals_hold_what_lies_between() {
        let closed = Interval::Keys { low: b"b", high: High::Through(b"d") };
        let half = Interval::Keys { low: b"", high: High::Before(b"d") };
        for (interval, key, expected) in [
            (closed, b"a", Some(false)),
            (closed, b"b", Some(true)),
            (closed, b"d", Some(true)),
            (closed, b"e", Some(false)),
            (half, b"a", Some(true)),
            (half, b"d", Some(false)),
            (Interval::Unparsable, b"a", None),
        ] {
            assert_eq!(interval.contains(key), expected);
        }
    }

    #[test]
    fn a_namespace_has_its_own_date_or_the_one_that_is_about_it() {
        let text = str::to_owned;
        let whole = FeedRecord {
            fetched_at: text("fetched"),
            data_date: Some(text("data")),
            ..FeedRecord::default()
        };
        let apart = FeedRecord { namespace_dates: vec![(text("pypi"), text("own"))], ..whole.clone() };
        let undated = FeedRecord { data_date: None, ..whole.clone() };
        for (feed, namespace, expected) in [
            (&whole, "npm", "data"),
            (&undated, "npm", "fetched"),
            (&apart, "pypi", "own"),
            (&apart, "npm", "fetched"),
        ] {
            assert_eq!(feed.date_of(namespace), expected, "{namespace}");
        }
    }

    #[test]
    fn vectors_of_every_version_are_scored() {
        for (vector, version, score) in [
            ("AV:N/AC:L/Au:N/C:C/I:C/A:C", "2.0", 10.0),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "3.0", 9.8),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", "3.1", 7.5),
            // Temporal metrics are stated by vendors, and the score is the base's.
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O/RC:C", "3.1", 9.8),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:P/RL:W/RC:R", "3.0", 9.8),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "4.0", 9.3),
        ] {
            let cvss = Cvss::read("osv", vector).unwrap();
            assert_eq!((cvss.version, cvss.score), (version, score), "{vector}");
        }
        assert!(Cvss::read("osv", "CVSS:3.1/AV:X").is_err());
    }
}
