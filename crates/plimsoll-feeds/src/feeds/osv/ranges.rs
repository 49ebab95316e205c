//! From OSV's events and version lists to ranges
//! (<https://ossf.github.io/osv-schema/#evaluation>).

use plimsoll_core::advisory::{Range, RangeEnd};
use plimsoll_core::schemes::Scheme;

use super::record::{Affected, Event};

/// Reads the affected versions of one package. Ranges of git commits say nothing about versions and are
/// passed over where there is something else.
pub(super) fn of_package(affected: &Affected, scheme: &Scheme) -> Result<Vec<Range>, &'static str> {
    let mut ranges = Vec::new();
    for range in affected.ranges.iter().filter(|range| range.kind != "GIT") {
        ranges.extend(of_events(&range.events, scheme));
    }
    bound_by_custom_ranges(&mut ranges, affected, scheme);
    bound_by_last_known(&mut ranges, affected, scheme);
    add_versions(&mut ranges, &affected.versions, scheme);
    if !ranges.is_empty() {
        return Ok(ranges);
    }
    let has_git = affected.ranges.iter().any(|range| range.kind == "GIT");
    Err(if has_git { "only git ranges" } else { "no versions are stated" })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Introduced,
    Fixed,
    Limit,
    LastAffected,
}

/// Turns the events of one range, in any order, into stretches.
fn of_events(events: &[Event], scheme: &Scheme) -> Vec<Range> {
    let mut events: Vec<(Kind, &str)> = events.iter().flat_map(flat).collect();
    let keys: Result<Vec<_>, _> = events
        .iter()
        .map(|&(_, version)| if version == "0" { Ok(Vec::new()) } else { (scheme.key)(version) })
        .collect();
    // Without keys the events stay as listed; whoever stores the ranges notices that they do not parse.
    if let Ok(keys) = keys {
        let mut keyed: Vec<_> = keys.into_iter().zip(events).collect();
        keyed.sort_by(|(a, (a_kind, _)), (b, (b_kind, _))| {
            let is_last = |kind: &Kind| *kind == Kind::LastAffected;
            a.cmp(b).then_with(|| is_last(a_kind).cmp(&is_last(b_kind)))
        });
        events = keyed.into_iter().map(|(_, event)| event).collect();
    }
    // By the schema there is an `introduced`; without one, everything below the first end is meant.
    let is_introduced = events.iter().any(|(kind, _)| *kind == Kind::Introduced);
    let mut open = if is_introduced || events.is_empty() { None } else { Some(None) };
    let mut ranges = Vec::new();
    for (kind, version) in events {
        let end = match kind {
            Kind::Introduced => {
                open = open.or_else(|| Some((version != "0").then(|| version.to_owned())));
                continue;
            }
            Kind::Fixed => RangeEnd::Fixed(version.to_owned()),
            Kind::Limit => RangeEnd::Before(version.to_owned()),
            Kind::LastAffected => RangeEnd::Last(version.to_owned()),
        };
        // RustSec ends some ranges where they begin (`< 1.2.0` within `>= 1.2.0`); they state nothing.
        let is_empty = |introduced: &Option<String>| {
            kind != Kind::LastAffected && introduced.as_deref() == Some(version)
        };
        if let Some(introduced) = open.take().filter(|introduced| !is_empty(introduced)) {
            ranges.push(Range { introduced, end });
        }
    }
    ranges.extend(open.map(|introduced| Range { introduced, end: RangeEnd::Open }));
    ranges
}

/// An event with several fields is several events. A `limit` of `*` limits nothing.
fn flat(event: &Event) -> impl Iterator<Item = (Kind, &str)> {
    [
        (Kind::Introduced, &event.introduced),
        (Kind::Fixed, &event.fixed),
        (Kind::Limit, &event.limit),
        (Kind::LastAffected, &event.last_affected),
    ]
    .into_iter()
    .filter_map(|(kind, version)| Some((kind, version.as_deref()?)))
    .filter(|&(kind, version)| !(kind == Kind::Limit && version == "*"))
}

/// Go's vulnerability database states "all versions" where the fix has a version that the module proxy does
/// not know, and the true range aside (<https://go.dev/doc/security/vuln/database>). The aside bounds the
/// upper end; the lower end stays the beginning, because builds from source carry `v0.0.0-..` versions.
fn bound_by_custom_ranges(ranges: &mut Vec<Range>, affected: &Affected, scheme: &Scheme) {
    let is_everything = ranges.as_slice() == [Range { introduced: None, end: RangeEnd::Open }];
    if !is_everything {
        return;
    }
    let custom = affected.ecosystem_specific.custom_ranges.iter();
    let mut custom: Vec<Range> = custom.flat_map(|range| of_events(&range.events, scheme)).collect();
    let follows = |version: &String| (scheme.key)(version).is_ok();
    // Some asides are release tags (`RELEASE.2025-02-28T09-55-16Z`), which bound nothing.
    let are_versions = custom.iter().all(|range| {
        range.introduced.iter().all(follows)
            && match &range.end {
                RangeEnd::Open => true,
                RangeEnd::Fixed(end) | RangeEnd::Before(end) | RangeEnd::Last(end) => follows(end),
            }
    });
    if let Some(first) = custom.first_mut().filter(|_| are_versions) {
        first.introduced = None;
        *ranges = custom;
    }
}

/// GHSA states the last version that it knows to be affected aside, where there is no fix.
fn bound_by_last_known(ranges: &mut [Range], affected: &Affected, scheme: &Scheme) {
    let bound = affected.database_specific.last_known_affected_version_range.trim();
    let end = match (bound.strip_prefix("<="), bound.strip_prefix('<')) {
        (Some(version), _) => RangeEnd::Last(version.trim().to_owned()),
        (None, Some(version)) => RangeEnd::Before(version.trim().to_owned()),
        (None, None) => return,
    };
    let (RangeEnd::Last(version) | RangeEnd::Before(version)) = &end else {
        return;
    };
    let Ok(high) = (scheme.key)(version) else {
        return;
    };
    for range in ranges.iter_mut().filter(|range| range.end == RangeEnd::Open) {
        let low = range.introduced.as_deref().map_or(Ok(Vec::new()), scheme.key);
        if low.is_ok_and(|low| low <= high) {
            range.end = end.clone();
        }
    }
}

/// Adds listed versions that no range covers, each as a range of one. A version that does not parse is added
/// only where nothing else is stated.
fn add_versions(ranges: &mut Vec<Range>, versions: &[String], scheme: &Scheme) {
    let point = |version: &str| Range {
        introduced: Some(version.to_owned()),
        end: RangeEnd::Last(version.to_owned()),
    };
    if ranges.is_empty() {
        let mut keyed: Vec<_> =
            versions.iter().map(|version| ((scheme.key)(version).ok(), version)).collect();
        keyed.sort();
        keyed.dedup();
        ranges.extend(keyed.into_iter().map(|(_, version)| point(version)));
        return;
    }
    if versions.is_empty() || ranges.contains(&Range { introduced: None, end: RangeEnd::Open }) {
        return;
    }
    let covered = Covered::of(ranges, scheme);
    let mut missing: Vec<_> = versions
        .iter()
        .filter_map(|version| Some(((scheme.key)(version).ok()?, version)))
        .filter(|(key, _)| !covered.holds(key))
        .collect();
    missing.sort();
    missing.dedup();
    ranges.extend(missing.into_iter().map(|(_, version)| point(version)));
}

/// Stretches of keys, disjoint and sorted, so that asking stays cheap for records of thousands of versions.
struct Covered(Vec<(Vec<u8>, Upper)>);

/// An upper end. Ordered: at the same key, the one without it comes first.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Upper {
    Key(Vec<u8>, bool),
    Open,
}

impl Covered {
    fn of(ranges: &[Range], scheme: &Scheme) -> Covered {
        let mut stretches: Vec<_> =
            ranges.iter().filter_map(|range| Covered::stretch(range, scheme)).collect();
        stretches.sort();
        let mut merged: Vec<(Vec<u8>, Upper)> = Vec::with_capacity(stretches.len());
        for (low, high) in stretches {
            match merged.last_mut() {
                Some((_, last)) if Upper::Key(low.clone(), false) <= *last => {
                    if high > *last {
                        *last = high;
                    }
                }
                _ => merged.push((low, high)),
            }
        }
        Covered(merged)
    }

    fn stretch(range: &Range, scheme: &Scheme) -> Option<(Vec<u8>, Upper)> {
        let low = range.introduced.as_deref().map_or(Ok(Vec::new()), scheme.key).ok()?;
        let high = match &range.end {
            RangeEnd::Open => Upper::Open,
            RangeEnd::Fixed(version) | RangeEnd::Before(version) => {
                Upper::Key((scheme.key)(version).ok()?, false)
            }
            RangeEnd::Last(version) => Upper::Key((scheme.key)(version).ok()?, true),
        };
        Some((low, high))
    }

    fn holds(&self, key: &[u8]) -> bool {
        let after = self.0.partition_point(|(low, _)| low.as_slice() <= key);
        let Some((_, high)) = after.checked_sub(1).and_then(|at| self.0.get(at)) else {
            return false;
        };
        match high {
            Upper::Open => true,
            Upper::Key(end, true) => key <= end.as_slice(),
            Upper::Key(end, false) => key < end.as_slice(),
        }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::ecosystems;

    use super::*;

    fn written(range: &Range) -> String {
        let low = range.introduced.as_deref().unwrap_or("");
        match &range.end {
            RangeEnd::Open => format!("[{low}, ..)"),
            RangeEnd::Fixed(version) => format!("[{low}, {version})"),
            RangeEnd::Before(version) => format!("[{low}, {version})?"),
            RangeEnd::Last(version) => format!("[{low}, {version}]"),
        }
    }

    #[track_caller]
    fn check(affected: &str, expected: &str) {
        let affected: Affected = serde_json::from_str(affected).expect("the case is an `affected` object");
        let got = match of_package(&affected, ecosystems::PYPI.scheme) {
            Ok(ranges) => ranges.iter().map(written).collect::<Vec<_>>().join(" "),
            Err(reason) => reason.to_owned(),
        };
        assert_eq!(got, expected);
    }

    fn with_events(events: &str) -> String {
        format!(r#"{{"ranges": [{{"type": "ECOSYSTEM", "events": [{events}]}}]}}"#)
    }

    #[test]
    fn events_become_ranges_whatever_their_order() {
        for (events, expected) in [
            (r#"{"introduced": "0"}, {"fixed": "1.2"}"#, "[, 1.2)"),
            (r#"{"fixed": "1.2"}, {"introduced": "0"}"#, "[, 1.2)"),
            (
                r#"{"introduced": "2.0"}, {"fixed": "1.2"}, {"introduced": "0"}, {"fixed": "2.1"}"#,
                "[, 1.2) [2.0, 2.1)",
            ),
            (r#"{"introduced": "1.0"}"#, "[1.0, ..)"),
            (r#"{"introduced": "1.0"}, {"last_affected": "1.0"}"#, "[1.0, 1.0]"),
            (r#"{"last_affected": "1.0"}, {"introduced": "1.0"}"#, "[1.0, 1.0]"),
            (r#"{"introduced": "0"}, {"fixed": "1.2"}, {"fixed": "1.3"}"#, "[, 1.2)"),
            (r#"{"introduced": "0"}, {"introduced": "1.0"}, {"fixed": "1.3"}"#, "[, 1.3)"),
            (r#"{"introduced": "0"}, {"limit": "3.0"}"#, "[, 3.0)?"),
            (r#"{"introduced": "0"}, {"limit": "*"}"#, "[, ..)"),
            (r#"{"fixed": "1.2"}"#, "[, 1.2)"),
            (r#"{"introduced": "0", "fixed": "1.2"}"#, "[, 1.2)"),
            (r#"{"introduced": "0"}, {"fixed": "1.0"}, {"introduced": "1.2"}, {"fixed": "1.2"}"#, "[, 1.0)"),
        ] {
            check(&with_events(events), expected);
        }
    }

    #[test]
    fn a_hidden_bound_closes_an_open_range() {
        let case = |range: &str, bound: &str| {
            format!(
                r#"{{"ranges": [{{"type": "ECOSYSTEM", "events": [{range}]}}],
                    "database_specific": {{"last_known_affected_version_range": "{bound}"}}}}"#
            )
        };
        check(&case(r#"{"introduced": "0"}"#, "<= 1.2"), "[, 1.2]");
        check(&case(r#"{"introduced": "1.0"}"#, "< 1.3"), "[1.0, 1.3)?");
        check(&case(r#"{"introduced": "2.0"}"#, "< 1.3"), "[2.0, ..)");
        check(&case(r#"{"introduced": "0"}, {"fixed": "1.1"}"#, "<= 1.2"), "[, 1.1)");
        check(&case(r#"{"introduced": "0"}"#, "soon"), "[, ..)");
    }

    #[test]
    fn custom_ranges_bound_everything() {
        check(
            r#"{"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
                "ecosystem_specific": {"custom_ranges": [{"type": "ECOSYSTEM", "events": [
                    {"introduced": "0"}, {"fixed": "RELEASE.2025"}]}]}}"#,
            "[, ..)",
        );
        check(
            r#"{"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
                "ecosystem_specific": {"custom_ranges": [{"type": "ECOSYSTEM", "events": [
                    {"introduced": "1.1"}, {"fixed": "1.4"}, {"introduced": "2.0"}, {"fixed": "2.1"}]}]}}"#,
            "[, 1.4) [2.0, 2.1)",
        );
    }

    #[test]
    fn only_uncovered_versions_are_added() {
        check(
            r#"{"ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.1"}, {"fixed": "1.3"}]},
                           {"type": "ECOSYSTEM", "events": [{"introduced": "1.2"}, {"last_affected": "1.5"}]}],
                "versions": ["1.6", "1.5", "1.4", "1.2", "1.1", "0.9", "0.9"]}"#,
            "[1.1, 1.3) [1.2, 1.5] [0.9, 0.9] [1.6, 1.6]",
        );
        check(r#"{"versions": ["1.6", "1.5"]}"#, "[1.5, 1.5] [1.6, 1.6]");
    }

    #[test]
    fn git_ranges_say_nothing_about_versions() {
        let git = r#"{"type": "GIT", "events": [{"introduced": "0"}, {"fixed": "5d5e3d6"}]}"#;
        check(&format!(r#"{{"ranges": [{git}]}}"#), "only git ranges");
        check(&format!(r#"{{"ranges": [{git}], "versions": ["1.0"]}}"#), "[1.0, 1.0]");
        check("{}", "no versions are stated");
    }
}
