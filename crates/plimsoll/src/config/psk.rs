//! `[server.psk]`: the key that Quay, and clients of Clair, share with the server.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::credentials::secret;

/// A key that Quay, and clients of Clair, share with the server: Quay's `SECURITY_SCANNER_V4_PSK`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PskConfig {
    /// File with the key in base64.
    pub(crate) key_file: Option<PathBuf>,
    /// Environment variable that holds it.
    pub(crate) key_env: Option<String>,
    /// Who may sign tokens with it, as they call themselves.
    pub(crate) issuers: Vec<String>,
}

impl Default for PskConfig {
    fn default() -> PskConfig {
        PskConfig { key_file: None, key_env: None, issuers: vec!["quay".to_owned()] }
    }
}

impl PskConfig {
    /// The key in base64; `None` where none is configured.
    pub(crate) fn key(&self) -> anyhow::Result<Option<String>> {
        match (self.key_file.as_deref(), self.key_env.as_deref()) {
            (None, None) => Ok(None),
            (file, variable) => secret(file, variable).map(Some),
        }
    }
}
