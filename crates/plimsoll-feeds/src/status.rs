//! How the feeds of a data directory stand: what is there, how old it is, what failed.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::advisory::{Advisories, FeedRecord};

use crate::database::Database;
use crate::feeds::{FEEDS, Feed};
use crate::snapshots::{Attempts, Folder, State};
use crate::update::{database_path, snapshots_path};

/// How one feed stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedStatus {
    /// Name of the feed.
    pub name: &'static str,
    /// The URL in force.
    pub url: String,
    /// Whether there is a snapshot.
    pub has_snapshot: bool,
    /// When its data last changed here, RFC 3339.
    pub fetched_at: Option<String>,
    /// When the upstream last confirmed it, RFC 3339.
    pub checked_at: Option<String>,
    /// The date that the data itself states, RFC 3339; of the oldest namespace where they differ.
    pub data_date: Option<String>,
    /// The same by namespace, where the feed's parts age apart.
    pub namespace_dates: Vec<(String, String)>,
    /// Names of the parts that are there.
    pub present: Vec<String>,
    /// Names of the parts that the upstream does not have.
    pub absent: Vec<String>,
    /// Size of the parts.
    pub bytes: u64,
    /// Records read.
    pub records: u64,
    /// Whether the database holds the feed. The counts below are its.
    pub is_in_database: bool,
    /// Namespaces that it has data for.
    pub namespaces: Vec<String>,
    /// Records that could not be understood: reason and how many.
    pub refused: Vec<(String, u64)>,
    /// Records that do not belong in the database: reason and how many.
    pub skipped: Vec<(String, u64)>,
    /// The first refused records with their reasons.
    pub examples: Vec<String>,
    /// Since when all attempts have failed, RFC 3339.
    pub failing_since: Option<String>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    /// Whole days since the data's own date, else since it was last confirmed. `None` without a
    /// snapshot, unless the feed came with an imported database.
    pub age_days: Option<i64>,
    /// Age above which results are warned of.
    pub max_age_days: u32,
}

impl FeedStatus {
    /// Whether its data is older than it should be.
    pub fn is_stale(&self) -> bool {
        self.age_days.is_some_and(|days| days > i64::from(self.max_age_days))
    }
}

/// How the attempts to fetch a feed went, read for itself: cheap enough for every scan.
pub fn attempts(data_dir: &Path, feed: &str) -> Attempts {
    Folder::of(&snapshots_path(data_dir), feed).attempts()
}

/// How all feeds stand. `urls` replaces the feeds' own, by name. Reads only, and takes no lock.
pub fn status(data_dir: &Path, urls: &BTreeMap<String, String>, now: Timestamp) -> Vec<FeedStatus> {
    let snapshots = snapshots_path(data_dir);
    let database = Database::open(&database_path(data_dir)).ok();
    let records = database.as_ref().map_or(&[] as &[FeedRecord], |database| database.feeds());
    FEEDS
        .iter()
        .map(|feed| {
            let folder = Folder::of(&snapshots, feed.name);
            let (state, attempts) = (folder.state(), folder.attempts());
            let record = records.iter().find(|record| record.name == feed.name);
            let url = urls.get(feed.name).map_or(feed.url, String::as_str);
            of_feed(feed, url, (state, attempts), record.cloned(), now)
        })
        .collect()
}

fn of_feed(
    feed: &'static Feed,
    url: &str,
    (state, attempts): (State, Attempts),
    record: Option<FeedRecord>,
    now: Timestamp,
) -> FeedStatus {
    let is_in_database = record.is_some();
    let record = record.unwrap_or_default();
    let has_snapshot = state.has_snapshot();
    // A feed is as old as the oldest of what it serves.
    let oldest =
        record.namespace_dates.iter().map(|(_, date)| date).min().or(record.data_date.as_ref()).cloned();
    let dated = oldest.as_ref().or(attempts.checked_at.as_ref()).filter(|_| has_snapshot || is_in_database);
    let age = dated.and_then(|date| date.parse::<Timestamp>().ok()).map(|date| now.duration_since(date));
    let names = |is_absent: bool| {
        let parts = state.parts.iter().filter(|(_, part)| part.is_absent == is_absent);
        parts.map(|(name, _)| name.clone()).collect()
    };
    FeedStatus {
        name: feed.name,
        url: plimsoll_net::redacted(url),
        has_snapshot,
        present: names(false),
        absent: names(true),
        bytes: state.parts.values().map(|part| part.bytes).sum(),
        records: state.parts.values().map(|part| part.records).sum(),
        is_in_database,
        namespaces: record.namespaces,
        refused: record.refused,
        skipped: record.skipped,
        examples: record.examples,
        age_days: age.map(|age| age.as_secs().max(0) / SignedDuration::from_hours(24).as_secs()),
        max_age_days: feed.max_age_days,
        data_date: oldest,
        namespace_dates: record.namespace_dates,
        fetched_at: state.fetched_at,
        checked_at: attempts.checked_at,
        failing_since: attempts.failing_since,
        error: attempts.error,
    }
}
