//! When what could not be delivered is tried again. Pure: the time comes in.
//!
//! Five seconds, then three times as long each time, never longer than twelve hours: a restart of the other side costs
//! seconds, an outage of a weekend is outlasted, and after about three days it is given up. Each wait is lengthened by
//! up to a fifth, so that what failed together does not come back together.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// How often a delivery is tried.
pub(crate) const ATTEMPTS_MAX: u32 = 14;

/// Wait after the first failure.
const WAIT_FIRST: Duration = Duration::from_secs(5);

/// Longest wait by itself.
const WAIT_MAX: Duration = Duration::from_secs(12 * 60 * 60);

/// Longest wait because the other side asks for it.
const ASKED_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Longest wait of a target that fails again and again before its next delivery is tried, whichever that is.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// When to try again after so many attempts, the failed one among them; `None` to give up.
pub(crate) fn next(number: u64, attempts: u32, asked: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
    if attempts >= ATTEMPTS_MAX {
        return None;
    }
    let steps = attempts.saturating_sub(1);
    let wait = WAIT_FIRST.saturating_mul(3_u32.saturating_pow(steps)).min(WAIT_MAX);
    let wait = wait.saturating_add(wait.mul_f64(jitter(number, attempts)));
    let wait = wait.max(asked.unwrap_or_default().min(ASKED_MAX));
    Some(now.checked_add(wait).unwrap_or(Timestamp::MAX))
}

/// How long a target is left alone after so many failures in a row.
pub(crate) fn pause(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        failures => Duration::from_secs(2_u64.saturating_pow(failures - 1)).min(PAUSE_MAX),
    }
}

/// When what is gathered for so long is due: the end of the period that this moment lies in.
pub(crate) fn end_of_period(period: Duration, now: Timestamp) -> Timestamp {
    let seconds = i64::try_from(period.as_secs()).unwrap_or(i64::MAX).max(1);
    let passed = now.as_second().rem_euclid(seconds);
    Timestamp::from_second(now.as_second().saturating_add(seconds - passed)).unwrap_or(Timestamp::MAX)
}

/// Up to a fifth: the same for the same attempt at the same delivery, and another one for each.
fn jitter(number: u64, attempts: u32) -> f64 {
    let digest = Sha256::digest(format!("{number} {attempts}"));
    let [first, second, ..] = *digest else { return 0.0 };
    f64::from(u16::from_be_bytes([first, second])) / f64::from(u16::MAX) / 5.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_900_000_000 + seconds).unwrap()
    }

    #[test]
    fn waits_grow_and_end() {
        for (attempts, asked, least, most) in [
            (1, None, 5.0, 6.0),
            (2, None, 15.0, 18.0),
            (3, None, 45.0, 54.0),
            (8, None, 10_935.0, 13_122.0),
            (9, None, 32_805.0, 39_366.0),
            (10, None, 43_200.0, 51_840.0),
            (13, None, 43_200.0, 51_840.0),
            (1, Some(120), 120.0, 120.0),
            (3, Some(1), 45.0, 54.0),
            (1, Some(u64::MAX), 86_400.0, 86_400.0),
        ] {
            for number in 1..20 {
                let next = next(number, attempts, asked.map(Duration::from_secs), at(0)).unwrap();
                let wait = next.duration_since(at(0)).as_secs_f64();
                assert!((least..=most).contains(&wait), "{attempts} {asked:?}: {wait}");
            }
        }
        assert_eq!(next(1, ATTEMPTS_MAX, None, at(0)), None);
        assert_eq!(next(1, ATTEMPTS_MAX, Some(Duration::from_secs(5)), at(0)), None);
        let all: f64 = (1..ATTEMPTS_MAX)
            .map(|attempts| next(7, attempts, None, at(0)).unwrap().duration_since(at(0)).as_secs_f64())
            .sum();
        assert!((2.5..3.5).contains(&(all / 86_400.0)), "about three days: {all} s");
    }

    #[test]
    fn what_failed_together_does_not_come_back_together() {
        let waits: std::collections::BTreeSet<Timestamp> =
            (0..100).filter_map(|number| next(number, 5, None, at(0))).collect();
        assert!(waits.len() > 90, "{}", waits.len());
        assert_eq!(next(3, 5, None, at(0)), next(3, 5, None, at(0)));
    }

    #[test]
    fn a_target_that_fails_is_left_alone() {
        let pauses = [0, 1, 2, 3, 7, 100].map(|failures| pause(failures).as_secs());
        assert_eq!(pauses, [0, 1, 2, 4, 60, 60]);
    }

    #[test]
    fn periods_end() {
        // The 18th of March 2030, 17:46:40.
        for (period, now, end) in [(900, 0, 800), (900, 799, 800), (900, 800, 1700), (60, 0, 20), (1, 0, 1)] {
            assert_eq!(end_of_period(Duration::from_secs(period), at(now)), at(end), "{period} {now}");
        }
    }
}
