//! What all routes and all workers of the server share.
//!
//! The server listens before its store is open, so that whoever asks is told that it is starting or migrating; until
//! then [`Server::store`] refuses. Everything below here blocks; routes go through [`Server::blocking`].

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::Reason;
use plimsoll_image::open::foreign::ForeignOptions;
use plimsoll_image::open::registry::RegistryOptions;
use plimsoll_image::open::registry::credentials::{Credential, Credentials};
use plimsoll_image::open::registry::reference::RegistryReference;
use plimsoll_net::{Client, Settings};
use plimsoll_store::{Scan, Store, StoreError};
use tokio::sync::Semaphore;

use crate::access::{Door, Principal};
use crate::config::Config;
use crate::fleet::Fleet;
use crate::http::limits::Rates;
use crate::jobs::status;
use crate::jobs::workers::Bell;
use crate::refusal::Refusal;

mod advisories;
mod assessed;
mod chain;
pub(crate) mod duty;
mod lifecycle;
pub(crate) mod metrics;
mod tail;

pub(crate) use advisories::Advised;
pub(crate) use assessed::Assessed;
pub(crate) use chain::Chain;
pub(crate) use lifecycle::Lifecycle;
pub(crate) use metrics::Metrics;
pub(crate) use tail::{Heard, Listener};
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
    /// Wakes workers.
    pub(crate) bell: Bell,
    /// Who may have an image indexed while a client waits.
    pub(crate) indexing: Semaphore,
    /// Certificate authorities that are trusted beside the system's.
    pub(crate) ca_files: Vec<PathBuf>,
    /// What is counted.
    pub(crate) metrics: Metrics,
    /// How often clients asked of late.
    pub(crate) rates: Rates,
    /// Questions whether the store answers that are under way.
    pub(crate) probes: Arc<tokio::sync::Semaphore>,
    door: OnceLock<Result<Door, String>>,
    store: OnceLock<Arc<Store>>,
    client: OnceLock<Arc<Client>>,
    registry_options: OnceLock<RegistryOptions>,
    advised: RwLock<Arc<Advised>>,
    followed: Mutex<advisories::Followed>,
    assessed: assessed::Cache,
    told: tail::Told,
    chain: Mutex<Chain>,
    /// What all images have in common.
    pub(crate) fleet: Fleet,
}

impl Server {
    /// A server that is starting: no store yet, and the advisory database that is there.
    pub(crate) fn new(
        config: Config,
        data_dir: PathBuf,
        ca_files: Vec<PathBuf>,
        replica: String,
        now: fn() -> Timestamp,
    ) -> Server {
        let advised = Advised::read(&config, &data_dir, now());
        let followed = Mutex::new(advisories::Followed::from(&advised));
        let indexes_max = config.server.clair.indexes_max.max(1);
        Server {
            config,
            data_dir,
            lifecycle: Lifecycle::default(),
            now,
            replica,
            bell: Bell::default(),
            indexing: Semaphore::new(usize::try_from(indexes_max).unwrap_or(Semaphore::MAX_PERMITS)),
            ca_files,
            metrics: Metrics::default(),
            rates: Rates::default(),
            probes: Arc::new(tokio::sync::Semaphore::new(PROBES_MAX)),
            door: OnceLock::new(),
            store: OnceLock::new(),
            client: OnceLock::new(),
            registry_options: OnceLock::new(),
            advised: RwLock::new(Arc::new(advised)),
            followed,
            assessed: assessed::Cache::default(),
            told: tail::Told::default(),
            chain: Mutex::default(),
            fleet: Fleet::default(),
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

    /// The client that asks registries for images that clients name. Private addresses are refused but for those of
    /// hosts that the configuration names.
    pub(crate) fn registry_client(&self) -> anyhow::Result<Arc<Client>> {
        if let Some(client) = self.client.get() {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(Client::new(self.net_settings())?);
        Ok(Arc::clone(self.client.get_or_init(|| client)))
    }

    fn net_settings(&self) -> Settings {
        let Config { registries, server, offline, watch, .. } = &self.config;
        let mirrors = registries.values().flat_map(|registry| &registry.mirrors);
        let watched = watch.values().map(|watch| &watch.registry);
        let named = registries.keys().chain(mirrors).chain(watched).chain(&server.private_hosts_allowed);
        let silence = Duration::from_secs(u64::from(server.registry_seconds_max));
        Settings {
            // A scan is tried again as a whole; what is asked twice here is what one lost packet costs.
            attempts_max: self.config.network.attempts_max.unwrap_or(2),
            // Workers and those who look at what is pushed ask the same registry.
            in_flight_per_host_max: self.config.network.requests_at_once_max.map_or(64, NonZero::get),
            response_timeout: silence,
            idle_timeout: silence,
            denies_private_addresses: true,
            private_hosts_allowed: named.cloned().collect(),
            only_hosts: offline.then(|| self.config.offline_hosts()),
            ..self.config.net_settings(&self.ca_files, &[])
        }
    }

    /// How a registry is asked for one scan: with the client's own authorization where it gave one, and then with no
    /// other.
    pub(crate) fn registry_options(&self, reference: &str, authorization: Option<&str>) -> RegistryOptions {
        let options = self.registry_options.get_or_init(|| {
            // Tokens are shared by the clones of these, so a registry is asked for one once.
            self.configured_options(Credentials::from_environment())
        });
        let host = RegistryReference::from_str(reference).map(|reference| reference.name.host().to_owned());
        let Some(authorization) = authorization else { return options.clone() };
        match (Credential::from_authorization(authorization), host) {
            (Some(credential), Ok(host)) => options.for_one_login(&host, credential),
            // What a client gave and cannot be used is not made up for by the server's own logins.
            _ => self.configured_options(Credentials::default()),
        }
    }

    fn configured_options(&self, credentials: Credentials) -> RegistryOptions {
        RegistryOptions { foreign: self.foreign_options(), ..self.config.registry_options(credentials, &[]) }
    }

    /// How layers are fetched that registries need not have.
    pub(crate) fn foreign_options(&self) -> ForeignOptions {
        self.config.foreign_options(self.net_settings())
    }

    /// Whether somebody may know of a scan.
    pub(crate) fn may_see(&self, principal: &Principal, scan: &Scan) -> Result<bool, Refusal> {
        self.is_anywhere(scan, |registry, repository| principal.may_see(registry, repository))
    }

    /// Whether a scan is of repositories, too, that somebody does not reach who is held to some. What was handed in without
    /// a repository is anybody's.
    pub(crate) fn is_shared(&self, principal: &Principal, id: &str) -> Result<bool, Refusal> {
        if !principal.is_limited() {
            return Ok(false);
        }
        let store = self.store()?;
        let Some(scan) = store.scan(id)? else { return Ok(false) };
        let mut places = store.places(id)?;
        places.push((scan.registry, scan.repository));
        Ok(places.iter().any(|(registry, repository)| !principal.may_see(registry, repository)))
    }

    /// Whether one of the repositories that a scan was asked for in is such a one. An index is no such repository: it may
    /// name images of others.
    pub(crate) fn is_anywhere(&self, scan: &Scan, is: impl Fn(&str, &str) -> bool) -> Result<bool, Refusal> {
        if is(&scan.registry, &scan.repository) {
            return Ok(true);
        }
        let places = self.store()?.places(&scan.id)?;
        Ok(places.iter().any(|(registry, repository)| is(registry, repository)))
    }

    /// A scan as somebody may see it; `None` where they may not.
    pub(crate) fn shown(&self, principal: &Principal, scan: Scan) -> Result<Option<Scan>, Refusal> {
        Ok(self.may_see(principal, &scan)?.then(|| status::shown_to(principal, scan)))
    }

    /// The same of several scans, by id: those that somebody may see. Asks the store once at most.
    pub(crate) fn shown_of(
        &self,
        principal: &Principal,
        scans: BTreeMap<String, Scan>,
    ) -> Result<BTreeMap<String, Scan>, Refusal> {
        let is_seen = |registry: &str, repository: &str| principal.may_see(registry, repository);
        let elsewhere = scans.values().filter(|scan| !is_seen(&scan.registry, &scan.repository));
        let elsewhere: Vec<&str> = elsewhere.map(|scan| scan.id.as_str()).collect();
        let places = self.store()?.places_of(&elsewhere)?;
        let is_shown = |scan: &Scan| {
            is_seen(&scan.registry, &scan.repository)
                || places.get(&scan.id).is_some_and(|places| places.iter().any(|(a, b)| is_seen(a, b)))
        };
        let shown = scans.into_iter().filter(|(_, scan)| is_shown(scan));
        Ok(shown.map(|(id, scan)| (id, status::shown_to(principal, scan))).collect())
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
