//! What Clair says of its API, and what it says to robots, which is said for all APIs at once.

use std::sync::{Arc, LazyLock};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use plimsoll_core::digest::hex;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::negotiation::{has, media_type, negotiated_first};
use super::{IF_NONE_MATCH, NOT_ACCEPTABLE, Refusal, etag, header_value};
use crate::http::endpoint::{Access, Answer, Endpoint, Method, Payload, schema_of};
use crate::http::openapi::document;
use crate::server::Server;

/// What the document is offered as. JSON is YAML, so that the same bytes are both.
const OPENAPI_TYPES: &[&str] = &[
    "application/openapi+json",
    "application/json",
    "application/vnd.oai.openapi+json",
    "application/openapi+yaml",
    "application/yaml",
    "application/vnd.oai.openapi+yaml",
];

pub(super) const OPENAPI: Endpoint = Endpoint {
    method: Method::Get,
    path: "/openapi/v1",
    id: "clairGetOpenApi",
    about: "The OpenAPI document of Clair's API.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[IF_NONE_MATCH],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "The document.",
            headers: &[("ETag", "Another one when the document is.")],
            payload: Some(Payload { media_types: OPENAPI_TYPES, schema: schema_of::<Value> }),
        },
        Answer { status: 304, about: "It is what `If-None-Match` says.", headers: &[], payload: None },
        super::BAD_REQUEST,
        NOT_ACCEPTABLE,
    ],
    route: || negotiated_first(get(openapi)),
};

pub(super) const ROBOTS: Endpoint = Endpoint {
    method: Method::Get,
    path: "/robots.txt",
    id: "getRobots",
    about: "Asks robots to stay away.",
    access: Access::Public,
    is_always_there: true,
    parameters: &[],
    body: None,
    answers: &[Answer {
        status: 200,
        about: "They are to stay away.",
        headers: &[],
        payload: Some(Payload { media_types: &["text/plain; charset=utf-8"], schema: schema_of::<String> }),
    }],
    route: || get(robots),
};

/// The document of this API alone, and its validator.
static DOCUMENT: LazyLock<(String, String)> = LazyLock::new(|| {
    let body = document(&[&super::API]).to_string();
    let etag = etag(&hex(&Sha256::digest(&body)));
    (body, etag)
});

async fn openapi(State(_server): State<Arc<Server>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let media_type = media_type(&headers, OPENAPI_TYPES)?;
    let (body, etag) = &*DOCUMENT;
    if has(&headers, etag) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let headers = [(header::CONTENT_TYPE, header_value(media_type)), (header::ETAG, header_value(etag))];
    Ok((headers, body.as_str()).into_response())
}

async fn robots() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-store")];
    (headers, "User-agent: *\nDisallow: /\n").into_response()
}
