//! Debian's package database.
//!
//! `status` holds all packages in paragraphs; distroless images have a file a package in `status.d` instead.
//! `info/NAME.list` (or `NAME:ARCH.list`) and `status.d/NAME.md5sums` say which files a package owns. The
//! source package stands in `Source`, with its version in brackets only where that differs.
//!
//! Format: Debian Policy 5.1 and `man 1 dpkg-query` for the states.

use plimsoll_core::ecosystems;

use super::bounded::Bounded;
use super::{Cataloger, Entry, File, Found, FoundPackage, OwnedFiles, Problem};

/// The row.
pub(super) static CATALOGER: Cataloger = Cataloger {
    name: "dpkg",
    title: "dpkg package database",
    version: 1,
    reads: &["var/lib/dpkg/status", "var/lib/dpkg/status.d/*", "var/lib/dpkg/info/*.list"],
    wants,
    read,
};

fn wants(entry: &Entry<'_>) -> bool {
    let Some(rest) = entry.path.strip_prefix("var/lib/dpkg/") else { return false };
    match rest.split_once('/') {
        None => rest == "status",
        Some(("status.d", name)) => !name.contains('/'),
        Some(("info", name)) => name.ends_with(".list"),
        Some(_) => false,
    }
}

fn read(file: &mut File<'_>) -> Found {
    let name = file.entry.file_name();
    let list_of = name.strip_suffix(".list").or_else(|| name.strip_suffix(".md5sums"));
    let bytes = match file.bytes() {
        Ok(bytes) => bytes,
        Err(problem) => return Found::problem(problem),
    };
    match list_of {
        Some(package) => owned(package, &bytes, name.ends_with(".md5sums")),
        None => parse(&bytes),
    }
}

/// Reads a file list: a path a line, behind a checksum in `md5sums`.
fn owned(package: &str, bytes: &[u8], has_sums: bool) -> Found {
    let package = package.split_once(':').map_or(package, |(name, _)| name);
    let mut bounded = Bounded::new();
    let paths = bytes
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty() && bounded.takes_path())
        .filter_map(|line| {
            let line = String::from_utf8_lossy(line);
            let path = if has_sums { line.split_once("  ")?.1 } else { &line };
            Some(path.trim_start_matches("./").trim_start_matches('/').to_owned())
        })
        .collect();
    bounded.owned(OwnedFiles { package: package.to_owned(), paths });
    bounded.finish()
}

#[derive(Default)]
struct Paragraph {
    package: String,
    status: String,
    version: String,
    architecture: String,
    source: String,
}

/// Reads paragraphs of packages.
pub fn parse(bytes: &[u8]) -> Found {
    let mut found = Bounded::new();
    let mut paragraph = Paragraph::default();
    let mut is_empty = true;
    for line in bytes.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() {
            if !is_empty {
                finish(std::mem::take(&mut paragraph), &mut found);
                is_empty = true;
            }
            continue;
        }
        is_empty = false;
        if line[0] == b' ' || line[0] == b'\t' {
            continue;
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            let shown: String = String::from_utf8_lossy(line).chars().take(60).collect();
            found.problem(Problem::unreadable(format!("a line is not `Field: value`: `{shown}`")));
            continue;
        };
        let value = || String::from_utf8_lossy(line[colon + 1..].trim_ascii()).into_owned();
        match &line[..colon] {
            b"Package" => paragraph.package = value(),
            b"Status" => paragraph.status = value(),
            b"Version" => paragraph.version = value(),
            b"Architecture" => paragraph.architecture = value(),
            b"Source" => paragraph.source = value(),
            _ => {}
        }
    }
    if !is_empty {
        finish(paragraph, &mut found);
    }
    found.finish()
}

fn finish(paragraph: Paragraph, found: &mut Bounded) {
    let Paragraph { package, status, version, architecture, source } = paragraph;
    if package.is_empty() {
        found.problem(Problem::unreadable("a paragraph has no `Package`"));
        return;
    }
    // Want, flag, state. Without the field (status.d) the package is installed.
    if matches!(status.split_whitespace().nth(2), Some("not-installed" | "config-files")) {
        return;
    }
    let (source_name, source_version) = match source.split_once('(') {
        Some((name, version)) => (name.trim().to_owned(), version.trim_end_matches(')').trim().to_owned()),
        None if source.is_empty() => (package.clone(), version.clone()),
        None => (source, version.clone()),
    };
    let mut package = FoundPackage::new(&ecosystems::DEB, package, version);
    package.source = Some((source_name, source_version));
    package.architecture = Some(architecture).filter(|text| !text.is_empty());
    found.package(package);
}
