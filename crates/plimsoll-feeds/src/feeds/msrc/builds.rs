//! Which build an update brings.
//!
//! `FixedBuild` is typed by hand. Seen in it are builds of sibling branches, revision numbers (`1.001`), lists, a trailing
//! dot, invisible blanks, `Fixed Version ` before the build, leading zeros, links and placeholders; and nothing at all.
//! A build counts where it is one of its product's. Else the update's number may say which is meant, since an update
//! brings one build of a product: other flaws of the document, or of the months beside it, state it.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::schemes::windows;

use super::super::Reading;
use super::document::{self, Fix, Item, Vulnerability};
use super::products::Target;
use super::{MONTH_SUFFIX, month_of_part};

/// Builds that are known to be meant where a document states another one: flaw, product, build.
const CORRECTIONS: &[(&str, &str, &str)] = &[
    // Stated as 10.0.26200.4349, of a client that has no server.
    ("CVE-2025-49735", "12436", "10.0.26100.4349"),
    ("CVE-2025-49735", "12437", "10.0.26100.4349"),
];

/// By an update's name and a product's number, the builds that are stated.
type Map = BTreeMap<(String, String), BTreeSet<String>>;

/// What is known of the builds that updates bring.
pub(super) struct Builds<'a> {
    reading: &'a Reading<'a>,
    own: Map,
    /// Of the months beside, once they were asked for.
    beside: Option<Map>,
}

impl<'a> Builds<'a> {
    pub(super) fn new(reading: &'a Reading<'a>) -> Builds<'a> {
        Builds { reading, own: Map::new(), beside: None }
    }

    /// Notes what a flaw of the document states.
    pub(super) fn note(&mut self, vulnerability: &Vulnerability) {
        note(&mut self.own, vulnerability);
    }

    /// The build of an update of a product: the last one that fits.
    pub(super) fn of_update(&mut self, update: &str, product: &str, target: &Target) -> Option<String> {
        let key = (update.to_owned(), product.to_owned());
        let find = |map: &Map| {
            let fitting = map.get(&key)?.iter().filter(|build| target.has_version(build));
            fitting.max_by_key(|build| (windows::SCHEME.key)(build).unwrap_or_default()).cloned()
        };
        find(&self.own).or_else(|| find(self.beside.get_or_insert_with(|| beside(self.reading))))
    }
}

/// What the months before and behind a document's state. One that is not here, or is unreadable, states nothing; it is told
/// where it is read for itself.
fn beside(reading: &Reading<'_>) -> Map {
    let mut map = Map::new();
    let month = month_of_part(&reading.part.name);
    for month in month.iter().flat_map(|month| [month.before(), month.after()]) {
        if let Ok(Some(mut source)) = reading.snapshot.open(&format!("{month}{MONTH_SUFFIX}")) {
            let _ = document::read(&mut source, &mut |item| {
                if let Item::Vulnerability(vulnerability) = item {
                    note(&mut map, &vulnerability);
                }
            });
        }
    }
    map
}

fn note(map: &mut Map, vulnerability: &Vulnerability) {
    for fix in &vulnerability.fixes {
        let (Some(update), builds) = (fix.update(), builds_of(fix)) else { continue };
        for product in fix.products.iter().filter(|_| !builds.is_empty()) {
            map.entry((update.clone(), product.clone())).or_default().extend(builds.iter().cloned());
        }
    }
}

/// The build that is known to be meant, whatever is stated.
pub(super) fn correction(flaw: &str, product: &str) -> Option<&'static str> {
    let row = CORRECTIONS.iter().find(|(of, on, _)| *of == flaw && *on == product);
    row.map(|(.., build)| *build)
}

/// The builds that a fix states, tidied; whether they are builds is not said.
pub(super) fn builds_of(fix: &Fix) -> Vec<String> {
    fix.build.split([';', ',']).map(tidied).filter(|build| !build.is_empty()).collect()
}

fn tidied(stated: &str) -> String {
    let is_blank = |c: char| c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{feff}');
    let build: String = stated.chars().map(|c| if is_blank(c) { ' ' } else { c }).collect();
    let build = build.trim();
    let prefix = build.get(.."fixed version ".len());
    let build = match prefix {
        Some(prefix) if prefix.eq_ignore_ascii_case("fixed version ") => build.get(prefix.len()..),
        _ => None,
    }
    .unwrap_or(build);
    // Builds of the same release as it is serviced: `3.1.15-servicing.21214.3`.
    let build = build.split("-servicing").next().unwrap_or_default();
    let numbers = build.trim().trim_end_matches('.').split('.').map(without_zeros);
    numbers.collect::<Vec<_>>().join(".")
}

fn without_zeros(number: &str) -> &str {
    match number.trim_start_matches('0') {
        rest if rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
        "" if !number.is_empty() => "0",
        _ => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_are_tidied() {
        for (stated, expected) in [
            ("10.0.20348.2527", "10.0.20348.2527"),
            ("10.0.20348.2527.", "10.0.20348.2527"),
            (" 10.0.20348.2527\u{200b}", "10.0.20348.2527"),
            ("Fixed Version 10.0.20348.2527", "10.0.20348.2527"),
            ("4.8.04584.08", "4.8.4584.8"),
            ("3.0.6920.8954; 2.0.50727.8970", "3.0.6920.8954|2.0.50727.8970"),
            ("3.1.15-servicing.21214.3", "3.1.15"),
            ("9.0.0-rc.1.24431.7", "9.0.0-rc.1.24431.7"),
            ("1.000", "1.0"),
            ("15.0.5415.xxxxxx", "15.0.5415.xxxxxx"),
            ("", ""),
            (" ; ", ""),
        ] {
            let fix = Fix { build: stated.to_owned(), ..Fix::default() };
            assert_eq!(builds_of(&fix).join("|"), expected, "{stated}");
        }
    }
}
