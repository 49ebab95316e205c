//! Node modules, each by its `package.json`.
//!
//! What counts as evidence:
//! - Any `package.json` that states a name and a version, wherever it lies: below `node_modules`, in
//!   Debian's `usr/share/nodejs`, or as the application's own. Whether it is `private` does not matter.
//! - One that states only one of the two, or neither, is none. Many mark a folder as ES modules
//!   (`{"type": "module"}`) or are test fixtures. As npm's registry refuses such a module, no advisory can
//!   be about it.
//! - A broken file is a problem only if it is a module's own, `node_modules/x/package.json` or
//!   `node_modules/@s/x/package.json`, or if it got as far as stating name and version: modules carry
//!   malformed files as fixtures and templates. A name or version that is not a string is treated likewise.
//!
//! The stated name counts, not the folder's: `npm install x@npm:y` puts the module `y` into a folder `x`.

use std::borrow::Cow;

use plimsoll_core::ecosystems;
use serde_json::value::RawValue;

use super::lenient::{self, Licenses, Text};
use super::{Cataloger, Entry, File, Found, FoundPackage, Problem};

pub(super) static CATALOGER: Cataloger =
    Cataloger { name: "npm", title: "Node modules", version: 1, reads: &["**/package.json"], wants, read };

/// Largest `package.json`, in bytes. Those of published modules stay far below 1 MiB.
const BYTES_MAX: u64 = 16 << 20;

fn wants(entry: &Entry<'_>) -> bool {
    entry.path.ends_with("package.json") && entry.file_name() == "package.json"
}

fn read(file: &mut File<'_>) -> Found {
    let is_module_root = is_module_root(file.entry.path);
    match lenient::read_text(file, BYTES_MAX) {
        Ok(text) => read_manifest(&text, is_module_root),
        Err(problem) => Found::problem(problem),
    }
}

fn read_manifest(text: &str, is_module_root: bool) -> Found {
    let mut fields = Fields::default();
    let outcome = lenient::fields(text, None, |key, value| fields.set(&key, value));
    let mut found = Found::default();
    let package = fields.package(&mut found).unwrap_or_else(|problem| {
        if is_module_root {
            lenient::add_problem(&mut found, problem);
        }
        None
    });
    if let Err(problem) = outcome
        && (is_module_root || package.is_some())
    {
        lenient::add_problem(&mut found, problem);
    }
    found.packages.extend(package);
    found
}

/// The fields that matter, unread. Of a key that occurs twice the last counts, as in JavaScript.
#[derive(Default)]
struct Fields<'a> {
    name: Option<&'a RawValue>,
    version: Option<&'a RawValue>,
    license: Option<&'a RawValue>,
    licenses: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn set(&mut self, key: &str, value: &'a RawValue) {
        let field = match key {
            "name" => &mut self.name,
            "version" => &mut self.version,
            "license" => &mut self.license,
            "licenses" => &mut self.licenses,
            _ => return,
        };
        *field = Some(value);
    }

    /// The module that the fields state; nothing if its name or version is missing.
    fn package(&self, found: &mut Found) -> Result<Option<FoundPackage>, Problem> {
        let name = Text::of(self.name).or_problem("name")?;
        let version = Text::of(self.version).or_problem("version")?;
        if name.is_empty() || version.is_empty() {
            return Ok(None);
        }
        let mut package = FoundPackage::new(&ecosystems::NPM, Cow::into_owned(name), version);
        let mut licenses = Licenses::default();
        for field in [self.license, self.licenses].into_iter().flatten() {
            if licenses.is_empty() {
                licenses.add_json(field);
            }
        }
        package.licenses = licenses.finish(found);
        Ok(Some(package))
    }
}

/// Whether a `package.json` is a module's own: it lies in `node_modules/x` or `node_modules/@s/x`.
fn is_module_root(path: &str) -> bool {
    let mut parents = path.rsplit('/').skip(1);
    if parents.next().is_none_or(|folder| folder.starts_with(['.', '@'])) {
        return false;
    }
    match parents.next() {
        Some("node_modules") => true,
        Some(scope) if scope.starts_with('@') => parents.next() == Some("node_modules"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_roots_lie_directly_in_node_modules() {
        for (path, is_root) in [
            ("node_modules/x/package.json", true),
            ("usr/lib/node_modules/npm/node_modules/@s/x/package.json", true),
            ("app/node_modules/.pnpm/x@1.0.0/node_modules/x/package.json", true),
            ("node_modules/x/dist/package.json", false),
            ("node_modules/@s/package.json", false),
            ("node_modules/@s/x/y/package.json", false),
            ("node_modules/.cache/package.json", false),
            ("node_modules/package.json", false),
            ("x/@s/x/package.json", false),
            ("package.json", false),
        ] {
            assert_eq!(is_module_root(path), is_root, "{path}");
        }
    }
}
