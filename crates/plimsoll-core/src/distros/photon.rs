//! Photon OS. Its advisories name binary packages. The OSV schema knows it, but OSV's own dump has no
//! records.

use super::{Distro, KeyedBy};
use crate::ecosystems;

/// Photon OS.
pub static DISTRO: Distro = Distro {
    id: "photon",
    advisories_of: "photon",
    other_ids: &[],
    title: "Photon OS",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "photon",
    keyed_by: KeyedBy::Binary,
    release: super::as_stated,
    osv: "Photon OS",
    osv_release: super::dotted,
    feeds: &["osv-photon"],
    supplements: &[],
};
