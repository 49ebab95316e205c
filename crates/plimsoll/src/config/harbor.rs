//! `[harbor]`: how Harbor is answered.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units::Time;

/// How Harbor is answered.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HarborConfig {
    /// How Harbor is to sign in to its registry for scans: with a robot account (`basic`) or with a token (`bearer`),
    /// which is short-lived.
    pub(crate) registry_authorization: RegistryAuthorization,
    /// How long Harbor is told to ask again while there is nothing to match against, or the store is away. Then its
    /// job fails, with the reason in its log.
    pub(crate) patience: Time,
}

impl Default for HarborConfig {
    fn default() -> HarborConfig {
        HarborConfig {
            registry_authorization: RegistryAuthorization::Basic,
            patience: Time(Duration::from_secs(30 * 60)),
        }
    }
}

/// How Harbor signs in to its registry for scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RegistryAuthorization {
    /// With a robot account.
    Basic,
    /// With a token.
    Bearer,
}

impl RegistryAuthorization {
    /// Harbor's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            RegistryAuthorization::Basic => "Basic",
            RegistryAuthorization::Bearer => "Bearer",
        }
    }
}
