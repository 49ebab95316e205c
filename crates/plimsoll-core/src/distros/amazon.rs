//! Amazon Linux. Its first edition calls itself by year and month (`2018.03`), its later ones `2`, `2023`.
//!
//! OSV does not have it.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;
use crate::inventory::OsRelease;

/// Amazon Linux.
pub static DISTRO: Distro = Distro {
    id: "amzn",
    other_ids: &[],
    title: "Amazon Linux",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "amzn",
    keyed_by: KeyedBy::Binary,
    lifecycle: Lifecycle { product: "amazon-linux", release: lifecycle_release, is_extended_for_all: false },
    release,
    osv: "",
    osv_release: super::no_osv,
    feeds: &["amazon-updateinfo", "amazon1-updateinfo"],
    supplements: &[],
};

fn release(os: &OsRelease) -> Option<String> {
    let version = os.version_id.as_deref()?;
    if version.contains('.') { Some("1".to_owned()) } else { super::number(version) }
}

/// `2018.03` was the last of the first edition's; the older ones are it too.
fn lifecycle_release(name: &str) -> Option<String> {
    if name == "2018.03" { Some("1".to_owned()) } else { super::number(name) }
}
