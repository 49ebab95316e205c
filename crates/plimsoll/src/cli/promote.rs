//! `plimsoll promote`: does what a clearance allows.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use clap::Args;
use plimsoll_core::digest::Digest;
use plimsoll_image::open::registry::credentials::Credentials;
use plimsoll_net::Client;
use serde::Deserialize;

use super::{Outcome, Session, misused, print};
use crate::clear::files::Files;
use crate::clear::observe::Asking;
use crate::clear::promote::{Done, Move, promote};

/// Promote what was cleared: the same bytes, under the destination's name
///
/// Within one registry blobs are mounted and no layer moves; to another registry they are streamed. What is there already is
/// left alone: run it again after a failure. Exits with 1 where the clearance does not clear, or its policy is
/// another by now; with 2 where a tag was taken meanwhile, or something could not be done.
#[derive(Args, Debug)]
pub(super) struct PromoteArgs {
    /// The clearance, as `plimsoll clear --format json=FILE` wrote it.
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
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
    base: Option<String>,
    policies: Vec<PolicyFile>,
}

#[derive(Deserialize)]
struct PolicyFile {
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
    destinations: Vec<Destination>,
}

#[derive(Deserialize)]
struct Destination {
    repository: String,
}

const SCHEMA: &str = "plimsoll/clearance/1";

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
    for entry in &plan.entries {
        let digest: Digest =
            entry.digest.as_deref().context("a digest is promoted, and only a tag was cleared")?.parse()?;
        for destination in &entry.destinations {
            let one = Move {
                digest: &digest,
                source: &entry.source,
                destination: &destination.repository,
                tags: &entry.tags,
            };
            let to = &destination.repository;
            let done = promote(&one, &asking, args.dry_run).with_context(|| {
                format!("`{}` was not promoted to `{to}`; run it again to complete it", entry.name)
            })?;
            print(&line(&digest, to, &done, args.dry_run))?;
        }
    }
    Ok(Outcome::Done)
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
    for policy in &plan.inputs.policies {
        let folder = policy.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let files = match &plan.inputs.base {
            Some(base) => Files::at(base, folder.unwrap_or(std::path::Path::new(".")))?,
            None => Files::default(),
        };
        let there = files.read(&policy.path)?.is_some();
        if !there || files.digest_of(&policy.path).is_none_or(|digest| digest.as_str() != policy.digest) {
            let path = policy.path.display();
            return Ok(Some(format!(
                "the policy `{path}` is another than it was cleared by; clear it again"
            )));
        }
    }
    Ok(None)
}

fn line(digest: &Digest, to: &str, done: &Done, is_dry: bool) -> String {
    let Done { present, mounted, sent, bytes, manifests, evidence, tags } = done;
    let would = if is_dry { "would promote" } else { "promoted" };
    format!(
        "{would} {digest} to {to}: blobs {present} there, {mounted} mounted, {sent} sent ({bytes} bytes); \
         {manifests} manifests ({evidence} of evidence), {tags} tags\n"
    )
}
