//! What is aboard: an SPDX or CycloneDX document, wrapped as Harbor wants it.
//!
//! Harbor takes the document out of the wrapping and pushes it beside the image. Its pages show of SPDX the fields
//! `packages[].{name,versionInfo,licenseConcluded}`.

use std::io;

use plimsoll_report::formats::{Context, FORMATS, Format};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Capability, Report, Told};
use crate::http::Refusal;
use crate::http::harbor::media::MediaType;
use crate::http::harbor::wire::{Artifact, Scanner};

/// The row.
pub(super) static CAPABILITY: Capability = Capability {
    name: "sbom",
    reports: &[Report { media_type: "application/vnd.security.sbom.report+json; version=1.0", write }],
    documents: &["application/spdx+json", "application/vnd.cyclonedx+json"],
    needs_feeds: false,
};

/// The report.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HarborSbomReport")]
struct SbomReport<'a> {
    /// When it was written, RFC 3339.
    generated_at: String,
    /// What it is of.
    artifact: &'a Artifact,
    /// Who wrote it.
    scanner: Scanner,
    /// More.
    vendor_attributes: Attributes,
    /// Media type of the document.
    media_type: &'a str,
    /// The document.
    sbom: Value,
}

/// What we say beside the document.
#[derive(Debug, Serialize, JsonSchema)]
struct Attributes {
    /// How many packages there are.
    packages: usize,
    /// What could not be read: kind, subject, detail.
    gaps: Vec<[String; 3]>,
}

fn write(told: &Told<'_>) -> Result<Vec<u8>, Refusal> {
    let format = format_of(told.document).ok_or_else(|| {
        Refusal::bad_request(format!(
            "`{}` is no `sbom_media_type`; ask for one of: {}",
            told.document,
            CAPABILITY.documents.join(", ")
        ))
    })?;
    let assessment = &told.assessed.assessment;
    let context = Context {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now: told.now.to_string(),
        colour: false,
        width: usize::MAX,
    };
    let mut document = Vec::new();
    (format.write)(std::slice::from_ref(assessment), &context, &mut document).map_err(broken)?;
    let gaps = assessment.inventory.gaps.iter();
    let report = SbomReport {
        generated_at: told.now.to_string(),
        artifact: told.artifact,
        scanner: Scanner::SELF,
        vendor_attributes: Attributes {
            packages: assessment.inventory.packages.len(),
            gaps: gaps
                .map(|gap| [gap.kind.name().to_owned(), gap.subject.clone(), gap.detail.clone()])
                .collect(),
        },
        media_type: told.document,
        sbom: serde_json::from_slice(&document).map_err(|error| broken(error.into()))?,
    };
    serde_json::to_vec(&report).map_err(|error| broken(error.into()))
}

/// The format of a document, whose version Harbor does not name.
pub(super) fn format_of(document: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|format| MediaType::read(format.media_type).essence == document)
}

fn broken(error: io::Error) -> Refusal {
    Refusal::new(500, "internal", format!("the list of packages could not be written: {error}"))
}
