//! The table of findings, whole or a page of it, and what it is filtered by.

use std::collections::{BTreeMap, HashMap};

use maud::{Markup, html};
use plimsoll_core::advisory::Status;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::digest::Digest;
use plimsoll_core::finding::Finding;
use plimsoll_core::image::Layer;
use plimsoll_core::windows::components::Scope;

use super::said::shown;
use super::view::{STATUSES, Sort, View};
use super::{details, marks};
use crate::heading;

/// Findings on one page.
pub const PAGE_ROWS: usize = 25;

/// Findings whose details a file has. The rows of all others are there, and the JSON report has everything.
pub const FILE_DETAILS_MAX: usize = 1_000;

/// The columns: heading, what they are sorted by, and the class of their cells.
const COLUMNS: [(&str, Option<Sort>); 6] = [
    ("Severity", Some(Sort::Severity)),
    ("Flaw", Some(Sort::Id)),
    ("Package", Some(Sort::Package)),
    ("Installed", None),
    ("Fixed in", Some(Sort::Fix)),
    ("Exploited", Some(Sort::Likelihood)),
];

/// Filters and a page of the findings. `path` is that of the page, without a query.
pub fn findings(assessment: &Assessment, view: &View, path: &str) -> Markup {
    let found = view.of(assessment);
    let pages = found.len().div_ceil(PAGE_ROWS).max(1);
    let page = view.page.min(pages - 1);
    let rows = found.iter().skip(page * PAGE_ROWS).take(PAGE_ROWS);
    html! {
        (filters(assessment, view, path))
        p.shown role="status" {
            @match (found.len(), assessment.findings.findings.len()) {
                (0, 0) => { (nothing_found(assessment)) },
                (0, all) => { "None of the " (heading::count(all, "finding")) " fits. " a href=(path) { "Show all" } },
                (some, all) if some == all => { (heading::count(all, "finding")) },
                (some, all) => { (some) " of " (heading::count(all, "finding")) " · " a href=(path) { "Show all" } },
            }
        }
        @if !found.is_empty() {
            (table(assessment, rows.copied(), Some((view, path)), usize::MAX))
            (pager(view, path, page, pages))
        }
    }
}

/// All findings, for a file.
pub fn whole(assessment: &Assessment) -> Markup {
    let findings = &assessment.findings.findings;
    html! {
        @if findings.is_empty() { p.shown { (nothing_found(assessment)) } } @else {
            @if findings.len() > FILE_DETAILS_MAX {
                p.quiet { "The first " (FILE_DETAILS_MAX) " rows have details; the JSON report has those of all." }
            }
            (table(assessment, findings.iter(), None, FILE_DETAILS_MAX))
        }
    }
}

/// That nothing was found says something only where something was looked at.
fn nothing_found(assessment: &Assessment) -> Markup {
    html! {
        @if assessment.is_judged() {
            "Nothing is known to be wrong with the packages that were judged."
            @if !assessment.gaps().is_empty() { " Not everything was: see the gaps." }
        } @else { strong { "Not judged: " } (heading_of(&assessment.why_unjudged())) "." }
    }
}

fn heading_of(text: &str) -> String {
    super::said::sentence(text)
}

/// What findings are filtered by, as a form that works without a script.
pub fn filters(assessment: &Assessment, view: &View, path: &str) -> Markup {
    let packages = &assessment.inventory.packages;
    let mut ecosystems: BTreeMap<&str, &str> = BTreeMap::new();
    let has = |wanted: fn(&Finding) -> bool| assessment.findings.findings.iter().any(wanted);
    for finding in &assessment.findings.findings {
        if let Some(package) = packages.get(finding.package) {
            ecosystems.insert(package.ecosystem.name, package.ecosystem.title);
        }
    }
    let severities: Vec<&str> = view.severities.iter().map(|severity| marks::word(*severity)).collect();
    let (severities, sort) = (severities.join(","), sort_word(view));
    html! {
        form.filters method="get" action=(path) role="search" aria-label="Filter findings" {
            @if !sort.is_empty() { input type="hidden" name="sort" value=(sort); }
            label.text { span { "Find" } input type="search" name="text" value=(view.text) maxlength="200" placeholder="CVE, package, version"; }
            (choice("severity", "Severity", &severities, marks::SEVERITIES.map(|one| (marks::word(one), marks::title(one).to_owned())).into_iter()))
            (choice("type", "Packages", &view.ecosystem, ecosystems.iter().map(|(name, title)| (*name, (*title).to_owned()))))
            (choice("layer", "Layer", &view.layer, layers(assessment)))
            @if has(|finding| finding.status != Status::Affected) {
                (choice("status", "Status", view.status.map_or("", Status::name), STATUSES.map(|status| (status.name(), status.name().replace('_', " "))).into_iter()))
            }
            @if has(|finding| finding.scope != Scope::Image) {
                (choice("scope", "Harm in", view.scope.map_or("", Scope::name), Scope::ALL.map(|scope| (scope.name(), scope.name().replace('-', " "))).into_iter()))
            }
            label.check { input type="checkbox" name="fixable" value="1" checked[view.only_fixable]; span { "Only with a fix" } }
            label.check { input type="checkbox" name="exploited" value="1" checked[view.only_exploited]; span { "Only exploited" } }
            button type="submit" { "Filter" }
            @if view.is_filtered() { a.clear href=(path) { "Clear" } }
        }
    }
}

fn sort_word(view: &View) -> String {
    let sorted = View { sort: view.sort, is_reversed: view.is_reversed, ..View::default() };
    sorted.query().trim_start_matches("?sort=").to_owned()
}

/// The layers that packages with findings came with, by number.
fn layers(assessment: &Assessment) -> impl Iterator<Item = (&str, String)> {
    let packages = &assessment.inventory.packages;
    let with: std::collections::HashSet<&Digest> = assessment
        .findings
        .findings
        .iter()
        .filter_map(|finding| packages.get(finding.package)?.layer.as_ref())
        .collect();
    let numbered = assessment.image.layers.iter().enumerate();
    numbered.filter(move |(_, layer)| with.contains(&layer.digest)).map(|(number, layer)| {
        let command = layer.created_by.as_deref().unwrap_or("no command");
        let command = crate::printable::cut(&super::said::sentence(command), 40).into_owned();
        (layer.digest.as_str(), format!("{}: {command}", number + 1))
    })
}

fn choice<'a>(
    name: &str,
    title: &str,
    chosen: &str,
    options: impl Iterator<Item = (&'a str, String)>,
) -> Markup {
    let options: Vec<(&str, String)> = options.collect();
    let is_listed = chosen.is_empty() || options.iter().any(|(value, _)| *value == chosen);
    html! {
        label { span { (title) } select name=(name) {
            option value="" { "All" }
            @for (value, title) in &options { option value=(value) selected[*value == chosen] { (title) } }
            @if !is_listed { option value=(chosen) selected { (shown(chosen)) } }
        } }
    }
}

/// A table of findings. With a view its headings sort; without one it is as it stands. So many rows have details.
fn table<'a>(
    assessment: &'a Assessment,
    rows: impl Iterator<Item = &'a Finding>,
    sorted: Option<(&View, &str)>,
    details_max: usize,
) -> Markup {
    let layers: HashMap<&Digest, &Layer> =
        assessment.image.layers.iter().map(|layer| (&layer.digest, layer)).collect();
    html! {
        div.scroll tabindex="0" role="region" aria-label="Findings" {
            table.findings {
                thead { tr {
                    @for (title, sort) in COLUMNS { (column(title, sort, sorted)) }
                } }
                @for (place, finding) in rows.enumerate() {
                    (row(assessment, finding, &layers, place < details_max))
                }
            }
        }
    }
}

fn column(title: &str, sort: Option<Sort>, sorted: Option<(&View, &str)>) -> Markup {
    let (Some(sort), Some((view, path))) = (sort, sorted) else {
        return html! { th scope="col" { (title) } };
    };
    let is_current = view.sort == sort;
    let next = View { sort, is_reversed: is_current && !view.is_reversed, page: 0, ..view.clone() };
    let aria = match (is_current, view.is_reversed) {
        (false, _) => None,
        (true, false) => Some("descending"),
        (true, true) => Some("ascending"),
    };
    html! {
        th scope="col" aria-sort=[aria] {
            a href={ (path) (next.query()) } { (title)
                @if is_current { span.arrow aria-hidden="true" { @if view.is_reversed { " ▴" } @else { " ▾" } } }
            }
        }
    }
}

/// One finding: a row, and below it what it says when it is opened.
fn row(
    assessment: &Assessment,
    finding: &Finding,
    layers: &HashMap<&Digest, &Layer>,
    has_details: bool,
) -> Markup {
    let Some(package) = assessment.inventory.packages.get(finding.package) else { return html! {} };
    let layer = package.layer.as_ref().and_then(|digest| layers.get(digest).copied());
    html! {
        tbody {
            tr.finding {
                td.rated { (details::rated(finding)) }
                th.flaw scope="row" { (shown(&finding.id)) }
                td.package { span.name { (shown(&package.name)) } " " span.quiet { (package.ecosystem.title) } }
                td.version { (shown(&package.version)) @if package.version.is_empty() { span.quiet { "not stated" } } }
                td.fix { (fixed(finding)) }
                td.marks { (exploited(finding)) }
            }
            tr.more { td colspan="6" {
                @if has_details {
                    details {
                        summary { (summary(finding)) }
                        (details::details(finding, package, layer))
                    }
                } @else { p { (summary(finding)) } }
            } }
        }
    }
}

fn summary(finding: &Finding) -> Markup {
    let text = crate::printable::cut(&super::said::sentence(&finding.summary), 140).into_owned();
    html! {
        @match finding.scope {
            Scope::Image => {},
            Scope::HostKernel => { span.tag { "host kernel" } " " },
            Scope::RoleNotInstalled => { span.tag { "role not installed" } " " },
        }
        @if text.is_empty() { "Details of " (shown(&finding.id)) } @else { (text) }
    }
}

fn fixed(finding: &Finding) -> Markup {
    html! {
        @match &finding.fixed_in {
            Some(version) => {
                (shown(version))
                @if let Some(update) = &finding.update { br; span.tag { (shown(update)) } }
            },
            None => { span.quiet { (match heading::fix(finding).as_ref() { "-" => "no fix stated".to_owned(), "none" => "no fix yet".to_owned(), word => word.replace('-', " ") }) } },
        }
    }
}

fn exploited(finding: &Finding) -> Markup {
    html! {
        @if finding.kev.is_some() { span.tag.alarm title="Known exploited: in CISA's catalogue" { "KEV" } " " }
        @else if finding.is_exploited { span.tag.alarm { "exploited" } " " }
        @if let Some(epss) = finding.epss {
            span.score title="EPSS: how likely it is to be exploited in the next 30 days" { (format!("{:.1} %", epss.score * 100.0)) }
        }
    }
}

fn pager(view: &View, path: &str, page: usize, pages: usize) -> Markup {
    let to = |page: usize| format!("{path}{}", View { page, ..view.clone() }.query());
    html! {
        @if pages > 1 {
            nav.pager aria-label="Pages of findings" {
                @if page > 0 { a rel="prev" href=(to(page - 1)) { "← Previous" } } @else { span.quiet { "← Previous" } }
                span { "Page " (page + 1) " of " (pages) }
                @if page + 1 < pages { a rel="next" href=(to(page + 1)) { "Next →" } } @else { span.quiet { "Next →" } }
            }
        }
    }
}
