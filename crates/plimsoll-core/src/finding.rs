//! A package and a flaw that it has, with the evidence.

use crate::advisory::{Cvss, Epss, FixState, Kev, Severity, Status};
use crate::coverage::Coverage;
use crate::gap::Gap;
use crate::windows::components::Scope;

/// What matching an inventory gives.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// The findings, sorted by severity (highest first), id, package.
    pub findings: Vec<Finding>,
    /// What the image needed from the database, sorted.
    pub coverage: Vec<Coverage>,
    /// What could not be matched, sorted. The inventory's own gaps are not repeated here.
    pub gaps: Vec<Gap>,
}

/// One flaw in one package.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The flaw: its CVE where it has one, else the advisory's id.
    pub id: String,
    /// All other names of the flaw, sorted.
    pub aliases: Vec<String>,
    /// Index of the package in the inventory.
    pub package: usize,
    /// Id of the advisory that decided.
    pub advisory: String,
    /// Name of the feed that it came from.
    pub feed: String,
    /// How bad it is; `None` where neither the vendor nor a CVSS vector says.
    pub severity: Option<Severity>,
    /// Who says so.
    pub severity_source: SeveritySource,
    /// CVSS vectors: those of its advisories, then those of who scores flaws whatever has them; the highest score
    /// first in each.
    pub cvss: Vec<Cvss>,
    /// The smallest version that has the fix for the installed one.
    pub fixed_in: Option<String>,
    /// The vendor's name of the update that brings it: `KB5039227`.
    pub update: Option<String>,
    /// Whether the vendor states an earlier update with the fix too, which the installed version has: it may have issued
    /// the same again, or may have found that the first did not do.
    pub is_fix_ambiguous: bool,
    /// What the vendor says about a fix where there is none.
    pub fix: FixState,
    /// Affected, or under investigation.
    pub status: Status,
    /// One line for people.
    pub summary: String,
    /// The long text.
    pub description: String,
    /// Links.
    pub references: Vec<String>,
    /// Whether the vendor says that the flaw is exploited.
    pub is_exploited: bool,
    /// Where it does harm.
    pub scope: Scope,
    /// CISA's entry.
    pub kev: Option<Kev>,
    /// EPSS.
    pub epss: Option<Epss>,
    /// Why it matched.
    pub evidence: Evidence,
}

/// Where a finding's severity comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeveritySource {
    /// The feed's own word.
    Vendor,
    /// The rating of the highest CVSS base score: of its advisories, else of who scores flaws whatever has them.
    /// Version 2 counts only where there is no other.
    Cvss,
    /// Nobody says.
    Nobody,
}

impl SeveritySource {
    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            SeveritySource::Vendor => "vendor",
            SeveritySource::Cvss => "cvss",
            SeveritySource::Nobody => "nobody",
        }
    }
}

/// Why a finding matched: what was compared with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Namespace of the advisory.
    pub namespace: String,
    /// The name that was looked up: the source package's, for a distribution that is keyed by it.
    pub name: String,
    /// The version that was compared.
    pub version: String,
    /// Name of the scheme.
    pub scheme: &'static str,
    /// The range that it lies in, for people: `>= 1.0, < 1.2`.
    pub range: String,
}
