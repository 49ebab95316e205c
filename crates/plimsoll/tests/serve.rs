//! The server: each state that a scan can be in, caused for real, and what the pipeline's command makes of it.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use plimsoll_net::Request;
use serde_json::{Value, json};
use support::images::{CONFIG, Image, Layout, MANIFEST, fleet, os_release, ship};
use support::layer::{Layer, gzip};
use support::scripted::{Deed, Scripted};
use support::serving::{Serving, server_settings};
use support::{World, feeds};

mod support;

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What a pipeline sees: output and exit code of its one line.
macro_rules! assert_status {
    ($name:expr, $world:expr, $serving:expr, $image:expr, $($argument:expr),*) => {{
        let arguments = ["status", $image, "--server", &$serving.url, $($argument),*];
        let ran = $world.plimsoll(&arguments);
        let words = ["status", "IMAGE", $($argument),*].join(" ");
        let mut settings = server_settings($world);
        // Whether a worker has told of its progress by then is chance.
        settings.add_filter(r"progress +layer .*\n", "");
        settings.bind(|| insta::assert_snapshot!($name, format!("$ plimsoll {words}\n{ran}")));
        ran.code
    }};
}

/// A world with a database, a registry, and a server that may ask it.
fn harbour(more: &str) -> (World, Scripted) {
    let world = World::with_database();
    let registry = Scripted::start();
    configure(&world, &registry, more);
    (world, registry)
}

/// Lets the server ask a registry that has a private address and speaks plain HTTP.
fn configure(world: &World, registry: &Scripted, more: &str) {
    let mut config = std::fs::read_to_string(world.path("config.toml")).unwrap_or_default();
    config += &format!("[registries.\"{}\"]\nplain_http = true\n[server]\n{more}\n", registry.host);
    world.write("config.toml", config);
}

/// Pushes an image; its reference.
fn push(registry: &Scripted, name: &str, image: &Image) -> String {
    let mut layout = Layout::default();
    let top = layout.image(image);
    registry.push(name, &layout, &top, "1");
    format!("{}/{name}:1", registry.host)
}

/// Pushes a manifest with these layers and this config; its reference.
fn push_manifest(
    registry: &Scripted,
    name: &str,
    config: (&str, Value),
    layers: Vec<(&str, Vec<u8>)>,
) -> String {
    let mut layout = Layout::default();
    let layers: Vec<Value> = layers.into_iter().map(|(kind, bytes)| layout.blob(kind, bytes)).collect();
    let config = layout.blob(config.0, config.1.to_string().into_bytes());
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    let top = layout.blob(MANIFEST, manifest.to_string().into_bytes());
    registry.push(name, &layout, &top, "1");
    format!("{}/{name}:1", registry.host)
}

/// The config of an image of so many layers.
fn config(layers: usize) -> (&'static str, Value) {
    let diff_ids: Vec<String> = (0..layers).map(|nth| format!("sha256:{nth:064x}")).collect();
    let rootfs = json!({"type": "layers", "diff_ids": diff_ids});
    (CONFIG, json!({"os": "linux", "architecture": "amd64", "rootfs": rootfs}))
}

#[test]
fn completed() {
    let (world, registry) = harbour("");
    let serving = Serving::ready(&world, &["--no-update"]);
    let image = push(&registry, "harbour/ship", &ship("amd64"));
    let clean = Image::new("amd64", vec![("ADD /", clean())]);
    let clean = push(&registry, "harbour/clean", &clean);
    let (layout, index) = fleet();
    registry.push("harbour/fleet", &layout, &index, "1");
    let fleet = format!("{}/harbour/fleet:1", registry.host);
    assert_eq!(assert_status!("completed", &world, serving, &image, "--wait"), 0);
    assert_eq!(
        assert_status!("completed_refused", &world, serving, &image, "--wait", "--fail-on", "high"),
        1
    );
    assert_eq!(assert_status!("completed_clean", &world, serving, &clean, "--wait", "--fail-on", "any"), 0);
    assert_eq!(assert_status!("completed_index", &world, serving, &fleet, "--wait", "--fail-on", "any"), 1);
    let foreign = Image::new("amd64", vec![("ADD /", gem())]);
    let foreign = push(&registry, "harbour/gem", &foreign);
    assert_eq!(assert_status!("completed_with_gaps", &world, serving, &foreign, "--wait"), 2);
    assert_eq!(
        assert_status!("completed_gaps_allowed", &world, serving, &foreign, "--wait", "--allow-gaps"),
        0
    );
    assert_eq!(serving.end(), Some(0));
}

/// A distribution whose one package has no flaw.
fn clean() -> Layer {
    os_release("ID=alpine\nVERSION_ID=3.20.3\n")
        .file("lib/apk/db/installed", "P:keel\nV:2.0-r5\nA:amd64\no:keel\nL:MIT\n\n")
}

/// The same with a Ruby gem, whose feed is not there.
fn gem() -> Layer {
    clean().file(
        "usr/lib/ruby/gems/3.3.0/specifications/sail-1.0.gemspec",
        "Gem::Specification.new do |s|\n  s.name = \"sail\".freeze\n  s.version = \"1.0\"\nend\n",
    )
}

/// The images of an index that could be scanned do not answer for one that could not.
#[test]
fn an_index_with_an_image_that_is_broken() {
    let (world, registry) = harbour("attempts_max = 1");
    let serving = Serving::ready(&world, &["--no-update"]);
    let mut layout = Layout::default();
    let good = layout.image(&Image::new("amd64", vec![("ADD /", clean())]));
    let bad = layout.image(&Image::new("arm64", vec![("ADD /", gem())]));
    let index = layout.index(&[good, bad.clone()]);
    registry.push("harbour/fleet", &layout, &index, "1");
    registry.script(&layer_digests(&registry, "harbour/fleet", &bad)[0], Deed::Spoil);
    let fleet = format!("{}/harbour/fleet:1", registry.host);
    assert_eq!(assert_status!("index_failed", &world, serving, &fleet, "--wait", "--fail-on", "any"), 5);
    let id = index["digest"].as_str().unwrap();
    for demand in ["fail_on=any", "fail_on=any&allow_gaps=true"] {
        let none = serving.get(&format!("/api/v1/scans/{id}/verdict?{demand}"), 409);
        assert!(none["detail"].as_str().unwrap().contains("digest_mismatch"), "{none}");
    }
    let report = serving.get(&format!("/api/v1/scans/{id}/report"), 200);
    assert!(report.to_string().contains("digest_mismatch"), "{report:#}");
}

#[test]
fn a_name_is_scanned_again_where_that_is_asked_for() {
    let (world, registry) = harbour("");
    let serving = Serving::ready(&world, &["--no-update"]);
    let image = push(&registry, "harbour/ship", &ship("amd64"));
    let status = |more: &[&str]| {
        let line = ["status", &image, "--server", &serving.url, "--wait", "--format", "json"];
        let ran = world.plimsoll(&[&line, more].concat()).expect(0);
        ran.json()["status"]["queued_at"].as_str().unwrap().to_owned()
    };
    let first = status(&[]);
    assert_eq!(status(&[]), first);
    assert!(status(&["--rescan"]) > first);
}

const TEAMS: [&str; 3] = ["ann", "bob", "eve"];

/// A world with a server that has a token for the repositories of each team.
fn harbour_of_teams() -> (World, Scripted, Serving, [String; 3]) {
    let tokens = TEAMS.map(|team| format!("{team}-{}", "t".repeat(40)));
    let sections: String = TEAMS
        .iter()
        .zip(&tokens)
        .map(|(team, token)| {
            let hash = &support::images::digest(token.as_bytes())[7..];
            format!(
                "[[server.auth.tokens]]\nname = \"{team}\"\nsha256 = \"{hash}\"\nscopes = [\"submit\"]\n\
                 repositories = [\"*/{team}/*\"]\n"
            )
        })
        .collect();
    let (world, registry) = harbour(&sections);
    let serving = Serving::ready(&world, &["--no-update"]);
    (world, registry, serving, tokens)
}

/// Two teams have the same index. A third pushes an index that names their image, which it does not have: the index
/// is theirs and the image is not.
#[test]
fn an_index_shows_no_images_of_others() {
    let (world, registry, serving, tokens) = harbour_of_teams();
    let mut layout = Layout::default();
    let image = layout.image(&ship("amd64"));
    let index = layout.index(std::slice::from_ref(&image));
    for team in ["ann", "bob"] {
        registry.push(&format!("{team}/fleet"), &layout, &index, "1");
    }
    let bytes = layout.blobs[index["digest"].as_str().unwrap()].clone();
    let media_type = index["mediaType"].as_str().unwrap();
    let id = index["digest"].as_str().unwrap();
    for name in ["1", id] {
        registry.manifest(&format!("eve/fleet/{name}"), media_type, &bytes);
    }
    let image = image["digest"].as_str().unwrap();
    for (team, token, code, status) in
        [("ann", &tokens[0], 1, 200), ("eve", &tokens[2], 5, 404), ("bob", &tokens[1], 1, 200)]
    {
        world.write("token", token);
        let fleet = format!("{}/{team}/fleet:1", registry.host);
        let line = ["status", &fleet, "--server", &serving.url, "--token-file", "token", "--format", "json"];
        let ran = world.plimsoll(&[&line[..], &["--wait", "--fail-on", "high"]].concat());
        assert_eq!(ran.code, code, "{team}: {ran}");
        let children = ran.json()["status"]["children"].clone();
        assert_eq!(children[0]["digest"], image, "{team}: {ran}");
        assert_eq!(children[0]["scan"].is_null(), team == "eve", "{team}: {ran}");
        for path in [format!("{image}/report"), format!("{image}/verdict"), image.to_owned()] {
            let ask = Request::get(format!("/api/v1/scans/{path}"));
            let answer = serving.send(ask.header("Authorization", format!("Bearer {token}")));
            assert_eq!(answer.status, status, "{team} {path}");
        }
        let report = Request::get(format!("/api/v1/scans/{id}/report"));
        let answer = serving.send(report.header("Authorization", format!("Bearer {token}")));
        let said = String::from_utf8(answer.bytes(64 << 20).unwrap()).unwrap();
        assert_eq!(said.contains("CVE-"), team != "eve", "{team}: {said}");
    }
}

/// Two teams have the same image, each in a repository of its own, and see it; a third names its digest and does not.
#[test]
fn teams_see_what_is_theirs() {
    let (world, registry, serving, tokens) = harbour_of_teams();
    for team in ["ann", "bob"] {
        push(&registry, &format!("{team}/ship"), &ship("amd64"));
    }
    let manifest = registry.bytes("ann/ship/1");
    let digest = support::images::digest(&manifest);
    for (team, token, code, state) in [
        ("ann", &tokens[0], 1, "completed"),
        ("bob", &tokens[1], 1, "completed"),
        ("eve", &tokens[2], 5, "failed"),
    ] {
        world.write("token", token);
        let image = format!("{}/{team}/ship@{digest}", registry.host);
        let line = ["status", &image, "--server", &serving.url, "--token-file", "token", "--format", "json"];
        let ran = world.plimsoll(&[&line[..], &["--wait", "--fail-on", "high"]].concat());
        assert_eq!(ran.code, code, "{team}: {ran}");
        let status = &ran.json()["status"];
        assert_eq!(status["state"], state, "{team}: {ran}");
        // Nobody is told what it is called in a repository of others.
        for other in TEAMS.iter().filter(|other| **other != team) {
            assert!(!ran.stdout.contains(&format!("/{other}/")), "{team}: {ran}");
        }
        let answer = serving.send(
            Request::get(format!("/api/v1/scans/{digest}/report"))
                .header("Authorization", format!("Bearer {token}")),
        );
        assert_eq!(answer.status, if team == "eve" { 404 } else { 200 }, "{team}");
    }
}

#[test]
fn unsupported() {
    let (world, registry) = harbour("layer_mib_max = 1");
    let serving = Serving::ready(&world, &["--no-update"]);
    let chart = json!({"name": "chart", "version": "1.0.0", "apiVersion": "v2"});
    let file = |kind: &'static str| vec![(kind, gzip(&clean().tar()))];
    let unknown = Image::new("amd64", vec![("ADD /", os_release("ID=leviathan\nVERSION_ID=1\n"))]);
    let large = vec![0; (1 << 20) + 1];
    let schema1 = json!({"schemaVersion": 1, "name": "a", "fsLayers": [], "history": []}).to_string();
    for (name, image) in [
        (
            "artifact_type",
            push_manifest(
                &registry,
                "harbour/chart",
                ("application/vnd.cncf.helm.config.v1+json", chart),
                file("application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
            ),
        ),
        ("no_layers", push_manifest(&registry, "harbour/scratch", config(0), Vec::new())),
        ("unknown_os", push(&registry, "harbour/unknown", &unknown)),
        (
            "encrypted_layer",
            push_manifest(
                &registry,
                "harbour/secret",
                config(1),
                file("application/vnd.oci.image.layer.v1.tar+gzip+encrypted"),
            ),
        ),
        ("layer_too_large", push_manifest(&registry, "harbour/large", config(1), vec![(LAYER, large)])),
        (
            "layer_type",
            push_manifest(&registry, "harbour/film", config(1), vec![("video/mp4", b"no archive".to_vec())]),
        ),
        (
            "too_many_layers",
            push_manifest(&registry, "harbour/many", config(1001), vec![(LAYER, gzip(&clean().tar())); 1001]),
        ),
        ("manifest_format", {
            registry.manifest(
                "harbour/old/1",
                "application/vnd.docker.distribution.manifest.v1+prettyjws",
                schema1.as_bytes(),
            );
            format!("{}/harbour/old:1", registry.host)
        }),
    ] {
        let snapshot = format!("unsupported_{name}");
        assert_eq!(assert_status!(snapshot, &world, serving, &image, "--wait"), 4, "{name}");
    }
}

#[test]
fn failed() {
    let (world, registry) = harbour("attempts_max = 1");
    let serving = Serving::ready(&world, &["--no-update"]);
    let spoilt = push(&registry, "harbour/spoilt", &ship("amd64"));
    let broken = push(&registry, "harbour/broken", &ship("arm64"));
    let torn = vec![(LAYER, b"neither gzip nor tar".repeat(99))];
    let torn = push_manifest(&registry, "harbour/torn", config(1), torn);
    registry.script("harbour/spoilt/blobs", Deed::Spoil);
    registry.script("harbour/broken/blobs", Deed::Say(503, "", ""));
    registry.script("harbour/locked", Deed::Say(403, "", ""));
    let there = |name: &str| format!("{}/harbour/{name}:1", registry.host);
    for (name, image) in [
        ("digest_mismatch", spoilt),
        ("attempts_exhausted", broken),
        ("corrupt", torn),
        ("not_found", there("nothing")),
        ("unauthorized", there("locked")),
        ("address_refused", "169.254.169.254/latest/meta-data:1".to_owned()),
    ] {
        let snapshot = format!("failed_{name}");
        assert_eq!(assert_status!(snapshot, &world, serving, &image, "--wait"), 5, "{name}");
    }
}

#[test]
fn on_the_way() {
    let (world, registry) = harbour("workers = 1");
    let serving = Serving::ready(&world, &["--no-update"]);
    let first = push(&registry, "harbour/first", &ship("amd64"));
    let second = push(&registry, "harbour/second", &ship("arm64"));
    registry.script("harbour/first/manifests", Deed::Stall);
    let submitted = serving.submit(&first);
    let fetching = serving.until(submitted["id"].as_str().unwrap(), &["fetching"]);
    assert_eq!(assert_status!("fetching", &world, serving, fetching["id"].as_str().unwrap(),), 6);
    assert_eq!(assert_status!("queued", &world, serving, &second,), 6);
    registry.behave();
    serving.until(fetching["id"].as_str().unwrap(), &["completed"]);
    let second = serving.submit(&second);
    serving.until(second["id"].as_str().unwrap(), &["completed"]);
}

#[test]
fn indexing_and_cancelled() {
    let (world, registry) = harbour("registry_seconds_max = 8");
    let serving = Serving::ready(&world, &["--no-update"]);
    let image = push(&registry, "harbour/ship", &ship("amd64"));
    // All layers: the config is a blob too, and is asked for first.
    let layers = layer_digests(&registry, "harbour/ship", &json!({ "digest": "1" }));
    layers.iter().for_each(|digest| registry.script(digest, Deed::Stall));
    let submitted = serving.submit(&image);
    let indexing = serving.until(submitted["id"].as_str().unwrap(), &["indexing"]);
    let id = indexing["id"].as_str().unwrap();
    assert_eq!(assert_status!("indexing", &world, serving, id,), 6);
    serving.post(&format!("/api/v1/scans/{id}/cancel"), 202);
    // A read that waits is not broken off; when it ends, the worker has heard of it.
    serving.until(id, &["cancelled"]);
    assert_eq!(assert_status!("cancelled", &world, serving, id, "--wait"), 5);
    serving.post(&format!("/api/v1/scans/{id}/cancel"), 409);
}

/// The layers of a manifest, which is known by its digest or a tag.
fn layer_digests(registry: &Scripted, repository: &str, top: &Value) -> Vec<String> {
    let name = format!("{repository}/{}", top["digest"].as_str().unwrap());
    let manifest: Value = serde_json::from_slice(&registry.bytes(&name)).unwrap();
    let layers = manifest["layers"].as_array().unwrap().iter();
    layers.map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_server_that_ends_hands_back_what_it_has() {
    let (world, registry) = harbour("[server.limits]\nending_time_max = \"4s\"");
    let serving = Serving::ready(&world, &["--no-update"]);
    let image = push(&registry, "harbour/ship", &ship("amd64"));
    registry.script("harbour/ship/manifests", Deed::Stall);
    let submitted = serving.submit(&image);
    let id = submitted["id"].as_str().unwrap();
    serving.until(id, &["fetching"]);
    assert_eq!(serving.end(), Some(0));
    registry.behave();
    let again = Serving::ready(&world, &["--no-update"]);
    let events = again.events(0, "scan");
    let states: Vec<&str> = events
        .iter()
        .filter(|event| event["subject"] == id)
        .map(|event| event["reason"].as_str().unwrap())
        .collect();
    assert!(states.contains(&"handed_back") && !states.contains(&"worker_lost"), "{states:?}");
    let status = again.until(id, &["completed"]);
    assert_eq!(status["attempt"], 1, "handing back is no attempt: {status}");
}

#[test]
fn retrying() {
    let (world, registry) = harbour("registry_seconds_max = 1");
    let serving = Serving::ready(&world, &["--no-update"]);
    let image = push(&registry, "harbour/ship", &ship("amd64"));
    let limited = push(&registry, "harbour/limited", &ship("arm64"));
    let stalls = push(&registry, "harbour/stalls", &Image::new("amd64", vec![("ADD /", clean())]));
    registry.script("harbour/ship/blobs", Deed::Say(503, "", ""));
    registry.script("harbour/limited", Deed::Say(429, "Retry-After: 700\r\n", ""));
    registry.script("harbour/stalls/manifests/1", Deed::Stall);
    for (name, image) in [("registry_unavailable", image), ("rate_limited", limited), ("stalls", stalls)] {
        let submitted = serving.submit(&image);
        serving.until(submitted["id"].as_str().unwrap(), &["retrying"]);
        let snapshot = format!("retrying_{name}");
        assert_eq!(
            assert_status!(snapshot, &world, serving, submitted["id"].as_str().unwrap(),),
            6,
            "{name}"
        );
    }
}

#[test]
fn feeds_not_loaded() {
    let world = World::new();
    feeds::write_all(&world);
    feeds::turn_others_off(&world);
    let registry = Scripted::start();
    configure(&world, &registry, "");
    let image = push(&registry, "harbour/ship", &ship("amd64"));
    let serving = Serving::ready(&world, &["--no-update"]);
    assert_eq!(assert_status!("no_database", &world, serving, &image, "--wait", "--timeout", "1s"), 6);
    // It comes while the scan waits for it.
    assert_eq!(world.plimsoll(&["feeds", "update"]).code, 0);
    assert_eq!(assert_status!("database_came", &world, serving, &image, "--wait", "--fail-on", "any"), 1);
}

#[test]
fn feeds_awaited() {
    let world = World::new();
    feeds::write_all(&world);
    feeds::turn_others_off(&world);
    assert_eq!(world.plimsoll(&["feeds", "update", "alpine-secdb"]).code, 0);
    let registry = Scripted::start();
    registry.script("/osv/", Deed::Stall);
    let config = std::fs::read_to_string(world.path("config.toml")).unwrap();
    let stalls = format!("http://{}/osv", registry.host);
    world.write("config.toml", config.replace(&world.url("feeds/osv"), &stalls));
    configure(&world, &registry, "");
    let image = push(&registry, "harbour/ship", &ship("amd64"));
    let serving = Serving::ready(&world, &[]);
    let submitted = serving.submit(&image);
    serving.until(submitted["id"].as_str().unwrap(), &["feeds_not_loaded"]);
    assert_eq!(assert_status!("feeds_awaited", &world, serving, &image, "--wait", "--timeout", "1s"), 6);
    // It turns out not to be there: what is known is said, with a gap.
    registry.behave();
    let status = serving.until(submitted["id"].as_str().unwrap(), &["completed"]);
    assert_eq!(status["reason"], "with_gaps");
}

#[test]
fn the_service() {
    let (world, registry) = harbour("");
    let image = push(&registry, "harbour/ship", &ship("amd64"));
    // Nothing listens there, so the server waits for its store.
    let serving = Serving::start(&world, &["--store", "postgres://nobody@127.0.0.1:1/none"]);
    assert_eq!(assert_status!("not_ready", &world, serving, &image, "--wait", "--timeout", "1s"), 6);
    assert_eq!(assert_status!("not_ready_at_once", &world, serving, &image,), 6);
    let url = serving.url.clone();
    serving.kill();
    let gone = Gone { url };
    assert_eq!(assert_status!("unreachable", &world, gone, &image, "--wait", "--timeout", "1s"), 7);
    assert_eq!(assert_status!("usage", &world, gone, "no/such:tag:", "--wait"), 3);
    assert_eq!(assert_status!("usage_threshold", &world, gone, &image, "--fail-on", "dreadful"), 3);
}

/// A server that is no more.
struct Gone {
    url: String,
}
