//! Tokens of an OpenID provider.
//!
//! Its keys are asked for when the first token comes, kept for an hour, and asked for once more where a token names a
//! key that is not among them, though not more often than once a minute: whoever sends tokens with invented keys must
//! not make us ask the provider each time. Algorithms are pinned: a token does not choose how it is verified.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use plimsoll_net::{Client, Request, Settings};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::pattern::matches;
use super::tokens::patterns;
use super::{Principal, unauthorized};
use crate::config::{Config, GrantConfig, OidcConfig, Scope};
use crate::refusal::Refusal;

pub(crate) mod sign_in;

/// The algorithms that are taken.
const ALGORITHMS: [Algorithm; 2] = [Algorithm::ES256, Algorithm::RS256];

/// How long keys are kept without asking again.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// Shortest time between two questions to the provider.
const ASKED_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// How far clocks may differ.
const LEEWAY_SECONDS: i64 = 15;

/// Largest document of the provider, in bytes.
const DOCUMENT_BYTES_MAX: u64 = 1 << 20;

/// Longest time for the provider to answer.
const ANSWER_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(10);

/// An OpenID provider.
pub(crate) struct Provider {
    config: OidcConfig,
    client: Client,
    keys: Mutex<Kept<JwkSet>>,
    endpoints: Mutex<Kept<sign_in::Endpoints>>,
}

/// Something that the provider was asked for, and when.
struct Kept<T> {
    value: Option<Arc<T>>,
    fetched_at: Option<Timestamp>,
    asked_at: Option<Timestamp>,
}

impl<T> Default for Kept<T> {
    fn default() -> Kept<T> {
        Kept { value: None, fetched_at: None, asked_at: None }
    }
}

impl<T: Send + 'static> Kept<T> {
    /// What is kept after it was asked for, where it `lacks` something or is old, and was not asked for just now. Why that
    /// failed is given beside it: what is there goes on being good.
    async fn get(
        &mut self,
        lacks: bool,
        now: Timestamp,
        fetch: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> (Option<Arc<T>>, Option<String>) {
        let is_past = |since: Option<Timestamp>, length: SignedDuration| {
            since.is_none_or(|since| now.duration_since(since) >= length)
        };
        let is_wanted = lacks || is_past(self.fetched_at, KEPT);
        let mut why = None;
        if is_wanted && is_past(self.asked_at, ASKED_AGAIN) {
            self.asked_at = Some(now);
            let fetched = tokio::task::spawn_blocking(fetch).await.map_err(|error| error.to_string());
            match fetched.flatten() {
                Ok(value) => {
                    self.value = Some(Arc::new(value));
                    self.fetched_at = Some(now);
                }
                Err(error) => why = Some(error),
            }
        }
        (self.value.clone(), why)
    }
}

/// What is read of a token.
#[derive(Deserialize)]
struct Claims {
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    sub: String,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// Whether a text has the form of such a token.
pub(super) fn looks_like_one(token: &str) -> bool {
    token.split('.').count() == 3
}

impl Provider {
    pub(super) fn new(oidc: &OidcConfig, config: &Config) -> anyhow::Result<Provider> {
        let mut hosts = config.offline_hosts();
        for url in [Some(&oidc.issuer), oidc.keys_url.as_ref()].into_iter().flatten() {
            hosts.extend(plimsoll_net::host_and_port_of(url));
        }
        let client = Client::new(Settings {
            ca_files: oidc.ca.iter().cloned().collect(),
            only_hosts: config.offline.then_some(hosts),
            total_timeout: ANSWER_TIME_MAX,
            attempts_max: 2,
            ..Settings::default()
        })?;
        Ok(Provider { config: oidc.clone(), client, keys: Mutex::default(), endpoints: Mutex::default() })
    }

    /// What it is known as.
    pub(crate) fn issuer(&self) -> &str {
        &self.config.issuer
    }

    /// Whose token it is.
    pub(super) async fn identify(&self, token: &str, now: Timestamp) -> Result<Principal, Refusal> {
        let claims = self.verified(token, now).await?;
        self.principal(claims)
    }

    /// What a token says, if the provider signed it, for us, and it holds now.
    async fn verified(&self, token: &str, now: Timestamp) -> Result<Claims, Refusal> {
        let bad = |what: &str| unauthorized(format!("the token of the OpenID provider is not good: {what}"));
        let header = decode_header(token).map_err(|_| bad("it cannot be read"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(bad("it is signed with another algorithm than ES256 or RS256"));
        }
        let key = self.key(header.kid.as_deref(), now).await?;
        let key = key.ok_or_else(|| bad("the provider has no such key"))?;
        let key = DecodingKey::from_jwk(&key).map_err(|_| bad("the provider's key cannot be read"))?;
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.config.issuer]);
        // What people sign in with is made for the client that this server is at the provider.
        let client = self.config.sign_in.as_ref().map(|sign_in| &sign_in.client_id);
        let audiences: Vec<&String> = std::iter::once(&self.config.audience).chain(client).collect();
        validation.set_audience(&audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        // Held to our own clock below.
        validation.validate_exp = false;
        let claims =
            decode::<Claims>(token, &key, &validation).map_err(|error| bad(&error.to_string()))?.claims;
        let seconds = now.as_second() as f64;
        if claims.exp + LEEWAY_SECONDS as f64 <= seconds {
            return Err(bad("it has ended; ask for another one"));
        }
        if claims.nbf.is_some_and(|begin| begin - LEEWAY_SECONDS as f64 > seconds) {
            return Err(bad("it does not hold yet"));
        }
        Ok(claims)
    }

    /// What a token is good for.
    fn principal(&self, claims: Claims) -> Result<Principal, Refusal> {
        let subject = Value::String(claims.sub.clone());
        let has = |grant: &GrantConfig| {
            let found = if grant.claim == "sub" { Some(&subject) } else { claims.rest.get(&grant.claim) };
            match found {
                Some(Value::String(text)) => matches(&grant.value, text),
                Some(Value::Array(values)) => {
                    values.iter().filter_map(Value::as_str).any(|text| matches(&grant.value, text))
                }
                Some(Value::Bool(value)) => grant.value == value.to_string(),
                _ => false,
            }
        };
        let scope_of = |grant: &GrantConfig| grant.scopes.iter().copied().max().unwrap_or(Scope::Read);
        let grants: Vec<&GrantConfig> = self.config.grants.iter().filter(|grant| has(grant)).collect();
        let Some(scope) = grants.iter().map(|grant| scope_of(grant)).max() else {
            return Err(Refusal::new(
                403,
                "forbidden",
                "the token is good, and nothing that it says is granted anything here",
            ));
        };
        let widest = grants.into_iter().filter(|grant| scope_of(grant) == scope);
        let lists: Option<Vec<_>> = widest.map(|grant| patterns(grant.repositories.as_deref())).collect();
        let repositories = lists.map(|lists| lists.into_iter().flatten().collect());
        Ok(Principal { name: format!("oidc:{}", claims.sub), scope, repositories })
    }

    /// The key that a token names; `None` where the provider has no such key.
    async fn key(&self, id: Option<&str>, now: Timestamp) -> Result<Option<Jwk>, Refusal> {
        let mut keys = self.keys.lock().await;
        let lacks = keys.value.as_deref().and_then(|set| pick(set, id)).is_none();
        let (client, config) = (self.client.clone(), self.config.clone());
        let (set, why) = keys.get(lacks, now, move || fetch(&client, &config)).await;
        if let Some(reason) = why {
            tracing::warn!(issuer = %self.config.issuer, "cannot ask the OpenID provider for its keys: {reason}");
        }
        match set {
            Some(set) => Ok(pick(&set, id)),
            None => Err(Refusal::unavailable(
                "unavailable",
                "the OpenID provider cannot be asked for its keys; ask again",
            )),
        }
    }
}

/// The key with this id; without an id the only one there is. `None` where it is not for signatures.
fn pick(set: &JwkSet, id: Option<&str>) -> Option<Jwk> {
    let key = match id {
        Some(id) => set.find(id)?,
        None => match set.keys.as_slice() {
            [only] => only,
            _ => return None,
        },
    };
    let is_for_signing = !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    is_for_signing.then(|| key.clone())
}

fn fetch(client: &Client, config: &OidcConfig) -> Result<JwkSet, String> {
    let url = match &config.keys_url {
        Some(url) => url.clone(),
        None => document(client, config)?["jwks_uri"].as_str().unwrap_or_default().to_owned(),
    };
    // One key of a kind that we do not know is not the end of the others.
    let document = get(client, &url)?;
    let keys = document["keys"].as_array().ok_or_else(|| format!("`{url}` holds no keys"))?;
    let keys = keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect();
    Ok(JwkSet { keys })
}

/// What the provider says of itself (OpenID Connect Discovery 1.0, section 4).
fn document(client: &Client, config: &OidcConfig) -> Result<Value, String> {
    let place = format!("{}/.well-known/openid-configuration", config.issuer.trim_end_matches('/'));
    let document = get(client, &place)?;
    let issuer = document["issuer"].as_str().unwrap_or_default();
    match issuer == config.issuer {
        true => Ok(document),
        false => Err(format!("`{place}` is of another issuer, `{issuer}`")),
    }
}

fn get(client: &Client, url: &str) -> Result<Value, String> {
    let response = client.send(&Request::get(url)).map_err(|error| error.to_string())?;
    if !response.is_success() {
        return Err(format!("`{url}` answers {}", response.status));
    }
    let bytes = response.bytes(DOCUMENT_BYTES_MAX).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| format!("`{url}` is not JSON: {error}"))
}

#[cfg(test)]
mod tests;
