//! OpenVEX (`https://github.com/openvex/spec`, `OPENVEX-SPEC.md`, version 0.2.0, and what 0.0.x wrote as plain text).
//!
//! One statement that cannot be read makes the document unreadable: a document of which half is dropped could say
//! that something does no harm and lose the line that takes it back.

use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Predicate, VexProduct, VexStatement, VexStatus};
use serde_json::Value;

use crate::json::{list, text};
use crate::limits::VEX_STATEMENTS_MAX;

static STATUSES: &[VexStatus] =
    &[VexStatus::Affected, VexStatus::Fixed, VexStatus::NotAffected, VexStatus::UnderInvestigation];

pub(super) fn read(value: &Value) -> Result<Predicate, String> {
    let author = text(value, "/author").ok_or("it has no `author`")?;
    let document_time = text(value, "/timestamp");
    let statements = value.get("statements").and_then(Value::as_array).ok_or("it has no `statements`")?;
    at_most(statements.len())?;
    let read = statements.iter().enumerate().map(|(index, statement)| {
        let mut read = one(statement).map_err(|why| format!("statement {index}: {why}"))?;
        read.author.clone_from(&author);
        read.timestamp = read.timestamp.or_else(|| document_time.clone());
        Ok(read)
    });
    Ok(Predicate::Vex(read.collect::<Result<_, String>>()?))
}

fn one(value: &Value) -> Result<VexStatement, String> {
    let status = text(value, "/status").ok_or("it has no `status`")?;
    let status = *STATUSES
        .iter()
        .find(|known| known.name() == status)
        .ok_or_else(|| format!("its status is `{status}`, which is not known"))?;
    let mut vulnerabilities: Vec<String> = [
        text(value, "/vulnerability"),
        text(value, "/vulnerability/name"),
        text(value, "/vulnerability/@id"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let aliases = list(value, "/vulnerability/aliases");
    vulnerabilities.extend(aliases.iter().filter_map(|alias| Some(alias.as_str()?.to_owned())));
    if vulnerabilities.is_empty() {
        return Err("it names no vulnerability".to_owned());
    }
    let products = stated_list(value, "products")?;
    at_most(products.len())?;
    let older = stated_list(value, "subcomponents")?;
    let products = products.iter().map(|product| self::product(product, older)).collect::<Result<_, _>>()?;
    Ok(VexStatement {
        author: String::new(),
        vulnerabilities,
        products,
        status,
        justification: text(value, "/justification"),
        impact: text(value, "/impact_statement"),
        timestamp: text(value, "/timestamp"),
    })
}

/// A product; version 0.0.x has plain text, and subcomponents beside the products.
fn product(value: &Value, older: &[Value]) -> Result<VexProduct, String> {
    let mut digests: Vec<Digest> = Vec::new();
    for (field, algorithm) in [("sha-256", "sha256"), ("sha-512", "sha512"), ("sha256", "sha256")] {
        let digits = value.pointer(&format!("/hashes/{field}")).and_then(Value::as_str);
        digests.extend(digits.and_then(|digits| format!("{algorithm}:{digits}").parse::<Digest>().ok()));
    }
    let ids = ids(value);
    if ids.is_empty() && digests.is_empty() {
        return Err("it has a product without an id".to_owned());
    }
    let mut subcomponents = Vec::new();
    for part in stated_list(value, "subcomponents")?.iter().chain(older) {
        let ids = self::ids(part);
        if ids.is_empty() {
            // Without it the statement would be about the whole product.
            return Err("it has a subcomponent without an id".to_owned());
        }
        subcomponents.extend(ids);
    }
    Ok(VexProduct { ids, digests, subcomponents })
}

/// The list under a name; empty where there is none. Something else there is not as good as none: without it the statement
/// would be about more than was meant.
fn stated_list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], String> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(elements)) => Ok(elements),
        Some(_) => Err(format!("its `{name}` are not a list")),
    }
}

fn ids(value: &Value) -> Vec<String> {
    let mut ids: Vec<String> = value.as_str().map(str::to_owned).into_iter().collect();
    ids.extend(text(value, "/@id"));
    let identifiers = value.get("identifiers").and_then(Value::as_object);
    ids.extend(identifiers.into_iter().flatten().filter_map(|(_, id)| Some(id.as_str()?.to_owned())));
    ids.sort();
    ids.dedup();
    ids
}

fn at_most(count: usize) -> Result<(), String> {
    if count <= VEX_STATEMENTS_MAX {
        return Ok(());
    }
    Err(format!("it has {count} statements or products, and at most {VEX_STATEMENTS_MAX} are read"))
}
