//! `feeds export`.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use jiff::Timestamp;
use plimsoll_feeds::bundle::{
    Content, Export, ExportOptions, Incoming as _, Manifest, SigningKey, TarBundle, remembered,
};
use plimsoll_feeds::database::export_sqlite;
use plimsoll_feeds::update::database_path;

use super::update::progress_text;
use super::{Outcome, Session, misused, open};
use crate::config::select_all;
use crate::progress::Bar;

#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// Where the bundle goes; `-` for standard output.
    #[arg(value_name = "FILE", required_unless_present = "sqlite")]
    file: Option<PathBuf>,
    #[command(flatten)]
    bundle: BundleArgs,
    /// Write an SQLite file with the content of the database instead.
    #[arg(
        long, value_name = "FILE",
        conflicts_with_all = ["file", "feeds", "content", "key", "unsigned", "since", "wait"],
    )]
    sqlite: Option<PathBuf>,
}

/// What goes into a bundle.
#[derive(Args, Debug)]
pub(super) struct BundleArgs {
    /// Export these feeds alone: names, or beginnings of names with a `*`.
    #[arg(long, value_name = "FEED,..", value_delimiter = ',')]
    feeds: Vec<String>,
    /// Export the files of the upstreams, from which the database is built where they arrive (the default).
    #[arg(long, group = "content")]
    raw: bool,
    /// Export the database alone.
    #[arg(long, group = "content")]
    built: bool,
    /// Export the files, and the database that is built of them.
    #[arg(long, group = "content")]
    both: bool,
    /// Sign with this private key. The configuration's `[bundles] signing_key` if left out.
    #[arg(long, value_name = "FILE", conflicts_with = "unsigned")]
    key: Option<PathBuf>,
    /// Do not sign.
    #[arg(long)]
    unsigned: bool,
    /// Leave out what an earlier bundle had: its id, if it was exported from here, or its file.
    #[arg(long, value_name = "ID|FILE")]
    since: Option<PathBuf>,
    /// Wait for an update of the same data directory instead of failing.
    #[arg(long)]
    wait: bool,
}

pub(super) fn run(session: &Session, args: &ExportArgs) -> anyhow::Result<Outcome> {
    if let Some(path) = &args.sqlite {
        let database = open(&database_path(&session.data_dir))?;
        export_sqlite(&database, path).with_context(|| format!("cannot write `{}`", path.display()))?;
        return Ok(Outcome::Done);
    }
    let Some(path) = &args.file else { return Ok(Outcome::Usage) };
    let bar = Bar::spinner("exporting feeds", session.is_quiet);
    let (export, key) = prepare(session, &args.bundle, &bar)?;
    bar.message("writing the bundle");
    let written = if path.as_os_str() == "-" {
        export.write(&mut io::stdout().lock())?;
        None
    } else {
        let bytes = export.write_file(path);
        Some(bytes.with_context(|| format!("cannot export to `{}`", path.display()))?)
    };
    export.remember()?;
    drop(bar);
    // The bundle may be on standard output.
    anstream::eprint!("{}", text(&export, key.as_ref(), written));
    Ok(Outcome::Done)
}

/// Readies a bundle, and gives the key that signed it.
pub(super) fn prepare(
    session: &Session,
    args: &BundleArgs,
    bar: &Bar,
) -> anyhow::Result<(Export, Option<SigningKey>)> {
    let key = signing_key(session, args)?;
    let selected = select_all(&args.feeds).map_err(misused)?;
    let names = selected.iter().map(|feed| feed.name);
    let options = ExportOptions {
        data_dir: session.data_dir.clone(),
        needed: names.filter(|name| args.feeds.iter().any(|pattern| pattern == name)).collect(),
        feeds: (!args.feeds.is_empty()).then_some(selected),
        content: match (args.built, args.both) {
            (true, _) => Content::Built,
            (_, true) => Content::Both,
            _ => Content::Raw,
        },
        since: args.since.as_deref().map(|since| base(session, since)).transpose()?,
        waits_for_others: args.wait,
    };
    let export = Export::prepare(&options, key.as_ref(), Timestamp::now(), &mut |progress| {
        bar.message(&progress_text(progress));
    })?;
    Ok((export, key))
}

/// The key that signs; `None` where the user wants none.
fn signing_key(session: &Session, args: &BundleArgs) -> anyhow::Result<Option<SigningKey>> {
    if args.unsigned {
        return Ok(None);
    }
    let configured = session.config.bundles.signing_key.as_ref();
    let path = args.key.as_ref().or(configured).ok_or_else(|| {
        misused(anyhow!(
            "a bundle needs a key that signs it: make one with `plimsoll feeds keygen` and name it with `--key` or as \
             `signing_key` in `[bundles]` of the configuration; `--unsigned` exports without"
        ))
    })?;
    Ok(Some(SigningKey::read(path)?))
}

/// The bundle that an export leaves out.
fn base(session: &Session, since: &Path) -> anyhow::Result<Manifest> {
    let id = since.to_str().filter(|text| text.len() == 64 && !since.exists());
    if let Some(id) = id {
        return Ok(remembered(&session.data_dir, id)?);
    }
    let unread = || format!("cannot read the bundle `{}`", since.display());
    let file = File::open(since).with_context(unread)?;
    let head = TarBundle::new(BufReader::new(file)).head().with_context(unread)?;
    Manifest::read(&head.manifest).with_context(unread)
}

pub(super) fn text(export: &Export, key: Option<&SigningKey>, written: Option<u64>) -> String {
    let manifest = export.manifest();
    let present = manifest.feeds.iter().flat_map(|feed| &feed.parts).filter(|part| !part.is_absent);
    let brought = present.clone().filter(|part| part.payload.is_some()).count();
    let mut out = format!("bundle {} of {}\n", manifest.id, manifest.created_at);
    out += &match key {
        Some(key) => format!("signed with key {}\n", key.public().id()),
        None => "NOT signed: whoever carries it can change it\n".to_owned(),
    };
    if let Some(base) = &manifest.base {
        out += &format!("only what has changed since {base}\n");
    }
    out += &format!("{} feeds, {brought} of {} files", manifest.feeds.len(), present.count());
    if manifest.database.as_ref().is_some_and(|database| database.payload.is_some()) {
        out += ", the database";
    }
    if let Some(bytes) = written {
        out += &format!(" ({bytes} bytes)");
    }
    out + "\n"
}
