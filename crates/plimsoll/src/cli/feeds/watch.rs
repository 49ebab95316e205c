//! `feeds watch`.
//!
//! Ending it needs no care: what a kill leaves behind is carried to its end by the next update. So a signal ends
//! the process where it stands, with exit code 0, but for the moments in which somebody is being told something:
//! a mail that was sent and not noted would be sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use plimsoll_feeds::feeds::{FEEDS, Feed};
use plimsoll_feeds::status::attempts;
use plimsoll_feeds::update::{DatabaseReport, UpdateReport};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Outcome, Session, UrlArgs, override_urls, update, warn};
use crate::schedule::{self, next_due};

/// Longest sleep: a machine that was suspended, or whose clock was set, notices within this time.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Shortest wait between two rounds, whatever happens.
const ROUND_WAIT_MIN: Duration = Duration::from_secs(10);

/// Wait after a round that could not be done at all, as on a full disk.
const ERROR_WAIT: Duration = Duration::from_secs(5 * 60);

/// How often somebody is told at least, also while no feed is due.
const WARN_EVERY: Duration = Duration::from_secs(60 * 60);

#[derive(Args, Debug)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    urls: UrlArgs,
    /// Fetch what is due and end.
    #[arg(long)]
    once: bool,
}

pub(super) fn run(session: &mut Session, args: &WatchArgs) -> anyhow::Result<Outcome> {
    override_urls(session, &args.urls)?;
    let session = &*session;
    let feeds = enabled(session);
    warn::open(session)?;
    let say = |line: &str| anstream::eprintln!("{line}");
    if args.once {
        let is_whole = round(session, &feeds, &say)?;
        warn::after_update(session, &warn::open(session)?);
        return Ok(if is_whole { Outcome::Done } else { Outcome::CouldNot });
    }
    let signals = Signals::handle()?;
    anstream::eprintln!("watching {} feeds{}", feeds.len(), next_text(session, &feeds, Timestamp::now()));
    let mut told_at: Option<Timestamp> = None;
    loop {
        let is_due = !due(session, &feeds, Timestamp::now()).is_empty();
        if is_due {
            // A full disk today is none tomorrow.
            if let Err(error) = round(session, &feeds, &say) {
                anstream::eprintln!("error: {error:#}");
                sleep(ERROR_WAIT);
            }
        }
        let now = Timestamp::now();
        if is_due || told_at.is_none_or(|told| now.duration_since(told).unsigned_abs() >= WARN_EVERY) {
            told_at = Some(now);
            if signals.hold(|| tell(session, &say)) {
                return Ok(Outcome::Done);
            }
        }
        let wait = wait(session, &feeds, Timestamp::now());
        sleep(wait.clamp(ROUND_WAIT_MIN, SLEEP_MAX));
        if signals.is_asked_to_end() {
            return Ok(Outcome::Done);
        }
    }
}

/// Keeps the feeds fresh that are on, beside a server: until it ends, with a word after each round.
pub(in crate::cli) fn keep_fresh(
    session: &Session,
    is_ending: &dyn Fn() -> bool,
    say: &dyn Fn(&str),
    after_round: &dyn Fn(),
) {
    let feeds = enabled(session);
    say(&format!("keeping {} feeds fresh{}", feeds.len(), next_text(session, &feeds, Timestamp::now())));
    let mut told_at: Option<Timestamp> = None;
    while !is_ending() {
        let now = Timestamp::now();
        let is_due = !due(session, &feeds, now).is_empty();
        let mut pause = wait(session, &feeds, now).clamp(ROUND_WAIT_MIN, SLEEP_MAX);
        if is_due {
            if let Err(error) = round(session, &feeds, say) {
                say(&format!("error: {error:#}"));
                pause = ERROR_WAIT;
            }
            after_round();
        }
        if is_due || told_at.is_none_or(|told| now.duration_since(told).unsigned_abs() >= WARN_EVERY) {
            told_at = Some(now);
            tell(session, say);
        }
        let slept = std::time::Instant::now();
        while slept.elapsed() < pause && !is_ending() {
            sleep(Duration::from_millis(200));
        }
    }
}

/// A feed and how often it is fetched.
type Cadenced = (&'static Feed, Duration);

fn enabled(session: &Session) -> Vec<Cadenced> {
    let enabled = FEEDS.iter().copied().filter(|feed| session.config.is_enabled(feed.name));
    enabled.filter_map(|feed| Some((feed, session.config.every(feed.name)?))).collect()
}

fn next(session: &Session, (feed, every): Cadenced, now: Timestamp) -> Timestamp {
    next_due(feed.name, every, &attempts(&session.data_dir, feed.name), now)
}

/// The feeds to be fetched together now.
fn due(session: &Session, feeds: &[Cadenced], now: Timestamp) -> Vec<&'static Feed> {
    let feeds: Vec<_> = feeds.iter().map(|one| (one.0, next(session, *one, now), one.1)).collect();
    schedule::round(&feeds, now)
}

/// How long nothing is due.
fn wait(session: &Session, feeds: &[Cadenced], now: Timestamp) -> Duration {
    let next = feeds.iter().map(|one| next(session, *one, now)).min();
    next.map_or(SLEEP_MAX, |next| Duration::try_from(next.duration_since(now)).unwrap_or_default())
}

/// Fetches what is due and what soon will be. Whether all of it could be fetched and built.
fn round(session: &Session, feeds: &[Cadenced], say: &dyn Fn(&str)) -> anyhow::Result<bool> {
    let now = Timestamp::now();
    let chosen = due(session, feeds, now);
    if chosen.is_empty() {
        say(&format!("nothing is due{}", next_text(session, feeds, now)));
        return Ok(true);
    }
    let report = update::fetch(session, &chosen, true)?;
    tell_round(session, feeds, &report, say);
    Ok(update::is_whole(&report))
}

fn next_text(session: &Session, feeds: &[Cadenced], now: Timestamp) -> String {
    match feeds.iter().map(|one| (next(session, *one, now), one.0.name)).min() {
        None => "; no feed is on".to_owned(),
        Some((at, feed)) if at <= now => format!("; {feed} is due"),
        Some((at, feed)) => format!("; next is {feed} at {}", second(at)),
    }
}

/// A time without fractions of a second.
fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// One line a feed, one for the database.
fn tell_round(session: &Session, feeds: &[Cadenced], report: &UpdateReport, say: &dyn Fn(&str)) {
    let now = Timestamp::now();
    for feed in &report.feeds {
        let cadenced = feeds.iter().find(|(row, _)| row.name == feed.feed);
        let next =
            cadenced.map(|one| format!("; next at {}", second(next(session, *one, now)))).unwrap_or_default();
        say(&format!("{}: {}{next}", feed.feed, update::outcome_text(&feed.outcome)));
    }
    match &report.database {
        DatabaseReport::Unchanged(_) => {}
        DatabaseReport::NoSnapshots => say("no database: no feed has any data"),
        DatabaseReport::Built(built, left_out) => {
            for (feed, error) in left_out {
                say(&format!("{feed}: LEFT OUT of the database, its data can't be read any more: {error}"));
            }
            say(&format!("database built: {} advisories, {}", built.advisories, built.identity.id));
        }
    }
}

/// Secrets are read anew each time: they are changed while this runs.
fn tell(session: &Session, say: &dyn Fn(&str)) {
    match warn::open(session) {
        Ok(channels) => warn::after_update(session, &channels),
        Err(error) => say(&format!("warning: nobody could be told of late feeds: {error:#}")),
    }
}

/// What SIGTERM and SIGINT do.
struct Signals {
    /// A signal ends the process at once while this holds.
    ends_at_once: Arc<AtomicBool>,
    is_asked: Arc<AtomicBool>,
}

impl Signals {
    fn handle() -> anyhow::Result<Signals> {
        let signals = Signals { ends_at_once: Arc::new(true.into()), is_asked: Arc::default() };
        for signal in [SIGTERM, SIGINT] {
            // In this order: the first to be registered is the first to be asked.
            signal_hook::flag::register_conditional_shutdown(signal, 0, Arc::clone(&signals.ends_at_once))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&signals.is_asked)))
                .context("cannot handle signals")?;
        }
        Ok(signals)
    }

    /// Does something to its end, whatever signal comes. Whether one came.
    fn hold(&self, work: impl FnOnce()) -> bool {
        self.ends_at_once.store(false, Ordering::SeqCst);
        work();
        self.ends_at_once.store(true, Ordering::SeqCst);
        self.is_asked_to_end()
    }

    fn is_asked_to_end(&self) -> bool {
        self.is_asked.load(Ordering::SeqCst)
    }
}
