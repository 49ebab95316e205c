//! The secdb format: which version of a source package fixed which flaws (`secfixes`), as packagers wrote it into
//! their build files (<https://gitlab.alpinelinux.org/alpine/infra/alpine-secdb>).
//!
//! Alpine began it; distributions that build apk packages took it over. What surprises:
//! - version `0` means that the package never was affected;
//! - a flaw that is listed under several versions of a package was fixed in several steps: the highest
//!   version has the whole fix;
//! - an "id" is free text: `CVE-2019-1234 (+ regression fix)`, `CVE_2019-2426`, `CVE-2017-17044 XSA-246`,
//!   `CVE N/A ZBX-11023`;
//! - the same flaw may be listed several times, under an id of each kind, and nothing says that they are one;
//! - flaws without a fix are not listed at all.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::advisory::{Advisory, Affected, FixState, Range, RangeEnd, Status};
use plimsoll_core::ecosystems;
use serde::Deserialize;
use serde_json::Value;

use super::json::{self, Field, Object, Text};
use super::{ParseError, Sink, Source, text};

pub(super) mod rows;

/// Most statements of one file. Alpine's largest has about 6,000; a rolling distribution states all in one.
const STATEMENTS_MAX: usize = 1_000_000;

/// Reads one file. `page` gives the link for an id.
pub(super) fn read(
    namespace: &str,
    page: fn(&str) -> Option<String>,
    source: &mut dyn Source,
    sink: &mut dyn Sink,
) -> Result<(), ParseError> {
    sink.namespace(namespace);
    let mut statements = BTreeMap::new();
    json::each_element(
        source,
        "packages",
        &mut |package| collect(package, &mut statements, sink),
        &mut |_, _| {},
    )?;
    if statements.len() > STATEMENTS_MAX {
        return Err(ParseError(format!("there are more than {STATEMENTS_MAX} statements")));
    }
    for ((package, id), fixes) in statements {
        let affected = affected(namespace, package, &fixes);
        sink.advisory(&advisory(id, fixes, page), &[affected]);
    }
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

/// An element of `packages`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Element<'a> {
    #[serde(borrow)]
    pkg: Field<Object<Package<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Package<'a> {
    #[serde(borrow)]
    name: Field<Text<'a>>,
    /// Ids of flaws by version.
    #[serde(borrow)]
    secfixes: Field<BTreeMap<Text<'a>, Field<Vec<Value>>>>,
}

/// Adds one element of `packages`.
fn collect(element: &str, statements: &mut Statements, sink: &mut dyn Sink) {
    if statements.len() > STATEMENTS_MAX {
        return;
    }
    let element: Element<'_> = json::read(element);
    let package = element.pkg.fields();
    let name = package.and_then(|package| package.name.text()).filter(|name| text::is_package_name(name));
    let (Some(package), Some(name)) = (package, name) else {
        sink.refuse("an element of packages", "the package has no usable name");
        return;
    };
    let fixes = match &package.secfixes {
        Field::Read(fixes) => fixes,
        Field::Absent => return,
        Field::Other => {
            sink.refuse(&text::shortened(name, 80), "`secfixes` is not an object");
            return;
        }
    };
    for (Text(version), ids) in fixes {
        let record = || text::shortened(&format!("{name} {version}"), 120);
        match ids {
            Field::Read(ids) => {
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
            Field::Absent => {}
            Field::Other => sink.refuse(&record(), "the flaws are not a list"),
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
/// parentheses. An id beside a single CVE is another name of it; beside several it stays in the remark. Chainguard's
/// own id (`CGA-..`) beside one other is another name of that.
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
        0 => {
            let (own, named): (Vec<String>, Vec<String>) =
                others.iter().cloned().partition(|id| id.starts_with("CGA-"));
            if named.len() == 1 { (named, own) } else { (others, Vec::new()) }
        }
        1 => (cves, others),
        _ => (cves, Vec::new()),
    };
    let remark = |id: &str| if aliases.is_empty() { remark(id) } else { String::new() };
    ids.into_iter().map(|id| Id { remark: remark(&id), id, aliases: aliases.clone() }).collect()
}

/// `ALPINE-13661`, `XSA-246`, `ZBX-11023`: capitals first, then parts of which one has a digit. `GHSA-..` and
/// `CGA-..` go on with three times four letters or digits.
fn is_other_id(word: &str) -> bool {
    let (kind, rest) = word.split_once('-').unwrap_or((word, ""));
    if matches!(kind, "GHSA" | "CGA") {
        let is_group = |group: &str| group.len() == 4 && group.bytes().all(|b| b.is_ascii_alphanumeric());
        return rest.split('-').count() == 3 && rest.split('-').all(is_group);
    }
    (2..=20).contains(&kind.len())
        && kind.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        && kind.as_bytes().first().is_some_and(u8::is_ascii_uppercase)
        && kind != "CVE"
        && (3..=60).contains(&rest.len())
        && rest.bytes().any(|b| b.is_ascii_digit())
        && rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':'))
}

fn advisory(id: String, fixes: Fixes, page: fn(&str) -> Option<String>) -> Advisory {
    Advisory {
        references: page(&id).into_iter().collect(),
        id,
        aliases: fixes.aliases.into_iter().collect(),
        description: fixes.remark,
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
            ("GHSA-cfgh-jmpq-rvwx", "GHSA-cfgh-jmpq-rvwx"),
            ("CGA-22hv-wp9q-4779", "CGA-22hv-wp9q-4779"),
            ("CGA-22hv-wp9q-4779 CVE-2026-24398", "CVE-2026-24398 = CGA-22hv-wp9q-4779"),
            ("CGA-22hv-wp9q-4779 GHSA-r354-f388-2fhh", "GHSA-r354-f388-2fhh = CGA-22hv-wp9q-4779"),
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
