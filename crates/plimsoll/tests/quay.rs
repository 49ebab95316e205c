//! A registry that behaves as Quay does towards Clair: it hands in layers one by one, with a token that soon ends, wants
//! reports in a form that it knows, and gives images up where it is told the wrong thing.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use plimsoll_net::{Method, Request};
use serde_json::{Value, json};
use support::World;
use support::feeds;
use support::images::{Image, Layout, os_release, ship};
use support::layer::Layer;
use support::quay::{INDEX, Indexed, MATCH, Quay, STATE, bytes, features_for, token};
use support::receivers::HookServer;
use support::scripted::{Deed, Scripted};
use support::serving::Serving;

mod support;

/// A world with a database, and a registry that the server may ask.
fn harbour(more: &str) -> (World, Scripted) {
    let world = World::with_database();
    let registry = Scripted::start();
    configure(&world, &format!("[registries.\"{}\"]\nplain_http = true\n[server]\n{more}\n", registry.host));
    (world, registry)
}

fn configure(world: &World, more: &str) {
    let config = std::fs::read_to_string(world.path("config.toml")).unwrap_or_default();
    world.write("config.toml", config + more);
}

fn serve(world: &World) -> Serving {
    Serving::ready(world, &["--no-update"])
}

fn quay(scanner: &Serving) -> Quay<'_> {
    Quay { scanner, key: None }
}

/// Pushes an image; what Quay would hand in.
fn push(registry: &Scripted, name: &str, image: &Image) -> Value {
    let mut layout = Layout::default();
    let top = layout.image(image);
    registry.push(name, &layout, &top, "1");
    let digest = top["digest"].as_str().unwrap().to_owned();
    let manifest: Value = serde_json::from_slice(&layout.blobs[&digest]).unwrap();
    let layers = manifest["layers"].as_array().unwrap().iter();
    let layers: Vec<Value> =
        layers.map(|layer| handed_in(&registry.host, name, layer["digest"].as_str().unwrap())).collect();
    json!({"hash": digest, "layers": layers})
}

/// A layer as Quay hands it in.
fn handed_in(host: &str, name: &str, digest: &str) -> Value {
    let uri = format!("http://{host}/v2/{name}/blobs/{digest}");
    json!({"hash": digest, "uri": uri, "headers": {"Accept": ["application/gzip"]}})
}

/// The manifest with another token for its layers.
fn with_token(mut manifest: Value, token: &str) -> Value {
    for layer in manifest["layers"].as_array_mut().unwrap() {
        layer["headers"]["Authorization"] = json!([token]);
    }
    manifest
}

fn digest_of(manifest: &Value) -> &str {
    manifest["hash"].as_str().unwrap()
}

#[test]
fn an_image_is_indexed_matched_and_shown() {
    let (world, registry) = harbour("");
    let serving = serve(&world);
    let quay = quay(&serving);
    let manifest = push(&registry, "harbour/ship", &ship("amd64"));
    let digest = digest_of(&manifest);
    let state = quay.state();
    assert_eq!(quay.vulnerabilities(digest), None);

    let Indexed::Done(indexed, etag) = quay.index(&manifest) else { panic!("{}", serving.log()) };
    assert_eq!(etag, state);
    assert_eq!((&indexed["state"], &indexed["err"]), (&json!("IndexFinished"), &json!("")));
    assert_eq!(serving.get(&format!("{INDEX}/{digest}"), 200), indexed);

    let (text, report) = quay.vulnerabilities(digest).unwrap();
    assert_eq!(report["packages"], indexed["packages"]);
    let features = features_for(&text, &report);
    insta::assert_json_snapshot!("features", features);

    // What Quay makes of the report is what the server shows in Quay's place.
    let shown = serving.get(&format!("/api/v1/repository/harbour/ship/manifest/{digest}/security"), 200);
    assert_eq!((&shown["status"], &shown["scan"]["state"]), (&json!("scanned"), &json!("completed")));
    assert_eq!(plain(&shown["data"]["Layer"]["Features"]), features);

    // What is asked for again is known.
    let asked = registry.asked().len();
    assert_eq!(quay.indexed(&manifest), indexed);
    assert_eq!(registry.asked().len(), asked);
}

/// Quay's features, as far as [`features_for`] makes them.
fn plain(features: &Value) -> Vec<Value> {
    let of_vulnerability = |one: &Value| {
        let cvss = &one["Metadata"]["NVD"]["CVSSv3"];
        json!({
            "Name": one["Name"], "Severity": one["Severity"], "FixedBy": one["FixedBy"], "Link": one["Link"],
            "Description": one["Description"], "Vectors": cvss["Vectors"], "Score": cvss["Score"],
        })
    };
    let features = features.as_array().unwrap().iter().map(|feature| {
        let vulnerabilities: Vec<Value> =
            feature["Vulnerabilities"].as_array().unwrap().iter().map(of_vulnerability).collect();
        json!({
            "Name": feature["Name"], "Version": feature["Version"], "AddedBy": feature["AddedBy"],
            "Vulnerabilities": vulnerabilities,
        })
    });
    let mut features: Vec<Value> = features.collect();
    features.sort_by_key(|feature| ["Name", "Version", "AddedBy"].map(|key| feature[key].to_string()));
    features
}

#[test]
fn a_client_that_comes_later_waits_for_the_same_scan() {
    let (world, registry) = harbour("");
    let serving = serve(&world);
    let manifest = push(&registry, "harbour/ship", &ship("amd64"));
    registry.script("/blobs/", Deed::Stall);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3).map(|_| scope.spawn(|| quay(&serving).indexed(&manifest))).collect();
        while registry.asked().is_empty() {
            std::thread::yield_now();
        }
        registry.behave();
        let mut reports: Vec<Value> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        reports.dedup();
        assert_eq!(reports.len(), 1);
    });
    let mut blobs: Vec<String> =
        registry.asked().into_iter().filter(|path| path.contains("/blobs/")).collect();
    let all = blobs.len();
    blobs.sort();
    blobs.dedup();
    assert_eq!(blobs.len(), all, "a layer was fetched twice");
}

/// A token counts for the request that brought it: one that has ended fails the image, and the next brings another.
#[test]
fn layers_are_asked_for_with_the_token_that_came_with_them() {
    let (world, registry) = harbour("attempts_max = 1");
    let serving = serve(&world);
    let quay = quay(&serving);
    let manifest = push(&registry, "harbour/ship", &ship("amd64"));
    registry.script("/blobs/", Deed::Demand("Bearer new".to_owned()));
    assert_eq!(quay.index(&manifest), Indexed::Failed(500));
    assert_eq!(quay.index(&with_token(manifest.clone(), "Bearer old")), Indexed::Failed(500));
    assert_eq!(quay.vulnerabilities(digest_of(&manifest)), None);
    quay.indexed(&with_token(manifest, "Bearer new"));
    let last = registry.requests().pop().unwrap();
    assert_eq!(
        (last.header("authorization"), last.header("accept")),
        (Some("Bearer new"), Some("application/gzip"))
    );
    assert!(!serving.log().contains("Bearer"), "the token is logged");
}

#[test]
fn what_is_known_already_is_not_sent_again() {
    let (world, registry) = harbour("");
    let serving = serve(&world);
    let quay = quay(&serving);
    let manifest = push(&registry, "harbour/ship", &ship("amd64"));
    let digest = digest_of(&manifest);
    let etag = format!("\"{}\"", quay.state());
    quay.indexed(&manifest);
    let own = format!("{INDEX}/{digest}");
    for (request, status) in [
        (Request::get(STATE), 304),
        (Request::get(own.as_str()), 304),
        (Request::post(INDEX, manifest.to_string()), 412),
    ] {
        let response = quay.send(request.header("If-None-Match", etag.as_str()));
        assert_eq!(response.status, status);
        assert_eq!(bytes(response), b"");
    }
    // The state stays when the server is started anew, and with another database.
    assert_eq!(serving.end(), Some(0));
    feeds::write_secdb(&world, "1.2.3-r2");
    world.plimsoll(&["feeds", "update", "alpine-secdb"]).expect(0);
    let serving = serve(&world);
    let response = serving.send(Request::get(own).header("If-None-Match", etag));
    assert_eq!(response.status, 304);
}

#[test]
fn what_is_deleted_is_gone() {
    let (world, registry) = harbour("");
    let serving = serve(&world);
    let quay = quay(&serving);
    let one = push(&registry, "harbour/one", &ship("amd64"));
    let two = push(&registry, "harbour/two", &ship("arm64"));
    let delete = |path: &str, body: Option<String>| {
        quay.send(Request { body: body.map(String::into_bytes), ..Request::new(Method::Delete, path) })
    };
    quay.indexed(&one);
    quay.indexed(&two);
    let own = format!("{INDEX}/{}", digest_of(&one));
    // Whether or not it is known.
    for _ in 0..2 {
        let response = delete(&own, None);
        assert_eq!((response.status, bytes(response)), (204, Vec::new()));
    }
    assert_eq!(quay.send(Request::get(own.as_str())).status, 404);
    assert_eq!(quay.vulnerabilities(digest_of(&one)), None);
    assert!(quay.vulnerabilities(digest_of(&two)).is_some());

    let both = json!([digest_of(&one), digest_of(&two)]).to_string();
    for gone in [json!([digest_of(&two)]), Value::Null] {
        let response = delete(INDEX, Some(both.clone()));
        assert_eq!(response.status, 200);
        assert_eq!(serde_json::from_slice::<Value>(&bytes(response)).unwrap(), gone);
    }
    assert_eq!(quay.vulnerabilities(digest_of(&two)), None);
    // It may come again.
    quay.indexed(&one);
}

#[test]
fn only_what_can_never_be_indexed_is_a_bad_request() {
    let (world, registry) = harbour("attempts_max = 1");
    configure(&world, "private_hosts_allowed = [\"localhost:1\"]\n");
    let serving = serve(&world);
    let quay = quay(&serving);
    // Of an operating system that nobody knows: indexed, so that it may be indexed again another day.
    let unknown = Image::new("amd64", vec![("ADD /", os_release("ID=borealis\nVERSION_ID=4\n"))]);
    let unknown = push(&registry, "harbour/strange", &unknown);
    quay.indexed(&unknown);
    let (_, report) = quay.vulnerabilities(digest_of(&unknown)).unwrap();
    assert_eq!(report["vulnerabilities"], json!({}));

    // Neither a tar nor a gzip, under a name that is not ASCII.
    let mut layout = Layout::default();
    let torn = layout.blob("", b"neither gzip nor tar".repeat(99));
    registry.push("harbour/torn", &layout, &torn, "1");
    let torn = handed_in(&registry.host, "harbour/torn", torn["digest"].as_str().unwrap());
    let hash = "sha256:".to_owned() + &"0a".repeat(32);
    for (manifest, said) in [
        (json!({"hash": hash, "layers": [torn]}), "corrupt"),
        (json!({"hash": hash, "layers": []}), "bogus manifest"),
        (json!({"hash": "sha256:ü", "layers": [torn]}), "failed to deserialize"),
        (json!({"hash": hash, "layers": [{"hash": "ü", "uri": "ü"}]}), "bogus manifest"),
    ] {
        match quay.index(&manifest) {
            Indexed::Unsupported(body) => {
                let body: Value = serde_json::from_str(&body).unwrap();
                assert_eq!(body["code"], "bad-request");
                assert!(body["message"].as_str().unwrap().contains(said), "{body}");
            }
            other => panic!("{manifest}: {other:?}"),
        }
    }

    // What is not to be had today may be tomorrow: a layer that is lost, a registry in trouble, and one that is gone.
    let layer = |text: &str| Image::new("amd64", vec![("ADD /", Layer::new().file("a", text))]);
    for (name, deed) in [
        ("lost", Some(Deed::Say(404, "", ""))),
        ("locked", Some(Deed::Say(403, "", ""))),
        ("busy", Some(Deed::Say(429, "Retry-After: 900\r\n", ""))),
        ("ill", Some(Deed::Say(503, "", ""))),
        ("bad", Some(Deed::Say(400, "", ""))),
        ("spoilt", Some(Deed::Spoil)),
        ("cut", Some(Deed::Break)),
        ("gone", None),
    ] {
        let mut manifest = push(&registry, &format!("harbour/{name}"), &layer(name));
        match deed {
            Some(deed) => registry.script(&format!("/harbour/{name}/"), deed),
            None => {
                let uri =
                    manifest["layers"][0]["uri"].as_str().unwrap().replace(&registry.host, "localhost:1");
                manifest["layers"][0]["uri"] = json!(uri);
            }
        }
        let indexed = quay.index(&manifest);
        assert!(matches!(indexed, Indexed::Failed(500..)), "{name}: {indexed:?}");
    }
}

/// Quay's requests with and without the key that both share.
#[test]
fn whoever_has_the_key_is_let_in() {
    let key = BASE64_STANDARD.encode([7; 32]);
    let (world, registry) = harbour("[server.psk]\nkey_file = \"psk\"");
    world.write("psk", &key);
    let serving = serve(&world);
    let quay = Quay { scanner: &serving, key: Some(key.clone()) };
    let manifest = push(&registry, "harbour/ship", &ship("amd64"));
    quay.indexed(&manifest);
    let own = format!("{MATCH}/{}", digest_of(&manifest));
    assert!(quay.vulnerabilities(digest_of(&manifest)).is_some());
    let other = BASE64_STANDARD.encode([8; 32]);
    let bearer = |key: &str, issuer: &str, ends_in| format!("Bearer {}", token(key, issuer, ends_in));
    for (authorization, status) in [
        (Some(bearer(&key, "quay", 300)), 200),
        (Some(bearer(&key, "quay", -10)), 200),
        (None, 401),
        (Some(bearer(&other, "quay", 300)), 401),
        (Some(bearer(&key, "quay", -20)), 401),
        (Some(bearer(&key, "somebody", 300)), 401),
        (Some("Bearer no.tok.en".to_owned()), 401),
        (Some("Basic cXVheTpxdWF5".to_owned()), 401),
        (Some(String::new()), 401),
    ] {
        let requests = [
            Request::get(STATE),
            Request::get(own.as_str()),
            Request::get("/openapi/v1"),
            Request::get("/notifier/api/v1/notification/11111111-2222-3333-4444-555555555555"),
            Request::post(INDEX, manifest.to_string()),
            Request::new(Method::Delete, format!("{INDEX}/sha256:{}", "0".repeat(64))),
        ];
        for request in requests {
            let path = request.url.clone();
            let request = match &authorization {
                Some(text) => request.header("Authorization", text.as_str()),
                None => request,
            };
            let response = serving.send(request);
            if status == 200 {
                assert!(matches!(response.status, 200 | 201 | 204 | 404), "{path}: {}", response.status);
                continue;
            }
            assert_eq!(response.status, 401, "{path} {authorization:?}");
            assert_eq!(bytes(response), b"", "{path}");
        }
    }
    // The key is Clair's clients' and opens nothing else.
    let token = bearer(&key, "quay", 300);
    for path in ["/api/v1/deliveries", "/harbor/api/v1/metadata"] {
        let request = Request::get(path).header("Authorization", token.as_str());
        assert_eq!(serving.send(request).status, 401, "{path}");
    }
}

/// A new database changes what is known of two images: Quay is told, reads page by page, and deletes.
#[test]
fn quay_is_told_of_what_a_new_database_changes() {
    let key = BASE64_STANDARD.encode([7; 32]);
    let (world, registry) = harbour("url = \"http://clair.example:6060\"\n[server.psk]\nkey_file = \"psk\"");
    world.write("psk", &key);
    let receiver = HookServer::start();
    receiver.answer(200);
    receiver.answer_once(500);
    let url = format!("http://127.0.0.1:{}/secscan/notification", receiver.port);
    configure(
        &world,
        &format!(
            "[notify.quay]\nkind = \"clair\"\nurl = \"{url}\"\npsk_file = \"psk\"\nallow_plain = true\n"
        ),
    );
    feeds::write_secdb(&world, "1.2.3-r0");
    world.plimsoll(&["feeds", "update", "alpine-secdb"]).expect(0);
    let serving = serve(&world);
    let quay = Quay { scanner: &serving, key: Some(key) };
    serving.until_logged("is the first to compare with");
    let manifests = ["amd64", "arm64"].map(|architecture| {
        let manifest = push(&registry, &format!("harbour/{architecture}"), &ship(architecture));
        quay.indexed(&manifest);
        manifest
    });
    // `hull-libs` becomes affected, `barnacle` less so.
    feeds::write_secdb(&world, "1.2.3-r1");
    feeds::write_osv(&world, &feeds::records()[1..]);
    world.plimsoll(&["feeds", "update", "alpine-secdb", "osv-pypi"]).expect(0);

    // Told again until it is taken.
    let refused = receiver.next();
    let request = receiver.next();
    assert_eq!(request.body, refused.body);
    assert!(request.line.starts_with("POST /secscan/notification "), "{}", request.line);
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("content-length"), request.body.len().to_string());
    let id = quay.webhook(request.header("authorization"), &request.body).unwrap();
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body["callback"], format!("http://clair.example:6060/notifier/api/v1/notification/{id}"));

    let items = quay.notification(&id, 1).unwrap();
    assert_eq!(quay.notification(&id, 500).unwrap(), items);
    let mut told: Vec<String> = items.iter().map(told).collect();
    told.sort();
    let mut expected = Vec::new();
    for manifest in &manifests {
        let digest = digest_of(manifest);
        expected.push(format!("{digest} added CVE-2030-0001 hull-libs 1.2.3-r0 Unknown 1.2.3-r1"));
        expected.push(format!("{digest} removed CVE-2030-0010 barnacle 1.5 Critical 2.0"));
    }
    expected.sort();
    assert_eq!(told, expected);

    assert_eq!(quay.delete_notification(&id), 200);
    assert_eq!(quay.notification(&id, 500), None);
    assert_eq!(quay.delete_notification(&id), 404);
    // Taken once, told no more.
    assert!(receiver.take().is_empty());
}

/// What Quay reads of an item, by either spelling.
fn told(item: &Value) -> String {
    let vulnerability = &item["vulnerability"];
    assert_eq!(vulnerability["severity"], vulnerability["normalized_severity"]);
    assert_eq!(vulnerability["repo"], vulnerability["repository"]);
    let texts = [
        &item["manifest"],
        &item["reason"],
        &vulnerability["name"],
        &vulnerability["package"]["name"],
        &vulnerability["package"]["version"],
        &vulnerability["normalized_severity"],
        &vulnerability["fixed_in_version"],
    ];
    texts.map(|text| text.as_str().unwrap()).join(" ")
}
