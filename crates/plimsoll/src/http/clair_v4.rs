//! Clair's API, version 4, as its clients meet it: what Clair does, which is not always what its own documents say.
//!
//! Clients are Quay above all, `clairctl`, and Clair's own parts. Where this differs from Clair on purpose, a comment
//! says so: what cannot be indexed is told from what could not be indexed now, a notification that is gone is a 404,
//! nobody is told that there were too many requests, and a database that is loaded by half is not a database.

use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::MethodRouter;
use plimsoll_core::digest::Digest;
use serde::Serialize;
use serde_json::json;

use super::endpoint::{Answer, Endpoint, Parameter, Payload, schema_of};
use super::{Api, Cookies, Front, Refusal};
use crate::server::Server;

mod affected;
mod discovery;
mod indexer;
mod indexing;
mod manifest;
mod matcher;
mod negotiation;
mod notifier;
mod operations;
pub(crate) mod psk;
pub(crate) mod report;
#[cfg(test)]
mod tests;

/// The row.
pub(super) static API: Api = Api {
    name: "clair-v4",
    about: "Clair's API, version 4, for Quay and other clients of Clair.",
    endpoints: ENDPOINTS,
    refuse,
    // Quay gives an image up after five refusals, waits ten minutes for its index, and negotiates as Clair does.
    front: Front {
        limits_rate: false,
        limits_time: false,
        compresses: false,
        takes_shared_keys: true,
        cookies: Cookies::Never,
        refusal: Some(Payload { media_types: &[JSON], schema: schema_of::<Problem> }),
    },
};

static ENDPOINTS: &[Endpoint] = &[
    indexer::INDEX,
    indexer::DELETE_SEVERAL,
    indexer::REPORT,
    indexer::DELETE,
    indexer::STATE,
    affected::AFFECTED,
    affected::AFFECTED_WITH_SLASH,
    matcher::REPORT,
    matcher::OPERATIONS,
    matcher::DELETE_OPERATION,
    matcher::DIFF,
    notifier::PAGE,
    notifier::DELETE,
    discovery::OPENAPI,
    discovery::ROBOTS,
];

/// What handles a path.
type Routes = MethodRouter<Arc<Server>>;

const JSON: &str = "application/json";

/// An error in Clair's shape.
#[derive(Serialize, schemars::JsonSchema)]
struct Problem {
    /// `bad-request`, `not-found`, `method-not-allowed`, `too-many-requests` or `internal-error`.
    code: &'static str,
    /// What failed; ASCII.
    message: String,
}

const PROBLEM: Option<Payload> = Some(Payload { media_types: &[JSON], schema: schema_of::<Problem> });

const BAD_REQUEST: Answer =
    Answer { status: 400, about: "The request cannot be understood.", headers: &[], payload: PROBLEM };

const NOT_ACCEPTABLE: Answer = Answer {
    status: 415,
    about: "Nothing that is offered is accepted: no media type, or no content coding.",
    headers: &[("Accept-Encoding", "Where it is for the coding: those that are offered.")],
    payload: PROBLEM,
};

const DIGEST: Parameter = Parameter::path("digest", "A manifest's digest.", schema_of::<String>);

const IF_NONE_MATCH: Parameter = Parameter::header(
    "If-None-Match",
    "An `ETag` that is known already; the very same text counts and nothing else.",
    schema_of::<String>,
);

/// An error as Clair words it.
fn refuse(refusal: &Refusal) -> Response<Body> {
    let status = refusal.status_code();
    if status == StatusCode::UNAUTHORIZED {
        return status.into_response();
    }
    let code = match refusal.status {
        400 => "bad-request",
        404 => "not-found",
        405 => "method-not-allowed",
        429 => "too-many-requests",
        _ => "internal-error",
    };
    let body = json!({ "code": code, "message": refusal.message }).to_string();
    let headers = [(header::CONTENT_TYPE, JSON), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, headers, body).into_response()
}

async fn method_not_allowed() -> Response<Body> {
    refuse(&Refusal::method_not_allowed())
}

/// A document as JSON.
fn document(status: StatusCode, media_type: &'static str, document: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(document).expect("texts, lists and maps of texts can be written as JSON");
    (status, [(header::CONTENT_TYPE, media_type)], body).into_response()
}

/// The digest at the end of a path.
fn digest_of(path: &str) -> Result<Digest, Refusal> {
    let malformed = |what: &dyn std::fmt::Display| Refusal::bad_request(format!("malformed path: {what}"));
    let last = path.rsplit('/').next().unwrap_or_default();
    let (algorithm, digits) =
        last.split_once(':').ok_or_else(|| malformed(&"it does not end with a digest"))?;
    let text = format!("{algorithm}:{}", digits.to_ascii_lowercase());
    text.parse().map_err(|error| malformed(&error))
}

/// A validator, as `ETag` has it.
fn etag(text: &str) -> String {
    format!("\"{text}\"")
}

/// A header's value; empty where it could be none.
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

/// All of a body, up to so many bytes.
async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Refusal> {
    to_bytes(body, bytes_max).await.map_err(|_| {
        Refusal::new(413, "too_large", format!("the body breaks off, or has more than {bytes_max} bytes"))
    })
}

/// A UUID in its usual form, lower-case.
fn uuid(text: &str) -> Result<String, Refusal> {
    let is_uuid = text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if is_uuid {
        return Ok(text.to_ascii_lowercase());
    }
    Err(Refusal::bad_request("malformed path: it does not end with a UUID"))
}

/// Sets a header.
fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    headers.insert(name, header_value(value));
}
