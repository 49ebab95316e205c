//! One budget of requests for each host, shared by everything that a client is used for.
//!
//! Phases of one job ask the same registry from several threads. Each of them would keep to a limit of its own and break
//! the registry's; so what is in flight is counted together, and a host that asks for patience is left alone by all.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The budgets of all hosts.
#[derive(Debug)]
pub(crate) struct Budget {
    in_flight_max: usize,
    /// Time between the beginnings of two requests; zero for none.
    spacing: Duration,
    hosts: Mutex<HashMap<String, Host>>,
    changed: Condvar,
}

/// What is spent of one host's budget.
#[derive(Debug, Default)]
struct Host {
    in_flight: usize,
    /// Before then nobody asks.
    not_before: Option<Instant>,
}

impl Host {
    /// How long to wait before a request may begin; nothing where it may begin now. `None` where one has to end first.
    fn wait(&self, in_flight_max: usize, now: Instant) -> Option<Duration> {
        let pause = self.not_before.map_or(Duration::ZERO, |then| then.saturating_duration_since(now));
        (self.in_flight < in_flight_max).then_some(pause)
    }

    fn begin(&mut self, spacing: Duration, now: Instant) {
        self.in_flight += 1;
        if !spacing.is_zero() {
            self.not_before = now.checked_add(spacing);
        }
    }
}

impl Budget {
    pub(crate) fn new(in_flight_max: usize, per_second_max: Option<u32>) -> Budget {
        let spacing = per_second_max.map_or(Duration::ZERO, |count| Duration::from_secs(1) / count.max(1));
        Budget {
            in_flight_max: in_flight_max.max(1),
            spacing,
            hosts: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Waits until a request to `host` may begin. It is over when what is given is dropped.
    pub(crate) fn begin(&self, host: &str) -> Spent<'_> {
        let mut hosts = self.lock();
        loop {
            let now = Instant::now();
            let one = hosts.entry(host.to_owned()).or_default();
            hosts = match one.wait(self.in_flight_max, now) {
                Some(Duration::ZERO) => {
                    one.begin(self.spacing, now);
                    return Spent { budget: self, host: host.to_owned() };
                }
                Some(pause) => {
                    self.changed.wait_timeout(hosts, pause).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(hosts).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Nobody asks `host` for so long, which it asked for itself.
    pub(crate) fn pause(&self, host: &str, pause: Duration) {
        let then = Instant::now().checked_add(pause);
        let mut hosts = self.lock();
        let one = hosts.entry(host.to_owned()).or_default();
        one.not_before = one.not_before.max(then);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that is in flight.
#[derive(Debug)]
pub(crate) struct Spent<'a> {
    budget: &'a Budget,
    host: String,
}

impl Drop for Spent<'_> {
    fn drop(&mut self) {
        let mut hosts = self.budget.lock();
        if let Some(one) = hosts.get_mut(&self.host) {
            one.in_flight = one.in_flight.saturating_sub(1);
        }
        drop(hosts);
        self.budget.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_wait_for_those_in_flight_and_for_the_hosts_pause() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut host = Host::default();
        assert_eq!(host.wait(2, now), Some(Duration::ZERO));
        host.begin(Duration::ZERO, now);
        assert_eq!(host.wait(2, now), Some(Duration::ZERO));
        host.begin(Duration::ZERO, now);
        assert_eq!(host.wait(2, now), None, "both are in flight");
        host.in_flight = 1;
        host.not_before = Some(now + second);
        assert_eq!(host.wait(2, now), Some(second));
        assert_eq!(host.wait(2, now + second), Some(Duration::ZERO));
    }

    #[test]
    fn a_rate_spaces_what_begins() {
        let now = Instant::now();
        let budget = Budget::new(8, Some(4));
        let mut host = Host::default();
        host.begin(budget.spacing, now);
        assert_eq!(host.wait(8, now), Some(Duration::from_millis(250)));
    }

    #[test]
    fn hosts_do_not_share_and_what_ends_is_free_again() {
        let budget = Budget::new(1, None);
        let first = budget.begin("a");
        drop(budget.begin("b"));
        drop(first);
        drop(budget.begin("a"));
        budget.pause("a", Duration::ZERO);
        drop(budget.begin("a"));
        assert!(budget.lock().values().all(|host| host.in_flight == 0));
    }

    #[test]
    fn the_longest_pause_holds() {
        let budget = Budget::new(1, None);
        budget.pause("a", Duration::from_secs(60));
        budget.pause("a", Duration::from_secs(1));
        let wait = budget.lock()["a"].wait(1, Instant::now());
        assert!(wait.is_some_and(|wait| wait > Duration::from_secs(30)));
    }
}
