//! Which feeds are late. A feed that is on is late where
//!
//! - its data is older than its warning period (`max_age`), or
//! - fetching it has failed for longer than the time after which it is fetched anew (`every`, else the feed's
//!   own cadence): a single failure is none, since the next attempt may mend it, or
//! - it has been seen without any data for longer than that time.
//!
//! A feed that is off is never late.

use std::time::Duration;

use jiff::Timestamp;
use plimsoll_feeds::status::{FeedState, FeedStatus};
use serde::Serialize;

use super::memory::Memory;
use super::message::clean;

/// A feed that may be late.
#[derive(Debug)]
pub(crate) struct Watched<'a> {
    /// How it stands.
    pub(crate) status: &'a FeedStatus,
    /// How often it is fetched.
    pub(crate) every: Duration,
}

/// Why a feed is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Why {
    /// Its data is too old.
    Stale,
    /// Fetching it fails.
    Failing,
    /// It was never fetched.
    NotLoaded,
    /// It was fetched and is not in the database.
    NotBuilt,
}

/// A feed that is late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LateFeed {
    /// Its name.
    pub(crate) name: String,
    /// Its name for people.
    pub(crate) title: String,
    /// Why it is late; the first of the reasons above that holds.
    pub(crate) why: Why,
    /// Age of its data.
    pub(crate) age_days: Option<i64>,
    /// Age above which it is late.
    pub(crate) max_age_days: u32,
    /// The date that the data states, RFC 3339.
    pub(crate) data_date: Option<String>,
    /// Since when fetching it fails, RFC 3339.
    pub(crate) failing_since: Option<String>,
    /// How many attempts in a row have failed.
    pub(crate) failures: u32,
    /// Why the last attempt failed.
    pub(crate) error: Option<String>,
}

/// The late ones of some feeds, sorted by name.
pub(crate) fn late(watched: &[Watched<'_>], memory: &Memory, now: Timestamp) -> Vec<LateFeed> {
    let mut late: Vec<LateFeed> =
        watched.iter().filter_map(|feed| Some(of(feed.status, why(feed, memory, now)?))).collect();
    late.sort_by(|a, b| a.name.cmp(&b.name));
    late
}

/// Whether a feed is there to be used. One that is not is late after a while.
pub(super) fn is_missing(status: &FeedStatus) -> bool {
    status.is_enabled && !status.is_in_database
}

fn why(feed: &Watched<'_>, memory: &Memory, now: Timestamp) -> Option<Why> {
    let Watched { status, every } = feed;
    let is_long = |since: Option<&str>| {
        let since = since.and_then(|since| since.parse::<Timestamp>().ok());
        since.is_some_and(|since| now.duration_since(since).unsigned_abs() > *every && since < now)
    };
    match status.state() {
        FeedState::Off => None,
        _ if status.is_stale() => Some(Why::Stale),
        _ if is_long(status.failing_since.as_deref()) => Some(Why::Failing),
        _ if is_missing(status) && is_long(memory.missing_since(status.name)) => {
            Some(if status.has_snapshot { Why::NotBuilt } else { Why::NotLoaded })
        }
        _ => None,
    }
}

fn of(status: &FeedStatus, why: Why) -> LateFeed {
    LateFeed {
        name: status.name.to_owned(),
        title: status.title.to_owned(),
        why,
        age_days: status.age_days,
        max_age_days: status.max_age_days,
        data_date: status.data_date.clone(),
        failing_since: status.failing_since.clone(),
        failures: status.failures,
        error: status.error.as_deref().map(clean),
    }
}
