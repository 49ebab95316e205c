//! Programs that carry the list of what they were built from: Go's build information and the audit data
//! that `cargo auditable` writes, in ELF, PE and Mach-O files.
//!
//! Every executable of every layer passes here, so what is none of the three formats is left after its
//! first bytes. A file up to `WHOLE_BYTES_MAX` is read whole and asked by section and segment; a larger one
//! is searched as it streams by, which finds the same lists by their magic but cannot follow pointers.
//!
//! A program that was packed with UPX shows neither list. That is said, since the image would look clean.

use std::io::{self, Read};

use memchr::memmem;

use crate::catalogers::{Cataloger, Entry, File, Found, Problem};

mod go;
mod layout;
mod rust;
mod stream;

/// Programs with a list of their own parts.
pub static CATALOGER: Cataloger = Cataloger {
    name: "executable",
    title: "Go and Rust programs",
    version: 2,
    reads: &["executable files", "**/*.exe"],
    wants,
    read,
};

/// Smallest file that is looked at, in bytes. The smallest Go program is a thousand times as large.
const FILE_BYTES_MIN: u64 = 4 << 10;

/// Largest program that is held in memory whole, in bytes. Larger ones are searched as a stream.
const WHOLE_BYTES_MAX: u64 = 32 << 20;

/// How far from the start UPX's magic is looked for, in bytes. The packer's header follows the file's own.
const UPX_BYTES_MAX: usize = 4 << 10;

/// Most programs in one Mach-O file for several processors. Real files have two to four.
const ARCHITECTURES_MAX: usize = 8;

fn wants(entry: &Entry<'_>) -> bool {
    let is_program = entry.is_executable && !ends_with(entry.path, b".dll");
    entry.size >= FILE_BYTES_MIN && (is_program || ends_with(entry.path, b".exe"))
}

/// Libraries of .NET often have an execute bit that means nothing.
fn ends_with(path: &str, end: &[u8; 4]) -> bool {
    let bytes = path.as_bytes();
    bytes.len().checked_sub(end.len()).is_some_and(|at| bytes[at..].eq_ignore_ascii_case(end))
}

fn read(file: &mut File<'_>) -> Found {
    let mut head = [0; 8];
    let length = match read_up_to(file.content, &mut head) {
        Ok(length) => length,
        Err(error) => return Found::problem(Problem::unreadable(format!("cannot be read: {error}"))),
    };
    let Some(format) = layout::format_of(&head[..length]) else {
        return Found::default();
    };
    let mut content = head[..length].chain(&mut *file.content);
    if file.entry.size > WHOLE_BYTES_MAX.min(file.whole_bytes_max) {
        return stream::search(&mut content);
    }
    let whole_bytes_max = file.whole_bytes_max;
    let mut whole = File { entry: file.entry, content: &mut content, whole_bytes_max };
    match whole.bytes() {
        Ok(bytes) => read_whole(&bytes, format),
        Err(problem) => Found::problem(problem),
    }
}

fn read_whole(bytes: &[u8], format: layout::Format) -> Found {
    let mut found = Found::default();
    if format == layout::Format::Fat {
        let programs = layout::programs_in_fat(bytes);
        if programs.len() > ARCHITECTURES_MAX {
            let detail = format!(
                "holds programs for {} processors, more than the limit of {ARCHITECTURES_MAX}; the rest was not read",
                programs.len()
            );
            found.problems.push(Problem::limit(detail));
        }
        for program in programs.into_iter().take(ARCHITECTURES_MAX) {
            read_program(program, &mut found);
        }
    } else {
        read_program(bytes, &mut found);
    }
    finish(found, bytes)
}

fn read_program(bytes: &[u8], found: &mut Found) {
    let layout = layout::Layout::of(bytes);
    go::read_whole(bytes, &layout, found);
    rust::read_whole(bytes, &layout, found);
    found.problems.extend(layout.problem);
}

/// Removes what several lists state alike, and says where a packer hid them all.
fn finish(mut found: Found, head: &[u8]) -> Found {
    let key = |package: &crate::catalogers::FoundPackage| {
        (package.ecosystem.name, package.name.clone(), package.version.clone())
    };
    found.packages.sort_by_cached_key(key);
    found.packages.dedup();
    found.problems.dedup();
    let head = &head[..head.len().min(UPX_BYTES_MAX)];
    if found.packages.is_empty() && found.problems.is_empty() && memmem::find(head, b"UPX!").is_some() {
        let detail = "packed with UPX: what it was built from cannot be read; `upx -d` unpacks it";
        found.problems.push(Problem::unreadable(detail));
    }
    found
}

/// Fills as much of a buffer as the reader has bytes for.
fn read_up_to(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
