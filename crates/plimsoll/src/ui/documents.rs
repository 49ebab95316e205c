//! What an image was held against, what could not be known, and its report and list of packages in every format.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use maud::html;
use plimsoll_report::formats::FORMATS;
use plimsoll_report::{html as report, link};

use super::session::Visitor;
use super::{ID, image};
use crate::http::Refusal;
use crate::http::endpoint::Endpoint;
use crate::http::path::Path;
use crate::server::Server;

/// What the tab's path ends with.
pub(super) const TAB: &str = "/documents";

pub(super) const PAGE: Endpoint = super::page(
    "/ui/images/{id}/documents",
    "showDocuments",
    "What an image was held against, its gaps, and its report in every format.",
    &[ID],
    || get(documents),
);

async fn documents(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    image::tab(&server, &visitor, id, TAB, |_, looked, _| {
        let assessment = looked.assessment()?;
        let id = link::of_value(&looked.standing.scan.id).into_owned();
        Ok(html! {
            (report::first_lines(assessment))
            h2 { "Downloads" }
            ul { @for format in FORMATS {
                li { a href={ "/api/v1/scans/" (id) "/report?format=" (format.name) } download={ "report." (format.name) } { (format.name) } ": " (format.title) }
            } }
            h2 { "Gaps" }
            (report::gaps(assessment))
            h2 { "Coverage" }
            (report::coverage(assessment))
        })
    })
    .await
}
