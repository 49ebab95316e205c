//! `[server.clair]` and `[server.quay]`: where clients of those APIs differ in what they want.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Clair's API.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClairApiConfig {
    /// What a vulnerability report is answered with while there is nothing to match the image against: `202` as Clair
    /// does, of which Quay makes an error; or `404`, of which Quay makes `queued`.
    pub(crate) not_ready: NotReady,
    /// For how many seconds clients may keep a vulnerability report.
    pub(crate) cache_seconds: u32,
    /// Images that clients may have indexed by this replica at once, each with its connection open; further ones wait.
    pub(crate) indexes_max: u32,
}

/// What is answered while there is nothing to match an image against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "`\"202\"` or `\"404\"`")]
pub(crate) enum NotReady {
    #[default]
    #[serde(rename = "202")]
    Accepted,
    #[serde(rename = "404")]
    NotFound,
}

impl Default for ClairApiConfig {
    fn default() -> ClairApiConfig {
        ClairApiConfig { not_ready: NotReady::default(), cache_seconds: 300, indexes_max: 64 }
    }
}

/// Quay's API.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct QuayApiConfig {
    /// Whether an image with a layer that is too large has the status `manifest_layer_too_large` instead of
    /// `unsupported`. Quay's own pages cannot show it.
    pub(crate) layer_too_large_is_own_status: bool,
}
