//! Writing a bundle.
//!
//! A bundle is prepared and then written, the data directory being locked all the while. Preparing reads all that goes in
//! once, to verify it and to learn how large it is compressed, because the manifest comes first and says so; writing
//! compresses it again. Twice the work of zstd's fast levels is cheaper than a second copy of everything on the disk.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use plimsoll_core::advisory::{Advisories as _, FeedRecord};
use sha2::{Digest, Sha256};

use super::journal::settle;
use super::manifest::{self, FORMAT, is_file_path};
use super::tar::{self, Writer};
use super::{
    BundleError, Content, DatabaseEntry, FILE_BYTES_MAX, FILES_MAX, FOLDERS, FeedEntry, FileEntry, Head,
    Manifest, PAYLOAD_BYTES_MAX, PartEntry, Payload, SigningKey, hex,
};
use crate::database::{Database, beside, sync_directory};
use crate::feeds::{FEEDS, Feed};
use crate::snapshots::{Folder, State, on, write_new};
use crate::update::{BuiltFrom, Held, Progress, database_path, fingerprint, lock, snapshots_path};

/// zstd's own default: feeds are mostly compressed already, and all is compressed twice.
const LEVEL: i32 = 3;

/// What is saved by compressing must be a part of this size, else it is stored as it is.
const SAVED_PART_MIN: u64 = 20;

/// Where exports are remembered, below the data directory, and how many.
const EXPORTS: &str = "exports";
const EXPORTS_MAX: usize = 100;

/// What is exported.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// The data directory.
    pub data_dir: PathBuf,
    /// The feeds; `None` for all that are held. With a selection only their files can be exported.
    pub feeds: Option<Vec<&'static Feed>>,
    /// Names of feeds that must be held; others that are not are left out.
    pub needed: Vec<&'static str>,
    /// What of them.
    pub content: Content,
    /// The bundle whose payloads are left out.
    pub since: Option<Manifest>,
    /// Whether to wait for an update of the same directory instead of failing.
    pub waits_for_others: bool,
}

/// A bundle that is ready to be written. Nobody can change the data directory while it is there.
#[derive(Debug)]
pub struct Export {
    _lock: File,
    data_dir: PathBuf,
    manifest: Manifest,
    head: Head,
    /// Where each payload of the manifest is read from.
    sources: Vec<PathBuf>,
}

/// A payload that can be opened, as often as it must be sent.
pub struct OpenPayload<'a> {
    payload: &'a Payload,
    path: &'a Path,
}

impl OpenPayload<'_> {
    /// Opens it.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        open(self.payload, self.path)
    }
}

impl Export {
    /// Reads and verifies everything, and signs the manifest where there is a key.
    pub fn prepare(
        options: &ExportOptions,
        key: Option<&SigningKey>,
        now: Timestamp,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Export, BundleError> {
        let data_dir = &options.data_dir;
        if !data_dir.is_dir() {
            return Err(BundleError::Nothing(format!("there is no data directory `{}`", data_dir.display())));
        }
        let lock = lock(data_dir, options.waits_for_others)?;
        settle(data_dir)?;
        let held = HeldData::read(data_dir);
        let mut packer = Packer::new(options.since.as_ref());
        let feeds = match options.content.has_snapshots() {
            true => packer.snapshots(options, &held, on_progress)?,
            false => held.database_feeds(),
        };
        let database = packer.database(options, &held, on_progress)?;
        let files = packer.files(data_dir)?;
        let mut manifest = Manifest {
            format: FORMAT,
            id: String::new(),
            created_at: now.to_string(),
            content: options.content,
            base: options.since.as_ref().map(|base| base.id.clone()),
            feeds,
            database,
            files,
        };
        manifest.id = manifest.right_id();
        manifest.check().map_err(BundleError::Manifest)?;
        let bytes = manifest.bytes();
        manifest::check_size(&bytes)?;
        let signature = key.map(|key| key.sign(&bytes));
        let head = Head { manifest: bytes, signature };
        Ok(Export { _lock: lock, data_dir: data_dir.clone(), manifest, head, sources: packer.sources })
    }

    /// What is in it.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The bytes of manifest and signature.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The payloads in their order, each to be opened as it is stored. Whoever carries them must
    /// verify size and digest: a file may change in spite of the lock.
    pub fn payloads(&self) -> impl Iterator<Item = (&Payload, OpenPayload<'_>)> {
        self.manifest
            .payloads()
            .zip(&self.sources)
            .map(|(payload, path)| (payload, OpenPayload { payload, path }))
    }

    /// Writes it as a tar file.
    pub fn write(&self, to: &mut dyn Write) -> Result<(), BundleError> {
        let mut writer = Writer(to);
        writer.head(&self.head).map_err(BundleError::Write)?;
        for (payload, source) in self.payloads() {
            let mut reader = Hashed::new(source.open().map_err(BundleError::Write)?);
            writer.entry(&payload.entry, payload.bytes, &mut reader).map_err(BundleError::Write)?;
            if reader.sha256() != payload.sha256 {
                let changed = format!("`{}` changed while it was written", payload.entry);
                return Err(BundleError::Write(io::Error::other(changed)));
            }
        }
        writer.end().map_err(BundleError::Write)
    }

    /// Writes it as a tar file: aside first, then in place of what stands at `path`. Gives its size.
    pub fn write_file(&self, path: &Path) -> Result<u64, BundleError> {
        if fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
            let what =
                format!("`{}` is no plain file and is not replaced; name another file", path.display());
            return Err(BundleError::Nothing(what));
        }
        let aside = beside(path, ".exporting");
        let written = File::create(&aside).map_err(BundleError::Write).and_then(|file| {
            let mut buffered = BufWriter::with_capacity(256 << 10, &file);
            self.write(&mut buffered)?;
            drop(buffered);
            let placed = file.sync_all().and_then(|()| file.metadata()).and_then(|metadata| {
                fs::rename(&aside, path)?;
                sync_directory(path)?;
                Ok(metadata.len())
            });
            placed.map_err(BundleError::Write)
        });
        if written.is_err() {
            // The error that is already there says more than one of this would.
            let _ = fs::remove_file(&aside);
        }
        written
    }

    /// Notes what was exported, so that a later export can leave it out.
    pub fn remember(&self) -> Result<(), BundleError> {
        let folder = self.data_dir.join(EXPORTS);
        on("create the folder", &folder, fs::create_dir_all(&folder))?;
        write_new(&self.head.manifest, &folder.join(format!("{}.json", self.manifest.id)))?;
        forget_old(&folder);
        Ok(())
    }
}

/// The manifest of a bundle that was exported from a data directory.
pub fn remembered(data_dir: &Path, id: &str) -> Result<Manifest, BundleError> {
    let unknown = || {
        BundleError::Nothing(format!(
            "no bundle `{id}` was exported from here; name its file, or export without `--since`"
        ))
    };
    if id.len() != 64 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let path = data_dir.join(EXPORTS).join(format!("{id}.json"));
    Manifest::read(&fs::read(path).map_err(|_| unknown())?)
}

/// Removes the oldest of too many, and what kills left. What cannot be removed stays: it costs some room.
fn forget_old(folder: &Path) {
    let mut dated = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, modified) = (entry.path(), entry.metadata().and_then(|metadata| metadata.modified()));
        if path.extension().is_some_and(|ending| ending == "new") {
            let _ = fs::remove_file(path);
        } else if let Ok(modified) = modified {
            dated.push((modified, path));
        }
    }
    dated.sort();
    for (_, path) in dated.iter().rev().skip(EXPORTS_MAX) {
        let _ = fs::remove_file(path);
    }
}

/// What a data directory has.
struct HeldData {
    states: Vec<Held>,
    /// The database, and whether it is what the snapshots say.
    database: Option<(Database, BuiltFrom)>,
    attempts: HashMap<&'static str, crate::Attempts>,
    fingerprint: String,
}

impl HeldData {
    fn read(data_dir: &Path) -> HeldData {
        let snapshots = snapshots_path(data_dir);
        let folders = FEEDS.iter().map(|feed| (*feed, Folder::of(&snapshots, feed.name)));
        let attempts = folders.clone().map(|(feed, folder)| (feed.name, folder.attempts())).collect();
        let states: Vec<Held> = folders
            .map(|(feed, folder)| (feed, folder.state()))
            .filter(|(_, state)| state.has_snapshot())
            .collect();
        let database = Database::open(&database_path(data_dir)).ok();
        let database = database
            .zip(BuiltFrom::read(data_dir))
            .filter(|(database, from)| database.identity().id == from.database);
        HeldData { fingerprint: fingerprint(&states), states, database, attempts }
    }

    /// The database, where it is what was built of the snapshots that are held, or was imported without any.
    fn current(&self) -> Option<&(Database, BuiltFrom)> {
        let is_current = |from: &BuiltFrom| from.bundle.is_some() || from.snapshots == self.fingerprint;
        self.database.as_ref().filter(|(_, from)| is_current(from))
    }

    fn record(&self, feed: &str) -> Option<&FeedRecord> {
        self.current()?.0.feeds().iter().find(|record| record.name == feed)
    }

    /// A feed with its dates, without its parts.
    fn entry(&self, name: &str, fetched_at: Option<String>) -> FeedEntry {
        let row = FEEDS.iter().find(|feed| feed.name == name);
        let text =
            |field: fn(&Feed) -> &'static str| row.map_or_else(String::new, |row| field(row).to_owned());
        let record = self.record(name);
        FeedEntry {
            name: name.to_owned(),
            title: text(|row| row.title),
            url: text(|row| row.url),
            licence: text(|row| row.licence),
            terms: text(|row| row.terms),
            fetched_at,
            checked_at: self.attempts.get(name).and_then(|attempts| attempts.checked_at.clone()),
            data_date: record.and_then(|record| record.data_date.clone()),
            namespace_dates: record.map_or_else(Vec::new, |record| record.namespace_dates.clone()),
            parts: Vec::new(),
        }
    }

    /// The feeds of the database.
    fn database_feeds(&self) -> Vec<FeedEntry> {
        let records = self.current().map_or(&[] as &[FeedRecord], |(database, _)| database.feeds());
        let mut feeds: Vec<FeedEntry> = records
            .iter()
            .map(|record| {
                let fetched_at = Some(record.fetched_at.clone()).filter(|date| !date.is_empty());
                self.entry(&record.name, fetched_at)
            })
            .collect();
        feeds.sort_by(|a, b| a.name.cmp(&b.name));
        feeds
    }
}

/// Collects payloads, and leaves out those that an earlier bundle named.
#[derive(Default)]
struct Packer {
    sources: Vec<PathBuf>,
    /// Feed, part and digest of what the earlier bundle named.
    parts: HashSet<(String, String, String)>,
    database: Option<String>,
    files: HashMap<String, String>,
}

impl Packer {
    fn new(since: Option<&Manifest>) -> Packer {
        let Some(since) = since else { return Packer::default() };
        let parts = since.feeds.iter().flat_map(|feed| {
            let present = feed.parts.iter().filter(|part| !part.is_absent);
            present.map(|part| (feed.name.clone(), part.name.clone(), part.sha256.clone()))
        });
        let database = since.database.as_ref().filter(|_| since.content.has_database());
        Packer {
            sources: Vec::new(),
            parts: parts.collect(),
            database: database.map(|database| database.sha256.clone()),
            files: since.files.iter().map(|file| (file.path.clone(), file.sha256.clone())).collect(),
        }
    }

    /// The feeds with their parts.
    fn snapshots(
        &mut self,
        options: &ExportOptions,
        held: &HeldData,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<FeedEntry>, BundleError> {
        let is_chosen = |feed: &Feed| {
            options.feeds.as_ref().is_none_or(|chosen| chosen.iter().any(|one| one.name == feed.name))
        };
        let is_held = |name: &&str| held.states.iter().any(|(feed, _)| feed.name == *name);
        if let Some(missing) = options.needed.iter().find(|name| !is_held(name)) {
            let what = format!("there is no snapshot of `{missing}`; run `plimsoll feeds update {missing}`");
            return Err(BundleError::Nothing(what));
        }
        let mut feeds = Vec::new();
        for (feed, state) in held.states.iter().filter(|(feed, _)| is_chosen(feed)) {
            feeds.push(self.snapshot(options, held, feed, state, on_progress)?);
        }
        if feeds.is_empty() {
            let what = "there are no snapshots to export; run `plimsoll feeds update`".to_owned();
            return Err(BundleError::Nothing(what));
        }
        Ok(feeds)
    }

    fn snapshot(
        &mut self,
        options: &ExportOptions,
        held: &HeldData,
        feed: &Feed,
        state: &State,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<FeedEntry, BundleError> {
        let folder = Folder::of(&snapshots_path(&options.data_dir), feed.name);
        let mut entry = held.entry(feed.name, state.fetched_at.clone());
        for (done, (name, part)) in state.parts.iter().enumerate() {
            on_progress(Progress::Fetching { feed: feed.name, part: name, done, of: state.parts.len() });
            let mut listed = PartEntry::of(name, part);
            let known = (feed.name.to_owned(), name.clone(), part.sha256.clone());
            if !part.is_absent && !self.parts.contains(&known) {
                let stored_as = |ending: &str| entry_name(feed.name, name, &part.sha256, ending);
                let content = Expected { bytes: part.bytes, sha256: &part.sha256 };
                listed.payload = Some(self.pack(&folder.part(name), content, &stored_as)?);
            }
            entry.parts.push(listed);
        }
        Ok(entry)
    }

    /// The database, with its payload where that is wanted.
    fn database(
        &mut self,
        options: &ExportOptions,
        held: &HeldData,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Option<DatabaseEntry>, BundleError> {
        let is_wanted = options.content.has_database();
        let is_whole = options.feeds.is_none();
        if is_wanted && !is_whole {
            let what = "the database holds all feeds; leave `--feeds` out, or export with `--raw`";
            return Err(BundleError::Nothing(what.to_owned()));
        }
        let current = held.current().filter(|(_, from)| {
            // What came without snapshots goes on without them.
            from.bundle.is_none() || !options.content.has_snapshots()
        });
        let Some((database, from)) = current.filter(|_| is_whole) else {
            let what = "there is no database that is built of the snapshots; run `plimsoll feeds update`";
            return if is_wanted { Err(BundleError::Nothing(what.to_owned())) } else { Ok(None) };
        };
        on_progress(Progress::Writing);
        let path = database_path(&options.data_dir);
        let file = on("read", &path, File::open(&path))?;
        let mut hashed = Hashed::new(file);
        let bytes = on("read", &path, io::copy(&mut hashed, &mut io::sink()))?;
        let sha256 = hashed.sha256();
        let content = Expected { bytes, sha256: &sha256 };
        let payload = match is_wanted && self.database.as_ref() != Some(&sha256) {
            true => Some(self.pack(&path, content, &|ending| format!("database.plimsoll{ending}"))?),
            false => None,
        };
        let identity = database.identity();
        Ok(Some(DatabaseEntry {
            id: identity.id.clone(),
            built_at: identity.built_at.clone(),
            snapshots: from.snapshots.clone(),
            bytes,
            sha256,
            payload,
        }))
    }

    /// The files of the data directory that go with the feeds.
    fn files(&mut self, data_dir: &Path) -> Result<Vec<FileEntry>, BundleError> {
        let mut paths = Vec::new();
        for folder in FOLDERS {
            find_files(data_dir, folder, &mut paths)?;
        }
        paths.sort();
        let mut files = Vec::new();
        for path in paths {
            let from = data_dir.join(&path);
            let mut hashed = Hashed::new(on("read", &from, File::open(&from))?.take(FILE_BYTES_MAX + 1));
            let bytes = on("read", &from, io::copy(&mut hashed, &mut io::sink()))?;
            let sha256 = hashed.sha256();
            let content = Expected { bytes, sha256: &sha256 };
            let payload = match self.files.get(&path) == Some(&sha256) {
                true => None,
                false => Some(self.pack(&from, content, &|ending| format!("{path}{ending}"))?),
            };
            files.push(FileEntry { path, bytes, sha256, payload });
        }
        Ok(files)
    }

    /// Verifies a file and says how it is stored.
    fn pack(
        &mut self,
        path: &Path,
        expected: Expected<'_>,
        entry: &dyn Fn(&str) -> String,
    ) -> Result<Payload, BundleError> {
        if expected.bytes > PAYLOAD_BYTES_MAX {
            let what = format!("`{}` is larger than {PAYLOAD_BYTES_MAX} bytes", path.display());
            return Err(BundleError::Nothing(what));
        }
        let mut content = Hashed::new(on("read", path, File::open(path))?);
        let mut stored = Hashed::new(on("read", path, compressed(&mut content, expected.bytes))?);
        let stored_bytes = on("read", path, io::copy(&mut stored, &mut io::sink()));
        let stored_sha256 = stored.sha256();
        if content.bytes != expected.bytes || content.sha256() != expected.sha256 {
            let what = format!(
                "`{}` is not what was fetched any more; run `plimsoll feeds update` to fetch it again",
                path.display()
            );
            return Err(BundleError::Nothing(what));
        }
        let stored_bytes = stored_bytes?;
        self.sources.push(path.to_owned());
        let is_compressed = stored_bytes <= expected.bytes - expected.bytes.div_ceil(SAVED_PART_MIN);
        Ok(match is_compressed {
            true => {
                Payload { entry: entry(".zst"), is_compressed, bytes: stored_bytes, sha256: stored_sha256 }
            }
            false => {
                let sha256 = expected.sha256.to_owned();
                Payload { entry: entry(""), is_compressed, bytes: expected.bytes, sha256 }
            }
        })
    }
}

/// What a file must hold.
#[derive(Clone, Copy)]
struct Expected<'a> {
    bytes: u64,
    sha256: &'a str,
}

/// The entry of a part; by its digest where its name has no room in a header.
fn entry_name(feed: &str, part: &str, sha256: &str, ending: &str) -> String {
    let named = format!("feeds/{feed}/{part}{ending}");
    match tar::header(&named, 0) {
        Some(_) => named,
        None => format!("feeds/{feed}/sha256-{sha256}{ending}"),
    }
}

/// The bytes of a payload as they are stored.
fn open(payload: &Payload, path: &Path) -> io::Result<Box<dyn Read + Send>> {
    let file = File::open(path)?;
    match payload.is_compressed {
        true => {
            let bytes = file.metadata()?.len();
            Ok(Box::new(compressed(file, bytes)?))
        }
        false => Ok(Box::new(file)),
    }
}

/// Compresses, always into the same bytes.
fn compressed<R: Read>(
    from: R,
    bytes: u64,
) -> io::Result<zstd::stream::read::Encoder<'static, io::BufReader<R>>> {
    let mut encoder = zstd::stream::read::Encoder::new(from, LEVEL)?;
    encoder.set_pledged_src_size(Some(bytes))?;
    Ok(encoder)
}

/// Files below a folder of the data directory, with `/`. What a bundle cannot carry is an error, not left out.
fn find_files(data_dir: &Path, folder: &str, paths: &mut Vec<String>) -> Result<(), BundleError> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let path = data_dir.join(&folder);
        let entries = match fs::read_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => on("read the folder", &path, entries)?,
        };
        for entry in entries {
            let entry = on("read the folder", &path, entry)?;
            let kind = on("read", &entry.path(), entry.file_type())?;
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if !is_file_path(&name) || !(kind.is_dir() || kind.is_file()) {
                let what = format!("`{}` cannot be in a bundle; move it away", entry.path().display());
                return Err(BundleError::Nothing(what));
            }
            if kind.is_dir() { &mut folders } else { &mut *paths }.push(name);
        }
        if paths.len() > FILES_MAX || folders.len() > FILES_MAX {
            let what = format!("there are more than {FILES_MAX} files in `{}`", path.display());
            return Err(BundleError::Nothing(what));
        }
    }
    Ok(())
}

/// Counts and hashes what is read.
pub(super) struct Hashed<R> {
    from: R,
    digest: Sha256,
    pub(super) bytes: u64,
}

impl<R> Hashed<R> {
    pub(super) fn new(from: R) -> Hashed<R> {
        Hashed { from, digest: Sha256::new(), bytes: 0 }
    }

    /// Of what was read so far, lower-case hex.
    pub(super) fn sha256(&self) -> String {
        let digest: [u8; 32] = self.digest.clone().finalize().into();
        hex(&digest)
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        self.digest.update(buffer.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }
}
