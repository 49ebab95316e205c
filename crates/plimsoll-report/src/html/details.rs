//! What a finding says when it is opened: why it matched, how bad it is and who says so, what to do.

use maud::{Markup, html};
use plimsoll_core::advisory::Severity;
use plimsoll_core::finding::{Finding, SeveritySource};
use plimsoll_core::image::Layer;
use plimsoll_core::inventory::Package;
use plimsoll_core::windows::components::Scope;

use super::said::{self, LINKS_MAX, prose, shown, web};
use super::{cvss, marks};
use crate::{heading, link};

/// Most vectors that are written out.
const VECTORS_MAX: usize = 4;

/// Most other names that are listed.
const ALIASES_MAX: usize = 12;

pub(super) fn details(finding: &Finding, package: &Package, layer: Option<&Layer>) -> Markup {
    html! {
        div.details {
            @if let Some(note) = severity_note(finding) { p.note { (note) } }
            @if let Some(note) = scope_note(finding) { p.note { (note) } }
            (prose(&finding.description))
            @if finding.description.trim().is_empty() { p { (said::sentence(&finding.summary)) } }
            div.columns {
                (why(finding, package, layer))
                (what(finding))
            }
            @for vector in finding.cvss.iter().take(VECTORS_MAX) { (cvss::vector(vector)) }
            (links(finding))
        }
    }
}

/// Why it matched: which statement, and what was compared with what.
fn why(finding: &Finding, package: &Package, layer: Option<&Layer>) -> Markup {
    let evidence = &finding.evidence;
    html! {
        dl.facts {
            dt { "Why it matched" }
            dd {
                code { (shown(&evidence.name)) " " (shown(&evidence.version)) } " lies in "
                code { (shown(&evidence.range)) } " (" (evidence.scheme) ")"
            }
            dt { "Stated by" }
            dd { (shown(&finding.advisory)) " of the feed " code { (shown(&finding.feed)) } ", for " code { (shown(&evidence.namespace)) } }
            dt { "Seen in" }
            dd { code { (shown(&package.evidence_path)) } }
            @if let Some(layer) = layer {
                dt { "Came with the layer" }
                dd {
                    code { (shown(layer.digest.as_str())) }
                    @if let Some(command) = &layer.created_by { br; code.command { (shown(command)) } }
                }
            }
            @if let Some(source) = &package.source {
                dt { "Built from" }
                dd { (shown(&source.name)) " " (shown(&source.version)) }
            }
            @if !package.purl.is_empty() { dt { "Package URL" } dd { code { (shown(&package.purl)) } } }
        }
    }
}

/// What is known beside the match.
fn what(finding: &Finding) -> Markup {
    html! {
        dl.facts {
            dt { "Status" }
            dd { (finding.status.name().replace('_', " ")) }
            dt { "Fix" }
            dd {
                (fix(finding))
                @if finding.is_fix_ambiguous {
                    " The vendor states an earlier update with the fix too, which is installed: it may have been issued again."
                }
            }
            @if let Some(kev) = &finding.kev {
                dt { "Exploited" }
                dd {
                    "in CISA's catalogue since " (said::day(&kev.date_added)) ", to be mended by " (said::day(&kev.due_date))
                    @if kev.is_used_by_ransomware { "; ransomware is known to use it" }
                }
            } @else if finding.is_exploited {
                dt { "Exploited" }
                dd { "its vendor says so" }
            }
            @if let Some(epss) = finding.epss {
                dt { "EPSS" }
                dd { (format!("{:.2} % in the next 30 days; {:.0} % of all flaws score lower", epss.score * 100.0, epss.percentile * 100.0)) }
            }
            @if !finding.aliases.is_empty() {
                dt { "Also known as" }
                dd {
                    (finding.aliases.iter().take(ALIASES_MAX).map(|alias| shown(alias)).collect::<Vec<_>>().join(", "))
                    @if finding.aliases.len() > ALIASES_MAX { ", and " (finding.aliases.len() - ALIASES_MAX) " more" }
                }
            }
        }
    }
}

fn fix(finding: &Finding) -> Markup {
    html! {
        @match (&finding.fixed_in, &finding.update) {
            (Some(version), Some(update)) => { "install " strong { (shown(update)) } ", which brings " (shown(version)) "." },
            (Some(version), None) => { "upgrade to " strong { (shown(version)) } "." },
            (None, _) => {
                @match heading::fix(finding).as_ref() {
                    "-" => "none is stated.",
                    "none" => "there is none yet.",
                    word => { (word.replace('-', " ")) "." },
                }
            },
        }
    }
}

/// Where the vendor's word and the scores differ, both are shown, and why the one counts.
fn severity_note(finding: &Finding) -> Option<String> {
    let highest = finding.cvss.iter().max_by(|a, b| a.score.total_cmp(&b.score))?;
    let rating = highest.rating();
    let by_score = format!("{:.1} (CVSS {} by {})", highest.score, highest.version, shown(&highest.source));
    match (finding.severity_source, finding.severity) {
        (SeveritySource::Vendor, Some(severity)) if Some(severity) != rating => {
            let direction = if Some(severity) < rating { "lower" } else { "higher" };
            Some(format!(
                "The feed `{}` rates this {}, {direction} than the {} that a score of {by_score} comes to. The vendor's word \
                 counts, since it knows how the package is built and used.",
                shown(&finding.feed),
                severity.name(),
                rating.map_or("nothing", Severity::name),
            ))
        }
        (SeveritySource::Cvss, Some(severity)) => Some(format!(
            "No vendor rates this. It counts as {} by the highest score, {by_score}.",
            severity.name()
        )),
        _ => None,
    }
}

fn scope_note(finding: &Finding) -> Option<&'static str> {
    match finding.scope {
        Scope::Image => None,
        Scope::HostKernel => Some(
            "The flaw is in the kernel, a driver or the firmware. A container in process isolation runs on those of its host: \
             the host needs the update too.",
        ),
        Scope::RoleNotInstalled => Some(
            "The flaw is in a role or feature of which nothing is seen in this image. The image lacks the update all the same.",
        ),
    }
}

fn links(finding: &Finding) -> Markup {
    let references = &finding.references;
    html! {
        h4 { "Links" }
        ul.links {
            @for url in references.iter().take(LINKS_MAX) { li { (web(url)) } }
            @if references.is_empty() { li { (web(&link::of_flaw(&finding.id))) } }
            @if references.len() > LINKS_MAX { li.quiet { "and " (references.len() - LINKS_MAX) " more, in the JSON report" } }
        }
    }
}

/// How bad a finding is, with who says so and what the scores say beside it.
pub(super) fn rated(finding: &Finding) -> Markup {
    let score = super::view::score(finding);
    html! {
        (marks::severity(finding.severity))
        @if score > 0.0 {
            " " span.score title="Highest CVSS base score" { (format!("{score:.1}")) }
        }
    }
}
