//! `feeds status`.

use std::fmt::Write as _;

use clap::Args;
use jiff::Timestamp;
use plimsoll_core::advisory::Advisories as _;
use plimsoll_feeds::database::Database;
use plimsoll_feeds::status::{FeedStatus, status};
use plimsoll_feeds::update::database_path;

use super::{Outcome, Session, UrlArgs, print, urls};

#[derive(Args, Debug)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    urls: UrlArgs,
    /// Show also which parts are absent, what was left out, and examples of refused records.
    #[arg(long, short)]
    verbose: bool,
}

pub(super) fn run(session: &mut Session, args: &StatusArgs) -> anyhow::Result<Outcome> {
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
        FeedStatus { has_snapshot: false, is_in_database: false, failing_since: None, .. } => "not loaded",
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
