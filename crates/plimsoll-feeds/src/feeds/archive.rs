//! Walking the files of a tar, compressed or not, one after the other.
//!
//! Nothing is unpacked to disk. A file that is larger than the feed allows is handed out as such, and the walk goes
//! on; an archive that does not end as one should is no archive, so that half of a download never passes for all.
//! Format: POSIX.1-2017 `pax`, "ustar Interchange Format" and "pax Header Block"; of GNU tar its long names.

use std::io::{self, BufRead, Read};

use super::{ParseError, Source, inflate, text};

/// Headers and contents fill whole blocks of so many bytes.
const BLOCK_BYTES: usize = 512;

/// Most bytes of an extension header: a long name, pax records.
const EXTENSION_BYTES_MAX: u64 = 64 << 10;

/// What an archive may hold.
pub(super) struct Limits {
    /// Most entries, whatever they are.
    pub(super) entries_max: usize,
    /// Most bytes of one file.
    pub(super) file_bytes_max: u64,
    /// Most bytes of the archive once it is inflated.
    pub(super) bytes_max: u64,
}

/// What there is of a file.
pub(super) enum Content<'a> {
    Whole(&'a [u8]),
    /// It is larger than [`Limits::file_bytes_max`] and was passed over.
    TooLarge,
}

/// Hands out the regular files that are wanted by their paths, in the archive's order.
pub(super) fn each_file(
    source: &mut dyn Source,
    limits: &Limits,
    is_wanted: &dyn Fn(&str) -> bool,
    on_file: &mut dyn FnMut(&str, Content<'_>),
) -> Result<(), ParseError> {
    let mut tar = inflate::inflated_to(source, limits.bytes_max)?;
    let mut bytes = Vec::new();
    let mut long_name = None;
    for _ in 0..limits.entries_max {
        let Some(header) = Header::read(&mut tar)? else {
            // What follows the end mark is padding, and the compression's own check of the whole.
            return io::copy(&mut tar, &mut io::sink()).map(drop).map_err(|error| unreadable(&error));
        };
        let size = header.size().ok_or_else(|| ParseError("an entry of the tar has no size".to_owned()))?;
        match header.kind() {
            kind @ (b'x' | b'L') => {
                long_name = if size <= EXTENSION_BYTES_MAX {
                    read_content(&mut tar, size, &mut bytes)?;
                    if kind == b'L' { c_text(&bytes).map(str::to_owned) } else { pax_path(&bytes) }
                } else {
                    skip(&mut tar, size)?;
                    None
                };
            }
            b'0' | 0 => {
                let path = long_name.take().unwrap_or_else(|| header.path());
                if !is_wanted(&path) {
                    skip(&mut tar, size)?;
                } else if size > limits.file_bytes_max {
                    skip(&mut tar, size)?;
                    on_file(&text::shortened(&path, 200), Content::TooLarge);
                } else {
                    read_content(&mut tar, size, &mut bytes)?;
                    on_file(&text::shortened(&path, 200), Content::Whole(&bytes));
                }
            }
            // pax headers for all that follows hold nothing that is read: git writes the commit there.
            b'g' => skip(&mut tar, size)?,
            _ => {
                long_name = None;
                skip(&mut tar, size)?;
            }
        }
    }
    Err(ParseError(format!("the tar has more than {} entries", limits.entries_max)))
}

fn unreadable(error: &io::Error) -> ParseError {
    ParseError(format!("cannot read the tar: {error}"))
}

fn cut_short() -> ParseError {
    ParseError("the tar is cut short".to_owned())
}

/// Reads an entry's content and what fills its last block. Room is made as bytes come, not as they are claimed.
fn read_content(tar: &mut dyn BufRead, size: u64, bytes: &mut Vec<u8>) -> Result<(), ParseError> {
    bytes.clear();
    let count = (&mut *tar).take(size).read_to_end(bytes).map_err(|error| unreadable(&error))?;
    if count as u64 != size {
        return Err(cut_short());
    }
    skip_exactly(tar, padding(size))
}

fn skip(tar: &mut dyn BufRead, size: u64) -> Result<(), ParseError> {
    skip_exactly(tar, size)?;
    skip_exactly(tar, padding(size))
}

fn padding(size: u64) -> u64 {
    let beyond = size % BLOCK_BYTES as u64;
    if beyond == 0 { 0 } else { BLOCK_BYTES as u64 - beyond }
}

fn skip_exactly(tar: &mut dyn BufRead, mut left: u64) -> Result<(), ParseError> {
    while left > 0 {
        let available = tar.fill_buf().map_err(|error| unreadable(&error))?.len();
        if available == 0 {
            return Err(cut_short());
        }
        let count = usize::try_from(left).unwrap_or(usize::MAX).min(available);
        tar.consume(count);
        left -= count as u64;
    }
    Ok(())
}

/// A text up to its first NUL.
fn c_text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes.split(|byte| *byte == 0).next()?).ok()
}

/// The path in pax records, `27 path=..\n` each.
fn pax_path(mut records: &[u8]) -> Option<String> {
    while let Some(blank) = records.iter().position(|byte| *byte == b' ') {
        let length: usize = str::from_utf8(records.get(..blank)?).ok()?.parse().ok()?;
        let record = records.get(blank + 1..length)?;
        if let Some(path) = record.strip_prefix(b"path=") {
            return str::from_utf8(path.strip_suffix(b"\n")?).ok().map(str::to_owned);
        }
        records = records.get(length..)?;
    }
    None
}

/// The header of an entry.
struct Header([u8; BLOCK_BYTES]);

impl Header {
    /// Reads the next; `None` at the end mark.
    fn read(tar: &mut dyn BufRead) -> Result<Option<Header>, ParseError> {
        let mut block = [0; BLOCK_BYTES];
        tar.read_exact(&mut block).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => cut_short(),
            _ => unreadable(&error),
        })?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let header = Header(block);
        if header.is_one() {
            Ok(Some(header))
        } else {
            Err(ParseError("it is not a tar, or it is damaged".to_owned()))
        }
    }

    fn field(&self, start: usize, length: usize) -> &[u8] {
        let field = self.0.get(start..start + length).unwrap_or_default();
        field.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    fn octal(&self, start: usize, length: usize) -> Option<u64> {
        let digits = str::from_utf8(self.field(start, length).trim_ascii()).ok()?;
        u64::from_str_radix(digits, 8).ok()
    }

    /// Sizes beyond 8 GiB are written in another way, and no feed has such a file.
    fn size(&self) -> Option<u64> {
        self.octal(124, 12)
    }

    fn kind(&self) -> u8 {
        self.0.get(156).copied().unwrap_or_default()
    }

    /// Whether the sum of its bytes is what it says, the sum itself taken for blanks.
    fn is_one(&self) -> bool {
        let byte = |(at, byte): (usize, &u8)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte });
        self.octal(148, 8) == Some(self.0.iter().enumerate().map(byte).sum())
    }

    fn path(&self) -> String {
        let name = String::from_utf8_lossy(self.field(0, 100));
        match self.field(345, 155) {
            prefix if self.field(257, 5) == b"ustar" && !prefix.is_empty() => {
                format!("{}/{name}", String::from_utf8_lossy(prefix))
            }
            _ => name.into_owned(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Cursor;

    use super::super::tests::xzed;
    use super::*;

    /// An entry with a name of at most 100 bytes.
    pub(in crate::feeds) fn entry(kind: u8, name: &str, bytes: &[u8]) -> Vec<u8> {
        let mut block = vec![0_u8; BLOCK_BYTES];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..135].copy_from_slice(format!("{:011o}", bytes.len()).as_bytes());
        block[148..156].fill(b' ');
        block[156] = kind;
        block[257..262].copy_from_slice(b"ustar");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block.extend(bytes);
        block.resize(block.len().next_multiple_of(BLOCK_BYTES), 0);
        block
    }

    const LIMITS: Limits = Limits { entries_max: 6, file_bytes_max: 1000, bytes_max: 1 << 20 };

    fn walked(tar: &[u8]) -> Result<String, String> {
        let mut seen = String::new();
        let mut on_file = |path: &str, content: Content<'_>| match content {
            Content::Whole(bytes) => seen += &format!("{path}={} ", String::from_utf8_lossy(bytes)),
            Content::TooLarge => seen += &format!("{path} is too large "),
        };
        each_file(&mut Cursor::new(tar), &LIMITS, &|path| !path.starts_with("no"), &mut on_file)
            .map(|()| seen.trim_end().to_owned())
            .map_err(|error| error.to_string())
    }

    fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
        [entries.concat(), vec![0; 2 * BLOCK_BYTES]].concat()
    }

    #[test]
    fn files_are_handed_out_by_their_whole_names() {
        let pax = |path: &str| {
            let record = format!(" path={path}\n");
            format!("{}{record}", record.len() + 2).into_bytes()
        };
        for (entries, expected) in [
            (vec![entry(b'0', "a", b"1"), entry(b'5', "b", b""), entry(0, "c", b"2")], "a=1 c=2"),
            (vec![entry(b'L', "././@LongLink", b"long/a\0"), entry(b'0', "a", b"1")], "long/a=1"),
            (vec![entry(b'x', "pax", &pax("long/a")), entry(b'0', "a", b"1")], "long/a=1"),
            (vec![entry(b'g', "pax", b"20 comment=01234567\n"), entry(b'0', "a", b"1")], "a=1"),
            (vec![entry(b'0', "no", b"1"), entry(b'0', "a", b"1")], "a=1"),
            (vec![entry(b'0', "big", &[0; 1001]), entry(b'0', "a", b"1")], "big is too large a=1"),
            (vec![], ""),
        ] {
            assert_eq!(walked(&tar(&entries)).as_deref(), Ok(expected));
            assert_eq!(walked(&xzed(&tar(&entries))).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_does_not_end_as_it_should_is_an_error() {
        let whole = tar(&[entry(b'0', "a", &[b'1'; 700]), entry(b'0', "no", &[b'2'; 700])]);
        for length in [0, 100, 512, 600, 1536, 2100, 3000, 3072] {
            let error = walked(&whole[..length]).expect_err("it is cut short");
            assert!(error.contains("cut short"), "{error} at {length}");
        }
        let packed = xzed(&whole);
        for length in [packed.len() - 1, packed.len() - 12, packed.len() / 2] {
            assert!(walked(&packed[..length]).is_err(), "cut to {length} of {}", packed.len());
        }
        let mut damaged = whole.clone();
        damaged[3] = b'x';
        assert_eq!(walked(&damaged).expect_err("the sum is wrong"), "it is not a tar, or it is damaged");
    }

    #[test]
    fn limits_are_told() {
        let entries = vec![entry(b'0', "a", b"1"); 7];
        assert!(walked(&tar(&entries)).expect_err("too many").contains("more than 6 entries"));
        let large = [entry(b'0', "no", &vec![1; 2 << 20]), vec![0; 1024]].concat();
        assert!(walked(&large).expect_err("too large").contains("more than 1048576 bytes"));
    }
}
