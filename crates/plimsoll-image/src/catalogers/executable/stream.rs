//! Searches a program that is too large to be held, as it streams by.
//!
//! Memory is bounded: a window of the stream, and what one list may have behind it. Lists are found by
//! their magic alone. A program may hold another one, so build information that stands where the program's
//! own must stand, in a writable segment, is preferred to any other. Of a Mach-O file for several processors the
//! first list counts for all: they are built from the same.

use std::io::{self, Read};

use memchr::memmem::Finder;

use crate::catalogers::executable::go::{self, Reading};
use crate::catalogers::executable::layout::{self, Segment};
use crate::catalogers::executable::rust::{self, Inflated};
use crate::catalogers::executable::{finish, read_up_to};
use crate::catalogers::{Found, Problem};

/// How much of the stream is looked at at once, in bytes.
const WINDOW_BYTES: usize = 256 << 10;

/// How much of each window is looked at again with the next: the longest of the two magics with what is
/// needed to tell whether it is one.
const OVERLAP_BYTES: usize = rust::START_BYTES_MAX;

/// Most of a list that is read from its magic on, in bytes. Both lists have their own, smaller limits.
const LIST_BYTES_MAX: usize = 16 << 20;

/// Searches to the stream's end.
pub(super) fn search(content: &mut dyn Read) -> Found {
    let mut window = Window { content, bytes: Vec::with_capacity(WINDOW_BYTES), offset: 0 };
    let mut lists = Lists::default();
    let mut head = Vec::new();
    let mut segments = Vec::new();
    loop {
        let is_end = match window.fill(WINDOW_BYTES) {
            Ok(filled) => filled < WINDOW_BYTES,
            Err(error) => {
                let detail = format!("cannot be read to its end: {error}");
                lists.problems.push(Problem::unreadable(detail));
                break;
            }
        };
        if window.offset == 0 {
            segments = layout::segments_of(&window.bytes);
            head = window.bytes[..window.bytes.len().min(super::UPX_BYTES_MAX)].to_vec();
        }
        let end = if is_end { window.bytes.len() } else { WINDOW_BYTES - OVERLAP_BYTES };
        if let Err(error) = lists.look(&mut window, end, &segments) {
            lists.problems.push(Problem::unreadable(format!("cannot be read to its end: {error}")));
            break;
        }
        if is_end {
            break;
        }
        window.advance(end);
    }
    finish(lists.into_found(), &head)
}

struct Window<'a> {
    content: &'a mut dyn Read,
    bytes: Vec<u8>,
    /// Where in the stream `bytes` begins.
    offset: u64,
}

impl Window<'_> {
    /// Reads on until so many bytes are at hand. Gives how many there are: fewer only at the stream's end.
    fn fill(&mut self, length: usize) -> io::Result<usize> {
        let start = self.bytes.len();
        if start < length {
            self.bytes.resize(length, 0);
            let result = read_up_to(self.content, &mut self.bytes[start..]);
            self.bytes.truncate(start + result.as_ref().copied().unwrap_or(0));
            result?;
        }
        Ok(self.bytes.len())
    }

    fn advance(&mut self, count: usize) {
        self.bytes.drain(..count.min(self.bytes.len()));
        self.offset += count as u64;
    }
}

#[derive(Default)]
struct Lists {
    /// Build information in a writable segment, or anywhere if the segments are unknown.
    go: Option<Found>,
    /// Build information elsewhere.
    go_elsewhere: Option<Found>,
    /// How many magics of build information were followed.
    magics: usize,
    rust: Option<Found>,
    rust_search: rust::Search,
    problems: Vec<Problem>,
}

impl Lists {
    /// Looks for lists that begin in the window, before `end`.
    fn look(&mut self, window: &mut Window<'_>, end: usize, segments: &[Segment]) -> io::Result<()> {
        if self.go.is_none() {
            let finder = Finder::new(go::MAGIC);
            let hits: Vec<usize> = finder.find_iter(&window.bytes).take_while(|&at| at < end).collect();
            for at in hits {
                self.look_at_go(window, at, segments)?;
            }
        }
        if self.rust.is_none()
            && let Some(&at) = self.rust_search.starts(&window.bytes, end).first()
        {
            self.look_at_rust(window, at)?;
        }
        Ok(())
    }

    fn look_at_go(&mut self, window: &mut Window<'_>, at: usize, segments: &[Segment]) -> io::Result<()> {
        let position = window.offset + at as u64;
        let is_own =
            segments.is_empty() || segments.iter().any(|s| s.is_writable && s.file.contains(&position));
        let list = if is_own { &mut self.go } else { &mut self.go_elsewhere };
        if list.is_some() || !position.is_multiple_of(go::MAGIC_ALIGNMENT) || self.magics > go::MAGICS_MAX {
            return Ok(());
        }
        self.magics += 1;
        let mut found = Found::default();
        loop {
            match go::read_at(&window.bytes[at..]) {
                Reading::Nothing => return Ok(()),
                Reading::Complete(info) => go::add(info, &mut found),
                Reading::Bad(problem) => found.problems.push(problem),
                Reading::Pointers(_) => found.problems.push(Problem::limit(format!(
                    "a Go program from before Go 1.18 and larger than {} bytes: its module list cannot be read",
                    super::WHOLE_BYTES_MAX
                ))),
                Reading::Short(needed) => {
                    let needed = at + needed.min(LIST_BYTES_MAX);
                    if window.bytes.len() < needed && window.fill(needed)? == needed {
                        continue;
                    }
                    found.problems.push(Problem::unreadable("Go's build information ends before its end"));
                }
            }
            *list = Some(found);
            return Ok(());
        }
    }

    fn look_at_rust(&mut self, window: &mut Window<'_>, at: usize) -> io::Result<()> {
        let mut length = window.bytes.len() - at;
        loop {
            let inflated = rust::inflate(&window.bytes[at..]);
            if let Inflated::Short = inflated {
                length = length.saturating_mul(2).max(WINDOW_BYTES);
                let before = window.bytes.len();
                if length <= LIST_BYTES_MAX && window.fill(at + length)? > before {
                    continue;
                }
            }
            let mut found = Found::default();
            rust::report(inflated, &mut found);
            self.rust = Some(found);
            return Ok(());
        }
    }

    fn into_found(self) -> Found {
        let mut found = Found { problems: self.problems, ..Found::default() };
        for list in [self.go.or(self.go_elsewhere), self.rust].into_iter().flatten() {
            found.packages.extend(list.packages);
            found.problems.extend(list.problems);
        }
        if self.magics > go::MAGICS_MAX {
            found.problems.push(go::too_many_magics());
        }
        found.problems.extend(self.rust_search.problem());
        found
    }
}
