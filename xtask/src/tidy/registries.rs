//! Registries: every file of a registry's folder that has a row is declared and listed, in the names' order.
//!
//! The compiler warns of a row that is not listed, but not of a file that is not declared, and of no order.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::declared::declares;
use super::{Found, Rule};
use crate::tree::{TextFile, Tree, is_ident, is_punct, line, string, visit};

/// The row.
pub(super) static RULE: Rule = Rule {
    name: "registries",
    why: "one file and two plain lines make a row; a row that is not listed does not exist",
    check,
};

/// One registry.
pub(super) struct Registry {
    /// The list: a static of its parent file.
    list: &'static str,
    /// The row: a static of each file in the folder.
    row: &'static str,
    /// The parent file without `.rs`, which is the folder.
    pub(super) folder: &'static str,
    /// The field that the rows are sorted by.
    key: &'static str,
}

/// All registries, sorted by list.
pub(super) static REGISTRIES: &[Registry] = &[
    Registry {
        list: "CAPABILITIES",
        row: "CAPABILITY",
        folder: "crates/plimsoll/src/http/harbor/capabilities",
        key: "name",
    },
    Registry {
        list: "CATALOGERS",
        row: "CATALOGER",
        folder: "crates/plimsoll-image/src/catalogers",
        key: "name",
    },
    Registry {
        list: "CHANNELS",
        row: "CHANNEL",
        folder: "crates/plimsoll/src/warnings/channels",
        key: "name",
    },
    Registry { list: "COMMANDS", row: "COMMAND", folder: "xtask/src/main", key: "name" },
    Registry { list: "DISTROS", row: "DISTRO", folder: "crates/plimsoll-core/src/distros", key: "id" },
    Registry { list: "FEEDS", row: "FEED", folder: "crates/plimsoll-feeds/src/feeds", key: "name" },
    Registry { list: "FORMATS", row: "FORMAT", folder: "crates/plimsoll-report/src/clearance", key: "name" },
    Registry { list: "FORMATS", row: "FORMAT", folder: "crates/plimsoll-report/src/formats", key: "name" },
    Registry { list: "KINDS", row: "KIND", folder: "crates/plimsoll/src/http/hooks/kinds", key: "name" },
    Registry { list: "RULES", row: "RULE", folder: "crates/plimsoll-core/src/rules", key: "id" },
    Registry { list: "RULES", row: "RULE", folder: "xtask/src/tidy", key: "name" },
    Registry { list: "SCHEMES", row: "SCHEME", folder: "crates/plimsoll-core/src/schemes", key: "name" },
];

/// One row.
pub(super) struct Row<'a> {
    /// Its name: the value of the registry's key.
    pub(super) name: String,
    /// Its module.
    pub(super) module: &'a str,
    /// Its file.
    pub(super) file: &'a TextFile,
    line: usize,
}

impl Registry {
    fn parent(&self) -> String {
        format!("{}.rs", self.folder)
    }

    /// The folder that its rows' files are in. Modules of a `main.rs` stand beside it.
    fn place(&self) -> &'static str {
        self.folder.strip_suffix("/main").unwrap_or(self.folder)
    }

    /// The rows of a tree.
    pub(super) fn rows<'a>(&self, tree: &'a Tree) -> Vec<Row<'a>> {
        let mut rows = Vec::new();
        for file in tree.rust() {
            let module = file.path.strip_prefix(self.place()).and_then(|path| path.strip_prefix('/'));
            let Some(module) = module.and_then(|path| path.strip_suffix(".rs")) else { continue };
            if module.contains('/') || file.path == self.parent() {
                continue;
            }
            if let Some((line, body)) = file.tokens().ok().and_then(|tokens| static_of(&tokens, self.row)) {
                rows.push(Row { name: key(&body, self.key).unwrap_or_default(), module, file, line });
            }
        }
        rows
    }
}

/// The line of a static and the content of its value's braces or brackets.
fn static_of(tokens: &TokenStream, name: &str) -> Option<(usize, TokenStream)> {
    let mut found = None;
    visit(tokens, false, &mut |run| {
        let at = run.windows(3).position(|three| {
            is_ident(&three[0], "static") && is_ident(&three[1], name) && is_punct(&three[2], ':')
        });
        let Some(at) = at else { return };
        let value = run.iter().skip(at).skip_while(|token| !is_punct(token, '='));
        found = value.take_while(|token| !is_punct(token, ';')).find_map(|token| match token {
            TokenTree::Group(group) if group.delimiter() != Delimiter::Parenthesis => {
                Some((line(&run[at]), group.stream()))
            }
            _ => None,
        });
    });
    found
}

/// The text of a field: `key: "text"`.
fn key(body: &TokenStream, key: &str) -> Option<String> {
    let tokens: Vec<TokenTree> = body.clone().into_iter().collect();
    tokens.windows(3).find_map(|three| {
        (is_ident(&three[0], key) && is_punct(&three[1], ':')).then(|| string(&three[2])).flatten()
    })
}

/// The modules of a list: `&module::ROW`, in order.
fn listed(body: &TokenStream, row: &str) -> Vec<String> {
    let tokens: Vec<TokenTree> = body.clone().into_iter().collect();
    let modules = tokens.windows(4).filter_map(|four| match four {
        [TokenTree::Ident(module), a, b, last]
            if is_punct(a, ':') && is_punct(b, ':') && is_ident(last, row) =>
        {
            Some(module.to_string())
        }
        _ => None,
    });
    modules.collect()
}

fn check(tree: &Tree, found: &mut Found) {
    for registry in REGISTRIES {
        let rows = registry.rows(tree);
        let Some(parent) = tree.file(&registry.parent()) else {
            for row in rows {
                found.violation(
                    &row.file.path,
                    row.line,
                    format!("its parent `{}` is not there", registry.parent()),
                );
            }
            continue;
        };
        let list = parent.tokens().ok().and_then(|tokens| static_of(&tokens, registry.list));
        let Some((line, list)) = list else {
            found.violation(
                &parent.path,
                1,
                format!("there is no static `{}`, or it cannot be read", registry.list),
            );
            continue;
        };
        check_registry(registry, parent, line, &listed(&list, registry.row), &rows, found);
    }
}

fn check_registry(
    registry: &Registry,
    parent: &TextFile,
    list_line: usize,
    listed: &[String],
    rows: &[Row<'_>],
    found: &mut Found,
) {
    let Registry { list, row: of_row, key, .. } = registry;
    for Row { name, module, file, line } in rows {
        if name.is_empty() {
            found.violation(
                &file.path,
                *line,
                format!("`{of_row}` has no `{key}`, or it is not a plain text"),
            );
        }
        if !declares(parent, module) {
            found.violation(&file.path, *line, format!("add `mod {module};` to {}", parent.path));
        }
        if !listed.iter().any(|listed| listed == module) {
            found.violation(
                &file.path,
                *line,
                format!("add `&{module}::{of_row},` to `{list}` in {}", parent.path),
            );
        }
    }
    let names: Vec<(&str, &str)> = listed
        .iter()
        .filter_map(|module| rows.iter().find(|row| row.module == module))
        .map(|row| (row.name.as_str(), row.module))
        .collect();
    for pair in names.windows(2) {
        if let [(before, _), (name, module)] = pair
            && before >= name
        {
            found.violation(
                &parent.path,
                list_line,
                format!("`{list}`: sort by `{key}`: `{name}` ({module}) stands behind `{before}`"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::found, RULE};

    const ROW: &str = "pub(super) static FEED: Feed = Feed { name: \"NAME\", title: \"x\" };";

    fn check(parent: &str, rows: &[(&str, &str)], expected: &[&str]) {
        let rows: Vec<(String, String)> = rows
            .iter()
            .map(|(module, name)| {
                (format!("crates/plimsoll-feeds/src/feeds/{module}.rs"), ROW.replace("NAME", name))
            })
            .collect();
        let mut files: Vec<(&str, &str)> =
            rows.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        files.push(("crates/plimsoll-feeds/src/feeds.rs", parent));
        files.push(("crates/plimsoll-feeds/src/feeds/text.rs", "static OTHER: u8 = 1;"));
        let text = found(&RULE, &files);
        assert_eq!(text.lines().count(), expected.len(), "{text}");
        for expected in expected {
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn rows_are_declared_listed_and_sorted() {
        let list = |list: &str| format!("mod a; mod b;\npub static FEEDS: &[&Feed] = &[{list}];");
        let rows = [("a", "a"), ("b", "b")];
        check(&list("&a::FEED, &b::FEED"), &rows, &[]);
        check(&list("&a::FEED"), &rows, &["feeds/b.rs:1: add `&b::FEED,` to `FEEDS`"]);
        check(
            &list("&b::FEED, &a::FEED"),
            &rows,
            &["feeds.rs:2: `FEEDS`: sort by `name`: `a` (a) stands behind `b`"],
        );
        check(&list("&a::FEED, &b::FEED"), &[("a", "z"), ("b", "b")], &["`b` (b) stands behind `z`"]);
        check(
            &list("&a::FEED, &b::FEED, &c::FEED"),
            &[rows[0], rows[1], ("c", "c")],
            &["feeds/c.rs:1: add `mod c;`"],
        );
        check("mod a; mod b;", &rows, &["there is no static `FEEDS`"]);
        check(&list("&a::FEED"), &[("a", "")], &["`FEED` has no `name`"]);
    }
}
