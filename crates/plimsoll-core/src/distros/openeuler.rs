//! openEuler. A long-term release and each of its service packs is a release of its own.
//!
//! os-release tells them apart in `PRETTY_NAME` alone (`openEuler 22.03 (LTS-SP3)`); `VERSION_ID` is `22.03`
//! in all of them. Advisories name source packages (OSV schema, *Defined ecosystems*).

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;
use crate::inventory::OsRelease;

/// openEuler.
pub static DISTRO: Distro = Distro {
    id: "openeuler",
    other_ids: &[],
    title: "openEuler",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "openeuler",
    keyed_by: KeyedBy::Source,
    lifecycle: Lifecycle { product: "openeuler", release: lifecycle_release, is_extended_for_all: false },
    release,
    osv: "openEuler",
    osv_release,
    feeds: &["osv-openeuler"],
    supplements: &[],
};

fn release(os: &OsRelease) -> Option<String> {
    let version = super::dotted(os.version_id.as_deref()?)?;
    let edition = os.pretty_name.as_deref().and_then(|name| name.split_once('(')?.1.split_once(')'));
    match edition {
        Some((edition, _)) if edition.starts_with("LTS") => Some(format!("{version}-{edition}")),
        _ => Some(version),
    }
}

/// `22.03-LTS-SP3`.
fn osv_release(suffix: &str) -> Option<String> {
    let version = suffix.split_once('-').map_or(suffix, |(version, _)| version);
    super::dotted(version).map(|_| suffix.to_owned())
}

/// `22.03-LTS-SP3` of `22.03-lts-sp3`.
fn lifecycle_release(name: &str) -> Option<String> {
    osv_release(&name.to_ascii_uppercase())
}
