//! Quay's own security endpoint, for whatever asks a registry how secure an image is: the container security operator,
//! dashboards, scripts that know Quay.
//!
//! What surprises: a status of Quay's is one of five words, and its pages break at any other. Where a scan really stands
//! is said beside it, under `scan`, which Quay's clients ignore.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::json;

use super::endpoint::{Endpoint, Payload, schema_of};
use super::{Api, Front, Refusal};
use crate::server::Server;

mod capabilities;
mod features;
mod security;
mod standing;
#[cfg(test)]
mod tests;

/// The row.
pub(super) static API: Api = Api {
    name: "quay",
    about: "Quay's own API of how secure an image is.",
    endpoints: ENDPOINTS,
    refuse,
    front: Front {
        refusal: Some(Payload { media_types: JSON, schema: schema_of::<Problem> }),
        ..Front::USUAL
    },
};

static ENDPOINTS: &[Endpoint] = &[security::SECURITY, capabilities::CAPABILITIES];

const JSON: &[&str] = &["application/json"];

/// An error in Quay's shape.
#[derive(Serialize, schemars::JsonSchema)]
struct Problem {
    /// What failed.
    detail: String,
    /// The same.
    error_message: String,
    /// `invalid_token`, `insufficient_scope`, `not_found`, `invalid_request` or `downstream_issue`.
    error_type: &'static str,
    /// The same as `error_type`.
    title: &'static str,
    /// Where it would be explained.
    #[serde(rename = "type")]
    kind: String,
    /// HTTP status.
    status: u16,
}

const PROBLEM: Option<Payload> = Some(Payload { media_types: JSON, schema: schema_of::<Problem> });

/// Quay's status for a scanner that cannot be asked.
const DOWNSTREAM: u16 = 520;

/// An error as Quay words it.
fn refuse(refusal: &Refusal) -> Response<Body> {
    let (status, error_type) = match refusal.status {
        401 => (401, "invalid_token"),
        403 => (403, "insufficient_scope"),
        404 => (404, "not_found"),
        status if status >= 500 => (DOWNSTREAM, "downstream_issue"),
        status => (status, "invalid_request"),
    };
    let problem = Problem {
        detail: refusal.message.clone(),
        error_message: refusal.message.clone(),
        error_type,
        title: error_type,
        kind: format!("/api/error/{error_type}"),
        status,
    };
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (code, [(header::CONTENT_TYPE, "application/json")], json!(problem).to_string()).into_response()
}

async fn method_not_allowed() -> Response<Body> {
    refuse(&Refusal::method_not_allowed())
}

/// How clients reach this server.
fn base_url(server: &Server) -> String {
    let config = &server.config.server;
    let url = config.url.clone().unwrap_or_else(|| format!("http://{}", config.listen));
    url.trim_end_matches('/').to_owned()
}

/// What handles a path.
type Routes = axum::routing::MethodRouter<Arc<Server>>;
