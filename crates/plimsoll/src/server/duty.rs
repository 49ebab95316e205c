//! What one replica at a time does. Whoever has a duty keeps it as long as it asks in time; the store is asked anew only
//! where half of the time is over, and by the others now and then.

use std::time::Duration;

use jiff::Timestamp;
use plimsoll_store::{Store, StoreError};

use super::Server;

/// Into how many parts of its length the time is cut after which whoever has not got it asks again.
const ASKED_AGAIN_PARTS: u32 = 12;

/// A duty as one thread of one replica knows it.
#[derive(Debug)]
pub(crate) struct Duty {
    name: String,
    length: Duration,
    known: Option<Known>,
}

/// What the store said.
#[derive(Clone, Copy, Debug)]
struct Known {
    is_mine: bool,
    /// From when to when that is believed.
    from: Timestamp,
    to: Timestamp,
}

impl Duty {
    /// A duty that is taken for so long at a time.
    pub(crate) fn new(name: impl Into<String>, length: Duration) -> Duty {
        Duty { name: name.into(), length, known: None }
    }

    /// Whether this replica has it now; takes it where nobody has, and keeps it.
    pub(crate) fn has(&mut self, server: &Server, store: &Store) -> Result<bool, StoreError> {
        let now = (server.now)();
        // A clock that was set back makes nothing last longer.
        if let Some(known) = self.known.filter(|known| known.from <= now && now < known.to) {
            return Ok(known.is_mine);
        }
        self.known = None;
        let later = |wait: Duration| now.checked_add(wait).unwrap_or(Timestamp::MAX);
        let is_mine = store.take_duty(&self.name, &server.replica, later(self.length), now)?;
        let believed = if is_mine { self.length / 2 } else { self.length / ASKED_AGAIN_PARTS };
        self.known = Some(Known { is_mine, from: now, to: later(believed) });
        Ok(is_mine)
    }

    /// Leaves it to others, where this replica has it.
    pub(crate) fn leave(&mut self, server: &Server, store: &Store) -> Result<(), StoreError> {
        if self.known.take().is_some_and(|known| known.is_mine) {
            let now = (server.now)();
            store.take_duty(&self.name, &server.replica, now, now)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rematch::tests::fleet;

    fn at(seconds: i64) -> Timestamp {
        fleet::now() + jiff::SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_duty_is_kept_renewed_left_and_lost() {
        let folder = tempfile::tempdir().unwrap();
        let store = fleet::store(folder.path());
        let of =
            |replica: &str, clock: fn() -> Timestamp| fleet::server(folder.path(), &store, replica, clock);
        let [mut a, mut b] = ["d", "d"].map(|name| Duty::new(name, Duration::from_secs(60)));
        assert!(a.has(&of("a", || at(0)), &store).unwrap());
        assert!(!b.has(&of("b", || at(0)), &store).unwrap());
        assert!(a.has(&of("a", || at(29)), &store).unwrap(), "it is known, and not asked for");
        assert!(store.take_duty("d", "c", at(61), at(60)).unwrap(), "it was renewed before half of it");
        assert!(!a.has(&of("a", || at(60)), &store).unwrap(), "it is believed longer than it may be");
        assert!(b.has(&of("b", || at(61)), &store).unwrap());
        assert!(b.has(&of("b", || at(91)), &store).unwrap());
        assert!(!a.has(&of("a", || at(122)), &store).unwrap(), "it was not renewed");
        a.leave(&of("a", || at(122)), &store).unwrap();
        b.leave(&of("b", || at(122)), &store).unwrap();
        assert!(a.has(&of("a", || at(127)), &store).unwrap(), "it was not left");
    }
}
