//! SUSE Linux Enterprise Server. Its OVAL names binary packages; OSV names source packages and lists the binary
//! ones of each.
//!
//! OSV's suffix is the name of a product. The packages of one server release are spread over several: the
//! server itself, its long-term support (`-LTSS`, `LTSS Extended Security`) and the modules. All of them speak
//! of the same service pack.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// SUSE Linux Enterprise Server.
pub static DISTRO: Distro = Distro {
    id: "sles",
    other_ids: &[],
    title: "SUSE Linux Enterprise Server",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "suse",
    keyed_by: KeyedBy::Binary,
    release: super::as_stated,
    osv: "SUSE",
    osv_release,
    lifecycle: Lifecycle { product: "sles", release: super::dotted, is_extended_for_all: false },
    feeds: &["suse-oval", "osv-suse"],
    supplements: &[],
};

fn osv_release(suffix: &str) -> Option<String> {
    let product = suffix.strip_prefix("Linux Enterprise ")?;
    let (product, pack) = match product.rsplit_once(" SP") {
        Some((product, pack)) => (product, Some(pack.split('-').next()?)),
        None => (product, None),
    };
    // From behind, for there is a `Module for Python 3`.
    let (name, release) = product.rsplit_once(' ')?;
    let is_server = matches!(name, "Server" | "Server LTSS Extended Security");
    if !is_server && !name.starts_with("Module for ") {
        return None;
    }
    match pack {
        Some(pack) => Some(format!("{}.{}", super::number(release)?, super::number(pack)?)),
        None => super::dotted(release.split('-').next()?),
    }
}
