//! CycloneDX 1.6 (<https://cyclonedx.org/docs/1.6/json/>): packages as components, findings as vulnerabilities.
//!
//! One image is the BOM's own component, with gaps, coverage and verdict among the metadata's properties.
//! Several platforms are container components, each with its packages inside and these properties on it.
//! Each finding is a vulnerability of its own, because rating and fix are those of one package.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::{self, Write};

use plimsoll_core::advisory::{FixState, Severity, Status};
use plimsoll_core::assessment::Assessment;
use plimsoll_core::digest::Algorithm;
use plimsoll_core::finding::{Finding, SeveritySource};
use plimsoll_core::inventory::Package;
use plimsoll_core::policy::Verdict;
use plimsoll_core::windows::components::Scope;

use super::{Context, Format, write_json};
use crate::identity;
use crate::licence::{self, Licence};
use crate::link;
use crate::printable::cut_chars;

mod wire;

use wire::{Component, Named, Property};

pub(super) static FORMAT: Format = Format {
    name: "cyclonedx",
    title: "CycloneDX 1.6 JSON: components and vulnerabilities",
    media_type: "application/vnd.cyclonedx+json; version=1.6",
    write,
};

/// Longest version that the format allows, in characters (`#/definitions/version`).
const VERSION_CHARS_MAX: usize = 1024;

fn write(assessments: &[Assessment], context: &Context, out: &mut dyn Write) -> io::Result<()> {
    let mut refs = Refs::default();
    let mut vulnerabilities = Vec::new();
    let mut components = Vec::new();
    let mut incomplete = Vec::new();
    let (subject, properties) = match assessments {
        [one] => {
            let image = image(one, &mut refs);
            if !one.inventory.gaps.is_empty() {
                incomplete.push(image.bom_ref.clone());
            }
            components = contents(one, &mut refs, &mut vulnerabilities);
            (image, facts(one))
        }
        several => {
            let name = several.first().map_or("", |first| &first.image.reference);
            let subject = Component::new("container", refs.take("index"), name);
            for assessment in several {
                let mut image = image(assessment, &mut refs);
                image.components = contents(assessment, &mut refs, &mut vulnerabilities);
                image.properties.extend(facts(assessment));
                if !assessment.inventory.gaps.is_empty() {
                    incomplete.push(image.bom_ref.clone());
                }
                components.push(image);
            }
            (subject, Vec::new())
        }
    };
    let mut tool = Component::new("application", refs.take("plimsoll"), "plimsoll");
    tool.version = Some(Cow::Borrowed(&context.version));
    let bom = wire::Bom {
        schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: format!("urn:uuid:{}", identity::uuid(assessments, context)),
        version: 1,
        metadata: wire::Metadata {
            timestamp: &context.now,
            tools: wire::Tools { components: [tool] },
            component: subject,
            properties,
        },
        components,
        compositions: incomplete
            .into_iter()
            .map(|image| wire::Composition { aggregate: "incomplete", assemblies: [image] })
            .collect(),
        vulnerabilities,
    };
    write_json(&bom, out)
}

/// Gives out `bom-ref`s, each once.
#[derive(Default)]
struct Refs {
    taken: HashSet<String>,
    /// How often a name was wanted.
    wanted: HashMap<String, usize>,
}

impl Refs {
    /// The wanted name, with a number behind it where it is taken.
    fn take(&mut self, wanted: &str) -> String {
        let times = self.wanted.entry(wanted.to_owned()).or_default();
        loop {
            *times += 1;
            let name = if *times == 1 { wanted.to_owned() } else { format!("{wanted}#{times}") };
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// The image itself, with its layers.
fn image<'a>(assessment: &'a Assessment, refs: &mut Refs) -> Component<'a> {
    let image = &assessment.image;
    let wanted = image.digest.as_ref().map_or("image", |digest| digest.as_str());
    let mut component = Component::new("container", refs.take(wanted), &image.reference);
    if let Some(digest) = &image.digest {
        component.version = Some(Cow::Borrowed(digest.as_str()));
        let alg = match digest.algorithm() {
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha512 => "SHA-512",
        };
        component.hashes.push(wire::Hash { alg, content: digest.hex() });
    }
    let properties = &mut component.properties;
    properties.push(Property::new("plimsoll:platform", image.platform.to_string()));
    properties
        .extend(image.platform.os_version.as_deref().map(|os| Property::new("plimsoll:os_version", os)));
    properties
        .extend(image.config_digest.as_ref().map(|config| Property::new("plimsoll:config", config.as_str())));
    for (at, layer) in image.layers.iter().enumerate() {
        let mut add = |name: &str, value: Cow<'a, str>| {
            properties.push(Property { name: format!("plimsoll:layer:{at}:{name}").into(), value });
        };
        add("digest", layer.digest.as_str().into());
        if let Some(diff_id) = &layer.diff_id {
            add("diff_id", diff_id.as_str().into());
        }
        add("size", layer.size.to_string().into());
        if let Some(created_by) = &layer.created_by {
            add("created_by", created_by.into());
        }
    }
    component
}

/// What the scan says of the image as a whole.
fn facts(assessment: &Assessment) -> Vec<Property<'_>> {
    let mut out = vec![Property::new("plimsoll:verdict", assessment.verdict.name())];
    if let Verdict::Refused(reasons) = &assessment.verdict {
        out.extend(reasons.iter().map(|reason| Property {
            name: format!("plimsoll:reason:{}", reason.rule).into(),
            value: Cow::Borrowed(&reason.detail),
        }));
    }
    match &assessment.database {
        Some(database) => {
            out.push(Property::new("plimsoll:database:id", database.id.as_str()));
            out.push(Property::new("plimsoll:database:built_at", database.built_at.as_str()));
        }
        None => out.push(Property::new("plimsoll:database:id", "none")),
    }
    out.extend(assessment.findings.coverage.iter().map(|need| {
        let date = need.data_date.as_deref().unwrap_or("unknown");
        let mut value = format!(
            "feed={} state={} data_date={date} packages={}",
            need.feed,
            need.state.name(),
            need.packages
        );
        if let Some(since) = &need.failing_since {
            value += &format!(" failing_since={since}");
        }
        Property { name: format!("plimsoll:coverage:{}", need.needs).into(), value: value.into() }
    }));
    out.extend(assessment.gaps().into_iter().map(|gap| Property {
        name: format!("plimsoll:gap:{}", gap.kind).into(),
        value: format!("{}: {}", gap.subject, gap.detail).into(),
    }));
    out
}

/// The distribution and the packages of an image; its findings go to `vulnerabilities`.
fn contents<'a>(
    assessment: &'a Assessment,
    refs: &mut Refs,
    vulnerabilities: &mut Vec<wire::Vulnerability<'a>>,
) -> Vec<Component<'a>> {
    let inventory = &assessment.inventory;
    let packages: Vec<Component<'_>> =
        inventory.packages.iter().map(|package| component(package, refs)).collect();
    for finding in &assessment.findings.findings {
        // Matching numbers the packages of this very inventory.
        let package = &inventory.packages[finding.package];
        vulnerabilities.push(vulnerability(finding, package, &packages[finding.package].bom_ref, refs));
    }
    let mut components: Vec<Component<'_>> = distro(assessment, refs).into_iter().collect();
    components.extend(packages);
    components
}

fn distro<'a>(assessment: &'a Assessment, refs: &mut Refs) -> Option<Component<'a>> {
    let os = assessment.inventory.os_release.as_ref();
    let (id, release, namespace) = match (&assessment.inventory.distro, os) {
        (Some(known), _) => (known.distro.id, Some(known.release.as_str()), Some(known.namespace())),
        (None, Some(os)) => (os.id.as_str(), os.version_id.as_deref(), None),
        (None, None) => return None,
    };
    let mut component = Component::new("operating-system", refs.take("operating-system"), id);
    component.version = version(release.unwrap_or_default());
    component.description = os.and_then(|os| os.pretty_name.as_deref());
    component.cpe = os.and_then(|os| os.cpe.as_deref()).filter(|cpe| cpe.starts_with("cpe:2.3:"));
    component.properties.push(match namespace {
        Some(namespace) => Property::new("plimsoll:namespace", namespace),
        None => Property::new("plimsoll:namespace", "unknown"),
    });
    Some(component)
}

/// A version as the format allows it: none at all where it is empty, cut where it is too long.
fn version(text: &str) -> Option<Cow<'_, str>> {
    (!text.is_empty()).then(|| cut_chars(text, VERSION_CHARS_MAX))
}

fn component<'a>(package: &'a Package, refs: &mut Refs) -> Component<'a> {
    let wanted = if package.purl.is_empty() { &package.name } else { &package.purl };
    let (group, name) = (package.ecosystem.purl_name)(&package.name);
    let mut component = Component::new("library", refs.take(wanted), name);
    component.group = (!group.is_empty()).then_some(group);
    component.version = version(&package.version);
    component.purl = (!package.purl.is_empty()).then_some(&package.purl);
    component.licenses = licenses(&package.licenses);
    let properties = &mut component.properties;
    properties.push(Property::new("plimsoll:evidence_path", package.evidence_path.as_str()));
    properties.extend(package.layer.as_ref().map(|layer| Property::new("plimsoll:layer", layer.as_str())));
    if let Some(source) = &package.source {
        properties.push(Property::new("plimsoll:source:name", source.name.as_str()));
        properties.push(Property::new("plimsoll:source:version", source.version.as_str()));
    }
    properties
        .extend(package.architecture.as_deref().map(|text| Property::new("plimsoll:architecture", text)));
    properties.extend(package.module.as_deref().map(|text| Property::new("plimsoll:module", text)));
    properties.extend(package.owned_by.as_deref().map(|text| Property::new("plimsoll:owned_by", text)));
    component
}

/// Either one expression or a list of licences; the format knows no mixture.
fn licenses(stated: &[String]) -> Vec<wire::License<'_>> {
    if let [one] = stated
        && let Licence::Expression(expression) = licence::read(one)
    {
        return vec![wire::License::Expression(expression)];
    }
    let item = |stated| match licence::read(stated) {
        Licence::Id(id) => wire::License::License(wire::LicenseBody::Id(id)),
        Licence::Expression(text) | Licence::Words(text) => {
            wire::License::License(wire::LicenseBody::Name(text))
        }
    };
    stated.iter().filter(|text| !text.trim().is_empty()).map(|text| item(text)).collect()
}

fn vulnerability<'a>(
    finding: &'a Finding,
    package: &'a Package,
    affected: &str,
    refs: &mut Refs,
) -> wire::Vulnerability<'a> {
    let is_investigated = finding.status == Status::UnderInvestigation;
    let versions = version(&package.version).map(|version| wire::AffectedVersion {
        version,
        status: if is_investigated { "unknown" } else { "affected" },
    });
    let not_empty = |text: &'a String| (!text.is_empty()).then_some(text.as_str());
    wire::Vulnerability {
        bom_ref: refs.take(&format!("{}:{affected}", finding.id)),
        id: &finding.id,
        source: Named { name: Some(&finding.feed), url: None },
        references: finding
            .aliases
            .iter()
            .map(|alias| wire::Reference {
                id: alias,
                source: Named { name: None, url: Some(link::of_flaw(alias).into()) },
            })
            .collect(),
        ratings: ratings(finding),
        description: not_empty(&finding.summary),
        detail: not_empty(&finding.description),
        recommendation: recommendation(finding, package),
        advisories: finding
            .references
            .iter()
            .filter_map(|reference| link::web(reference))
            .map(|url| wire::Advisory { url })
            .collect(),
        analysis: analysis(finding),
        affects: [wire::Affects { bom_ref: affected.to_owned(), versions: versions.into_iter().collect() }],
        properties: finding_properties(finding),
    }
}

/// The vendor's word and each CVSS vector, side by side.
fn ratings(finding: &Finding) -> Vec<wire::Rating<'_>> {
    let stated = match finding.severity_source {
        SeveritySource::Vendor => finding.severity.map(|severity| wire::Rating {
            source: Some(Named { name: Some(&finding.feed), url: None }),
            score: None,
            severity: word(Some(severity)),
            method: Some("other"),
            vector: None,
        }),
        SeveritySource::Cvss => None,
        SeveritySource::Nobody => {
            Some(wire::Rating { source: None, score: None, severity: "unknown", method: None, vector: None })
        }
    };
    let scores = finding.cvss.iter().map(|cvss| wire::Rating {
        source: Some(Named { name: Some(&cvss.source), url: None }),
        score: Some(cvss.score),
        severity: if cvss.score > 0.0 { word(Severity::from_cvss_score(cvss.score)) } else { "none" },
        method: Some(method(cvss.version)),
        vector: Some(&cvss.vector),
    });
    stated.into_iter().chain(scores).collect()
}

/// CycloneDX's word for a severity. It has none below `low` that still means a flaw but `info`.
fn word(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Negligible) => "info",
        Some(severity) => severity.name(),
        None => "unknown",
    }
}

fn method(cvss_version: &str) -> &'static str {
    match cvss_version {
        "2.0" => "CVSSv2",
        "3.0" => "CVSSv3",
        "3.1" => "CVSSv31",
        "4.0" => "CVSSv4",
        _ => "other",
    }
}

fn recommendation(finding: &Finding, package: &Package) -> Option<String> {
    match (&finding.fixed_in, finding.fix) {
        (Some(version), _) => {
            let update = finding.update.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
            Some(format!("Upgrade {} to {version}{update}", package.name))
        }
        (None, FixState::EndOfLife) => Some("Move to a supported release: this one gets no fixes".to_owned()),
        (None, _) => None,
    }
}

/// What the vendor says. Whether the flaw can be exploited here is not ours to state.
fn analysis(finding: &Finding) -> Option<wire::Analysis> {
    let state = (finding.status == Status::UnderInvestigation).then_some("in_triage");
    let response = match (&finding.fixed_in, finding.fix) {
        (Some(_), _) => vec!["update"],
        (None, FixState::WillNotFix) => vec!["will_not_fix"],
        (None, _) => Vec::new(),
    };
    (state.is_some() || !response.is_empty()).then_some(wire::Analysis { state, response })
}

fn finding_properties(finding: &Finding) -> Vec<Property<'_>> {
    let evidence = &finding.evidence;
    let mut out = vec![
        Property::new("plimsoll:advisory", finding.advisory.as_str()),
        Property::new("plimsoll:status", finding.status.name()),
        Property::new("plimsoll:fix_state", finding.fix.name()),
        Property::new("plimsoll:severity_source", finding.severity_source.name()),
        Property::new("plimsoll:evidence:namespace", evidence.namespace.as_str()),
        Property::new("plimsoll:evidence:name", evidence.name.as_str()),
        Property::new("plimsoll:evidence:version", evidence.version.as_str()),
        Property::new("plimsoll:evidence:scheme", evidence.scheme),
        Property::new("plimsoll:evidence:range", evidence.range.as_str()),
    ];
    out.extend(finding.fixed_in.as_deref().map(|version| Property::new("plimsoll:fixed_in", version)));
    out.extend(finding.update.as_deref().map(|name| Property::new("plimsoll:update", name)));
    if finding.is_fix_ambiguous {
        out.push(Property::new("plimsoll:fix_ambiguous", "true"));
    }
    if finding.is_exploited {
        out.push(Property::new("plimsoll:exploited", "true"));
    }
    if finding.scope != Scope::Image {
        out.push(Property::new("plimsoll:scope", finding.scope.name()));
    }
    if let Some(kev) = &finding.kev {
        out.push(Property::new("plimsoll:kev:date_added", kev.date_added.as_str()));
        out.push(Property::new("plimsoll:kev:due_date", kev.due_date.as_str()));
        out.push(Property::new(
            "plimsoll:kev:ransomware",
            if kev.is_used_by_ransomware { "known" } else { "unknown" },
        ));
    }
    if let Some(epss) = finding.epss {
        out.push(Property::new("plimsoll:epss:score", epss.score.to_string()));
        out.push(Property::new("plimsoll:epss:percentile", epss.percentile.to_string()));
    }
    out
}
