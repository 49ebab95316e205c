//! What the API says, as JSON: the shapes alone.

use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Child, Judged, Progress, Scan, ScanKind, Severities};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::jobs::status::Standing;

/// Where a scan stands.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ScanStatus {
    /// By which it is asked for: the digest, or `ref-..` while a name's digest is not known yet.
    pub(crate) id: String,
    /// `reference`, `digest`, `image` or `index`.
    pub(crate) kind: String,
    /// The manifest's digest, once it is known.
    pub(crate) digest: Option<String>,
    /// The reference as it was first given.
    pub(crate) reference: Option<String>,
    /// Where it stands: `queued`, `fetching`, `indexing`, `feeds_not_loaded`, `matching`, `retrying`, `completed`,
    /// `unsupported`, `failed` or `cancelled`; of the service itself `not_ready` or `unavailable`.
    pub(crate) state: String,
    /// Why it stands there.
    pub(crate) reason: String,
    /// The same for people, and what to do.
    pub(crate) detail: String,
    /// Whether nothing more happens to it by itself.
    pub(crate) is_final: bool,
    /// Since when it stands there.
    pub(crate) since: String,
    /// When it was last put into the queue.
    pub(crate) queued_at: String,
    /// When a worker first took it since then.
    pub(crate) started_at: Option<String>,
    /// When it reached a final state.
    pub(crate) finished_at: Option<String>,
    /// Attempts that were begun since it was put into the queue.
    pub(crate) attempt: u32,
    /// How often it may be tried.
    pub(crate) max_attempts: u32,
    /// When it is tried again.
    pub(crate) retry_at: Option<String>,
    /// How many scans are before it in the queue.
    pub(crate) position: Option<u64>,
    /// How far the worker is.
    pub(crate) progress: Option<ScanProgress>,
    /// Feeds that it waits for.
    pub(crate) awaited_feeds: Vec<String>,
    /// What was last found.
    pub(crate) result: Option<ScanResult>,
    /// For an index: what it names, in its order.
    pub(crate) children: Vec<ScanChild>,
}

/// How far a worker is.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ScanProgress {
    /// Layers that are done.
    pub(crate) layers_done: u32,
    /// Layers there are.
    pub(crate) layers: u32,
    /// Stored bytes read so far.
    pub(crate) bytes_done: u64,
    /// Stored bytes there are; 0 where that is not known.
    pub(crate) bytes: u64,
}

/// What was last found.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ScanResult {
    /// `sha256:..` of the advisory database that it was held against.
    pub(crate) database: String,
    /// When that was built.
    pub(crate) database_built_at: String,
    /// When it was held against it.
    pub(crate) at: String,
    /// Packages.
    pub(crate) packages: u32,
    /// Findings by severity.
    pub(crate) findings: SeverityCounts,
    /// Findings that have a fix.
    pub(crate) fixable: u32,
    /// Findings that CISA lists as exploited.
    pub(crate) exploited: u32,
    /// What could not be read, compared or known.
    pub(crate) gaps: u32,
    /// Feeds that the image needs and that are old, missing, off or failing.
    pub(crate) late_feeds: Vec<LateFeed>,
}

/// How many findings there are of each severity.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SeverityCounts {
    /// Critical.
    pub(crate) critical: u32,
    /// High.
    pub(crate) high: u32,
    /// Medium.
    pub(crate) medium: u32,
    /// Low.
    pub(crate) low: u32,
    /// Negligible.
    pub(crate) negligible: u32,
    /// Nobody says.
    pub(crate) unknown: u32,
}

/// A feed that is not as it should be.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LateFeed {
    /// Its name.
    pub(crate) feed: String,
    /// `stale`, `missing`, `off`, `unsupported` or `failing`.
    pub(crate) state: String,
}

/// One entry of an index.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ScanChild {
    /// Its digest.
    pub(crate) digest: String,
    /// `os/architecture[/variant]`; empty where the index does not say.
    pub(crate) platform: String,
    /// Its media type.
    pub(crate) media_type: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// Whether it is something about an image instead of an image, and so is not scanned.
    pub(crate) is_attestation: bool,
    /// Where its own scan stands.
    pub(crate) scan: Option<Box<ScanStatus>>,
}

/// A list of scans.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ScanList {
    /// The scans, in the order of their ids.
    pub(crate) scans: Vec<ScanStatus>,
    /// What to give as `after` for those that follow.
    pub(crate) next: Option<String>,
}

/// What is to be scanned: `reference`, or `manifest`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ScanRequest {
    /// An image in a registry: `HOST/REPO[:TAG][@DIGEST]`.
    pub(crate) reference: Option<String>,
    /// `Basic ..` or `Bearer ..` to send to that registry, for this scan alone.
    pub(crate) authorization: Option<String>,
    /// A manifest as Clair's clients give it.
    pub(crate) manifest: Option<ManifestRequest>,
    /// Whether it is scanned again although it is scanned.
    pub(crate) force: bool,
}

/// A manifest as Clair's clients give it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ManifestRequest {
    /// The manifest's digest.
    pub(crate) hash: String,
    /// Its layers, lowest first.
    pub(crate) layers: Vec<LayerRequest>,
}

/// A layer as Clair's clients give it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LayerRequest {
    /// Its digest.
    pub(crate) hash: String,
    /// Where it is.
    pub(crate) uri: String,
    /// What to send along, to that origin alone.
    #[serde(default)]
    pub(crate) headers: std::collections::BTreeMap<String, Vec<String>>,
}

/// The answer to whether an image may ship.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct VerdictAnswer {
    /// `cleared`, `refused`, `undecided` or `nothing-demanded`: of all images together the worst.
    pub(crate) verdict: String,
    /// Each image: one, or those of an index.
    pub(crate) images: Vec<ImageVerdict>,
}

/// The verdict of one image.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ImageVerdict {
    /// The manifest's digest.
    pub(crate) digest: String,
    /// `os/architecture[/variant]`.
    pub(crate) platform: String,
    /// `cleared`, `refused`, `undecided` or `nothing-demanded`.
    pub(crate) verdict: String,
    /// Why it is refused, each a sentence.
    pub(crate) reasons: Vec<String>,
    /// What is not known, each a sentence.
    pub(crate) gaps: Vec<String>,
    /// Findings by severity.
    pub(crate) findings: SeverityCounts,
    /// Findings that have a fix.
    pub(crate) fixable: u32,
}

/// A problem document (RFC 9457).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Problem {
    /// Always `about:blank`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The status in words.
    pub(crate) title: String,
    /// HTTP status.
    pub(crate) status: u16,
    /// A stable word: `not_found`, `bad_request`, `not_ready`, ..
    pub(crate) code: String,
    /// What failed, on what, what to do.
    pub(crate) detail: String,
}

impl ScanStatus {
    /// Of a scan and, where it is of an index, its children.
    pub(crate) fn of(standing: &Standing) -> ScanStatus {
        let children = standing.children.iter().map(|(child, scan)| ScanChild::of(child, scan.as_ref()));
        ScanStatus { children: children.collect(), ..ScanStatus::of_scan(&standing.scan) }
    }

    /// Of a scan alone.
    pub(crate) fn of_scan(scan: &Scan) -> ScanStatus {
        let kind = match scan.kind {
            ScanKind::Reference => "reference",
            ScanKind::Digest => "digest",
            ScanKind::Image => "image",
            ScanKind::Index => "index",
        };
        ScanStatus {
            id: scan.id.clone(),
            kind: kind.to_owned(),
            digest: scan.digest.as_ref().map(|digest| digest.as_str().to_owned()),
            reference: Some(scan.reference.clone()).filter(|text| !text.is_empty()),
            state: scan.state.name().to_owned(),
            reason: scan.reason.name().to_owned(),
            detail: scan.detail.clone(),
            is_final: scan.state.is_final(),
            since: scan.since.to_string(),
            queued_at: scan.queued_at.to_string(),
            started_at: scan.started_at.map(|at| at.to_string()),
            finished_at: scan.finished_at.map(|at| at.to_string()),
            attempt: scan.attempt,
            max_attempts: scan.attempts_max,
            retry_at: scan.retry_at.map(|at| at.to_string()),
            position: scan.position,
            progress: scan.progress.map(ScanProgress::of),
            awaited_feeds: scan.awaited.clone(),
            result: scan.judged.as_ref().map(ScanResult::of),
            children: Vec::new(),
        }
    }

    /// What is said where the service cannot look: a state of the service itself.
    pub(crate) fn of_service(
        id: &str,
        state: ScanState,
        reason: Reason,
        detail: &str,
        now: &str,
    ) -> ScanStatus {
        ScanStatus {
            id: id.to_owned(),
            kind: "reference".to_owned(),
            digest: None,
            reference: None,
            state: state.name().to_owned(),
            reason: reason.name().to_owned(),
            detail: detail.to_owned(),
            is_final: false,
            since: now.to_owned(),
            queued_at: now.to_owned(),
            started_at: None,
            finished_at: None,
            attempt: 0,
            max_attempts: 0,
            retry_at: None,
            position: None,
            progress: None,
            awaited_feeds: Vec::new(),
            result: None,
            children: Vec::new(),
        }
    }
}

impl ScanProgress {
    fn of(progress: Progress) -> ScanProgress {
        let Progress { layers_done, layers, bytes_done, bytes } = progress;
        ScanProgress { layers_done, layers, bytes_done, bytes }
    }
}

impl ScanResult {
    fn of(judged: &Judged) -> ScanResult {
        let late = judged.late_feeds.iter();
        ScanResult {
            database: judged.database.clone(),
            database_built_at: judged.database_built_at.clone(),
            at: judged.at.to_string(),
            packages: judged.packages,
            findings: SeverityCounts::of(judged.findings),
            fixable: judged.fixable,
            exploited: judged.exploited,
            gaps: judged.gaps,
            late_feeds: late
                .map(|(feed, state)| LateFeed { feed: feed.clone(), state: state.clone() })
                .collect(),
        }
    }
}

impl SeverityCounts {
    /// Of counts as the store has them.
    pub(crate) fn of(severities: Severities) -> SeverityCounts {
        let Severities { critical, high, medium, low, negligible, unknown } = severities;
        SeverityCounts { critical, high, medium, low, negligible, unknown }
    }
}

impl ScanChild {
    fn of(child: &Child, scan: Option<&Scan>) -> ScanChild {
        ScanChild {
            digest: child.digest.as_str().to_owned(),
            platform: child.platform.clone(),
            media_type: child.media_type.clone(),
            size: child.size,
            is_attestation: child.is_attestation,
            scan: scan.map(|scan| Box::new(ScanStatus::of_scan(scan))),
        }
    }
}
