//! The shape of an OSV record, as far as it is read (<https://ossf.github.io/osv-schema/>).
//!
//! Closed lists of words would lose records whenever the schema grows, so every word stays text. `null`
//! stands for an absent field in some sources, and free-form fields may hold anything.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::feeds::json::{Field, Object};

/// One record.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::feeds) struct Record {
    #[serde(deserialize_with = "or_default")]
    pub(in crate::feeds) id: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) modified: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) published: String,
    pub(super) withdrawn: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) aliases: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) upstream: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) related: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) summary: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) details: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) severity: Vec<Severity>,
    #[serde(deserialize_with = "or_default")]
    pub(in crate::feeds) affected: Vec<Affected>,
    #[serde(deserialize_with = "or_default")]
    pub(super) references: Vec<Reference>,
    #[serde(deserialize_with = "specific")]
    pub(super) database_specific: Specific,
}

/// A CVSS vector or a word, by its type.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Severity {
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub(super) kind: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) score: String,
}

/// What is stated of one package.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::feeds) struct Affected {
    #[serde(deserialize_with = "or_default")]
    pub(in crate::feeds) package: Package,
    #[serde(deserialize_with = "or_default")]
    pub(super) severity: Vec<Severity>,
    #[serde(deserialize_with = "or_default")]
    pub(super) ranges: Vec<Range>,
    #[serde(deserialize_with = "or_default")]
    pub(super) versions: Vec<String>,
    #[serde(deserialize_with = "specific")]
    pub(super) ecosystem_specific: Specific,
    #[serde(deserialize_with = "specific")]
    pub(super) database_specific: Specific,
}

/// Which package.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::feeds) struct Package {
    #[serde(deserialize_with = "or_default")]
    pub(in crate::feeds) ecosystem: String,
    #[serde(deserialize_with = "or_default")]
    pub(in crate::feeds) name: String,
}

/// Events on one line of versions.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Range {
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub(super) kind: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) events: Vec<Event>,
}

/// One event; by the schema only one of the fields is there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) introduced: Option<String>,
    pub(super) fixed: Option<String>,
    pub(super) last_affected: Option<String>,
    pub(super) limit: Option<String>,
}

/// A link.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reference {
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub(super) kind: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) url: String,
}

/// What the sources add in `database_specific` and `ecosystem_specific`, all of them together.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Specific {
    /// GHSA's word; on a package, a distribution's.
    #[serde(deserialize_with = "lenient")]
    pub(super) severity: String,
    /// Debian's word for a package.
    #[serde(deserialize_with = "lenient")]
    pub(super) urgency: String,
    /// RustSec's kind of a record that states no flaw.
    #[serde(deserialize_with = "lenient")]
    pub(super) informational: String,
    /// RustSec's vector for a package.
    #[serde(deserialize_with = "lenient")]
    pub(super) cvss: String,
    /// GHSA's upper end of a range without a fix: `<= 1.2`.
    #[serde(deserialize_with = "lenient")]
    pub(super) last_known_affected_version_range: String,
    /// Go's ranges of versions that the module proxy does not know.
    #[serde(deserialize_with = "lenient")]
    pub(super) custom_ranges: Vec<Range>,
    /// SUSE's binary packages of a source package, each with its fixed version. Ubuntu's have another shape.
    #[serde(deserialize_with = "lenient")]
    pub(super) binaries: Vec<BTreeMap<String, String>>,
}

/// Reads `null` as the default.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Reads anything of another shape as the default.
fn lenient<'de, D: Deserializer<'de>, T: serde::de::DeserializeOwned + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Value::deserialize(deserializer).map(|value| serde_json::from_value(value).unwrap_or_default())
}

/// Reads an object, and anything else as an empty one. Its fields are read as they come, so that long lists of which
/// nothing is kept (the binary packages of a kernel) cost no memory.
fn specific<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Specific, D::Error> {
    Field::<Object<Specific>>::deserialize(deserializer).map(|field| field.into_fields().unwrap_or_default())
}
