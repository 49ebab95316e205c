//! From what is asked to the answer: looks at the candidates, judges them, and puts the clearance together.
//!
//! The command line and the server call this with what they have resolved: manifests that were read, policies that were
//! read, a client, a database. Nothing here reads a file or knows who asks.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_core::advisory::Advisories as _;
use plimsoll_core::clearance::{
    Candidate, Check, Clearance, Demands, Inputs, Level, PolicyRead, manifest_checks,
};
use plimsoll_core::digest::Digest;
use plimsoll_core::promotion::{Change, Fault, Manifest, changes};
use plimsoll_core::standings::Standings;
use plimsoll_feeds::database::Database;
use plimsoll_image::attached::Depth;
use plimsoll_image::catalog::Options;

use super::candidates::of_manifests;
use super::evidence::{SideFile, check_of_files};
use super::judging::Judge;
use super::observe::{Asking, Closely, observe, subjects};
use super::policy::Policy;

/// What is asked for.
pub(crate) struct Asked {
    /// What the manifests are compared with, as it is named in reports.
    pub(crate) base: Option<String>,
    /// The manifests' files, with digests.
    pub(crate) files: Vec<(String, Digest)>,
    /// What the manifests change; `None` where they are not compared.
    pub(crate) changes: Option<Vec<Change>>,
    /// Checks of the manifests themselves.
    pub(crate) checks: Vec<Check>,
    /// What is to be judged.
    pub(crate) candidates: Vec<Candidate>,
    /// Whether the manifests have faults.
    pub(crate) has_faults: bool,
}

impl Asked {
    /// What manifests ask for, compared with what was before where that is given, and references beside them.
    pub(crate) fn of(head: &[Manifest], before: Option<&[Manifest]>, references: Vec<Candidate>) -> Asked {
        let mut faults: Vec<Fault> = head.iter().flat_map(|manifest| manifest.faults.clone()).collect();
        faults.sort_unstable();
        let changes = before.map(|before| changes(before, head));
        let mut candidates = of_manifests(head, changes.as_deref());
        candidates.extend(references);
        let count = head.iter().map(|manifest| manifest.lines.len()).sum();
        let checks = match head.is_empty() && before.is_none() {
            true => Vec::new(),
            false => manifest_checks(&faults, changes.as_deref(), count),
        };
        let has_faults = !faults.is_empty();
        Asked { base: None, files: Vec::new(), changes, checks, candidates, has_faults }
    }

    /// Whether there is nothing to say anything of.
    pub(crate) fn is_nothing(&self) -> bool {
        self.candidates.is_empty() && self.changes.is_none() && !self.has_faults
    }
}

/// What a clearance is made with.
pub(crate) struct Means<'a> {
    pub(crate) policies: &'a [Policy],
    /// What is demanded beside the policies.
    pub(crate) demands: Demands,
    /// The closest look that anybody demands.
    pub(crate) level: Level,
    pub(crate) asking: &'a Asking,
    pub(crate) options: &'a Options<'a>,
    /// Files of evidence.
    pub(crate) evidence: &'a [SideFile],
    /// The advisory database, or why there is none.
    pub(crate) database: Result<&'a Database, &'a str>,
    pub(crate) standings: &'a Standings,
    pub(crate) now: Timestamp,
}

/// Whether any policy asks for advisories.
pub(crate) fn wants_database(policies: &[Policy]) -> bool {
    policies.iter().any(|policy| policy.vulnerabilities.is_some())
}

/// The hour of a time, `2026-11-26T18:00:00Z`.
fn hour(now: Timestamp) -> String {
    const SECONDS: i64 = 3600;
    let second = now.as_second().div_euclid(SECONDS) * SECONDS;
    Timestamp::from_second(second).unwrap_or(now).to_string()
}

/// Looks and judges.
pub(crate) fn clear(asked: Asked, means: &Means<'_>) -> anyhow::Result<Clearance> {
    let is_vouched = means.policies.iter().any(|policy| policy.vouching.is_some());
    let evidence = if is_vouched { Depth::Read } else { Depth::List };
    let closely = Closely { level: means.level, evidence };
    let looks = observe(&asked.candidates, means.asking, closely, means.options)?;
    let about: Vec<Digest> = looks.iter().flat_map(|look| subjects(&look.observed)).collect();
    let mut judge = Judge {
        policies: means.policies,
        database: means.database,
        standings: means.standings,
        now: means.now,
        asking: means.asking,
        options: means.options,
        files: means.evidence,
        demands: means.demands.clone(),
        used: BTreeMap::new(),
    };
    let mut entries = Vec::new();
    for (candidate, look) in asked.candidates.into_iter().zip(looks) {
        entries.push(judge.judge(candidate, look)?);
    }
    let mut checks = asked.checks;
    checks.extend(judge.unused_waivers());
    checks.extend(check_of_files(means.evidence, &about));
    let of_policy = |policy: &Policy| PolicyRead {
        name: policy.name.clone(),
        file: policy.file.clone(),
        digest: policy.digest.clone(),
        commit: policy.commit.clone(),
        names: policy.names.clone(),
    };
    Ok(Clearance {
        inputs: Inputs {
            asked: Some(hour(means.now)),
            base: asked.base,
            files: asked.files,
            policies: means.policies.iter().map(of_policy).collect(),
            database: means.database.ok().map(|database| database.identity().clone()),
            level: means.level,
        },
        changes: asked.changes.unwrap_or_default(),
        checks,
        entries,
    })
}
