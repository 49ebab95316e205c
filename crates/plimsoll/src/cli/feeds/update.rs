//! `feeds update`.

use std::collections::BTreeSet;

use anyhow::bail;
use clap::Args;
use jiff::Timestamp;
use plimsoll_feeds::feeds::{FEEDS, Feed};
use plimsoll_feeds::update::{DatabaseReport, FeedOutcome, Progress, UpdateOptions, UpdateReport, update};

use super::{Outcome, Session, UrlArgs, misused, override_urls, print, warn};
use crate::config::select;
use crate::progress::Bar;

#[derive(Args, Debug)]
pub(super) struct UpdateArgs {
    /// The feeds, `osv-*` for all whose names begin so; none for all that are on.
    feeds: Vec<String>,
    #[command(flatten)]
    urls: UrlArgs,
    /// Wait for another update of the same data directory instead of failing.
    #[arg(long)]
    wait: bool,
}

pub(super) fn run(session: &mut Session, args: &UpdateArgs) -> anyhow::Result<Outcome> {
    let chosen = chosen(session, &args.feeds).map_err(misused)?;
    override_urls(session, &args.urls)?;
    // What is wrong with the channels is said before an hour of fetching, not after it.
    let channels = warn::open(session)?;
    let report = fetch(session, &chosen, args.wait)?;
    print(&update_text(&report))?;
    warn::after_update(session, &channels);
    Ok(if is_whole(&report) { Outcome::Done } else { Outcome::CouldNot })
}

/// Fetches feeds and builds the database.
pub(super) fn fetch(
    session: &Session,
    feeds: &[&'static Feed],
    waits_for_others: bool,
) -> anyhow::Result<UpdateReport> {
    let options = UpdateOptions {
        off: session.config.off(),
        waits_for_others,
        ..UpdateOptions::new(&session.data_dir)
    };
    let upstreams = session.upstreams();
    let bar = Bar::spinner("updating feeds", session.is_quiet);
    let mut on_progress = |progress: Progress<'_>| bar.message(&progress_text(progress));
    Ok(update(&options, feeds, &|feed| upstreams.of(feed), Timestamp::now(), &mut on_progress)?)
}

/// Fetches feeds and builds the database, as something that must succeed.
///
/// # Errors
///
/// If a feed could not be fetched, or is not in the database.
pub(in crate::cli) fn load(session: &Session, feeds: &[&'static Feed]) -> anyhow::Result<()> {
    let report = fetch(session, feeds, false)?;
    match is_whole(&report) {
        true => Ok(()),
        false => bail!("feeds could not be loaded:\n{}", update_text(&report)),
    }
}

/// Whether all was fetched and is in the database.
pub(super) fn is_whole(report: &UpdateReport) -> bool {
    let is_built = match &report.database {
        DatabaseReport::Built(_, left_out) => left_out.is_empty(),
        DatabaseReport::Unchanged(_) => true,
        DatabaseReport::NoSnapshots => false,
    };
    is_built && !report.feeds.iter().any(|feed| matches!(feed.outcome, FeedOutcome::Failed { .. }))
}

/// The feeds that are meant. One that is off is not fetched: its data would go into the database and grow old
/// there, since no later update asks for it.
pub(super) fn chosen(session: &Session, patterns: &[String]) -> anyhow::Result<Vec<&'static Feed>> {
    let is_on = |feed: &&'static Feed| session.config.is_enabled(feed.name);
    let mut names = BTreeSet::new();
    for pattern in patterns {
        let meant = select(pattern)?;
        names.extend(meant.iter().copied().filter(is_on).map(|feed| feed.name));
        if let [feed] = meant.as_slice()
            && !is_on(feed)
        {
            bail!(
                "the feed `{0}` is off; turn it on in the configuration: `[feeds.{0}] enabled = true`",
                feed.name
            );
        }
        if !meant.iter().any(is_on) {
            bail!(
                "all feeds that `{pattern}` means are off; turn them on in the configuration: `[feeds.\"{pattern}\"] enabled = true`"
            );
        }
    }
    let is_chosen = |feed: &&'static Feed| names.contains(feed.name) || (patterns.is_empty() && is_on(feed));
    Ok(FEEDS.iter().copied().filter(is_chosen).collect())
}

pub(super) fn progress_text(progress: Progress<'_>) -> String {
    match progress {
        Progress::Fetching { feed, part, done, of } => {
            format!("{feed}: fetching {part} ({} of {of})", done + 1)
        }
        Progress::Verifying { feed, part } => format!("{feed}: verifying {part}"),
        Progress::Building { feed } => format!("building the database: {feed}"),
        Progress::Writing => "writing the database".to_owned(),
    }
}

/// What became of one feed, in one line.
pub(super) fn outcome_text(outcome: &FeedOutcome) -> String {
    match outcome {
        FeedOutcome::Updated { changed, unchanged, absent, bytes } => format!(
            "{changed} files changed ({bytes} bytes), {unchanged} unchanged, {absent} absent upstream"
        ),
        FeedOutcome::Unchanged => "unchanged".to_owned(),
        FeedOutcome::Failed { error, has_snapshot: true } => {
            format!("FAILED, its last good data stays in use: {error}")
        }
        FeedOutcome::Failed { error, has_snapshot: false } => {
            format!("FAILED, and there is no earlier data: {error}")
        }
    }
}

fn update_text(report: &UpdateReport) -> String {
    let mut out = String::new();
    for feed in &report.feeds {
        out += &format!("{}: {}\n", feed.feed, outcome_text(&feed.outcome));
        for failed in &feed.failed_urls {
            out += &format!("  asked the next URL, because this one failed: {failed}\n");
        }
    }
    out + &database_text(&report.database)
}

pub(super) fn database_text(report: &DatabaseReport) -> String {
    let mut out = String::new();
    match report {
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
