//! The fetched parts of the feeds as they lie in the data directory.
//!
//! ```text
//! DATA/update.lock                     held by whoever updates
//! DATA/database.plimsoll               built from the snapshots
//! DATA/snapshots/built.json            what it was built from
//! DATA/snapshots/FEED/PART             one file of the upstream
//! DATA/snapshots/FEED/state.json       where each part came from
//! DATA/snapshots/FEED/attempts.json    how the last attempts to fetch it went
//! DATA/snapshots/FEED/.staged/         parts that are being fetched
//! DATA/snapshots/.import/              what is being imported beside the parts (see `bundle/journal.rs`)
//! DATA/exports/ID.json                 what bundles were exported
//! ```
//!
//! A feed changes as a whole. New parts are staged; once all are there and verified, the new `state.json` is
//! staged as well, and from that moment on the change counts: whoever comes next, after a kill or a power
//! failure too, moves the staged parts into place. A staged folder without a `state.json` is thrown away.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use plimsoll_net::Validators;
use serde::{Deserialize, Serialize};

const STATE: &str = "state.json";
const ATTEMPTS: &str = "attempts.json";
const STAGED: &str = ".staged";

/// Version of the shape of `state.json`. Another one is read as if there were none.
const STATE_VERSION: u32 = 1;

/// What is known of a feed's snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct State {
    pub(crate) version: u32,
    /// The parts by name, absent ones included.
    pub(crate) parts: BTreeMap<String, PartState>,
    /// When a part last changed, RFC 3339; `None` where there is no snapshot.
    pub(crate) fetched_at: Option<String>,
}

/// How the attempts to fetch a feed went. Beside the state, which may be large and changes less often.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attempts {
    /// When the upstream last confirmed all parts, RFC 3339.
    pub checked_at: Option<String>,
    /// When the data of the snapshot that was confirmed then was fetched, RFC 3339.
    pub confirms: Option<String>,
    /// When an update was last tried, RFC 3339.
    pub attempted_at: Option<String>,
    /// Why the last attempt failed, if it did.
    pub error: Option<String>,
    /// Since when all attempts have failed, RFC 3339.
    pub failing_since: Option<String>,
    /// How many attempts in a row have failed.
    pub failures: u32,
}

/// One part of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct PartState {
    /// Where it came from.
    pub(crate) url: String,
    /// Path below the feed's URL.
    pub(crate) path: String,
    /// The upstream has none.
    pub(crate) is_absent: bool,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    /// What an index of the upstream calls this state of it.
    pub(crate) revision: Option<String>,
    /// RFC 3339.
    pub(crate) fetched_at: String,
    pub(crate) bytes: u64,
    /// Lower-case hex.
    pub(crate) sha256: String,
    /// Records that were read from it.
    pub(crate) records: u64,
}

impl PartState {
    /// Whether it came from the URL and is what the upstream's index calls so.
    pub(crate) fn is_revision(&self, revision: Option<&str>, url: &str) -> bool {
        revision.is_some() && self.revision.as_deref() == revision && self.url == url && !self.is_absent
    }

    /// What to ask the upstream with; nothing where the part came from elsewhere.
    pub(crate) fn validators(&self, url: &str) -> Validators {
        match self.url == url && !self.is_absent {
            true => Validators { etag: self.etag.clone(), last_modified: self.last_modified.clone() },
            false => Validators::default(),
        }
    }
}

impl State {
    /// Whether there is something to build from.
    pub(crate) fn has_snapshot(&self) -> bool {
        self.parts.values().any(|part| !part.is_absent)
    }
}

impl Attempts {
    /// Whether a feed that a database lacks is to come without anybody doing anything: it was never tried, or what was
    /// fetched is newer than the database, which is being built. `built_at` is the database's, RFC 3339; empty where
    /// there is none. A feed that was tried in vain may come or not.
    pub fn is_to_come(&self, built_at: &str) -> bool {
        if self.attempted_at.is_none() {
            return true;
        }
        let time = |text: &str| text.parse::<Timestamp>().ok();
        let fetched = self.confirms.as_deref().filter(|_| self.error.is_none()).and_then(time);
        fetched.is_some_and(|fetched| time(built_at).is_none_or(|built| built < fetched))
    }

    /// Notes a failed attempt.
    pub(crate) fn fail(&mut self, error: &str, now: &str) {
        self.attempted_at = Some(now.to_owned());
        self.error = Some(error.to_owned());
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert_with(|| now.to_owned());
    }

    /// Notes a successful attempt.
    pub(crate) fn succeed(&mut self, now: &str, confirms: Option<String>) {
        self.confirms = confirms;
        self.attempted_at = Some(now.to_owned());
        self.checked_at = Some(now.to_owned());
        self.error = None;
        self.failing_since = None;
        self.failures = 0;
    }
}

/// The data directory failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing} `{path}`")]
pub struct DirectoryError {
    /// What was being done.
    pub doing: &'static str,
    /// On what.
    pub path: PathBuf,
    /// Why it failed.
    pub source: io::Error,
}

/// Says what was being done when an operation failed.
pub(crate) fn on<T>(doing: &'static str, path: &Path, result: io::Result<T>) -> Result<T, DirectoryError> {
    result.map_err(|source| DirectoryError { doing, path: path.to_owned(), source })
}

/// The folder of one feed.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(crate) fn of(snapshots: &Path, feed: &str) -> Folder {
        Folder { root: snapshots.join(feed) }
    }

    pub(crate) fn part(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn staged(&self, name: &str) -> PathBuf {
        self.root.join(STAGED).join(name)
    }

    /// Reads the state. One that is missing or cannot be understood is none: the next update fetches all.
    pub(crate) fn state(&self) -> State {
        let state = fs::read(self.part(STATE)).ok();
        let state: Option<State> = state.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        state.filter(|state| state.version == STATE_VERSION).unwrap_or_default()
    }

    /// Replaces the state alone.
    pub(crate) fn write_state(&self, state: &State) -> Result<(), DirectoryError> {
        on("create the folder", &self.root, fs::create_dir_all(&self.root))?;
        write_state(state, &self.part(STATE))
    }

    /// Reads how the attempts went. What is missing or cannot be understood says nothing.
    pub(crate) fn attempts(&self) -> Attempts {
        let text = fs::read(self.part(ATTEMPTS)).ok();
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    pub(crate) fn write_attempts(&self, attempts: &Attempts) -> Result<(), DirectoryError> {
        on("create the folder", &self.root, fs::create_dir_all(&self.root))?;
        write_json(attempts, &self.part(ATTEMPTS))
    }

    /// Begins to stage parts; what an earlier update left unfinished goes.
    pub(crate) fn stage(&self) -> Result<(), DirectoryError> {
        self.discard()?;
        let staged = self.root.join(STAGED);
        on("create the folder", &staged, fs::create_dir_all(&staged))
    }

    /// Throws staged parts away.
    pub(crate) fn discard(&self) -> Result<(), DirectoryError> {
        let staged = self.root.join(STAGED);
        match fs::remove_dir_all(&staged) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => on("remove the folder", &staged, result),
        }
    }

    /// Makes the staged parts count, with the state that describes them and those that stay.
    pub(crate) fn commit(&self, state: &State) -> Result<(), DirectoryError> {
        write_state(state, &self.staged(STATE))?;
        self.finish()
    }

    /// Stages how the attempts went, to count with the parts.
    pub(crate) fn stage_attempts(&self, attempts: &Attempts) -> Result<(), DirectoryError> {
        write_json(attempts, &self.staged(ATTEMPTS))
    }

    /// Whether there is something staged.
    pub(crate) fn has_staged(&self) -> bool {
        self.root.join(STAGED).is_dir()
    }

    /// Makes what is staged last.
    pub(crate) fn sync_staged(&self) -> Result<(), DirectoryError> {
        sync_folder(&self.root.join(STAGED))?;
        sync_folder(&self.root)?;
        self.root.parent().map_or(Ok(()), sync_folder)
    }

    /// Carries a change that counts to its end, or throws away one that does not count yet.
    pub(crate) fn finish(&self) -> Result<(), DirectoryError> {
        if !self.staged(STATE).is_file() {
            return self.discard();
        }
        let staged = self.root.join(STAGED);
        for name in names(&staged)?.iter().filter(|name| *name != STATE) {
            let from = staged.join(name);
            on("move into place", &from, fs::rename(&from, self.root.join(name)))?;
        }
        sync_folder(&self.root)?;
        on("move into place", &self.staged(STATE), fs::rename(self.staged(STATE), self.part(STATE)))?;
        sync_folder(&self.root)?;
        self.discard()?;
        self.remove_strays()
    }

    /// Removes files that the state does not speak of: parts that are gone from the upstream.
    fn remove_strays(&self) -> Result<(), DirectoryError> {
        let state = self.state();
        for name in names(&self.root)? {
            let is_part = state.parts.get(&name).is_some_and(|part| !part.is_absent);
            let path = self.root.join(&name);
            if name != STATE && name != ATTEMPTS && !is_part && path.is_file() {
                on("remove", &path, fs::remove_file(&path))?;
            }
        }
        Ok(())
    }
}

/// Whether a part may have a name, which becomes that of a file.
pub(crate) fn is_part_name(name: &str) -> bool {
    let is_safe = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let is_ours = name.starts_with('.') || name.starts_with(STATE) || name.starts_with(ATTEMPTS);
    !name.is_empty() && name.len() <= 200 && !is_ours && name.bytes().all(is_safe)
}

/// The names in a folder that are text; nothing else is ever put there.
fn names(folder: &Path) -> Result<Vec<String>, DirectoryError> {
    let entries = on("read the folder", folder, fs::read_dir(folder))?;
    let mut names = Vec::new();
    for entry in entries {
        names.extend(on("read the folder", folder, entry)?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}

fn write_state(state: &State, path: &Path) -> Result<(), DirectoryError> {
    write_json(&State { version: STATE_VERSION, ..state.clone() }, path)
}

/// Writes a JSON file aside and renames it, so that `path` is always whole.
pub(crate) fn write_json<T: Serialize>(value: &T, path: &Path) -> Result<(), DirectoryError> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain structs with text keys are JSON");
    text.push(b'\n');
    write_new(&text, path)
}

/// Writes a file aside and renames it, so that `path` is always whole.
pub(crate) fn write_new(text: &[u8], path: &Path) -> Result<(), DirectoryError> {
    let aside = path.with_extension("json.new");
    let written = File::create(&aside).and_then(|mut file| {
        file.write_all(text)?;
        file.sync_all()
    });
    on("write", &aside, written)?;
    on("replace", path, fs::rename(&aside, path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes renames in a folder last. Only Unix lets a folder be synced.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), DirectoryError> {
    if !cfg!(unix) {
        return Ok(());
    }
    on("sync the folder", folder, File::open(folder).and_then(|folder| folder.sync_all()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(root: &Path) -> Folder {
        let folder = Folder::of(root, "feed");
        let part = PartState { sha256: "old".to_owned(), ..PartState::default() };
        let parts = [("a", part.clone()), ("gone", part)].map(|(name, part)| (name.to_owned(), part));
        folder.write_state(&State { parts: parts.into(), ..State::default() }).unwrap();
        fs::write(folder.part("a"), "old").unwrap();
        fs::write(folder.part("gone"), "old").unwrap();
        folder
    }

    fn new_state() -> State {
        let part = PartState { sha256: "new".to_owned(), ..PartState::default() };
        State { parts: [("a".to_owned(), part)].into(), ..State::default() }
    }

    fn content(folder: &Folder) -> String {
        let read = |name| fs::read_to_string(folder.part(name)).unwrap_or_else(|_| "-".to_owned());
        format!("{} {} {}", read("a"), read("gone"), folder.state().parts["a"].sha256)
    }

    #[test]
    fn a_feed_is_to_come_until_the_database_has_it() {
        let built = "2030-01-01T12:00:00Z";
        for (attempted, confirms, error, built_at, is_to_come) in [
            (None, None, None, "", true),
            (None, None, None, built, true),
            // Fetched, and the database is being built.
            (Some("2030-01-01T12:00:01Z"), Some("2030-01-01T12:00:01Z"), None, built, true),
            (Some("2030-01-01T12:00:01Z"), Some("2030-01-01T12:00:01Z"), None, "", true),
            // The database is of the same round, or of one that found nothing new.
            (Some(built), Some(built), None, built, false),
            (Some("2030-01-02T00:00:00Z"), Some("2030-01-01T11:00:00Z"), None, built, false),
            (Some("2030-01-01T12:00:01Z"), None, Some("503"), built, false),
            (Some("2030-01-01T12:00:01Z"), Some("2030-01-01T12:00:01Z"), Some("503"), built, false),
        ] {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let attempts = Attempts {
                attempted_at: text(attempted),
                confirms: text(confirms),
                error: text(error),
                ..Attempts::default()
            };
            assert_eq!(attempts.is_to_come(built_at), is_to_come, "{attempts:?} {built_at}");
        }
    }

    #[test]
    fn what_was_not_staged_whole_is_thrown_away() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        folder.stage().unwrap();
        fs::write(folder.staged("a"), "ne").unwrap();
        folder.finish().unwrap();
        assert_eq!(content(&folder), "old old old");
        assert!(!folder.root.join(STAGED).exists());
    }

    #[test]
    fn what_was_staged_whole_is_carried_to_its_end() {
        // A kill may come before, between and after the two moves.
        for moved in 0..=1 {
            let root = tempfile::tempdir().unwrap();
            let folder = folder(root.path());
            folder.stage().unwrap();
            fs::write(folder.staged("a"), "new").unwrap();
            write_state(&new_state(), &folder.staged(STATE)).unwrap();
            if moved == 1 {
                fs::rename(folder.staged("a"), folder.part("a")).unwrap();
            }
            folder.finish().unwrap();
            assert_eq!(content(&folder), "new - new");
            assert!(!folder.root.join(STAGED).exists());
        }
    }

    #[test]
    fn a_state_that_is_not_understood_is_none() {
        let root = tempfile::tempdir().unwrap();
        let folder = folder(root.path());
        for text in ["{", "3", r#"{"version": 99, "parts": {}}"#] {
            fs::write(folder.part(STATE), text).unwrap();
            assert_eq!(folder.state(), State::default(), "{text}");
        }
    }
}
