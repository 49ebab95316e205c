//! What statements say, read by the predicate's type. A predicate that does not follow its type is unreadable, which
//! is not the same as being absent.

pub(crate) mod agree;
mod provenance;
mod vex;
mod vsa;

use plimsoll_core::evidence::{Predicate, SbomFormat, SbomReference};
use serde_json::Value;

/// One kind of predicate.
struct Kind {
    /// The predicate's type, or what it begins with.
    type_prefix: &'static str,
    /// Reads it, or says why it does not follow its type.
    read: fn(&Value) -> Result<Predicate, String>,
}

/// All kinds, sorted by type.
static KINDS: &[Kind] = &[
    Kind { type_prefix: "https://cyclonedx.org/bom", read: |value| sbom(SbomFormat::CycloneDx, value) },
    Kind { type_prefix: "https://openvex.dev/ns", read: vex::read },
    Kind { type_prefix: "https://slsa.dev/provenance/v0.1", read: provenance::read_v0_1 },
    Kind { type_prefix: "https://slsa.dev/provenance/v0.2", read: provenance::read_v0_2 },
    Kind { type_prefix: "https://slsa.dev/provenance/v1", read: provenance::read_v1 },
    Kind { type_prefix: "https://slsa.dev/verification_summary/v1", read: vsa::read },
    Kind { type_prefix: "https://spdx.dev/Document", read: |value| sbom(SbomFormat::Spdx, value) },
];

/// Reads a predicate of `predicate_type`.
pub(crate) fn read(predicate_type: &str, value: &Value) -> Predicate {
    match KINDS.iter().find(|kind| is_of(predicate_type, kind.type_prefix)) {
        None => Predicate::Other,
        Some(kind) => (kind.read)(value).unwrap_or_else(Predicate::Unreadable),
    }
}

/// Whether a type is `prefix` or one of its versions: `v1` and `v1.1`, and not `v10`.
fn is_of(predicate_type: &str, prefix: &str) -> bool {
    predicate_type
        .strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest.starts_with('.'))
}

fn sbom(format: SbomFormat, value: &Value) -> Result<Predicate, String> {
    if !value.is_object() {
        return Err("it is not a JSON object".to_owned());
    }
    // cosign wraps documents that it could not parse: `{"Data": "<text>", "Timestamp": ..}`.
    let document = match value.get("Data").and_then(Value::as_str) {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    };
    Ok(Predicate::Sbom(SbomReference { format, document }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_sorted_and_a_version_is_not_a_prefix_of_another() {
        assert!(KINDS.is_sorted_by_key(|kind| kind.type_prefix));
        assert!(is_of("https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v1"));
        assert!(is_of("https://slsa.dev/provenance/v1.1", "https://slsa.dev/provenance/v1"));
        assert!(!is_of("https://slsa.dev/provenance/v10", "https://slsa.dev/provenance/v1"));
    }
}
