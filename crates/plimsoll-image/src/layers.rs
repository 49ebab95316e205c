//! One pass over one layer: hash what is stored, inflate it, walk its tar, hand evidence to the catalogers.
//!
//! Nothing is written and nothing is read twice, with one exception: a hard link that a cataloger wants by its
//! name, whose content stands earlier in the layer under a name that nobody wanted. Such a layer is read once
//! more for those files alone.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Instant;

use flate2::bufread::MultiGzDecoder;
use plimsoll_core::digest::{Algorithm, Digest};
use sha2::{Digest as _, Sha256, Sha512};

use crate::catalogers::{CATALOGERS, Cataloger, Entry, File, Found, Problem};
use crate::facts::{FileFacts, LayerFacts, PathSetBuilder};
use crate::limits::Limits;
use crate::tar::{Archive, Header, Kind, TarError};

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
pub enum LayerFailure {
    /// The bytes are not those that the manifest names.
    Mismatch(String),
    /// The bytes could not be read to their end.
    Unreadable(String),
    /// A named limit was reached.
    Limit(String),
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
pub type OpenLayer<'a> = &'a mut dyn FnMut() -> io::Result<Box<dyn Read + Send>>;

/// Reads a layer.
pub fn read_layer(shared: &Shared<'_>, expected: &Expected<'_>, open: OpenLayer<'_>) -> LayerPass {
    let mut walk = Walk::new(shared, HashMap::new());
    let mut pass = read_once(shared, expected, open, &mut walk);
    if pass.failure.is_none() && !walk.unread_links.is_empty() {
        let links = std::mem::take(&mut walk.unread_links);
        let mut second = Walk::new(shared, links);
        let again = read_once(shared, expected, open, &mut second);
        pass.facts.files.extend(again.facts.files);
        pass.facts.problems.extend(again.facts.problems);
        pass.facts.files.sort_by(|a, b| a.path.cmp(&b.path));
        pass.failure = again.failure;
    }
    pass
}

fn read_once(
    shared: &Shared<'_>,
    expected: &Expected<'_>,
    open: OpenLayer<'_>,
    walk: &mut Walk<'_>,
) -> LayerPass {
    let stored = match open() {
        Ok(stored) => stored,
        Err(error) => {
            let failure = Some(LayerFailure::Unreadable(error.to_string()));
            return LayerPass { facts: LayerFacts::default(), failure };
        }
    };
    let limits = shared.limits;
    let stored_hasher = expected.digest.map(|digest| Hasher::new(digest.algorithm()));
    let max = expected.size.unwrap_or(u64::MAX).min(limits.layer_bytes_max);
    let stored = Hashed::new(stored, stored_hasher, max);
    let mut stored = BufReader::with_capacity(STORED_BUFFER_BYTES, stored);
    let magic = match stored.fill_buf() {
        Ok(start) => Compression::of(start),
        Err(error) => return walk.finish(Some(LayerFailure::Unreadable(error.to_string())), 0),
    };
    let mut unpacked = match magic.open(&mut stored) {
        Ok(inflated) => {
            let hasher = expected.diff_id.map(|digest| Hasher::new(digest.algorithm()));
            Unpacked { inflated, hasher, count: 0, shared }
        }
        Err(error) => return walk.finish(Some(LayerFailure::Unreadable(error.to_string())), 0),
    };
    let mut archive = Archive::new(BufReader::with_capacity(UNPACKED_BUFFER_BYTES, &mut unpacked));
    let mut failure = walk.run(&mut archive).err().map(|error| failure_of(&error));
    if failure.is_none() {
        // What stands behind the end of the archive is still part of the layer's digest.
        failure = archive.drain().err().map(|error| failure_of(&TarError::Read(error)));
    }
    drop(archive);
    let Unpacked { hasher: unpacked_hasher, count, .. } = unpacked;
    let failure = too_long(stored.get_ref(), expected, limits)
        .or(failure)
        .or_else(|| check(stored, expected, unpacked_hasher, limits));
    walk.finish(failure, count)
}

/// Whether there are more bytes than there may be. To the inflater, which is given no more than those, the
/// layer seems to end in the middle.
fn too_long<R>(stored: &Hashed<R>, expected: &Expected<'_>, limits: &Limits) -> Option<LayerFailure> {
    let max = limits.layer_bytes_max;
    match expected.size {
        _ if !stored.is_cut => None,
        Some(size) if size <= max => {
            Some(LayerFailure::Mismatch(format!("the manifest states {size} bytes, there are more")))
        }
        _ => Some(LayerFailure::Limit(format!("it is larger than {max} bytes (layer_bytes_max)"))),
    }
}

/// Whether the bytes are those that the manifest names.
fn check<R: Read>(
    mut stored: BufReader<Hashed<R>>,
    expected: &Expected<'_>,
    unpacked_hasher: Option<Hasher>,
    limits: &Limits,
) -> Option<LayerFailure> {
    if let Err(error) = io::copy(&mut stored, &mut io::sink()) {
        return Some(LayerFailure::Unreadable(error.to_string()));
    }
    if let Some(failure) = too_long(stored.get_ref(), expected, limits) {
        return Some(failure);
    }
    let Hashed { hasher, count, .. } = stored.into_inner();
    if let Some(size) = expected.size.filter(|size| *size != count) {
        return Some(LayerFailure::Mismatch(format!("the manifest states {size} bytes, there are {count}")));
    }
    for (what, expected, hasher) in
        [("", expected.digest, hasher), ("unpacked ", expected.diff_id, unpacked_hasher)]
    {
        if let (Some(expected), Some(hasher)) = (expected, hasher) {
            let actual = hasher.digest();
            if actual != *expected {
                return Some(LayerFailure::Mismatch(format!("the {what}bytes are {actual}, not {expected}")));
            }
        }
    }
    None
}

fn failure_of(error: &TarError) -> LayerFailure {
    match error {
        TarError::Read(read) if read.kind() == io::ErrorKind::QuotaExceeded => {
            LayerFailure::Limit(read.to_string())
        }
        TarError::Read(read) if read.kind() == io::ErrorKind::UnexpectedEof => {
            LayerFailure::Unreadable("it ends in the middle".to_owned())
        }
        TarError::TooLarge { .. } => LayerFailure::Limit(error.to_string()),
        _ => LayerFailure::Unreadable(error.to_string()),
    }
}

/// Hands files to the catalogers and keeps what they find: what a layer's walk and a root filesystem's share.
pub(crate) struct FileReader<'a> {
    shared: &'a Shared<'a>,
    files: HashMap<String, FileFacts>,
    /// Files that a cataloger has read, also those in which it found nothing.
    read: HashSet<String>,
    facts: LayerFacts,
    problems_left_out: usize,
    hole_bytes_left: u64,
    facts_bytes_left: u64,
    /// Something was left out because of them.
    is_full: bool,
}

impl<'a> FileReader<'a> {
    pub(crate) fn new(shared: &'a Shared<'a>) -> FileReader<'a> {
        FileReader {
            shared,
            files: HashMap::new(),
            read: HashSet::new(),
            facts: LayerFacts::default(),
            problems_left_out: 0,
            hole_bytes_left: shared.limits.hole_bytes_max,
            facts_bytes_left: shared.limits.facts_bytes_max,
            is_full: false,
        }
    }

    /// Reads a file of a root filesystem, if a cataloger wants it.
    pub(crate) fn file(
        &mut self,
        path: &str,
        size: u64,
        is_executable: bool,
        open: &mut dyn FnMut() -> io::Result<Box<dyn Read>>,
    ) -> io::Result<()> {
        let entry = Entry { path, size, is_executable };
        if let Some(cataloger) = wanted_by(&entry) {
            let found = self.catalog(cataloger, entry, &mut open()?)?;
            self.keep(path, cataloger, found);
        }
        Ok(())
    }

    /// Counts an entry; says whether it is still within the limit.
    pub(crate) fn count_entry(&mut self, path: &str) -> bool {
        self.facts.entries += 1;
        let max = self.shared.limits.entries_max;
        if self.facts.entries == max + 1 {
            self.problem(
                path,
                Problem::limit(format!("this and what follows is beyond {max} entries (entries_max)")),
            );
        }
        self.facts.entries <= max
    }

    pub(crate) fn root_link(&mut self, name: &str, target: &str) {
        let target = crate::tar::clean_path(target);
        if self.affords(name.len() + target.len()) {
            self.facts.root_links.push((name.to_owned(), target));
        } else {
            self.leave_out(name);
        }
    }

    /// Whether so many bytes more may be remembered of the layer. Each is small and there may be millions: of
    /// files, of removals, and of hard links to a database, which state all of it once more.
    fn affords(&mut self, bytes: usize) -> bool {
        let left = self.facts_bytes_left.checked_sub(bytes as u64);
        self.facts_bytes_left = left.unwrap_or(self.facts_bytes_left);
        left.is_some()
    }

    fn leave_out(&mut self, path: &str) {
        self.is_full = true;
        let max = self.shared.limits.facts_bytes_max;
        let detail =
            format!("what it states is left out: the layer states more than {max} bytes (facts_bytes_max)");
        self.problem(path, Problem::limit(detail));
    }

    pub(crate) fn problem(&mut self, path: &str, problem: Problem) {
        if self.facts.problems.len() < self.shared.limits.problems_max {
            self.facts.problems.push((path.to_owned(), problem));
        } else {
            self.problems_left_out += 1;
        }
    }

    /// Whether a file's holes are still within the limit. Nothing else bounds them: they come from no stream,
    /// so that a header alone could keep a cataloger busy for years.
    fn takes_holes(&mut self, header: &Header) -> bool {
        let left = self.hole_bytes_left.checked_sub(header.hole_bytes);
        if let Some(left) = left {
            self.hole_bytes_left = left;
        } else {
            let max = self.shared.limits.hole_bytes_max;
            let detail = format!(
                "not read: with its {} bytes of holes the layer's sparse files have more than {max} \
                 (hole_bytes_max)",
                header.hole_bytes
            );
            self.problem(&header.path, Problem::limit(detail));
        }
        left.is_some()
    }

    /// Lets a cataloger read a file. The error is of the content's source: the layer broke, not the file.
    fn catalog(&self, cataloger: &Cataloger, entry: Entry<'_>, content: &mut dyn Read) -> io::Result<Found> {
        let limits = self.shared.limits;
        let _permit = self.shared.held.take(entry.size.min(limits.whole_bytes_max), limits.held_bytes_max);
        let mut content = Watched { content, failure: None };
        let mut file = File { entry, content: &mut content, whole_bytes_max: limits.whole_bytes_max };
        let found = (cataloger.read)(&mut file);
        content.failure.map_or(Ok(found), Err)
    }

    fn keep(&mut self, path: &str, cataloger: &Cataloger, mut found: Found) {
        for problem in found.problems.drain(..) {
            self.problem(path, problem);
        }
        for owned in &mut found.owned {
            owned.paths.retain(|path| could_be_evidence(path));
        }
        found.owned.retain(|owned| !owned.paths.is_empty());
        if !self.affords(found.weight() + 3 * path.len()) {
            return self.leave_out(path);
        }
        self.read.insert(path.to_owned());
        if found != Found::default() {
            let facts = FileFacts { path: path.to_owned(), cataloger: cataloger.name.to_owned(), found };
            self.files.insert(path.to_owned(), facts);
        }
    }

    /// Forgets a file that a later entry of the same layer replaces.
    fn forget(&mut self, path: &str) {
        if !self.read.is_empty() && self.read.remove(path) {
            self.files.remove(path);
        }
    }

    pub(crate) fn finish(&mut self) -> LayerFacts {
        let mut facts = std::mem::take(&mut self.facts);
        facts.files = std::mem::take(&mut self.files).into_values().collect();
        facts.files.sort_by(|a, b| a.path.cmp(&b.path));
        let more = std::mem::take(&mut self.problems_left_out);
        if more > 0 {
            let problem = Problem::limit(format!("{more} more problems are not listed (problems_max)"));
            facts.problems.push((String::new(), problem));
        }
        facts
    }
}

/// The walk over one layer's tar.
struct Walk<'a> {
    reader: FileReader<'a>,
    /// Set in the second pass: read these files alone, each as the hard links that name it.
    only: HashMap<String, Vec<String>>,
    unread_links: HashMap<String, Vec<String>>,
    paths: PathSetBuilder,
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
        match &header.kind {
            Kind::File => {
                let entry = Entry { path, size: header.size, is_executable: header.mode & 0o111 != 0 };
                if let Some(cataloger) = wanted_by(&entry)
                    && self.reader.takes_holes(header)
                {
                    let found = self.reader.catalog(cataloger, entry, archive)?;
                    self.reader.keep(path, cataloger, found);
                }
            }
            Kind::HardLink(target) => self.hard_link(header, target),
            Kind::Symlink(target) if !path.contains('/') => self.reader.root_link(path, target),
            _ => {}
        }
        Ok(())
    }

    fn hard_link(&mut self, header: &Header, target: &str) {
        let path = header.path.as_str();
        let entry = Entry { path, size: u64::MAX, is_executable: header.mode & 0o111 != 0 };
        let Some(cataloger) = wanted_by(&entry) else { return };
        // What is left out takes time to be copied all the same.
        if self.reader.is_full {
            return self.reader.leave_out(path);
        }
        if self.reader.read.contains(target) {
            let found = self.reader.files.get(target).map(|facts| facts.found.clone());
            self.reader.keep(path, cataloger, found.unwrap_or_default());
        } else {
            if !self.reader.affords(target.len() + path.len()) {
                return self.reader.leave_out(path);
            }
            self.unread_links.entry(target.to_owned()).or_default().push(path.to_owned());
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
        let Some(cataloger) = wanted_by(&entry) else { return Ok(()) };
        if !self.reader.takes_holes(header) {
            return Ok(());
        }
        let found = self.reader.catalog(cataloger, entry, archive)?;
        for link in &links {
            if self.reader.is_full {
                self.reader.leave_out(link);
            } else {
                self.reader.keep(link, cataloger, found.clone());
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

fn wanted_by(entry: &Entry<'_>) -> Option<&'static Cataloger> {
    CATALOGERS.iter().copied().find(|row| (row.wants)(entry))
}

/// Whether a path that an operating-system package owns could be a language package's evidence. Keeps the
/// facts small: most owned files are documentation, translations and data.
fn could_be_evidence(path: &str) -> bool {
    const NEVER: [&str; 6] = [
        "usr/share/doc/",
        "usr/share/man/",
        "usr/share/locale/",
        "usr/share/zoneinfo/",
        "usr/share/icons/",
        "usr/share/info/",
    ];
    if NEVER.iter().any(|prefix| path.starts_with(prefix)) {
        return false;
    }
    wanted_by(&Entry { path, size: u64::MAX, is_executable: true }).is_some()
}

/// A layer's stored bytes, counted, hashed and cut off.
struct Hashed<R> {
    input: R,
    hasher: Option<Hasher>,
    count: u64,
    max: u64,
    is_cut: bool,
}

impl<R> Hashed<R> {
    fn new(input: R, hasher: Option<Hasher>, max: u64) -> Hashed<R> {
        Hashed { input, hasher, count: 0, max, is_cut: false }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.max - self.count).unwrap_or(usize::MAX);
        if left == 0 && !buffer.is_empty() {
            self.is_cut |= self.input.read(&mut [0])? > 0;
            return Ok(0);
        }
        let max = left.min(buffer.len());
        let count = self.input.read(&mut buffer[..max])?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        self.count += count as u64;
        Ok(count)
    }
}

/// A layer's unpacked bytes, counted, hashed where asked for, and held against the limits.
struct Unpacked<'a, R> {
    inflated: R,
    hasher: Option<Hasher>,
    count: u64,
    shared: &'a Shared<'a>,
}

/// Reports how many stored bytes an inflater has been given.
trait Stored {
    fn stored(&self) -> u64;
}

impl<R: Read + Stored> Read for Unpacked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inflated.read(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        self.count += count as u64;
        let limits = self.shared.limits;
        if self.count > limits.unpacked_bytes_max {
            let max = limits.unpacked_bytes_max;
            return Err(quota(format!("unpacks to more than {max} bytes (unpacked_bytes_max)")));
        }
        if self.count > limits.inflate_free_bytes
            && self.count / limits.inflate_ratio_max > self.inflated.stored()
        {
            let max = limits.inflate_ratio_max;
            return Err(quota(format!("unpacks to more than {max} times its size (inflate_ratio_max)")));
        }
        if self.shared.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            let seconds = limits.time_max.as_secs();
            return Err(quota(format!(
                "was not read within {seconds} seconds of the image's start (time_max)"
            )));
        }
        Ok(count)
    }
}

fn quota(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::QuotaExceeded, message)
}

/// How a layer is stored. Decided by its first bytes: media types are often wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
}

/// An inflater over a layer's stored bytes.
enum Inflated<'a, R: Read> {
    None(&'a mut BufReader<Hashed<R>>),
    Gzip(Box<MultiGzDecoder<&'a mut BufReader<Hashed<R>>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, &'a mut BufReader<Hashed<R>>>>),
}

impl Compression {
    fn of(start: &[u8]) -> Compression {
        match start {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            // A frame, or a skippable frame as zstd:chunked writes them.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            _ => Compression::None,
        }
    }

    fn open<R: Read>(self, stored: &mut BufReader<Hashed<R>>) -> io::Result<Inflated<'_, R>> {
        Ok(match self {
            Compression::None => Inflated::None(stored),
            Compression::Gzip => Inflated::Gzip(Box::new(MultiGzDecoder::new(stored))),
            Compression::Zstd => Inflated::Zstd(Box::new(zstd::stream::read::Decoder::with_buffer(stored)?)),
        })
    }
}

impl<R: Read> Read for Inflated<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Inflated::None(stored) => stored.read(buffer),
            Inflated::Gzip(decoder) => decoder.read(buffer),
            Inflated::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

impl<R: Read> Stored for Inflated<'_, R> {
    fn stored(&self) -> u64 {
        match self {
            Inflated::None(stored) => stored.get_ref().count,
            Inflated::Gzip(decoder) => decoder.get_ref().get_ref().count,
            Inflated::Zstd(decoder) => decoder.get_ref().get_ref().count,
        }
    }
}

/// Passes content on to a cataloger and remembers whether its source broke.
struct Watched<'a> {
    content: &'a mut dyn Read,
    failure: Option<io::Error>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.failure = Some(io::Error::new(error.kind(), error.to_string()));
            }
        })
    }
}

/// A running hash.
#[derive(Debug)]
pub(crate) enum Hasher {
    Sha256(Box<Sha256>),
    Sha512(Box<Sha512>),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Hasher {
        match algorithm {
            Algorithm::Sha256 => Hasher::Sha256(Box::default()),
            Algorithm::Sha512 => Hasher::Sha512(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn digest(self) -> Digest {
        match self {
            Hasher::Sha256(hasher) => Digest::sha256(&hasher.finalize().into()),
            Hasher::Sha512(hasher) => Digest::sha512(&hasher.finalize().into()),
        }
    }
}

/// Bounds the bytes of whole files that all threads hold at once. A file above the bound waits until it is
/// alone.
#[derive(Debug, Default)]
struct Held {
    bytes: Mutex<u64>,
    released: Condvar,
}

struct Permit<'a> {
    held: &'a Held,
    bytes: u64,
}

impl Held {
    fn take(&self, bytes: u64, max: u64) -> Permit<'_> {
        let mut held = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        while *held > 0 && held.saturating_add(bytes) > max {
            held = self.released.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        *held += bytes;
        Permit { held: self, bytes }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.held.bytes.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.held.released.notify_all();
    }
}
