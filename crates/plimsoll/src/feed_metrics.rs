//! How feeds and the advisory database stand, as metrics in Prometheus' text format: `feeds status` and the server's
//! `/metrics` say the same with it.
//!
//! Written by hand: gauges that are computed when somebody asks need no registry. The text is good both in the format
//! 0.0.4 and in OpenMetrics, which wants another end.

use std::fmt::{self, Write as _};

use jiff::Timestamp;
use plimsoll_core::advisory::DatabaseIdentity;
use plimsoll_feeds::status::{FeedState, FeedStatus};

use crate::warnings::memory::Memory;

const DAY_SECONDS: u64 = 24 * 60 * 60;

/// A gauge of each feed; one without a value is left out for that feed.
struct Gauge {
    name: &'static str,
    help: &'static str,
    value: fn(&FeedStatus) -> Option<u64>,
}

static GAUGES: &[Gauge] = &[
    Gauge {
        name: "plimsoll_feed_age_seconds",
        help: "Time since the date of the feed's data, or since it was last confirmed where it states none.",
        value: |feed| feed.age_seconds,
    },
    Gauge {
        name: "plimsoll_feed_failing",
        help: "Whether the last attempt to fetch the feed failed.",
        value: |feed| Some(u64::from(feed.failing_since.is_some())),
    },
    Gauge {
        name: "plimsoll_feed_failures",
        help: "Attempts in a row that failed.",
        value: |feed| Some(u64::from(feed.failures)),
    },
    Gauge {
        name: "plimsoll_feed_last_check_timestamp_seconds",
        help: "When the upstream last confirmed the feed's data.",
        value: |feed| feed.checked_at.as_deref().and_then(seconds),
    },
    Gauge {
        name: "plimsoll_feed_max_age_seconds",
        help: "Age of the data above which the feed is stale.",
        value: |feed| Some(u64::from(feed.max_age_days) * DAY_SECONDS),
    },
    Gauge {
        name: "plimsoll_feed_records",
        help: "Records of the feed that were read.",
        value: |feed| Some(feed.records),
    },
    Gauge {
        name: "plimsoll_feed_refused",
        help: "Records of the feed that could not be understood.",
        value: |feed| Some(refused(feed)),
    },
];

/// All of them. Without a database, there are none of it.
pub(crate) fn text(
    feeds: &[&FeedStatus],
    database: Option<(&DatabaseIdentity, u64)>,
    memory: &Memory,
) -> Result<String, fmt::Error> {
    let mut out = String::new();
    if let Some((identity, advisories)) = database {
        head(&mut out, "plimsoll_database_advisories", "Advisories in the database.")?;
        writeln!(out, "plimsoll_database_advisories {advisories}")?;
        if let Some(built) = seconds(&identity.built_at) {
            head(&mut out, "plimsoll_database_built_timestamp_seconds", "When the database was built.")?;
            writeln!(out, "plimsoll_database_built_timestamp_seconds {built}")?;
        }
        head(&mut out, "plimsoll_database_info", "Which database is in use.")?;
        writeln!(out, "plimsoll_database_info{{id=\"{}\"}} 1", escaped(&identity.id))?;
    }
    for gauge in GAUGES {
        head(&mut out, gauge.name, gauge.help)?;
        for feed in feeds {
            if let Some(value) = (gauge.value)(feed) {
                writeln!(out, "{}{{feed=\"{}\"}} {value}", gauge.name, escaped(feed.name))?;
            }
        }
    }
    head(
        &mut out,
        "plimsoll_feed_state",
        "How the feed stands: 1 for the state that it is in, 0 for all others.",
    )?;
    for feed in feeds {
        for state in FeedState::ALL {
            let (name, value) = (escaped(feed.name), u8::from(feed.state() == state));
            writeln!(out, "plimsoll_feed_state{{feed=\"{name}\",state=\"{}\"}} {value}", state.name())?;
        }
    }
    head(&mut out, "plimsoll_warnings_failing", "Whether a channel of warnings took nothing the last time.")?;
    for (channel, memory) in memory.channels() {
        let value = u8::from(memory.failing_since.is_some());
        writeln!(out, "plimsoll_warnings_failing{{channel=\"{}\"}} {value}", escaped(channel))?;
    }
    Ok(out)
}

/// What stands before a gauge's values.
pub(crate) fn head(out: &mut String, name: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge")
}

/// A label's value.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(time: &str) -> Option<u64> {
    time.parse::<Timestamp>().ok().and_then(|time| u64::try_from(time.as_second()).ok())
}

/// All records of a feed that were refused.
fn refused(feed: &FeedStatus) -> u64 {
    feed.refused.iter().map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        for (text, wanted) in [("kev", "kev"), ("a\"b", "a\\\"b"), ("a\\b\nc", "a\\\\b\\nc")] {
            assert_eq!(escaped(text), wanted);
        }
    }

    #[test]
    fn gauges_are_unique_and_sorted() {
        assert!(GAUGES.is_sorted_by(|a, b| a.name < b.name));
    }
}
