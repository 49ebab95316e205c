//! `plimsoll feeds`: what advisories there are, how old they are, and bringing them up to date. One file a
//! command.

use std::path::Path;

use anyhow::bail;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use plimsoll_feeds::database::Database;
use plimsoll_feeds::status::FeedStatus;

use super::{Outcome, Session, misused, print};

mod diff;
mod export;
mod import;
mod keygen;
mod list;
mod mirror;
mod push;
mod status;
mod update;
mod warn;
mod watch;

pub(super) use update::load;
pub(super) use watch::keep_fresh;

/// Fetch advisories, and show which there are and how old.
#[derive(Args, Debug)]
pub(super) struct FeedsArgs {
    #[command(subcommand)]
    command: FeedsCommand,
}

#[derive(Debug, Subcommand)]
enum FeedsCommand {
    /// List the feeds that there are: what each covers, where it comes from, under which licence.
    List,
    /// Show how each feed stands: its age, what was read, what was refused and why, what fails.
    Status(status::StatusArgs),
    /// Fetch feeds and build the advisory database.
    Update(update::UpdateArgs),
    /// Keep the feeds fresh: fetch each when it is due, until stopped.
    Watch(watch::WatchArgs),
    /// Tell those who are to be told of feeds that are late, and of those that recovered.
    ///
    /// `feeds update` and `feeds watch` do so by themselves; this is for a timer of its own, which also notices
    /// that nobody updates any more. Each channel of `[warnings]` in the configuration is told once when a feed
    /// becomes late, daily while it is, and once when it has recovered.
    Warn(warn::WarnArgs),
    /// Write feeds into one signed file, for a site without the internet; or the database for other tools.
    Export(export::ExportArgs),
    /// Take feeds from such a file, and build the advisory database.
    Import(import::ImportArgs),
    /// Write feeds as such a bundle into an OCI registry.
    Push(push::PushArgs),
    /// Take a bundle of feeds from an OCI registry: the same as `import oci://..`.
    Pull(import::ImportArgs),
    /// Make a key pair for signing exports.
    Keygen(keygen::KeygenArgs),
    /// Copy the files of feeds into a folder that any web server can serve.
    Mirror(mirror::MirrorArgs),
    /// Compare two advisory databases: advisories added, removed, changed.
    Diff(diff::DiffArgs),
}

#[derive(Args, Debug)]
struct UrlArgs {
    /// Take a feed, or with `osv-*` all whose names begin so, from this URL alone: http, https or file, with the
    /// files laid out as upstream has them.
    #[arg(long, value_name = "NAME=URL")]
    feed_url: Vec<String>,
}

pub(super) fn run(session: &mut Session, args: FeedsArgs) -> anyhow::Result<Outcome> {
    match args.command {
        FeedsCommand::List => list::run(),
        FeedsCommand::Status(args) => status::run(session, &args),
        FeedsCommand::Update(args) => update::run(session, &args),
        FeedsCommand::Watch(args) => watch::run(session, &args),
        FeedsCommand::Warn(args) => warn::run(session, &args),
        FeedsCommand::Export(args) => export::run(session, &args),
        FeedsCommand::Import(args) => import::run(session, &args),
        FeedsCommand::Push(args) => push::run(session, &args),
        FeedsCommand::Pull(args) => import::pull(session, &args),
        FeedsCommand::Keygen(args) => keygen::run(&args),
        FeedsCommand::Mirror(args) => mirror::run(session, &args),
        FeedsCommand::Diff(args) => diff::run(session, &args),
    }
}

fn override_urls(session: &mut Session, args: &UrlArgs) -> anyhow::Result<()> {
    args.feed_url.iter().try_for_each(|text| session.config.override_feed_url(text)).map_err(misused)
}

/// How all feeds stand, as this configuration wants them.
fn statuses(session: &Session, now: Timestamp) -> Vec<FeedStatus> {
    crate::standings::statuses(&session.config, &session.data_dir, now)
}

fn open(path: &Path) -> anyhow::Result<Database> {
    if !path.exists() {
        bail!("there is no advisory database at `{}`; run `plimsoll feeds update`", path.display());
    }
    Ok(Database::open(path)?)
}
