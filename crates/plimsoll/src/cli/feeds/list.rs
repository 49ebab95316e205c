//! `feeds list`.

use std::fmt::Write as _;

use plimsoll_feeds::feeds::{Covers, FEEDS, Feed};

use super::{Outcome, print};

pub(super) fn run() -> anyhow::Result<Outcome> {
    let mut out = String::new();
    for Feed {
        name,
        title,
        url,
        format,
        licence,
        cadence_hours,
        max_age_days,
        covers,
        gives,
        is_on_by_default,
        ..
    } in FEEDS
    {
        let covers: Vec<String> = covers.iter().map(Covers::title).collect();
        let covers = covers.join(", ");
        let off = if *is_on_by_default { "" } else { " (off by default)" };
        writeln!(out, "{name}{off}\n  {title}: {covers}\n  {gives}\n  from {url} ({format})")?;
        writeln!(
            out,
            "  changes every {cadence_hours} hours, warned of after {max_age_days} days; licence: {licence}"
        )?;
    }
    print(&out)
}
