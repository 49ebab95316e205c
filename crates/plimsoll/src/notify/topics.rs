//! What may be told: one row for each sort of thing that happens to an image or a feed.
//!
//! The store's events say more than anybody wants to be told: every step of a scan is one. An event is told where its
//! kind and the `state` in its body are those of a row.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plimsoll_store::{Event, EventKind};
use serde::{Deserialize, Serialize};

use crate::rematch::changes::{BySeverity, Changes};

/// One sort of thing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Topic {
    /// Its name in the configuration; a CloudEvent's type is `io.plimsoll.` and this.
    pub(crate) name: &'static str,
    /// For people.
    pub(crate) about: &'static str,
    /// The event that it comes with.
    event: EventKind,
    /// The `state` in the event's body; empty where there is none.
    state: &'static str,
}

impl Topic {
    /// Whether it tells that findings of an image changed.
    pub(crate) fn is_of_findings(&self) -> bool {
        self.event == EventKind::FindingsChanged
    }
}

/// All topics, sorted by name.
pub(crate) static TOPICS: &[&Topic] = &[
    &Topic {
        name: "clearance.decided",
        about: "a clearance that was asked for is decided",
        event: EventKind::ClearanceChanged,
        state: "decided",
    },
    &Topic {
        name: "clearance.failed",
        about: "a clearance that was asked for could not be decided",
        event: EventKind::ClearanceChanged,
        state: "failed",
    },
    &Topic {
        name: "deliveries.dropped",
        about: "another target took nothing for so long that some of what it was to be told was dropped",
        event: EventKind::DeliveriesDropped,
        state: "",
    },
    &Topic {
        name: "feed.late",
        about: "a feed is stale, missing, or cannot be fetched",
        event: EventKind::FeedChanged,
        state: "late",
    },
    &Topic {
        name: "feed.recovered",
        about: "a feed that was late is as it should be",
        event: EventKind::FeedChanged,
        state: "recovered",
    },
    &Topic {
        name: "findings.changed",
        about: "a new advisory database changes what is known of an image",
        event: EventKind::FindingsChanged,
        state: "",
    },
    &Topic {
        name: "scan.completed",
        about: "a scan is done",
        event: EventKind::ScanChanged,
        state: "completed",
    },
    &Topic {
        name: "scan.failed",
        about: "a scan could not be done",
        event: EventKind::ScanChanged,
        state: "failed",
    },
    &Topic {
        name: "scan.unsupported",
        about: "what was to be scanned can never be",
        event: EventKind::ScanChanged,
        state: "unsupported",
    },
];

/// Something that may be told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Occurrence {
    /// Number of the event.
    pub(crate) number: u64,
    /// When it happened.
    pub(crate) at: Timestamp,
    /// What sort of thing.
    pub(crate) topic: &'static Topic,
    /// What it happened to: a digest, the id of a clearance, the name of a feed or of a target.
    pub(crate) subject: String,
    /// What the image is called: `HOST/REPO:TAG`, sorted.
    pub(crate) names: BTreeSet<String>,
    /// Names that are not among `names`.
    pub(crate) more_names: u64,
    /// The repositories that it is in: `HOST/REPO`, sorted.
    pub(crate) repositories: BTreeSet<String>,
    /// More of it.
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// A scan came to its end.
    Scan(ScanEnded),
    /// Findings of an image changed.
    Findings(Changes),
    /// A feed became late or recovered.
    Feed(FeedChange),
    /// A clearance came to its end.
    Clearance(ClearanceEnded),
    /// Deliveries to a target were dropped.
    Dropped(Dropped),
}

/// A clearance that came to its end, as its event says it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ClearanceEnded {
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) detail: String,
    pub(crate) attempt: u32,
    pub(crate) policy: String,
    /// `HOST/PATH`, sorted.
    pub(crate) repositories: Vec<String>,
    /// `cleared`, `undecided` or `refused`; none where it failed.
    pub(crate) verdict: Option<String>,
    /// Number of the record, and `sha256:..` of it: whoever keeps it sees later whether records were taken away.
    pub(crate) record: Option<u64>,
    pub(crate) record_digest: Option<String>,
}

/// Deliveries to a target that were dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Dropped {
    /// They waited for too long.
    pub(crate) too_old: u64,
    /// They were the oldest of too many.
    pub(crate) too_many: u64,
}

impl What {
    /// Whether it happened to an image, which has names and is in repositories.
    pub(crate) fn is_of_image(&self) -> bool {
        match self {
            What::Scan(_) | What::Findings(_) => true,
            What::Feed(_) | What::Clearance(_) | What::Dropped(_) => false,
        }
    }
}

/// A scan that came to its end: what its event says, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ScanEnded {
    pub(crate) state: String,
    pub(crate) reason: String,
    pub(crate) detail: String,
    pub(crate) attempt: u32,
    pub(crate) registry: String,
    pub(crate) repository: String,
    pub(crate) reference: String,
    pub(crate) digest: Option<String>,
    /// What was found, where it was completed.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub(crate) found: Option<Found>,
}

/// What was found in an image, in short.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Found {
    pub(crate) database: String,
    pub(crate) packages: u32,
    pub(crate) findings: BySeverity,
    pub(crate) fixable: u32,
    pub(crate) exploited: u32,
    pub(crate) gaps: u32,
    pub(crate) late_feeds: Vec<String>,
}

/// A feed that became late or recovered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct FeedChange {
    /// `late` or `recovered`.
    pub(crate) state: String,
    /// Name for people.
    pub(crate) title: String,
    /// Why it is late: `stale`, `failing`, `not_loaded`, `not_built`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    /// Age of its data.
    pub(crate) age_days: Option<i64>,
    /// Age above which it is late.
    pub(crate) max_age_days: Option<u32>,
    /// Since when it is or was late, RFC 3339.
    pub(crate) since: Option<String>,
    /// Why the last attempt to fetch it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// Only what tells events apart.
#[derive(Default, Deserialize)]
#[serde(default)]
struct State {
    state: String,
    /// Of a name that was resolved: the scan that it led to, which tells for itself.
    successor: Option<String>,
}

/// What an event tells; `Ok(None)` where it is nothing that anybody may want to be told.
pub(crate) fn read(event: &Event) -> Result<Option<Occurrence>, serde_json::Error> {
    if !TOPICS.iter().any(|topic| topic.event == event.kind) {
        return Ok(None);
    }
    let of: State = serde_json::from_str(&event.body)?;
    let is_it =
        |topic: &&&Topic| topic.event == event.kind && (topic.state.is_empty() || topic.state == of.state);
    let Some(topic) = TOPICS.iter().find(is_it).copied().filter(|_| of.successor.is_none()) else {
        return Ok(None);
    };
    let what = match event.kind {
        EventKind::FindingsChanged => What::Findings(serde_json::from_str(&event.body)?),
        EventKind::FeedChanged => What::Feed(serde_json::from_str(&event.body)?),
        EventKind::ClearanceChanged => What::Clearance(serde_json::from_str(&event.body)?),
        EventKind::DeliveriesDropped => What::Dropped(serde_json::from_str(&event.body)?),
        _ => What::Scan(serde_json::from_str(&event.body)?),
    };
    Ok(Some(Occurrence {
        number: event.number,
        at: event.at,
        topic,
        subject: event.subject.clone(),
        names: BTreeSet::new(),
        more_names: 0,
        repositories: BTreeSet::new(),
        what,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sorted() {
        assert!(TOPICS.is_sorted_by(|a, b| a.name < b.name));
    }

    #[test]
    fn only_ends_are_told() {
        for (kind, body, topic) in [
            (EventKind::ScanChanged, r#"{"state":"completed","digest":"sha256:aa"}"#, "scan.completed"),
            (EventKind::ScanChanged, r#"{"state":"failed","reason":"not_found"}"#, "scan.failed"),
            (EventKind::ScanChanged, r#"{"state":"unsupported"}"#, "scan.unsupported"),
            (EventKind::ScanChanged, r#"{"state":"completed","successor":"sha256:aa"}"#, ""),
            (EventKind::ScanChanged, r#"{"state":"queued"}"#, ""),
            (EventKind::ScanChanged, r#"{"state":"cancelled"}"#, ""),
            (EventKind::FeedChanged, r#"{"state":"late"}"#, "feed.late"),
            (EventKind::FeedChanged, r#"{"state":"recovered"}"#, "feed.recovered"),
            (EventKind::ClearanceChanged, r#"{"state":"decided","verdict":"refused"}"#, "clearance.decided"),
            (EventKind::ClearanceChanged, r#"{"state":"failed"}"#, "clearance.failed"),
            (EventKind::ClearanceChanged, r#"{"state":"running"}"#, ""),
            (EventKind::DeliveriesDropped, r#"{"too_old":4,"too_many":0}"#, "deliveries.dropped"),
            (EventKind::DatabaseChanged, "{}", ""),
            (EventKind::TagChanged, "no JSON", ""),
        ] {
            let event = Event {
                number: 1,
                at: Timestamp::UNIX_EPOCH,
                kind,
                subject: "s".to_owned(),
                body: body.to_owned(),
            };
            let told = read(&event).unwrap().map_or("", |told| told.topic.name);
            assert_eq!(told, topic, "{body}");
        }
    }
}
