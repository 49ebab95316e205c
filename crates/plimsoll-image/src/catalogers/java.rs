//! Java archives: what a jar is, and every jar in it.
//!
//! An archive is held in memory once; jars stored in it without compression are read in place, others are
//! inflated one at a time. What an archive is comes from Maven's `pom.properties`, of which a shaded archive has
//! several, else from its manifest and its file name (`identity.rs`). A group is never guessed.
//!
//! Archives are made to be nested, so they are where bombs are: depth, entries, archives and inflated bytes
//! each have a limit for the file as a whole, and what a limit kept from being read is a problem.

use std::collections::BTreeSet;

use libdeflater::{DecompressionError, Decompressor};
use plimsoll_core::ecosystems::MAVEN;

use crate::catalogers::{Cataloger, Entry, File, Found, FoundPackage, Problem};

mod groups;
mod identity;
mod metadata;
mod zip;

use identity::{Archive, PomFile};
use metadata::{Manifest, Pom};
use zip::{Content, Member, Zip};

/// Java archives.
pub static CATALOGER: Cataloger = Cataloger {
    name: "java",
    title: "Java archives",
    version: 1,
    reads: &["**/*.jar", "**/*.war", "**/*.ear", "**/*.par", "**/*.jpi", "**/*.hpi"],
    wants,
    read,
};

/// Endings of archives, in lower case.
const ENDINGS: &[&[u8]] = &[b".jar", b".war", b".ear", b".par", b".jpi", b".hpi"];

/// What one file may cost, however its archives are nested.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Archives in archives.
    depth_max: usize,
    /// Nested archives, manifests and `pom.properties` of all archives together.
    members_max: usize,
    /// Bytes of a path in the file, nested archives included. The paths of all packages are kept.
    path_bytes_max: usize,
    /// Entries of all central directories together.
    entries_max: usize,
    /// Bytes that one nested archive inflates to.
    nested_bytes_max: u64,
    /// Bytes that a manifest or a `pom.properties` inflates to. Signed archives have a line for each class.
    metadata_bytes_max: u64,
    /// Bytes that everything inflates to together.
    inflated_bytes_max: u64,
    /// Problems that are told one by one.
    problems_max: usize,
}

static LIMITS: Limits = Limits {
    depth_max: 8,
    members_max: 20_000,
    path_bytes_max: 4096,
    entries_max: 4_000_000,
    nested_bytes_max: 128 << 20,
    metadata_bytes_max: 16 << 20,
    inflated_bytes_max: 1 << 30,
    problems_max: 100,
};

fn wants(entry: &Entry<'_>) -> bool {
    entry.size > 0 && is_archive(entry.path.as_bytes())
}

fn is_archive(name: &[u8]) -> bool {
    let Some((_, ending)) = name.split_last_chunk::<4>() else {
        return false;
    };
    ending[0] == b'.' && ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

fn read(file: &mut File<'_>) -> Found {
    match file.bytes() {
        Ok(bytes) => read_archive(file.entry.file_name(), &bytes, &LIMITS),
        Err(problem) => Found::problem(problem),
    }
}

fn read_archive(file_name: &str, bytes: &[u8], limits: &Limits) -> Found {
    let mut walk = Walk {
        limits,
        found: Found::default(),
        members_left: limits.members_max,
        entries_left: limits.entries_max,
        inflated_left: limits.inflated_bytes_max,
        problems_left_out: 0,
        decompressor: Decompressor::new(),
    };
    walk.archive(file_name, "", bytes, 0);
    if walk.problems_left_out > 0 {
        let detail = format!("{} more parts could not be read", walk.problems_left_out);
        walk.found.problems.push(Problem::unreadable(detail));
    }
    walk.found
}

struct Walk<'l> {
    limits: &'l Limits,
    found: Found,
    members_left: usize,
    entries_left: usize,
    inflated_left: u64,
    problems_left_out: u64,
    decompressor: Decompressor,
}

/// The members of one archive that matter.
#[derive(Default)]
struct Wanted<'a> {
    manifests: Vec<Member<'a>>,
    poms: Vec<Member<'a>>,
    archives: Vec<Member<'a>>,
}

impl<'a> Wanted<'a> {
    /// The list that a member of this name belongs to.
    fn of_kind(&mut self, name: &[u8]) -> Option<&mut Vec<Member<'a>>> {
        if is_archive(name) {
            Some(&mut self.archives)
        } else if name.eq_ignore_ascii_case(b"META-INF/MANIFEST.MF") {
            Some(&mut self.manifests)
        } else if is_pom(name) {
            Some(&mut self.poms)
        } else {
            None
        }
    }
}

impl Walk<'_> {
    /// Reads one archive. `inner` is its path in the file, empty for the file itself.
    fn archive(&mut self, file_name: &str, inner: &str, bytes: &[u8], depth: usize) {
        let zip = match Zip::open(bytes) {
            Ok(zip) => zip,
            Err(problem) => return self.problem(inner, problem),
        };
        let mut wanted = self.wanted(&zip, inner);
        self.refuse_overlaps(&zip, &mut wanted, inner);
        self.identify(&zip, &wanted, file_name, inner);
        if depth >= self.limits.depth_max && !wanted.archives.is_empty() {
            let detail = format!(
                "{} archives in it were not read: they are nested deeper than {}",
                wanted.archives.len(),
                self.limits.depth_max
            );
            return self.problem(inner, Problem::limit(detail));
        }
        for member in &wanted.archives {
            let path = String::from_utf8_lossy(member.name);
            let inner = join(inner, &path);
            let file_name = path.rsplit_once('/').map_or(&*path, |(_, name)| name);
            match zip.content(member) {
                Ok(Content::Stored(bytes)) => self.archive(file_name, &inner, bytes, depth + 1),
                Ok(content) => match self.inflate(content, member, self.limits.nested_bytes_max) {
                    Ok(bytes) => self.archive(file_name, &inner, &bytes, depth + 1),
                    Err(problem) => self.problem(&inner, problem),
                },
                Err(problem) => self.problem(&inner, problem),
            }
        }
    }

    /// Walks the central directory once.
    fn wanted<'a>(&mut self, zip: &Zip<'a>, inner: &str) -> Wanted<'a> {
        let mut wanted = Wanted::default();
        for member in zip.members() {
            let Some(left) = self.entries_left.checked_sub(1) else {
                let max = self.limits.entries_max;
                let detail = format!("the file has more than {max} entries; the rest was not read");
                self.problem(inner, Problem::limit(detail));
                break;
            };
            self.entries_left = left;
            let member = match member {
                Ok(member) => member,
                Err(problem) => {
                    self.problem(inner, problem);
                    break;
                }
            };
            let Some(kind) = wanted.of_kind(member.name) else {
                continue;
            };
            if inner.len() + member.name.len() > self.limits.path_bytes_max {
                let max = self.limits.path_bytes_max;
                let detail = format!("not read: an entry whose path has more than {max} bytes");
                self.problem(inner, Problem::limit(detail));
                continue;
            }
            let Some(left) = self.members_left.checked_sub(1) else {
                let max = self.limits.members_max;
                let detail =
                    format!("the file has more than {max} archives and descriptions; the rest was not read");
                self.problem(inner, Problem::limit(detail));
                break;
            };
            self.members_left = left;
            kind.push(member);
        }
        wanted
    }

    /// Leaves out members that share bytes with another: no tool writes such an archive, and bombs are made
    /// so. An entry that is listed twice is read once.
    fn refuse_overlaps<'a>(&mut self, zip: &Zip<'a>, wanted: &mut Wanted<'a>, inner: &str) {
        let all = wanted.archives.iter().chain(&wanted.poms).chain(&wanted.manifests);
        let mut stretches: Vec<_> =
            all.filter_map(|member| Some((zip.stretch(member)?, member.name))).collect();
        stretches.sort_unstable_by_key(|(stretch, name)| (stretch.start, stretch.end, *name));
        stretches.dedup();
        let mut end = 0;
        let mut refused = BTreeSet::new();
        for (stretch, name) in stretches {
            if stretch.start < end {
                refused.insert((stretch.start, name));
            }
            end = end.max(stretch.end);
        }
        let mut kept = BTreeSet::new();
        let mut is_kept = |member: &Member<'a>| {
            let Some(stretch) = zip.stretch(member) else {
                return true;
            };
            let place = (stretch.start, member.name);
            !refused.contains(&place) && kept.insert(place)
        };
        for members in [&mut wanted.archives, &mut wanted.poms, &mut wanted.manifests] {
            members.retain(&mut is_kept);
        }
        for (_, name) in &refused {
            let inner = join(inner, &String::from_utf8_lossy(name));
            self.problem(&inner, Problem::unreadable("not read: it shares bytes with another entry"));
        }
    }

    /// Adds the packages that an archive states it is.
    fn identify(&mut self, zip: &Zip<'_>, wanted: &Wanted<'_>, file_name: &str, inner: &str) {
        let mut manifest = Manifest::default();
        for member in &wanted.manifests {
            if let Some(bytes) = self.metadata(zip, member, inner) {
                manifest = Manifest::read(&bytes);
            }
        }
        if wanted.manifests.len() > 1 {
            let detail = format!("has {} manifests; the last was read", wanted.manifests.len());
            self.problem(inner, Problem::unreadable(detail));
        }
        let mut poms = Vec::with_capacity(wanted.poms.len());
        for member in &wanted.poms {
            let path = String::from_utf8_lossy(member.name).into_owned();
            let stated = self.metadata(zip, member, inner).map(|bytes| Pom::read(&bytes));
            poms.push(PomFile { path, stated: stated.unwrap_or_default() });
        }
        let has_directory = |directory: &str| {
            zip.members().flatten().any(|member| member.name.starts_with(directory.as_bytes()))
        };
        let archive = Archive { file_name, manifest: &manifest, poms: &poms, has_directory: &has_directory };
        for identity in archive.identities() {
            let mut package = FoundPackage::new(&MAVEN, identity.name, identity.version);
            let place = identity.pom_path.map_or_else(|| inner.to_owned(), |path| join(inner, path));
            package.inner_path = (!place.is_empty()).then_some(place);
            self.found.packages.push(package);
        }
    }

    /// Reads a small member; what is wrong with it becomes a problem. The checksum of what is stored is not
    /// looked at: nothing can have gone wrong in reading it.
    fn metadata<'a>(
        &mut self,
        zip: &Zip<'a>,
        member: &Member<'a>,
        inner: &str,
    ) -> Option<std::borrow::Cow<'a, [u8]>> {
        let read = match zip.content(member) {
            Ok(Content::Stored(bytes)) => Ok(bytes.into()),
            Ok(content) => self.inflate(content, member, self.limits.metadata_bytes_max).map(Into::into),
            Err(problem) => Err(problem),
        };
        read.map_err(|problem| self.problem(&join(inner, &String::from_utf8_lossy(member.name)), problem))
            .ok()
    }

    /// Inflates a member, whose stated size is a claim: it is held against the limits and against what
    /// deflate can do before memory is taken for it.
    fn inflate(&mut self, content: Content<'_>, member: &Member<'_>, max: u64) -> Result<Vec<u8>, Problem> {
        /// Deflate's best is 258 bytes for 2 bits.
        const RATIO_MAX: u64 = 1032;
        let compressed = content.bytes();
        let size = member.size;
        if size > max {
            return Err(Problem::limit(format!("not read: {size} bytes are more than the limit of {max}")));
        }
        if size > (compressed.len() as u64).saturating_mul(RATIO_MAX) {
            return Err(Problem::unreadable(format!(
                "cannot be the {size} bytes that are stated: it has {} compressed ones",
                compressed.len()
            )));
        }
        let Some(left) = self.inflated_left.checked_sub(size) else {
            let max = self.limits.inflated_bytes_max;
            return Err(Problem::limit(format!("not read: the file inflates to more than {max} bytes")));
        };
        self.inflated_left = left;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        match self.decompressor.deflate_decompress(compressed, &mut bytes) {
            Ok(length) => bytes.truncate(length),
            Err(DecompressionError::InsufficientSpace) => {
                let detail = format!("not read: it is larger than the {size} bytes that are stated");
                return Err(Problem::unreadable(detail));
            }
            Err(DecompressionError::BadData) => return Err(Problem::unreadable("cannot be inflated")),
        }
        if libdeflater::crc32(&bytes) != member.crc {
            return Err(Problem::unreadable("damaged: its checksum is not the one that is stated"));
        }
        Ok(bytes)
    }

    /// Keeps a problem, naming the part of the file that it is about.
    fn problem(&mut self, inner: &str, problem: Problem) {
        if self.found.problems.len() >= self.limits.problems_max {
            self.problems_left_out += 1;
            return;
        }
        let detail = if inner.is_empty() { problem.detail } else { format!("`{inner}`: {}", problem.detail) };
        self.found.problems.push(Problem { detail, ..problem });
    }
}

/// `META-INF/maven/GROUP/ARTIFACT/pom.properties`, anywhere in the archive: a war has its own under
/// `WEB-INF/classes`.
fn is_pom(name: &[u8]) -> bool {
    name.ends_with(b"/pom.properties") && memchr::memmem::find(name, b"META-INF/maven/").is_some()
}

fn join(outer: &str, inner: &str) -> String {
    if outer.is_empty() { inner.to_owned() } else { format!("{outer}!/{inner}") }
}

#[cfg(test)]
mod tests;
