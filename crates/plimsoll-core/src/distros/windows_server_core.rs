//! Windows Server without the desktop: `servercore`, and `nanoserver`, which MSRC has no products for and which is serviced
//! like it. A release is known by its product's row.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// Windows Server Core, Nano Server among it.
pub static DISTRO: Distro = Distro {
    id: "windows-server-core",
    advisories_of: "windows-server-core",
    other_ids: &[],
    title: "Windows Server Core",
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
