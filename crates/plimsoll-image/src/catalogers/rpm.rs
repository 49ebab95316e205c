//! Packages of the rpm families: the three databases that rpm has had, and the manifest of images without
//! one.
//!
//! A database is a bag of *header blobs*, one a package, and a few indexes that nobody needs here. The
//! readers ([`bdb`], [`ndb`], [`sqlite`]) only find the blobs; [`header`] reads them. Which reader is asked
//! is decided by a file's first bytes, for the file names have not always told. Everything is read in memory
//! without rpm's or any database's library: these files come from strangers.
//!
//! What surprises: SQLite may leave its last writes in `rpmdb.sqlite-wal`. They are not read, but seen: such
//! a file that is not empty is a problem.

use plimsoll_core::ecosystems;

use super::{Cataloger, Entry, File, Found, FoundPackage, OwnedFiles, Problem};
use header::Header;

pub mod bdb;
pub mod header;
pub mod manifest;
pub mod ndb;
pub mod sqlite;

/// Reads rpm databases.
pub static CATALOGER: Cataloger = Cataloger {
    name: "rpm",
    title: "rpm package databases",
    version: 1,
    reads: &[
        "{var/lib,usr/lib/sysimage,usr/share}/rpm/Packages",
        "{var/lib,usr/lib/sysimage,usr/share}/rpm/Packages.db",
        "{var/lib,usr/lib/sysimage,usr/share}/rpm/rpmdb.sqlite",
        "{var/lib,usr/lib/sysimage,usr/share}/rpm/rpmdb.sqlite-wal",
        "var/lib/rpmmanifest/container-manifest-2",
    ],
    wants,
    read,
};

/// Packages that one database may hold. Images have hundreds.
pub const PACKAGES_MAX: usize = 100_000;

/// Bytes that the texts of all packages of a database may have together, paths aside.
pub const TEXT_BYTES_MAX: usize = 64 << 20;

/// Paths that the packages of one database may own together. An image of 129 packages has 7,000.
pub const PATHS_MAX: usize = 1_000_000;

/// Bytes of those paths together.
pub const PATH_BYTES_MAX: usize = 64 << 20;

/// Problems that are told one by one; of the rest only the number is.
pub const PROBLEMS_MAX: usize = 50;

static DIRECTORIES: &[&str] = &["var/lib/rpm", "usr/lib/sysimage/rpm", "usr/share/rpm"];
static DATABASES: &[&str] = &["Packages", "Packages.db", "rpmdb.sqlite"];
const WRITE_AHEAD_LOG: &str = "rpmdb.sqlite-wal";
const MANIFEST: &str = "var/lib/rpmmanifest/container-manifest-2";

fn wants(entry: &Entry<'_>) -> bool {
    let Some((directory, name)) = entry.path.rsplit_once('/') else {
        return false;
    };
    let is_database = DATABASES.contains(&name) || (name == WRITE_AHEAD_LOG && entry.size > 0);
    (is_database && DIRECTORIES.contains(&directory)) || entry.path == MANIFEST
}

fn read(file: &mut File<'_>) -> Found {
    if file.entry.file_name() == WRITE_AHEAD_LOG {
        return Found::problem(Problem::unreadable(
            "the rpm database was saved with writes that are still in its write-ahead log; packages may be \
             missing or out of date; run `rpm -qa` in the image and save it again",
        ));
    }
    let bytes = match file.bytes() {
        Ok(bytes) => bytes,
        Err(problem) => return Found::problem(problem),
    };
    if file.entry.path == MANIFEST { manifest::parse(&bytes) } else { parse(&bytes) }
}

/// Reads a database of any of the three kinds.
pub fn parse(database: &[u8]) -> Found {
    let reader = if sqlite::is_one(database) {
        sqlite::read
    } else if ndb::is_one(database) {
        ndb::read
    } else if bdb::is_one(database) {
        bdb::read
    } else {
        return Found::problem(Problem::unreadable(
            "it is none of the databases that rpm writes (Berkeley DB hash, NDB, SQLite)",
        ));
    };
    let mut reading = Reading::default();
    reader(database, &mut |next| reading.take(next));
    reading.finish()
}

/// A header blob in a database.
#[derive(Clone, Copy, Debug)]
pub struct Blob<'a> {
    /// The package's number in the database.
    pub number: u64,
    /// The blob, see [`header`].
    pub bytes: &'a [u8],
}

/// Takes what a reader finds: blobs and what it could not read, in the order of the file.
pub type Each<'a> = &'a mut dyn FnMut(Result<Blob<'_>, Problem>);

/// What has been read of a database so far.
#[derive(Default)]
struct Reading {
    found: Found,
    problems_untold: usize,
    packages_left_out: usize,
    text_bytes: usize,
    paths: usize,
    path_bytes: usize,
}

impl Reading {
    fn take(&mut self, next: Result<Blob<'_>, Problem>) {
        match next {
            Ok(_) if self.found.packages.len() >= PACKAGES_MAX || self.text_bytes >= TEXT_BYTES_MAX => {
                self.packages_left_out += 1;
            }
            Ok(blob) => self.package(blob),
            Err(problem) => self.problem(problem),
        }
    }

    fn package(&mut self, blob: Blob<'_>) {
        let number = blob.number;
        let read = Header::parse(blob.bytes).and_then(|header| {
            let name = header.required(header::NAME)?.into_owned();
            // Keys that were imported for checking signatures are stored as packages.
            if name == "gpg-pubkey" {
                return Ok(());
            }
            let mut package = FoundPackage::new(&ecosystems::RPM, name, version(&header)?);
            self.describe(number, &header, &mut package);
            self.own(number, &header, &package.name);
            self.text_bytes += text_bytes(&package);
            self.found.packages.push(package);
            Ok(())
        });
        if let Err(error) = read {
            self.problem(Problem::unreadable(format!("package record {number}: {error}")));
        }
    }

    /// Fills in what a package can be judged without, as far as it can be read.
    fn describe(&mut self, number: u64, header: &Header<'_>, package: &mut FoundPackage) {
        let name = &package.name;
        let mut optional = |tag| match header.text(tag) {
            Ok(text) => text,
            Err(error) => {
                self.problem(Problem::unreadable(format!("package record {number} (`{name}`): {error}")));
                None
            }
        };
        let architecture = optional(header::ARCH);
        let source = optional(header::SOURCERPM);
        let license = optional(header::LICENSE);
        let label = optional(header::MODULARITYLABEL);
        package.architecture = architecture.map(Into::into);
        package.source = source.and_then(|file_name| source_package(&file_name));
        package.licenses = license.into_iter().map(Into::into).collect();
        package.module = Some(label.map_or(String::new(), |label| module(&label).to_owned()));
    }

    fn own(&mut self, number: u64, header: &Header<'_>, package: &str) {
        if self.paths >= PATHS_MAX || self.path_bytes >= PATH_BYTES_MAX {
            return;
        }
        let mut paths = Vec::new();
        let (count, bytes) = (&mut self.paths, &mut self.path_bytes);
        let read = header.each_path(&mut |path| {
            *count += 1;
            *bytes += path.len();
            paths.push(path);
            *count < PATHS_MAX && *bytes < PATH_BYTES_MAX
        });
        if let Err(error) = read {
            self.problem(Problem::unreadable(format!(
                "files of package record {number} (`{package}`): {error}"
            )));
        }
        if !paths.is_empty() {
            self.found.owned.push(OwnedFiles { package: package.to_owned(), paths });
        }
    }

    fn problem(&mut self, problem: Problem) {
        if self.found.problems.len() < PROBLEMS_MAX {
            self.found.problems.push(problem);
        } else {
            self.problems_untold += 1;
        }
    }

    fn finish(mut self) -> Found {
        let problems = &mut self.found.problems;
        if self.problems_untold > 0 {
            problems.push(Problem::limit(format!(
                "{} further problems of the rpm database are not told",
                self.problems_untold
            )));
        }
        if self.packages_left_out > 0 {
            problems.push(Problem::limit(format!(
                "{} package records beyond {PACKAGES_MAX} or {TEXT_BYTES_MAX} bytes of text are left out",
                self.packages_left_out
            )));
        }
        if self.paths >= PATHS_MAX || self.path_bytes >= PATH_BYTES_MAX {
            problems.push(Problem::limit(format!(
                "the packages own more than {PATHS_MAX} files or {PATH_BYTES_MAX} bytes of paths; it is not \
                 known who owns the rest"
            )));
        }
        self.found
    }
}

/// About how much memory a package takes.
fn text_bytes(package: &FoundPackage) -> usize {
    let source = package.source.as_ref().map_or(0, |(name, version)| name.len() + version.len());
    let licenses: usize = package.licenses.iter().map(String::len).sum();
    let optional = [&package.architecture, &package.module].into_iter().flatten().map(String::len);
    package.name.len() + package.version.len() + source + licenses + optional.sum::<usize>()
}

/// `[epoch:]version-release`, without an epoch of 0.
fn version(header: &Header<'_>) -> Result<String, header::BadHeader> {
    let (version, release) = (header.required(header::VERSION)?, header.required(header::RELEASE)?);
    Ok(match header.number(header::EPOCH)? {
        Some(epoch) if epoch != 0 => format!("{epoch}:{version}-{release}"),
        _ => format!("{version}-{release}"),
    })
}

/// Name and version of `foo-1.2-3.el9.src.rpm`. The name of a source rpm has no epoch.
fn source_package(file_name: &str) -> Option<(String, String)> {
    let stem = file_name.strip_suffix(".rpm")?;
    let stem = stem.strip_suffix(".src").or_else(|| stem.strip_suffix(".nosrc"))?;
    let (rest, _) = stem.rsplit_once('-')?;
    let (name, _) = rest.rsplit_once('-')?;
    let version = stem.get(name.len() + 1..)?;
    (!name.is_empty()).then(|| (name.to_owned(), version.to_owned()))
}

/// Module and stream, `nodejs:18` of `nodejs:18:8080020230607:63b34585`.
fn module(label: &str) -> &str {
    label.match_indices(':').nth(1).and_then(|(end, _)| label.get(..end)).unwrap_or(label)
}

/// Byte order of a database, which is that of the machine that wrote it.
#[derive(Clone, Copy, Debug)]
enum ByteOrder {
    Big,
    Little,
}

fn u16_at(bytes: &[u8], offset: usize, order: ByteOrder) -> Option<u16> {
    let bytes: [u8; 2] = bytes.get(offset..offset.checked_add(2)?)?.try_into().ok()?;
    Some(match order {
        ByteOrder::Big => u16::from_be_bytes(bytes),
        ByteOrder::Little => u16::from_le_bytes(bytes),
    })
}

fn u32_at(bytes: &[u8], offset: usize, order: ByteOrder) -> Option<u32> {
    let bytes: [u8; 4] = bytes.get(offset..offset.checked_add(4)?)?.try_into().ok()?;
    Some(match order {
        ByteOrder::Big => u32::from_be_bytes(bytes),
        ByteOrder::Little => u32::from_le_bytes(bytes),
    })
}

/// A number of bytes, blocks or pages that a file states, as an index into memory.
fn index(stated: u32) -> usize {
    usize::try_from(stated).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
