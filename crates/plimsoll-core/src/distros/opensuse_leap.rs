//! openSUSE Leap. Its OVAL names binary packages; OSV names source packages and lists the binary ones of each.
//!
//! OSV has Leap and Tumbleweed under one name and tells them apart in the suffix.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// openSUSE Leap.
pub static DISTRO: Distro = Distro {
    id: "opensuse-leap",
    other_ids: &[],
    title: "openSUSE Leap",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "opensuse",
    keyed_by: KeyedBy::Binary,
    release: super::as_stated,
    osv: "openSUSE",
    osv_release,
    lifecycle: Lifecycle { product: "opensuse", release: super::dotted, is_extended_for_all: false },
    feeds: &["suse-oval", "osv-opensuse"],
    supplements: &[],
};

/// `Leap 15.5`; not `Leap Micro 5.5`, which is another product.
fn osv_release(suffix: &str) -> Option<String> {
    suffix.strip_prefix("Leap ").and_then(super::dotted)
}
