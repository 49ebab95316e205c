//! Which package may see which: a crate exists only to forbid a dependency, and the manifests hold it.

use super::manifests::{Dependency, dependencies};
use super::{Found, Rule};
use crate::tree::Tree;

/// The row.
pub(super) static RULE: Rule = Rule {
    name: "layering",
    why: "the binary sees the middle, the middle sees net and core and never itself, core sees nothing",
    check,
};

/// A package of the workspace and the others that it may see.
static MAY_SEE: &[(&str, &[&str])] = &[
    ("plimsoll", &["core", "feeds", "image", "net", "report", "store", "trust"]),
    ("plimsoll-core", &[]),
    ("plimsoll-feeds", &["core", "net"]),
    ("plimsoll-fuzz", &["core", "feeds", "image", "net", "report", "trust"]),
    ("plimsoll-image", &["core", "net"]),
    ("plimsoll-net", &[]),
    ("plimsoll-report", &["core"]),
    ("plimsoll-store", &["core"]),
    ("plimsoll-testkit", &[]),
    ("plimsoll-trust", &["core"]),
    ("xtask", &["core", "feeds", "image", "store"]),
];

/// What tests are made of, which whoever tests may see and nobody else.
const TESTKIT: &str = "testkit";

/// Packages that are never shipped.
static NOT_SHIPPED: &[&str] = &["plimsoll-fuzz", "xtask"];

/// What the core may have from outside: nothing that does IO, runs threads or reads a clock.
static CORE_MAY_HAVE: &[&str] = &["cvss", "packageurl", "pep440_rs", "rpm-version", "thiserror"];

fn check(tree: &Tree, found: &mut Found) {
    for file in tree.manifests() {
        let (package, dependencies) = match dependencies(file) {
            Ok(read) => read,
            Err(error) => {
                found.violation(&file.path, 1, format!("it cannot be read: {error}"));
                continue;
            }
        };
        let Some((_, may_see)) = MAY_SEE.iter().find(|(name, _)| *name == package) else {
            found.violation(
                &file.path,
                1,
                format!("`{package}` has no place: say in `MAY_SEE` what it may see"),
            );
            continue;
        };
        for Dependency { name, is_dev, line } in dependencies {
            match name.strip_prefix("plimsoll-") {
                Some(TESTKIT) if is_dev || NOT_SHIPPED.contains(&package.as_str()) => {}
                Some(seen) if !may_see.contains(&seen) => {
                    found.violation(
                        &file.path,
                        line,
                        format!(
                            "`{package}` may not see `{name}`: move what it needs, or turn the call around"
                        ),
                    );
                }
                Some(_) => {}
                None if name == "plimsoll" || name == "xtask" => {
                    found.violation(&file.path, line, format!("nothing may see `{name}`"));
                }
                None if package == "plimsoll-core" && !is_dev && !CORE_MAY_HAVE.contains(&name.as_str()) => {
                    found.violation(
                        &file.path,
                        line,
                        format!("the core may not have `{name}`: it is pure, see `CORE_MAY_HAVE`"),
                    );
                }
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::found, RULE};

    fn check(package: &str, dependency: &str, is_found: bool) {
        let text = format!("[package]\nname = \"{package}\"\n\n{dependency}\n");
        let text = found(&RULE, &[("crates/a/Cargo.toml", &text)]);
        assert_eq!(!text.is_empty(), is_found, "{package} {dependency}: {text}");
    }

    #[test]
    fn only_the_direction_holds() {
        let on = |name: &str| format!("[dependencies]\n{name}.workspace = true");
        for (package, name, is_found) in [
            ("plimsoll", "plimsoll-image", false),
            ("plimsoll-image", "plimsoll-testkit", true),
            ("xtask", "plimsoll-testkit", false),
            ("plimsoll-image", "plimsoll-net", false),
            ("plimsoll-image", "plimsoll-feeds", true),
            ("plimsoll-report", "plimsoll-net", true),
            ("plimsoll-net", "plimsoll-core", true),
            ("plimsoll-core", "plimsoll-net", true),
            ("plimsoll-core", "thiserror", false),
            ("plimsoll-core", "tokio", true),
            ("plimsoll-report", "plimsoll", true),
            ("xtask", "plimsoll", true),
            ("plimsoll-new", "serde", true),
        ] {
            check(package, &on(name), is_found);
        }
    }

    #[test]
    fn every_kind_of_dependency_counts() {
        for (text, is_found) in [
            ("[dev-dependencies]\nplimsoll-feeds = { path = \"../x\" }", true),
            ("[build-dependencies]\nplimsoll-feeds = \"1\"", true),
            ("[target.'cfg(unix)'.dependencies]\nplimsoll-feeds = \"1\"", true),
            ("[dependencies.other]\npackage = \"plimsoll-feeds\"", true),
        ] {
            check("plimsoll-image", text, is_found);
        }
        check("plimsoll-core", "[dev-dependencies]\nproptest = \"1\"", false);
        check("plimsoll-core", "[build-dependencies]\ncc = \"1\"", true);
        assert!(found(&RULE, &[("crates/a/Cargo.toml", "[package")]).contains("cannot be read"));
    }
}
