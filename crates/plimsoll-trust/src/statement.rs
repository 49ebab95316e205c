//! In-toto statements (`https://github.com/in-toto/attestation`, `spec/v1/statement.md`), versions 0.1 and 1.

use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Refusal, RefusalKind, Statement, Subject};
use serde_json::Value;

use crate::json::{list, text};
use crate::keys::sha256;
use crate::limits::{BUNDLE_BYTES_MAX, SUBJECTS_MAX, at_most, within};
use crate::predicates;

/// The type of payload that envelopes of statements have.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

static STATEMENT_TYPES: &[&str] = &["https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"];

/// Reads the payload of an envelope. What it says is believed as far as its signature is, which is not looked at here.
pub fn read(payload_type: &str, payload: &[u8]) -> Result<Statement, Refusal> {
    if payload_type != PAYLOAD_TYPE {
        let detail = format!("the payload is `{payload_type}`, and `{PAYLOAD_TYPE}` is read");
        return Err(Refusal::new(RefusalKind::Unsupported, detail));
    }
    within("the statement", payload.len(), BUNDLE_BYTES_MAX)?;
    let value: Value = serde_json::from_slice(payload)
        .map_err(|error| malformed(format!("the statement is not JSON: {error}")))?;
    match text(&value, "/_type") {
        Some(known) if STATEMENT_TYPES.contains(&known.as_str()) => {}
        Some(other) => {
            let detail = format!("the statement is of type `{other}`, which is not known");
            return Err(Refusal::new(RefusalKind::Unsupported, detail));
        }
        None => return Err(malformed("the statement has no `_type`".to_owned())),
    }
    let predicate_type = text(&value, "/predicateType")
        .ok_or_else(|| malformed("the statement has no `predicateType`".to_owned()))?;
    let subjects = list(&value, "/subject");
    at_most("subjects", subjects.len(), SUBJECTS_MAX)?;
    let subjects = subjects.iter().map(subject).collect();
    let predicate = predicates::read(&predicate_type, value.get("predicate").unwrap_or(&Value::Null));
    Ok(Statement { digest: sha256(payload), predicate_type, subjects, predicate })
}

/// Refuses a statement that is not about `digest`.
pub(crate) fn is_about(statement: &Statement, digest: &Digest) -> Result<(), Refusal> {
    if statement.subjects.iter().any(|subject| subject.digests.contains(digest)) {
        return Ok(());
    }
    let detail = match statement.subjects.as_slice() {
        [] => "the statement is about nothing".to_owned(),
        [only] => {
            let other = only.digests.first().map_or("no digest that can be compared", Digest::as_str);
            format!("the statement is about {other}, not about {digest}")
        }
        many => format!("none of the statement's {} subjects is {digest}", many.len()),
    };
    Err(Refusal::new(RefusalKind::Subject, detail))
}

fn subject(value: &Value) -> Subject {
    let name = text(value, "/name").unwrap_or_default();
    Subject { name, digests: digests(value.get("digest")) }
}

/// The digests of a `DigestSet` that Plimsoll can compare.
pub(crate) fn digests(set: Option<&Value>) -> Vec<Digest> {
    ["sha256", "sha512"]
        .into_iter()
        .filter_map(|algorithm| {
            let digits = set?.get(algorithm)?.as_str()?;
            format!("{algorithm}:{digits}").parse().ok()
        })
        .collect()
}

fn malformed(detail: String) -> Refusal {
    Refusal::new(RefusalKind::Malformed, detail)
}
