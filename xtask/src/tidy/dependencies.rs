//! Every dependency from outside is explained in `docs/DESIGN.md`, and nothing is explained that is not one.

use std::collections::BTreeMap;

use super::manifests::{Dependency, dependencies};
use super::{Found, Rule};
use crate::tree::{TextFile, Tree};

/// The row.
pub(super) static RULE: Rule = Rule {
    name: "dependencies",
    why: "a dependency is a decision: what it does, and why neither our own lines nor another",
    check,
};

const PAGE: &str = "docs/DESIGN.md";
const SECTION: &str = "## Dependencies";

fn check(tree: &Tree, found: &mut Found) {
    let mut used: BTreeMap<String, (&str, usize)> = BTreeMap::new();
    for file in tree.manifests() {
        // A manifest that cannot be read is found by the rule `layering`.
        let Ok((_, dependencies)) = dependencies(file) else { continue };
        for Dependency { name, line, .. } in dependencies {
            if !name.starts_with("plimsoll") {
                used.entry(name).or_insert((&file.path, line));
            }
        }
    }
    let explained = tree.file(PAGE).map(explained).unwrap_or_default();
    for (name, (path, line)) in &used {
        if !explained.contains_key(name.as_str()) {
            found.violation(
                path,
                *line,
                format!("explain `{name}` in the section \"Dependencies\" of {PAGE}"),
            );
        }
    }
    for (name, line) in explained.iter().filter(|(name, _)| !used.contains_key(**name)) {
        found.violation(PAGE, *line, format!("`{name}` is explained but no package has it: delete it"));
    }
}

/// The names in the first column of the section's table, in backticks, and their lines.
fn explained(page: &TextFile) -> BTreeMap<&str, usize> {
    let mut names = BTreeMap::new();
    let mut is_inside = false;
    for (index, line) in page.text.lines().enumerate() {
        if line.starts_with("## ") {
            is_inside = line == SECTION;
        }
        let cell = line.strip_prefix("| `").filter(|_| is_inside).and_then(|line| line.split('|').next());
        for name in cell.into_iter().flat_map(|cell| cell.split(',')) {
            names.insert(name.trim().trim_matches('`'), index + 1);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{super::found, RULE};

    #[test]
    fn both_directions_are_held() {
        let manifest = "[package]\nname = \"a\"\n[dependencies]\nserde.workspace = true\nzip = \"9\"\nplimsoll-core.workspace = true\n";
        let page = "# x\n| `zip` | not here |\n## Dependencies\n| crate | why |\n| `serde`, `old` | y |\n## Other\n| `zip` | z |\n";
        let text = found(&RULE, &[("crates/a/Cargo.toml", manifest), ("docs/DESIGN.md", page)]);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("crates/a/Cargo.toml:5: explain `zip`"), "{text}");
        assert!(text.contains("docs/DESIGN.md:5: `old` is explained"), "{text}");
        assert_eq!(found(&RULE, &[("crates/a/Cargo.toml", manifest)]).lines().count(), 2);
    }
}
