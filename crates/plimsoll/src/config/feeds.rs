//! `[feeds.NAME]`: what is changed of a feed. A name may end in `*` and then means all feeds that begin so; an
//! exact name outweighs it, field by field.

use std::path::PathBuf;

use serde::Deserialize;

/// What is changed of a feed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FeedConfig {
    /// Whether it is fetched and needed. Each feed has a default; `plimsoll feeds list` shows those that are off.
    pub(crate) enabled: Option<bool>,
    /// Base URL in place of the upstream's: http, https, file or oci, with the files laid out as upstream has
    /// them.
    pub(crate) url: Option<String>,
    /// Base URLs that are asked in this order where the URL fails.
    pub(crate) mirrors: Vec<String>,
    /// Certificate authority to trust beside the system's (a PEM file).
    pub(crate) ca: Option<PathBuf>,
    /// Who asks.
    pub(crate) credentials: Option<CredentialsConfig>,
    /// How often `feeds watch` fetches it: `6h`, `1d`. The feed's own cadence if left out.
    pub(crate) every: Option<String>,
    /// Longest time for fetching one file: `10m`.
    pub(crate) timeout: Option<String>,
    /// Largest file that is fetched: `500MB`, `4GiB`.
    pub(crate) size_max: Option<String>,
    /// Age of the data in days above which results are warned of.
    pub(crate) max_age: Option<u32>,
}

/// Credentials by reference: no secret stands in the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CredentialsConfig {
    /// User name for basic authentication.
    pub(crate) user: Option<String>,
    /// File whose first line is the password.
    pub(crate) password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    pub(crate) password_env: Option<String>,
    /// File whose first line is a bearer token.
    pub(crate) token_file: Option<PathBuf>,
    /// Environment variable that holds a bearer token.
    pub(crate) token_env: Option<String>,
}
