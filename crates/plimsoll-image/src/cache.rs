//! Layers that were read before.
//!
//! A layer's facts are kept by its *verified* digest and by the [`fingerprint`] of everything that they depend
//! on beside it: the catalogers with their versions, the limits, the format. Where, is a [`LayerStore`]'s
//! affair; the one here is a directory. Its files are written aside and renamed, so any number of scans share
//! it without locks. What cannot be used is as good as none.
//!
//! [`index_state`] is not the fingerprint: it tells registries when to have every image indexed again, so it
//! changes with what indexing means and with nothing else.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll_core::digest::{Digest, hex};
use sha2::{Digest as _, Sha256};

use crate::catalogers::CATALOGERS;
use crate::facts::LayerFacts;
use crate::layers::PASS_VERSION;
use crate::limits::Limits;
use crate::merge::MERGE_VERSION;

/// Raised when [`LayerFacts`] or their encoding changes.
const FORMAT: u32 = 3;

/// Largest encoded facts that are read back, in bytes.
const ENCODED_BYTES_MAX: u64 = 512 << 20;

/// The same once they are decompressed.
const DECODED_BYTES_MAX: u64 = 1 << 30;

/// Paths are hashes, which no level makes smaller.
const COMPRESSION_LEVEL: i32 = 1;

const SUM_BYTES: usize = 32;

/// Where the facts of layers that were read before are kept.
pub trait LayerStore: Sync {
    /// The facts of a layer that was read before, under the same [`fingerprint`].
    fn get(&self, digest: &Digest) -> Option<LayerFacts>;

    /// Keeps the facts of a layer whose digest has been verified.
    fn put(&self, digest: &Digest, facts: &LayerFacts) -> io::Result<()>;
}

/// Everything that a layer's facts depend on beside its bytes, as 64 hexadecimal digits.
pub fn fingerprint(limits: &Limits) -> String {
    hex(&Sha256::digest(format!("{FORMAT} {PASS_VERSION} {} {limits:?}", cataloger_versions())))
}

/// What indexing means, as 64 hexadecimal digits: the catalogers with their versions, what the layer pass
/// looks at, how layers are merged. It depends neither on limits nor on how facts are kept.
pub fn index_state() -> String {
    hex(&Sha256::digest(format!("{PASS_VERSION} {MERGE_VERSION} {}", cataloger_versions())))
}

fn cataloger_versions() -> String {
    let rows: Vec<String> = CATALOGERS.iter().map(|row| format!("{}@{}", row.name, row.version)).collect();
    rows.join(" ")
}

/// Facts as bytes: compressed, with a sum over them at the end.
pub fn encode(facts: &LayerFacts) -> io::Result<Vec<u8>> {
    let plain = postcard::to_stdvec(facts).map_err(io::Error::other)?;
    let mut bytes = zstd::bulk::compress(&plain, COMPRESSION_LEVEL)?;
    bytes.extend_from_slice(&Sha256::digest(&bytes));
    Ok(bytes)
}

/// What [`encode`] was given; `None` if the bytes are not whole.
pub fn decode(bytes: &[u8]) -> Option<LayerFacts> {
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM_BYTES)?)?;
    if Sha256::digest(body).as_slice() != sum {
        return None;
    }
    let mut plain = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(body).ok()?;
    decoder.take(DECODED_BYTES_MAX).read_to_end(&mut plain).ok()?;
    postcard::from_bytes(&plain).ok()
}

/// A directory of layers that were read before.
#[derive(Clone, Debug)]
pub struct LayerCache {
    directory: PathBuf,
    fingerprint: String,
}

impl LayerCache {
    /// Uses a directory, which is made when something is first kept.
    pub fn new(directory: &Path, limits: &Limits) -> LayerCache {
        LayerCache { directory: directory.to_owned(), fingerprint: fingerprint(limits) }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let mut hasher = Sha256::new();
        hasher.update(digest.as_str());
        hasher.update([0]);
        hasher.update(&self.fingerprint);
        let name = hex(&hasher.finalize());
        self.directory.join(&name[..2]).join(&name)
    }
}

impl LayerStore for LayerCache {
    fn get(&self, digest: &Digest) -> Option<LayerFacts> {
        let path = self.path(digest);
        if fs::metadata(&path).ok()?.len() > ENCODED_BYTES_MAX {
            return None;
        }
        decode(&fs::read(&path).ok()?)
    }

    fn put(&self, digest: &Digest, facts: &LayerFacts) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let bytes = encode(facts)?;
        let path = self.path(digest);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let aside = path.with_extension(format!("{}-{count}.tmp", process::id()));
        let written = File::create(&aside)
            .and_then(|mut file| file.write_all(&bytes))
            .and_then(|()| fs::rename(&aside, &path));
        written.inspect_err(|_| drop(fs::remove_file(&aside)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(byte: u8) -> Digest {
        Digest::sha256(&[byte; 32])
    }

    #[test]
    fn what_was_put_is_got_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let cache = LayerCache::new(directory.path(), &Limits::default());
        let facts = LayerFacts { entries: 7, ..LayerFacts::default() };
        cache.put(&digest(1), &facts).unwrap();
        assert_eq!(cache.get(&digest(1)), Some(facts));
        assert_eq!(cache.get(&digest(2)), None);
        let other_limits = Limits { entries_max: 1, ..Limits::default() };
        assert_eq!(LayerCache::new(directory.path(), &other_limits).get(&digest(1)), None);
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let directory = tempfile::tempdir().unwrap();
        let cache = LayerCache::new(directory.path(), &Limits::default());
        cache.put(&digest(1), &LayerFacts::default()).unwrap();
        let path = cache.path(&digest(1));
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(cache.get(&digest(1)), None, "{length} bytes");
        }
        let mut flipped = whole.clone();
        flipped[0] ^= 1;
        fs::write(&path, flipped).unwrap();
        assert_eq!(cache.get(&digest(1)), None);
    }

    #[test]
    fn only_the_fingerprint_depends_on_limits() {
        let (usual, other) = (Limits::default(), Limits { entries_max: 1, ..Limits::default() });
        assert_ne!(fingerprint(&usual), fingerprint(&other));
        assert_ne!(fingerprint(&usual), index_state());
        for text in [fingerprint(&usual), index_state()] {
            assert!(text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()), "{text}");
        }
    }
}
