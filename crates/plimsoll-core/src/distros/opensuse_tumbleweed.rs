//! openSUSE Tumbleweed, rolling: its `VERSION_ID` is the date of a snapshot. See the row of Leap.

use super::{Distro, KeyedBy};
use crate::ecosystems;

/// openSUSE Tumbleweed.
pub static DISTRO: Distro = Distro {
    id: "opensuse-tumbleweed",
    other_ids: &[],
    title: "openSUSE Tumbleweed",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "opensuse",
    keyed_by: KeyedBy::Binary,
    release: super::rolling,
    osv: "openSUSE",
    osv_release,
    lifecycle: super::NO_LIFECYCLE,
    feeds: &["suse-oval", "osv-opensuse"],
    supplements: &[],
};

fn osv_release(suffix: &str) -> Option<String> {
    (suffix == "Tumbleweed").then(String::new)
}
