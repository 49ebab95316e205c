//! The advisory database as the server has it, and how its feeds stand.
//!
//! The database is a file that is replaced by renaming. Whoever asks gets the one of this moment and keeps it; a look
//! every few seconds notices another one.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, OnceLock, PoisonError};

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::advisory::{Advisories as _, FeedRecord, LookupError};
use plimsoll_core::digest::hex;
use plimsoll_core::standings::Standings;
use plimsoll_feeds::database::{Database, Names};
use plimsoll_feeds::update::database_path;
use plimsoll_store::{EventKind, NewEvent, StoreError};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Server;
use crate::config::Config;
use crate::standings::standings;
use crate::watched::FileIdentity;

/// After how long a scan that waits for feeds is tried again although nothing has changed here.
const WAKE_AGAIN: SignedDuration = SignedDuration::from_mins(10);

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
    /// The names of the database's advisories, once somebody asks; shared by all who have a database of this content.
    names: Arc<OnceLock<Result<Names, LookupError>>>,
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
        Advised { database, standings, stamp, file, names: Arc::default() }
    }

    /// Whether the file at the path is another one by now.
    pub(crate) fn is_outdated(&self, data_dir: &Path) -> bool {
        FileIdentity::of(&database_path(data_dir)) != self.file
    }

    /// `sha256:..` of the database; empty where there is none.
    pub(crate) fn database_id(&self) -> &str {
        self.database.as_ref().map_or("", |database| database.identity().id.as_str())
    }

    /// The numbers of the advisories of the database that go by a name. Reads all of them the first time.
    pub(crate) fn named(&self, database: &Database, name: &str) -> Result<BTreeSet<u32>, LookupError> {
        let names = self.names.get_or_init(|| Names::of(database));
        names.as_ref().map_err(Clone::clone)?.advisories(database, name)
    }

    /// Reads the names of the advisories where that is not done yet, so that nobody who searches waits for it. What goes wrong is
    /// told to whoever searches.
    pub(crate) fn read_names(&self) {
        if let Ok(database) = &self.database {
            self.names.get_or_init(|| Names::of(database));
        }
    }

    /// The feeds in the database.
    pub(crate) fn feeds(&self) -> &[FeedRecord] {
        self.database.as_ref().map_or(&[], |database| database.feeds())
    }
}

/// What was made of the advisories so far.
pub(super) struct Followed {
    /// The database that was told of last.
    database: String,
    /// [`Advised::stamp`] of when all scans that wait for feeds were woken last.
    woken: String,
}

impl Followed {
    /// At the start there is nothing to tell, and what waits is woken.
    pub(super) fn from(advised: &Advised) -> Followed {
        Followed { database: advised.database_id().to_owned(), woken: String::new() }
    }
}

impl Server {
    /// Reads the advisory database anew and how feeds stand. Where the database is another one, that is an event; where
    /// an image may be judged otherwise, the scans that wait for feeds are woken, and else those that have waited long:
    /// another replica may have other feeds. What does not work is tried again at the next call.
    pub(crate) fn follow_advisories(&self) -> Result<(), StoreError> {
        // One at a time, so that nothing is told twice.
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.now)();
        let mut advised = Advised::read(&self.config, &self.data_dir, now);
        let before = self.advised();
        if advised.database_id() == before.database_id() {
            advised.names = Arc::clone(&before.names);
        }
        let advised = Arc::new(advised);
        *self.advised.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&advised);
        let Some(store) = self.store.get().filter(|_| advised.database.is_ok()) else { return Ok(()) };
        let id = advised.database_id();
        if followed.database != id {
            tracing::info!(database = %id, "another advisory database");
            let body = json!({ "database": id, "replica": self.replica }).to_string();
            let event = NewEvent { kind: EventKind::DatabaseChanged, subject: id.to_owned(), body };
            store.note_events(&[event], now)?;
            id.clone_into(&mut followed.database);
        }
        let stood_before = match followed.woken == advised.stamp {
            true => now.checked_sub(WAKE_AGAIN).unwrap_or(Timestamp::MIN),
            false => now,
        };
        if store.wake_awaiting(stood_before, now)? > 0 {
            self.bell.ring();
        }
        followed.woken.clone_from(&advised.stamp);
        Ok(())
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
