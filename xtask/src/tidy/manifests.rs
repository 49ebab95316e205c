//! What every manifest has: the workspace's lints, or a comment why not, and the workspace's licence.

use toml::{Table, Value};

use super::{Found, Rule};
use crate::tree::{TextFile, Tree};

/// The row.
pub(super) static RULE: Rule = Rule {
    name: "manifests",
    why: "lints that one package does not have are not the workspace's, and a package without licence is nobody's",
    check,
};

/// One dependency of a package.
pub(super) struct Dependency {
    /// The name that its registry knows it by.
    pub(super) name: String,
    /// Whether only tests and examples have it.
    pub(super) is_dev: bool,
    /// Where it stands.
    pub(super) line: usize,
}

/// A package's name and all its dependencies, of all kinds and targets.
pub(super) fn dependencies(file: &TextFile) -> Result<(String, Vec<Dependency>), String> {
    let manifest: Table = file.text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    let package = manifest.get("package").and_then(|package| package.get("name")).and_then(Value::as_str);
    let package = package.ok_or("it names no package")?.to_owned();
    let mut dependencies = Vec::new();
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(|targets| targets.values()).filter_map(Value::as_table);
    for table in std::iter::once(&manifest).chain(tables) {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let of_kind = table.get(kind).and_then(Value::as_table);
            for (key, value) in of_kind.into_iter().flatten() {
                let name = value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned();
                dependencies.push(Dependency {
                    name,
                    is_dev: kind.starts_with("dev"),
                    line: line_of(file, key),
                });
            }
        }
    }
    Ok((package, dependencies))
}

/// Where a dependency's key stands: at the beginning of a line or at the end of a table's head.
fn line_of(file: &TextFile, key: &str) -> usize {
    let stands = |line: &str| {
        line.strip_prefix(key).is_some_and(|rest| rest.starts_with([' ', '.', '=']))
            || line.trim_end().ends_with(&format!(".{key}]"))
    };
    file.text.lines().position(stands).map_or(1, |index| index + 1)
}

fn check(tree: &Tree, found: &mut Found) {
    let of_workspace = tree.file("Cargo.toml").and_then(|file| file.text.parse::<Table>().ok());
    let of_workspace = of_workspace.as_ref().and_then(|root| root.get("workspace")?.get("lints")?.as_table());
    for file in tree.members() {
        // A manifest that cannot be read is found by the rule `layering`.
        let Ok(manifest) = file.text.parse::<Table>() else { continue };
        let inherits = |table: Option<&Value>| {
            table.and_then(|table| table.get("workspace")).and_then(Value::as_bool) == Some(true)
        };
        if !inherits(manifest.get("package").and_then(|package| package.get("license"))) {
            found.violation(&file.path, file.line_of("[package]"), "write `license.workspace = true`");
        }
        let lints = manifest.get("lints");
        if inherits(lints) {
            continue;
        }
        let line = file.line_of("[lints");
        let is_explained =
            line > 1 && file.text.lines().nth(line - 2).is_some_and(|line| line.starts_with('#'));
        if lints.is_none() || !is_explained {
            found.violation(
                &file.path,
                line,
                "write `[lints] workspace = true`, or its own lints with a comment above that says why",
            );
        }
        for (tool, name) in missing(of_workspace, lints) {
            found.violation(
                &file.path,
                line,
                format!("the lint `{tool}.{name}` of the workspace is missing"),
            );
        }
    }
}

/// Lints that the workspace has and a package with lints of its own has not.
fn missing<'a>(of_workspace: Option<&'a Table>, own: Option<&Value>) -> Vec<(&'a str, &'a str)> {
    let has = |tool: &str, name: &str| own.and_then(|own| own.get(tool)?.get(name)).is_some();
    let mut missing = Vec::new();
    for (tool, lints) in own.and(of_workspace).into_iter().flatten() {
        let names = lints.as_table().into_iter().flat_map(|lints| lints.keys());
        missing.extend(names.filter(|name| !has(tool, name)).map(|name| (tool.as_str(), name.as_str())));
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::{super::found, RULE};

    const ROOT: (&str, &str) =
        ("Cargo.toml", "[workspace.lints.rust]\nunsafe_code = \"forbid\"\nmissing_docs = \"warn\"\n");

    fn check(manifest: &str, violations: &[&str]) {
        let text = format!("[package]\nname = \"a\"\n{manifest}");
        let text = found(&RULE, &[ROOT, ("crates/a/Cargo.toml", &text)]);
        assert_eq!(text.lines().count(), violations.len(), "{manifest}: {text}");
        for violation in violations {
            assert!(text.contains(violation), "{manifest}: {text}");
        }
    }

    #[test]
    fn lints_and_licence_are_inherited_or_explained() {
        let licence = "license.workspace = true\n";
        check(&format!("{licence}[lints]\nworkspace = true\n"), &[]);
        check("[lints]\nworkspace = true\n", &["license.workspace"]);
        check("license = \"MIT\"\n[lints]\nworkspace = true\n", &["license.workspace"]);
        check(licence, &["or its own lints with a comment"]);
        let own = "[lints.rust]\nunsafe_code = \"deny\"\nmissing_docs = \"warn\"\n";
        check(&format!("{licence}\n{own}"), &["or its own lints with a comment"]);
        check(&format!("{licence}\n# Because.\n{own}"), &[]);
        check(
            &format!("{licence}\n# Because.\n[lints.rust]\nunsafe_code = \"deny\"\n"),
            &["`rust.missing_docs`"],
        );
    }
}
