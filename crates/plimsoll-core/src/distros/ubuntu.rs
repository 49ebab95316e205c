//! Ubuntu. What only Ubuntu Pro fixes (`Ubuntu:Pro:..`) is another place than the release that everybody
//! has.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// Ubuntu.
pub static DISTRO: Distro = Distro {
    id: "ubuntu",
    advisories_of: "ubuntu",
    other_ids: &[],
    title: "Ubuntu",
    ecosystem: &ecosystems::DEB,
    purl_namespace: "ubuntu",
    keyed_by: KeyedBy::Source,
    lifecycle: Lifecycle { product: "ubuntu", release: super::dotted, is_extended_for_all: false },
    release: super::as_stated,
    osv: "Ubuntu",
    osv_release,
    feeds: &["ubuntu-osv", "osv-ubuntu"],
    supplements: &[],
};

/// Codenames and releases since 14.04, newest first (<https://wiki.ubuntu.com/Releases>).
pub static CODENAMES: &[(&str, &str)] = &[
    ("stonking", "26.10"),
    ("resolute", "26.04"),
    ("questing", "25.10"),
    ("plucky", "25.04"),
    ("oracular", "24.10"),
    ("noble", "24.04"),
    ("mantic", "23.10"),
    ("lunar", "23.04"),
    ("kinetic", "22.10"),
    ("jammy", "22.04"),
    ("impish", "21.10"),
    ("hirsute", "21.04"),
    ("groovy", "20.10"),
    ("focal", "20.04"),
    ("eoan", "19.10"),
    ("disco", "19.04"),
    ("cosmic", "18.10"),
    ("bionic", "18.04"),
    ("artful", "17.10"),
    ("zesty", "17.04"),
    ("yakkety", "16.10"),
    ("xenial", "16.04"),
    ("wily", "15.10"),
    ("vivid", "15.04"),
    ("utopic", "14.10"),
    ("trusty", "14.04"),
];

/// `22.04:LTS` or `24.10`.
fn osv_release(suffix: &str) -> Option<String> {
    super::dotted(suffix.strip_suffix(":LTS").unwrap_or(suffix))
}
