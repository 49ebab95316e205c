//! What is said of an image before its findings: what was not judged, how much there is of what, what to do first.

use maud::{Markup, html};
use plimsoll_core::assessment::Assessment;
use plimsoll_core::policy::Verdict;

use super::said::{self, shown};
use super::upgrades::upgrades;
use super::view::View;
use super::{donut, marks};
use crate::heading::{self, FIRST_LINES_MAX, GAPS_OF_KIND_MAX, count};
use crate::tally::Tally;

/// Upgrades that are named.
const UPGRADES_MAX: usize = 5;

/// What whoever reads on must know: what was not judged, and which feeds are late. Nothing where all is well.
pub fn first_lines(assessment: &Assessment) -> Markup {
    let unjudged = heading::unjudged(assessment);
    let late = heading::late(assessment);
    html! {
        @if !unjudged.is_empty() {
            section.banner.alarm aria-label="Not judged" {
                h2 { "Not everything was judged" }
                ul {
                    @for gap in unjudged.iter().take(FIRST_LINES_MAX) {
                        li { strong { (shown(&gap.subject)) } ": " (said::sentence(&gap.detail)) }
                    }
                    @if unjudged.len() > FIRST_LINES_MAX { li { "and " (unjudged.len() - FIRST_LINES_MAX) " more, among the gaps" } }
                }
            }
        }
        @if !late.is_empty() {
            section.banner.warning aria-label="Late feeds" {
                h2 { "What this was held against is late" }
                ul {
                    @for text in late.iter().take(FIRST_LINES_MAX) { li { (said::sentence(text)) } }
                    @if late.len() > FIRST_LINES_MAX { li { "and " (late.len() - FIRST_LINES_MAX) " more, in the coverage" } }
                }
            }
        }
    }
}

/// Ring, counts and upgrades. With a path, each count leads to its findings there.
pub fn tallies(assessment: &Assessment, path: Option<&str>) -> Markup {
    let findings = &assessment.findings.findings;
    let tally = Tally::of(findings);
    let to = |view: View| path.map(|path| format!("{path}{}", view.query()));
    html! {
        section.tallies aria-label="Summary" {
            (donut::donut(&tally, assessment.is_judged()))
            div {
                ul.counts {
                    @for (severity, of) in tally.rows() {
                        li { (linked(to(View { severities: vec![severity], ..View::default() }), html! {
                            (marks::severity(severity)) " " strong { (of.total) }
                            @if of.fixable > 0 { " " span.quiet { "· " (of.fixable) " with a fix" } }
                        })) }
                    }
                    @if tally.all.total == 0 { li { @if assessment.is_judged() { "Nothing found." } @else { "Nothing was judged." } } }
                }
                @if tally.all.fixable > 0 {
                    p { (linked(to(View { only_fixable: true, ..View::default() }), html! { strong { (tally.all.fixable) } " of " (count(tally.all.total, "finding")) " have a fix" })) "." }
                }
                p { (linked(to(View { only_exploited: true, ..View::default() }).filter(|_| tally.kev > 0), html! { (heading::exploited(assessment, &tally)) })) "." }
            }
            (to_do(assessment))
        }
    }
}

fn linked(href: Option<String>, text: Markup) -> Markup {
    html! { @match href { Some(href) => { a href=(href) { (text) } }, None => { (text) } } }
}

/// What one step each would mend.
fn to_do(assessment: &Assessment) -> Markup {
    let upgrades = upgrades(assessment);
    let with_fix: Vec<_> = upgrades.iter().filter(|upgrade| upgrade.fixable > 0).collect();
    html! {
        @if !with_fix.is_empty() {
            div.upgrades {
                h2 { "What one step would mend" }
                @if let Some(rebase) = heading::rebase(assessment) { p { (rebase) } }
                ul {
                    @for upgrade in with_fix.iter().take(UPGRADES_MAX) {
                        li {
                            (marks::shape(upgrade.worst())) " " strong { (shown(&upgrade.package.name)) }
                            @match upgrade.to { Some(to) => { " to " (shown(to)) ": " }, None => ": " }
                            (upgrade.fixable) " of " (count(upgrade.findings.len(), "finding")) " gone"
                        }
                    }
                    @if with_fix.len() > UPGRADES_MAX { li.quiet { "and " (with_fix.len() - UPGRADES_MAX) " more packages" } }
                }
            }
        }
    }
}

/// What the image is.
pub fn facts(assessment: &Assessment) -> Markup {
    let image = &assessment.image;
    let is_judged = heading::unjudged(assessment).is_empty();
    html! {
        dl.facts.wide {
            dt { "Image" } dd { (shown(&image.reference)) }
            @if let Some(digest) = &image.digest { dt { "Digest" } dd { code { (digest.as_str()) } } }
            dt { "Platform" } dd { (shown(&image.platform.to_string())) }
            dt { "Distribution" } dd { (heading::distro(assessment)) }
            dt { "Packages" } dd { (assessment.inventory.packages.len()) }
            @if let Some(database) = &assessment.database {
                dt { "Held against" } dd { "the advisory database of " (said::day(&database.built_at)) }
            }
            @if !matches!(assessment.verdict, Verdict::NothingDemanded) {
                dt { "Verdict" } dd { (heading::verdict(assessment, is_judged)) }
            }
        }
        @if let Verdict::Refused(reasons) = &assessment.verdict {
            ul.reasons { @for reason in reasons.iter().take(GAPS_OF_KIND_MAX) {
                li { strong { (reason.rule) } ": " (said::sentence(&reason.detail)) }
            } }
        }
    }
}

/// What could not be read, compared or known.
pub fn gaps(assessment: &Assessment) -> Markup {
    let gaps = assessment.gaps();
    let mut kinds: Vec<(&str, Vec<_>)> = Vec::new();
    for gap in gaps {
        match kinds.last_mut() {
            Some((kind, of_kind)) if *kind == gap.kind.name() => of_kind.push(gap),
            _ => kinds.push((gap.kind.name(), vec![gap])),
        }
    }
    html! {
        @if kinds.is_empty() { p { "There is none: everything was read, compared and known." } }
        @for (kind, of_kind) in &kinds {
            h3 { (kind.replace('-', " ")) " " span.quiet { "(" (of_kind.len()) ")" } }
            ul.gaps {
                @for gap in of_kind.iter().take(GAPS_OF_KIND_MAX) { li { strong { (shown(&gap.subject)) } ": " (said::sentence(&gap.detail)) } }
                @if of_kind.len() > GAPS_OF_KIND_MAX { li.quiet { "and " (of_kind.len() - GAPS_OF_KIND_MAX) " more, in the JSON report" } }
            }
        }
    }
}

/// Which feeds the image needs, and whether they are there.
pub fn coverage(assessment: &Assessment) -> Markup {
    let needs = &assessment.findings.coverage;
    html! {
        @if needs.is_empty() { p { "It needs no feed: nothing in it can be judged." } } @else {
            div.scroll tabindex="0" role="region" aria-label="Coverage" { table {
                thead { tr { th scope="col" { "Needs" } th scope="col" { "Feed" } th scope="col" { "State" } th scope="col" { "Data of" } th.number scope="col" { "Packages" } } }
                tbody { @for need in needs { tr {
                    th scope="row" { (shown(&need.needs)) }
                    td { (shown(&need.feed)) }
                    td { span class={ "state " (if need.is_fresh() { "good" } else { "late" }) } { (heading::standing(need)) } }
                    td { @match &need.data_date { Some(date) => { (said::day(date)) }, None => { span.quiet { "unknown" } } } }
                    td.number { (need.packages) }
                } } }
            } }
        }
    }
}
