//! Red Hat Enterprise Linux.
//!
//! OSV's suffix is a CPE without its prefix, `enterprise_linux:9::appstream`. Only the main stream of a
//! major release is read: `rhel_eus:9.4` and the like are other, paid-for streams, and layered products are
//! not the distribution.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// Red Hat Enterprise Linux.
pub static DISTRO: Distro = Distro {
    id: "rhel",
    other_ids: &[],
    title: "Red Hat Enterprise Linux",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "redhat",
    keyed_by: KeyedBy::Binary,
    lifecycle: Lifecycle { product: "rhel", release: super::number, is_extended_for_all: false },
    release: super::major,
    osv: "Red Hat",
    osv_release,
    feeds: &["osv-redhat"],
    supplements: &[],
};

fn osv_release(suffix: &str) -> Option<String> {
    let mut fields = suffix.split(':');
    if fields.next()? != "enterprise_linux" {
        return None;
    }
    // From release 10 on the CPE has a minor number too.
    super::number(fields.next()?.split('.').next()?)
}
