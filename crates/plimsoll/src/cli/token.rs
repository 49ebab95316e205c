//! `plimsoll token`: tokens for clients of the server.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Outcome, misused};
use crate::access::fresh;
use crate::config::{Scope, TokenConfig};

/// Make tokens for clients of the server.
#[derive(Args, Debug)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token: print it, which nobody can do again, and the lines of the configuration that let it in.
    New(NewArgs),
}

#[derive(Args, Debug)]
struct NewArgs {
    /// What it is called in logs.
    name: String,
    /// What it is good for; each includes those before it.
    #[arg(long, value_enum, default_value_t = ScopeArg::Submit)]
    scope: ScopeArg,
    /// Repositories that it reaches, `REGISTRY/NAME`, where `*` stands for any text; all if left out.
    #[arg(long, value_name = "PATTERN")]
    repository: Vec<String>,
    /// Days after which it ends; never if left out.
    #[arg(long, value_name = "DAYS")]
    days: Option<u16>,
    /// Add the lines to a file, which `tokens_file` in `[server.auth]` names, and print the token alone.
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ScopeArg {
    /// Ask how scans stand and what they found.
    Read,
    /// Have images scanned.
    Submit,
    /// Change what the server does, and forget what it knows.
    Admin,
}

/// The lines of a file of tokens.
#[derive(Serialize)]
struct Lines {
    tokens: [TokenConfig; 1],
}

pub(super) fn run(args: &TokenArgs) -> anyhow::Result<Outcome> {
    let TokenCommand::New(args) = &args.command;
    let (token, sha256) = fresh()?;
    let scope = match args.scope {
        ScopeArg::Read => Scope::Read,
        ScopeArg::Submit => Scope::Submit,
        ScopeArg::Admin => Scope::Admin,
    };
    let expires = args.days.map(|days| Timestamp::now() + SignedDuration::from_hours(i64::from(days) * 24));
    let config = TokenConfig {
        name: args.name.clone(),
        sha256,
        scopes: vec![scope],
        repositories: Some(args.repository.clone()).filter(|patterns| !patterns.is_empty()),
        expires: expires.map(|time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
    };
    config.check().map_err(misused)?;
    let lines =
        toml::to_string(&Lines { tokens: [config] }).context("the token cannot be written as TOML")?;
    let mut out = io::stdout();
    match &args.into {
        Some(path) => {
            let mut file = OpenOptions::new();
            let added = file
                .create(true)
                .append(true)
                .open(path)
                .and_then(|mut file| file.write_all(format!("\n{lines}").as_bytes()));
            added.with_context(|| format!("cannot add the token to `{}`", path.display()))?;
            writeln!(out, "{token}")?;
        }
        None => {
            let lines = lines.replace("[[tokens]]", "[[server.auth.tokens]]");
            writeln!(
                out,
                "{token}\n\nThat is the token; it is kept nowhere. In the configuration of the server:\n\n{}",
                lines.trim_end()
            )?;
        }
    }
    Ok(Outcome::Done)
}
