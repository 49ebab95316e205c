//! Text that may stand in no tracked file: absolute paths of somebody's machine.

use super::{Found, Rule};
use crate::tree::Tree;

/// The row.
pub(super) static RULE: Rule =
    Rule { name: "forbidden-text", why: "a path of one machine means nothing on another", check };

/// The beginnings of such paths, each in two parts so that this file does not hold them.
static FORBIDDEN: &[(&str, &str)] = &[("/ho", "me/"), ("/ro", "ot/"), ("/Us", "ers/"), (":\\\\Us", "ers\\")];

fn check(tree: &Tree, found: &mut Found) {
    let forbidden: Vec<String> = FORBIDDEN.iter().map(|(start, end)| format!("{start}{end}")).collect();
    for file in &tree.files {
        for (index, line) in file.text.lines().enumerate() {
            for path in forbidden.iter().filter(|path| begins_in(line, path)) {
                found.violation(
                    &file.path,
                    index + 1,
                    format!("`{path}` is a place on one machine: use a relative path"),
                );
            }
        }
    }
}

/// Whether a path begins in a line. `in/home/x` has the text but is another path.
fn begins_in(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        !line[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '}' | ')' | '*'))
    })
}

#[cfg(test)]
mod tests {
    use super::{super::found, FORBIDDEN, RULE};

    #[test]
    fn each_is_found_in_any_kind_of_file() {
        for (start, end) in FORBIDDEN {
            let text = format!("fine\nsee `{start}{end}x`\nnet{start}{end}\n");
            let text = found(&RULE, &[("docs/a.md", &text)]);
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(text.starts_with("docs/a.md:2:"), "{text}");
        }
    }
}
