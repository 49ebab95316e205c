//! The ways to write a report: one row a file.
//!
//! The same assessments give the same bytes: time comes in through [`Context`]. Formats for people pass every
//! text through [`printable`](crate::printable); formats for programs keep names as they are.

use std::io::{self, BufWriter, Write};

use plimsoll_core::assessment::Assessment;
use serde::Serialize;
use serde_json::Serializer;

use crate::printable::PrintableJson;

mod cyclonedx;
mod html;
pub mod json;
mod markdown;
mod sarif;
mod spdx;
mod table;

/// One way to write a report.
#[derive(Debug)]
pub struct Format {
    /// Name, kebab-case, as `--format` takes it.
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// Media type.
    pub media_type: &'static str,
    /// Writes one report about one image, or about the platforms of one index.
    pub write: fn(&[Assessment], &Context, &mut dyn Write) -> io::Result<()>,
}

/// All formats, sorted by name.
pub static FORMATS: &[&Format] = &[
    &cyclonedx::FORMAT,
    &html::FORMAT,
    &json::FORMAT,
    &markdown::FORMAT,
    &sarif::FORMAT,
    &spdx::FORMAT,
    &table::FORMAT,
];

/// The format with a name.
pub fn by_name(name: &str) -> Option<&'static Format> {
    FORMATS.iter().copied().find(|row| row.name == name)
}

/// What a report needs beside the assessments.
#[derive(Clone, Debug)]
pub struct Context {
    /// Version of Plimsoll.
    pub version: String,
    /// RFC 3339 time to state as the report's own, where a format demands one (CycloneDX, SPDX). In UTC,
    /// with `Z`: SPDX takes nothing else.
    pub now: String,
    /// Whether the bytes go to a terminal that shows colours.
    pub colour: bool,
    /// Width of the terminal in columns; `usize::MAX` where there is none.
    pub width: usize,
}

/// Writes a document as indented JSON with a newline at its end.
pub(crate) fn write_json(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, out);
    document.serialize(&mut Serializer::with_formatter(&mut out, PrintableJson::new()))?;
    out.write_all(b"\n")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_kebab_case_and_sorted() {
        assert!(FORMATS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for row in FORMATS {
            assert!(row.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            assert!(!row.title.is_empty() && row.media_type.contains('/'), "{}", row.name);
            assert!(by_name(row.name).is_some_and(|found| std::ptr::eq(found, *row)));
        }
        assert!(by_name("pdf").is_none());
    }
}
