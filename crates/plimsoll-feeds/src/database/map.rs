//! Maps a database file into memory. The one place of the workspace with `unsafe` code.
//!
//! A mapping is sound as long as nobody changes the file below it, and a shortened file kills the process
//! that reads behind its new end. Neither happens to a database: it is written aside and never again, a new
//! one is renamed over it (which leaves the old bytes to those who have them mapped), and it stands in a
//! directory of mode 0700, so that no other user can reach it.

// Mapping cannot be had without it; see above for why it holds.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a whole file, read-only.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: database files are immutable and private to this user, as the module's header says.
    unsafe { Mmap::map(file) }
}
