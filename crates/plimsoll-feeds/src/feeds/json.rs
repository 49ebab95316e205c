//! Reading a large JSON document record by record, never as a whole.
//!
//! A record is handed out as its bare text, so that a feed reads the fields that it wants, borrowed from that text, and
//! passes over all others ([`read`]). One of an unexpected shape is refused alone. What cannot be survived is a
//! document that is not JSON: then the part is not what it should be. The size of one record is bounded by
//! [`RECORD_BYTES_MAX`]; its depth by `serde_json`, to 128 levels of what is read. What is passed over costs no stack.

use std::io::{self, BufRead, Read};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::ParseError;

mod field;

pub(super) use field::{Field, Object, Text};

/// Most bytes of the document that one record may take.
const RECORD_BYTES_MAX: usize = 16 << 20;

/// Fewest bytes that are read from the source at a time.
const BLOCK_BYTES: usize = 256 << 10;

/// Hands out the elements of the array in field `records` of the document's top object, and its other
/// fields, in the document's order.
pub(super) fn each_element(
    source: &mut dyn BufRead,
    records: &str,
    on_element: &mut dyn FnMut(&str),
    on_field: &mut dyn FnMut(&str, &str),
) -> Result<(), ParseError> {
    let mut has_records = false;
    let mut document = Document::new(source);
    document.members(&mut |document, key| {
        if key == records {
            has_records = true;
            document.elements(on_element)
        } else {
            on_field(key, document.value()?);
            Ok(())
        }
    })?;
    document.end()?;
    if !has_records {
        return Err(ParseError(format!("the document has no `{records}`")));
    }
    Ok(())
}

/// Hands out the members of the members of the document's top object: `(outer key, inner key, value)`. An
/// outer member that is no object is handed out as a null with an empty inner key.
pub(super) fn each_inner_member(
    source: &mut dyn BufRead,
    on_member: &mut dyn FnMut(&str, &str, &str),
) -> Result<(), ParseError> {
    let mut document = Document::new(source);
    document.members(&mut |document, outer| {
        if document.peek()? == Some(b'{') {
            return document.members(&mut |document, inner| {
                on_member(outer, inner, document.value()?);
                Ok(())
            });
        }
        document.value()?;
        on_member(outer, "", "null");
        Ok(())
    })?;
    document.end()
}

/// Hands out the elements of a document that is an array.
pub(super) fn each_item(
    source: &mut dyn BufRead,
    on_element: &mut dyn FnMut(&str),
) -> Result<(), ParseError> {
    let mut document = Document::new(source);
    document.elements(on_element)?;
    document.end()
}

/// Reads a record, and one of another shape as the default, which no feed takes for a record.
pub(super) fn read<'a, T: Deserialize<'a> + Default>(record: &'a str) -> T {
    // Serde would take a list for the fields of a record in their order.
    if record.starts_with('[') { T::default() } else { serde_json::from_str(record).unwrap_or_default() }
}

/// Why a document is refused that is none of JSON, or only the beginning of one.
pub(super) const NO_JSON: &str = "it is not JSON";

/// Reads a small document that is one record. One of another shape is refused with the reason `not_one`.
pub(super) fn read_whole<'a, T: Deserialize<'a>>(
    document: &'a [u8],
    not_one: &'static str,
) -> Result<T, &'static str> {
    // Serde would take a list for the fields of a record in their order.
    if !document.trim_ascii_start().starts_with(b"{") {
        return Err(not_one);
    }
    serde_json::from_slice(document).map_err(|error| if error.is_data() { not_one } else { NO_JSON })
}

/// What reads one member, being given its key. It has to take its value from the document.
type OnMember<'d, 'a> = dyn FnMut(&mut Document<'a>, &str) -> Result<(), ParseError> + 'd;

/// A document of which a window is in memory, which begins at what was not handed out yet and moves on when it ends
/// in the middle of a value.
struct Document<'a> {
    source: &'a mut dyn BufRead,
    window: Vec<u8>,
    /// How much of the window was handed out.
    at: usize,
    /// Whether the window ends with the document.
    is_last: bool,
    /// Line and column of the window's start, for errors.
    start: (usize, usize),
}

impl<'a> Document<'a> {
    fn new(source: &'a mut dyn BufRead) -> Document<'a> {
        Document { source, window: Vec::new(), at: 0, is_last: false, start: (1, 0) }
    }

    /// Hands out the members of the object that comes next.
    fn members(&mut self, on_member: &mut OnMember<'_, 'a>) -> Result<(), ParseError> {
        self.open(b'{', "an object")?;
        let mut is_first = true;
        while self.goes_on(b'}', &mut is_first)? {
            let key: Option<String> = serde_json::from_str(self.value()?).ok();
            let key = key.ok_or_else(|| self.error("key must be a string"))?;
            if self.peek()? != Some(b':') {
                return Err(self.error("expected `:`"));
            }
            self.at += 1;
            on_member(self, &key)?;
        }
        Ok(())
    }

    /// Hands out the elements of the array that comes next.
    fn elements(&mut self, on_element: &mut dyn FnMut(&str)) -> Result<(), ParseError> {
        self.open(b'[', "an array of records")?;
        let mut is_first = true;
        while self.goes_on(b']', &mut is_first)? {
            on_element(self.value()?);
        }
        Ok(())
    }

    fn open(&mut self, bracket: u8, expected: &str) -> Result<(), ParseError> {
        if self.peek()? != Some(bracket) {
            self.value()?;
            return Err(self.error(&format!("expected {expected}")));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether another value follows before the closing bracket, and passes what separates it from the last.
    fn goes_on(&mut self, bracket: u8, is_first: &mut bool) -> Result<bool, ParseError> {
        match self.peek()? {
            Some(byte) if byte == bracket => {
                self.at += 1;
                return Ok(false);
            }
            Some(b',') if !*is_first => self.at += 1,
            Some(_) if *is_first => *is_first = false,
            Some(_) => return Err(self.error(&format!("expected `,` or `{}`", char::from(bracket)))),
            None => return Err(self.error("EOF while parsing a list or an object")),
        }
        Ok(true)
    }

    /// Nothing but blanks may follow.
    fn end(&mut self) -> Result<(), ParseError> {
        if self.peek()?.is_some() { Err(self.error("trailing characters")) } else { Ok(()) }
    }

    /// Passes blanks; gives what stands behind them.
    fn peek(&mut self) -> Result<Option<u8>, ParseError> {
        loop {
            let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
            self.at += self.rest().iter().take_while(is_blank).count();
            match self.rest().first() {
                None if !self.is_last => self.fill()?,
                first => return Ok(first.copied()),
            }
        }
    }

    /// The value that comes next, which is JSON.
    fn value(&mut self) -> Result<&str, ParseError> {
        self.peek()?;
        let length = loop {
            let rest = self.rest();
            let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
            let (value, length) = (values.next(), values.byte_offset());
            // A number may go on behind the window, and an error may be that of a value that is cut by its end.
            let is_whole = matches!(value, Some(Ok(_))) && length < rest.len();
            let is_large = rest.len() > RECORD_BYTES_MAX;
            if !is_whole && !self.is_last && !is_large {
                self.fill()?;
                continue;
            }
            match value {
                Some(Ok(_)) if length <= RECORD_BYTES_MAX => break length,
                Some(Err(error)) if !(error.is_eof() && is_large) => return Err(self.unreadable(&error)),
                None => return Err(self.error("EOF while parsing a value")),
                _ => return Err(self.error("a record is larger than 16 MiB")),
            }
        };
        let at = self.at;
        self.at += length;
        let text = self.window.get(at..self.at).and_then(|value| str::from_utf8(value).ok());
        text.ok_or_else(|| self.error("invalid unicode code point"))
    }

    fn rest(&self) -> &[u8] {
        self.window.get(self.at..).unwrap_or_default()
    }

    /// Drops what was handed out and reads on: as much as there is again, so that a long record is not looked at too
    /// often.
    fn fill(&mut self) -> Result<(), ParseError> {
        self.start = self.position(self.at);
        self.window.drain(..self.at);
        self.at = 0;
        let length = self.window.len().max(BLOCK_BYTES);
        let read = (&mut *self.source).take(length as u64).read_to_end(&mut self.window);
        let count = read.map_err(|error: io::Error| self.error(&error.to_string()))?;
        self.is_last = count < length;
        Ok(())
    }

    /// Line, and bytes in it, of a place in the window.
    fn position(&self, at: usize) -> (usize, usize) {
        let before = self.window.get(..at).unwrap_or_default();
        let (line, column) = self.start;
        match before.iter().rposition(|byte| *byte == b'\n') {
            None => (line, column + before.len()),
            Some(last) => {
                (line + before.iter().filter(|byte| **byte == b'\n').count(), before.len() - last - 1)
            }
        }
    }

    /// What is wrong here.
    fn error(&self, reason: &str) -> ParseError {
        error(reason, self.position(self.at))
    }

    /// An error in the value that comes next.
    fn unreadable(&self, cause: &serde_json::Error) -> ParseError {
        let (line, column) = self.position(self.at);
        let position = match cause.line() {
            0 | 1 => (line, column + cause.column()),
            more => (line + more - 1, cause.column()),
        };
        let reason = cause.to_string();
        error(reason.rsplit_once(" at line ").map_or(&*reason, |(reason, _)| reason), position)
    }
}

fn error(reason: &str, (line, column): (usize, usize)) -> ParseError {
    ParseError(format!("cannot read the document as JSON: {reason} at line {line} column {column}"))
}

#[cfg(test)]
mod tests;
