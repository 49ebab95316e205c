//! The security report of an image; of an index, its images. The tabs of an image share what is looked up here.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use plimsoll_core::assessment::Assessment;
use plimsoll_core::digest::Digest;
use plimsoll_report::html as report;
use plimsoll_report::html::view::View;

use super::layout::{self, Shown};
use super::session::Visitor;
use super::{
    ID, compare, documents, history, jobs, layers, overview, packages, parts, repositories, tags, text,
};
use crate::access::Principal;
use crate::http::Refusal;
use crate::http::endpoint::{Endpoint, Parameter};
use crate::http::path::Path;
use crate::jobs::status::{Standing, standing};
use crate::server::Server;

pub(super) const PAGE: Endpoint =
    super::page("/ui/images/{id}", "showImage", "The security report of an image.", PARAMETERS, || {
        get(image)
    });

const PARAMETERS: &[Parameter] = &[
    ID,
    text("text", "Looked for in flaws, packages and versions."),
    text("severity", "Only these severities, with commas between."),
    text("fixable", "`1` for what has a fix alone."),
    text("exploited", "`1` for what is known to be exploited alone."),
    text("type", "Only packages of this ecosystem."),
    text("layer", "Only packages of this layer."),
    text("status", "Only findings of this status."),
    text("scope", "Only findings that do harm here."),
    text("sort", "What findings are sorted by, turned around after a `-`."),
    text("page", "Which page, from 1."),
];

/// The tabs of an image: what its path ends with, and title.
const TABS: [(&str, &str); 6] = [
    ("", "Security report"),
    (packages::TAB, "Packages"),
    (layers::TAB, "Layers"),
    (documents::TAB, "Coverage and downloads"),
    (compare::TAB, "Compare"),
    (history::TAB, "History"),
];

/// An image as a visitor may see it.
pub(super) struct Looked {
    pub(super) standing: Standing,
    /// What is known of it now; `None` before it is indexed, and for an index.
    pub(super) assessment: Option<Assessment>,
}

impl Looked {
    /// What is known of it, for a tab that shows nothing else.
    pub(super) fn assessment(&self) -> Result<&Assessment, Refusal> {
        self.assessment.as_ref().ok_or_else(|| {
            let word = parts::word(self.standing.scan.state);
            Refusal::new(
                409,
                "no_report",
                format!("nothing is known of this image yet: {word}; its security report says more"),
            )
        })
    }
}

/// Looks an image up. Whoever may not see it is told what those are told who ask for nothing.
pub(super) fn look(server: &Server, principal: &Principal, id: &str) -> Result<Looked, Refusal> {
    let found = standing(server.store()?, id, &|scan| server.shown(principal, scan))?;
    let standing = found.ok_or_else(|| Refusal::not_found("there is no such image; hand it in first"))?;
    let digest = standing.scan.digest.clone().filter(|_| standing.children.is_empty());
    let assessed = digest.as_ref().map_or(Ok(None), |digest| server.assessed(digest))?;
    let assessment = assessed.map(|assessed| {
        let mut assessment = assessed.assessment.clone();
        // An image is known by what it was first handed in as, which whoever looks may not have to know.
        assessment.image.reference = name(&standing);
        assessment
    });
    Ok(Looked { standing, assessment })
}

/// Looks an image up and has a tab of it made.
pub(super) async fn tab(
    server: &Arc<Server>,
    visitor: &Visitor,
    id: String,
    tab: &'static str,
    make: impl FnOnce(&Server, &Looked, &str) -> Result<Markup, Refusal> + Send + 'static,
) -> Result<Response, Refusal> {
    let looking = visitor.clone();
    let (name, main) = server
        .blocking(move |server| {
            let looked = look(server, &looking.principal, &id)?;
            let path = parts::image_path(&looked.standing.scan.id);
            let main = make(server, &looked, &path)?;
            Ok((name(&looked.standing), around(&looked, &path, tab, &main, &looking)))
        })
        .await?;
    let (_, title) = TABS.into_iter().find(|(ending, _)| *ending == tab).unwrap_or_default();
    let title = format!("{title}: {}", report::shown(&name));
    Ok(layout::page(visitor, &Shown { title, place: repositories::PAGE.path, main }))
}

async fn image(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    let view = View::read(&query).map_err(|error| Refusal::bad_request(error.to_string()))?;
    tab(&server, &visitor, id, "", move |_, looked, path| Ok(security(looked, &view, path))).await
}

fn name(standing: &Standing) -> String {
    let scan = &standing.scan;
    if scan.reference.is_empty() { scan.id.clone() } else { scan.reference.clone() }
}

/// What stands above each tab.
fn around(looked: &Looked, path: &str, tab: &str, main: &Markup, visitor: &Visitor) -> Markup {
    let scan = &looked.standing.scan;
    html! {
        nav.trail aria-label="Where this is" {
            a href=(repositories::PAGE.path) { "Repositories" }
            // A repository that whoever looks may not know of is not named: then the reference is empty.
            @if !scan.repository.is_empty() && !scan.reference.is_empty() {
                " / " a href=(parts::repository_path(&scan.registry, &scan.repository)) { (report::shown(&format!("{}/{}", scan.registry, scan.repository))) }
            }
        }
        h1 { (overview::name(scan)) }
        @if let Some(digest) = &scan.digest { p { (parts::digest(digest)) } }
        @if looked.standing.children.is_empty() {
            nav.tabs aria-label="Of this image" { ul {
                @for (ending, title) in TABS {
                    li { a href={ (path) (ending) } aria-current=[(ending == tab).then_some("page")] { (title) } }
                }
            } }
        }
        // What is done changes only when somebody asks for it again; what is not is shown as it goes.
        // It has its name in both cases, so that a page that waits finds what it became.
        div #image data-live[!scan.state.is_final()] { (jobs::buttons(scan, visitor)) (main) }
    }
}

fn security(looked: &Looked, view: &View, path: &str) -> Markup {
    let standing = &looked.standing;
    html! {
        p { (parts::standing(&standing.scan)) }
        @match &looked.assessment {
            Some(assessment) => {
                (report::first_lines(assessment))
                (report::tallies(assessment, Some(path)))
                details.part { summary { h2 { "What this image is" } } (report::facts(assessment)) }
                h2 { "Findings" }
                (report::findings(assessment, view, path))
            },
            None if !standing.children.is_empty() => (of_index(standing)),
            None => (nothing(standing)),
        }
    }
}

fn nothing(standing: &Standing) -> Markup {
    match standing.scan.state.is_final() {
        true => parts::empty(
            "There is no report of this image, and there will be none.",
            &html! {
                "What stands above says why. Once that is mended, hand it in again."
            },
        ),
        false => parts::empty(
            "There is no report of this image yet.",
            &html! {
                "It comes by itself where scripts run; otherwise load this page anew."
            },
        ),
    }
}

fn of_index(standing: &Standing) -> Markup {
    html! {
        h2 { "Its images" }
        p { "Together: " (tags::found(standing, "")) }
        div.scroll tabindex="0" role="region" aria-label="Images" { table.tags {
            thead { tr { th scope="col" { "Platform" } th scope="col" { "Status" } th scope="col" { "Findings" } th scope="col" { "Digest" } } }
            tbody { @for (child, scan) in standing.children.iter().filter(|(child, _)| !child.is_attestation) { tr {
                th scope="row" { @match scan { Some(_) => a href=(of(&child.digest)) { (tags::platform(child)) }, None => (tags::platform(child)) } }
                td { @match scan { Some(scan) => (parts::standing(scan)), None => span.quiet { "not known here" } } }
                td data-label="Findings" { @match scan.as_ref().and_then(|scan| scan.judged.as_ref()) {
                    Some(judged) => {
                        @if judged.findings.worst().is_none() { "None known" }
                        (parts::counts(judged.findings, Some(&of(&child.digest))))
                        (parts::unsure(&[judged]))
                    },
                    None => span.quiet { "Not judged" },
                } }
                td { (parts::digest(&child.digest)) }
            } } }
        } }
    }
}

fn of(digest: &Digest) -> String {
    parts::image_path(digest.as_str())
}
