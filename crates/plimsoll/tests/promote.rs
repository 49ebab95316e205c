//! Clearing and promoting in a real registry: what it accepts although it is wrong, and what moves.
//!
//! Second tier: runs with `PLIMSOLL_TIER2=1` and needs `docker-registry`.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use plimsoll_net::Request;
use serde_json::{Value, json};
use support::images::{INDEX, Image, Layout, MANIFEST, digest, fleet};
use support::layer::Layer;
use support::registry::{Registry, SignIn};
use support::{Ran, World, second_tier};

mod support;

/// Bytes of the layer that must not move.
const LARGE: usize = 4 << 20;

/// Hands everything on to a registry, counts it, and stops after so many bytes of the client's.
struct Proxy {
    host: String,
    counted: Arc<AtomicU64>,
    budget: Arc<AtomicU64>,
}

impl Proxy {
    fn start(registry: &Registry) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let (counted, budget) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(u64::MAX)));
        let (to, counts, budgets) = (registry.host.clone(), Arc::clone(&counted), Arc::clone(&budget));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&to) else { continue };
                let pairs = [
                    (client.try_clone().unwrap(), server.try_clone().unwrap(), true),
                    (server, client, false),
                ];
                for (from, to, is_of_client) in pairs {
                    let (counted, budget) = (Arc::clone(&counts), Arc::clone(&budgets));
                    thread::spawn(move || hand_on(from, to, &counted, is_of_client.then_some(&*budget)));
                }
            }
        });
        Proxy { host, counted, budget }
    }

    fn counted(&self) -> u64 {
        self.counted.load(Ordering::SeqCst)
    }
}

fn hand_on(mut from: TcpStream, mut to: TcpStream, counted: &AtomicU64, budget: Option<&AtomicU64>) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        counted.fetch_add(count as u64, Ordering::SeqCst);
        let left = budget.map(|budget| {
            budget.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                Some(left.saturating_sub(count as u64))
            })
        });
        if matches!(left, Some(Ok(left)) if left < count as u64) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
}

/// The fleet, with a layer that no compression makes small.
fn large_fleet() -> (Layout, Value) {
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(LARGE)
    .collect();
    let mut layout = Layout::default();
    let manifests: Vec<Value> = ["amd64", "arm64"]
        .map(|architecture| {
            let layers = vec![("COPY", Layer::new().file("noise", noise.clone()).file(architecture, "x"))];
            layout.image(&Image::new(architecture, layers))
        })
        .to_vec();
    let index = layout.index(&manifests);
    (layout, index)
}

/// A registry with the fleet at the source, behind a proxy, and a list that asks for it.
struct Port {
    world: World,
    registry: Registry,
    proxy: Proxy,
    digest: String,
}

impl Port {
    fn new() -> Port {
        let world = World::new();
        let registry = Registry::start(&world, SignIn::Nobody);
        let proxy = Proxy::start(&registry);
        let (layout, index) = large_fleet();
        registry.push("from/fleet", &layout, &index, "1.0");
        let port = Port { world, registry, proxy, digest: index["digest"].as_str().unwrap().to_owned() };
        port.list(&port.proxy.host);
        port
    }

    fn list(&self, to: &str) {
        let from = &self.proxy.host;
        self.world.write("ships", format!("from {from}/from\nto {to}/to\nfleet {} 1.0\n", self.digest));
    }

    /// Clears into a plan.
    fn clear(&self) -> Ran {
        let plan = ["clear", "--quiet", "--list", "ships", "--level", "exists", "--format", "json=plan.json"];
        self.world.plimsoll(&plan)
    }

    fn promote(&self, arguments: &[&str]) -> Ran {
        self.world.plimsoll(&[&["promote", "--plan", "plan.json"], arguments].concat())
    }
}

/// A manifest's bytes, or `None` where there is none.
fn manifest(registry: &Registry, repository: &str, reference: &str) -> Option<Vec<u8>> {
    let url = registry.url(&format!("/v2/{repository}/manifests/{reference}"));
    let response = registry.send(Request::get(url).header("Accept", format!("{INDEX}, {MANIFEST}")));
    (response.status == 200).then(|| response.bytes(1 << 20).unwrap())
}

/// Everything below the index is at the destination, to the byte.
#[track_caller]
fn check_promoted(port: &Port, to: &Registry) {
    let index = manifest(&port.registry, "from/fleet", &port.digest).unwrap();
    let parsed: Value = serde_json::from_slice(&index).unwrap();
    for child in parsed["manifests"].as_array().unwrap() {
        let digest = child["digest"].as_str().unwrap();
        assert!(manifest(to, "to/fleet", digest).is_some());
        assert_eq!(manifest(to, "to/fleet", digest), manifest(&port.registry, "from/fleet", digest));
    }
    assert_eq!(manifest(to, "to/fleet", "1.0"), Some(index));
}

#[test]
fn within_a_registry_no_layer_moves() {
    if !second_tier(&["docker-registry"]) {
        return;
    }
    let port = Port::new();
    port.clear().expect(0);
    let dry = port.promote(&["--dry-run"]).expect(0);
    assert!(dry.stdout.contains("4 mounted, 0 sent") && dry.stdout.contains("3 manifests"), "{dry}");
    assert_eq!(manifest(&port.registry, "to/fleet", "1.0"), None, "a dry run writes nothing");
    let before = port.proxy.counted();
    let done = port.promote(&[]).expect(0);
    assert!(
        done.stdout.contains("4 mounted, 0 sent (0 bytes); 3 manifests (0 of evidence), 1 tags"),
        "{done}"
    );
    let moved = port.proxy.counted() - before;
    assert!(moved < 64 << 10, "{moved} bytes moved");
    check_promoted(&port, &port.registry);
    let again = port.promote(&[]).expect(0);
    assert!(again.stdout.contains("blobs 4 there, 0 mounted, 0 sent (0 bytes); 0 manifests"), "{again}");
    // It is the destination's now: clearing it again says so.
    port.clear().expect(0);
}

#[test]
fn to_another_registry_blobs_are_streamed() {
    if !second_tier(&["docker-registry"]) {
        return;
    }
    let port = Port::new();
    let other_world = World::new();
    let other = Registry::start(&other_world, SignIn::Nobody);
    port.list(&other.host);
    port.clear().expect(0);
    let done = port.promote(&[]).expect(0);
    assert!(done.stdout.contains("0 mounted, 4 sent"), "{done}");
    check_promoted(&port, &other);
}

#[test]
fn what_was_broken_off_is_completed() {
    if !second_tier(&["docker-registry"]) {
        return;
    }
    let port = Port::new();
    port.clear().expect(0);
    let mut failures = 0;
    for budget in [0, 1_000, 2_000, 3_000, 4_000, 5_000, 6_000, 8_000] {
        port.proxy.budget.store(budget, Ordering::SeqCst);
        let ran = port.promote(&[]);
        if ran.code == 0 {
            break;
        }
        failures += 1;
        assert!(ran.stderr.contains("run it again to complete it"), "{ran}");
    }
    assert!(failures > 1, "the proxy broke nothing off");
    port.proxy.budget.store(u64::MAX, Ordering::SeqCst);
    port.promote(&[]).expect(0);
    check_promoted(&port, &port.registry);
}

#[test]
fn evidence_is_carried() {
    if !second_tier(&["docker-registry"]) {
        return;
    }
    let port = Port::new();
    let mut layout = Layout::default();
    let empty = layout.blob("application/vnd.oci.empty.v1+json", b"{}".to_vec());
    let statement = layout.blob("application/vnd.dev.sigstore.bundle.v0.3+json", b"{\"bundle\": 1}".to_vec());
    let subject = json!({"mediaType": INDEX, "digest": port.digest, "size": 1});
    let artifact = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "config": empty, "layers": [statement], "subject": subject,
    });
    let artifact = layout.blob(MANIFEST, artifact.to_string().into_bytes());
    let fallback = port.digest.replace(':', "-");
    let listing = layout.index(std::slice::from_ref(&artifact));
    port.registry.push("from/fleet", &layout, &listing, &fallback);
    port.registry.push("from/fleet", &layout, &artifact, &format!("{fallback}.sig"));
    port.clear().expect(0);
    let done = port.promote(&[]).expect(0);
    assert!(!done.stdout.contains("(0 of evidence)"), "{done}");
    let digest = artifact["digest"].as_str().unwrap();
    for reference in [digest, &format!("{fallback}.sig")] {
        assert!(manifest(&port.registry, "to/fleet", reference).is_some(), "{reference}");
    }
    let listed: Value =
        serde_json::from_slice(&manifest(&port.registry, "to/fleet", &fallback).unwrap()).unwrap();
    assert_eq!(listed["manifests"][0]["digest"], digest);
    let again = port.promote(&[]).expect(0);
    assert!(again.stdout.contains("0 manifests"), "{again}");
}

#[test]
fn a_clearance_that_holds_no_longer_promotes_nothing() {
    if !second_tier(&["docker-registry"]) {
        return;
    }
    let port = Port::new();
    port.promote(&[]).expect(3);
    port.clear().expect(0);
    let (layout, index) = fleet();
    port.registry.push("to/fleet", &layout, &index, "1.0");
    let ran = port.promote(&[]).expect(2);
    assert!(ran.stderr.contains("clear it again"), "{ran}");
    assert_eq!(manifest(&port.registry, "to/fleet", &port.digest), None, "nothing was written");
    port.clear().expect(1);
    let ran = port.promote(&[]).expect(1);
    assert!(ran.stderr.contains("the clearance says `refused`"), "{ran}");
}

#[test]
fn what_the_registry_accepts_and_is_wrong_is_refused() {
    if !second_tier(&["docker-registry"]) {
        return;
    }
    let world = World::new();
    let registry = Registry::start(&world, SignIn::Nobody);
    let (layout, index) = fleet();
    registry.push("from/fleet", &layout, &index, "1.0");
    let top = index["digest"].as_str().unwrap();
    let parsed: Value = serde_json::from_slice(&layout.blobs[top]).unwrap();
    let image = parsed["manifests"][1].clone();
    let bytes = &layout.blobs[image["digest"].as_str().unwrap()];
    let of_image: Value = serde_json::from_slice(bytes).unwrap();
    let change = |document: &Value, change: fn(&mut Value)| {
        let mut document = document.clone();
        change(&mut document);
        document
    };
    let absent = format!("sha256:{}", "0".repeat(64));
    for (media_type, document, expected) in [
        (MANIFEST, change(&of_image, |one| one["layers"][0]["size"] = json!(7)), "FAIL layer.exists"),
        (INDEX, change(&parsed, |one| one["manifests"][1]["size"] = json!(7)), "FAIL index.children"),
        (
            INDEX,
            change(&parsed, |one| one["manifests"][1]["platform"]["architecture"] = json!("s390x")),
            "FAIL config.platform",
        ),
    ] {
        let bytes = document.to_string().into_bytes();
        let name = digest(&bytes);
        registry.put(&registry.url(&format!("/v2/from/fleet/manifests/{name}")), media_type, &bytes);
        check(&world, &registry, &name, "", 1, expected);
    }
    check(&world, &registry, &absent, "", 1, "MISSING ref.exists");
    check(&world, &registry, top, "1.0", 0, "");
    check(&world, &registry, top, "none", 1, "MISSING tag.source");
    registry.put(&registry.url("/v2/from/fleet/manifests/1.1"), MANIFEST, bytes);
    check(&world, &registry, top, "1.1", 1, "FAIL tag.source");
    registry.push("to/fleet", &layout, &image, "1.0");
    check(&world, &registry, top, "1.0", 1, "FAIL tag.destination");
    // A repository that nobody pushed to is as absent as a digest.
    world.write("ships", format!("from {0}/none\nto {0}/to\nfleet {top}\n", registry.host));
    world.plimsoll(&["clear", "--quiet", "--list", "ships"]).expect(1);
}

#[track_caller]
fn check(world: &World, registry: &Registry, digest: &str, tags: &str, code: i32, expected: &str) {
    let host = &registry.host;
    world.write("ships", format!("from {host}/from\nto {host}/to\nfleet {digest} {tags}\n"));
    let ran = world.plimsoll(&["clear", "--quiet", "--list", "ships", "--format", "json"]).expect(code);
    let report = ran.json();
    let checks = report["entries"][0]["checks"].as_array().unwrap();
    let told: Vec<String> = checks
        .iter()
        .map(|check| format!("{} {}", check["outcome"].as_str().unwrap(), check["id"].as_str().unwrap()))
        .collect();
    assert!(expected.is_empty() || told.iter().any(|one| one == expected), "{told:?}");
}
