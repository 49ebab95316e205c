//! `plimsoll config`: what the configuration may say, whether it is good, and taking over another's.

use std::io::{self, Write as _};

use clap::{Args, Subcommand};

use super::{Global, Outcome};
use crate::config::schema;

mod check;
mod import_clair;

/// Check the configuration, and print what it may say.
#[derive(Args, Debug)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say whether the configuration is good, and what of the defaults it changes.
    Check(check::CheckArgs),
    /// Print the JSON schema of the configuration, for editors.
    Schema,
    /// Take over the configuration of Clair 4: print ours, and warn of each key that means nothing here.
    ImportClair(import_clair::ImportArgs),
}

pub(super) fn run(global: &Global, args: &ConfigArgs) -> anyhow::Result<Outcome> {
    match &args.command {
        ConfigCommand::Check(args) => check::run(global, args),
        ConfigCommand::ImportClair(args) => import_clair::run(args),
        ConfigCommand::Schema => {
            print(&format!("{:#}\n", schema().to_value()))?;
            Ok(Outcome::Done)
        }
    }
}

/// Writes a text in one go, so that a closed pipe is one error.
fn print(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes())
}
