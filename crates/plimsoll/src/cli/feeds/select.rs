//! Which feeds are meant: `NAME`, or `PREFIX*` for all that begin so.

use anyhow::bail;
use plimsoll_feeds::feeds::{FEEDS, Feed};

use super::misused;
use crate::config::check_feed_name;

/// The feeds that patterns mean, in the order of the rows. One that means none is an error.
pub(super) fn matching(patterns: &[String]) -> anyhow::Result<Vec<&'static Feed>> {
    for pattern in patterns {
        match pattern.strip_suffix('*') {
            None => check_feed_name(pattern).map_err(misused)?,
            Some(prefix) if FEEDS.iter().any(|feed| feed.name.starts_with(prefix)) => {}
            Some(_) => bail!(misused(anyhow::anyhow!(
                "no feed is meant by `{pattern}`; `plimsoll feeds list` shows their names"
            ))),
        }
    }
    let is_meant = |feed: &Feed| patterns.iter().any(|pattern| means(pattern, feed.name));
    Ok(FEEDS.iter().copied().filter(|feed| is_meant(feed)).collect())
}

/// Whether a pattern means a feed by its name.
pub(super) fn means(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}
