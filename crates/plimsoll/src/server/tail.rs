//! Following what happens: one thread reads the store's events, everybody else in this process listens to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use plimsoll_store::Event;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::Server;

/// Events that a listener may be behind; one that is further behind reads the store.
const BEHIND_MAX: usize = 4_096;

/// Events that are read at once.
const ROWS_MAX: u32 = 500;

/// How long the store is asked to wait for events.
const WAIT: Duration = Duration::from_secs(5);

/// Wait after the store could not be asked.
const ERROR_WAIT: Duration = Duration::from_secs(2);

/// Where events are told.
pub(super) struct Told {
    sender: broadcast::Sender<Arc<Event>>,
    /// The last event before the server was ready: whatever somebody may have caused comes after it.
    before: AtomicU64,
}

impl Default for Told {
    fn default() -> Told {
        Told { sender: broadcast::channel(BEHIND_MAX).0, before: AtomicU64::new(0) }
    }
}

/// Listens to events.
pub(crate) struct Listener(broadcast::Receiver<Arc<Event>>);

/// What a listener hears.
pub(crate) enum Heard {
    /// Something happened.
    Event(Arc<Event>),
    /// So much that some of it was not heard: look at the store.
    TooMuch,
    /// The server ends.
    Ended,
}

impl Listener {
    /// Waits for what comes next.
    pub(crate) async fn hear(&mut self) -> Heard {
        match self.0.recv().await {
            Ok(event) => Heard::Event(event),
            Err(RecvError::Lagged(_)) => Heard::TooMuch,
            Err(RecvError::Closed) => Heard::Ended,
        }
    }

    /// Waits until something has happened to one of these, or that may have. `false` where the time is over.
    pub(crate) async fn changed(&mut self, ids: &[String], until: tokio::time::Instant) -> bool {
        loop {
            match tokio::time::timeout_at(until, self.hear()).await {
                Ok(Heard::Event(event)) if ids.contains(&event.subject) => return true,
                Ok(Heard::Event(_)) => {}
                Ok(Heard::TooMuch) => return true,
                Ok(Heard::Ended) | Err(_) => return false,
            }
        }
    }
}

impl Server {
    /// Listens to what happens from now on.
    pub(crate) fn listen(&self) -> Listener {
        Listener(self.told.sender.subscribe())
    }

    /// Tells whatever happens after this event. Called before the server is ready.
    pub(crate) fn tell_after(&self, number: u64) {
        self.told.before.store(number, Ordering::Relaxed);
    }

    /// Tells one thing that happened.
    pub(crate) fn tell(&self, event: Arc<Event>) {
        // Nobody listening is no fault.
        drop(self.told.sender.send(event));
    }

    /// Reads the store's events until the server ends, and tells them.
    pub(crate) fn tail(&self) {
        let mut after = self.told.before.load(Ordering::Relaxed);
        while !self.lifecycle.is_ending() {
            let Ok(store) = self.store() else { return };
            match store.events(after, ROWS_MAX, WAIT) {
                Ok(events) => {
                    for event in events {
                        after = event.number;
                        self.tell(Arc::new(event));
                    }
                }
                Err(error) => {
                    tracing::warn!(error = %error, "events could not be read");
                    std::thread::sleep(ERROR_WAIT);
                }
            }
        }
    }
}
