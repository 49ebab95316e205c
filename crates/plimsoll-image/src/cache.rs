//! Layers that were read before.
//!
//! A layer's facts are kept in a file of their own, named by the layer's *verified* digest and by everything
//! that the facts depend on beside it: the catalogers with their versions, the limits, this format. Files are
//! written aside and renamed, so any number of scans share a cache without locks. A file that cannot be used
//! is as good as none.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll_core::digest::{Digest, hex};
use sha2::{Digest as _, Sha256};

use crate::catalogers::CATALOGERS;
use crate::facts::LayerFacts;
use crate::limits::Limits;

/// Raised when [`LayerFacts`] or what the layer pass does with them changes.
const FORMAT: u32 = 1;

/// Largest file that is read back, in bytes.
const FILE_BYTES_MAX: u64 = 512 << 20;

const SUM_BYTES: usize = 32;

/// A directory of layers that were read before.
#[derive(Clone, Debug)]
pub struct LayerCache {
    directory: PathBuf,
    fingerprint: String,
}

impl LayerCache {
    /// Uses a directory, which is made when something is first kept.
    pub fn new(directory: &Path, limits: &Limits) -> LayerCache {
        let rows: Vec<String> =
            CATALOGERS.iter().map(|row| format!("{}@{}", row.name, row.version)).collect();
        let fingerprint = format!("{FORMAT} {} {limits:?}", rows.join(" "));
        LayerCache { directory: directory.to_owned(), fingerprint }
    }

    /// The facts of a layer that was read before.
    pub fn get(&self, digest: &Digest) -> Option<LayerFacts> {
        let path = self.path(digest);
        if fs::metadata(&path).ok()?.len() > FILE_BYTES_MAX {
            return None;
        }
        let bytes = fs::read(&path).ok()?;
        let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM_BYTES)?)?;
        if Sha256::digest(body).as_slice() != sum {
            return None;
        }
        postcard::from_bytes(body).ok()
    }

    /// Keeps the facts of a layer whose digest has been verified.
    pub fn put(&self, digest: &Digest, facts: &LayerFacts) -> io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let mut bytes = postcard::to_stdvec(facts).map_err(io::Error::other)?;
        bytes.extend_from_slice(&Sha256::digest(&bytes));
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

    fn path(&self, digest: &Digest) -> PathBuf {
        let mut hasher = Sha256::new();
        hasher.update(digest.as_str());
        hasher.update([0]);
        hasher.update(&self.fingerprint);
        let name = hex(&hasher.finalize());
        self.directory.join(&name[..2]).join(&name)
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
}
