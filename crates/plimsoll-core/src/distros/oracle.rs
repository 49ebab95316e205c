//! Oracle Linux. OSV does not have it; its OVAL names binary packages.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// Oracle Linux.
pub static DISTRO: Distro = Distro {
    id: "ol",
    other_ids: &[],
    title: "Oracle Linux",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "oracle",
    keyed_by: KeyedBy::Binary,
    lifecycle: Lifecycle { product: "oracle-linux", release: super::number, is_extended_for_all: false },
    release: super::major,
    osv: "",
    osv_release: super::no_osv,
    feeds: &["oracle-oval"],
    supplements: &[],
};
