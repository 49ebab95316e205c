//! `feeds diff`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use plimsoll_feeds::database::diff;
use plimsoll_feeds::update::database_path;

use super::{Outcome, Session, open, print};

#[derive(Args, Debug)]
pub(super) struct DiffArgs {
    /// The older database.
    old: PathBuf,
    /// The newer database; the data directory's own if left out.
    new: Option<PathBuf>,
}

pub(super) fn run(session: &Session, args: &DiffArgs) -> anyhow::Result<Outcome> {
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
