//! `[bundles]`: whose bundles of feeds are imported.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whose bundles of feeds are imported.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct BundlesConfig {
    /// Files with the public keys that may sign bundles, as `plimsoll feeds keygen` writes them.
    pub(crate) keys: Vec<PathBuf>,
    /// File with the private key that signs what is exported.
    pub(crate) signing_key: Option<PathBuf>,
}
