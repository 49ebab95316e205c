//! What all images together say, for the overview: the flaws that most of them have, and how they stand day by day. For
//! those alone who may see all images: nobody is told of numbers that others' images are part of.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use maud::{Markup, html};
use plimsoll_report::html::view::query_of;
use plimsoll_report::html::{marks, shown};
use plimsoll_store::{Day, Scan};

use super::{overview, parts, search};
use crate::access::Principal;
use crate::fleet::{FleetFlaw, Picture};
use crate::http::Refusal;
use crate::server::Server;

/// Days that are shown.
const DAYS_MAX: u32 = 90;

/// Height of the chart, and the width of a day, in its own units.
const HEIGHT: u64 = 100;
const WIDTH: usize = 10;

/// What is shown of all images.
#[derive(Default)]
pub(super) struct Seen {
    flaws: Vec<FleetFlaw>,
    /// Some of the images that have them, by digest.
    examples: BTreeMap<String, Scan>,
    is_cut: bool,
    /// When that was found.
    at: Option<Timestamp>,
    days: Vec<(Date, Day)>,
}

/// What somebody may see of all images.
pub(super) fn seen(server: &Server, principal: &Principal) -> Result<Seen, Refusal> {
    if principal.is_limited() {
        return Ok(Seen::default());
    }
    let store = server.store()?;
    let days = store.days(DAYS_MAX)?;
    let Some(picture) = server.fleet.picture() else { return Ok(Seen { days, ..Seen::default() }) };
    let Picture { flaws, is_cut, at } = picture.as_ref();
    let digests: Vec<&str> =
        flaws.iter().flat_map(|flaw| &flaw.examples).map(|image| image.as_str()).collect();
    let mut examples = BTreeMap::new();
    for (id, scan) in store.scans_of(&digests)? {
        examples.extend(server.shown(principal, scan)?.map(|scan| (id, scan)));
    }
    Ok(Seen { flaws: flaws.clone(), examples, is_cut: *is_cut, at: Some(*at), days })
}

/// The flaws that most images have, where a fix is there.
pub(super) fn flaws(seen: &Seen) -> Markup {
    html! {
        @if !seen.flaws.is_empty() {
            h2 #fixable { "What would mend most images" }
            @if let Some(at) = seen.at { p.quiet { "As counted " (parts::time(at)) ", over all images and the flaws that a fix is there for." } }
            @if seen.is_cut { p.banner.warning { "There are more findings than could be counted." } }
            div.scroll tabindex="0" role="region" aria-labelledby="fixable" { table.tags {
                thead { tr { th scope="col" { "Flaw" } th scope="col" { "Severity" } th.number scope="col" { "Images" } th scope="col" { "Fixed in" } th scope="col" { "For example" } } }
                tbody { @for flaw in &seen.flaws { tr {
                    th scope="row" {
                        a href={ (search::PAGE.path) (query_of(&[("flaw", &flaw.id)])) } { (shown(&flaw.id)) }
                        @if flaw.is_exploited { " " span.tag.alarm { "exploited" } }
                    }
                    td { (marks::severity(flaw.severity)) }
                    td.number data-label="Images" { (flaw.images) }
                    td data-label="Fixed in" { ul.children { @for (package, version) in &flaw.packages { li { bdi { (shown(package)) } " " bdi { (shown(version)) } } } } }
                    td { ul.children { @for scan in flaw.examples.iter().filter_map(|image| seen.examples.get(image.as_str())) {
                        li { a href=(parts::image_path(&scan.id)) { (overview::name(scan)) } }
                    } } }
                } } }
            } }
        }
    }
}

/// Images by the worst that was known of them, day by day: a chart, and its numbers.
pub(super) fn trend(seen: &Seen) -> Markup {
    let most = seen.days.iter().map(|(_, day)| images(day)).max().unwrap_or_default().max(1);
    html! {
        @if let (Some((first, _)), Some((last, day))) = (seen.days.first(), seen.days.last()) {
            h2 { "Day by day" }
            svg.trend viewBox={ "0 0 " (seen.days.len().max(30) * WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img"
                aria-label={ "Images by the worst finding from " (first) " to " (last) "; the numbers stand below" } {
                @for (at, (_, day)) in seen.days.iter().enumerate() {
                    @for (class, from, height) in slices(day, most) {
                        rect class=(class) x=(at * WIDTH) y=(HEIGHT - from - height) width=(WIDTH - 2) height=(height) fill="currentColor" {}
                    }
                }
            }
            p.quiet { (images(day)) @if images(day) == 1 { " image is" } @else { " images are" } " judged; a day is noted as it ends, today's as it stands." }
            details #days {
                summary { "The numbers" }
                div.scroll tabindex="0" role="region" aria-label="Images day by day" { table {
                    thead { tr {
                        th scope="col" { "Day" }
                        @for severity in marks::SEVERITIES { th.number scope="col" { (marks::title(severity)) } }
                        th.number scope="col" { "None known" } th.number scope="col" { "With a fix" } th.number scope="col" { "Exploited" } th.number scope="col" { "With gaps" }
                    } }
                    tbody { @for (date, day) in seen.days.iter().rev() { tr {
                        th scope="row" { (date) }
                        @for (_, count) in day.worst.rows() { td.number { (count) } }
                        td.number { (day.without) } td.number { (day.fixable) } td.number { (day.exploited) } td.number { (day.unsure) }
                    } } }
                } }
            }
        }
    }
}

/// Images that were judged.
fn images(day: &Day) -> u64 {
    day.worst.rows().into_iter().map(|(_, count)| u64::from(count)).sum::<u64>() + u64::from(day.without)
}

/// Class, start and height of each part of a day's column, from below: the worst.
fn slices(day: &Day, most: u64) -> Vec<(&'static str, u64, u64)> {
    let rows = day.worst.rows().into_iter().map(|(severity, count)| (marks::word(severity), count));
    let (mut counted, mut slices) = (0, Vec::new());
    for (class, count) in rows.chain([("track", day.without)]) {
        // Ends are rounded, not heights, so that a column is as high as its number says.
        let start = counted * HEIGHT / most;
        counted += u64::from(count);
        let height = counted * HEIGHT / most - start;
        if height > 0 {
            slices.push((class, start, height));
        }
    }
    slices
}

#[cfg(test)]
mod tests {
    use plimsoll_store::Severities;

    use super::*;

    #[test]
    fn a_column_is_as_high_as_its_number() {
        let worst = Severities { critical: 1, high: 1, unknown: 1, ..Severities::default() };
        let day = Day { worst, without: 4, ..Day::default() };
        assert_eq!(images(&day), 7);
        assert_eq!(
            slices(&day, 7),
            [("critical", 0, 14), ("high", 14, 14), ("unknown", 28, 14), ("track", 42, 58)]
        );
        assert_eq!(slices(&Day::default(), 1), []);
    }
}
