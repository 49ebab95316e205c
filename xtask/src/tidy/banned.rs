//! What may stand in tests or nowhere: `unwrap()`, `dbg!`, `todo!`, `#[ignore]`.
//!
//! Clippy warns of some of these; here there is no `#[allow]`.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::{Found, Rule};
use crate::tree::{Tree, is_ident, is_punct, line, visit};

/// The row.
pub(super) static RULE: Rule = Rule {
    name: "banned",
    why: "a hostile input must not end the program, and what is unfinished or ignored is forgotten",
    check,
};

/// Macros that may stand nowhere.
static MACROS: &[&str] = &["dbg", "todo", "unimplemented"];

fn check(tree: &Tree, found: &mut Found) {
    for file in tree.rust() {
        let tokens = match file.tokens() {
            Ok(tokens) => tokens,
            Err(error) => {
                found.violation(&file.path, 1, format!("it is not Rust: {error}"));
                continue;
            }
        };
        visit(&tokens, true, &mut |run| {
            for pair in run.windows(2) {
                if let [TokenTree::Ident(name), mark] = pair
                    && is_punct(mark, '!')
                    && MACROS.iter().any(|banned| name == banned)
                {
                    found.violation(
                        &file.path,
                        line(&pair[0]),
                        format!("`{name}!` is for a moment, not for the tree"),
                    );
                }
            }
        });
        ignored(&tokens, &mut |at| {
            found.violation(
                &file.path,
                at,
                "a test is never ignored: assert what is so, with a FIXME, or delete it",
            );
        });
        if !file.is_test() {
            visit(&tokens, false, &mut |run| {
                for (at, name) in unwraps(run) {
                    found.violation(
                        &file.path,
                        at,
                        format!("`{name}` is for tests: `?`, or `expect` with why it cannot fail"),
                    );
                }
            });
        }
    }
}

/// Lines of `.unwrap()` and `.unwrap_err()`.
fn unwraps(run: &[TokenTree]) -> impl Iterator<Item = (usize, &'static str)> {
    run.windows(3).filter_map(|three| {
        let [dot, name, TokenTree::Group(arguments)] = three else { return None };
        let name_of = |text| (is_ident(name, text)).then_some(text);
        let found = name_of("unwrap").or_else(|| name_of("unwrap_err"))?;
        let is_call = is_punct(dot, '.')
            && arguments.delimiter() == Delimiter::Parenthesis
            && arguments.stream().is_empty();
        is_call.then(|| (line(name), found))
    })
}

/// Reports each `#[ignore]`, with or without a reason.
fn ignored(stream: &TokenStream, report: &mut dyn FnMut(usize)) {
    let mut before_is_hash = false;
    for token in stream.clone() {
        if let TokenTree::Group(group) = &token {
            if before_is_hash
                && group.stream().into_iter().next().is_some_and(|token| is_ident(&token, "ignore"))
            {
                report(line(&token));
            }
            ignored(&group.stream(), report);
        }
        before_is_hash = is_punct(&token, '#');
    }
}

#[cfg(test)]
mod tests {
    use super::{super::found, RULE};

    #[test]
    fn each_banned_thing_is_found_on_its_line() {
        let text = "fn a() {\n x.unwrap();\n dbg!(1);\n todo!()\n}\n#[ignore = \"slow\"]\nfn b() { y.unwrap_err(); }\n";
        let text = found(&RULE, &[("crates/a/src/a.rs", text)]);
        let mut lines: Vec<&str> = text.lines().filter_map(|line| line.split(':').nth(1)).collect();
        lines.sort_unstable();
        assert_eq!(lines, ["2", "3", "4", "6", "7"], "{text}");
    }

    #[test]
    fn tests_may_unwrap_but_not_be_ignored() {
        let unit = "#[cfg(test)]\nmod tests {\n #[test]\n fn a() { x.unwrap() }\n}\n// .unwrap()\nconst A: &str = \".unwrap()\";";
        let files = [
            ("crates/a/src/a.rs", unit),
            ("crates/a/src/b/tests.rs", "fn a() { x.unwrap() }"),
            ("crates/a/tests/b.rs", "#[test] #[ignore] fn a() { x.unwrap() }"),
            ("crates/a/src/c.rs", "fn a() { x.unwrap_or(1); ignore(2); }"),
        ];
        let text = found(&RULE, &files);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with("crates/a/tests/b.rs:1: a test is never ignored"), "{text}");
    }

    #[test]
    fn what_cannot_be_read_is_found() {
        assert!(found(&RULE, &[("a.rs", "fn a( {")]).contains("it is not Rust"));
    }
}
