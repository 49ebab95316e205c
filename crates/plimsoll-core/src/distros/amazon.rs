//! Amazon Linux. Its first edition calls itself by year and month (`2018.03`), its later ones `2`, `2023`.
//!
//! OSV does not have it.

use super::{Distro, KeyedBy};
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
