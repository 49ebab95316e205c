//! Bringing an import to its end, once it counts.
//!
//! ```text
//! DATA/snapshots/FEED/.staged/         parts of a feed, and its `attempts.json`
//! DATA/snapshots/.import/database      the database
//! DATA/snapshots/.import/files/..      files of the data directory
//! DATA/snapshots/.import/journal.json  what is to become of it all
//! ```
//!
//! An import of several feeds is one change. All is staged first; the journal is written last, and from that moment on
//! the import counts: whoever takes the lock next, after a kill too, carries it to its end with [`settle`]. Each step
//! may have been done already and does nothing then. Without a journal all that is staged is thrown away.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::feeds::FEEDS;
use crate::snapshots::{DirectoryError, Folder, State, on, sync_folder, write_json};
use crate::update::{BuiltFrom, database_path, snapshots_path};

const FOLDER: &str = ".import";
const JOURNAL: &str = "journal.json";
const DATABASE: &str = "database";
const FILES: &str = "files";

/// What an import changes.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Journal {
    /// The feeds that have something staged, with the state that they get.
    pub(crate) feeds: Vec<(String, State)>,
    /// What the staged database was built from, where there is one.
    pub(crate) database: Option<BuiltFrom>,
    /// The staged files, by their path below the data directory.
    pub(crate) files: Vec<String>,
}

/// Where an import stages what is not a feed's.
#[derive(Debug)]
pub(crate) struct Staging {
    data_dir: PathBuf,
}

impl Staging {
    pub(crate) fn of(data_dir: &Path) -> Staging {
        Staging { data_dir: data_dir.to_owned() }
    }

    fn root(&self) -> PathBuf {
        snapshots_path(&self.data_dir).join(FOLDER)
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.root().join(DATABASE)
    }

    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.root().join(FILES).join(path)
    }

    /// Makes an empty place.
    pub(crate) fn begin(&self) -> Result<(), DirectoryError> {
        self.discard()?;
        on("create the folder", &self.root(), fs::create_dir_all(self.root()))
    }

    pub(crate) fn discard(&self) -> Result<(), DirectoryError> {
        match fs::remove_dir_all(self.root()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => on("remove the folder", &self.root(), result),
        }
    }

    /// Makes the import count and carries it to its end.
    pub(crate) fn commit(&self, journal: &Journal) -> Result<(), DirectoryError> {
        for (feed, _) in &journal.feeds {
            Folder::of(&snapshots_path(&self.data_dir), feed).sync_staged()?;
        }
        for path in &journal.files {
            sync_above(&self.file(path), &self.root())?;
        }
        sync_folder(&self.root())?;
        write_json(journal, &self.root().join(JOURNAL))?;
        self.apply(journal)
    }

    fn apply(&self, journal: &Journal) -> Result<(), DirectoryError> {
        let snapshots = snapshots_path(&self.data_dir);
        for (feed, state) in &journal.feeds {
            let folder = Folder::of(&snapshots, feed);
            if folder.has_staged() {
                folder.commit(state)?;
            }
        }
        for path in &journal.files {
            let to = self.data_dir.join(path);
            if let Some(folder) = to.parent() {
                on("create the folder", folder, fs::create_dir_all(folder))?;
            }
            move_once(&self.file(path), &to)?;
            sync_above(&to, &self.data_dir)?;
        }
        if let Some(built_from) = &journal.database {
            move_once(&self.database(), &database_path(&self.data_dir))?;
            sync_folder(&self.data_dir)?;
            built_from.write(&self.data_dir)?;
        }
        // The journal first: what it speaks of must be there as long as it is.
        let journal = self.root().join(JOURNAL);
        on("remove", &journal, fs::remove_file(&journal))?;
        sync_folder(&self.root())?;
        self.discard()
    }
}

/// Syncs the folders from a file up to `top`.
fn sync_above(path: &Path, top: &Path) -> Result<(), DirectoryError> {
    path.ancestors().skip(1).take_while(|folder| folder.starts_with(top)).try_for_each(sync_folder)
}

/// Moves a file into place, unless that was done before.
fn move_once(from: &Path, to: &Path) -> Result<(), DirectoryError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && to.exists() => Ok(()),
        result => on("move into place", from, result),
    }
}

/// Carries to its end, or throws away, what a killed import or update left. Whoever calls this holds the lock.
pub(crate) fn settle(data_dir: &Path) -> Result<(), DirectoryError> {
    let staging = Staging::of(data_dir);
    let path = staging.root().join(JOURNAL);
    match fs::read(&path) {
        Ok(text) => {
            let journal: Result<Journal, _> = serde_json::from_slice(&text);
            let journal = on("understand", &path, journal.map_err(io::Error::other))?;
            staging.apply(&journal)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => staging.discard()?,
        Err(error) => return on("read", &path, Err(error)),
    }
    let snapshots = snapshots_path(data_dir);
    FEEDS.iter().try_for_each(|feed| Folder::of(&snapshots, feed.name).finish())
}
