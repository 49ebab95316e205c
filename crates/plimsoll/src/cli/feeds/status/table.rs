//! The table for people: what needs somebody stands first.

use std::fmt::{self, Write as _};

use plimsoll_feeds::status::{FeedState, FeedStatus};

use super::{DatabaseStanding, Standing, refused};

pub(super) fn text(standing: &Standing, has_all: bool, is_verbose: bool) -> Result<String, fmt::Error> {
    let order = |feed: &&FeedStatus| FeedState::ALL.iter().position(|state| *state == feed.state());
    let mut feeds: Vec<&FeedStatus> =
        standing.feeds.iter().filter(|feed| has_all || feed.is_enabled).collect();
    feeds.sort_by_key(order);
    let widest = feeds.iter().map(|feed| feed.name.len()).max().unwrap_or(0).max(4);
    let mut out = String::new();
    if !feeds.is_empty() {
        writeln!(
            out,
            "{:<widest$}  {:<10}  {:>6}  {:>6}  {:>9}  {:>7}  DATA OF",
            "FEED", "STATE", "AGE", "LIMIT", "RECORDS", "REFUSED"
        )?;
    }
    for feed in feeds {
        row(&mut out, feed, widest)?;
        notes(&mut out, feed)?;
        if is_verbose {
            details(&mut out, feed)?;
        }
    }
    summary(&mut out, standing, has_all)?;
    database(&mut out, &standing.database)?;
    for (channel, memory) in standing.memory.failing_channels() {
        let (since, error) = (memory.failing_since.as_deref(), memory.error.as_deref());
        writeln!(
            out,
            "nobody can be warned by {channel} since {}: {}",
            since.unwrap_or_default(),
            error.unwrap_or_default()
        )?;
    }
    Ok(out)
}

fn row(out: &mut String, feed: &FeedStatus, widest: usize) -> fmt::Result {
    let days = |days: i64| format!("{days} d");
    let age = feed.age_days.map_or_else(|| "-".to_owned(), days);
    let limit = days(i64::from(feed.max_age_days));
    let records = if feed.has_snapshot { feed.records.to_string() } else { "-".to_owned() };
    let refused = if feed.has_snapshot { refused(feed).to_string() } else { "-".to_owned() };
    writeln!(
        out,
        "{:<widest$}  {:<10}  {age:>6}  {limit:>6}  {records:>9}  {refused:>7}  {}",
        feed.name,
        feed.state().title(),
        date(feed)
    )
}

/// What the age is counted from.
fn date(feed: &FeedStatus) -> String {
    let day = |date: &str| date.get(..10).unwrap_or(date).to_owned();
    match (feed.oldest_namespace(), &feed.data_date, &feed.checked_at) {
        (Some((namespace, date)), ..) => format!("{} ({namespace})", day(date)),
        (None, Some(date), _) => day(date),
        (None, None, Some(checked)) if feed.has_snapshot => format!("{} (fetched)", day(checked)),
        _ => "-".to_owned(),
    }
}

fn notes(out: &mut String, feed: &FeedStatus) -> fmt::Result {
    if let (Some(since), Some(error)) = (&feed.failing_since, &feed.error) {
        writeln!(out, "  fails since {since}: {error}")?;
        if feed.is_stale() {
            writeln!(out, "  and its data is older than it should be")?;
        }
    }
    for (reason, count) in &feed.refused {
        writeln!(out, "  refused {count}: {reason}")?;
    }
    Ok(())
}

fn details(out: &mut String, feed: &FeedStatus) -> fmt::Result {
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
    Ok(())
}

/// `5 feeds are on: 3 fresh, 1 stale, 1 failing; 21 are off (--all shows them)`.
fn summary(out: &mut String, standing: &Standing, has_all: bool) -> fmt::Result {
    let count = |state: FeedState| standing.feeds.iter().filter(|feed| feed.state() == state).count();
    let on = standing.feeds.iter().filter(|feed| feed.is_enabled).count();
    let states = FeedState::ALL.iter().filter(|state| **state != FeedState::Off && count(**state) > 0);
    let states: Vec<String> = states.map(|state| format!("{} {}", count(*state), state.title())).collect();
    let states = if states.is_empty() { String::new() } else { format!(": {}", states.join(", ")) };
    let hint = if has_all { "" } else { " (`--all` shows them)" };
    let off = match count(FeedState::Off) {
        0 => String::new(),
        off => format!("; {off} off{hint}"),
    };
    writeln!(out, "\n{on} feeds on{states}{off}")
}

fn database(out: &mut String, database: &DatabaseStanding) -> fmt::Result {
    match database {
        DatabaseStanding::Absent => writeln!(out, "there is no database yet; run `plimsoll feeds update`"),
        DatabaseStanding::Unreadable(error) => writeln!(out, "{error}"),
        DatabaseStanding::Here { identity, advisories, rows, bytes } => {
            writeln!(out, "database {}, built {}", identity.id, identity.built_at)?;
            writeln!(out, "{advisories} advisories, {rows} affected-package rows, {bytes} bytes")
        }
    }
}
