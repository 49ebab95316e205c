//! The distributions: one row a file, under one generic matcher.
//!
//! What is special about a distribution is a field of its row. A release is recognised from os-release and
//! leads to a *namespace*, the place in the advisory database where its advisories stand.

use crate::ecosystems::Ecosystem;
use crate::inventory::{OsRelease, Release};
use crate::windows::products::{self, Line, PRODUCTS, Product};

pub mod alma;
pub mod alpine;
pub mod amazon;
pub mod azurelinux;
pub mod centos;
pub mod chainguard;
pub mod debian;
pub mod fedora;
pub mod minimos;
pub mod openeuler;
pub mod opensuse_leap;
pub mod opensuse_tumbleweed;
pub mod oracle;
pub mod photon;
pub mod redhat;
pub mod rocky;
pub mod sles;
pub mod ubuntu;
pub mod windows_client;
pub mod windows_server;
pub mod windows_server_core;
pub mod wolfi;

/// One distribution.
#[derive(Debug)]
pub struct Distro {
    /// `ID` in os-release: `alpine`.
    pub id: &'static str,
    /// Id of the distribution whose advisories judge its packages, the first part of the namespace. Its own, or of a
    /// rebuild without advisories that of what it is rebuilt from.
    pub advisories_of: &'static str,
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
    /// How endoflife.date tells how long its releases are supported.
    pub lifecycle: Lifecycle,
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
    /// Those of `feeds` that only fill in, such as what a vendor withdrew: having them is not enough to judge.
    pub supplements: &'static [&'static str],
}

/// A distribution as endoflife.date knows it.
#[derive(Clone, Copy, Debug)]
pub struct Lifecycle {
    /// The product's name there: `alpine-linux`. Empty where there is none.
    pub product: &'static str,
    /// Turns its name of a release, `3.0`, into ours.
    pub release: fn(&str) -> Option<String>,
    /// Whether everybody has what it calls extended support, and advisories go on with it. Elsewhere it is sold.
    pub is_extended_for_all: bool,
}

/// Of a distribution that it does not know, or that has no releases.
pub const NO_LIFECYCLE: Lifecycle = Lifecycle { product: "", release: |_| None, is_extended_for_all: false };

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
        with_release(self.advisories_of, release)
    }

    /// What a release is itself, whoever's advisories judge it: `centos:7`.
    pub fn name_of(&self, release: &str) -> String {
        with_release(self.id, release)
    }
}

fn with_release(id: &str, release: &str) -> String {
    if release.is_empty() { id.to_owned() } else { format!("{id}:{release}") }
}

/// All distributions, sorted by id.
pub static DISTROS: &[&Distro] = &[
    &alma::DISTRO,
    &alpine::DISTRO,
    &amazon::DISTRO,
    &azurelinux::DISTRO,
    &centos::DISTRO,
    &chainguard::DISTRO,
    &debian::DISTRO,
    &fedora::DISTRO,
    &minimos::DISTRO,
    &oracle::DISTRO,
    &openeuler::DISTRO,
    &opensuse_leap::DISTRO,
    &opensuse_tumbleweed::DISTRO,
    &photon::DISTRO,
    &redhat::DISTRO,
    &rocky::DISTRO,
    &sles::DISTRO,
    &ubuntu::DISTRO,
    &windows_client::DISTRO,
    &windows_server::DISTRO,
    &windows_server_core::DISTRO,
    &wolfi::DISTRO,
];

/// Recognises the release that an os-release describes, by `ID` alone. A derivative whose `ID` has no row is
/// not its parent: its packages may be rebuilt.
pub fn recognise(os: &OsRelease) -> Option<Release> {
    let distro =
        DISTROS.iter().copied().find(|row| row.id == os.id || row.other_ids.contains(&os.id.as_str()))?;
    let release = (distro.release)(os)?;
    Some(Release { distro, release })
}

/// The namespace of an OSV ecosystem of a distribution: `alpine:3.20` of `Alpine:v3.20`.
///
/// Distributions may share a name in OSV; the first whose `osv_release` reads the suffix has it.
pub fn namespace_of_osv(ecosystem: &str) -> Option<(&'static Distro, String)> {
    let (name, suffix) = ecosystem.split_once(':').unwrap_or((ecosystem, ""));
    DISTROS.iter().copied().filter(|row| !row.osv.is_empty() && row.osv == name).find_map(|distro| {
        let release = (distro.osv_release)(suffix)?;
        Some((distro, distro.namespace(&release)))
    })
}

/// The distribution whose own namespace this is.
pub fn by_namespace(namespace: &str) -> Option<&'static Distro> {
    let id = namespace.split_once(':').map_or(namespace, |(id, _)| id);
    DISTROS.iter().copied().find(|row| row.id == id)
}

/// The release is the first number of `VERSION_ID`.
fn major(os: &OsRelease) -> Option<String> {
    number(os.version_id.as_deref()?.split('.').next()?)
}

/// The release is `VERSION_ID`.
fn as_stated(os: &OsRelease) -> Option<String> {
    dotted(os.version_id.as_deref()?)
}

/// The release is one that a product of Windows has.
fn windows_release(os: &OsRelease) -> Option<String> {
    let release = os.version_id.as_deref()?;
    products::by_namespace(&with_release(&os.id, release)).map(|row| row.release.to_owned())
}

/// endoflife.date's name of a release of Windows Server, in whatever letters.
fn windows_server_lifecycle(name: &str) -> Option<String> {
    let is_it = |row: &&Product| row.line != Line::Client && row.release.eq_ignore_ascii_case(name);
    PRODUCTS.iter().find(is_it).map(|row| row.release.to_owned())
}

/// There are no releases.
fn rolling(_: &OsRelease) -> Option<String> {
    Some(String::new())
}

/// OSV has no suffix, because there are no releases.
fn rolling_osv(suffix: &str) -> Option<String> {
    suffix.is_empty().then(String::new)
}

/// OSV does not have the distribution.
fn no_osv(_: &str) -> Option<String> {
    None
}

/// A text that is a number.
fn number(text: &str) -> Option<String> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.to_owned())
}

/// A text that is numbers with dots between them.
fn dotted(text: &str) -> Option<String> {
    text.split('.').all(|part| number(part).is_some()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ID|VERSION_ID|VERSION_CODENAME|PRETTY_NAME`, an empty field being absent.
    #[track_caller]
    fn os_release(line: &str) -> OsRelease {
        let mut fields = line.split('|').map(|field| (!field.is_empty()).then(|| field.to_owned()));
        let mut next = || fields.next().flatten();
        OsRelease {
            id: next().expect("the first field is the ID"),
            version_id: next(),
            codename: next(),
            pretty_name: next(),
            ..OsRelease::default()
        }
    }

    #[test]
    fn ids_are_unique_and_sorted() {
        assert!(DISTROS.windows(2).all(|pair| pair[0].id < pair[1].id));
        let mut all: Vec<&str> =
            DISTROS.iter().flat_map(|row| row.other_ids.iter().copied().chain([row.id])).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn os_release_leads_to_a_namespace() {
        for (line, expected) in [
            ("almalinux|9.4", "almalinux:9"),
            ("alpine|3.20.3", "alpine:3.20"),
            ("alpine|3.9.0", "alpine:3.9"),
            ("alpine|3.21.0_alpha20240923", "alpine:edge"),
            ("amzn|2018.03", "amzn:1"),
            ("amzn|2", "amzn:2"),
            ("amzn|2023", "amzn:2023"),
            ("azurelinux|3.0", "azurelinux:3"),
            ("mariner|2.0", "azurelinux:2"),
            ("centos|7", "rhel:7"),
            ("centos|8", "rhel:8"),
            ("centos|10", "rhel:10"),
            ("chainguard|20230214", "chainguard"),
            ("debian|12|bookworm", "debian:12"),
            ("debian|||Debian GNU/Linux forky/sid", ""),
            ("debian||forky|Debian GNU/Linux forky/sid", "debian:14"),
            ("debian||sid", "debian:sid"),
            ("debian||potato", ""),
            ("fedora|41", "fedora:41"),
            ("minimos|20241031", "minimos"),
            ("ol|8.10", "ol:8"),
            ("openeuler|22.03||openEuler 22.03 (LTS-SP3)", "openeuler:22.03-LTS-SP3"),
            ("openeuler|24.03||openEuler 24.03 (LTS)", "openeuler:24.03-LTS"),
            ("openeuler|23.09||openEuler 23.09", "openeuler:23.09"),
            ("opensuse-leap|15.5", "opensuse-leap:15.5"),
            ("opensuse-tumbleweed|20240321", "opensuse-tumbleweed"),
            ("photon|4.0", "photon:4.0"),
            ("rhel|9.4", "rhel:9"),
            ("rhel|10.0", "rhel:10"),
            ("rocky|8.7", "rocky:8"),
            ("sles|15.5", "sles:15.5"),
            ("sles|15", "sles:15"),
            ("ubuntu|22.04|jammy", "ubuntu:22.04"),
            ("windows-client|10-1809", "windows-client:10-1809"),
            ("windows-server|2022", "windows-server:2022"),
            ("windows-server-core|20H2", "windows-server-core:20H2"),
            ("windows-server|20H2", ""),
            ("wolfi|20230201", "wolfi"),
            // A release that is not stated, or that is not one.
            ("rhel|", ""),
            ("alpine|edge", ""),
            ("ubuntu|../../x", ""),
            // Distributions without a row, although their packages come from one that has.
            ("linuxmint|21||Linux Mint 21", ""),
            ("raspbian|12|bookworm", ""),
            ("plan9|4", ""),
        ] {
            let namespace = recognise(&os_release(line)).map(|release| release.namespace());
            assert_eq!(namespace.as_deref().unwrap_or(""), expected, "{line}");
        }
    }

    #[test]
    fn a_derivative_is_not_its_parent() {
        let os =
            OsRelease { id_like: vec!["ubuntu".into(), "debian".into()], ..os_release("pop|22.04|jammy") };
        assert!(recognise(&os).is_none());
    }

    #[test]
    fn osv_ecosystems_lead_to_the_same_namespaces() {
        for (ecosystem, expected) in [
            ("AlmaLinux:8", "almalinux:8"),
            ("AlmaLinux", ""),
            ("Alpine:v3.20", "alpine:3.20"),
            ("Alpine:3.20", ""),
            ("Alpine", ""),
            ("Azure Linux:3", "azurelinux:3"),
            ("Chainguard", "chainguard"),
            ("Debian:12", "debian:12"),
            ("Debian", ""),
            ("MinimOS", "minimos"),
            ("Photon OS:3.0", "photon:3.0"),
            ("Red Hat:enterprise_linux:9::appstream", "rhel:9"),
            ("Red Hat:enterprise_linux:10.0", "rhel:10"),
            ("Red Hat:rhel_eus:9.4::appstream", ""),
            ("Red Hat:openstack:18.0::el9", ""),
            ("Rocky Linux:9", "rocky:9"),
            ("SUSE:Linux Enterprise Server 15 SP5", "sles:15.5"),
            ("SUSE:Linux Enterprise Server 12 SP5-LTSS", "sles:12.5"),
            ("SUSE:Linux Enterprise Server LTSS Extended Security 12 SP5", "sles:12.5"),
            ("SUSE:Linux Enterprise Server 16.0", "sles:16.0"),
            ("SUSE:Linux Enterprise Module for Basesystem 15 SP7", "sles:15.7"),
            ("SUSE:Linux Enterprise Module for Python 3 15 SP5", "sles:15.5"),
            ("SUSE:Linux Enterprise Server 15-LTSS", "sles:15"),
            ("SUSE:Linux Enterprise Server for SAP Applications 15 SP5", ""),
            ("SUSE:Linux Enterprise Micro 5.5", ""),
            ("Ubuntu:22.04:LTS", "ubuntu:22.04"),
            ("Ubuntu:24.10", "ubuntu:24.10"),
            ("Ubuntu:Pro:18.04:LTS", ""),
            ("Ubuntu:Pro:FIPS-updates:22.04:LTS", ""),
            ("Wolfi", "wolfi"),
            ("openEuler:24.03-LTS", "openeuler:24.03-LTS"),
            ("openEuler:22.03-LTS-SP3", "openeuler:22.03-LTS-SP3"),
            ("openSUSE:Leap 15.5", "opensuse-leap:15.5"),
            ("openSUSE:Leap Micro 5.5", ""),
            ("openSUSE:Tumbleweed", "opensuse-tumbleweed"),
            ("PyPI", ""),
            ("", ""),
        ] {
            let found = namespace_of_osv(ecosystem);
            let namespace = found.as_ref().map_or("", |(_, namespace)| namespace.as_str());
            assert_eq!(namespace, expected, "{ecosystem}");
            if let Some((distro, namespace)) = found {
                assert_eq!(by_namespace(&namespace).map(|row| row.id), Some(distro.id));
            }
        }
    }

    /// One feed serves both, so both must look up the same names.
    #[test]
    fn who_takes_advisories_of_another_looks_them_up_as_it_does() {
        for row in DISTROS {
            let giver = by_namespace(&row.namespace("1")).unwrap_or_else(|| panic!("{}", row.id));
            assert_eq!(giver.advisories_of, giver.id, "{}", row.id);
            assert_eq!((giver.keyed_by, giver.ecosystem), (row.keyed_by, row.ecosystem), "{}", row.id);
            assert_eq!(giver.feeds.first(), row.feeds.first(), "{}", row.id);
        }
    }

    #[test]
    fn releases_with_an_end_lead_to_the_same_namespaces() {
        for (product, name, expected) in [
            ("almalinux", "9", "almalinux:9"),
            ("alpine-linux", "3.20", "alpine:3.20"),
            ("amazon-linux", "2018.03", "amzn:1"),
            ("amazon-linux", "2017.09", ""),
            ("amazon-linux", "2", "amzn:2"),
            ("amazon-linux", "2023", "amzn:2023"),
            ("azure-linux", "3.0", "azurelinux:3"),
            ("centos", "7", "centos:7"),
            ("debian", "12", "debian:12"),
            ("debian", "3.1", ""),
            ("fedora", "41", "fedora:41"),
            ("openeuler", "22.03-lts-sp3", "openeuler:22.03-LTS-SP3"),
            ("openeuler", "25.09", "openeuler:25.09"),
            ("opensuse", "15.6", "opensuse-leap:15.6"),
            ("oracle-linux", "8", "ol:8"),
            ("photon", "5.0", "photon:5.0"),
            ("rhel", "9", "rhel:9"),
            ("rocky-linux", "9", "rocky:9"),
            ("sles", "15.5", "sles:15.5"),
            ("ubuntu", "22.04", "ubuntu:22.04"),
            ("ubuntu", "edge", ""),
            ("windows-server", "2022", "windows-server:2022"),
            ("windows-server", "20h2", "windows-server:20H2"),
            ("windows-server", "2003", ""),
        ] {
            let distro = DISTROS.iter().find(|row| row.lifecycle.product == product).expect("it has a row");
            let release = (distro.lifecycle.release)(name);
            let namespace = release.map(|release| distro.name_of(&release)).unwrap_or_default();
            assert_eq!(namespace, expected, "{product} {name}");
        }
    }

    #[test]
    fn every_debian_codename_has_a_release() {
        assert_eq!(debian::release_of_codename("bookworm"), Some("12"));
        assert_eq!(debian::release_of_codename("sid"), Some("sid"));
        assert_eq!(debian::release_of_codename("experimental"), None);
    }
}
