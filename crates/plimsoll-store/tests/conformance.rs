//! What the store promises, on both engines: every scenario of the lists gets an empty store of its own.
//!
//! SQLite is the first tier; PostgreSQL, on a server that is started for it, the second.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "conformance/claims.rs"]
mod claims;
#[path = "conformance/events.rs"]
mod events;
#[path = "conformance/hearings.rs"]
mod hearings;
#[path = "conformance/inventories.rs"]
mod inventories;
#[path = "conformance/outbox.rs"]
mod outbox;
#[path = "support/postgres.rs"]
#[allow(dead_code, reason = "not all tests stop their server")]
mod postgres;
#[path = "conformance/records.rs"]
mod records;
#[path = "conformance/rest.rs"]
mod rest;
#[path = "conformance/scans.rs"]
mod scans;
#[path = "support/scenes.rs"]
#[allow(dead_code, reason = "each test needs a part of it")]
mod scenes;

use plimsoll_store::Store;

/// A scenario. It is given a place, so that it can open the store as often as it likes.
struct Scenario {
    name: &'static str,
    run: fn(&Store, &str),
}

/// A list of scenarios from functions of these names.
macro_rules! scenarios {
    ($($name:ident,)*) => {
        pub(crate) static SCENARIOS: &[crate::Scenario] =
            &[$(crate::Scenario { name: stringify!($name), run: $name },)*];
    };
}
use scenarios;

fn all() -> impl Iterator<Item = &'static Scenario> {
    [
        scans::SCENARIOS,
        claims::SCENARIOS,
        events::SCENARIOS,
        hearings::SCENARIOS,
        inventories::SCENARIOS,
        outbox::SCENARIOS,
        records::SCENARIOS,
        rest::SCENARIOS,
    ]
    .into_iter()
    .flatten()
}

fn run(scenario: &Scenario, place: &str) {
    println!("{} on {place}", scenario.name);
    let store = Store::open(place).expect("it opens");
    (scenario.run)(&store, place);
}

#[test]
fn sqlite_keeps_what_is_promised() {
    let folder = tempfile::tempdir().expect("a folder is made");
    for scenario in all() {
        let place = folder.path().join(format!("{}.db", scenario.name));
        run(scenario, place.to_str().expect("it is UTF-8"));
    }
}

#[test]
fn postgresql_keeps_what_is_promised() {
    let Some(server) = postgres::server() else { return };
    for scenario in all() {
        run(scenario, &server.database());
    }
}
