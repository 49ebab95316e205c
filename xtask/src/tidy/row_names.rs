//! Nothing decides by a row's name but the row itself.
//!
//! Looked for are texts equal to a row's name in the code of other files. Where one is the value of a field
//! (`name: "apk"` of another registry's row, `feeds: &["kev"]`) it is data; all else decides, or happens to be
//! the same word and stands in [`ALLOWED`].

use std::collections::BTreeMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::registries::REGISTRIES;
use super::{Found, Rule};
use crate::tree::{Tree, is_ident, is_punct, line, siblings, string};

/// The row.
pub(super) static RULE: Rule = Rule {
    name: "row-names",
    why: "a `match` on a row's name is a second place to edit for every row that is added: make it a field",
    check,
};

/// Registries whose rows have names that others gave them, and that are words of many meanings.
static COMMON_WORDS: &[&str] =
    &["crates/plimsoll/src/http/harbor/capabilities", "crates/plimsoll/src/http/hooks/kinds"];

/// Files, texts in them that are a row's name, and why they may be. Sorted.
static ALLOWED: &[(&str, &[&str], &str)] = &[
    (
        "crates/plimsoll-core/src/advisory.rs",
        &["end-of-life"],
        "what a vendor says about a fix has the same name in reports",
    ),
    (
        "crates/plimsoll-core/src/coverage.rs",
        &["end-of-life", "epss", "kev", "nvd"],
        "feeds that enrich serve no namespace by which they could be found; the one list of them",
    ),
    ("crates/plimsoll-core/src/gap.rs", &["end-of-life"], "a gap has the same name in reports"),
    (
        "crates/plimsoll-feeds/src/bundle/clair.rs",
        &["clair-export"],
        "an import has no row of its own: it puts what Clair wrote where this feed's snapshot is",
    ),
    (
        "crates/plimsoll-feeds/src/database/format.rs",
        &["epss", "kev"],
        "sections of the file that any feed may fill; their names are for people",
    ),
    ("crates/plimsoll-feeds/src/feeds/clair_export.rs", &["nvd"], "who scored a vector, as reports name him"),
    ("crates/plimsoll-feeds/src/feeds/debian_tracker.rs", &["end-of-life"], "an urgency of the tracker's"),
    (
        "crates/plimsoll-feeds/src/feeds/oval/definition.rs",
        &["nvd"],
        "who scored a vector, as reports name him",
    ),
    (
        "crates/plimsoll-image/src/catalogers/executable/go.rs",
        &["go"],
        "how the Go toolchain writes its version: `go1.22`",
    ),
    (
        "crates/plimsoll-image/src/catalogers/os_release.rs",
        &["almalinux", "alpine", "amzn", "centos", "fedora", "ol", "rhel", "rocky"],
        "the `ID` that os-release would state, of releases that predate it; which row that is the core says",
    ),
    (
        "crates/plimsoll/src/clear/policy/flaws.rs",
        &["epss", "kev"],
        "fields that policies name; they are words of the format, whatever feed fills them",
    ),
    (
        "crates/plimsoll/src/clear/policy/sample.rs",
        &["apk", "epss", "kev"],
        "fields that policies name, and the sample of each",
    ),
    (
        "crates/plimsoll/src/config/clair/keys.rs",
        &["redhat-repositories", "redhat-vex"],
        "the table of what Clair calls each feed, which a test resolves",
    ),
    (
        "crates/plimsoll/src/http/api_v1/reports.rs",
        &["json"],
        "the format of a report where a client asks for none, as the command line has one",
    ),
    (
        "crates/plimsoll/src/http/harbor/capabilities/vulnerability.rs",
        &["json", "nvd"],
        "our own report, which Harbor calls raw; whose score Harbor takes first",
    ),
];

fn check(tree: &Tree, found: &mut Found) {
    check_with(tree, found, ALLOWED);
}

fn check_with(tree: &Tree, found: &mut Found, allowed: &[(&str, &[&str], &str)]) {
    // Rows of several registries may share a name; each may use it.
    let mut homes: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let of_crates = REGISTRIES.iter().filter(|registry| {
        registry.folder.starts_with("crates/") && !COMMON_WORDS.contains(&registry.folder)
    });
    for row in of_crates.flat_map(|registry| registry.rows(tree)) {
        homes.entry(row.name).or_default().push(row.file.path.trim_end_matches(".rs"));
    }
    let mut used: Vec<(&str, String)> = Vec::new();
    for file in tree.rust().filter(|file| file.path.starts_with("crates/") && file.path.contains("/src/")) {
        let Ok(tokens) = file.tokens() else { continue };
        if file.is_test() {
            continue;
        }
        for (text, at) in deciding(&tokens) {
            let Some(homes) = homes.get(&text) else { continue };
            let is_at_home = homes.iter().any(|home| {
                file.path.strip_prefix(home).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
            });
            let is_allowed =
                allowed.iter().any(|(path, texts, _)| *path == file.path && texts.contains(&text.as_str()));
            if is_allowed {
                used.push((&file.path, text));
            } else if !is_at_home {
                found.violation(
                    &file.path,
                    at,
                    format!(
                        "\"{text}\" is the name of a row of {}.rs: make what it decides a field of the row",
                        homes.join(".rs, ")
                    ),
                );
            }
        }
    }
    for (path, texts, _) in allowed {
        for text in texts.iter().filter(|text| !used.iter().any(|used| used.0 == *path && used.1 == **text)) {
            found.notes.push(format!("`ALLOWED` need not have \"{text}\" in {path} any more"));
        }
    }
}

/// Texts that are no field's value, with their lines.
fn deciding(tokens: &TokenStream) -> Vec<(String, usize)> {
    let mut texts = Vec::new();
    let run = siblings(tokens, false);
    for (index, token) in run.iter().enumerate() {
        match token {
            TokenTree::Group(group) if !is_list_of_feeds(&run, index) => {
                texts.extend(deciding(&group.stream()))
            }
            _ => {
                texts
                    .extend(string(token).filter(|_| !is_value(&run, index)).map(|text| (text, line(token))));
            }
        }
    }
    texts
}

/// Whether a token is the value of a field: `name: "text"`, but not `path::"text"`.
fn is_value(run: &[TokenTree], index: usize) -> bool {
    let before = |count: usize| index.checked_sub(count).and_then(|index| run.get(index));
    matches!(before(2), Some(TokenTree::Ident(_))) && before(1).is_some_and(|token| is_punct(token, ':'))
}

/// Whether a token is the list in `feeds: &[..]` or `supplements: &[..]`: a row's reference to other rows, which a test resolves.
fn is_list_of_feeds(run: &[TokenTree], index: usize) -> bool {
    let before = |count: usize| index.checked_sub(count).and_then(|index| run.get(index));
    matches!(run.get(index), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket)
        && before(3).is_some_and(|token| is_ident(token, "feeds") || is_ident(token, "supplements"))
        && before(2).is_some_and(|token| is_punct(token, ':'))
        && before(1).is_some_and(|token| is_punct(token, '&'))
}

#[cfg(test)]
mod tests {
    use super::super::{Found, found};
    use super::{RULE, check_with};
    use crate::tree::Tree;

    const ROW: (&str, &str) = (
        "crates/plimsoll-feeds/src/feeds/osv.rs",
        "static FEED: Feed = Feed { name: \"osv\" }; fn a() { b == \"osv\" }",
    );

    fn check(path: &str, code: &str, violations: usize) {
        let parent =
            ("crates/plimsoll-feeds/src/feeds.rs", "mod osv; static FEEDS: &[&Feed] = &[&osv::FEED];");
        let text = found(&RULE, &[ROW, parent, (path, code)]);
        assert_eq!(text.lines().count(), violations, "{code}: {text}");
    }

    #[test]
    fn decisions_are_found_and_data_is_not() {
        for (code, violations) in [
            ("fn a() { if name == \"osv\" {} }", 1),
            ("fn a() { match name { \"osv\" => 1, Some(\"osv\") => 2 } }", 2),
            ("fn a() { matches!(name, \"osv\") }", 1),
            ("const A: &str = \"osv\";", 1),
            ("static A: Distro = Distro { id: \"osv\", feeds: &[\"x\", \"osv\"] };", 0),
            ("/// See \"osv\".\nfn a() { \"osv2\" } // \"osv\"", 0),
            ("#[cfg(test)] mod tests { fn a() { by_name(\"osv\") } }", 0),
        ] {
            check("crates/plimsoll/src/cli.rs", code, violations);
        }
        check("crates/plimsoll-feeds/src/feeds/osv/record.rs", "fn a() { b == \"osv\" }", 0);
        check("crates/plimsoll-feeds/tests/a.rs", "fn a() { b == \"osv\" }", 0);
    }

    #[test]
    fn what_is_allowed_is_used() {
        let path = "crates/a/src/lib.rs";
        let tree = Tree::of_texts(&[ROW, (path, "fn a() { b == \"osv\" }")]);
        for (allowed, violations, notes) in [(["osv"], 0, 0), (["kev"], 1, 1)] {
            let mut found = Found::default();
            check_with(&tree, &mut found, &[(path, &allowed, "why")]);
            assert_eq!((found.violations.len(), found.notes.len()), (violations, notes), "{found:?}");
        }
    }
}
