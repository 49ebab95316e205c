//! What is told, as a text for people and as JSON for programs. Errors and names come from outside: no line of
//! theirs becomes a line of ours.

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::late::{LateFeed, Why};
use super::memory::{Digest, Recovered};

/// Longest error that is passed on, in characters.
const ERROR_CHARS_MAX: usize = 500;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Tells it from all others; the same when it is tried again. ASCII letters, digits, `_`.
    pub(crate) id: String,
    /// The machine that speaks.
    pub(crate) host: String,
    /// When.
    pub(crate) at: Timestamp,
    /// What it says; `None` for a test.
    digest: Option<Digest>,
}

impl Message {
    /// Of feeds that are late or have recovered. Messages of equal seeds are the same.
    pub(super) fn of_feeds(host: &str, at: Timestamp, digest: Digest, seed: &str) -> Message {
        Message { id: id(host, seed), host: host.to_owned(), at, digest: Some(digest) }
    }

    /// To see whether it arrives.
    pub(crate) fn test(host: &str, at: Timestamp) -> Message {
        Message { id: id(host, &format!("test {at}")), host: host.to_owned(), at, digest: None }
    }

    /// One line: `plimsoll on HOST: 2 feeds are late`.
    pub(crate) fn subject(&self) -> String {
        format!("plimsoll on {}: {}", self.host, self.gist())
    }

    /// What it comes to: `2 feeds are late, 1 feed has recovered`.
    pub(crate) fn gist(&self) -> String {
        let Some(digest) = &self.digest else { return "a test, nothing is wrong".to_owned() };
        let late = match digest.late.len() {
            0 => None,
            1 => Some("1 feed is late".to_owned()),
            count => Some(format!("{count} feeds are late")),
        };
        let recovered = match digest.recovered.len() {
            0 => None,
            1 => Some("1 feed has recovered".to_owned()),
            count => Some(format!("{count} feeds have recovered")),
        };
        let parts: Vec<String> = late.into_iter().chain(recovered).collect();
        parts.join(", ")
    }

    /// For people: lines of text, each ending in a line feed.
    pub(crate) fn text(&self) -> String {
        let Some(digest) = &self.digest else {
            return format!(
                "This is a test from plimsoll on {}. Had it been a warning of feeds that are late, it would have come \
                 the same way.\n",
                self.host
            );
        };
        let mut text = String::new();
        if !digest.late.is_empty() {
            text += "Scans go on with the data that is there, and know of nothing newer.\n\n";
            for feed in &digest.late {
                text += &late_text(feed);
            }
            text += &self.advice(&digest.late);
        }
        if !digest.recovered.is_empty() {
            text += if digest.late.is_empty() { "Late no more:\n\n" } else { "\nLate no more:\n\n" };
            for feed in &digest.recovered {
                text += &recovered_text(feed);
            }
        }
        if !digest.late.is_empty() {
            text += "\nThis is repeated daily while a feed is late.\n";
        }
        text
    }

    fn advice(&self, late: &[LateFeed]) -> String {
        let names: Vec<&str> = late.iter().map(|feed| feed.name.as_str()).collect();
        format!(
            "What to do, on {}:\n  plimsoll feeds update {}\n  plimsoll feeds status --verbose\nIn the configuration, \
             `enabled = false` turns off a feed that nobody needs.\n",
            self.host,
            names.join(" ")
        )
    }

    /// For programs, in the shape that Standard Webhooks recommends: `type`, `timestamp`, `data`.
    pub(crate) fn json(&self) -> String {
        let none = Digest::default();
        let digest = self.digest.as_ref().unwrap_or(&none);
        let kind = match &self.digest {
            None => "plimsoll.test",
            Some(digest) if digest.late.is_empty() => "plimsoll.feeds.recovered",
            Some(_) => "plimsoll.feeds.late",
        };
        let data = Data {
            host: &self.host,
            summary: self.gist(),
            late: &digest.late,
            recovered: &digest.recovered,
            text: self.text(),
        };
        let event = Event { kind, timestamp: self.at.to_string(), data };
        serde_json::to_string(&event).expect("plain structs with text keys are JSON")
    }
}

/// What a webhook gets. A stable shape: fields are added, never changed.
#[derive(Serialize)]
struct Event<'a> {
    /// `plimsoll.feeds.late`, `plimsoll.feeds.recovered` (nothing is late any more) or `plimsoll.test`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// RFC 3339.
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    host: &'a str,
    /// One line for people.
    summary: String,
    /// All feeds that are late.
    late: &'a [LateFeed],
    /// Those that were and are no more.
    recovered: &'a [Recovered],
    /// The same as the mail.
    text: String,
}

fn late_text(feed: &LateFeed) -> String {
    let mut text = format!("{} ({})\n", feed.name, feed.title);
    match (feed.why, feed.age_days) {
        (Why::NotBuilt, _) => text += "  It was fetched, but the database does not hold it.\n",
        (_, None) => text += "  There is no data of it at all.\n",
        (_, Some(age)) => {
            let date = feed.data_date.as_deref().and_then(|date| date.get(..10));
            let of = date.map_or_else(String::new, |date| format!(" (of {date})"));
            let (age, max) = (days(age), days(i64::from(feed.max_age_days)));
            text += &format!("  Its data is {age} old{of}; it is late after {max}.\n");
        }
    }
    if let (Some(since), Some(error)) = (&feed.failing_since, &feed.error) {
        let times = if feed.failures == 1 { "once".to_owned() } else { format!("{} times", feed.failures) };
        text += &format!("  Fetching it has failed since {since} ({times}): {error}\n");
    }
    text + "\n"
}

fn days(count: i64) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}

fn recovered_text(feed: &Recovered) -> String {
    let age = feed.age_days.map_or_else(String::new, |age| format!("; its data is {} old", days(age)));
    format!("{} ({}), late since {}{age}\n", feed.name, feed.title, feed.late_since)
}

/// A text of others as a part of one line: without control characters, and not endless.
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::new();
    for (at, word) in
        text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|w| !w.is_empty()).enumerate()
    {
        if at > 0 {
            clean.push(' ');
        }
        clean.push_str(word);
    }
    match clean.char_indices().nth(ERROR_CHARS_MAX) {
        Some((end, _)) => {
            clean.truncate(end);
            clean + "…"
        }
        None => clean,
    }
}

fn id(host: &str, seed: &str) -> String {
    let digest = Sha256::digest(format!("{host}\n{seed}"));
    let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("msg_{hex}")
}
