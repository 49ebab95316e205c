//! Layers that registries need not have, against a registry and another place that answer by script.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

#[path = "../../plimsoll-net/tests/scripted/mod.rs"]
#[allow(dead_code, reason = "the client's own tests use more of it")]
mod scripted;
#[allow(dead_code, reason = "other tests use more of it")]
mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::digest::Digest;
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_image::catalog::{CataloguedImage, Options, catalog};
use plimsoll_image::cause::Cause;
use plimsoll_image::limits::Limits;
use plimsoll_image::open::blobs::{self, Ahead, LayerUrl, OPEN_AHEAD_MAX};
use plimsoll_image::open::foreign::ForeignOptions;
use plimsoll_image::open::registry::credentials::{Credential, Credentials};
use plimsoll_image::open::registry::{DOCKER_MANIFEST, RegistryOptions};
use plimsoll_image::open::{Opened, PlatformChoice, remote};
use plimsoll_net::{Client, Proxies, Settings};
use scripted::{Reply, Server};
use serde_json::{Value, json};
use support::{Layer, digest};

const FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
const ORDINARY: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
const NPM: &str = r#"{"name":"buoy","version":"1.0.0"}"#;
const BASE_NPM: &str = r#"{"name":"anchor","version":"1.0.0"}"#;

/// `me:geheim`.
const LOGIN: &str = "Basic bWU6Z2VoZWlt";

/// A registry that has an image of Windows but not its base layer, and a place that may have that.
struct Harbour {
    registry: Server,
    place: Server,
    base: Vec<u8>,
    media_type: &'static str,
    created_by: &'static str,
    options: ForeignOptions,
}

fn settings() -> Settings {
    Settings {
        backoff_base: Duration::ZERO,
        attempts_max: 2,
        proxies: Proxies::none(),
        ..Settings::default()
    }
}

impl Harbour {
    /// Only the place may be asked, although its address is a private one.
    fn new() -> Harbour {
        let (registry, place) = (Server::start(), Server::start());
        let host = place.address.to_string();
        let client = Settings {
            denies_private_addresses: true,
            private_hosts_allowed: vec![host.clone()],
            allowed_hosts: Some(vec![host, "10.0.0.1".to_owned(), "*.example.org".to_owned()]),
            ..settings()
        };
        Harbour {
            registry,
            place,
            base: Layer::default().file("Files/base/package.json", BASE_NPM).gzip(),
            media_type: FOREIGN,
            created_by: "Apply image 10.0.20348.2402",
            options: ForeignOptions { client: Some(client), ..ForeignOptions::default() },
        }
    }

    /// The place has the base layer.
    fn stocked() -> Harbour {
        let harbour = Harbour::new();
        harbour.place.on("/base", [Reply::new(200).body(harbour.base.clone())]);
        harbour
    }

    fn base_path(&self) -> String {
        format!("/v2/windows/app/blobs/{}", digest(&self.base))
    }

    /// Puts the image into the registry, which wants to know who asks, and opens it.
    fn open(&self, urls: &[String]) -> Opened {
        let guarded = |path: &str, reply: Reply| {
            let challenge = Reply::new(401).header("WWW-Authenticate", "Basic realm=\"harbour\"");
            // Each path is asked for with and without a login; who has none is told so once.
            self.registry.on(path, [challenge, reply]);
        };
        let app = Layer::default().file("Files/app/package.json", NPM).gzip();
        let config = json!({
            "os": "windows", "architecture": "amd64", "os.version": "10.0.20348.2402",
            "rootfs": {"type": "layers", "diff_ids": [digest(b"1").as_str(), digest(b"2").as_str()]},
            "history": [{"created_by": self.created_by}, {"created_by": "cmd /S /C copy"}],
        });
        let config = config.to_string();
        let describe = |media_type: &str, bytes: &[u8]| json!({"mediaType": media_type, "digest": digest(bytes).as_str(), "size": bytes.len()});
        let mut base: Value = describe(self.media_type, &self.base);
        base["urls"] = json!(urls);
        let manifest = json!({
            "schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
            "config": describe("application/vnd.docker.container.image.v1+json", config.as_bytes()),
            "layers": [base, describe(ORDINARY, &app)],
        });
        guarded(
            "/v2/windows/app/manifests/1",
            Reply::new(200).header("Content-Type", DOCKER_MANIFEST).body(manifest.to_string()),
        );
        for bytes in [config.as_bytes(), &app] {
            guarded(&format!("/v2/windows/app/blobs/{}", digest(bytes)), Reply::new(200).body(bytes));
        }
        self.registry.on(&self.base_path(), [Reply::new(404)]);
        self.reopen()
    }

    fn reopen(&self) -> Opened {
        let host = self.registry.address.to_string();
        let login = Credential::from_authorization(LOGIN).unwrap();
        let options = RegistryOptions {
            credentials: Credentials::default().with(host.clone(), login),
            foreign: self.options.clone(),
            ..RegistryOptions::default()
        };
        let client = Arc::new(Client::new(settings()).unwrap());
        let location = format!("{host}/windows/app:1");
        remote::open(&location, &location, client, &options, &PlatformChoice::All, &Limits::default())
            .unwrap()
    }

    /// Reads the image; what was not fetched, as one gap.
    #[track_caller]
    fn lacking(&self, urls: &[String]) -> Gap {
        let found = read(&self.open(urls));
        let causes: Vec<_> = found.failures.iter().map(|(_, failure)| failure.cause.clone()).collect();
        assert_eq!(causes, [Cause::ForeignLayer], "{found:?}");
        assert_eq!(names(&found), ["buoy"], "the rest is indexed");
        let windows = found.inventory.windows.expect("its config says which it is");
        assert!(windows.source.is_claim() && !windows.is_whole, "{windows:?}");
        assert!(windows.version.starts_with("10.0.20348."), "{windows:?}");
        let mut gaps = found.inventory.gaps.into_iter().filter(|gap| gap.kind == GapKind::ForeignUnavailable);
        let gap = gaps.next().unwrap();
        assert_eq!((gap.subject.as_str(), gaps.next()), (digest(&self.base).as_str(), None));
        gap
    }
}

fn read(opened: &Opened) -> CataloguedImage {
    let limits = Limits::default();
    let options =
        Options { limits: &limits, cache: None, threads: None, progress: &|_| {}, is_cancelled: &|| false };
    catalog(opened, &options).unwrap().remove(0)
}

/// The packages beside the operating system.
fn names(found: &CataloguedImage) -> Vec<&str> {
    let packages = found.inventory.packages.iter().filter(|package| !package.ecosystem.is_os);
    packages.map(|package| package.name.as_str()).collect()
}

#[test]
fn w12_a_foreign_layer_is_fetched_and_its_place_is_told_no_login() {
    let harbour = Harbour::stocked();
    let found = read(&harbour.open(&[harbour.place.url("/base")]));
    assert_eq!((names(&found), found.failures.len()), (vec!["anchor", "buoy"], 0));
    let seen = harbour.place.seen();
    assert_eq!(seen.len(), 1);
    for header in ["authorization", "cookie", "referer", "accept"] {
        assert_eq!(seen[0].header(header).filter(|value| *value != "*/*"), None, "{header}");
    }
    let registry = harbour.registry.seen();
    assert!(registry.iter().any(|seen| seen.header("authorization") == Some(LOGIN)));
}

#[test]
fn w13_places_that_may_not_or_cannot_serve_are_passed_over_and_told() {
    let harbour = Harbour::new();
    let (place, base) = (&harbour.place, &harbour.base);
    let elsewhere = Server::start();
    elsewhere.on("/base", [Reply::new(200).body(base.clone())]);
    place.on("/away", [Reply::new(302).header("Location", elsewhere.url("/base"))]);
    place.on("/around", (0..9).map(|_| Reply::new(302).header("Location", "/around")));
    place.on("/gone", [Reply::new(404)]);
    place.on("/ill", [Reply::new(503)]);
    let wrong: Vec<u8> = base.iter().map(|byte| !byte).collect();
    place.on("/wrong", [Reply::new(200).body(wrong)]);
    let longer = [base.as_slice(), b"more"].concat();
    place.on("/longer", [Reply::new(200).body(longer.clone())]);
    let chunked = [format!("{:x}\r\n", longer.len()).as_bytes(), &longer, b"\r\n0\r\n\r\n"].concat();
    place.on("/endless", [Reply::new(200).header("Transfer-Encoding", "chunked").body(chunked)]);
    place.on("/broken", [Reply::new(200).body(base.clone()).cut_after(9)]);
    let local = |path: &str| place.url(path);
    for (url, said) in [
        ("http://169.254.169.254/latest".to_owned(), "`169.254.169.254` is not allowed"),
        (
            "https://169.254.169.254/latest".to_owned(),
            "`169.254.169.254` is not allowed; if it is to be, name it",
        ),
        ("https://mcr.example.com/v2/x".to_owned(), "`mcr.example.com` is not allowed"),
        ("https://10.0.0.1/x".to_owned(), "its address 10.0.0.1 is not a public one"),
        ("http://a.example.org/x".to_owned(), "it is not `https`"),
        ("https://me:geheim@a.example.org/x".to_owned(), "`https://a.example.org/x`: it has a login in it"),
        ("file:///etc/passwd".to_owned(), "it is no URL that can be fetched"),
        ("".to_owned(), "it is no URL that can be fetched"),
        (elsewhere.url("/base"), "is not allowed"),
        (local("/away"), "is not allowed"),
        (local("/around"), "redirect"),
        (local("/gone"), "it is not there (status 404)"),
        (local("/ill"), "it answers with status 503"),
        (local("/wrong"), "the bytes are sha256:"),
        (local("/longer"), "bytes there, and should have"),
        (local("/endless"), "larger than"),
        (local("/broken"), "broke off"),
    ] {
        let gap = harbour.lacking(std::slice::from_ref(&url));
        let begins =
            "the layer was not fetched: no place that may be asked gave it: the registry `127.0.0.1:";
        assert!(gap.detail.starts_with(begins) && gap.detail.contains(said), "{url}: {}", gap.detail);
        assert!(!gap.detail.contains("geheim"), "{}", gap.detail);
    }
    assert_eq!(elsewhere.seen().len(), 0);
    let gap = harbour.lacking(&[]);
    assert!(gap.detail.ends_with("does not have it; its manifest names no other place"), "{}", gap.detail);
    let many: Vec<String> = (0..20).map(|nth| format!("https://b{nth}.example/")).collect();
    let gap = harbour.lacking(&many);
    assert!(gap.detail.contains("`b7.example`") && !gap.detail.contains("`b8.example`"), "{}", gap.detail);
    assert!(gap.detail.contains("12 more were not asked"), "{}", gap.detail);
}

#[test]
fn the_first_place_that_gives_the_right_bytes_counts() {
    let harbour = Harbour::stocked();
    let wrong: Vec<u8> = harbour.base.iter().map(|byte| !byte).collect();
    harbour.place.on("/wrong", [Reply::new(200).body(wrong)]);
    let urls =
        ["https://elsewhere.example/".to_owned(), harbour.place.url("/wrong"), harbour.place.url("/base")];
    let found = read(&harbour.open(&urls));
    assert_eq!((names(&found), found.failures.len()), (vec!["anchor", "buoy"], 0));
}

#[test]
fn w14_what_the_own_registry_has_is_not_asked_for_elsewhere() {
    let harbour = Harbour::stocked();
    harbour.open(&[harbour.place.url("/base")]);
    harbour.registry.on(&harbour.base_path(), [Reply::new(200).body(harbour.base.clone())]);
    let found = read(&harbour.reopen());
    assert_eq!((names(&found), found.failures.len()), (vec!["anchor", "buoy"], 0));
    assert_eq!(harbour.place.seen().len(), 0);
    // Only that it has no such blob leads elsewhere.
    harbour.registry.on(&harbour.base_path(), [Reply::new(403)]);
    let found = read(&harbour.reopen());
    assert_eq!(found.failures[0].1.cause, Cause::Unauthorized);
    assert_eq!(harbour.place.seen().len(), 0);
}

#[test]
fn a_mirror_is_asked_in_place_of_a_host() {
    let mut harbour = Harbour::new();
    harbour.options.mirrors =
        BTreeMap::from([("mcr.example".to_owned(), format!("http://{}/mcr/", harbour.place.address))]);
    harbour.place.on("/mcr/v2/base?x=1", [Reply::new(200).body(harbour.base.clone())]);
    let found = read(&harbour.open(&["https://MCR.example:443/v2/base?x=1".to_owned()]));
    assert_eq!((names(&found), found.failures.len()), (vec!["anchor", "buoy"], 0));
}

#[test]
fn base_layers_are_not_fetched_where_that_is_switched_off() {
    for (media_type, created_by) in [
        (FOREIGN, "x"),
        (ORDINARY, "Apply image 10.0.20348.2402"),
        (ORDINARY, "RUN Install update 10.0.20348.2527"),
    ] {
        let mut harbour = Harbour::stocked();
        (harbour.media_type, harbour.created_by) = (media_type, created_by);
        harbour.options.skips_base_layers = true;
        let gap = harbour.lacking(&[harbour.place.url("/base")]);
        assert!(gap.detail.contains("(`fetch_base_layers` of `[windows]` is `false`)"), "{}", gap.detail);
        assert_eq!(harbour.place.seen().len(), 0);
        assert!(harbour.registry.seen().iter().all(|seen| seen.path != harbour.base_path()));
    }
    // Others are.
    let mut harbour = Harbour::stocked();
    (harbour.media_type, harbour.created_by) = (ORDINARY, "cmd /S /C echo Apply image of mine");
    harbour.options.skips_base_layers = true;
    harbour.open(&[]);
    harbour.registry.on(&harbour.base_path(), [Reply::new(200).body(harbour.base.clone())]);
    assert_eq!(names(&read(&harbour.reopen())), ["anchor", "buoy"]);
}

/// Quay hands in the URL of a foreign layer as that of any other.
#[test]
fn w23_a_foreign_url_that_a_client_gives_is_held_to_the_same_rules() {
    let harbour = Harbour::stocked();
    let elsewhere = Server::start();
    harbour.place.on("/away", [Reply::new(302).header("Location", elsewhere.url("/base"))]);
    let own = Layer::default().file("Files/app/package.json", NPM).gzip();
    harbour.registry.on("/own", [Reply::new(200).body(own.clone())]);
    let open = |url: &str, base: &[u8], options: &ForeignOptions| {
        let headers = BTreeMap::from([("Authorization".to_owned(), vec![LOGIN.to_owned()])]);
        let given = |url: String, digest: Digest, is_foreign| LayerUrl {
            digest,
            url,
            headers: headers.clone(),
            is_foreign,
        };
        let layers = vec![
            given(url.to_owned(), digest(base), true),
            given(harbour.registry.url("/own"), digest(&own), false),
        ];
        let client = Arc::new(Client::new(settings()).unwrap());
        let ahead = Ahead { layers_max: OPEN_AHEAD_MAX, is_known: &|_| false };
        let limits = Limits::default();
        read(&blobs::open("x", digest(b"x"), layers, client, options, ahead, &limits).unwrap())
    };
    let found = open(&harbour.place.url("/base"), &harbour.base, &harbour.options);
    assert_eq!((names(&found), found.failures.len()), (vec!["anchor", "buoy"], 0));
    for (url, base, said) in [
        (harbour.place.url("/away"), &harbour.base[..], "is not allowed"),
        ("https://10.0.0.1/x".to_owned(), &harbour.base, "not a public one"),
        (harbour.place.url("/base"), b"other", "the bytes are sha256:"),
    ] {
        let found = open(&url, base, &harbour.options);
        assert_eq!(
            (names(&found), &found.failures[0].1.cause),
            (vec!["buoy"], &Cause::ForeignLayer),
            "{url}"
        );
        assert!(found.failures[0].1.detail.contains(said), "{found:?}");
    }
    let off = ForeignOptions { skips_base_layers: true, ..harbour.options.clone() };
    let seen = harbour.place.seen().len();
    assert_eq!(
        open(&harbour.place.url("/base"), &harbour.base, &off).failures[0].1.cause,
        Cause::ForeignLayer
    );
    assert_eq!(harbour.place.seen().len(), seen);
    assert!(harbour.place.seen().iter().all(|seen| seen.header("authorization").is_none()));
    assert!(harbour.registry.seen().iter().any(|seen| seen.header("authorization") == Some(LOGIN)));
    assert_eq!(elsewhere.seen().len(), 0);
}

#[test]
fn w24_layers_are_read_whatever_their_type_is_called() {
    for media_type in [
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    ] {
        let mut harbour = Harbour::new();
        harbour.media_type = media_type;
        harbour.open(&[]);
        harbour.registry.on(&harbour.base_path(), [Reply::new(200).body(harbour.base.clone())]);
        let opened = harbour.reopen();
        let found = read(&opened);
        assert_eq!((names(&found), found.failures.len()), (vec!["anchor", "buoy"], 0), "{media_type}");
        let layer = &opened.images[0].layers[0];
        let is_foreign = media_type.contains("foreign") || media_type.contains("nondistributable");
        assert_eq!((layer.is_foreign(), layer.may_be_filesystem()), (is_foreign, true), "{media_type}");
    }
}
