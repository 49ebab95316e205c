//! The upstream sources: one row a file.
//!
//! A feed is fetched in *parts* (files below one base URL), each kept as a snapshot. Its parser turns one
//! part into records for a [`Sink`], streaming, and never stops at a bad record: it refuses it, with a reason
//! that is counted and shown, and goes on.

use std::io::{self, BufRead, Seek};

use plimsoll_core::advisory::{Advisory, Affected, Cvss, EndOfLife, Epss, Kev};
use plimsoll_core::distros::Distro;
use plimsoll_core::ecosystems::Ecosystem;

mod alpine_rejections;
mod alpine_secdb;
mod archive;
mod azurelinux_oval;
mod clair_export;
mod debian_advisories;
mod debian_tracker;
mod dotnet_releases;
mod end_of_life;
mod epss;
mod github_advisories;
mod inflate;
mod json;
mod kev;
mod lines;
mod msrc;
mod nvd;
mod oracle_oval;
mod osv;
mod oval;
mod photon_cve;
mod redhat_repositories;
mod redhat_vex;
mod secdb;
mod suse_oval;
mod text;
mod ubuntu_osv;
mod updateinfo;

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
    /// `file` URL of the same layout. Empty for a feed without an upstream, which needs a URL of its user's.
    pub url: &'static str,
    /// The upstream's format, for people.
    pub format: &'static str,
    /// Licence of the data: an SPDX expression where there is one, else in words.
    pub licence: &'static str,
    /// Page that states the licence or the terms of use.
    pub terms: &'static str,
    /// How often the upstream changes.
    pub cadence_hours: u32,
    /// Age of the data above which results are warned of.
    pub max_age_days: u32,
    /// What it speaks of.
    pub covers: &'static [Covers],
    /// What it says of it, for people: `fixed versions, severity`.
    pub gives: &'static str,
    /// Whether it is fetched unless the user says otherwise. Those that repeat what others have are not.
    pub is_on_by_default: bool,
    /// Says which parts there are; may read small index files.
    pub plan: fn(&Feed, &mut dyn Index) -> Result<Vec<Part>, PlanError>,
    /// Reads one part. An error means that the part as a whole is not what it should be (truncated, not
    /// JSON): the last good snapshot stays.
    pub parse: fn(&Reading<'_>, &mut dyn Source, &mut dyn Sink) -> Result<(), ParseError>,
}

/// What a feed speaks of.
#[derive(Clone, Copy, Debug)]
pub enum Covers {
    /// The packages of a distribution.
    Distro(&'static Distro),
    /// The packages of a language.
    Packages(&'static Ecosystem),
    /// Flaws, whatever has them: what it says of them, for people.
    Flaws(&'static str),
    /// Anything else that helps to read an image, for people.
    Other(&'static str),
}

impl Covers {
    /// For people: `AlmaLinux`, `Python packages`.
    pub fn title(&self) -> String {
        match self {
            Covers::Distro(row) => row.title.to_owned(),
            Covers::Packages(row) => format!("{} packages", row.title),
            Covers::Flaws(text) | Covers::Other(text) => (*text).to_owned(),
        }
    }
}

/// All feeds, sorted by name.
pub static FEEDS: &[&Feed] = &[
    &alpine_rejections::FEED,
    &alpine_secdb::FEED,
    &updateinfo::rows::AMAZON,
    &updateinfo::rows::AMAZON1,
    &azurelinux_oval::FEED,
    &secdb::rows::CHAINGUARD,
    &clair_export::FEED,
    &debian_advisories::FEED,
    &debian_tracker::FEED,
    &dotnet_releases::FEED,
    &end_of_life::FEED,
    &epss::FEED,
    &updateinfo::rows::FEDORA,
    &github_advisories::FEED,
    &kev::FEED,
    &secdb::rows::MINIMOS,
    &msrc::FEED,
    &nvd::FEED,
    &oracle_oval::FEED,
    &osv::rows::ALMALINUX,
    &osv::rows::ALPINE,
    &osv::rows::AZURELINUX,
    &osv::rows::CHAINGUARD,
    &osv::rows::CRATES_IO,
    &osv::rows::DEBIAN,
    &osv::rows::GO,
    &osv::rows::MAVEN,
    &osv::rows::MINIMOS,
    &osv::rows::NPM,
    &osv::rows::NUGET,
    &osv::rows::OPENEULER,
    &osv::rows::OPENSUSE,
    &osv::rows::PACKAGIST,
    &osv::rows::PHOTON,
    &osv::rows::PYPI,
    &osv::rows::REDHAT,
    &osv::rows::ROCKY,
    &osv::rows::RUBYGEMS,
    &osv::rows::SUSE,
    &osv::rows::UBUNTU,
    &osv::rows::WOLFI,
    &photon_cve::FEED,
    &redhat_repositories::FEED,
    &redhat_vex::FEED,
    &suse_oval::FEED,
    &ubuntu_osv::FEED,
    &secdb::rows::WOLFI,
];

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
    /// A text that an index file of the upstream gives this state of the part: a time of change, a digest. A
    /// part that is here with the same one is not asked for at all. `None` where the upstream is to be asked.
    pub revision: Option<String>,
    /// Whether one that is here stays where the upstream no longer has it.
    pub stays: bool,
}

impl Part {
    /// A part that the upstream must have, and that it is asked for.
    pub fn new(name: impl Into<String>, path: impl Into<String>) -> Part {
        Part { name: name.into(), path: path.into(), may_be_absent: false, revision: None, stays: false }
    }

    /// The same, which the upstream may not have.
    pub fn that_may_be_absent(self) -> Part {
        Part { may_be_absent: true, ..self }
    }

    /// The same, which the upstream may not have, and which stays as it is here then.
    pub fn that_stays(self) -> Part {
        Part { may_be_absent: true, stays: true, ..self }
    }
}

/// A part that is being read.
pub struct Reading<'a> {
    /// Whose it is.
    pub feed: &'a Feed,
    /// The part.
    pub part: &'a Part,
    /// What it is one of, for a feed of which one part says how to read another.
    pub snapshot: &'a dyn Snapshot,
}

/// The parts of a feed that are there.
pub trait Snapshot {
    /// Their names, sorted.
    fn names(&self) -> Vec<String>;
    /// Opens one; `None` where there is none of that name.
    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Source>>>;
}

/// Small files below a feed's URL that say which parts there are.
pub trait Index {
    /// Reads a file; `None` where the upstream answers that there is none.
    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>, PlanError>;
    /// Names of the parts that are here from before, sorted: a feed of a large file and small changes to it may
    /// go on with the large file that is here.
    fn held(&self) -> Vec<String>;
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
    /// as unparsable and counted. What says that something is affected speaks of its namespace, as with
    /// [`Sink::namespace`]; what only denies does not, so that a feed of denials serves no release.
    fn advisory(&mut self, advisory: &Advisory, affected: &[Affected]);
    /// CISA's entry for a CVE.
    fn kev(&mut self, cve: &str, kev: Kev);
    /// EPSS of a CVE.
    fn epss(&mut self, cve: &str, epss: Epss);
    /// CVSS vectors of a CVE, by whoever scored it.
    fn cvss(&mut self, cve: &str, vectors: &[Cvss]);
    /// When a release of a distribution is no longer supported: `alpine:3.20`.
    fn end_of_life(&mut self, namespace: &str, end: EndOfLife);
    /// The products, CPEs without their prefix (`enterprise_linux:9::appstream`), that a package repository
    /// serves, by the repository's id.
    fn repository(&mut self, id: &str, products: &[&str]);
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
