//! The ways to write a report: one row a file.
//!
//! The same assessments give the same bytes: time comes in through [`Context`].

use std::io::{self, Write};

use plimsoll_core::assessment::Assessment;

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
pub static FORMATS: &[&Format] = &[];

/// What a report needs beside the assessments.
#[derive(Clone, Debug)]
pub struct Context {
    /// Version of Plimsoll.
    pub version: String,
    /// RFC 3339 time to state as the report's own, where a format demands one (CycloneDX, SPDX).
    pub now: String,
    /// Whether the bytes go to a terminal that shows colours.
    pub colour: bool,
    /// Width of the terminal in columns.
    pub width: usize,
}
