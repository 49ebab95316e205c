//! `plimsoll audit`: does production have what the manifests list, and nothing else.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use clap::Args;
use plimsoll_image::open::registry::credentials::Credentials;
use plimsoll_net::Client;
use plimsoll_report::printable::one_line;

use super::clear::ManifestArgs;
use super::{Outcome, Session, misused, print};
use crate::clear::audit::{Difference, audit};
use crate::clear::files::Files;
use crate::clear::manifests;
use crate::clear::observe::Asking;

/// Compare what the destinations of manifests have with what is listed: tags that are missing, moved, or nobody's
///
/// Exits with 0 where there is no difference, 1 where there is, 2 where something could not be told.
#[derive(Args, Debug)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    manifests: ManifestArgs,
    /// Registry that speaks plain HTTP.
    #[arg(long, value_name = "HOST")]
    insecure_registry: Vec<String>,
    /// File with registry credentials, in place of Docker's and Podman's own.
    #[arg(long, value_name = "FILE")]
    auth_file: Option<PathBuf>,
}

pub(super) fn run(session: &Session, args: &AuditArgs) -> anyhow::Result<Outcome> {
    let named = args.manifests.named();
    if named.is_empty() {
        return Err(misused(anyhow!("no manifests are named; write `--manifest`, `--thin-dir` or `--list`")));
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
    let (differences, repositories) = audit(&all, &asking);
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
