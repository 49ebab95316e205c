//! Which images statements are about: Clair's question from its notifier to its indexer.
//!
//! A statement is taken as it is given, whether or not the database has it, and held against the packages of all
//! images that are known. Statements of which it cannot be said whose packages they speak of are counted in a header.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::post;
use plimsoll_core::distros::{self, KeyedBy};
use plimsoll_core::inventory::{OsRelease, Package};
use plimsoll_core::schemes::{BadVersion, Scheme};
use plimsoll_store::PackageRow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::negotiation::{media_type, negotiated_first};
use super::report::ecosystem_of_repository;
use super::{BAD_REQUEST, JSON, NOT_ACCEPTABLE, Refusal, document, read};
use crate::access::Principal;
use crate::http::endpoint::{Access, Answer, Endpoint, Method, Payload, schema_of};
use crate::server::Server;

const MEDIA_TYPES: &[&str] = &["application/vnd.clair.affected_manifests.v1+json", JSON];

/// Largest list of statements that is read, in bytes.
const BODY_BYTES_MAX: usize = 32 << 20;

/// Most statements that are looked at.
const STATEMENTS_MAX: usize = 10_000;

/// Severities, the worst first.
const SEVERITIES: [&str; 6] = ["Critical", "High", "Medium", "Low", "Negligible", "Unknown"];

/// As Clair serves it.
pub(super) const AFFECTED_WITH_SLASH: Endpoint = Endpoint {
    path: "/indexer/api/v1/internal/affected_manifest/",
    id: "clairGetAffectedManifestsSlash",
    ..AFFECTED
};

/// As Clair's documents have it.
pub(super) const AFFECTED: Endpoint = Endpoint {
    method: Method::Post,
    path: "/indexer/api/v1/internal/affected_manifest",
    id: "clairGetAffectedManifests",
    about: "Which images statements are about.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[],
    body: Some(Payload { media_types: &[JSON], schema: schema_of::<Statements> }),
    answers: &[
        Answer {
            status: 200,
            about: "Images by statement.",
            headers: &[(
                "Plimsoll-Gaps",
                "Statements of which it is not known of all packages whether they speak of them.",
            )],
            payload: Some(Payload { media_types: MEDIA_TYPES, schema: schema_of::<AffectedManifests> }),
        },
        BAD_REQUEST,
        NOT_ACCEPTABLE,
    ],
    route: || negotiated_first(post(affected)),
};

/// What is asked about.
#[derive(Deserialize, JsonSchema)]
struct Statements {
    /// Statements as vulnerability reports have them.
    #[serde(default)]
    vulnerabilities: Option<Vec<Value>>,
}

/// Which images statements are about.
#[derive(Default, Serialize, JsonSchema)]
struct AffectedManifests {
    /// Those statements that are about an image, by id.
    vulnerabilities: BTreeMap<String, Value>,
    /// What each image has, the worst first.
    vulnerable_manifests: BTreeMap<String, Vec<String>>,
}

/// A statement, as far as it decides whom it is about.
struct Statement {
    namespace: String,
    name: String,
    is_of_source: bool,
    /// Whether the packages of the namespace are known by such names: by those of sources, or by those of binaries.
    /// Otherwise packages are missed that have another name than their source.
    is_looked_up_whole: bool,
    range: Range,
    scheme: &'static Scheme,
}

/// The versions that have a flaw.
#[derive(Debug, Default, PartialEq, Eq)]
struct Range {
    /// The first that has it; empty from the beginning.
    introduced: String,
    /// The first without it; empty where there is none.
    fixed: String,
    /// The last that has it, where no version with a fix is stated; else empty.
    last: String,
}

async fn affected(
    State(server): State<Arc<Server>>,
    principal: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let media_type = media_type(&headers, MEDIA_TYPES)?;
    let body = read(body, BODY_BYTES_MAX).await?;
    let unreadable = |what: &dyn std::fmt::Display| {
        Refusal::bad_request(format!("failed to deserialize vulnerabilities: {what}"))
    };
    let asked: Value = serde_json::from_slice(&body).map_err(|error| unreadable(&error))?;
    if !asked.is_object() {
        return Err(unreadable(&"an object was expected"));
    }
    let asked: Statements = serde_json::from_value(asked).map_err(|error| unreadable(&error))?;
    let values = asked.vulnerabilities.unwrap_or_default();
    if values.len() > STATEMENTS_MAX {
        return Err(Refusal::bad_request(format!("more than {STATEMENTS_MAX} vulnerabilities")));
    }
    let (found, gaps) = server.blocking(move |server| search(server, &principal, values)).await?;
    let mut response = document(StatusCode::OK, media_type, &found);
    response.headers_mut().insert("plimsoll-gaps", HeaderValue::from(gaps));
    Ok(response)
}

/// What is asked about, as far as it is understood.
#[derive(Default)]
struct Asked {
    /// By the namespace and the name that packages are looked up by, with the statement's place in what was asked.
    statements: BTreeMap<(String, String), Vec<(usize, Statement)>>,
    /// Statements of which it is not known whose packages they speak of, all of them or some.
    gaps: BTreeSet<usize>,
}

impl Asked {
    /// The answer names statements by their ids: what has none, or that of another one, cannot be answered.
    fn read(values: &[Value]) -> Asked {
        let mut asked = Asked::default();
        let mut by_id: BTreeMap<&str, &Value> = BTreeMap::new();
        for (index, value) in values.iter().enumerate() {
            let id = text(value, "/id");
            match by_id.insert(id, value) {
                _ if id.is_empty() => {
                    asked.gaps.insert(index);
                    continue;
                }
                Some(other) if other == value => continue,
                Some(other) => {
                    by_id.insert(id, other);
                    asked.gaps.insert(index);
                    continue;
                }
                None => {}
            }
            let Some(statement) = Statement::read(value) else {
                asked.gaps.insert(index);
                continue;
            };
            if !statement.is_looked_up_whole {
                asked.gaps.insert(index);
            }
            let key = (statement.namespace.clone(), statement.name.clone());
            asked.statements.entry(key).or_default().push((index, statement));
        }
        asked
    }

    /// The statements that may be about a package.
    fn of<'a>(&'a self, row: &PackageRow) -> impl Iterator<Item = &'a (usize, Statement)> {
        let PackageRow { release, package, .. } = row;
        let namespace = match (package.ecosystem.is_os, release) {
            (true, Some(release)) => release.namespace(),
            (true, None) => String::new(),
            (false, _) => package.ecosystem.name.to_owned(),
        };
        let names = [Some(&package.name), package.source.as_ref().map(|source| &source.name)];
        let names = names.into_iter().flatten();
        // A source is mostly called as its package.
        let names: BTreeSet<String> =
            names.map(|name| (package.ecosystem.normalize)(name).into_owned()).collect();
        names.into_iter().filter_map(move |name| self.statements.get(&(namespace.clone(), name))).flatten()
    }
}

fn search(
    server: &Server,
    principal: &Principal,
    values: Vec<Value>,
) -> Result<(AffectedManifests, usize), Refusal> {
    let store = server.store()?;
    let mut asked = Asked::read(&values);
    let names: Vec<(String, String)> = asked.statements.keys().cloned().collect();
    // Which statements each distinct package meets.
    let mut met: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let mut incomparable: BTreeSet<usize> = BTreeSet::new();
    store.packages_named(&names, &mut |row| {
        for (index, statement) in asked.of(&row) {
            match statement.is_about(&row) {
                Ok(true) => met.entry(row.number).or_default().push(*index),
                Ok(false) => {}
                Err(_) => drop(incomparable.insert(*index)),
            }
        }
    })?;
    asked.gaps.append(&mut incomparable);
    let numbers: Vec<u32> = met.keys().copied().collect();
    let mut images: Vec<(plimsoll_core::digest::Digest, Vec<usize>)> = Vec::new();
    store.images_with(&numbers, &mut |digest, have| {
        let mut indexes: Vec<usize> =
            have.iter().filter_map(|number| met.get(number)).flatten().copied().collect();
        indexes.sort_unstable_by_key(|index| (rank(&values[*index]), *index));
        indexes.dedup();
        images.push((digest, indexes));
    })?;
    let mut found = AffectedManifests::default();
    for (digest, indexes) in images {
        // Of what is not known as a scan it is not known whose it is.
        let is_seen = !principal.is_limited()
            || match store.scan(digest.as_str())? {
                Some(scan) => server.may_see(principal, &scan)?,
                None => false,
            };
        if !is_seen {
            continue;
        }
        let ids = indexes.into_iter().map(|index| {
            let id = text(&values[index], "/id").to_owned();
            found.vulnerabilities.entry(id.clone()).or_insert_with(|| values[index].clone());
            id
        });
        let ids = ids.collect();
        found.vulnerable_manifests.insert(digest.as_str().to_owned(), ids);
    }
    Ok((found, asked.gaps.len()))
}

impl Statement {
    /// Reads a statement; `None` where it does not say whose package it speaks of.
    fn read(value: &Value) -> Option<Statement> {
        let name = text(value, "/package/name");
        if name.is_empty() {
            return None;
        }
        let is_of_source = text(value, "/package/kind").eq_ignore_ascii_case("source");
        let (namespace, ecosystem, is_looked_up_whole) =
            match ecosystem_of_repository(text(value, "/repository/name")) {
                Some(ecosystem) => (ecosystem.name.to_owned(), ecosystem, true),
                None => {
                    let stated =
                        |path: &str| Some(text(value, path).to_owned()).filter(|text| !text.is_empty());
                    let os = OsRelease {
                        id: text(value, "/distribution/did").to_owned(),
                        version_id: stated("/distribution/version_id"),
                        codename: stated("/distribution/version_code_name"),
                        pretty_name: stated("/distribution/pretty_name"),
                        ..OsRelease::default()
                    };
                    let release = distros::recognise(&os)?;
                    let is_whole = is_of_source == (release.distro.keyed_by == KeyedBy::Source);
                    (release.namespace(), release.distro.ecosystem, is_whole)
                }
            };
        Some(Statement {
            namespace,
            name: (ecosystem.normalize)(name).into_owned(),
            is_of_source,
            is_looked_up_whole,
            range: range(text(value, "/fixed_in_version")),
            scheme: ecosystem.scheme,
        })
    }

    /// Whether it is about a package of its namespace; an error where versions cannot be compared, so that it is not
    /// known.
    fn is_about(&self, row: &PackageRow) -> Result<bool, BadVersion> {
        let Some(version) = self.version_of(&row.package).filter(|_| row.package.owned_by.is_none()) else {
            return Ok(false);
        };
        let Range { introduced, fixed, last } = &self.range;
        let compare = |end: &str| (self.scheme.compare)(version, end);
        Ok((introduced.is_empty() || compare(introduced)?.is_ge())
            && (fixed.is_empty() || compare(fixed)?.is_lt())
            && (last.is_empty() || compare(last)?.is_le()))
    }

    /// The version of the package, or of its source, that has the statement's name.
    fn version_of<'a>(&self, package: &'a Package) -> Option<&'a str> {
        let is_named = |name: &str| (package.ecosystem.normalize)(name) == self.name;
        let of_source = package.source.as_ref().filter(|source| is_named(&source.name));
        match of_source {
            Some(source) if self.is_of_source && !source.version.is_empty() => Some(&source.version),
            _ if is_named(&package.name) => Some(&package.version),
            Some(source) if !source.version.is_empty() => Some(&source.version),
            Some(_) => Some(&package.version),
            None => None,
        }
    }
}

/// The versions that a plain version or Clair's query speaks of. `0` is Clair's mark for what no version has.
fn range(text: &str) -> Range {
    if !text.contains('=') {
        return Range { fixed: text.to_owned(), ..Range::default() };
    }
    let part = |name: &str| {
        let found = text.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        percent_decoded(found.unwrap_or_default())
    };
    let fixed = part("fixed");
    let last = if fixed.is_empty() { part("lastAffected") } else { String::new() };
    Range { introduced: part("introduced"), fixed, last }
}

/// Escapes of a query undone; what is no escape stays.
fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (byte, digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    value.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

fn rank(value: &Value) -> usize {
    let severity = text(value, "/normalized_severity");
    SEVERITIES.iter().position(|word| *word == severity).unwrap_or(SEVERITIES.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_in_both_forms() {
        for (text, introduced, fixed, last) in [
            ("", "", "", ""),
            ("1:2.0-1", "", "1:2.0-1", ""),
            ("fixed=1.2.3&introduced=1.0&lastAffected=1.2", "1.0", "1.2.3", ""),
            ("introduced=1.0&lastAffected=1.2", "1.0", "", "1.2"),
            ("introduced=1.0%2Bb", "1.0+b", "", ""),
            ("fixed=1.0%", "", "1.0%", ""),
        ] {
            let [introduced, fixed, last] = [introduced, fixed, last].map(str::to_owned);
            assert_eq!(range(text), Range { introduced, fixed, last }, "{text}");
        }
    }
}
