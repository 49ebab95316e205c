//! Words that name nothing, as names of files and modules.

use proc_macro2::TokenTree;

use super::{Found, Rule};
use crate::tree::{Tree, is_ident, line, visit};

/// The row.
pub(super) static RULE: Rule = Rule {
    name: "names",
    why: "a module is named for what is in it; these words fit anything, so anything ends up there",
    check,
};

/// The words, in the singular.
static NOT_NAMES: &[&str] = &["common", "helper", "info", "manager", "misc", "processor", "util"];

fn is_no_name(name: &str) -> bool {
    let mut words = name.split(['_', '-']);
    words.any(|word| {
        let word = word.to_ascii_lowercase();
        NOT_NAMES.contains(&word.as_str())
            || word.strip_suffix('s').is_some_and(|word| NOT_NAMES.contains(&word))
    })
}

fn check(tree: &Tree, found: &mut Found) {
    let say = |name: &str| format!("`{name}` is not a name: say what is in it");
    for file in tree.rust() {
        for part in file.path.trim_end_matches(".rs").split('/').filter(|part| is_no_name(part)) {
            found.violation(&file.path, 1, say(part));
        }
        let Ok(tokens) = file.tokens() else { continue };
        visit(&tokens, true, &mut |run| {
            // A module with a file of its own is found by the file.
            for three in run.windows(3) {
                if let [keyword, TokenTree::Ident(name), TokenTree::Group(_)] = three
                    && is_ident(keyword, "mod")
                    && is_no_name(&name.to_string())
                {
                    found.violation(&file.path, line(keyword), say(&name.to_string()));
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{super::found, RULE};

    #[test]
    fn files_folders_and_modules_are_found() {
        let files = [
            ("crates/a/src/zip_utils.rs", ""),
            ("crates/a/src/helpers/b.rs", ""),
            ("crates/a/src/c.rs", "\nmod common { }"),
            ("crates/a/src/buildinfo.rs", "mod commons;"),
        ];
        let text = found(&RULE, &files);
        let at: Vec<&str> = text.lines().filter_map(|line| line.split(": ").next()).collect();
        assert_eq!(at, ["crates/a/src/c.rs:2", "crates/a/src/helpers/b.rs:1", "crates/a/src/zip_utils.rs:1"]);
    }
}
