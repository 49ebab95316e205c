//! Writes `docs/feeds.md`, the page of all feeds, from their rows, and holds it to them.
//! `PLIMSOLL_UPDATE_SCHEMA=1` writes it anew.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::path::Path;

use plimsoll_feeds::feeds::{Covers, FEEDS, Feed};

const UPDATE: &str = "PLIMSOLL_UPDATE_SCHEMA";

const HEAD: &str = "\
# Feeds

<!-- Written from the rows of `crates/plimsoll-feeds/src/feeds`: change them there, then run the tests of
`plimsoll-feeds` with `PLIMSOLL_UPDATE_SCHEMA=1`. -->

The upstream sources that `plimsoll feeds update` fetches. Those that are off repeat what others have, or are large; any of
them is turned on or off, and fetched from another URL or from mirrors, in `[feeds.NAME]` (see [configuration](configuration.md)).
A mirror keeps the files as the upstream lays them out below its URL. Results of a feed whose data is older than its warning
period say so. The data is its publishers', under their terms.
";

fn page() -> String {
    let mut out = HEAD.to_owned();
    out.push_str(
        "\n| feed | covers | gives | changes every | warned of after | on |\n|---|---|---|---|---|---|\n",
    );
    for feed in FEEDS {
        let on = if feed.is_on_by_default { "yes" } else { "no" };
        writeln!(
            out,
            "| [`{0}`](#{0}) | {1} | {2} | {3} | {4} days | {on} |",
            feed.name,
            cell(&covers(feed)),
            cell(feed.gives),
            hours(feed.cadence_hours),
            feed.max_age_days,
        )
        .unwrap();
    }
    for feed in FEEDS {
        let url = match feed.url {
            "" => "none of its own: `url` has to be configured".to_owned(),
            url => format!("<{url}>"),
        };
        writeln!(
            out,
            "\n## {}\n\n{}: {}.\n\n- URL: {url}\n- Format: {}\n- Licence: {} ([terms]({}))",
            feed.name,
            feed.title,
            covers(feed),
            feed.format,
            feed.licence,
            feed.terms,
        )
        .unwrap();
    }
    out
}

fn covers(feed: &Feed) -> String {
    feed.covers.iter().map(Covers::title).collect::<Vec<_>>().join(", ")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn hours(hours: u32) -> String {
    match (hours / 24, hours % 24) {
        (1, 0) => "day".to_owned(),
        (days, 0) if days > 0 => format!("{days} days"),
        _ if hours == 1 => "hour".to_owned(),
        _ => format!("{hours} hours"),
    }
}

#[test]
fn the_page_is_what_the_rows_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/feeds.md");
    let wanted = page();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "docs/feeds.md is not what the rows say; if the change is meant, run \
         `{UPDATE}=1 cargo test -p plimsoll-feeds` and commit the file"
    );
}
