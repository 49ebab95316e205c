//! How the feeds stand where an image is judged: the configuration and the attempts to fetch, put together.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::standings::{Standing, Standings};
use plimsoll_feeds::feeds::{FEEDS, Feed};
use plimsoll_feeds::status::{FeedStatus, attempts, status};

use crate::config::Config;

/// How all feeds stand now. `data_dir` is given where its own database is asked: only of that is it known
/// whether it is the newest.
pub(crate) fn standings(config: &Config, data_dir: Option<&Path>, now: Timestamp) -> Standings {
    let feeds = FEEDS.iter().map(|feed| {
        let attempts = data_dir.map(|data_dir| attempts(data_dir, feed.name)).unwrap_or_default();
        let max_age = SignedDuration::from_hours(
            i64::from(config.max_age_days(feed.name).unwrap_or(feed.max_age_days)) * 24,
        );
        let standing = Standing {
            is_off: !config.is_enabled(feed.name),
            stale_before: now.checked_sub(max_age).ok().map(|limit| limit.to_string()),
            confirmed: attempts.confirms.zip(attempts.checked_at),
            failing_since: attempts.failing_since,
        };
        (feed.name.to_owned(), standing)
    });
    Standings { today: now.strftime("%Y-%m-%d").to_string(), feeds: feeds.collect() }
}

/// How all feeds of a data directory stand, with what the configuration says of them.
pub(crate) fn statuses(config: &Config, data_dir: &Path, now: Timestamp) -> Vec<FeedStatus> {
    let url = |feed: &&Feed| Some((feed.name.to_owned(), config.feed(feed.name).url?));
    let urls: BTreeMap<String, String> = FEEDS.iter().filter_map(url).collect();
    let mut feeds = status(data_dir, &urls, now);
    for feed in &mut feeds {
        feed.is_enabled = config.is_enabled(feed.name);
        feed.max_age_days = config.max_age_days(feed.name).unwrap_or(feed.max_age_days);
    }
    feeds
}
