//! PHP packages, by Composer's `installed.json`.
//!
//! Composer 1 wrote an array of packages, Composer 2 writes an object with the array at `packages`
//! (<https://getcomposer.org/upgrade/UPGRADE-2.0.md>). The file lies in `composer` below the vendor folder,
//! which a project may call what it likes, so the vendor folder's name is not asked for. Packages that only
//! development needs are listed like others: they are on disk.
//!
//! Names are written in lower case, as Packagist does, which does not tell case apart. Versions stay as
//! written: `v6.4.0`, `dev-main`.

use std::borrow::Cow;

use plimsoll_core::ecosystems;
use serde_json::value::RawValue;

use super::lenient::{self, Licenses, Text};
use super::{Cataloger, Entry, File, Found, FoundPackage, Problem};

pub(super) static CATALOGER: Cataloger = Cataloger {
    name: "composer",
    title: "PHP packages of Composer",
    version: 1,
    reads: &["**/composer/installed.json"],
    wants,
    read,
};

/// Largest `installed.json`, in bytes. It repeats the whole `composer.json` of each package.
const BYTES_MAX: u64 = 64 << 20;

fn wants(entry: &Entry<'_>) -> bool {
    let Some(folder) = entry.path.strip_suffix("/installed.json") else { return false };
    folder == "composer" || folder.ends_with("/composer")
}

fn read(file: &mut File<'_>) -> Found {
    let text = match lenient::read_text(file, BYTES_MAX) {
        Ok(text) => text,
        Err(problem) => return Found::problem(problem),
    };
    let mut found = Found::default();
    let mut count = 0_u64;
    let outcome = lenient::items(&text, "packages", |raw| {
        count = count.saturating_add(1);
        match read_package(raw, &mut found) {
            Ok(package) => found.packages.push(package),
            Err(problem) => {
                let detail = format!("package {count}: {}", problem.detail);
                lenient::add_problem(&mut found, Problem { detail, ..problem });
            }
        }
    });
    match outcome {
        Ok(true) => {}
        Ok(false) => lenient::add_problem(&mut found, Problem::unreadable("has no `packages`")),
        Err(problem) => lenient::add_problem(&mut found, problem),
    }
    found
}

fn read_package(raw: &RawValue, found: &mut Found) -> Result<FoundPackage, Problem> {
    let (mut name, mut version, mut license) = (None, None, None);
    lenient::fields_of(raw, |key, value| match &*key {
        "name" => name = Some(value),
        "version" => version = Some(value),
        "license" => license = Some(value),
        _ => {}
    })?;
    let name = Text::of(name).or_problem("name")?;
    let version = Text::of(version).or_problem("version")?;
    if name.is_empty() {
        return Err(Problem::unreadable("`name` is missing"));
    }
    let mut package =
        FoundPackage::new(&ecosystems::COMPOSER, name.to_ascii_lowercase(), Cow::into_owned(version));
    let mut licenses = Licenses::default();
    if let Some(license) = license {
        licenses.add_json(license);
    }
    package.licenses = licenses.finish(found);
    Ok(package)
}
