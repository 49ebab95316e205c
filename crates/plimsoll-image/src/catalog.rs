//! From open images to inventories: layers in parallel, the largest first, each read once.

use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{io, thread};

use plimsoll_core::digest::Digest;
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::inventory::Inventory;

use crate::cache::LayerStore;
use crate::layers::{Expected, LayerFailure, LayerPass, Shared, read_layer};
use crate::limits::Limits;
use crate::merge::{LayerInput, merge};
use crate::open::documents::Descriptor;
use crate::open::{Opened, Store, rootfs};

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
}

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many distinct layers are to be read, of so many bytes together.
    Layers {
        /// How many.
        count: usize,
        /// Their stored size in bytes.
        bytes: u64,
    },
    /// A layer of so many bytes is done.
    LayerDone {
        /// Its stored size in bytes.
        bytes: u64,
        /// Whether it had been read before.
        was_cached: bool,
    },
}

/// Catalogues images; an inventory each, in the images' order. A layer that several images share is read once.
pub fn catalog(opened: &Opened, options: &Options<'_>) -> Vec<Inventory> {
    let mut known = HashSet::new();
    let layers = opened.images.iter().flat_map(|image| &image.layers);
    let mut distinct: Vec<&Descriptor> = layers.filter(|layer| known.insert(&layer.digest)).collect();
    distinct.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.digest.cmp(&b.digest)));
    let passes = read_all(opened.store.as_ref(), &distinct, options);
    opened
        .images
        .iter()
        .map(|image| {
            let layers: Vec<LayerInput<'_>> = image
                .layers
                .iter()
                .filter_map(|layer| Some((Some(&layer.digest), &passes.get(&layer.digest)?.facts)))
                .collect();
            let mut inventory = merge(&layers);
            inventory.gaps.extend(image.gaps.iter().cloned());
            for layer in &image.layers {
                if let Some(failure) = passes.get(&layer.digest).and_then(|pass| pass.failure.as_ref()) {
                    inventory.gaps.push(layer_gap(&layer.digest, failure));
                }
            }
            inventory.gaps.sort_unstable();
            inventory.gaps.dedup();
            inventory
        })
        .collect()
}

/// Catalogues an unpacked root filesystem.
pub fn catalog_rootfs(root: &Path, options: &Options<'_>) -> io::Result<Inventory> {
    let facts = rootfs::read(root, &Shared::new(options.limits))?;
    Ok(merge(&[(None, &facts)]))
}

fn read_all(store: &dyn Store, layers: &[&Descriptor], options: &Options<'_>) -> HashMap<Digest, LayerPass> {
    let bytes = layers.iter().map(|layer| layer.size).fold(0, u64::saturating_add);
    (options.progress)(Progress::Layers { count: layers.len(), bytes });
    let shared = Shared::new(options.limits);
    let next = AtomicUsize::new(0);
    let passes = Mutex::new(HashMap::new());
    let work = || {
        while let Some(layer) = layers.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (pass, was_cached) = read_one(store, layer, &shared, options);
            (options.progress)(Progress::LayerDone { bytes: layer.size, was_cached });
            passes.lock().unwrap_or_else(PoisonError::into_inner).insert(layer.digest.clone(), pass);
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
    passes.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn read_one(
    store: &dyn Store,
    layer: &Descriptor,
    shared: &Shared<'_>,
    options: &Options<'_>,
) -> (LayerPass, bool) {
    if let Some(facts) = options.cache.and_then(|cache| cache.get(&layer.digest)) {
        return (LayerPass { facts, failure: None }, true);
    }
    let by_diff_id = store.layers_are_by_diff_id();
    let expected = Expected {
        digest: Some(&layer.digest).filter(|_| !by_diff_id),
        diff_id: Some(&layer.digest).filter(|_| by_diff_id),
        size: Some(layer.size),
    };
    let pass = read_layer(shared, &expected, &mut || store.blob(layer).map_err(io::Error::from));
    if let (Some(cache), None) = (options.cache, &pass.failure) {
        // A cache that cannot be written costs time, not truth.
        drop(cache.put(&layer.digest, &pass.facts));
    }
    (pass, false)
}

fn layer_gap(digest: &Digest, failure: &LayerFailure) -> Gap {
    let (kind, detail) = match failure {
        LayerFailure::Mismatch(detail) => (GapKind::LayerMismatch, detail),
        LayerFailure::Unreadable(detail) | LayerFailure::Limit(detail) => (GapKind::LayerUnreadable, detail),
    };
    Gap::new(kind, digest.as_str(), format!("the layer was not read to its end: {detail}"))
}
