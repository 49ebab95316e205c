//! Every Rust file of a package is a module of it: the compiler never sees a file that nobody declares.

use proc_macro2::TokenTree;

use super::{Found, Rule};
use crate::tree::{TextFile, Tree, is_ident, visit};

/// The row.
pub(super) static RULE: Rule = Rule {
    name: "declared",
    why: "a file that no `mod` declares is not compiled, and nobody notices",
    check,
};

fn check(tree: &Tree, found: &mut Found) {
    for file in tree.rust().filter(|file| file.path.contains("/src/") && !file.path.contains("/testdata/")) {
        let Some((folder, name)) = module(&file.path) else { continue };
        let parents = [
            format!("{folder}.rs"),
            format!("{folder}/mod.rs"),
            format!("{folder}/lib.rs"),
            format!("{folder}/main.rs"),
        ];
        let mut parents = parents.iter().filter_map(|path| tree.file(path));
        if !parents.any(|parent| declares(parent, name)) {
            found.violation(
                &file.path,
                1,
                format!("nothing declares it: add `mod {name};` to its parent or delete it"),
            );
        }
    }
}

/// The folder in which a file is a module, and the module's name. `None` for roots.
fn module(path: &str) -> Option<(&str, &str)> {
    let (folder, file) = path.rsplit_once('/')?;
    let name = file.strip_suffix(".rs")?;
    match name {
        "lib" | "main" => None,
        _ if folder.ends_with("/src/bin") => None,
        "mod" => folder.rsplit_once('/'),
        _ => Some((folder, name)),
    }
}

/// Whether a file has `mod NAME;`.
pub(super) fn declares(parent: &TextFile, name: &str) -> bool {
    let Ok(tokens) = parent.tokens() else { return false };
    let mut is_found = false;
    visit(&tokens, true, &mut |run| {
        is_found |= run.windows(2).any(
            |pair| matches!(pair, [keyword, TokenTree::Ident(found)] if is_ident(keyword, "mod") && found == name),
        );
    });
    is_found
}

#[cfg(test)]
mod tests {
    use super::{super::found, RULE};

    #[test]
    fn a_file_that_no_parent_declares_is_found() {
        let files = [
            ("crates/a/src/lib.rs", "mod b; // mod c;"),
            ("crates/a/src/b.rs", "#[cfg(test)] mod d;"),
            ("crates/a/src/b/d.rs", ""),
            ("crates/a/src/c.rs", ""),
            ("crates/a/src/b/e/mod.rs", ""),
            ("crates/a/src/bin/f.rs", ""),
            ("crates/a/tests/g.rs", ""),
        ];
        let text = found(&RULE, &files);
        let at: Vec<&str> = text.lines().filter_map(|line| line.split(": ").next()).collect();
        assert_eq!(at, ["crates/a/src/b/e/mod.rs:1", "crates/a/src/c.rs:1"]);
    }
}
