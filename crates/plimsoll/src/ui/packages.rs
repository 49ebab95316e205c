//! The packages of an image, and what remains when each is upgraded.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use plimsoll_core::assessment::Assessment;
use plimsoll_report::html as report;
use plimsoll_report::html::view::query_of;

use super::session::Visitor;
use super::{ID, image, text};
use crate::http::Refusal;
use crate::http::endpoint::Endpoint;
use crate::http::path::Path;
use crate::server::Server;

/// What the tab's path ends with.
pub(super) const TAB: &str = "/packages";

/// Packages on one page.
const ROWS: usize = 100;

pub(super) const PAGE: Endpoint = super::page(
    "/ui/images/{id}/packages",
    "showPackages",
    "The packages of an image, and what remains when each is upgraded.",
    &[ID, text("text", "Looked for in names."), text("page", "Which page, from 1.")],
    || get(packages),
);

async fn packages(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    let page = match query.get("page").map(String::as_str) {
        None | Some("") => 1,
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|page| *page > 0)
            .ok_or_else(|| Refusal::bad_request("`page` is no number; pages are counted from 1"))?,
    };
    let text = query.get("text").cloned().unwrap_or_default();
    image::tab(&server, &visitor, id, TAB, move |_, looked, path| {
        Ok(listed(looked.assessment()?, &text, page - 1, &format!("{path}{TAB}")))
    })
    .await
}

fn listed(assessment: &Assessment, text: &str, page: usize, path: &str) -> Markup {
    let (table, count) = report::packages(assessment, text, page.saturating_mul(ROWS), ROWS);
    let pages = count.div_ceil(ROWS).max(1);
    let to = |page: usize| format!("{path}{}", query_of(&[("text", text), ("page", &page.to_string())]));
    html! {
        (report::first_lines(assessment))
        form.filters method="get" action=(path) role="search" aria-label="Filter packages" {
            label.text { span { "Find" } input type="search" name="text" value=(text) maxlength="200" placeholder="Name of a package"; }
            button type="submit" { "Filter" }
            @if !text.is_empty() { a href=(path) { "Clear" } }
        }
        p role="status" { (count) @if count == 1 { " package" } @else { " packages" } }
        @if count > 0 { (table) }
        @if pages > 1 { nav.pager aria-label="Pages of packages" {
            @if page > 0 { a rel="prev" href=(to(page)) { "← Previous" } }
            span { "Page " (page + 1) " of " (pages) }
            @if page + 1 < pages { a rel="next" href=(to(page + 2)) { "Next →" } }
        } }
    }
}
