//! What is known of an image now: its inventory from the store, held against the advisory database of this moment.
//!
//! Nothing of it is stored: the same inventory, database and standings give the same result, which is kept in memory
//! as long as there is room.

use std::sync::Arc;

use jiff::Timestamp;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::digest::Digest;
use plimsoll_core::policy::Policy;
use plimsoll_store::StoreError;

use super::Server;
use crate::pipeline;

/// Most results that are kept in memory, by their rough size in bytes.
const CACHE_BYTES_MAX: u64 = 256 << 20;

/// How many results a cache is made for.
const CACHE_ITEMS: usize = 1_000;

/// What one finding takes in memory, roughly, in bytes.
const FINDING_BYTES: u64 = 2_000;

/// What one package takes in memory, roughly, in bytes.
const PACKAGE_BYTES: u64 = 400;

/// What is known of an image now.
#[derive(Debug)]
pub(crate) struct Assessed {
    /// Image, inventory, findings, coverage, database, and the verdict of a policy that demands nothing.
    pub(crate) assessment: Assessment,
    /// What it was indexed by.
    pub(crate) index_state: String,
}

/// Digest of the image, when it was indexed, and the stamp of what it was judged with.
type Key = (String, Timestamp, String);

#[derive(Clone)]
struct ByBytes;

impl quick_cache::Weighter<Key, Arc<Assessed>> for ByBytes {
    fn weight(&self, _: &Key, assessed: &Arc<Assessed>) -> u64 {
        let Assessment { inventory, findings, .. } = &assessed.assessment;
        1_000
            + inventory.packages.len() as u64 * PACKAGE_BYTES
            + findings.findings.len() as u64 * FINDING_BYTES
    }
}

/// Results that are kept.
pub(super) struct Cache(quick_cache::sync::Cache<Key, Arc<Assessed>, ByBytes>);

impl Default for Cache {
    fn default() -> Cache {
        Cache(quick_cache::sync::Cache::with_weighter(CACHE_ITEMS, CACHE_BYTES_MAX, ByBytes))
    }
}

pub(super) fn assess(server: &Server, digest: &Digest) -> Result<Option<Arc<Assessed>>, StoreError> {
    let Some(store) = server.store.get() else {
        return Err(StoreError::Unavailable("the server is not ready yet".to_owned()));
    };
    let advised = server.advised();
    let Some(indexed_at) = store.indexed_at(digest)? else { return Ok(None) };
    let mut key = (digest.as_str().to_owned(), indexed_at, advised.stamp.clone());
    // Looked for before the inventory is read, which costs more than all else.
    if let Some(assessed) = server.assessed.0.get(&key) {
        return Ok(Some(assessed));
    }
    let Some(row) = store.inventory(digest)? else { return Ok(None) };
    key.1 = row.indexed_at;
    server
        .assessed
        .0
        .get_or_insert_with(&key, || {
            let database = advised.database.as_ref().map_err(String::as_str);
            let catalogued = (row.image, row.inventory);
            let assessment = pipeline::assess(catalogued, database, &advised.standings, &Policy::default());
            Ok(Arc::new(Assessed { assessment, index_state: row.index_state }))
        })
        .map(Some)
}
