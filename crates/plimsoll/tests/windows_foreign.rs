//! Images of Windows whose base layer registries need not have: on the command line, on the server, and as Quay hands them in.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use plimsoll_net::Request;
use serde_json::{Value, json};
use support::World;
use support::images::{CONFIG, Layout, digest, python};
use support::layer::{Layer, gzip};
use support::quay::bytes;
use support::scripted::{Deed, Scripted};
use support::serving::Serving;

mod support;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
const ORDINARY: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const NAME: &str = "windows/app";

/// `me:geheim`.
const LOGIN: &str = "bWU6Z2VoZWlt";

/// A registry with an image of Windows but not its base layer, and a place that has that.
struct Harbour {
    world: World,
    registry: Scripted,
    place: Scripted,
    base: Vec<u8>,
    app: Vec<u8>,
}

impl Harbour {
    /// With this in the section `[windows]`, where `PLACE` is the place's host, and in `[server]`.
    fn new(windows: &str, server: &str) -> Harbour {
        let (registry, place) = (Scripted::start(), Scripted::start());
        let world = World::with_database();
        let config = std::fs::read_to_string(world.path("config.toml")).unwrap();
        let windows = windows.replace("PLACE", &place.host);
        let config = format!(
            "{config}\n[windows]\n{windows}\n[registries.\"{}\"]\nplain_http = true\n[server]\nattempts_max = 1\n{server}\n",
            registry.host
        );
        world.write("config.toml", config);
        let base = Layer::new()
            .file("Files/Windows/System32/ntdll.dll", "")
            .file("Files/base/anchor-1.0.dist-info/METADATA", python("anchor", "1.0"));
        let app = Layer::new().file("Files/app/barnacle-1.5.dist-info/METADATA", python("barnacle", "1.5"));
        Harbour { world, registry, place, base: gzip(&base.tar()), app: gzip(&app.tar()) }
    }

    fn base_url(&self) -> String {
        format!("http://{}/v2/x/blobs/{}", self.place.host, digest(&self.base))
    }

    /// Pushes the image; its reference.
    fn push(&self, urls: &[&str]) -> String {
        self.push_layers(urls, true)
    }

    /// The same with or without the application's layer.
    fn push_layers(&self, urls: &[&str], has_app: bool) -> String {
        let mut layout = Layout::default();
        let config = json!({
            "os": "windows", "architecture": "amd64", "os.version": "10.0.20348.2402",
            "rootfs": {"type": "layers", "diff_ids": [digest(b"1"), digest(b"2")]},
            "history": [{"created_by": "Apply image 10.0.20348.2402"}, {"created_by": "COPY app"}],
        });
        let config = layout.blob(CONFIG, config.to_string().into_bytes());
        let mut base = layout.blob(FOREIGN, self.base.clone());
        base["urls"] = json!(urls);
        let app = layout.blob(ORDINARY, self.app.clone());
        let layers = if has_app { vec![base, app] } else { vec![base] };
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        let top = layout.blob(MANIFEST, manifest.to_string().into_bytes());
        self.place.push("x", &layout, &top, "1");
        layout.blobs.remove(&digest(&self.base));
        self.registry.push(NAME, &layout, &top, "1");
        format!("{}/{NAME}:1", self.registry.host)
    }

    /// Hands in both layers as Quay does: no header for the foreign one, a login for the other.
    fn hand_in(&self, serving: &Serving, foreign: &str) -> (u16, Value) {
        let hash = digest(foreign.as_bytes());
        let own = format!("http://{}/v2/{NAME}/blobs/{}", self.registry.host, digest(&self.app));
        let manifest = json!({"hash": hash, "layers": [
            {"hash": digest(&self.base), "uri": foreign, "headers": {}},
            {"hash": digest(&self.app), "uri": own, "headers": {"Authorization": [format!("Basic {LOGIN}")]}},
        ]});
        let request = Request::post("/indexer/api/v1/index_report", manifest.to_string())
            .header("Content-Type", "application/json");
        let response = serving.send(request);
        (response.status, serde_json::from_slice(&bytes(response)).unwrap_or_default())
    }

    fn place_was_told_nothing(&self) {
        let requests = self.place.requests();
        assert!(!requests.is_empty());
        assert!(requests.iter().all(|request| request.header("authorization").is_none()), "{requests:?}");
    }
}

fn names(report: &Value) -> Vec<&str> {
    let packages =
        report["packages"].as_array().unwrap().iter().filter(|package| package["ecosystem"] == "pypi");
    packages.map(|package| package["name"].as_str().unwrap()).collect()
}

fn gaps(report: &Value) -> Vec<(&str, &str)> {
    let gaps = report["gaps"].as_array().unwrap().iter();
    let gaps = gaps.filter(|gap| gap["kind"] == "foreign-unavailable");
    gaps.map(|gap| (gap["subject"].as_str().unwrap(), gap["detail"].as_str().unwrap())).collect()
}

#[test]
fn w12_a_foreign_layer_is_fetched_without_the_registrys_login() {
    let harbour = Harbour::new("foreign_hosts = ['PLACE']", "");
    let auth =
        json!({"auths": {&harbour.registry.host: {"auth": LOGIN}, &harbour.place.host: {"auth": LOGIN}}});
    harbour.world.write("auth.json", auth.to_string());
    let image = harbour.push(&[&harbour.base_url()]);
    let (_, report) =
        harbour.world.scan(&[&image, "--platform", "windows/amd64", "--auth-file", "auth.json"]);
    assert_eq!((names(&report), gaps(&report)), (vec!["anchor", "barnacle"], vec![]), "{report:#}");
    harbour.place_was_told_nothing();
    // What was read once is not fetched again, also where it would not be.
    let asked = harbour.place.requests().len();
    let (_, again) = harbour.world.scan(&[&image, "--platform", "windows/amd64"]);
    assert_eq!((names(&again), harbour.place.requests().len()), (vec!["anchor", "barnacle"], asked));
}

#[test]
fn w13_what_may_not_be_fetched_is_a_gap() {
    for (windows, place, said) in [
        ("", "http://PLACE/x", "is not allowed; if it is to be, name it in `foreign_hosts` of `[windows]`"),
        ("", "https://169.254.169.254/latest", "`169.254.169.254` is not allowed"),
        ("foreign_hosts = ['PLACE']", "http://PLACE/v2/x/blobs/away", "is not allowed"),
        ("foreign_hosts = ['PLACE']", "http://PLACE/v2/x/blobs/gone", "it is not there (status 404)"),
        ("foreign_hosts = ['PLACE']\nfetch_base_layers = false", "http://PLACE/x", "`fetch_base_layers`"),
    ] {
        let harbour = Harbour::new(windows, "");
        harbour.place.script("/away", Deed::Redirect(format!("http://{}/away", harbour.registry.host)));
        let image = harbour.push(&[&place.replace("PLACE", &harbour.place.host)]);
        let (code, report) = harbour.world.scan(&[&image, "--platform", "windows/amd64"]);
        assert_eq!((code, names(&report)), (2, vec!["barnacle"]), "{place}");
        let base = digest(&harbour.base);
        let [(subject, detail)] = gaps(&report)[..] else { panic!("{place}: {report:#}") };
        assert!(subject == base && detail.contains(said), "{place}: {detail}");
        assert!(harbour.registry.asked().iter().all(|path| path != "/away"));
    }
}

#[test]
fn w13_a_scan_on_the_server_is_completed_with_the_gap() {
    let harbour = Harbour::new("foreign_hosts = ['PLACE']", "");
    let gone = format!("http://{}/v2/x/blobs/gone", harbour.place.host);
    let serving = Serving::ready(&harbour.world, &["--no-update"]);
    // Where nothing but the base layer is aboard, the image's claim is all that it is judged by.
    for (has_app, packages) in [(true, &["barnacle"][..]), (false, &[])] {
        let image = harbour.push_layers(&[&gone, "http://127.0.0.1:1/"], has_app);
        let digest = digest(&harbour.registry.bytes(&format!("{NAME}/1")));
        serving.submit(&format!("{}@{digest}", image.trim_end_matches(":1")));
        let scan = serving.until(&digest, &["completed", "failed", "unsupported"]);
        assert_eq!((&scan["state"], &scan["reason"]), (&json!("completed"), &json!("with_gaps")), "{scan:#}");
        let report = serving.get(&format!("/api/v1/scans/{digest}/report"), 200);
        assert_eq!(names(&report), packages);
        let gaps = gaps(&report);
        assert!(gaps.len() == 1 && gaps[0].1.contains("`127.0.0.1:1` is not allowed"), "{gaps:?}");
        let windows = &report["windows"];
        assert_eq!((&windows["version"], &windows["is_claimed"]), (&json!("10.0.20348.2402"), &json!(true)));
    }
}

#[test]
fn w23_quay_hands_in_foreign_layers_by_their_urls() {
    let harbour = Harbour::new("foreign_hosts = ['PLACE']", "registries_allowed = ['registry.example']");
    harbour.push(&[]);
    harbour.place.script("/away", Deed::Redirect(format!("http://{}/away", harbour.registry.host)));
    let serving = Serving::ready(&harbour.world, &["--no-update"]);
    let packages = |report: &Value| {
        let mut names: Vec<String> = report["packages"]
            .as_object()
            .unwrap()
            .values()
            .map(|package| package["name"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        names
    };
    let (status, report) = harbour.hand_in(&serving, &harbour.base_url());
    assert_eq!(
        (status, packages(&report)),
        (201, vec!["anchor".to_owned(), "barnacle".to_owned()]),
        "{report:#}"
    );
    harbour.place_was_told_nothing();
    assert!(harbour.registry.requests().iter().any(|request| request.header("authorization").is_some()));
}

#[test]
fn w23_what_quay_hands_in_and_may_not_be_fetched_is_left_out() {
    let harbour = Harbour::new("foreign_hosts = ['PLACE']", "");
    harbour.push(&[]);
    harbour.place.script("/away", Deed::Redirect(format!("http://{}/away", harbour.registry.host)));
    let serving = Serving::ready(&harbour.world, &["--no-update"]);
    for place in ["away", "gone"] {
        let url = format!("http://{}/v2/x/blobs/{place}", harbour.place.host);
        let (status, report) = harbour.hand_in(&serving, &url);
        assert_eq!(status, 201, "{place}: {report:#}");
        assert_eq!(report["packages"].as_object().unwrap().len(), 1, "{place}: {report:#}");
    }
    // A host that is none of those is as any other that a client names.
    let (status, report) = harbour.hand_in(&serving, "http://169.254.169.254/latest");
    assert!(status == 500 && report["message"].as_str().unwrap().contains("address_refused"), "{report:#}");
    assert!(harbour.registry.asked().iter().all(|path| path != "/away"));
}
