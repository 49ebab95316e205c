//! `feeds mirror`.

use std::path::PathBuf;

use clap::Args;
use plimsoll_feeds::feeds::{FEEDS, Feed};
use plimsoll_feeds::mirror::{CONFIG, MirrorOptions, MirrorReport, mirror};
use plimsoll_net::Client;

use super::select::{matching, means};
use super::update::progress_text;
use super::{Outcome, Session, UrlArgs, print, urls};
use crate::progress::Bar;

#[derive(Args, Debug)]
pub(super) struct MirrorArgs {
    /// The folder. It gets a folder for each feed, and a configuration for whoever takes the feeds from here.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The feeds: names, or beginnings of names with a `*`; none for all that are enabled.
    feeds: Vec<String>,
    /// URL under which the folder will be served.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    #[command(flatten)]
    urls: UrlArgs,
}

pub(super) fn run(session: &mut Session, args: &MirrorArgs) -> anyhow::Result<Outcome> {
    let options = MirrorOptions {
        urls: urls(session, &args.urls)?,
        base_url: args.base_url.clone(),
        ..MirrorOptions::new(&args.dir)
    };
    let chosen = match args.feeds.is_empty() {
        true => FEEDS.iter().copied().filter(|feed| is_enabled(session, feed)).collect(),
        false => matching(&args.feeds)?,
    };
    let client = Client::new(session.net_settings(&[]))?;
    let bar = Bar::spinner("mirroring feeds", session.is_quiet);
    let reports = mirror(&options, &chosen, &client, &mut |progress| bar.message(&progress_text(progress)))?;
    drop(bar);
    let mut out: String = reports.iter().map(text).collect();
    out += &format!("take the feeds from there with `--config {}`\n", args.dir.join(CONFIG).display());
    print(&out)?;
    let has_failed = reports.iter().any(|report| report.outcome.is_err());
    Ok(if has_failed { Outcome::CouldNot } else { Outcome::Done })
}

/// Whether a feed is fetched: by the configuration of its name, else of the longest beginning of it, else by default.
fn is_enabled(session: &Session, feed: &Feed) -> bool {
    let configured = session.config.feeds.iter().filter(|(pattern, _)| means(pattern, feed.name));
    let said = configured.filter_map(|(pattern, config)| Some((pattern, config.enabled?)));
    let best = said.max_by_key(|(pattern, _)| (!pattern.ends_with('*'), pattern.len()));
    best.map_or(feed.is_on_by_default, |(_, is_enabled)| is_enabled)
}

fn text(report: &MirrorReport) -> String {
    match &report.outcome {
        Ok(done) => format!(
            "{}: {} files changed ({} bytes), {} unchanged, {} absent upstream, {} removed\n",
            report.feed, done.changed, done.bytes, done.unchanged, done.absent, done.removed
        ),
        Err(error) => format!("{}: FAILED, what was mirrored before stays: {error}\n", report.feed),
    }
}
