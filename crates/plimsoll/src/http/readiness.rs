//! Whether the server can answer at all: before its store is open and while it ends, only what is always there is
//! answered.

use plimsoll_core::scan::Reason;

use super::Refusal;
use super::endpoint::Endpoint;
use crate::server::Server;

/// Refuses while the server is not ready, unless the endpoint is always there.
pub(super) fn check(server: &Server, endpoint: &Endpoint) -> Result<(), Refusal> {
    match server.lifecycle.not_ready() {
        Some(reason) if !endpoint.is_always_there => Err(not_ready(reason, server.lifecycle.hindrance())),
        _ => Ok(()),
    }
}

/// The server ends while somebody still waits.
pub(super) fn ending() -> Refusal {
    not_ready(Reason::Ending, None)
}

fn not_ready(reason: Reason, hindrance: Option<String>) -> Refusal {
    let what = match (reason, hindrance) {
        (Reason::Migrating, Some(hindrance)) => format!("its store cannot be opened yet: {hindrance}"),
        (Reason::Migrating, None) => "it brings its store to the form of this version".to_owned(),
        (Reason::Ending, _) => "it ends, and another replica or its successor answers".to_owned(),
        _ => "it is starting".to_owned(),
    };
    Refusal::unavailable("not_ready", format!("the server is not ready ({reason}): {what}; ask again"))
}
