//! `plimsoll promote`: does what a clearance allows.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Args;
use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_image::open::registry::credentials::Credentials;
use plimsoll_net::Client;
use plimsoll_report::clearance::json::SCHEMA;
use serde::Deserialize;

use super::{Outcome, Session, misused, print};
use crate::clear::files::Files;
use crate::clear::observe::Asking;
use crate::clear::promote::{Done, Move, Taken, check_tags, promote};
use crate::clear::summaries::{Passed, Summaries, evidence_of, pem};

/// Promote what was cleared: the same bytes, under the destination's name
///
/// Within one registry blobs are mounted and no layer moves; to another registry they are streamed. What is there already is
/// left alone: run it again after a failure. Exits with 1 where the clearance does not clear or does not hold any more: it is
/// a day old, its policy is another by now, a tag was taken meanwhile; with 2 where something could not be done.
#[derive(Args, Debug)]
pub(super) struct PromoteArgs {
    /// The clearance, as `plimsoll clear --format json=FILE` wrote it.
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Private key (PEM, ECDSA on P-256 or Ed25519, not encrypted) with which it is said of everything that is promoted that it
    /// passed: a verification summary of SLSA, attached by referrer.
    #[arg(long, value_name = "FILE", requires = "verifier_id")]
    sign_key: Option<PathBuf>,
    /// Who the summaries say has verified: a URI of yours.
    #[arg(long, value_name = "URI", requires = "sign_key")]
    verifier_id: Option<String>,
    /// Registry that speaks plain HTTP.
    #[arg(long, value_name = "HOST")]
    insecure_registry: Vec<String>,
    /// File with registry credentials, in place of Docker's and Podman's own.
    #[arg(long, value_name = "FILE")]
    auth_file: Option<PathBuf>,
}

/// What is read of a clearance. Fields that only inform are passed over.
#[derive(Deserialize)]
struct Plan {
    schema: String,
    verdict: String,
    inputs: Inputs,
    entries: Vec<PlanEntry>,
}

#[derive(Deserialize)]
struct Inputs {
    /// When it was asked (RFC 3339).
    asked: Option<Timestamp>,
    policies: Vec<PolicyFile>,
}

#[derive(Deserialize)]
struct PolicyFile {
    name: String,
    path: PathBuf,
    digest: String,
    /// The commit that it was read from.
    commit: Option<String>,
    /// Files that it names.
    files: Vec<NamedFile>,
}

#[derive(Deserialize)]
struct NamedFile {
    path: PathBuf,
    digest: String,
}

#[derive(Deserialize)]
struct PlanEntry {
    name: String,
    source: String,
    digest: Option<String>,
    tags: Vec<String>,
    verdict: String,
    policy: Option<String>,
    evidence: Option<Evidence>,
    destinations: Vec<Destination>,
}

#[derive(Deserialize)]
struct Evidence {
    pieces: Vec<Piece>,
}

#[derive(Deserialize)]
struct Piece {
    place: String,
    /// The policy's signers that it is proven to be by.
    signers: Vec<String>,
    statement: Option<Statement>,
}

#[derive(Deserialize)]
struct Statement {
    digest: String,
}

#[derive(Deserialize)]
struct Destination {
    repository: String,
}

/// Longest time that a clearance is acted on, in hours.
const CLEARANCE_HOURS_MAX: i64 = 24;

pub(super) fn run(session: &Session, args: &PromoteArgs) -> anyhow::Result<Outcome> {
    let plan = read(args).map_err(misused)?;
    if let Some(why) = objection(&plan)? {
        anstream::eprintln!("error: nothing is promoted: {why}");
        return Ok(Outcome::ThresholdMet);
    }
    let credentials = match &args.auth_file {
        Some(file) => Credentials::from_file(file),
        None => Credentials::from_environment(),
    };
    let client = Arc::new(Client::new(session.net_settings(&args.insecure_registry))?);
    let asking = Asking::new(client, session.registry_options(credentials, &args.insecure_registry));
    let summaries = summaries(args)?;
    let passed: Vec<Option<Passed>> = match &summaries {
        Some(_) => {
            plan.entries.iter().map(|entry| passed(&plan, entry).map(Some)).collect::<anyhow::Result<_>>()?
        }
        None => plan.entries.iter().map(|_| None).collect(),
    };
    let digests = plan.entries.iter().map(digest_of).collect::<anyhow::Result<Vec<Digest>>>()?;
    let entries = plan.entries.iter().zip(&digests).zip(&passed);
    let moves: Vec<(&PlanEntry, Move<'_>)> = entries
        .flat_map(|((entry, digest), passed)| {
            let summary = summaries.as_ref().zip(passed.as_ref());
            entry.destinations.iter().map(move |destination| {
                let destination = destination.repository.as_str();
                (entry, Move { digest, source: &entry.source, destination, tags: &entry.tags, summary })
            })
        })
        .collect();
    let only: Vec<Move<'_>> = moves.iter().map(|(_, one)| *one).collect();
    let mut result = check_tags(&only, &asking);
    for (entry, one) in &moves {
        result = result.and_then(|()| {
            let done = promote(one, &asking, args.dry_run).with_context(|| {
                let (name, to) = (&entry.name, one.destination);
                format!("`{name}` was not promoted to `{to}`; run it again to complete it")
            })?;
            print(&line(one.digest, one.destination, &done, args.dry_run)).map(drop)
        });
    }
    match result {
        Ok(()) => Ok(Outcome::Done),
        // The clearance does not hold any more.
        Err(error) if error.downcast_ref::<Taken>().is_some() => {
            anstream::eprintln!("error: {error:#}");
            Ok(Outcome::ThresholdMet)
        }
        Err(error) => Err(error),
    }
}

fn digest_of(entry: &PlanEntry) -> anyhow::Result<Digest> {
    let digest = entry.digest.as_deref().context("a digest is promoted, and only a tag was cleared")?;
    Ok(digest.parse()?)
}

/// Who signs, if anybody does.
fn summaries(args: &PromoteArgs) -> anyhow::Result<Option<Summaries>> {
    let (Some(file), Some(verifier)) = (&args.sign_key, &args.verifier_id) else { return Ok(None) };
    let shown = file.display();
    let bytes = Files::default().read(file)?.ok_or_else(|| misused(anyhow!("there is no file `{shown}`")))?;
    let summaries = pem(bytes).and_then(|pem| Summaries::new(&pem, verifier));
    summaries.with_context(|| format!("`{shown}`")).map_err(misused).map(Some)
}

/// What is said of an entry that passed.
fn passed(plan: &Plan, entry: &PlanEntry) -> anyhow::Result<Passed> {
    let none = || {
        misused(anyhow!(
            "`{}` was cleared without a policy, and a verification summary names one",
            entry.name
        ))
    };
    let name = entry.policy.as_ref().ok_or_else(none)?;
    let policy = plan.inputs.policies.iter().find(|policy| policy.name == *name);
    let policy = policy.with_context(|| format!("the clearance does not say what policy `{name}` is"))?;
    let asked = plan.inputs.asked.context("the clearance does not say when it was made")?;
    let pieces = entry.evidence.iter().flat_map(|evidence| &evidence.pieces);
    let counted = pieces.filter(|piece| !piece.signers.is_empty());
    Ok(Passed {
        policy: (policy.path.display().to_string(), policy.digest.parse()?),
        asked: asked.to_string(),
        evidence: counted
            .filter_map(|piece| {
                evidence_of(&piece.place, piece.statement.as_ref().map(|one| one.digest.as_str()))
            })
            .collect(),
    })
}

fn read(args: &PromoteArgs) -> anyhow::Result<Plan> {
    let file = args.plan.display();
    let bytes = Files::default().read(&args.plan)?.ok_or_else(|| anyhow!("there is no file `{file}`"))?;
    let plan: Plan = serde_json::from_slice(&bytes).with_context(|| format!("`{file}` is no clearance"))?;
    if plan.schema != SCHEMA {
        return Err(anyhow!("`{file}` is `{}`, and `{SCHEMA}` is read", plan.schema));
    }
    Ok(plan)
}

/// What stands against acting on the clearance.
fn objection(plan: &Plan) -> anyhow::Result<Option<String>> {
    let cleared = "cleared";
    if plan.verdict != cleared {
        return Ok(Some(format!("the clearance says `{}`", plan.verdict)));
    }
    if let Some(entry) = plan.entries.iter().find(|entry| entry.verdict != cleared) {
        return Ok(Some(format!("the clearance says `{}` of `{}`", entry.verdict, entry.name)));
    }
    if plan.entries.iter().all(|entry| entry.destinations.is_empty()) {
        return Ok(Some(
            "no entry has a destination; clear a list or a manifest, which name them".to_owned(),
        ));
    }
    let now = Timestamp::now();
    let age = plan.inputs.asked.map(|asked| now.duration_since(asked));
    match age.map(|age| age.as_hours()) {
        None => return Ok(Some("the clearance does not say when it was made; clear it again".to_owned())),
        Some(hours) if hours >= CLEARANCE_HOURS_MAX => {
            return Ok(Some(format!(
                "the clearance is {hours} hours old, and {CLEARANCE_HOURS_MAX} are allowed; clear it again"
            )));
        }
        Some(hours) if hours < 0 => return Ok(Some("the clearance is of a time to come".to_owned())),
        Some(_) => {}
    }
    for policy in &plan.inputs.policies {
        let folder = policy.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let files = match &policy.commit {
            Some(commit) => Files::at(commit, folder.unwrap_or(std::path::Path::new(".")))?,
            None => Files::default(),
        };
        // What it names is part of it: a waiver that was taken away, a key that is another.
        let own = NamedFile { path: policy.path.clone(), digest: policy.digest.clone() };
        for file in std::iter::once(&own).chain(&policy.files) {
            let there = files.read(&file.path)?.is_some();
            if !there || files.digest_of(&file.path).is_none_or(|digest| digest.as_str() != file.digest) {
                let (path, name) = (file.path.display(), &policy.name);
                return Ok(Some(format!(
                    "`{path}` of policy `{name}` is another than it was cleared by; clear it again"
                )));
            }
        }
    }
    Ok(None)
}

fn line(digest: &Digest, to: &str, done: &Done, is_dry: bool) -> String {
    let Done { present, mounted, sent, bytes, manifests, evidence, summaries, tags } = done;
    let would = if is_dry { "would promote" } else { "promoted" };
    format!(
        "{would} {digest} to {to}: blobs {present} there, {mounted} mounted, {sent} sent ({bytes} bytes); \
         {manifests} manifests ({evidence} of evidence), {tags} tags{}\n",
        if *summaries > 0 { format!(", {summaries} verification summaries") } else { String::new() }
    )
}
