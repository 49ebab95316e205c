//! MinimOS, rolling. Its `VERSION_ID` is a date that never changes and says nothing.

use super::{Distro, KeyedBy};
use crate::ecosystems;

/// MinimOS.
pub static DISTRO: Distro = Distro {
    id: "minimos",
    other_ids: &[],
    title: "MinimOS",
    ecosystem: &ecosystems::APK,
    purl_namespace: "minimos",
    keyed_by: KeyedBy::Source,
    lifecycle: super::NO_LIFECYCLE,
    release: super::rolling,
    osv: "MinimOS",
    osv_release: super::rolling_osv,
    feeds: &["minimos-secdb", "osv-minimos"],
    supplements: &[],
};
