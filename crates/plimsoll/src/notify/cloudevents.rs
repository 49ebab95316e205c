//! What happened as a CloudEvent (cloudevents.io, specification 1.0.2) in its structured JSON form.
//!
//! A stable shape: fields of `data` are added, never changed. The id is that of the store's event, so that a receiver
//! that gets it twice knows it.

use serde::Serialize;

use super::topics::{Occurrence, What};

/// Media type of an event.
pub(crate) const MEDIA_TYPE: &str = "application/cloudevents+json";

/// What each type begins with.
const TYPE_PREFIX: &str = "io.plimsoll.";

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: &'a str,
    #[serde(rename = "type")]
    kind: String,
    subject: &'a str,
    time: String,
    datacontenttype: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    /// What the image is called; only of scans and findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    images: Option<Vec<&'a str>>,
    /// How many names are not among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    more_images: Option<u64>,
    /// Where more of it is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(flatten)]
    what: DataOf<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum DataOf<'a> {
    Scan(&'a super::topics::ScanEnded),
    Findings(&'a crate::rematch::changes::Changes),
    Feed(&'a super::topics::FeedChange),
    Clearance(&'a super::topics::ClearanceEnded),
    Dropped(&'a super::topics::Dropped),
}

/// The id of what happened: the same for whoever is told, however often.
pub(crate) fn id(happened: &Occurrence) -> String {
    format!("evt_{}", happened.number)
}

/// The event.
pub(crate) fn json(happened: &Occurrence, source: &str) -> String {
    let is_image = happened.what.is_of_image();
    let what = match &happened.what {
        What::Scan(scan) => DataOf::Scan(scan),
        What::Findings(changes) => DataOf::Findings(changes),
        What::Feed(feed) => DataOf::Feed(feed),
        What::Clearance(ended) => DataOf::Clearance(ended),
        What::Dropped(dropped) => DataOf::Dropped(dropped),
    };
    let data = Data {
        images: is_image.then(|| happened.names.iter().map(String::as_str).collect()),
        more_images: Some(happened.more_names).filter(|count| *count > 0),
        url: url(happened, source),
        what,
    };
    let event = CloudEvent {
        specversion: "1.0",
        id: id(happened),
        source,
        kind: format!("{TYPE_PREFIX}{}", happened.topic.name),
        subject: &happened.subject,
        time: happened.at.to_string(),
        datacontenttype: "application/json",
        data,
    };
    serde_json::to_string(&event).expect("plain structs with text keys are JSON")
}

/// Where more of it is said; of a feed nowhere.
pub(crate) fn url(happened: &Occurrence, server_url: &str) -> Option<String> {
    let (path, id) = match &happened.what {
        What::Scan(_) | What::Findings(_) => ("scans", &happened.subject),
        What::Clearance(_) => ("clearances", &happened.subject),
        What::Feed(_) | What::Dropped(_) => return None,
    };
    Some(format!("{server_url}/api/v1/{path}/{id}"))
}
