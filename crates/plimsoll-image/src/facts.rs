//! What one layer states, before it is joined with the layers around it; also the form that is cached.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::catalogers::{Found, Problem};

/// What one layer states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerFacts {
    /// The files that a cataloger read and found something in, sorted by path.
    pub files: Vec<FileFacts>,
    /// Paths that the layer removes from the layers below.
    pub whiteouts: Vec<String>,
    /// Directories whose content in the layers below the layer hides.
    pub opaque: Vec<String>,
    /// Every path in the layer.
    pub paths: PathSet,
    /// Symbolic links in the root directory, name and cleaned target: `lib` to `usr/lib`.
    pub root_links: Vec<(String, String)>,
    /// What could not be read: path, or an empty text for the layer itself, and what happened.
    pub problems: Vec<(String, Problem)>,
    /// How many entries the layer has.
    pub entries: u64,
    /// Size of the uncompressed layer in bytes.
    pub unpacked_bytes: u64,
}

/// What one file states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Path in the image, without a leading slash.
    pub path: String,
    /// Name of the cataloger that read it.
    pub cataloger: String,
    /// What it states.
    pub found: Found,
}

/// The paths of a layer, so that the layers below know what it replaces.
///
/// A path is kept as 128 bits of its SHA-256: enough that no content can be made to collide with another
/// layer's evidence, and a tenth of the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathSet {
    /// Sorted; the last bit says whether the path is a directory.
    marks: Vec<u128>,
}

impl PathSet {
    /// Whether the layer has an entry at exactly this path.
    pub fn has(&self, mark: PathMark) -> bool {
        self.marks.binary_search(&mark.0).is_ok() || self.has_directory(mark)
    }

    /// Whether the layer has something other than a directory at this path, which hides all that the layers
    /// below have under it.
    pub fn has_other_than_directory(&self, mark: PathMark) -> bool {
        self.marks.binary_search(&mark.0).is_ok()
    }

    fn has_directory(&self, mark: PathMark) -> bool {
        self.marks.binary_search(&(mark.0 | 1)).is_ok()
    }

    /// Whether the layer has no entry at all.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }
}

/// A path as [`PathSet`] knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PathMark(u128);

impl PathMark {
    /// Marks a cleaned path.
    pub fn of(path: &str) -> PathMark {
        PathMark::finish(Sha256::new_with_prefix(path))
    }

    /// Marks the directories above a cleaned path, the highest first, and the path itself. The text is hashed
    /// once, however deep it is.
    pub fn with_ancestors(path: &str) -> Vec<PathMark> {
        let mut hasher = Sha256::new();
        let mut marks = Vec::new();
        for (nth, part) in path.split('/').enumerate() {
            if nth > 0 {
                marks.push(PathMark::finish(hasher.clone()));
                hasher.update("/");
            }
            hasher.update(part);
        }
        marks.push(PathMark::finish(hasher));
        marks
    }

    fn finish(hasher: Sha256) -> PathMark {
        let hash = hasher.finalize();
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        PathMark(u128::from_be_bytes(half) & !1)
    }
}

/// Collects a [`PathSet`]; the last entry at a path counts.
#[derive(Debug, Default)]
pub struct PathSetBuilder {
    kinds: HashMap<u128, bool>,
}

impl PathSetBuilder {
    /// Adds an entry.
    pub fn add(&mut self, path: &str, is_directory: bool) {
        self.kinds.insert(PathMark::of(path).0, is_directory);
    }

    /// The set.
    pub fn build(self) -> PathSet {
        let mut marks: Vec<u128> =
            self.kinds.into_iter().map(|(mark, is_directory)| mark | u128::from(is_directory)).collect();
        marks.sort_unstable();
        PathSet { marks }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancestors_are_marked_as_the_paths_that_they_are() {
        for (path, all) in [("a", &["a"][..]), ("a/bc/d", &["a", "a/bc", "a/bc/d"]), ("", &[""])] {
            let expected: Vec<PathMark> = all.iter().map(|path| PathMark::of(path)).collect();
            assert_eq!(PathMark::with_ancestors(path), expected, "{path}");
        }
    }

    #[test]
    fn directories_and_files_are_told_apart() {
        let mut builder = PathSetBuilder::default();
        builder.add("etc", true);
        builder.add("etc/passwd", false);
        let set = builder.build();
        for (path, has, hides) in [("etc", true, false), ("etc/passwd", true, true), ("var", false, false)] {
            assert_eq!(set.has(PathMark::of(path)), has, "{path}");
            assert_eq!(set.has_other_than_directory(PathMark::of(path)), hides, "{path}");
        }
    }
}
