//! What was told before, and what is to be told now. Pure: the caller reads and writes the file.
//!
//! ```text
//! DATA/warnings.json   this
//! DATA/warnings.lock   held by whoever tells
//! ```

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use plimsoll_feeds::status::FeedStatus;
use serde::{Deserialize, Serialize};

use super::late::{LateFeed, Watched, is_missing};

/// Version of the shape. Another one is read as if there were none.
const VERSION: u32 = 1;

/// While feeds are late, they are told again after this time. An hour less than a day, so that a daily job that
/// starts a minute earlier than the day before still tells.
const REMIND_AFTER: SignedDuration = SignedDuration::from_hours(23);

/// What is remembered from one run to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Memory {
    version: u32,
    /// Feeds that are on and not there: name and since when that is seen, RFC 3339.
    missing_since: BTreeMap<String, String>,
    /// What each channel was told, by its name.
    channels: BTreeMap<String, ChannelMemory>,
}

/// What one channel was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ChannelMemory {
    /// The feeds that it knows to be late.
    told: BTreeMap<String, KnownLate>,
    /// Since when it takes nothing, RFC 3339.
    pub(crate) failing_since: Option<String>,
    /// Why it took nothing the last time.
    pub(crate) error: Option<String>,
}

/// A feed that somebody was told of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct KnownLate {
    /// When it was first told, RFC 3339.
    since: String,
    /// When it was last told, RFC 3339.
    told_at: String,
}

/// What one channel is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest {
    /// All feeds that are late, also those that it knows of.
    pub(crate) late: Vec<LateFeed>,
    /// Feeds that it was told of and that are late no more.
    pub(crate) recovered: Vec<Recovered>,
}

/// A feed that is late no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Recovered {
    /// Its name.
    pub(crate) name: String,
    /// Its name for people.
    pub(crate) title: String,
    /// When it was first told that it is late, RFC 3339.
    pub(crate) late_since: String,
    /// Age of its data.
    pub(crate) age_days: Option<i64>,
}

impl Memory {
    /// Whether this version of the program wrote it, or one of the same shape.
    pub(crate) fn is_understood(&self) -> bool {
        self.version == VERSION
    }

    /// Whether a channel knows that a feed is late.
    pub(crate) fn knows(&self, channel: &str, feed: &str) -> bool {
        self.channels.get(channel).is_some_and(|channel| channel.told.contains_key(feed))
    }

    /// Since when a feed is seen to be missing.
    pub(super) fn missing_since(&self, feed: &str) -> Option<&str> {
        self.missing_since.get(feed).map(String::as_str)
    }

    /// Forgets channels.
    pub(crate) fn retain_channels(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.channels.retain(|name, _| is_kept(name));
    }

    /// The channels that something was told or was to be told: name and what is known.
    pub(crate) fn channels(&self) -> impl Iterator<Item = (&str, &ChannelMemory)> {
        self.channels.iter().map(|(name, channel)| (name.as_str(), channel))
    }

    /// Those of them that took nothing the last time.
    pub(crate) fn failing_channels(&self) -> impl Iterator<Item = (&str, &ChannelMemory)> {
        self.channels().filter(|(_, channel)| channel.failing_since.is_some())
    }

    /// Notes which feeds are missing, and forgets those that are not any more; forgets what was told of feeds that
    /// were turned off, of which nobody wants to hear that they recovered.
    pub(crate) fn observe(&mut self, watched: &[Watched<'_>], now: Timestamp) {
        self.version = VERSION;
        let on: BTreeMap<&str, &FeedStatus> = watched
            .iter()
            .map(|feed| (feed.status.name, feed.status))
            .filter(|(_, feed)| feed.is_enabled)
            .collect();
        self.missing_since.retain(|name, _| on.get(name.as_str()).is_some_and(|feed| is_missing(feed)));
        for (name, _) in on.iter().filter(|(_, feed)| is_missing(feed)) {
            self.missing_since.entry((*name).to_owned()).or_insert_with(|| now.to_string());
        }
        for channel in self.channels.values_mut() {
            channel.told.retain(|name, _| on.contains_key(name.as_str()));
        }
    }

    /// What a channel is to be told, if anything: one digest of all that is late as soon as there is a late feed
    /// that it does not know of, one that recovered, or one that it was last told of a day ago.
    pub(crate) fn to_tell(
        &self,
        channel: &str,
        late: &[LateFeed],
        watched: &[Watched<'_>],
        now: Timestamp,
    ) -> Option<Digest> {
        let none = BTreeMap::new();
        let told = self.channels.get(channel).map_or(&none, |channel| &channel.told);
        let recovered: Vec<Recovered> = told
            .iter()
            .filter(|(name, _)| !late.iter().any(|feed| feed.name == **name))
            .filter_map(|(name, known)| {
                let status = watched.iter().map(|feed| feed.status).find(|status| status.name == name)?;
                Some(Recovered {
                    name: name.clone(),
                    title: status.title.to_owned(),
                    late_since: known.since.clone(),
                    age_days: status.age_days,
                })
            })
            .collect();
        let is_due = |feed: &LateFeed| told.get(&feed.name).is_none_or(|known| is_past(&known.told_at, now));
        let is_something = !recovered.is_empty() || late.iter().any(is_due);
        is_something.then(|| Digest { late: late.to_vec(), recovered })
    }

    /// Notes that a channel took a digest.
    pub(crate) fn was_told(&mut self, channel: &str, digest: &Digest, now: Timestamp) {
        let channel = self.channels.entry(channel.to_owned()).or_default();
        let before = std::mem::take(&mut channel.told);
        let known = digest.late.iter().map(|feed| {
            let since = before.get(&feed.name).map_or_else(|| now.to_string(), |known| known.since.clone());
            (feed.name.clone(), KnownLate { since, told_at: now.to_string() })
        });
        *channel = ChannelMemory { told: known.collect(), failing_since: None, error: None };
    }

    /// Notes that a channel did not take a digest; it is to be told the same the next time.
    pub(super) fn was_not_told(&mut self, channel: &str, error: &str, now: Timestamp) {
        let channel = self.channels.entry(channel.to_owned()).or_default();
        channel.failing_since.get_or_insert_with(|| now.to_string());
        channel.error = Some(error.to_owned());
    }

    /// What tells one digest of a channel from all others, but not from itself when it is tried again: what it
    /// says of which feeds, and when it was first tried.
    pub(super) fn seed(&self, channel: &str, digest: &Digest, now: Timestamp) -> String {
        let first_tried = self.channels.get(channel).and_then(|channel| channel.failing_since.clone());
        let mut seed = format!("{channel} {}\n", first_tried.unwrap_or_else(|| now.to_string()));
        for feed in &digest.late {
            seed += &format!("late {}\n", feed.name);
        }
        for feed in &digest.recovered {
            seed += &format!("recovered {}\n", feed.name);
        }
        seed
    }
}

/// Whether a day has passed. A time that is none, or lies ahead because a clock was put back, is past.
fn is_past(told_at: &str, now: Timestamp) -> bool {
    let told_at: Option<Timestamp> = told_at.parse().ok();
    told_at.is_none_or(|told_at| told_at > now || now.duration_since(told_at) >= REMIND_AFTER)
}
