//! `plimsoll clear`: may these digests ship.

use std::io::{self, Write as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::civil::Date;
use plimsoll_core::clearance::{Clearance, Demands, Level, Verdict};
use plimsoll_core::image::Platform;
use plimsoll_feeds::update::database_path;
use plimsoll_image::cache::{LayerCache, LayerStore};
use plimsoll_image::catalog::Options;
use plimsoll_image::limits::Limits;
use plimsoll_image::open::registry::credentials::Credentials;
use plimsoll_net::Client;
use plimsoll_report::clearance::{FORMATS, Format};

use super::scan::{open_database, write_aside};
use super::{Outcome, Session, misused};
use crate::clear::candidates::of_reference;
use crate::clear::clearing::{Asked, Means, clear, wants_database};
use crate::clear::evidence::side_files;
use crate::clear::files::Files;
use crate::clear::manifests::{self, Kind};
use crate::clear::observe::Asking;
use crate::clear::policy::{Policy, day};
use crate::progress::Bar;
use crate::standings::standings;

/// Say whether digests may ship: that each is there and whole, and that its tags are its own
///
/// What is asked for is typed (HOST/REPO[:TAG][@DIGEST]), or listed by manifests of kpromo, thick or thin, or by a list of
/// ours. Exits with 0 for cleared, 1 for refused, 2 for undecided, 3 for a command line that is wrong.
#[allow(rustdoc::broken_intra_doc_links, reason = "the comment is the help, and its brackets are no links")]
#[derive(Args, Debug)]
pub(super) struct ClearArgs {
    /// References: HOST/REPO[:TAG][@DIGEST].
    references: Vec<String>,
    #[command(flatten)]
    manifests: ManifestArgs,
    /// Compare the manifests with a commit of their git repository, and judge what is different.
    #[arg(long, value_name = "GITREF")]
    base: Option<String>,
    /// What is demanded (YAML); repeat for several, of which the first whose `when` holds is meant. With `--base` it is
    /// read from that commit.
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Commit from which policies and their waivers are read, or `disk` for as they are.
    #[arg(long, value_name = "GITREF")]
    policy_at: Option<String>,
    /// Signatures, attestations and provenance that no registry keeps: bundles, envelopes, statements, provenance of Google
    /// Cloud Build (JSON, or one a line); a file or a folder of them. Repeat for more.
    #[arg(long, value_name = "FILE|DIR")]
    evidence: Vec<PathBuf>,
    /// Advisory database to match against, in place of the data directory's.
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// How closely to look: `exists` reads every manifest and config, `content` every byte, which is the default. A
    /// policy's `integrity` may demand more.
    #[arg(long, value_enum)]
    level: Option<LevelArg>,
    /// Platform that each index must have: OS/ARCHITECTURE[/VARIANT].
    #[arg(long, value_name = "PLATFORM")]
    require_platform: Vec<Platform>,
    #[arg(long, short, value_name = "FORMAT[=FILE]", default_value = "markdown", help = format_help())]
    format: Vec<String>,
    /// Read every layer, also those that were read before, and keep nothing.
    #[arg(long)]
    no_cache: bool,
    /// Registry that speaks plain HTTP.
    #[arg(long, value_name = "HOST")]
    insecure_registry: Vec<String>,
    /// File with registry credentials, in place of Docker's and Podman's own.
    #[arg(long, value_name = "FILE")]
    auth_file: Option<PathBuf>,
    /// How many layers to read at once.
    #[arg(long, value_name = "COUNT")]
    threads: Option<NonZero<usize>>,
}

/// Which manifests are meant.
#[derive(Args, Debug)]
pub(super) struct ManifestArgs {
    /// Thick manifest of kpromo: registries and images in one file.
    #[arg(long, value_name = "FILE")]
    manifest: Vec<PathBuf>,
    /// Folder of kpromo's thin manifests: `manifests/PROJECT/promoter-manifest.yaml`, `images/PROJECT/images.yaml`.
    #[arg(long, value_name = "DIR")]
    thin_dir: Vec<PathBuf>,
    /// List of ours: lines `from PREFIX`, `to PREFIX`, `IMAGE DIGEST [TAG ..]`.
    #[arg(long, value_name = "FILE")]
    list: Vec<PathBuf>,
}

impl ManifestArgs {
    pub(super) fn named(&self) -> Vec<(Kind, PathBuf)> {
        let of = |kind, paths: &[PathBuf]| paths.iter().map(|path| (kind, path.clone())).collect::<Vec<_>>();
        [of(Kind::Thick, &self.manifest), of(Kind::Thin, &self.thin_dir), of(Kind::List, &self.list)].concat()
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LevelArg {
    Exists,
    Content,
}

pub(super) fn run(session: &Session, args: &ClearArgs) -> anyhow::Result<Outcome> {
    let outputs = outputs(&args.format).map_err(misused)?;
    let mut asked = asked(args)?;
    let read = Files::default();
    let evidence = side_files(&args.evidence, &read)?;
    asked.files.extend(read.into_read());
    let now = Timestamp::now();
    let policies = policies(args, day(now))?;
    let level = level(args, &policies);
    let limits = Limits::default();
    let cache = (!args.no_cache).then(|| LayerCache::new(&session.data_dir.join("verified-layers"), &limits));
    let bar = Bar::new("reading what is asked for", session.is_quiet);
    let progress = |progress| bar.layers(progress);
    let options = Options {
        limits: &limits,
        cache: cache.as_ref().map(|cache| cache as &dyn LayerStore),
        threads: args.threads,
        progress: &progress,
        is_cancelled: &|| false,
    };
    let credentials = match &args.auth_file {
        Some(file) => Credentials::from_file(file),
        None => Credentials::from_environment(),
    };
    let client = Arc::new(Client::new(session.net_settings(&args.insecure_registry))?);
    let asking = Asking::new(client, session.registry_options(credentials, &args.insecure_registry));
    let path = args.database.clone().unwrap_or_else(|| database_path(&session.data_dir));
    let database = match wants_database(&policies) {
        true => open_database(&path, args.database.is_some())?,
        false => Err("no policy asks for advisories".to_owned()),
    };
    let data_dir = args.database.is_none().then_some(session.data_dir.as_path());
    let means = Means {
        policies: &policies,
        demands: Demands { platforms: args.require_platform.clone(), ..Demands::default() },
        level,
        asking: &asking,
        options: &options,
        evidence: &evidence,
        database: database.as_ref().map_err(String::as_str),
        standings: &standings(&session.config, data_dir, now),
        now,
    };
    let clearance = clear(asked, &means)?;
    drop(bar);
    for output in &outputs {
        output.write(&clearance)?;
    }
    Ok(match clearance.verdict() {
        Verdict::Cleared => Outcome::Done,
        Verdict::Refused => Outcome::ThresholdMet,
        Verdict::Undecided => Outcome::CouldNot,
    })
}

/// The policies, from the commit that is to be trusted: a change does not judge itself.
fn policies(args: &ClearArgs, today: Date) -> anyhow::Result<Vec<Policy>> {
    let mut policies = Vec::new();
    for path in &args.policy {
        let files = match args.policy_at.as_deref().or(args.base.as_deref()) {
            None | Some("disk") => Files::default(),
            Some(reference) => Files::at(reference, folder_of(path))?,
        };
        policies.push(Policy::read(path, &files, today).map_err(misused)?);
    }
    Ok(policies)
}

/// The closest look that anybody demands.
fn level(args: &ClearArgs, policies: &[Policy]) -> Level {
    let typed = args.level.map(|level| match level {
        LevelArg::Exists => Level::Exists,
        LevelArg::Content => Level::Content,
    });
    let demanded = policies.iter().filter_map(|policy| policy.level).max();
    typed.max(demanded).unwrap_or_default()
}

fn folder_of(path: &Path) -> &Path {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

fn asked(args: &ClearArgs) -> anyhow::Result<Asked> {
    let named = args.manifests.named();
    if named.is_empty() && args.references.is_empty() {
        return Err(misused(anyhow!(
            "nothing is asked for; name references, or manifests with `--manifest`"
        )));
    }
    if args.base.is_some() && named.is_empty() {
        return Err(misused(anyhow!("`--base` compares manifests, and none is named")));
    }
    let (mut head, mut before, mut base) = (Vec::new(), Vec::new(), None);
    let files = Files::default();
    for (kind, path) in &named {
        head.extend(manifests::read(*kind, path, &files)?);
        if let Some(reference) = &args.base {
            let of_base = Files::at(reference, folder_of(path))?;
            before.extend(manifests::read(*kind, path, &of_base)?);
            base = of_base.commit().map(str::to_owned);
        }
    }
    let references = args.references.iter().map(|text| of_reference(text).map_err(misused));
    let references = references.collect::<anyhow::Result<Vec<_>>>()?;
    let asked = Asked::of(&head, base.is_some().then_some(before.as_slice()), references);
    if asked.is_nothing() {
        return Err(misused(anyhow!("the manifests list nothing")));
    }
    Ok(Asked { base, files: files.into_read(), ..asked })
}

/// One report to write.
struct Output {
    format: &'static Format,
    file: Option<PathBuf>,
}

fn format_help() -> String {
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    format!("Report to write, to a file or to standard output; repeat for more: {}", names.join(", "))
}

fn outputs(texts: &[String]) -> anyhow::Result<Vec<Output>> {
    let mut outputs: Vec<Output> = Vec::new();
    for text in texts {
        let (name, file) = match text.split_once('=') {
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (text.as_str(), None),
        };
        let Some(format) = FORMATS.iter().copied().find(|format| format.name == name) else {
            let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
            bail!("there is no format `{name}`; there are {}", names.join(", "));
        };
        if outputs.iter().any(|other| other.file == file) {
            bail!("two reports cannot go to one place; give each a file, such as `json=clearance.json`");
        }
        outputs.push(Output { format, file });
    }
    Ok(outputs)
}

impl Output {
    fn write(&self, clearance: &Clearance) -> anyhow::Result<()> {
        let version = env!("CARGO_PKG_VERSION");
        match &self.file {
            None => {
                let mut out = io::BufWriter::new(io::stdout().lock());
                (self.format.write)(clearance, version, &mut out)?;
                out.flush()?;
            }
            Some(file) => write_aside(file, |out| (self.format.write)(clearance, version, out))
                .with_context(|| format!("cannot write the report to `{}`", file.display()))?,
        }
        Ok(())
    }
}
