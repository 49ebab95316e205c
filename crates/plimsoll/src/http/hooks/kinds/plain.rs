//! `{"reference": "HOST/REPOSITORY:TAG"}`: for whatever can send JSON. With `"deleted": true` it is gone.

use serde_json::Value;

use super::{Event, Events, Happened, Kind, owned, split, text};

pub(super) static KIND: Kind =
    Kind { name: "plain", about: "Anything: `reference`, and `digest` and `deleted` if need be.", read };

fn read(body: &Value, events: &mut Events) {
    let Some(reference) = text(body, "/reference") else {
        events.problem("it has no `reference`; send `{\"reference\": \"HOST/REPOSITORY:TAG\"}`");
        return;
    };
    let (name, tag, digest) = split(reference);
    let is_deleted = body.get("deleted").and_then(Value::as_bool).unwrap_or_default();
    events.push(Event {
        happened: if is_deleted { Happened::Deleted } else { Happened::Pushed },
        names: vec![name],
        tag,
        digest: owned(body, "/digest").or(digest),
    });
}
