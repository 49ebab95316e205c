//! Licences as packages state them, and which of them SPDX knows.
//!
//! Packages write `MIT`, `GPL-2+`, `see COPYING` or a whole page. Only what follows the SPDX licence
//! expressions (SPDX 2.3 annex D) with ids of the licence list is given as such; the rest stays words.

use spdx::{Expression, ParseMode};

/// Longest text that is read as an expression, in bytes. Longer ones are texts of licences.
const EXPRESSION_BYTES_MAX: usize = 1024;

/// Deprecated ids such as `GPL-2.0` are on the list and much in use; nothing else is let go.
const MODE: ParseMode = ParseMode { allow_deprecated: true, ..ParseMode::STRICT };

/// What a stated licence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Licence<'a> {
    /// An id of the SPDX licence list.
    Id(&'a str),
    /// An expression of such ids.
    Expression(&'a str),
    /// Something else.
    Words(&'a str),
}

/// Reads a stated licence.
pub(crate) fn read(stated: &str) -> Licence<'_> {
    let text = stated.trim();
    if spdx::license_id(text).is_some_and(|id| id.name == text && is_listed(text)) {
        return Licence::Id(text);
    }
    if text.len() > EXPRESSION_BYTES_MAX {
        return Licence::Words(text);
    }
    match Expression::parse_mode(text, MODE) {
        Ok(expression) if has_only_listed_ids(&expression) => Licence::Expression(text),
        _ => Licence::Words(text),
    }
}

/// One expression for everything that a package states; `None` where a part of it is only words.
///
/// Several licences are joined with `AND`: a package that lists them names what applies to its parts.
pub(crate) fn declared(licenses: &[String]) -> Option<String> {
    let mut out = String::new();
    for stated in licenses {
        if !out.is_empty() {
            out.push_str(" AND ");
        }
        match read(stated) {
            Licence::Id(id) => out.push_str(id),
            Licence::Expression(text) if licenses.len() == 1 => out.push_str(text),
            Licence::Expression(text) => {
                out.push('(');
                out.push_str(text);
                out.push(')');
            }
            Licence::Words(_) => return None,
        }
    }
    (!out.is_empty()).then_some(out)
}

/// `LicenseRef-..` would have to be explained in the document, which nobody can.
fn has_only_listed_ids(expression: &Expression) -> bool {
    expression.requirements().all(|part| {
        part.req.license.id().is_some_and(|id| is_listed(id.name))
            && part.req.addition.as_ref().is_none_or(|addition| addition.id().is_some())
    })
}

/// The list of the `spdx` crate holds two words that are values of fields, not licences.
fn is_listed(name: &str) -> bool {
    !matches!(name, "NOASSERTION" | "NONE")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_spdx_knows_is_given_as_such() {
        for (stated, expected) in [
            ("MIT", Licence::Id("MIT")),
            ("GPL-2.0", Licence::Id("GPL-2.0")),
            ("MIT OR Apache-2.0", Licence::Expression("MIT OR Apache-2.0")),
            (
                "GPL-2.0-only WITH Classpath-exception-2.0",
                Licence::Expression("GPL-2.0-only WITH Classpath-exception-2.0"),
            ),
            ("mit", Licence::Words("mit")),
            ("GPL-2+", Licence::Words("GPL-2+")),
            ("LicenseRef-mine", Licence::Words("LicenseRef-mine")),
            ("NOASSERTION", Licence::Words("NOASSERTION")),
            ("(((", Licence::Words("(((")),
            ("", Licence::Words("")),
        ] {
            assert_eq!(read(stated), expected);
        }
    }

    #[test]
    fn several_licences_all_apply() {
        let declared = |texts: &[&str]| declared(&texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        assert_eq!(declared(&["MIT"]).as_deref(), Some("MIT"));
        assert_eq!(declared(&["MIT OR 0BSD"]).as_deref(), Some("MIT OR 0BSD"));
        assert_eq!(declared(&["MIT", "0BSD OR Zlib"]).as_deref(), Some("MIT AND (0BSD OR Zlib)"));
        assert_eq!(declared(&["MIT", "GPL-2+"]), None);
        assert_eq!(declared(&[]), None);
    }
}
