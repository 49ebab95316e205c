//! The layers of an image: the command that made each, and what came with it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::html;
use plimsoll_report::html as report;

use super::session::Visitor;
use super::{ID, image};
use crate::http::Refusal;
use crate::http::endpoint::Endpoint;
use crate::http::path::Path;
use crate::server::Server;

/// What the tab's path ends with.
pub(super) const TAB: &str = "/layers";

pub(super) const PAGE: Endpoint = super::page(
    "/ui/images/{id}/layers",
    "showLayers",
    "The layers of an image: commands, sizes, and what came with each.",
    &[ID],
    || get(layers),
);

async fn layers(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    image::tab(&server, &visitor, id, TAB, |_, looked, path| {
        let assessment = looked.assessment()?;
        Ok(html! { (report::first_lines(assessment)) h2 { "Layers, the lowest first" } (report::layers(assessment, Some(path))) })
    })
    .await
}
