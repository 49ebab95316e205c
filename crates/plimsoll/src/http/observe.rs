//! Each request in the log and in the metrics: which endpoint, who asked, how it was answered, how long it took.
//!
//! Neither the path nor the query is written down, nor any header: they may hold what lets somebody in. What stands there
//! is the endpoint's own path, `/api/v1/scans/{id}`.

use std::any::Any;
use std::net::IpAddr;
use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;

use super::guard::{Place, refuse};
use super::limits::client_address;
use super::{Api, Refusal};
use crate::access::Principal;

/// A request that is being answered.
pub(super) struct Noted {
    id: &'static str,
    path: &'static str,
    address: Option<IpAddr>,
    begun: Instant,
    span: tracing::Span,
}

impl Noted {
    pub(super) fn begin(place: &Place, request: &Request) -> Noted {
        let (id, path) = (place.endpoint.id, place.endpoint.path);
        let address = client_address(request, &place.server.config.server.limits.trusted_proxies);
        let span = tracing::info_span!(
            target: "plimsoll::request",
            "request",
            otel.kind = "server",
            endpoint = id,
            http.route = path,
            http.request.method = request.method().as_str(),
            http.response.status_code = tracing::field::Empty,
            user.name = tracing::field::Empty,
        );
        Noted { id, path, address, begun: Instant::now(), span }
    }

    pub(super) fn span(&self) -> tracing::Span {
        self.span.clone()
    }

    pub(super) fn end(self, place: &Place, who: Option<&Principal>, answer: &Response<Body>) {
        let status = answer.status().as_u16();
        let seconds = self.begun.elapsed().as_secs_f64();
        let who = who.map_or("", |who| who.name.as_str());
        place.server.metrics.request(self.id, status, seconds);
        self.span.record("http.response.status_code", status);
        self.span.record("user.name", who);
        let address = self.address.map(|address| address.to_string()).unwrap_or_default();
        let (id, path) = (self.id, self.path);
        let milliseconds = (seconds * 1e6).round() / 1e3;
        // Whoever asks every few seconds whether the server lives would fill the log.
        if place.endpoint.is_always_there && status < 500 {
            tracing::debug!(target: "plimsoll::request", id, path, status, milliseconds, who, address, "answered");
        } else if status >= 500 {
            tracing::warn!(target: "plimsoll::request", id, path, status, milliseconds, who, address, "answered");
        } else {
            tracing::info!(target: "plimsoll::request", id, path, status, milliseconds, who, address, "answered");
        }
    }
}

/// What is answered where a handler panics. The text of the panic goes to the log alone.
pub(super) fn panicked(api: &Api, panic: &(dyn Any + Send)) -> Response<Body> {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(target: "plimsoll::request", "a handler panicked, which is a mistake in plimsoll: {text}");
    refuse(api, &Refusal::new(500, "internal", "a mistake in plimsoll; the log says more"))
}
