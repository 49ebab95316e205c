//! Webhooks of registries.
//!
//! The binary is no library; what reads webhooks uses nothing else of it, and is read here as it stands there.

// What people read of a row is of no use here.
#[allow(dead_code)]
#[path = "../../crates/plimsoll/src/http/hooks"]
mod read {
    pub(crate) mod kinds;
}

use read::kinds::{self, EVENTS_MAX};

/// The name of a kind, a line, and a body. What is read keeps to its limits, and reads the same again.
pub fn hooks(data: &[u8]) {
    let Some(at) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (name, body) = (&data[..at], &data[at + 1..]);
    let Some(kind) = std::str::from_utf8(name).ok().and_then(kinds::by_name) else { return };
    let events = kinds::read(kind, body);
    if let Ok(events) = &events {
        assert!(events.events.len() <= EVENTS_MAX);
        assert!(events.events.iter().all(|event| !event.names.is_empty()));
    }
    assert_eq!(events, kinds::read(kind, body));
}
