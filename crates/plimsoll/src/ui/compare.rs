//! An image beside another one: what is new, what is gone, what both have.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use plimsoll_report::html as report;
use plimsoll_store::{Tag, TagFilter};

use super::session::Visitor;
use super::{ID, image, parts, text};
use crate::http::Refusal;
use crate::http::endpoint::Endpoint;
use crate::http::path::Path;
use crate::server::Server;

/// What the tab's path ends with.
pub(super) const TAB: &str = "/compare";

/// Tags of the same repository that are offered.
const TAGS_MAX: u32 = 200;

pub(super) const PAGE: Endpoint = super::page(
    "/ui/images/{id}/compare",
    "compareImages",
    "An image beside another one: what is new, what is gone, what both have.",
    &[ID, text("with", "The other one: its digest or id.")],
    || get(compare),
);

async fn compare(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    let with = query.get("with").map(|text| text.trim().to_owned()).unwrap_or_default();
    let principal = visitor.principal.clone();
    image::tab(&server, &visitor, id, TAB, move |server, looked, path| {
        let scan = &looked.standing.scan;
        let may_see = principal.may_see(&scan.registry, &scan.repository) && !scan.repository.is_empty();
        let filter = TagFilter {
            registry: scan.registry.clone(),
            repository: scan.repository.clone(),
            rows_max: TAGS_MAX,
            ..TagFilter::default()
        };
        let mut offered = if may_see { server.store()?.tags(&filter)? } else { Vec::new() };
        offered.retain(|tag| Some(&tag.digest) != scan.digest.as_ref());
        let form = form(&offered, &with, &format!("{path}{TAB}"));
        if with.is_empty() {
            return Ok(html! { (form) p { "Choose an earlier image to see what is new since." } });
        }
        let other = image::look(server, &principal, &with)?;
        let (after, before) = (looked.assessment()?, other.assessment()?);
        let other_path = parts::image_path(&other.standing.scan.id);
        Ok(html! {
            (form)
            p { "Beside " a href=(other_path) { (report::shown(&before.image.reference)) } "." }
            (report::first_lines(after))
            @if !before.is_judged() || !after.is_judged() {
                p.banner.alarm { "One of the two was not judged, so that what it lacks here says nothing." }
            }
            (report::compare::lists(&report::compare::compare(before, after)))
        })
    })
    .await
}

fn form(offered: &[Tag], with: &str, path: &str) -> Markup {
    let is_offered = with.is_empty() || offered.iter().any(|tag| tag.digest.as_str() == with);
    html! {
        form.filters method="get" action=(path) aria-label="Compare with" {
            @if offered.is_empty() || !is_offered {
                label { span { "Compare with the image of this digest" } input name="with" value=(with) maxlength="200" required; }
            } @else {
                label { span { "Compare with the tag" } select name="with" {
                    @for tag in offered {
                        option value=(tag.digest.as_str()) selected[tag.digest.as_str() == with] { (report::shown(&tag.tag)) }
                    }
                } }
            }
            button type="submit" { "Compare" }
        }
    }
}
