//! Handing files to the catalogers, within the limits, and keeping what they find.
//!
//! A layer's walk and a root filesystem's share this; it knows nothing of either.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::sync::{Condvar, Mutex, PoisonError};

use super::Shared;
use crate::catalogers::{CATALOGERS, Cataloger, Entry, File, Found, Problem};
use crate::facts::{FileFacts, LayerFacts, PassedOver};
use crate::tar::Header;
use crate::windows::paths;

/// Hands files to the catalogers and keeps what they find: what a layer's walk and a root filesystem's share.
pub(crate) struct FileReader<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) files: HashMap<String, (View, FileFacts)>,
    /// Files that a cataloger has read, also those in which it found nothing.
    pub(super) read: HashSet<String>,
    pub(super) facts: LayerFacts,
    pub(super) problems_left_out: usize,
    pub(super) hole_bytes_left: u64,
    pub(super) facts_bytes_left: u64,
    /// Something was left out because of them.
    pub(super) is_full: bool,
}

impl<'a> FileReader<'a> {
    pub(crate) fn new(shared: &'a Shared<'a>) -> FileReader<'a> {
        FileReader {
            shared,
            files: HashMap::new(),
            read: HashSet::new(),
            facts: LayerFacts::default(),
            problems_left_out: 0,
            hole_bytes_left: shared.limits.hole_bytes_max,
            facts_bytes_left: shared.limits.facts_bytes_max,
            is_full: false,
        }
    }

    /// Reads a file of a root filesystem, if a cataloger wants it.
    pub(crate) fn file(
        &mut self,
        path: &str,
        size: u64,
        is_executable: bool,
        open: &mut dyn FnMut() -> io::Result<Box<dyn Read>>,
    ) -> io::Result<()> {
        let entry = Entry { path, size, is_executable };
        if let Some(cataloger) = wanted_by(&entry) {
            let found = self.catalog(cataloger, entry, &mut open()?)?;
            self.keep(path, cataloger, View::Any, found);
        }
        Ok(())
    }

    /// Counts an entry; says whether it is still within the limit.
    pub(crate) fn count_entry(&mut self, path: &str) -> bool {
        self.facts.entries += 1;
        let max = self.shared.limits.entries_max;
        if self.facts.entries == max + 1 {
            self.problem(
                path,
                Problem::limit(format!("this and what follows is beyond {max} entries (entries_max)")),
            );
        }
        self.facts.entries <= max
    }

    pub(crate) fn root_link(&mut self, name: &str, target: &str) {
        let target = crate::tar::clean_path(target);
        if self.affords(name.len() + target.len()) {
            self.facts.root_links.push((name.to_owned(), target));
        } else {
            self.leave_out(name);
        }
    }

    /// Whether so many bytes more may be remembered of the layer. Each is small and there may be millions: of
    /// files, of removals, and of hard links to a database, which state all of it once more.
    pub(super) fn affords(&mut self, bytes: usize) -> bool {
        let left = self.facts_bytes_left.checked_sub(bytes as u64);
        self.facts_bytes_left = left.unwrap_or(self.facts_bytes_left);
        left.is_some()
    }

    pub(super) fn leave_out(&mut self, path: &str) {
        self.is_full = true;
        let max = self.shared.limits.facts_bytes_max;
        let detail =
            format!("what it states is left out: the layer states more than {max} bytes (facts_bytes_max)");
        self.problem(path, Problem::limit(detail));
    }

    pub(crate) fn problem(&mut self, path: &str, problem: Problem) {
        self.problem_in(View::Any, path, problem);
    }

    fn problem_in(&mut self, view: View, path: &str, problem: Problem) {
        let LayerFacts { problems, windows, .. } = &mut self.facts;
        if problems.len() + windows.problems.len() >= self.shared.limits.problems_max {
            self.problems_left_out += 1;
            return;
        }
        let problems = match view {
            View::Any => problems,
            View::Windows => &mut windows.problems,
        };
        problems.push((path.to_owned(), problem));
    }

    /// Notes that a file was not read, since Windows layers have there what says nothing.
    pub(super) fn pass_over(&mut self, path: &str) {
        match &mut self.facts.windows.passed_over {
            Some(passed_over) => passed_over.more += 1,
            none => *none = Some(PassedOver { first: path.to_owned(), more: 0 }),
        }
    }

    /// Whether a file's holes are still within the limit. Nothing else bounds them: they come from no stream,
    /// so that a header alone could keep a cataloger busy for years.
    pub(super) fn takes_holes(&mut self, header: &Header) -> bool {
        let left = self.hole_bytes_left.checked_sub(header.hole_bytes);
        if let Some(left) = left {
            self.hole_bytes_left = left;
        } else {
            let max = self.shared.limits.hole_bytes_max;
            let detail = format!(
                "not read: with its {} bytes of holes the layer's sparse files have more than {max} \
                 (hole_bytes_max)",
                header.hole_bytes
            );
            self.problem(&header.path, Problem::limit(detail));
        }
        left.is_some()
    }

    /// Lets a cataloger read a file. The error is of the content's source: the layer broke, not the file.
    pub(super) fn catalog(
        &self,
        cataloger: &Cataloger,
        entry: Entry<'_>,
        content: &mut dyn Read,
    ) -> io::Result<Found> {
        let limits = self.shared.limits;
        let _permit = self.shared.held.take(entry.size.min(limits.whole_bytes_max), limits.held_bytes_max);
        let mut content = Watched { content, failure: None };
        let mut file = File { entry, content: &mut content, whole_bytes_max: limits.whole_bytes_max };
        let found = (cataloger.read)(&mut file);
        content.failure.map_or(Ok(found), Err)
    }

    pub(super) fn keep(&mut self, path: &str, cataloger: &Cataloger, view: View, mut found: Found) {
        for problem in found.problems.drain(..) {
            self.problem_in(view, path, problem);
        }
        for owned in &mut found.owned {
            owned.paths.retain(|path| could_be_evidence(path));
        }
        found.owned.retain(|owned| !owned.paths.is_empty());
        if !self.affords(found.weight() + 3 * path.len()) {
            return self.leave_out(path);
        }
        self.read.insert(path.to_owned());
        if found != Found::default() {
            let facts = FileFacts { path: path.to_owned(), cataloger: cataloger.name.to_owned(), found };
            self.files.insert(path.to_owned(), (view, facts));
        }
    }

    /// Forgets a file that a later entry of the same layer replaces.
    pub(super) fn forget(&mut self, path: &str) {
        if !self.read.is_empty() && self.read.remove(path) {
            self.files.remove(path);
        }
    }

    pub(crate) fn finish(&mut self) -> LayerFacts {
        let mut facts = std::mem::take(&mut self.facts);
        for (view, file) in std::mem::take(&mut self.files).into_values() {
            match view {
                View::Any => facts.files.push(file),
                View::Windows => facts.windows.files.push(file),
            }
        }
        facts.sort();
        let more = std::mem::take(&mut self.problems_left_out);
        if more > 0 {
            let problem = Problem::limit(format!("{more} more problems are not listed (problems_max)"));
            facts.problems.push((String::new(), problem));
        }
        facts
    }
}

/// In which images a file counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    /// In all.
    Any,
    /// In those of Windows, which have it at another path than the layer.
    Windows,
}

/// Who wants a file of a layer, and as what.
pub(super) struct Wish<'e> {
    pub(super) cataloger: &'static Cataloger,
    /// The file as the cataloger is to see it.
    pub(super) entry: Entry<'e>,
    pub(super) view: View,
    /// Somebody else would want it in other images. A stream is read once.
    pub(super) is_contested: bool,
}

/// Who wants a file of a layer: by its path there, or else by the one that it has below `C:\` in a Windows image.
pub(super) fn wish_for(entry: Entry<'_>) -> Option<Wish<'_>> {
    let here = wanted_by(&entry);
    let inner = paths::below_drive(entry.path).map(|path| Entry { path, ..entry });
    let inner = inner.and_then(|inner| Some((wanted_by(&inner)?, inner)));
    match (here, inner) {
        (here, Some((cataloger, entry))) if here.is_none_or(|here| !std::ptr::eq(here, cataloger)) => {
            Some(Wish { cataloger, entry, view: View::Windows, is_contested: here.is_some() })
        }
        (here, _) => here.map(|cataloger| Wish { cataloger, entry, view: View::Any, is_contested: false }),
    }
}

fn wanted_by(entry: &Entry<'_>) -> Option<&'static Cataloger> {
    CATALOGERS.iter().copied().find(|row| (row.wants)(entry))
}

/// Whether a path that an operating-system package owns could be a language package's evidence. Keeps the
/// facts small: most owned files are documentation, translations and data.
pub(super) fn could_be_evidence(path: &str) -> bool {
    const NEVER: [&str; 6] = [
        "usr/share/doc/",
        "usr/share/man/",
        "usr/share/locale/",
        "usr/share/zoneinfo/",
        "usr/share/icons/",
        "usr/share/info/",
    ];
    if NEVER.iter().any(|prefix| path.starts_with(prefix)) {
        return false;
    }
    wanted_by(&Entry { path, size: u64::MAX, is_executable: true }).is_some()
}

/// Passes content on to a cataloger and remembers whether its source broke.
pub(super) struct Watched<'a> {
    content: &'a mut dyn Read,
    failure: Option<io::Error>,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.read(buffer).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.failure = Some(io::Error::new(error.kind(), error.to_string()));
            }
        })
    }
}

/// Bounds the bytes of whole files that all threads hold at once. A file above the bound waits until it is
/// alone.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) bytes: Mutex<u64>,
    pub(super) released: Condvar,
}

pub(super) struct Permit<'a> {
    pub(super) held: &'a Held,
    pub(super) bytes: u64,
}

impl Held {
    pub(super) fn take(&self, bytes: u64, max: u64) -> Permit<'_> {
        let mut held = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        while *held > 0 && held.saturating_add(bytes) > max {
            held = self.released.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        *held += bytes;
        Permit { held: self, bytes }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.held.bytes.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.held.released.notify_all();
    }
}
