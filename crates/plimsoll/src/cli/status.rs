//! `plimsoll status`: a pipeline's one line. Asks a server for a scan, waits for it, and turns what comes of it into an
//! exit code.
//!
//! A server that restarts while it is waited for is no reason to fail: until the time is over it is asked again.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_image::open::registry::reference::RegistryReference;

use super::{Outcome, Session, misused, print};
use crate::config::secret;
use crate::http::api_v1::wire::{ScanStatus, VerdictAnswer};
use crate::progress::Bar;
use crate::threshold::threshold;

mod asking;
mod text;

use asking::{Asked, ScanServer};

/// How long one question waits at the server while a worker has the scan: progress is shown as often.
const LOOK_AT_WORK: Duration = Duration::from_secs(2);

/// How long one question waits at the server otherwise.
const LOOK: Duration = Duration::from_secs(30);

/// Wait before a server that is not there is asked again.
const AGAIN: Duration = Duration::from_secs(2);

/// Where a scan on a server stands; with `--wait`, what comes of it
///
/// IMAGE is an image in a registry, which is handed to the server if it is not known there, or the digest or id of a
/// scan.
///
/// Exit codes:
///   0  completed, and nothing stands against it
///   1  completed, and a finding meets `--fail-on`
///   2  completed, and gaps could hide something (`--allow-gaps` accepts them)
///   3  the command line is wrong
///   4  unsupported: it can never be scanned as it is
///   5  failed, or called off
///   6  not ready: the server is not, feeds are not loaded, or the scan has not ended yet
///   7  unreachable: the server did not answer, or does not let us
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct StatusArgs {
    /// The image, the digest, or the id.
    image: String,
    /// The server: http://HOST:PORT or https://HOST.
    #[arg(long, env = "PLIMSOLL_SERVER", hide_env_values = true, value_name = "URL")]
    server: String,
    /// File whose first line is the token for the server. Also the variable `PLIMSOLL_TOKEN`.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Wait until the scan has ended.
    #[arg(long)]
    wait: bool,
    /// How long to wait at most, such as `90s` or `30m`.
    #[arg(long, value_name = "TIME", default_value = "30m", requires = "wait")]
    timeout: String,
    /// Exit with 1 when a finding is this bad or worse: negligible, low, medium, high, critical, or `any`;
    /// with `,fixable` only findings that have a fix count.
    #[arg(long, value_name = "SEVERITY[,fixable]")]
    fail_on: Option<String>,
    /// Accept gaps: do not exit with 2 for what could not be read, compared or known.
    #[arg(long)]
    allow_gaps: bool,
    /// Exit with 1 when a feed that the image needs is old, missing, off or failing.
    #[arg(long)]
    fail_on_stale: bool,
    /// Only ask; do not hand in an image that the server does not know.
    #[arg(long)]
    no_submit: bool,
    /// Have it scanned again although it is scanned.
    #[arg(long, conflicts_with = "no_submit")]
    rescan: bool,
    /// How to print what came of it.
    #[arg(long, value_enum, default_value = "text")]
    format: StatusFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StatusFormat {
    /// For people.
    Text,
    /// What the server says, with the verdict.
    Json,
}

pub(super) fn run(session: &Session, args: &StatusArgs) -> anyhow::Result<Outcome> {
    if let Some(fail_on) = &args.fail_on {
        threshold(fail_on).map_err(misused)?;
    }
    let timeout = time(&args.timeout).map_err(misused)?;
    let token = token(args).map_err(misused)?;
    let server = ScanServer::new(session, &args.server, token.as_deref()).map_err(misused)?;
    let deadline = Instant::now().checked_add(timeout).filter(|_| args.wait);
    let subject = subject(args).map_err(misused)?;
    let bar = Bar::spinner(&format!("asking for {}", args.image), session.is_quiet);
    let asked = follow(&server, &subject, args, deadline, &bar);
    let (status, verdict) = match asked {
        Asked::Status(status) if status.state == ScanState::Completed.name() => {
            match server.verdict(&status.id, &query(args)) {
                Ok(verdict) => (status, verdict),
                Err(error) => (Box::new(of_service(&status.id, error)), None),
            }
        }
        Asked::Status(status) => (status, None),
        Asked::Not(error) => (Box::new(of_service(&args.image, error)), None),
        Asked::Refused(detail) => return Err(misused(anyhow::anyhow!("{detail}"))),
    };
    drop(bar);
    print(&said(args, &status, verdict.as_ref())?)?;
    Ok(outcome(&status, verdict.as_ref()))
}

/// What is asked for.
enum Subject {
    /// A reference, which is handed in.
    Reference(String),
    /// A digest or an id.
    Id(String),
}

fn subject(args: &StatusArgs) -> anyhow::Result<Subject> {
    let image = args.image.as_str();
    if Digest::from_str(image).is_ok() || image.starts_with("ref-") {
        return Ok(Subject::Id(image.to_owned()));
    }
    let reference = RegistryReference::from_str(image.strip_prefix("docker://").unwrap_or(image))?;
    match (&reference.digest, args.no_submit) {
        (Some(digest), true) => Ok(Subject::Id(digest.as_str().to_owned())),
        (None, true) => {
            bail!("`{image}` names no digest, and with `--no-submit` only a digest can be asked for")
        }
        (_, false) => Ok(Subject::Reference(reference.to_string())),
    }
}

/// Asks until the scan has ended or the time is over.
fn follow(
    server: &ScanServer,
    subject: &Subject,
    args: &StatusArgs,
    deadline: Option<Instant>,
    bar: &Bar,
) -> Asked {
    let mut known: Option<ScanStatus> = None;
    loop {
        let asked = match (&known, subject) {
            (None, Subject::Reference(reference)) => server.submit(reference, args.rescan),
            (None, Subject::Id(id)) => server.status(id, None),
            (Some(status), _) => {
                let is_at_work = ScanState::of_name(&status.state).is_some_and(ScanState::is_at_work);
                let wait = if is_at_work { LOOK_AT_WORK } else { LOOK };
                let left =
                    deadline.map_or(wait, |deadline| deadline.saturating_duration_since(Instant::now()));
                server.status(&status.id, Some(wait.min(left)))
            }
        };
        let is_over = deadline.is_none_or(|deadline| Instant::now() >= deadline);
        match asked {
            Asked::Status(status) => {
                bar.message(&text::progress(&status));
                if status.is_final || is_over {
                    return Asked::Status(status);
                }
                known = Some(*status);
            }
            Asked::Not(error) if is_over || !error.is_transient => return Asked::Not(error),
            Asked::Not(error) => {
                bar.message(&error.detail);
                std::thread::sleep(AGAIN);
            }
            Asked::Refused(detail) => return Asked::Refused(detail),
        }
    }
}

/// What is said where the server says nothing of the scan.
fn of_service(id: &str, error: asking::Unanswered) -> ScanStatus {
    let (state, reason) = match error.is_not_ready {
        true => (ScanState::NotReady, error.reason.unwrap_or(Reason::Starting)),
        false => (ScanState::Unavailable, error.reason.unwrap_or(Reason::Unreachable)),
    };
    ScanStatus::of_service(id, state, reason, &error.detail, &Timestamp::now().to_string())
}

fn outcome(status: &ScanStatus, verdict: Option<&VerdictAnswer>) -> Outcome {
    match (ScanState::of_name(&status.state), verdict.map(|verdict| verdict.verdict.as_str())) {
        (Some(ScanState::Completed), Some("refused")) => Outcome::ThresholdMet,
        (Some(ScanState::Completed), Some("undecided") | None) => Outcome::CouldNot,
        (Some(ScanState::Completed), Some(_)) => Outcome::Done,
        (Some(ScanState::Unsupported), _) => Outcome::Unsupported,
        (Some(ScanState::Failed | ScanState::Cancelled), _) => Outcome::Failed,
        (Some(ScanState::Unavailable) | None, _) => Outcome::Unreachable,
        (Some(_), _) => Outcome::NotReady,
    }
}

fn said(args: &StatusArgs, status: &ScanStatus, verdict: Option<&VerdictAnswer>) -> anyhow::Result<String> {
    match args.format {
        StatusFormat::Text => Ok(text::of(&args.image, status, verdict)),
        StatusFormat::Json => {
            let whole = serde_json::json!({ "status": status, "verdict": verdict });
            Ok(format!("{}\n", serde_json::to_string_pretty(&whole)?))
        }
    }
}

/// The demands as the server takes them.
fn query(args: &StatusArgs) -> String {
    let mut query = format!("?allow_gaps={}&fail_on_stale={}", args.allow_gaps, args.fail_on_stale);
    if let Some(fail_on) = &args.fail_on {
        let _ = write!(query, "&fail_on={fail_on}");
    }
    query
}

fn token(args: &StatusArgs) -> anyhow::Result<Option<String>> {
    const VARIABLE: &str = "PLIMSOLL_TOKEN";
    match &args.token_file {
        Some(file) => secret(Some(file), None).map(Some),
        None if std::env::var_os(VARIABLE).is_some() => secret(None, Some(VARIABLE)).map(Some),
        None => Ok(None),
    }
}

/// `90s`, `30m`, `1h`, or seconds.
fn time(text: &str) -> anyhow::Result<Duration> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3600),
        _ => (text, 1),
    };
    match number.parse::<u64>() {
        Ok(number) => Ok(Duration::from_secs(number.saturating_mul(unit))),
        Err(_) => bail!("`{text}` is no time; write, for example, `90s` or `30m`"),
    }
}
