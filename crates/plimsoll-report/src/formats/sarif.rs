//! SARIF 2.1.0 (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>), made for code scanning.
//!
//! An image is a run, a flaw a rule, a finding a result. What surprises:
//!
//! - GitHub makes its severity word of `security-severity` alone. Where the CVSS score says another word than
//!   the severity of the finding (vendors differ from CVSS), the middle of the range of the finding's word is
//!   written, so that GitHub shows what every other report shows.
//! - Gaps are notifications of the invocation. An undecided image is an invocation that was not successful:
//!   a service that took it for a clean one would close the alerts of the last scan.
//! - Several platforms are several runs, told apart by `automationDetails.id`, which GitHub demands.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};

use plimsoll_core::advisory::Severity;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::digest::Digest;
use plimsoll_core::finding::Finding;
use plimsoll_core::gap::GapKind;
use plimsoll_core::inventory::Package;
use plimsoll_core::policy::Verdict;

use super::{Context, Format, write_json};
use crate::printable::{cut_chars, one_line, printable};
use crate::{heading, identity, link};

mod wire;

use wire::Text;

pub(super) static FORMAT: Format = Format {
    name: "sarif",
    title: "SARIF 2.1.0 for code scanning",
    media_type: "application/sarif+json",
    write,
};

/// Longest text of a rule or a result in characters; GitHub shows no more of a description.
const TEXT_CHARS_MAX: usize = 1024;
/// What paths in the image are relative to.
const ROOT: &str = "ROOTFS";

fn write(assessments: &[Assessment], context: &Context, out: &mut dyn Write) -> io::Result<()> {
    let is_one_of_several = assessments.len() > 1;
    let runs = assessments
        .iter()
        .enumerate()
        .map(|(at, assessment)| {
            let mut run = run(assessment, context);
            run.automation_details = is_one_of_several.then(|| {
                // What stands before the last slash is GitHub's category, which has to be another in each run.
                let platform = assessment.image.platform.to_string().replace('/', "-");
                wire::AutomationDetails { id: format!("plimsoll/{at}-{}/", printable(&platform)) }
            });
            run
        })
        .collect();
    let log = wire::Log { schema: "https://json.schemastore.org/sarif-2.1.0.json", version: "2.1.0", runs };
    write_json(&log, out)
}

fn run<'a>(assessment: &'a Assessment, context: &'a Context) -> wire::Run<'a> {
    let findings = &assessment.findings.findings;
    let mut rules: Vec<wire::Rule<'_>> = Vec::new();
    let mut place_of: HashMap<&str, usize> = HashMap::new();
    let mut results = Vec::with_capacity(findings.len());
    for finding in findings {
        let place = *place_of.entry(&finding.id).or_insert_with(|| {
            rules.push(rule(finding));
            rules.len() - 1
        });
        worsen(&mut rules[place], finding);
        results.push(result(finding, place, assessment));
    }
    let kinds: BTreeSet<GapKind> = assessment.gaps().iter().map(|gap| gap.kind).collect();
    wire::Run {
        tool: wire::Tool {
            driver: wire::Driver {
                name: "Plimsoll",
                semantic_version: &context.version,
                rules,
                notifications: kinds.into_iter().map(|kind| wire::Descriptor { id: kind.name() }).collect(),
            },
        },
        automation_details: None,
        invocations: [invocation(assessment)],
        original_uri_base_ids: HashMap::from([(
            ROOT,
            wire::UriBase { description: Text::new("the root of the image's file system") },
        )]),
        results,
        properties: run_properties(assessment),
    }
}

fn rule(finding: &Finding) -> wire::Rule<'_> {
    let help_uri = finding.references.iter().find_map(|reference| link::web(reference));
    let summary = one_line(&finding.summary);
    let short = if summary.is_empty() { one_line(&finding.id) } else { summary };
    let full =
        if finding.description.trim().is_empty() { short.clone() } else { one_line(&finding.description) };
    let help_uri = help_uri.unwrap_or_else(|| link::of_flaw(&finding.id).into());
    let help = format!("{}: {}\n{help_uri}", printable(&finding.id), cut_chars(&full, TEXT_CHARS_MAX));
    wire::Rule {
        id: &finding.id,
        short_description: Text::new(short),
        full_description: Text::new(full),
        help: Text::whole(help),
        help_uri,
        default_configuration: wire::Configuration { level: "note" },
        properties: wire::RuleProperties {
            security_severity: None,
            precision: "high",
            tags: vec!["security", "vulnerability"],
        },
        score: 0.0,
    }
}

/// A rule is as bad as the worst of its results.
fn worsen(rule: &mut wire::Rule<'_>, finding: &Finding) {
    let level = level(finding.severity);
    if rank(level) > rank(rule.default_configuration.level) {
        rule.default_configuration.level = level;
    }
    if let Some(score) = score(finding).filter(|score| *score > rule.score) {
        rule.score = score;
        rule.properties.security_severity = Some(format!("{score:.1}"));
    }
    if finding.kev.is_some() && !rule.properties.tags.contains(&"known-exploited") {
        rule.properties.tags.push("known-exploited");
    }
}

fn rank(level: &str) -> usize {
    ["note", "warning", "error"].iter().position(|known| *known == level).unwrap_or_default()
}

/// SARIF's level. What nobody rates is a warning: it may be anything.
fn level(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Critical | Severity::High) => "error",
        Some(Severity::Medium) | None => "warning",
        Some(Severity::Low | Severity::Negligible) => "note",
    }
}

/// GitHub's `security-severity`: the highest CVSS score if it says the finding's severity, else the middle of
/// the range that CVSS gives that word. `None` where nobody states a severity.
fn score(finding: &Finding) -> Option<f64> {
    let severity = finding.severity?;
    let stated = finding.cvss.iter().map(|cvss| cvss.score).fold(0.0, f64::max);
    if Severity::from_cvss_score(stated) == Some(severity) {
        return Some(stated);
    }
    Some(match severity {
        Severity::Critical => 9.5,
        Severity::High => 8.0,
        Severity::Medium => 5.5,
        Severity::Low => 2.0,
        // CVSS has no word below low, and GitHub shows nothing for 0.
        Severity::Negligible => 0.1,
    })
}

fn result<'a>(finding: &'a Finding, rule_index: usize, assessment: &'a Assessment) -> wire::Result<'a> {
    // Matching numbers the packages of this very inventory.
    let package = &assessment.inventory.packages[finding.package];
    let uri = match link::of_path(&package.evidence_path) {
        uri if uri.is_empty() => link::of_path(&assessment.image.reference),
        uri => uri,
    };
    let fingerprint = identity::fingerprint(&[
        &finding.id,
        package.ecosystem.name,
        &package.name,
        package.architecture.as_deref().unwrap_or_default(),
        &package.evidence_path,
    ]);
    wire::Result {
        rule_id: &finding.id,
        rule_index,
        level: level(finding.severity),
        message: Text::new(message(finding, package)),
        locations: [wire::Location {
            physical_location: wire::PhysicalLocation {
                artifact_location: wire::ArtifactLocation { uri, uri_base_id: ROOT },
                region: wire::Region { start_line: 1 },
            },
            logical_locations: [wire::LogicalLocation {
                name: &package.name,
                fully_qualified_name: if package.purl.is_empty() { &package.name } else { &package.purl },
                kind: "package",
            }],
        }],
        partial_fingerprints: wire::Fingerprints {
            github: format!("{}:1", fingerprint.get(..16).unwrap_or_default()),
            plimsoll: fingerprint,
        },
        properties: wire::ResultProperties {
            purl: &package.purl,
            installed_version: &package.version,
            fixed_in: finding.fixed_in.as_deref(),
            fix_state: finding.fix.name(),
            severity: heading::severity(finding.severity),
            severity_source: finding.severity_source.name(),
            status: finding.status.name(),
            feed: &finding.feed,
            advisory: &finding.advisory,
            range: &finding.evidence.range,
            layer: package.layer.as_ref().map(Digest::as_str),
            kev_date_added: finding.kev.as_ref().map(|kev| kev.date_added.as_str()),
            epss: finding.epss.map(|epss| epss.score),
        },
    }
}

fn message(finding: &Finding, package: &Package) -> String {
    let fix = match &finding.fixed_in {
        Some(version) => format!("fixed in {}", printable(version)),
        None => format!("no fix ({})", heading::fix(finding)),
    };
    let name = format!("{} {}", package.name, package.version);
    let text = format!(
        "{} has {} ({}, {fix}): {}",
        printable(name.trim_end()),
        printable(&finding.id),
        heading::severity(finding.severity),
        one_line(&finding.summary),
    );
    unlinked(&text).into_owned()
}

/// Brackets in a message are links to a viewer (section 3.11.6); a backslash makes them text.
fn unlinked(text: &str) -> Cow<'_, str> {
    if !text.contains(['[', ']', '\\']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]"))
}

fn invocation(assessment: &Assessment) -> wire::Invocation {
    let notifications = assessment
        .gaps()
        .into_iter()
        .map(|gap| wire::Notification {
            descriptor: wire::Descriptor { id: gap.kind.name() },
            level: if gap.kind.leaves_image_unjudged() { "error" } else { "warning" },
            message: Text::new(
                unlinked(&format!("{}: {}", printable(&gap.subject), one_line(&gap.detail))).into_owned(),
            ),
        })
        .collect();
    wire::Invocation {
        execution_successful: !matches!(assessment.verdict, Verdict::Undecided(_)),
        tool_execution_notifications: notifications,
    }
}

fn run_properties(assessment: &Assessment) -> wire::RunProperties<'_> {
    wire::RunProperties {
        image: &assessment.image.reference,
        digest: assessment.image.digest.as_ref().map(Digest::as_str),
        platform: assessment.image.platform.to_string(),
        distribution: heading::distro(assessment),
        database: assessment.database.as_ref().map(|database| database.id.as_str()),
        verdict: assessment.verdict.name(),
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
    }
}
