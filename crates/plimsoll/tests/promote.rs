//! Clearing and promoting in a real registry: what it accepts although it is wrong, and what moves.
//!
//! Second tier: runs with `PLIMSOLL_TIER2=1` and needs `docker-registry`.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use plimsoll_net::Request;
use plimsoll_testkit::pki::Pki;
use serde_json::{Value, json};
use support::images::{INDEX, Image, Layout, MANIFEST, digest, fleet, ship};
use support::layer::Layer;
use support::registry::{Registry, SignIn};
use support::{Ran, World, second_tier};

mod support;

/// Bytes of the layer that must not move.
const LARGE: usize = 200 << 20;

/// Hands everything on to a registry, counts it, and stops in the middle of a request after so many of the client's.
struct Proxy {
    host: String,
    counted: Arc<AtomicU64>,
    /// Requests that are still let through.
    budget: Arc<AtomicU64>,
}

/// Options with which it is said of what is promoted that it passed.
const SIGNED: &[&str] = &["--sign-key", "key.pem", "--verifier-id", "https://v.example"];

/// What the first line of a request ends with.
const REQUEST: &[u8] = b" HTTP/1.1\r\n";

impl Proxy {
    fn start(registry: &Registry) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let (counted, budget) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(u64::MAX)));
        let (to, counts, budgets) = (registry.host.clone(), Arc::clone(&counted), Arc::clone(&budget));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&to) else { continue };
                // What is handed on in parts would wait for the other side's word on the first.
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
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
        let bytes = &buffer[..count];
        counted.fetch_add(count as u64, Ordering::SeqCst);
        // Each request is written at once, its head first.
        let begins = bytes.windows(REQUEST.len()).filter(|window| *window == REQUEST).count() as u64;
        let spend = |left: u64| Some(left.saturating_sub(begins));
        let left =
            budget.map(|budget| budget.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend).unwrap());
        if left.is_some_and(|left| left < begins) || to.write_all(bytes).is_err() {
            break;
        }
    }
    drop((from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)));
}

/// A fleet with a large layer, which its images share.
fn large_fleet() -> (Layout, Value) {
    let noise = vec![7; LARGE];
    let mut layout = Layout::default();
    let manifests: Vec<Value> = ["amd64", "arm64"]
        .map(|architecture| {
            let own = Layer::new().file("architecture", architecture);
            let layers = vec![("COPY", Layer::new().file("noise", noise.clone())), ("COPY", own)];
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
        Port::with(fleet())
    }

    fn with((layout, index): (Layout, Value)) -> Port {
        let world = World::new();
        let registry = Registry::start(&world, SignIn::Nobody);
        let proxy = Proxy::start(&registry);
        registry.push("from/fleet", &layout, &index, "1.0");
        let port = Port { world, registry, proxy, digest: index["digest"].as_str().unwrap().to_owned() };
        port.list(&port.proxy.host);
        port.world.write("policy.yaml", "apiVersion: plimsoll/policy/1\nname: p\n");
        port.world.write("config.toml", "[network]\nattempts_max = 1\n");
        port
    }

    fn list(&self, to: &str) {
        let from = &self.proxy.host;
        self.world.write("ships", format!("from {from}/from\nto {to}/to\nfleet {} 1.0\n", self.digest));
    }

    fn list_to(&self, prefix: &str) {
        let host = &self.proxy.host;
        self.world
            .write("ships", format!("from {host}/from\nto {host}/{prefix}\nfleet {} 1.0\n", self.digest));
    }

    /// Clears into a plan.
    fn clear(&self) -> Ran {
        let plan = [
            "clear",
            "--quiet",
            "--list",
            "ships",
            "--level",
            "exists",
            "--policy",
            "policy.yaml",
            "--format",
            "json=plan.json",
        ];
        self.world.plimsoll(&plan)
    }

    /// Makes a key, and a policy that summaries can name.
    fn sign(&self) {
        let key = Pki::new(1).key("promoter");
        self.world.write("key.pem", key.private_pem());
        self.world.write("key.pub", key.public_pem());
    }

    fn promote(&self, arguments: &[&str]) -> Ran {
        let command = ["--config", "config.toml", "promote", "--plan", "plan.json"];
        self.world.plimsoll(&[&command, arguments].concat())
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
fn check_promoted(port: &Port, to: &Registry, repository: &str) {
    let index = manifest(&port.registry, "from/fleet", &port.digest).unwrap();
    let parsed: Value = serde_json::from_slice(&index).unwrap();
    for child in parsed["manifests"].as_array().unwrap() {
        let digest = child["digest"].as_str().unwrap();
        assert!(manifest(to, repository, digest).is_some());
        assert_eq!(manifest(to, repository, digest), manifest(&port.registry, "from/fleet", digest));
    }
    assert_eq!(manifest(to, repository, "1.0"), Some(index));
}

#[test]
fn within_a_registry_no_layer_moves() {
    if !second_tier(&["docker-registry"]) {
        return;
    }
    let port = Port::with(large_fleet());
    port.clear().expect(0);
    let dry = port.promote(&["--dry-run"]).expect(0);
    assert!(dry.stdout.contains("5 mounted, 0 sent") && dry.stdout.contains("3 manifests"), "{dry}");
    assert_eq!(manifest(&port.registry, "to/fleet", "1.0"), None, "a dry run writes nothing");
    let before = port.proxy.counted();
    let done = port.promote(&[]).expect(0);
    assert!(
        done.stdout.contains("5 mounted, 0 sent (0 bytes); 3 manifests (0 of evidence), 1 tags"),
        "{done}"
    );
    let moved = port.proxy.counted() - before;
    assert!(moved < 64 << 10, "{moved} bytes moved");
    check_promoted(&port, &port.registry, "to/fleet");
    let again = port.promote(&[]).expect(0);
    assert!(again.stdout.contains("blobs 5 there, 0 mounted, 0 sent (0 bytes); 0 manifests"), "{again}");
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
    // No file may grow: what writes to one is killed. Only pipes and sockets are left.
    let promote = port.world.command(&["promote", "--plan", "plan.json"]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -f 0; exec \"$@\"", "sh"])
        .arg(promote.get_program())
        .args(promote.get_args());
    limited.current_dir(port.world.path("")).env_clear();
    limited.envs(promote.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = limited.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("0 mounted, 7 sent"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    check_promoted(&port, &other, "to/fleet");
}

#[test]
fn wherever_it_is_broken_off_it_is_completed() {
    if !second_tier(&["docker-registry"]) {
        return;
    }
    // As little as has everything: an index, an image, a layer.
    let mut layout = Layout::default();
    let layers = vec![("COPY", Layer::new().file("hull", "steel"))];
    let image = layout.image(&Image::new("amd64", layers));
    let index = layout.index(&[image]);
    let port = Port::with((layout, index));
    port.sign();
    port.list_to("to");
    port.clear().expect(0);
    let plan = fs::read_to_string(port.world.path("plan.json")).unwrap();
    let host = &port.proxy.host;
    let mut steps = 0;
    for allowed in 0.. {
        // A destination of its own for each step, which was free when it was cleared.
        let repository = format!("to{allowed}/fleet");
        let own = plan.replace(&format!("{host}/to/fleet"), &format!("{host}/{repository}"));
        port.world.write("plan.json", own);
        port.proxy.budget.store(allowed, Ordering::SeqCst);
        let ran = port.promote(SIGNED);
        port.proxy.budget.store(u64::MAX, Ordering::SeqCst);
        if ran.code == 0 {
            break;
        }
        steps += 1;
        assert_eq!(ran.code, 2, "{ran}");
        // A reader sees the tag only when everything is there.
        if manifest(&port.registry, &repository, "1.0").is_some() {
            check_promoted(&port, &port.registry, &repository);
        }
        port.promote(SIGNED).expect(0);
        check_promoted(&port, &port.registry, &repository);
        if allowed % 10 == 0 {
            let again = port.promote(SIGNED).expect(0);
            assert!(
                again.stdout.contains("0 mounted, 0 sent (0 bytes); 0 manifests (0 of evidence), 0 tags\n"),
                "{again}"
            );
        }
    }
    assert!(steps > 20, "{steps} steps were broken off");
}

#[test]
fn everything_that_is_promoted_is_said_to_have_passed_and_that_can_be_verified() {
    if !second_tier(&["docker-registry"]) {
        return;
    }
    let port = Port::new();
    port.clear().expect(0);
    let unsaid = port.promote(SIGNED).expect(3);
    assert!(unsaid.stderr.contains("there is no file `key.pem`"), "{unsaid}");
    port.world.write(
        "key.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let encrypted = port.promote(SIGNED).expect(3);
    assert!(encrypted.stderr.contains("not encrypted"), "{encrypted}");
    port.sign();
    let done = port.promote(SIGNED).expect(0);
    assert!(done.stdout.ends_with("3 verification summaries\n"), "{done}");
    let index = manifest(&port.registry, "to/fleet", &port.digest).unwrap();
    let parsed: Value = serde_json::from_slice(&index).unwrap();
    let children = parsed["manifests"].as_array().unwrap().iter();
    let images = children.filter(|child| child["platform"]["os"] == "linux").map(|child| &child["digest"]);
    for digest in images.map(|digest| digest.as_str().unwrap()).chain([port.digest.as_str()]) {
        let listed = manifest(&port.registry, "to/fleet", &digest.replace(':', "-")).unwrap();
        let listed: Value = serde_json::from_slice(&listed).unwrap();
        let artifact = listed["manifests"][0]["digest"].as_str().unwrap();
        let artifact = manifest(&port.registry, "to/fleet", artifact).unwrap();
        let artifact: Value = serde_json::from_slice(&artifact).unwrap();
        assert_eq!(artifact["subject"]["digest"], digest);
        let blob = format!("/v2/to/fleet/blobs/{}", artifact["layers"][0]["digest"].as_str().unwrap());
        let bundle = port.registry.send(Request::get(port.registry.url(&blob))).bytes(1 << 20).unwrap();
        port.world.write("bundle.json", &bundle);
        // Anybody can, who has the key.
        let verify = |digest: &str| {
            port.world.plimsoll(&["verify-bundle", "--bundle", "bundle.json", "--key", "key.pub", digest])
        };
        verify(digest).expect(1);
        let bundle: Value = serde_json::from_slice(&bundle).unwrap();
        let payload = bundle["dsseEnvelope"]["payload"].as_str().unwrap();
        let said: Value = serde_json::from_slice(&BASE64_STANDARD.decode(payload).unwrap()).unwrap();
        let predicate = &said["predicate"];
        assert_eq!(predicate["resourceUri"], format!("{}/to/fleet@{digest}", port.proxy.host));
        assert_eq!(
            (&predicate["verificationResult"], &predicate["verifier"]["id"]),
            (&json!("PASSED"), &json!("https://v.example"))
        );
        assert_eq!(predicate["verifiedLevels"], json!(["SLSA_BUILD_LEVEL_UNEVALUATED"]));
    }
    // The destination's own policy can ask for it.
    let policy = "apiVersion: plimsoll/policy/1\nname: p\nsigners: {us: {key: key.pub, log: false}}\n\
                  evidence: {vsa: {anyOf: [us], verifiers: ['https://v.example']}}\n";
    port.world.write("vsa.yaml", policy);
    let reference = format!("{}/to/fleet:1.0", port.proxy.host);
    let clear = |arguments: &[&str]| {
        port.world.plimsoll(
            &[&["clear", "--quiet", "--level", "exists", "--policy", "vsa.yaml"], arguments].concat(),
        )
    };
    clear(&[&reference]).expect(0);
    let source = format!("{}/from/fleet:1.0", port.proxy.host);
    clear(&[&source]).expect(1);
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
    let mut layout = Layout::default();
    let other = layout.image(&ship("amd64"));
    port.registry.push("to/fleet", &layout, &other, "1.0");
    let ran = port.promote(&[]).expect(1);
    assert!(ran.stderr.contains("clear it again"), "{ran}");
    assert_eq!(manifest(&port.registry, "to/fleet", &port.digest), None, "nothing was written");
    port.clear().expect(1);
    let ran = port.promote(&[]).expect(1);
    assert!(ran.stderr.contains("the clearance says `refused`"), "{ran}");
    // One that clears, and is old or of a time to come.
    port.list_to("elsewhere");
    port.clear().expect(0);
    let plan: Value =
        serde_json::from_str(&fs::read_to_string(port.world.path("plan.json")).unwrap()).unwrap();
    for (hours, expected) in [(30, "30 hours old"), (-3, "a time to come")] {
        let asked = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
        let mut old = plan.clone();
        old["inputs"]["asked"] = json!(asked.to_string());
        port.world.write("plan.json", old.to_string());
        let ran = port.promote(&[]).expect(1);
        assert!(ran.stderr.contains(expected), "{ran}");
    }
    // Its policy is another by now.
    port.world.write("plan.json", plan.to_string());
    port.world.write("policy.yaml", "apiVersion: plimsoll/policy/1\nname: q\n");
    let ran = port.promote(&[]).expect(1);
    assert!(ran.stderr.contains("is another than it was cleared by"), "{ran}");
    // Or a file that it names.
    port.world.write("policy.yaml", "apiVersion: plimsoll/policy/1\nname: q\nwaivers: waivers.yaml\n");
    port.world.write("waivers.yaml", "[]\n");
    port.clear().expect(0);
    port.world.write("waivers.yaml", "[] # none\n");
    let ran = port.promote(&[]).expect(1);
    assert!(ran.stderr.contains("`waivers.yaml` of policy `q` is another"), "{ran}");
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
