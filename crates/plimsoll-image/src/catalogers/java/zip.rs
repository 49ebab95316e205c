//! Reads a zip's central directory, over bytes in memory and without copying them.
//!
//! The format is PKWARE's APPNOTE 6.3.10. A zip is read from its end, so anything may stand before it: the
//! launch script of an executable Spring Boot archive does, and then the offsets may or may not have been
//! corrected for it. Nothing that the directory states is believed: sizes, counts and offsets are checked
//! against the bytes at hand.

use std::ops::Range;

use crate::catalogers::Problem;

/// Signatures (APPNOTE 4.3.7, 4.3.12, 4.3.14 to 4.3.16).
const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const DIRECTORY_HEADER: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";

/// Sizes of the fixed parts, in bytes.
const LOCAL_HEADER_BYTES: usize = 30;
const DIRECTORY_HEADER_BYTES: usize = 46;
const END_BYTES: usize = 22;
const END_64_BYTES: usize = 56;
const LOCATOR_64_BYTES: usize = 20;

/// A comment behind the end has at most this many bytes.
const COMMENT_BYTES_MAX: usize = 0xffff;

/// Stands for a number that a ZIP64 extra field has (APPNOTE 4.4.1.4).
const IN_EXTRA_FIELD: u32 = u32::MAX;

/// A zip in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zip<'a> {
    bytes: &'a [u8],
    directory: &'a [u8],
    /// How many bytes stand before what the offsets count from.
    prefix: usize,
}

/// One entry of the central directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    /// Name, with `/` between its parts. Nobody promises its encoding.
    pub(super) name: &'a [u8],
    /// Size once inflated, as stated.
    pub(super) size: u64,
    /// CRC-32 of the content, as stated.
    pub(super) crc: u32,
    method: u16,
    is_encrypted: bool,
    compressed_size: u64,
    header_offset: u64,
}

/// A member's bytes, as they stand in the file.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content<'a> {
    /// As they are.
    Stored(&'a [u8]),
    /// A deflate stream.
    Deflated(&'a [u8]),
}

impl<'a> Content<'a> {
    /// The bytes, in whichever form.
    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Content::Stored(bytes) | Content::Deflated(bytes) => bytes,
        }
    }
}

/// Why a file is not a zip.
fn not_a_zip(reason: &str) -> Problem {
    Problem::unreadable(format!("not a readable zip archive: {reason}"))
}

impl<'a> Zip<'a> {
    /// Finds the central directory.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Zip<'a>, Problem> {
        let earliest = bytes.len().saturating_sub(END_BYTES + COMMENT_BYTES_MAX);
        let tail = &bytes[earliest..];
        let mut is_end_there = false;
        for at in memchr::memmem::rfind_iter(tail, END) {
            is_end_there = true;
            if let Some(zip) = Zip::at_end(bytes, earliest + at) {
                return Ok(zip);
            }
        }
        Err(not_a_zip(if is_end_there {
            "its central directory is not where its end says"
        } else {
            "it has no end of central directory; it may be cut off"
        }))
    }

    fn at_end(bytes: &'a [u8], end: usize) -> Option<Zip<'a>> {
        let record = bytes.get(end..end.checked_add(END_BYTES)?)?;
        let size = u32_at(record, 12)?;
        let offset = u32_at(record, 16)?;
        let counts_64 = u16_at(record, 10)? == u16::MAX;
        if (size == IN_EXTRA_FIELD || offset == IN_EXTRA_FIELD || counts_64)
            && let Some(zip) = Zip::at_end_64(bytes, end)
        {
            return Some(zip);
        }
        Zip::with_directory(bytes, end, size.into(), offset.into())
    }

    fn at_end_64(bytes: &'a [u8], end: usize) -> Option<Zip<'a>> {
        let locator_at = end.checked_sub(LOCATOR_64_BYTES)?;
        let locator = bytes.get(locator_at..end)?;
        if !locator.starts_with(LOCATOR_64) {
            return None;
        }
        // Where the offsets were not corrected for a prefix the stated place is wrong; then the record
        // stands right before its locator, unless it has an extensible data sector, which nobody writes.
        let stated = usize::try_from(u64_at(locator, 8)?).ok();
        let nearest = locator_at.checked_sub(END_64_BYTES);
        [nearest, stated].into_iter().flatten().find_map(|at| {
            let record = bytes.get(at..at.checked_add(END_64_BYTES)?)?;
            if !record.starts_with(END_64) {
                return None;
            }
            Zip::with_directory(bytes, at, u64_at(record, 40)?, u64_at(record, 48)?)
        })
    }

    /// The directory ends where its end record begins, and begins with an entry, unless it is empty.
    fn with_directory(bytes: &'a [u8], end: usize, size: u64, offset: u64) -> Option<Zip<'a>> {
        let size = usize::try_from(size).ok()?;
        let offset = usize::try_from(offset).ok()?;
        // Right before the end record if that is so, else where it is said to be.
        let candidates = [end.checked_sub(size), Some(offset)];
        candidates.into_iter().flatten().find_map(|start| {
            let directory = bytes.get(start..start.checked_add(size)?)?;
            let prefix = start.checked_sub(offset)?;
            (size == 0 || directory.starts_with(DIRECTORY_HEADER)).then_some(Zip { bytes, directory, prefix })
        })
    }

    /// Walks the central directory. An entry that cannot be read is the last item: where the next one
    /// begins is unknown then.
    pub(super) fn members(&self) -> Members<'a> {
        Members { rest: self.directory }
    }

    /// A member's bytes, as they stand in the file.
    pub(super) fn content(&self, member: &Member<'a>) -> Result<Content<'a>, Problem> {
        if member.is_encrypted {
            return Err(Problem::unreadable("is encrypted"));
        }
        let data = self
            .data(member)
            .ok_or_else(|| Problem::unreadable("does not stand where the central directory says"))?;
        match member.method {
            0 => Ok(Content::Stored(data)),
            8 => Ok(Content::Deflated(data)),
            method => {
                Err(Problem::unreadable(format!("is compressed by method {method}, which is not read")))
            }
        }
    }

    /// Where a member stands in the file, from its local header to its last byte.
    pub(super) fn stretch(&self, member: &Member<'_>) -> Option<Range<usize>> {
        let start = self.prefix.checked_add(usize::try_from(member.header_offset).ok()?)?;
        let data = self.data(member)?;
        Some(start..start + self.local_header_bytes(start)? + data.len())
    }

    fn data(&self, member: &Member<'_>) -> Option<&'a [u8]> {
        let start = self.prefix.checked_add(usize::try_from(member.header_offset).ok()?)?;
        let content = self.bytes.get(start..)?.get(self.local_header_bytes(start)?..)?;
        content.get(..usize::try_from(member.compressed_size).ok()?)
    }

    /// Size of a local header with its name and extra field, which may be others than the directory's.
    fn local_header_bytes(&self, start: usize) -> Option<usize> {
        let header = self.bytes.get(start..)?.get(..LOCAL_HEADER_BYTES)?;
        if !header.starts_with(LOCAL_HEADER) {
            return None;
        }
        Some(LOCAL_HEADER_BYTES + usize::from(u16_at(header, 26)?) + usize::from(u16_at(header, 28)?))
    }
}

/// The entries of a central directory.
#[derive(Clone, Debug)]
pub(super) struct Members<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Member<'a>, Problem>;

    fn next(&mut self) -> Option<Result<Member<'a>, Problem>> {
        if self.rest.is_empty() {
            return None;
        }
        match read_member(self.rest) {
            Some((member, rest)) => {
                self.rest = rest;
                Some(Ok(member))
            }
            None => {
                let detail =
                    format!("the last {} bytes of the central directory cannot be read", self.rest.len());
                self.rest = &[];
                Some(Err(Problem::unreadable(detail)))
            }
        }
    }
}

fn read_member(bytes: &[u8]) -> Option<(Member<'_>, &[u8])> {
    let header = bytes.first_chunk::<DIRECTORY_HEADER_BYTES>()?;
    if !header.starts_with(DIRECTORY_HEADER) {
        return None;
    }
    let name_end = DIRECTORY_HEADER_BYTES + usize::from(u16_at(header, 28)?);
    let extra_end = name_end + usize::from(u16_at(header, 30)?);
    let comment_end = extra_end + usize::from(u16_at(header, 32)?);
    let name = bytes.get(DIRECTORY_HEADER_BYTES..name_end)?;
    let extra = bytes.get(name_end..extra_end)?;
    let rest = bytes.get(comment_end..)?;
    let mut wide = WideNumbers::of(extra);
    // The order in which the extra field has those that are needed (APPNOTE 4.5.3).
    let size = wide.or(u32_at(header, 24)?)?;
    let compressed_size = wide.or(u32_at(header, 20)?)?;
    let header_offset = wide.or(u32_at(header, 42)?)?;
    let member = Member {
        name,
        size,
        crc: u32_at(header, 16)?,
        method: u16_at(header, 10)?,
        is_encrypted: u16_at(header, 8)? & 1 != 0,
        compressed_size,
        header_offset,
    };
    Some((member, rest))
}

/// The numbers of the ZIP64 extra field.
struct WideNumbers<'a> {
    rest: &'a [u8],
}

impl<'a> WideNumbers<'a> {
    fn of(mut extra: &'a [u8]) -> WideNumbers<'a> {
        const ZIP64: u16 = 1;
        while let (Some(kind), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
            let Some(field) = extra.get(4..4 + usize::from(length)) else {
                break;
            };
            if kind == ZIP64 {
                return WideNumbers { rest: field };
            }
            extra = &extra[4 + field.len()..];
        }
        WideNumbers { rest: &[] }
    }

    /// The number itself, or the next of the extra field where it stands for that.
    fn or(&mut self, narrow: u32) -> Option<u64> {
        if narrow != IN_EXTRA_FIELD {
            return Some(narrow.into());
        }
        let (wide, rest) = self.rest.split_first_chunk::<8>()?;
        self.rest = rest;
        Some(u64::from_le_bytes(*wide))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
