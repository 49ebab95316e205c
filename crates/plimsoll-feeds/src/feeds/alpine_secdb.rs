//! Alpine's security database: two JSON files a release, `v3.20/main.json` and `v3.20/community.json`.
//!
//! It lists for each source package which version fixed which flaws (`secfixes`), as the packagers wrote it
//! into their build files (<https://gitlab.alpinelinux.org/alpine/infra/alpine-secdb>). What surprises:
//! - version `0` means that the package never was affected;
//! - a flaw that is listed under several versions of a package was fixed in several steps: the highest
//!   version has the whole fix;
//! - an "id" is free text: `CVE-2019-1234 (+ regression fix)`, `CVE_2019-2426`, `CVE-2017-17044 XSA-246`,
//!   `CVE N/A ZBX-11023`;
//! - flaws without a fix are not listed at all.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use plimsoll_core::advisory::{Advisory, Affected, FixState, Range, RangeEnd, Status};
use plimsoll_core::{distros, ecosystems};
use serde_json::Value;

use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, json, text};

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

/// Most statements of one file. The largest real file has about 6,000.
const STATEMENTS_MAX: usize = 500_000;

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let releases = (OLDEST_MINOR..=NEWEST_MINOR).map(|minor| format!("v3.{minor}"));
    let mut parts: Vec<Part> = releases
        .chain(["edge".to_owned()])
        .flat_map(|release| ["main", "community"].map(|repository| format!("{release}/{repository}.json")))
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
    let release = part.path.split('/').next().unwrap_or_default();
    let namespace = format!("alpine:{}", release.strip_prefix('v').unwrap_or(release));
    sink.namespace(&namespace);
    let mut statements = BTreeMap::new();
    json::each_element(
        source,
        "packages",
        &mut |package| collect(&package, &mut statements, sink),
        &mut |_, _| {},
    )?;
    if statements.len() > STATEMENTS_MAX {
        return Err(ParseError(format!("there are more than {STATEMENTS_MAX} statements")));
    }
    for ((package, id), fixes) in statements {
        let affected = affected(&namespace, package, &fixes);
        sink.advisory(&advisory(id, fixes), &[affected]);
    }
    Ok(())
}

fn parse_last_update(source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let bad = || ParseError(format!("`{LAST_UPDATE}` does not hold one RFC 3339 time"));
    let mut bytes = Vec::new();
    source.take(256).read_to_end(&mut bytes).map_err(|_| bad())?;
    let date = std::str::from_utf8(&bytes).ok().and_then(text::instant).ok_or_else(bad)?;
    sink.data_date(&date);
    Ok(())
}

/// What a file says about one flaw of one package.
#[derive(Default)]
struct Fixes {
    /// Versions with the fix; without `0`.
    versions: BTreeSet<String>,
    /// Other names of the flaw.
    aliases: BTreeSet<String>,
    /// What was written beside the id.
    remark: String,
}

/// Package and id of the flaw.
type Statements = BTreeMap<(String, String), Fixes>;

/// Adds one element of `packages`, an object with the one field `pkg`.
fn collect(element: &Value, statements: &mut Statements, sink: &mut dyn Sink) {
    if statements.len() > STATEMENTS_MAX {
        return;
    }
    let package = element.get("pkg").unwrap_or(&Value::Null);
    let Some(name) = package.get("name").and_then(Value::as_str).filter(|name| text::is_package_name(name))
    else {
        sink.refuse("an element of packages", "the package has no usable name");
        return;
    };
    let fixes = match package.get("secfixes") {
        Some(Value::Object(fixes)) => fixes,
        None | Some(Value::Null) => return,
        Some(_) => {
            sink.refuse(&text::shortened(name, 80), "`secfixes` is not an object");
            return;
        }
    };
    for (version, ids) in fixes {
        let record = || text::shortened(&format!("{name} {version}"), 120);
        match ids {
            Value::Array(ids) => {
                for id in ids {
                    let read = id.as_str().map(read_ids).unwrap_or_default();
                    if read.is_empty() {
                        sink.refuse(
                            &text::shortened(&format!("{name} {version} {id}"), 120),
                            "it names no flaw",
                        );
                    }
                    add(name, version, read, statements);
                }
            }
            Value::Null => {}
            _ => sink.refuse(&record(), "the flaws are not a list"),
        }
    }
}

fn add(package: &str, version: &str, ids: Vec<Id>, statements: &mut Statements) {
    for id in ids {
        let fixes = statements.entry((package.to_owned(), id.id)).or_default();
        fixes.aliases.extend(id.aliases);
        if fixes.remark.is_empty() {
            fixes.remark = id.remark;
        }
        if version != "0" {
            fixes.versions.insert(version.to_owned());
        }
    }
}

/// One flaw that a text names.
#[derive(Debug, Default, PartialEq, Eq)]
struct Id {
    id: String,
    aliases: Vec<String>,
    /// The whole text, where it says more than the id.
    remark: String,
}

/// Finds the flaws in the free text of an id. CVEs count wherever they stand; other ids only outside
/// parentheses. An id beside a single CVE is another name of it; beside several it stays in the remark.
fn read_ids(written: &str) -> Vec<Id> {
    let is_separator = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '[' | ']' | '"' | '\'');
    let (mut cves, mut others) = (Vec::new(), Vec::new());
    let mut depth = 0_u32;
    for (at, word) in written.split_inclusive(['(', ')']).flat_map(|run| run.split(is_separator)).enumerate()
    {
        let inside = depth > 0;
        depth = if word.ends_with('(') {
            1
        } else if word.ends_with(')') {
            0
        } else {
            depth
        };
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let upper = word.to_ascii_uppercase().replace('_', "-");
        if text::is_cve(&upper) {
            cves.push(upper);
        } else if at < 16 && !inside && is_other_id(word) {
            others.push(word.to_owned());
        }
    }
    let remark = |id: &str| {
        if written.trim() == id { String::new() } else { text::shortened(written, text::SUMMARY_BYTES_MAX) }
    };
    let (ids, aliases) = match cves.len() {
        0 => (others, Vec::new()),
        1 => (cves, others),
        _ => (cves, Vec::new()),
    };
    let remark = |id: &str| if aliases.is_empty() { remark(id) } else { String::new() };
    ids.into_iter().map(|id| Id { remark: remark(&id), id, aliases: aliases.clone() }).collect()
}

/// `GHSA-..`, `ALPINE-13661`, `XSA-246`, `ZBX-11023`: capitals first, then parts of which one has a digit.
fn is_other_id(word: &str) -> bool {
    let (kind, rest) = word.split_once('-').unwrap_or((word, ""));
    (2..=20).contains(&kind.len())
        && kind.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && kind.as_bytes().first().is_some_and(u8::is_ascii_uppercase)
        && kind != "CVE"
        && (3..=60).contains(&rest.len())
        && rest.bytes().any(|b| b.is_ascii_digit())
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':'))
}

fn advisory(id: String, fixes: Fixes) -> Advisory {
    let references = match text::is_cve(&id) {
        true => vec![format!("https://security.alpinelinux.org/vuln/{id}")],
        false => Vec::new(),
    };
    Advisory {
        id,
        aliases: fixes.aliases.into_iter().collect(),
        description: fixes.remark,
        references,
        ..Advisory::default()
    }
}

fn affected(namespace: &str, package: String, fixes: &Fixes) -> Affected {
    let key = ecosystems::APK.scheme.key;
    let highest = fixes.versions.iter().filter_map(|version| Some((key(version).ok()?, version))).max();
    // A version that does not parse is stated as well: whoever has the package learns that there is something
    // that could not be compared.
    let unparsable = fixes.versions.iter().filter(|version| key(version).is_err());
    let ranges: Vec<Range> = highest
        .map(|(_, version)| version)
        .into_iter()
        .chain(unparsable)
        .map(|version| Range { introduced: None, end: RangeEnd::Fixed(version.clone()) })
        .collect();
    Affected {
        namespace: namespace.to_owned(),
        package,
        status: if ranges.is_empty() { Status::NotAffected } else { Status::Affected },
        fix: FixState::Unstated,
        ranges,
        module: None,
        architectures: Vec::new(),
        severity: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_free_text() {
        for (written, expected) in [
            ("CVE-2019-1234", "CVE-2019-1234"),
            ("CVE-2017-2616 (+ regression fix)", "CVE-2017-2616 | CVE-2017-2616 (+ regression fix)"),
            ("CVE_2019-2426", "CVE-2019-2426 | CVE_2019-2426"),
            ("CVE_2019_2426", "CVE-2019-2426 | CVE_2019_2426"),
            ("cve-2019-2426", "CVE-2019-2426 | cve-2019-2426"),
            ("CVE-2017-17044 XSA-246", "CVE-2017-17044 = XSA-246"),
            ("CVE-2019-1,CVE-2019-1001, CVE-2019-1002", "CVE-2019-1001 | .. / CVE-2019-1002 | .."),
            ("CVE-2018-5715 CVE-2018-5753 XSA-254", "CVE-2018-5715 | .. / CVE-2018-5753 | .."),
            ("GHSA-xw3p-rh5p-xx2h", "GHSA-xw3p-rh5p-xx2h"),
            ("ALPINE-13661", "ALPINE-13661"),
            ("XSA-207 XSA-208", "XSA-207 | XSA-207 XSA-208 / XSA-208 | XSA-207 XSA-208"),
            ("CVE N/A ZBX-11023", "ZBX-11023 | CVE N/A ZBX-11023"),
            ("CVE-2018-3639 (see ABC-123)", "CVE-2018-3639 | CVE-2018-3639 (see ABC-123)"),
            ("CVE-2019-XXXX", ""),
            ("regression fix", ""),
            ("", ""),
        ] {
            let found: Vec<String> = read_ids(written)
                .into_iter()
                .map(|one| {
                    let aliases = one.aliases.iter().map(|alias| format!(" = {alias}")).collect::<String>();
                    let remark = match one.remark.as_str() {
                        "" => String::new(),
                        remark if expected.contains("| ..") && remark == written => " | ..".to_owned(),
                        remark => format!(" | {remark}"),
                    };
                    format!("{}{aliases}{remark}", one.id)
                })
                .collect();
            assert_eq!(found.join(" / "), expected, "{written}");
        }
    }
}
