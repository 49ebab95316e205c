//! Attested lists of packages (SPDX 2, CycloneDX), held against what was found aboard.
//!
//! Packages are compared by type, namespace, name and version of their package URLs. What surprises: a list that names no
//! package URL cannot be compared, which is not the same as an empty one.

use std::collections::BTreeSet;

use plimsoll_core::clearance::ListCompared;
use plimsoll_core::evidence::{SbomFormat, SbomReference};
use plimsoll_core::inventory::Inventory;
use plimsoll_core::purl;
use serde::Deserialize;

/// Most packages of one list.
const PACKAGES_MAX: usize = 500_000;
/// How deep components of CycloneDX may lie in each other.
const DEPTH_MAX: usize = 16;

/// Compares a list with what is aboard the images that it speaks of.
pub(super) fn compare(list: &SbomReference, aboard: &[&Inventory]) -> Result<ListCompared, String> {
    if aboard.is_empty() {
        return Err("the layers were not read".to_owned());
    }
    let listed = listed(list)?;
    let packages = aboard.iter().flat_map(|inventory| &inventory.packages);
    let found: BTreeSet<String> = packages.filter_map(|package| purl::identity(&package.purl)).collect();
    let of = |one: &BTreeSet<String>, other: &BTreeSet<String>| one.difference(other).cloned().collect();
    Ok(ListCompared {
        both: found.intersection(&listed).count(),
        unlisted: of(&found, &listed),
        absent: of(&listed, &found),
    })
}

/// CycloneDX, `components` (<https://cyclonedx.org/docs/1.6/json/>).
#[derive(Deserialize)]
struct CycloneDx {
    #[serde(rename = "bomFormat")]
    format: String,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(default)]
    purl: Option<String>,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    components: Vec<Component>,
}

/// SPDX 2, `packages` (<https://spdx.github.io/spdx-spec/v2.3/>).
#[derive(Deserialize)]
struct Spdx {
    packages: Vec<SpdxPackage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpdxPackage {
    #[serde(default)]
    external_refs: Vec<ExternalRef>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef {
    reference_type: String,
    reference_locator: String,
}

/// The packages of a list.
fn listed(list: &SbomReference) -> Result<BTreeSet<String>, String> {
    let (purls, all) = match list.format {
        SbomFormat::CycloneDx => {
            let document: CycloneDx = serde_json::from_str(&list.document)
                .map_err(|error| format!("it is no CycloneDX in JSON: {error}"))?;
            if document.format != "CycloneDX" {
                return Err(format!("it is `{}`, no CycloneDX", document.format.escape_default()));
            }
            let mut purls = Vec::new();
            let all = components(document.components, &mut purls, 0)?;
            (purls, all)
        }
        SbomFormat::Spdx => {
            let document: Spdx = serde_json::from_str(&list.document)
                .map_err(|error| format!("it is no SPDX 2 in JSON: {error}"))?;
            let all = document.packages.len();
            let refs = document.packages.into_iter().flat_map(|package| package.external_refs);
            let purls = refs.filter(|one| one.reference_type == "purl").map(|one| one.reference_locator);
            (purls.collect(), all)
        }
    };
    if purls.len() > PACKAGES_MAX {
        return Err(format!("it lists more than {PACKAGES_MAX} packages (PACKAGES_MAX)"));
    }
    // The image itself is not one of its packages.
    let packages =
        purls.iter().filter(|text| !text.starts_with("pkg:oci/") && !text.starts_with("pkg:docker/"));
    let known: BTreeSet<String> = packages.filter_map(|text| purl::identity(text)).collect();
    match (known.is_empty(), all) {
        (true, 1..) => Err(format!("of {all} things that it lists none has a package URL")),
        _ => Ok(known),
    }
}

/// Takes the package URLs of components and of what lies in them. Gives the number of components that are packages.
fn components(all: Vec<Component>, purls: &mut Vec<String>, depth: usize) -> Result<usize, String> {
    if depth > DEPTH_MAX {
        return Err(format!("components lie deeper than {DEPTH_MAX} in each other (DEPTH_MAX)"));
    }
    let mut count = 0;
    for component in all {
        count += usize::from(!["file", "operating-system"].contains(&component.kind.as_str()));
        purls.extend(component.purl);
        count += components(component.components, purls, depth + 1)?;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(format: SbomFormat, document: &str) -> Result<Vec<String>, String> {
        let list = SbomReference { format, document: document.to_owned() };
        listed(&list).map(|names| names.into_iter().collect())
    }

    #[test]
    fn both_formats_are_read_and_what_cannot_be_compared_is_said() {
        for (format, document, expected) in [
            (
                SbomFormat::CycloneDx,
                r#"{"bomFormat": "CycloneDX", "components": [
                    {"type": "library", "purl": "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64"},
                    {"type": "application", "components": [{"type": "library", "purl": "pkg:npm/left-pad@1.3.0"}]},
                    {"type": "container", "purl": "pkg:oci/app@sha256:aa"}]}"#,
                Ok(vec!["pkg:apk/alpine/musl@1.2.5-r0", "pkg:npm/left-pad@1.3.0"]),
            ),
            (
                SbomFormat::Spdx,
                r#"{"packages": [{"externalRefs": [
                    {"referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:x:y"},
                    {"referenceType": "purl", "referenceLocator": "pkg:golang/golang.org/x/net@v0.1.0"}]}]}"#,
                Ok(vec!["pkg:golang/golang.org/x/net@v0.1.0"]),
            ),
            (SbomFormat::CycloneDx, r#"{"bomFormat": "CycloneDX"}"#, Ok(vec![])),
            (SbomFormat::CycloneDx, "{}", Err("no CycloneDX")),
            (
                SbomFormat::CycloneDx,
                r#"{"bomFormat": "CycloneDX", "components": [{"type": "library"}]}"#,
                Err("none has a package URL"),
            ),
            (SbomFormat::CycloneDx, "[]", Err("no CycloneDX")),
            (SbomFormat::Spdx, "{}", Err("no SPDX 2")),
            (SbomFormat::Spdx, "SPDXVersion: SPDX-2.3", Err("no SPDX 2")),
        ] {
            match (names(format, document), expected) {
                (Ok(names), Ok(expected)) => assert_eq!(names, expected),
                (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
                (got, expected) => panic!("{document}: {got:?}, expected {expected:?}"),
            }
        }
        let mut deep = "{}".to_owned();
        for _ in 0..20 {
            deep = format!("{{\"components\": [{deep}]}}");
        }
        let deep = deep.replacen('{', "{\"bomFormat\": \"CycloneDX\", ", 1);
        assert!(names(SbomFormat::CycloneDx, &deep).unwrap_err().contains("DEPTH_MAX"));
    }
}
