//! CentOS, Linux (to 8) and Stream (from 8), which have no advisories of their own and are judged by Red Hat's.
//!
//! CentOS Linux was rebuilt from the sources of Red Hat Enterprise Linux, with the same versions. CentOS Stream is what
//! its next minor release is made from, so that for Stream three things are inexact:
//! - a fix is in Stream under the version that the next minor release has, weeks before or after the erratum: where Red
//!   Hat fixed the build of a minor release instead (`26.el9_3.2`), Stream's fixed build (`27.el9`) may be lower than
//!   none or may not be out yet, which the version alone does not tell;
//! - a flaw that came in after the last minor release is in Stream alone, and no erratum speaks of it;
//! - what Red Hat will not fix in the release may be fixed in Stream.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// CentOS.
pub static DISTRO: Distro = Distro {
    id: "centos",
    advisories_of: "rhel",
    other_ids: &[],
    title: "CentOS",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "centos",
    keyed_by: KeyedBy::Source,
    release: super::major,
    osv: "",
    osv_release: super::no_osv,
    lifecycle: Lifecycle { product: "centos", release: super::number, is_extended_for_all: false },
    feeds: &["redhat-vex"],
    supplements: &[],
};
