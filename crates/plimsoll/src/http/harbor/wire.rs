//! The shapes of Harbor's Pluggable Scanner API that come with every message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is sent as an error.
pub(super) const ERROR: &str = "application/vnd.scanner.adapter.error+json; version=1.0";
/// What is sent as metadata.
pub(super) const METADATA: &str = "application/vnd.scanner.adapter.metadata+json; version=1.0";
/// What Harbor sends to have something scanned.
pub(super) const SCAN_REQUEST: &str = "application/vnd.scanner.adapter.scan.request+json; version=1.0";
/// What is sent back.
pub(super) const SCAN_RESPONSE: &str = "application/vnd.scanner.adapter.scan.response+json; version=1.0";

/// Who scans.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Scanner {
    /// The scanner.
    name: &'static str,
    /// Who makes it.
    vendor: &'static str,
    /// Its version.
    version: &'static str,
}

impl Scanner {
    /// Ourselves.
    pub(super) const SELF: Scanner =
        Scanner { name: "Plimsoll", vendor: "Plimsoll", version: env!("CARGO_PKG_VERSION") };
}

/// What is scanned, as Harbor says it and wants it back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub(super) struct Artifact {
    /// `PROJECT/NAME`.
    pub(super) repository: String,
    /// Digest of the manifest.
    pub(super) digest: String,
    /// A tag, where Harbor knows one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) tag: String,
    /// Media type of the manifest.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) mime_type: String,
}

/// An error.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HarborError")]
pub(super) struct ErrorBody {
    /// The error.
    pub(super) error: ErrorMessage,
}

/// What went wrong.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HarborErrorMessage")]
pub(super) struct ErrorMessage {
    /// For Harbor's log.
    pub(super) message: String,
}

/// That a scan was taken.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "HarborScanResponse")]
pub(super) struct ScanResponse {
    /// By which its report is asked for, at any replica.
    pub(super) id: String,
}
