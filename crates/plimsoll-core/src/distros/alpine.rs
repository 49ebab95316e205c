//! Alpine Linux. Advisories stand per branch, `3.20`, and name the source package (*origin*).
//!
//! The development branch has snapshots like `3.21.0_alpha20240923` for a `VERSION_ID`.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;
use crate::inventory::OsRelease;

/// Alpine Linux.
pub static DISTRO: Distro = Distro {
    id: "alpine",
    other_ids: &[],
    title: "Alpine Linux",
    ecosystem: &ecosystems::APK,
    purl_namespace: "alpine",
    keyed_by: KeyedBy::Source,
    lifecycle: Lifecycle { product: "alpine-linux", release: branch, is_extended_for_all: false },
    release,
    osv: "Alpine",
    osv_release,
    feeds: &["alpine-secdb", "alpine-rejections", "osv-alpine"],
    supplements: &["alpine-rejections"],
};

fn release(os: &OsRelease) -> Option<String> {
    let version = os.version_id.as_deref()?;
    if version.contains("_alpha") {
        return Some("edge".to_owned());
    }
    branch(version)
}

fn osv_release(suffix: &str) -> Option<String> {
    suffix.strip_prefix('v').and_then(branch)
}

/// The first two numbers of a version.
fn branch(version: &str) -> Option<String> {
    let mut parts = version.split('.');
    let (major, minor) = (super::number(parts.next()?)?, super::number(parts.next()?)?);
    Some(format!("{major}.{minor}"))
}
