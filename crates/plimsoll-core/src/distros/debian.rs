//! Debian. Testing and unstable have no `VERSION_ID`, and both call themselves by testing's codename. What
//! endoflife.date calls extended is its long-term support, which everybody has and the tracker speaks of.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;
use crate::inventory::OsRelease;

/// Debian.
pub static DISTRO: Distro = Distro {
    id: "debian",
    other_ids: &[],
    title: "Debian",
    ecosystem: &ecosystems::DEB,
    purl_namespace: "debian",
    keyed_by: KeyedBy::Source,
    lifecycle: Lifecycle { product: "debian", release: super::number, is_extended_for_all: true },
    release,
    osv: "Debian",
    osv_release: super::number,
    feeds: &["debian-tracker", "osv-debian"],
    supplements: &[],
};

/// Codenames and releases, newest first (<https://www.debian.org/releases/>).
static CODENAMES: &[(&str, &str)] = &[
    ("sid", "sid"),
    ("forky", "14"),
    ("trixie", "13"),
    ("bookworm", "12"),
    ("bullseye", "11"),
    ("buster", "10"),
    ("stretch", "9"),
    ("jessie", "8"),
    ("wheezy", "7"),
];

/// The release with a codename: `12` of `bookworm`, `sid` of `sid`.
pub fn release_of_codename(codename: &str) -> Option<&'static str> {
    CODENAMES.iter().find(|(name, _)| *name == codename).map(|(_, release)| *release)
}

fn release(os: &OsRelease) -> Option<String> {
    if os.version_id.is_some() {
        return super::major(os);
    }
    release_of_codename(os.codename.as_deref()?).map(str::to_owned)
}
