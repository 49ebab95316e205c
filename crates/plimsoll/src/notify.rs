//! Telling others what happened: events become deliveries, deliveries are handed over.
//!
//! One replica at a time follows the events (`follow.rs`) and notes for each target of the configuration what it is to
//! be told; what a target wants is decided in `wants.rs`, and its kind, a row in `kinds/`, says in which words. A thread
//! a target hands its deliveries over (`hand_over.rs`), so that one that hangs, refuses or is gone delays no other; each
//! delivery is tried again after longer and longer waits until it is given up (`backoff.rs`), and a queue has an end (`queues.rs`). All of that is in the
//! store, where it can be seen and had once more.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use plimsoll_net::Settings;
use plimsoll_store::{Store, StoreError};

pub(crate) mod backoff;
pub(crate) mod cloudevents;
mod digest;
pub(crate) mod feeds;
pub(crate) mod follow;
pub(crate) mod hand_over;
mod items;
pub(crate) mod kinds;
mod posting;
pub(crate) mod queues;
pub(crate) mod severity;
pub(crate) mod topics;
pub(crate) mod wants;

use crate::config::Config;
use crate::server::Server;
use crate::server::duty::Duty;
use crate::server::metrics::DeliveryResult;
use kinds::{Around, Target};
use queues::Looks;

/// How long a duty is taken for.
const DUTY: Duration = Duration::from_secs(60);

/// Longest wait for events, and for deliveries that other replicas note.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Wait after the store could not be asked.
const ERROR_WAIT: Duration = Duration::from_secs(5);

/// Longest time without a look at whether the server ends.
const LOOK: Duration = Duration::from_millis(200);

/// Makes all targets ready that are configured. An error is the configuration's.
pub(crate) fn open(config: &Config, net: &Settings) -> anyhow::Result<Vec<Target>> {
    let server_url = config.server.url.clone().unwrap_or_else(|| format!("http://{}", config.server.listen));
    let host = crate::warnings::host();
    let targets = config.notify.iter().map(|(name, target)| {
        let around = Around { name, net, server_url: server_url.trim_end_matches('/'), host: &host };
        kinds::open(target, &around).with_context(|| format!("in `[notify.{name}]`"))
    });
    targets.collect()
}

/// Starts to tell all targets; the threads end when the server does. Without targets there is nothing to start.
pub(crate) fn start(server: &Arc<Server>, targets: Vec<Target>) -> io::Result<Vec<JoinHandle<()>>> {
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let targets: Arc<[Target]> = targets.into();
    let mut threads = Vec::with_capacity(targets.len() + 1);
    let (of, all) = (Arc::clone(server), Arc::clone(&targets));
    let named = |name: String| thread::Builder::new().name(name);
    threads.push(named("notify".to_owned()).spawn(move || follow(&of, &all))?);
    for at in 0..targets.len() {
        let (of, all) = (Arc::clone(server), Arc::clone(&targets));
        threads.push(named(format!("notify-{at}")).spawn(move || {
            if let Some(target) = all.get(at) {
                tell(&of, target);
            }
        })?);
    }
    Ok(threads)
}

/// Follows events as long as the server runs.
fn follow(server: &Server, targets: &[Target]) {
    while !server.lifecycle.is_ending() {
        let Ok(store) = server.store() else {
            wait(server, LOOK);
            continue;
        };
        if let Err(error) = follow_a_while(server, store, targets) {
            tracing::warn!("cannot follow events: {error}");
            wait(server, ERROR_WAIT);
        }
    }
}

fn follow_a_while(server: &Server, store: &Store, targets: &[Target]) -> Result<(), StoreError> {
    let since = follow::since(store, targets)?;
    let (mut duty, mut looks) = (Duty::new(follow::NAME, DUTY), Looks::default());
    while !server.lifecycle.is_ending() {
        if !duty.has(server, store)? {
            wait(server, WAIT_MAX);
            continue;
        }
        let now = (server.now)();
        if looks.is_due(now) {
            for (target, count) in queues::hold_others(store, targets, now)? {
                server.metrics.delivered(&target, DeliveryResult::Dropped, count);
            }
        }
        let followed = follow::step(store, targets, &since, WAIT_MAX, server.now)?;
        if followed.refused > 0 {
            tracing::error!(
                count = followed.refused,
                "events are not understood, and nobody is told of them"
            );
        }
        if followed.too_old > 0 {
            tracing::warn!(count = followed.too_old, "events are too old to tell anybody of them");
        }
    }
    Ok(())
}

/// Hands deliveries of a target over as long as the server runs.
fn tell(server: &Server, target: &Target) {
    let mut duty = Duty::new(format!("{}.{}", follow::NAME, target.name), DUTY);
    let mut looks = Looks::default();
    let mut failures: u32 = 0;
    while !server.lifecycle.is_ending() {
        let Ok(store) = server.store() else {
            wait(server, LOOK);
            continue;
        };
        let mut step = || -> Result<Option<hand_over::HandedOver>, StoreError> {
            if !duty.has(server, store)? {
                return Ok(None);
            }
            let now = (server.now)();
            if looks.is_due(now) {
                let count = target.queue.hold(store, &target.name, now)?;
                server.metrics.delivered(&target.name, DeliveryResult::Dropped, count);
            }
            hand_over::step(store, target, &server.replica, server.now).map(Some)
        };
        match step() {
            Ok(Some(handed_over)) if !handed_over.is_nothing() => {
                for (result, count) in [
                    (DeliveryResult::Delivered, handed_over.delivered),
                    (DeliveryResult::Failed, handed_over.postponed),
                    (DeliveryResult::GivenUp, handed_over.dead),
                ] {
                    server.metrics.delivered(&target.name, result, count);
                }
                failures = if handed_over.postponed > 0 { failures.saturating_add(1) } else { 0 };
                let pause = backoff::pause(failures);
                // What is gathered goes once in a while.
                let gathered = target.ways.gathers.map_or(Duration::ZERO, |period| {
                    let now = (server.now)();
                    let end = backoff::end_of_period(period, now);
                    Duration::try_from(end.duration_since(now)).unwrap_or_default()
                });
                wait(server, pause.max(if failures == 0 { gathered } else { Duration::ZERO }));
            }
            Ok(_) => wait(server, WAIT_MAX / 4),
            Err(error) => {
                server.metrics.store_failed(&error);
                tracing::warn!(target = target.name, "cannot ask for deliveries: {error}");
                wait(server, ERROR_WAIT);
            }
        }
    }
}

/// Waits, and ends early where the server ends.
fn wait(server: &Server, length: Duration) {
    let mut left = length;
    while !left.is_zero() && !server.lifecycle.is_ending() {
        let some = left.min(LOOK);
        thread::sleep(some);
        left = left.saturating_sub(some);
    }
}

#[cfg(test)]
mod tests;
