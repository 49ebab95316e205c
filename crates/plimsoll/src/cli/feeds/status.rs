//! `feeds status`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use plimsoll_core::advisory::{Advisories as _, DatabaseIdentity};
use plimsoll_feeds::database::Database;
use plimsoll_feeds::status::FeedStatus;
use plimsoll_feeds::update::database_path;

use super::{Outcome, Session, UrlArgs, override_urls, print, statuses};
use crate::cli::scan::write_aside;
use crate::feed_metrics;
use crate::warnings::memory::Memory;
use crate::warnings::{self, channels};

mod json;
mod table;

#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    urls: UrlArgs,
    /// Show also where each feed comes from, which parts are absent, what was left out, and examples of refused
    /// records.
    #[arg(long, short)]
    verbose: bool,
    /// Show also the feeds that are off. JSON always has them.
    #[arg(long)]
    all: bool,
    /// How to write it.
    #[arg(long, value_enum, default_value_t = StatusFormat::Table)]
    format: StatusFormat,
    /// Write to a file, which is replaced when all is written.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Exit with 1 if a feed that is on is stale, failing, not loaded or not built.
    #[arg(long)]
    fail_on_stale: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StatusFormat {
    /// For people.
    Table,
    /// `plimsoll/feeds-status/1`: see `docs/feeds-status.md`.
    Json,
    /// Metrics in Prometheus' text format, for the node exporter's textfile collector.
    Prometheus,
}

/// How everything stands.
struct Standing {
    feeds: Vec<FeedStatus>,
    database: DatabaseStanding,
    memory: Memory,
    now: Timestamp,
}

enum DatabaseStanding {
    Absent,
    Unreadable(String),
    Here { identity: DatabaseIdentity, advisories: u64, rows: u64, bytes: u64 },
}

pub(super) fn run(session: &mut Session, args: &StatusArgs) -> anyhow::Result<Outcome> {
    override_urls(session, &args.urls)?;
    let now = Timestamp::now();
    let standing =
        Standing { feeds: statuses(session, now), database: database(session), memory: memory(session), now };
    let text = match args.format {
        StatusFormat::Table => table::text(&standing, args.all, args.verbose)?,
        StatusFormat::Json => json::text(&standing),
        StatusFormat::Prometheus => metrics(&standing, args.all)?,
    };
    match &args.output {
        None => print(&text)?,
        Some(path) => {
            write_aside(path, |out| out.write_all(text.as_bytes()))
                .with_context(|| format!("cannot write `{}`", path.display()))?;
            Outcome::Done
        }
    };
    let is_met = args.fail_on_stale && standing.feeds.iter().any(|feed| feed.state().needs_attention());
    Ok(if is_met { Outcome::ThresholdMet } else { Outcome::Done })
}

/// Feeds that are off are left out unless asked for, so that no alert has to know of them.
fn metrics(standing: &Standing, has_all: bool) -> Result<String, std::fmt::Error> {
    let feeds: Vec<&FeedStatus> = standing.feeds.iter().filter(|feed| has_all || feed.is_enabled).collect();
    let database = match &standing.database {
        DatabaseStanding::Here { identity, advisories, .. } => Some((identity, *advisories)),
        DatabaseStanding::Absent | DatabaseStanding::Unreadable(_) => None,
    };
    feed_metrics::text(&feeds, database, &standing.memory)
}

/// What is remembered of the channels that there are; of one that was taken out, nobody wants to hear.
fn memory(session: &Session) -> Memory {
    let mut memory = warnings::read(&session.data_dir);
    let names = channels::configured(&session.config.warnings);
    memory.retain_channels(|name| names.contains(&name));
    memory
}

fn database(session: &Session) -> DatabaseStanding {
    let path = database_path(&session.data_dir);
    match Database::open(&path) {
        Ok(database) => DatabaseStanding::Here {
            identity: database.identity().clone(),
            advisories: database.advisory_count() as u64,
            rows: database.row_count(),
            bytes: database.bytes(),
        },
        Err(error) if path.exists() => DatabaseStanding::Unreadable(error.to_string()),
        Err(_) => DatabaseStanding::Absent,
    }
}

/// All records of a feed that were refused.
fn refused(feed: &FeedStatus) -> u64 {
    feed.refused.iter().map(|(_, count)| count).sum()
}
