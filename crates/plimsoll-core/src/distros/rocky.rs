//! Rocky Linux, a rebuild of Red Hat Enterprise Linux with advisories of its own.
//!
//! Its OSV records name source packages, with an epoch that a binary rpm does not state for its source.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// Rocky Linux.
pub static DISTRO: Distro = Distro {
    id: "rocky",
    other_ids: &[],
    title: "Rocky Linux",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "rocky-linux",
    keyed_by: KeyedBy::Source,
    lifecycle: Lifecycle { product: "rocky-linux", release: super::number, is_extended_for_all: false },
    release: super::major,
    osv: "Rocky Linux",
    osv_release: super::number,
    feeds: &["osv-rocky"],
    supplements: &[],
};
