//! Cataloguing as a server sees it: progress, stopping, and why a layer was not read.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "other tests use more of it")]
mod support;

use std::collections::HashMap;
use std::io::{self, Read};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use plimsoll_core::digest::Digest;
use plimsoll_core::gap::GapKind;
use plimsoll_core::image::{Image, Platform};
use plimsoll_image::cache::LayerStore;
use plimsoll_image::catalog::{Cancelled, CataloguedImage, Options, Progress, catalog};
use plimsoll_image::cause::Cause;
use plimsoll_image::facts::LayerFacts;
use plimsoll_image::limits::Limits;
use plimsoll_image::open::documents::Descriptor;
use plimsoll_image::open::{OpenError, Opened, OpenedImage, Store};
use support::{Layer, digest};

const TAR: &str = "application/vnd.oci.image.layer.v1.tar";

/// Blobs in memory.
struct Shelf(HashMap<Digest, Vec<u8>>);

impl Store for Shelf {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        self.blob(descriptor)
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        match self.0.get(&descriptor.digest) {
            Some(bytes) => Ok(Box::new(io::Cursor::new(bytes.clone()))),
            None => Err(OpenError::NotFound { what: descriptor.digest.to_string(), detail: String::new() }),
        }
    }
}

/// An image of layers: media type, bytes, and whether they are there.
fn opened(layers: &[(&str, &[u8], bool)]) -> Opened {
    let kept = layers.iter().filter(|(.., is_there)| *is_there);
    let shelf = kept.map(|(_, bytes, _)| (digest(bytes), bytes.to_vec())).collect();
    let image = Image {
        reference: "x".to_owned(),
        digest: None,
        config_digest: None,
        platform: Platform::default(),
        layers: Vec::new(),
    };
    let layers = layers
        .iter()
        .map(|(media_type, bytes, _)| Descriptor::new(media_type, digest(bytes), bytes.len() as u64))
        .collect();
    Opened { images: vec![OpenedImage { image, layers, gaps: Vec::new() }], store: Box::new(Shelf(shelf)) }
}

fn read(opened: &Opened, limits: &Limits) -> CataloguedImage {
    let options = Options { limits, cache: None, threads: None, progress: &|_| {}, is_cancelled: &|| false };
    catalog(opened, &options).unwrap().remove(0)
}

#[test]
fn why_a_layer_was_not_read_is_typed() {
    let limits = Limits { layer_bytes_max: 100_000, ..Limits::default() };
    let good = Layer::default().file("x", "x").tar();
    let large = vec![0; 100_001];
    let json = br#"{"_type": "https://in-toto.io/Statement/v0.1"}"#;
    let in_toto = "application/vnd.in-toto+json";
    for (media_type, bytes, is_there, cause, kind) in [
        (TAR, &good[..], false, Cause::NotFound, GapKind::LayerUnreadable),
        (TAR, &json[..], true, Cause::Corrupt, GapKind::LayerUnreadable),
        (TAR, &large, true, Cause::LayerTooLarge, GapKind::LayerUnreadable),
        (in_toto, json, true, Cause::LayerType(in_toto.to_owned()), GapKind::Unsupported),
        (in_toto, &good, false, Cause::NotFound, GapKind::LayerUnreadable),
        (
            "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
            &good,
            true,
            Cause::EncryptedLayer,
            GapKind::Unsupported,
        ),
        (
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            &good,
            false,
            Cause::ForeignLayer,
            GapKind::ForeignUnavailable,
        ),
        (
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            &good,
            false,
            Cause::ForeignLayer,
            GapKind::ForeignUnavailable,
        ),
    ] {
        let base = Layer::default().file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n").tar();
        let opened = opened(&[(TAR, &base, true), (media_type, bytes, is_there)]);
        let found = read(&opened, &limits);
        let [(failed, failure)] = &found.failures[..] else { panic!("{media_type} {:?}", found.failures) };
        assert_eq!((failed, &failure.cause), (&digest(bytes), &cause), "{failure:?}");
        let gaps: Vec<_> = found.inventory.gaps.iter().map(|gap| (gap.kind, gap.subject.as_str())).collect();
        assert_eq!(gaps, [(kind, failed.as_str())], "{media_type}");
        assert!(!cause.is_transient(), "{cause:?}");
        let obstacle = opened.images[0].obstacle(&limits).map(|(cause, _)| cause);
        let is_in_documents = matches!(cause, Cause::LayerTooLarge | Cause::EncryptedLayer);
        assert_eq!(obstacle, Some(cause).filter(|_| is_in_documents));
    }
    // A wrong media type alone does no harm.
    let found = read(&opened(&[(in_toto, &good, true)]), &limits);
    assert_eq!(found.failures, []);
    assert_eq!(opened(&[]).images[0].obstacle(&limits).unwrap().0, Cause::NoLayers);
}

/// Zeros without end, counted; the work is to stop after some.
struct Endless<'a>(&'a AtomicU64, &'a AtomicBool);

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(0);
        let now = self.0.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.1.fetch_or(now > 5 << 20, Ordering::Relaxed);
        Ok(buffer.len())
    }
}

#[test]
fn a_cancelled_job_stops_within_a_layer() {
    static READ: AtomicU64 = AtomicU64::new(0);
    static STOP: AtomicBool = AtomicBool::new(false);
    struct Tap;
    impl Store for Tap {
        fn manifest(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
            self.blob(descriptor)
        }
        fn blob(&self, _: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
            // A file that a cataloger reads, which takes errors of reading for the file's.
            let head = Layer::default().file("a.jar", vec![0; 64]).tar()[..512].to_vec();
            Ok(Box::new(io::Cursor::new(head).chain(Endless(&READ, &STOP))))
        }
    }
    let mut opened = opened(&[(TAR, b"", true)]);
    opened.images[0].layers = vec![Descriptor::new(TAR, digest(b""), 1 << 40)];
    opened.store = Box::new(Tap);
    let limits = Limits { layer_bytes_max: u64::MAX, ..Limits::default() };
    let options = Options {
        limits: &limits,
        cache: None,
        threads: None,
        progress: &|_| {},
        is_cancelled: &|| STOP.swap(false, Ordering::Relaxed),
    };
    assert_eq!(catalog(&opened, &options).err(), Some(Cancelled));
    assert!((5 << 20..7 << 20).contains(&READ.load(Ordering::Relaxed)), "{READ:?}");
}

#[test]
fn progress_is_told_within_layers_and_adds_up() {
    /// Knows the small layer.
    struct Known(Digest);
    impl LayerStore for Known {
        fn get(&self, digest: &Digest) -> Option<LayerFacts> {
            (*digest == self.0).then(LayerFacts::default)
        }
        fn put(&self, digest: &Digest, _: &LayerFacts) -> io::Result<()> {
            assert_ne!(*digest, self.0, "what is known is not kept again");
            Ok(())
        }
    }
    let (large, small) = (Layer::default().file("x", vec![7; 9 << 20]).tar(), Layer::default().tar());
    let broken = b"broken".repeat(1000);
    let opened = opened(&[(TAR, &small, true), (TAR, &large, true), (TAR, &broken, true)]);
    let told = Mutex::new(Vec::new());
    let limits = Limits::default();
    let known = Known(digest(&small));
    let options = Options {
        limits: &limits,
        cache: Some(&known),
        threads: NonZero::new(1),
        progress: &|progress| told.lock().unwrap().push(progress),
        is_cancelled: &|| false,
    };
    catalog(&opened, &options).unwrap();
    let told = told.into_inner().unwrap();
    let bytes = (large.len() + small.len() + broken.len()) as u64;
    assert_eq!(told[0], Progress::Layers { count: 3, bytes });
    let reads: Vec<u64> = told
        .iter()
        .filter_map(|progress| if let Progress::Read { bytes } = progress { Some(*bytes) } else { None })
        .collect();
    assert_eq!(reads.iter().sum::<u64>(), bytes, "{reads:?}");
    assert!(reads.len() == 5 && reads[0] < 5 << 20, "{reads:?}");
    let done: Vec<_> = told.iter().filter(|told| matches!(told, Progress::LayerDone { .. })).collect();
    assert_eq!(done.len(), 3);
    assert_eq!(done.iter().filter(|done| ***done == Progress::LayerDone { was_cached: true }).count(), 1);
}
