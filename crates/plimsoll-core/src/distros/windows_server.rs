//! Windows Server with the desktop: the `server` images. A release is known by its product's row.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// Windows Server with the desktop.
pub static DISTRO: Distro = Distro {
    id: "windows-server",
    advisories_of: "windows-server",
    other_ids: &[],
    title: "Windows Server",
    ecosystem: &ecosystems::WINDOWS,
    purl_namespace: "microsoft",
    keyed_by: KeyedBy::Binary,
    lifecycle: Lifecycle {
        product: "windows-server",
        release: super::windows_server_lifecycle,
        is_extended_for_all: false,
    },
    release: super::windows_release,
    osv: "",
    osv_release: super::no_osv,
    feeds: &["msrc"],
    supplements: &[],
};
