//! When a registry is looked at next. Pure: the time comes in.
//!
//! After a success that is after the watch's period, after a failure sooner: a minute, then twice as long each time, never
//! longer than the period, and not before the registry wants to be asked again. Each wait is cut by up to a tenth, so that
//! watches that were begun together do not stay together.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

/// Wait after the first failure.
const FAILURE_WAIT: Duration = Duration::from_secs(60);
/// Longest wait that a registry can ask for.
const ASKED_WAIT_MAX: Duration = Duration::from_secs(6 * 60 * 60);

/// When a watch is due again that was begun at a time and has failed so often since its last success. `asked` is how long
/// the registry wants to be left alone.
pub(super) fn next_poll(
    name: &str,
    every: Duration,
    begun: Timestamp,
    failures: u32,
    asked: Option<Duration>,
) -> Timestamp {
    let wait = match failures {
        0 => every,
        _ => FAILURE_WAIT.saturating_mul(2_u32.saturating_pow(failures - 1)).min(every),
    };
    let wait = wait.saturating_sub(wait.mul_f64(jitter(name, begun)));
    let wait = wait.max(asked.unwrap_or_default().min(ASKED_WAIT_MAX));
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    begun.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// At most a tenth: the same for the same look of the same watch, and another one for each.
fn jitter(name: &str, begun: Timestamp) -> f64 {
    let digest = Sha256::digest(format!("{name} {}", begun.as_nanosecond()));
    let [first, second, ..] = *digest else { return 0.0 };
    f64::from(u16::from_be_bytes([first, second])) / f64::from(u16::MAX) / 10.0
}

#[cfg(test)]
mod tests {
    use plimsoll_net::asked_wait;

    use super::*;

    #[test]
    fn waits() {
        let begun: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let hour = Duration::from_secs(3_600);
        for (every, failures, asked, least, most) in [
            (hour, 0, None, 3_240, 3_600),
            (hour, 1, None, 54, 60),
            (hour, 2, None, 108, 120),
            (hour, 6, None, 1_728, 1_920),
            (hour, 7, None, 3_240, 3_600),
            (hour, u32::MAX, None, 3_240, 3_600),
            (Duration::from_secs(30), 3, None, 27, 30),
            (hour, 1, Some("600"), 600, 600),
            (hour, 1, Some("5"), 54, 60),
            (hour, 1, Some("99999999"), 21_600, 21_600),
            (hour, 1, Some("Tue, 01 Jan 2030 00:20:00 GMT"), 1_200, 1_200),
            (hour, 1, Some("soon"), 54, 60),
        ] {
            for name in ["team", "other"] {
                let wait = next_poll(
                    name,
                    every,
                    begun,
                    failures,
                    asked.and_then(|text| asked_wait(text, begun.into())),
                )
                .duration_since(begun);
                assert!((least..=most).contains(&wait.as_secs()), "{failures} {asked:?}: {wait}");
            }
        }
        assert_ne!(next_poll("a", hour, begun, 0, None), next_poll("b", hour, begun, 0, None));
        assert_eq!(next_poll("a", Duration::MAX, begun, 0, None), Timestamp::MAX);
    }
}
