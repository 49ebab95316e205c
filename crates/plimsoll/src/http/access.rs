//! Who asks.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

/// Who asks, as far as that is known.
#[derive(Clone, Debug)]
pub(crate) struct Principal {}

impl Principal {
    /// Whether what belongs to a repository may be seen.
    pub(crate) fn may_see(&self, _registry: &str, _repository: &str) -> bool {
        true
    }

    /// Whether images of a repository may be submitted.
    pub(crate) fn may_submit(&self, _registry: &str, _repository: &str) -> bool {
        true
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Principal, Infallible> {
        Ok(Principal {})
    }
}
