//! When a request is sent again, and how long is waited before.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

use crate::settings::Settings;

/// Longest wait that doubling can lead to.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// Whether the server says with this status that another attempt may succeed.
pub(crate) fn is_transient_status(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504)
}

/// How long to wait before another attempt, or nothing where the server asks for longer than we wait.
///
/// `attempt` counts the attempts made so far, from 1.
pub(crate) fn wait_before(
    settings: &Settings,
    attempt: u32,
    retry_after: Option<&str>,
    now: SystemTime,
) -> Option<Duration> {
    match retry_after.and_then(|text| asked_wait(text, now)) {
        Some(asked) => (asked <= settings.retry_after_max).then_some(asked),
        None => Some(backoff(settings.backoff_base, attempt, random())),
    }
}

/// How long a server wants to be left alone by its `Retry-After`: seconds, or a date (RFC 9110 section 10.2.3). What is
/// neither is as if absent.
pub fn asked_wait(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(SystemTime::from(date).duration_since(now).unwrap_or(Duration::ZERO))
}

/// Doubles with each attempt; between half of that and the whole, so that many clients do not march in step.
fn backoff(base: Duration, attempt: u32, random: u64) -> Duration {
    let doubled = base.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
    let half = doubled.min(BACKOFF_MAX) / 2;
    let thousandths = u32::try_from(random % 1001).unwrap_or(0);
    half + half.saturating_mul(thousandths) / 1000
}

/// Jitter needs no good randomness: the hasher's keys are random in each process and differ per instance.
fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        for (text, wanted) in [
            ("0", Some(0)),
            (" 7 ", Some(7)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:49:27 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(asked_wait(text, now), wanted.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn a_server_that_asks_for_too_long_is_not_asked_again() {
        let settings = Settings { retry_after_max: Duration::from_secs(5), ..Settings::default() };
        let now = SystemTime::UNIX_EPOCH;
        assert_eq!(wait_before(&settings, 1, Some("5"), now), Some(Duration::from_secs(5)));
        assert_eq!(wait_before(&settings, 1, Some("6"), now), None);
    }

    #[test]
    fn waits_double_up_to_a_limit() {
        let base = Duration::from_millis(100);
        for (attempt, random, wanted_ms) in
            [(1, 0, 50), (1, 1000, 100), (2, 1000, 200), (3, 1000, 400), (90, 1000, 30_000)]
        {
            assert_eq!(backoff(base, attempt, random), Duration::from_millis(wanted_ms), "{attempt}");
        }
        assert_eq!(backoff(Duration::ZERO, 9, 5), Duration::ZERO);
    }
}
