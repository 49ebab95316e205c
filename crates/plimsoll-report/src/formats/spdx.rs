//! SPDX 2.3 as JSON (<https://spdx.github.io/spdx-spec/v2.3/>): an inventory for those who keep licences.
//!
//! The document describes each image, an image contains its distribution and its packages. Licences that are
//! no expression of SPDX stand in a comment, never as an assertion. Findings are security references of their
//! packages (annex K); verdict, coverage and gaps are annotations of the image.

use std::borrow::Cow;
use std::io::{self, Write};

use plimsoll_core::assessment::Assessment;
use plimsoll_core::digest::Algorithm;
use plimsoll_core::finding::Finding;
use plimsoll_core::inventory::Package;

use super::{Context, Format, write_json};
use crate::{heading, identity, licence, link};

mod wire;

pub(super) static FORMAT: Format = Format {
    name: "spdx",
    title: "SPDX 2.3 JSON: packages and licences",
    media_type: "application/spdx+json",
    write,
};

const DOCUMENT: &str = "SPDXRef-DOCUMENT";
/// What SPDX calls a statement that nobody makes.
const NOBODY_SAYS: &str = "NOASSERTION";
/// Longest part of an id that comes from a name, in characters.
const ID_CHARS_MAX: usize = 80;

fn write(assessments: &[Assessment], context: &Context, out: &mut dyn Write) -> io::Result<()> {
    let tool = format!("Tool: plimsoll-{}", context.version);
    let created = seconds(&context.now);
    let mut document = wire::Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        spdx_id: DOCUMENT,
        name: assessments.first().map_or("plimsoll", |first| &first.image.reference),
        // The namespace that section 6.5 offers to those without a site of their own.
        document_namespace: format!(
            "https://spdx.org/spdxdocs/plimsoll-{}",
            identity::uuid(assessments, context)
        ),
        comment: "What is installed, as far as it could be read: see the annotations of each image for gaps",
        creation_info: wire::CreationInfo { created: created.clone(), creators: [tool.clone()] },
        packages: Vec::new(),
        relationships: Vec::new(),
    };
    for (at, assessment) in assessments.iter().enumerate() {
        let image_id = format!("SPDXRef-Image-{at}");
        let annotate = |comment: String| wire::Annotation {
            annotation_date: created.clone(),
            annotation_type: "OTHER",
            annotator: tool.clone(),
            comment,
        };
        let mut image = image(assessment, image_id.clone());
        image.annotations = facts(assessment).into_iter().map(annotate).collect();
        document.relationships.push(relationship(DOCUMENT, "DESCRIBES", &image_id));
        document.packages.push(image);
        for package in contents(assessment, at) {
            document.relationships.push(relationship(&image_id, "CONTAINS", &package.spdx_id));
            document.packages.push(package);
        }
    }
    write_json(&document, out)
}

fn relationship(from: &str, kind: &'static str, to: &str) -> wire::Relationship {
    wire::Relationship {
        spdx_element_id: from.to_owned(),
        relationship_type: kind,
        related_spdx_element: to.to_owned(),
    }
}

fn image(assessment: &Assessment, id: String) -> wire::Package<'_> {
    let image = &assessment.image;
    let mut package = wire::Package::new(id, &image.reference);
    package.primary_package_purpose = Some("CONTAINER");
    package.comment = Some(format!("platform {}", image.platform));
    if let Some(digest) = &image.digest {
        package.version_info = Some(digest.as_str());
        let algorithm = match digest.algorithm() {
            Algorithm::Sha256 => "SHA256",
            Algorithm::Sha512 => "SHA512",
        };
        package.checksums.push(wire::Checksum { algorithm, checksum_value: digest.hex() });
    }
    package
}

/// What the scan says of the image as a whole, one text each.
fn facts(assessment: &Assessment) -> Vec<String> {
    let unjudged = heading::unjudged(assessment);
    let mut out = vec![format!("verdict: {}", heading::verdict(assessment, unjudged.is_empty()))];
    out.push(match &assessment.database {
        Some(database) => format!("database: {} built at {}", database.id, database.built_at),
        None => "database: none, so nothing was compared".to_owned(),
    });
    out.extend(assessment.findings.coverage.iter().map(|need| {
        let date = need.data_date.as_deref().unwrap_or("unknown date");
        let state = heading::standing(need);
        format!("coverage: {}: {state} by {}, {date}, {} packages", need.needs, need.feed, need.packages)
    }));
    out.extend(
        assessment
            .gaps()
            .into_iter()
            .map(|gap| format!("gap: {}: {}: {}", gap.kind, gap.subject, gap.detail)),
    );
    out
}

/// The distribution and the packages of the image at a place in the document.
fn contents(assessment: &Assessment, image: usize) -> Vec<wire::Package<'_>> {
    let inventory = &assessment.inventory;
    let mut out = Vec::with_capacity(inventory.packages.len() + 1);
    out.extend(distro(assessment, image));
    let first = out.len();
    out.extend(inventory.packages.iter().enumerate().map(|(at, installed)| package(installed, image, at)));
    for finding in &assessment.findings.findings {
        // Matching numbers the packages of this very inventory.
        out[first + finding.package].external_refs.push(security_reference(finding));
    }
    out
}

fn distro(assessment: &Assessment, image: usize) -> Option<wire::Package<'_>> {
    let os = assessment.inventory.os_release.as_ref();
    let (name, release) = match (&assessment.inventory.distro, os) {
        (Some(known), _) => (known.distro.id, Some(known.release.as_str())),
        (None, Some(os)) => (os.id.as_str(), os.version_id.as_deref()),
        (None, None) => return None,
    };
    let mut package = wire::Package::new(format!("SPDXRef-Distro-{image}"), name);
    package.version_info = release.filter(|release| !release.is_empty());
    package.primary_package_purpose = Some("OPERATING_SYSTEM");
    package.comment = Some(heading::distro(assessment));
    package.external_refs.extend(
        os.and_then(|os| os.cpe.as_deref()).filter(|cpe| cpe.starts_with("cpe:2.3:")).map(|cpe| {
            wire::ExternalRef {
                reference_category: "SECURITY",
                reference_type: "cpe23Type",
                reference_locator: Cow::Borrowed(cpe),
                comment: None,
            }
        }),
    );
    Some(package)
}

fn package(installed: &Package, image: usize, at: usize) -> wire::Package<'_> {
    let mut package = wire::Package::new(id(installed, image, at), &installed.name);
    package.version_info = (!installed.version.is_empty()).then_some(&installed.version);
    package.source_info = Some(source_info(installed));
    match licence::declared(&installed.licenses) {
        Some(expression) => package.license_declared = Cow::Owned(expression),
        None if installed.licenses.is_empty() => {}
        None => {
            let stated = installed.licenses.join("; ");
            package.license_comments = Some(format!("the package states: {stated}"));
        }
    }
    if !installed.purl.is_empty() {
        package.external_refs.push(wire::ExternalRef {
            reference_category: "PACKAGE-MANAGER",
            reference_type: "purl",
            reference_locator: Cow::Borrowed(&installed.purl),
            comment: None,
        });
    }
    package
}

/// An id: only letters, digits, `.` and `-` are allowed (section 3.2), and the places make it unique.
fn id(package: &Package, image: usize, at: usize) -> String {
    let name: String = package
        .name
        .chars()
        .take(ID_CHARS_MAX)
        .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
        .collect();
    format!("SPDXRef-Package-{image}-{at}-{}-{name}", package.ecosystem.name)
}

fn source_info(package: &Package) -> String {
    let mut out = format!("found in {}", package.evidence_path);
    if let Some(layer) = &package.layer {
        out.push_str(&format!("; brought in by layer {layer}"));
    }
    if let Some(source) = &package.source {
        out.push_str(&format!("; built from {} {}", source.name, source.version));
    }
    if let Some(owner) = &package.owned_by {
        out.push_str(&format!("; owned by {owner}"));
    }
    out
}

fn security_reference(finding: &Finding) -> wire::ExternalRef<'_> {
    let severity = heading::severity(finding.severity);
    let fix = match &finding.fixed_in {
        Some(version) => format!("fixed in {version}"),
        None => format!("no fix ({})", heading::fix(finding)),
    };
    wire::ExternalRef {
        reference_category: "SECURITY",
        reference_type: "advisory",
        reference_locator: link::of_flaw(&finding.id).into(),
        comment: Some(format!("{}: {}, {severity}, {fix}", finding.id, finding.status.name())),
    }
}

/// A time without its fraction, the only form that SPDX takes (section 6.9).
fn seconds(now: &str) -> String {
    match now.split_once('.') {
        Some((seconds, fraction)) if fraction.ends_with(['Z', 'z']) => format!("{seconds}Z"),
        _ => now.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_no_fraction() {
        assert_eq!(seconds("2026-01-02T03:04:05.678Z"), "2026-01-02T03:04:05Z");
        assert_eq!(seconds("2026-01-02T03:04:05Z"), "2026-01-02T03:04:05Z");
    }

    #[test]
    fn the_word_for_no_statement_is_spdx_own() {
        assert_eq!(wire::Package::new(String::new(), "").license_declared, NOBODY_SAYS);
    }
}
