//! The fields of a CSAF document that are read. Texts are borrowed from the document, which may have tens of
//! megabytes.

use serde::Deserialize;

use crate::feeds::json::{self, Text};

/// One document.
#[derive(Debug, Deserialize)]
pub(super) struct Document<'a> {
    #[serde(borrow)]
    pub(super) document: Head<'a>,
    #[serde(borrow, default)]
    pub(super) product_tree: Tree<'a>,
    #[serde(borrow, default)]
    pub(super) vulnerabilities: Vec<Vulnerability<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow, default)]
    pub(super) aggregate_severity: Option<Aggregate<'a>>,
    #[serde(borrow, default)]
    pub(super) title: Text<'a>,
    #[serde(borrow)]
    pub(super) tracking: Tracking<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Aggregate<'a> {
    #[serde(borrow, default)]
    pub(super) text: Text<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Tracking<'a> {
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) current_release_date: Text<'a>,
    #[serde(borrow, default)]
    pub(super) initial_release_date: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Tree<'a> {
    #[serde(borrow, default)]
    pub(super) branches: Vec<Branch<'a>>,
    #[serde(borrow, default)]
    pub(super) relationships: Vec<Relationship<'a>>,
}

/// Nested as deep as `serde_json` allows, 128 levels of JSON.
#[derive(Debug, Deserialize)]
pub(super) struct Branch<'a> {
    #[serde(borrow, default)]
    pub(super) branches: Vec<Branch<'a>>,
    #[serde(borrow, default)]
    pub(super) product: Option<Product<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Product<'a> {
    #[serde(borrow)]
    pub(super) product_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) product_identification_helper: Helper<'a>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Helper<'a> {
    #[serde(borrow, default)]
    pub(super) cpe: Text<'a>,
    #[serde(borrow, default)]
    pub(super) purl: Text<'a>,
}

/// A product in another.
#[derive(Debug, Deserialize)]
pub(super) struct Relationship<'a> {
    #[serde(borrow)]
    pub(super) full_product_name: FullName<'a>,
    #[serde(borrow)]
    pub(super) product_reference: Text<'a>,
    #[serde(borrow)]
    pub(super) relates_to_product_reference: Text<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FullName<'a> {
    #[serde(borrow)]
    pub(super) product_id: Text<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Vulnerability<'a> {
    #[serde(borrow, default)]
    pub(super) cve: Text<'a>,
    #[serde(borrow, default)]
    pub(super) title: Text<'a>,
    #[serde(borrow, default)]
    pub(super) release_date: Text<'a>,
    #[serde(borrow, default)]
    pub(super) notes: Vec<Note<'a>>,
    #[serde(borrow, default)]
    pub(super) references: Vec<Reference<'a>>,
    #[serde(borrow, default)]
    pub(super) scores: Vec<Score<'a>>,
    #[serde(borrow, default)]
    pub(super) product_status: ProductStatus<'a>,
    #[serde(borrow, default)]
    pub(super) remediations: Vec<Remediation<'a>>,
    #[serde(borrow, default)]
    pub(super) threats: Vec<Threat<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Note<'a> {
    #[serde(borrow, default)]
    pub(super) category: Text<'a>,
    #[serde(borrow, default)]
    pub(super) text: Text<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Reference<'a> {
    #[serde(borrow, default)]
    pub(super) url: Text<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Score<'a> {
    #[serde(borrow, default)]
    pub(super) cvss_v2: Option<Vector<'a>>,
    #[serde(borrow, default)]
    pub(super) cvss_v3: Option<Vector<'a>>,
    #[serde(borrow, default)]
    pub(super) cvss_v4: Option<Vector<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Vector<'a> {
    #[serde(borrow, default, rename = "vectorString")]
    pub(super) vector: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ProductStatus<'a> {
    #[serde(borrow, default)]
    pub(super) fixed: Vec<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) known_affected: Vec<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) known_not_affected: Vec<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) under_investigation: Vec<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Remediation<'a> {
    #[serde(borrow, default)]
    pub(super) category: Text<'a>,
    #[serde(borrow, default)]
    pub(super) details: Text<'a>,
    #[serde(borrow, default)]
    pub(super) url: Text<'a>,
    #[serde(borrow, default)]
    pub(super) product_ids: Vec<Text<'a>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Threat<'a> {
    #[serde(borrow, default)]
    pub(super) category: Text<'a>,
    #[serde(borrow, default)]
    pub(super) details: Text<'a>,
    #[serde(borrow, default)]
    pub(super) product_ids: Vec<Text<'a>>,
}

/// Reads a document.
pub(super) fn read(bytes: &[u8]) -> Result<Document<'_>, &'static str> {
    json::read_whole(bytes, "it is not a CSAF document")
}
