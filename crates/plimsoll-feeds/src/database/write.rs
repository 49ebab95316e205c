//! Lays a database out and puts it in place.
//!
//! The file is written under another name in the same directory, synced, verified and then renamed, so that
//! `path` is the old database or the new one and nothing else, whenever the process is killed. What a killed
//! build leaves behind, the next one removes. Two builds for one path are kept apart by a lock on
//! `PATH.lock`, an empty file that stays.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use plimsoll_core::advisory::{DatabaseIdentity, FeedRecord};
use sha2::{Digest, Sha256};

use super::bodies::Frames;
use super::build::{Builder, PendingRow, unpair};
use super::format::{
    self, BUILT_AT_BYTES_MAX, FORMAT_VERSION, HEADER_BYTES, MAGIC, META_BYTES_MAX, Meta, SECTIONS,
    StoredFeed, put_text,
};
use super::intern::Interner;
use super::open::{Database, OpenError};
use super::rows::{Base, StoredRow};

/// A database that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// What it is.
    pub identity: DatabaseIdentity,
    /// How many rows it has; equal ones count once.
    pub rows: u64,
    /// How many advisories it has.
    pub advisories: u32,
    /// Size of the file.
    pub bytes: u64,
    /// The feeds with what was counted of them.
    pub feeds: Vec<FeedRecord>,
}

/// A database could not be built. What stood in its place still does.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file operation failed.
    #[error("cannot {doing} `{path}`")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another process builds for the same path.
    #[error("another build holds `{0}`; wait until it is done")]
    Busy(PathBuf),
    /// The build time is not one.
    #[error("the build time `{0}` is not RFC 3339")]
    BuiltAt(String),
    /// Two feeds have one name.
    #[error("the feed `{0}` was given twice")]
    FeedTwice(String),
    /// There is more than the format can hold.
    #[error("the {0} of the advisory database are full; leave out a feed")]
    Full(&'static str),
    /// Advisory bodies could not be compressed.
    #[error("cannot compress advisories")]
    Compression(#[source] io::Error),
    /// What was written does not read back: a failing disk or a flaw of ours.
    #[error("the database that was built does not verify")]
    Verify(#[source] OpenError),
}

/// Writes what a builder holds.
pub(super) fn write(
    builder: Builder,
    frames: Frames,
    path: &Path,
    built_at: &str,
) -> Result<Built, BuildError> {
    if built_at.len() > BUILT_AT_BYTES_MAX || built_at.parse::<jiff::Timestamp>().is_err() {
        return Err(BuildError::BuiltAt(built_at.chars().take(80).collect()));
    }
    let laid_out = lay_out(builder, frames)?;
    let bytes = replace(path, |file| laid_out.write(file, built_at))?;
    Ok(Built {
        identity: DatabaseIdentity { id: identity(&laid_out.digest), built_at: built_at.to_owned() },
        rows: laid_out.rows,
        advisories: laid_out.advisories,
        bytes,
        feeds: laid_out.feeds,
    })
}

/// An identity of a digest: `sha256:` and hex digits.
pub(super) fn identity(digest: &[u8; 32]) -> String {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The sections, ready to be written.
struct LaidOut {
    sections: [Vec<u8>; SECTIONS],
    digest: [u8; 32],
    rows: u64,
    advisories: u32,
    feeds: Vec<FeedRecord>,
}

/// The section table: the length of each.
fn table(sections: &[Vec<u8>; SECTIONS]) -> Vec<u8> {
    sections.iter().flat_map(|section| (section.len() as u64).to_le_bytes()).collect()
}

/// The digest of the body.
fn digest(sections: &[Vec<u8>; SECTIONS]) -> [u8; 32] {
    let mut hasher = Sha256::new_with_prefix(table(sections));
    sections.iter().for_each(|section| hasher.update(section));
    hasher.finalize().into()
}

impl LaidOut {
    fn write(&self, file: &File, built_at: &str) -> io::Result<()> {
        let table = table(&self.sections);
        let body = table.len() + self.sections.iter().map(Vec::len).sum::<usize>();
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend_from_slice(&MAGIC);
        header.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        header.extend_from_slice(&(built_at.len() as u32).to_le_bytes());
        header.extend_from_slice(&(body as u64).to_le_bytes());
        header.extend_from_slice(&self.digest);
        header.extend_from_slice(built_at.as_bytes());
        header.resize(HEADER_BYTES, 0);
        let mut out = BufWriter::new(file);
        out.write_all(&header)?;
        out.write_all(&table)?;
        self.sections.iter().try_for_each(|section| out.write_all(section))?;
        out.flush()
    }
}

/// Turns ids into offsets: the texts go into a section in the order in which they are first asked for, so
/// that what is read together stands together.
struct Placer<'a> {
    interner: &'a Interner,
    offsets: Vec<u32>,
    section: Vec<u8>,
    /// Whether items are sections' entries already, and not bare texts.
    is_encoded: bool,
}

const UNPLACED: u32 = u32::MAX;

impl Placer<'_> {
    /// Begins a section with its empty entry, which id 0 stands for.
    fn new<'a>(interner: &'a Interner, empty_entry: &[u8], is_encoded: bool) -> Placer<'a> {
        let mut offsets = vec![UNPLACED; interner.len()];
        offsets[0] = 0;
        Placer { interner, offsets, section: empty_entry.to_vec(), is_encoded }
    }

    fn place(&mut self, id: u32) -> Result<u32, BuildError> {
        let known = self.offsets[id as usize];
        if known != UNPLACED {
            return Ok(known);
        }
        let offset = offset(self.section.len(), "texts")?;
        let item = self.interner.get(id);
        if self.is_encoded {
            self.section.extend_from_slice(item);
        } else {
            put_text(&mut self.section, item);
        }
        self.offsets[id as usize] = offset;
        Ok(offset)
    }
}

/// A place in a section as stored.
fn offset(place: usize, what: &'static str) -> Result<u32, BuildError> {
    u32::try_from(place).ok().filter(|offset| *offset != UNPLACED).ok_or(BuildError::Full(what))
}

fn lay_out(mut builder: Builder, frames: Frames) -> Result<LaidOut, BuildError> {
    sort_rows(&mut builder);
    let mut sections: [Vec<u8>; SECTIONS] = Default::default();
    let (mut epss, mut kev) = (std::mem::take(&mut builder.epss), std::mem::take(&mut builder.kev));
    let (cvss, repositories) = (std::mem::take(&mut builder.cvss), std::mem::take(&mut builder.repositories));
    let mut strings = Placer::new(&builder.strings, &[0], false);
    let mut versions = Placer::new(&builder.versions, &[0, 0], true);
    lay_out_packages(&builder, &mut strings, &mut versions, &mut sections)?;
    for frame in &frames.table {
        put_u32(&mut sections[format::FRAME_TABLE], offset(frame.offset, "frames")?);
        put_u32(&mut sections[format::FRAME_TABLE], frame.first_advisory);
        put_u32(&mut sections[format::FRAME_TABLE], offset(frame.inflated_bytes, "frames")?);
    }
    // The sorts are stable, so that of several entries of a CVE the last one given stands last.
    epss.sort_by_key(|entry| entry.0);
    for (cve, score, percentile) in last_of_each(&epss, |entry| entry.0) {
        sections[format::EPSS].extend_from_slice(&cve.to_le_bytes());
        put_u32(&mut sections[format::EPSS], *score);
        put_u32(&mut sections[format::EPSS], *percentile);
    }
    kev.sort_by_key(|entry| entry.0);
    for (cve, added, due, is_used_by_ransomware) in last_of_each(&kev, |entry| entry.0) {
        sections[format::KEV].extend_from_slice(&cve.to_le_bytes());
        put_u32(&mut sections[format::KEV], strings.place(*added)?);
        put_u32(&mut sections[format::KEV], strings.place(*due)?);
        put_u32(&mut sections[format::KEV], u32::from(*is_used_by_ransomware));
    }
    lay_out_cvss(cvss, &builder.strings, &mut strings, &mut sections[format::CVSS])?;
    let section = &mut sections[format::REPOSITORIES];
    lay_out_repositories(repositories, &builder.strings, &mut strings, section)?;
    sections[format::STRINGS] = strings.section;
    sections[format::VERSIONS] = versions.section;
    sections[format::FRAMES] = frames.bytes;
    sections[format::DICTIONARY] = frames.dictionary;
    let (rows, advisories) = (builder.rows.len() as u64, builder.advisories);
    let (meta, feeds) = lay_out_meta(builder)?;
    sections[format::META] = meta;
    let digest = digest(&sections);
    Ok(LaidOut { sections, digest, rows, advisories, feeds })
}

/// Sorted by CVE, source and vector, each once.
fn lay_out_cvss(
    mut entries: Vec<(u64, u32, u32)>,
    texts: &Interner,
    strings: &mut Placer<'_>,
    section: &mut Vec<u8>,
) -> Result<(), BuildError> {
    let text = |id: u32| texts.get(id);
    entries.sort_unstable_by(|a, b| (a.0, text(a.1), text(a.2)).cmp(&(b.0, text(b.1), text(b.2))));
    entries.dedup();
    for (cve, source, vector) in entries {
        section.extend_from_slice(&cve.to_le_bytes());
        put_u32(section, strings.place(source)?);
        put_u32(section, strings.place(vector)?);
    }
    Ok(())
}

/// Sorted by id.
fn lay_out_repositories(
    mut entries: Vec<(u32, u32)>,
    texts: &Interner,
    strings: &mut Placer<'_>,
    section: &mut Vec<u8>,
) -> Result<(), BuildError> {
    // The sort is stable, so that of several entries of a repository the last one given stands last.
    entries.sort_by(|a, b| texts.get(a.0).cmp(texts.get(b.0)));
    for (id, products) in last_of_each(&entries, |entry| entry.0) {
        put_u32(section, strings.place(*id)?);
        put_u32(section, strings.place(*products)?);
    }
    Ok(())
}

/// Of runs of entries with equal keys, the last each.
fn last_of_each<T, K: PartialEq>(entries: &[T], key: impl Fn(&T) -> K) -> impl Iterator<Item = &T> {
    entries.chunk_by(move |a, b| key(a) == key(b)).filter_map(<[T]>::last)
}

/// Sorts rows by namespace, package and advisory, and drops repeated ones.
fn sort_rows(builder: &mut Builder) {
    let (strings, packages) = (&builder.strings, &builder.packages);
    let name = |id: u32| {
        let (namespace, name) = unpair(packages.get(id));
        (strings.get(namespace), strings.get(name))
    };
    let mut order: Vec<u32> = (0..packages.len() as u32).collect();
    order.sort_unstable_by_key(|id| name(*id));
    let mut ranks = vec![0u32; order.len()];
    for (rank, id) in order.iter().enumerate() {
        ranks[*id as usize] = rank as u32;
    }
    let rank = |row: &PendingRow| ranks[row.package as usize];
    builder.rows.sort_unstable_by(|a, b| {
        rank(a).cmp(&rank(b)).then_with(|| a.advisory.cmp(&b.advisory)).then_with(|| a.cmp(b))
    });
    builder.rows.dedup();
}

/// Fills namespaces, packages and rows.
fn lay_out_packages(
    builder: &Builder,
    strings: &mut Placer<'_>,
    versions: &mut Placer<'_>,
    sections: &mut [Vec<u8>; SECTIONS],
) -> Result<(), BuildError> {
    let mut last_namespace = None;
    for rows in builder.rows.chunk_by(|a, b| a.package == b.package) {
        let (namespace, name) = unpair(builder.packages.get(rows[0].package));
        if last_namespace != Some(namespace) {
            last_namespace = Some(namespace);
            let first_package = sections[format::PACKAGES].len() / format::PACKAGE_BYTES;
            put_u32(&mut sections[format::NAMESPACES], strings.place(namespace)?);
            put_u32(&mut sections[format::NAMESPACES], offset(first_package, "packages")?);
        }
        put_u32(&mut sections[format::PACKAGES], strings.place(name)?);
        let start = offset(sections[format::ROWS].len(), "rows")?;
        put_u32(&mut sections[format::PACKAGES], start);
        let mut base = Base::default();
        for row in rows {
            let (module, architectures) = unpair(builder.limits.get(row.limits));
            let stored = StoredRow {
                head: row.head,
                advisory: row.advisory,
                introduced: match row.introduced {
                    0 => None,
                    id => Some(versions.place(id)?),
                },
                end: versions.place(row.end)?,
                module: strings.place(module)?,
                architectures: strings.place(architectures)?,
            };
            stored.write(&mut sections[format::ROWS], &mut base);
        }
    }
    offset(sections[format::ROWS].len(), "rows").map(drop)
}

fn lay_out_meta(builder: Builder) -> Result<(Vec<u8>, Vec<FeedRecord>), BuildError> {
    let rows = builder.rows.len() as u64;
    let mut feeds: Vec<FeedRecord> = Vec::new();
    let mut stored = Vec::new();
    for feed in builder.feeds {
        let first_advisory = feed.first_advisory;
        let record = feed.finish();
        if feeds.iter().any(|other| other.name == record.name) {
            return Err(BuildError::FeedTwice(record.name));
        }
        stored.push(StoredFeed::of(first_advisory, record.clone()));
        feeds.push(record);
    }
    let ends = builder.ends.into_iter().map(|(namespace, end)| format::StoredEnd::of(namespace, end));
    let meta = Meta { rows, advisories: builder.advisories, feeds: stored, ends: ends.collect() };
    let bytes = postcard::to_stdvec(&meta).map_err(|_| BuildError::Full("feed records"))?;
    if bytes.len() > META_BYTES_MAX {
        return Err(BuildError::Full("feed records"));
    }
    Ok((bytes, feeds))
}

fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Writes a file aside, verifies it and renames it over `path`. Gives its size.
fn replace(path: &Path, write: impl FnOnce(&File) -> io::Result<()>) -> Result<u64, BuildError> {
    let io = |doing: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source| BuildError::Io { doing, path, source }
    };
    let lock_path = beside(path, ".lock");
    let lock = private().create(true).truncate(false).open(&lock_path).map_err(io("open", &lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(BuildError::Busy(lock_path)),
        Err(TryLockError::Error(source)) => return Err(io("lock", &lock_path)(source)),
    }
    // A killed build may have left one. It is removed, not overwritten: nobody can have it mapped, but a
    // new file is sure to have the mode that is asked for.
    let aside = beside(path, ".building");
    match fs::remove_file(&aside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io("remove", &aside)(error)),
        _ => {}
    }
    let file = private().create_new(true).open(&aside).map_err(io("create", &aside))?;
    let placed = write(&file).and_then(|()| file.sync_all()).map_err(io("write", &aside)).and_then(|()| {
        Database::open(&aside).and_then(|database| database.verify()).map_err(BuildError::Verify)?;
        let bytes = file.metadata().map_err(io("read", &aside))?.len();
        fs::rename(&aside, path).map_err(io("replace", path))?;
        Ok(bytes)
    });
    if placed.is_err() {
        // The error that is already there says more than one of this would.
        let _ = fs::remove_file(&aside);
    }
    sync_directory(path).map_err(io("sync the directory of", path))?;
    placed
}

/// The path with something appended to its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Opens for writing, for this user alone.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a rename in a file's directory last.
pub(crate) fn sync_directory(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}
