//! Red Hat Enterprise Linux.
//!
//! Advisories name source packages: Red Hat speaks of components, and a component that is not fixed has no binary
//! packages. OSV repeats errata, by binary package; of those only what has its source's name is found, so that OSV alone is
//! not enough to judge.
//!
//! OSV's suffix is a CPE without its prefix, `enterprise_linux:9::appstream`. Only the main stream of a
//! major release is read: `rhel_eus:9.4` and the like are other, paid-for streams, and layered products are
//! not the distribution.

use super::{Distro, KeyedBy, Lifecycle};
use crate::ecosystems;

/// Red Hat Enterprise Linux.
pub static DISTRO: Distro = Distro {
    id: "rhel",
    advisories_of: "rhel",
    other_ids: &[],
    title: "Red Hat Enterprise Linux",
    ecosystem: &ecosystems::RPM,
    purl_namespace: "redhat",
    keyed_by: KeyedBy::Source,
    release: super::major,
    osv: "Red Hat",
    osv_release,
    lifecycle: Lifecycle { product: "rhel", release: super::number, is_extended_for_all: false },
    feeds: &["redhat-vex", "osv-redhat"],
    supplements: &["osv-redhat"],
};

fn osv_release(suffix: &str) -> Option<String> {
    let mut fields = suffix.split(':');
    if fields.next()? != "enterprise_linux" {
        return None;
    }
    // From release 10 on the CPE has a minor number too.
    super::number(fields.next()?.split('.').next()?)
}
