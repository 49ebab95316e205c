//! A few connections that many threads share.
//!
//! A connection that is called broken, or whose user panicked, is not handed out again.

use std::ops::{Deref, DerefMut};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::StoreError;

/// How long somebody waits for a connection.
const WAIT_MAX: Duration = Duration::from_secs(10);

pub(super) struct Pool<C> {
    connections: Mutex<Connections<C>>,
    freed: Condvar,
    connections_max: usize,
}

struct Connections<C> {
    idle: Vec<C>,
    /// Idle or handed out.
    open: usize,
}

impl<C> Pool<C> {
    pub(super) fn new(connections_max: usize) -> Pool<C> {
        let connections = Mutex::new(Connections { idle: Vec::new(), open: 0 });
        Pool { connections, freed: Condvar::new(), connections_max }
    }

    /// An idle connection, or a new one, or the next one that becomes free. Says whether it is new.
    pub(super) fn take(
        &self,
        connect: impl FnOnce() -> Result<C, StoreError>,
    ) -> Result<(Held<'_, C>, bool), StoreError> {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let is_exhausted = |all: &mut Connections<C>| all.idle.is_empty() && all.open >= self.connections_max;
        let (mut connections, _) = self
            .freed
            .wait_timeout_while(connections, WAIT_MAX, is_exhausted)
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = connections.idle.pop() {
            return Ok((Held { pool: self, connection: Some(connection), is_broken: false }, false));
        }
        if connections.open >= self.connections_max {
            let (count, seconds) = (self.connections_max, WAIT_MAX.as_secs());
            return Err(StoreError::Unavailable(format!(
                "none of the {count} connections became free within {seconds} s"
            )));
        }
        connections.open += 1;
        drop(connections);
        // From here on, whatever happens, dropping this gives the place back.
        let mut held = Held { pool: self, connection: None, is_broken: true };
        held.connection = Some(connect()?);
        held.is_broken = false;
        Ok((held, true))
    }

    /// All that are idle, out of the pool.
    pub(super) fn drain(&self) -> Vec<C> {
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let idle = std::mem::take(&mut connections.idle);
        connections.open -= idle.len();
        idle
    }
}

/// A connection that is handed out.
pub(super) struct Held<'p, C> {
    pool: &'p Pool<C>,
    connection: Option<C>,
    /// Whether it is not to be used again.
    pub(super) is_broken: bool,
}

impl<C> Deref for Held<'_, C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.connection.as_ref().expect("it is taken out only when this is dropped")
    }
}

impl<C> DerefMut for Held<'_, C> {
    fn deref_mut(&mut self) -> &mut C {
        self.connection.as_mut().expect("it is taken out only when this is dropped")
    }
}

impl<C> Drop for Held<'_, C> {
    fn drop(&mut self) {
        let is_broken = self.is_broken || std::thread::panicking();
        let kept = self.connection.take().filter(|_| !is_broken);
        let mut connections = self.pool.connections.lock().unwrap_or_else(PoisonError::into_inner);
        match kept {
            Some(connection) => connections.idle.push(connection),
            None => connections.open -= 1,
        }
        drop(connections);
        self.pool.freed.notify_one();
    }
}
