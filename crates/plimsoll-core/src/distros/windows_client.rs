//! Windows 10 and 11 in containers: the client-flavoured `windows` images. A release is known by its product's row.

use super::{Distro, KeyedBy, NO_LIFECYCLE};
use crate::ecosystems;

/// Windows 10 and 11.
pub static DISTRO: Distro = Distro {
    id: "windows-client",
    advisories_of: "windows-client",
    other_ids: &[],
    title: "Windows",
    ecosystem: &ecosystems::WINDOWS,
    purl_namespace: "microsoft",
    keyed_by: KeyedBy::Binary,
    lifecycle: NO_LIFECYCLE,
    release: super::windows_release,
    osv: "",
    osv_release: super::no_osv,
    feeds: &["msrc"],
    supplements: &[],
};
