//! The rows: one for each ecosystem of OSV that Plimsoll knows.
//!
//! A distribution whose vendor has a feed that says more is off by default here; it is for those who cannot have
//! the vendor's, and for a second opinion. Licences are those of the sources behind each zip:
//! <https://google.github.io/osv.dev/data/#current-data-sources>.

use plimsoll_core::distros;
use plimsoll_core::ecosystems;

use super::{Covers, Feed, parse, plan};

/// What all rows share.
const ROW: Feed = Feed {
    name: "",
    title: "",
    url: "https://osv-vulnerabilities.storage.googleapis.com",
    format: "OSV JSON in a zip file",
    licence: "",
    terms: "https://google.github.io/osv.dev/data/",
    cadence_hours: 6,
    max_age_days: 14,
    covers: &[],
    gives: "ranges of affected versions, fixed versions, severity, CVSS",
    is_on_by_default: true,
    plan,
    parse,
};

/// `AlmaLinux/all.zip`.
pub(in crate::feeds) static ALMALINUX: Feed = Feed {
    name: "osv-almalinux",
    title: "AlmaLinux (OSV)",
    licence: "MIT",
    covers: &[Covers::Distro(&distros::alma::DISTRO)],
    ..ROW
};

/// `Alpine/all.zip`.
pub(in crate::feeds) static ALPINE: Feed = Feed {
    name: "osv-alpine",
    title: "Alpine (OSV)",
    licence: "public",
    covers: &[Covers::Distro(&distros::alpine::DISTRO)],
    is_on_by_default: false,
    ..ROW
};

/// `Azure Linux/all.zip`.
pub(in crate::feeds) static AZURELINUX: Feed = Feed {
    name: "osv-azurelinux",
    title: "Azure Linux (OSV)",
    licence: "MIT",
    covers: &[Covers::Distro(&distros::azurelinux::DISTRO)],
    is_on_by_default: false,
    ..ROW
};

/// `Chainguard/all.zip`.
pub(in crate::feeds) static CHAINGUARD: Feed = Feed {
    name: "osv-chainguard",
    title: "Chainguard (OSV)",
    licence: "public",
    covers: &[Covers::Distro(&distros::chainguard::DISTRO)],
    is_on_by_default: false,
    ..ROW
};

/// `crates.io/all.zip`.
pub(in crate::feeds) static CRATES_IO: Feed = Feed {
    name: "osv-crates-io",
    title: "crates.io (OSV)",
    licence: "CC0-1.0 AND CC-BY-4.0",
    covers: &[Covers::Packages(&ecosystems::CARGO)],
    ..ROW
};

/// `Debian/all.zip`.
pub(in crate::feeds) static DEBIAN: Feed = Feed {
    name: "osv-debian",
    title: "Debian (OSV)",
    licence: "public",
    covers: &[Covers::Distro(&distros::debian::DISTRO)],
    is_on_by_default: false,
    ..ROW
};

/// `Go/all.zip`.
pub(in crate::feeds) static GO: Feed = Feed {
    name: "osv-go",
    title: "Go (OSV)",
    licence: "CC-BY-4.0",
    covers: &[Covers::Packages(&ecosystems::GOLANG)],
    ..ROW
};

/// `Maven/all.zip`.
pub(in crate::feeds) static MAVEN: Feed = Feed {
    name: "osv-maven",
    title: "Maven (OSV)",
    licence: "CC-BY-4.0",
    covers: &[Covers::Packages(&ecosystems::MAVEN)],
    ..ROW
};

/// `MinimOS/all.zip`.
pub(in crate::feeds) static MINIMOS: Feed = Feed {
    name: "osv-minimos",
    title: "MinimOS (OSV)",
    licence: "public",
    covers: &[Covers::Distro(&distros::minimos::DISTRO)],
    is_on_by_default: false,
    ..ROW
};

/// `npm/all.zip`.
pub(in crate::feeds) static NPM: Feed = Feed {
    name: "osv-npm",
    title: "npm (OSV)",
    licence: "CC-BY-4.0 AND Apache-2.0",
    covers: &[Covers::Packages(&ecosystems::NPM)],
    ..ROW
};

/// `NuGet/all.zip`.
pub(in crate::feeds) static NUGET: Feed = Feed {
    name: "osv-nuget",
    title: "NuGet (OSV)",
    licence: "CC-BY-4.0",
    covers: &[Covers::Packages(&ecosystems::NUGET)],
    ..ROW
};

/// `openEuler/all.zip`.
pub(in crate::feeds) static OPENEULER: Feed = Feed {
    name: "osv-openeuler",
    title: "openEuler (OSV)",
    licence: "public",
    covers: &[Covers::Distro(&distros::openeuler::DISTRO)],
    ..ROW
};

/// `openSUSE/all.zip`.
pub(in crate::feeds) static OPENSUSE: Feed = Feed {
    name: "osv-opensuse",
    title: "openSUSE (OSV)",
    licence: "CC-BY-4.0",
    covers: &[
        Covers::Distro(&distros::opensuse_leap::DISTRO),
        Covers::Distro(&distros::opensuse_tumbleweed::DISTRO),
    ],
    is_on_by_default: false,
    ..ROW
};

/// `Packagist/all.zip`.
pub(in crate::feeds) static PACKAGIST: Feed = Feed {
    name: "osv-packagist",
    title: "Packagist (OSV)",
    licence: "CC-BY-4.0",
    covers: &[Covers::Packages(&ecosystems::COMPOSER)],
    ..ROW
};

/// `Photon OS/all.zip`.
pub(in crate::feeds) static PHOTON: Feed = Feed {
    name: "osv-photon",
    title: "Photon OS (OSV)",
    licence: "public",
    covers: &[Covers::Distro(&distros::photon::DISTRO)],
    is_on_by_default: false,
    ..ROW
};

/// `PyPI/all.zip`.
pub(in crate::feeds) static PYPI: Feed = Feed {
    name: "osv-pypi",
    title: "PyPI (OSV)",
    licence: "CC-BY-4.0 AND Apache-2.0",
    covers: &[Covers::Packages(&ecosystems::PYPI)],
    ..ROW
};

/// `Red Hat/all.zip`.
pub(in crate::feeds) static REDHAT: Feed = Feed {
    name: "osv-redhat",
    title: "Red Hat (OSV)",
    licence: "CC-BY-4.0",
    covers: &[Covers::Distro(&distros::redhat::DISTRO)],
    is_on_by_default: false,
    ..ROW
};

/// `Rocky Linux/all.zip`.
pub(in crate::feeds) static ROCKY: Feed = Feed {
    name: "osv-rocky",
    title: "Rocky Linux (OSV)",
    licence: "BSD-3-Clause",
    covers: &[Covers::Distro(&distros::rocky::DISTRO)],
    ..ROW
};

/// `RubyGems/all.zip`.
pub(in crate::feeds) static RUBYGEMS: Feed = Feed {
    name: "osv-rubygems",
    title: "RubyGems (OSV)",
    licence: "CC-BY-4.0",
    covers: &[Covers::Packages(&ecosystems::GEM)],
    ..ROW
};

/// `SUSE/all.zip`.
pub(in crate::feeds) static SUSE: Feed = Feed {
    name: "osv-suse",
    title: "SUSE (OSV)",
    licence: "CC-BY-4.0",
    covers: &[Covers::Distro(&distros::sles::DISTRO)],
    is_on_by_default: false,
    ..ROW
};

/// `Ubuntu/all.zip`.
pub(in crate::feeds) static UBUNTU: Feed = Feed {
    name: "osv-ubuntu",
    title: "Ubuntu (OSV)",
    licence: "CC-BY-SA-4.0",
    covers: &[Covers::Distro(&distros::ubuntu::DISTRO)],
    is_on_by_default: false,
    ..ROW
};

/// `Wolfi/all.zip`.
pub(in crate::feeds) static WOLFI: Feed = Feed {
    name: "osv-wolfi",
    title: "Wolfi (OSV)",
    licence: "public",
    covers: &[Covers::Distro(&distros::wolfi::DISTRO)],
    is_on_by_default: false,
    ..ROW
};
