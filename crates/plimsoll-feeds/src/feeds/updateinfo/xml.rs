//! XML as a stream of steps, with a limit on everything.
//!
//! Entities that a document defines are not expanded: a reference to one stays as it is written, and a document
//! type is passed over. A document that ends before its elements do is an error, not a shorter document.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::feeds::{ParseError, text};

/// Most bytes of one tag or of one run of text. The longest real ones, descriptions of kernel updates, have some
/// 300 KB.
const EVENT_BYTES_MAX: usize = 4 << 20;

/// Most elements around one another. Real documents have 6.
const DEPTH_MAX: usize = 64;

/// One step through a document.
pub(super) enum Step<'b> {
    /// An element begins, the outermost at depth 1.
    Open(usize, Element<'b>),
    /// The element at a depth ends.
    Close(usize),
    /// A piece of the text of the innermost element.
    Text(Cow<'b, str>),
    /// A comment or the like.
    Nothing,
    /// The document is over.
    End,
}

/// The tag of an element that begins.
pub(super) struct Element<'b>(BytesStart<'b>);

impl Element<'_> {
    /// Its name without a prefix.
    pub(super) fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// An attribute's value; empty where there is none.
    pub(super) fn attribute(&self, name: &str) -> Cow<'_, str> {
        let [value] = self.values([name]);
        value
    }

    /// The values of several attributes; empty where there is none. What follows something that is no attribute is
    /// not read.
    pub(super) fn values<const N: usize>(&self, names: [&str; N]) -> [Cow<'_, str>; N] {
        let mut values = [const { Cow::Borrowed("") }; N];
        for attribute in self.0.attributes().with_checks(false).map_while(Result::ok) {
            let key = attribute.key.into_inner();
            if let Some((_, found)) = names.iter().zip(&mut values).find(|(name, _)| **name == key) {
                *found = value(attribute.value);
            }
        }
        values
    }
}

/// A value with its character references resolved; as it is written where one is not known.
fn value(raw: Cow<'_, str>) -> Cow<'_, str> {
    match quick_xml::escape::unescape(&raw) {
        Ok(Cow::Owned(text)) => Cow::Owned(text),
        _ => raw,
    }
}

/// A document that is being read.
pub(super) struct Document<'a> {
    reader: Reader<Metered<'a>>,
    buffer: Vec<u8>,
    depth: usize,
    has_root: bool,
}

impl<'a> Document<'a> {
    /// Begins.
    pub(super) fn new(bytes: Box<dyn BufRead + 'a>) -> Document<'a> {
        let mut reader = Reader::from_reader(Metered { bytes, left: EVENT_BYTES_MAX });
        reader.config_mut().expand_empty_elements = true;
        reader.config_mut().allow_dangling_amp = true;
        Document { reader, buffer: Vec::new(), depth: 0, has_root: false }
    }

    /// Goes one step on.
    pub(super) fn step(&mut self) -> Result<Step<'_>, ParseError> {
        self.buffer.clear();
        self.reader.get_mut().left = EVENT_BYTES_MAX;
        let event = self.reader.read_event_into(&mut self.buffer);
        match event.map_err(|error| ParseError(format!("it is not XML: {error}")))? {
            Event::Start(tag) if self.depth == 0 && self.has_root => Err(two_roots(&tag)),
            Event::Start(_) if self.depth >= DEPTH_MAX => {
                Err(ParseError(format!("more than {DEPTH_MAX} elements stand in one another")))
            }
            Event::Start(tag) => {
                self.has_root = true;
                self.depth += 1;
                Ok(Step::Open(self.depth, Element(tag)))
            }
            Event::End(_) => {
                let depth = self.depth;
                self.depth = depth.saturating_sub(1);
                Ok(Step::Close(depth))
            }
            Event::Text(text) => Ok(Step::Text(text.into_inner())),
            Event::CData(text) => Ok(Step::Text(text.into_inner())),
            Event::GeneralRef(reference) => Ok(Step::Text(Cow::Owned(resolved(&reference)))),
            Event::Eof if self.depth > 0 || !self.has_root => {
                Err(ParseError("it is not XML: it ends too early".to_owned()))
            }
            Event::Eof => Ok(Step::End),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {
                Ok(Step::Nothing)
            }
        }
    }
}

fn two_roots(tag: &BytesStart<'_>) -> ParseError {
    let name = text::shortened(tag.name().into_inner(), 40);
    ParseError(format!("it is not XML: `{name}` begins after the end"))
}

/// What a reference in a text stands for.
fn resolved(name: &str) -> String {
    let as_written = || format!("&{name};");
    quick_xml::escape::unescape(&as_written()).map_or_else(|_| as_written(), Cow::into_owned)
}

/// Fails where one event takes more than its share.
struct Metered<'a> {
    bytes: Box<dyn BufRead + 'a>,
    left: usize,
}

impl BufRead for Metered<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            let reason = format!("a tag or a text is longer than {EVENT_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        let bytes = self.bytes.fill_buf()?;
        Ok(bytes.get(..self.left).unwrap_or(bytes))
    }

    fn consume(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count);
        self.bytes.consume(count);
    }
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}
