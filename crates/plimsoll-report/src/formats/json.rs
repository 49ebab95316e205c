//! Plimsoll's own report: everything that is known, in a versioned shape.
//!
//! One assessment is one object; several are `{"schema": .., "reports": [..]}`. The report says nothing about
//! when it was written, so that the same image and database give the same bytes.

use std::collections::HashMap;
use std::io::{self, Write};

use plimsoll_core::assessment::Assessment;
use plimsoll_core::digest::Digest;
use plimsoll_core::finding::Finding;
use plimsoll_core::gap::Gap;
use plimsoll_core::image::Layer;
use plimsoll_core::inventory::{Inventory, Package, SourcePackage};
use plimsoll_core::policy;

use super::{Context, Format, write_json};
use crate::tally::{Count, Tally};

mod windows;
pub mod wire;

pub(super) static FORMAT: Format = Format {
    name: "json",
    title: "Plimsoll's own report, with everything that is known",
    media_type: "application/json",
    write,
};

/// The JSON Schema of the report, indented, with a newline at its end.
pub fn schema() -> String {
    let generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
    let schema = generator.into_root_schema_for::<wire::Document<'_>>();
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}

fn write(assessments: &[Assessment], _: &Context, out: &mut dyn Write) -> io::Result<()> {
    let document = match assessments {
        [one] => wire::Document::One(Box::new(report(one))),
        several => wire::Document::Several(wire::Reports {
            schema: wire::SchemaName,
            reports: several.iter().map(report).collect(),
        }),
    };
    write_json(&document, out)
}

fn report(assessment: &Assessment) -> wire::Report<'_> {
    let inventory = &assessment.inventory;
    let layers: HashMap<&Digest, &Layer> =
        assessment.image.layers.iter().map(|layer| (&layer.digest, layer)).collect();
    wire::Report {
        schema: wire::SchemaName,
        image: image(assessment),
        distro: distro(inventory),
        windows: windows::windows(inventory, &assessment.findings.findings),
        packages: inventory.packages.iter().map(package).collect(),
        findings: assessment.findings.findings.iter().map(|f| finding(f, inventory, &layers)).collect(),
        coverage: assessment
            .findings
            .coverage
            .iter()
            .map(|need| wire::Coverage {
                needs: &need.needs,
                feed: &need.feed,
                state: need.state.name(),
                data_date: need.data_date.as_deref(),
                failing_since: need.failing_since.as_deref(),
                packages: need.packages,
            })
            .collect(),
        gaps: assessment.gaps().into_iter().map(gap).collect(),
        database: assessment
            .database
            .as_ref()
            .map(|database| wire::Database { id: &database.id, built_at: &database.built_at }),
        verdict: verdict(&assessment.verdict),
        summary: summary(assessment),
    }
}

fn image(assessment: &Assessment) -> wire::Image<'_> {
    let image = &assessment.image;
    wire::Image {
        reference: &image.reference,
        digest: image.digest.as_ref().map(Digest::as_str),
        config_digest: image.config_digest.as_ref().map(Digest::as_str),
        platform: wire::Platform {
            os: &image.platform.os,
            architecture: &image.platform.architecture,
            variant: image.platform.variant.as_deref(),
            os_version: image.platform.os_version.as_deref(),
        },
        layers: image
            .layers
            .iter()
            .map(|layer| wire::Layer {
                digest: layer.digest.as_str(),
                diff_id: layer.diff_id.as_ref().map(Digest::as_str),
                size: layer.size,
                created_by: layer.created_by.as_deref(),
            })
            .collect(),
    }
}

fn distro(inventory: &Inventory) -> Option<wire::Distro<'_>> {
    let os = inventory.os_release.as_ref();
    let pretty_name = os.and_then(|os| os.pretty_name.as_deref());
    match (&inventory.distro, os) {
        (Some(release), _) => Some(wire::Distro {
            id: release.distro.id,
            release: Some(&release.release),
            title: Some(release.distro.title),
            namespace: Some(release.namespace()),
            pretty_name,
        }),
        (None, Some(os)) => Some(wire::Distro {
            id: &os.id,
            release: os.version_id.as_deref(),
            title: None,
            namespace: None,
            pretty_name,
        }),
        (None, None) => None,
    }
}

fn package(package: &Package) -> wire::Package<'_> {
    wire::Package {
        name: &package.name,
        version: &package.version,
        ecosystem: package.ecosystem.name,
        purl: &package.purl,
        source: source(package.source.as_ref()),
        architecture: package.architecture.as_deref(),
        module: package.module.as_deref(),
        licenses: &package.licenses,
        evidence_path: &package.evidence_path,
        layer: package.layer.as_ref().map(Digest::as_str),
        owned_by: package.owned_by.as_deref(),
    }
}

fn source(source: Option<&SourcePackage>) -> Option<wire::Source<'_>> {
    source.map(|source| wire::Source { name: &source.name, version: &source.version })
}

fn finding<'a>(
    finding: &'a Finding,
    inventory: &'a Inventory,
    layers: &HashMap<&Digest, &'a Layer>,
) -> wire::Finding<'a> {
    // Matching numbers the packages of this very inventory.
    let package = &inventory.packages[finding.package];
    wire::Finding {
        id: &finding.id,
        aliases: &finding.aliases,
        package: wire::FindingPackage {
            name: &package.name,
            version: &package.version,
            purl: &package.purl,
            source: source(package.source.as_ref()),
        },
        severity: finding.severity.map(|severity| severity.name()),
        severity_source: finding.severity_source.name(),
        cvss: finding
            .cvss
            .iter()
            .map(|cvss| wire::Cvss {
                source: &cvss.source,
                version: cvss.version,
                vector: &cvss.vector,
                score: cvss.score,
            })
            .collect(),
        fixed_in: finding.fixed_in.as_deref(),
        update: finding.update.as_deref(),
        is_fix_ambiguous: finding.is_fix_ambiguous,
        fix_state: finding.fix.name(),
        status: finding.status.name(),
        feed: &finding.feed,
        advisory: &finding.advisory,
        summary: &finding.summary,
        references: &finding.references,
        is_exploited: finding.is_exploited,
        scope: finding.scope.name(),
        kev: finding.kev.as_ref().map(|kev| wire::Kev {
            date_added: &kev.date_added,
            due_date: &kev.due_date,
            is_used_by_ransomware: kev.is_used_by_ransomware,
        }),
        epss: finding.epss.map(|epss| wire::Epss { score: epss.score, percentile: epss.percentile }),
        layer: package.layer.as_ref().map(|digest| wire::FindingLayer {
            digest: digest.as_str(),
            created_by: layers.get(digest).and_then(|layer| layer.created_by.as_deref()),
        }),
        evidence_path: &package.evidence_path,
        evidence: wire::Evidence {
            namespace: &finding.evidence.namespace,
            name: &finding.evidence.name,
            version: &finding.evidence.version,
            scheme: finding.evidence.scheme,
            range: &finding.evidence.range,
        },
    }
}

fn gap(gap: &Gap) -> wire::Gap<'_> {
    wire::Gap { kind: gap.kind.name(), subject: &gap.subject, detail: &gap.detail }
}

fn verdict(verdict: &policy::Verdict) -> wire::Verdict<'_> {
    match verdict {
        policy::Verdict::NothingDemanded => wire::Verdict::NothingDemanded,
        policy::Verdict::Cleared(accepted) => {
            wire::Verdict::Cleared { accepted_gaps: accepted.iter().map(gap).collect() }
        }
        policy::Verdict::Refused(reasons) => wire::Verdict::Refused {
            reasons: reasons
                .iter()
                .map(|reason| wire::Reason { rule: reason.rule, detail: &reason.detail })
                .collect(),
        },
        policy::Verdict::Undecided(gaps) => wire::Verdict::Undecided { gaps: gaps.iter().map(gap).collect() },
    }
}

fn summary(assessment: &Assessment) -> wire::Summary {
    let tally = Tally::of(&assessment.findings.findings);
    let count = |count: Count| wire::Count { total: count.total, fixable: count.fixable };
    let [negligible, low, medium, high, critical] = tally.by_severity.map(count);
    wire::Summary {
        packages: assessment.inventory.packages.len(),
        gaps: assessment.gaps().len(),
        findings: count(tally.all),
        critical,
        high,
        medium,
        low,
        negligible,
        unknown: count(tally.unknown),
        kev: tally.kev,
    }
}
