//! Bringing the data directory up to date: fetch what has changed, verify it, build the database anew.
//!
//! A feed that fails keeps the snapshot that it has, and the report says so; it never stops the others. The
//! database is built from the snapshots of all feeds, also of those that were not asked this time, and is
//! not touched where no snapshot has changed since it was built. What a kill leaves behind is carried to its
//! end or removed at the next start (see `snapshots.rs`).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use plimsoll_core::advisory::{
    Advisories, Advisory, Affected, Cvss, DatabaseIdentity, EndOfLife, Epss, FeedRecord, Kev,
};
use plimsoll_net::Client;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::bundle::journal::settle;
use crate::database::{BuildError, Builder, Built, Database};
use crate::feeds::{FEEDS, Feed, ParseError, Part, Reading, Sink, Snapshot, Source};
use crate::fetch::{self, Outcome, Transport, UrlIndex, chain};
use crate::snapshots::{DirectoryError, Folder, PartState, State, is_part_name, on, write_json};

/// Largest part that is fetched, by default. OSV's npm zip, the largest, is below 300 MB.
pub const PART_BYTES_MAX: u64 = 4 << 30;

/// Most parts of a feed.
pub(crate) const PARTS_MAX: usize = 10_000;

/// Name of the database in the data directory.
const DATABASE: &str = "database.plimsoll";

const SNAPSHOTS: &str = "snapshots";
const BUILT: &str = "built.json";
const LOCK: &str = "update.lock";

/// Where the database of a data directory lies.
pub fn database_path(data_dir: &Path) -> PathBuf {
    data_dir.join(DATABASE)
}

/// Where the snapshots of a data directory lie.
pub(crate) fn snapshots_path(data_dir: &Path) -> PathBuf {
    data_dir.join(SNAPSHOTS)
}

/// What an update does.
#[derive(Clone, Debug)]
pub struct UpdateOptions {
    /// The data directory; made where it is missing.
    pub data_dir: PathBuf,
    /// Names of feeds that are turned off: what was fetched of them stays, and is left out of the database.
    pub off: BTreeSet<&'static str>,
    /// Whether to wait for another update of the same directory instead of failing.
    pub waits_for_others: bool,
}

impl UpdateOptions {
    /// The defaults for a data directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> UpdateOptions {
        UpdateOptions { data_dir: data_dir.into(), off: BTreeSet::new(), waits_for_others: false }
    }
}

/// From where a feed is fetched, and how.
#[derive(Clone)]
pub struct Upstream {
    /// Base URLs. Where one fails, in whatever way, the whole feed is fetched from the next: an index of one and
    /// a file of another need not fit together.
    pub urls: Vec<String>,
    /// Who asks.
    pub transport: Arc<dyn Transport>,
    /// Largest part that is fetched, in bytes.
    pub part_bytes_max: u64,
}

impl Upstream {
    /// The upstream's own URL, with the default limits.
    pub fn own(feed: &Feed, client: &Client) -> Upstream {
        Upstream {
            urls: vec![feed.url.to_owned()],
            transport: Arc::new(client.clone()),
            part_bytes_max: PART_BYTES_MAX,
        }
    }
}

/// Says from where a feed is fetched, or why it cannot be. Asked when it is the feed's turn.
pub type Upstreams<'a> = dyn Fn(&'static Feed) -> Result<Upstream, String> + 'a;

/// How far an update is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// A part is being fetched.
    Fetching {
        /// Name of the feed.
        feed: &'a str,
        /// Name of the part.
        part: &'a str,
        /// How many parts of the feed came before.
        done: usize,
        /// How many parts the feed has.
        of: usize,
    },
    /// A part that was fetched is being verified.
    Verifying {
        /// Name of the feed.
        feed: &'a str,
        /// Name of the part.
        part: &'a str,
    },
    /// A feed's snapshot goes into the database.
    Building {
        /// Name of the feed.
        feed: &'a str,
    },
    /// The database is being written.
    Writing,
}

/// What an update did.
#[derive(Debug)]
pub struct UpdateReport {
    /// The feeds that were asked, in the order given.
    pub feeds: Vec<FeedReport>,
    /// What became of the database.
    pub database: DatabaseReport,
}

/// What became of one feed.
#[derive(Debug, PartialEq, Eq)]
pub struct FeedReport {
    /// Name of the feed.
    pub feed: &'static str,
    /// What became of it.
    pub outcome: FeedOutcome,
    /// URLs that failed before the one that served it, each with its error, for people.
    pub failed_urls: Vec<String>,
}

/// What became of one feed.
#[derive(Debug, PartialEq, Eq)]
pub enum FeedOutcome {
    /// It has a new snapshot.
    Updated {
        /// Parts that were fetched.
        changed: usize,
        /// Parts that stayed.
        unchanged: usize,
        /// Parts that the upstream does not have.
        absent: usize,
        /// Size of the fetched parts.
        bytes: u64,
    },
    /// The upstream has what is here already.
    Unchanged,
    /// It could not be fetched or verified.
    Failed {
        /// Why, for people.
        error: String,
        /// Whether there is an earlier snapshot that is still used.
        has_snapshot: bool,
    },
}

/// What became of the database.
#[derive(Debug)]
pub enum DatabaseReport {
    /// It was built anew. Feeds whose snapshot could not be read any more are left out of it: name and error.
    Built(Box<Built>, Vec<(&'static str, String)>),
    /// It already holds all snapshots.
    Unchanged(DatabaseIdentity),
    /// There is no snapshot to build from.
    NoSnapshots,
}

/// An update could not be done at all. The database is what it was.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// Another process updates the same directory.
    #[error("another update of `{0}` is running; wait until it is done")]
    Busy(PathBuf),
    /// The database came in a bundle without the snapshots that it was built from, and those that are here are of
    /// fewer feeds.
    #[error(
        "the database was imported without snapshots, and building it anew would lose {0}; \
         update these feeds as well, import a bundle that has their files (`--raw`), or remove the database"
    )]
    Imported(String),
    /// The data directory failed.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The database could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

/// Brings the chosen feeds, rows of [`FEEDS`], up to date and builds the database from all that have a snapshot
/// and are not off.
pub fn update(
    options: &UpdateOptions,
    feeds: &[&'static Feed],
    upstreams: &Upstreams<'_>,
    now: Timestamp,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<UpdateReport, UpdateError> {
    let _lock = lock(&options.data_dir, options.waits_for_others)?;
    let snapshots = snapshots_path(&options.data_dir);
    on("create the folder", &snapshots, fs::create_dir_all(&snapshots))?;
    settle(&options.data_dir)?;
    check_imported(&options.data_dir, |name| {
        feeds.iter().any(|feed| feed.name == name) || Folder::of(&snapshots, name).state().has_snapshot()
    })?;
    let now = now.to_string();
    let mut reports = Vec::with_capacity(feeds.len());
    for feed in feeds.iter().copied() {
        let folder = Folder::of(&snapshots, feed.name);
        let mut attempts = folder.attempts();
        let mut failed_urls = Vec::new();
        let outcome = match fetch_feed(feed, upstreams, &folder, &now, &mut failed_urls, on_progress) {
            Ok(outcome) => {
                attempts.succeed(&now, folder.state().fetched_at);
                outcome
            }
            Err(error) => {
                folder.finish()?;
                let error = error.to_string();
                attempts.fail(&error, &now);
                failed_urls.clear();
                FeedOutcome::Failed { error, has_snapshot: folder.state().has_snapshot() }
            }
        };
        folder.write_attempts(&attempts)?;
        reports.push(FeedReport { feed: feed.name, outcome, failed_urls });
    }
    let database = build(&options.data_dir, &options.off, &now, on_progress)?;
    Ok(UpdateReport { feeds: reports, database })
}

/// Fetches a feed from the first of its URLs that does not fail.
fn fetch_feed(
    feed: &'static Feed,
    upstreams: &Upstreams<'_>,
    folder: &Folder,
    now: &str,
    failed_urls: &mut Vec<String>,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<FeedOutcome, FeedError> {
    let upstream = upstreams(feed).map_err(FeedError::Upstream)?;
    let state = folder.state();
    let mut first = None;
    for base in &upstream.urls {
        let run = Run { feed, upstream: &upstream, base, now, folder };
        match run.fetch(&state, on_progress) {
            Ok(outcome) => return Ok(outcome),
            // The disk is not the mirror's fault.
            Err(error @ FeedError::Directory(_)) => return Err(error),
            Err(error) => {
                folder.finish()?;
                failed_urls.push(format!("`{}`: {error}", plimsoll_net::redacted(base)));
                first.get_or_insert(error);
            }
        }
    }
    match first {
        Some(error) if failed_urls.len() == 1 => Err(error),
        Some(_) => Err(FeedError::All(failed_urls.join("; "))),
        None => Err(FeedError::Upstream("it has no URL".to_owned())),
    }
}

/// Holds the directory for one update; released when the file is dropped, by a kill as well.
pub(crate) fn lock(folder: &Path, waits_for_others: bool) -> Result<File, UpdateError> {
    on("create the folder", folder, fs::create_dir_all(folder))?;
    let path = folder.join(LOCK);
    let file = on("open", &path, File::options().create(true).append(true).open(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) if waits_for_others => {
            on("lock", &path, file.lock())?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => Err(UpdateError::Busy(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(DirectoryError { doing: "lock", path, source }.into()),
    }
}

/// Why a feed failed.
#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error("{0}")]
    Upstream(String),
    #[error("all its URLs failed: {0}")]
    All(String),
    #[error("{0}")]
    Plan(String),
    #[error("the plan has a part `{0}` that cannot be a file name")]
    PartName(String),
    #[error("there are {0} parts, more than {PARTS_MAX}")]
    Parts(usize),
    #[error("there is no `{0}`")]
    Absent(String),
    #[error("{0}")]
    Fetch(String),
    #[error("`{part}` is not what it should be: {error}")]
    Parse { part: String, error: String },
    #[error("none of its files is there below `{0}`")]
    Nothing(String),
    #[error("its files hold no records")]
    NoRecords,
    #[error("{}", chain(.0))]
    Directory(#[from] DirectoryError),
}

/// The update of one feed from one URL.
struct Run<'a> {
    feed: &'static Feed,
    upstream: &'a Upstream,
    base: &'a str,
    now: &'a str,
    folder: &'a Folder,
}

impl Run<'_> {
    /// Fetches and verifies all that has changed, and makes it count.
    fn fetch(
        &self,
        old: &State,
        on_progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<FeedOutcome, FeedError> {
        let held =
            old.parts.iter().filter(|(_, part)| !part.is_absent).map(|(name, _)| name.clone()).collect();
        let plan = (self.feed.plan)(
            self.feed,
            &mut UrlIndex { transport: &*self.upstream.transport, base: self.base, held },
        );
        let parts = plan.map_err(|error| FeedError::Plan(error.to_string()))?;
        if parts.len() > PARTS_MAX {
            return Err(FeedError::Parts(parts.len()));
        }
        self.folder.stage()?;
        let mut new = BTreeMap::new();
        let mut changed = BTreeSet::new();
        for (done, part) in parts.iter().enumerate() {
            if !is_part_name(&part.name) {
                return Err(FeedError::PartName(part.name.chars().take(80).collect()));
            }
            let feed = self.feed.name;
            on_progress(Progress::Fetching { feed, part: &part.name, done, of: parts.len() });
            let (state, is_staged) = self.part(part, old.parts.get(&part.name))?;
            if is_staged {
                changed.insert(part.name.as_str());
            }
            new.insert(part.name.clone(), state);
        }
        let snapshot = Parts { folder: self.folder, states: &new, staged: &changed };
        let mut records = BTreeMap::new();
        for part in parts.iter().filter(|part| changed.contains(part.name.as_str())) {
            on_progress(Progress::Verifying { feed: self.feed.name, part: &part.name });
            let mut tally = Tally::default();
            parse(self.feed, part, &snapshot, &mut tally).map_err(|error| not_parsed(part, &error))?;
            records.insert(part.name.as_str(), tally.0);
        }
        for (name, state) in &mut new {
            if let Some(records) = records.get(name.as_str()) {
                state.records = *records;
            }
        }
        self.conclude(old, new, &changed)
    }

    /// Fetches one part into the staged folder, where it has changed; the flag says whether it has.
    fn part(&self, part: &Part, old: Option<&PartState>) -> Result<(PartState, bool), FeedError> {
        let url = fetch::url_of(self.base, &part.path);
        let shown = plimsoll_net::redacted(&url);
        // What is not there any more, or not whole, is fetched whatever the upstream says.
        let old = old.filter(|old| {
            fs::metadata(self.folder.part(&part.name)).is_ok_and(|file| file.len() == old.bytes)
        });
        if let Some(old) = old.filter(|old| old.is_revision(part.revision.as_deref(), &shown)) {
            return Ok((old.clone(), false));
        }
        let validators = old.map(|old| old.validators(&shown)).unwrap_or_default();
        let staged = self.folder.staged(&part.name);
        let outcome =
            fetch::fetch(&*self.upstream.transport, &url, &validators, &staged, self.upstream.part_bytes_max);
        let new = PartState {
            url: shown,
            path: part.path.clone(),
            revision: part.revision.clone(),
            fetched_at: self.now.to_owned(),
            ..PartState::default()
        };
        match (outcome.map_err(|error| FeedError::Fetch(chain(&error)))?, old) {
            (Outcome::Unchanged, Some(old)) => {
                Ok((PartState { revision: part.revision.clone(), ..old.clone() }, false))
            }
            (Outcome::Unchanged, None) => Err(FeedError::Fetch(format!(
                "`{}` answered `unchanged` to an unconditional request",
                new.url
            ))),
            (Outcome::Absent, Some(old)) if part.stays => Ok((old.clone(), false)),
            (Outcome::Absent, _) if part.may_be_absent => Ok((PartState { is_absent: true, ..new }, false)),
            (Outcome::Absent, _) => Err(FeedError::Absent(new.url)),
            (Outcome::Saved(saved), _) => {
                let etag = saved.validators.etag;
                let last_modified = saved.validators.last_modified;
                let (bytes, sha256) = (saved.bytes, saved.sha256);
                Ok((PartState { etag, last_modified, bytes, sha256, ..new }, true))
            }
        }
    }

    /// Replaces the snapshot, or only notes that it still holds.
    fn conclude(
        &self,
        old: &State,
        new: BTreeMap<String, PartState>,
        changed: &BTreeSet<&str>,
    ) -> Result<FeedOutcome, FeedError> {
        let present = || new.values().filter(|part| !part.is_absent);
        if present().next().is_none() {
            return Err(FeedError::Nothing(plimsoll_net::redacted(self.base)));
        }
        if present().all(|part| part.records == 0) {
            return Err(FeedError::NoRecords);
        }
        let content = |parts: &BTreeMap<String, PartState>| -> Vec<(String, String)> {
            let present = parts.iter().filter(|(_, part)| !part.is_absent);
            present.map(|(name, part)| (name.clone(), part.sha256.clone())).collect()
        };
        let is_same = content(&old.parts) == content(&new);
        let outcome = FeedOutcome::Updated {
            changed: changed.len(),
            unchanged: present().count() - changed.len(),
            absent: new.values().filter(|part| part.is_absent).count(),
            bytes: changed.iter().filter_map(|name| new.get(*name)).map(|part| part.bytes).sum(),
        };
        let mut state = old.clone();
        state.parts = new;
        if !is_same {
            state.fetched_at = Some(self.now.to_owned());
        }
        self.folder.commit(&state)?;
        Ok(if is_same { FeedOutcome::Unchanged } else { outcome })
    }
}

fn not_parsed(part: &Part, error: &ParseError) -> FeedError {
    FeedError::Parse { part: part.name.clone(), error: error.to_string() }
}

/// Reads a part from its file.
pub(crate) fn parse(
    feed: &Feed,
    part: &Part,
    snapshot: &dyn Snapshot,
    sink: &mut dyn Sink,
) -> Result<(), ParseError> {
    let unread = |error| ParseError(format!("cannot open it: {error}"));
    let source = snapshot.open(&part.name).map_err(unread)?;
    let mut source = source.ok_or_else(|| ParseError("it is gone".to_owned()))?;
    (feed.parse)(&Reading { feed, part, snapshot }, &mut source, sink)
}

/// The parts of a feed, each where it lies: those in `staged` are about to replace others.
pub(crate) struct Parts<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) states: &'a BTreeMap<String, PartState>,
    pub(crate) staged: &'a BTreeSet<&'a str>,
}

impl Snapshot for Parts<'_> {
    fn names(&self) -> Vec<String> {
        self.states.iter().filter(|(_, part)| !part.is_absent).map(|(name, _)| name.clone()).collect()
    }

    fn open(&self, name: &str) -> io::Result<Option<Box<dyn Source>>> {
        if self.states.get(name).is_none_or(|part| part.is_absent) {
            return Ok(None);
        }
        let path = if self.staged.contains(name) { self.folder.staged(name) } else { self.folder.part(name) };
        Ok(Some(Box::new(BufReader::with_capacity(64 << 10, File::open(path)?))))
    }
}

/// Counts the records of a part and keeps nothing.
#[derive(Debug, Default)]
pub(crate) struct Tally(pub(crate) u64);

impl Sink for Tally {
    fn advisory(&mut self, _: &Advisory, _: &[Affected]) {
        self.0 += 1;
    }

    fn kev(&mut self, _: &str, _: Kev) {
        self.0 += 1;
    }

    fn epss(&mut self, _: &str, _: Epss) {
        self.0 += 1;
    }

    fn cvss(&mut self, _: &str, _: &[Cvss]) {
        self.0 += 1;
    }

    fn end_of_life(&mut self, _: &str, _: EndOfLife) {
        self.0 += 1;
    }

    fn repository(&mut self, _: &str, _: &[&str]) {
        self.0 += 1;
    }

    fn refuse(&mut self, _: &str, _: &str) {}

    fn skip(&mut self, _: &str) {}

    fn data_date(&mut self, _: &str) {}

    fn namespace_date(&mut self, _: &str, _: &str) {}

    fn namespace(&mut self, _: &str) {}
}

/// What the database was built from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct BuiltFrom {
    /// Identity of the database.
    pub(crate) database: String,
    /// Hash of names and hashes of all parts, and of when they were fetched.
    pub(crate) snapshots: String,
    /// Id of the bundle that it came in, where it came without snapshots.
    pub(crate) bundle: Option<String>,
}

impl BuiltFrom {
    pub(crate) fn read(data_dir: &Path) -> Option<BuiltFrom> {
        let text = fs::read(snapshots_path(data_dir).join(BUILT)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(crate) fn write(&self, data_dir: &Path) -> Result<(), DirectoryError> {
        write_json(self, &snapshots_path(data_dir).join(BUILT))
    }
}

/// Refuses to replace a database that was imported without snapshots by one that lacks some of its feeds.
pub(crate) fn check_imported(data_dir: &Path, has_feed: impl Fn(&str) -> bool) -> Result<(), UpdateError> {
    let Some(from) = BuiltFrom::read(data_dir).filter(|from| from.bundle.is_some()) else { return Ok(()) };
    let Ok(database) = Database::open(&database_path(data_dir)) else { return Ok(()) };
    let names = database.feeds().iter().map(|record| record.name.as_str());
    let lost: Vec<String> = names.filter(|name| !has_feed(name)).map(|name| format!("`{name}`")).collect();
    if lost.is_empty() || database.identity().id != from.database {
        return Ok(());
    }
    Err(UpdateError::Imported(lost.join(", ")))
}

/// Builds the database from the snapshots of all feeds that are not off, unless it already holds them.
pub(crate) fn build(
    data_dir: &Path,
    off: &BTreeSet<&'static str>,
    now: &str,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<DatabaseReport, UpdateError> {
    let snapshots = snapshots_path(data_dir);
    let states: Vec<_> = FEEDS
        .iter()
        .map(|feed| (*feed, Folder::of(&snapshots, feed.name).state()))
        .filter(|(feed, state)| state.has_snapshot() && !off.contains(feed.name))
        .collect();
    if states.is_empty() {
        return Ok(DatabaseReport::NoSnapshots);
    }
    let path = database_path(data_dir);
    check_imported(data_dir, |name| states.iter().any(|(feed, _)| feed.name == name))?;
    let fingerprint = fingerprint(&states);
    if let Some(known) = BuiltFrom::read(data_dir).filter(|known| known.snapshots == fingerprint)
        && let Ok(database) = Database::open(&path)
        && database.identity().id == known.database
    {
        return Ok(DatabaseReport::Unchanged(database.identity().clone()));
    }
    let (builder, left_out) = collect(&snapshots, &states, on_progress);
    for (feed, error) in &left_out {
        forget(&Folder::of(&snapshots, feed), error, now)?;
    }
    on_progress(Progress::Writing);
    let built = builder.write(&path, now)?;
    let database = built.identity.id.clone();
    // Without those that were left out it is not what the snapshots say, and is built again next time.
    let snapshots = if left_out.is_empty() { fingerprint } else { String::new() };
    BuiltFrom { database, snapshots, bundle: None }.write(data_dir)?;
    Ok(DatabaseReport::Built(Box::new(built), left_out))
}

pub(crate) type Held = (&'static Feed, State);

/// Feeds a builder. A snapshot that cannot be read any more, though it was verified when it came, is left
/// out as a whole.
fn collect(
    snapshots: &Path,
    states: &[Held],
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> (Builder, Vec<(&'static str, String)>) {
    let mut left_out: Vec<(&'static str, String)> = Vec::new();
    'again: loop {
        let mut builder = Builder::new();
        for (feed, state) in states {
            if left_out.iter().any(|(name, _)| *name == feed.name) {
                continue;
            }
            on_progress(Progress::Building { feed: feed.name });
            if let Err(error) = add(&mut builder, snapshots, feed, state) {
                left_out.push((feed.name, error));
                continue 'again;
            }
        }
        return (builder, left_out);
    }
}

/// Notes that a snapshot is damaged, and sees to it that the next update fetches it whatever the upstream says.
fn forget(folder: &Folder, error: &str, now: &str) -> Result<(), DirectoryError> {
    let mut state = folder.state();
    for part in state.parts.values_mut() {
        (part.etag, part.last_modified) = (None, None);
    }
    folder.write_state(&state)?;
    let mut attempts = folder.attempts();
    attempts.fail(&format!("the snapshot is damaged: {error}"), now);
    folder.write_attempts(&attempts)
}

/// Feeds one snapshot.
fn add(builder: &mut Builder, snapshots: &Path, feed: &Feed, state: &State) -> Result<(), String> {
    let folder = Folder::of(snapshots, feed.name);
    let fetched_at = state.fetched_at.clone().unwrap_or_default();
    let record = FeedRecord { name: feed.name.to_owned(), fetched_at, ..FeedRecord::default() };
    let mut sink = builder.begin_feed(record);
    let snapshot = Parts { folder: &folder, states: &state.parts, staged: &BTreeSet::new() };
    for (name, part) in state.parts.iter().filter(|(_, part)| !part.is_absent) {
        let part = Part::new(name, &part.path).that_may_be_absent();
        parse(feed, &part, &snapshot, &mut sink).map_err(|error| format!("`{name}`: {error}"))?;
    }
    Ok(())
}

/// Tells two sets of snapshots apart, and two versions of the program: another version may read them better.
pub(crate) fn fingerprint(states: &[Held]) -> String {
    let mut digest = Sha256::new();
    digest.update(env!("CARGO_PKG_VERSION"));
    for (feed, state) in states {
        // The database says when each feed was fetched.
        digest.update(format!("\n{} {}", feed.name, state.fetched_at.as_deref().unwrap_or_default()));
        for (name, part) in state.parts.iter().filter(|(_, part)| !part.is_absent) {
            digest.update(format!("\n {name} {}", part.sha256));
        }
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
