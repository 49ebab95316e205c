//! The feeds: how each stands, how old its data is, what failed, what was refused, and which images that touches.
//!
//! Where a feed is fetched from is not shown: the address of somebody's own mirror is not for every reader.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use plimsoll_core::advisory::Advisories as _;
use plimsoll_feeds::status::{FeedState, FeedStatus};
use plimsoll_report::html::{day, shown};
use plimsoll_store::Scan;

use super::layout::{self, Shown};
use super::session::Visitor;
use super::{overview, parts};
use crate::http::Refusal;
use crate::http::endpoint::Endpoint;
use crate::server::{Advised, Server};
use crate::standings::statuses;

/// Images that are named below a feed that they need and that is late.
const IMAGES_MAX: usize = 5;

pub(super) const PAGE: Endpoint = super::page(
    "/ui/feeds",
    "showFeeds",
    "How each feed stands, and which images that touches.",
    &[],
    || get(feeds),
);

async fn feeds(State(server): State<Arc<Server>>, visitor: Visitor) -> Result<Response, Refusal> {
    let principal = visitor.principal.clone();
    let main = server
        .blocking(move |server| {
            let mut feeds = statuses(&server.config, &server.data_dir, (server.now)());
            let order = |feed: &FeedStatus| FeedState::ALL.iter().position(|state| *state == feed.state());
            feeds.sort_by_key(|feed| (order(feed), feed.name));
            let scans = overview::scans(server, &principal)?;
            Ok(main(&feeds, &touched(&scans), &scans, &server.advised()))
        })
        .await?;
    Ok(layout::page(&visitor, &Shown { title: "Feeds".to_owned(), place: PAGE.path, main }))
}

/// The images that were judged while a feed that they need was late, by the feed's name: what it was, and which.
fn touched(scans: &[Scan]) -> BTreeMap<&str, Vec<(&str, &Scan)>> {
    let mut touched: BTreeMap<&str, Vec<(&str, &Scan)>> = BTreeMap::new();
    for scan in scans {
        for (feed, state) in scan.judged.iter().flat_map(|judged| &judged.late_feeds) {
            touched.entry(feed).or_default().push((state, scan));
        }
    }
    touched
}

fn main(
    feeds: &[FeedStatus],
    touched: &BTreeMap<&str, Vec<(&str, &Scan)>>,
    scans: &[Scan],
    advised: &Advised,
) -> Markup {
    let (on, off): (Vec<&FeedStatus>, Vec<&FeedStatus>) = feeds.iter().partition(|feed| feed.is_enabled);
    let late = on.iter().filter(|feed| feed.state().needs_attention()).count();
    html! {
        h1 { "Feeds" }
        div #feeds data-live {
            @match &advised.database {
                Err(why) => p.banner.alarm { "Nothing can be judged: " (shown(why)) "." },
                Ok(database) => p.quiet {
                    "The advisory database was built on " (day(&database.identity().built_at)) ", of " (advised.feeds().len()) " feeds, and has " (database.advisory_count()) " advisories."
                },
            }
            @match late {
                0 => p { (on.len()) " feeds are on, and all are fresh." },
                _ => p.banner.warning { (late) " of the " (on.len()) " feeds that are on need somebody. What is missing or late is a gap of each image that needs it." },
            }
            (table("Feeds that are on", &on, touched))
            @if overview::is_cut(scans) { p.quiet { "Of more images than " (scans.len()) ", only the first are looked at." } }
            @if !off.is_empty() {
                details #off { summary { (off.len()) " feeds are off" } (table("Feeds that are off", &off, touched)) }
            }
        }
    }
}

fn table(label: &str, feeds: &[&FeedStatus], touched: &BTreeMap<&str, Vec<(&str, &Scan)>>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(label) { table.tags {
            thead { tr {
                th scope="col" { "Feed" } th scope="col" { "State" } th scope="col" { "Data of" } th.number scope="col" { "Age" }
                th.number scope="col" { "Warned of after" } th.number scope="col" { "Records" } th.number scope="col" { "Refused" }
            } }
            tbody { @for feed in feeds { (row(feed, touched.get(feed.name).map_or(&[], Vec::as_slice))) } }
        } }
    }
}

fn row(feed: &FeedStatus, touched: &[(&str, &Scan)]) -> Markup {
    let state = feed.state();
    let class = if state.needs_attention() { "waiting" } else { "done" };
    let refused: u64 = feed.refused.iter().map(|(_, count)| count).sum();
    html! {
        tr {
            th scope="row" { (feed.title) br; span.quiet { code { (feed.name) } } }
            td {
                @if state == FeedState::Off { span.standing { "off" } } @else { span class={ "standing " (class) } { (state.title()) } }
                @if let Some(since) = &feed.failing_since {
                    span.why { "cannot be fetched since " (day(since)) ", " (feed.failures) " times: " (shown(feed.error.as_deref().unwrap_or("nothing is known of why"))) }
                }
                @if state == FeedState::NotLoaded { span.why { "it was never fetched" } }
                @if let Some((namespace, date)) = feed.oldest_namespace() { span.why { "the oldest is " (shown(namespace)) ", of " (day(date)) } }
                (images(touched))
            }
            td data-label="Data of" { @match (&feed.data_date, &feed.checked_at) {
                (Some(date), _) => (day(date)),
                (None, Some(date)) if feed.has_snapshot => { (day(date)) " (fetched)" },
                _ => "–",
            } }
            td.number data-label="Age" { @match feed.age_days { Some(days) => { (days) " d" }, None => "–" } }
            td.number data-label="Warned of after" { (feed.max_age_days) " d" }
            td.number data-label="Records" { @if feed.has_snapshot || feed.is_in_database { (feed.records) } @else { "–" } }
            td.number data-label="Refused" { (refused) }
        }
        tr.more { td colspan="7" { details id={ "feed-" (feed.name) } {
            summary { "More of " (feed.name) }
            dl.facts {
                dt { "Licence" } dd { (feed.licence) }
                dt { "Last confirmed by its upstream" } dd { (shown(feed.checked_at.as_deref().unwrap_or("never"))) }
                dt { "Last tried" } dd { (shown(feed.attempted_at.as_deref().unwrap_or("never"))) }
                @for (reason, count) in &feed.refused { dt { "Refused" } dd { (count) ": " (shown(reason)) } }
                @for (reason, count) in &feed.skipped { dt { "Left out" } dd { (count) ": " (shown(reason)) } }
                @for example in &feed.examples { dt { "For example" } dd { (shown(example)) } }
            }
        } } }
    }
}

/// The images that a late feed leaves a gap in.
fn images(touched: &[(&str, &Scan)]) -> Markup {
    html! {
        @if !touched.is_empty() {
            span.why {
                (touched.len()) @if touched.len() == 1 { " image was" } @else { " images were" } " judged without all of it: "
                @for (index, (state, scan)) in touched.iter().take(IMAGES_MAX).enumerate() {
                    @if index > 0 { ", " }
                    a href=(parts::image_path(&scan.id)) { (overview::name(scan)) } " (" (shown(state)) ")"
                }
                @if touched.len() > IMAGES_MAX { " and " (touched.len() - IMAGES_MAX) " more" }
            }
        }
    }
}
