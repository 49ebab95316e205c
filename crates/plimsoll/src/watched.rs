//! Files that are read again when they change: certificates, tokens.
//!
//! Whoever asks gets what the files say now. Files that cannot be read any more, or mean nothing, leave what was read
//! before in force, and are told of: a certificate that is half copied must not end the server.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// What tells one file from its successor at the same path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    length: u64,
    modified: Option<SystemTime>,
    #[cfg(unix)]
    inode: u64,
}

impl FileIdentity {
    /// What the file at a path is now.
    pub(crate) fn of(path: &Path) -> FileIdentity {
        let Ok(there) = fs::metadata(path) else { return FileIdentity::default() };
        FileIdentity {
            length: there.len(),
            modified: there.modified().ok(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&there),
        }
    }
}

/// What some files say.
pub(crate) struct Watched<T> {
    paths: Vec<PathBuf>,
    read: fn(&[PathBuf]) -> anyhow::Result<T>,
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    files: Vec<FileIdentity>,
    value: Arc<T>,
    problem: Option<String>,
}

impl<T> Watched<T> {
    /// Reads the files for the first time.
    pub(crate) fn new(
        paths: Vec<PathBuf>,
        read: fn(&[PathBuf]) -> anyhow::Result<T>,
    ) -> anyhow::Result<Watched<T>> {
        // Taken first: a file that comes in between is noticed at the next look.
        let files = identities(&paths);
        let value = Arc::new(read(&paths)?);
        Ok(Watched { paths, read, kept: Mutex::new(Kept { files, value, problem: None }) })
    }

    /// What the files say now, or the last that they said and was good.
    pub(crate) fn get(&self) -> Arc<T> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let files = identities(&self.paths);
        if files != kept.files {
            kept.files = files;
            match (self.read)(&self.paths) {
                Ok(value) => {
                    tracing::info!(file = %self.paths[0].display(), "read again, since it changed");
                    kept.value = Arc::new(value);
                    kept.problem = None;
                }
                Err(error) => {
                    let problem = format!("what was read before stays in force: {error:#}");
                    tracing::error!(file = %self.paths[0].display(), "{problem}");
                    kept.problem = Some(problem);
                }
            }
        }
        Arc::clone(&kept.value)
    }

    /// What is wrong with the files as they are now.
    pub(crate) fn problem(&self) -> Option<String> {
        drop(self.get());
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).problem.clone()
    }
}

fn identities(paths: &[PathBuf]) -> Vec<FileIdentity> {
    paths.iter().map(|path| FileIdentity::of(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(paths: &[PathBuf]) -> anyhow::Result<String> {
        let text = fs::read_to_string(&paths[0])?;
        anyhow::ensure!(text != "broken", "it is broken");
        Ok(text)
    }

    #[test]
    fn a_broken_file_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert!(Watched::new(vec![path.clone()], read).is_err());
        fs::write(&path, "one").unwrap();
        let watched = Watched::new(vec![path.clone()], read).unwrap();
        assert_eq!(*watched.get(), "one");
        // Each has another length, so that the clock of the file system does not matter.
        for (text, wanted, is_broken) in
            [("two!", "two!", false), ("broken", "two!", true), ("three", "three", false)]
        {
            fs::write(&path, text).unwrap();
            assert_eq!((watched.get().as_str(), watched.problem().is_some()), (wanted, is_broken));
        }
        fs::remove_file(&path).unwrap();
        assert_eq!((watched.get().as_str(), watched.problem().is_some()), ("three", true));
    }
}
