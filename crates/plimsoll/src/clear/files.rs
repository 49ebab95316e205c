//! Files of what is asked: as they lie in a folder, or as a commit has them.
//!
//! `git` is run as a process, for nothing but reading: `rev-parse`, `ls-tree` and `cat-file`. What surprises: a file that is
//! not there is an answer, a file that cannot be read an error.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use plimsoll_core::digest::Digest;
use sha2::{Digest as _, Sha256};

/// Largest file that is read, in bytes. The largest manifest that Kubernetes has is a fiftieth of it.
const FILE_BYTES_MAX: u64 = 32 << 20;

/// A state of files: as they are, or as a commit has them.
#[derive(Debug, Default)]
pub(crate) struct Files {
    commit: Option<String>,
    /// What was read, with the digest of its bytes.
    read: RefCell<Vec<(String, Digest)>>,
}

impl Files {
    /// The commit that a name means, in the repository that a folder is in.
    pub(crate) fn at(reference: &str, folder: &Path) -> anyhow::Result<Files> {
        if reference.starts_with('-') {
            bail!("`{reference}` is not the name of a commit");
        }
        let commit = format!("{reference}^{{commit}}");
        let output =
            git(folder, &["rev-parse", "--verify", "--end-of-options", &commit]).with_context(|| {
                format!("there is no commit `{reference}` in a git repository of `{}`", folder.display())
            })?;
        let id = String::from_utf8(output).context("`git rev-parse` does not answer in UTF-8")?;
        Ok(Files { commit: Some(id.trim().to_owned()), ..Files::default() })
    }

    /// The commit; `None` for files as they are.
    pub(crate) fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// The digest of a file that was read.
    pub(crate) fn digest_of(&self, path: &Path) -> Option<Digest> {
        let path = path.display().to_string();
        self.read.borrow().iter().find(|(known, _)| *known == path).map(|(_, digest)| digest.clone())
    }

    /// The files that were read so far but one, in that order, with the digests of their bytes.
    pub(crate) fn beside(&self, path: &Path) -> Vec<(String, Digest)> {
        let path = path.display().to_string();
        self.read.borrow().iter().filter(|(known, _)| *known != path).cloned().collect()
    }

    /// The files that were read so far, in that order, with the digests of their bytes.
    pub(crate) fn into_read(self) -> Vec<(String, Digest)> {
        self.read.into_inner()
    }

    /// A file's bytes; `None` where there is none.
    pub(crate) fn read(&self, path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
        let unread = || format!("cannot read `{}`", path.display());
        let bytes = match &self.commit {
            None => match File::open(path) {
                Ok(file) => {
                    let mut bytes = Vec::new();
                    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).with_context(unread)?;
                    bytes
                }
                Err(error) if is_absent(&error) => return Ok(None),
                Err(error) => return Err(error).with_context(unread),
            },
            Some(commit) => {
                let (above, name) = in_repository(path)?;
                // Asked first: what is not listed is not there, and from here on every failure is one.
                if !listed(&above, commit, &name)?.contains(&name) {
                    return Ok(None);
                }
                git(&above, &["cat-file", "blob", &format!("{commit}:{name}")]).with_context(unread)?
            }
        };
        if u64::try_from(bytes.len()).is_ok_and(|count| count > FILE_BYTES_MAX) {
            bail!("`{}` is larger than {FILE_BYTES_MAX} bytes", path.display());
        }
        let digest = Digest::sha256(&Sha256::digest(&bytes).into());
        self.read.borrow_mut().push((path.display().to_string(), digest));
        Ok(Some(bytes))
    }

    /// Names of what is in a folder, sorted; none where there is no folder.
    pub(crate) fn names(&self, folder: &Path) -> anyhow::Result<Vec<String>> {
        let mut names = match &self.commit {
            None => match fs::read_dir(folder) {
                Ok(entries) => {
                    let unread = || format!("cannot read the folder `{}`", folder.display());
                    let mut names = Vec::new();
                    for entry in entries {
                        let name = entry.with_context(unread)?.file_name();
                        names.push(name.into_string().map_err(|name| {
                            anyhow::anyhow!("the name {name:?} in `{}` is not UTF-8", folder.display())
                        })?);
                    }
                    names
                }
                Err(error) if is_absent(&error) => Vec::new(),
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("cannot read the folder `{}`", folder.display()));
                }
            },
            Some(commit) => {
                let (above, name) = in_repository(&folder.join(NOTHING))?;
                let prefix = name.strip_suffix(NOTHING).unwrap_or(&name);
                let files = listed(&above, commit, prefix.trim_end_matches('/'))?;
                let below = files.iter().filter_map(|file| file.strip_prefix(prefix)?.split('/').next());
                below.map(str::to_owned).collect()
            }
        };
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

/// Whether there is no such file. Below a file there is none either.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A name in a folder that stands for any.
const NOTHING: &str = "*";

/// A folder of the repository that is there, and a file's name in the repository. The file and folders above it may be
/// in a commit alone.
fn in_repository(path: &Path) -> anyhow::Result<(PathBuf, String)> {
    let mut folders = path.ancestors().skip(1).map(|folder| match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    });
    let above = folders
        .find(|folder| folder.is_dir())
        .with_context(|| format!("no folder above `{}` is there", path.display()))?;
    let below = path.strip_prefix(above).unwrap_or(path);
    let prefix = git(above, &["rev-parse", "--show-prefix"])?;
    let prefix = String::from_utf8(prefix).context("a folder of the git repository is not UTF-8")?;
    let below = below.to_str().with_context(|| format!("`{}` is not UTF-8", path.display()))?;
    Ok((above.to_owned(), format!("{}{below}", prefix.trim_end_matches('\n'))))
}

/// All files of a commit at or below a place; all of them for an empty place.
fn listed(folder: &Path, commit: &str, place: &str) -> anyhow::Result<Vec<String>> {
    let mut arguments = vec!["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit, "--"];
    arguments.extend((!place.is_empty()).then_some(place));
    let output = git(folder, &arguments)?;
    let text = String::from_utf8(output).context("a name in the commit is not UTF-8")?;
    Ok(text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

/// Runs `git` in a folder.
fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .arg("--literal-pathspecs")
        .args(arguments)
        .env("LC_ALL", "C")
        .env("GIT_OPTIONAL_LOCKS", "0")
        .output()
        .context("cannot run `git`, which reads the base commit")?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first: String = said.lines().next().unwrap_or("it does not say why").chars().take(300).collect();
    bail!("`git {}` fails in `{}`: {first}", arguments.first().unwrap_or(&""), folder.display());
}
