//! Where targets put files.

use std::fs;
use std::path::PathBuf;

/// A path of this process's own, in memory where the system has a place for that.
pub(crate) fn place(name: &str) -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let directory = if memory.is_dir() { memory } else { std::env::temp_dir() };
    directory.join(format!("plimsoll-fuzz-{}-{name}", std::process::id()))
}

/// The same as an empty folder.
pub(crate) fn empty_folder(name: &str) -> PathBuf {
    let path = place(name);
    if path.exists() {
        fs::remove_dir_all(&path).expect("the folder is this process's own");
    }
    fs::create_dir_all(&path).expect("the directory for temporary files can be written to");
    path
}
