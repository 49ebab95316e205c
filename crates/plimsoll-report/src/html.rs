//! The report for a person with a browser, in parts: the file that `--format html` writes and the server's pages are
//! made of the same ones.
//!
//! Text is escaped by the type that it is put into ([`maud::Markup`]); before that it goes through
//! [`printable`](crate::printable), so that nothing in it is obeyed, and is cut where it is very long. Links that do not
//! lead to the web are shown and not linked. No part needs a script, and none has a style of its own: everything stands
//! in [`STYLE`], so that a page can forbid all others.

use maud::{Markup, html};

pub mod clearance;
pub mod compare;
pub mod cvss;
mod details;
mod donut;
mod findings;
mod layers;
pub mod marks;
mod packages;
mod said;
mod summary;
pub mod upgrades;
pub mod view;

pub use findings::{FILE_DETAILS_MAX, PAGE_ROWS, filters, findings, whole};
pub use layers::layers;
pub use packages::packages;
pub use said::{day, shown, size};
pub use summary::{coverage, facts, first_lines, gaps, tallies};

/// The style sheet of all parts.
pub const STYLE: &str = include_str!("html/page.css");

/// Plimsoll's mark: the line on a hull that says how much it may carry.
pub fn emblem() -> Markup {
    html! {
        svg.emblem viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false" {
            circle cx="16" cy="16" r="9.5" fill="none" stroke="currentColor" stroke-width="3" {}
            path d="M1 16h30" stroke="currentColor" stroke-width="3" {}
        }
    }
}
