//! The packages of an image: what is wrong with each, and what remains when it is upgraded.

use std::collections::HashMap;

use maud::{Markup, html};
use plimsoll_core::assessment::Assessment;
use plimsoll_core::inventory::Package;

use super::marks;
use super::said::shown;
use super::upgrades::{Upgrade, upgrades};

/// A page of packages: those with findings first, as upgrades are worth it. `text` is looked for in their names.
/// Also says how many there are in all.
pub fn packages(assessment: &Assessment, text: &str, first: usize, rows_max: usize) -> (Markup, usize) {
    let upgrades = upgrades(assessment);
    let of_place: HashMap<usize, &Upgrade<'_>> =
        upgrades.iter().map(|upgrade| (upgrade.place, upgrade)).collect();
    let wanted = text.to_lowercase();
    let all = assessment.inventory.packages.iter().enumerate();
    let is_wanted = |package: &Package| wanted.is_empty() || package.name.to_lowercase().contains(&wanted);
    let with = upgrades.iter().map(|upgrade| (upgrade.place, upgrade.package));
    let without = all.filter(|(place, _)| !of_place.contains_key(place));
    let listed: Vec<(usize, &Package)> =
        with.chain(without).filter(|(_, package)| is_wanted(package)).collect();
    let is_judged = assessment.is_judged();
    let markup = html! {
        div.scroll tabindex="0" role="region" aria-label="Packages" { table.packages {
            thead { tr {
                th scope="col" { "Package" } th scope="col" { "Version" } th scope="col" { "Findings" }
                th scope="col" { "Upgrade to" } th.number scope="col" { "Remaining after it" } th scope="col" { "Layer" }
            } }
            tbody {
                @for (place, package) in listed.iter().skip(first).take(rows_max) {
                    (row(assessment, package, of_place.get(place).copied(), is_judged))
                }
            }
        } }
    };
    (markup, listed.len())
}

fn row(assessment: &Assessment, package: &Package, upgrade: Option<&Upgrade<'_>>, is_judged: bool) -> Markup {
    let layers = &assessment.image.layers;
    let layer = package.layer.as_ref().and_then(|digest| {
        layers.iter().position(|layer| layer.digest == *digest).map(|place| (place, &layers[place]))
    });
    html! {
        tr {
            th scope="row" { (shown(&package.name)) " " span.quiet { (package.ecosystem.title) } }
            td { (shown(&package.version)) }
            @match upgrade {
                Some(upgrade) => {
                    td { (marks::severity(upgrade.worst())) " " (upgrade.findings.len()) }
                    td { @match upgrade.to { Some(to) => { (shown(to)) }, None => { span.quiet { "no fix" } } } }
                    td.number { (upgrade.remaining()) }
                },
                None => {
                    td { @if package.owned_by.is_some() { span.quiet { "judged with " (shown(package.owned_by.as_deref().unwrap_or_default())) } }
                         @else if is_judged { span.quiet { "none known" } } @else { span.quiet { "not judged" } } }
                    td {} td {}
                },
            }
            td { @match layer {
                Some((place, layer)) => { (place + 1) @if let Some(command) = &layer.created_by { ": " code.command { (crate::printable::cut(&super::said::sentence(command), 60)) } } },
                None => { span.quiet { "unknown" } },
            } }
        }
    }
}
