//! `plimsoll scan`: one image, or the platforms of one index, through all five verbs.

use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use jiff::Timestamp;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::image::Platform;
use plimsoll_core::policy::{Policy, Verdict};
use plimsoll_feeds::database::Database;
use plimsoll_feeds::update::database_path;
use plimsoll_image::cache::{LayerCache, LayerStore};
use plimsoll_image::catalog::Options;
use plimsoll_image::limits::Limits;
use plimsoll_image::open::PlatformChoice;
use plimsoll_image::open::registry::RegistryOptions;
use plimsoll_image::open::registry::credentials::Credentials;
use plimsoll_net::Client;
use plimsoll_report::formats::{Context, FORMATS, Format};

use super::{Outcome, Session, misused};
use crate::pipeline::{self, Registries};
use crate::progress::Bar;
use crate::standings::standings;
use crate::threshold::threshold;

/// Scan an image: what is installed, what is known to be wrong with it, what could not be seen
///
/// IMAGE is one of
///   oci:DIR[:TAG|@DIGEST]            an OCI image layout
///   oci-archive:FILE[:TAG|@DIGEST]   a tar of one
///   docker-archive:FILE[:TAG]        what `docker save` writes
///   dir:ROOT                         an unpacked root filesystem
///   HOST/REPO[:TAG][@DIGEST]         an image in a registry
#[allow(rustdoc::broken_intra_doc_links, reason = "the comment is the help, and its brackets are no links")]
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct ScanArgs {
    /// The image.
    image: String,
    /// Platform of an index: OS/ARCHITECTURE[/VARIANT], or `all` for every one in one run.
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<String>,
    #[arg(long, short, value_name = "FORMAT[=FILE]", default_value = "table", help = format_help())]
    format: Vec<String>,
    /// Exit with 1 when a finding is this bad or worse: negligible, low, medium, high, critical, or `any`;
    /// with `,fixable` only findings that have a fix count.
    #[arg(long, value_name = "SEVERITY[,fixable]")]
    fail_on: Option<String>,
    /// Accept gaps: do not exit with 2 for what could not be read, compared or known.
    #[arg(long)]
    allow_gaps: bool,
    /// Exit with 1 when a feed that the image needs is old, was never loaded, is switched off or cannot be
    /// fetched.
    #[arg(long)]
    fail_on_stale: bool,
    /// Advisory database to match against, in place of the data directory's.
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Read every layer, also those that were read before, and keep nothing.
    #[arg(long)]
    no_cache: bool,
    /// Registry that speaks plain HTTP.
    #[arg(long, value_name = "HOST")]
    insecure_registry: Vec<String>,
    /// Registry to ask in place of another, which is still asked when the mirror does not have the image.
    #[arg(long, value_name = "HOST=MIRROR")]
    registry_mirror: Vec<String>,
    /// File with registry credentials, in place of Docker's and Podman's own.
    #[arg(long, value_name = "FILE")]
    auth_file: Option<PathBuf>,
    /// How many layers to read at once.
    #[arg(long, value_name = "COUNT")]
    threads: Option<NonZero<usize>>,
}

pub(super) fn run(session: &Session, args: &ScanArgs) -> anyhow::Result<Outcome> {
    let outputs = outputs(&args.format).map_err(misused)?;
    let policy = policy(args).map_err(misused)?;
    let choice = platform_choice(args.platform.as_deref()).map_err(misused)?;
    let limits = Limits::default();
    let cache = (!args.no_cache).then(|| LayerCache::new(&session.data_dir.join("layers"), &limits));
    let bar = Bar::new(&format!("reading {}", args.image), session.is_quiet);
    let progress = |progress| bar.layers(progress);
    let options = Options {
        limits: &limits,
        cache: cache.as_ref().map(|cache| cache as &dyn LayerStore),
        threads: args.threads,
        progress: &progress,
        is_cancelled: &|| false,
    };
    let settings = session.net_settings(&args.insecure_registry);
    let registries = Registries {
        options: registry_options(session, args).map_err(misused)?,
        client: &|| Ok(Arc::new(Client::new(settings.clone())?)),
    };
    // Opened first: a scan during an update keeps the database that it started with.
    let path = args.database.clone().unwrap_or_else(|| database_path(&session.data_dir));
    let database = open_database(&path, args.database.is_some())?;
    let catalogued = pipeline::open_and_catalog(&args.image, &choice, &registries, &options)?;
    let now = Timestamp::now();
    let data_dir = args.database.is_none().then_some(session.data_dir.as_path());
    let standings = standings(&session.config, data_dir, now);
    let assessments: Vec<Assessment> = catalogued
        .into_iter()
        .map(|one| pipeline::assess(one, database.as_ref().map_err(String::as_str), &standings, &policy))
        .collect();
    drop(bar);
    for output in &outputs {
        output.write(&assessments, now)?;
    }
    Ok(outcome(&assessments))
}

/// How registries are asked: mirrors of the command line first.
fn registry_options(session: &Session, args: &ScanArgs) -> anyhow::Result<RegistryOptions> {
    let credentials = match &args.auth_file {
        Some(file) => Credentials::from_file(file),
        None => Credentials::from_environment(),
    };
    let mut options = session.registry_options(credentials, &args.insecure_registry);
    options.foreign = session.config.foreign_options(session.net_settings(&[]));
    for text in args.registry_mirror.iter().rev() {
        let Some((host, mirror)) = text.split_once('=') else {
            bail!("`{text}` is not HOST=MIRROR; write, for example, `docker.io=mirror.example.org`");
        };
        options.mirrors.entry(host.to_owned()).or_default().insert(0, mirror.to_owned());
    }
    Ok(options)
}

/// A refusal outweighs what is undecided: the job is done, and the answer is no.
fn outcome(assessments: &[Assessment]) -> Outcome {
    let any = |of: fn(&Verdict) -> bool| assessments.iter().any(|one| of(&one.verdict));
    if any(|verdict| matches!(verdict, Verdict::Refused(_))) {
        Outcome::ThresholdMet
    } else if any(|verdict| matches!(verdict, Verdict::Undecided(_))) {
        Outcome::CouldNot
    } else {
        Outcome::Done
    }
}

/// Opens the database. That there is none is a gap of the result; that it is damaged is an error.
pub(super) fn open_database(path: &Path, is_named: bool) -> anyhow::Result<Result<Database, String>> {
    if !path.exists() && !is_named {
        let hint = "there is no advisory database, so nothing was matched; run `plimsoll feeds update` first";
        return Ok(Err(hint.to_owned()));
    }
    Ok(Ok(Database::open(path)?))
}

fn policy(args: &ScanArgs) -> anyhow::Result<Policy> {
    let fail_on = args.fail_on.as_deref().map(threshold).transpose()?;
    Ok(Policy { fail_on, allows_gaps: args.allow_gaps, fails_on_stale: args.fail_on_stale })
}

fn platform_choice(text: Option<&str>) -> anyhow::Result<PlatformChoice> {
    Ok(match text {
        Some("all") => PlatformChoice::All,
        Some(text) => PlatformChoice::Exactly(text.parse()?),
        None => {
            // Go's names, which images use.
            let architecture = match std::env::consts::ARCH {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                "x86" => "386",
                "powerpc64" => "ppc64le",
                other => other,
            };
            let (os, architecture) = ("linux".to_owned(), architecture.to_owned());
            PlatformChoice::Default(Platform { os, architecture, ..Platform::default() })
        }
    })
}

/// One report to write.
struct Output {
    format: &'static Format,
    file: Option<PathBuf>,
}

fn format_help() -> String {
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    format!(
        "How to write the report: {}; to a file with `=FILE`. May be given several times",
        names.join(", ")
    )
}

fn outputs(texts: &[String]) -> anyhow::Result<Vec<Output>> {
    let mut outputs = Vec::new();
    for text in texts {
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (text.as_str(), None),
        };
        let format = FORMATS.iter().copied().find(|format| format.name == name).ok_or_else(|| {
            let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
            anyhow!("there is no format `{name}`; the formats are {}", names.join(", "))
        })?;
        if file.as_ref().is_some_and(|file| file.as_os_str().is_empty()) {
            bail!("`{text}` names no file; write, for example, `{name}=out.{name}`");
        }
        if let Some(file) = &file
            && outputs.iter().any(|other: &Output| other.file.as_ref() == Some(file))
        {
            bail!("two reports cannot go to one file, `{}`", file.display());
        }
        outputs.push(Output { format, file });
    }
    if outputs.iter().filter(|output| output.file.is_none()).count() > 1 {
        bail!("only one report can go to standard output; give the others a file, such as `sarif=out.sarif`");
    }
    Ok(outputs)
}

impl Output {
    fn write(&self, assessments: &[Assessment], now: Timestamp) -> anyhow::Result<()> {
        let stdout = io::stdout();
        let is_terminal = self.file.is_none() && stdout.is_terminal();
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        let context = Context {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            colour: is_terminal && anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never,
            width: width.filter(|_| is_terminal).unwrap_or(usize::MAX),
        };
        match &self.file {
            None => {
                let mut out = io::BufWriter::new(stdout.lock());
                (self.format.write)(assessments, &context, &mut out)?;
                out.flush()?;
            }
            Some(file) => write_file(file, |out| (self.format.write)(assessments, &context, out))
                .with_context(|| format!("cannot write the report to `{}`", file.display()))?,
        }
        Ok(())
    }
}

/// Writes a file whole or not at all. A device, a pipe or a link is written to and stays what it is: a rename
/// would replace `/dev/null`, for everyone.
fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(there) if !there.is_file() => {
            let mut out = io::BufWriter::new(File::create(path)?);
            write(&mut out)?;
            out.flush()
        }
        Ok(_) | Err(_) => write_aside(path, write),
    }
}

/// Writes a file aside and renames it, so that `path` is always whole.
pub(super) fn write_aside(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut aside = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
    let mut out = io::BufWriter::new(aside.as_file_mut() as &mut File);
    write(&mut out)?;
    out.flush()?;
    drop(out);
    // Made for its owner alone; a report is a file like any other.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        aside.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    }
    aside.persist(path)?;
    Ok(())
}
