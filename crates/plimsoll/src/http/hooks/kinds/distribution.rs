//! Notifications of the distribution project's registry, which zot and others send too.
//!
//! Facts: <https://distribution.github.io/distribution/about/notifications/>, "Events". An event comes for each blob too;
//! only those of manifests count. What the registry calls itself is what whoever pushed called it.

use serde_json::Value;

use super::{Event, Events, Happened, Kind, list, owned, text};

pub(super) static KIND: Kind =
    Kind { name: "distribution", about: "The distribution project's registry: notifications.", read };

fn read(body: &Value, events: &mut Events) {
    for event in list(body, "/events", events) {
        let happened = match text(event, "/action") {
            Some("push") if is_manifest(event) => Happened::Pushed,
            Some("delete") => Happened::Deleted,
            Some(_) => {
                events.ignored += 1;
                continue;
            }
            None => {
                events.problem("an event has no `action`");
                continue;
            }
        };
        let repository = text(event, "/target/repository");
        let hosts = [text(event, "/request/host"), text(event, "/target/url").and_then(host_of)];
        let mut names: Vec<String> =
            hosts.into_iter().flatten().filter_map(|host| Some(format!("{host}/{}", repository?))).collect();
        names.dedup();
        events.push(Event {
            happened,
            names,
            tag: owned(event, "/target/tag"),
            digest: owned(event, "/target/digest"),
        });
    }
}

fn is_manifest(event: &Value) -> bool {
    let media_type = text(event, "/target/mediaType").unwrap_or_default();
    ["manifest", "image.index"].iter().any(|part| media_type.contains(part))
}

fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split('/').next().filter(|host| !host.is_empty())
}
