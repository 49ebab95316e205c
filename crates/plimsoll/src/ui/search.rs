//! Search over all images: a flaw, or a package and maybe its version.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use maud::{Markup, html};
use plimsoll_report::html::{marks, shown};
use plimsoll_store::Scan;

use super::layout::{self, Shown};
use super::session::Visitor;
use super::{overview, parts, text};
use crate::http::Refusal;
use crate::http::endpoint::Endpoint;
use crate::search::{Found, FoundPackage, IMAGES_MAX, flaw, package};
use crate::server::Server;

/// Longest text that is looked for, in bytes.
const TEXT_BYTES_MAX: usize = 500;

/// Packages that are named beside one image.
const PACKAGES_SHOWN_MAX: usize = 10;

pub(super) const PAGE: Endpoint = super::page(
    "/ui/search",
    "search",
    "The images that have a flaw, or a package.",
    &[
        text("flaw", "A CVE, or another name of a flaw."),
        text("package", "A package's name, or that of its source package."),
        text("version", "Only of this version of the package."),
    ],
    || get(search),
);

/// What is looked for.
#[derive(Clone, Default)]
struct Wanted {
    flaw: String,
    package: String,
    version: String,
}

async fn search(
    State(server): State<Arc<Server>>,
    visitor: Visitor,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    let of = |key: &str| query.get(key).map_or("", String::as_str).trim().to_owned();
    let wanted = Wanted { flaw: of("flaw"), package: of("package"), version: of("version") };
    for text in [&wanted.flaw, &wanted.package, &wanted.version] {
        if text.len() > TEXT_BYTES_MAX {
            let message = format!("what is looked for is longer than {TEXT_BYTES_MAX} bytes");
            return Err(Refusal::bad_request(message));
        }
    }
    if !wanted.flaw.is_empty() && !wanted.package.is_empty() {
        return Err(Refusal::bad_request("look either for a flaw or for a package"));
    }
    if wanted.package.is_empty() && !wanted.version.is_empty() {
        return Err(Refusal::bad_request("a version is looked for with the name of its package"));
    }
    let (principal, asked) = (visitor.principal.clone(), wanted.clone());
    let found = server
        .blocking(move |server| match (asked.flaw.as_str(), asked.package.as_str()) {
            ("", "") => Ok(None),
            ("", name) => package(server, &principal, name, &asked.version).map(Some),
            (name, _) => flaw(server, &principal, name).map(Some),
        })
        .await?;
    let main = main(&wanted, found.as_ref());
    Ok(layout::page(&visitor, &Shown { title: "Search".to_owned(), place: PAGE.path, main }))
}

fn main(wanted: &Wanted, found: Option<&Found>) -> Markup {
    let field = |name: &str, title: &str, value: &str, hint: &str, is_required: bool| {
        html! {
            label.text { span { (title) } input type="search" name=(name) value=(value) maxlength=(TEXT_BYTES_MAX) placeholder=(hint) required[is_required]; }
        }
    };
    html! {
        h1 { "Search over all images" }
        form.filters method="get" action=(PAGE.path) role="search" aria-label="Look for a flaw" {
            (field("flaw", "Flaw", &wanted.flaw, "CVE-2021-44228", true))
            button type="submit" { "Find images with it" }
        }
        form.filters method="get" action=(PAGE.path) role="search" aria-label="Look for a package" {
            (field("package", "Package", &wanted.package, "openssl", true))
            (field("version", "Version", &wanted.version, "any", false))
            button type="submit" { "Find images with it" }
        }
        @match found {
            Some(found) => (results(wanted, found)),
            None => p.quiet { "A flaw is found by any of its names, a package by its own name or that of its source package, in all images that are indexed." },
        }
    }
}

fn results(wanted: &Wanted, found: &Found) -> Markup {
    let is_of_flaw = !wanted.flaw.is_empty();
    let count = found.images.len();
    html! {
        div role="status" { h2 {
            (count) @if count == 1 { " image has " } @else { " images have " }
            bdi { (shown(if is_of_flaw { &wanted.flaw } else { &wanted.package })) }
            @if !wanted.version.is_empty() { " " bdi { (shown(&wanted.version)) } }
        } }
        @if is_of_flaw && !found.is_flaw_known {
            p.banner.warning { "No advisory of the database is of this name, so that this says nothing: it may be misspelt, too new, or of a feed that is off. " a href="/ui/feeds" { "See the feeds" } "." }
        } @else if is_of_flaw {
            p.quiet { "Of images that are not indexed, and of those whose feeds are missing, nothing is known here; what an image was not judged for stands on its own page." }
        }
        @if found.is_cut { p.banner.warning { "There is more than is listed: at most " (IMAGES_MAX) " images are named." } }
        @if count > 0 {
            div.scroll tabindex="0" role="region" aria-label="Images" { table.tags {
                thead { tr { th scope="col" { "Image" } th scope="col" { "Status" } th scope="col" { "Package" } } }
                tbody { @for (scan, numbers) in &found.images { (row(scan, numbers, found, wanted)) } }
            } }
        }
    }
}

fn row(scan: &Scan, numbers: &[u32], found: &Found, wanted: &Wanted) -> Markup {
    let path = parts::image_path(&scan.id);
    let looked_for = if wanted.flaw.is_empty() { &wanted.package } else { &wanted.flaw };
    let query = plimsoll_report::html::view::query_of(&[("text", looked_for.as_str())]);
    let tab = if wanted.flaw.is_empty() { super::packages::TAB } else { "" };
    let packages: Vec<&FoundPackage> =
        numbers.iter().filter_map(|number| found.packages.get(number)).collect();
    html! {
        tr {
            th scope="row" { a href={ (path) (tab) (query) } { (overview::name(scan)) } }
            td { (parts::standing(scan)) }
            td { ul.children {
                @for one in packages.iter().take(PACKAGES_SHOWN_MAX) { li {
                    @if let Some(finding) = &one.finding { (marks::severity(finding.severity)) " " }
                    bdi { (shown(&one.package.name)) } " " bdi { (shown(&one.package.version)) }
                    @if let Some(finding) = &one.finding {
                        span.why { @match &finding.fixed_in { Some(version) => { "fixed in " bdi { (shown(version)) } }, None => "no fix is stated" } }
                    }
                } }
                @if packages.len() > PACKAGES_SHOWN_MAX { li.quiet { "and " (packages.len() - PACKAGES_SHOWN_MAX) " more" } }
            } }
        }
    }
}
