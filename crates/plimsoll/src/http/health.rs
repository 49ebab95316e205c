//! Whether the server lives and is ready, and what it counts: for whoever starts it, sends it traffic and watches it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use super::endpoint::{Access, Answer, Endpoint, Method, Payload, schema_of};
use super::{Api, Front, Refusal};
use crate::server::Server;

mod checks;
mod metrics;

use checks::Readiness;

/// What Prometheus asks for.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The row.
pub(super) static API: Api = Api {
    name: "health",
    about: "Whether the server lives and is ready, and what it counts.",
    endpoints: &[
        Endpoint {
            about: "Whether the process answers at all.",
            answers: &[Answer { status: 200, about: "It does.", headers: &[], payload: Some(TEXT) }],
            ..row("/healthz", "getHealth", || get(async || "ok\n"))
        },
        Endpoint {
            about: "Whether the server can do its work, and what keeps it from doing so or soon may.",
            answers: &[
                Answer {
                    status: 200,
                    about: "It can; there may be warnings.",
                    headers: &[],
                    payload: Some(READINESS),
                },
                Answer {
                    status: 503,
                    about: "It cannot; a check says why.",
                    headers: &[],
                    payload: Some(READINESS),
                },
            ],
            ..row("/readyz", "getReadiness", || get(ready))
        },
        Endpoint {
            about: "What the server counts, in OpenMetrics' text format, for Prometheus.",
            access: Access::Metrics,
            answers: &[Answer {
                status: 200,
                about: "All metrics.",
                headers: &[],
                payload: Some(Payload {
                    media_types: &["application/openmetrics-text"],
                    schema: schema_of::<String>,
                }),
            }],
            ..row("/metrics", "getMetrics", || get(measured))
        },
    ],
    refuse,
    front: Front { refusal: Some(TEXT), ..Front::USUAL },
};

const TEXT: Payload = Payload { media_types: &["text/plain"], schema: schema_of::<String> };

const READINESS: Payload = Payload { media_types: &["application/json"], schema: schema_of::<Readiness> };

/// What the rows here have in common.
const fn row(
    path: &'static str,
    id: &'static str,
    route: fn() -> axum::routing::MethodRouter<Arc<Server>>,
) -> Endpoint {
    Endpoint {
        method: Method::Get,
        path,
        id,
        about: "",
        access: Access::Public,
        is_always_there: true,
        parameters: &[],
        body: None,
        answers: &[],
        route,
    }
}

async fn ready(State(server): State<Arc<Server>>) -> Response<Body> {
    let readiness = checks::look(&server).await;
    let status = if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, axum::Json(readiness)).into_response()
}

async fn measured(State(server): State<Arc<Server>>) -> Result<impl IntoResponse, Refusal> {
    let text = server.blocking(metrics::text).await?;
    Ok(([(header::CONTENT_TYPE, OPENMETRICS)], text))
}

/// The form of the health API: one line of text.
pub(super) fn refuse(refusal: &Refusal) -> Response<Body> {
    (
        refusal.status_code(),
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        format!("{}\n", refusal.message),
    )
        .into_response()
}

#[cfg(test)]
mod tests;
