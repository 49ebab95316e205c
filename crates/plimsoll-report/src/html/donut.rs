//! Counts by severity as a ring. It repeats what the list beside it says, so readers of screens get one sentence of it.

use maud::{Markup, html};

use super::marks;
use crate::heading::count;
use crate::tally::Tally;

/// Circumference of the ring, so that lengths are per cent.
const AROUND: f64 = 100.0;

/// Radius that gives it.
const RADIUS: f64 = AROUND / std::f64::consts::TAU;

/// The ring of an image. Where nothing was judged its middle says so, and not that there is nothing.
pub(super) fn donut(tally: &Tally, is_judged: bool) -> Markup {
    let total = tally.all.total;
    let middle = if is_judged || total > 0 { total.to_string() } else { "?".to_owned() };
    let below = if is_judged || total > 0 { "findings" } else { "not judged" };
    html! {
        svg.donut viewBox="0 0 42 42" width="150" height="150" role="img" aria-label=(sentence(tally, is_judged)) {
            circle.track cx="21" cy="21" r=(radius()) fill="none" stroke-width="5" {}
            @for (word, length, start) in slices(tally) {
                // Turned so that the first one begins at the top.
                circle class={ "slice " (word) } cx="21" cy="21" r=(radius()) fill="none" stroke="currentColor" stroke-width="5"
                    stroke-dasharray={ (number(length)) " " (number(AROUND - length)) } stroke-dashoffset=(number(25.0 - start)) {}
            }
            text.total x="21" y="22" text-anchor="middle" { (middle) }
            text.below x="21" y="26.5" text-anchor="middle" { (below) }
        }
    }
}

/// Word, length and start of each slice.
fn slices(tally: &Tally) -> Vec<(&'static str, f64, f64)> {
    let mut start = 0.0;
    let all = f64::from(u32::try_from(tally.all.total).unwrap_or(u32::MAX)).max(1.0);
    let slice = |(severity, of): (_, crate::tally::Count)| {
        let length = f64::from(u32::try_from(of.total).unwrap_or(u32::MAX)) / all * AROUND;
        let from = start;
        start += length;
        (marks::word(severity), length, from)
    };
    tally.rows().map(slice).collect()
}

fn sentence(tally: &Tally, is_judged: bool) -> String {
    if !is_judged && tally.all.total == 0 {
        return "not judged".to_owned();
    }
    let parts: Vec<String> =
        tally.rows().map(|(severity, of)| format!("{} {}", of.total, marks::word(severity))).collect();
    match parts.is_empty() {
        true => "no findings".to_owned(),
        false => format!("{}: {}", count(tally.all.total, "finding"), parts.join(", ")),
    }
}

fn radius() -> String {
    number(RADIUS)
}

fn number(number: f64) -> String {
    format!("{number:.3}")
}
