//! Where a scan stands: in Quay's five words, and in ours beside them.

use jiff::Timestamp;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Child, Progress, Scan, ScanKind, Severities};
use schemars::JsonSchema;
use serde::Serialize;

use crate::config::QuayApiConfig;
use crate::jobs::status::Standing;

/// Where a scan stands, exactly.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(super) struct ScanDetail {
    /// `queued`, `fetching`, `indexing`, `feeds_not_loaded`, `matching`, `retrying`, `completed`, `unsupported`,
    /// `failed` or `cancelled`; of the service itself `not_ready` or `unavailable`.
    pub(super) state: &'static str,
    /// Why it stands there.
    pub(super) reason: &'static str,
    /// The same for people, and what to do.
    pub(super) detail: String,
    /// Attempts that were begun.
    pub(super) attempt: u32,
    /// How often it may be tried.
    pub(super) max_attempts: u32,
    /// When it is tried again.
    pub(super) next_retry_at: Option<String>,
    /// How many scans are before it in the queue.
    pub(super) position: Option<u64>,
    /// When it was last put into the queue.
    pub(super) queued_at: Option<String>,
    /// When a worker first took it since then.
    pub(super) started_at: Option<String>,
    /// When it reached a final state.
    pub(super) finished_at: Option<String>,
    /// How far the worker is.
    pub(super) progress: Option<ProgressDetail>,
    /// Feeds that it waits for.
    pub(super) awaited_feeds: Vec<String>,
    /// Findings by severity, of all images of an index together.
    pub(super) findings: Option<Findings>,
    /// The advisory database that it was held against.
    pub(super) database: Option<DatabaseDetail>,
    /// Which feeds the image needs, and how each stands.
    pub(super) coverage: Vec<CoverageDetail>,
    /// What could not be read, compared or known.
    pub(super) gaps: Vec<GapDetail>,
    /// Of an index: what it names, in its order.
    pub(super) children: Vec<ChildDetail>,
}

/// How far a worker is.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct ProgressDetail {
    layers_done: u32,
    layers: u32,
    bytes_done: u64,
    bytes: u64,
}

/// How many findings there are of each severity.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct Findings {
    critical: u32,
    high: u32,
    medium: u32,
    low: u32,
    negligible: u32,
    unknown: u32,
}

/// An advisory database.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct DatabaseDetail {
    id: String,
    built_at: String,
}

/// A feed that the image needs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct CoverageDetail {
    needs: String,
    feed: String,
    /// `loaded`, `stale`, `missing`, `off` or `unsupported`.
    state: &'static str,
    data_date: Option<String>,
    failing_since: Option<String>,
    packages: usize,
}

/// What could not be read, compared or known.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct GapDetail {
    kind: &'static str,
    subject: String,
    detail: String,
}

/// One entry of an index.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct ChildDetail {
    pub(super) digest: String,
    /// `os/architecture[/variant]`; empty where the index does not say.
    platform: String,
    media_type: String,
    size: u64,
    /// Whether it is something about an image instead of an image, and so is not scanned.
    is_attestation: bool,
    /// Quay's word; nothing where it is not scanned.
    pub(super) status: Option<&'static str>,
    state: Option<&'static str>,
    reason: Option<&'static str>,
    detail: Option<String>,
    findings: Option<Findings>,
}

/// Quay's word for where a scan stands.
pub(super) fn status_word(state: ScanState, reason: Reason, config: &QuayApiConfig) -> &'static str {
    match state {
        ScanState::Completed => "scanned",
        ScanState::Unsupported if reason == Reason::LayerTooLarge && config.layer_too_large_is_own_status => {
            "manifest_layer_too_large"
        }
        ScanState::Unsupported => "unsupported",
        ScanState::Failed | ScanState::Cancelled => "failed",
        ScanState::Queued
        | ScanState::Fetching
        | ScanState::Indexing
        | ScanState::FeedsNotLoaded
        | ScanState::Matching
        | ScanState::Retrying
        | ScanState::NotReady
        | ScanState::Unavailable => "queued",
    }
}

/// Quay's word for an image or an index. Quay itself never scans an index and calls it `unsupported`, once it has
/// looked at it; its pages then show the children.
pub(super) fn status(standing: &Standing, config: &QuayApiConfig) -> &'static str {
    let Scan { kind, state, reason, .. } = standing.scan;
    match kind {
        ScanKind::Index if state.is_final() && !standing.children.is_empty() => "unsupported",
        _ => status_word(state, reason, config),
    }
}

impl ScanDetail {
    /// Where a scan stands.
    pub(super) fn of(standing: &Standing, config: &QuayApiConfig) -> ScanDetail {
        let scan = &standing.scan;
        let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let children = standing.children.iter();
        ScanDetail {
            detail: scan.detail.clone(),
            attempt: scan.attempt,
            max_attempts: scan.attempts_max,
            next_retry_at: time(scan.retry_at),
            position: scan.position,
            queued_at: Some(scan.queued_at.to_string()),
            started_at: time(scan.started_at),
            finished_at: time(scan.finished_at),
            progress: scan.progress.map(ProgressDetail::of),
            awaited_feeds: scan.awaited.clone(),
            findings: standing.findings().map(Findings::of),
            database: scan.judged.as_ref().map(|judged| DatabaseDetail {
                id: judged.database.clone(),
                built_at: judged.database_built_at.clone(),
            }),
            children: children.map(|(child, scan)| ChildDetail::of(child, scan.as_ref(), config)).collect(),
            ..ScanDetail::of_state(scan.state, scan.reason)
        }
    }

    /// Where a scan stands of which nothing else is known.
    pub(super) fn of_state(state: ScanState, reason: Reason) -> ScanDetail {
        ScanDetail { state: state.name(), reason: reason.name(), ..ScanDetail::default() }
    }

    /// Says with what it was judged now.
    pub(super) fn judged_by(&mut self, assessment: &Assessment) {
        self.database = assessment
            .database
            .as_ref()
            .map(|database| DatabaseDetail { id: database.id.clone(), built_at: database.built_at.clone() });
        let coverage = assessment.findings.coverage.iter().map(|need| CoverageDetail {
            needs: need.needs.clone(),
            feed: need.feed.clone(),
            state: need.state.name(),
            data_date: need.data_date.clone(),
            failing_since: need.failing_since.clone(),
            packages: need.packages,
        });
        self.coverage = coverage.collect();
        let gaps = assessment.gaps().into_iter().map(|gap| GapDetail {
            kind: gap.kind.name(),
            subject: gap.subject.clone(),
            detail: gap.detail.clone(),
        });
        self.gaps = gaps.collect();
    }
}

impl ProgressDetail {
    fn of(progress: Progress) -> ProgressDetail {
        let Progress { layers_done, layers, bytes_done, bytes } = progress;
        ProgressDetail { layers_done, layers, bytes_done, bytes }
    }
}

impl Findings {
    pub(super) fn of(severities: Severities) -> Findings {
        let Severities { critical, high, medium, low, negligible, unknown } = severities;
        Findings { critical, high, medium, low, negligible, unknown }
    }
}

impl ChildDetail {
    fn of(child: &Child, scan: Option<&Scan>, config: &QuayApiConfig) -> ChildDetail {
        ChildDetail {
            digest: child.digest.as_str().to_owned(),
            platform: child.platform.clone(),
            media_type: child.media_type.clone(),
            size: child.size,
            is_attestation: child.is_attestation,
            status: scan.map(|scan| status_word(scan.state, scan.reason, config)),
            state: scan.map(|scan| scan.state.name()),
            reason: scan.map(|scan| scan.reason.name()),
            detail: scan.map(|scan| scan.detail.clone()),
            findings: scan.and_then(|scan| scan.judged.as_ref()).map(|judged| Findings::of(judged.findings)),
        }
    }
}
