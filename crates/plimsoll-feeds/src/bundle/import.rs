//! Taking a bundle in.
//!
//! The signature is verified before anything else is believed, then what the manifest says is held against what is here
//! (is anything older, is anything missing), and only then a payload is read. All feeds are staged and parsed before the
//! first one changes; see `journal.rs` for what happens from there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use plimsoll_core::advisory::{Advisories as _, DatabaseIdentity, FeedRecord};

use super::clair;
use super::export::Hashed;
use super::held::{Here, is_before};
use super::journal::{Journal, Staging, settle};
use super::keys;
use super::unpack::unpack;
use super::{BundleError, Content, FeedEntry, Incoming, Manifest, Older, PartEntry, PublicKey, TarBundle};
use crate::Attempts;
use crate::database::Database;
use crate::feeds::{FEEDS, Feed, Part};
use crate::snapshots::{Folder, PartState, State, on};
use crate::update::{
    BuiltFrom, DatabaseReport, Held, Parts, Progress, Tally, UpdateError, build, check_imported,
    database_path, fingerprint, lock, parse, snapshots_path,
};

/// How much is looked at to tell a bundle from other files.
const PEEK_BYTES: u64 = 64 << 10;

/// What is allowed.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The data directory; made where it is missing.
    pub data_dir: PathBuf,
    /// The keys that may sign.
    pub keys: Vec<PublicKey>,
    /// Whether a bundle may come in that none of the keys vouches for. A signature that is wrong never passes.
    pub allows_unsigned: bool,
    /// Whether data may be replaced by older data.
    pub allows_older: bool,
    /// Names of feeds that are turned off: they are left out of the database.
    pub off: BTreeSet<&'static str>,
    /// Whether to wait for an update of the same directory instead of failing.
    pub waits_for_others: bool,
}

/// What an import did.
#[derive(Debug)]
pub struct ImportReport {
    /// Id of the bundle; `None` for what is not one of ours.
    pub id: Option<String>,
    /// When it was exported, RFC 3339.
    pub created_at: Option<String>,
    /// Id of the key that vouches for it; `None` where none does.
    pub signer: Option<String>,
    /// Its feeds, sorted by name.
    pub feeds: Vec<ImportedFeed>,
    /// The files of the data directory that were replaced or added.
    pub files: Vec<String>,
    /// Those that were left out, because no key vouches for them: they say whom to trust.
    pub files_left_out: Vec<String>,
    /// What became of the database.
    pub database: ImportedDatabase,
}

/// What became of one feed. The dates are those of the bundle, RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedFeed {
    /// Name of the feed.
    pub feed: String,
    /// What became of it.
    pub arrived: Arrived,
    /// When the upstream last confirmed it.
    pub checked_at: Option<String>,
    /// The date that the data itself states.
    pub data_date: Option<String>,
}

/// What became of one feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// It has a new snapshot.
    Replaced {
        /// Parts that are new.
        changed: usize,
        /// Parts that were here already.
        unchanged: usize,
        /// Size of the new parts.
        bytes: u64,
    },
    /// The data was here; it was confirmed later than was known here.
    Confirmed,
    /// All of it was here.
    Unchanged,
    /// It is in the database that was imported.
    InDatabase,
    /// This version of the program has no such feed; it was left out.
    Unknown,
}

/// What became of the database.
#[derive(Debug)]
pub enum ImportedDatabase {
    /// It was built here, or was not touched.
    Built(DatabaseReport),
    /// The one of the bundle is in place.
    Delivered(DatabaseIdentity),
}

/// Imports whatever a stream holds: a bundle in a tar file, or an export of Clair's updaters.
pub fn import_stream(
    options: &ImportOptions,
    mut from: impl Read,
    now: Timestamp,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<ImportReport, BundleError> {
    let mut begin = Vec::new();
    (&mut from).take(PEEK_BYTES).read_to_end(&mut begin).map_err(BundleError::Read)?;
    let is_clair = clair::is_export(&begin);
    let from = io::Cursor::new(begin).chain(from);
    if !is_clair {
        return import(options, &mut TarBundle::new(from), now, on_progress);
    }
    let row = FEEDS.iter().copied().find(|feed| feed.name == clair::FEED).ok_or(BundleError::Clair)?;
    clair::import(row, options, from, now, on_progress)
}

/// Reads a bundle to its end and verifies all that it says of itself, without knowing who signed it.
pub fn inspect(incoming: &mut dyn Incoming) -> Result<Manifest, BundleError> {
    let manifest = Manifest::read(&incoming.head()?.manifest)?;
    for item in manifest.items() {
        unpack(incoming, item, None)?;
    }
    incoming.end()?;
    Ok(manifest)
}

/// Imports a bundle.
pub fn import(
    options: &ImportOptions,
    incoming: &mut dyn Incoming,
    now: Timestamp,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<ImportReport, BundleError> {
    let head = incoming.head()?;
    let signer =
        keys::verify(&head.manifest, head.signature.as_deref(), &options.keys, options.allows_unsigned)?;
    let manifest = Manifest::read(&head.manifest)?;
    let data_dir = &options.data_dir;
    let _lock = lock(data_dir, options.waits_for_others)?;
    settle(data_dir)?;
    let here = Here::read(data_dir);
    let mut plan = Plan::new(&manifest, &here, options, signer.is_some())?;
    let staging = Staging::of(data_dir);
    let journal = plan.stage(&staging, incoming, &now.to_string(), on_progress);
    let journal = journal.inspect_err(|_| plan.discard(&staging))?;
    if journal.feeds.is_empty() && journal.database.is_none() && journal.files.is_empty() {
        staging.discard()?;
    } else {
        staging.commit(&journal)?;
    }
    let database = match &manifest.database {
        Some(database) if plan.has_delivered => ImportedDatabase::Delivered(DatabaseIdentity {
            id: database.id.clone(),
            built_at: database.built_at.clone(),
        }),
        _ => ImportedDatabase::Built(build(data_dir, &options.off, &plan.built_at(now), on_progress)?),
    };
    Ok(ImportReport {
        id: Some(manifest.id.clone()),
        created_at: Some(manifest.created_at.clone()),
        signer,
        files: journal.files,
        files_left_out: match plan.is_vouched_for {
            true => Vec::new(),
            false => manifest.files.iter().map(|file| file.path.clone()).collect(),
        },
        feeds: plan.report(),
        database,
    })
}

/// What becomes of one feed of a bundle.
struct FeedPlan<'a> {
    entry: &'a FeedEntry,
    /// `None` where this program does not know it.
    row: Option<&'static Feed>,
    arrived: Arrived,
    folder: Folder,
    state: State,
    /// Names of the parts that are staged.
    changed: BTreeSet<&'a str>,
}

impl FeedPlan<'_> {
    /// Says what becomes of it, its changed parts being known.
    fn arrive(&mut self, held: &State, here: &Here) {
        let is_same = self.changed.is_empty() && digests(held) == digests(&self.state);
        let checked_at = here.attempts.get(self.entry.name.as_str());
        let is_newer =
            match (checked_at.and_then(|attempts| attempts.checked_at.as_ref()), &self.entry.checked_at) {
                (Some(held), Some(bundled)) => is_before(held, bundled),
                (None, Some(_)) => true,
                _ => false,
            };
        self.arrived = match (is_same, is_newer) {
            (true, true) => Arrived::Confirmed,
            (true, false) => Arrived::Unchanged,
            (false, _) => {
                let present = self.entry.parts.iter().filter(|part| !part.is_absent);
                let is_changed = |part: &&PartEntry| self.changed.contains(part.name.as_str());
                Arrived::Replaced {
                    changed: self.changed.len(),
                    unchanged: present.clone().count() - self.changed.len(),
                    bytes: present.filter(is_changed).map(|part| part.bytes).sum(),
                }
            }
        };
        if self.arrived == Arrived::Unchanged {
            self.state = held.clone();
        }
        for (name, part) in &mut self.state.parts {
            // Another version may have counted otherwise.
            if let Some(held) = held.parts.get(name).filter(|held| held.sha256 == part.sha256) {
                part.records = held.records;
            }
        }
    }

    fn is_staged(&self) -> bool {
        !matches!(self.arrived, Arrived::Unchanged | Arrived::Unknown)
    }
}

/// What becomes of a bundle.
struct Plan<'a> {
    manifest: &'a Manifest,
    data_dir: &'a Path,
    /// Whether a key that is known signed it.
    is_vouched_for: bool,
    feeds: Vec<FeedPlan<'a>>,
    /// Whether the database that results is the one that the exporter had.
    is_same_database: bool,
    /// Whether the database is the bundle's when all is done.
    has_delivered: bool,
    /// Whether its file must be moved into place for that.
    takes_database: bool,
    /// Paths of the files that are staged.
    files: BTreeSet<&'a str>,
}

impl<'a> Plan<'a> {
    /// Refuses what must not come in, before any of it is read.
    fn new(
        manifest: &'a Manifest,
        here: &Here,
        options: &'a ImportOptions,
        is_vouched_for: bool,
    ) -> Result<Plan<'a>, BundleError> {
        let held_names = here.states.iter().filter(|(_, state)| state.has_snapshot());
        let held_names: Vec<String> = held_names.map(|(name, _)| format!("`{name}`")).collect();
        if !manifest.content.has_snapshots() && !held_names.is_empty() {
            return Err(BundleError::Snapshots(held_names.join(", ")));
        }
        let mut plan = Plan {
            manifest,
            data_dir: &options.data_dir,
            is_vouched_for,
            feeds: Vec::new(),
            is_same_database: false,
            has_delivered: false,
            takes_database: false,
            files: BTreeSet::new(),
        };
        let mut older = Vec::new();
        for entry in &manifest.feeds {
            plan.add_feed(entry, here, &mut older)?;
        }
        if manifest.content == Content::Built {
            older.extend(plan.lost(here));
        }
        if !older.is_empty() && !options.allows_older {
            return Err(BundleError::Older(older));
        }
        plan.add_database(here)?;
        if plan.is_vouched_for {
            plan.add_files()?;
        }
        Ok(plan)
    }

    fn add_feed(
        &mut self,
        entry: &'a FeedEntry,
        here: &Here,
        older: &mut Vec<Older>,
    ) -> Result<(), BundleError> {
        let row = FEEDS.iter().copied().find(|feed| feed.name == entry.name);
        let folder = Folder::of(&snapshots_path(self.data_dir), &entry.name);
        let held = row.and_then(|row| here.states.get(row.name)).cloned().unwrap_or_default();
        let mut feed = FeedPlan {
            entry,
            row,
            arrived: Arrived::Unknown,
            folder,
            state: entry.state(),
            changed: BTreeSet::new(),
        };
        if self.manifest.content == Content::Built {
            let databases = here.database.as_ref().zip(self.manifest.database.as_ref());
            let is_same = databases.is_some_and(|(held, new)| held.identity().id == new.id);
            older.extend(here.older(entry).filter(|_| !is_same));
            feed.arrived = if row.is_some() { Arrived::InDatabase } else { Arrived::Unknown };
        } else if row.is_some() {
            feed.changed = self.changed_parts(&feed.folder, &held, entry)?;
            feed.arrive(&held, here);
            if matches!(feed.arrived, Arrived::Replaced { .. }) {
                older.extend(here.older(entry));
            }
        }
        self.feeds.push(feed);
        Ok(())
    }

    /// The parts of a feed that are not held. One that the bundle leaves out must be.
    fn changed_parts(
        &self,
        folder: &Folder,
        held: &State,
        entry: &'a FeedEntry,
    ) -> Result<BTreeSet<&'a str>, BundleError> {
        let mut changed = BTreeSet::new();
        for part in entry.parts.iter().filter(|part| !part.is_absent) {
            if self.has_part(folder, held.parts.get(&part.name), part)? {
                continue;
            }
            if part.payload.is_none() {
                return Err(self.base_missing(format!("`{}` of feed `{}`", part.name, entry.name)));
            }
            changed.insert(part.name.as_str());
        }
        Ok(changed)
    }

    /// Whether a part is held. What the bundle does not bring is read, to be sure of it.
    fn has_part(
        &self,
        folder: &Folder,
        held: Option<&PartState>,
        part: &PartEntry,
    ) -> Result<bool, BundleError> {
        let path = folder.part(&part.name);
        let is_noted = held.is_some_and(|held| !held.is_absent && held.sha256 == part.sha256);
        if !is_noted || !fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() == part.bytes) {
            return Ok(false);
        }
        Ok(part.payload.is_some() || sha256_of(&path)? == part.sha256)
    }

    fn base_missing(&self, missing: String) -> BundleError {
        BundleError::Base { base: self.manifest.base.clone().unwrap_or_default(), missing }
    }

    /// Feeds of the database here that the bundle's does not have.
    fn lost(&self, here: &Here) -> Vec<Older> {
        let is_lost = |record: &&FeedRecord| !self.manifest.feeds.iter().any(|feed| feed.name == record.name);
        let lost = here.records().iter().filter(is_lost).map(|record| Older {
            feed: record.name.clone(),
            what: "data fetched",
            held: record.fetched_at.clone(),
            bundled: None,
        });
        lost.collect()
    }

    /// The snapshots as they will be.
    fn states_after(&self, here: &Here) -> Vec<Held> {
        let state_of = |feed: &'static Feed| {
            let planned = self.feeds.iter().find(|plan| plan.row.is_some_and(|row| row.name == feed.name));
            let planned = planned.map(|plan| &plan.state).or_else(|| here.states.get(feed.name));
            (feed, planned.cloned().unwrap_or_default())
        };
        FEEDS.iter().copied().map(state_of).filter(|(_, state)| state.has_snapshot()).collect()
    }

    fn add_database(&mut self, here: &Here) -> Result<(), BundleError> {
        let has_snapshots = self.manifest.content.has_snapshots();
        let after = self.states_after(here);
        if has_snapshots {
            let is_there = |name: &str| after.iter().any(|(feed, _)| feed.name == name);
            check_imported(self.data_dir, is_there).map_err(|error| match error {
                UpdateError::Imported(lost) => BundleError::Imported(lost),
                error => error.into(),
            })?;
        }
        let Some(database) = &self.manifest.database else { return Ok(()) };
        self.is_same_database = has_snapshots && fingerprint(&after) == database.snapshots;
        let is_wanted = self.manifest.content.has_database() && (self.is_same_database || !has_snapshots);
        if !is_wanted {
            return Ok(());
        }
        let path = database_path(self.data_dir);
        let is_listed = here.database.as_ref().is_some_and(|held| held.identity().id == database.id);
        let is_here = is_listed && sha256_of(&path)? == database.sha256;
        match &database.payload {
            None if !is_here && !has_snapshots => {
                return Err(self.base_missing(format!("database `{}`", database.id)));
            }
            // It is built here, into the same.
            None if !is_here => {}
            _ => (self.has_delivered, self.takes_database) = (true, !is_here),
        }
        Ok(())
    }

    fn add_files(&mut self) -> Result<(), BundleError> {
        for file in &self.manifest.files {
            let path = self.data_dir.join(&file.path);
            let is_here = fs::metadata(&path).is_ok_and(|held| held.is_file() && held.len() == file.bytes)
                && sha256_of(&path)? == file.sha256;
            match file.payload {
                _ if is_here => {}
                Some(_) => drop(self.files.insert(&file.path)),
                None => return Err(self.base_missing(format!("`{}`", file.path))),
            }
        }
        Ok(())
    }

    /// Reads the bundle to its end; stages and verifies what changes.
    fn stage(
        &mut self,
        staging: &Staging,
        incoming: &mut dyn Incoming,
        now: &str,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Journal, BundleError> {
        staging.begin()?;
        for feed in self.feeds.iter().filter(|feed| feed.is_staged()) {
            feed.folder.stage()?;
        }
        self.unpack_all(staging, incoming, on_progress)?;
        let mut journal = Journal::default();
        for feed in self.feeds.iter_mut().filter(|feed| feed.is_staged()) {
            verify_parts(feed, on_progress)?;
            feed.folder.stage_attempts(&Attempts {
                checked_at: feed.entry.checked_at.clone(),
                attempted_at: Some(now.to_owned()),
                ..Attempts::default()
            })?;
            journal.feeds.push((feed.entry.name.clone(), feed.state.clone()));
        }
        if let Some(database) = self.manifest.database.as_ref().filter(|_| self.has_delivered) {
            if self.takes_database {
                verify_database(&staging.database(), &database.id)?;
            }
            let (database, snapshots) = (database.id.clone(), database.snapshots.clone());
            journal.database = Some(match self.manifest.content.has_snapshots() {
                true => BuiltFrom { database, snapshots, bundle: None },
                false => {
                    BuiltFrom { database, snapshots: String::new(), bundle: Some(self.manifest.id.clone()) }
                }
            });
        }
        journal.files = self.files.iter().map(|path| (*path).to_owned()).collect();
        Ok(journal)
    }

    fn unpack_all(
        &self,
        staging: &Staging,
        incoming: &mut dyn Incoming,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), BundleError> {
        // The items come in the order of the parts, the database and the files.
        let mut items = self.manifest.items();
        for feed in &self.feeds {
            let parts = feed.entry.parts.iter().filter(|part| part.payload.is_some());
            let of = parts.clone().count();
            for (done, part) in parts.enumerate() {
                on_progress(Progress::Fetching { feed: &feed.entry.name, part: &part.name, done, of });
                let is_wanted = feed.changed.contains(part.name.as_str());
                let to = is_wanted.then(|| feed.folder.staged(&part.name));
                if let Some(item) = items.next() {
                    unpack(incoming, item, to.as_deref())?;
                }
            }
        }
        let database = self.manifest.database.as_ref().filter(|database| database.payload.is_some());
        if let Some(item) = database.and_then(|_| items.next()) {
            on_progress(Progress::Writing);
            let to = self.takes_database.then(|| staging.database());
            unpack(incoming, item, to.as_deref())?;
        }
        for file in self.manifest.files.iter().filter(|file| file.payload.is_some()) {
            let to = self.files.contains(file.path.as_str()).then(|| staging.file(&file.path));
            if let Some(folder) = to.as_deref().and_then(Path::parent) {
                on("create the folder", folder, fs::create_dir_all(folder))?;
            }
            if let Some(item) = items.next() {
                unpack(incoming, item, to.as_deref())?;
            }
        }
        incoming.end()
    }

    /// Throws away what is staged. What cannot be removed, the next one who takes the lock removes.
    fn discard(&self, staging: &Staging) {
        let _ = staging.discard();
        for feed in &self.feeds {
            let _ = feed.folder.discard();
        }
    }

    /// The time that the database is built with: the same snapshots make the same database, to the byte.
    fn built_at(&self, now: Timestamp) -> String {
        let same = self.manifest.database.as_ref().filter(|_| self.is_same_database);
        same.map_or_else(|| now.to_string(), |database| database.built_at.clone())
    }

    fn report(&self) -> Vec<ImportedFeed> {
        let feeds = self.feeds.iter().map(|FeedPlan { entry, arrived, .. }| ImportedFeed {
            feed: entry.name.clone(),
            arrived: arrived.clone(),
            checked_at: entry.checked_at.clone(),
            data_date: entry.data_date.clone(),
        });
        feeds.collect()
    }
}

/// Names and digests of the parts that are there.
fn digests(state: &State) -> Vec<(&str, &str)> {
    let present = state.parts.iter().filter(|(_, part)| !part.is_absent);
    present.map(|(name, part)| (name.as_str(), part.sha256.as_str())).collect()
}

fn sha256_of(path: &Path) -> Result<String, BundleError> {
    let mut hashed = Hashed::new(on("read", path, File::open(path))?);
    on("read", path, io::copy(&mut hashed, &mut io::sink()))?;
    Ok(hashed.sha256())
}

/// Reads the new parts of a feed as the database will, so that none comes in that cannot be read.
fn verify_parts(
    feed: &mut FeedPlan<'_>,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), BundleError> {
    let Some(row) = feed.row else { return Ok(()) };
    let mut records = Vec::new();
    let snapshot = Parts { folder: &feed.folder, states: &feed.state.parts, staged: &feed.changed };
    for part in feed.entry.parts.iter().filter(|part| feed.changed.contains(part.name.as_str())) {
        on_progress(Progress::Verifying { feed: row.name, part: &part.name });
        let mut tally = Tally::default();
        let read = Part::new(&part.name, &part.path);
        parse(row, &read, &snapshot, &mut tally).map_err(|error| BundleError::Parse {
            feed: row.name.to_owned(),
            part: part.name.clone(),
            error: error.to_string(),
        })?;
        records.push((&part.name, tally.0));
    }
    for (name, records) in records {
        if let Some(part) = feed.state.parts.get_mut(name) {
            part.records = records;
        }
    }
    Ok(())
}

fn verify_database(path: &Path, id: &str) -> Result<(), BundleError> {
    let unusable = |error: crate::database::OpenError| {
        BundleError::Database(match error {
            crate::database::OpenError::Version { found, .. } => {
                format!("its format version {found} is not one that this version of plimsoll reads")
            }
            error => error.to_string(),
        })
    };
    let database = Database::open(path).map_err(unusable)?;
    database.verify().map_err(unusable)?;
    match database.identity().id == id {
        true => Ok(()),
        false => Err(BundleError::Database("it is not the one that the bundle names".to_owned())),
    }
}
