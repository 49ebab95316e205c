//! How the feeds of a data directory stand: what is there, how old it is, what failed.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use plimsoll_core::advisory::{Advisories, FeedRecord};

use crate::database::Database;
use crate::feeds::{FEEDS, Feed};
use crate::snapshots::{Attempts, Folder, State};
use crate::update::{database_path, snapshots_path};

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// How a feed stands, in one word. Tables, JSON and metrics all say it with this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedState {
    /// The last attempts to fetch it failed. What is there is still used, however old.
    Failing,
    /// Its data is older than it should be.
    Stale,
    /// It was never fetched.
    NotLoaded,
    /// It was fetched and is not in the database.
    NotBuilt,
    /// All is well.
    Fresh,
    /// It is not asked for.
    Off,
}

impl FeedState {
    /// All of them, what needs somebody first.
    pub const ALL: [FeedState; 6] = [
        FeedState::Failing,
        FeedState::Stale,
        FeedState::NotLoaded,
        FeedState::NotBuilt,
        FeedState::Fresh,
        FeedState::Off,
    ];

    /// For programs: `not_loaded`.
    pub fn name(self) -> &'static str {
        match self {
            FeedState::Failing => "failing",
            FeedState::Stale => "stale",
            FeedState::NotLoaded => "not_loaded",
            FeedState::NotBuilt => "not_built",
            FeedState::Fresh => "fresh",
            FeedState::Off => "off",
        }
    }

    /// For people: `not loaded`.
    pub fn title(self) -> &'static str {
        match self {
            FeedState::NotLoaded => "not loaded",
            FeedState::NotBuilt => "not built",
            other => other.name(),
        }
    }

    /// Whether somebody should look after it.
    pub fn needs_attention(self) -> bool {
        !matches!(self, FeedState::Fresh | FeedState::Off)
    }
}

/// How one feed stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedStatus {
    /// Name of the feed.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// Licence of its data.
    pub licence: &'static str,
    /// Whether it is asked for: the feed's own default, until the caller says otherwise.
    pub is_enabled: bool,
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
    /// How many attempts in a row have failed.
    pub failures: u32,
    /// When an update was last tried, RFC 3339.
    pub attempted_at: Option<String>,
    /// Seconds since the data's own date, else since it was last confirmed. `None` without a
    /// snapshot, unless the feed came with an imported database.
    pub age_seconds: Option<u64>,
    /// The same in whole days.
    pub age_days: Option<i64>,
    /// Age above which results are warned of: the feed's own, until the caller says otherwise.
    pub max_age_days: u32,
}

impl FeedStatus {
    /// Whether its data is older than it should be.
    pub fn is_stale(&self) -> bool {
        self.age_seconds.is_some_and(|seconds| seconds > u64::from(self.max_age_days) * DAY_SECONDS)
    }

    /// How it stands. A feed that fails and is stale too is failing: that is what can be mended.
    pub fn state(&self) -> FeedState {
        match self {
            FeedStatus { is_enabled: false, .. } => FeedState::Off,
            FeedStatus { failing_since: Some(_), .. } => FeedState::Failing,
            FeedStatus { has_snapshot: false, is_in_database: false, .. } => FeedState::NotLoaded,
            FeedStatus { is_in_database: false, .. } => FeedState::NotBuilt,
            feed if feed.is_stale() => FeedState::Stale,
            _ => FeedState::Fresh,
        }
    }

    /// The namespace with the oldest data and its date, where the feed's parts differ in age by a day or more.
    pub fn oldest_namespace(&self) -> Option<(&str, &str)> {
        let dates = self.namespace_dates.iter().map(|(name, date)| (name.as_str(), date.as_str()));
        let (name, oldest) = dates.clone().min_by_key(|(_, date)| *date)?;
        let newest = dates.map(|(_, date)| date).max()?;
        (oldest.get(..10) != newest.get(..10)).then_some((name, oldest))
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
    let age_seconds = age.map(|age| u64::try_from(age.as_secs()).unwrap_or(0));
    FeedStatus {
        name: feed.name,
        title: feed.title,
        licence: feed.licence,
        is_enabled: feed.is_on_by_default,
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
        age_seconds,
        age_days: age_seconds.and_then(|seconds| i64::try_from(seconds / DAY_SECONDS).ok()),
        max_age_days: feed.max_age_days,
        data_date: oldest,
        namespace_dates: record.namespace_dates,
        fetched_at: state.fetched_at,
        checked_at: attempts.checked_at,
        failing_since: attempts.failing_since,
        error: attempts.error,
        failures: attempts.failures,
        attempted_at: attempts.attempted_at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh() -> FeedStatus {
        let state = State::default();
        let feed = FEEDS[0];
        let of_nothing = of_feed(feed, feed.url, (state, Attempts::default()), None, Timestamp::UNIX_EPOCH);
        let age_seconds = Some(u64::from(feed.max_age_days) * DAY_SECONDS);
        FeedStatus { is_enabled: true, has_snapshot: true, is_in_database: true, age_seconds, ..of_nothing }
    }

    #[test]
    fn one_word_says_how_a_feed_stands() {
        let since = || Some("2030-01-01T00:00:00Z".to_owned());
        let old = fresh().age_seconds.map(|seconds| seconds + 1);
        for (status, state) in [
            (fresh(), FeedState::Fresh),
            (FeedStatus { age_seconds: old, ..fresh() }, FeedState::Stale),
            (FeedStatus { age_seconds: old, failing_since: since(), ..fresh() }, FeedState::Failing),
            (FeedStatus { is_in_database: false, age_seconds: old, ..fresh() }, FeedState::NotBuilt),
            (FeedStatus { has_snapshot: false, is_in_database: false, ..fresh() }, FeedState::NotLoaded),
            (FeedStatus { has_snapshot: false, failing_since: since(), ..fresh() }, FeedState::Failing),
            (FeedStatus { is_enabled: false, failing_since: since(), ..fresh() }, FeedState::Off),
        ] {
            assert_eq!(status.state(), state, "{status:?}");
        }
        assert!(FeedState::ALL.is_sorted_by_key(|state| !state.needs_attention()));
    }

    #[test]
    fn the_oldest_namespace_is_named_where_parts_age_apart() {
        let dates = |dates: &[(&str, &str)]| FeedStatus {
            namespace_dates: dates.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
            ..fresh()
        };
        let apart = dates(&[("a:1", "2030-01-02T00:00:00Z"), ("a:2", "2029-12-02T00:00:00Z")]);
        assert_eq!(apart.oldest_namespace(), Some(("a:2", "2029-12-02T00:00:00Z")));
        let together = dates(&[("a:1", "2030-01-02T00:00:00Z"), ("a:2", "2030-01-02T09:00:00Z")]);
        assert_eq!(together.oldest_namespace(), None);
        assert_eq!(fresh().oldest_namespace(), None);
    }
}
