//! `plimsoll feeds`: what advisories there are, how old they are, and bringing them up to date.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use plimsoll_core::advisory::Advisories as _;
use plimsoll_feeds::database::{Database, diff, export_sqlite};
use plimsoll_feeds::feeds::{FEEDS, Feed};
use plimsoll_feeds::status::{FeedStatus, status};
use plimsoll_feeds::update::{
    DatabaseReport, FeedOutcome, Progress, UpdateOptions, UpdateReport, database_path, update,
};
use plimsoll_net::Client;

use super::{Outcome, Session, misused};
use crate::config::check_feed_name;
use crate::progress::Bar;

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
    Status(StatusArgs),
    /// Fetch feeds and build the advisory database.
    Update(UpdateArgs),
    /// Write the advisory database in a form for other tools.
    Export(ExportArgs),
    /// Compare two advisory databases: advisories added, removed, changed.
    Diff(DiffArgs),
}

#[derive(Args, Debug)]
struct UrlArgs {
    /// Take a feed from another URL: http, https or file, with the files laid out as upstream has them.
    #[arg(long, value_name = "NAME=URL")]
    feed_url: Vec<String>,
}

#[derive(Args, Debug)]
struct StatusArgs {
    #[command(flatten)]
    urls: UrlArgs,
    /// Show also which parts are absent, what was left out, and examples of refused records.
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Args, Debug)]
struct UpdateArgs {
    /// The feeds; none for all.
    feeds: Vec<String>,
    #[command(flatten)]
    urls: UrlArgs,
    /// Wait for another update of the same data directory instead of failing.
    #[arg(long)]
    wait: bool,
}

#[derive(Args, Debug)]
struct ExportArgs {
    /// Write an SQLite file with the same content.
    #[arg(long, value_name = "FILE")]
    sqlite: PathBuf,
}

#[derive(Args, Debug)]
struct DiffArgs {
    /// The older database.
    old: PathBuf,
    /// The newer database; the data directory's own if left out.
    new: Option<PathBuf>,
}

pub(super) fn run(session: &mut Session, args: FeedsArgs) -> anyhow::Result<Outcome> {
    match args.command {
        FeedsCommand::List => list(),
        FeedsCommand::Status(args) => show_status(session, &args),
        FeedsCommand::Update(args) => run_update(session, &args),
        FeedsCommand::Export(args) => export(session, &args),
        FeedsCommand::Diff(args) => show_diff(session, &args),
    }
}

/// Writes a text in one go, so that a closed pipe is one error.
fn print(text: &str) -> anyhow::Result<Outcome> {
    io::stdout().write_all(text.as_bytes())?;
    Ok(Outcome::Done)
}

fn list() -> anyhow::Result<Outcome> {
    let mut out = String::new();
    for Feed { name, title, url, format, licence, cadence_hours, max_age_days, covers, .. } in FEEDS {
        writeln!(out, "{name}\n  {title}: {covers}\n  from {url} ({format})")?;
        writeln!(
            out,
            "  changes every {cadence_hours} hours, warned of after {max_age_days} days; licence: {licence}"
        )?;
    }
    print(&out)
}

fn urls(session: &mut Session, args: &UrlArgs) -> anyhow::Result<BTreeMap<String, String>> {
    for text in &args.feed_url {
        session.config.override_feed_url(text).map_err(misused)?;
    }
    let urls = session.config.feeds.iter().filter_map(|(name, feed)| Some((name.clone(), feed.url.clone()?)));
    Ok(urls.collect())
}

fn show_status(session: &mut Session, args: &StatusArgs) -> anyhow::Result<Outcome> {
    let urls = urls(session, &args.urls)?;
    let mut feeds = status(&session.data_dir, &urls, Timestamp::now());
    for feed in &mut feeds {
        feed.max_age_days = session.config.max_age_days(feed.name).unwrap_or(feed.max_age_days);
    }
    let mut out = format!(
        "{:<16} {:<10} {:<20} {:>6} {:>9} {:>8}\n",
        "FEED", "STATE", "DATA DATE", "AGE", "RECORDS", "REFUSED"
    );
    for feed in &feeds {
        status_row(&mut out, feed, args.verbose)?;
    }
    match Database::open(&database_path(&session.data_dir)) {
        Ok(database) => {
            let identity = database.identity();
            writeln!(out, "\ndatabase {}, built {}", identity.id, identity.built_at)?;
            writeln!(
                out,
                "{} advisories, {} affected-package rows, {} bytes",
                database.advisory_count(),
                database.row_count(),
                database.bytes()
            )?;
        }
        Err(error) if database_path(&session.data_dir).exists() => writeln!(out, "\n{error}")?,
        Err(_) => writeln!(out, "\nthere is no database yet; run `plimsoll feeds update`")?,
    }
    print(&out)
}

fn status_row(out: &mut String, feed: &FeedStatus, is_verbose: bool) -> std::fmt::Result {
    let state = match feed {
        FeedStatus { has_snapshot: false, failing_since: None, .. } => "not loaded",
        FeedStatus { failing_since: Some(_), .. } => "failing",
        feed if feed.is_stale() => "stale",
        FeedStatus { is_in_database: false, .. } => "not built",
        _ => "fresh",
    };
    let date: String =
        feed.data_date.as_deref().or(feed.fetched_at.as_deref()).unwrap_or("-").chars().take(19).collect();
    let age = feed.age_days.map_or_else(|| "-".to_owned(), |days| format!("{days} d"));
    let refused: u64 = feed.refused.iter().map(|(_, count)| count).sum();
    writeln!(out, "{:<16} {state:<10} {date:<20} {age:>6} {:>9} {refused:>8}", feed.name, feed.records)?;
    if let (Some(since), Some(error)) = (&feed.failing_since, &feed.error) {
        writeln!(out, "  fails since {since}: {error}")?;
    }
    for (reason, count) in &feed.refused {
        writeln!(out, "  refused {count}: {reason}")?;
    }
    if is_verbose {
        writeln!(out, "  from {}", feed.url)?;
        if let (Some(fetched), Some(checked)) = (&feed.fetched_at, &feed.checked_at) {
            writeln!(out, "  fetched {fetched}, last confirmed by the upstream {checked}")?;
        }
        for (reason, count) in &feed.skipped {
            writeln!(out, "  left out {count}: {reason}")?;
        }
        for example in &feed.examples {
            writeln!(out, "  for example {example}")?;
        }
        for namespace in &feed.namespaces {
            let date = feed.namespace_dates.iter().find(|(name, _)| name == namespace);
            let date = date.map_or_else(String::new, |(_, date)| format!(" (data of {date})"));
            writeln!(out, "  covers {namespace}{date}")?;
        }
        if !feed.absent.is_empty() {
            writeln!(out, "  absent upstream: {}", feed.absent.join(", "))?;
        }
    }
    Ok(())
}

fn run_update(session: &mut Session, args: &UpdateArgs) -> anyhow::Result<Outcome> {
    for name in &args.feeds {
        check_feed_name(name).map_err(misused)?;
    }
    let chosen: Vec<&'static Feed> = FEEDS
        .iter()
        .copied()
        .filter(|feed| args.feeds.is_empty() || args.feeds.iter().any(|name| name == feed.name))
        .collect();
    let options = UpdateOptions {
        urls: urls(session, &args.urls)?,
        waits_for_others: args.wait,
        ..UpdateOptions::new(&session.data_dir)
    };
    let client = Client::new(session.net_settings(&[]))?;
    let bar = Bar::spinner("updating feeds", session.is_quiet);
    let mut on_progress = |progress: Progress<'_>| bar.message(&progress_text(progress));
    let report = update(&options, &chosen, &client, Timestamp::now(), &mut on_progress)?;
    drop(bar);
    print(&update_text(&report))?;
    let failed = report.feeds.iter().any(|feed| matches!(feed.outcome, FeedOutcome::Failed { .. }));
    let is_incomplete = match &report.database {
        DatabaseReport::Built(_, left_out) => !left_out.is_empty(),
        DatabaseReport::Unchanged(_) => false,
        DatabaseReport::NoSnapshots => true,
    };
    Ok(if failed || is_incomplete { Outcome::CouldNot } else { Outcome::Done })
}

fn progress_text(progress: Progress<'_>) -> String {
    match progress {
        Progress::Fetching { feed, part, done, of } => {
            format!("{feed}: fetching {part} ({} of {of})", done + 1)
        }
        Progress::Verifying { feed, part } => format!("{feed}: verifying {part}"),
        Progress::Building { feed } => format!("building the database: {feed}"),
        Progress::Writing => "writing the database".to_owned(),
    }
}

fn update_text(report: &UpdateReport) -> String {
    let mut out = String::new();
    for feed in &report.feeds {
        out += feed.feed;
        out += &match &feed.outcome {
            FeedOutcome::Updated { changed, unchanged, absent, bytes } => {
                format!(
                    ": {changed} files changed ({bytes} bytes), {unchanged} unchanged, {absent} absent upstream\n"
                )
            }
            FeedOutcome::Unchanged => ": unchanged\n".to_owned(),
            FeedOutcome::Failed { error, has_snapshot: true } => {
                format!(": FAILED, its last good data stays in use: {error}\n")
            }
            FeedOutcome::Failed { error, has_snapshot: false } => {
                format!(": FAILED, and there is no earlier data: {error}\n")
            }
        };
    }
    match &report.database {
        DatabaseReport::Unchanged(identity) => out += &format!("database unchanged: {}\n", identity.id),
        DatabaseReport::NoSnapshots => out += "no database: no feed has any data\n",
        DatabaseReport::Built(built, left_out) => {
            for feed in &built.feeds {
                let refused: u64 = feed.refused.iter().map(|(_, count)| count).sum();
                out += &format!("{}: {} records read, {refused} refused\n", feed.name, feed.records);
                for (reason, count) in &feed.refused {
                    out += &format!("  refused {count}: {reason}\n");
                }
            }
            for (feed, error) in left_out {
                out +=
                    &format!("{feed}: LEFT OUT of the database, its data can't be read any more: {error}\n");
            }
            out += &format!(
                "database built: {} advisories, {} affected-package rows, {} bytes, {}\n",
                built.advisories, built.rows, built.bytes, built.identity.id
            );
        }
    }
    out
}

fn open(path: &Path) -> anyhow::Result<Database> {
    if !path.exists() {
        bail!("there is no advisory database at `{}`; run `plimsoll feeds update`", path.display());
    }
    Ok(Database::open(path)?)
}

fn export(session: &Session, args: &ExportArgs) -> anyhow::Result<Outcome> {
    let database = open(&database_path(&session.data_dir))?;
    export_sqlite(&database, &args.sqlite)
        .with_context(|| format!("cannot write `{}`", args.sqlite.display()))?;
    Ok(Outcome::Done)
}

fn show_diff(session: &Session, args: &DiffArgs) -> anyhow::Result<Outcome> {
    let old = open(&args.old)?;
    let new = open(args.new.as_ref().unwrap_or(&database_path(&session.data_dir)))?;
    let diff = diff(&old, &new)?;
    let mut out = String::new();
    for (sign, advisories) in [('+', &diff.added), ('-', &diff.removed), ('~', &diff.changed)] {
        for advisory in advisories {
            writeln!(out, "{sign} {} {}", advisory.feed, advisory.id)?;
        }
    }
    writeln!(
        out,
        "{} added, {} removed, {} changed, {} packages touched",
        diff.added.len(),
        diff.removed.len(),
        diff.changed.len(),
        diff.packages.len()
    )?;
    print(&out)
}
