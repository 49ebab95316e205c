//! SLSA's verification summary, version 1 (`https://slsa.dev/spec/v1.0/verification_summary`).

use plimsoll_core::evidence::{Predicate, VerificationSummary};
use serde_json::Value;

use crate::json::{list, text};
use crate::statement::digests;

pub(super) fn read(value: &Value) -> Result<Predicate, String> {
    let needed =
        |pointer: &str, name: &str| text(value, pointer).ok_or_else(|| format!("it has no `{name}`"));
    let levels = list(value, "/verifiedLevels").iter().filter_map(|level| Some(level.as_str()?.to_owned()));
    Ok(Predicate::VerificationSummary(Box::new(VerificationSummary {
        verifier: needed("/verifier/id", "verifier.id")?,
        verified: text(value, "/timeVerified"),
        resource: needed("/resourceUri", "resourceUri")?,
        policy: text(value, "/policy/uri").unwrap_or_default(),
        policy_digest: digests(value.pointer("/policy/digest")).into_iter().next(),
        passed: needed("/verificationResult", "verificationResult")? == "PASSED",
        levels: levels.collect(),
    })))
}
