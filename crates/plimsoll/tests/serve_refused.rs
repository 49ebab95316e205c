//! Places that a client must not send the server to: its own network, by an address or by a redirect.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use plimsoll_net::Request;
use serde_json::{Value, json};
use support::World;
use support::images::{Layout, ship};
use support::quay::bytes;
use support::scripted::{Deed, Scripted};
use support::serving::Serving;

mod support;

/// Where clouds tell a machine its secrets.
const METADATA: &str = "169.254.169.254";

const INDEX: &str = "/indexer/api/v1/index_report";

/// A server that may ask one registry, whose address is private, and no other host.
fn harbour(more: &str) -> (World, Scripted, Serving) {
    let world = World::with_database();
    let registry = Scripted::start();
    let mut config = std::fs::read_to_string(world.path("config.toml")).unwrap();
    config += &format!(
        "[registries.\"{}\"]\nplain_http = true\n[server]\nattempts_max = 1\n{more}\n",
        registry.host
    );
    world.write("config.toml", config);
    let serving = Serving::ready(&world, &["--no-update"]);
    (world, registry, serving)
}

/// Pushes the ship; its digest and its manifest.
fn push(registry: &Scripted, name: &str) -> (String, Value) {
    let mut layout = Layout::default();
    let top = layout.image(&ship("amd64"));
    registry.push(name, &layout, &top, "1");
    let digest = top["digest"].as_str().unwrap().to_owned();
    let manifest = serde_json::from_slice(&layout.blobs[&digest]).unwrap();
    (digest, manifest)
}

fn send(serving: &Serving, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::post(path, body.to_string()).header("Content-Type", "application/json");
    let response = serving.send(request);
    let status = response.status;
    (status, serde_json::from_slice(&bytes(response)).unwrap_or_default())
}

/// Hands in a layer as Clair's clients do; the answer.
fn index(serving: &Serving, nth: usize, uri: &str, headers: &Value) -> (u16, Value) {
    let hash = format!("sha256:{nth:064x}");
    send(serving, INDEX, &json!({"hash": hash, "layers": [{"hash": hash, "uri": uri, "headers": headers}]}))
}

/// All spellings of addresses of the machine itself and of its network, with ports where there are services.
fn private_hosts() -> Vec<String> {
    let mut hosts: Vec<String> =
        [METADATA, "127.0.0.1", "10.0.0.1", "[::1]", "[fe80::1]", "[::ffff:169.254.169.254]"]
            .map(str::to_owned)
            .into();
    // Spellings that some resolvers read as addresses.
    hosts.extend(["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "127.1", "0"].map(str::to_owned));
    hosts
}

#[test]
fn references_into_the_servers_network_fail() {
    let (_world, registry, serving) = harbour("");
    let port = registry.host.rsplit_once(':').unwrap().1;
    let mut references: Vec<String> = private_hosts().iter().map(|host| format!("{host}:80/a/b:1")).collect();
    // The same registry under a name that the configuration does not have.
    references.push(format!("127.0.0.1:{port}/harbour/ship:1"));
    for reference in references {
        let (status, answer) = send(&serving, "/api/v1/scans", &json!({"reference": reference}));
        if status == 400 {
            continue;
        }
        assert_eq!(status, 202, "{reference}: {answer}");
        let ended = serving.until(answer["id"].as_str().unwrap(), &["failed", "unsupported", "completed"]);
        assert_eq!(
            (&ended["state"], &ended["reason"]),
            (&json!("failed"), &json!("address_refused")),
            "{reference}: {ended}"
        );
    }
    for (reference, status) in [
        (format!("http://{METADATA}/"), 400),
        (format!("http://{METADATA}/latest/meta-data"), 400),
        (format!("docker://http://{METADATA}/a"), 400),
        ("file:///etc/passwd".to_owned(), 400),
        ("/etc/passwd".to_owned(), 400),
        ("oci:/tmp".to_owned(), 400),
        ("docker-archive:/etc/passwd".to_owned(), 400),
        ("../a".to_owned(), 400),
    ] {
        let (actual, answer) = send(&serving, "/api/v1/scans", &json!({"reference": reference}));
        assert_eq!(actual, status, "{reference}: {answer}");
    }
    assert!(registry.asked().is_empty());
}

#[test]
fn layers_in_the_servers_network_fail() {
    let (_world, registry, serving) = harbour("");
    let port = registry.host.rsplit_once(':').unwrap().1;
    let mut uris: Vec<String> = private_hosts().iter().map(|host| format!("http://{host}/")).collect();
    uris.extend(private_hosts().iter().map(|host| format!("https://{host}/a")));
    uris.push(format!("http://127.0.0.1:{port}/v2/a/blobs/b"));
    uris.push(format!("http://user@127.0.0.1:{port}/"));
    uris.push(format!("http://{}@127.0.0.1:{port}/", registry.host));
    for (nth, uri) in uris.iter().enumerate() {
        let (status, answer) = index(&serving, nth, uri, &json!({}));
        assert_eq!(status, 500, "{uri}: {answer}");
        let said = answer["message"].as_str().unwrap();
        let is_refused = ["address_refused", "bad_reference"].iter().any(|reason| said.contains(reason));
        assert!(is_refused, "{uri}: {said}");
    }
    // What is no place on the web can never be fetched.
    for uri in ["file:///etc/passwd", "/etc/passwd", "ftp://localhost/a", "gopher://localhost/", ""] {
        let (status, answer) = index(&serving, 999, uri, &json!({}));
        assert_eq!(status, 400, "{uri}: {answer}");
    }
    assert!(registry.asked().is_empty());
}

/// Harbor's client names its registry, and a registry's webhook names images.
#[test]
fn harbor_and_hooks_lead_nowhere_else() {
    let (_world, registry, serving) = harbour("");
    let port = registry.host.rsplit_once(':').unwrap().1;
    let digest = format!("sha256:{}", "0".repeat(64));
    let scan = |url: &str| {
        let artifact = json!({"repository": "a/b", "digest": digest, "mime_type": "application/vnd.oci.image.manifest.v1+json"});
        let registry = json!({"url": url, "authorization": "Basic bWU6Z2VoZWlt"});
        send(&serving, "/harbor/api/v1/scan", &json!({"registry": registry, "artifact": artifact}))
    };
    // Plain HTTP is for registries that the configuration names.
    for url in [format!("http://{METADATA}/"), format!("http://127.0.0.1:{port}"), "file:///etc".to_owned()] {
        let (status, answer) = scan(&url);
        assert!(matches!(status, 400 | 403 | 422), "{url}: {status} {answer}");
    }
    let (status, answer) = scan(&format!("https://{METADATA}"));
    assert_eq!(status, 202, "{answer}");
    let id = answer["id"].as_str().unwrap();
    serving.until(&digest, &["failed"]);
    let report = Request::get(format!("/harbor/api/v1/scan/{id}/report"))
        .header("Accept", "application/vnd.security.vulnerability.report; version=1.1");
    let report = serving.send(report);
    assert_eq!(report.status, 500);
    let text = String::from_utf8(bytes(report)).unwrap();
    assert!(text.contains("private address") || text.contains("not a public one"), "{text}");
    assert!(!text.contains("geheim") && !text.contains("bWU6Z2VoZWlt"), "{text}");

    for host in [METADATA.to_owned(), format!("127.0.0.1:{port}"), "registry.example".to_owned()] {
        let event = json!({
            "action": "push",
            "target": {
                "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest,
                "repository": "a/b", "tag": "1", "url": format!("http://{host}/v2/a/b/manifests/{digest}"),
            },
            "request": {"host": host},
        });
        let (status, answer) = send(&serving, "/api/v1/hooks/distribution", &json!({"events": [event]}));
        assert_eq!((status, &answer["submitted"]), (202, &json!([])), "{host}: {answer}");
        assert_eq!(answer["refused"].as_array().unwrap().len(), 1, "{host}: {answer}");
    }
    assert!(registry.asked().is_empty());
}

/// A registry that may be asked sends the server elsewhere.
#[test]
fn redirects_into_the_servers_network_fail() {
    let (_world, registry, serving) = harbour("");
    let port = registry.host.rsplit_once(':').unwrap().1.to_owned();
    for (nth, target) in [
        format!("http://127.0.0.1:{port}/v2/harbour/ship/manifests/1"),
        format!("http://{METADATA}/latest/meta-data/"),
        format!("https://{METADATA}/"),
        format!("//127.0.0.1:{port}/"),
        "http://[::1]/".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        for kind in ["manifests", "blobs"] {
            let name = format!("harbour/{kind}{nth}");
            push(&registry, &name);
            registry.script(&format!("/v2/{name}/{kind}/"), Deed::Redirect(target.clone()));
            let submitted = serving.submit(&format!("{}/{name}:1", registry.host));
            let status = serving.until(submitted["id"].as_str().unwrap(), &["failed", "completed"]);
            assert_eq!(status["reason"], "address_refused", "{kind} {target}: {status}");
            // One image is one scan, whatever its name: the next begins anew.
            registry.behave();
        }
        let uri = format!("http://{}/v2/harbour/layer{nth}/blobs/a", registry.host);
        registry.script("/v2/harbour/layer", Deed::Redirect(target.clone()));
        let (status, answer) = index(&serving, nth, &uri, &json!({}));
        assert_eq!(status, 500, "{target}: {answer}");
        assert!(answer.to_string().contains("address_refused"), "{target}: {answer}");
        registry.behave();
    }
    assert!(registry.requests().iter().all(|asked| asked.header("host") == Some(registry.host.as_str())));
}

/// Another origin that may be asked is not told what was for the first.
#[test]
fn redirects_to_another_origin_carry_none_of_the_clients_headers() {
    let other = Scripted::start();
    let (_world, registry, serving) = harbour(&format!("private_hosts_allowed = [\"{}\"]", other.host));
    let (digest, manifest) = push(&registry, "harbour/ship");
    push(&other, "harbour/ship");
    let layers = manifest["layers"].as_array().unwrap().iter();
    let layers: Vec<Value> = layers
        .map(|layer| {
            let blob = layer["digest"].as_str().unwrap();
            registry
                .script(blob, Deed::Redirect(format!("http://{}/v2/harbour/ship/blobs/{blob}", other.host)));
            let headers =
                json!({"Authorization": ["Bearer geheim"], "X-Secret": ["geheim"], "Cookie": ["geheim"]});
            let uri = format!("http://{}/v2/harbour/ship/blobs/{blob}", registry.host);
            json!({"hash": blob, "uri": uri, "headers": headers})
        })
        .collect();
    let (status, answer) = send(&serving, INDEX, &json!({"hash": digest, "layers": layers}));
    assert_eq!(status, 201, "{answer}");
    let names = ["authorization", "x-secret", "cookie"];
    for asked in registry.requests() {
        assert!(names.iter().all(|name| asked.header(name).is_some()), "{asked:?}");
    }
    assert_eq!(other.requests().len(), layers.len());
    for asked in other.requests() {
        assert!(names.iter().all(|name| asked.header(name).is_none()), "{asked:?}");
        assert!(!format!("{asked:?}").contains("geheim"), "{asked:?}");
    }
}

/// Where the operator says whose images are scanned, nobody else is asked, whatever a client hands in.
#[test]
fn only_allowed_hosts_are_asked() {
    let other = Scripted::start();
    let (_world, registry, serving) = harbour(&format!(
        "registries_allowed = [\"registry.example\"]\nprivate_hosts_allowed = [\"{}\"]",
        other.host
    ));
    push(&registry, "harbour/ship");
    push(&other, "harbour/ship");
    let (status, answer) =
        send(&serving, "/api/v1/scans", &json!({"reference": format!("{}/harbour/ship:1", other.host)}));
    assert_eq!(status, 403, "{answer}");
    let uri = format!("http://{}/v2/harbour/ship/blobs/a", other.host);
    let (status, answer) = index(&serving, 1, &uri, &json!({}));
    assert_eq!(status, 403, "{answer}");
    let uri = format!("http://{}/v2/harbour/ship/blobs/a", registry.host);
    let (status, answer) = index(&serving, 2, &uri, &json!({}));
    assert_eq!(status, 500, "{answer}");
    assert!(other.asked().is_empty());
}
