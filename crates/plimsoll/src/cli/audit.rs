//! `plimsoll audit`: does production have what the manifests list, and nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use jiff::Timestamp;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::clearance::{Candidate, Level};
use plimsoll_core::policy::Policy;
use plimsoll_feeds::update::database_path;
use plimsoll_image::attached::Depth;
use plimsoll_image::cache::LayerCache;
use plimsoll_image::catalog::Options;
use plimsoll_image::limits::Limits;
use plimsoll_image::open::registry::credentials::Credentials;
use plimsoll_net::Client;
use plimsoll_report::clearance::json::SCHEMA;
use plimsoll_report::printable::one_line;
use serde::Deserialize;

use super::clear::ManifestArgs;
use super::scan::open_database;
use super::{Outcome, Session, misused, print};
use crate::clear::audit::{Difference, audit, of_flaws};
use crate::clear::files::Files;
use crate::clear::manifests;
use crate::clear::observe::{Asking, Closely, observe};
use crate::clear::policy::flaws::of_assessments;
use crate::pipeline::assess;
use crate::standings::standings;

/// Compare what the destinations of manifests have with what is listed: tags that are missing, moved, or nobody's, evidence
/// that is lacking
///
/// Exits with 0 where there is no difference, 1 where there is, 2 where something could not be told.
#[derive(Args, Debug)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// A clearance, as `plimsoll clear --format json=FILE` wrote it: what is known today to be wrong with what it promoted, and
    /// was not then, is a difference. Needs an advisory database. Repeat for more.
    #[arg(long, value_name = "FILE")]
    clearance: Vec<PathBuf>,
    /// Advisory database to match against, in place of the data directory's.
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Registry that speaks plain HTTP.
    #[arg(long, value_name = "HOST")]
    insecure_registry: Vec<String>,
    /// File with registry credentials, in place of Docker's and Podman's own.
    #[arg(long, value_name = "FILE")]
    auth_file: Option<PathBuf>,
}

pub(super) fn run(session: &Session, args: &AuditArgs) -> anyhow::Result<Outcome> {
    let named = args.manifests.named();
    if named.is_empty() && args.clearance.is_empty() {
        return Err(misused(anyhow!(
            "no manifests are named; write `--manifest`, `--thin-dir` or `--list`, or a `--clearance`"
        )));
    }
    let mut all = Vec::new();
    for (kind, path) in &named {
        all.extend(manifests::read(*kind, path, &Files::default())?);
    }
    if let Some(fault) = all.iter().flat_map(|manifest| &manifest.faults).next() {
        // What is not understood would make its images look like nobody's.
        return Err(misused(anyhow!("`{}`: {}", fault.file, fault.detail)));
    }
    let credentials = match &args.auth_file {
        Some(file) => Credentials::from_file(file),
        None => Credentials::from_environment(),
    };
    let client = Arc::new(Client::new(session.net_settings(&args.insecure_registry))?);
    let asking = Asking::new(client, session.registry_options(credentials, &args.insecure_registry));
    let (mut differences, repositories) = audit(&all, &asking);
    differences.extend(since_cleared(session, args, &asking)?);
    differences.sort_unstable();
    let mut text: String =
        differences.iter().map(|one| format!("{:<8} {}\n", one.name(), one_line(one.detail()))).collect();
    text += &format!("{repositories} repositories, {} differences\n", differences.len());
    print(&text)?;
    let is_unknown = |one: &Difference| matches!(one, Difference::Unknown(_));
    Ok(if differences.iter().any(|one| !is_unknown(one)) {
        Outcome::ThresholdMet
    } else if differences.is_empty() {
        Outcome::Done
    } else {
        Outcome::CouldNot
    })
}

/// What is read of a clearance.
#[derive(Deserialize)]
struct Cleared {
    schema: String,
    entries: Vec<ClearedEntry>,
}

#[derive(Deserialize)]
struct ClearedEntry {
    digest: Option<Digest>,
    destinations: Vec<Destination>,
    flaws: Option<Vec<Known>>,
}

#[derive(Deserialize)]
struct Destination {
    repository: String,
}

#[derive(Deserialize)]
struct Known {
    id: String,
    package: String,
}

/// A digest in JSON.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Digest(plimsoll_core::digest::Digest);

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Digest, String> {
        text.parse().map(Digest).map_err(|_| format!("`{text}` is not a digest"))
    }
}

/// What is known today of what clearances promoted, and was not then.
fn since_cleared(session: &Session, args: &AuditArgs, asking: &Asking) -> anyhow::Result<Vec<Difference>> {
    if args.clearance.is_empty() {
        return Ok(Vec::new());
    }
    let path = args.database.clone().unwrap_or_else(|| database_path(&session.data_dir));
    let database = open_database(&path, args.database.is_some())?;
    let data_dir = args.database.is_none().then_some(session.data_dir.as_path());
    let standings = standings(&session.config, data_dir, Timestamp::now());
    let limits = Limits::default();
    let cache = LayerCache::new(&session.data_dir.join("verified-layers"), &limits);
    let options = Options {
        limits: &limits,
        cache: Some(&cache),
        threads: None,
        progress: &|_| {},
        is_cancelled: &|| false,
    };
    let mut differences = Vec::new();
    for file in &args.clearance {
        let cleared = cleared(file).map_err(misused)?;
        for entry in &cleared.entries {
            let Some(Digest(digest)) = &entry.digest else { continue };
            let then: Option<BTreeSet<(String, String)>> = entry
                .flaws
                .as_ref()
                .map(|flaws| flaws.iter().map(|flaw| (flaw.id.clone(), flaw.package.clone())).collect());
            for destination in &entry.destinations {
                let at = format!("`{}@{digest}`", destination.repository);
                let candidate = Candidate {
                    name: at.clone(),
                    project: String::new(),
                    source: destination.repository.clone(),
                    digest: Some(digest.clone()),
                    tags: Vec::new(),
                    destinations: Vec::new(),
                };
                let closely = Closely { level: Level::Content, evidence: Depth::List };
                for look in observe(&[candidate], asking, closely, &options)? {
                    let unread = look.aboard.len() < look.observed.images.len() || look.aboard.is_empty();
                    let database = database.as_ref().map_err(String::as_str);
                    let assess = |one| assess(one, database, &standings, &Policy::default());
                    let assessments: Vec<Assessment> = look.aboard.into_iter().map(assess).collect();
                    let has_gaps = assessments.iter().any(|one| !one.gaps().is_empty());
                    if unread || has_gaps {
                        let why = if unread {
                            "it could not be read whole"
                        } else {
                            "parts of it could not be judged"
                        };
                        differences.push(Difference::Unknown(format!("{at}: {why}")));
                    }
                    differences.extend(of_flaws(&at, then.as_ref(), &of_assessments(&assessments)));
                }
            }
        }
    }
    Ok(differences)
}

fn cleared(path: &Path) -> anyhow::Result<Cleared> {
    let file = path.display();
    let bytes = Files::default().read(path)?.ok_or_else(|| anyhow!("there is no file `{file}`"))?;
    let cleared: Cleared =
        serde_json::from_slice(&bytes).with_context(|| format!("`{file}` is no clearance"))?;
    if cleared.schema != SCHEMA {
        bail!("`{file}` is `{}`, and `{SCHEMA}` is read", cleared.schema);
    }
    Ok(cleared)
}
