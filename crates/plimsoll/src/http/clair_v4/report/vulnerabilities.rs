//! What is known to be wrong with an image, as Clair says it.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::advisory::Severity;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::digest::Digest;
use plimsoll_core::finding::{Finding, SeveritySource};
use schemars::JsonSchema;
use serde::Serialize;

use super::{Aboard, Distribution, Enrichments, Package, Repository, ecosystems, id};

/// What a time is that nobody states.
const NO_TIME: &str = "0001-01-01T00:00:00Z";

/// Where the flaw of a CVE is described, whatever feed told of it.
const CVE_PAGE: &str = "https://nvd.nist.gov/vuln/detail/";

/// What is known to be wrong with an image.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct VulnerabilityReport {
    /// The manifest's digest.
    pub(crate) manifest_hash: String,
    /// What is aboard.
    #[serde(flatten)]
    pub(crate) aboard: Aboard,
    /// Statements by id: one for each flaw, package that it is stated of, and fix.
    pub(crate) vulnerabilities: BTreeMap<String, Vulnerability>,
    /// What each package has, by its id: the worst first.
    pub(crate) package_vulnerabilities: BTreeMap<String, Vec<String>>,
    /// What is known of flaws beside statements, by what it is. Clients take the first.
    pub(crate) enrichments: Enrichments,
}

/// One statement.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Vulnerability {
    pub(crate) id: String,
    /// The feed.
    pub(crate) updater: String,
    /// The flaw: its CVE where it has one.
    pub(crate) name: String,
    pub(crate) description: String,
    /// When it was published; year 1 where that is not known.
    pub(crate) issued: &'static str,
    /// Links with blanks between them.
    pub(crate) links: String,
    /// What the feed says, or the vector that its severity is computed from.
    pub(crate) severity: String,
    /// `Unknown`, `Negligible`, `Low`, `Medium`, `High` or `Critical`.
    pub(crate) normalized_severity: &'static str,
    /// The package that it is stated of, which may be a source package.
    pub(crate) package: Package,
    /// The distribution that it is stated for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) distribution: Option<Distribution>,
    /// Where packages come from that it is stated for.
    pub(crate) repository: Repository,
    /// The first version with a fix; empty where there is none. As it is: Clair writes some as a query.
    pub(crate) fixed_in_version: String,
}

impl VulnerabilityReport {
    /// What an assessment says.
    pub(crate) fn of(digest: &Digest, assessment: &Assessment) -> VulnerabilityReport {
        let aboard = Aboard::of(&assessment.inventory);
        let mut vulnerabilities = BTreeMap::new();
        let mut package_vulnerabilities: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut enrichments = Enrichments::default();
        for finding in &assessment.findings.findings {
            let Some(package) = aboard.ids.get(finding.package) else { continue };
            let vulnerability = Vulnerability::of(finding, assessment, &aboard);
            let id = vulnerability.id.clone();
            let of_package = package_vulnerabilities.entry(package.clone()).or_default();
            if !of_package.contains(&id) {
                of_package.push(id.clone());
            }
            enrichments.add(&id, finding);
            vulnerabilities.entry(id).or_insert(vulnerability);
        }
        VulnerabilityReport {
            manifest_hash: digest.as_str().to_owned(),
            aboard,
            vulnerabilities,
            package_vulnerabilities,
            enrichments: enrichments.led_by_scores(),
        }
    }
}

impl VulnerabilityReport {
    /// Of an image of which nothing could be judged: without packages, because clients show packages without
    /// vulnerabilities as a clean image, and an image without packages as one that is not supported.
    pub(crate) fn unjudged(digest: &Digest, assessment: &Assessment) -> VulnerabilityReport {
        let distributions = Aboard::of(&assessment.inventory).distributions;
        VulnerabilityReport {
            manifest_hash: digest.as_str().to_owned(),
            aboard: Aboard { distributions, ..Aboard::default() },
            vulnerabilities: BTreeMap::new(),
            package_vulnerabilities: BTreeMap::new(),
            enrichments: Enrichments::default(),
        }
    }
}

impl Vulnerability {
    fn of(finding: &Finding, assessment: &Assessment, aboard: &Aboard) -> Vulnerability {
        let installed = &assessment.inventory.packages[finding.package];
        let evidence = &finding.evidence;
        let fixed = finding.fixed_in.clone().unwrap_or_default();
        let severity = vendor_severity(finding);
        let is_source = evidence.name != installed.name
            && installed.source.as_ref().is_some_and(|source| source.name == evidence.name);
        let fields = [
            "vulnerability",
            &finding.feed,
            &finding.advisory,
            &finding.id,
            &evidence.namespace,
            &evidence.name,
            &fixed,
            &severity,
            finding.status.name(),
        ];
        Vulnerability {
            id: id(&fields),
            updater: finding.feed.clone(),
            name: finding.id.clone(),
            description: match finding.description.as_str() {
                "" => finding.summary.clone(),
                description => description.to_owned(),
            },
            issued: NO_TIME,
            links: links(finding),
            severity,
            normalized_severity: severity_word(finding.severity),
            package: Package {
                name: evidence.name.clone(),
                kind: if is_source { "source" } else { "binary" },
                ..Package::default()
            },
            distribution: match installed.ecosystem.is_os {
                true => aboard.distributions.values().next().cloned(),
                false => None,
            },
            repository: ecosystems::repository(installed.ecosystem).unwrap_or_default(),
            fixed_in_version: fixed,
        }
    }
}

/// What the feed says of the severity, or the vector that it is computed from.
fn vendor_severity(finding: &Finding) -> String {
    match finding.severity_source {
        SeveritySource::Vendor => severity_word(finding.severity).to_owned(),
        SeveritySource::Cvss => finding.cvss.first().map(|cvss| cvss.vector.clone()).unwrap_or_default(),
        SeveritySource::Nobody => String::new(),
    }
}

/// Clair's word for a severity.
pub(crate) fn severity_word(severity: Option<Severity>) -> &'static str {
    match severity {
        None => "Unknown",
        Some(Severity::Negligible) => "Negligible",
        Some(Severity::Low) => "Low",
        Some(Severity::Medium) => "Medium",
        Some(Severity::High) => "High",
        Some(Severity::Critical) => "Critical",
    }
}

/// Links of the web, each once. Quay reads the CVEs of a statement out of its links, so one leads to the CVE.
fn links(finding: &Finding) -> String {
    let mut seen = BTreeSet::new();
    let mut links: Vec<String> = Vec::new();
    for link in &finding.references {
        let is_web = link.starts_with("https://") || link.starts_with("http://");
        if is_web && !link.contains(|c: char| c.is_control()) && seen.insert(link) {
            links.push(link.split_whitespace().collect::<Vec<_>>().join("%20"));
        }
    }
    if finding.id.starts_with("CVE-") && !links.iter().any(|link| link.contains(&finding.id)) {
        links.push(format!("{CVE_PAGE}{}", finding.id));
    }
    links.join(" ")
}
