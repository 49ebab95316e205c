//! Shell completions and manual pages, generated from the command line itself.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use clap_complete::Shell;

use super::Outcome;

/// Print shell completions.
///
/// For bash: `plimsoll completions bash > ~/.local/share/bash-completion/completions/plimsoll`.
#[derive(Args, Debug)]
pub(super) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Print the manual page, or write one page a command into a directory.
#[derive(Args, Debug)]
pub(super) struct ManArgs {
    /// Directory to write the pages to.
    directory: Option<PathBuf>,
}

pub(super) fn completions(command: &mut clap::Command, args: &CompletionsArgs) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "plimsoll", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Outcome::Done)
}

pub(super) fn man(command: &clap::Command, args: &ManArgs) -> anyhow::Result<Outcome> {
    match &args.directory {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command.clone()).render(&mut page)?;
            io::stdout().write_all(&page)?;
        }
        Some(directory) => {
            fs::create_dir_all(directory)
                .and_then(|()| clap_mangen::generate_to(command.clone(), directory))
                .with_context(|| format!("cannot write manual pages to `{}`", directory.display()))?;
        }
    }
    Ok(Outcome::Done)
}
