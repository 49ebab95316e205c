//! Alpine's package database.
//!
//! Records of `K:value` lines, separated by empty lines. `o:` is the origin, the source package that Alpine's
//! advisories name; its version is the package's own. `F:` names a directory, the `R:` lines after it files.
//!
//! Format: `apk-package(5)` of apk-tools.

use plimsoll_core::ecosystems;

use super::bounded::Bounded;
use super::{Cataloger, Entry, File, Found, FoundPackage, OwnedFiles, Problem};

/// The row.
pub(super) static CATALOGER: Cataloger = Cataloger {
    name: "apk",
    title: "apk package database",
    version: 1,
    reads: &["lib/apk/db/installed", "usr/lib/apk/db/installed"],
    wants,
    read,
};

fn wants(entry: &Entry<'_>) -> bool {
    entry.path.ends_with("lib/apk/db/installed") && CATALOGER.reads.contains(&entry.path)
}

fn read(file: &mut File<'_>) -> Found {
    match file.bytes() {
        Ok(bytes) => parse(&bytes),
        Err(problem) => Found::problem(problem),
    }
}

#[derive(Default)]
struct Record {
    name: String,
    version: String,
    architecture: String,
    origin: String,
    licenses: String,
    directory: String,
    paths: Vec<String>,
}

/// Reads the database.
pub fn parse(bytes: &[u8]) -> Found {
    let mut found = Bounded::new();
    let mut record = Record::default();
    for line in bytes.split(|&byte| byte == b'\n') {
        let line = String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line));
        if line.is_empty() {
            finish(std::mem::take(&mut record), &mut found);
            continue;
        }
        let Some((key, value)) = line.split_once(':') else {
            let shown: String = line.chars().take(60).collect();
            found.problem(Problem::unreadable(format!("a line is not `K:value`: `{shown}`")));
            continue;
        };
        match key {
            "P" => record.name = value.to_owned(),
            "V" => record.version = value.to_owned(),
            "A" => record.architecture = value.to_owned(),
            "o" => record.origin = value.to_owned(),
            "L" => record.licenses = value.to_owned(),
            "F" => record.directory = value.to_owned(),
            "R" if !found.takes_path() => {}
            "R" if record.directory.is_empty() => record.paths.push(value.to_owned()),
            "R" => record.paths.push(format!("{}/{value}", record.directory)),
            _ => {}
        }
    }
    finish(record, &mut found);
    found.finish()
}

fn finish(record: Record, found: &mut Bounded) {
    if record.name.is_empty() {
        if !record.version.is_empty() || !record.paths.is_empty() {
            found.problem(Problem::unreadable("a record has no name"));
        }
        return;
    }
    found.owned(OwnedFiles { package: record.name.clone(), paths: record.paths });
    let mut package = FoundPackage::new(&ecosystems::APK, record.name, record.version);
    let origin = if record.origin.is_empty() { package.name.clone() } else { record.origin };
    package.source = Some((origin, package.version.clone()));
    package.architecture = Some(record.architecture).filter(|text| !text.is_empty());
    package.licenses = Some(record.licenses).filter(|text| !text.is_empty()).into_iter().collect();
    found.package(package);
}
