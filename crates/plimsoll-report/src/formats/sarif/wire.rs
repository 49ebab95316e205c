//! The part of SARIF 2.1.0 that Plimsoll writes. Names and meanings are the specification's.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;

use super::TEXT_CHARS_MAX;
use crate::printable::cut_chars;

/// `sarifLog`, section 3.13.
#[derive(Serialize)]
pub(super) struct Log<'a> {
    #[serde(rename = "$schema")]
    pub(super) schema: &'static str,
    pub(super) version: &'static str,
    pub(super) runs: Vec<Run<'a>>,
}

/// `run`, section 3.14.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Run<'a> {
    pub(super) tool: Tool<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) automation_details: Option<AutomationDetails>,
    pub(super) invocations: [Invocation; 1],
    pub(super) original_uri_base_ids: HashMap<&'static str, UriBase>,
    pub(super) results: Vec<Result<'a>>,
    pub(super) properties: RunProperties<'a>,
}

/// `runAutomationDetails`, section 3.17.
#[derive(Serialize)]
pub(super) struct AutomationDetails {
    pub(super) id: String,
}

/// `message` and `multiformatMessageString`, sections 3.11 and 3.12: plain text.
#[derive(Serialize)]
pub(super) struct Text<'a> {
    text: Cow<'a, str>,
}

impl<'a> Text<'a> {
    /// A text, cut where it is very long.
    pub(super) fn new(text: impl Into<Cow<'a, str>>) -> Text<'a> {
        let text = text.into();
        match cut_chars(&text, TEXT_CHARS_MAX) {
            Cow::Borrowed(_) => Text { text },
            Cow::Owned(cut) => Text { text: Cow::Owned(cut) },
        }
    }

    /// A text that is whole already.
    pub(super) fn whole(text: String) -> Text<'a> {
        Text { text: Cow::Owned(text) }
    }
}

/// `artifactLocation` of an entry of `originalUriBaseIds`, section 3.14.14. Only a scan knows the image's root,
/// so no `uri` is given.
#[derive(Serialize)]
pub(super) struct UriBase {
    pub(super) description: Text<'static>,
}

/// `tool`, section 3.18.
#[derive(Serialize)]
pub(super) struct Tool<'a> {
    pub(super) driver: Driver<'a>,
}

/// `toolComponent`, section 3.19.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Driver<'a> {
    pub(super) name: &'static str,
    pub(super) semantic_version: &'a str,
    pub(super) rules: Vec<Rule<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notifications: Vec<Descriptor>,
}

/// `reportingDescriptor`, section 3.49, of a rule.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule<'a> {
    pub(super) id: &'a str,
    pub(super) short_description: Text<'a>,
    pub(super) full_description: Text<'a>,
    pub(super) help: Text<'a>,
    pub(super) help_uri: Cow<'a, str>,
    pub(super) default_configuration: Configuration,
    pub(super) properties: RuleProperties,
    /// The number behind `security-severity`.
    #[serde(skip)]
    pub(super) score: f64,
}

/// `reportingConfiguration`, section 3.50.
#[derive(Serialize)]
pub(super) struct Configuration {
    pub(super) level: &'static str,
}

/// What GitHub reads of a rule's property bag.
#[derive(Serialize)]
pub(super) struct RuleProperties {
    #[serde(rename = "security-severity", skip_serializing_if = "Option::is_none")]
    pub(super) security_severity: Option<String>,
    pub(super) precision: &'static str,
    pub(super) tags: Vec<&'static str>,
}

/// `reportingDescriptor` of a notification, and `reportingDescriptorReference` to one (section 3.52).
#[derive(Serialize)]
pub(super) struct Descriptor {
    pub(super) id: &'static str,
}

/// `invocation`, section 3.20.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation {
    pub(super) execution_successful: bool,
    pub(super) tool_execution_notifications: Vec<Notification>,
}

/// `notification`, section 3.58.
#[derive(Serialize)]
pub(super) struct Notification {
    pub(super) descriptor: Descriptor,
    pub(super) level: &'static str,
    pub(super) message: Text<'static>,
}

/// `result`, section 3.27.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Result<'a> {
    pub(super) rule_id: &'a str,
    pub(super) rule_index: usize,
    pub(super) level: &'static str,
    pub(super) message: Text<'a>,
    pub(super) locations: [Location<'a>; 1],
    pub(super) partial_fingerprints: Fingerprints,
    pub(super) properties: ResultProperties<'a>,
}

/// `location`, section 3.28.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Location<'a> {
    pub(super) physical_location: PhysicalLocation<'a>,
    pub(super) logical_locations: [LogicalLocation<'a>; 1],
}

/// `physicalLocation`, section 3.29. GitHub shows no result without a region.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhysicalLocation<'a> {
    pub(super) artifact_location: ArtifactLocation<'a>,
    pub(super) region: Region,
}

/// `artifactLocation`, section 3.4.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ArtifactLocation<'a> {
    pub(super) uri: Cow<'a, str>,
    pub(super) uri_base_id: &'static str,
}

/// `region`, section 3.30.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Region {
    pub(super) start_line: u32,
}

/// `logicalLocation`, section 3.33.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogicalLocation<'a> {
    pub(super) name: &'a str,
    pub(super) fully_qualified_name: &'a str,
    pub(super) kind: &'static str,
}

/// `partialFingerprints`, section 3.27.17. GitHub tells alerts of one rule in one file apart by its own key
/// alone, and all packages of a package database stand in one file.
#[derive(Serialize)]
pub(super) struct Fingerprints {
    #[serde(rename = "plimsollFinding/v1")]
    pub(super) plimsoll: String,
    #[serde(rename = "primaryLocationLineHash")]
    pub(super) github: String,
}

/// The property bag of a result.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ResultProperties<'a> {
    pub(super) purl: &'a str,
    pub(super) installed_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fixed_in: Option<&'a str>,
    pub(super) fix_state: &'static str,
    pub(super) severity: &'static str,
    pub(super) severity_source: &'static str,
    pub(super) status: &'static str,
    pub(super) feed: &'a str,
    pub(super) advisory: &'a str,
    pub(super) range: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) layer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kev_date_added: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) epss: Option<f64>,
}

/// The property bag of a run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunProperties<'a> {
    pub(super) image: &'a str,
    pub(super) digest: Option<&'a str>,
    pub(super) platform: String,
    pub(super) distribution: String,
    pub(super) database: Option<&'a str>,
    pub(super) verdict: &'static str,
    pub(super) coverage: Vec<Coverage<'a>>,
}

/// One need of the image.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Coverage<'a> {
    pub(super) needs: &'a str,
    pub(super) feed: &'a str,
    pub(super) state: &'static str,
    pub(super) data_date: Option<&'a str>,
    pub(super) failing_since: Option<&'a str>,
    pub(super) packages: usize,
}
