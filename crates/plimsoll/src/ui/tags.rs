//! The tags of a repository: where each image stands, the worst that is known of it, and what an index consists of. All
//! rows of a page take a fixed number of questions, and no report is made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use maud::{Markup, html};
use plimsoll_core::digest::Digest;
use plimsoll_report::html::view::query_of;
use plimsoll_report::html::{shown, size};
use plimsoll_store::{Child, Scan, ScanFilter, Tag, TagFilter};

use super::clearances::{self, Mark};
use super::layout::{self, Shown};
use super::session::Visitor;
use super::{overview, parts, repositories, text};
use crate::http::Refusal;
use crate::http::endpoint::{Endpoint, Parameter, schema_of};
use crate::http::path::Path;
use crate::jobs::status::{Standing, standings};
use crate::server::Server;

/// Tags on one page.
const ROWS: u32 = 200;

pub(super) const PAGE: Endpoint = super::page(
    "/ui/repositories/{*name}",
    "showRepository",
    "The tags of a repository, and where the image of each stands.",
    &[
        Parameter::path("name", "`HOST[:PORT]/NAMESPACE/NAME`.", schema_of::<String>),
        text("after", "Only after this tag."),
    ],
    || get(tags),
);

async fn tags(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    Path(name): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    let unknown = || {
        Refusal::not_found(
            "no tags of such a repository are known; the overview of repositories lists those that are",
        )
    };
    let (registry, repository) = name.split_once('/').ok_or_else(unknown)?;
    let (registry, repository) = (registry.to_owned(), repository.to_owned());
    let after = query.get("after").cloned().unwrap_or_default();
    let principal = visitor.principal.clone();
    if !principal.may_see(&registry, &repository) {
        return Err(unknown());
    }
    let is_first = after.is_empty();
    let listed = server
        .blocking(move |server| {
            let after = Some((registry.clone(), repository.clone(), after));
            let of_repository = ScanFilter {
                registry: registry.clone(),
                repository: repository.clone(),
                rows_max: ROWS,
                ..ScanFilter::default()
            };
            let filter = TagFilter { registry, repository, after, rows_max: ROWS, ..TagFilter::default() };
            let store = server.store()?;
            let tags = store.tags(&filter)?;
            let is_watched = !tags.is_empty() || !is_first;
            let mut rows: Vec<Row> = tags.into_iter().map(Row::of_tag).collect();
            if !is_watched {
                // Images that were handed in by name have no tags that anybody watches. A name stands where it led to.
                let scans = store.scans(&of_repository)?.into_iter();
                rows.extend(scans.filter(|scan| scan.successor.is_none()).map(Row::of_scan));
            }
            let is_full = rows.len() >= usize::try_from(ROWS).unwrap_or(usize::MAX);
            // Several tags lead to one image.
            let ids: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            let ids: Vec<&str> = ids.into_iter().collect();
            let standings = standings(store, &ids, &|scans| server.shown_of(&principal, scans))?;
            let marks = clearances::marks(server, &principal, &ids)?;
            if !is_watched {
                let inner = |standing: &Standing| {
                    standing.children.iter().map(|(child, _)| child.digest.clone()).collect::<Vec<_>>()
                };
                let within: BTreeSet<Digest> = standings.values().flat_map(inner).collect();
                // Who may not see a scan is not told of it; an image of an index stands with the index.
                rows.retain(|row| {
                    standings.contains_key(&row.id)
                        && !row.digest.as_ref().is_some_and(|digest| within.contains(digest))
                });
            }
            Ok(Listed { rows, is_watched, is_full, standings, marks, now: (server.now)() })
        })
        .await?;
    if listed.rows.is_empty() && is_first {
        return Err(unknown());
    }
    let main = main(&name, &listed);
    Ok(layout::page(&visitor, &Shown { title: shown(&name), place: repositories::PAGE.path, main }))
}

/// A row of the table.
struct Row {
    /// The tag, or what the image was asked for by.
    title: String,
    /// The scan that it leads to.
    id: String,
    digest: Option<Digest>,
    since: Timestamp,
}

impl Row {
    fn of_tag(tag: Tag) -> Row {
        Row { title: tag.tag, id: tag.digest.as_str().to_owned(), digest: Some(tag.digest), since: tag.since }
    }

    fn of_scan(scan: Scan) -> Row {
        Row { title: overview::name(&scan), id: scan.id, digest: scan.digest, since: scan.queued_at }
    }
}

struct Listed {
    rows: Vec<Row>,
    /// Whether these are tags, and not images that were handed in.
    is_watched: bool,
    /// Whether there may be more.
    is_full: bool,
    /// By id.
    standings: BTreeMap<String, Standing>,
    /// What was decided of each, by digest.
    marks: BTreeMap<String, Mark>,
    now: Timestamp,
}

fn main(name: &str, listed: &Listed) -> Markup {
    let (what, since) = match listed.is_watched {
        true => ("Tag", "Leads there since"),
        false => ("Image", "Asked for"),
    };
    let next = listed.rows.last().filter(|_| listed.is_full && listed.is_watched);
    html! {
        nav.trail aria-label="Where this is" { a href=(repositories::PAGE.path) { "Repositories" } " / " (shown(name)) }
        h1 { (shown(name)) }
        @if !listed.is_watched {
            p { "No tags of this repository are watched. These images of it were handed in:" }
            @if listed.is_full { p.banner.warning { "At most " (ROWS) " are listed, and there may be more." } }
        }
        @if listed.rows.is_empty() { p { "There are no further tags." } }
        @if !listed.rows.is_empty() { div #tags data-live {
            div.scroll tabindex="0" role="region" aria-label={ (what) "s" } { table.tags {
                thead { tr {
                    th scope="col" { (what) } th scope="col" { "Status" } th scope="col" { "Findings" } th scope="col" { "With a fix" }
                    @if !listed.marks.is_empty() { th scope="col" { "Clearance" } }
                    th scope="col" { "Size" } th scope="col" { (since) } th scope="col" { "Digest" }
                } }
                tbody { @for one in &listed.rows { (row(one, listed)) } }
            } }
        } }
        @if let Some(last) = next {
            nav.pager aria-label="More tags" { a rel="next" href=(query_of(&[("after", &last.title)])) { "Next →" } }
        }
    }
}

fn row(row: &Row, listed: &Listed) -> Markup {
    let standing = listed.standings.get(&row.id);
    let path = parts::image_path(&row.id);
    html! {
        tr {
            th scope="row" { @if standing.is_some() { a href=(path) { (shown(&row.title)) } } @else { (shown(&row.title)) } }
            @match standing {
                Some(standing) => {
                    td {
                        (parts::standing(&standing.scan))
                        @if !standing.children.is_empty() { (children(&row.title, standing)) }
                    }
                    td data-label="Findings" { (found(standing, &path)) }
                    td data-label="With a fix" { (fixable(standing)) }
                },
                None => {
                    td { span.standing { "Not asked for" } span.why { "no scan of it is known here" } }
                    td {} td {}
                },
            }
            @if !listed.marks.is_empty() {
                td data-label="Clearance" { @match row.digest.as_ref().and_then(|digest| Some((digest, listed.marks.get(digest.as_str())?))) {
                    Some((digest, mark)) => (clearances::mark(digest, mark, listed.now)),
                    None => span.quiet { "–" },
                } }
            }
            td data-label="Size" { @match standing.and_then(bytes) { Some(bytes) => { (size(bytes)) }, None => span.quiet { "–" } } }
            td data-label="Since" { (parts::time(row.since)) }
            td { @if let Some(digest) = &row.digest { (parts::digest(digest)) } @else { span.quiet { "not known" } } }
        }
    }
}

/// What is known of an image, or of those of an index together. That nothing was found is said only of what was judged,
/// and never without what was not.
pub(super) fn found(standing: &Standing, path: &str) -> Markup {
    let images: Vec<Option<&Scan>> = match standing.children.is_empty() {
        true => vec![Some(&standing.scan)],
        false => {
            let images = standing.children.iter().filter(|(child, _)| !child.is_attestation);
            images.map(|(_, scan)| scan.as_ref()).collect()
        }
    };
    let judged = images.iter().filter(|scan| scan.is_some_and(|scan| scan.judged.is_some())).count();
    html! {
        @match standing.findings() {
            Some(found) if found.worst().is_none() => { "None known" },
            // An index has no findings of its own to lead to.
            Some(found) => (parts::counts(found, Some(path).filter(|_| standing.children.is_empty()))),
            None => span.quiet { "Not judged" },
        }
        @if judged > 0 && judged < images.len() { " " span.tag { (judged) " of " (images.len()) " images judged" } }
        @let known: Vec<_> = images.iter().filter_map(|scan| scan.as_ref()?.judged.as_ref()).collect();
        (parts::unsure(&known))
    }
}

fn fixable(standing: &Standing) -> Markup {
    let own = standing.scan.judged.as_ref().filter(|_| standing.children.is_empty());
    let of_children = standing.children.iter().filter_map(|(_, scan)| scan.as_ref()?.judged.as_ref());
    let mut all = own.into_iter().chain(of_children).map(|judged| u64::from(judged.fixable)).peekable();
    html! { @if all.peek().is_some() { (all.sum::<u64>()) } @else { span.quiet { "–" } } }
}

/// Bytes of the layers of an image as they are stored, or of those of an index together, where all are known.
fn bytes(standing: &Standing) -> Option<u64> {
    let of = |scan: &Scan| scan.judged.as_ref().and_then(|judged| judged.layer_bytes);
    if standing.children.is_empty() {
        return of(&standing.scan);
    }
    let images = standing.children.iter().filter(|(child, _)| !child.is_attestation);
    images.map(|(_, scan)| scan.as_ref().and_then(of)).sum()
}

/// The images of an index, each with its own state.
fn children(title: &str, standing: &Standing) -> Markup {
    let images: Vec<_> = standing.children.iter().filter(|(child, _)| !child.is_attestation).collect();
    html! {
        details id={ "children-" (title) } {
            summary { "See its " (images.len()) @if images.len() == 1 { " image" } @else { " images" } }
            ul.children { @for (child, scan) in images { (child_row(child, scan.as_ref())) } }
        }
    }
}

fn child_row(child: &Child, scan: Option<&Scan>) -> Markup {
    let path = parts::image_path(child.digest.as_str());
    html! {
        li {
            @match scan {
                Some(scan) => {
                    a href=(path) { (platform(child)) } ": " (parts::standing(scan)) " "
                    @match &scan.judged {
                        Some(judged) if judged.findings.worst().is_some() => (parts::counts(judged.findings, Some(&path))),
                        Some(_) => { "None known" },
                        None => {},
                    }
                },
                None => { (platform(child)) ": " span.quiet { "not known here" } },
            }
        }
    }
}

/// `linux on amd64`.
pub(super) fn platform(child: &Child) -> String {
    match child.platform.split_once('/') {
        Some((os, architecture)) => shown(&format!("{os} on {architecture}")),
        None => "platform not stated".to_owned(),
    }
}
