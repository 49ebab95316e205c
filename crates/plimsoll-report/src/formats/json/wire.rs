//! The shapes of `plimsoll/report/1`, borrowed from an assessment.
//!
//! `docs/schema/report-1.json` is generated from these types, comments included. Within version 1 fields are
//! only added; every field is always there, `null` where there is nothing to say.

use std::borrow::Cow;

pub mod windows;

use plimsoll_core::advisory::Severity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

/// What `schema` says in a report of this version.
pub const SCHEMA: &str = "plimsoll/report/1";

/// A report of Plimsoll: one image, or the platforms of one index.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "Plimsoll report")]
pub enum Document<'a> {
    /// One image.
    One(Box<Report<'a>>),
    /// None or several.
    Several(Reports<'a>),
}

/// Several images: the platforms of one index.
#[derive(Serialize, JsonSchema)]
pub struct Reports<'a> {
    /// Name and version of this format.
    pub schema: SchemaName,
    /// One report each.
    pub reports: Vec<Report<'a>>,
}

/// One image: what is aboard, what is known to be wrong with it, and whether it may sail.
#[derive(Serialize, JsonSchema)]
pub struct Report<'a> {
    /// Name and version of this format.
    pub schema: SchemaName,
    /// The image.
    pub image: Image<'a>,
    /// The distribution; `null` where the image does not say.
    pub distro: Option<Distro<'a>>,
    /// The operating system of a Windows image, and how far it is updated; `null` for any other.
    pub windows: Option<windows::Windows<'a>>,
    /// Everything installed, sorted by ecosystem, name, version, evidence path.
    pub packages: Vec<Package<'a>>,
    /// What is known to be wrong, worst first.
    pub findings: Vec<Finding<'a>>,
    /// Which feeds the image needs, and whether each is there.
    pub coverage: Vec<Coverage<'a>>,
    /// What could not be read, parsed, compared or known. A report with gaps is not clean.
    pub gaps: Vec<Gap<'a>>,
    /// The advisory database that was asked; `null` where there was none.
    pub database: Option<Database<'a>>,
    /// The answer.
    pub verdict: Verdict<'a>,
    /// Everything counted.
    pub summary: Summary,
}

/// An image.
#[derive(Serialize, JsonSchema)]
pub struct Image<'a> {
    /// The reference as it was given.
    pub reference: &'a str,
    /// Digest of the manifest; `null` for a root filesystem.
    pub digest: Option<&'a str>,
    /// Digest of the config.
    pub config_digest: Option<&'a str>,
    /// What it runs on.
    pub platform: Platform<'a>,
    /// The layers, lowest first.
    pub layers: Vec<Layer<'a>>,
}

/// Operating system and processor.
#[derive(Serialize, JsonSchema)]
pub struct Platform<'a> {
    /// `linux`, `windows`.
    pub os: &'a str,
    /// Go's name of the processor: `amd64`, `arm64`.
    pub architecture: &'a str,
    /// Variant of the processor, such as `v7`.
    pub variant: Option<&'a str>,
    /// Version of the operating system, for Windows.
    pub os_version: Option<&'a str>,
}

/// One layer.
#[derive(Serialize, JsonSchema)]
pub struct Layer<'a> {
    /// Digest of the blob as it is stored.
    pub digest: &'a str,
    /// Digest of the uncompressed tar.
    pub diff_id: Option<&'a str>,
    /// Size of the blob in bytes.
    pub size: u64,
    /// The build command that made it.
    pub created_by: Option<&'a str>,
}

/// A distribution release.
#[derive(Serialize, JsonSchema)]
pub struct Distro<'a> {
    /// Its id: `alpine`. As os-release says where Plimsoll does not know it.
    pub id: &'a str,
    /// The release as its advisories name it, else `VERSION_ID` of os-release.
    pub release: Option<&'a str>,
    /// Its name for people; `null` for a distribution that Plimsoll does not know.
    pub title: Option<&'static str>,
    /// Where its advisories are found, `alpine:3.20`; `null` for a distribution that Plimsoll does not know.
    pub namespace: Option<String>,
    /// `PRETTY_NAME` of os-release.
    pub pretty_name: Option<&'a str>,
}

/// An installed package.
#[derive(Serialize, JsonSchema)]
pub struct Package<'a> {
    /// Name as the package spells it.
    pub name: &'a str,
    /// Version as the package spells it; empty where nothing states one.
    pub version: &'a str,
    /// Kind of package, a purl type.
    pub ecosystem: &'static str,
    /// Package URL.
    pub purl: &'a str,
    /// The source package.
    pub source: Option<Source<'a>>,
    /// Architecture as the package states it.
    pub architecture: Option<&'a str>,
    /// Module and stream of a modular rpm; empty where it was asked and there is none.
    pub module: Option<&'a str>,
    /// Licences as stated.
    pub licenses: &'a [String],
    /// The file that says that the package is installed.
    pub evidence_path: &'a str,
    /// Digest of the layer that brought it in.
    pub layer: Option<&'a str>,
    /// The operating-system package that owns the evidence.
    pub owned_by: Option<&'a str>,
}

/// A source package.
#[derive(Serialize, JsonSchema)]
pub struct Source<'a> {
    /// Name.
    pub name: &'a str,
    /// Version.
    pub version: &'a str,
}

/// One flaw in one package.
#[derive(Serialize, JsonSchema)]
pub struct Finding<'a> {
    /// The flaw: its CVE where it has one, else the advisory's id.
    pub id: &'a str,
    /// Its other names.
    pub aliases: &'a [String],
    /// The package.
    pub package: FindingPackage<'a>,
    /// How bad it is; `null` where nobody says.
    #[schemars(schema_with = "severities")]
    pub severity: Option<&'static str>,
    /// Who says so.
    #[schemars(extend("enum" = ["vendor", "cvss", "nobody"]))]
    pub severity_source: &'static str,
    /// CVSS vectors, highest score first.
    pub cvss: Vec<Cvss<'a>>,
    /// The smallest version that has the fix; `null` where none is known.
    pub fixed_in: Option<&'a str>,
    /// The vendor's name of the update that brings it: `KB5039227`; `null` where updates have none.
    pub update: Option<&'a str>,
    /// Whether the vendor states an earlier update with the fix too, which the image has.
    pub is_fix_ambiguous: bool,
    /// What the vendor says about a fix where there is none.
    #[schemars(extend("enum" = ["unstated", "none", "deferred", "will-not-fix", "end-of-life"]))]
    pub fix_state: &'static str,
    /// What the package is to the flaw, in the words of OpenVEX.
    #[schemars(extend("enum" = ["affected", "not_affected", "fixed", "under_investigation"]))]
    pub status: &'static str,
    /// The feed that decided.
    pub feed: &'a str,
    /// Id of the advisory that decided.
    pub advisory: &'a str,
    /// One line for people.
    pub summary: &'a str,
    /// Links.
    pub references: &'a [String],
    /// Whether the vendor says that the flaw is exploited.
    pub is_exploited: bool,
    /// Where it does harm: in the image, in the kernel and drivers of a Windows host, or in a role of Windows that is not
    /// installed.
    #[schemars(extend("enum" = ["image", "host-kernel", "role-not-installed"]))]
    pub scope: &'static str,
    /// CISA's entry where the flaw is known to be exploited.
    pub kev: Option<Kev<'a>>,
    /// FIRST's estimate that it will be exploited.
    pub epss: Option<Epss>,
    /// The layer that brought the package in.
    pub layer: Option<FindingLayer<'a>>,
    /// The file that says that the package is installed.
    pub evidence_path: &'a str,
    /// Why it matched.
    pub evidence: Evidence<'a>,
}

/// The package of a finding, one of `packages`.
#[derive(Serialize, JsonSchema)]
pub struct FindingPackage<'a> {
    /// Name.
    pub name: &'a str,
    /// Installed version.
    pub version: &'a str,
    /// Package URL.
    pub purl: &'a str,
    /// The source package.
    pub source: Option<Source<'a>>,
}

/// A CVSS vector.
#[derive(Serialize, JsonSchema)]
pub struct Cvss<'a> {
    /// Who scored it.
    pub source: &'a str,
    /// Version of CVSS: `2.0`, `3.0`, `3.1`, `4.0`.
    pub version: &'static str,
    /// The vector as stated.
    pub vector: &'a str,
    /// Base score, 0 to 10.
    pub score: f64,
}

/// An entry of CISA's catalogue of known exploited vulnerabilities.
#[derive(Serialize, JsonSchema)]
pub struct Kev<'a> {
    /// `YYYY-MM-DD`.
    pub date_added: &'a str,
    /// `YYYY-MM-DD`.
    pub due_date: &'a str,
    /// Whether ransomware is known to use it.
    pub is_used_by_ransomware: bool,
}

/// A score of the Exploit Prediction Scoring System.
#[derive(Serialize, JsonSchema)]
pub struct Epss {
    /// Probability of exploitation within 30 days, 0 to 1.
    pub score: f64,
    /// Share of CVEs that score at most as high, 0 to 1.
    pub percentile: f64,
}

/// The layer of a finding.
#[derive(Serialize, JsonSchema)]
pub struct FindingLayer<'a> {
    /// Its digest.
    pub digest: &'a str,
    /// The build command that made it.
    pub created_by: Option<&'a str>,
}

/// What was compared with what.
#[derive(Serialize, JsonSchema)]
pub struct Evidence<'a> {
    /// Namespace of the advisory.
    pub namespace: &'a str,
    /// The name that was looked up.
    pub name: &'a str,
    /// The version that was compared.
    pub version: &'a str,
    /// How versions were ordered.
    pub scheme: &'static str,
    /// The range that the version lies in.
    pub range: &'a str,
}

/// One need of the image from the advisory database.
#[derive(Serialize, JsonSchema)]
pub struct Coverage<'a> {
    /// The namespace that is needed, or a feed that says more of flaws (`epss`, `kev`), on which no package stands.
    pub needs: &'a str,
    /// The feed that serves it, or that should.
    pub feed: &'a str,
    /// Whether it does.
    #[schemars(extend("enum" = ["loaded", "stale", "missing", "off", "unsupported"]))]
    pub state: &'static str,
    /// Date that the feed's data states, else when it was fetched.
    pub data_date: Option<&'a str>,
    /// Since when every attempt to fetch the feed has failed.
    pub failing_since: Option<&'a str>,
    /// How many packages stand on it.
    pub packages: usize,
}

/// Something that is not known.
#[derive(Serialize, JsonSchema)]
pub struct Gap<'a> {
    /// What sort of thing, kebab-case.
    pub kind: &'static str,
    /// What it is about.
    pub subject: &'a str,
    /// What happened and what to do.
    pub detail: &'a str,
}

/// An advisory database.
#[derive(Serialize, JsonSchema)]
pub struct Database<'a> {
    /// Digest of its content.
    pub id: &'a str,
    /// Time at which it was built.
    pub built_at: &'a str,
}

/// The answer.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Verdict<'a> {
    /// Nothing was demanded of the findings, and no part of the image is unjudged.
    NothingDemanded,
    /// Nothing stands against the image, and nothing that was asked is unknown but what was accepted.
    Cleared {
        /// Gaps that could hide something, and that whoever asked accepts.
        accepted_gaps: Vec<Gap<'a>>,
    },
    /// It may not sail.
    Refused {
        /// Why.
        reasons: Vec<Reason<'a>>,
    },
    /// Nothing refused it, but something could be hidden.
    Undecided {
        /// What is not known.
        gaps: Vec<Gap<'a>>,
    },
}

/// One reason for a refusal.
#[derive(Serialize, JsonSchema)]
pub struct Reason<'a> {
    /// Name of the rule.
    pub rule: &'static str,
    /// What was found.
    pub detail: &'a str,
}

/// Everything counted.
#[derive(Serialize, JsonSchema)]
pub struct Summary {
    /// Installed packages.
    pub packages: usize,
    /// Gaps.
    pub gaps: usize,
    /// Findings of every severity.
    pub findings: Count,
    /// Critical findings.
    pub critical: Count,
    /// High findings.
    pub high: Count,
    /// Medium findings.
    pub medium: Count,
    /// Low findings.
    pub low: Count,
    /// Negligible findings.
    pub negligible: Count,
    /// Findings whose severity nobody states.
    pub unknown: Count,
    /// Findings that CISA knows to be exploited.
    pub kev: usize,
}

/// How many findings.
#[derive(Serialize, JsonSchema)]
pub struct Count {
    /// All.
    pub total: usize,
    /// Those with a version that has the fix.
    pub fixable: usize,
}

/// The constant [`SCHEMA`].
pub struct SchemaName;

impl Serialize for SchemaName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(SCHEMA)
    }
}

impl JsonSchema for SchemaName {
    fn schema_name() -> Cow<'static, str> {
        "SchemaName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "const": SCHEMA })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// The words for severities, and `null`.
fn severities(_: &mut SchemaGenerator) -> Schema {
    let mut words: Vec<Option<&str>> =
        Severity::ALL.iter().rev().map(|severity| Some(severity.name())).collect();
    words.push(None);
    json_schema!({ "type": ["string", "null"], "enum": words })
}
