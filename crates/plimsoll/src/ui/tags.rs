//! The tags of a repository: where each image stands, the worst that is known of it, and what an index consists of. All
//! rows of a page take a fixed number of questions, and no report is made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use maud::{Markup, html};
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
            // Several tags lead to one image.
            let ids: BTreeSet<&str> = tags.iter().map(|tag| tag.digest.as_str()).collect();
            let ids: Vec<&str> = ids.into_iter().collect();
            let standings = standings(store, &ids, &|scans| server.shown_of(&principal, scans))?;
            // Images that were handed in by name have no tags that anybody watches.
            let scans = match tags.is_empty() {
                true => store.scans(&of_repository)?,
                false => Vec::new(),
            };
            let scans = scans.into_iter().map(|scan| (scan.id.clone(), scan)).collect();
            let scans = server.shown_of(&principal, scans)?.into_values().collect();
            let marks = clearances::marks(server, &principal, &ids)?;
            Ok(Listed { tags: tags.clone(), standings, scans, marks, now: (server.now)() })
        })
        .await?;
    if listed.tags.is_empty() && listed.scans.is_empty() && is_first {
        return Err(unknown());
    }
    let main = main(&name, &listed);
    Ok(layout::page(&visitor, &Shown { title: shown(&name), place: repositories::PAGE.path, main }))
}

struct Listed {
    tags: Vec<Tag>,
    /// By digest.
    standings: BTreeMap<String, Standing>,
    /// Where there are no tags: the images that were scanned under this name.
    scans: Vec<Scan>,
    /// What was decided of each, by digest.
    marks: BTreeMap<String, Mark>,
    now: Timestamp,
}

fn main(name: &str, listed: &Listed) -> Markup {
    let is_full = listed.tags.len() >= usize::try_from(ROWS).unwrap_or(usize::MAX);
    let next = listed.tags.last().filter(|_| is_full);
    html! {
        nav.trail aria-label="Where this is" { a href=(repositories::PAGE.path) { "Repositories" } " / " (shown(name)) }
        h1 { (shown(name)) }
        @if !listed.scans.is_empty() {
            p { "No tags of this repository are watched. These images of it were handed in:" }
            ul.plain { @for scan in &listed.scans {
                li { a href=(parts::image_path(&scan.id)) { (overview::name(scan)) } " " (parts::standing(scan)) }
            } }
        }
        @if !listed.tags.is_empty() { div #tags data-live {
            div.scroll tabindex="0" role="region" aria-label="Tags" { table.tags {
                thead { tr {
                    th scope="col" { "Tag" } th scope="col" { "Status" } th scope="col" { "Findings" } th scope="col" { "With a fix" }
                    @if !listed.marks.is_empty() { th scope="col" { "Clearance" } }
                    th scope="col" { "Size" } th scope="col" { "Leads there since" } th scope="col" { "Digest" }
                } }
                tbody { @for tag in &listed.tags { (row(tag, listed)) } }
            } }
        } }
        @if let Some(last) = next {
            nav.pager aria-label="More tags" { a rel="next" href=(query_of(&[("after", &last.tag)])) { "Next →" } }
        }
    }
}

fn row(tag: &Tag, listed: &Listed) -> Markup {
    let standing = listed.standings.get(tag.digest.as_str());
    let path = parts::image_path(tag.digest.as_str());
    html! {
        tr {
            th scope="row" { @if standing.is_some() { a href=(path) { (shown(&tag.tag)) } } @else { (shown(&tag.tag)) } }
            @match standing {
                Some(standing) => {
                    td {
                        (parts::standing(&standing.scan))
                        @if !standing.children.is_empty() { (children(tag, standing)) }
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
                td data-label="Clearance" { @match listed.marks.get(tag.digest.as_str()) {
                    Some(mark) => (clearances::mark(&tag.digest, mark, listed.now)),
                    None => span.quiet { "–" },
                } }
            }
            td data-label="Size" { @match standing.and_then(bytes) { Some(bytes) => { (size(bytes)) }, None => span.quiet { "–" } } }
            td data-label="Since" { (parts::time(tag.since)) }
            td { (parts::digest(&tag.digest)) }
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
fn children(tag: &Tag, standing: &Standing) -> Markup {
    let images: Vec<_> = standing.children.iter().filter(|(child, _)| !child.is_attestation).collect();
    html! {
        details id={ "children-" (tag.tag) } {
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
