//! Two images side by side: which findings are new, which are gone, which both have.

use std::collections::BTreeMap;

use maud::{Markup, html};
use plimsoll_core::assessment::Assessment;
use plimsoll_core::finding::Finding;

use super::marks;
use super::said::shown;
use crate::heading::count;

/// Rows of each list that are shown.
const ROWS_MAX: usize = 200;

/// How the findings of one image differ from those of another. Which flaw of which package it is decides; versions of
/// packages may differ.
#[derive(Clone, Debug, Default)]
pub struct Comparison<'a> {
    /// Only the later one has them.
    pub new: Vec<Compared<'a>>,
    /// Only the earlier one has them.
    pub gone: Vec<Compared<'a>>,
    /// Both have them.
    pub inherited: Vec<Compared<'a>>,
}

/// A finding with its package.
#[derive(Clone, Copy, Debug)]
pub struct Compared<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// Name of its package.
    pub package: &'a str,
    /// Version of its package.
    pub version: &'a str,
}

/// Compares an image with an earlier one.
pub fn compare<'a>(before: &'a Assessment, after: &'a Assessment) -> Comparison<'a> {
    let (before, after) = (keyed(before), keyed(after));
    let mut found = Comparison::default();
    for (key, of_key) in &after {
        let to = if before.contains_key(key) { &mut found.inherited } else { &mut found.new };
        to.push(*of_key);
    }
    found.gone.extend(before.iter().filter(|(key, _)| !after.contains_key(*key)).map(|(_, of_key)| *of_key));
    for list in [&mut found.new, &mut found.gone, &mut found.inherited] {
        list.sort_by(|a, b| {
            let order = |one: &Compared<'a>| {
                (std::cmp::Reverse(one.finding.severity), one.finding.id.as_str(), one.package)
            };
            order(a).cmp(&order(b))
        });
    }
    found
}

/// By flaw, ecosystem and package: one package may be there several times.
fn keyed(assessment: &Assessment) -> BTreeMap<(&str, &str, &str), Compared<'_>> {
    let packages = &assessment.inventory.packages;
    let all = assessment.findings.findings.iter().filter_map(|finding| {
        let package = packages.get(finding.package)?;
        let compared = Compared { finding, package: &package.name, version: &package.version };
        Some(((finding.id.as_str(), package.ecosystem.name, package.name.as_str()), compared))
    });
    all.collect()
}

/// The three lists.
pub fn lists(found: &Comparison<'_>) -> Markup {
    html! {
        (list("New", "Only this image has them.", &found.new, true))
        (list("Gone", "Only the other image has them.", &found.gone, true))
        (list("Inherited", "Both images have them.", &found.inherited, false))
    }
}

fn list(title: &str, about: &str, rows: &[Compared<'_>], is_open: bool) -> Markup {
    html! {
        details.compared open[is_open] {
            summary { h2 { (title) " " span.quiet { "(" (rows.len()) ")" } } }
            p.quiet { (about) }
            @if rows.is_empty() { p { "None." } } @else {
                div.scroll tabindex="0" role="region" aria-label=(title) { table {
                    thead { tr { th scope="col" { "Severity" } th scope="col" { "Flaw" } th scope="col" { "Package" } th scope="col" { "Version" } th scope="col" { "Fixed in" } } }
                    tbody { @for row in rows.iter().take(ROWS_MAX) { tr {
                        td { (marks::severity(row.finding.severity)) }
                        th scope="row" { (shown(&row.finding.id)) }
                        td { (shown(row.package)) }
                        td { (shown(row.version)) }
                        td { @match &row.finding.fixed_in { Some(version) => { (shown(version)) }, None => { span.quiet { "no fix" } } } }
                    } } }
                } }
                @if rows.len() > ROWS_MAX { p.quiet { "and " (count(rows.len() - ROWS_MAX, "more finding")) } }
            }
        }
    }
}
