//! The rows: whose repositories they are, and where they lie.

use plimsoll_core::distros::{amazon, fedora};

use super::plan::{self, Release};
use super::{Covers, Feed, Index, Vendor, parse};

/// What all rows share.
const ROW: Feed = Feed {
    name: "",
    title: "",
    url: "",
    format: "updateinfo.xml of rpm repositories",
    licence: "",
    terms: "",
    cadence_hours: 24,
    max_age_days: 30,
    covers: &[],
    gives: "fixed versions, severity; by architecture",
    is_on_by_default: true,
    plan: |_, _| Ok(Vec::new()),
    parse: |_, _, _| Ok(()),
};

/// Amazon Linux 2 and 2023.
pub(in crate::feeds) static AMAZON: Feed = Feed {
    name: "amazon-updateinfo",
    title: "Amazon Linux Security Center",
    url: "https://cdn.amazonlinux.com",
    licence: "public",
    terms: "https://alas.aws.amazon.com",
    covers: &[Covers::Distro(&amazon::DISTRO)],
    gives: "fixed versions, severity; Amazon Linux 2 with all topics of its extras library, and 2023; by architecture",
    plan: |_, index| plan::parts(&amazon_releases(), index),
    parse: |reading, source, sink| parse(reading, source, sink, &ALAS),
    ..ROW
};

/// Amazon Linux 1, whose support ended in 2023. Its repositories are served by plain http, and the mirror lists of
/// one host lead to others, so there is no base URL that would do for everybody.
pub(in crate::feeds) static AMAZON1: Feed = Feed {
    name: "amazon1-updateinfo",
    title: "Amazon Linux 1 Security Center",
    licence: "public",
    terms: "https://alas.aws.amazon.com",
    covers: &[Covers::Distro(&amazon::DISTRO)],
    gives: "fixed versions, severity; Amazon Linux 1 (2018.03)",
    is_on_by_default: false,
    plan: amazon1_plan,
    parse: |reading, source, sink| parse(reading, source, sink, &ALAS),
    ..ROW
};

/// Fedora's supported releases.
pub(in crate::feeds) static FEDORA: Feed = Feed {
    name: "fedora-updateinfo",
    title: "Fedora Updates",
    url: "https://dl.fedoraproject.org/pub/fedora/linux",
    licence: "public",
    terms: "https://docs.fedoraproject.org/en-US/legal/",
    max_age_days: 14,
    covers: &[Covers::Distro(&fedora::DISTRO)],
    plan: |_, index| plan::parts(&fedora_releases(), index),
    parse: |reading, source, sink| parse(reading, source, sink, &BODHI),
    ..ROW
};

static ALAS: Vendor = Vendor { page: alas_page };
static BODHI: Vendor = Vendor { page: bodhi_page };

const X86_AND_ARM: &[&str] = &["x86_64", "aarch64"];

/// First release of Fedora that is asked for.
const FEDORA_OLDEST: u32 = 39;

/// Last release of Fedora that is asked for; the newest that exists was 43 when this was written, and two come a
/// year.
const FEDORA_NEWEST: u32 = 60;

fn amazon_releases() -> [Release; 2] {
    [
        Release {
            name: "2".to_owned(),
            architectures: X86_AND_ARM,
            path: "2/core/latest/{arch}/mirror.list".to_owned(),
            others: &["livepatch"],
            path_of_others: "2/extras/{repository}/latest/{arch}/mirror.list",
            catalogue: Some("2/extras-catalog.json"),
        },
        Release {
            name: "2023".to_owned(),
            architectures: X86_AND_ARM,
            path: "al2023/core/mirrors/latest/{arch}/mirror.list".to_owned(),
            others: &["kernel-livepatch", "nvidia"],
            path_of_others: "al2023/{repository}/mirrors/latest/{arch}/mirror.list",
            catalogue: None,
        },
    ]
}

fn amazon1_plan(_: &Feed, index: &mut dyn Index) -> Result<Vec<super::Part>, super::PlanError> {
    let release = Release {
        name: "1".to_owned(),
        architectures: &["x86_64"],
        path: "2018.03/updates/{arch}/mirror.list".to_owned(),
        others: &[],
        path_of_others: "",
        catalogue: None,
    };
    plan::parts(&[release], index)
}

fn fedora_releases() -> Vec<Release> {
    let release = |number: u32| Release {
        name: number.to_string(),
        architectures: X86_AND_ARM,
        path: format!("updates/{number}/Everything/{{arch}}"),
        others: &[],
        path_of_others: "",
        catalogue: None,
    };
    (FEDORA_OLDEST..=FEDORA_NEWEST).map(release).collect()
}

/// `ALAS2NGINX1-2023-001` of release 2 is `AL2/ALASNGINX1-2023-001.html`; release 1 has no folder.
fn alas_page(release: &str, id: &str) -> Option<String> {
    let rest = id.strip_prefix("ALAS")?;
    match rest.strip_prefix(release).filter(|_| release != "1") {
        Some(rest) => Some(format!("https://alas.aws.amazon.com/AL{release}/ALAS{rest}.html")),
        None => Some(format!("https://alas.aws.amazon.com/{id}.html")),
    }
}

fn bodhi_page(_: &str, id: &str) -> Option<String> {
    id.starts_with("FEDORA-").then(|| format!("https://bodhi.fedoraproject.org/updates/{id}"))
}
