//! Files of at most 700 lines, functions of at most 70: a function fits a screen.
//!
//! What was longer when the rule came stands in [`RATCHET`] with its length. A number there goes down or goes
//! away; raising one needs a better reason than a deadline.

use proc_macro2::{Delimiter, TokenTree};

use super::{Found, Rule};
use crate::tree::{Tree, is_ident, is_punct, visit};

/// The row.
pub(super) static RULE: Rule =
    Rule { name: "lengths", why: "what does not fit a screen is not understood at once", check };

const FILE_LINES_MAX: usize = 700;
const FUNCTION_LINES_MAX: usize = 70;

/// What may be longer, and how long: path, function (empty for the file itself), lines. Sorted.
static RATCHET: &[(&str, &str, usize)] =
    &[("crates/plimsoll-image/tests/java.rs", "archives_say_what_they_are", 74)];

fn check(tree: &Tree, found: &mut Found) {
    check_with(tree, found, RATCHET);
}

fn check_with(tree: &Tree, found: &mut Found, ratchet: &[(&str, &str, usize)]) {
    let mut used = vec![false; ratchet.len()];
    for file in tree.rust() {
        let mut judge = |function: &str, line: usize, lines: usize, max: usize| {
            let entry = ratchet.iter().position(|entry| (entry.0, entry.1) == (file.path.as_str(), function));
            let allowed = entry.and_then(|index| ratchet.get(index)).map_or(max, |entry| entry.2);
            if let Some(used) = entry.and_then(|index| used.get_mut(index)) {
                *used |= lines > max;
            }
            let what = if function.is_empty() { "the file".to_owned() } else { format!("`{function}`") };
            if lines > allowed {
                found.violation(
                    &file.path,
                    line,
                    format!("{what} has {lines} lines, {allowed} are allowed: split it by what its parts do"),
                );
            } else if lines > max && lines < allowed {
                found.notes.push(format!(
                    "{}: {what} may be lowered from {allowed} to {lines} in the ratchet",
                    file.path
                ));
            }
        };
        judge("", 1, file.text.lines().count(), FILE_LINES_MAX);
        let Ok(tokens) = file.tokens() else { continue };
        visit(&tokens, true, &mut |run| {
            for (name, first, last) in functions(run) {
                judge(&name, first, last + 1 - first, FUNCTION_LINES_MAX);
            }
        });
    }
    for ((path, function, _), _) in ratchet.iter().zip(used).filter(|(_, used)| !used) {
        found.notes.push(format!("the ratchet's entry for {path} {function} is not needed any more"));
    }
}

/// Name, first and last line of the functions with a body in a run of tokens.
fn functions(run: &[TokenTree]) -> Vec<(String, usize, usize)> {
    let mut functions = Vec::new();
    let mut open: Option<(String, usize)> = None;
    for (index, token) in run.iter().enumerate() {
        match token {
            TokenTree::Ident(name) if index > 0 && is_ident(&run[index - 1], "fn") => {
                open = Some((name.to_string(), run[index - 1].span().start().line));
            }
            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => {
                if let Some((name, first)) = open.take() {
                    functions.push((name, first, body.span_close().end().line));
                }
            }
            _ if is_punct(token, ';') => open = None,
            _ => {}
        }
    }
    functions
}

#[cfg(test)]
mod tests {
    use super::super::{Found, found};
    use super::{RULE, check_with};
    use crate::tree::Tree;

    fn function_of(lines: usize) -> String {
        format!(
            "trait A {{ fn none(); }}\nfn long(x: [u8; 2]) -> u8\n{{{}}}\nfn short() {{}}\n",
            "\n".repeat(lines - 2)
        )
    }

    #[test]
    fn a_long_function_and_a_long_file_are_found() {
        let text = found(
            &RULE,
            &[("a.rs", &function_of(71)), ("b.rs", &"\n".repeat(701)), ("c.rs", &function_of(70))],
        );
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("a.rs:2: `long` has 71 lines, 70 are allowed"), "{text}");
        assert!(text.contains("b.rs:1: the file has 701 lines, 700 are allowed"), "{text}");
    }

    #[test]
    fn the_ratchet_only_goes_down() {
        let tree = Tree::of_texts(&[("a.rs", &function_of(80)), ("b.rs", "")]);
        for (entry, violations, notes) in [
            (("a.rs", "long", 79), 1, 0),
            (("a.rs", "long", 80), 0, 0),
            (("a.rs", "long", 81), 0, 1),
            (("b.rs", "", 800), 1, 1),
        ] {
            let mut found = Found::default();
            check_with(&tree, &mut found, &[entry]);
            assert_eq!(
                (found.violations.len(), found.notes.len()),
                (violations, notes),
                "{entry:?} {found:?}"
            );
        }
    }
}
