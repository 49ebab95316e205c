//! The header blob: everything that rpm remembers about one installed package.
//!
//! Two big-endian `u32`s count the index entries and the bytes of data; then the index, 16 bytes an entry
//! (tag, type, offset into the data, count); then the data. Other than in a `.rpm` file there is no magic
//! before it. The format is described in rpm's `docs/manual/format_header.md`, the tags in
//! `docs/manual/tags.md` (<https://github.com/rpm-software-management/rpm>).
//!
//! What surprises: a tag may stand in the index twice. Entries that were added when the package was
//! installed come last and count more.

use std::borrow::Cow;

use super::{ByteOrder, index, u32_at};

/// Index entries that a header may have; the limit is rpm's own.
pub const ENTRIES_MAX: usize = 0xffff;

/// Longest text, in bytes. The longest are licences, of which packages of many parts state dozens.
pub const TEXT_LENGTH_MAX: usize = 16 << 10;

/// Longest path of a file, in bytes; Linux's `PATH_MAX`.
pub const PATH_LENGTH_MAX: usize = 4096;

/// A piece of what a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Its number.
    number: u32,
    /// Its name, for messages.
    name: &'static str,
}

impl Tag {
    const fn new(number: u32, name: &'static str) -> Tag {
        Tag { number, name }
    }
}

/// Name.
pub const NAME: Tag = Tag::new(1000, "NAME");
/// Version.
pub const VERSION: Tag = Tag::new(1001, "VERSION");
/// Release.
pub const RELEASE: Tag = Tag::new(1002, "RELEASE");
/// Epoch; absent means 0.
pub const EPOCH: Tag = Tag::new(1003, "EPOCH");
/// Licence.
pub const LICENSE: Tag = Tag::new(1014, "LICENSE");
/// Architecture.
pub const ARCH: Tag = Tag::new(1022, "ARCH");
/// Paths of files, in packages that were built before rpm 4.0.
pub const OLDFILENAMES: Tag = Tag::new(1027, "OLDFILENAMES");
/// File name of the source package.
pub const SOURCERPM: Tag = Tag::new(1044, "SOURCERPM");
/// For each file the directory, an index into [`DIRNAMES`].
pub const DIRINDEXES: Tag = Tag::new(1116, "DIRINDEXES");
/// For each file its name.
pub const BASENAMES: Tag = Tag::new(1117, "BASENAMES");
/// Directories, each with a slash at its end.
pub const DIRNAMES: Tag = Tag::new(1118, "DIRNAMES");
/// Module, stream, version and context, joined by colons.
pub const MODULARITYLABEL: Tag = Tag::new(5096, "MODULARITYLABEL");

const TAGS_COUNT: usize = 12;

/// The tags that are read.
static TAGS: [Tag; TAGS_COUNT] = [
    NAME,
    VERSION,
    RELEASE,
    EPOCH,
    LICENSE,
    ARCH,
    OLDFILENAMES,
    SOURCERPM,
    DIRINDEXES,
    BASENAMES,
    DIRNAMES,
    MODULARITYLABEL,
];

const TYPE_INT32: u32 = 4;
const TYPE_STRING: u32 = 6;
const TYPE_STRING_ARRAY: u32 = 8;
const TYPE_I18N_STRING: u32 = 9;

const ENTRY_BYTES: usize = 16;

/// A header, or a part of it, that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// The blob ends before what its counts promise.
    #[error("its header ends early: {needed} bytes are stated, {present} are there")]
    Truncated {
        /// Bytes that it should have.
        needed: usize,
        /// Bytes that it has.
        present: usize,
    },
    /// More index entries than rpm itself would accept.
    #[error("its header states {0} index entries, more than the limit of {ENTRIES_MAX}")]
    TooManyEntries(usize),
    /// A tag is not there.
    #[error("its header has no {0}")]
    Missing(&'static str),
    /// A tag has a type or a place that it cannot have.
    #[error("its header has an unreadable {0}")]
    Unreadable(&'static str),
    /// The lists that make up the paths of files do not fit together.
    #[error("its header has file names that do not fit its directories")]
    Mismatch,
    /// A text is longer than any that a package has.
    #[error("its header has a {name} of {length} bytes, more than the limit of {TEXT_LENGTH_MAX}")]
    LongText {
        /// Name of the tag.
        name: &'static str,
        /// Bytes of the text.
        length: usize,
    },
    /// A path is longer than a file system allows.
    #[error("its header has a path of {0} bytes, more than the limit of {PATH_LENGTH_MAX}")]
    LongPath(usize),
}

/// Where a tag's value is.
#[derive(Clone, Copy, Debug)]
struct Place {
    kind: u32,
    offset: usize,
    count: usize,
}

/// A header whose index has been read.
#[derive(Debug)]
pub struct Header<'a> {
    /// For each of [`TAGS`] where it stands.
    places: [Option<Place>; TAGS_COUNT],
    data: &'a [u8],
}

impl<'a> Header<'a> {
    /// Reads the index of a blob.
    pub fn parse(blob: &'a [u8]) -> Result<Header<'a>, BadHeader> {
        let count = |offset| {
            u32_at(blob, offset, ByteOrder::Big)
                .map(index)
                .ok_or(BadHeader::Truncated { needed: 8, present: blob.len() })
        };
        let (entries, data_bytes) = (count(0)?, count(4)?);
        if entries > ENTRIES_MAX {
            return Err(BadHeader::TooManyEntries(entries));
        }
        let data_start = 8 + entries * ENTRY_BYTES;
        let needed = data_start.saturating_add(data_bytes);
        let truncated = BadHeader::Truncated { needed, present: blob.len() };
        let index_bytes = blob.get(8..data_start).ok_or(truncated.clone())?;
        let data = blob.get(data_start..needed).ok_or(truncated)?;
        let mut places = [None; TAGS_COUNT];
        for entry in index_bytes.chunks_exact(ENTRY_BYTES) {
            let field = |at| u32_at(entry, at, ByteOrder::Big).unwrap_or(0);
            let number = field(0);
            if let Some(slot) = TAGS.iter().position(|tag| tag.number == number) {
                places[slot] =
                    Some(Place { kind: field(4), offset: index(field(8)), count: index(field(12)) });
            }
        }
        Ok(Header { places, data })
    }

    fn place(&self, tag: Tag) -> Option<Place> {
        TAGS.iter().zip(&self.places).find(|(known, _)| **known == tag).and_then(|(_, place)| *place)
    }

    /// A text that must be there and must not be empty.
    pub fn required(&self, tag: Tag) -> Result<Cow<'a, str>, BadHeader> {
        self.text(tag)?.filter(|text| !text.is_empty()).ok_or(BadHeader::Missing(tag.name))
    }

    /// A text, the first where there are several. Bytes that are not UTF-8 are replaced.
    pub fn text(&self, tag: Tag) -> Result<Option<Cow<'a, str>>, BadHeader> {
        let Some(place) = self.place(tag) else {
            return Ok(None);
        };
        if !matches!(place.kind, TYPE_STRING | TYPE_STRING_ARRAY | TYPE_I18N_STRING) {
            return Err(BadHeader::Unreadable(tag.name));
        }
        let bytes = self.data.get(place.offset..).and_then(|rest| rest.get(..memchr::memchr(0, rest)?));
        let bytes = bytes.ok_or(BadHeader::Unreadable(tag.name))?;
        if bytes.len() > TEXT_LENGTH_MAX {
            return Err(BadHeader::LongText { name: tag.name, length: bytes.len() });
        }
        Ok(Some(String::from_utf8_lossy(bytes)))
    }

    /// A number, the first where there are several.
    pub fn number(&self, tag: Tag) -> Result<Option<u32>, BadHeader> {
        Ok(self.numbers(tag)?.and_then(|numbers| u32_at(numbers, 0, ByteOrder::Big)))
    }

    /// The bytes of a list of numbers.
    fn numbers(&self, tag: Tag) -> Result<Option<&'a [u8]>, BadHeader> {
        let Some(place) = self.place(tag) else {
            return Ok(None);
        };
        if place.kind != TYPE_INT32 || place.count == 0 {
            return Err(BadHeader::Unreadable(tag.name));
        }
        let end = place.count.saturating_mul(4).saturating_add(place.offset);
        self.data.get(place.offset..end).map(Some).ok_or(BadHeader::Unreadable(tag.name))
    }

    /// A list of texts, as bytes.
    fn texts(&self, tag: Tag) -> Result<Option<Vec<&'a [u8]>>, BadHeader> {
        let Some(place) = self.place(tag) else {
            return Ok(None);
        };
        let bad = BadHeader::Unreadable(tag.name);
        // Each text takes a byte at least, so that a count never makes more room than there are bytes.
        let mut rest = self.data.get(place.offset..).ok_or(bad.clone())?;
        if place.kind != TYPE_STRING_ARRAY || place.count > rest.len() {
            return Err(bad);
        }
        let mut texts = Vec::with_capacity(place.count);
        for _ in 0..place.count {
            let end = memchr::memchr(0, rest).ok_or(bad.clone())?;
            texts.push(&rest[..end]);
            rest = &rest[end + 1..];
        }
        Ok(Some(texts))
    }

    /// Calls `each` with the path of every file that the package owns, without a leading slash, until it
    /// returns false. What can be read before an error is passed on.
    pub fn each_path(&self, each: &mut dyn FnMut(String) -> bool) -> Result<(), BadHeader> {
        let Some(names) = self.texts(BASENAMES)? else {
            for path in self.texts(OLDFILENAMES)?.unwrap_or_default() {
                if !each(path_of(b"", path)?) {
                    break;
                }
            }
            return Ok(());
        };
        let directories = self.texts(DIRNAMES)?.ok_or(BadHeader::Mismatch)?;
        let indexes = self.numbers(DIRINDEXES)?.ok_or(BadHeader::Mismatch)?;
        if indexes.len() != names.len() * 4 {
            return Err(BadHeader::Mismatch);
        }
        for (name, at) in names.into_iter().zip(indexes.chunks_exact(4)) {
            let at = u32_at(at, 0, ByteOrder::Big).map(index);
            let directory = at.and_then(|at| directories.get(at)).ok_or(BadHeader::Mismatch)?;
            if !each(path_of(directory, name)?) {
                break;
            }
        }
        Ok(())
    }
}

/// Joins a directory, which has its slash, and a name.
fn path_of(directory: &[u8], name: &[u8]) -> Result<String, BadHeader> {
    let bytes = directory.len() + name.len();
    if bytes > PATH_LENGTH_MAX {
        return Err(BadHeader::LongPath(bytes));
    }
    let mut path = Vec::with_capacity(bytes);
    path.extend_from_slice(directory.strip_prefix(b"/").unwrap_or(directory));
    path.extend_from_slice(if directory.is_empty() { name.strip_prefix(b"/").unwrap_or(name) } else { name });
    Ok(String::from_utf8(path).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
