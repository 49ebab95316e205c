//! Azure Linux and its former name, CBL-Mariner. One line of releases: Mariner 2.0 is `Azure Linux:2` in
//! OSV.
//!
//! Its advisories are made from OVAL that names source packages only.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// Azure Linux.
pub static DISTRO: Distro = Distro {
    id: "azurelinux",
    other_ids: &["mariner"],
    title: "Azure Linux",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "azurelinux",
    keyed_by: KeyedBy::Source,
    lifecycle: Lifecycle { product: "azure-linux", release: lifecycle_release, is_extended_for_all: false },
    release: super::major,
    osv: "Azure Linux",
    osv_release: super::number,
    feeds: &["azurelinux-oval", "osv-azurelinux"],
    supplements: &[],
};

/// `3` of `3.0`.
fn lifecycle_release(name: &str) -> Option<String> {
    super::number(name.split('.').next()?)
}
