//! What there is at all: images by where they stand and by the worst that is known of them, what needs somebody,
//! which feeds are late, and what all images say together.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use plimsoll_core::scan::ScanState;
use plimsoll_report::html::{day, marks, shown};
use plimsoll_store::{Scan, ScanFilter, ScanKind};

use super::layout::{self, Shown};
use super::session::Visitor;
use super::{fleet, parts};
use crate::access::Principal;
use crate::http::Refusal;
use crate::http::endpoint::Endpoint;
use crate::jobs::status::shown_to;
use crate::server::{Advised, Server};

/// Scans that are looked at. There may be more, and the page says so.
const SCANS_MAX: u32 = 5_000;

/// Images of each list.
const LISTED_MAX: usize = 10;

pub(super) const PAGE: Endpoint =
    super::page("/", "showOverview", "What there is, and what needs somebody.", &[], || get(overview));

async fn overview(State(server): State<Arc<Server>>, visitor: Visitor) -> Result<Response, Refusal> {
    let principal = visitor.principal.clone();
    let main = server
        .blocking(move |server| {
            let all = fleet::seen(server, &principal)?;
            Ok(main(&scans(server, &principal)?, &server.advised(), &all))
        })
        .await?;
    Ok(layout::page(&visitor, &Shown { title: "Overview".to_owned(), place: PAGE.path, main }))
}

/// The scans that somebody may see, the first [`SCANS_MAX`] of them.
pub(super) fn scans(server: &Server, principal: &Principal) -> Result<Vec<Scan>, Refusal> {
    filtered(server, principal, &ScanFilter { rows_max: SCANS_MAX, ..ScanFilter::default() })
}

/// The scans of a filter that somebody may see, as they may see them.
pub(super) fn filtered(
    server: &Server,
    principal: &Principal,
    filter: &ScanFilter,
) -> Result<Vec<Scan>, Refusal> {
    let store = server.store()?;
    let is_within = |registry: &str, repository: &str| principal.may_see(registry, repository);
    let scans = match principal.is_limited() {
        true => store.scans_within(filter, &is_within)?,
        false => store.scans(filter)?,
    };
    Ok(scans.into_iter().map(|scan| shown_to(principal, scan)).collect())
}

/// Whether there may be more scans than these.
pub(super) fn is_cut(scans: &[Scan]) -> bool {
    scans.len() >= usize::try_from(SCANS_MAX).unwrap_or(usize::MAX)
}

fn main(scans: &[Scan], advised: &Advised, all: &fleet::Seen) -> Markup {
    // An index stands where its images stand, and a name where it led to.
    let images: Vec<&Scan> =
        scans.iter().filter(|scan| scan.kind != ScanKind::Index && scan.successor.is_none()).collect();
    html! {
        h1 { "Overview" }
        div #overview data-live {
            (feeds(advised))
            @if is_cut(scans) {
                p.banner.warning { "There are more images than the " (SCANS_MAX) " that this page counts." }
            }
            @if images.is_empty() {
                (parts::empty("No image was asked for yet.", &html! {
                    "Hand one in with " code { "plimsoll status REFERENCE --wait --server URL" } ", or have a registry watched: see " code { "[watch]" } " in the configuration."
                }))
            } @else {
                div.cards {
                    (by_state(&images))
                    (by_worst(&images))
                }
                (attention(&images))
                (fleet::flaws(all))
                (fleet::trend(all))
            }
        }
    }
}

/// Feeds that are late or cannot be fetched. Where there is no database nothing is judged, and that comes first.
fn feeds(advised: &Advised) -> Markup {
    let mut late = Vec::new();
    for feed in advised.feeds() {
        let date = advised.standings.date_of(feed, "");
        if advised.standings.is_stale(&feed.name, &date) {
            late.push(format!("{}: its data is of {}", feed.name, day(&date)));
        }
    }
    let failing = advised.standings.feeds.iter().filter(|(_, standing)| !standing.is_off);
    for (name, standing) in failing {
        if let Some(since) = &standing.failing_since {
            late.push(format!("{name}: cannot be fetched since {}", day(since)));
        }
    }
    html! {
        @if let Err(why) = &advised.database {
            section.banner.alarm aria-label="No advisory database" {
                h2 { "Nothing can be judged" }
                p { (why) ". The server fetches its feeds by itself unless it is told not to; " code { "plimsoll feeds update" } " does it by hand." }
            }
        }
        @if !late.is_empty() {
            section.banner.warning aria-label="Late feeds" {
                h2 { "What images are held against is late" }
                ul { @for text in &late { li { (shown(text)) } } }
            }
        }
    }
}

fn by_state(images: &[&Scan]) -> Markup {
    let mut counts: BTreeMap<ScanState, usize> = BTreeMap::new();
    for scan in images {
        *counts.entry(scan.state).or_default() += 1;
    }
    let rows = counts.iter().map(|(state, count)| (html! { (parts::word(*state)) }, *count));
    card("Images by state", rows.collect(), images.len())
}

fn by_worst(images: &[&Scan]) -> Markup {
    // Of what is not supported nothing was found, and nothing is known.
    let is_told = |scan: &&&Scan| scan.state != ScanState::Unsupported;
    let judged: Vec<_> = images.iter().filter(is_told).filter_map(|scan| scan.judged.as_ref()).collect();
    let mut rows = Vec::new();
    for severity in marks::SEVERITIES {
        let count = judged.iter().filter(|judged| judged.findings.worst() == Some(severity)).count();
        if count > 0 {
            rows.push((marks::severity(severity), count));
        }
    }
    let without = || judged.iter().filter(|judged| judged.findings.worst().is_none());
    let with_gaps = without().filter(|judged| judged.gaps > 0).count();
    for (title, count) in
        [("None known", without().count() - with_gaps), ("None known, with gaps", with_gaps)]
    {
        if count > 0 {
            rows.push((html! { (title) }, count));
        }
    }
    if judged.len() < images.len() {
        rows.push((html! { "Not judged" }, images.len() - judged.len()));
    }
    card("Images by the worst finding", rows, images.len())
}

/// Rows with a bar each, which repeats their number.
fn card(title: &str, rows: Vec<(Markup, usize)>, all: usize) -> Markup {
    html! {
        section.card {
            h2 { (title) }
            ul { @for (name, count) in rows {
                li.bar {
                    span { (name) }
                    span.number { (count) }
                    svg viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                        rect.track x="2" width="98" height="8" {}
                        rect x="2" width=(count * 98 / all.max(1)) height="8" fill="currentColor" {}
                    }
                }
            } }
        }
    }
}

fn attention(images: &[&Scan]) -> Markup {
    let with =
        |is: fn(&Scan) -> bool| -> Vec<&Scan> { images.iter().copied().filter(|scan| is(scan)).collect() };
    let judged = |scan: &Scan| scan.judged.clone();
    let lists: [(&str, Vec<&Scan>); 5] = [
        (
            "With findings that are exploited",
            with(|scan| scan.judged.as_ref().is_some_and(|judged| judged.exploited > 0)),
        ),
        (
            "With critical findings",
            with(|scan| scan.judged.as_ref().is_some_and(|judged| judged.findings.critical > 0)),
        ),
        ("Not scanned", with(|scan| matches!(scan.state, ScanState::Failed | ScanState::Unsupported))),
        (
            "Judged with gaps or late feeds",
            with(|scan| {
                scan.judged.as_ref().is_some_and(|judged| judged.gaps > 0 || !judged.late_feeds.is_empty())
            }),
        ),
        ("Tried again", with(|scan| scan.state == ScanState::Retrying)),
    ];
    html! {
        @if lists.iter().all(|(_, scans)| scans.is_empty()) {
            h2 { "Needs somebody" }
            p { "Nothing: no image that was judged has critical or exploited findings, and none failed." }
        }
        div.cards { @for (title, scans) in lists.iter().filter(|(_, scans)| !scans.is_empty()) {
            section.card {
                h2 { (title) " " span.quiet { "(" (scans.len()) ")" } }
                ul { @for scan in scans.iter().take(LISTED_MAX) {
                    li {
                        a href=(parts::image_path(&scan.id)) { (name(scan)) } br;
                        @match judged(scan) {
                            Some(judged) if scan.state == ScanState::Completed => { (parts::counts(judged.findings, None)) (parts::unsure(&[&judged])) },
                            _ => (parts::standing(scan)),
                        }
                    }
                } }
                @if scans.len() > LISTED_MAX { p.quiet { "and " (scans.len() - LISTED_MAX) " more" } }
            }
        } }
    }
}

/// What an image is called: the reference that it was asked for by, without a digest where it has a tag; or its digest.
pub(super) fn name(scan: &Scan) -> String {
    if scan.reference.is_empty() {
        return shown(&scan.id);
    }
    let reference = &scan.reference;
    let without = reference.split_once('@').map_or(reference.as_str(), |(name, _)| name);
    let has_tag = without.rsplit('/').next().is_some_and(|last| last.contains(':'));
    shown(if has_tag { without } else { reference })
}
