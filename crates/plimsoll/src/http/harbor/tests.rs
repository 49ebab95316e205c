//! Harbor's API as Harbor sees it.

#[path = "../../../tests/support/harbor.rs"]
mod client;
mod routes;
#[allow(dead_code)]
#[path = "../../../../plimsoll-report/tests/samples/mod.rs"]
mod samples;
mod written;
