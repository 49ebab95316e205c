//! The advisory database as the server has it, and how its feeds stand.
//!
//! The database is a file that is replaced by renaming. Whoever asks gets the one of this moment and keeps it; a look
//! every few seconds notices another one.

use std::path::Path;

use jiff::Timestamp;
use plimsoll_core::advisory::{Advisories as _, FeedRecord};
use plimsoll_core::digest::hex;
use plimsoll_core::standings::Standings;
use plimsoll_feeds::database::Database;
use plimsoll_feeds::update::database_path;
use sha2::{Digest as _, Sha256};

use crate::config::Config;
use crate::standings::standings;
use crate::watched::FileIdentity;

/// An advisory database and how its feeds stand.
pub(crate) struct Advised {
    /// The database, or why there is none.
    pub(crate) database: Result<Database, String>,
    /// How feeds stood when this was read.
    pub(crate) standings: Standings,
    /// Text that is another one where an image would be judged otherwise: another database, another day, a feed that
    /// has become stale, failing, or off.
    pub(crate) stamp: String,
    /// What the file was.
    file: FileIdentity,
}

impl Advised {
    /// Opens what is there now.
    pub(crate) fn read(config: &Config, data_dir: &Path, now: Timestamp) -> Advised {
        let path = database_path(data_dir);
        // Taken first: a file that comes in between is noticed at the next look.
        let file = FileIdentity::of(&path);
        let database = if path.exists() {
            Database::open(&path).map_err(|error| error.to_string())
        } else {
            Err("there is no advisory database yet".to_owned())
        };
        let standings = standings(config, Some(data_dir), now);
        let stamp = stamp(&database, &standings);
        Advised { database, standings, stamp, file }
    }

    /// Whether the file at the path is another one by now.
    pub(crate) fn is_outdated(&self, data_dir: &Path) -> bool {
        FileIdentity::of(&database_path(data_dir)) != self.file
    }

    /// `sha256:..` of the database; empty where there is none.
    pub(crate) fn database_id(&self) -> &str {
        self.database.as_ref().map_or("", |database| database.identity().id.as_str())
    }

    /// The feeds in the database.
    pub(crate) fn feeds(&self) -> &[FeedRecord] {
        self.database.as_ref().map_or(&[], |database| database.feeds())
    }
}

fn stamp(database: &Result<Database, String>, standings: &Standings) -> String {
    let mut hasher = Sha256::new();
    let mut field = |text: &str| {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    };
    field(&standings.today);
    for (name, standing) in &standings.feeds {
        field(name);
        field(if standing.is_off { "off" } else { "on" });
        field(standing.failing_since.as_deref().unwrap_or_default());
        let (fetched, confirmed) = standing.confirmed.as_ref().map_or(("", ""), |(a, b)| (a, b));
        field(fetched);
        field(confirmed);
    }
    if let Ok(database) = database {
        field(&database.identity().id);
        for feed in database.feeds() {
            for namespace in &feed.namespaces {
                let date = standings.date_of(feed, namespace);
                field(if standings.is_stale(&feed.name, &date) { "stale" } else { "fresh" });
            }
        }
    }
    hex(&hasher.finalize())
}
