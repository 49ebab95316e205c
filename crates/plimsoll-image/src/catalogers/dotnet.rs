//! NuGet packages of a .NET application, by its `*.deps.json`
//! (<https://github.com/dotnet/sdk/blob/main/documentation/specs/runtime-configuration-file.md>).
//!
//! `libraries` names everything that the application was built from as `Id/1.2.3`, each with a type. Two types
//! are NuGet packages:
//! - `package`;
//! - `runtimepack`: the runtime that a self-contained application brings along. The SDK writes its id behind
//!   `runtimepack.`, and the advisories are about the id: `Microsoft.NETCore.App.Runtime.linux-x64`.
//!
//! A runtime that is installed for all applications (`shared/Microsoft.NETCore.App/8.0.3/`, with a file of the same kind that
//! names it) is known by its release and not by NuGet's packages, of which it is built: it is one package of its own kind.
//!
//! Others are not taken: a `project` is the application's own, a `reference` a file without a package, and a
//! `referenceassembly` describes a part of the shared framework, which need not be on disk and states itself
//! in a `*.deps.json` of its own.

use plimsoll_core::ecosystems;
use serde_json::value::RawValue;

use super::lenient::{self, Text};
use super::{Cataloger, Entry, File, Found, FoundPackage, Problem};

pub(super) static CATALOGER: Cataloger = Cataloger {
    name: "dotnet",
    title: "NuGet packages of .NET applications, and shared runtimes",
    version: 2,
    reads: &["**/*.deps.json"],
    wants,
    read,
};

/// Largest `*.deps.json`, in bytes. That of the .NET SDK is the largest known, with some MiB.
const BYTES_MAX: u64 = 64 << 20;

/// How much of a library's key a problem shows, in characters.
const SHOWN_CHARS_MAX: usize = 80;

fn wants(entry: &Entry<'_>) -> bool {
    entry.path.ends_with(".deps.json")
}

/// The shared frameworks, and the package that each is. The directory below has the version's name.
const RUNTIMES: [(&str, &str); 3] = [
    ("Microsoft.NETCore.App", "dotnet-runtime"),
    ("Microsoft.AspNetCore.App", "aspnetcore-runtime"),
    ("Microsoft.WindowsDesktop.App", "windowsdesktop-runtime"),
];

/// The shared runtime that a path is the description of: `dotnet/shared/Microsoft.NETCore.App/8.0.3/
/// Microsoft.NETCore.App.deps.json`.
fn runtime(path: &str) -> Option<FoundPackage> {
    let mut parts = path.rsplit('/');
    let (file, version, framework, shared) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_it = |(name, _): &&(&str, &str)| framework.eq_ignore_ascii_case(name);
    let (name, package) = RUNTIMES.iter().find(is_it)?;
    let is_own =
        file.len() == name.len() + ".deps.json".len() && file.get(..name.len())?.eq_ignore_ascii_case(name);
    (is_own && shared.eq_ignore_ascii_case("shared") && version.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| FoundPackage::new(&ecosystems::DOTNET, *package, version))
}

fn read(file: &mut File<'_>) -> Found {
    if let Some(runtime) = runtime(file.entry.path) {
        return Found { packages: vec![runtime], ..Found::default() };
    }
    let text = match lenient::read_text(file, BYTES_MAX) {
        Ok(text) => text,
        Err(problem) => return Found::problem(problem),
    };
    let mut found = Found::default();
    let outcome = lenient::fields(&text, Some("libraries"), |key, raw| match read_library(&key, raw) {
        Ok(Some(package)) => found.packages.push(package),
        Ok(None) => {}
        Err(problem) => lenient::add_problem(&mut found, problem),
    });
    match outcome {
        Ok(true) => {}
        Ok(false) => lenient::add_problem(&mut found, Problem::unreadable("has no `libraries`")),
        Err(problem) => lenient::add_problem(&mut found, problem),
    }
    found
}

/// The NuGet package that an entry of `libraries` states, if it is one.
fn read_library(key: &str, raw: &RawValue) -> Result<Option<FoundPackage>, Problem> {
    let mut kind = None;
    lenient::fields_of(raw, |key, value| {
        if key == "type" {
            kind = Some(value);
        }
    })
    .map_err(|problem| about(key, problem))?;
    let kind = Text::of(kind).or_problem("type").map_err(|problem| about(key, problem))?;
    let key = if kind.eq_ignore_ascii_case("package") {
        key
    } else if kind.eq_ignore_ascii_case("runtimepack") {
        key.strip_prefix("runtimepack.").unwrap_or(key)
    } else if kind.is_empty() {
        return Err(about(key, Problem::unreadable("`type` is missing")));
    } else {
        return Ok(None);
    };
    match key.split_once('/') {
        Some((name, version)) if !name.is_empty() && key.len() <= lenient::TEXT_BYTES_MAX => {
            Ok(Some(FoundPackage::new(&ecosystems::NUGET, name, version)))
        }
        _ => Err(about(key, Problem::unreadable("is not an id, `/` and a version"))),
    }
}

fn about(key: &str, problem: Problem) -> Problem {
    let shown: String = key.chars().take(SHOWN_CHARS_MAX).collect();
    Problem { detail: format!("library `{shown}`: {}", problem.detail), ..problem }
}
