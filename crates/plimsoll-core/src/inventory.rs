//! What is installed in an image.

use crate::digest::Digest;
use crate::distros::Distro;
use crate::ecosystems::Ecosystem;
use crate::gap::Gap;
use crate::windows::Windows;

/// What cataloguing an image gives: what is aboard, and what could not be read.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The distribution release, where the image has one that Plimsoll knows.
    pub distro: Option<Release>,
    /// What os-release says, whether or not Plimsoll has a row for it.
    pub os_release: Option<OsRelease>,
    /// What is known of the operating system of a Windows image. `os_release` and `distro` then say the same in short.
    pub windows: Option<Windows>,
    /// Everything installed, sorted by ecosystem, name, version, evidence path.
    pub packages: Vec<Package>,
    /// What could not be read, sorted.
    pub gaps: Vec<Gap>,
}

/// A distribution release.
#[derive(Clone, Debug)]
pub struct Release {
    /// The distribution's row.
    pub distro: &'static Distro,
    /// The release as its advisories name it: `3.20`, `12`, `22.04`; empty for a rolling distribution.
    pub release: String,
}

impl Release {
    /// Where the advisories for this release are found: `alpine:3.20`, or `wolfi` for a rolling one.
    pub fn namespace(&self) -> String {
        self.distro.namespace(&self.release)
    }
}

/// The fields of os-release (`man 5 os-release`) that matter here, unquoted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsRelease {
    /// `ID`, lower-case.
    pub id: String,
    /// `ID_LIKE`, split at blanks.
    pub id_like: Vec<String>,
    /// `VERSION_ID`; rolling releases have none.
    pub version_id: Option<String>,
    /// `VERSION_CODENAME`.
    pub codename: Option<String>,
    /// `PRETTY_NAME`, for people.
    pub pretty_name: Option<String>,
    /// `CPE_NAME`.
    pub cpe: Option<String>,
}

/// One installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Kind of package; gives the purl type and, for language packages, scheme and namespace.
    pub ecosystem: &'static Ecosystem,
    /// Name as the package itself spells it. Maven: `group:artifact`.
    pub name: String,
    /// Version as the package itself spells it. Empty where nothing states one.
    pub version: String,
    /// Package URL (<https://github.com/package-url/purl-spec>).
    pub purl: String,
    /// The source package that it was built from, where the ecosystem has such a thing.
    pub source: Option<SourcePackage>,
    /// Architecture as the package states it: `amd64`, `x86_64`, `noarch`.
    pub architecture: Option<String>,
    /// Module and stream of a modular rpm, `nodejs:18`. `Some("")` says that it was asked and has none.
    pub module: Option<String>,
    /// Licences as stated, unparsed.
    pub licenses: Vec<String>,
    /// Path of the file that says that the package is installed, absolute in the image. Inside an archive:
    /// `/app.jar!/BOOT-INF/lib/x.jar`.
    pub evidence_path: String,
    /// Digest of the layer that brought the package in. A root filesystem has no layers.
    pub layer: Option<Digest>,
    /// Name of the operating-system package that owns the evidence, for a language package.
    pub owned_by: Option<String>,
}

/// A source package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePackage {
    /// Its name.
    pub name: String,
    /// Its version; an rpm's source version has no epoch.
    pub version: String,
}
