//! AlmaLinux, a rebuild of Red Hat Enterprise Linux with advisories of its own.
//!
//! Its OSV records name binary packages, although the OSV schema speaks of source packages.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// AlmaLinux.
pub static DISTRO: Distro = Distro {
    id: "almalinux",
    other_ids: &[],
    title: "AlmaLinux",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "almalinux",
    keyed_by: KeyedBy::Binary,
    lifecycle: Lifecycle { product: "almalinux", release: super::number, is_extended_for_all: false },
    release: super::major,
    osv: "AlmaLinux",
    osv_release: super::number,
    feeds: &["osv-almalinux"],
    supplements: &[],
};
