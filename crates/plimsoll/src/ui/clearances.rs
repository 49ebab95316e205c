//! Clearances: what was asked, what was decided of each digest and why, and the reports with every check as they were
//! written when it was decided.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use maud::{Markup, html};
use plimsoll_core::clearance::Verdict;
use plimsoll_core::digest::Digest;
use plimsoll_report::html::clearance::{Told, clearance as html_of};
use plimsoll_report::html::shown;
use plimsoll_report::html::view::query_of;
use plimsoll_report::link;
use plimsoll_store::{Hearing, HearingFilter, HearingState, Record, Store};

use super::layout::{self, Shown};
use super::session::Visitor;
use super::{before, parts, text};
use crate::access::Principal;
use crate::http::Refusal;
use crate::http::api_v1::clearances::{Found, found, may_see};
use crate::http::endpoint::{Endpoint, Parameter, schema_of};
use crate::http::path::Path;
use crate::server::Server;

/// Clearances on one page.
const ROWS: u32 = 100;

pub(super) const PAGE: Endpoint = super::page(
    "/ui/clearances",
    "showClearances",
    "What was asked whether it may ship, and what was decided; the newest first.",
    &[text("before", "Only before the clearance of this number.")],
    || get(clearances),
);

pub(super) const ONE: Endpoint = super::page(
    "/ui/clearances/{id}",
    "showClearance",
    "What was decided of each digest, and why.",
    &[Parameter::path("id", "The id that the clearance was given.", schema_of::<String>)],
    || get(clearance),
);

async fn clearances(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    let before = before(&query, "a clearance")?;
    let principal = visitor.principal.clone();
    let listed = server
        .blocking(move |server| {
            let filter = HearingFilter { before, rows_max: ROWS, ..HearingFilter::default() };
            let is_within = |registry: &str, repository: &str| principal.may_see(registry, repository);
            let is_limited = principal.is_limited();
            Ok(server.store()?.hearings(&filter, if is_limited { Some(&is_within) } else { None })?)
        })
        .await?;
    let main = list(&listed);
    Ok(layout::page(&visitor, &Shown { title: "Clearances".to_owned(), place: PAGE.path, main }))
}

async fn clearance(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let principal = visitor.principal.clone();
    let (found, told) = server
        .blocking(move |server| {
            let store = server.store()?;
            let found = match store.hearing(&id)? {
                Some(hearing) if may_see(store, &principal, &id)? => found(server, hearing)?,
                _ => {
                    let why = "there is no such clearance; the list has those that there are";
                    return Err(Refusal::not_found(why));
                }
            };
            let told = found.record.as_ref().map_or(Ok(None), |record| told(store, record));
            Ok((found, told))
        })
        .await?;
    let main = one(&found, &told);
    let title = format!("Clearance {}", found.hearing.number);
    Ok(layout::page(&visitor, &Shown { title, place: PAGE.path, main }))
}

/// What a record keeps of its checks; `Ok(None)` where it keeps none, and why where that cannot be read.
fn told(store: &Store, record: &Record) -> Result<Option<Told>, String> {
    let report = store.record_report(record, Told::FORMAT).map_err(|error| error.to_string())?;
    report.map(|report| Told::read(&report.body)).transpose()
}

/// The path of a clearance's page, by its id.
fn path(id: &str) -> String {
    format!("{}/{}", PAGE.path, link::of_value(id))
}

/// A verdict: sign and word.
fn verdict(verdict: Verdict) -> Markup {
    let (class, sign) = match verdict {
        Verdict::Cleared => ("done", "✓"),
        Verdict::Undecided => ("waiting", "?"),
        Verdict::Refused => ("ended", "✕"),
    };
    html! { span class={ "standing " (class) } { span aria-hidden="true" { (sign) } " " (verdict.name()) } }
}

/// What was decided, or where it stands and why.
fn standing(hearing: &Hearing) -> Markup {
    html! {
        @match hearing.verdict {
            Some(decided) => (verdict(decided)),
            None => {
                span class={ "standing " @if hearing.state.is_final() { "ended" } @else { "waiting" } } { (hearing.state.name()) }
                span.why {
                    (hearing.reason.name().replace('_', " "))
                    @if !hearing.detail.is_empty() { " · " (shown(&hearing.detail)) }
                    @if hearing.attempt > 0 { " · attempt " (hearing.attempt) " of " (hearing.attempts_max) }
                    @if hearing.state == HearingState::Retrying && let Some(at) = hearing.retry_at { " · again at " (parts::time(at)) }
                }
            },
        }
    }
}

/// What was decided last of a digest.
pub(super) struct Mark {
    /// `None` where it is not as it was written.
    record: Option<Arc<Record>>,
    /// Whether the records up to it are as they were written.
    is_whole: bool,
}

/// Those of these hearings that somebody may see who is held to some repositories: they speak of no others.
pub(super) fn seen(
    store: &Store,
    principal: &Principal,
    hearings: &[&str],
) -> Result<BTreeSet<String>, Refusal> {
    let is_seen = |(registry, repository): &(String, String)| principal.may_see(registry, repository);
    let places = store.hearings_places(hearings)?.into_iter();
    Ok(places.filter(|(_, places)| places.iter().all(is_seen)).map(|(hearing, _)| hearing).collect())
}

/// What was decided last of each of these digests, by digest. Who is held to some repositories is told of it where they may see
/// it, and not of what was decided before.
pub(super) fn marks(
    server: &Server,
    principal: &Principal,
    digests: &[&str],
) -> Result<BTreeMap<String, Mark>, Refusal> {
    let store = server.store()?;
    let mut records = store.newest_records(digests)?;
    if principal.is_limited() {
        let hearings: Vec<&str> = records.values().flatten().map(|record| record.hearing.as_str()).collect();
        let seen = seen(store, principal, &hearings)?;
        records.retain(|_, record| record.as_ref().is_ok_and(|record| seen.contains(&record.hearing)));
    }
    let chain = server.chain();
    let mark = |(digest, record): (String, Result<Arc<Record>, String>)| {
        let is_whole = record.as_ref().is_ok_and(|record| chain.holds(record.number));
        (digest, Mark { record: record.ok(), is_whole })
    };
    Ok(records.into_iter().map(mark).collect())
}

/// What a record decided of all that was asked, with a link to why.
pub(super) fn of_record(record: &Record, is_whole: bool) -> Markup {
    html! {
        a href=(path(&record.hearing)) {
            @if is_whole { (verdict(record.decision.verdict)) } @else { (damaged()) }
        }
        @if let Some(until) = record.decision.holds_until { " until " (parts::time(until)) }
    }
}

fn damaged() -> Markup {
    html! { span.standing.ended { span aria-hidden="true" { "✕" } " the record is damaged" } }
}

/// The same in a table: the verdict with a link to why, whether it still holds, and who vouches for the digest.
pub(super) fn mark(digest: &Digest, mark: &Mark, now: Timestamp) -> Markup {
    let Some(record) = mark.record.as_ref().filter(|_| mark.is_whole) else {
        return html! { a href="/readyz" { (damaged()) } };
    };
    // The worse of several policies' or entries' words on one digest.
    let spoken = record.decision.spoken.iter().filter(|spoken| spoken.digest == *digest);
    let Some(spoken) = spoken.max_by_key(|spoken| spoken.verdict) else { return html! {} };
    let until = record.decision.holds_until.filter(|_| spoken.verdict == Verdict::Cleared);
    html! {
        a href=(path(&record.hearing)) { (verdict(spoken.verdict)) }
        @match until {
            Some(until) if until <= now => span.why { "no longer holds" },
            _ => {},
        }
        @if !spoken.signers.is_empty() { span.why { "✓ signed by " (shown(&spoken.signers.join(", "))) } }
    }
}

fn list(listed: &[Hearing]) -> Markup {
    let is_full = listed.len() >= usize::try_from(ROWS).unwrap_or(usize::MAX);
    let next = listed.last().filter(|_| is_full);
    html! {
        h1 { "Clearances" }
        div #clearances data-live {
            @if listed.is_empty() {
                (parts::empty("No clearance was asked for here.", &html! {
                    "Ask with " code { "POST /api/v1/clearances" } " and a policy of " code { "[clearances]" } " in the configuration."
                }))
            } @else {
                div.scroll tabindex="0" role="region" aria-label="Clearances" { table.tags {
                    thead { tr { th scope="col" { "Clearance" } th scope="col" { "Verdict" } th scope="col" { "Policy" } th scope="col" { "Asked by" } th scope="col" { "Asked" } th scope="col" { "Holds until" } } }
                    tbody { @for hearing in listed { tr {
                        th scope="row" { a href=(path(&hearing.id)) { "Clearance " (hearing.number) } }
                        td { (standing(hearing)) }
                        td data-label="Policy" { (shown(&hearing.policy)) }
                        td data-label="Asked by" { (shown(&hearing.asked_by)) }
                        td data-label="Asked" { (parts::time(hearing.queued_at)) }
                        td data-label="Holds until" { @if let Some(until) = hearing.holds_until { (parts::time(until)) } @else { "–" } }
                    } } }
                } }
            }
        }
        @if let Some(last) = next {
            nav.pager aria-label="More clearances" { a rel="next" href={ (PAGE.path) (query_of(&[("before", &last.number.to_string())])) } { "Older →" } }
        }
    }
}

fn one(found: &Found, told: &Result<Option<Told>, String>) -> Markup {
    let hearing = &found.hearing;
    html! {
        nav.trail aria-label="Where this is" { a href=(PAGE.path) { "Clearances" } }
        h1 { "Clearance " (hearing.number) }
        div #clearance data-live[!hearing.state.is_final()] {
            p { (standing(hearing)) }
            @if !found.is_whole {
                p.banner.alarm { "The records up to this one are not as they were written, so what stands here proves nothing. " a href="/readyz" { "What is wrong" } "." }
            }
            dl.facts {
                dt { "Policy" } dd { (shown(&hearing.policy)) }
                dt { "Asked by" } dd { (shown(&hearing.asked_by)) }
                dt { "Asked" } dd { (parts::time(hearing.queued_at)) }
                @if let Some(until) = hearing.holds_until { dt { "Holds until" } dd { (parts::time(until)) } }
            }
            @match &found.record {
                Some(record) => (decided(hearing, record, told)),
                None => p { "Nothing is decided" @if hearing.state.is_final() { ", and nothing will be: ask again once what stands above is mended." } @else { " yet." } },
            }
        }
    }
}

fn decided(hearing: &Hearing, record: &Record, told: &Result<Option<Told>, String>) -> Markup {
    let decision = &record.decision;
    let id = link::of_value(&hearing.id);
    html! {
        h2 { "What is said of each digest" }
        div.scroll tabindex="0" role="region" aria-label="Digests" { table.tags {
            thead { tr { th scope="col" { "Digest" } th scope="col" { "Verdict" } th scope="col" { "Why" } th scope="col" { "In" } } }
            tbody { @for spoken in &decision.spoken { tr {
                th scope="row" { (parts::digest(&spoken.digest)) @if spoken.subject != spoken.digest { span.quiet { " an image of an index" } } }
                td { (verdict(spoken.verdict)) }
                td { @for why in record.why(spoken) { p { (shown(why)) } } }
                td data-label="In" { @for repository in &spoken.repositories { p { (shown(repository)) } } }
            } } }
        } }
        h2 { "Checks, evidence and waivers" }
        @match told {
            Ok(Some(told)) => (html_of(told)),
            Ok(None) => p { "The record keeps no document of them." },
            Err(why) => p.banner.alarm { "The document of them cannot be read: " (shown(why)) },
        }
        p { "As they were written when it was decided:" }
        ul { @for (format, digest) in &record.reports {
            li { a href={ "/api/v1/clearances/" (id) "?format=" (link::of_value(format)) } { (shown(format)) } " " (parts::digest(digest)) }
        } }
        h2 { "The record" }
        dl.facts {
            dt { "Number" } dd { (record.number) }
            dt { "Digest" } dd { (parts::digest(&record.digest)) }
            dt { "Decided" } dd { (parts::time(record.decided_at)) }
            dt { "How closely was looked" } dd { (shown(&decision.level)) }
            @if let Some(database) = &decision.database { dt { "Advisory database" } dd { code { (shown(database)) } } }
            @for (name, digest) in &decision.policies { dt { "Policy's file" } dd { (shown(name)) " " (parts::digest(digest)) } }
        }
    }
}
