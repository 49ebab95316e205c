//! Harbor's webhooks `PUSH_ARTIFACT` and `DELETE_ARTIFACT`, in its own form and as CloudEvents.
//!
//! Facts: <https://goharbor.io/docs/main/working-with-projects/project-configuration/configure-webhooks/>.

use serde_json::Value;

use super::{Event, Events, Happened, Kind, list, owned, split, text};

pub(super) static KIND: Kind =
    Kind { name: "harbor", about: "Harbor: webhooks of pushed and deleted artifacts, either format.", read };

fn read(body: &Value, events: &mut Events) {
    let happened = match text(body, "/type") {
        Some("PUSH_ARTIFACT" | "harbor.artifact.pushed") => Happened::Pushed,
        Some("DELETE_ARTIFACT" | "harbor.artifact.deleted") => Happened::Deleted,
        Some(_) => {
            events.ignored += 1;
            return;
        }
        None => {
            events.problem("it has no `type`");
            return;
        }
    };
    let place = if body.get("specversion").is_some() { "/data" } else { "/event_data" };
    for resource in list(body, &format!("{place}/resources"), events) {
        let (name, tag, digest) = text(resource, "/resource_url").map(split).unwrap_or_default();
        // The tag of an artifact without one is its digest.
        let told = owned(resource, "/tag").filter(|tag| !tag.contains(':'));
        events.push(Event {
            happened,
            names: Some(name).filter(|name| !name.is_empty()).into_iter().collect(),
            tag: told.or(tag),
            digest: owned(resource, "/digest").or(digest),
        });
    }
}
