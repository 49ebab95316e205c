//! From open images to inventories: layers in parallel, the largest first, each read once.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use plimsoll_core::digest::Digest;
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::inventory::Inventory;

use crate::cache::LayerStore;
use crate::cause::Cause;
use crate::facts::LayerFacts;
use crate::layers::{Expected, LayerFailure, LayerPass, Shared, read_layer};
use crate::limits::Limits;
use crate::merge::{LayerInput, merge};
use crate::open::documents::Descriptor;
use crate::open::{Opened, OpenedImage, Store, rootfs};

/// How layers are read.
pub struct Options<'a> {
    /// The limits.
    pub limits: &'a Limits,
    /// Where layers that were read before are kept; `None` reads every layer.
    pub cache: Option<&'a dyn LayerStore>,
    /// How many layers are read at once; `None` for one a core.
    pub threads: Option<NonZero<usize>>,
    /// Told of what is going on, from any thread.
    pub progress: &'a (dyn Fn(Progress) + Sync),
    /// Whether to stop. Asked from any thread before each piece of a layer, so it has to be quick; once it has
    /// said yes, its answer no longer counts.
    pub is_cancelled: &'a (dyn Fn() -> bool + Sync),
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many distinct layers are to be read, of so many bytes together as far as their sizes are known.
    Layers {
        /// How many.
        count: usize,
        /// Their stored size in bytes.
        bytes: u64,
    },
    /// A layer whose size was not known has so many bytes.
    Sized {
        /// Its stored size in bytes.
        bytes: u64,
    },
    /// So many bytes more are done. Together these are the bytes of `Layers` and `Sized`.
    Read {
        /// Bytes as they are stored.
        bytes: u64,
    },
    /// One layer more is done.
    LayerDone {
        /// Whether it had been read before.
        was_cached: bool,
    },
}

/// How often progress is told within a layer, in stored bytes.
const PROGRESS_BYTES: u64 = 4 << 20;

/// An image's inventory, and what it lacks because a layer was not read.
#[derive(Clone, Debug)]
pub struct CataloguedImage {
    /// What is aboard. Each failure below is a gap in it.
    pub inventory: Inventory,
    /// The layers that were not read to their end, lowest first. Where the cause of one is transient, reading
    /// the image again may give more.
    pub failures: Vec<(Digest, LayerFailure)>,
}

/// The work was broken off because [`Options::is_cancelled`] said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it was told to stop")]
pub struct Cancelled;

/// Catalogues images; an inventory each, in the images' order. A layer that several images share is read once.
pub fn catalog(opened: &Opened, options: &Options<'_>) -> Result<Vec<CataloguedImage>, Cancelled> {
    let store = opened.store.as_ref();
    let mut known = HashSet::new();
    let layers = opened.images.iter().flat_map(|image| &image.layers);
    // Sizes become known meanwhile; what is told to begin with is told once.
    let mut distinct: Vec<Distinct<'_>> = layers
        .filter(|layer| known.insert(&layer.digest))
        .map(|layer| Distinct { layer, size: store.known_size(layer) })
        .collect();
    distinct.sort_by_key(|one| (Reverse(one.size), &one.layer.digest));
    let passes = read_all(store, &distinct, options)?;
    Ok(opened.images.iter().map(|image| join(image, &passes)).collect())
}

/// One layer, and its size if that is known before it is opened.
struct Distinct<'a> {
    layer: &'a Descriptor,
    size: Option<u64>,
}

fn join(image: &OpenedImage, passes: &HashMap<Digest, LayerPass>) -> CataloguedImage {
    let layers: Vec<LayerInput<'_>> = image
        .layers
        .iter()
        .filter_map(|layer| Some((Some(&layer.digest), &passes.get(&layer.digest)?.facts)))
        .collect();
    let mut inventory = merge(&layers, Some(&image.image));
    inventory.gaps.extend(image.gaps.iter().cloned());
    let mut failures: Vec<(Digest, LayerFailure)> = Vec::new();
    for layer in &image.layers {
        let failure = passes.get(&layer.digest).and_then(|pass| pass.failure.as_ref());
        if let Some(failure) = failure
            && !failures.iter().any(|(digest, _)| *digest == layer.digest)
        {
            inventory.gaps.push(layer_gap(&layer.digest, failure));
            failures.push((layer.digest.clone(), failure.clone()));
        }
    }
    if let Some(windows) = inventory.windows.as_mut() {
        windows.is_whole &= failures.is_empty();
    }
    inventory.gaps.sort_unstable();
    inventory.gaps.dedup();
    CataloguedImage { inventory, failures }
}

/// Catalogues an unpacked root filesystem.
pub fn catalog_rootfs(root: &Path, options: &Options<'_>) -> io::Result<Inventory> {
    let facts = rootfs::read(root, &Shared::new(options.limits))?;
    Ok(merge(&[(None, &facts)], None))
}

fn read_all(
    store: &dyn Store,
    layers: &[Distinct<'_>],
    options: &Options<'_>,
) -> Result<HashMap<Digest, LayerPass>, Cancelled> {
    let bytes = layers.iter().filter_map(|one| one.size).fold(0, u64::saturating_add);
    (options.progress)(Progress::Layers { count: layers.len(), bytes });
    let shared = Shared::new(options.limits);
    let next = AtomicUsize::new(0);
    let passes = Mutex::new(HashMap::new());
    let stop = Stop { is_cancelled: options.is_cancelled, was_cancelled: AtomicBool::new(false) };
    let work = || {
        while let Some(one) = layers.get(next.fetch_add(1, Ordering::Relaxed))
            && !stop.is_now()
        {
            let (pass, was_cached) = read_one(store, one, &shared, options, &stop);
            (options.progress)(Progress::LayerDone { was_cached });
            passes.lock().unwrap_or_else(PoisonError::into_inner).insert(one.layer.digest.clone(), pass);
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = options.threads.map_or(cores, NonZero::get).min(layers.len());
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    if stop.was_cancelled.into_inner() {
        return Err(Cancelled);
    }
    Ok(passes.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Remembers that the work was cancelled: a cataloger may take an error of reading for one of its file's.
struct Stop<'a> {
    is_cancelled: &'a (dyn Fn() -> bool + Sync),
    was_cancelled: AtomicBool,
}

impl Stop<'_> {
    fn is_now(&self) -> bool {
        let is_now = self.was_cancelled.load(Ordering::Relaxed) || (self.is_cancelled)();
        if is_now {
            self.was_cancelled.store(true, Ordering::Relaxed);
        }
        is_now
    }
}

fn read_one(
    store: &dyn Store,
    &Distinct { layer, size }: &Distinct<'_>,
    shared: &Shared<'_>,
    options: &Options<'_>,
    stop: &Stop<'_>,
) -> (LayerPass, bool) {
    let meter = Meter::new(size, options.progress);
    if let Some(facts) = options.cache.and_then(|cache| cache.get(&layer.digest)) {
        meter.finish();
        return (LayerPass { facts, failure: None }, true);
    }
    let by_diff_id = store.layers_are_by_diff_id();
    let stated_diff_id = store.stated_diff_id(layer);
    let expected = Expected {
        digest: Some(&layer.digest).filter(|_| !by_diff_id),
        diff_id: if by_diff_id { Some(&layer.digest) } else { stated_diff_id.as_ref() },
        size: store.stated_size(layer),
    };
    let pass = match layer.obstacle(options.limits) {
        Some((cause, detail)) => {
            LayerPass { facts: LayerFacts::default(), failure: Some(LayerFailure::new(cause, detail)) }
        }
        None => loop {
            let pass = read_layer(shared, &expected, &mut || {
                let input = store.blob(layer).map_err(io::Error::from)?;
                meter.opened(store.known_size(layer));
                Ok(Box::new(Metered { input, at: 0, meter: &meter, stop }))
            });
            let is_rejected = pass.failure.as_ref().is_some_and(|failure| {
                failure.cause.is_of_the_place() && store.reject(layer, &failure.detail)
            });
            if !is_rejected {
                break pass;
            }
        },
    };
    let pass = LayerPass { failure: pass.failure.map(|failure| explained(failure, layer)), ..pass };
    meter.finish();
    if let (Some(cache), None) = (options.cache, &pass.failure) {
        // A cache that cannot be written costs time, not truth.
        drop(cache.put(&layer.digest, &pass.facts));
    }
    (pass, false)
}

/// What the layer's media type says about a failure. It is asked only then: media types are often wrong.
fn explained(failure: LayerFailure, layer: &Descriptor) -> LayerFailure {
    let media_type = layer.media_type.escape_default();
    match failure.cause {
        Cause::NotFound if layer.is_foreign() => {
            let detail = format!("its publisher does not let registries have it (`{media_type}`)");
            LayerFailure::new(Cause::ForeignLayer, format!("{}; {detail}", failure.detail))
        }
        Cause::Corrupt if !layer.may_be_filesystem() => {
            let detail = format!("it is of type `{media_type}`, no filesystem diff: {}", failure.detail);
            LayerFailure::new(Cause::LayerType(layer.media_type.clone()), detail)
        }
        _ => failure,
    }
}

/// How far one layer is, so that what is told of it adds up to its size. One thread uses it.
struct Meter<'a> {
    /// Its size, 0 for one that is not known: told in the beginning, or by [`Progress::Sized`].
    size: AtomicU64,
    /// Bytes read so far. A layer may be opened a second time, which is not told again.
    read: AtomicU64,
    /// Of them, those that were told.
    told: AtomicU64,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl<'a> Meter<'a> {
    fn new(size: Option<u64>, progress: &'a (dyn Fn(Progress) + Sync)) -> Meter<'a> {
        let size = AtomicU64::new(size.unwrap_or(0));
        Meter { size, read: AtomicU64::new(0), told: AtomicU64::new(0), progress }
    }

    fn opened(&self, size: Option<u64>) {
        if let Some(bytes) = size
            && self.size.load(Ordering::Relaxed) == 0
            && bytes > 0
        {
            self.size.store(bytes, Ordering::Relaxed);
            (self.progress)(Progress::Sized { bytes });
        }
    }

    fn read(&self, at: u64) {
        self.read.fetch_max(at, Ordering::Relaxed);
        if at.saturating_sub(self.told.load(Ordering::Relaxed)) >= PROGRESS_BYTES {
            self.tell(at);
        }
    }

    /// Tells the rest, also of a layer that broke off.
    fn finish(&self) {
        self.opened(Some(self.read.load(Ordering::Relaxed)));
        self.tell(self.size.load(Ordering::Relaxed));
    }

    fn tell(&self, at: u64) {
        let bytes = at.saturating_sub(self.told.load(Ordering::Relaxed));
        if bytes > 0 {
            self.told.store(at, Ordering::Relaxed);
            (self.progress)(Progress::Read { bytes });
        }
    }
}

/// A layer's stored bytes, told of as they come, until the work is cancelled.
struct Metered<'a> {
    input: Box<dyn Read + Send>,
    at: u64,
    meter: &'a Meter<'a>,
    stop: &'a Stop<'a>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.is_now() {
            return Err(io::Error::other(Cancelled));
        }
        let count = self.input.read(buffer)?;
        self.at = self.at.saturating_add(count as u64);
        self.meter.read(self.at);
        Ok(count)
    }
}

fn layer_gap(digest: &Digest, failure: &LayerFailure) -> Gap {
    let kind = match failure.cause {
        Cause::Mismatch => GapKind::LayerMismatch,
        Cause::EncryptedLayer | Cause::LayerType(_) => GapKind::Unsupported,
        Cause::ForeignLayer => GapKind::ForeignUnavailable,
        _ => GapKind::LayerUnreadable,
    };
    let what = match kind {
        GapKind::ForeignUnavailable => "the layer was not fetched",
        _ => "the layer was not read to its end",
    };
    Gap::new(kind, digest.as_str(), format!("{what}: {}", failure.detail))
}
