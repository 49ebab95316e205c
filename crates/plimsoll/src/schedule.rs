//! When a feed is next to be fetched. Pure: the time comes in.
//!
//! After a success that is after the feed's period, after a failure sooner: five minutes, then twice as long
//! each time, never longer than the period. Each wait is cut by up to a tenth, so that a thousand machines that
//! were started together do not come together. It is cut, not lengthened: a daily job finds a daily feed due.

use std::time::Duration;

use jiff::Timestamp;
use plimsoll_feeds::Attempts;
use sha2::{Digest as _, Sha256};

/// Wait after the first failure.
const FAILURE_WAIT: Duration = Duration::from_secs(5 * 60);

/// Feeds that are due within this time of one that is due are fetched with it.
const GATHER: Duration = Duration::from_secs(10 * 60);

/// When a feed is to be fetched that is fetched every so often and was tried so: `now` or before where it is due.
pub(crate) fn next_due(feed: &str, every: Duration, attempts: &Attempts, now: Timestamp) -> Timestamp {
    let last: Option<Timestamp> = attempts.attempted_at.as_deref().and_then(|at| at.parse().ok());
    // A time ahead is of a clock that was put back since; waiting for it could take years.
    let Some(last) = last.filter(|last| *last <= now) else { return now };
    let wait = match attempts.failures {
        0 => every,
        failures => FAILURE_WAIT.saturating_mul(2_u32.saturating_pow(failures - 1)).min(every),
    };
    let wait = wait.saturating_sub(wait.mul_f64(jitter(feed, last)));
    last.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// Which feeds are to be fetched now: none while none is due, else also those that soon will be (within a tenth of
/// their period, and ten minutes), so that the database is built once for them. Each feed comes with the time at
/// which it is due and its period.
pub(crate) fn round<T: Copy>(feeds: &[(T, Timestamp, Duration)], now: Timestamp) -> Vec<T> {
    if feeds.iter().all(|(_, due, _)| *due > now) {
        return Vec::new();
    }
    let is_far = |due: Timestamp, every: Duration| {
        Duration::try_from(due.duration_since(now)).is_ok_and(|wait| wait > GATHER.min(every / 10))
    };
    feeds.iter().filter(|(_, due, every)| !is_far(*due, *every)).map(|(feed, ..)| *feed).collect()
}

/// At most a tenth: the same for the same attempt at the same feed, and another one for each.
fn jitter(feed: &str, last: Timestamp) -> f64 {
    let digest = Sha256::digest(format!("{feed} {}", last.as_nanosecond()));
    let [first, second, ..] = *digest else { return 0.0 };
    f64::from(u16::from_be_bytes([first, second])) / f64::from(u16::MAX) / 10.0
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    const HOUR: u64 = 60 * 60;

    fn at(hours: f64) -> Timestamp {
        let start: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        start + SignedDuration::from_secs_f64(hours * HOUR as f64)
    }

    fn attempts(attempted_at: Option<Timestamp>, failures: u32) -> Attempts {
        let attempted_at = attempted_at.map(|at| at.to_string());
        Attempts { attempted_at, failures, ..Attempts::default() }
    }

    #[test]
    fn feeds_are_due_after_their_period_and_sooner_after_failures() {
        let now = at(0.0);
        for (every_hours, failures, wait_minutes) in [
            (6, 0, 360.0),
            (24, 0, 1440.0),
            (24, 1, 5.0),
            (24, 2, 10.0),
            (24, 5, 80.0),
            (24, 9, 1280.0),
            (24, 10, 1440.0),
            (24, u32::MAX, 1440.0),
            (1, 5, 60.0),
        ] {
            let every = Duration::from_secs(every_hours * HOUR);
            for feed in ["kev", "osv-pypi", "alpine-secdb"] {
                let due = next_due(feed, every, &attempts(Some(now), failures), now);
                let minutes = due.duration_since(now).as_secs_f64() / 60.0;
                let least = wait_minutes * 0.9;
                assert!(
                    (least..=wait_minutes).contains(&minutes),
                    "{feed} {every_hours} {failures}: {minutes}"
                );
            }
        }
    }

    #[test]
    fn what_is_due_together_is_fetched_together() {
        let now = at(0.0);
        let minutes = |minutes: f64| at(minutes / 60.0);
        let (hour, day) = (Duration::from_secs(HOUR), Duration::from_secs(24 * HOUR));
        for (feeds, wanted) in [
            ([("a", minutes(1.0), day), ("b", minutes(2.0), day)], [].as_slice()),
            ([("a", minutes(0.0), day), ("b", minutes(20.0), day)], &["a"]),
            ([("a", minutes(-9.0), day), ("b", minutes(10.0), day)], &["a", "b"]),
            // Every hour is not every fifty minutes.
            ([("a", minutes(-9.0), day), ("b", minutes(7.0), hour)], &["a"]),
            ([("a", minutes(-9.0), day), ("b", minutes(6.0), hour)], &["a", "b"]),
            ([("a", minutes(-1.0), day), ("b", minutes(-1.0), hour)], &["a", "b"]),
        ] {
            assert_eq!(round(&feeds, now), wanted, "{feeds:?}");
        }
        assert_eq!(round::<&str>(&[], now), [""; 0]);
    }

    #[test]
    fn what_was_never_tried_or_tried_in_the_future_is_due() {
        let (now, every) = (at(0.0), Duration::from_secs(HOUR));
        let unreadable = Attempts { attempted_at: Some("yesterday".to_owned()), ..Attempts::default() };
        for attempts in
            [attempts(None, 0), attempts(Some(at(9.0)), 0), attempts(Some(at(9.0)), 3), unreadable]
        {
            assert_eq!(next_due("kev", every, &attempts, now), now);
        }
    }

    #[test]
    fn jitter_differs_by_feed_and_attempt_and_is_the_same_again() {
        let jitters =
            [("kev", at(0.0)), ("epss", at(0.0)), ("kev", at(1.0))].map(|(feed, at)| jitter(feed, at));
        assert!(jitters[0] != jitters[1] && jitters[0] != jitters[2]);
        assert_eq!(jitters[0], jitter("kev", at(0.0)));
        let far = next_due("kev", Duration::MAX, &attempts(Some(at(0.0)), 0), at(0.0));
        assert_eq!(far, Timestamp::MAX);
    }
}
