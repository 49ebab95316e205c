//! Records as they are written: <https://github.com/quay/claircore/blob/main/vulnerability.go>. What Clair adds in
//! later versions is passed over.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

/// One line.
#[derive(Debug, Deserialize)]
pub(super) struct Record<'a> {
    #[serde(rename = "Updater", borrow)]
    pub(super) updater: Cow<'a, str>,
    #[serde(rename = "Date", borrow)]
    pub(super) date: Cow<'a, str>,
    #[serde(rename = "Vuln", borrow)]
    pub(super) vulnerability: Option<Vulnerability<'a>>,
    #[serde(rename = "Enrichment", borrow)]
    pub(super) enrichment: Option<Enrichment<'a>>,
}

/// What flaw one package of one distribution or repository has.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Vulnerability<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) description: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) issued: Cow<'a, str>,
    /// Separated by blanks.
    #[serde(borrow)]
    pub(super) links: Cow<'a, str>,
    /// The source's own word, or a CVSS vector.
    #[serde(borrow)]
    pub(super) severity: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) normalized_severity: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) package: Option<Package<'a>>,
    #[serde(borrow, alias = "dist")]
    pub(super) distribution: Option<Distribution<'a>>,
    #[serde(borrow, alias = "repo")]
    pub(super) repository: Option<Repository<'a>>,
    #[serde(borrow)]
    pub(super) fixed_in_version: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) arch_op: Cow<'a, str>,
    /// Whether the package is said *not* to be affected.
    #[serde(rename = "Invert")]
    pub(super) is_denial: bool,
}

/// The package that it is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Package<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    /// `source` or `binary`.
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) module: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) arch: Cow<'a, str>,
}

/// A release, in the words of os-release.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Distribution<'a> {
    #[serde(borrow)]
    pub(super) did: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) version: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) version_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) version_code_name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) pretty_name: Cow<'a, str>,
}

/// Where the package comes from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Repository<'a> {
    /// A CPE for Red Hat.
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) key: Cow<'a, str>,
}

/// What is known of flaws beside their packages.
#[derive(Debug, Deserialize)]
pub(super) struct Enrichment<'a> {
    #[serde(rename = "Tags", borrow)]
    pub(super) tags: Vec<Cow<'a, str>>,
    #[serde(rename = "Enrichment")]
    pub(super) value: Value,
}
