//! `feeds mirror`.

use std::path::PathBuf;

use clap::Args;
use plimsoll_feeds::mirror::{CONFIG, MirrorOptions, MirrorReport, mirror};
use plimsoll_feeds::update::Progress;

use super::update::{chosen, progress_text};
use super::{Outcome, Session, UrlArgs, misused, override_urls, print};
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
    override_urls(session, &args.urls)?;
    let options = MirrorOptions { base_url: args.base_url.clone(), ..MirrorOptions::new(&args.dir) };
    let chosen = chosen(session, &args.feeds).map_err(misused)?;
    let upstreams = session.upstreams();
    let bar = Bar::spinner("mirroring feeds", session.is_quiet);
    let mut on_progress = |progress: Progress<'_>| bar.message(&progress_text(progress));
    let reports = mirror(&options, &chosen, &|feed| upstreams.of(feed), &mut on_progress)?;
    drop(bar);
    let mut out: String = reports.iter().map(text).collect();
    out += &format!("take the feeds from there with `--config {}`\n", args.dir.join(CONFIG).display());
    print(&out)?;
    let has_failed = reports.iter().any(|report| report.outcome.is_err());
    Ok(if has_failed { Outcome::CouldNot } else { Outcome::Done })
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
