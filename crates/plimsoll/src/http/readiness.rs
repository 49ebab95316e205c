//! Whether the server can answer at all: before its store is open and while it ends, only what is always there is
//! answered.

use plimsoll_core::scan::Reason;

use super::Refusal;
use super::endpoint::Endpoint;
use crate::server::Server;

/// Refuses while the server is not ready, unless the endpoint is always there.
pub(super) fn check(server: &Server, endpoint: &Endpoint) -> Result<(), Refusal> {
    match server.lifecycle.not_ready() {
        Some(reason) if !endpoint.is_always_there => Err(not_ready(reason)),
        _ => Ok(()),
    }
}

/// The server ends while somebody still waits.
pub(super) fn ending() -> Refusal {
    not_ready(Reason::Ending)
}

fn not_ready(reason: Reason) -> Refusal {
    let what = match reason {
        Reason::Migrating => "it brings its store to the form of this version",
        Reason::Ending => "it ends, and another replica or its successor answers",
        _ => "it is starting",
    };
    Refusal::unavailable("not_ready", format!("the server is not ready ({reason}): {what}; ask again"))
}
