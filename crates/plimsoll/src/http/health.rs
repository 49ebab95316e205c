//! Whether the server lives and is ready, for whoever starts it and sends it traffic.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse as _;
use axum::routing::get;

use super::endpoint::{Access, Answer, Endpoint, Method};
use super::{Api, Refusal};
use crate::server::Server;

/// The row.
pub(super) static API: Api = Api {
    name: "health",
    about: "Whether the server lives and is ready.",
    endpoints: &[Endpoint {
        method: Method::Get,
        path: "/healthz",
        id: "getHealth",
        about: "Whether the process answers at all.",
        access: Access::Public,
        is_always_there: true,
        parameters: &[],
        body: None,
        answers: &[Answer { status: 200, about: "It does.", headers: &[], payload: None }],
        route: || get(health),
    }],
    refuse,
};

async fn health(State(_server): State<Arc<Server>>) -> &'static str {
    "ok\n"
}

fn refuse(refusal: &Refusal) -> Response<Body> {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{}\n", refusal.message))
        .into_response()
}
