//! From an inventory to what is noted of it: counts, and whether there is anything to match it against yet.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::coverage::{Coverage, CoverageState};
use plimsoll_core::finding::Finding;
use plimsoll_core::gap::GapKind;
use plimsoll_core::policy::Policy;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_feeds::status::attempts;
use plimsoll_store::{InventoryRow, Judged, Outcome, Severities};

use crate::config::Config;
use crate::pipeline;
use crate::server::Advised;

/// How a scan ends whose image is indexed.
pub(crate) fn outcome(
    row: InventoryRow,
    config: &Config,
    data_dir: &Path,
    advised: &Advised,
    now: Timestamp,
) -> Outcome {
    let database = advised.database.as_ref().map_err(String::as_str);
    let catalogued = (row.image.clone(), row.inventory.clone());
    let assessment = pipeline::assess(catalogued, database, &advised.standings, &Policy::default());
    let inventory = Box::new(row);
    let built_at = assessment.database.as_ref().map_or("", |database| database.built_at.as_str());
    let awaited = awaited(&assessment, |feed| {
        config.server.updates_feeds
            && config.is_enabled(feed)
            && attempts(data_dir, feed).is_to_come(built_at)
    });
    if let Err(why) = database {
        let detail = match awaited.is_empty() {
            true => format!("{why}; have feeds fetched or imported"),
            false => format!("{why}; it waits for {}", awaited.join(", ")),
        };
        return Outcome::Awaiting { inventory, reason: Reason::NoDatabase, awaited, detail };
    }
    if !awaited.is_empty() {
        let detail = format!("feeds that judge it were never loaded and are to come: {}", awaited.join(", "));
        return Outcome::Awaiting { inventory, reason: Reason::FeedsAwaited, awaited, detail };
    }
    let judged = judged(&assessment, now);
    let (state, reason, detail) = verdict(&assessment);
    Outcome::Judged { inventory, judged, state, reason, detail }
}

/// The feeds that an image needs, that the database lacks, and that are still to come, sorted.
fn awaited(assessment: &Assessment, is_to_come: impl Fn(&str) -> bool) -> Vec<String> {
    let lacks = |need: &&Coverage| need.packages > 0 && need.state == CoverageState::Missing;
    let feeds: BTreeSet<&str> = assessment
        .findings
        .coverage
        .iter()
        .filter(lacks)
        .map(|need| need.feed.as_str())
        .filter(|feed| is_to_come(feed))
        .collect();
    feeds.into_iter().map(str::to_owned).collect()
}

/// Whether an image that was held against the database counts as scanned. Where nothing says what it is, it is not
/// supported; where feeds are missing or off, it is scanned with gaps, since it is judged as soon as they are there. What
/// is to be said of it until then is [`Assessment::is_judged`]'s to decide.
fn verdict(assessment: &Assessment) -> (ScanState, Reason, String) {
    let Assessment { inventory, findings, .. } = assessment;
    let is_judged = assessment.is_judged();
    let is_unknown = || {
        let mut gaps = inventory.gaps.iter().chain(&findings.gaps);
        inventory.distro.is_none() && gaps.any(|gap| gap.kind == GapKind::UnknownDistro)
    };
    if !is_judged && is_unknown() {
        return (ScanState::Unsupported, Reason::UnknownOs, assessment.why_unjudged());
    }
    let gaps = assessment.gaps().len();
    let found = findings.findings.len();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let found = match is_judged {
        true => format!("{found} finding{}", plural(found)),
        false => assessment.why_unjudged(),
    };
    if gaps == 0 && is_judged {
        return (ScanState::Completed, Reason::Complete, found);
    }
    (ScanState::Completed, Reason::WithGaps, format!("{found}, {gaps} gap{}", plural(gaps)))
}

/// What was found, in short.
pub(crate) fn judged(assessment: &Assessment, now: Timestamp) -> Judged {
    let database = assessment.database.clone().unwrap_or_default();
    let findings = &assessment.findings.findings;
    let count = |is: fn(&Finding) -> bool| number(findings.iter().filter(|finding| is(finding)).count());
    let late = |need: &&Coverage| need.packages > 0 && !need.is_fresh();
    let late_feeds: BTreeSet<(String, String)> = assessment
        .findings
        .coverage
        .iter()
        .filter(late)
        .map(|need| {
            let state = if need.failing_since.is_some() && need.state.is_there() {
                "failing"
            } else {
                need.state.name()
            };
            (need.feed.clone(), state.to_owned())
        })
        .collect();
    Judged {
        database: database.id,
        database_built_at: database.built_at,
        at: now,
        packages: number(assessment.inventory.packages.len()),
        findings: severities(findings),
        fixable: count(|finding| finding.fixed_in.is_some()),
        exploited: count(|finding| finding.kev.is_some()),
        gaps: number(assessment.gaps().len()),
        late_feeds: late_feeds.into_iter().collect(),
        layer_bytes: Some(
            assessment.image.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size)),
        ),
    }
}

/// Findings by severity.
pub(crate) fn severities(findings: &[Finding]) -> Severities {
    let mut counts = Severities::default();
    for finding in findings {
        *counts.of_mut(finding.severity) += 1;
    }
    counts
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
