//! Fedora. OSV does not have it.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// Fedora.
pub static DISTRO: Distro = Distro {
    id: "fedora",
    other_ids: &[],
    title: "Fedora",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "fedora",
    keyed_by: KeyedBy::Binary,
    lifecycle: Lifecycle { product: "fedora", release: super::number, is_extended_for_all: false },
    release: super::major,
    osv: "",
    osv_release: super::no_osv,
    feeds: &["fedora-updateinfo"],
    supplements: &[],
};
