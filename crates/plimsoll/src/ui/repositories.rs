//! The repositories whose tags are known.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use plimsoll_report::html::shown;
use plimsoll_report::html::view::query_of;
use plimsoll_store::Repository;

use super::layout::{self, Shown};
use super::session::Visitor;
use super::{parts, text};
use crate::http::Refusal;
use crate::http::endpoint::Endpoint;
use crate::server::Server;

/// Repositories on one page.
const ROWS: u32 = 200;

pub(super) const PAGE: Endpoint = super::page(
    "/ui/repositories",
    "showRepositories",
    "The repositories whose tags are known.",
    &[
        text("registry", "Only after a repository of this registry."),
        text("repository", "Only after this repository of it."),
    ],
    || get(repositories),
);

async fn repositories(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    let principal = visitor.principal.clone();
    let mut listed = server
        .blocking(move |server| {
            let of = |key: &str| query.get(key).map_or("", String::as_str);
            let (store, after) = (server.store()?, Some((of("registry"), of("repository"))));
            // One more than is shown says whether there are more.
            Ok(match principal.is_limited() {
                false => store.repositories(after, ROWS + 1)?,
                // A name that must not be known stands in no link either, so the store goes on until there are so many.
                true => store.repositories_within(after, ROWS + 1, &|registry, repository| {
                    principal.may_see(registry, repository)
                })?,
            })
        })
        .await?;
    let rows = usize::try_from(ROWS).unwrap_or(usize::MAX);
    let has_more = listed.len() > rows;
    listed.truncate(rows);
    let next = listed.last().filter(|_| has_more);
    let next = next.map(|last| query_of(&[("registry", &last.registry), ("repository", &last.repository)]));
    let main = main(&listed, next.as_deref());
    Ok(layout::page(&visitor, &Shown { title: "Repositories".to_owned(), place: PAGE.path, main }))
}

fn main(listed: &[Repository], next: Option<&str>) -> Markup {
    html! {
        h1 { "Repositories" }
        @if listed.is_empty() {
            (parts::empty("No repository is known yet.", &html! {
                "Tags are known of registries that are watched (" code { "[watch]" } " in the configuration) and of those that tell of pushes with a webhook."
            }))
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Repositories" { table {
                thead { tr { th scope="col" { "Repository" } th scope="col" { "Registry" } th.number scope="col" { "Tags" } th scope="col" { "Last seen" } } }
                tbody { @for row in listed { tr {
                    th scope="row" { a href=(parts::repository_path(&row.registry, &row.repository)) { (shown(&row.repository)) } }
                    td { (shown(&row.registry)) }
                    td.number { (row.tags) }
                    td { (parts::time(row.seen_at)) }
                } } }
            } }
            @if let Some(next) = next { nav.pager aria-label="More repositories" { a rel="next" href={ (PAGE.path) (next) } { "Next →" } } }
        }
    }
}
