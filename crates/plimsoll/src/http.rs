//! What the server answers over HTTP: lists of endpoints, one list an API, made into one router.
//!
//! An API is a row; so is each of its endpoints. The router, the OpenAPI document, the reference page, access and
//! metrics are all made of these rows, so that none of them can leave one out. Clair's, Quay's and Harbor's words live
//! only in the files that speak their API.
//!
//! Before each handler stands the [guard], in this order: the request is noted, the server is ready, it is known who
//! asks and that they may, they do not ask too often, and the body is there and not too large. A handler finds the
//! [`Principal`](crate::access::Principal) who asks as `Extension<Arc<Principal>>`.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{Response, StatusCode, header};
use axum::middleware::from_fn;
use axum::response::IntoResponse as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::server::Server;

mod access;
mod admission;
pub(crate) mod api_v1;
pub(crate) mod clair_v4;
mod ending;
pub(crate) mod endpoint;
mod guard;
mod harbor;
mod health;
mod hooks;
pub(crate) mod limits;
pub(crate) mod listen;
mod observe;
mod openapi;
mod path;
mod quay;
mod readiness;
mod watches;

pub(crate) use crate::refusal::Refusal;
pub(crate) use ending::Ending;

use endpoint::{Endpoint, Payload};

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
    /// What stands before its handlers.
    pub(crate) front: Front,
}

/// What stands before the handlers of an API, where APIs differ.
pub(crate) struct Front {
    /// Whether whoever says who they are is told to come again later when they ask too often. Quay takes that for a
    /// failure.
    pub(crate) limits_rate: bool,
    /// Whether an answer may take only so long. Clair's indexing takes as long as it takes.
    pub(crate) limits_time: bool,
    /// Whether answers are compressed as any client may want it. Otherwise the API does it by rules of its own.
    pub(crate) compresses: bool,
    /// Whether tokens that are signed with a shared key are taken.
    pub(crate) takes_shared_keys: bool,
    /// What its refusals look like, for its reference.
    pub(crate) refusal: Option<Payload>,
}

impl Front {
    /// What most APIs have.
    pub(crate) const USUAL: Front = Front {
        limits_rate: true,
        limits_time: true,
        compresses: true,
        takes_shared_keys: false,
        refusal: None,
    };
}

/// All APIs, sorted by name.
pub(crate) static APIS: &[&Api] = &[
    &admission::API,
    &api_v1::API,
    &clair_v4::API,
    &harbor::API,
    &health::API,
    &hooks::API,
    &quay::API,
    // It is called `reference`.
    &openapi::API,
    &watches::API,
];

/// The router of all APIs.
pub(crate) fn router(server: &Arc<Server>) -> Router {
    router_of(APIS, server)
}

fn router_of(apis: &'static [&'static Api], server: &Arc<Server>) -> Router {
    let mut router = Router::new();
    for api in apis {
        for endpoint in api.endpoints {
            let place = guard::Place { server: Arc::clone(server), api, endpoint };
            let mut route = (endpoint.route)()
                .route_layer(CatchPanicLayer::custom(move |panic: Box<dyn std::any::Any + Send>| {
                    observe::panicked(api, &*panic)
                }))
                .route_layer(from_fn(move |request, next| guard::guard(place.clone(), request, next)));
            if api.front.compresses {
                route = route.route_layer(CompressionLayer::new());
            }
            router = router.route(endpoint.path, route);
        }
    }
    router
        .fallback(async || {
            nothing(StatusCode::NOT_FOUND, "there is no such path; `/docs` lists those that there are")
        })
        .method_not_allowed_fallback(async || {
            nothing(StatusCode::METHOD_NOT_ALLOWED, "the path is not asked for with this method; see `/docs`")
        })
        // The guard holds bodies to our own limit, and says so in the words of the API.
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::clone(server))
}

fn nothing(status: StatusCode, message: &str) -> Response<Body> {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{message}\n")).into_response()
}

#[cfg(test)]
mod tests;
