//! Saying no: what is wrong, before it is put into the words of an API.
//!
//! A handler's refusal becomes an empty answer that carries it; the guard before the handler finds it there and has the API
//! word it.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;

/// Why a request is not answered as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// HTTP status.
    pub(crate) status: u16,
    /// A stable word, snake_case: `not_found`, `bad_request`, `unauthorized`, `forbidden`, `not_ready`, `unavailable`,
    /// `rate_limited`, `too_large`, `internal`.
    pub(crate) code: &'static str,
    /// For people: what failed, on what, what to do. ASCII.
    pub(crate) message: String,
    /// After how many seconds to ask again, where that makes sense.
    pub(crate) retry_after: Option<u32>,
}

impl Refusal {
    /// Builds one.
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: ascii(&message.into()), retry_after: None }
    }

    /// The request cannot be understood.
    pub(crate) fn bad_request(message: impl Into<String>) -> Refusal {
        Refusal::new(400, "bad_request", message)
    }

    /// There is no such thing.
    pub(crate) fn not_found(message: impl Into<String>) -> Refusal {
        Refusal::new(404, "not_found", message)
    }

    /// Who asks is held to some repositories, and it would be done to others too.
    pub(crate) fn held_to_some() -> Refusal {
        let message = "it may be of other repositories too; ask with a token that is not held to some";
        Refusal::new(403, "forbidden", message)
    }

    /// The path is there, but not for this.
    pub(crate) fn method_not_allowed() -> Refusal {
        Refusal::new(405, "method_not_allowed", "the method is not allowed here; see the `Allow` header")
    }

    /// HTTP status.
    pub(crate) fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The store could not be asked, or the server is not there yet.
    pub(crate) fn unavailable(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { retry_after: Some(5), ..Refusal::new(503, code, message) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let mut response = self.status_code().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Clients decode error bodies as ASCII and fail on anything else.
fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' }).collect()
}

impl From<plimsoll_store::StoreError> for Refusal {
    fn from(error: plimsoll_store::StoreError) -> Refusal {
        if error.is_transient() {
            return Refusal::unavailable("unavailable", error.to_string());
        }
        Refusal::new(500, "internal", error.to_string())
    }
}
