//! Quay's notification `repo_push`. It names tags and no digests.
//!
//! Facts: <https://docs.quay.io/guides/notifications.html>, "Repository Push".

use serde_json::Value;

use super::{Event, Events, Happened, Kind, split, text};

pub(super) static KIND: Kind = Kind { name: "quay", about: "Quay: the notification `repo_push`.", read };

fn read(body: &Value, events: &mut Events) {
    let Some(url) = text(body, "/docker_url") else {
        events.problem("it has no `docker_url`; let Quay send the event `Push to Repository`");
        return;
    };
    let (name, ..) = split(url);
    let tags = match body.get("updated_tags") {
        // Older ones have a map of tags to image ids.
        Some(Value::Object(tags)) => tags.keys().map(String::as_str).collect(),
        Some(Value::Array(tags)) => tags.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if tags.is_empty() {
        events.problem("it has no `updated_tags`");
    }
    for tag in tags {
        events.push(Event {
            happened: Happened::Pushed,
            names: vec![name.clone()],
            tag: Some(tag.to_owned()),
            digest: None,
        });
    }
}
