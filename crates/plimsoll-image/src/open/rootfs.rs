//! An unpacked root filesystem: walked in place, links not followed.

use std::fs::{self, File as DiskFile};
use std::io::{self, Read};
use std::path::Path;

use crate::catalogers::Problem;
use crate::facts::LayerFacts;
use crate::layers::{FileReader, Shared};

/// Directories of a running system that are not part of its file system.
const NOT_ON_DISK: [&str; 3] = ["dev", "proc", "sys"];

/// Longest chain of directories.
const DEPTH_MAX: usize = 256;

/// Reads what a root filesystem states.
pub fn read(root: &Path, shared: &Shared<'_>) -> io::Result<LayerFacts> {
    let device = device_of(&fs::metadata(root)?);
    let mut walk = Walk { root, device, reader: FileReader::new(shared) };
    walk.directory(root, "", 0)?;
    Ok(walk.reader.finish())
}

struct Walk<'a> {
    root: &'a Path,
    device: u64,
    reader: FileReader<'a>,
}

impl Walk<'_> {
    /// Reads a directory, its entries in the order of their names. Only the root's failure is an error; below it
    /// one is a problem.
    fn directory(&mut self, directory: &Path, path: &str, depth: usize) -> io::Result<()> {
        if depth > DEPTH_MAX {
            self.reader
                .problem(path, Problem::limit(format!("directories are nested deeper than {DEPTH_MAX}")));
            return Ok(());
        }
        let mut names: Vec<_> =
            fs::read_dir(directory)?.map(|entry| entry.map(|e| e.file_name())).collect::<io::Result<_>>()?;
        names.sort_unstable();
        for name in names {
            let inner = directory.join(&name);
            let name = name.to_string_lossy();
            let inner_path = if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") };
            if let Err(error) = self.entry(&inner, &inner_path, depth) {
                self.reader.problem(&inner_path, Problem::unreadable(format!("cannot be read: {error}")));
            }
        }
        Ok(())
    }

    fn entry(&mut self, inner: &Path, path: &str, depth: usize) -> io::Result<()> {
        if !self.reader.count_entry(path) {
            return Ok(());
        }
        let metadata = fs::symlink_metadata(inner)?;
        if metadata.is_symlink() {
            if depth == 0 {
                let target = fs::read_link(inner)?;
                let target = target.strip_prefix(self.root).unwrap_or(&target).to_string_lossy().into_owned();
                self.reader.root_link(path, &target);
            }
        } else if metadata.is_dir() {
            if depth == 0 && NOT_ON_DISK.contains(&path) && device_of(&metadata) != self.device {
                return Ok(());
            }
            self.directory(inner, path, depth + 1)?;
        } else if metadata.is_file() {
            let mut open = || DiskFile::open(inner).map(|file| Box::new(file) as Box<dyn Read>);
            self.reader.file(path, metadata.len(), is_executable(&metadata), &mut open)?;
        }
        Ok(())
    }
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(unix)]
fn device_of(metadata: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.dev()
}
