//! Queues have an end: what waits for a target for too long, or with too many others, is dropped and told.
//!
//! A target that is dead takes a delivery a minute at most, to see whether it still is, and more may come than that. What is
//! dropped stays to be seen and to be made once more by hand as long as everything that ended. It is an event, of which
//! all other targets are told; the one that took nothing is not.

use std::time::Duration;

use anyhow::bail;
use jiff::{SignedDuration, Timestamp};
use plimsoll_store::{Store, StoreError};

use super::kinds::Target;
use crate::config::TargetConfig;

/// Most deliveries that wait where nothing else is configured.
const ROWS_MAX: u32 = 10_000;

/// How long they may wait where nothing else is configured: longer than all attempts take.
const AGE_MAX: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How often it is looked at. As much comes in between as comes.
pub(crate) const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// Where a queue ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    rows_max: u32,
    age_max: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { rows_max: ROWS_MAX, age_max: AGE_MAX }
    }
}

impl Limits {
    /// Reads what is configured.
    pub(crate) fn read(config: &TargetConfig) -> anyhow::Result<Limits> {
        if config.queue_max == Some(0) {
            bail!("`queue_max` is 0; leave it out for {ROWS_MAX}");
        }
        Ok(Limits {
            rows_max: config.queue_max.unwrap_or(ROWS_MAX),
            age_max: config.queue_age_max.map_or(AGE_MAX, |age| age.0),
        })
    }

    /// Drops what is too much; how many deliveries that were.
    pub(crate) fn hold(&self, store: &Store, target: &str, now: Timestamp) -> Result<usize, StoreError> {
        let waiting_before = now.checked_sub(self.age_max).unwrap_or(Timestamp::MIN);
        let dropped = store.drop_deliveries(target, waiting_before, self.rows_max, now)?;
        let count = dropped.too_old.saturating_add(dropped.too_many);
        if count > 0 {
            tracing::error!(
                target,
                too_old = dropped.too_old,
                too_many = dropped.too_many,
                "deliveries were dropped"
            );
        }
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }
}

/// Drops what is too much for targets that are configured no more, for which nobody else looks; how many deliveries by
/// target.
pub(crate) fn hold_others(
    store: &Store,
    targets: &[Target],
    now: Timestamp,
) -> Result<Vec<(String, usize)>, StoreError> {
    let mut dropped = Vec::new();
    for name in store.targets_awaited()? {
        if !targets.iter().any(|target| target.name == name) {
            let count = Limits::default().hold(store, &name, now)?;
            dropped.push((name, count));
        }
    }
    Ok(dropped)
}

/// When it was looked at last, by one thread.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    last: Option<Timestamp>,
}

impl Looks {
    /// Whether it is time again.
    pub(crate) fn is_due(&mut self, now: Timestamp) -> bool {
        // A clock that was set back makes no look later.
        let is_due = self.last.is_none_or(|last| now < last || now.duration_since(last) >= LOOK_EVERY);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_looked_at_now_and_then() {
        let mut looks = Looks::default();
        let at = |minutes: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        for (minutes, wanted) in [(60, true), (61, false), (70, true), (79, false), (5, true), (14, false)] {
            assert_eq!(looks.is_due(at(minutes)), wanted, "{minutes}");
        }
    }

    #[test]
    fn limits_are_read() {
        let read =
            |toml: &str| Limits::read(&toml::from_str(toml).unwrap()).map_err(|error| error.to_string());
        assert_eq!(read(""), Ok(Limits::default()));
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(read("queue_max = 5\nqueue_age_max = '1d'"), Ok(Limits { rows_max: 5, age_max: day }));
        assert_eq!(read("queue_max = 0"), Err("`queue_max` is 0; leave it out for 10000".to_owned()));
    }
}
