//! `feeds warn`, and the same at the end of an update.

use anyhow::bail;
use clap::Args;
use jiff::Timestamp;

use super::{Outcome, Session, misused, print, statuses};
use crate::warnings::channels::{self, CHANNELS, OpenChannel};
use crate::warnings::late::Watched;
use crate::warnings::message::{Message, clean};
use crate::warnings::{self, Told};

#[derive(Args, Debug)]
pub(super) struct WarnArgs {
    /// Print what each channel would be told; send nothing.
    #[arg(long)]
    dry_run: bool,
    /// Send a test message through each channel.
    #[arg(long, conflicts_with = "dry_run")]
    test: bool,
}

pub(super) fn run(session: &mut Session, args: &WarnArgs) -> anyhow::Result<Outcome> {
    let now = Timestamp::now();
    if args.dry_run {
        return dry_run(session, now);
    }
    let channels = open(session)?;
    if channels.is_empty() {
        return Err(misused(anyhow::anyhow!(
            "nobody is to be told: the configuration has neither {}",
            sections().join(" nor ")
        )));
    }
    let told = if args.test { test(&channels, now) } else { warn(session, &channels, now)? };
    let mut out = String::new();
    for told in &told {
        out += &line(told);
    }
    print(&out)?;
    match told.iter().filter(|told| told.error.is_some()).count() {
        0 => Ok(Outcome::Done),
        1 => bail!("a channel could not be told; it is tried again at the next run"),
        count => bail!("{count} channels could not be told; they are tried again at the next run"),
    }
}

/// The channels that are configured. What is wrong with them is wrong with the configuration.
pub(super) fn open(session: &Session) -> anyhow::Result<Vec<OpenChannel>> {
    channels::open(&session.config.warnings, &session.net_settings(&[])).map_err(misused)
}

/// Tells what there is to tell after an update, and says so on standard error. An update that was done is done
/// even where nobody could be told of it; `feeds status` shows that too.
pub(super) fn after_update(session: &Session, channels: &[OpenChannel]) {
    match warn(session, channels, Timestamp::now()) {
        Ok(told) => {
            for told in told.iter().filter(|told| told.message.is_some()) {
                anstream::eprint!("{}", line(told));
            }
        }
        Err(error) => anstream::eprintln!("warning: nobody could be told of late feeds: {error:#}"),
    }
}

fn warn(session: &Session, channels: &[OpenChannel], now: Timestamp) -> anyhow::Result<Vec<Told>> {
    with_watched(session, now, |watched| {
        warnings::warn(&session.data_dir, channels, watched, &warnings::host(), now)
    })
}

fn with_watched<T>(session: &Session, now: Timestamp, then: impl FnOnce(&[Watched<'_>]) -> T) -> T {
    let statuses = statuses(session, now);
    let watched = statuses
        .iter()
        .filter_map(|status| Some(Watched { status, every: session.config.every(status.name)? }));
    then(&watched.collect::<Vec<_>>())
}

fn test(channels: &[OpenChannel], now: Timestamp) -> Vec<Told> {
    let message = Message::test(&warnings::host(), now);
    let told = channels.iter().map(|channel| {
        let error = (channel.send)(&message).err().map(|error| clean(&format!("{error:#}")));
        Told { channel: channel.row.name, message: Some(message.clone()), error }
    });
    told.collect()
}

fn dry_run(session: &Session, now: Timestamp) -> anyhow::Result<Outcome> {
    // Opened as well, so that what is wrong with them is said now.
    open(session)?;
    let mut names = channels::configured(&session.config.warnings);
    if names.is_empty() {
        anstream::eprintln!("no channel is configured; this is what any would be told");
        names = CHANNELS.iter().map(|channel| channel.name).take(1).collect();
    }
    let told = with_watched(session, now, |watched| {
        warnings::rehearse(&session.data_dir, &names, watched, &warnings::host(), now)
    });
    let mut out = String::new();
    for told in &told {
        out += &match &told.message {
            None => format!("nothing to tell by {}\n", told.channel),
            Some(message) => format!("by {}: {}\n\n{}\n", told.channel, message.subject(), message.text()),
        };
    }
    print(&out)
}

fn line(Told { channel, message, error }: &Told) -> String {
    match (message, error) {
        (None, _) => format!("nothing to tell by {channel}\n"),
        (Some(message), None) => format!("told by {channel}: {}\n", message.gist()),
        (Some(message), Some(error)) => format!("NOT told by {channel}: {}: {error}\n", message.gist()),
    }
}

fn sections() -> Vec<String> {
    CHANNELS.iter().map(|channel| format!("`[warnings.{}]`", channel.name)).collect()
}
