//! Rust's audit data: the crates that a program was built from, as `cargo auditable` writes them.
//!
//! A section `.dep-v0` holds a zlib stream of JSON; the format is described at
//! <https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md>. Where a file's sections
//! cannot be asked, the stream is looked for by its first bytes.

use flate2::{Decompress, FlushDecompress, Status};
use memchr::memchr_iter;
use plimsoll_core::ecosystems::CARGO;
use serde::Deserialize;
use serde_json::Value;

use crate::catalogers::executable::layout::{self, Layout};
use crate::catalogers::{Found, FoundPackage, Problem};

/// Most audit data, in bytes of JSON. A program of a thousand crates has 100 KB.
pub(super) const AUDIT_BYTES_MAX: usize = 8 << 20;

/// What the JSON begins with.
const START: &[u8] = br#"{"packages":["#;

/// Compressed bytes from which the start of the JSON can always be told: deflate's longest block header has
/// less than 300 (RFC 1951 section 3.2.7).
pub(super) const START_BYTES_MAX: usize = 512;

/// Most places in one file where a zlib stream seems to begin. Random bytes have one in 16 KB.
const TRIES_MAX: u32 = 1 << 18;

/// Reads the audit data of a program that is in memory whole.
pub(super) fn read_whole(bytes: &[u8], layout: &Layout, found: &mut Found) {
    if let Some(section) = &layout.rust_section {
        let compressed = layout::slice(bytes, section).unwrap_or_default();
        report(inflate(compressed), found);
    } else if !layout.has_sections {
        let mut search = Search::default();
        let starts = search.starts(bytes, bytes.len());
        if let Some(&start) = starts.first() {
            report(inflate(&bytes[start..]), found);
        }
        found.problems.extend(search.problem());
    }
}

/// What inflating gives.
pub(super) enum Inflated {
    /// The JSON.
    Complete(Vec<u8>),
    /// The stream goes on behind the bytes at hand.
    Short,
    /// The stream breaks its format or a limit.
    Bad(Problem),
}

/// Adds what inflating gave, at the end of all bytes that there are.
pub(super) fn report(inflated: Inflated, found: &mut Found) {
    match inflated {
        Inflated::Complete(json) => add(&json, found),
        Inflated::Short => {
            found.problems.push(Problem::unreadable("Rust's audit data ends before its end"));
        }
        Inflated::Bad(problem) => found.problems.push(problem),
    }
}

/// Inflates audit data, up to [`AUDIT_BYTES_MAX`].
pub(super) fn inflate(compressed: &[u8]) -> Inflated {
    let mut inflater = Decompress::new(true);
    let mut json = Vec::with_capacity(compressed.len().saturating_mul(4).clamp(1 << 10, 64 << 10));
    loop {
        let read = usize::try_from(inflater.total_in()).unwrap_or(usize::MAX);
        let rest = compressed.get(read..).unwrap_or_default();
        let before = json.len();
        let status = inflater.decompress_vec(rest, &mut json, FlushDecompress::None);
        match status {
            Ok(Status::StreamEnd) if json.len() <= AUDIT_BYTES_MAX => return Inflated::Complete(json),
            Ok(_) if json.len() > AUDIT_BYTES_MAX => {
                let detail = format!("Rust's audit data is larger than the limit of {AUDIT_BYTES_MAX} bytes");
                return Inflated::Bad(Problem::limit(detail));
            }
            Ok(_) if json.len() == json.capacity() => json.reserve(json.len()),
            Ok(_) if rest.is_empty() || json.len() == before => return Inflated::Short,
            Ok(_) => {}
            Err(error) => {
                let detail = format!("Rust's audit data cannot be inflated: {error}");
                return Inflated::Bad(Problem::unreadable(detail));
            }
        }
    }
}

/// Looks for zlib streams that begin as audit data does.
pub(super) struct Search {
    inflater: Decompress,
    tries: u32,
}

impl Default for Search {
    fn default() -> Search {
        Search { inflater: Decompress::new(true), tries: 0 }
    }
}

impl Search {
    /// Where audit data seems to begin, before `end`. Of each stream [`START_BYTES_MAX`] bytes should follow.
    pub(super) fn starts(&mut self, bytes: &[u8], end: usize) -> Vec<usize> {
        let mut starts = Vec::new();
        for at in memchr_iter(0x78, &bytes[..end.min(bytes.len())]) {
            // RFC 1950: the first two bytes are a multiple of 31. RFC 1951: block type 3 does not exist.
            let is_zlib = match bytes.get(at + 1..at + 3) {
                Some(&[flags, block]) => {
                    (0x7800 | u16::from(flags)) % 31 == 0 && flags & 0x20 == 0 && block & 6 != 6
                }
                _ => false,
            };
            if is_zlib && self.tries <= TRIES_MAX {
                self.tries += 1;
                let stream = &bytes[at..bytes.len().min(at + START_BYTES_MAX)];
                if self.begins_as_audit_data(stream) {
                    starts.push(at);
                }
            }
        }
        starts
    }

    fn begins_as_audit_data(&mut self, stream: &[u8]) -> bool {
        let mut start = [0; START.len()];
        self.inflater.reset(true);
        self.inflater.decompress(stream, &mut start, FlushDecompress::None).is_ok() && start == *START
    }

    /// Whether some places were not tried.
    pub(super) fn problem(&self) -> Option<Problem> {
        (self.tries > TRIES_MAX).then(|| {
            Problem::limit(format!(
                "more than {TRIES_MAX} places look like the start of Rust's audit data; the rest was not tried"
            ))
        })
    }
}

#[derive(Deserialize)]
struct AuditData {
    packages: Vec<Value>,
}

#[derive(Deserialize)]
struct AuditPackage {
    name: String,
    version: String,
    #[serde(default = "runtime")]
    kind: String,
}

fn runtime() -> String {
    "runtime".to_owned()
}

/// Adds the crates that are in the program; those that only took part in the build are not.
fn add(json: &[u8], found: &mut Found) {
    let data: AuditData = match serde_json::from_slice(json) {
        Ok(data) => data,
        Err(error) => {
            let detail = format!("Rust's audit data is not the JSON that it should be: {error}");
            found.problems.push(Problem::unreadable(detail));
            return;
        }
    };
    let mut bad_records = 0u64;
    for record in data.packages {
        match AuditPackage::deserialize(record) {
            Ok(package) if package.kind == "runtime" => {
                found.packages.push(FoundPackage::new(&CARGO, package.name, package.version));
            }
            Ok(package) if package.kind == "build" => {}
            _ => bad_records += 1,
        }
    }
    if bad_records > 0 {
        let detail = format!("{bad_records} packages of Rust's audit data cannot be understood");
        found.problems.push(Problem::unreadable(detail));
    }
}
