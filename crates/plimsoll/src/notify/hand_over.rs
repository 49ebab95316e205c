//! Handing deliveries over to one target: claims what is due, sends it, and notes how that went.

use std::time::Duration;

use jiff::Timestamp;
use plimsoll_store::{Delivery, Lease, Store, StoreError};

use super::backoff;
use super::kinds::{Target, Went};

/// How long a claim holds: longer than any kind takes for all that it claims.
const LEASE: Duration = Duration::from_secs(5 * 60);

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

/// Hands over what is due now, as much as goes at once.
pub(crate) fn step(
    store: &Store,
    target: &Target,
    worker: &str,
    clock: fn() -> Timestamp,
) -> Result<HandedOver, StoreError> {
    let now = clock();
    let until = now.checked_add(LEASE).unwrap_or(Timestamp::MAX);
    let claimed = store.claim_deliveries(&target.name, worker, target.ways.batch_max, until, now)?;
    if claimed.is_empty() {
        return Ok(HandedOver::default());
    }
    let (deliveries, leases): (Vec<Delivery>, Vec<Lease>) = claimed.into_iter().unzip();
    let went = (target.ways.send)(&deliveries, now);
    let now = clock();
    let mut handed_over = HandedOver::default();
    for ((delivery, lease), went) in deliveries.iter().zip(&leases).zip(went) {
        let went = match went {
            Went::Delivered => Ok(()),
            Went::Later { error, after } => {
                Err((error, backoff::next(delivery.number, delivery.attempts, after, now)))
            }
            Went::Never(error) => Err((error, None)),
        };
        match &went {
            Ok(()) => handed_over.delivered += 1,
            Err((_, Some(_))) => handed_over.postponed += 1,
            Err((_, None)) => handed_over.dead += 1,
        }
        if let Err((error, next)) = &went {
            tracing::warn!(
                target = target.name,
                kind = target.kind.name,
                delivery = delivery.number,
                attempt = delivery.attempts,
                next = next.map(tracing::field::display),
                "not delivered: {error}"
            );
        }
        store.finish_delivery(lease, went, now)?;
    }
    Ok(handed_over)
}
