//! Photon OS. Its advisories name binary packages. The OSV schema knows it, but OSV's own dump has no
//! records.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// Photon OS.
pub static DISTRO: Distro = Distro {
    id: "photon",
    other_ids: &[],
    title: "Photon OS",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "photon",
    keyed_by: KeyedBy::Binary,
    lifecycle: Lifecycle { product: "photon", release: super::dotted, is_extended_for_all: false },
    release: super::as_stated,
    osv: "Photon OS",
    osv_release: super::dotted,
    feeds: &["photon-cve", "osv-photon"],
    supplements: &[],
};
