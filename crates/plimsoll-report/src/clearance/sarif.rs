//! SARIF 2.1.0: a result for each check that does not hold, where code scanning shows it.
//!
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>. Results of a manifest stand at its file; entries that no file lists
//! have a logical location alone.

use std::io::{self, Write};

use plimsoll_core::clearance::{Check, Clearance, Verdict, Weight};
use plimsoll_core::rules::RULES;
use serde_json::{Value, json};

use super::{Format, digest, is_bad, title};
use crate::formats::write_json;
use crate::printable::one_line;

/// The row.
pub(super) static FORMAT: Format =
    Format { name: "sarif", title: "for code scanning", media_type: "application/sarif+json", write };

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

fn write(clearance: &Clearance, version: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut results: Vec<Value> = clearance
        .checks
        .iter()
        .filter(|check| is_bad(check))
        .map(|check| result(check, "manifests", None))
        .collect();
    for entry in &clearance.entries {
        let name = match digest(entry) {
            Some(digest) => format!("{}@{digest}", entry.candidate.source),
            None => entry.candidate.name.clone(),
        };
        let bad = entry.checks.iter().filter(|check| is_bad(check));
        results.extend(bad.map(|check| result(check, &name, Some(&title(entry)))));
    }
    let rules: Vec<Value> = rules(clearance);
    write_json(
        &json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {"name": "Plimsoll", "semanticVersion": version, "rules": rules}},
                "automationDetails": {"id": "plimsoll/clearance/"},
                "invocations": [{"executionSuccessful": clearance.verdict() != Verdict::Undecided}],
                "results": results,
                "properties": {"verdict": clearance.verdict().name(), "unchecked": clearance.unchecked()},
            }],
        }),
        out,
    )
}

/// Those that ask about entries, and the manifests' own, sorted.
fn rules(clearance: &Clearance) -> Vec<Value> {
    let of_entries = RULES.iter().map(|rule| (rule.id, rule.asks));
    let of_manifests = clearance.checks.iter().map(|check| (check.id, "do the manifests hold together"));
    let mut rules: Vec<(&str, &str)> = of_entries.chain(of_manifests).collect();
    rules.sort_unstable();
    rules.dedup();
    rules.into_iter().map(|(id, asks)| json!({"id": id, "shortDescription": {"text": asks}})).collect()
}

fn result(check: &Check, name: &str, title: Option<&str>) -> Value {
    let level = match check.weight {
        Weight::Refuse => "error",
        Weight::Warn => "warning",
        Weight::Inform => "note",
    };
    let subject = title.map_or(String::new(), |title| format!("{}: ", one_line(title)));
    json!({
        "ruleId": check.id,
        "level": level,
        "message": {"text": format!("{subject}{}: {}", check.outcome.name(), one_line(&check.detail))},
        "locations": [{"logicalLocations": [{"fullyQualifiedName": name, "kind": "resource"}]}],
        "partialFingerprints": {"plimsoll/check": format!("{} {name}", check.id)},
    })
}
