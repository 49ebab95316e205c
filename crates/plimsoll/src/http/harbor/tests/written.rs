//! What reports and metadata look like, and what holds for all of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plimsoll_core::assessment::Assessment;
use serde_json::Value;

use super::super::capabilities::{CAPABILITIES, Told, by_name, usual};
use super::super::metadata::metadata;
use super::super::wire::Artifact;
use super::client::{check, check_unique};
use super::samples;
use crate::config::RegistryAuthorization;
use crate::server::Assessed;

fn now() -> Timestamp {
    "2030-01-02T03:04:05Z".parse().unwrap()
}

fn written(assessment: Assessment, capability: &str, report: usize, document: &str) -> Value {
    let assessed = Assessed { assessment, index_state: "1".to_owned() };
    let artifact = Artifact {
        repository: "team/app".to_owned(),
        digest: format!("sha256:{}", "a".repeat(64)),
        tag: "1.4".to_owned(),
        mime_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
    };
    let told = Told { assessed: &assessed, artifact: &artifact, document, now: now() };
    let report = &by_name(capability).unwrap().reports[report];
    let bytes = (report.write)(&told).unwrap();
    assert_eq!(bytes, (report.write)(&told).unwrap());
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn metadata_is_what_harbor_demands() {
    let mut all = Vec::new();
    for (built_at, authorization) in
        [(Some("2030-01-01T00:00:00Z"), RegistryAuthorization::Basic), (None, RegistryAuthorization::Bearer)]
    {
        let metadata = serde_json::to_value(metadata(built_at, authorization)).unwrap();
        check("metadata", &metadata).unwrap();
        all.push(metadata);
    }
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(concat!("\"", env!("CARGO_PKG_VERSION"), "\""), "\"[VERSION]\"");
    settings.bind(|| insta::assert_snapshot!(serde_json::to_string_pretty(&all).unwrap()));
}

#[test]
fn a_report_in_harbors_words() {
    let report = written(samples::rich(), "vulnerability", 0, "");
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(concat!("\"", env!("CARGO_PKG_VERSION"), "\""), "\"[VERSION]\"");
    settings.bind(|| insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap()));
}

#[test]
fn every_report_is_one_that_harbor_reads() {
    for (name, assessments) in samples::all() {
        for assessment in assessments {
            let wanted: BTreeSet<[String; 3]> = assessment
                .findings
                .findings
                .iter()
                .map(|finding| {
                    let package = &assessment.inventory.packages[finding.package];
                    [finding.id.clone(), package.name.clone(), package.version.clone()]
                })
                .collect();
            for form in [0, 1] {
                let report = written(assessment.clone(), usual().name, form, "");
                check("vulnerability_report", &report).unwrap_or_else(|error| panic!("{name}: {error}"));
                check_unique(&report).unwrap();
                let items = report["vulnerabilities"].as_array().unwrap();
                let text = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
                let got: BTreeSet<[String; 3]> = items
                    .iter()
                    .map(|item| [text(item, "id"), text(item, "package"), text(item, "version")])
                    .collect();
                assert_eq!(got, wanted, "{name}");
            }
            let raw = written(assessment.clone(), usual().name, 2, "");
            assert_eq!(raw["schema"], "plimsoll/report/1", "{name}");
            for document in CAPABILITIES.iter().flat_map(|row| row.documents) {
                let report = written(assessment.clone(), "sbom", 0, document);
                check("sbom_report", &report).unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(report["media_type"], *document);
            }
        }
    }
}

#[test]
fn the_same_flaw_in_several_places_is_one_item_with_all_places() {
    let mut assessment = samples::rich();
    let twin = assessment.findings.findings[3].clone();
    let mut fixed = twin.clone();
    fixed.fixed_in = Some("7.1.0".to_owned());
    assessment.findings.findings.push(fixed);
    let report = written(assessment, "vulnerability", 0, "");
    let items = report["vulnerabilities"].as_array().unwrap();
    let item = items.iter().find(|item| item["id"] == twin.id.as_str()).unwrap();
    let paths = &item["vendor_attributes"]["paths"];
    assert_eq!(paths, &serde_json::json!(["/srv/a b/node_modules/package.json", "/srv/twin/package.json"]));
    // A fix that only one of them states is not lost.
    assert_eq!((&item["fix_version"], &item["status"]), (&"7.1.0".into(), &"fixed".into()));
}

#[test]
fn an_image_that_was_not_judged_is_unknown_and_a_clean_one_is_not() {
    for (assessment, severity) in
        [(samples::clean(), "Negligible"), (samples::undecided(), "Unknown"), (samples::rich(), "Critical")]
    {
        assert_eq!(written(assessment, "vulnerability", 0, "")["severity"], severity);
    }
}

#[test]
fn links_hold_nothing_that_harbor_splits_at() {
    let mut assessment = samples::rich();
    assessment.findings.findings[0].references =
        vec!["https://a.example/?q=a|b".to_owned(), "javascript:alert(1)".to_owned()];
    let report = written(assessment, "vulnerability", 0, "");
    assert_eq!(report["vulnerabilities"][0]["links"], serde_json::json!(["https://a.example/?q=a%7Cb"]));
}
