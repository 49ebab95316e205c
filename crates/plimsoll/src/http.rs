//! What the server answers over HTTP: lists of endpoints, one list an API, made into one router.
//!
//! An API is a row; so is each of its endpoints. The router, the OpenAPI document, the reference page, access and
//! metrics are all made of these rows, so that none of them can leave one out. Clair's, Quay's and Harbor's words live
//! only in the files that speak their API.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Response;

use crate::server::Server;

pub(crate) mod access;
pub(crate) mod api_v1;
mod clair_v4;
pub(crate) mod endpoint;
mod harbor;
mod health;
mod hooks;
mod quay;
mod refusal;
mod watches;

pub(crate) use refusal::Refusal;

use endpoint::Endpoint;

/// One API.
pub(crate) struct Api {
    /// Its name, kebab-case.
    pub(crate) name: &'static str,
    /// What it is for, for people.
    pub(crate) about: &'static str,
    /// Its endpoints, in the order in which a reader wants them.
    pub(crate) endpoints: &'static [Endpoint],
    /// How it says no: what every handler and whatever stands before the handlers (access, limits, readiness) says goes
    /// through here, so that each client reads errors in the form that it knows.
    pub(crate) refuse: fn(&Refusal) -> Response<Body>,
}

/// All APIs, sorted by name.
pub(crate) static APIS: &[&Api] =
    &[&api_v1::API, &clair_v4::API, &harbor::API, &health::API, &hooks::API, &quay::API, &watches::API];

/// The router of all APIs.
pub(crate) fn router(server: &Arc<Server>) -> Router {
    let mut router = Router::new();
    for api in APIS {
        for endpoint in api.endpoints {
            router = router.route(endpoint.path, (endpoint.route)());
        }
    }
    router.with_state(Arc::clone(server))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_sorted() {
        assert!(APIS.is_sorted_by(|a, b| a.name < b.name));
        let mut ids = BTreeSet::new();
        for endpoint in APIS.iter().flat_map(|api| api.endpoints) {
            assert!(ids.insert(endpoint.id), "{}", endpoint.id);
        }
    }
}
