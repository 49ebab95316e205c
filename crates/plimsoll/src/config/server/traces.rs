//! `[server.traces]`: where traces go.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::credentials::CredentialsConfig;

/// Where traces go: a collector that speaks OTLP over HTTP with JSON.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TracesConfig {
    /// The collector, without a path: `https://collector.example:4318`.
    pub(crate) url: String,
    /// Who signs in there.
    #[serde(default)]
    pub(crate) credentials: Option<CredentialsConfig>,
    /// Certificate authority to trust beside the system's (a PEM file).
    #[serde(default)]
    pub(crate) ca: Option<PathBuf>,
    /// Whether the URL may be one of plain HTTP.
    #[serde(default)]
    pub(crate) allow_plain: bool,
    /// Of how many requests and scans one is traced.
    #[serde(default = "all")]
    pub(crate) one_of: u32,
}

fn all() -> u32 {
    1
}
