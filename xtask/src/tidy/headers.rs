//! Every Rust file opens with `//!`.

use super::{Found, Rule};
use crate::tree::Tree;

/// The row.
pub(super) static RULE: Rule =
    Rule { name: "headers", why: "a file says first what it is for, to whoever reads it first", check };

fn check(tree: &Tree, found: &mut Found) {
    for file in tree.rust() {
        let first = file.text.lines().next().unwrap_or_default();
        if first.strip_prefix("//!").is_none_or(|text| text.trim().is_empty()) {
            found.violation(&file.path, 1, "open it with `//!`: what it is for, then what surprises");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::found, RULE};

    #[test]
    fn a_file_without_header_is_found() {
        let files =
            [("a.rs", "//! Says.\n"), ("b.rs", "use x;\n//! Late.\n"), ("c.rs", "//!\n"), ("d.txt", "")];
        let text = found(&RULE, &files);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains("b.rs:1:") && text.contains("c.rs:1:"), "{text}");
    }
}
