//! XML as a stream of elements and texts, with a limit on everything that the document decides.
//!
//! Entities other than XML's own five are never expanded and a DTD is never read. Names are compared without
//! their prefix: producers differ in what they call the namespace of Linux tests. A byte that is no UTF-8
//! becomes a `?`: changelogs carry names in other encodings, and one of them must not cost the document.

use std::borrow::Cow;
use std::io::{self, BufRead};

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::feeds::ParseError;

/// Deepest nesting of elements. Real documents stay below 16.
const DEPTH_MAX: usize = 64;

/// Longest tag or stretch of text, in bytes.
const EVENT_BYTES_MAX: u64 = 16 << 20;

/// Size of the buffer that is checked for UTF-8.
const BUFFER_BYTES: usize = 64 << 10;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::feeds) enum Next {
    /// An element opens; [`Xml::name`] and [`Xml::attribute`] tell which.
    Open,
    /// A piece of text.
    Text,
    /// The element that was opened last closes.
    Close,
    /// The document ends, whole.
    End,
}

/// A document that is being read.
pub(in crate::feeds) struct Xml<R> {
    reader: Reader<Utf8<R>>,
    buffer: Vec<u8>,
    /// The last opening tag without its brackets, and the length of its name.
    tag: (String, usize),
    text: String,
    depth: usize,
}

impl<R: BufRead> Xml<R> {
    pub(in crate::feeds) fn new(source: R) -> Xml<R> {
        let mut reader = Reader::from_reader(Utf8::new(source));
        reader.config_mut().expand_empty_elements = true;
        Xml { reader, buffer: Vec::new(), tag: (String::new(), 0), text: String::new(), depth: 0 }
    }

    /// How many elements are open.
    pub(in crate::feeds) fn depth(&self) -> usize {
        self.depth
    }

    /// Moves on. Fails where the document is not well-formed, is cut short or reaches a limit.
    pub(in crate::feeds) fn next(&mut self) -> Result<Next, ParseError> {
        loop {
            self.buffer.clear();
            self.reader.get_mut().left = EVENT_BYTES_MAX;
            let at = self.reader.buffer_position();
            let bad = |error| ParseError(format!("it is not XML, after byte {at}: {error}"));
            match self.reader.read_event_into(&mut self.buffer).map_err(bad)? {
                Event::Start(start) => {
                    self.tag.0.clear();
                    self.tag.0.push_str(&start);
                    self.tag.1 = start.name().as_ref().len();
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(ParseError(format!("elements are nested deeper than {DEPTH_MAX}")));
                    }
                    return Ok(Next::Open);
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    return Ok(Next::Close);
                }
                Event::Text(text) => set(&mut self.text, &text),
                Event::CData(text) => set(&mut self.text, &text),
                Event::GeneralRef(name) => set(&mut self.text, &resolved(&name)),
                Event::Eof if self.depth > 0 => return Err(ParseError("it is cut short".to_owned())),
                Event::Eof => return Ok(Next::End),
                _ => continue,
            }
            return Ok(Next::Text);
        }
    }

    /// Name of the element that was opened last, without its prefix.
    pub(in crate::feeds) fn name(&self) -> &str {
        let name = self.tag.0.get(..self.tag.1).unwrap_or_default();
        name.rsplit_once(':').map_or(name, |(_, local)| local)
    }

    /// An attribute of the element that was opened last, without blanks around it.
    pub(in crate::feeds) fn attribute(&self, name: &str) -> Option<String> {
        let start = BytesStart::from_content(self.tag.0.as_str(), self.tag.1);
        let mut attributes = start.attributes();
        let found = attributes.with_checks(false).flatten().find(|one| one.key.as_ref() == name)?;
        let value = found.normalized_value(XmlVersion::Implicit1_0).unwrap_or_else(|_| found.value.clone());
        Some(value.trim().to_owned())
    }

    /// Reads to the end of the element that was opened last and gives its text, at most so many characters.
    pub(in crate::feeds) fn content(&mut self, characters_max: usize) -> Result<String, ParseError> {
        let (outer, mut content) = (self.depth, String::new());
        loop {
            match self.next()? {
                Next::Text if content.len() < characters_max => {
                    content.extend(self.text.chars().take(characters_max - content.len()));
                }
                Next::Close if self.depth < outer => break,
                _ => {}
            }
        }
        Ok(content.trim().to_owned())
    }

    /// Reads to the end of the element that was opened last.
    pub(in crate::feeds) fn skip(&mut self) -> Result<(), ParseError> {
        let outer = self.depth;
        while self.next()? != Next::Close || self.depth >= outer {}
        Ok(())
    }
}

fn set(text: &mut String, to: &str) {
    text.clear();
    text.push_str(to);
}

/// A character or one of XML's own entities. Another one stays as it is written.
fn resolved<'a>(name: &'a BytesRef<'_>) -> Cow<'a, str> {
    if let Ok(Some(character)) = name.resolve_char_ref() {
        return Cow::Owned(character.to_string());
    }
    match &**name {
        "amp" => Cow::Borrowed("&"),
        "lt" => Cow::Borrowed("<"),
        "gt" => Cow::Borrowed(">"),
        "apos" => Cow::Borrowed("'"),
        "quot" => Cow::Borrowed("\""),
        other => Cow::Owned(format!("&{other};")),
    }
}

/// Bytes as UTF-8, and not too many at once.
struct Utf8<R> {
    source: R,
    buffer: Vec<u8>,
    /// Where the bytes begin that were not handed out, where those end that are known to be UTF-8, and where the
    /// buffer ends.
    start: usize,
    valid: usize,
    end: usize,
    /// Bytes that may be handed out before the reader asks for more on purpose.
    left: u64,
}

impl<R: BufRead> Utf8<R> {
    fn new(source: R) -> Utf8<R> {
        Utf8 { source, buffer: vec![0; BUFFER_BYTES], start: 0, valid: 0, end: 0, left: EVENT_BYTES_MAX }
    }

    /// Reads more behind the beginning of a character that is left, if one is.
    fn refill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.valid..self.end, 0);
        self.end -= self.valid;
        (self.start, self.valid) = (0, 0);
        while self.valid == 0 {
            let count = self.source.read(&mut self.buffer[self.end..])?;
            self.end += count;
            self.check(count == 0);
            if count == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Finds how far the bytes are UTF-8, after putting a `?` for those that are not.
    fn check(&mut self, is_last: bool) {
        while let Err(error) = std::str::from_utf8(&self.buffer[self.valid..self.end]) {
            self.valid += error.valid_up_to();
            let bad = match error.error_len() {
                Some(length) => self.valid..self.valid + length,
                None if is_last => self.valid..self.end,
                None => return,
            };
            self.buffer[bad.clone()].fill(b'?');
            self.valid = bad.end;
        }
        self.valid = self.end;
    }
}

impl<R: BufRead> io::Read for Utf8<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let count = bytes.len().min(out.len());
        out[..count].copy_from_slice(&bytes[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Utf8<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.left == 0 {
            let reason = format!("a tag or a text is longer than {EVENT_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        if self.start == self.valid {
            self.refill()?;
        }
        Ok(&self.buffer[self.start..self.valid])
    }

    fn consume(&mut self, count: usize) {
        self.start = self.valid.min(self.start.saturating_add(count));
        self.left = self.left.saturating_sub(count as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document as one line of names and texts.
    fn read(document: &[u8]) -> Result<String, String> {
        let (mut xml, mut line) = (Xml::new(document), String::new());
        loop {
            match xml.next().map_err(|error| error.to_string())? {
                Next::Open => line.push_str(&format!("<{}>", xml.name())),
                Next::Text => line.push_str(&xml.text),
                Next::Close => line.push_str("</>"),
                Next::End => return Ok(line),
            }
        }
    }

    #[test]
    fn documents_become_elements_and_texts() {
        for (document, expected) in [
            ("<a><b:c/>text</a>", "<a><c></>text</>"),
            ("<a>1 &lt; 2 &#x26; 3</a>", "<a>1 < 2 & 3</>"),
            ("<a><![CDATA[<b>]]><!-- no --></a>", "<a><b></>"),
            ("<!DOCTYPE a [<!ENTITY x \"boom\">]><a>&x;</a>", "<a>&x;</>"),
        ] {
            assert_eq!(read(document.as_bytes()).as_deref(), Ok(expected));
        }
        let mut xml = Xml::new(&b"<a b=' 1 &lt; 2 '/>"[..]);
        assert_eq!(xml.next().unwrap(), Next::Open);
        assert_eq!(xml.attribute("b").as_deref(), Some("1 < 2"));
        assert_eq!(xml.attribute("c"), None);
    }

    #[test]
    fn bytes_of_other_encodings_are_borne() {
        assert_eq!(read(b"<a>M\xfcller \xe2\x82</a>").as_deref(), Ok("<a>M?ller ??</>"));
        // A character that lies on the border of the buffer.
        for shift in 0..4 {
            let text = format!("{}{}", "x".repeat(BUFFER_BYTES - 6 + shift), "äöü€");
            assert_eq!(read(format!("<a>{text}</a>").as_bytes()), Ok(format!("<a>{text}</>")));
        }
    }

    #[test]
    fn limits_are_told() {
        let deep = "<a>".repeat(DEPTH_MAX + 1);
        assert!(read(deep.as_bytes()).unwrap_err().contains("deeper than 64"));
        let long = format!("<a>{}", "x".repeat(EVENT_BYTES_MAX as usize + 1));
        assert!(read(long.as_bytes()).unwrap_err().contains("longer than"));
        for cut in ["<a>", "<a><b/>", "<a", "<a></b>"] {
            assert!(read(cut.as_bytes()).is_err(), "{cut}");
        }
    }
}
