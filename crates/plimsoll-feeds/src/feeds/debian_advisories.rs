//! Debian's lists of security advisories, `DSA/list` and `DLA/list`.
//!
//! The tracker's own document speaks of the releases that are supported today and knows flaws by their CVEs alone.
//! The lists go back to 1997: they give the ids that people know (`DSA-5638-1`), and fixes of releases that the
//! tracker has dropped. Packages are source packages. What surprises:
//! - the newest comes first, so an advisory's second edition (`DSA-1234-2`), which may leave out the CVEs that the
//!   first one names, stands before it;
//! - a second edition repairs what the first one broke and has the version that people need. Both are handed on:
//!   of several fixes of one flaw the highest version holds, since the others' ranges lie within its range;
//! - the oldest ids have no edition (`DSA-141`);
//! - flaws without an advisory are not in the lists, so what they say of a release is not all there is.
//!
//! Format: <https://security-team.debian.org/security_tracker.html#the-dsa-list>.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Read};

use jiff::civil::Date;
use plimsoll_core::advisory::{Advisory, Affected, FixState, Range, RangeEnd, Status};
use plimsoll_core::distros::debian::{self, release_of_codename};

use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, text};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "debian-advisories",
    title: "Debian Security Advisories",
    url: "https://salsa.debian.org/security-tracker-team/security-tracker/-/raw/master",
    format: "lists of advisories (text)",
    licence: "public",
    terms: "https://www.debian.org/license",
    cadence_hours: 12,
    max_age_days: 21,
    covers: &[Covers::Distro(&debian::DISTRO)],
    gives: "ids of advisories, fixed versions; also of releases that are out of support",
    is_on_by_default: true,
    plan,
    parse,
};

/// Longest line, in bytes. An advisory on the kernel names hundreds of CVEs in one.
const LINE_BYTES_MAX: u64 = 256 << 10;

/// Most lines. The longer list had 30,000 in 2026.
const LINES_MAX: u64 = 2_000_000;

/// Most CVEs of one advisory.
const FLAWS_MAX: usize = 10_000;

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let part = |list: &str| Part::new(format!("{list}-list"), format!("data/{list}/list"));
    Ok(vec![part("DLA"), part("DSA")])
}

fn parse(_: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let entries = read(source, sink)?;
    let newest = entries.iter().filter_map(|entry| entry.advisory.published.as_deref()).max();
    let Some(newest) = newest else {
        return Err(ParseError("it lists no advisory".to_owned()));
    };
    sink.data_date(newest);
    let first_editions: BTreeMap<String, Vec<String>> = entries
        .iter()
        .filter(|entry| entry.edition == 1)
        .map(|entry| (entry.series.clone(), entry.advisory.flaws.clone()))
        .collect();
    let mut namespaces = BTreeSet::new();
    for mut entry in entries {
        if entry.advisory.flaws.is_empty() && entry.edition > 1 {
            entry.advisory.flaws = first_editions.get(&entry.series).cloned().unwrap_or_default();
            if entry.advisory.flaws.is_empty() {
                sink.skip("a second edition of an advisory that names no flaw");
                continue;
            }
        }
        if entry.affected.is_empty() {
            sink.skip("it names no package of a release that is known");
            continue;
        }
        for one in &entry.affected {
            if namespaces.insert(one.namespace.clone()) {
                sink.namespace(&one.namespace);
            }
        }
        sink.advisory(&entry.advisory, &entry.affected);
    }
    Ok(())
}

/// One advisory.
struct Entry {
    advisory: Advisory,
    /// The id without its edition: `DSA-5638`.
    series: String,
    edition: u32,
    affected: Vec<Affected>,
}

fn read(source: &mut dyn Source, sink: &mut dyn Sink) -> Result<Vec<Entry>, ParseError> {
    let mut entries: Vec<Entry> = Vec::new();
    // Lines of a head that was refused go with it.
    let mut is_refused = false;
    let mut line = Vec::new();
    for count in 1..=LINES_MAX {
        line.clear();
        let length = (&mut *source)
            .take(LINE_BYTES_MAX)
            .read_until(b'\n', &mut line)
            .map_err(|error| ParseError(format!("cannot read the list: {error}")))?;
        if length == 0 {
            return Ok(entries);
        }
        if line.last() != Some(&b'\n') {
            let reason = if length as u64 == LINE_BYTES_MAX { "is too long" } else { "is cut short" };
            return Err(ParseError(format!("line {count} {reason}")));
        }
        let line = String::from_utf8_lossy(&line);
        let is_head = !line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if is_head {
            let read = head(line);
            is_refused = read.is_none();
            match read {
                Some(entry) => entries.push(entry),
                None => sink.refuse(&text::shortened(line, 120), "it is not the head of an advisory"),
            }
        } else if let Some(entry) = entries.last_mut().filter(|_| !is_refused)
            && let Err(reason) = detail(line, entry, sink)
        {
            sink.refuse(&text::shortened(&format!("{} {line}", entry.advisory.id), 120), reason);
        }
    }
    Err(ParseError(format!("there are more than {LINES_MAX} lines")))
}

/// Reads `[07 Mar 2024] DSA-5638-1 libuv1 - security update`.
fn head(line: &str) -> Option<Entry> {
    let (date, rest) = line.strip_prefix('[')?.split_once(']')?;
    let date = Date::strptime("%d %b %Y", date.trim()).ok()?;
    let rest = rest.trim();
    let (id, title) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let mut parts = id.split('-');
    let (kind, number) = (parts.next()?, parts.next()?);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(kind, "DSA" | "DLA") || !is_number(number) || !text::is_id(id) {
        return None;
    }
    let edition = parts.next().map_or(Some(1), |edition| edition.parse().ok())?;
    Some(Entry {
        advisory: Advisory {
            id: id.to_owned(),
            summary: text::shortened(title, text::SUMMARY_BYTES_MAX),
            references: vec![format!("https://security-tracker.debian.org/tracker/{id}")],
            published: text::instant(&date.to_string()),
            ..Advisory::default()
        },
        series: format!("{kind}-{number}"),
        edition,
        affected: Vec::new(),
    })
}

/// Reads a line below a head.
fn detail(line: &str, entry: &mut Entry, sink: &mut dyn Sink) -> Result<(), &'static str> {
    if let Some(flaws) = line.strip_prefix('{') {
        let flaws = flaws.strip_suffix('}').ok_or("its list of flaws does not end")?;
        for flaw in flaws.split_whitespace() {
            if !text::is_cve(flaw) {
                sink.skip("a flaw that has no CVE");
            } else if entry.advisory.flaws.len() < FLAWS_MAX {
                entry.advisory.flaws.push(flaw.to_owned());
            } else {
                return Err("it names more than 10000 flaws");
            }
        }
        return Ok(());
    }
    if let Some((codename, package)) = line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let Some(release) = release_of_codename(codename.trim()) else {
            sink.skip("the release is not known");
            return Ok(());
        };
        let package =
            package.trim_start().strip_prefix("- ").ok_or("a package is not introduced by a dash")?;
        entry.affected.push(statement(debian::DISTRO.namespace(release), package)?);
        return Ok(());
    }
    match line.split_once(':') {
        Some(("NOTE" | "TODO", _)) => Ok(()),
        _ => Err("a line is not of a kind that is known"),
    }
}

/// Reads `libuv1 1.44.2-1+deb12u1` and `libuv1 <not-affected> (Vulnerable code not present)`.
fn statement(namespace: String, line: &str) -> Result<Affected, &'static str> {
    let mut words = line.split_whitespace();
    let package =
        words.next().filter(|name| text::is_package_name(name)).ok_or("a package has no usable name")?;
    let version = words.next().ok_or("a package has neither a version nor a state")?;
    let open = || vec![Range { introduced: None, end: RangeEnd::Open }];
    let (status, fix, ranges) = match version {
        "<not-affected>" => (Status::NotAffected, FixState::Unstated, Vec::new()),
        "<end-of-life>" => (Status::Affected, FixState::EndOfLife, open()),
        "<ignored>" => (Status::Affected, FixState::WillNotFix, open()),
        "<postponed>" => (Status::Affected, FixState::Deferred, open()),
        "<unfixed>" | "<no-dsa>" => (Status::Affected, FixState::None, open()),
        state if state.starts_with('<') => return Err("the state of a package is not known"),
        version => {
            let end = RangeEnd::Fixed(version.to_owned());
            (Status::Affected, FixState::Unstated, vec![Range { introduced: None, end }])
        }
    };
    Ok(Affected {
        namespace,
        package: package.to_owned(),
        status,
        fix,
        ranges,
        module: None,
        architectures: Vec::new(),
        severity: None,
    })
}
