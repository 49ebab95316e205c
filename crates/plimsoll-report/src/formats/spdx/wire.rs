//! The part of SPDX 2.3 that Plimsoll writes. Names and meanings are the specification's.

use std::borrow::Cow;

use serde::Serialize;

use super::NOBODY_SAYS;

/// The document (section 6).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Document<'a> {
    pub(super) spdx_version: &'static str,
    pub(super) data_license: &'static str,
    #[serde(rename = "SPDXID")]
    pub(super) spdx_id: &'static str,
    pub(super) name: &'a str,
    pub(super) document_namespace: String,
    pub(super) comment: &'static str,
    pub(super) creation_info: CreationInfo,
    pub(super) packages: Vec<Package<'a>>,
    pub(super) relationships: Vec<Relationship>,
}

/// Who wrote the document and when.
#[derive(Serialize)]
pub(super) struct CreationInfo {
    pub(super) created: String,
    pub(super) creators: [String; 1],
}

/// A package (section 7).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Package<'a> {
    #[serde(rename = "SPDXID")]
    pub(super) spdx_id: String,
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version_info: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) primary_package_purpose: Option<&'static str>,
    pub(super) supplier: &'static str,
    pub(super) download_location: &'static str,
    pub(super) files_analyzed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) checksums: Vec<Checksum<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source_info: Option<String>,
    pub(super) license_concluded: &'static str,
    pub(super) license_declared: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) license_comments: Option<String>,
    pub(super) copyright_text: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) comment: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) external_refs: Vec<ExternalRef<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) annotations: Vec<Annotation>,
}

impl<'a> Package<'a> {
    /// A package of which nothing more is known yet.
    pub(super) fn new(spdx_id: String, name: &'a str) -> Package<'a> {
        Package {
            spdx_id,
            name,
            version_info: None,
            primary_package_purpose: None,
            supplier: NOBODY_SAYS,
            download_location: NOBODY_SAYS,
            files_analyzed: false,
            checksums: Vec::new(),
            source_info: None,
            license_concluded: NOBODY_SAYS,
            license_declared: Cow::Borrowed(NOBODY_SAYS),
            license_comments: None,
            copyright_text: NOBODY_SAYS,
            comment: None,
            external_refs: Vec::new(),
            annotations: Vec::new(),
        }
    }
}

/// A checksum (section 7.10).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Checksum<'a> {
    pub(super) algorithm: &'static str,
    pub(super) checksum_value: &'a str,
}

/// A reference to something outside (section 7.21).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExternalRef<'a> {
    pub(super) reference_category: &'static str,
    pub(super) reference_type: &'static str,
    pub(super) reference_locator: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) comment: Option<String>,
}

/// An annotation (section 12).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Annotation {
    pub(super) annotation_date: String,
    pub(super) annotation_type: &'static str,
    pub(super) annotator: String,
    pub(super) comment: String,
}

/// A relationship (section 11).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Relationship {
    pub(super) spdx_element_id: String,
    pub(super) relationship_type: &'static str,
    pub(super) related_spdx_element: String,
}
