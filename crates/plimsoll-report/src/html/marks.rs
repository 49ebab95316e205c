//! Marks: how bad something is, told by a shape, a word and a colour, so that none of them has to be seen.

use maud::{Markup, html};
use plimsoll_core::advisory::Severity;

/// The severities as pages list them, the worst first; `None` is that nobody says.
pub const SEVERITIES: [Option<Severity>; 6] = [
    Some(Severity::Critical),
    Some(Severity::High),
    Some(Severity::Medium),
    Some(Severity::Low),
    Some(Severity::Negligible),
    None,
];

/// The word for a severity, as classes and queries have it.
pub fn word(severity: Option<Severity>) -> &'static str {
    severity.map_or("unknown", Severity::name)
}

/// The word for a severity, as people read it.
pub fn title(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Critical) => "Critical",
        Some(Severity::High) => "High",
        Some(Severity::Medium) => "Medium",
        Some(Severity::Low) => "Low",
        Some(Severity::Negligible) => "Negligible",
        None => "Unknown",
    }
}

/// A severity: shape and word.
pub fn severity(severity: Option<Severity>) -> Markup {
    html! { span class={ "severity " (word(severity)) } { (shape(severity)) (title(severity)) } }
}

/// The shape of a severity, which a word stands beside.
pub fn shape(severity: Option<Severity>) -> Markup {
    html! {
        svg.shape viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" focusable="false" {
            use href={ "#shape-" (word(severity)) } {}
        }
    }
}

/// The shapes; once on each page that shows any.
pub fn shapes() -> Markup {
    html! {
        svg.shapes width="0" height="0" aria-hidden="true" focusable="false" {
            defs {
                // From the worst on: an octagon as of a stop sign, a triangle, a square, a circle; rings for the rest.
                symbol #shape-critical viewBox="0 0 16 16" { path fill="currentColor" d="M5 0h6l5 5v6l-5 5H5l-5-5V5z" {} }
                symbol #shape-high viewBox="0 0 16 16" { path fill="currentColor" d="M8 1l8 14H0z" {} }
                symbol #shape-medium viewBox="0 0 16 16" { path fill="currentColor" d="M2 2h12v12H2z" {} }
                symbol #shape-low viewBox="0 0 16 16" { circle fill="currentColor" cx="8" cy="8" r="6" {} }
                symbol #shape-negligible viewBox="0 0 16 16" {
                    circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" stroke-width="2.5" {}
                }
                symbol #shape-unknown viewBox="0 0 16 16" {
                    circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" stroke-width="2.5" stroke-dasharray="3 2.2" {}
                }
            }
        }
    }
}
