//! What Harbor asks before every scan: who we are and what we can.
//!
//! While this does not answer within seconds, Harbor drops scans of pushed images and never comes back to them. So it is
//! made of the configuration and of what the server already holds in memory: no store, no file, nothing to wait for.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::capabilities::{CAPABILITIES, CONSUMES};
use super::wire::Scanner;
use crate::config::RegistryAuthorization;

/// What kind of scanner Harbor shows.
const KIND: (&str, &str) = ("harbor.scanner-adapter/scanner-type", "os-package-vulnerability");
/// When the advisory database was built.
const UPDATED_AT: &str = "harbor.scanner-adapter/vulnerability-database-updated-at";
/// How Harbor is to sign in to its registry for us.
const AUTHORIZATION: &str = "harbor.scanner-adapter/registry-authorization-type";

/// Who we are and what we can.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HarborMetadata")]
pub(super) struct Metadata {
    /// Who we are.
    scanner: Scanner,
    /// What we can.
    capabilities: Vec<CapabilityOffer>,
    /// More, by names that Harbor gives.
    properties: BTreeMap<&'static str, String>,
}

/// Something that we can.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HarborCapability")]
struct CapabilityOffer {
    /// Its name.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Media types of manifests.
    consumes_mime_types: [&'static str; 2],
    /// Media types of reports: one.
    produces_mime_types: Vec<&'static str>,
    /// More.
    #[serde(skip_serializing_if = "Option::is_none")]
    additional_attributes: Option<AdditionalAttributes>,
}

/// More of what we can.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HarborCapabilityAttributes")]
struct AdditionalAttributes {
    /// Media types of documents.
    sbom_media_types: &'static [&'static str],
}

/// What is answered with a database that was built then.
pub(super) fn metadata(built_at: Option<&str>, authorization: RegistryAuthorization) -> Metadata {
    let mut properties =
        BTreeMap::from([(KIND.0, KIND.1.to_owned()), (AUTHORIZATION, authorization.word().to_owned())]);
    properties.extend(built_at.map(|at| (UPDATED_AT, at.to_owned())));
    let offers = CAPABILITIES.iter().map(|row| CapabilityOffer {
        kind: row.name,
        consumes_mime_types: CONSUMES,
        produces_mime_types: row.reports.iter().take(1).map(|report| report.media_type).collect(),
        additional_attributes: (!row.documents.is_empty())
            .then_some(AdditionalAttributes { sbom_media_types: row.documents }),
    });
    Metadata { scanner: Scanner::SELF, capabilities: offers.collect(), properties }
}
