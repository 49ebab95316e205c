//! A document as JSON: flaw by flaw, kinds being numbers. A list that is missing is an empty one.

use std::io::BufRead;

use serde_json::Value;

use super::super::{ParseError, json};
use super::document::{Fix, Item, Vulnerability, instant, one_line};

/// Hands out what the document states.
pub(super) fn read(source: &mut dyn BufRead, on_item: &mut dyn FnMut(Item)) -> Result<(), ParseError> {
    let mut others = Vec::new();
    json::each_element(
        source,
        "Vulnerability",
        &mut |record| on_item(Item::Vulnerability(vulnerability(&json::read(record)))),
        &mut |field, value| match field {
            "ProductTree" => products(&json::read(value), &mut others),
            "DocumentTracking" => others.extend(date(&json::read(value)).map(Item::Date)),
            _ => {}
        },
    )?;
    others.into_iter().for_each(on_item);
    Ok(())
}

/// The flat list, and the tree of families, in which what the list leaves out may be.
fn products(tree: &Value, items: &mut Vec<Item>) {
    let product = |value: &Value| {
        let (id, name) = (id_of(value.get("ProductID")?)?, text(value, "Value"));
        Some(Item::Product { id, name: one_line(name) })
    };
    let mut left: Vec<&Value> =
        ["FullProductName", "Branch"].iter().filter_map(|key| tree.get(key)).collect();
    while let Some(value) = left.pop() {
        match value {
            Value::Array(values) => left.extend(values),
            value => {
                items.extend(product(value));
                left.extend(value.get("Items"));
            }
        }
    }
}

fn date(tracking: &Value) -> Option<String> {
    instant(text(tracking, "CurrentReleaseDate"))
}

fn vulnerability(value: &Value) -> Vulnerability {
    let mut read = Vulnerability {
        id: text(value, "CVE").trim().to_owned(),
        title: one_line(text(value, "Title")),
        ..Vulnerability::default()
    };
    for note in list(value, "Notes", &mut read.problems) {
        read.note(&kind(note), text(note, "Value"));
    }
    for status in list(value, "ProductStatuses", &mut read.problems) {
        read.status(&kind(status), ids(status));
    }
    for threat in list(value, "Threats", &mut read.problems) {
        read.threat(&kind(threat), text(threat, "Description"), ids(threat));
    }
    for score in list(value, "CVSSScoreSets", &mut read.problems) {
        read.vector(text(score, "Vector"), ids(score));
    }
    for remediation in list(value, "Remediations", &mut read.problems) {
        let owned = |key| text(remediation, key).to_owned();
        let fix = Fix {
            name: owned("Description"),
            kind: owned("SubType"),
            build: owned("FixedBuild"),
            products: ids(remediation),
        };
        read.remediation(&kind(remediation), fix);
    }
    let revisions = list(value, "RevisionHistory", &mut read.problems);
    read.dates = revisions.iter().filter_map(|revision| instant(text(revision, "Date"))).collect();
    read
}

/// A text, or the `Value` of an object; empty where there is neither.
fn text<'v>(of: &'v Value, key: &str) -> &'v str {
    let value = of.get(key);
    let inner = value.and_then(|value| value.get("Value")).or(value);
    inner.and_then(Value::as_str).unwrap_or_default()
}

/// A list; empty where there is none, and a problem where something else is in its place.
fn list<'v>(of: &'v Value, key: &str, problems: &mut Vec<&'static str>) -> &'v [Value] {
    match of.get(key) {
        Some(Value::Array(values)) => values,
        None | Some(Value::Null) => &[],
        Some(_) => {
            problems.push("a list of its fields is none");
            &[]
        }
    }
}

/// What kind of thing it is: a number, or XML's word for it.
fn kind(of: &Value) -> String {
    of.get("Type").and_then(id_of).unwrap_or_default()
}

/// The products that something is stated of.
fn ids(of: &Value) -> Vec<String> {
    match of.get("ProductID") {
        Some(Value::Array(values)) => values.iter().filter_map(id_of).collect(),
        Some(value) => id_of(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// A number or a text, as a text.
fn id_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
