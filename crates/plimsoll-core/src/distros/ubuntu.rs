//! Ubuntu. What only Ubuntu Pro fixes (`Ubuntu:Pro:..`) is another place than the release that everybody
//! has.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// Ubuntu.
pub static DISTRO: Distro = Distro {
    id: "ubuntu",
    other_ids: &[],
    title: "Ubuntu",
    ecosystem: &ecosystems::DEB,
    purl_namespace: "ubuntu",
    keyed_by: KeyedBy::Source,
    lifecycle: Lifecycle { product: "ubuntu", release: super::dotted, is_extended_for_all: false },
    release: super::as_stated,
    osv: "Ubuntu",
    osv_release,
    feeds: &["osv-ubuntu"],
    supplements: &[],
};

/// `22.04:LTS` or `24.10`.
fn osv_release(suffix: &str) -> Option<String> {
    super::dotted(suffix.strip_suffix(":LTS").unwrap_or(suffix))
}
