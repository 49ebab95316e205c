//! The pages for people: written by the server, whole without a script, with nothing that is loaded from elsewhere.
//!
//! A page is a file with `PAGE`, an [`Endpoint`] made by [`page`], and its name in [`ENDPOINTS`]; what every page leads to
//! stands in [`NAVIGATION`], too. A page is a function from what is known to [`layout::Shown`]; the frame around it, its
//! headers and its errors are the [layout]'s. What is said of a finding is the report's own component
//! ([`plimsoll_report::html`]), so that the page and `scan --format html` say the same.
//!
//! What surprises:
//!
//! - Neither scripts nor styles stand in a page: its policy allows only the two files of [assets], whose names have the
//!   hash of their content. What looks like a style is an attribute of SVG.
//! - Live updates are the same page, asked for again when something happened: the script puts in the parts that are
//!   marked `data-live`. Without a script, loading the page anew does it.
//! - The parts of a repository or an image are below `/ui/`, so that no name of an image is taken for a path of another
//!   API.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::routing::MethodRouter;
use schemars::Schema;

use crate::http::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, SchemaFn, schema_of};
use crate::http::{Api, Cookies, Front, Refusal};
use crate::server::Server;

mod assets;
mod clearances;
mod compare;
mod documents;
mod feeds;
mod fleet;
mod history;
mod image;
mod jobs;
mod layers;
mod layout;
mod overview;
mod packages;
mod parts;
mod provider;
mod repositories;
mod search;
pub(crate) mod session;
mod sign_in;
mod tags;

/// The row.
pub(crate) static API: Api = Api {
    name: "ui",
    about: "The pages for people with a browser.",
    endpoints: ENDPOINTS,
    refuse: layout::refuse,
    front: Front { cookies: Cookies::Forms, refusal: Some(HTML), ..Front::USUAL },
};

static ENDPOINTS: &[Endpoint] = &[
    overview::PAGE,
    repositories::PAGE,
    tags::PAGE,
    image::PAGE,
    packages::PAGE,
    layers::PAGE,
    documents::PAGE,
    compare::PAGE,
    history::PAGE,
    jobs::PAGE,
    jobs::CANCEL,
    jobs::AGAIN,
    jobs::REPLAY,
    feeds::PAGE,
    search::PAGE,
    clearances::PAGE,
    clearances::ONE,
    sign_in::PAGE,
    sign_in::SIGN_IN,
    sign_in::SIGN_OUT,
    provider::BEGIN,
    provider::ANSWER,
    assets::ASSET,
];

/// What every page leads to: path and title, in the order in which they are shown.
static NAVIGATION: &[(&str, &str)] = &[
    (overview::PAGE.path, "Overview"),
    (repositories::PAGE.path, "Repositories"),
    (search::PAGE.path, "Search"),
    (clearances::PAGE.path, "Clearances"),
    (jobs::PAGE.path, "Jobs"),
    (feeds::PAGE.path, "Feeds"),
];

const HTML: Payload = Payload { media_types: &["text/html"], schema: schema_of::<String> };

const ID: Parameter =
    Parameter::path("id", "A manifest's digest, or the id that a submission was given.", schema_of::<String>);

/// A page that whoever may read may see.
const fn page(
    path: &'static str,
    id: &'static str,
    about: &'static str,
    parameters: &'static [Parameter],
    route: fn() -> MethodRouter<Arc<Server>>,
) -> Endpoint {
    Endpoint {
        method: Method::Get,
        path,
        id,
        about,
        access: Access::Read,
        is_always_there: false,
        parameters,
        body: None,
        answers: &[
            Answer { status: 200, about: "The page.", headers: &[], payload: Some(HTML) },
            Answer {
                status: 400,
                about: "The query cannot be understood.",
                headers: &[],
                payload: Some(HTML),
            },
            Answer {
                status: 404,
                about: "There is no such thing, or not for whoever asks.",
                headers: &[],
                payload: Some(HTML),
            },
        ],
        route,
    }
}

/// A text in a query that may be left out.
const fn text(name: &'static str, about: &'static str) -> Parameter {
    const TEXT: SchemaFn = |generator| -> Schema { schema_of::<String>(generator) };
    Parameter::query(name, about, TEXT)
}

/// The number before which a list goes on, where the query has one.
fn before(query: &BTreeMap<String, String>, of: &str) -> Result<Option<u64>, Refusal> {
    let Some(text) = query.get("before").filter(|text| !text.is_empty()) else { return Ok(None) };
    // Numbers are those of a signed column.
    let number = text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
    number.map(Some).ok_or_else(|| Refusal::bad_request(format!("`before` is no number of {of}")))
}

#[cfg(test)]
mod tests;
