//! Handing deliveries over to one target: claims what is due, sends it, and notes how that went.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_store::{Delivery, Lease, Store, StoreError, Went};

use super::backoff;
use super::kinds::{Target, Went as Sent};

/// How long a claim holds: longer than any kind takes for all that it claims.
const LEASE: Duration = Duration::from_secs(5 * 60);

/// How long one step goes on, but for the last delivery.
const STEP: SignedDuration = SignedDuration::from_secs(1);

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HandedOver {
    /// Deliveries that the other side took.
    pub(crate) delivered: usize,
    /// Those that are tried again.
    pub(crate) postponed: usize,
    /// Those that were given up.
    pub(crate) dead: usize,
}

impl HandedOver {
    /// Whether there was nothing to do.
    pub(crate) fn is_nothing(self) -> bool {
        self == HandedOver::default()
    }
}

/// Hands over what is due now, for a while at most; less where something goes wrong, or where it is gathered.
///
/// How a delivery went is noted with the claim of the next: a wait for the disk each, and never more than one batch that
/// was made and is not noted.
pub(crate) fn step(
    store: &Store,
    target: &Target,
    worker: &str,
    clock: fn() -> Timestamp,
) -> Result<HandedOver, StoreError> {
    let begun = clock();
    let mut handed_over = HandedOver::default();
    let mut ended: Vec<(Lease, Went)> = Vec::new();
    loop {
        let now = clock();
        let is_over = !ended.is_empty()
            && (handed_over.postponed > 0
                || target.ways.gathers.is_some()
                || now.duration_since(begun) >= STEP);
        let rows_max = if is_over { 0 } else { target.ways.batch_max };
        let until = now.checked_add(LEASE).unwrap_or(Timestamp::MAX);
        let claimed = store.end_and_claim_deliveries(&ended, &target.name, worker, rows_max, until, now)?;
        if claimed.is_empty() {
            return Ok(handed_over);
        }
        let (deliveries, leases): (Vec<Delivery>, Vec<Lease>) = claimed.into_iter().unzip();
        let went = (target.ways.send)(&deliveries, now);
        let now = clock();
        let together = target.ways.gathers.and_then(|_| Together::of(&deliveries));
        let went = deliveries
            .iter()
            .zip(went)
            .map(|(delivery, went)| noted(target, delivery, together.as_ref(), went, now));
        ended = leases.into_iter().zip(went).collect();
        for (_, went) in &ended {
            match went {
                Ok(()) => handed_over.delivered += 1,
                Err((_, Some(_))) => handed_over.postponed += 1,
                Err((_, None)) => handed_over.dead += 1,
            }
        }
    }
}

/// Deliveries that were handed over together, and are again: what would have been one mail does not become many because
/// each waits for its own time.
struct Together {
    number: u64,
    attempts: u32,
}

impl Together {
    fn of(deliveries: &[Delivery]) -> Option<Together> {
        let number = deliveries.iter().map(|delivery| delivery.number).min()?;
        // Those that are tried for the last time are no measure for the others.
        let lasting = deliveries.iter().map(|delivery| delivery.attempts);
        let attempts = lasting.filter(|attempts| *attempts < backoff::ATTEMPTS_MAX).max().unwrap_or(1);
        Some(Together { number, attempts })
    }
}

/// How a delivery went, as the store notes it.
fn noted(
    target: &Target,
    delivery: &Delivery,
    together: Option<&Together>,
    went: Sent,
    now: Timestamp,
) -> Went {
    let (error, next) = match went {
        Sent::Delivered => return Ok(()),
        Sent::Later { error, after } => {
            let is_last = delivery.attempts >= backoff::ATTEMPTS_MAX;
            let next = match together.filter(|_| !is_last) {
                Some(Together { number, attempts }) => backoff::next(*number, *attempts, after, now),
                None => backoff::next(delivery.number, delivery.attempts, after, now),
            };
            (error, next)
        }
        Sent::Never(error) => (error, None),
    };
    tracing::warn!(
        target = target.name,
        kind = target.kind.name,
        delivery = delivery.number,
        attempt = delivery.attempts,
        next = next.map(tracing::field::display),
        "not delivered: {error}"
    );
    Err((error, next))
}
