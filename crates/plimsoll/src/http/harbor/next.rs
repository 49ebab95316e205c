//! What Harbor is told when it asks for a report: wait, have it, or why there is none.
//!
//! Harbor asks until it gets a report or an error and never gives up by itself, and any error ends its job for good. So
//! whatever may pass is a wait with a bound, and what is said at its end must help whoever reads Harbor's log.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::assessment::Assessment;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Scan, ScanKind};

/// Harbor reads the wait as a signed byte of seconds.
const WAIT_SECONDS_MAX: i64 = 127;
/// Wait where a worker has the scan in hand.
const AT_WORK_SECONDS: i64 = 2;
/// Longest wait in the queue, however long it is.
const QUEUED_SECONDS_MAX: i64 = 30;
/// Wait while feeds are being loaded.
pub(super) const FEEDS_SECONDS: u8 = 15;
/// Wait while the server or its store is away.
pub(super) const AWAY_SECONDS: u8 = 5;

/// What Harbor is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// To ask again after so many seconds, 1 to 127.
    Wait(u8),
    /// The report.
    Report,
    /// The report where the image could be read at all, else this text.
    ReportOr(String),
    /// Why there will be none.
    Failed(String),
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    /// Whether the report says anything without advisories.
    pub(super) needs_feeds: bool,
    /// How long ago Harbor asked for the scan.
    pub(super) age: SignedDuration,
    /// How long Harbor is told to wait for what does not depend on the scan.
    pub(super) patience: Duration,
    /// The time.
    pub(super) now: Timestamp,
}

impl Question {
    /// Whether Harbor may be told to wait once more.
    pub(super) fn may_wait(&self) -> bool {
        SignedDuration::try_from(self.patience).is_ok_and(|patience| self.age < patience)
    }
}

/// What Harbor is told of a scan.
pub(super) fn next(scan: &Scan, question: &Question) -> Next {
    if scan.kind == ScanKind::Index {
        return Next::Failed(format!(
            "`{}` is an index of several images; have each image scanned by its own digest",
            scan.id
        ));
    }
    match scan.state {
        ScanState::Queued => {
            let before = scan.position.and_then(|before| i64::try_from(before).ok()).unwrap_or(0);
            Next::Wait(seconds(AT_WORK_SECONDS.saturating_add(before / 2).min(QUEUED_SECONDS_MAX)))
        }
        ScanState::Fetching | ScanState::Indexing | ScanState::Matching => {
            Next::Wait(seconds(AT_WORK_SECONDS))
        }
        ScanState::Retrying => {
            let wait = scan.retry_at.map_or(0, |at| at.duration_since(question.now).as_secs());
            Next::Wait(seconds(wait.saturating_add(AT_WORK_SECONDS)))
        }
        ScanState::NotReady | ScanState::Unavailable => Next::Wait(AWAY_SECONDS),
        ScanState::FeedsNotLoaded if !question.needs_feeds => Next::Report,
        ScanState::FeedsNotLoaded if question.may_wait() => Next::Wait(FEEDS_SECONDS),
        ScanState::Completed => Next::Report,
        // Whether there is a report is seen by what is known of the image now.
        ScanState::Unsupported if !question.needs_feeds || scan.reason == Reason::UnknownOs => {
            Next::ReportOr(why(scan))
        }
        ScanState::FeedsNotLoaded | ScanState::Unsupported | ScanState::Failed | ScanState::Cancelled => {
            Next::Failed(why(scan))
        }
    }
}

fn seconds(wait: i64) -> u8 {
    u8::try_from(wait.clamp(1, WAIT_SECONDS_MAX)).expect("1 to 127 is a byte")
}

/// State, reason, detail, and what to do, for whoever reads Harbor's log.
fn why(scan: &Scan) -> String {
    let Scan { id, state, reason, detail, .. } = scan;
    let mut text = format!("`{id}` is {state} ({reason})");
    if !detail.is_empty() {
        text.push_str(": ");
        text.push_str(detail);
    }
    if !scan.awaited.is_empty() && !scan.awaited.iter().all(|feed| detail.contains(feed.as_str())) {
        text.push_str(&format!("; it waits for the feeds {}", scan.awaited.join(", ")));
    }
    if state == &ScanState::Failed && scan.attempt > 1 {
        text.push_str(&format!("; it was tried {} times", scan.attempt));
    }
    text.push_str("; ");
    text.push_str(what_to_do(*reason));
    text
}

/// Why there is no report of an image of which nothing could be judged.
pub(super) fn unjudged(scan: &Scan, assessment: &Assessment) -> String {
    let mut scan = scan.clone();
    scan.detail = assessment.why_unjudged();
    why(&scan)
}

fn what_to_do(reason: Reason) -> &'static str {
    match reason {
        Reason::NoDatabase | Reason::FeedsAwaited | Reason::Complete | Reason::WithGaps => {
            "have feeds loaded, with `plimsoll feeds update` or an import, then scan again"
        }
        Reason::NotFound => "see whether the artifact is still there, and which registry URL Harbor sends",
        Reason::Unauthorized => {
            "see whether Harbor's robot account may pull from the URL that it sends, then scan again"
        }
        Reason::AddressRefused => {
            "add the registry's host to `private_hosts_allowed` of `[server]` if it may be asked"
        }
        Reason::RegistryUnavailable | Reason::RateLimited => {
            "see whether the server reaches the registry's URL, then scan again"
        }
        Reason::DigestMismatch | Reason::Corrupt => "push the image again",
        Reason::ByRequest => "somebody called it off; scan again if that was a mistake",
        Reason::LayerTooLarge => "raise `layer_mib_max` of `[server]` if such layers are to be read",
        Reason::UnknownOs
        | Reason::ArtifactType
        | Reason::NoLayers
        | Reason::EncryptedLayer
        | Reason::TooManyLayers
        | Reason::ForeignLayer
        | Reason::LayerType
        | Reason::ManifestFormat => "scanning it again will not help: it cannot be judged as it is",
        _ => "scan again; if that does not help, see the server's log",
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_store::Priority;

    use super::*;

    fn scan(state: ScanState, reason: Reason) -> Scan {
        let at: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        Scan {
            id: "sha256:00".to_owned(),
            kind: ScanKind::Image,
            digest: None,
            reference: String::new(),
            registry: String::new(),
            repository: String::new(),
            successor: None,
            state,
            reason,
            detail: "what happened".to_owned(),
            since: at,
            queued_at: at,
            started_at: None,
            finished_at: None,
            attempt: 1,
            attempts_max: 5,
            retry_at: None,
            priority: Priority::Asked,
            position: None,
            progress: None,
            awaited: Vec::new(),
            index_state: None,
            judged: None,
            children: Vec::new(),
        }
    }

    fn question(needs_feeds: bool, age_seconds: i64) -> Question {
        Question {
            needs_feeds,
            age: SignedDuration::from_secs(age_seconds),
            patience: Duration::from_secs(1_800),
            now: "2030-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn what_may_pass_is_a_wait_that_harbor_can_read() {
        let queued = |before| Scan { position: before, ..scan(ScanState::Queued, Reason::Asked) };
        let retrying = |seconds: i64| {
            let retry_at = question(true, 0).now + SignedDuration::from_secs(seconds);
            Scan { retry_at: Some(retry_at), ..scan(ScanState::Retrying, Reason::RateLimited) }
        };
        let wait = |scan: &Scan, age| next(scan, &question(true, age));
        for (scan, age, seconds) in [
            (queued(None), 0, 2),
            (queued(Some(0)), 0, 2),
            (queued(Some(10)), 0, 7),
            (queued(Some(u64::MAX)), 0, 2),
            (queued(Some(1_000_000)), 0, 30),
            (scan(ScanState::Fetching, Reason::Asked), 99_999, 2),
            (scan(ScanState::Indexing, Reason::Asked), 0, 2),
            (scan(ScanState::Matching, Reason::Asked), 0, 2),
            (retrying(10), 0, 12),
            (retrying(-10), 0, 1),
            (retrying(9_999), 0, 127),
            (scan(ScanState::FeedsNotLoaded, Reason::NoDatabase), 1_799, FEEDS_SECONDS),
        ] {
            assert_eq!(wait(&scan, age), Next::Wait(seconds), "{:?} {age}", scan.state);
        }
    }

    #[test]
    fn every_end_has_a_report_or_a_reason_that_helps() {
        use ScanState::{Cancelled, Completed, Failed, FeedsNotLoaded, Unsupported};
        let mut lines = Vec::new();
        for (state, reason, needs_feeds) in [
            (Completed, Reason::Complete, true),
            (Completed, Reason::WithGaps, true),
            (Completed, Reason::Complete, false),
            (FeedsNotLoaded, Reason::FeedsAwaited, true),
            (FeedsNotLoaded, Reason::NoDatabase, false),
            (Unsupported, Reason::UnknownOs, true),
            (Unsupported, Reason::UnknownOs, false),
            (Unsupported, Reason::LayerTooLarge, true),
            (Failed, Reason::Unauthorized, true),
            (Failed, Reason::NotFound, true),
            (Failed, Reason::AddressRefused, true),
            (Failed, Reason::AttemptsExhausted, true),
            (Failed, Reason::Corrupt, true),
            (Cancelled, Reason::ByRequest, true),
        ] {
            let mut one = scan(state, reason);
            if reason == Reason::FeedsAwaited {
                one.awaited = vec!["alpine-secdb".to_owned(), "kev".to_owned()];
            }
            if reason == Reason::AttemptsExhausted {
                one.attempt = 5;
            }
            let told = match next(&one, &question(needs_feeds, 1_800)) {
                Next::Wait(seconds) => format!("wait {seconds}"),
                Next::Report => "report".to_owned(),
                Next::ReportOr(text) => format!("report, or {text}"),
                Next::Failed(text) => text,
            };
            let what = if needs_feeds { "vulnerability" } else { "sbom" };
            lines.push(format!("{state} {reason} {what}: {told}"));
        }
        let index = Scan { kind: ScanKind::Index, ..scan(Completed, Reason::Complete) };
        lines.push(format!("{:?}", next(&index, &question(true, 0))));
        insta::assert_snapshot!(lines.join("\n"));
    }
}
