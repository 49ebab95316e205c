//! Watching registries: what they have is looked at from time to time, and what is new is scanned.
//!
//! Each watch has a thread of its own on each replica, so that a registry that stalls holds up nobody else; the replica
//! that has the watch's duty looks. How it goes is a state in the store, that the next holder goes on from.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_store::{Store, StoreError};

use crate::config::WatchConfig;
use crate::server::Server;
use poll::{Broken, Polled, poll};
use state::PROBLEMS_MAX;
use timing::next_poll;

pub(crate) mod patterns;
mod plan;
mod poll;
mod state;
mod timing;

pub(crate) use state::WatchState;

/// How often it is looked whether a watch is due.
const LOOK: Duration = Duration::from_secs(5);

/// How long a replica may stay with one repository before another may begin the whole look anew.
const DUTY_SECONDS: i64 = 30 * 60;

/// Starts a thread for each watch. They are not waited for: each may be in the middle of a question, and ending that needs
/// no care.
pub(crate) fn start(server: &Arc<Server>) -> io::Result<()> {
    for name in server.config.watch.keys() {
        let (of_thread, name) = (Arc::clone(server), name.clone());
        thread::Builder::new().name(format!("watch {name}")).spawn(move || {
            let server = of_thread;
            while !server.lifecycle.is_ending() {
                if let Some(watch) = server.config.watch.get(&name)
                    && let Ok(store) = server.store()
                    && let Err(error) = look_if_due(&server, store, &name, watch)
                {
                    tracing::warn!(watch = %name, error = %error, "the store did not answer; it is tried again");
                }
                thread::sleep(LOOK);
            }
        })?;
    }
    Ok(())
}

/// Looks at the registry where that is due and this replica's duty. Whether it did.
fn look_if_due(server: &Server, store: &Store, name: &str, watch: &WatchConfig) -> Result<bool, StoreError> {
    let begun = (server.now)();
    if !WatchState::read(store, name)?.is_due(begun) {
        return Ok(false);
    }
    let duty = format!("watch {name}");
    let take = || {
        let now = (server.now)();
        let until = now.checked_add(SignedDuration::from_secs(DUTY_SECONDS)).unwrap_or(Timestamp::MAX);
        store.take_duty(&duty, &server.replica, until, now)
    };
    if !take()? {
        return Ok(false);
    }
    // Another replica may have looked since.
    let before = WatchState::read(store, name)?;
    if !before.is_due(begun) {
        return Ok(false);
    }
    let keeps = || !server.lifecycle.is_ending() && take().unwrap_or(false);
    let polled = poll(server, store, watch, &keeps);
    // Whoever looks by now also says how that went.
    if server.lifecycle.is_ending() || !take()? {
        return Ok(false);
    }
    let after = after(name, watch, before, polled, begun);
    match &after.last_error {
        Some(error) => {
            tracing::warn!(watch = %name, error = %error, failures = after.failures, "not looked at")
        }
        None => tracing::info!(
            watch = %name, repositories = after.repositories, tags = after.tags, submitted = after.submitted,
            problems = after.problems.len(), "looked at"
        ),
    }
    after.write(store, name)?;
    Ok(true)
}

/// The state after a look.
fn after(
    name: &str,
    watch: &WatchConfig,
    before: WatchState,
    polled: Result<Polled, Broken>,
    begun: Timestamp,
) -> WatchState {
    let mut state = WatchState { last_poll: Some(begun.to_string()), ..before };
    let mut wait = None;
    match polled {
        Ok(polled) => {
            state.last_success = Some(begun.to_string());
            state.last_error = None;
            state.failures = 0;
            (state.repositories, state.tags, state.submitted) =
                (polled.repositories, polled.tags, polled.submitted);
            state.more_problems = polled.problems.len().saturating_sub(PROBLEMS_MAX) as u64;
            state.problems = polled.problems.into_iter().take(PROBLEMS_MAX).collect();
        }
        Err(broken) => {
            state.failures = state.failures.saturating_add(1);
            state.last_error = Some(broken.why);
            wait = broken.wait;
        }
    }
    state.next_poll = Some(next_poll(name, watch.every.0, begun, state.failures, wait).to_string());
    state
}

#[cfg(test)]
mod tests;
