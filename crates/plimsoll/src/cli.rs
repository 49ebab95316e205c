//! The command line: what was typed becomes what is meant, and outcomes become exit codes.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::BoolishValueParser;
use clap::{Args, CommandFactory as _, Parser, Subcommand};

use plimsoll_image::open::registry::RegistryOptions;
use plimsoll_image::open::registry::credentials::Credentials;

use crate::config::{Config, default_data_dir};
use crate::upstreams::Upstreams;

mod audit;
mod clear;
mod config;
mod feeds;
mod manual;
mod policy;
mod promote;
mod scan;
mod serve;
mod status;
mod token;
mod verify_bundle;

/// Says what is aboard a container image, what is known to be wrong with it, and whether it may ship.
#[derive(Debug, Parser)]
#[command(name = "plimsoll", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten, next_help_heading = "Options of every command")]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Start with:
  plimsoll feeds update alpine-secdb 'osv-*' kev   fetch advisories and build the database
  plimsoll scan oci:./layout                     scan an image
  plimsoll clear HOST/REPO@sha256:..             say whether a digest may ship

Exit codes: 0 done; 1 a threshold is met, or refused; 2 the job could not be done, or gaps could hide something;
3 the command line or the configuration is wrong.";

#[derive(Args, Debug)]
struct Global {
    /// Where state lives: the advisory database, feed snapshots, layers that were read before.
    #[arg(long, global = true, env = "PLIMSOLL_DATA_DIR", hide_env_values = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Configuration file (TOML).
    #[arg(long, global = true, env = "PLIMSOLL_CONFIG", hide_env_values = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Certificate authorities to trust beside the system's (PEM).
    #[arg(long, global = true, value_name = "FILE")]
    ca_file: Vec<PathBuf>,
    /// Ask nothing but what the configuration names: registries, mirrors of feeds, where warnings go.
    #[arg(
        long,
        global = true,
        env = "PLIMSOLL_OFFLINE",
        hide_env_values = true,
        value_parser = BoolishValueParser::new()
    )]
    offline: bool,
    /// Show no progress.
    #[arg(long, short, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Scan(Box<scan::ScanArgs>),
    Clear(Box<clear::ClearArgs>),
    Promote(promote::PromoteArgs),
    Audit(audit::AuditArgs),
    Policy(policy::PolicyArgs),
    Serve(serve::ServeArgs),
    Status(Box<status::StatusArgs>),
    Feeds(feeds::FeedsArgs),
    Config(config::ConfigArgs),
    Token(token::TokenArgs),
    #[command(hide = true)]
    VerifyBundle(verify_bundle::VerifyBundleArgs),
    Completions(manual::CompletionsArgs),
    Man(manual::ManArgs),
}

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    ThresholdMet,
    CouldNot,
    Usage,
    /// `status`: it can never be scanned as it is.
    Unsupported,
    /// `status`: the scan failed, or was called off.
    Failed,
    /// `status`: there is no result yet.
    NotReady,
    /// `status`: the server did not answer.
    Unreachable,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> ExitCode {
        ExitCode::from(match outcome {
            Outcome::Done => 0,
            Outcome::ThresholdMet => 1,
            Outcome::CouldNot => 2,
            Outcome::Usage => 3,
            Outcome::Unsupported => 4,
            Outcome::Failed => 5,
            Outcome::NotReady => 6,
            Outcome::Unreachable => 7,
        })
    }
}

/// The command line or the configuration is wrong.
#[derive(Debug)]
struct Misused(anyhow::Error);

impl std::fmt::Display for Misused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

impl std::error::Error for Misused {}

fn misused(error: anyhow::Error) -> anyhow::Error {
    anyhow::Error::new(Misused(error))
}

/// Runs one command.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>) -> Outcome {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors.
            let outcome = if error.use_stderr() { Outcome::Usage } else { Outcome::Done };
            drop(error.print());
            return outcome;
        }
    };
    match dispatch(cli) {
        Ok(outcome) => outcome,
        Err(error) if is_closed_pipe(&error) => Outcome::Done,
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            if error.is::<Misused>() { Outcome::Usage } else { Outcome::CouldNot }
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<Outcome> {
    let Cli { global, command } = cli;
    match command {
        Command::Scan(args) => scan::run(&Session::new(global)?, &args),
        Command::Clear(args) => clear::run(&Session::new(global)?, &args),
        Command::Promote(args) => promote::run(&Session::new(global)?, &args),
        Command::Audit(args) => audit::run(&Session::new(global)?, &args),
        Command::Policy(args) => policy::run(&args),
        Command::Serve(args) => serve::run(|| Session::new(global), &args),
        Command::Status(args) => status::run(&Session::new(global)?, &args),
        Command::Feeds(args) => feeds::run(&mut Session::new(global)?, args),
        Command::Config(args) => config::run(&global, &args),
        Command::Token(args) => token::run(&args),
        Command::VerifyBundle(args) => verify_bundle::run(&args),
        Command::Completions(args) => manual::completions(&mut Cli::command(), &args),
        Command::Man(args) => manual::man(&Cli::command(), &args),
    }
}

/// Writes a text in one go, so that a closed pipe is one error.
fn print(text: &str) -> anyhow::Result<Outcome> {
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())?;
    Ok(Outcome::Done)
}

/// Whoever read the output stopped reading, as `head` does.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|cause| cause.kind() == std::io::ErrorKind::BrokenPipe)
}

/// What every command that does something needs.
struct Session {
    data_dir: PathBuf,
    config: Config,
    ca_files: Vec<PathBuf>,
    is_quiet: bool,
}

impl Session {
    fn new(global: Global) -> anyhow::Result<Session> {
        let data_dir = match global.data_dir {
            Some(data_dir) => data_dir,
            None => default_data_dir().map_err(misused)?,
        };
        let mut config = Config::read(global.config.as_deref()).map_err(misused)?;
        config.offline |= global.offline;
        Ok(Session { data_dir, config, ca_files: global.ca_file, is_quiet: global.quiet })
    }

    /// From where feeds are fetched.
    fn upstreams(&self) -> Upstreams<'_> {
        Upstreams::new(
            &self.config,
            self.net_settings(&[]),
            self.registry_options(Credentials::from_environment(), &[]),
        )
    }

    /// How registries are asked: as configured.
    fn registry_options(&self, credentials: Credentials, plain_http: &[String]) -> RegistryOptions {
        self.config.registry_options(credentials, plain_http)
    }

    /// How the network is used; registries that speak plain HTTP are those named here and configured so.
    fn net_settings(&self, plain_http: &[String]) -> plimsoll_net::Settings {
        self.config.net_settings(&self.ca_files, plain_http)
    }
}
