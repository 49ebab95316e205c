//! The layers of an image: the command that made each, its size, what it brought and what is wrong with that.

use std::collections::HashMap;

use maud::{Markup, html};
use plimsoll_core::assessment::Assessment;
use plimsoll_core::digest::Digest;

use super::marks;
use super::said::{sentence, shown, size};
use super::view::View;
use crate::tally::Tally;

/// The layers, lowest first. With a path, the findings of each are linked there.
pub fn layers(assessment: &Assessment, path: Option<&str>) -> Markup {
    let packages = &assessment.inventory.packages;
    let mut brought: HashMap<&Digest, usize> = HashMap::new();
    for layer in packages.iter().filter_map(|package| package.layer.as_ref()) {
        *brought.entry(layer).or_default() += 1;
    }
    let mut found: HashMap<&Digest, Vec<_>> = HashMap::new();
    for finding in &assessment.findings.findings {
        if let Some(layer) = packages.get(finding.package).and_then(|package| package.layer.as_ref()) {
            found.entry(layer).or_default().push(finding.clone());
        }
    }
    let is_judged = assessment.is_judged();
    html! {
        @if assessment.image.layers.is_empty() { p { "It has no layers: it is a root file system." } }
        ol.layers {
            @for layer in &assessment.image.layers {
                @let view = View { layer: layer.digest.as_str().to_owned(), ..View::default() };
                li {
                    p.command-line { @match &layer.created_by {
                        Some(command) => { code { (sentence(command)) } },
                        None => { span.quiet { "no command is stated" } },
                    } }
                    p.quiet {
                        (size(layer.size)) " · " (crate::heading::count(brought.get(&layer.digest).copied().unwrap_or_default(), "package")) " · "
                        code { (shown(layer.digest.as_str())) }
                    }
                    @match found.get(&layer.digest) {
                        Some(findings) => ul.counts {
                            @for (severity, of) in Tally::of(findings).rows() {
                                @let view = View { severities: vec![severity], ..view.clone() };
                                li { @match path {
                                    Some(path) => { a href={ (path) (view.query()) } { (marks::severity(severity)) " " (of.total) } },
                                    None => { (marks::severity(severity)) " " (of.total) },
                                } }
                            }
                        },
                        None if is_judged => p.quiet { "nothing found in what it brought" },
                        None => p.quiet { "not judged" },
                    }
                }
            }
        }
    }
}
