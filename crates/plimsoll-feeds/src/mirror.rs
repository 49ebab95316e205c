//! Copying the files of feeds into a folder, laid out as their upstreams have them, for any web server to serve.
//!
//! ```text
//! DIR/FEED/PATH                      a file of the upstream
//! DIR/plimsoll-mirror.toml           configuration for whoever takes the feeds from here
//! DIR/.plimsoll-mirror/lock          held by whoever mirrors
//! DIR/.plimsoll-mirror/FEED.jsonl    what each file came with: one line a file, the last one counts
//! DIR/.plimsoll-mirror/fetching      the file that is being fetched
//! ```
//!
//! Each file is written aside and renamed. Files that say which others there are come last, so that whoever reads them
//! finds what they speak of. Nothing is parsed: whoever fetches from here verifies as if it were the upstream.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use plimsoll_net::Validators;
use serde::{Deserialize, Serialize};

use crate::feeds::{Feed, Index, Part, PlanError};
use crate::fetch::{self, Outcome, UrlIndex, chain};
use crate::snapshots::{DirectoryError, is_part_name, on, sync_folder};
use crate::update::{PARTS_MAX, Progress, Upstream, Upstreams};

const FOLDER: &str = ".plimsoll-mirror";
const LOCK: &str = "lock";
const FETCHING: &str = "fetching";

/// Name of the configuration in the folder.
pub const CONFIG: &str = "plimsoll-mirror.toml";

/// Longest path below a feed's URL, in bytes, and most folders in it.
const PATH_BYTES_MAX: usize = 1_024;
const PATH_DEPTH_MAX: usize = 32;

/// Most bytes of all the index files of one feed.
const INDEXES_BYTES_MAX: usize = 64 << 20;

/// What is mirrored.
#[derive(Clone, Debug)]
pub struct MirrorOptions {
    /// The folder; made where it is missing.
    pub dir: PathBuf,
    /// URL under which the folder will be served; `None` for the folder itself.
    pub base_url: Option<String>,
}

impl MirrorOptions {
    /// The defaults for a folder.
    pub fn new(dir: impl Into<PathBuf>) -> MirrorOptions {
        MirrorOptions { dir: dir.into(), base_url: None }
    }
}

/// What became of one feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirrorReport {
    /// Name of the feed.
    pub feed: &'static str,
    /// What became of it; why it failed, for people. What was copied before stays.
    pub outcome: Result<Mirrored, String>,
}

/// What was copied of one feed. Files that say which others there are count as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mirrored {
    /// Files that are new or changed.
    pub changed: usize,
    /// Files that stayed.
    pub unchanged: usize,
    /// Files that the upstream does not have.
    pub absent: usize,
    /// Files that are gone from the upstream, and were removed here.
    pub removed: usize,
    /// Size of what was fetched.
    pub bytes: u64,
}

/// Nothing could be mirrored at all.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// Another process mirrors into the same folder.
    #[error("another mirror into `{0}` is running; wait until it is done")]
    Busy(PathBuf),
    /// The folder failed.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
}

/// What is known of a file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
struct Known {
    /// Below the feed's folder.
    file: String,
    /// Where it came from, without credentials.
    url: String,
    etag: Option<String>,
    last_modified: Option<String>,
    revision: Option<String>,
    bytes: u64,
    /// Whether the feed's URL is this file, and no folder.
    is_the_feed: bool,
    /// Whether it is gone.
    is_removed: bool,
}

/// Mirrors feeds, one after the other; one that fails stops no other.
pub fn mirror(
    options: &MirrorOptions,
    feeds: &[&'static Feed],
    upstreams: &Upstreams<'_>,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<MirrorReport>, MirrorError> {
    let own = options.dir.join(FOLDER);
    on("create the folder", &own, fs::create_dir_all(&own))?;
    let _lock = lock(&options.dir)?;
    let aside = own.join(FETCHING);
    match fs::remove_file(&aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        // What a kill left.
        result => on("remove", &aside, result)?,
    }
    let mut reports = Vec::new();
    for feed in feeds.iter().copied() {
        let outcome = first_that_serves(options, feed, upstreams, &own, on_progress);
        reports.push(MirrorReport { feed: feed.name, outcome });
    }
    write_config(options)?;
    Ok(reports)
}

/// Mirrors a feed from the first of its URLs that does not fail.
fn first_that_serves(
    options: &MirrorOptions,
    feed: &'static Feed,
    upstreams: &Upstreams<'_>,
    own: &Path,
    on_progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Mirrored, String> {
    let upstream = upstreams(feed)?;
    let mut failed = Vec::new();
    for base in &upstream.urls {
        match (Run { options, feed, upstream: &upstream, base, own }).mirror(on_progress) {
            Ok(done) => return Ok(done),
            Err(error) => failed.push(error.to_string()),
        }
    }
    Err(failed.join("; then "))
}

fn lock(dir: &Path) -> Result<File, MirrorError> {
    let path = dir.join(FOLDER).join(LOCK);
    let file = on("open", &path, File::options().create(true).append(true).open(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(MirrorError::Busy(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(DirectoryError { doing: "lock", path, source }.into()),
    }
}

/// Why a feed failed.
#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error("{0}")]
    Plan(String),
    #[error("there are {0} files, more than {PARTS_MAX}")]
    Parts(usize),
    #[error("its file `{0}` cannot be served from a folder")]
    Path(String),
    #[error("there is no `{0}`")]
    Absent(String),
    #[error("{0}")]
    Fetch(String),
    #[error("none of its files is there below `{0}`")]
    Nothing(String),
    #[error("{}", chain(.0))]
    Directory(#[from] DirectoryError),
}

/// Reads index files and keeps what it read.
struct Recorder<'a> {
    inner: UrlIndex<'a>,
    /// By path; `None` where there is none.
    read: BTreeMap<String, Option<Vec<u8>>>,
    bytes: usize,
}

impl Index for Recorder<'_> {
    fn get(&mut self, path: &str) -> Result<Option<Vec<u8>>, PlanError> {
        let answer = self.inner.get(path)?;
        self.bytes += answer.as_ref().map_or(0, Vec::len);
        if self.bytes > INDEXES_BYTES_MAX || self.read.len() > PARTS_MAX {
            return Err(PlanError("its index files are too many or too large".to_owned()));
        }
        self.read.insert(path.to_owned(), answer.clone());
        Ok(answer)
    }

    fn held(&self) -> Vec<String> {
        self.inner.held()
    }
}

/// The mirroring of one feed.
struct Run<'a> {
    options: &'a MirrorOptions,
    feed: &'static Feed,
    upstream: &'a Upstream,
    base: &'a str,
    own: &'a Path,
}

impl Run<'_> {
    fn mirror(&self, on_progress: &mut dyn FnMut(Progress<'_>)) -> Result<Mirrored, FeedError> {
        let base = self.base;
        let folder = self.options.dir.join(self.feed.name);
        on("create the folder", &folder, fs::create_dir_all(&folder))?;
        let mut journal = Journal::open(&self.own.join(format!("{}.jsonl", self.feed.name)))?;
        // Nothing is held: the plan must be of all that a new machine would fetch.
        let inner = UrlIndex { transport: &*self.upstream.transport, base, held: Vec::new() };
        let mut index = Recorder { inner, read: BTreeMap::new(), bytes: 0 };
        let plan = (self.feed.plan)(self.feed, &mut index);
        let parts = plan.map_err(|error| FeedError::Plan(error.to_string()))?;
        if parts.len() > PARTS_MAX {
            return Err(FeedError::Parts(parts.len()));
        }
        let mut done = Mirrored::default();
        let mut files = BTreeSet::new();
        for (at, part) in parts.iter().enumerate() {
            let (feed, of) = (self.feed.name, parts.len());
            on_progress(Progress::Fetching { feed, part: &part.name, done: at, of });
            let file = file_of(part, &parts)?;
            if self.part(&folder, part, &file, &mut journal, &mut done)? {
                files.insert(file);
            }
        }
        if files.is_empty() {
            return Err(FeedError::Nothing(plimsoll_net::redacted(base)));
        }
        for (path, content) in &index.read {
            let file = safe_path(path).ok_or_else(|| FeedError::Path(path.chars().take(80).collect()))?;
            let Some(content) = content else { continue };
            // One that is a part as well was fetched already.
            if files.insert(file.clone()) {
                self.index(&folder, &file, content, &mut journal, &mut done)?;
            }
        }
        done.removed = journal.remove_others(&folder, &files)?;
        journal.rewrite()?;
        Ok(done)
    }

    /// Fetches a part unless it is here. Says whether the upstream has it.
    fn part(
        &self,
        folder: &Path,
        part: &Part,
        file: &str,
        journal: &mut Journal,
        done: &mut Mirrored,
    ) -> Result<bool, FeedError> {
        let url = fetch::url_of(self.base, &part.path);
        let shown = plimsoll_net::redacted(&url);
        let to = folder.join(file);
        let is_whole = |known: &&Known| fs::metadata(&to).is_ok_and(|there| there.len() == known.bytes);
        let known = journal.known(file).filter(|known| known.url == shown).filter(is_whole).cloned();
        if part.revision.is_some() && known.as_ref().is_some_and(|known| known.revision == part.revision) {
            done.unchanged += 1;
            return Ok(true);
        }
        let validators = known.as_ref().map_or_else(Validators::default, |known| Validators {
            etag: known.etag.clone(),
            last_modified: known.last_modified.clone(),
        });
        let aside = self.own.join(FETCHING);
        let fetched = {
            let Upstream { transport, part_bytes_max, .. } = self.upstream;
            fetch::fetch(&**transport, &url, &validators, &aside, *part_bytes_max)
        };
        match (fetched.map_err(|error| FeedError::Fetch(chain(&error)))?, known) {
            (Outcome::Unchanged, Some(known)) => {
                done.unchanged += 1;
                if known.revision != part.revision {
                    journal.note(Known { revision: part.revision.clone(), ..known })?;
                }
                Ok(true)
            }
            (Outcome::Unchanged, None) => {
                Err(FeedError::Fetch(format!("`{shown}` answered `unchanged` to an unconditional request")))
            }
            (Outcome::Absent, Some(_)) if part.stays => {
                done.unchanged += 1;
                Ok(true)
            }
            (Outcome::Absent, _) if part.may_be_absent => {
                done.absent += 1;
                Ok(false)
            }
            (Outcome::Absent, _) => Err(FeedError::Absent(shown)),
            (Outcome::Saved(saved), _) => {
                place(&aside, &to)?;
                (done.changed, done.bytes) = (done.changed + 1, done.bytes + saved.bytes);
                journal.note(Known {
                    file: file.to_owned(),
                    url: shown,
                    etag: saved.validators.etag,
                    last_modified: saved.validators.last_modified,
                    revision: part.revision.clone(),
                    bytes: saved.bytes,
                    is_the_feed: part.path.is_empty(),
                    is_removed: false,
                })?;
                Ok(true)
            }
        }
    }

    /// Writes a file that says which parts there are, as it was when they were planned.
    fn index(
        &self,
        folder: &Path,
        file: &str,
        content: &[u8],
        journal: &mut Journal,
        done: &mut Mirrored,
    ) -> Result<(), FeedError> {
        let to = folder.join(file);
        if fs::read(&to).is_ok_and(|there| there == content) {
            done.unchanged += 1;
        } else {
            let aside = self.own.join(FETCHING);
            let written = File::create(&aside).and_then(|mut file| {
                file.write_all(content)?;
                file.sync_all()
            });
            on("write", &aside, written)?;
            place(&aside, &to)?;
            (done.changed, done.bytes) = (done.changed + 1, done.bytes + content.len() as u64);
        }
        let bytes = content.len() as u64;
        let known = Known { file: file.to_owned(), bytes, ..Known::default() };
        if journal.known(file) != Some(&known) {
            journal.note(known)?;
        }
        Ok(())
    }
}

/// Moves a file that is whole into place.
fn place(aside: &Path, to: &Path) -> Result<(), DirectoryError> {
    if let Some(folder) = to.parent() {
        on("create the folder", folder, fs::create_dir_all(folder))?;
    }
    on("move into place", to, fs::rename(aside, to))?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// Where a part lies below the feed's folder. One whose path is the URL itself has its own name, and then it must be
/// the only one: beside a file of that name there can be no folder for the others.
fn file_of(part: &Part, parts: &[Part]) -> Result<String, FeedError> {
    let unfit = || FeedError::Path(part.path.chars().take(80).collect());
    match part.path.as_str() {
        "" if parts.len() == 1 && is_part_name(&part.name) => Ok(part.name.clone()),
        path => safe_path(path).ok_or_else(unfit),
    }
}

/// The file that a web server serves for a path; `None` where it serves none, or where it would lead elsewhere.
fn safe_path(path: &str) -> Option<String> {
    let bytes = percent_decoded(path)?;
    let path = String::from_utf8(bytes).ok()?;
    let is_safe = |name: &str| {
        !name.is_empty()
            && name.len() <= 255
            && !name.starts_with('.')
            && !name
                .chars()
                .any(|c| c.is_control() || matches!(c, '\\' | ':' | '?' | '#' | '*' | '"' | '<' | '>' | '|'))
    };
    let is_short = path.len() <= PATH_BYTES_MAX && path.split('/').count() <= PATH_DEPTH_MAX;
    (is_short && path.split('/').all(is_safe)).then_some(path)
}

fn percent_decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                let digits = std::str::from_utf8(&digits).ok().filter(|text| !text.starts_with('+'))?;
                u8::from_str_radix(digits, 16).ok()?
            }
            byte => byte,
        });
    }
    Some(decoded)
}

/// What each file of a feed came with. A line is added as soon as its file is in place, so that a mirror that was killed
/// goes on where it stopped.
struct Journal {
    path: PathBuf,
    known: BTreeMap<String, Known>,
    file: File,
}

impl Journal {
    fn open(path: &Path) -> Result<Journal, DirectoryError> {
        // A line that a kill cut off says nothing; its file is fetched again.
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Known>(line).ok());
        let mut known = BTreeMap::new();
        // A path of somebody else's making must not lead out of the folder.
        for line in lines.filter(|line| safe_path(&line.file.replace('%', "%25")).is_some()) {
            known.insert(line.file.clone(), line);
        }
        known.retain(|_, line| !line.is_removed);
        let mut file = on("open", path, File::options().create(true).append(true).open(path))?;
        if !text.is_empty() && !text.ends_with('\n') {
            on("write", path, file.write_all(b"\n"))?;
        }
        Ok(Journal { path: path.to_owned(), known, file })
    }

    fn known(&self, file: &str) -> Option<&Known> {
        self.known.get(file)
    }

    fn note(&mut self, known: Known) -> Result<(), DirectoryError> {
        let mut line = serde_json::to_vec(&known).expect("a plain struct is JSON");
        line.push(b'\n');
        on("write", &self.path, self.file.write_all(&line))?;
        match known.is_removed {
            true => drop(self.known.remove(&known.file)),
            false => drop(self.known.insert(known.file.clone(), known)),
        }
        Ok(())
    }

    /// Removes the files that are not among those. Gives how many.
    fn remove_others(&mut self, folder: &Path, files: &BTreeSet<String>) -> Result<usize, DirectoryError> {
        let gone: Vec<Known> =
            self.known.values().filter(|known| !files.contains(&known.file)).cloned().collect();
        for known in &gone {
            let path = folder.join(&known.file);
            match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => on("remove", &path, result)?,
            }
            self.note(Known { is_removed: true, ..known.clone() })?;
        }
        Ok(gone.len())
    }

    /// Writes it anew, without what does not count any more.
    fn rewrite(self) -> Result<(), DirectoryError> {
        let mut text = Vec::new();
        for known in self.known.values() {
            serde_json::to_writer(&mut text, known).expect("a plain struct is JSON");
            text.push(b'\n');
        }
        crate::snapshots::write_new(&text, &self.path)
    }
}

/// Writes the configuration of whoever takes the feeds from here: all that are in the folder, whenever they came.
fn write_config(options: &MirrorOptions) -> Result<(), MirrorError> {
    let base = match &options.base_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let dir = on("read", &options.dir, options.dir.canonicalize())?;
            format!("file://{}", encoded(&dir.to_string_lossy()))
        }
    };
    let mut text = "# Written by `plimsoll feeds mirror`: takes the feeds from there.\n".to_owned();
    for feed in crate::feeds::FEEDS {
        let journal = options.dir.join(FOLDER).join(format!("{}.jsonl", feed.name));
        if !journal.exists() {
            continue;
        }
        let journal = Journal::open(&journal)?;
        let Some(any) = journal.known.values().next() else { continue };
        let mut url = format!("{base}/{}", feed.name);
        if any.is_the_feed {
            url = format!("{url}/{}", encoded(&any.file));
        }
        text += &format!("\n[feeds.{}]\nurl = {}\n", feed.name, quoted(&url));
    }
    Ok(crate::snapshots::write_new(text.as_bytes(), &options.dir.join(CONFIG))?)
}

/// A path in a URL.
fn encoded(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(byte.into())
            }
            byte => text += &format!("%{byte:02X}"),
        }
    }
    text
}

/// A text in TOML: its escapes are those of JSON.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is JSON")
}

#[cfg(test)]
mod tests;
