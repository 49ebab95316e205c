//! Images given as their layers' URLs, against a server that answers by script.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

#[path = "../../plimsoll-net/tests/scripted/mod.rs"]
#[allow(dead_code, reason = "the client's own tests use more of it")]
mod scripted;
#[allow(dead_code, reason = "other tests use more of it")]
mod support;

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use plimsoll_core::digest::Digest;
use plimsoll_core::image::Platform;
use plimsoll_image::cache::LayerStore;
use plimsoll_image::catalog::{CataloguedImage, Options, Progress, catalog};
use plimsoll_image::cause::Cause;
use plimsoll_image::facts::LayerFacts;
use plimsoll_image::limits::Limits;
use plimsoll_image::open::blobs::{self, Ahead, LayerUrl, OPEN_AHEAD_MAX};
use plimsoll_image::open::foreign::ForeignOptions;
use plimsoll_image::open::{OpenError, Opened};
use plimsoll_net::{Client, Proxies, Settings};
use scripted::{Reply, Server};
use support::{Layer, digest};

const STATUS: &str = "Package: anchor\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n";

fn settings() -> Settings {
    Settings { backoff_base: Duration::ZERO, proxies: Proxies::none(), ..Settings::default() }
}

fn layer_url(url: String, digest: Digest, headers: &[(&str, &[&str])]) -> LayerUrl {
    let headers: BTreeMap<String, Vec<String>> = headers
        .iter()
        .map(|(name, values)| ((*name).to_owned(), values.iter().map(|v| (*v).to_owned()).collect()))
        .collect();
    LayerUrl { digest, url, headers, is_foreign: false }
}

fn open_with(
    settings: Settings,
    layers: Vec<LayerUrl>,
    layers_max: usize,
    limits: &Limits,
) -> Result<Opened, OpenError> {
    let client = Arc::new(Client::new(settings).unwrap());
    let ahead = Ahead { layers_max, is_known: &|_| false };
    blobs::open("manifest", digest(b"manifest"), layers, client, &ForeignOptions::default(), ahead, limits)
}

fn read(opened: &Opened, limits: &Limits, progress: &(dyn Fn(Progress) + Sync)) -> CataloguedImage {
    let options = Options { limits, cache: None, threads: None, progress, is_cancelled: &|| false };
    catalog(opened, &options).unwrap().remove(0)
}

/// Two layers: the distribution, and a package.
fn layers() -> [Vec<u8>; 2] {
    [
        Layer::default().file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n").gzip(),
        Layer::default().file("var/lib/dpkg/status", STATUS).tar(),
    ]
}

#[test]
fn layers_are_read_from_their_urls() {
    for ahead in [OPEN_AHEAD_MAX, 1, 0] {
        let server = Server::start();
        let [os, packages] = layers();
        server.on("/os", [Reply::new(200).body(os.clone())]);
        server.on("/packages", [Reply::new(200).body(packages.clone())]);
        let headers: &[(&str, &[&str])] = &[("Authorization", &["Bearer t"]), ("X-Two", &["a", "b"])];
        let given = vec![
            layer_url(server.url("/os"), digest(&os), headers),
            layer_url(server.url("/packages"), digest(&packages), headers),
            // The same layer twice is fetched once.
            layer_url(server.url("/elsewhere"), digest(&os), headers),
        ];
        let limits = Limits::default();
        let opened = open_with(settings(), given, ahead, &limits).unwrap();
        let image = &opened.images[0].image;
        assert_eq!((&image.platform, image.layers.len()), (&Platform::default(), 3));
        assert_eq!(image.digest, Some(digest(b"manifest")));
        let told = Mutex::new((0, 0));
        let progress = |progress| {
            let mut told = told.lock().unwrap();
            match progress {
                Progress::Layers { bytes, .. } | Progress::Sized { bytes } => told.0 += bytes,
                Progress::Read { bytes } => told.1 += bytes,
                Progress::LayerDone { was_cached } => assert!(!was_cached),
            }
            assert!(told.1 <= told.0, "more is read than there is: {told:?}");
        };
        let found = read(&opened, &limits, &progress);
        assert_eq!((found.failures, found.inventory.gaps), (Vec::new(), Vec::new()));
        assert_eq!(found.inventory.packages[0].name, "anchor");
        assert_eq!(found.inventory.distro.unwrap().namespace(), "debian:12");
        assert_eq!(server.seen().len(), 2);
        for seen in server.seen() {
            assert_eq!(seen.header("authorization"), Some("Bearer t"));
            assert_eq!(seen.header("x-two"), Some("a"));
        }
        let size = (os.len() + packages.len()) as u64;
        assert_eq!(*told.lock().unwrap(), (size, size), "{ahead} ahead");
    }
}

/// Takes as many requests as it has bodies, and only then answers them, each by its path: `/0`, `/1`.
fn answers_once_all_are_there(bodies: Vec<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let asked: Vec<(TcpStream, String)> = listener
            .incoming()
            .take(bodies.len())
            .map(|stream| {
                let mut reader = BufReader::new(stream.unwrap());
                let lines: Vec<String> =
                    reader.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
                (reader.into_inner(), lines[0].clone())
            })
            .collect();
        for (mut stream, line) in asked {
            let nth: usize = line.split([' ', '/']).nth(2).unwrap().parse().unwrap();
            let length = bodies[nth].len();
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
                .unwrap();
            stream.write_all(&bodies[nth]).unwrap();
        }
    });
    format!("http://{address}")
}

#[test]
fn all_layers_are_asked_for_before_any_is_read() {
    let bodies: Vec<Vec<u8>> =
        (0..9).map(|nth| Layer::default().file(&format!("{nth}"), "x").tar()).collect();
    let server = answers_once_all_are_there(bodies.clone());
    let given = bodies
        .iter()
        .enumerate()
        .map(|(nth, body)| layer_url(format!("{server}/{nth}"), digest(body), &[]))
        .collect();
    let limits = Limits::default();
    let settings = Settings { attempts_max: 1, response_timeout: Duration::from_secs(20), ..settings() };
    let opened = open_with(settings, given, OPEN_AHEAD_MAX, &limits).unwrap();
    let options = Options {
        limits: &limits,
        cache: None,
        threads: NonZero::new(1),
        progress: &|_| {},
        is_cancelled: &|| false,
    };
    assert_eq!(catalog(&opened, &options).unwrap()[0].failures, []);
}

#[test]
fn a_layer_that_is_known_is_not_asked_for() {
    struct All;
    impl LayerStore for All {
        fn get(&self, _: &Digest) -> Option<LayerFacts> {
            Some(LayerFacts::default())
        }
        fn put(&self, _: &Digest, _: &LayerFacts) -> io::Result<()> {
            Ok(())
        }
    }
    let server = Server::start();
    let given = vec![layer_url(server.url("/known"), digest(b"known"), &[])];
    let limits = Limits::default();
    let ahead = Ahead { layers_max: OPEN_AHEAD_MAX, is_known: &|known| *known == digest(b"known") };
    let client = Arc::new(Client::new(settings()).unwrap());
    let opened = blobs::open(
        "manifest",
        digest(b"manifest"),
        given,
        client,
        &ForeignOptions::default(),
        ahead,
        &limits,
    )
    .unwrap();
    let options = Options {
        limits: &limits,
        cache: Some(&All),
        threads: None,
        progress: &|_| {},
        is_cancelled: &|| false,
    };
    assert_eq!(catalog(&opened, &options).unwrap()[0].failures, []);
    drop(opened);
    assert_eq!(server.seen().len(), 0);
}

#[test]
fn headers_do_not_follow_a_redirect_elsewhere() {
    let (server, store) = (Server::start(), Server::start());
    let [os, _] = layers();
    server.on("/os", [Reply::new(307).header("Location", store.url("/blob"))]);
    store.on(
        "/blob",
        [Reply::new(200).body(os.clone()).cut_after(9), {
            let range = format!("bytes 9-{}/{}", os.len() - 1, os.len());
            Reply::new(206).header("Content-Range", range).body(&os[9..])
        }],
    );
    let headers: &[(&str, &[&str])] =
        &[("Authorization", &["Bearer t"]), ("X-Secret", &["geheim"]), ("Accept-Encoding", &["gzip"])];
    let given = layer_url(server.url("/os"), digest(&os), headers);
    assert!(!format!("{given:?}").contains("geheim"));
    let limits = Limits::default();
    let opened = open_with(settings(), vec![given], 1, &limits).unwrap();
    assert_eq!(read(&opened, &limits, &|_| {}).failures, []);
    for seen in server.seen() {
        assert_eq!(seen.header("x-secret"), Some("geheim"));
        assert_eq!(seen.header("accept-encoding"), Some("identity"));
    }
    assert_eq!(store.seen().len(), 2);
    for seen in store.seen() {
        assert_eq!((seen.header("authorization"), seen.header("x-secret")), (None, None));
    }
    assert_eq!(store.seen()[1].header("range"), Some("bytes=9-"));
}

#[test]
fn what_cannot_be_had_says_why() {
    let [os, _] = layers();
    let good = || Reply::new(200).body(os.clone());
    let guarded = Settings { denies_private_addresses: true, ..settings() };
    let small = Limits { layer_bytes_max: 10, ..Limits::default() };
    let limited = Cause::RateLimited { retry_after: Some("9999".to_owned()) };
    let chunked = Reply::new(200)
        .header("Transfer-Encoding", "chunked")
        .body(format!("c\r\n{}\r\n0\r\n\r\n", "x".repeat(12)));
    for (name, reply, settings, limits, cause, is_transient) in [
        ("gone", Reply::new(404), settings(), Limits::default(), Cause::NotFound, false),
        ("refused", Reply::new(401), settings(), Limits::default(), Cause::Unauthorized, false),
        (
            "too often",
            Reply::new(429).header("Retry-After", "9999"),
            settings(),
            Limits::default(),
            limited,
            true,
        ),
        ("down", Reply::new(503), settings(), Limits::default(), Cause::Unavailable, true),
        ("broken off", good().cut_after(20), settings(), Limits::default(), Cause::BrokenOff, true),
        ("guarded", good(), guarded, Limits::default(), Cause::AddressRefused, false),
        ("too large", good(), settings(), small.clone(), Cause::LayerTooLarge, false),
        ("too large unsaid", chunked, settings(), small, Cause::LayerTooLarge, false),
        (
            "another",
            Reply::new(200).body("<html>not it</html>"),
            settings(),
            Limits::default(),
            Cause::Mismatch,
            false,
        ),
    ] {
        let server = Server::start();
        server.on("/layer", [reply]);
        let settings = Settings { attempts_max: 2, ..settings };
        let given = layer_url(server.url("/layer"), digest(&os), &[("X-Secret", &["geheim"])]);
        let opened = open_with(settings, vec![given], OPEN_AHEAD_MAX, &limits).unwrap();
        let found = read(&opened, &limits, &|_| {});
        let [(failed, failure)] = &found.failures[..] else { panic!("{name}: {:?}", found.failures) };
        assert_eq!((failed, &failure.cause), (&digest(&os), &cause), "{name}: {failure:?}");
        assert_eq!(failure.cause.is_transient(), is_transient, "{name}");
        assert!(found.inventory.gaps.iter().any(|gap| gap.subject == failed.as_str()), "{name}");
        assert!(!format!("{failure:?}").contains("geheim"), "{name}: {failure:?}");
    }
    let bytes = b"no archive at all".repeat(100);
    let server = Server::start();
    server.on("/layer", [Reply::new(200).body(bytes.clone())]);
    let limits = Limits::default();
    let given = vec![layer_url(server.url("/layer"), digest(&bytes), &[])];
    let found = read(&open_with(settings(), given, 1, &limits).unwrap(), &limits, &|_| {});
    assert_eq!(found.failures[0].1.cause, Cause::Corrupt, "whole, and no archive");
}

#[test]
fn what_is_no_image_is_refused_at_the_door() {
    let limits = Limits { layers_max: 1, ..Limits::default() };
    let layer = |header| layer_url("https://r.example/x".to_owned(), digest(b"x"), &[(header, &["h"])]);
    for (layers, cause) in [
        (vec![layer("A"), layer("A")], Cause::TooManyLayers),
        (vec![layer("Host")], Cause::BadReference),
        (vec![layer("Range")], Cause::BadReference),
    ] {
        let error = open_with(settings(), layers, 0, &limits).err().unwrap();
        assert_eq!(error.cause(), cause, "{error}");
    }
    let opened = open_with(settings(), Vec::new(), 1, &limits).unwrap();
    assert_eq!(opened.images[0].obstacle(&limits).unwrap().0, Cause::NoLayers);
    for (url, header) in [("file:///etc/passwd", "A"), ("no url", "A"), ("https://r.example/x", "a b")] {
        let given = vec![layer_url(url.to_owned(), digest(b"x"), &[(header, &["v"])])];
        let found = read(&open_with(settings(), given, 1, &limits).unwrap(), &limits, &|_| {});
        assert_eq!(found.failures[0].1.cause, Cause::BadReference, "{url} {:?}", found.failures);
    }
}
