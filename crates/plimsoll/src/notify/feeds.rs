//! Feeds that become late and recover, as events: once each, however many replicas there are. One of them looks, as long
//! as it lives: each may have feeds of its own, and what they see in turns is no news.
//!
//! What is late is what the warnings call late (`warnings/late.rs`). What was said of it is a setting of the store, which
//! moves in one transaction with the events.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_store::{EventKind, NewEvent, Step, Store, StoreError};

use super::topics::FeedChange;
use crate::config::Config;
use crate::server::Server;
use crate::server::duty::Duty;
use crate::standings::statuses;
use crate::warnings::late::{LateFeed, Watched, late};
use crate::warnings::memory::{Digest, Memory, Recovered};

/// The setting that remembers what was said.
const SETTING: &str = "late_feeds";

/// As whom the memory knows those who hear events.
const CHANNEL: &str = "events";

/// The duty of looking, which is kept between looks.
pub(crate) fn duty() -> Duty {
    Duty::new("feeds", Duration::from_secs(10 * 60))
}

/// Looks where that is this replica's duty; `None` where it is another's.
pub(crate) fn watch_alone(
    server: &Server,
    store: &Store,
    duty: &mut Duty,
) -> Result<Option<usize>, StoreError> {
    if !duty.has(server, store)? {
        return Ok(None);
    }
    watch(store, &server.config, &server.data_dir, (server.now)()).map(Some)
}

/// Looks at all feeds and notes an event for each that became late or recovered since the last look; returns how many.
fn watch(store: &Store, config: &Config, data_dir: &Path, now: Timestamp) -> Result<usize, StoreError> {
    let statuses = statuses(config, data_dir, now);
    let watched: Vec<Watched<'_>> = statuses
        .iter()
        .filter_map(|status| Some(Watched { status, every: config.every(status.name)? }))
        .collect();
    let before = store.setting(SETTING)?;
    let (memory, events) = look(before.as_deref(), &watched, now);
    let after = serde_json::to_string(&memory).expect("plain structs with text keys are JSON");
    if before.as_deref() == Some(after.as_str()) {
        return Ok(0);
    }
    let step =
        Step { setting: SETTING, before: before.as_deref(), after: &after, events: &events, judged: &[] };
    // Whoever was faster has said it.
    Ok(if store.take_step(&step, now)? { events.len() } else { 0 })
}

/// What is remembered and what is said now.
fn look(before: Option<&str>, watched: &[Watched<'_>], now: Timestamp) -> (Memory, Vec<NewEvent>) {
    let memory: Option<Memory> = before.and_then(|text| serde_json::from_str(text).ok());
    let mut memory = memory.filter(Memory::is_understood).unwrap_or_default();
    memory.observe(watched, now);
    let late = late(watched, &memory, now);
    let recovered = memory.to_tell(CHANNEL, &late, watched, now).unwrap_or_default().recovered;
    let new: Vec<&LateFeed> = late.iter().filter(|feed| !memory.knows(CHANNEL, &feed.name)).collect();
    let mut events: Vec<NewEvent> = new.into_iter().map(|feed| late_event(feed, now)).collect();
    events.extend(recovered.iter().map(recovered_event));
    if !events.is_empty() {
        memory.was_told(CHANNEL, &Digest { late, recovered }, now);
    }
    (memory, events)
}

fn late_event(feed: &LateFeed, now: Timestamp) -> NewEvent {
    let why = serde_json::to_value(feed.why).ok().and_then(|why| why.as_str().map(str::to_owned));
    let change = FeedChange {
        state: "late".to_owned(),
        title: feed.title.clone(),
        why,
        age_days: feed.age_days,
        max_age_days: Some(feed.max_age_days),
        since: Some(now.to_string()),
        error: feed.error.clone(),
    };
    event(&feed.name, &change)
}

fn recovered_event(feed: &Recovered) -> NewEvent {
    let change = FeedChange {
        state: "recovered".to_owned(),
        title: feed.title.clone(),
        age_days: feed.age_days,
        since: Some(feed.late_since.clone()),
        ..FeedChange::default()
    };
    event(&feed.name, &change)
}

fn event(name: &str, change: &FeedChange) -> NewEvent {
    NewEvent {
        kind: EventKind::FeedChanged,
        subject: name.to_owned(),
        body: serde_json::to_string(change).expect("plain structs with text keys are JSON"),
    }
}

#[cfg(test)]
mod tests;
