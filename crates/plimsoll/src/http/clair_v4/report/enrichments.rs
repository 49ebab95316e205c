//! What is known of flaws beside statements: scores, and whether they are exploited.
//!
//! Quay takes the first enrichment of the document, whatever it is, and reads a base score from each entry of its first
//! element. So scores stand first, only those of CVSS 3 are among them because Quay's page knows no others, and without
//! scores there are no enrichments at all.

use std::collections::BTreeMap;

use plimsoll_core::advisory::{Epss, Kev};
use plimsoll_core::finding::Finding;
use schemars::JsonSchema;
use serde::Serialize;
use serde::ser::SerializeMap as _;

/// What scores are called: in the order of their bytes, this is the first.
const SCORES: &str = "message/vnd.clair.map.vulnerability; enricher=clair.cvss schema=https://csrc.nist.gov/schema/nvd/api/2.0/cve_api_json_2.0.schema";

/// What likelihoods are called.
const LIKELIHOODS: &str = "message/vnd.clair.map.vulnerability; enricher=clair.epss schema=none";

/// What exploited flaws are called.
const EXPLOITED: &str = "message/vnd.clair.map.vulnerability; enricher=clair.kev schema=https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities_schema.json";

/// What is known of flaws, by the id of the statement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Enrichments {
    /// CVSS 3, the highest first.
    pub(crate) scores: BTreeMap<String, Vec<Score>>,
    likelihoods: BTreeMap<String, Vec<Likelihood>>,
    exploited: BTreeMap<String, Vec<Exploited>>,
}

/// A CVSS vector with its score.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Score {
    /// `3.0` or `3.1`.
    pub(crate) version: &'static str,
    /// The vector.
    pub(crate) vector_string: String,
    /// Its base score.
    pub(crate) base_score: f64,
    /// The score in a word, upper-case.
    pub(crate) base_severity: &'static str,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Likelihood {
    cve: String,
    epss: f64,
    percentile: f64,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
struct Exploited {
    cve: String,
    date_added: String,
    due_date: String,
    known_ransomware_campaign_use: &'static str,
}

impl Enrichments {
    /// Adds what a finding knows of its flaw.
    pub(super) fn add(&mut self, id: &str, finding: &Finding) {
        let scores: Vec<Score> = finding
            .cvss
            .iter()
            .filter(|cvss| cvss.version.starts_with("3."))
            .map(|cvss| Score {
                version: cvss.version,
                vector_string: cvss.vector.clone(),
                base_score: cvss.score,
                base_severity: rating(cvss.score),
            })
            .collect();
        if !scores.is_empty() {
            self.scores.insert(id.to_owned(), scores);
        }
        if let Some(Epss { score, percentile }) = finding.epss {
            let entry = Likelihood { cve: finding.id.clone(), epss: score, percentile };
            self.likelihoods.insert(id.to_owned(), vec![entry]);
        }
        if let Some(Kev { date_added, due_date, is_used_by_ransomware }) = &finding.kev {
            let entry = Exploited {
                cve: finding.id.clone(),
                date_added: date_added.clone(),
                due_date: due_date.clone(),
                known_ransomware_campaign_use: if *is_used_by_ransomware { "Known" } else { "Unknown" },
            };
            self.exploited.insert(id.to_owned(), vec![entry]);
        }
    }

    /// Nothing at all where there are no scores that could stand first.
    pub(super) fn led_by_scores(self) -> Enrichments {
        if self.scores.is_empty() { Enrichments::default() } else { self }
    }
}

impl Serialize for Enrichments {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.scores.is_empty() {
            map.serialize_entry(SCORES, &[&self.scores])?;
        }
        if !self.likelihoods.is_empty() {
            map.serialize_entry(LIKELIHOODS, &[&self.likelihoods])?;
        }
        if !self.exploited.is_empty() {
            map.serialize_entry(EXPLOITED, &[&self.exploited])?;
        }
        map.end()
    }
}

impl JsonSchema for Enrichments {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Enrichments".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "What is known of flaws beside statements, by what it is. Clients take the first.",
            "type": "object",
            "additionalProperties": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": { "type": "array", "items": { "type": "object" } }
                }
            }
        })
    }
}

/// The rating of a score (CVSS 3.1, section 5), as the NVD writes it.
fn rating(score: f64) -> &'static str {
    match score {
        score if score >= 9.0 => "CRITICAL",
        score if score >= 7.0 => "HIGH",
        score if score >= 4.0 => "MEDIUM",
        score if score > 0.0 => "LOW",
        _ => "NONE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_stand_first_in_the_order_of_bytes_too() {
        assert!([SCORES, LIKELIHOODS, EXPLOITED].is_sorted());
    }
}
