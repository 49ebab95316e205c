//! What befell an image: how its scans went, what later advisories changed, and what was decided of it. Events are kept for
//! as long as the configuration says; what was decided is kept for ever.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_report::html::view::query_of;
use plimsoll_report::html::{marks, shown};
use plimsoll_store::{Event, EventKind, Record};

use super::session::Visitor;
use super::{ID, before, clearances, image, parts, text};
use crate::access::Principal;
use crate::http::Refusal;
use crate::http::endpoint::Endpoint;
use crate::http::path::Path;
use crate::notify::topics::ScanEnded;
use crate::rematch::changes::{ChangeKind, Changes};
use crate::server::Server;

/// What the tab's path ends with.
pub(super) const TAB: &str = "/history";

/// Events on one page.
const EVENTS: u32 = 100;

/// Records that are looked at.
const RECORDS_MAX: u32 = 50;

/// Findings that are named of one change.
const FINDINGS_MAX: usize = 20;

pub(super) const PAGE: Endpoint = super::page(
    "/ui/images/{id}/history",
    "showHistory",
    "How an image's scans went, what later advisories changed, and what was decided of it.",
    &[ID, text("before", "Only what happened before the event of this number.")],
    || get(history),
);

async fn history(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    let before = before(&query, "an event")?;
    let principal = visitor.principal.clone();
    image::tab(&server, &visitor, id, TAB, move |server, looked, path| {
        let scan = &looked.standing.scan;
        // Whose repository somebody may not know of, of that they are not told what its registry said.
        let is_own = !principal.is_limited() || principal.may_see(&scan.registry, &scan.repository);
        let events = server.store()?.events_of(&scan.id, before, EVENTS)?;
        let records = records(server, &principal, scan.digest.as_ref())?;
        Ok(main(server, &events, &records, is_own, path))
    })
    .await
}

/// What was decided of a digest, as far as somebody may see it.
fn records(
    server: &Server,
    principal: &Principal,
    digest: Option<&plimsoll_core::digest::Digest>,
) -> Result<Vec<Record>, Refusal> {
    let Some(digest) = digest else { return Ok(Vec::new()) };
    let store = server.store()?;
    let mut records = store.records_of(digest, None, RECORDS_MAX)?;
    if principal.is_limited() {
        let hearings: Vec<&str> = records.iter().map(|record| record.hearing.as_str()).collect();
        let seen = clearances::seen(store, principal, &hearings)?;
        records.retain(|record| seen.contains(&record.hearing));
    }
    Ok(records)
}

fn main(server: &Server, events: &[Event], records: &[Record], is_own: bool, path: &str) -> Markup {
    let is_full = events.len() >= usize::try_from(EVENTS).unwrap_or(usize::MAX);
    let next = events.last().filter(|_| is_full);
    html! {
        h2 { "What was decided" }
        @if records.is_empty() { p { "No clearance speaks of it." } }
        @else {
            ol.plain { @for record in records { li {
                (parts::time(record.decided_at)) " " (clearances::of_record(record, server.chain().holds(record.number)))
                " by the policy " bdi { (shown(&record.decision.policy)) }
            } } }
        }
        h2 { "What happened" }
        @if events.is_empty() { p { "Nothing, as far back as events are kept: " (server.config.server.keep_days) " days." } }
        @else {
            ol.plain { @for event in events { li { (parts::time(event.at)) " " (happened(event, is_own)) } } }
        }
        @if let Some(last) = next {
            nav.pager aria-label="More of what happened" { a rel="next" href={ (path) (TAB) (query_of(&[("before", &last.number.to_string())])) } { "Older →" } }
        }
    }
}

fn happened(event: &Event, is_own: bool) -> Markup {
    match event.kind {
        EventKind::ScanChanged => match serde_json::from_str::<ScanEnded>(&event.body) {
            Ok(scanned) => state(&scanned, is_own),
            Err(_) => unread(),
        },
        EventKind::FindingsChanged => match serde_json::from_str::<Changes>(&event.body) {
            Ok(changes) => findings(&changes),
            Err(_) => unread(),
        },
        _ => html! { (event.kind.name().replace('_', " ")) },
    }
}

fn unread() -> Markup {
    html! { span.quiet { "an event that this version cannot read" } }
}

fn state(scanned: &ScanEnded, is_own: bool) -> Markup {
    let state = ScanState::of_name(&scanned.state);
    let is_plain = [Reason::Complete.name(), Reason::WithGaps.name()].contains(&scanned.reason.as_str());
    html! {
        strong { (state.map_or("Unknown", parts::word)) @if scanned.reason == Reason::WithGaps.name() { ", with gaps" } }
        span.why {
            @if !is_plain { (shown(&scanned.reason.replace('_', " "))) }
            @if is_own && !scanned.detail.is_empty() { @if !is_plain { " · " } (shown(&scanned.detail)) }
            @if scanned.attempt > 1 { " · attempt " (scanned.attempt) }
        }
    }
}

/// What another advisory database changed.
fn findings(changes: &Changes) -> Markup {
    let count = |kind| changes.findings.iter().filter(|change| change.change == kind).count();
    html! {
        strong { "Other advisories" }
        ": " (count(ChangeKind::Added)) " new, " (count(ChangeKind::Changed)) " changed, " (count(ChangeKind::Removed)) " gone"
        @if changes.left_out > 0 { ", and " (changes.left_out) " more" }
        ul.children {
            @for change in changes.findings.iter().take(FINDINGS_MAX) { li {
                (change.change.name()) " " (marks::severity(change.rating())) " " bdi { (shown(&change.id)) } " in " bdi { (shown(&change.package)) } " " bdi { (shown(&change.version)) }
                @if let Some(fixed_in) = &change.fixed_in { ", fixed in " bdi { (shown(fixed_in)) } }
            } }
            @if changes.findings.len() > FINDINGS_MAX { li.quiet { "and " (changes.findings.len() - FINDINGS_MAX) " more" } }
        }
    }
}
