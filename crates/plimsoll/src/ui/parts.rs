//! What several pages show: where a scan stands, counts, digests, times, tabs.

use std::collections::BTreeSet;

use jiff::Timestamp;
use maud::{Markup, html};
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_report::html::{marks, shown};
use plimsoll_report::link;
use plimsoll_store::{Judged, Scan, Severities};

/// Characters of a digest that a table shows.
const DIGEST_CHARS: usize = 19;

/// The word for a state, as people read it.
pub(super) fn word(state: ScanState) -> &'static str {
    match state {
        ScanState::Queued => "Queued",
        ScanState::Fetching => "Fetching",
        ScanState::Indexing => "Reading its layers",
        ScanState::FeedsNotLoaded => "Waits for feeds",
        ScanState::Matching => "Matching",
        ScanState::Retrying => "Will be tried again",
        ScanState::Completed => "Scanned",
        ScanState::Unsupported => "Unsupported",
        ScanState::Failed => "Failed",
        ScanState::Cancelled => "Cancelled",
        ScanState::NotReady => "The server is not ready",
        ScanState::Unavailable => "The server cannot be asked",
    }
}

/// The class and the sign of a state: a word stands beside it.
fn sign(state: ScanState) -> (&'static str, &'static str) {
    match state {
        ScanState::Completed => ("done", "✓"),
        ScanState::Fetching | ScanState::Indexing | ScanState::Matching => ("under-way", "▸"),
        ScanState::Queued | ScanState::FeedsNotLoaded | ScanState::Retrying => ("waiting", "◷"),
        _ => ("ended", "✕"),
    }
}

/// Where a scan stands, and why, in words.
pub(super) fn standing(scan: &Scan) -> Markup {
    let (class, sign) = sign(scan.state);
    let why = why(scan);
    html! {
        span class={ "standing " (class) } {
            span aria-hidden="true" { (sign) } " " (word(scan.state)) @if scan.reason == Reason::WithGaps { ", with gaps" }
        }
        @if !why.is_empty() { span.why { (why) } }
    }
}

/// Why a scan stands where it stands, and what comes next.
fn why(scan: &Scan) -> String {
    let mut parts = Vec::new();
    if scan.reason != Reason::Complete && scan.reason != Reason::WithGaps {
        parts.push(scan.reason.name().replace('_', " "));
    }
    if !scan.detail.is_empty() {
        parts.push(shown(&scan.detail));
    }
    if let Some(progress) = scan.progress.filter(|progress| progress.layers > 0) {
        parts.push(format!("layer {} of {}", progress.layers_done, progress.layers));
    }
    match scan.position {
        Some(0) => parts.push("next in the queue".to_owned()),
        Some(before) => parts.push(format!("{before} before it in the queue")),
        None => {}
    }
    let is_tried = !matches!(scan.state, ScanState::Completed | ScanState::Queued | ScanState::Cancelled);
    if is_tried && scan.attempt > 0 {
        parts.push(format!("attempt {} of {}", scan.attempt, scan.attempts_max));
    }
    if let Some(at) = scan.retry_at {
        parts.push(format!("again at {}", moment(at)));
    }
    parts.join(" · ")
}

/// A time for people, to the minute.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A time, for readers of any kind.
pub(super) fn time(at: Timestamp) -> Markup {
    html! { time datetime=(at.to_string()) { (moment(at)) } }
}

/// Counts by severity as one line, the worst first, without those that are none; each leads to its findings where there is a path for it.
pub(super) fn counts(found: Severities, path: Option<&str>) -> Markup {
    html! {
        span.counts-line {
            @for (severity, count) in found.rows().into_iter().filter(|(_, count)| *count > 0) {
                @match path {
                    Some(path) => a href={ (path) "?severity=" (marks::word(severity)) } { (marks::severity(severity)) " " (count) },
                    None => span { (marks::severity(severity)) " " (count) },
                }
            }
        }
    }
}

/// What takes from the worth of what was found: gaps, and feeds that were late.
pub(super) fn unsure(judged: &[&Judged]) -> Markup {
    let gaps: u64 = judged.iter().map(|judged| u64::from(judged.gaps)).sum();
    let late: BTreeSet<&str> =
        judged.iter().flat_map(|judged| &judged.late_feeds).map(|(feed, _)| feed.as_str()).collect();
    html! {
        @if gaps > 0 { " " span.tag { (gaps) @if gaps == 1 { " gap" } @else { " gaps" } } }
        @if !late.is_empty() {
            " " span.tag title=(late.iter().map(|feed| shown(feed)).collect::<Vec<_>>().join(", ")) {
                (late.len()) @if late.len() == 1 { " late feed" } @else { " late feeds" }
            }
        }
    }
}

/// The beginning of a digest, and a button that copies all of it where there is a script.
pub(super) fn digest(digest: &Digest) -> Markup {
    let text = digest.as_str();
    html! {
        span.digest {
            code title=(text) { (text.get(..DIGEST_CHARS).unwrap_or(text)) "…" } " "
            button.copy type="button" hidden data-copy=(text) aria-label={ "Copy the digest " (text) } { "Copy" }
        }
    }
}

/// The path of an image's page.
pub(super) fn image_path(id: &str) -> String {
    format!("/ui/images/{}", link::of_value(id))
}

/// The path of a repository's page.
pub(super) fn repository_path(registry: &str, repository: &str) -> String {
    let parts = std::iter::once(registry).chain(repository.split('/'));
    format!("/ui/repositories/{}", parts.map(link::of_value).collect::<Vec<_>>().join("/"))
}

/// What a page shows where there is nothing to show, and what to do.
pub(super) fn empty(text: &str, hint: &Markup) -> Markup {
    html! { div.empty { p { strong { (text) } } p { (hint) } } }
}
