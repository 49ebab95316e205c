//! `feeds import`.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use jiff::Timestamp;
use plimsoll_feeds::bundle::{
    Arrived, ImportOptions, ImportReport, ImportedDatabase, ImportedFeed, PublicKey, import, import_stream,
};
use plimsoll_feeds::update::{DatabaseReport, Progress};
use plimsoll_image::open::registry::credentials::Credentials;
use plimsoll_net::{Client, Fetched, Validators};

use super::update::{database_text, progress_text};
use super::{Outcome, Session, misused, print};
use crate::oci::{self, Artifact};
use crate::progress::Bar;

#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// The bundle: a file, a URL (http, https, file, or `oci://HOST/REPOSITORY:TAG`), or `-` for standard input. Also an export of Clair's updaters.
    #[arg(value_name = "FILE|URL|-")]
    from: String,
    /// Accept what is signed with this public key, beside those of the configuration's `[bundles] keys`.
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// Accept what is not signed, or with a key that is not known. Files that say whom to trust stay out.
    #[arg(long)]
    allow_unsigned: bool,
    /// Replace data that is here by older data.
    #[arg(long)]
    allow_older: bool,
    /// Wait for an update of the same data directory instead of failing.
    #[arg(long)]
    wait: bool,
}

pub(super) fn run(session: &Session, args: &ImportArgs) -> anyhow::Result<Outcome> {
    let keys = session.config.bundles.keys.iter().chain(&args.key).map(|path| PublicKey::read(path));
    let options = ImportOptions {
        data_dir: session.data_dir.clone(),
        keys: keys.collect::<Result<_, _>>()?,
        allows_unsigned: args.allow_unsigned,
        allows_older: args.allow_older,
        off: session.config.off(),
        waits_for_others: args.wait,
    };
    let bar = Bar::spinner("importing feeds", session.is_quiet);
    let mut on_progress = |progress: Progress<'_>| {
        bar.message(&match progress {
            Progress::Fetching { feed, part, done, of } => {
                format!("{feed}: reading {part} ({} of {of})", done + 1)
            }
            progress => progress_text(progress),
        });
    };
    let now = Timestamp::now();
    let report = if oci::is_oci(&args.from) {
        import(&options, &mut artifact(session, &args.from)?, now, &mut on_progress)
    } else {
        import_stream(&options, source(session, &args.from)?, now, &mut on_progress)
    };
    let report = report.with_context(|| format!("cannot import `{}`", plimsoll_net::redacted(&args.from)))?;
    drop(bar);
    print(&text(&report))?;
    let is_incomplete = match &report.database {
        ImportedDatabase::Built(DatabaseReport::Built(_, left_out)) => !left_out.is_empty(),
        ImportedDatabase::Built(DatabaseReport::NoSnapshots) => true,
        _ => false,
    };
    Ok(if is_incomplete { Outcome::CouldNot } else { Outcome::Done })
}

/// Imports a bundle from a registry, and from nowhere else.
pub(super) fn pull(session: &Session, args: &ImportArgs) -> anyhow::Result<Outcome> {
    if !oci::is_oci(&args.from) {
        return Err(misused(anyhow!(
            "`{}` is not in a registry; write `oci://HOST/REPOSITORY:TAG`, or use `plimsoll feeds import`",
            plimsoll_net::redacted(&args.from)
        )));
    }
    run(session, args)
}

/// Opens a bundle in a registry.
fn artifact(session: &Session, url: &str) -> anyhow::Result<Artifact> {
    let (reference, path) = oci::parse(url).map_err(misused)?;
    if !path.is_empty() {
        return Err(misused(anyhow!("`{url}` names a file, and a bundle is a whole artifact")));
    }
    let client = Arc::new(Client::new(session.net_settings(&[]))?);
    let registries = session.registry_options(Credentials::from_environment(), &[]);
    let artifact = Artifact::open(&client, &reference, &registries)?;
    artifact.with_context(|| format!("there is no bundle at `{url}`"))
}

/// Opens what is imported.
fn source(session: &Session, from: &str) -> anyhow::Result<Box<dyn Read>> {
    if from == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    if !["https:", "http:", "file:"].iter().any(|scheme| from.starts_with(scheme)) {
        let file = File::open(from).with_context(|| format!("cannot read the bundle `{from}`"))?;
        return Ok(Box::new(io::BufReader::with_capacity(256 << 10, file)));
    }
    let client = Client::new(session.net_settings(&[]))?;
    match client.get_if_changed(from, &Validators::default())? {
        Fetched::Changed(download) => Ok(Box::new(download)),
        _ => bail!("there is no bundle at `{}`", plimsoll_net::redacted(from)),
    }
}

fn text(report: &ImportReport) -> String {
    let mut out = String::new();
    if let (Some(id), Some(created_at)) = (&report.id, &report.created_at) {
        out += &format!("bundle {id} of {created_at}\n");
    }
    out += &match &report.signer {
        Some(key) => format!("signed with key {key}\n"),
        None => "NOT verified: no key that is known vouches for it\n".to_owned(),
    };
    for feed in &report.feeds {
        out += &feed_text(feed);
    }
    for path in &report.files {
        out += &format!("{path}: replaced\n");
    }
    for path in &report.files_left_out {
        out += &format!("{path}: LEFT OUT: it says whom to trust, and no key that is known vouches for it\n");
    }
    out += &match &report.database {
        ImportedDatabase::Built(report) => database_text(report),
        ImportedDatabase::Delivered(identity) => {
            format!("database {} of the bundle, as it came\n", identity.id)
        }
    };
    out
}

fn feed_text(feed: &ImportedFeed) -> String {
    let mut out = format!("{}: ", feed.feed);
    out += &match &feed.arrived {
        Arrived::Replaced { changed, unchanged, bytes } => {
            format!("{changed} files changed ({bytes} bytes), {unchanged} unchanged")
        }
        Arrived::Confirmed => "unchanged, confirmed later than was known here".to_owned(),
        Arrived::Unchanged => "unchanged".to_owned(),
        Arrived::InDatabase => "in the database".to_owned(),
        Arrived::Unknown => "LEFT OUT: this version of plimsoll has no such feed".to_owned(),
    };
    if let Some(date) = &feed.data_date {
        out += &format!("; data of {date}");
    }
    if let Some(date) = &feed.checked_at {
        out += &format!("; confirmed by its upstream {date}");
    }
    out + "\n"
}
