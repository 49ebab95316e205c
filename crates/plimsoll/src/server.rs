//! What all routes and all workers of the server share.
//!
//! The server listens before its store is open, so that whoever asks is told that it is starting or migrating; until
//! then [`Server::store`] refuses. Everything below here blocks; routes go through [`Server::blocking`].

use std::path::PathBuf;
use std::sync::{Arc, OnceLock, RwLock};

use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::Reason;
use plimsoll_store::{Store, StoreError};

use crate::access::Door;
use crate::config::Config;
use crate::http::Refusal;
use crate::http::limits::Rates;

mod advisories;
mod assessed;
mod lifecycle;
pub(crate) mod metrics;

pub(crate) use advisories::Advised;
pub(crate) use assessed::Assessed;
pub(crate) use lifecycle::Lifecycle;
pub(crate) use metrics::Metrics;

/// Most questions whether the store answers that may wait for it at once.
const PROBES_MAX: usize = 4;

/// What all routes and all workers share.
pub(crate) struct Server {
    /// The whole configuration.
    pub(crate) config: Config,
    /// Where the advisory database and feeds are.
    pub(crate) data_dir: PathBuf,
    /// Whether the server is starting, ready or ending.
    pub(crate) lifecycle: Lifecycle,
    /// The time; a test's own where it wants one.
    pub(crate) now: fn() -> Timestamp,
    /// What this server is called among its replicas: unique.
    pub(crate) replica: String,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// How often clients asked of late.
    pub(crate) rates: Rates,
    /// Questions whether the store answers that are under way.
    pub(crate) probes: Arc<tokio::sync::Semaphore>,
    door: OnceLock<Result<Door, String>>,
    store: OnceLock<Arc<Store>>,
    advised: RwLock<Arc<Advised>>,
    assessed: assessed::Cache,
}

impl Server {
    /// A server that is starting: no store yet, and the advisory database that is there.
    pub(crate) fn new(config: Config, data_dir: PathBuf, replica: String, now: fn() -> Timestamp) -> Server {
        let advised = RwLock::new(Arc::new(Advised::read(&config, &data_dir, now())));
        Server {
            config,
            data_dir,
            lifecycle: Lifecycle::default(),
            now,
            replica,
            metrics: Metrics::default(),
            rates: Rates::default(),
            probes: Arc::new(tokio::sync::Semaphore::new(PROBES_MAX)),
            door: OnceLock::new(),
            store: OnceLock::new(),
            advised,
            assessed: assessed::Cache::default(),
        }
    }

    /// Gives the server its store, once.
    pub(crate) fn set_store(&self, store: Arc<Store>) {
        drop(self.store.set(store));
    }

    /// Who may ask. Made of the configuration when it is first wanted; where that does not work, nobody may.
    pub(crate) fn door(&self) -> Result<&Door, Refusal> {
        let door = self.door.get_or_init(|| Door::new(&self.config).map_err(|error| format!("{error:#}")));
        door.as_ref().map_err(|error| {
            Refusal::new(
                500,
                "internal",
                format!("nobody is let in, since the configuration does not work: {error}"),
            )
        })
    }

    /// Reads the advisory database anew where the file is another one, and how feeds stand in any case. Whether the
    /// database is another one.
    pub(crate) fn refresh_advised(&self) -> bool {
        let before = self.advised();
        let after = Arc::new(Advised::read(&self.config, &self.data_dir, (self.now)()));
        let is_other = before.is_outdated(&self.data_dir) && before.database_id() != after.database_id();
        *self.advised.write().unwrap_or_else(std::sync::PoisonError::into_inner) = after;
        is_other
    }

    /// The store, once it is open.
    pub(crate) fn store(&self) -> Result<&Arc<Store>, Refusal> {
        self.store.get().ok_or_else(|| {
            let reason = self.lifecycle.not_ready().unwrap_or(Reason::Starting);
            Refusal::unavailable("not_ready", format!("the server is not ready yet: {reason}; ask again"))
        })
    }

    /// Does what blocks on a thread that may.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Server) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let server = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(&server)).await {
            Ok(done) => done,
            Err(error) => Err(Refusal::new(500, "internal", format!("the work broke off: {error}"))),
        }
    }

    /// The advisory database of this moment and how its feeds stand. A holder keeps what it got, whatever comes next.
    pub(crate) fn advised(&self) -> Arc<Advised> {
        let advised = self.advised.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(&advised)
    }

    /// What is aboard an image and what is known to be wrong with it now; `None` where it is not indexed. Kept in
    /// memory by digest, database and standings, so that asking again costs nothing.
    pub(crate) fn assessed(&self, digest: &Digest) -> Result<Option<Arc<Assessed>>, StoreError> {
        assessed::assess(self, digest)
    }
}
