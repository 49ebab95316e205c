//! What the configuration comes to for one feed, and secrets that it refers to.

use std::env;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use plimsoll_feeds::feeds::{Feed, by_name};

use crate::config::Config;

/// Longest file of a secret, in bytes.
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Whether a feed is fetched and needed.
pub(crate) fn is_enabled(config: &Config, name: &str) -> bool {
    let configured = config.feeds.get(name).and_then(|feed| feed.enabled);
    configured.unwrap_or_else(|| by_name(name).is_some_and(|feed| feed.is_on_by_default))
}

/// How often a feed is fetched.
pub(crate) fn every(config: &Config, feed: &Feed) -> anyhow::Result<Duration> {
    match config.feeds.get(feed.name).and_then(|feed| feed.every.as_deref()) {
        Some(text) => duration(text).with_context(|| format!("in `[feeds.{}]`", feed.name)),
        None => Ok(Duration::from_secs(u64::from(feed.cadence_hours) * 60 * 60)),
    }
}

/// `30s`, `10m`, `6h`, `1d`.
fn duration(text: &str) -> anyhow::Result<Duration> {
    let units = [('s', 1), ('m', 60), ('h', 60 * 60), ('d', 24 * 60 * 60)];
    let seconds = units.into_iter().find_map(|(unit, seconds)| {
        let count: u64 = text.trim().strip_suffix(unit)?.trim().parse().ok()?;
        count.checked_mul(seconds).filter(|seconds| *seconds > 0)
    });
    match seconds {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => bail!("`{text}` is no duration; write, for example, `6h`"),
    }
}

/// The first line of a file, or an environment variable; `None` where neither is named.
pub(crate) fn secret(file: Option<&Path>, variable: Option<&str>) -> anyhow::Result<Option<String>> {
    match (file, variable) {
        (Some(path), None) => {
            let size = fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?.len();
            if size > SECRET_BYTES_MAX {
                bail!("`{}` has {size} bytes, too many for a secret", path.display());
            }
            let text =
                fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            match text.lines().next().map(str::trim_end) {
                Some(line) if !line.is_empty() => Ok(Some(line.to_owned())),
                _ => bail!("the first line of `{}` is empty; a secret is expected there", path.display()),
            }
        }
        (None, Some(variable)) => match env::var(variable) {
            Ok(value) if !value.is_empty() => Ok(Some(value)),
            _ => bail!("the environment variable `{variable}` is not set; a secret is expected there"),
        },
        (None, None) => Ok(None),
        (Some(_), Some(_)) => bail!("a secret comes from a file or from the environment, not from both"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("6h", 21_600), (" 2 d", 172_800)] {
            assert_eq!(duration(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
        for text in ["", "6", "h", "0h", "-1h", "1w", "99999999999999999999d", "9999999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
