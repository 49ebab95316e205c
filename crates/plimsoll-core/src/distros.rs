//! The distributions: one row a file, under one generic matcher.
//!
//! What is special about a distribution is a field of its row. A release is recognised from os-release and
//! leads to a *namespace*, the place in the advisory database where its advisories stand.

use crate::ecosystems::Ecosystem;
use crate::inventory::{OsRelease, Release};

/// One distribution.
#[derive(Debug)]
pub struct Distro {
    /// `ID` in os-release, and the first part of the namespace: `alpine`.
    pub id: &'static str,
    /// Other `ID`s that mean the same distribution.
    pub other_ids: &'static [&'static str],
    /// Name for people.
    pub title: &'static str,
    /// What its packages are; gives scheme and purl type.
    pub ecosystem: &'static Ecosystem,
    /// The purl namespace of its packages.
    pub purl_namespace: &'static str,
    /// Which name and version of an installed package its advisories speak of.
    pub keyed_by: KeyedBy,
    /// The release as advisories name it, `3.20` from `VERSION_ID=3.20.3`. `None` where os-release does not
    /// say; an empty text for a rolling distribution.
    pub release: fn(&OsRelease) -> Option<String>,
    /// Its OSV ecosystem and how OSV's release suffix becomes ours. Empty where OSV has none.
    pub osv: &'static str,
    /// Turns the suffix of an OSV ecosystem (`v3.20` of `Alpine:v3.20`) into a release.
    pub osv_release: fn(&str) -> Option<String>,
    /// Feeds that state its advisories, the vendor's own first. The first that the database has for the
    /// release decides; the others fill in what it does not speak of. Empty: no feed is known yet.
    pub feeds: &'static [&'static str],
}

/// Which package an advisory names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyedBy {
    /// The source package, compared by its version.
    Source,
    /// The binary package.
    Binary,
}

impl Distro {
    /// The namespace of a release: `alpine:3.20`; without a colon for a rolling distribution.
    pub fn namespace(&self, release: &str) -> String {
        if release.is_empty() { self.id.to_owned() } else { format!("{}:{release}", self.id) }
    }
}

/// All distributions, sorted by id.
pub static DISTROS: &[&Distro] = &[];

/// Recognises the release that an os-release describes, by `ID` alone. A derivative whose `ID` has no row is
/// not its parent: its packages may be rebuilt.
pub fn recognise(os: &OsRelease) -> Option<Release> {
    let distro =
        DISTROS.iter().copied().find(|row| row.id == os.id || row.other_ids.contains(&os.id.as_str()))?;
    let release = (distro.release)(os)?;
    Some(Release { distro, release })
}

/// The namespace of an OSV ecosystem of a distribution: `alpine:3.20` of `Alpine:v3.20`.
pub fn namespace_of_osv(ecosystem: &str) -> Option<(&'static Distro, String)> {
    let (name, suffix) = ecosystem.split_once(':').unwrap_or((ecosystem, ""));
    let distro = DISTROS.iter().copied().find(|row| !row.osv.is_empty() && row.osv == name)?;
    let release = (distro.osv_release)(suffix)?;
    Some((distro, distro.namespace(&release)))
}

/// The distribution whose namespace this is.
pub fn by_namespace(namespace: &str) -> Option<&'static Distro> {
    let id = namespace.split_once(':').map_or(namespace, |(id, _)| id);
    DISTROS.iter().copied().find(|row| row.id == id)
}
