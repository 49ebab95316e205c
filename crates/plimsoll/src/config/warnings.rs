//! `[warnings]`: who is told of feeds that are old, missing or failing, and that they recovered.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::credentials::CredentialsConfig;

/// Who is told of feeds that are late.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WarningsConfig {
    /// By e-mail.
    pub(crate) email: Option<EmailConfig>,
    /// By an HTTP request.
    pub(crate) webhook: Option<WebhookConfig>,
}

/// Warnings by e-mail.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmailConfig {
    /// The server: `smtps://HOST:465` for TLS from the start, `smtp://HOST:587` for STARTTLS, which is then
    /// demanded unless `allow_plain` is set.
    pub(crate) server: String,
    /// Sender.
    pub(crate) from: String,
    /// Receivers.
    pub(crate) to: Vec<String>,
    /// Who signs in.
    pub(crate) credentials: Option<CredentialsConfig>,
    /// Certificate authority to trust beside the system's (a PEM file).
    pub(crate) ca: Option<PathBuf>,
    /// Whether mail, and with it the password, may go without TLS where the server offers none.
    #[serde(default)]
    pub(crate) allow_plain: bool,
}

/// Warnings by an HTTP request.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookConfig {
    /// Where the request goes.
    pub(crate) url: String,
    /// File with the secret that signs requests, as Standard Webhooks has it: base64, with or without `whsec_`.
    pub(crate) secret_file: Option<PathBuf>,
    /// Environment variable that holds it.
    pub(crate) secret_env: Option<String>,
    /// Whether the URL may be one of plain HTTP. Signatures hold there too; what is said is open to all.
    #[serde(default)]
    pub(crate) allow_plain: bool,
    /// Certificate authority to trust beside the system's (a PEM file).
    pub(crate) ca: Option<PathBuf>,
}
