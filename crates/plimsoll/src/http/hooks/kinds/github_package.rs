//! GitHub's `package` and `registry_package` events of container images.
//!
//! Facts: <https://docs.github.com/en/webhooks/webhook-events-and-payloads#package>.

use serde_json::Value;

use super::{Event, Events, Happened, Kind, owned, split, text};

pub(super) static KIND: Kind =
    Kind { name: "github-package", about: "GitHub: events `package` and `registry_package`.", read };

/// Where GitHub keeps images.
const HOST: &str = "ghcr.io";

fn read(body: &Value, events: &mut Events) {
    let Some(package) = body.get("package").or_else(|| body.get("registry_package")) else {
        // What is sent once to try the address.
        if body.get("zen").is_some() {
            events.ignored += 1;
        } else {
            events.problem("it has neither `package` nor `registry_package`");
        }
        return;
    };
    let is_published = matches!(text(body, "/action"), Some("published" | "updated"));
    let is_image = text(package, "/package_type").is_some_and(|kind| kind.eq_ignore_ascii_case("container"));
    if !is_published || !is_image {
        events.ignored += 1;
        return;
    }
    let (named, tag_in_url, _) = text(package, "/package_version/package_url").map(split).unwrap_or_default();
    let spelled = text(package, "/namespace")
        .zip(text(package, "/name"))
        .map(|(namespace, name)| format!("{HOST}/{namespace}/{name}").to_lowercase());
    let mut names: Vec<String> =
        [Some(named.to_lowercase()).filter(|name| !name.is_empty()), spelled].into_iter().flatten().collect();
    names.dedup();
    let tag = owned(package, "/package_version/container_metadata/tag/name").or(tag_in_url);
    let digest = owned(package, "/package_version/container_metadata/tag/digest")
        .or_else(|| owned(package, "/package_version/version").filter(|text| text.contains(':')));
    let tag = tag.filter(|tag| !tag.is_empty());
    events.push(Event { happened: Happened::Pushed, names, tag, digest });
}
