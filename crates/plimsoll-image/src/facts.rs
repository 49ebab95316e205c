//! What one layer states, before it is joined with the layers around it; also the form that is cached.
//!
//! Facts do not depend on the image: the same layer may be of several, and nothing in it says of which. So paths are as the
//! layer has them, and what only counts in a Windows image stands apart.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::catalogers::{Found, Problem};
use crate::windows::paths;

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
    /// Hard links to files that the layer itself does not have, sorted by path; only those whose content a cataloger wants.
    pub parent_links: Vec<ParentLink>,
    /// What only counts where the image is one of Windows.
    pub windows: WindowsFacts,
    /// How many entries the layer has.
    pub entries: u64,
    /// Size of the uncompressed layer in bytes.
    pub unpacked_bytes: u64,
}

impl LayerFacts {
    /// Brings what was collected in any order into the one that it is kept in.
    pub(crate) fn sort(&mut self) {
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.windows.files.sort_by(|a, b| a.path.cmp(&b.path));
        self.parent_links.sort_by(|a, b| a.path.cmp(&b.path));
    }
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

/// A hard link to a file of a layer below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentLink {
    /// Its path.
    pub path: String,
    /// The path of the file.
    pub target: String,
    /// Whether that file is read where it stands, so that it says nothing if there are no facts of it.
    pub is_target_read: bool,
    /// Whether the content is wanted in a Windows image alone.
    pub is_of_windows: bool,
}

/// What only counts where the image is one of Windows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowsFacts {
    /// Files below `Files` that a cataloger wants as files below `C:\`, and not by the path that they have in the layer;
    /// sorted by it.
    pub files: Vec<FileFacts>,
    /// What could not be read of them.
    pub problems: Vec<(String, Problem)>,
    /// Files that a cataloger would want, were the image another one.
    pub passed_over: Option<PassedOver>,
}

/// Files that were not read, since Windows layers have there what says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOver {
    /// The path of the first.
    pub first: String,
    /// How many there are beside it.
    pub more: u64,
}

/// The paths of a layer, so that the layers below know what it replaces.
///
/// A path is kept as 128 bits of its SHA-256: enough that no content can be made to collide with another
/// layer's evidence, and a tenth of the text. One that may be of a Windows layer is kept a second time, whatever its case,
/// as the other half of the bits.
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

    /// Marks a cleaned path of a Windows layer ([`paths::is_of_windows_layer`]), whatever its case.
    pub fn folded(path: &str) -> PathMark {
        PathMark::finish_folded(Sha256::new_with_prefix(path.to_ascii_lowercase()))
    }

    /// Marks the directories above a cleaned path, the highest first, and the path itself. The text is hashed
    /// once, however deep it is.
    pub fn with_ancestors(path: &str) -> Vec<PathMark> {
        marks(path, PathMark::finish)
    }

    /// The same whatever the path's case.
    pub fn folded_with_ancestors(path: &str) -> Vec<PathMark> {
        marks(&path.to_ascii_lowercase(), PathMark::finish_folded)
    }

    fn finish(hasher: Sha256) -> PathMark {
        let hash: [u8; 32] = hasher.finalize().into();
        let [high, ..] = halves(hash);
        PathMark(high & !1)
    }

    fn finish_folded(hasher: Sha256) -> PathMark {
        let hash: [u8; 32] = hasher.finalize().into();
        let [.., low] = halves(hash);
        PathMark(low & !1)
    }
}

fn halves(hash: [u8; 32]) -> [u128; 2] {
    let mut halves = [[0; 16]; 2];
    halves.as_flattened_mut().copy_from_slice(&hash);
    halves.map(u128::from_be_bytes)
}

fn marks(path: &str, finish: fn(Sha256) -> PathMark) -> Vec<PathMark> {
    let mut hasher = Sha256::new();
    let mut marks = Vec::new();
    for (nth, part) in path.split('/').enumerate() {
        if nth > 0 {
            marks.push(finish(hasher.clone()));
            hasher.update("/");
        }
        hasher.update(part);
    }
    marks.push(finish(hasher));
    marks
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
        if paths::is_of_windows_layer(path) {
            self.kinds.insert(PathMark::folded(path).0, is_directory);
        }
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
            let expected: Vec<PathMark> = all.iter().map(|path| PathMark::folded(path)).collect();
            assert_eq!(PathMark::folded_with_ancestors(&path.to_uppercase()), expected, "{path}");
        }
    }

    #[test]
    fn only_what_may_be_of_windows_is_found_whatever_its_case() {
        let mut builder = PathSetBuilder::default();
        builder.add("Files/Windows", true);
        builder.add("etc/Passwd", false);
        let set = builder.build();
        for (path, has, has_folded) in [
            ("Files/Windows", true, true),
            ("files/windows", false, true),
            ("etc/Passwd", true, false),
            ("etc/passwd", false, false),
        ] {
            assert_eq!(set.has(PathMark::of(path)), has, "{path}");
            assert_eq!(set.has(PathMark::folded(path)), has_folded, "{path}");
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
