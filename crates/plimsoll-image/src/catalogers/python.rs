//! Python distributions, by their core metadata (<https://packaging.python.org/specifications/core-metadata/>).
//!
//! The same headers lie in four places: a wheel's `x.dist-info/METADATA`, an egg's `x.egg-info/PKG-INFO` or,
//! as distutils wrote it, the plain file `x.egg-info`, and an unpacked egg's `x.egg/EGG-INFO/PKG-INFO`. A zipped
//! egg is an archive and not read here.
//!
//! The headers end at the first empty line; what follows is the description and is not read. Old files have
//! the description or a whole licence among the headers, sometimes without the indentation that continuation
//! lines need, so a line that is no header is passed over. Of a header that occurs twice the first counts,
//! as in Python's `email` package.

use std::io::Read;

use plimsoll_core::ecosystems;

use super::lenient::{self, Licenses};
use super::{Cataloger, Entry, File, Found, FoundPackage, Problem};

pub(super) static CATALOGER: Cataloger = Cataloger {
    name: "python",
    title: "Python distributions",
    version: 1,
    reads: &[
        "**/*.dist-info/METADATA",
        "**/*.egg-info/PKG-INFO",
        "**/*.egg-info",
        "**/*.egg/EGG-INFO/PKG-INFO",
    ],
    wants,
    read,
};

/// Most bytes of headers that are read. Those of known distributions stay below 1 MiB, licences included.
const HEADER_BYTES_MAX: u64 = 16 << 20;

/// How much is read between two looks for the end of the headers, in bytes.
const STEP_BYTES: u64 = 8 << 10;

fn wants(entry: &Entry<'_>) -> bool {
    let path = entry.path;
    path.ends_with(".dist-info/METADATA")
        || path.ends_with(".egg-info")
        || path.ends_with(".egg-info/PKG-INFO")
        || path.ends_with(".egg/EGG-INFO/PKG-INFO")
}

fn read(file: &mut File<'_>) -> Found {
    let mut found = Found::default();
    let headers = read_headers(file.content, &mut found);
    let fields = Fields::read(&lenient::text(headers));
    match (fields.name, fields.version) {
        (Some(name), version) => {
            let mut package = FoundPackage::new(&ecosystems::PYPI, name, version.unwrap_or_default());
            package.licenses = fields.licenses.finish(&mut found);
            found.packages.push(package);
        }
        (None, _) => {
            let detail = format!("has no header `Name` of at most {} bytes", lenient::TEXT_BYTES_MAX);
            lenient::add_problem(&mut found, Problem::unreadable(detail));
        }
    }
    found
}

/// Reads up to the empty line, or as far as it can.
fn read_headers(content: &mut dyn Read, found: &mut Found) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut looked = 0_usize;
    while !has_empty_line(bytes.get(looked..).unwrap_or(&[])) {
        // An empty line is at most four bytes, of which three may lie before the step.
        looked = bytes.len().saturating_sub(3);
        let length = bytes.len() as u64;
        if length >= HEADER_BYTES_MAX {
            let detail = format!("the headers are longer than the limit of {HEADER_BYTES_MAX} bytes");
            lenient::add_problem(found, Problem::limit(detail));
            break;
        }
        match content.take(STEP_BYTES).read_to_end(&mut bytes) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => {
                let detail = format!("cannot be read to the end of the headers: {error}");
                lenient::add_problem(found, Problem::unreadable(detail));
                break;
            }
        }
    }
    bytes
}

fn has_empty_line(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"\n\n").is_some() || memchr::memmem::find(bytes, b"\n\r\n").is_some()
}

/// The headers that matter.
#[derive(Default)]
struct Fields {
    name: Option<String>,
    version: Option<String>,
    licenses: Licenses,
}

impl Fields {
    fn read(text: &str) -> Fields {
        let mut fields = Fields::default();
        let (mut expression, mut license) = (None, None);
        let mut classifiers = Licenses::default();
        for header in headers(text) {
            match header.key.to_ascii_lowercase().as_str() {
                "name" => set_text(&mut fields.name, &header),
                "version" => set_text(&mut fields.version, &header),
                "license-expression" => set_first(&mut expression, header),
                "license" => set_first(&mut license, header),
                "classifier" => classifiers.add(classified_license(header.value).unwrap_or_default()),
                _ => {}
            }
        }
        fields.licenses.add(expression.map_or("", |header| header.value));
        if fields.licenses.is_empty() {
            // Setuptools wrote `UNKNOWN` where nothing was stated.
            let stated = license.filter(|header| !header.is_continued && header.value != "UNKNOWN");
            fields.licenses.add(stated.map_or("", |header| header.value));
        }
        if fields.licenses.is_empty() {
            fields.licenses = classifiers;
        }
        fields
    }
}

fn set_first<T>(field: &mut Option<T>, value: T) {
    field.get_or_insert(value);
}

fn set_text(field: &mut Option<String>, header: &Header<'_>) {
    if field.is_none() && !header.value.is_empty() && header.value.len() <= lenient::TEXT_BYTES_MAX {
        *field = Some(header.value.to_owned());
    }
}

/// The licence that a trove classifier names: `License :: OSI Approved :: MIT License`. Some only name a
/// class of licences.
fn classified_license(classifier: &str) -> Option<&str> {
    let license = classifier.strip_prefix("License ::")?;
    let license = license.rsplit_once("::").map_or(license, |(_, last)| last).trim();
    (!matches!(license, "OSI Approved" | "DFSG approved")).then_some(license)
}

/// One header.
struct Header<'a> {
    key: &'a str,
    /// Its first line, trimmed.
    value: &'a str,
    /// Whether it goes on in further lines.
    is_continued: bool,
}

/// The headers up to the first empty line that follows one.
fn headers(text: &str) -> impl Iterator<Item = Header<'_>> {
    let mut lines = text.lines().skip_while(|line| line.is_empty()).peekable();
    std::iter::from_fn(move || {
        loop {
            let line = lines.next().filter(|line| !line.is_empty())?;
            let Some((key, value)) = line.split_once(':') else { continue };
            if !is_key(key) {
                continue;
            }
            let is_continued = lines.peek().is_some_and(|next| next.starts_with([' ', '\t']));
            return Some(Header { key, value: value.trim(), is_continued });
        }
    })
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[track_caller]
    fn check(mut content: impl Read, names: &[&str], is_limit: Option<bool>) {
        let found = read(&mut File::new("x.dist-info/METADATA", 1, &mut content));
        let found_names: Vec<&str> = found.packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(found_names, names);
        assert_eq!(found.problems.first().map(|problem| problem.is_limit), is_limit);
    }

    #[test]
    fn the_body_is_not_read() {
        struct NeverRead;
        impl Read for NeverRead {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                panic!("read on after the headers")
            }
        }
        for line_end in ["\n", "\r\n"] {
            // Every place of the empty line relative to the steps of reading.
            for padding in 8150..8210 {
                let head = format!("Name: x{line_end}A: {}{line_end}{line_end}", "x".repeat(padding));
                let rest = vec![b'x'; 2 * 8192 - head.len() % 8192];
                check(head.as_bytes().chain(rest.as_slice()).chain(NeverRead), &["x"], None);
            }
        }
    }

    #[test]
    fn endless_headers_are_cut_at_the_limit() {
        check(b"Name: x\n".chain(io::repeat(b'x')), &["x"], Some(true));
    }

    #[test]
    fn headers_before_a_read_error_count() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        check(b"Name: x\n".chain(Broken), &["x"], Some(false));
    }
}
