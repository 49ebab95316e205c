//! Opens a database file and looks things up in its mapped bytes.
//!
//! Opening checks header, section lengths and feed records, which takes microseconds for any size of file.
//! All else is checked where it is read: every offset against its section, every text for UTF-8, every
//! frame against the largest that is written.

use std::cmp::Ordering;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use memmap2::Mmap;
use plimsoll_core::advisory::{
    Advisories, Advisory, Cvss, DatabaseIdentity, EndOfLife, Enrichment, Epss, FeedRecord, High, Interval,
    Kev, LookupError, Row,
};
use zstd::bulk::Decompressor;

use super::format::{
    self, BODY_BYTES_MAX, BUILT_AT_BYTES_MAX, Body, CVSS_BYTES, EPSS_BYTES, EndKind, FORMAT_VERSION,
    FRAME_BYTES, FRAME_INFLATED_BYTES_MAX, HEADER_BYTES, KEV_BYTES, KEY_BYTES_MAX, MAGIC, META_BYTES_MAX,
    Meta, NAMESPACE_BYTES, PACKAGE_BYTES, REPOSITORY_BYTES, Reader, SECTION_NAMES, SECTION_WIDTHS, SECTIONS,
    StoredEnd, TEXT_BYTES_MAX, record, u32_at, u64_at,
};
use super::map;
use super::rows::{Base, StoredRow};
use super::write::identity;

/// How many inflated frames are kept. The findings of an image come package by package, and the advisories
/// of a package mostly stand together; 2 MiB hold the frames of a few thousand findings.
const CACHED_FRAMES_MAX: usize = 512;

/// A database could not be opened, or is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file could not be read.
    #[error("cannot read the advisory database `{path}`; run `plimsoll feeds update` to make one")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is something else.
    #[error("`{0}` is not an advisory database; run `plimsoll feeds update` to make one")]
    NotOne(PathBuf),
    /// The file is of a version that this program does not read.
    #[error(
        "`{path}` has format version {found} and this program reads {FORMAT_VERSION}; \
         run `plimsoll feeds update` to make a new one"
    )]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The file is damaged.
    #[error(
        "the advisory database `{path}` is damaged: {what}; run `plimsoll feeds update` to make a new one"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// An advisory database, mapped. A file that is renamed over it changes nothing in what this reads.
#[derive(Debug)]
pub struct Database {
    pub(super) path: PathBuf,
    map: Mmap,
    sections: [Range<usize>; SECTIONS],
    feeds: Vec<FeedRecord>,
    /// The first advisory of each feed, rising.
    first_advisories: Vec<u32>,
    /// Sorted by namespace.
    pub(super) ends: Vec<StoredEnd>,
    pub(super) rows: u64,
    pub(super) advisories: u32,
    identity: DatabaseIdentity,
    pub(super) digest: [u8; 32],
    /// The frames inflated last, the latest at the end.
    cache: Mutex<Vec<(usize, Arc<Vec<u8>>)>>,
    /// Inflaters that are not in use: making one costs more than inflating a frame with it.
    inflaters: Inflaters,
}

#[derive(Default)]
struct Inflaters(Mutex<Vec<Decompressor<'static>>>);

impl std::fmt::Debug for Inflaters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inflaters")
    }
}

impl Inflaters {
    /// Inflates a frame of at most so many bytes. The dictionary is the same at every call.
    fn inflate(&self, dictionary: &[u8], compressed: &[u8], bytes_max: usize) -> io::Result<Vec<u8>> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = lock().pop();
        let mut inflater = kept.map_or_else(|| Decompressor::with_dictionary(dictionary), Ok)?;
        let inflated = inflater.decompress(compressed, bytes_max);
        lock().push(inflater);
        inflated
    }
}

/// What a header says.
struct Header {
    built_at: String,
    digest: [u8; 32],
    sections: [Range<usize>; SECTIONS],
}

impl Database {
    /// Opens a file. What is behind the header is not verified; see [`Database::verify`].
    pub fn open(path: &Path) -> Result<Database, OpenError> {
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() || metadata.len() < HEADER_BYTES as u64 {
            return Err(OpenError::NotOne(path.to_owned()));
        }
        let map = map::map(&file).map_err(io)?;
        let Header { built_at, digest, sections } = read_header(&map, path)?;
        let damaged = |what: &str| OpenError::Damaged { path: path.to_owned(), what: what.to_owned() };
        let meta = map.get(sections[format::META].clone()).filter(|meta| meta.len() <= META_BYTES_MAX);
        let meta: Meta = meta
            .and_then(|meta| postcard::from_bytes(meta).ok())
            .ok_or_else(|| damaged("its feed records cannot be read"))?;
        let first_advisories: Vec<u32> = meta.feeds.iter().map(|feed| feed.first_advisory).collect();
        if !meta.ends.is_sorted_by(|a, b| a.namespace < b.namespace) {
            return Err(damaged("its ends of life are not in order"));
        }
        if !first_advisories.is_sorted() {
            return Err(damaged("its feeds are not in order"));
        }
        Ok(Database {
            path: path.to_owned(),
            map,
            sections,
            feeds: meta.feeds.into_iter().map(format::StoredFeed::into_record).collect(),
            first_advisories,
            ends: meta.ends,
            rows: meta.rows,
            advisories: meta.advisories,
            identity: DatabaseIdentity { id: identity(&digest), built_at },
            digest,
            cache: Mutex::new(Vec::new()),
            inflaters: Inflaters::default(),
        })
    }

    /// How many rows it has.
    pub fn row_count(&self) -> u64 {
        self.rows
    }

    /// How many advisories it has. They are numbered from 0.
    pub fn advisory_count(&self) -> u32 {
        self.advisories
    }

    /// Size of the file.
    pub fn bytes(&self) -> u64 {
        self.map.len() as u64
    }

    /// Hands out every row with its namespace and package, sorted by these.
    pub fn each_row<'a, E: From<LookupError>>(
        &'a self,
        mut each: impl FnMut(&'a str, &'a str, Row<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        for namespace in 0..self.namespace_count() {
            let name = self.namespace_name(namespace)?;
            for package in self.packages_of(namespace)? {
                let package_name = self.package_name(package)?;
                let (mut reader, mut base) = (Reader(self.package_rows(package)?), Base::default());
                while !reader.is_empty() {
                    each(name, package_name, self.row(&mut reader, &mut base)?)?;
                }
            }
        }
        Ok(())
    }

    /// Index in [`Advisories::feeds`] of the feed that stated an advisory.
    pub fn feed_of(&self, advisory: u32) -> Result<usize, LookupError> {
        let feeds_begun = self.first_advisories.partition_point(|first| *first <= advisory);
        match feeds_begun.checked_sub(1) {
            Some(feed) if advisory < self.advisories => Ok(feed),
            _ => Err(self.damaged(&format!("advisory {advisory} is of no feed"))),
        }
    }

    /// The bytes of a section.
    pub(super) fn section(&self, section: usize) -> &[u8] {
        self.sections.get(section).and_then(|range| self.map.get(range.clone())).unwrap_or(&[])
    }

    /// Everything behind the header.
    pub(super) fn body(&self) -> &[u8] {
        self.map.get(HEADER_BYTES..).unwrap_or(&[])
    }

    pub(super) fn damaged(&self, what: &str) -> LookupError {
        LookupError(format!(
            "the advisory database `{}` is damaged: {what}; run `plimsoll feeds update` to make a new one",
            self.path.display()
        ))
    }

    /// The bytes of a text. Searching compares them without asking whether they are UTF-8.
    fn string_bytes(&self, offset: u32) -> Result<&[u8], LookupError> {
        let at = self.section(format::STRINGS).get(offset as usize..);
        at.and_then(|at| Reader(at).text(TEXT_BYTES_MAX))
            .ok_or_else(|| self.damaged(&format!("there is no text at {offset}")))
    }

    pub(super) fn string(&self, offset: u32) -> Result<&str, LookupError> {
        std::str::from_utf8(self.string_bytes(offset)?)
            .map_err(|_| self.damaged(&format!("the text at {offset} is not UTF-8")))
    }

    /// A version as written, and its key.
    fn version(&self, offset: u32) -> Result<(&str, &[u8]), LookupError> {
        let entry = || {
            let mut reader = Reader(self.section(format::VERSIONS).get(offset as usize..)?);
            let text = std::str::from_utf8(reader.text(TEXT_BYTES_MAX)?).ok()?;
            Some((text, reader.text(KEY_BYTES_MAX)?))
        };
        entry().ok_or_else(|| self.damaged(&format!("there is no version at {offset}")))
    }

    pub(super) fn namespace_count(&self) -> usize {
        self.section(format::NAMESPACES).len() / NAMESPACE_BYTES
    }

    pub(super) fn package_count(&self) -> usize {
        self.section(format::PACKAGES).len() / PACKAGE_BYTES
    }

    /// A field of a record of a fixed-width section.
    fn field<const N: usize>(&self, section: usize, index: usize, at: usize) -> Result<u32, LookupError> {
        record::<N>(self.section(section), index)
            .and_then(|record| u32_at(record, at))
            .ok_or_else(|| self.damaged(&format!("there is no {} {index}", SECTION_NAMES[section])))
    }

    fn namespace_offset(&self, index: usize) -> Result<u32, LookupError> {
        self.field::<NAMESPACE_BYTES>(format::NAMESPACES, index, 0)
    }

    fn package_offset(&self, index: usize) -> Result<u32, LookupError> {
        self.field::<PACKAGE_BYTES>(format::PACKAGES, index, 0)
    }

    pub(super) fn namespace_name(&self, index: usize) -> Result<&str, LookupError> {
        self.string(self.namespace_offset(index)?)
    }

    pub(super) fn package_name(&self, index: usize) -> Result<&str, LookupError> {
        self.string(self.package_offset(index)?)
    }

    /// The packages of a namespace, by its index.
    pub(super) fn packages_of(&self, namespace: usize) -> Result<Range<usize>, LookupError> {
        let first = |index| self.field::<NAMESPACE_BYTES>(format::NAMESPACES, index, 4);
        let start = first(namespace)? as usize;
        let is_last = namespace + 1 >= self.namespace_count();
        let end = if is_last { self.package_count() } else { first(namespace + 1)? as usize };
        if start > end || end > self.package_count() {
            return Err(self.damaged(&format!("namespace {namespace} has no packages")));
        }
        Ok(start..end)
    }

    /// The encoded rows of a package, by its index.
    pub(super) fn package_rows(&self, package: usize) -> Result<&[u8], LookupError> {
        let start_of = |index| self.field::<PACKAGE_BYTES>(format::PACKAGES, index, 4);
        let rows = self.section(format::ROWS);
        let start = start_of(package)? as usize;
        let is_last = package + 1 >= self.package_count();
        let end = if is_last { rows.len() } else { start_of(package + 1)? as usize };
        rows.get(start..end).ok_or_else(|| self.damaged(&format!("package {package} has no rows")))
    }

    /// Reads the next row of a package.
    pub(super) fn row<'a>(
        &'a self,
        reader: &mut Reader<'a>,
        base: &mut Base,
    ) -> Result<Row<'a>, LookupError> {
        let stored = StoredRow::read(reader, base).ok_or_else(|| self.damaged("a row makes no sense"))?;
        let (introduced, low) = match stored.introduced {
            None => ("", &[][..]),
            Some(offset) => self.version(offset)?,
        };
        let head = stored.head;
        let (end, high) = match head.end {
            EndKind::Open => ("", &[][..]),
            _ => self.version(stored.end)?,
        };
        let high = match head.end {
            EndKind::Open => High::Open,
            EndKind::Fixed | EndKind::Before => High::Before(high),
            EndKind::Last => High::Through(high),
        };
        let text = |offset| if offset == 0 { Ok("") } else { self.string(offset) };
        Ok(Row {
            advisory: stored.advisory,
            feed: self.feed_of(stored.advisory)?,
            status: head.status,
            fix: head.fix,
            interval: if head.is_unparsable { Interval::Unparsable } else { Interval::Keys { low, high } },
            introduced,
            end,
            has_fix: head.end == EndKind::Fixed,
            module: text(stored.module)?,
            architectures: text(stored.architectures)?,
            severity: head.severity,
        })
    }

    pub(super) fn frame_count(&self) -> usize {
        self.section(format::FRAME_TABLE).len() / FRAME_BYTES
    }

    pub(super) fn frame_first(&self, frame: usize) -> Result<u32, LookupError> {
        self.field::<FRAME_BYTES>(format::FRAME_TABLE, frame, 4)
    }

    /// Inflates a frame.
    pub(super) fn inflate(&self, frame: usize) -> Result<Vec<u8>, LookupError> {
        let start_of = |index| self.field::<FRAME_BYTES>(format::FRAME_TABLE, index, 0);
        let frames = self.section(format::FRAMES);
        let dictionary = self.section(format::DICTIONARY);
        let start = start_of(frame)? as usize;
        let is_last = frame + 1 >= self.frame_count();
        let end = if is_last { frames.len() } else { start_of(frame + 1)? as usize };
        let inflated_bytes = self.field::<FRAME_BYTES>(format::FRAME_TABLE, frame, 8)? as usize;
        let compressed = frames.get(start..end).filter(|_| inflated_bytes <= FRAME_INFLATED_BYTES_MAX);
        compressed
            .and_then(|compressed| self.inflaters.inflate(dictionary, compressed, inflated_bytes).ok())
            .filter(|inflated| inflated.len() == inflated_bytes)
            .ok_or_else(|| self.damaged(&format!("frame {frame} of advisories cannot be inflated")))
    }

    /// A frame from the cache, or inflated into it. No lock is held while inflating.
    fn frame(&self, frame: usize) -> Result<Arc<Vec<u8>>, LookupError> {
        let lock = || self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut cache = lock();
            if let Some(place) = cache.iter().position(|(cached, _)| *cached == frame) {
                cache[place..].rotate_left(1);
                if let Some((_, inflated)) = cache.last() {
                    return Ok(Arc::clone(inflated));
                }
            }
        }
        let inflated: Arc<Vec<u8>> = Arc::new(self.inflate(frame)?);
        let mut cache = lock();
        if cache.len() >= CACHED_FRAMES_MAX {
            cache.remove(0);
        }
        cache.push((frame, Arc::clone(&inflated)));
        Ok(inflated)
    }

    /// Makes something of the body of an advisory.
    pub(super) fn with_body<T>(
        &self,
        advisory: u32,
        make: impl FnOnce(Body<'_>) -> T,
    ) -> Result<T, LookupError> {
        let damaged = || self.damaged(&format!("advisory {advisory} cannot be read"));
        if advisory >= self.advisories {
            return Err(damaged());
        }
        // The last frame that begins at the advisory or before it.
        let mut frames = 0..self.frame_count();
        while !frames.is_empty() {
            let middle = frames.start + frames.len() / 2;
            if self.frame_first(middle)? <= advisory {
                frames.start = middle + 1;
            } else {
                frames.end = middle;
            }
        }
        let frame = frames.start.checked_sub(1).ok_or_else(damaged)?;
        let before = advisory.checked_sub(self.frame_first(frame)?).ok_or_else(damaged)?;
        let inflated = self.frame(frame)?;
        let mut reader = Reader(&inflated);
        for _ in 0..before {
            reader.text(BODY_BYTES_MAX).ok_or_else(damaged)?;
        }
        let body = reader.text(BODY_BYTES_MAX).and_then(Body::read);
        body.map(make).ok_or_else(damaged)
    }

    /// Finds one of `range` by a comparison with what is sought.
    fn find(
        &self,
        mut range: Range<usize>,
        mut compare: impl FnMut(usize) -> Result<Ordering, LookupError>,
    ) -> Result<Option<usize>, LookupError> {
        while !range.is_empty() {
            let middle = range.start + range.len() / 2;
            match compare(middle)? {
                Ordering::Less => range.start = middle + 1,
                Ordering::Greater => range.end = middle,
                Ordering::Equal => return Ok(Some(middle)),
            }
        }
        Ok(None)
    }

    /// The record of a CVE in a section of them.
    fn cve<const N: usize>(&self, section: usize, cve: u64) -> Result<Option<&[u8; N]>, LookupError> {
        let bytes = self.section(section);
        let damaged = || self.damaged(&format!("the {} entries cannot be read", SECTION_NAMES[section]));
        let at = self.find(0..bytes.len() / N, |index| {
            let found = record::<N>(bytes, index).and_then(|record| u64_at(record, 0));
            Ok(found.ok_or_else(damaged)?.cmp(&cve))
        })?;
        at.map(|at| record::<N>(bytes, at).ok_or_else(damaged)).transpose()
    }

    pub(super) fn kev_of(&self, record: &[u8; KEV_BYTES]) -> Result<Kev, LookupError> {
        let field = |at| u32_at(record, at).ok_or_else(|| self.damaged("a kev entry cannot be read"));
        Ok(Kev {
            date_added: self.string(field(8)?)?.to_owned(),
            due_date: self.string(field(12)?)?.to_owned(),
            is_used_by_ransomware: field(16)? != 0,
        })
    }

    pub(super) fn epss_of(&self, record: &[u8; EPSS_BYTES]) -> Result<Epss, LookupError> {
        let share = |at| {
            let value = u32_at(record, at).map(format::share).filter(|share| *share <= 1.0);
            value.ok_or_else(|| self.damaged("an epss entry is not between 0 and 1"))
        };
        Ok(Epss { score: share(8)?, percentile: share(12)? })
    }
}

impl Database {
    /// The vectors of a CVE: all records with its number, which stand side by side.
    fn cvss_of(&self, cve: u64) -> Result<Vec<Cvss>, LookupError> {
        let bytes = self.section(format::CVSS);
        let damaged = || self.damaged("the cvss entries cannot be read");
        let number = |index| -> Result<u64, LookupError> {
            record::<CVSS_BYTES>(bytes, index).and_then(|record| u64_at(record, 0)).ok_or_else(damaged)
        };
        let count = bytes.len() / CVSS_BYTES;
        let Some(found) = self.find(0..count, |index| Ok(number(index)?.cmp(&cve)))? else {
            return Ok(Vec::new());
        };
        let mut first = found;
        while first > 0 && number(first - 1)? == cve {
            first -= 1;
        }
        let mut vectors = Vec::new();
        for index in first..count {
            if number(index)? != cve {
                break;
            }
            let record = record::<CVSS_BYTES>(bytes, index).ok_or_else(damaged)?;
            vectors.push(self.cvss_entry(record)?);
        }
        Ok(vectors)
    }

    pub(super) fn cvss_entry(&self, record: &[u8; CVSS_BYTES]) -> Result<Cvss, LookupError> {
        let damaged = || self.damaged("a cvss entry cannot be read");
        let text = |at| self.string(u32_at(record, at).ok_or_else(damaged)?);
        Cvss::read(text(8)?, text(12)?).map_err(|_| damaged())
    }

    /// A field of a repository: its id at 0, its products at 4.
    pub(super) fn repository_field(&self, index: usize, at: usize) -> Result<u32, LookupError> {
        record::<REPOSITORY_BYTES>(self.section(format::REPOSITORIES), index)
            .and_then(|record| u32_at(record, at))
            .ok_or_else(|| self.damaged("a repository cannot be read"))
    }
}

impl Advisories for Database {
    fn rows<'a>(
        &'a self,
        namespace: &str,
        package: &str,
        each: &mut dyn FnMut(Row<'a>),
    ) -> Result<(), LookupError> {
        let found = self.find(0..self.namespace_count(), |index| {
            Ok(self.string_bytes(self.namespace_offset(index)?)?.cmp(namespace.as_bytes()))
        })?;
        let Some(found) = found else { return Ok(()) };
        let packages = self.packages_of(found)?;
        let found = self.find(packages, |index| {
            Ok(self.string_bytes(self.package_offset(index)?)?.cmp(package.as_bytes()))
        })?;
        let Some(found) = found else { return Ok(()) };
        let (mut reader, mut base) = (Reader(self.package_rows(found)?), Base::default());
        while !reader.is_empty() {
            each(self.row(&mut reader, &mut base)?);
        }
        Ok(())
    }

    fn advisory(&self, advisory: u32) -> Result<Advisory, LookupError> {
        let body = self.with_body(advisory, |body| body.into_advisory())?;
        body.ok_or_else(|| self.damaged(&format!("advisory {advisory} cannot be read")))
    }

    fn enrichment(&self, cve: &str) -> Result<Enrichment, LookupError> {
        let Some(cve) = format::pack_cve(cve) else { return Ok(Enrichment::default()) };
        let kev = self.cve::<KEV_BYTES>(format::KEV, cve)?;
        let epss = self.cve::<EPSS_BYTES>(format::EPSS, cve)?;
        Ok(Enrichment {
            kev: kev.map(|record| self.kev_of(record)).transpose()?,
            epss: epss.map(|record| self.epss_of(record)).transpose()?,
            cvss: self.cvss_of(cve)?,
        })
    }

    fn end_of_life(&self, namespace: &str) -> Option<EndOfLife> {
        let found = self.ends.binary_search_by(|end| end.namespace.as_str().cmp(namespace)).ok()?;
        self.ends.get(found).map(StoredEnd::end)
    }

    fn products(&self, repository: &str) -> Result<Vec<String>, LookupError> {
        let count = self.section(format::REPOSITORIES).len() / REPOSITORY_BYTES;
        let found = self.find(0..count, |index| {
            Ok(self.string_bytes(self.repository_field(index, 0)?)?.cmp(repository.as_bytes()))
        })?;
        let Some(found) = found else { return Ok(Vec::new()) };
        let products = self.string(self.repository_field(found, 4)?)?;
        Ok(products.split(' ').filter(|one| !one.is_empty()).map(str::to_owned).collect())
    }

    fn feeds(&self) -> &[FeedRecord] {
        &self.feeds
    }

    fn identity(&self) -> &DatabaseIdentity {
        &self.identity
    }
}

/// Reads header and section table, and holds them against the size of the file.
fn read_header(file: &[u8], path: &Path) -> Result<Header, OpenError> {
    if !file.starts_with(&MAGIC) {
        return Err(OpenError::NotOne(path.to_owned()));
    }
    let damaged = |what: &str| OpenError::Damaged { path: path.to_owned(), what: what.to_owned() };
    let cut_off = || damaged("its header is cut off");
    match u32_at(file, 8).ok_or_else(cut_off)? {
        FORMAT_VERSION => {}
        found => return Err(OpenError::Version { path: path.to_owned(), found }),
    }
    let built_at_bytes = u32_at(file, 12).ok_or_else(cut_off)? as usize;
    let body_bytes = u64_at(file, 16).ok_or_else(cut_off)?;
    if body_bytes.checked_add(HEADER_BYTES as u64) != Some(file.len() as u64) {
        return Err(damaged("its size is not what its header says"));
    }
    let digest = *file.get(24..).and_then(|rest| rest.first_chunk()).ok_or_else(cut_off)?;
    let built_at = Some(built_at_bytes)
        .filter(|bytes| *bytes <= BUILT_AT_BYTES_MAX)
        .and_then(|bytes| std::str::from_utf8(file.get(56..56 + bytes)?).ok())
        .ok_or_else(|| damaged("its build time cannot be read"))?;
    let mut sections: [Range<usize>; SECTIONS] = Default::default();
    let mut start = HEADER_BYTES + SECTIONS * size_of::<u64>();
    for (index, section) in sections.iter_mut().enumerate() {
        let length = u64_at(file, HEADER_BYTES + index * size_of::<u64>()).ok_or_else(cut_off)?;
        let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
        let end = end.filter(|end| *end <= file.len() && (end - start).is_multiple_of(SECTION_WIDTHS[index]));
        let end = end.ok_or_else(|| damaged(&format!("its {} have a wrong length", SECTION_NAMES[index])))?;
        *section = start..end;
        start = end;
    }
    if start != file.len() {
        return Err(damaged("its sections do not fill it"));
    }
    Ok(Header { built_at: built_at.to_owned(), digest, sections })
}
