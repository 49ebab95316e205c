//! The upstream sources: one row a file.
//!
//! A feed is fetched in *parts* (files below one base URL), each kept as a snapshot. Its parser turns one
//! part into records for a [`Sink`], streaming, and never stops at a bad record: it refuses it, with a reason
//! that is counted and shown, and goes on.

use std::io::{BufRead, Seek};

use plimsoll_core::advisory::{Advisory, Affected, Epss, Kev};

mod alpine_secdb;
mod debian_tracker;
mod epss;
mod json;
mod kev;
mod osv;
mod text;

#[cfg(test)]
mod tests;

/// One upstream source.
#[derive(Debug)]
pub struct Feed {
    /// Name, kebab-case.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// Base URL; part paths are joined to it with a `/`. A user may replace it by any `http`, `https` or
    /// `file` URL of the same layout.
    pub url: &'static str,
    /// The upstream's format, for people.
    pub format: &'static str,
    /// Licence of the data.
    pub licence: &'static str,
    /// How often the upstream changes.
    pub cadence_hours: u32,
    /// Age of the data above which results are warned of.
    pub max_age_days: u32,
    /// What it covers, for people.
    pub covers: &'static str,
    /// Says which parts there are; may read small index files.
    pub plan: fn(&mut dyn Index) -> Result<Vec<Part>, PlanError>,
    /// Reads one part. An error means that the part as a whole is not what it should be (truncated, not
    /// JSON): the last good snapshot stays.
    pub parse: fn(&Part, &mut dyn Source, &mut dyn Sink) -> Result<(), ParseError>,
}

/// All feeds, sorted by name.
pub static FEEDS: &[&Feed] =
    &[&alpine_secdb::FEED, &debian_tracker::FEED, &epss::FEED, &kev::FEED, &osv::FEED];

/// The feed with a name.
pub fn by_name(name: &str) -> Option<&'static Feed> {
    FEEDS.iter().copied().find(|row| row.name == name)
}

/// One file of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Name, safe as a file name, unique in the feed: `v3.20-main.json`.
    pub name: String,
    /// Path below the feed's URL; empty where the URL itself is the file.
    pub path: String,
    /// Whether the upstream may not have it: a release that is not out yet, or that a mirror leaves out.
    pub may_be_absent: bool,
}

/// Small files below a feed's URL that say which parts there are.
pub trait Index {
    /// Reads a file; `None` where the upstream answers that there is none.
    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>, PlanError>;
}

/// The plan of a feed's parts could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub String);

/// A part's bytes.
pub trait Source: BufRead + Seek {}

impl<T: BufRead + Seek> Source for T {}

/// A part is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

/// Where a parser puts what it reads.
pub trait Sink {
    /// One statement and the packages that it speaks of. Several calls with the same id and an equal body
    /// are one advisory. The sink turns versions into keys; a range that does not follow its scheme is kept
    /// as unparsable and counted.
    fn advisory(&mut self, advisory: &Advisory, affected: &[Affected]);
    /// CISA's entry for a CVE.
    fn kev(&mut self, cve: &str, kev: Kev);
    /// EPSS of a CVE.
    fn epss(&mut self, cve: &str, epss: Epss);
    /// A record that could not be understood: which, and a reason from a small set (it is counted by it).
    fn refuse(&mut self, record: &str, reason: &str);
    /// A record that was understood and does not belong in the database, such as a withdrawn one.
    fn skip(&mut self, reason: &str);
    /// The date that the data itself states, RFC 3339. The latest of a feed counts.
    fn data_date(&mut self, date: &str);
    /// The date that a part states for the data of one namespace, where the feed's parts age apart. The latest
    /// counts.
    fn namespace_date(&mut self, namespace: &str, date: &str);
    /// The part speaks of this namespace, whether or not it has advisories for it: `alpine:3.20`.
    fn namespace(&mut self, namespace: &str);
}
