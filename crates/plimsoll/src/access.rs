//! Who asks, and what they may: tokens, OpenID Connect, and whatever an API knows of its own.
//!
//! What surprises:
//!
//! - Credentials that are wrong are refused also where nobody would have had to say who asks: a pipeline whose token has
//!   ended should hear of it, and not find fewer images than the day before.
//! - A token reaches repositories by name. What has no name (a manifest that Clair's clients sent) is seen by those
//!   alone who are not held to any.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::config::{Anonymous, Config, Scope};
use crate::refusal::Refusal;

mod credentials;
pub(crate) mod oidc;
pub(crate) mod pattern;
mod tokens;

pub(crate) use pattern::Pattern;
pub(crate) use tokens::{decode_hash, fresh};

use oidc::Provider;
use tokens::Tokens;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Principal {
    /// For logs and limits: `token:ci`, `oidc:SUBJECT`, `psk:quay`, `anonymous`.
    pub(crate) name: String,
    /// What may be asked for; it includes all below it.
    pub(crate) scope: Scope,
    /// The repositories that are reached; all where it is `None`.
    pub(crate) repositories: Option<Vec<Pattern>>,
}

impl Principal {
    /// Somebody who reaches everything.
    pub(crate) fn everywhere(name: impl Into<String>, scope: Scope) -> Principal {
        Principal { name: name.into(), scope, repositories: None }
    }

    /// Whether this is nobody in particular.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.name == ANONYMOUS
    }

    /// Whether it may ask for this at all.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scope >= scope
    }

    /// Whether it is held to some repositories.
    pub(crate) fn is_limited(&self) -> bool {
        self.repositories.is_some()
    }

    /// Whether it may know of what is in a repository: `HOST[:PORT]` and `NAMESPACE/NAME`, both empty where an image has
    /// no name.
    pub(crate) fn may_see(&self, registry: &str, repository: &str) -> bool {
        let Some(patterns) = &self.repositories else { return true };
        !repository.is_empty() && patterns.iter().any(|pattern| pattern.matches(registry, repository))
    }

    /// Whether it may have images of a repository scanned.
    pub(crate) fn may_submit(&self, registry: &str, repository: &str) -> bool {
        self.may(Scope::Submit) && self.may_see(registry, repository)
    }
}

/// What the guard found out; a handler that no guard stands before is told so, and lets nobody in.
impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Principal, Self::Rejection> {
        let known = parts.extensions.get::<Arc<Principal>>();
        known
            .map(|principal| Principal::clone(principal))
            .ok_or((StatusCode::INTERNAL_SERVER_ERROR, "nobody found out who asks"))
    }
}

/// What nobody in particular is called.
const ANONYMOUS: &str = "anonymous";

/// Another way to know whose token it is, such as the key that Quay shares. `None` where the token is of another kind;
/// a refusal where it is of this kind and not good.
pub(crate) type Knows = Box<dyn Fn(&str, Timestamp) -> Option<Result<Principal, Refusal>> + Send + Sync>;

/// Makes such a way of the configuration, where it is configured.
pub(crate) type MakesKnows = fn(&Config) -> anyhow::Result<Option<Knows>>;

/// All such ways. They are tried for the APIs whose [`Front`](crate::http::Front) takes shared keys.
static SHARED_KEYS: &[MakesKnows] = &[crate::http::clair_v4::psk::knows];

/// Everybody who may ask.
pub(crate) struct Door {
    tokens: Tokens,
    provider: Option<Provider>,
    shared_keys: Vec<Knows>,
    /// What somebody may who does not say who asks.
    anonymous: Option<Scope>,
}

impl Door {
    /// Reads the tokens; asks nobody yet.
    pub(crate) fn new(config: &Config) -> anyhow::Result<Door> {
        Door::with(config, SHARED_KEYS)
    }

    fn with(config: &Config, shared_keys: &[MakesKnows]) -> anyhow::Result<Door> {
        let auth = &config.server.auth;
        let made = shared_keys.iter().filter_map(|make| make(config).transpose());
        let shared_keys = made.collect::<anyhow::Result<Vec<Knows>>>()?;
        anyhow::ensure!(
            !auth.open || shared_keys.is_empty(),
            "`open` in `[server.auth]` lets everybody do everything, so a shared key beside it means nothing; take one of them out"
        );
        let anonymous = match auth.anonymous {
            _ if !auth.knows_somebody() && shared_keys.is_empty() => Some(Scope::Admin),
            Anonymous::Read => Some(Scope::Read),
            Anonymous::None => None,
        };
        let provider = auth.oidc.as_ref().map(|oidc| Provider::new(oidc, config)).transpose()?;
        Ok(Door { tokens: Tokens::new(auth)?, provider, shared_keys, anonymous })
    }

    /// Whether everybody may do everything.
    pub(crate) fn is_open(&self) -> bool {
        self.anonymous == Some(Scope::Admin)
    }

    /// The provider that people can sign in at.
    pub(crate) fn provider(&self) -> Option<&Provider> {
        self.provider.as_ref().filter(|provider| provider.sign_in().is_some())
    }

    /// What is wrong with the file of tokens.
    pub(crate) fn problem(&self) -> Option<String> {
        self.tokens.problem()
    }

    /// Who asks; `None` where they do not say, and nobody in particular may do nothing.
    pub(crate) async fn identify(
        &self,
        headers: &HeaderMap,
        takes_shared_keys: bool,
        now: Timestamp,
    ) -> Result<Option<Arc<Principal>>, Refusal> {
        let Some(token) = credentials::token(headers)? else {
            let anonymous = self.anonymous.map(|scope| Principal::everywhere(ANONYMOUS, scope));
            return Ok(anonymous.map(Arc::new));
        };
        if let Some(found) = self.tokens.find(&token, now) {
            return found.map(Some);
        }
        let shared_keys = self.shared_keys.iter().filter(|_| takes_shared_keys);
        if let Some(known) = shared_keys.filter_map(|knows| knows(&token, now)).next() {
            return known.map(|principal| Some(Arc::new(principal)));
        }
        if let Some(provider) = self.provider.as_ref().filter(|_| oidc::looks_like_one(&token)) {
            return provider.identify(&token, now).await.map(|principal| Some(Arc::new(principal)));
        }
        if self.is_open() {
            // Nobody is known, so nobody can be told from another. Quay may send a token all the same.
            return Ok(Some(Arc::new(Principal::everywhere(ANONYMOUS, Scope::Admin))));
        }
        Err(unauthorized(
            "the token is not known here; check that it was copied whole, and that it still holds",
        ))
    }
}

/// Credentials that are missing or wrong.
pub(crate) fn unauthorized(message: impl Into<String>) -> Refusal {
    Refusal::new(401, "unauthorized", message)
}
