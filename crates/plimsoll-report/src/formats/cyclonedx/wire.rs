//! The part of CycloneDX 1.6 that Plimsoll writes. Names and meanings are the specification's.

use std::borrow::Cow;

use serde::Serialize;

/// The document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bom<'a> {
    #[serde(rename = "$schema")]
    pub(super) schema: &'static str,
    pub(super) bom_format: &'static str,
    pub(super) spec_version: &'static str,
    pub(super) serial_number: String,
    pub(super) version: u32,
    pub(super) metadata: Metadata<'a>,
    pub(super) components: Vec<Component<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) compositions: Vec<Composition>,
    pub(super) vulnerabilities: Vec<Vulnerability<'a>>,
}

/// `metadata`.
#[derive(Serialize)]
pub(super) struct Metadata<'a> {
    pub(super) timestamp: &'a str,
    pub(super) tools: Tools<'a>,
    pub(super) component: Component<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) properties: Vec<Property<'a>>,
}

/// `metadata.tools`.
#[derive(Serialize)]
pub(super) struct Tools<'a> {
    pub(super) components: [Component<'a>; 1],
}

/// `components[]`.
#[derive(Serialize)]
pub(super) struct Component<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(rename = "bom-ref")]
    pub(super) bom_ref: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<&'a str>,
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) hashes: Vec<Hash<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) licenses: Vec<License<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cpe: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) purl: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) components: Vec<Component<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) properties: Vec<Property<'a>>,
}

impl<'a> Component<'a> {
    /// A component of which nothing more is known yet.
    pub(super) fn new(kind: &'static str, bom_ref: String, name: &'a str) -> Component<'a> {
        Component {
            kind,
            bom_ref,
            group: None,
            name,
            version: None,
            description: None,
            hashes: Vec::new(),
            licenses: Vec::new(),
            cpe: None,
            purl: None,
            components: Vec::new(),
            properties: Vec::new(),
        }
    }
}

/// `hashes[]`.
#[derive(Serialize)]
pub(super) struct Hash<'a> {
    pub(super) alg: &'static str,
    pub(super) content: &'a str,
}

/// `licenses[]`: a licence, or the one expression.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum License<'a> {
    License(LicenseBody<'a>),
    Expression(&'a str),
}

/// `licenses[].license`.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum LicenseBody<'a> {
    Id(&'a str),
    Name(&'a str),
}

/// `properties[]`.
#[derive(Serialize)]
pub(super) struct Property<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
}

impl<'a> Property<'a> {
    /// A property with a fixed name. Names of ours begin with `plimsoll:`.
    pub(super) fn new(name: &'static str, value: impl Into<Cow<'a, str>>) -> Property<'a> {
        Property { name: Cow::Borrowed(name), value: value.into() }
    }
}

/// `compositions[]`.
#[derive(Serialize)]
pub(super) struct Composition {
    pub(super) aggregate: &'static str,
    pub(super) assemblies: [String; 1],
}

/// `vulnerabilities[]`.
#[derive(Serialize)]
pub(super) struct Vulnerability<'a> {
    #[serde(rename = "bom-ref")]
    pub(super) bom_ref: String,
    pub(super) id: &'a str,
    pub(super) source: Named<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) references: Vec<Reference<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) ratings: Vec<Rating<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) recommendation: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) advisories: Vec<Advisory<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) analysis: Option<Analysis>,
    pub(super) affects: [Affects<'a>; 1],
    pub(super) properties: Vec<Property<'a>>,
}

/// `source` of a vulnerability, a reference or a rating.
#[derive(Serialize)]
pub(super) struct Named<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<Cow<'a, str>>,
}

/// `vulnerabilities[].references[]`: the same flaw under another name.
#[derive(Serialize)]
pub(super) struct Reference<'a> {
    pub(super) id: &'a str,
    pub(super) source: Named<'a>,
}

/// `vulnerabilities[].ratings[]`.
#[derive(Serialize)]
pub(super) struct Rating<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) score: Option<f64>,
    pub(super) severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vector: Option<&'a str>,
}

/// `vulnerabilities[].advisories[]`.
#[derive(Serialize)]
pub(super) struct Advisory<'a> {
    pub(super) url: Cow<'a, str>,
}

/// `vulnerabilities[].analysis`.
#[derive(Serialize)]
pub(super) struct Analysis {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) response: Vec<&'static str>,
}

/// `vulnerabilities[].affects[]`.
#[derive(Serialize)]
pub(super) struct Affects<'a> {
    #[serde(rename = "ref")]
    pub(super) bom_ref: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) versions: Vec<AffectedVersion<'a>>,
}

/// `vulnerabilities[].affects[].versions[]`.
#[derive(Serialize)]
pub(super) struct AffectedVersion<'a> {
    pub(super) version: Cow<'a, str>,
    pub(super) status: &'static str,
}
