//! `[server.auth]`: who may ask for what.
//!
//! No secret stands here: of a token only its SHA-256 is written down, which is of no use to whoever reads it.

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::{Pattern, decode_hash};

/// Who may ask for what. Without tokens and `oidc` everybody may do everything, and the server listens on the loopback
/// address alone unless `open` says that this is meant.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AuthConfig {
    /// Whether everybody who reaches the server may do everything.
    pub(crate) open: bool,
    /// What may be asked for without saying who asks.
    pub(crate) anonymous: Anonymous,
    /// Who may read `/metrics`.
    pub(crate) metrics: MetricsAccess,
    /// Tokens, as `plimsoll token new` prints them.
    pub(crate) tokens: Vec<TokenConfig>,
    /// TOML file with more of them, as `[[tokens]]`. It is read again when it changes.
    pub(crate) tokens_file: Option<PathBuf>,
    /// An OpenID provider whose tokens are taken.
    pub(crate) oidc: Option<OidcConfig>,
}

/// What may be asked for without saying who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(title = "`\"none\"` or `\"read\"`")]
pub(crate) enum Anonymous {
    #[default]
    None,
    Read,
}

/// Who may read metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(title = "`\"everybody\"` or `\"read\"`")]
pub(crate) enum MetricsAccess {
    #[default]
    Everybody,
    Read,
}

/// What may be asked for. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(title = "`\"read\"`, `\"submit\"` or `\"admin\"`")]
pub(crate) enum Scope {
    Read,
    Submit,
    Admin,
}

impl Scope {
    /// Its name in the configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Submit => "submit",
            Scope::Admin => "admin",
        }
    }
}

/// One token.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenConfig {
    /// What it is called in logs.
    pub(crate) name: String,
    /// SHA-256 of the token, hexadecimal.
    pub(crate) sha256: String,
    /// What it is good for; each includes those before it.
    pub(crate) scopes: Vec<Scope>,
    /// Repositories that it reaches, `REGISTRY/NAMESPACE/NAME`, where `*` stands for any text: `registry.example/team/*`.
    /// Left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) repositories: Option<Vec<String>>,
    /// When it ends, RFC 3339. Left out: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<String>,
}

/// An OpenID provider.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OidcConfig {
    /// What tokens have to name as `iss`; also where the provider is asked for its keys.
    pub(crate) issuer: String,
    /// What tokens have to name as `aud`.
    pub(crate) audience: String,
    /// Where the provider's keys are. Left out: what the issuer's `/.well-known/openid-configuration` says.
    #[serde(default)]
    pub(crate) keys_url: Option<String>,
    /// Certificate authority to trust beside the system's (a PEM file).
    #[serde(default)]
    pub(crate) ca: Option<PathBuf>,
    /// How people sign in at it with a browser. Left out: they bring a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sign_in: Option<SignInConfig>,
    /// What tokens are good for by what they say. Who has none of these claims may do nothing.
    pub(crate) grants: Vec<GrantConfig>,
}

/// How people sign in at an OpenID provider with a browser: by authorization code and PKCE. The provider has to know
/// `/ui/sign-in/answer` below `url` of `[server]` as a place to send them back to. Tokens that it makes for `client_id` are taken
/// beside those for `audience`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInConfig {
    /// What this server is called at the provider.
    pub(crate) client_id: String,
    /// File with the secret that the provider gave this server. Left out: it is a public client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// What the provider is asked to say of people.
    #[serde(default = "openid")]
    pub(crate) scopes: Vec<String>,
}

fn openid() -> Vec<String> {
    vec!["openid".to_owned()]
}

/// What a claim of a token is good for. Of several the widest scope holds, with the repositories of all that have it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantConfig {
    /// Name of the claim: `groups`, `sub`.
    pub(crate) claim: String,
    /// Its value, or one of them where it is a list; `*` stands for any text.
    pub(crate) value: String,
    /// What it is good for; each includes those before it.
    pub(crate) scopes: Vec<Scope>,
    /// Repositories that it reaches, as in `tokens`. Left out: all.
    #[serde(default)]
    pub(crate) repositories: Option<Vec<String>>,
}

impl AuthConfig {
    /// Whether anything here tells one client from another.
    pub(crate) fn knows_somebody(&self) -> bool {
        !self.tokens.is_empty() || self.tokens_file.is_some() || self.oidc.is_some()
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            !(self.open && self.knows_somebody()),
            "`open` in `[server.auth]` lets everybody do everything, so tokens and `oidc` beside it mean nothing; take one of them out"
        );
        self.tokens.iter().try_for_each(TokenConfig::check)?;
        let Some(oidc) = &self.oidc else { return Ok(()) };
        if let Some(sign_in) = &oidc.sign_in {
            ensure!(!sign_in.client_id.is_empty(), "`client_id` in `[server.auth.oidc.sign_in]` is empty");
            ensure!(
                sign_in.scopes.iter().any(|scope| scope == "openid"),
                "`scopes` in `[server.auth.oidc.sign_in]` lack `openid`, without which no provider gives a token that says who somebody is"
            );
        }
        for grant in &oidc.grants {
            let place = format!("the grant for `{}` in `[server.auth.oidc]`", grant.claim);
            check_scopes(&grant.scopes, &place)?;
            check_repositories(grant.repositories.as_deref(), &place)?;
        }
        Ok(())
    }
}

impl TokenConfig {
    /// Refuses a token of which it is not clear what it means.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let place = format!("the token `{}`", self.name);
        ensure!(!self.name.is_empty(), "a token has no `name`");
        ensure!(
            decode_hash(&self.sha256).is_some(),
            "`sha256` of {place} is not 64 hexadecimal digits; `plimsoll token new` prints them"
        );
        check_scopes(&self.scopes, &place)?;
        check_repositories(self.repositories.as_deref(), &place)?;
        self.expires_at().map(drop)
    }

    /// When it ends.
    pub(crate) fn expires_at(&self) -> anyhow::Result<Option<Timestamp>> {
        let Some(text) = &self.expires else { return Ok(None) };
        let time = text.parse().with_context(|| {
            format!(
                "`expires` of the token `{}` is no time; write, for example, `2027-01-31T00:00:00Z`",
                self.name
            )
        })?;
        Ok(Some(time))
    }
}

fn check_scopes(scopes: &[Scope], place: &str) -> anyhow::Result<()> {
    ensure!(
        !scopes.is_empty(),
        "{place} has no `scopes`; write `[\"read\"]`, `[\"submit\"]` or `[\"admin\"]`"
    );
    Ok(())
}

fn check_repositories(patterns: Option<&[String]>, place: &str) -> anyhow::Result<()> {
    for pattern in patterns.into_iter().flatten() {
        if Pattern::parse(pattern).is_none() {
            bail!(
                "`{pattern}` in `repositories` of {place} is no `REGISTRY/NAME`; write, for example, `registry.example/team/*`"
            );
        }
    }
    Ok(())
}
