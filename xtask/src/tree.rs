//! The repository's files, as the rules of `tidy` see them: text in memory, so that a rule's tests can hand
//! it a tree of three lines.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, bail};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// One text file.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// Path from the root, with `/`.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
}

/// All text files that are tracked, or would be.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The files, sorted by path.
    pub(crate) files: Vec<TextFile>,
}

impl Tree {
    /// Reads what git tracks, and what is new and not ignored. Files that are not UTF-8 are left out.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Tree> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("cannot run `git`, which says which files are tracked")?;
        if !listed.status.success() {
            bail!("`git ls-files` failed: {}", String::from_utf8_lossy(&listed.stderr).trim());
        }
        let mut files = Vec::new();
        for path in String::from_utf8_lossy(&listed.stdout).split('\0').filter(|path| !path.is_empty()) {
            // A file that is deleted but still in the index is as good as gone.
            let Ok(bytes) = fs::read(root.join(path)) else { continue };
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(TextFile { path: path.to_owned(), text });
            }
        }
        Ok(Tree::of(files))
    }

    fn of(mut files: Vec<TextFile>) -> Tree {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup_by(|a, b| a.path == b.path);
        Tree { files }
    }

    /// A tree for tests.
    #[cfg(test)]
    pub(crate) fn of_texts(files: &[(&str, &str)]) -> Tree {
        Tree::of(
            files
                .iter()
                .map(|(path, text)| TextFile { path: (*path).to_owned(), text: (*text).to_owned() })
                .collect(),
        )
    }

    /// The file with a path.
    pub(crate) fn file(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// All Rust files.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }

    /// The manifests of all packages.
    pub(crate) fn manifests(&self) -> impl Iterator<Item = &TextFile> {
        self.files
            .iter()
            .filter(|file| file.path.ends_with("/Cargo.toml") && !file.path.contains("testdata/"))
    }

    /// The manifests of the workspace's packages. A package that is a workspace of its own, as `cargo fuzz` has
    /// it, is none of them: it can inherit nothing.
    pub(crate) fn members(&self) -> impl Iterator<Item = &TextFile> {
        self.manifests().filter(|file| !file.text.lines().any(|line| line.trim_end() == "[workspace]"))
    }
}

impl TextFile {
    /// The number of the first line that holds a text, from 1; 1 where none does.
    pub(crate) fn line_of(&self, text: &str) -> usize {
        self.text.lines().position(|line| line.contains(text)).map_or(1, |index| index + 1)
    }

    /// Whether it is test code as a whole: by its place, or by its name, which only test modules have.
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs") || self.path.contains("/testdata/")
    }

    /// The file's tokens. Comments are gone and doc comments are `#[doc]` attributes.
    pub(crate) fn tokens(&self) -> Result<TokenStream, String> {
        self.text.parse::<TokenStream>().map_err(|error| error.to_string())
    }
}

/// Hands every run of sibling tokens to a visitor, outer before inner, leaving out what stands in attributes
/// and, if wanted, in items under `#[cfg(test)]`.
pub(crate) fn visit(stream: &TokenStream, with_tests: bool, visitor: &mut dyn FnMut(&[TokenTree])) {
    let tokens = siblings(stream, with_tests);
    visitor(&tokens);
    for token in &tokens {
        if let TokenTree::Group(group) = token {
            visit(&group.stream(), with_tests, visitor);
        }
    }
}

/// The tokens of one level, without attributes and, if wanted, without items under `#[cfg(test)]`.
pub(crate) fn siblings(stream: &TokenStream, with_tests: bool) -> Vec<TokenTree> {
    let tokens: Vec<TokenTree> = stream.clone().into_iter().collect();
    let mut kept = Vec::new();
    let mut index = 0;
    let mut is_test = false;
    while let Some(token) = tokens.get(index) {
        index += 1;
        if is_punct(token, '#') {
            let is_inner = tokens.get(index).is_some_and(|token| is_punct(token, '!'));
            let at = index + usize::from(is_inner);
            if let Some(TokenTree::Group(group)) = tokens.get(at)
                && group.delimiter() == Delimiter::Bracket
            {
                is_test |= !is_inner && is_cfg_test(group);
                index = at + 1;
                continue;
            }
        }
        if is_test && !with_tests {
            // The item ends with its block or its semicolon.
            is_test = !ends_item(token);
            continue;
        }
        is_test = is_test && !ends_item(token);
        kept.push(token.clone());
    }
    kept
}

fn ends_item(token: &TokenTree) -> bool {
    is_punct(token, ';') || matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

/// Whether an attribute's brackets hold `cfg(test)` or `test`.
fn is_cfg_test(group: &Group) -> bool {
    let text: String = group.stream().to_string().split_whitespace().collect();
    text == "cfg(test)" || text == "test"
}

pub(crate) fn is_punct(token: &TokenTree, of: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == of)
}

pub(crate) fn is_ident(token: &TokenTree, of: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == of)
}

/// The line that a token begins on, from 1.
pub(crate) fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

/// The content of a plain string literal without escapes.
pub(crate) fn string(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else { return None };
    let text = literal.to_string();
    let content = text.strip_prefix('"')?.strip_suffix('"')?;
    (!content.contains('\\')).then(|| content.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idents(text: &str, with_tests: bool) -> String {
        let mut seen = Vec::new();
        visit(&text.parse().unwrap(), with_tests, &mut |tokens| {
            for token in tokens {
                if let TokenTree::Ident(ident) = token {
                    seen.push(ident.to_string());
                }
            }
        });
        seen.join(" ")
    }

    #[test]
    fn items_under_cfg_test_are_left_out_with_their_block() {
        let text = "fn a() { b } #[cfg(test)] mod c { fn d() {} } #[test] fn e() {} fn f() {}";
        assert_eq!(idents(text, false), "fn a fn f b");
        assert_eq!(idents(text, true), "fn a mod c fn e fn f b fn d");
    }

    #[test]
    fn a_workspace_of_its_own_is_no_member() {
        let tree = Tree::of_texts(&[
            ("Cargo.toml", "[workspace]"),
            ("a/Cargo.toml", "[package]"),
            ("b/Cargo.toml", "[package]\n[workspace]\n"),
            ("a/testdata/c/Cargo.toml", "[package]"),
        ]);
        let paths: Vec<&str> = tree.members().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a/Cargo.toml"]);
    }

    #[test]
    fn attributes_and_comments_are_left_out() {
        assert_eq!(idents("#![doc = \"x\"] /// text\n #[inline] fn a() {} // b", false), "fn a");
    }
}
