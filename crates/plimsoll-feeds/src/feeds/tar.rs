//! Reading the files of a tar (POSIX ustar, <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html>)
//! one after the other.
//!
//! For the archives of feeds, whose files have short names: longer ones, which pax and GNU tar put into entries of
//! their own, are not put together again. An archive must have its end mark, so that one that is cut short is told.

use std::io::{self, Read};

use super::ParseError;

/// Headers and contents fill whole blocks of so many bytes.
const BLOCK_BYTES: usize = 512;

/// Most entries of one archive.
const ENTRIES_MAX: usize = 5_000_000;

/// Hands out every regular file: its path in the archive and its content, of which it may leave some unread.
pub(super) fn each_file(
    reader: &mut dyn Read,
    on_file: &mut dyn FnMut(&str, &mut dyn Read) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    let unreadable = |error: io::Error| ParseError(format!("cannot read the tar: {error}"));
    let mut block = [0; BLOCK_BYTES];
    for _ in 0..ENTRIES_MAX {
        reader.read_exact(&mut block).map_err(unreadable)?;
        if block.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        let header = Header(&block);
        if !header.is_one() {
            return Err(ParseError("it is not a tar, or it is damaged".to_owned()));
        }
        let size = header.size().ok_or_else(|| ParseError("an entry of the tar has no size".to_owned()))?;
        let padding = size.next_multiple_of(BLOCK_BYTES as u64) - size;
        let mut content = (&mut *reader).take(size);
        if header.is_file() {
            on_file(&header.path(), &mut content)?;
        }
        io::copy(&mut content, &mut io::sink()).map_err(unreadable)?;
        if content.limit() > 0 {
            return Err(ParseError("the tar is cut short".to_owned()));
        }
        let padding = block.get_mut(..usize::try_from(padding).unwrap_or(0)).unwrap_or_default();
        reader.read_exact(padding).map_err(unreadable)?;
    }
    Err(ParseError(format!("the tar has more than {ENTRIES_MAX} entries")))
}

/// The header of an entry.
struct Header<'a>(&'a [u8; BLOCK_BYTES]);

impl Header<'_> {
    /// A text field, up to its first NUL.
    fn field(&self, start: usize, length: usize) -> &[u8] {
        let field = self.0.get(start..start + length).unwrap_or_default();
        field.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// A number in octal digits. Larger ones than these hold are not of our archives.
    fn octal(&self, start: usize, length: usize) -> Option<u64> {
        let digits = self.field(start, length).trim_ascii();
        u64::from_str_radix(str::from_utf8(digits).ok()?, 8).ok()
    }

    fn size(&self) -> Option<u64> {
        self.octal(124, 12)
    }

    /// Whether the sum of its bytes is what it says, the sum itself taken for blanks.
    fn is_one(&self) -> bool {
        let byte = |(at, byte): (usize, &u8)| u64::from(if (148..156).contains(&at) { b' ' } else { *byte });
        self.octal(148, 8) == Some(self.0.iter().enumerate().map(byte).sum())
    }

    fn is_file(&self) -> bool {
        matches!(self.0[156], b'0' | 0)
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
