//! Azure Linux and its former name, CBL-Mariner. One line of releases: Mariner 2.0 is `Azure Linux:2` in
//! OSV.
//!
//! Its advisories are made from OVAL that names source packages only.

use super::{Distro, KeyedBy};
use crate::ecosystems;

/// Azure Linux.
pub static DISTRO: Distro = Distro {
    id: "azurelinux",
    other_ids: &["mariner"],
    title: "Azure Linux",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "azurelinux",
    keyed_by: KeyedBy::Source,
    release: super::major,
    osv: "Azure Linux",
    osv_release: super::number,
    feeds: &["azurelinux-oval", "osv-azurelinux"],
    supplements: &[],
};
