//! One pass over one layer: hash what is stored, inflate it, walk its tar, hand evidence to the catalogers.
//!
//! Nothing is written and nothing is read twice, with one exception: a hard link that a cataloger wants by its
//! name, whose content stands earlier in the layer under a name that nobody wanted. Such a layer is read once
//! more for those files alone. Content that stands in a layer below is for [`crate::merge`] to find.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read};
use std::time::Instant;

use plimsoll_core::digest::Digest;

use crate::catalogers::Entry;
use crate::cause::Cause;
use crate::facts::{LayerFacts, ParentLink, PathMark, PathSetBuilder};
use crate::limits::Limits;
use crate::tar::{Archive, Header, Kind, TarError};
use crate::windows::paths;

mod files;
mod stream;

pub(crate) use files::FileReader;
pub(crate) use stream::Hasher;

use files::{Held, View, Wish, wish_for};
use stream::{Compression, Hashed, Unpacked, quota};

/// Raised whenever the pass makes other facts of the same layer, whatever the catalogers say.
pub const PASS_VERSION: u32 = 2;

const STORED_BUFFER_BYTES: usize = 256 << 10;
const UNPACKED_BUFFER_BYTES: usize = 256 << 10;

/// What must be true of a layer's bytes.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// Digest of the stored bytes, where they are addressed by it.
    pub digest: Option<&'a Digest>,
    /// Digest of the unpacked bytes, where that is all that is known (`docker save`).
    pub diff_id: Option<&'a Digest>,
    /// Size of the stored bytes.
    pub size: Option<u64>,
}

/// Why a layer's facts are not to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerFailure {
    /// The cause, for callers to decide by.
    pub cause: Cause,
    /// What happened, for people. No full stop.
    pub detail: String,
    /// Whether the stored bytes are the right ones, and only what they unpack to is not.
    pub is_of_unpacked: bool,
}

impl LayerFailure {
    /// A failure of this cause.
    pub fn new(cause: Cause, detail: impl Into<String>) -> LayerFailure {
        LayerFailure { cause, detail: detail.into(), is_of_unpacked: false }
    }

    /// The stored bytes could not be had.
    fn of_read(error: &io::Error) -> LayerFailure {
        LayerFailure::new(Cause::of_read(error), error.to_string())
    }

    fn mismatch(detail: String) -> LayerFailure {
        LayerFailure::new(Cause::Mismatch, detail)
    }
}

/// What one pass gives: the facts as far as they were read, and what broke the pass off.
#[derive(Debug, Default)]
pub struct LayerPass {
    /// The facts. Where `failure` is set they are incomplete or not to be trusted as the layer's.
    pub facts: LayerFacts,
    /// What broke the pass off.
    pub failure: Option<LayerFailure>,
}

/// What all passes over an image share.
#[derive(Debug)]
pub struct Shared<'a> {
    /// The limits.
    pub limits: &'a Limits,
    /// When the image's time is up.
    pub deadline: Option<Instant>,
    held: Held,
}

impl<'a> Shared<'a> {
    /// Starts the clock.
    pub fn new(limits: &'a Limits) -> Shared<'a> {
        let deadline = Instant::now().checked_add(limits.time_max);
        Shared { limits, deadline, held: Held::default() }
    }
}

/// Opens a layer's stored bytes from their start.
pub type OpenLayer<'a, 'r> = &'a mut dyn FnMut() -> io::Result<Box<dyn Read + Send + 'r>>;

/// Reads a layer.
pub fn read_layer(shared: &Shared<'_>, expected: &Expected<'_>, open: OpenLayer<'_, '_>) -> LayerPass {
    let mut walk = Walk::new(shared, HashMap::new());
    let mut pass = read_once(shared, expected, open, &mut walk);
    if pass.failure.is_some() {
        return pass;
    }
    let mut here: HashMap<String, Vec<String>> = HashMap::new();
    for (path, link) in std::mem::take(&mut walk.unread_links) {
        if pass.facts.paths.has_other_than_directory(PathMark::of(&link.target)) {
            here.entry(link.target).or_default().push(path);
        } else {
            pass.facts.parent_links.push(link.to_parent(path));
        }
    }
    if !here.is_empty() {
        here.values_mut().for_each(|links| links.sort_unstable());
        let mut second = Walk::new(shared, here);
        let LayerPass { facts, failure } = read_once(shared, expected, open, &mut second);
        pass.facts.files.extend(facts.files);
        pass.facts.problems.extend(facts.problems);
        pass.facts.windows.files.extend(facts.windows.files);
        pass.facts.windows.problems.extend(facts.windows.problems);
        pass.failure = failure;
    }
    pass.facts.sort();
    pass
}

fn read_once(
    shared: &Shared<'_>,
    expected: &Expected<'_>,
    open: OpenLayer<'_, '_>,
    walk: &mut Walk<'_>,
) -> LayerPass {
    let stored = match open() {
        Ok(stored) => stored,
        Err(error) => {
            return LayerPass { facts: LayerFacts::default(), failure: Some(LayerFailure::of_read(&error)) };
        }
    };
    let limits = shared.limits;
    let stored_hasher = expected.digest.map(|digest| Hasher::new(digest.algorithm()));
    let max = expected.size.unwrap_or(u64::MAX).min(limits.layer_bytes_max);
    let stored = Hashed::new(stored, stored_hasher, max);
    let mut stored = BufReader::with_capacity(STORED_BUFFER_BYTES, stored);
    let magic = match stored.fill_buf() {
        Ok(start) => Compression::of(start),
        Err(error) => return walk.finish(Some(LayerFailure::of_read(&error)), 0),
    };
    let mut unpacked = match magic.open(&mut stored) {
        Ok(inflated) => {
            let hasher = expected.diff_id.map(|digest| Hasher::new(digest.algorithm()));
            Unpacked { inflated, hasher, count: 0, shared }
        }
        Err(error) => {
            return walk.finish(Some(LayerFailure::new(Cause::Corrupt, error.to_string())), 0);
        }
    };
    let mut archive = Archive::new(BufReader::with_capacity(UNPACKED_BUFFER_BYTES, &mut unpacked));
    let mut failure = walk.run(&mut archive).err().map(|error| failure_of(&error));
    if failure.is_none() {
        // What stands behind the end of the archive is still part of the layer's digest.
        failure = archive.drain().err().map(|error| failure_of(&TarError::Read(error)));
    }
    drop(archive);
    let Unpacked { hasher, count, .. } = unpacked;
    walk.finish(judge(stored, expected, hasher, limits, failure), count)
}

/// What is said of a layer that was walked: what broke the walk off, unless that came of the stored bytes.
///
/// Inflaters and catalogers wrap errors or swallow them; what happened to the stored bytes is in their reader.
fn judge<R: Read>(
    mut stored: BufReader<Hashed<R>>,
    expected: &Expected<'_>,
    unpacked_hasher: Option<Hasher>,
    limits: &Limits,
    failure: Option<LayerFailure>,
) -> Option<LayerFailure> {
    if let Some(error) = &stored.get_ref().broken {
        return Some(LayerFailure::of_read(error));
    }
    if let Some(failure) = too_long(stored.get_ref(), expected, limits) {
        return Some(failure);
    }
    // Only if its bytes are the right ones is it the layer that is damaged, rather than the way here.
    if failure.as_ref().is_some_and(|failure| failure.cause != Cause::Corrupt) {
        return failure;
    }
    if let Err(error) = io::copy(&mut stored, &mut io::sink()) {
        return Some(LayerFailure::of_read(&error));
    }
    let unpacked_hasher = unpacked_hasher.filter(|_| failure.is_none());
    too_long(stored.get_ref(), expected, limits)
        .or_else(|| mismatch(stored.into_inner(), expected, unpacked_hasher))
        .or(failure)
}

/// Whether there are more bytes than there may be. To the inflater, which is given no more than those, the
/// layer seems to end in the middle.
fn too_long<R>(stored: &Hashed<R>, expected: &Expected<'_>, limits: &Limits) -> Option<LayerFailure> {
    let max = limits.layer_bytes_max;
    match expected.size {
        _ if !stored.is_cut => None,
        Some(size) if size <= max => {
            Some(LayerFailure::mismatch(format!("the manifest states {size} bytes, there are more")))
        }
        _ => {
            let detail = format!("it is larger than {max} bytes (layer_bytes_max)");
            Some(LayerFailure::new(Cause::LayerTooLarge, detail))
        }
    }
}

/// Whether the bytes, all of them read, are others than the manifest names.
fn mismatch<R>(
    stored: Hashed<R>,
    expected: &Expected<'_>,
    unpacked_hasher: Option<Hasher>,
) -> Option<LayerFailure> {
    let Hashed { hasher, count, .. } = stored;
    if let Some(size) = expected.size.filter(|size| *size != count) {
        return Some(LayerFailure::mismatch(format!("the manifest states {size} bytes, there are {count}")));
    }
    let has_digest = expected.digest.is_some();
    for (what, expected, hasher, is_of_unpacked) in
        [("", expected.digest, hasher, false), ("unpacked ", expected.diff_id, unpacked_hasher, has_digest)]
    {
        if let (Some(expected), Some(hasher)) = (expected, hasher) {
            let actual = hasher.digest();
            if actual != *expected {
                let failure = LayerFailure::mismatch(format!("the {what}bytes are {actual}, not {expected}"));
                return Some(LayerFailure { is_of_unpacked, ..failure });
            }
        }
    }
    None
}

fn failure_of(error: &TarError) -> LayerFailure {
    match error {
        TarError::Read(read) if read.kind() == io::ErrorKind::QuotaExceeded => {
            LayerFailure::new(Cause::Limit, read.to_string())
        }
        TarError::Read(read) if read.kind() == io::ErrorKind::TimedOut => {
            LayerFailure::new(Cause::TimeLimit, read.to_string())
        }
        TarError::Read(read) if read.kind() == io::ErrorKind::UnexpectedEof => {
            LayerFailure::new(Cause::Corrupt, "it ends in the middle")
        }
        TarError::TooLarge { .. } => LayerFailure::new(Cause::Limit, error.to_string()),
        _ => LayerFailure::new(Cause::Corrupt, error.to_string()),
    }
}

/// The walk over one layer's tar.
struct Walk<'a> {
    reader: FileReader<'a>,
    /// Set in the second pass: read these files alone, each as the hard links that name it.
    only: HashMap<String, Vec<String>>,
    /// Hard links that are wanted, whose content did not come before them; by path.
    unread_links: HashMap<String, UnreadLink>,
    paths: PathSetBuilder,
}

/// A hard link that is wanted, whose content did not come before it.
struct UnreadLink {
    target: String,
    is_executable: bool,
    view: View,
}

impl UnreadLink {
    /// The link, once it is known that the layer has no such file.
    fn to_parent(&self, path: String) -> ParentLink {
        let entry = Entry { path: &self.target, size: u64::MAX, is_executable: self.is_executable };
        let wish = wish_for(entry).filter(|_| !paths::says_nothing(&self.target));
        let is_of_windows = self.view == View::Windows;
        ParentLink {
            path,
            target: self.target.clone(),
            is_target_read: wish.is_some_and(|wish| is_of_windows || wish.view == View::Any),
            is_of_windows,
        }
    }
}

impl<'a> Walk<'a> {
    fn new(shared: &'a Shared<'a>, only: HashMap<String, Vec<String>>) -> Walk<'a> {
        let reader = FileReader::new(shared);
        Walk { reader, only, unread_links: HashMap::new(), paths: PathSetBuilder::default() }
    }

    fn run<R: BufRead>(&mut self, archive: &mut Archive<R>) -> Result<(), TarError> {
        while let Some(header) = archive.next_entry()? {
            if !self.reader.count_entry(&header.path) {
                let max = self.reader.shared.limits.entries_max;
                return Err(quota(format!("has more than {max} entries (entries_max)")).into());
            }
            if !self.only.is_empty() {
                self.linked(&header, archive)?;
            } else if !self.mark(&header)? {
                self.entry(&header, archive)?;
            }
        }
        Ok(())
    }

    /// Notes whiteouts and opaque directories (OCI image specification, `layer.md`, "Representing
    /// Changes"); says whether the entry was one.
    fn mark(&mut self, header: &Header) -> Result<bool, TarError> {
        let (directory, name) = header.path.rsplit_once('/').unwrap_or(("", &header.path));
        let Some(removed) = name.strip_prefix(".wh.") else { return Ok(false) };
        // A removal that is left out would show what the layer hides.
        if !self.reader.affords(header.path.len()) {
            let max = self.reader.shared.limits.facts_bytes_max;
            return Err(quota(format!("has more than {max} bytes of facts (facts_bytes_max)")).into());
        }
        if name == ".wh..wh..opq" {
            self.reader.facts.opaque.push(directory.to_owned());
        } else if !removed.is_empty() && !removed.starts_with(".wh.") {
            // Other names with the doubled prefix are AUFS's own files and mean nothing.
            let slash = if directory.is_empty() { "" } else { "/" };
            self.reader.facts.whiteouts.push(format!("{directory}{slash}{removed}"));
        }
        Ok(true)
    }

    fn entry<R: BufRead>(&mut self, header: &Header, archive: &mut Archive<R>) -> Result<(), TarError> {
        let path = header.path.as_str();
        self.paths.add(path, header.kind == Kind::Directory);
        self.reader.forget(path);
        self.unread_links.remove(path);
        let size = match &header.kind {
            Kind::File => header.size,
            Kind::HardLink(_) => u64::MAX,
            Kind::Symlink(target) if !path.contains('/') => {
                self.reader.root_link(path, target);
                return Ok(());
            }
            _ => return Ok(()),
        };
        let entry = Entry { path, size, is_executable: header.mode & 0o111 != 0 };
        let Some(wish) = wish_for(entry) else { return Ok(()) };
        let says_nothing = paths::says_nothing(path);
        if says_nothing || wish.is_contested {
            self.reader.pass_over(path);
        }
        if says_nothing {
            return Ok(());
        }
        if let Kind::HardLink(target) = &header.kind {
            self.hard_link(&wish, path, target);
        } else if self.reader.takes_holes(header) {
            let found = self.reader.catalog(wish.cataloger, wish.entry, archive)?;
            self.reader.keep(path, wish.cataloger, wish.view, found);
        }
        Ok(())
    }

    fn hard_link(&mut self, wish: &Wish<'_>, path: &str, target: &str) {
        // What is left out takes time to be copied all the same.
        if self.reader.is_full {
            return self.reader.leave_out(path);
        }
        if self.reader.read.contains(target) {
            let found = self.reader.files.get(target).map(|(_, facts)| facts.found.clone());
            self.reader.keep(path, wish.cataloger, wish.view, found.unwrap_or_default());
        } else {
            if !self.reader.affords(target.len() + path.len()) {
                return self.reader.leave_out(path);
            }
            let is_executable = wish.entry.is_executable;
            let link = UnreadLink { target: target.to_owned(), is_executable, view: wish.view };
            self.unread_links.insert(path.to_owned(), link);
        }
    }

    /// The second pass: reads a file under the names of its links.
    fn linked<R: BufRead>(&mut self, header: &Header, archive: &mut Archive<R>) -> Result<(), TarError> {
        if header.kind != Kind::File {
            return Ok(());
        }
        let Some(links) = self.only.get(&header.path).cloned() else { return Ok(()) };
        let Some(first) = links.first() else { return Ok(()) };
        let is_executable = header.mode & 0o111 != 0;
        let entry = Entry { path: first, size: header.size, is_executable };
        let Some(Wish { cataloger, entry, .. }) = wish_for(entry) else { return Ok(()) };
        if !self.reader.takes_holes(header) {
            return Ok(());
        }
        let found = self.reader.catalog(cataloger, entry, archive)?;
        for link in &links {
            if self.reader.is_full {
                self.reader.leave_out(link);
            } else {
                let wish = wish_for(Entry { path: link, size: header.size, is_executable });
                let view = wish.map_or(View::Any, |wish| wish.view);
                self.reader.keep(link, cataloger, view, found.clone());
            }
        }
        Ok(())
    }

    fn finish(&mut self, failure: Option<LayerFailure>, unpacked_bytes: u64) -> LayerPass {
        let mut facts = self.reader.finish();
        facts.unpacked_bytes = unpacked_bytes;
        facts.paths = std::mem::take(&mut self.paths).build();
        LayerPass { facts, failure }
    }
}
