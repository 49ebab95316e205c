//! Workers: threads that claim scans and do them, one at a time each.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use plimsoll_store::{Claim, Claimed, StoreError};

use super::attempt;
use super::pulse::lease_end;
use crate::config::Config;
use crate::server::Server;

/// How long a worker waits at most before it looks for work again: what another replica put in, or what has become
/// due, is noticed within this time.
const LOOK: Duration = Duration::from_secs(1);

/// How long a worker waits after the store could not be asked.
const STORE_WAIT: Duration = Duration::from_secs(2);

/// Wakes workers that wait.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<u64>,
    changed: Condvar,
}

impl Bell {
    /// There may be work.
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    pub(super) fn wait(&self, heard: &mut u64, time: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(rung, time, |rung| *rung == *heard);
        let (rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *heard = *rung;
    }
}

/// How many there are on this replica. A layer is read on each core, so a scan for each two of them keeps all busy.
pub(crate) fn count(config: &Config) -> u32 {
    config.server.workers.unwrap_or_else(|| {
        let cores = thread::available_parallelism().map_or(2, std::num::NonZero::get);
        u32::try_from(cores / 2).unwrap_or(u32::MAX).max(2)
    })
}

/// Starts so many workers. They end when the server does, and hand back what they have.
pub(crate) fn start(server: &Arc<Server>, count: u32) -> io::Result<Vec<JoinHandle<()>>> {
    let start = |number| {
        let server = Arc::clone(server);
        let name = format!("{}-{number}", server.replica);
        thread::Builder::new().name(format!("worker-{number}")).spawn(move || run(&server, &name))
    };
    (0..count).map(start).collect()
}

fn run(server: &Server, worker: &str) {
    let mut heard = 0;
    while !server.lifecycle.is_ending() {
        match claim(server, worker, None) {
            Ok(Some(claimed)) => attempt::make(server, claimed),
            Ok(None) => server.bell.wait(&mut heard, LOOK),
            Err(error) => {
                server.metrics.store_failed(&error);
                tracing::warn!(error = %error, "no work could be claimed");
                server.bell.wait(&mut heard, STORE_WAIT);
            }
        }
    }
}

/// Claims a scan: the next one, or this one.
pub(crate) fn claim(
    server: &Server,
    worker: &str,
    only: Option<&str>,
) -> Result<Option<Claimed>, StoreError> {
    let Ok(store) = server.store() else { return Ok(None) };
    let now = (server.now)();
    let config = &server.config.server;
    let claim = Claim {
        worker,
        until: lease_end(now),
        per_registry_max: config.per_registry_max,
        all_max: config.scans_max,
        only,
    };
    store.claim(&claim, now)
}
