//! JSON for programs: `plimsoll/feeds-status/1`. A stable shape, described in `docs/feeds-status.md`: fields are
//! added, never changed or taken away without another version. Objects of a feed are sorted by name.

use std::collections::BTreeMap;

use plimsoll_feeds::status::FeedStatus;
use serde::Serialize;

use super::{DatabaseStanding, Standing};

const SCHEMA: &str = "plimsoll/feeds-status/1";

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    /// When this was written, RFC 3339. Ages are as of it.
    now: String,
    /// `null` where there is none that can be read.
    database: Option<DatabaseObject<'a>>,
    /// Why there is none.
    database_error: Option<&'a str>,
    feeds: Vec<FeedObject<'a>>,
    /// Channels of warnings that take nothing.
    failing_channels: Vec<ChannelObject<'a>>,
}

#[derive(Serialize)]
struct DatabaseObject<'a> {
    id: &'a str,
    built_at: &'a str,
    advisories: u64,
    rows: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct FeedObject<'a> {
    name: &'a str,
    title: &'a str,
    /// Without credentials.
    url: &'a str,
    licence: &'a str,
    enabled: bool,
    /// `fresh`, `stale`, `failing`, `not_loaded`, `not_built` or `off`.
    state: &'static str,
    data_date: Option<&'a str>,
    fetched_at: Option<&'a str>,
    checked_at: Option<&'a str>,
    attempted_at: Option<&'a str>,
    age_days: Option<i64>,
    max_age_days: u32,
    records: u64,
    bytes: u64,
    /// How many records by reason.
    refused: BTreeMap<&'a str, u64>,
    skipped: BTreeMap<&'a str, u64>,
    namespaces: Vec<NamespaceObject<'a>>,
    failing_since: Option<&'a str>,
    error: Option<&'a str>,
    /// In a row.
    failures: u32,
}

#[derive(Serialize)]
struct NamespaceObject<'a> {
    name: &'a str,
    /// `null` where the feed's own date holds.
    data_date: Option<&'a str>,
}

#[derive(Serialize)]
struct ChannelObject<'a> {
    name: &'a str,
    failing_since: Option<&'a str>,
    error: Option<&'a str>,
}

pub(super) fn text(standing: &Standing) -> String {
    let (database, database_error) = match &standing.database {
        DatabaseStanding::Absent => (None, None),
        DatabaseStanding::Unreadable(error) => (None, Some(error.as_str())),
        DatabaseStanding::Here { identity, advisories, rows, bytes } => {
            let (id, built_at) = (identity.id.as_str(), identity.built_at.as_str());
            let here = DatabaseObject { id, built_at, advisories: *advisories, rows: *rows, bytes: *bytes };
            (Some(here), None)
        }
    };
    let failing = standing.memory.failing_channels().map(|(name, memory)| ChannelObject {
        name,
        failing_since: memory.failing_since.as_deref(),
        error: memory.error.as_deref(),
    });
    let document = Document {
        schema: SCHEMA,
        now: standing.now.to_string(),
        database,
        database_error,
        feeds: standing.feeds.iter().map(object).collect(),
        failing_channels: failing.collect(),
    };
    serde_json::to_string_pretty(&document).expect("plain structs with text keys are JSON") + "\n"
}

fn object(feed: &FeedStatus) -> FeedObject<'_> {
    FeedObject {
        name: feed.name,
        title: feed.title,
        url: &feed.url,
        licence: feed.licence,
        enabled: feed.is_enabled,
        state: feed.state().name(),
        data_date: feed.data_date.as_deref(),
        fetched_at: feed.fetched_at.as_deref(),
        checked_at: feed.checked_at.as_deref(),
        attempted_at: feed.attempted_at.as_deref(),
        age_days: feed.age_days,
        max_age_days: feed.max_age_days,
        records: feed.records,
        bytes: feed.bytes,
        refused: feed.refused.iter().map(|(reason, count)| (reason.as_str(), *count)).collect(),
        skipped: feed.skipped.iter().map(|(reason, count)| (reason.as_str(), *count)).collect(),
        namespaces: feed.namespaces.iter().map(|name| namespace(feed, name)).collect(),
        failing_since: feed.failing_since.as_deref(),
        error: feed.error.as_deref(),
        failures: feed.failures,
    }
}

fn namespace<'a>(feed: &'a FeedStatus, name: &'a str) -> NamespaceObject<'a> {
    let date = feed.namespace_dates.iter().find(|(dated, _)| dated == name);
    NamespaceObject { name, data_date: date.map(|(_, date)| date.as_str()) }
}
