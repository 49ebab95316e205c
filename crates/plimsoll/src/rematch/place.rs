//! How far the server is with comparing databases: a setting that all replicas share, and the files that it speaks of.
//!
//! ```text
//! DATA/server/compared.plimsoll    the database that all images are told of
//! DATA/server/comparing.plimsoll   the one that they are being told of
//! ```
//!
//! Each replica keeps both files, so that any of them can go on where another one was killed. A database that is replaced
//! in the data directory lives on in them: they are further names of the same files where the file system has such, and
//! copies elsewhere.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use plimsoll_core::advisory::Advisories as _;
use plimsoll_feeds::database::Database;
use plimsoll_feeds::update::database_path;
use serde::{Deserialize, Serialize};

/// The setting.
pub(crate) const SETTING: &str = "compared_database";

/// How far the server is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// The database that all images are told of: `sha256:..`.
    pub(crate) compared: String,
    /// When that was built, RFC 3339: of what is older nobody is told. Empty where an older version noted it.
    #[serde(default)]
    pub(crate) compared_built_at: String,
    /// The one that they are being told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) comparing: Option<Comparing>,
    /// What was said when a database became the first to compare with without being compared itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) skipped: Option<String>,
}

/// A comparison on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Comparing {
    /// The new database.
    pub(crate) to: String,
    /// When that was built, RFC 3339.
    #[serde(default)]
    pub(crate) to_built_at: String,
    /// When it was begun, RFC 3339.
    pub(crate) since: String,
    /// The last image that was told of it, in the order of digests; empty before the first.
    pub(crate) after: String,
    /// How many images were told so far.
    pub(crate) images: u64,
}

impl Standing {
    /// Reads the setting. What is not understood is nothing, and then the next database is the first.
    pub(crate) fn read(text: &str) -> Option<Standing> {
        serde_json::from_str(text).ok()
    }

    /// Whether a database was built before the newest that images were told of. Times that cannot be read say nothing.
    pub(crate) fn is_older(&self, built_at: &str) -> bool {
        let time = |text: &str| text.parse::<Timestamp>().ok();
        let to = self.comparing.as_ref().and_then(|comparing| time(&comparing.to_built_at));
        let newest = to.max(time(&self.compared_built_at));
        time(built_at).zip(newest).is_some_and(|(time, newest)| time < newest)
    }

    /// As it is stored.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("plain structs with text keys are JSON")
    }
}

/// The files of one replica.
pub(crate) struct Files {
    folder: PathBuf,
    current: PathBuf,
}

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    Compared,
    Comparing,
}

impl Files {
    /// Those in a data directory.
    pub(crate) fn of(data_dir: &Path) -> Files {
        Files { folder: data_dir.join("server"), current: database_path(data_dir) }
    }

    fn path(&self, kept: Kept) -> PathBuf {
        self.folder.join(match kept {
            Kept::Compared => "compared.plimsoll",
            Kept::Comparing => "comparing.plimsoll",
        })
    }

    /// The database with this id, where one of the files or the current one is it.
    pub(crate) fn open(&self, id: &str) -> Option<Database> {
        let places = [self.path(Kept::Compared), self.path(Kept::Comparing), self.current.clone()];
        places
            .iter()
            .filter(|path| path.exists())
            .filter_map(|path| Database::open(path).ok())
            .find(|database| database.identity().id == id)
    }

    /// Keeps the database with this id, where this replica has it; whether it does.
    pub(crate) fn keep(&self, kept: Kept, id: &str) -> io::Result<bool> {
        let place = self.path(kept);
        let is_it = |path: &Path| {
            path.exists() && Database::open(path).is_ok_and(|database| database.identity().id == id)
        };
        if is_it(&place) {
            return Ok(true);
        }
        let others = [self.path(Kept::Compared), self.path(Kept::Comparing), self.current.clone()];
        let Some(from) = others.iter().find(|path| is_it(path)) else { return Ok(false) };
        fs::create_dir_all(&self.folder)?;
        let aside = place.with_extension("new");
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if fs::hard_link(from, &aside).is_err() {
            fs::copy(from, &aside)?;
        }
        // It may have been replaced since it was looked at.
        if !is_it(&aside) {
            fs::remove_file(&aside)?;
            return Ok(false);
        }
        fs::rename(&aside, &place)?;
        Ok(true)
    }
}
