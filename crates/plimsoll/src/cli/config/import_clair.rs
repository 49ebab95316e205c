//! `config import-clair`.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;

use super::print;
use crate::cli::{Outcome, misused};
use crate::config::clair::{import, merge};

/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Most files in the folder of drop-ins.
const DROP_INS_MAX: usize = 1_000;

/// Most aliases in a file, each of which may repeat a part of it.
const ALIASES_MAX: usize = 1_000;

#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// Clair's `config.yaml`. Drop-ins in `FILE.d` are merged into it as Clair does.
    file: PathBuf,
    /// Write our configuration to this file instead of printing it.
    #[arg(long, short, value_name = "OUT")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &ImportArgs) -> anyhow::Result<Outcome> {
    let mut warnings = Vec::new();
    let clair = read(&args.file, &mut warnings).map_err(misused)?;
    let imported = import(&clair);
    warnings.extend(imported.warnings);
    for warning in &warnings {
        anstream::eprintln!("warning: {warning}");
    }
    let text = format!(
        "# Taken over from Clair's `{}`; `plimsoll config check` says what it comes to.\n\n{}",
        args.file.display(),
        imported.config
    );
    match &args.output {
        None => print(&text)?,
        Some(path) => fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?,
    }
    Ok(Outcome::Done)
}

/// The configuration with its drop-ins.
fn read(path: &Path, warnings: &mut Vec<String>) -> anyhow::Result<Value> {
    let mut clair = parse(path)?;
    if !clair.is_object() {
        bail!("`{}` is not a configuration of Clair's: it is no mapping of keys", path.display());
    }
    for drop_in in drop_ins(path)? {
        let name = drop_in.to_string_lossy();
        if name.ends_with("-patch") {
            warnings.push(format!(
                "`{name}` is a JSON patch (RFC 6902) and was not applied; make its changes by hand"
            ));
        } else {
            merge(&mut clair, parse(&drop_in)?);
        }
    }
    Ok(clair)
}

/// The drop-ins of a file in their order: `FILE.d/*.yaml` and `FILE.d/*.yaml-patch`, or the same of JSON.
fn drop_ins(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut folder = path.as_os_str().to_owned();
    folder.push(".d");
    let folder = PathBuf::from(folder);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("yaml");
    let endings = [format!(".{ending}"), format!(".{ending}-patch")];
    let unread = || format!("cannot read the folder `{}`", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).with_context(unread)? {
        let path = entry.with_context(unread)?.path();
        let is_one = |name: &str| endings.iter().any(|ending| name.ends_with(ending));
        if path.is_file() && path.to_str().is_some_and(is_one) {
            found.push(path);
        }
        if found.len() > DROP_INS_MAX {
            bail!("the folder `{}` has more than {DROP_INS_MAX} files", folder.display());
        }
    }
    found.sort();
    Ok(found)
}

/// Reads YAML, of which JSON is a part.
fn parse(path: &Path) -> anyhow::Result<Value> {
    let unread = || format!("cannot read `{}`", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .with_context(unread)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        bail!("`{}` is larger than {FILE_BYTES_MAX} bytes", path.display());
    }
    let budget = serde_saphyr::budget! { max_aliases: ALIASES_MAX };
    let options = serde_saphyr::options! { budget: budget };
    let value = serde_saphyr::from_slice_with_options(&bytes, options);
    value.map_err(|error| {
        anyhow::anyhow!("`{}` is not YAML that can be read: {}", path.display(), shown(&error))
    })
}

/// Where the error is, without the text around it, which may be a password.
fn shown(error: &serde_saphyr::Error) -> String {
    match error.location() {
        Some(place) => format!("line {}, column {}", place.line(), place.column()),
        None => "it is too deep, too long or not UTF-8".to_owned(),
    }
}
