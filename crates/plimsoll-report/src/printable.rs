//! Text from images and feeds, made safe to look at.
//!
//! A package may be called `\x1b[2J`. Everything that a terminal or a browser would obey instead of show is
//! written as `\u{1b}`: control characters, marks that turn the direction of text around, and characters that
//! cannot be seen. JSON formats keep names as they are, because a program has to find them again, and
//! write the same characters as JSON's own `\u001b`: a report on a terminal is as harmless.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use serde_json::ser::{Formatter, PrettyFormatter};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many characters one column may hold. Combining marks take no column, so that without a limit a name
/// could be endless and still fit.
const CHARS_PER_COLUMN_MAX: usize = 4;

/// What stands where text was cut.
const ELLIPSIS: char = '…';

/// Writes a text so that nothing in it is obeyed: `\u{..}` for each character that is not for the eye.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.chars().any(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_obeyed(c) {
            write!(out, "\\u{{{:x}}}", u32::from(c)).expect("writing to a string cannot fail");
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Writes prose on one line: each run of white space becomes one blank, the rest is as in [`printable`].
pub fn one_line(text: &str) -> Cow<'_, str> {
    let is_one_line =
        text.trim() == text && !text.contains("  ") && !text.chars().any(|c| c.is_whitespace() && c != ' ');
    if is_one_line {
        return printable(text);
    }
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Cow::Owned(printable(&joined).into_owned())
}

/// Whether a terminal or a browser acts on a character, or shows nothing for it.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'                        // soft hyphen
                | '\u{61c}'                 // Arabic letter mark
                | '\u{180e}'                // Mongolian vowel separator
                | '\u{200b}'..='\u{200f}'   // zero width, left-to-right and right-to-left marks
                | '\u{2028}'..='\u{202e}'   // line and paragraph separators, embeddings, overrides
                | '\u{2060}'..='\u{206f}'   // word joiner, isolates, deprecated controls
                | '\u{feff}'                // byte order mark
                | '\u{fff9}'..='\u{fffb}'   // interlinear annotation
                | '\u{e0000}'..='\u{e007f}' // tags
        )
}

/// Writes indented JSON in which every character that would be obeyed is escaped.
pub(crate) struct PrintableJson(PrettyFormatter<'static>);

impl PrintableJson {
    /// Two blanks a level.
    pub(crate) fn new() -> PrintableJson {
        PrintableJson(PrettyFormatter::new())
    }
}

impl Formatter for PrintableJson {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.chars().any(is_obeyed) {
            return out.write_all(text.as_bytes());
        }
        for c in text.chars() {
            let mut units = [0; 2];
            if is_obeyed(c) {
                for unit in c.encode_utf16(&mut units) {
                    write!(out, "\\u{unit:04x}")?;
                }
            } else {
                out.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, is_first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, is_first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, is_first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, is_first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

/// Columns that a text takes on a terminal.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// Cuts a text to at most `columns_max` columns, with an ellipsis where something is left out.
pub(crate) fn cut(text: &str, columns_max: usize) -> Cow<'_, str> {
    let chars_max = columns_max.saturating_mul(CHARS_PER_COLUMN_MAX);
    if text.len() <= columns_max && text.is_ascii() {
        return Cow::Borrowed(text);
    }
    if text.width() <= columns_max && text.chars().take(chars_max.saturating_add(1)).count() <= chars_max {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars().take(chars_max.saturating_sub(1)) {
        used += c.width().unwrap_or(0);
        if used > columns_max {
            break;
        }
        out.push(c);
    }
    // A sequence may be wider than the sum of its characters.
    while !out.is_empty() && out.width() >= columns_max {
        out.pop();
    }
    if columns_max > 0 {
        out.push(ELLIPSIS);
    }
    Cow::Owned(out)
}

/// Cuts a text to at most `chars_max` characters, for formats that limit the length of a field.
pub(crate) fn cut_chars(text: &str, chars_max: usize) -> Cow<'_, str> {
    if text.len() <= chars_max || text.chars().nth(chars_max).is_none() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().take(chars_max.saturating_sub(1)).chain([ELLIPSIS]).collect())
}

/// Breaks a text into lines of at most `columns_max` columns, at blanks where there are any.
pub(crate) fn wrap(text: &str, columns_max: usize) -> Vec<String> {
    let columns_max = columns_max.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > columns_max {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        if line.width() + word.width() <= columns_max {
            line.push_str(word);
            continue;
        }
        let mut used = line.width();
        for c in word.chars() {
            let width = c.width().unwrap_or(0);
            if used + width > columns_max && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            used += width;
            line.push(c);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_obeyed_gets_through() {
        for (text, expected) in [
            ("plain", "plain"),
            ("naïve 日本", "naïve 日本"),
            ("\x1b[2J", "\\u{1b}[2J"),
            ("a\u{9b}31m", "a\\u{9b}31m"),
            ("a\r\nb\t", "a\\u{d}\\u{a}b\\u{9}"),
            ("gpj.\u{202e}exe", "gpj.\\u{202e}exe"),
            ("a\u{200b}b\u{feff}", "a\\u{200b}b\\u{feff}"),
            ("\u{2066}x\u{2069}\u{7f}", "\\u{2066}x\\u{2069}\\u{7f}"),
        ] {
            assert_eq!(printable(text), expected);
        }
    }

    #[test]
    fn prose_becomes_one_line() {
        assert_eq!(one_line("  a\n\n b\t c "), "a b c");
        assert_eq!(one_line("a\x1bb"), "a\\u{1b}b");
        assert_eq!(one_line("a b"), "a b");
    }

    #[test]
    fn cutting_counts_columns() {
        for (text, columns_max, expected) in [
            ("short", 5, "short"),
            ("longer", 5, "long…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
            ("ab", 1, "…"),
            ("ab", 0, ""),
        ] {
            let got = cut(text, columns_max);
            assert_eq!(got, expected, "{text} {columns_max}");
            assert!(columns(&got) <= columns_max);
        }
        let marks = "\u{301}".repeat(1000);
        assert!(cut(&marks, 10).chars().count() <= 41);
        assert_eq!(cut("any", usize::MAX), "any");
    }

    #[test]
    fn wrapping_loses_nothing() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("aaaaaaa b", 3), ["aaa", "aaa", "a b"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
    }

    #[test]
    fn cutting_counts_characters() {
        assert_eq!(cut_chars("日本語", 3), "日本語");
        assert_eq!(cut_chars("日本語", 2), "日…");
    }
}
