//! How feeds stand where an image is judged: what the one who asks knows of them beside the database.
//!
//! A database is an immutable file; whether its data is still young enough, whether a feed was switched off
//! and whether it can be fetched at all are facts of the place and the moment.

use std::collections::BTreeMap;

use crate::advisory::FeedRecord;

/// How long the part of an RFC 3339 time in UTC is that orders as text: `2026-08-21T00:00:00`.
const COMPARED_CHARS: usize = 19;

/// How feeds stand at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standings {
    /// The day of judging, `YYYY-MM-DD`.
    pub today: String,
    /// By the feed's name. A feed that is not here is on, and never stale.
    pub feeds: BTreeMap<String, Standing>,
}

/// How one feed stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is switched off.
    pub is_off: bool,
    /// Data from before this RFC 3339 time in UTC is stale; `None` where data never is.
    pub stale_before: Option<String>,
    /// The upstream confirmed at the second time that what was fetched at the first is still the newest. RFC
    /// 3339, in UTC.
    pub confirmed: Option<(String, String)>,
    /// Since when every attempt to fetch it has failed, RFC 3339.
    pub failing_since: Option<String>,
}

impl Standings {
    /// How a feed stands.
    pub fn of(&self, feed: &str) -> Option<&Standing> {
        self.feeds.get(feed)
    }

    /// Whether a feed is switched off.
    pub fn is_off(&self, feed: &str) -> bool {
        self.of(feed).is_some_and(|standing| standing.is_off)
    }

    /// How old a feed's data of a namespace is. Data that states no date of its own is as old as the last
    /// confirmation that there is none newer.
    pub fn date_of(&self, feed: &FeedRecord, namespace: &str) -> String {
        let date = feed.date_of(namespace);
        let confirmed = self.of(&feed.name).and_then(|standing| standing.confirmed.as_ref());
        match confirmed {
            Some((fetched_at, confirmed_at)) if date == feed.fetched_at && fetched_at == date => {
                confirmed_at.clone()
            }
            _ => date.to_owned(),
        }
    }

    /// Whether data of a date is older than the feed's warning period. A date that cannot be read says nothing
    /// of freshness.
    pub fn is_stale(&self, feed: &str, date: &str) -> bool {
        let limit = self.of(feed).and_then(|standing| standing.stale_before.as_deref());
        let comparable = |text: &str| text.get(..COMPARED_CHARS).map(str::to_owned);
        match (limit, limit.and_then(comparable), comparable(date)) {
            (None, ..) => false,
            (Some(_), Some(limit), Some(date)) => date < limit,
            (Some(_), ..) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standings(standing: Standing) -> Standings {
        Standings { feeds: [("kev".to_owned(), standing)].into(), ..Standings::default() }
    }

    #[test]
    fn data_from_before_the_limit_is_stale() {
        let limited = Standing { stale_before: Some("2026-08-01T00:00:00Z".into()), ..Standing::default() };
        let limited = standings(limited);
        for (feed, date, expected) in [
            ("kev", "2026-08-01T00:00:00Z", false),
            ("kev", "2026-07-31T23:59:59.9Z", true),
            ("kev", "2026-08-01T00:00:00.5Z", false),
            ("kev", "yesterday", true),
            ("kev", "", true),
            ("epss", "1999-01-01T00:00:00Z", false),
        ] {
            assert_eq!(limited.is_stale(feed, date), expected, "{feed} {date}");
        }
    }

    #[test]
    fn what_is_confirmed_is_as_young_as_the_confirmation() {
        let confirmed =
            Standing { confirmed: Some(("fetched".into(), "checked".into())), ..Standing::default() };
        let standings = standings(confirmed);
        let feed = |fetched_at: &str, data_date: Option<&str>| FeedRecord {
            name: "kev".to_owned(),
            fetched_at: fetched_at.to_owned(),
            data_date: data_date.map(str::to_owned),
            ..FeedRecord::default()
        };
        assert_eq!(standings.date_of(&feed("fetched", None), "pypi"), "checked");
        // Another snapshot than the one that was confirmed, and data with a date of its own.
        assert_eq!(standings.date_of(&feed("earlier", None), "pypi"), "earlier");
        assert_eq!(standings.date_of(&feed("fetched", Some("stated")), "pypi"), "stated");
    }
}
