//! From Clair's report to Quay's: what Quay itself makes of a vulnerability report, rule by rule.
//!
//! What surprises: what is known of a package's name and version is told once in the whole report, of whichever package
//! comes first, in the order of Clair's document. A score of 10 is critical here; in Quay it is unknown.

use std::collections::{BTreeSet, HashSet};

use plimsoll_core::advisory::Severity;
use schemars::JsonSchema;
use serde::Serialize;

use crate::http::clair_v4::report::{self, Package, VulnerabilityReport, severity_word};

/// Quay's name for Clair's fourth version.
const INDEXED_BY_VERSION: u8 = 4;

/// What is known of an image.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Data {
    /// The image, which Quay once showed layer by layer.
    #[serde(rename = "Layer")]
    layer: Layer,
}

/// The image.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Layer {
    /// The manifest's digest.
    name: String,
    parent_name: &'static str,
    namespace_name: &'static str,
    indexed_by_version: u8,
    /// The packages.
    features: Vec<Feature>,
}

/// A package.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Feature {
    name: String,
    version_format: &'static str,
    namespace_name: &'static str,
    /// The layer that brought it in.
    added_by: String,
    version: String,
    /// Scores of what it has.
    base_scores: Vec<f64>,
    /// CVEs of what it has, sorted.
    #[serde(rename = "CVEIds")]
    cve_ids: Vec<String>,
    vulnerabilities: Vec<Vulnerability>,
}

/// What a package has.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Vulnerability {
    severity: &'static str,
    /// The feed.
    namespace_name: String,
    /// Links with blanks between them.
    link: String,
    /// The first version with a fix; empty where there is none.
    fixed_by: String,
    description: String,
    name: String,
    metadata: Metadata,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    updated_by: String,
    repo_name: Option<String>,
    repo_link: Option<String>,
    distro_name: String,
    distro_version: String,
    #[serde(rename = "NVD")]
    nvd: Nvd,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Nvd {
    #[serde(rename = "CVSSv3")]
    cvss: CvssV3,
}

/// The highest score; both are empty texts where there is none.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
struct CvssV3 {
    vectors: String,
    score: Score,
}

/// A score, or an empty text.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum Score {
    Known(f64),
    Unknown(&'static str),
}

impl Data {
    /// What Quay makes of a report.
    pub(super) fn of(report: &VulnerabilityReport) -> Data {
        let mut told = HashSet::new();
        let mut features: Vec<Feature> = report
            .aboard
            .packages
            .iter()
            .map(|(id, package)| Feature::of(id, package, report, &mut told))
            .collect();
        features.sort_by(|a, b| (&a.name, &a.version, &a.added_by).cmp(&(&b.name, &b.version, &b.added_by)));
        Data {
            layer: Layer {
                name: report.manifest_hash.clone(),
                parent_name: "",
                namespace_name: "",
                indexed_by_version: INDEXED_BY_VERSION,
                features,
            },
        }
    }
}

impl Feature {
    fn of(id: &str, package: &Package, report: &VulnerabilityReport, told: &mut HashSet<String>) -> Feature {
        let mut vulnerabilities = Vec::new();
        for of_package in report.package_vulnerabilities.get(id).into_iter().flatten() {
            let Some(vulnerability) = report.vulnerabilities.get(of_package) else { continue };
            if told.insert(format!("{}_{}_{}", package.name, package.version, vulnerability.name)) {
                vulnerabilities.push(Vulnerability::of(vulnerability, report));
            }
        }
        let cve_ids: BTreeSet<String> =
            vulnerabilities.iter().flat_map(|vulnerability| cves(&vulnerability.link)).collect();
        let scores =
            vulnerabilities.iter().filter_map(|vulnerability| match vulnerability.metadata.nvd.cvss.score {
                Score::Known(score) => Some(score),
                Score::Unknown(_) => None,
            });
        let environment = report.aboard.environments.get(id).and_then(|environments| environments.first());
        Feature {
            name: package.name.clone(),
            version_format: "",
            namespace_name: "",
            added_by: environment.map(|place| place.introduced_in.clone()).unwrap_or_default(),
            version: package.version.clone(),
            base_scores: scores.collect(),
            cve_ids: cve_ids.into_iter().collect(),
            vulnerabilities,
        }
    }
}

impl Vulnerability {
    fn of(vulnerability: &report::Vulnerability, report: &VulnerabilityReport) -> Vulnerability {
        let scores = report.enrichments.scores.get(&vulnerability.id);
        let highest = scores.into_iter().flatten().max_by(|a, b| a.base_score.total_cmp(&b.base_score));
        let severity = match vulnerability.normalized_severity {
            "Unknown" => severity_word(highest.and_then(|cvss| Severity::from_cvss_score(cvss.base_score))),
            stated => stated,
        };
        let repository = &vulnerability.repository;
        let stated = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let distribution = vulnerability.distribution.as_ref();
        Vulnerability {
            severity,
            namespace_name: vulnerability.updater.clone(),
            link: vulnerability.links.clone(),
            fixed_by: match vulnerability.fixed_in_version.as_str() {
                "0" => String::new(),
                fixed => fixed.to_owned(),
            },
            description: vulnerability.description.clone(),
            name: vulnerability.name.clone(),
            metadata: Metadata {
                updated_by: vulnerability.updater.clone(),
                repo_name: stated(&repository.name),
                repo_link: stated(&repository.uri),
                distro_name: distribution.map(|distribution| distribution.name.clone()).unwrap_or_default(),
                distro_version: distribution
                    .map(|distribution| distribution.version.clone())
                    .unwrap_or_default(),
                nvd: Nvd {
                    cvss: CvssV3 {
                        vectors: highest.map(|cvss| cvss.vector_string.clone()).unwrap_or_default(),
                        score: highest.map_or(Score::Unknown(""), |cvss| Score::Known(cvss.base_score)),
                    },
                },
            },
        }
    }
}

/// The CVEs that a text names, `CVE-` with four digits, and four to seven.
fn cves(text: &str) -> Vec<String> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    text.match_indices("CVE-")
        .filter_map(|(start, mark)| {
            let year = &text[start + mark.len()..];
            let number = year.get(4..)?.strip_prefix('-').filter(|_| digits(year) == 4)?;
            let length = digits(number).min(7);
            (length >= 4).then(|| text[start..start + mark.len() + 5 + length].to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cves_are_found_in_links() {
        for (text, expected) in [
            ("", &[][..]),
            ("https://a.example/CVE-2018-20843 x", &["CVE-2018-20843"]),
            ("CVE-2018-2084CVE-2019-12345678", &["CVE-2018-2084", "CVE-2019-1234567"]),
            ("CVE-2018-123 CVE-208-12345 CVE-20180-12345 cve-2018-12345 CVE-", &[]),
            ("CVE-ééé", &[]),
        ] {
            assert_eq!(cves(text), expected, "{text}");
        }
    }
}
