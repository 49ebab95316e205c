//! Plimsoll's own API: asking for scans and clearances, where they stand, what was found, what happens.
//!
//! Errors are problem documents (RFC 9457).

use axum::body::Body;
use axum::http::{Response, header};
use axum::response::IntoResponse as _;
use serde_json::json;

use super::endpoint::{Endpoint, Payload, schema_of};
use super::{Api, Cookies, Front, Refusal};

pub(crate) mod clearances;
mod deliveries;
pub(crate) mod events;
mod query;
mod records;
mod reports;
mod scans;
mod verdict;
pub(crate) mod wire;

/// The row.
pub(super) static API: Api = Api {
    name: "api-v1",
    about: "Plimsoll's own API: asking for scans and clearances, where they stand, what was found, what happens.",
    endpoints: ENDPOINTS,
    refuse,
    front: Front {
        refusal: Some(Payload {
            media_types: &["application/problem+json"],
            schema: schema_of::<wire::Problem>,
        }),
        // The page follows events and hands out reports.
        cookies: Cookies::Reads,
        ..Front::USUAL
    },
};

static ENDPOINTS: &[Endpoint] = &[
    scans::SUBMIT,
    scans::GET,
    scans::LIST,
    scans::CANCEL,
    scans::FORGET,
    reports::REPORT,
    verdict::VERDICT,
    clearances::ASK,
    clearances::GET,
    clearances::LIST,
    clearances::HISTORY,
    records::GET,
    records::CHECK,
    events::EVENTS,
    deliveries::LIST,
    deliveries::REPLAY,
];

/// A problem document.
pub(super) fn refuse(refusal: &Refusal) -> Response<Body> {
    let status = refusal.status_code();
    let problem = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": refusal.status,
        "code": refusal.code,
        "detail": refusal.message,
    });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], problem.to_string()).into_response()
}
