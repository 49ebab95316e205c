//! What reads evidence of installed packages: one row a file.
//!
//! A cataloger looks at one file at a time, in whatever order a layer's tar has them, and says what the file
//! states. It knows nothing of layers, whiteouts or distributions: [`crate::merge`] joins the files' facts
//! into an inventory. It never fails: what it could not read is a [`Problem`] beside what it could.

use std::io::Read;

use crate::windows::registry::FoundHive;
use plimsoll_core::ecosystems::{self, Ecosystem};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub mod apk;
mod bounded;
pub mod chocolatey;
pub mod composer;
pub mod dotnet;
pub mod dpkg;
pub mod executable;
pub mod gem;
pub mod java;
mod lenient;
pub mod npm;
pub mod os_release;
pub mod python;
pub mod rpm;
pub mod windows_file;
pub mod windows_registry;

/// One kind of evidence.
#[derive(Debug)]
pub struct Cataloger {
    /// Name, kebab-case.
    pub name: &'static str,
    /// What it reads, for people.
    pub title: &'static str,
    /// Raised whenever the same bytes would give other facts: cached facts of another version are not used.
    pub version: u32,
    /// Path patterns that it wants, for people and for the docs.
    pub reads: &'static [&'static str],
    /// Whether it wants a file, by path, size and mode alone. Called for every file of every layer: cheap.
    pub wants: fn(&Entry<'_>) -> bool,
    /// Reads a file that it wants.
    pub read: fn(&mut File<'_>) -> Found,
}

/// All catalogers, sorted by name. A file goes to the first that wants it.
pub static CATALOGERS: &[&Cataloger] = &[
    &apk::CATALOGER,
    &chocolatey::CATALOGER,
    &composer::CATALOGER,
    &dotnet::CATALOGER,
    &dpkg::CATALOGER,
    &executable::CATALOGER,
    &gem::CATALOGER,
    &java::CATALOGER,
    &npm::CATALOGER,
    &os_release::CATALOGER,
    &python::CATALOGER,
    &rpm::CATALOGER,
    &windows_file::CATALOGER,
    &windows_registry::CATALOGER,
];

/// A file's head in a layer.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Path in the image, without a leading slash, cleaned of `.` and `..`.
    pub path: &'a str,
    /// Size in bytes.
    pub size: u64,
    /// Whether any execute bit is set.
    pub is_executable: bool,
}

impl<'a> Entry<'a> {
    /// The path's last part.
    pub fn file_name(&self) -> &'a str {
        self.path.rsplit_once('/').map_or(self.path, |(_, name)| name)
    }
}

/// A file to be read.
pub struct File<'a> {
    /// Its head.
    pub entry: Entry<'a>,
    /// Its content, to be read from the start to wherever the cataloger is done.
    pub content: &'a mut dyn Read,
    /// Bytes that [`File::bytes`] may hold at once.
    pub whole_bytes_max: u64,
}

impl<'a> File<'a> {
    /// A file over bytes in memory, for tests and nested archives.
    pub fn new(path: &'a str, size: u64, content: &'a mut dyn Read) -> File<'a> {
        File { entry: Entry { path, size, is_executable: false }, content, whole_bytes_max: WHOLE_BYTES_MAX }
    }

    /// Reads the whole file into memory.
    pub fn bytes(&mut self) -> Result<Vec<u8>, Problem> {
        let max = self.whole_bytes_max;
        if self.entry.size > max {
            return Err(Problem::limit(format!(
                "{} bytes are more than the limit of {max}",
                self.entry.size
            )));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.entry.size).unwrap_or(0));
        self.content
            .take(max)
            .read_to_end(&mut bytes)
            .map_err(|error| Problem::unreadable(format!("cannot be read to its end: {error}")))?;
        Ok(bytes)
    }
}

/// Largest file that is held in memory whole, in bytes.
pub const WHOLE_BYTES_MAX: u64 = 256 << 20;

/// What one file states.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The packages that it says are installed.
    pub packages: Vec<FoundPackage>,
    /// The files that operating-system packages own.
    pub owned: Vec<OwnedFiles>,
    /// What an os-release file says.
    pub os_release: Option<FoundOsRelease>,
    /// What a registry hive of Windows states.
    pub hive: Option<FoundHive>,
    /// The version in a Windows program's or library's resources, four numbers.
    pub file_version: Option<String>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

impl Found {
    /// Nothing but a problem.
    pub fn problem(problem: Problem) -> Found {
        Found { problems: vec![problem], ..Found::default() }
    }

    /// Bytes of memory that it takes, roughly.
    pub(crate) fn weight(&self) -> usize {
        let texts =
            |texts: &[String]| texts.iter().map(|text| size_of::<String>() + text.len()).sum::<usize>();
        let packages = self.packages.iter().map(|package| {
            let source = package.source.as_ref().map_or(0, |(name, version)| name.len() + version.len());
            let optional = [&package.architecture, &package.module, &package.inner_path];
            let optional: usize = optional.into_iter().flatten().map(String::len).sum();
            let named = package.name.len() + package.version.len();
            size_of::<FoundPackage>() + named + source + optional + texts(&package.licenses)
        });
        let owned = self.owned.iter().map(|owned| owned.package.len() + texts(&owned.paths));
        let hive = self.hive.as_ref().map_or(0, FoundHive::weight);
        size_of::<Found>() + packages.sum::<usize>() + owned.sum::<usize>() + hive
    }
}

/// One package, as a file states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundPackage {
    /// Kind of package.
    #[serde(serialize_with = "ecosystem_to_name", deserialize_with = "ecosystem_from_name")]
    pub ecosystem: &'static Ecosystem,
    /// Name as the package spells it. Maven: `group:artifact`.
    pub name: String,
    /// Version as the package spells it, an rpm's with its epoch where that is not 0. Empty if not stated.
    pub version: String,
    /// Source package: name and version.
    pub source: Option<(String, String)>,
    /// Architecture.
    pub architecture: Option<String>,
    /// Module and stream of an rpm; `Some("")` where it is stated that there is none.
    pub module: Option<String>,
    /// Licences as stated.
    pub licenses: Vec<String>,
    /// Where in the file it was found, for archives: `BOOT-INF/lib/x.jar`. Parts joined by `!/`.
    pub inner_path: Option<String>,
}

impl FoundPackage {
    /// A package with nothing but a name and a version.
    pub fn new(
        ecosystem: &'static Ecosystem,
        name: impl Into<String>,
        version: impl Into<String>,
    ) -> FoundPackage {
        FoundPackage {
            ecosystem,
            name: name.into(),
            version: version.into(),
            source: None,
            architecture: None,
            module: None,
            licenses: Vec::new(),
            inner_path: None,
        }
    }
}

/// Files that an operating-system package owns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedFiles {
    /// The package's name.
    pub package: String,
    /// Paths without a leading slash, as the package database writes them.
    pub paths: Vec<String>,
}

/// See [`plimsoll_core::inventory::OsRelease`]; this is its form in the layer cache.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundOsRelease {
    /// `ID`.
    pub id: String,
    /// `ID_LIKE`.
    pub id_like: Vec<String>,
    /// `VERSION_ID`.
    pub version_id: Option<String>,
    /// `VERSION_CODENAME`.
    pub codename: Option<String>,
    /// `PRETTY_NAME`.
    pub pretty_name: Option<String>,
    /// `CPE_NAME`.
    pub cpe: Option<String>,
}

/// What went wrong with a file or a part of one; becomes a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Whether a named limit was reached.
    pub is_limit: bool,
    /// What happened. One sentence, no full stop.
    pub detail: String,
}

impl Problem {
    /// A named limit was reached.
    pub fn limit(detail: impl Into<String>) -> Problem {
        Problem { is_limit: true, detail: detail.into() }
    }

    /// Something does not follow its format.
    pub fn unreadable(detail: impl Into<String>) -> Problem {
        Problem { is_limit: false, detail: detail.into() }
    }
}

fn ecosystem_to_name<S: Serializer>(row: &&'static Ecosystem, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(row.name)
}

fn ecosystem_from_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<&'static Ecosystem, D::Error> {
    let name = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    ecosystems::by_name(&name)
        .ok_or_else(|| serde::de::Error::custom(format!("`{name}` is not an ecosystem")))
}
