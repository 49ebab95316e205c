//! AlmaLinux, a rebuild of Red Hat Enterprise Linux with advisories of its own.
//!
//! Its OSV records name binary packages, although the OSV schema speaks of source packages.

use super::{Distro, KeyedBy};
use crate::ecosystems;

/// AlmaLinux.
pub static DISTRO: Distro = Distro {
    id: "almalinux",
    advisories_of: "almalinux",
    other_ids: &[],
    title: "AlmaLinux",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "almalinux",
    keyed_by: KeyedBy::Binary,
    release: super::major,
    osv: "AlmaLinux",
    osv_release: super::number,
    feeds: &["osv-almalinux"],
    supplements: &[],
};
