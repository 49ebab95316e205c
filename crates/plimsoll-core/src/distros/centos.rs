//! CentOS, Linux and Stream. Stream runs ahead of Red Hat's releases, so Red Hat's advisories are not its
//! own.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// CentOS.
pub static DISTRO: Distro = Distro {
    id: "centos",
    other_ids: &[],
    title: "CentOS",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "centos",
    keyed_by: KeyedBy::Binary,
    lifecycle: Lifecycle { product: "centos", release: super::number, is_extended_for_all: false },
    release: super::major,
    osv: "",
    osv_release: super::no_osv,
    feeds: &[],
    supplements: &[],
};
