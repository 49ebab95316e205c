//! `cargo xtask tidy`: what a machine can check of how the repository is written.
//!
//! Each rule is a row in [`RULES`] and a file of its own. A rule looks at the [`Tree`] alone and lists all
//! that it finds; nothing is found by stopping at the first. Each rule's tests hand it a tree that breaks it.

use std::path::Path;

use crate::Command;
use crate::tree::Tree;

mod banned;
mod declared;
mod dependencies;
mod forbidden_text;
mod headers;
mod layering;
mod lengths;
mod manifests;
mod names;
mod registries;
mod row_names;

/// The row.
pub(crate) static COMMAND: Command =
    Command { name: "tidy", about: "checks how the repository is written; lists all that is wrong", run };

/// One rule.
#[derive(Debug)]
struct Rule {
    /// Name, kebab-case.
    name: &'static str,
    /// Why there is such a rule.
    why: &'static str,
    /// Looks at the tree.
    check: fn(&Tree, &mut Found),
}

/// All rules, sorted by name.
static RULES: &[&Rule] = &[
    &banned::RULE,
    &declared::RULE,
    &dependencies::RULE,
    &forbidden_text::RULE,
    &headers::RULE,
    &layering::RULE,
    &lengths::RULE,
    &manifests::RULE,
    &names::RULE,
    &registries::RULE,
    &row_names::RULE,
];

/// What a rule finds.
#[derive(Debug, Default)]
struct Found {
    /// What is wrong, each `file:line: what, and what to do`.
    violations: Vec<String>,
    /// What is not wrong but could be better.
    notes: Vec<String>,
}

impl Found {
    fn violation(&mut self, path: &str, line: usize, what: impl std::fmt::Display) {
        self.violations.push(format!("{path}:{line}: {what}"));
    }
}

fn run(root: &Path, _: &[String]) -> anyhow::Result<bool> {
    let is_tidy = print(&Tree::read(root)?);
    Ok(is_tidy)
}

/// Prints what is wrong; says whether nothing is.
pub(crate) fn print(tree: &Tree) -> bool {
    let (text, violations) = check_all(tree);
    print!("{text}");
    println!("tidy: {} rules, {violations} violations", RULES.len());
    violations == 0
}

/// Checks all rules: what there is to say, and the number of violations.
fn check_all(tree: &Tree) -> (String, usize) {
    let mut text = String::new();
    let mut count = 0;
    for Rule { name, why, check } in RULES {
        let mut found = Found::default();
        check(tree, &mut found);
        count += found.violations.len();
        if !found.violations.is_empty() {
            text += &format!("{name}: {why}\n");
        }
        for violation in &found.violations {
            text += &format!("  {violation}\n");
        }
        for note in &found.notes {
            text += &format!("  note: {note}\n");
        }
    }
    (text, count)
}

/// What a rule finds in a tree, for the rules' tests: the violations, a line each.
#[cfg(test)]
fn found(rule: &Rule, files: &[(&str, &str)]) -> String {
    let mut found = Found::default();
    (rule.check)(&Tree::of_texts(files), &mut found);
    found.violations.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_unique_and_sorted() {
        assert!(RULES.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn the_repository_is_tidy() {
        let (text, violations) = check_all(&Tree::read(&crate::root()).unwrap());
        assert!(violations == 0, "run `cargo xtask tidy`\n{text}");
    }
}
