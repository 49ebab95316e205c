//! A registry that behaves as Quay does towards Clair: it hands in layers one by one, wants reports in a form that it
//! knows, and gives images up where it is told the wrong thing.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use plimsoll_net::{Request, Response};
use serde_json::{Value, json};
use support::World;
use support::images::{Image, Layout, ship};
use support::layer::Layer;
use support::scripted::{Deed, Scripted};
use support::serving::Serving;

mod support;

const INDEX: &str = "/indexer/api/v1/index_report";
const ACCEPTS: &str = include_str!("../testdata/quay/accepts.schema.json");

/// A registry, and a server that may ask it.
fn harbour(more: &str) -> (World, Scripted, Serving) {
    let world = World::with_database();
    let registry = Scripted::start();
    let mut config = std::fs::read_to_string(world.path("config.toml")).unwrap_or_default();
    config += &format!("[registries.\"{}\"]\nplain_http = true\n[server]\n{more}\n", registry.host);
    world.write("config.toml", config);
    let serving = Serving::ready(&world, &["--no-update"]);
    (world, registry, serving)
}

/// Pushes an image; its digest, and what Quay would hand in.
fn push(registry: &Scripted, name: &str, image: &Image) -> (String, Value) {
    let mut layout = Layout::default();
    let top = layout.image(image);
    registry.push(name, &layout, &top, "1");
    let digest = top["digest"].as_str().unwrap().to_owned();
    let manifest: Value = serde_json::from_slice(&layout.blobs[&digest]).unwrap();
    let layers: Vec<Value> = manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| {
            let blob = layer["digest"].as_str().unwrap();
            let uri = format!("http://{}/v2/{name}/blobs/{blob}", registry.host);
            json!({"hash": blob, "uri": uri, "headers": {"Accept": ["application/gzip"]}})
        })
        .collect();
    (digest.clone(), json!({"hash": digest, "layers": layers}))
}

/// Hands in a manifest, as Quay does.
fn index(serving: &Serving, manifest: &Value) -> Response {
    serving.send(Request::post(INDEX, manifest.to_string()).header("Content-Type", "application/json"))
}

fn body(response: Response) -> Value {
    serde_json::from_slice(&response.bytes(64 << 20).unwrap()).unwrap()
}

#[track_caller]
fn assert_accepted(definition: &str, document: &Value) {
    let mut schema: Value = serde_json::from_str(ACCEPTS).unwrap();
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let complaints: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert_eq!(complaints, Vec::<String>::new(), "{document}");
}

#[test]
fn an_image_is_indexed_matched_and_shown() {
    let (_world, registry, serving) = harbour("");
    let (digest, manifest) = push(&registry, "harbour/ship", &ship("amd64"));
    let state = serving.get("/indexer/api/v1/index_state", 200);
    assert_accepted("State", &state);

    let indexed = index(&serving, &manifest);
    assert_eq!(indexed.status, 201);
    let etag = indexed.header("etag").unwrap().to_owned();
    assert_eq!(etag, format!("\"{}\"", state["state"].as_str().unwrap()));
    let indexed = body(indexed);
    assert_accepted("IndexReport", &indexed);
    assert_eq!((&indexed["state"], &indexed["err"]), (&json!("IndexFinished"), &json!("")));
    assert_eq!(serving.get(&format!("{INDEX}/{digest}"), 200), indexed);

    let report = serving.get(&format!("/matcher/api/v1/vulnerability_report/{digest}"), 200);
    assert_accepted("VulnerabilityReport", &report);
    assert_eq!(report["packages"], indexed["packages"]);
    assert!(!report["vulnerabilities"].as_object().unwrap().is_empty(), "{report}");

    let shown = serving.get(&format!("/api/v1/repository/harbour/ship/manifest/{digest}/security"), 200);
    assert_eq!((&shown["status"], &shown["scan"]["state"]), (&json!("scanned"), &json!("completed")));
    let features = shown["data"]["Layer"]["Features"].as_array().unwrap();
    assert_eq!(features.len(), report["packages"].as_object().unwrap().len());

    // What is asked for again is known.
    let asked = registry.asked().len();
    assert_eq!(index(&serving, &manifest).status, 201);
    assert_eq!(registry.asked().len(), asked);
}

#[test]
fn a_client_that_comes_later_waits_for_the_same_scan() {
    let (_world, registry, serving) = harbour("");
    let (_, manifest) = push(&registry, "harbour/ship", &ship("amd64"));
    registry.script("/blobs/", Deed::Stall);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3).map(|_| scope.spawn(|| index(&serving, &manifest).status)).collect();
        while registry.asked().is_empty() {
            std::thread::yield_now();
        }
        registry.behave();
        let statuses: Vec<u16> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        assert_eq!(statuses, [201, 201, 201]);
    });
    let mut blobs: Vec<String> =
        registry.asked().into_iter().filter(|path| path.contains("/blobs/")).collect();
    let all = blobs.len();
    blobs.sort();
    blobs.dedup();
    assert_eq!(blobs.len(), all, "a layer was fetched twice");
}

#[test]
fn only_what_can_never_be_indexed_is_a_bad_request() {
    let (_world, registry, serving) = harbour("");
    // Of an operating system that nobody knows: indexed, so that it may be indexed again another day.
    let unknown = support::images::os_release("ID=borealis\nVERSION_ID=4\n");
    let (_, manifest) = push(&registry, "harbour/strange", &Image::new("amd64", vec![("ADD /", unknown)]));
    let indexed = index(&serving, &manifest);
    assert_eq!(indexed.status, 201);
    assert_accepted("IndexReport", &body(indexed));
    // A layer that the registry has lost.
    let (_, manifest) =
        push(&registry, "harbour/lost", &Image::new("amd64", vec![("ADD /", Layer::new().file("a", "b"))]));
    registry.script("/harbour/lost/", Deed::Say(404, "", ""));
    let refused = index(&serving, &manifest);
    assert!(refused.status >= 500, "{}", refused.status);
    let refused = body(refused);
    assert_eq!(refused["code"], "internal-error", "{refused}");
    assert!(refused.to_string().is_ascii());
    assert_eq!(index(&serving, &json!({"hash": "sha256:00", "layers": []})).status, 400);
}
