//! Chainguard OS, rolling. Its `VERSION_ID` is a date that never changes and says nothing.

use super::{Distro, KeyedBy};
use crate::ecosystems;

/// Chainguard OS.
pub static DISTRO: Distro = Distro {
    id: "chainguard",
    other_ids: &[],
    title: "Chainguard",
    ecosystem: &ecosystems::APK,
    purl_namespace: "chainguard",
    keyed_by: KeyedBy::Source,
    lifecycle: super::NO_LIFECYCLE,
    release: super::rolling,
    osv: "Chainguard",
    osv_release: super::rolling_osv,
    feeds: &["chainguard-secdb", "osv-chainguard"],
    supplements: &[],
};
