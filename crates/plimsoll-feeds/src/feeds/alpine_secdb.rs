//! Alpine's security database: two files of the secdb format a release, `v3.20/main.json` and
//! `v3.20/community.json`.
//!
//! Which releases there are stands in a listing for people only, so all that may be are asked for.

use std::io::Read;

use plimsoll_core::distros;

use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, secdb, text};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "alpine-secdb",
    title: "Alpine Security Database",
    url: "https://secdb.alpinelinux.org",
    format: "JSON",
    licence: "public",
    terms: "https://gitlab.alpinelinux.org/alpine/infra/alpine-secdb",
    cadence_hours: 24,
    max_age_days: 14,
    covers: &[Covers::Distro(&distros::alpine::DISTRO)],
    gives: "fixed versions; releases from 3.3 on, and edge",
    is_on_by_default: true,
    plan,
    parse,
};

/// First release with both repositories.
const OLDEST_MINOR: u32 = 3;

/// Newest release that is asked for; the newest that exists was 3.23 when this was written, and two come a year.
const NEWEST_MINOR: u32 = 28;

/// Where the mirror says when its data was made.
const LAST_UPDATE: &str = "last-update";

/// The page of a flaw.
const PAGES: &str = "https://security.alpinelinux.org/vuln/";

/// The releases that Alpine states something of, as their namespaces name them: `3.3`, ... `edge`.
pub(super) fn releases() -> impl Iterator<Item = String> {
    (OLDEST_MINOR..=NEWEST_MINOR).map(|minor| format!("3.{minor}")).chain(["edge".to_owned()])
}

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let folder = |release: String| if release == "edge" { release } else { format!("v{release}") };
    let mut parts: Vec<Part> = releases()
        .map(folder)
        .flat_map(|folder| ["main", "community"].map(|repository| format!("{folder}/{repository}.json")))
        .map(|path| Part::new(path.replace('/', "-"), path).that_may_be_absent())
        .collect();
    parts.push(Part::new(LAST_UPDATE, LAST_UPDATE).that_may_be_absent());
    Ok(parts)
}

fn parse(reading: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let part = reading.part;
    if part.path == LAST_UPDATE {
        return parse_last_update(source, sink);
    }
    let folder = part.path.split('/').next().unwrap_or_default();
    let release = folder.strip_prefix('v').unwrap_or(folder);
    let namespace = distros::alpine::DISTRO.namespace(release);
    secdb::read(&namespace, page, source, sink)
}

fn page(id: &str) -> Option<String> {
    text::is_cve(id).then(|| format!("{PAGES}{id}"))
}

fn parse_last_update(source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let bad = || ParseError(format!("`{LAST_UPDATE}` does not hold one RFC 3339 time"));
    let mut bytes = Vec::new();
    source.take(256).read_to_end(&mut bytes).map_err(|_| bad())?;
    let date = std::str::from_utf8(&bytes).ok().and_then(text::instant).ok_or_else(bad)?;
    sink.data_date(&date);
    Ok(())
}
