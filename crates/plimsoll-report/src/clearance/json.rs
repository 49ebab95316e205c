//! Our own JSON (`plimsoll/clearance/1`): everything that is known, in the order of the manifests and of the checks.
//!
//! `docs/schema/clearance-1.json` is its schema. `plimsoll promote` acts on this document.

use std::io::{self, Write};

use plimsoll_core::clearance::{self, Clearance, Entry, Seen, Trouble};
use plimsoll_core::digest::Digest;
use plimsoll_core::promotion::{Change, ChangeKind};
use schemars::JsonSchema;
use serde::Serialize;

use super::Format;
use crate::formats::write_json;

mod evidence;

/// What a document says that it is.
pub const SCHEMA: &str = "plimsoll/clearance/1";

/// The row.
pub(crate) static FORMAT: Format =
    Format { name: "json", title: "everything, for programs", media_type: "application/json", write };

/// The schema of the document, as JSON.
pub fn schema() -> String {
    let generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
    let schema = generator.into_root_schema_for::<Document<'_>>();
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}

fn write(clearance: &Clearance, version: &str, out: &mut dyn Write) -> io::Result<()> {
    write_json(&Document::of(clearance, version), out)
}

/// A clearance.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Clearance")]
struct Document<'a> {
    schema: SchemaName,
    /// Version of Plimsoll.
    version: &'a str,
    verdict: Verdict,
    summary: Summary,
    inputs: Inputs<'a>,
    /// What the manifests change, where they were compared with a base.
    changes: Vec<WireChange<'a>>,
    /// Checks of the manifests themselves.
    checks: Vec<WireCheck<'a>>,
    entries: Vec<WireEntry<'a>>,
    /// What was not checked.
    unchecked: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
enum SchemaName {
    #[serde(rename = "plimsoll/clearance/1")]
    V1,
}

/// The worst of all.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Cleared,
    Undecided,
    Refused,
}

impl From<clearance::Verdict> for Verdict {
    fn from(verdict: clearance::Verdict) -> Verdict {
        match verdict {
            clearance::Verdict::Cleared => Verdict::Cleared,
            clearance::Verdict::Undecided => Verdict::Undecided,
            clearance::Verdict::Refused => Verdict::Refused,
        }
    }
}

/// How many entries came to each verdict.
#[derive(Serialize, JsonSchema)]
struct Summary {
    cleared: usize,
    undecided: usize,
    refused: usize,
}

/// What the answer was made from.
#[derive(Serialize, JsonSchema)]
struct Inputs<'a> {
    /// When it was asked, to the hour; `plimsoll promote` acts on it for a day.
    asked: Option<&'a str>,
    /// The commit that manifests were compared with.
    base: Option<&'a str>,
    /// Files that were read.
    files: Vec<File<'a>>,
    /// How closely was looked: `exists` or `content`.
    level: &'a str,
    /// Policies, as they were read from the commit that is trusted.
    policies: Vec<WirePolicy<'a>>,
    /// The advisory database.
    database: Option<Database<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct WirePolicy<'a> {
    name: &'a str,
    path: &'a str,
    digest: &'a str,
    /// The commit that it was read from; none for the file as it was.
    commit: Option<&'a str>,
    /// Files that it names: waivers, roots of trust, keys.
    files: Vec<File<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct File<'a> {
    path: &'a str,
    digest: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct Database<'a> {
    id: &'a str,
}

/// One thing that differs from the base.
#[derive(Serialize, JsonSchema)]
struct WireChange<'a> {
    project: &'a str,
    image: &'a str,
    /// `digest-added`, `tags-added`, `digest-removed`, `tags-removed`, `tag-moved`, `registries-touched`.
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    /// Whose a tag was that is moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'a str>,
}

/// One check.
#[derive(Serialize, JsonSchema)]
struct WireCheck<'a> {
    /// Stable name, `ref.exists`.
    id: &'a str,
    /// `PASS`, `FAIL`, `MISSING`, `ERROR`, `WAIVED` or `N/A`.
    outcome: &'a str,
    /// What it means where it does not hold: `refuse`, `warn` or `inform`.
    weight: &'a str,
    /// What was compared, or what is wrong.
    detail: &'a str,
}

/// One digest, judged.
#[derive(Serialize, JsonSchema)]
struct WireEntry<'a> {
    name: &'a str,
    project: &'a str,
    /// The repository where it is.
    source: &'a str,
    /// The digest that was asked for; none where only a tag was named.
    digest: Option<&'a str>,
    /// The digest of the bytes that were seen.
    seen: Option<&'a str>,
    tags: &'a [String],
    verdict: Verdict,
    /// The name of the policy that is for it.
    policy: Option<&'a str>,
    checks: Vec<WireCheck<'a>>,
    /// What an index names.
    children: Vec<WireChild<'a>>,
    images: Vec<WireImage<'a>>,
    destinations: Vec<WireDestination<'a>>,
    /// What speaks of it: signatures, attestations, claims; none where it was not looked for.
    evidence: Option<evidence::WireEvidence<'a>>,
    /// What is known to be wrong, worst first; none where no policy asks.
    flaws: Option<Vec<WireFlaw<'a>>>,
}

/// One flaw of one package.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WireFlaw<'a> {
    id: &'a str,
    package: &'a str,
    version: &'a str,
    severity: Option<&'a str>,
    fixed_in: Option<&'a str>,
    /// Whether what the destination holds has it not; none where that is not known.
    is_new: Option<bool>,
    /// `by-none`, `warned`, `refused`, `untold`, `waived`, `expired` or `harmless`.
    held: &'a str,
    /// Who answers for it, where it is waived.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiver: Option<WireWaiver<'a>>,
}

/// Somebody's word on a flaw.
#[derive(Serialize, JsonSchema)]
struct WireWaiver<'a> {
    owner: &'a str,
    reason: &'a str,
    /// The day on which it runs out.
    expires: String,
}

/// What an index names.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WireChild<'a> {
    digest: &'a str,
    platform: Option<String>,
    /// Whether it is a statement that nobody signed, not an image.
    is_attestation: bool,
    /// Size in bytes, where it was read.
    size: Option<u64>,
}

/// One image.
#[derive(Serialize, JsonSchema)]
struct WireImage<'a> {
    digest: &'a str,
    /// As its config says.
    platform: Option<String>,
    layers: Vec<WireLayer<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct WireLayer<'a> {
    digest: &'a str,
    /// Size in bytes, as the manifest states it.
    size: u64,
}

/// Where it is to be promoted to.
#[derive(Serialize, JsonSchema)]
struct WireDestination<'a> {
    repository: &'a str,
    tags: Vec<WireTag<'a>>,
}

/// What a tag points to at the destination.
#[derive(Serialize, JsonSchema)]
struct WireTag<'a> {
    tag: &'a str,
    /// `free`, `there` or `unknown`.
    state: &'a str,
    digest: Option<&'a str>,
}

impl<'a> Document<'a> {
    fn of(clearance: &'a Clearance, version: &'a str) -> Document<'a> {
        let [cleared, undecided, refused] = clearance.counts();
        let inputs = &clearance.inputs;
        Document {
            schema: SchemaName::V1,
            version,
            verdict: clearance.verdict().into(),
            summary: Summary { cleared, undecided, refused },
            inputs: Inputs {
                asked: inputs.asked.as_deref(),
                base: inputs.base.as_deref(),
                files: inputs.files.iter().map(file).collect(),
                level: inputs.level.name(),
                policies: inputs
                    .policies
                    .iter()
                    .map(|policy| WirePolicy {
                        name: &policy.name,
                        path: &policy.file,
                        digest: policy.digest.as_str(),
                        commit: policy.commit.as_deref(),
                        files: policy.names.iter().map(file).collect(),
                    })
                    .collect(),
                database: inputs.database.as_ref().map(|database| Database { id: &database.id }),
            },
            changes: clearance.changes.iter().map(change).collect(),
            checks: clearance.checks.iter().map(check).collect(),
            entries: clearance.entries.iter().map(entry).collect(),
            unchecked: clearance.unchecked(),
        }
    }
}

fn file((path, digest): &(String, Digest)) -> File<'_> {
    File { path, digest: digest.as_str() }
}

fn change(change: &Change) -> WireChange<'_> {
    let (digest, from, tags): (Option<&Digest>, Option<&Digest>, Vec<&str>) = match &change.kind {
        ChangeKind::DigestAdded(digest) | ChangeKind::DigestRemoved(digest) => {
            (Some(digest), None, Vec::new())
        }
        ChangeKind::TagsAdded(digest, tags) | ChangeKind::TagsRemoved(digest, tags) => {
            (Some(digest), None, tags.iter().map(String::as_str).collect())
        }
        ChangeKind::TagMoved { tag, from, to } => (Some(to), Some(from), vec![tag]),
        ChangeKind::RegistriesTouched => (None, None, Vec::new()),
    };
    WireChange {
        project: &change.project,
        image: &change.image,
        kind: change.kind.name(),
        digest: digest.map(Digest::as_str),
        from: from.map(Digest::as_str),
        tags,
    }
}

fn check(check: &clearance::Check) -> WireCheck<'_> {
    WireCheck {
        id: check.id,
        outcome: check.outcome.name(),
        weight: check.weight.name(),
        detail: &check.detail,
    }
}

fn entry(entry: &Entry) -> WireEntry<'_> {
    let (asked, seen) = (&entry.candidate, &entry.observed);
    WireEntry {
        name: &asked.name,
        project: &asked.project,
        source: &asked.source,
        digest: asked.digest.as_ref().map(Digest::as_str),
        seen: seen.top.as_ref().ok().map(|top| top.digest.as_str()),
        tags: &asked.tags,
        verdict: entry.verdict().into(),
        policy: seen.policy.as_deref(),
        checks: entry.checks.iter().map(check).collect(),
        children: seen.children.iter().map(child).collect(),
        images: seen.images.iter().map(image).collect(),
        destinations: seen
            .destinations
            .iter()
            .map(|one| WireDestination {
                repository: &one.repository,
                tags: one.tags.iter().map(|(tag, seen)| destination_tag(tag, seen)).collect(),
            })
            .collect(),
        evidence: seen.evidence.as_ref().map(|found| evidence::wire(found, &seen.lists)),
        flaws: seen.flaws.as_ref().map(|flaws| flaws.flaws.iter().map(flaw).collect()),
    }
}

fn flaw(flaw: &clearance::FlawSeen) -> WireFlaw<'_> {
    WireFlaw {
        id: &flaw.id,
        package: &flaw.package,
        version: &flaw.version,
        severity: flaw.severity.map(|severity| severity.name()),
        fixed_in: flaw.fixed_in.as_deref(),
        is_new: flaw.is_new,
        held: flaw.held.name(),
        waiver: match &flaw.held {
            clearance::Held::Waived { owner, reason, expires } => {
                Some(WireWaiver { owner, reason, expires: expires.to_string() })
            }
            _ => None,
        },
    }
}

fn child(child: &clearance::Child) -> WireChild<'_> {
    WireChild {
        digest: child.digest.as_str(),
        platform: child.platform.as_ref().map(ToString::to_string),
        is_attestation: child.is_attestation,
        size: child.seen.as_ref().ok().map(|document| document.size),
    }
}

fn image(image: &clearance::ImageSeen) -> WireImage<'_> {
    WireImage {
        digest: image.digest.as_str(),
        platform: image.config.as_ref().ok().map(|config| config.platform.to_string()),
        layers: image
            .layers
            .iter()
            .map(|layer| WireLayer { digest: layer.digest.as_str(), size: layer.size })
            .collect(),
    }
}

fn destination_tag<'a>(tag: &'a str, seen: &'a Seen<Digest>) -> WireTag<'a> {
    let (state, digest) = match seen {
        Ok(digest) => ("there", Some(digest.as_str())),
        Err(Trouble::Missing(_)) => ("free", None),
        Err(Trouble::Wrong(_) | Trouble::Unknown(_)) => ("unknown", None),
    };
    WireTag { tag, state, digest }
}
