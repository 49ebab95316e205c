//! Wolfi, rolling. Its `VERSION_ID` is a date that never changes and says nothing.

use super::{Distro, KeyedBy};
use crate::ecosystems;

/// Wolfi.
pub static DISTRO: Distro = Distro {
    id: "wolfi",
    other_ids: &[],
    title: "Wolfi",
    ecosystem: &ecosystems::APK,
    purl_namespace: "wolfi",
    keyed_by: KeyedBy::Source,
    lifecycle: super::NO_LIFECYCLE,
    release: super::rolling,
    osv: "Wolfi",
    osv_release: super::rolling_osv,
    feeds: &["wolfi-secdb", "osv-wolfi"],
    supplements: &[],
};
