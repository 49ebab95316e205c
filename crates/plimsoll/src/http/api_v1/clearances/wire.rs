//! What the API says of clearances, as JSON: the shapes alone.

use plimsoll_core::digest::Digest;
use plimsoll_store::{Hearing, Record, Spoken};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a clearance stands.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClearanceStatus {
    /// By which it is asked for.
    pub(crate) id: String,
    /// Counts clearances; later ones are larger.
    pub(crate) number: u64,
    /// Where to ask for it.
    pub(crate) url: String,
    /// Name of the policy.
    pub(crate) policy: String,
    /// Who asked first.
    pub(crate) asked_by: String,
    /// Where it stands: `queued`, `running`, `retrying`, `decided` or `failed`.
    pub(crate) state: String,
    /// Why it stands there.
    pub(crate) reason: String,
    /// The same for people.
    pub(crate) detail: String,
    /// Whether nothing more happens to it by itself.
    pub(crate) is_final: bool,
    /// Since when it stands there.
    pub(crate) since: String,
    /// When it was asked for.
    pub(crate) queued_at: String,
    /// When a worker first took it.
    pub(crate) started_at: Option<String>,
    /// When it was decided, or failed.
    pub(crate) finished_at: Option<String>,
    /// Attempts that were begun.
    pub(crate) attempt: u32,
    /// How often it may be tried.
    pub(crate) max_attempts: u32,
    /// When it is tried again.
    pub(crate) retry_at: Option<String>,
    /// What was decided of all of it: `cleared`, `undecided` or `refused`.
    pub(crate) verdict: Option<String>,
    /// Until when what is cleared may be acted on.
    pub(crate) holds_until: Option<String>,
    /// Number of the record.
    pub(crate) record: Option<u64>,
    /// What was decided; not in lists.
    pub(crate) decided: Option<ClearanceDecided>,
}

/// What was decided, as it is recorded.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClearanceDecided {
    /// `sha256:..` of the record.
    pub(crate) record_digest: String,
    /// The digest of the record before it.
    pub(crate) previous: Option<String>,
    /// Whether the records up to this one are as they were written, as far as anybody has looked.
    pub(crate) is_whole: bool,
    /// When.
    pub(crate) decided_at: String,
    /// Files of the policies and their waivers.
    pub(crate) policies: Vec<ClearanceFile>,
    /// `sha256:..` of the advisory database; none where no policy asks.
    pub(crate) database: Option<String>,
    /// How closely was looked: `exists` or `content`.
    pub(crate) level: String,
    /// What is said of each digest.
    pub(crate) digests: Vec<ClearanceDigest>,
}

/// A file that was read.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClearanceFile {
    /// Its name.
    pub(crate) name: String,
    /// The digest of its bytes.
    pub(crate) digest: String,
}

/// What is said of one digest.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClearanceDigest {
    /// The digest.
    pub(crate) digest: String,
    /// The digest that was judged: the index that it is an image of, or the same.
    pub(crate) subject: String,
    /// The repositories in which it was judged, or for which.
    pub(crate) repositories: Vec<String>,
    /// `cleared`, `undecided` or `refused`.
    pub(crate) verdict: String,
    /// The first checks that keep it from being cleared.
    pub(crate) why: Vec<String>,
}

/// A list of clearances.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ClearanceList {
    /// The clearances, the newest first.
    pub(crate) clearances: Vec<ClearanceStatus>,
    /// What to give as `before` for those that follow.
    pub(crate) next: Option<u64>,
}

/// What was decided of one digest.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DigestHistory {
    /// The newest first.
    pub(crate) clearances: Vec<HistoryEntry>,
    /// What to give as `before` for those that follow.
    pub(crate) next: Option<u64>,
}

/// What one record says of a digest.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct HistoryEntry {
    /// The clearance.
    pub(crate) id: String,
    /// Number of the record.
    pub(crate) record: u64,
    /// `sha256:..` of the record.
    pub(crate) record_digest: String,
    /// When.
    pub(crate) decided_at: String,
    /// Until when it may be acted on.
    pub(crate) holds_until: Option<String>,
    /// Name of the policy.
    pub(crate) policy: String,
    /// What is said.
    #[serde(flatten)]
    pub(crate) said: ClearanceDigest,
}

impl ClearanceStatus {
    pub(crate) fn of(hearing: &Hearing) -> ClearanceStatus {
        let time = |time: Option<jiff::Timestamp>| time.map(|time| time.to_string());
        ClearanceStatus {
            id: hearing.id.clone(),
            number: hearing.number,
            url: format!("/api/v1/clearances/{}", hearing.id),
            policy: hearing.policy.clone(),
            asked_by: hearing.asked_by.clone(),
            state: hearing.state.name().to_owned(),
            reason: hearing.reason.name().to_owned(),
            detail: hearing.detail.clone(),
            is_final: hearing.state.is_final(),
            since: hearing.since.to_string(),
            queued_at: hearing.queued_at.to_string(),
            started_at: time(hearing.started_at),
            finished_at: time(hearing.finished_at),
            attempt: hearing.attempt,
            max_attempts: hearing.attempts_max,
            retry_at: time(hearing.retry_at),
            verdict: hearing.verdict.map(|verdict| verdict.name().to_owned()),
            holds_until: time(hearing.holds_until),
            record: hearing.record,
            decided: None,
        }
    }
}

impl ClearanceDecided {
    pub(crate) fn of(record: &Record, is_whole: bool) -> ClearanceDecided {
        let decision = &record.decision;
        ClearanceDecided {
            record_digest: record.digest.as_str().to_owned(),
            previous: record.previous.as_ref().map(|digest| digest.as_str().to_owned()),
            is_whole,
            decided_at: record.decided_at.to_string(),
            policies: decision
                .policies
                .iter()
                .map(|(name, digest)| ClearanceFile {
                    name: name.clone(),
                    digest: digest.as_str().to_owned(),
                })
                .collect(),
            database: decision.database.clone(),
            level: decision.level.clone(),
            digests: decision.spoken.iter().map(|spoken| ClearanceDigest::of(record, spoken)).collect(),
        }
    }
}

impl ClearanceDigest {
    fn of(record: &Record, spoken: &Spoken) -> ClearanceDigest {
        ClearanceDigest {
            digest: spoken.digest.as_str().to_owned(),
            subject: spoken.subject.as_str().to_owned(),
            repositories: spoken.repositories.clone(),
            verdict: spoken.verdict.name().to_owned(),
            why: record.why(spoken).to_vec(),
        }
    }
}

impl HistoryEntry {
    /// All that a record says of a digest.
    pub(crate) fn of(record: &Record, digest: &Digest) -> Vec<HistoryEntry> {
        let spoken = record.decision.spoken.iter().filter(|spoken| spoken.digest == *digest);
        spoken
            .map(|spoken| HistoryEntry {
                id: record.hearing.clone(),
                record: record.number,
                record_digest: record.digest.as_str().to_owned(),
                decided_at: record.decided_at.to_string(),
                holds_until: record.decision.holds_until.map(|until| until.to_string()),
                policy: record.decision.policy.clone(),
                said: ClearanceDigest::of(record, spoken),
            })
            .collect()
    }
}
