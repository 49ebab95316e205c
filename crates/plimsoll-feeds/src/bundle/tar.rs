//! The tar file that carries a bundle: POSIX ustar (IEEE Std 1003.1, `pax`, "ustar Interchange Format") with nothing
//! but regular files, all of mode 0644, owner 0 and time 0.
//!
//! The reader does not interpret headers: it makes the one that must be there and compares. Only the sizes of the first
//! two entries are read.

use std::io::{self, Read, Write};

use super::{
    BundleError, Head, Incoming, MANIFEST_BYTES_MAX, PAYLOAD_BYTES_MAX, Payload, SIGNATURE_BYTES_MAX,
};

const BLOCK: usize = 512;
/// Name of the entry that says what is in a bundle.
pub const MANIFEST_ENTRY: &str = "bundle.json";
/// Name of the entry that signs it.
pub const SIGNATURE_ENTRY: &str = "bundle.sig";

/// Names that payloads cannot have.
pub(super) const RESERVED: [&str; 2] = [MANIFEST_ENTRY, SIGNATURE_ENTRY];

/// Longest name and prefix that a header has room for.
const NAME_BYTES_MAX: usize = 100;
const PREFIX_BYTES_MAX: usize = 155;

/// Where the size stands: eleven octal digits.
const SIZE: std::ops::Range<usize> = 124..135;

/// The header of an entry; `None` where the name or the size does not fit.
pub(super) fn header(name: &str, bytes: u64) -> Option<[u8; BLOCK]> {
    let (prefix, name) = match name.len() {
        0..=NAME_BYTES_MAX => ("", name),
        _ => name.rsplit_once('/')?,
    };
    if name.is_empty()
        || name.len() > NAME_BYTES_MAX
        || prefix.len() > PREFIX_BYTES_MAX
        || bytes > PAYLOAD_BYTES_MAX
    {
        return None;
    }
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| {
        if let Some(field) = block.get_mut(at..at + text.len()) {
            field.copy_from_slice(text);
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\x000000000\x000000000\0");
    put(SIZE.start, format!("{bytes:011o}\0").as_bytes());
    put(136, b"00000000000\0        0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\x000000000\0");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    if let Some(field) = block.get_mut(148..156) {
        field.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    Some(block)
}

fn padding(bytes: u64) -> usize {
    // Below 512, so it fits.
    (bytes.next_multiple_of(BLOCK as u64) - bytes) as usize
}

/// Writes entries.
pub(super) struct Writer<W>(pub(super) W);

impl<W: Write> Writer<W> {
    /// Writes what comes first.
    pub(super) fn head(&mut self, head: &Head) -> io::Result<()> {
        self.entry(MANIFEST_ENTRY, head.manifest.len() as u64, &mut head.manifest.as_slice())?;
        match &head.signature {
            Some(signature) => self.entry(SIGNATURE_ENTRY, signature.len() as u64, &mut signature.as_slice()),
            None => Ok(()),
        }
    }

    /// Writes an entry. A reader that does not have the bytes it should is an error.
    pub(super) fn entry(&mut self, name: &str, bytes: u64, from: &mut dyn Read) -> io::Result<()> {
        let header = header(name, bytes).ok_or_else(|| io::Error::other("its name or size has no room"))?;
        self.0.write_all(&header)?;
        if io::copy(&mut from.take(bytes), &mut self.0)? != bytes || from.read(&mut [0])? != 0 {
            return Err(io::Error::other(format!("`{name}` changed while it was written")));
        }
        self.0.write_all(&[0; BLOCK][..padding(bytes)])
    }

    /// Writes the end.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.0.write_all(&[0; 2 * BLOCK])?;
        self.0.flush()
    }
}

/// A bundle in a tar file.
#[derive(Debug)]
pub struct TarBundle<R> {
    from: R,
    /// A header that was read too early.
    ahead: Option<[u8; BLOCK]>,
    /// Bytes of the payload before that were not read, and its padding.
    left: u64,
    padding: usize,
}

impl<R: Read> TarBundle<R> {
    /// Of the bytes of a tar file, from its beginning.
    pub fn new(from: R) -> TarBundle<R> {
        TarBundle { from, ahead: None, left: 0, padding: 0 }
    }

    fn exact(&mut self, buffer: &mut [u8]) -> Result<(), BundleError> {
        self.from.read_exact(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => BundleError::Damaged("it ends too early".to_owned()),
            _ => BundleError::Read(error),
        })
    }

    fn block(&mut self) -> Result<[u8; BLOCK], BundleError> {
        if let Some(block) = self.ahead.take() {
            return Ok(block);
        }
        let mut block = [0; BLOCK];
        self.exact(&mut block)?;
        Ok(block)
    }

    fn zeros(&mut self, count: usize) -> Result<(), BundleError> {
        let mut buffer = [0; BLOCK];
        let buffer = buffer.get_mut(..count).unwrap_or_default();
        self.exact(buffer)?;
        match buffer.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => Err(BundleError::Damaged("there is something between two entries".to_owned())),
        }
    }

    /// The content of a small entry whose header was read.
    fn small(&mut self, name: &str, block: &[u8; BLOCK], bytes_max: u64) -> Result<Vec<u8>, BundleError> {
        let size = block.get(SIZE).and_then(|digits| std::str::from_utf8(digits).ok());
        let size = size.and_then(|digits| u64::from_str_radix(digits, 8).ok());
        let size = size.filter(|size| header(name, *size).as_ref() == Some(block));
        let size = size.ok_or_else(|| BundleError::Damaged(format!("the header of `{name}` is another")))?;
        if size > bytes_max {
            return Err(BundleError::Manifest(format!("`{name}` is larger than {bytes_max} bytes")));
        }
        let mut bytes = Vec::new();
        (&mut self.from).take(size).read_to_end(&mut bytes).map_err(BundleError::Read)?;
        if bytes.len() as u64 != size {
            return Err(BundleError::Damaged("it ends too early".to_owned()));
        }
        self.zeros(padding(size))?;
        Ok(bytes)
    }

    /// Leaves the payload before.
    fn leave(&mut self) -> Result<(), BundleError> {
        if self.left > 0 {
            return Err(BundleError::Damaged("it ends too early".to_owned()));
        }
        let padding = std::mem::take(&mut self.padding);
        self.zeros(padding)
    }
}

impl<R: Read> Incoming for TarBundle<R> {
    fn head(&mut self) -> Result<Head, BundleError> {
        let block = self.block().map_err(|error| match error {
            BundleError::Damaged(_) => BundleError::NotOne("it is too short"),
            error => error,
        })?;
        if !is_named(&block, MANIFEST_ENTRY) {
            return Err(BundleError::NotOne("it does not begin with `bundle.json`"));
        }
        let manifest = self.small(MANIFEST_ENTRY, &block, MANIFEST_BYTES_MAX)?;
        let block = self.block()?;
        if !is_named(&block, SIGNATURE_ENTRY) {
            self.ahead = Some(block);
            return Ok(Head { manifest, signature: None });
        }
        let signature = self.small(SIGNATURE_ENTRY, &block, SIGNATURE_BYTES_MAX)?;
        Ok(Head { manifest, signature: Some(signature) })
    }

    fn payload<'a>(&'a mut self, payload: &Payload) -> Result<Box<dyn Read + 'a>, BundleError> {
        self.leave()?;
        if Some(self.block()?) != header(&payload.entry, payload.bytes) {
            let what = format!("`{}` of {} bytes is not where it should be", payload.entry, payload.bytes);
            return Err(BundleError::Damaged(what));
        }
        (self.left, self.padding) = (payload.bytes, padding(payload.bytes));
        Ok(Box::new(Content(self)))
    }

    fn end(&mut self) -> Result<(), BundleError> {
        self.leave()?;
        for _ in 0..2 {
            if self.block()?.iter().any(|byte| *byte != 0) {
                return Err(BundleError::Damaged("it has more entries than it lists".to_owned()));
            }
        }
        match self.from.read(&mut [0]).map_err(BundleError::Read)? {
            0 => Ok(()),
            _ => Err(BundleError::Damaged("there is something behind its end".to_owned())),
        }
    }
}

/// Whether a header has a name, whatever else it has.
fn is_named(block: &[u8; BLOCK], name: &str) -> bool {
    block.starts_with(name.as_bytes()) && block.get(name.len()) == Some(&0)
}

/// The bytes of the current entry.
struct Content<'a, R>(&'a mut TarBundle<R>);

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&mut self.0.from).take(self.0.left).read(buffer)?;
        self.0.left -= count as u64;
        Ok(count)
    }
}
