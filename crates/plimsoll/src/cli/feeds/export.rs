//! `feeds export`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use plimsoll_feeds::database::export_sqlite;
use plimsoll_feeds::update::database_path;

use super::{Outcome, Session, open};

#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// Write an SQLite file with the same content.
    #[arg(long, value_name = "FILE")]
    sqlite: PathBuf,
}

pub(super) fn run(session: &Session, args: &ExportArgs) -> anyhow::Result<Outcome> {
    let database = open(&database_path(&session.data_dir))?;
    export_sqlite(&database, &args.sqlite)
        .with_context(|| format!("cannot write `{}`", args.sqlite.display()))?;
    Ok(Outcome::Done)
}
