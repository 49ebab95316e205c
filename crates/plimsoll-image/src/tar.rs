//! Reading a tar stream once, forwards, with limits.
//!
//! Layers are written by many tools, so old V7, POSIX ustar, PAX and GNU archives are read, GNU and PAX sparse
//! files included. Where readers differ, this one does as the container runtimes do (Go's `archive/tar`), since
//! what matters is the file that a container would see: global PAX headers do not apply, GNU long names win over
//! PAX ones, links and directories have no content whatever size they state.
//!
//! Formats: POSIX.1-2017 `pax`, "ustar Interchange Format" and "pax Header Block"; GNU tar manual, "Basic
//! Tar Format" and "Storing Sparse Files".

use std::io::{self, BufRead, Read};

/// Largest extension header (long name, PAX records), in bytes.
pub const EXTENSION_BYTES_MAX: u64 = 1 << 20;
/// Most stretches of data in a sparse file.
pub const SPARSE_SEGMENTS_MAX: usize = 1 << 16;
/// Longest path, in bytes.
pub const PATH_BYTES_MAX: usize = 16 << 10;

const BLOCK: usize = 512;

/// A tar stream, read entry by entry. Reading from it reads the current entry's content, holes as zeros.
pub struct Archive<R> {
    input: R,
    /// Content of the current entry that is still in the stream.
    stored_left: u64,
    padding: u64,
    sparse: Option<Sparse>,
    has_ended: bool,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The path, cleaned: no leading slash, no `.`, no `..`, no trailing slash. Empty for the root.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Size of its content in bytes, holes included; 0 for all but files.
    pub size: u64,
    /// How many of these bytes are holes, which cost nothing to store and time to read.
    pub hole_bytes: u64,
    /// Permission bits.
    pub mode: u32,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, with its target as written.
    Symlink(String),
    /// A hard link, with its target cleaned as a path.
    HardLink(String),
    /// A device, a pipe.
    Special,
}

/// Why a stream cannot be read further.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// Reading the stream failed.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// A header is not one.
    #[error("a tar header is damaged: {0}")]
    Damaged(&'static str),
    /// A named limit was reached.
    #[error("{what} of {size} bytes is above the limit of {max}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        size: u64,
        /// The limit.
        max: u64,
    },
}

#[derive(Default)]
struct Extensions {
    gnu_path: Option<Vec<u8>>,
    gnu_link: Option<Vec<u8>>,
    pax: Pax,
}

#[derive(Default)]
struct Pax {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    sparse_name: Option<Vec<u8>>,
    sparse_size: Option<u64>,
    sparse_major: Option<u64>,
    sparse_minor: Option<u64>,
    sparse_map: Vec<u64>,
    is_sparse: bool,
}

impl<R: BufRead> Archive<R> {
    /// Starts at the beginning of a stream.
    pub fn new(input: R) -> Archive<R> {
        Archive { input, stored_left: 0, padding: 0, sparse: None, has_ended: false }
    }

    /// Moves to the next entry; `None` at the end of the archive.
    pub fn next_entry(&mut self) -> Result<Option<Header>, TarError> {
        let mut extensions = Extensions::default();
        loop {
            self.skip_content()?;
            let Some(block) = self.header_block()? else { return Ok(None) };
            let size = number(&block[124..136])?;
            match block[156] {
                b'L' => extensions.gnu_path = Some(until_nul(&self.extension(size)?).to_vec()),
                b'K' => extensions.gnu_link = Some(until_nul(&self.extension(size)?).to_vec()),
                b'x' | b'X' => extensions.pax = pax_records(&self.extension(size)?)?,
                b'g' => drop(self.extension(size)?),
                _ => return self.entry(&block, size, extensions).map(Some),
            }
        }
    }

    /// Reads what is left of the stream, so that whoever hashes it has seen all of it.
    pub fn drain(&mut self) -> io::Result<()> {
        loop {
            let length = self.input.fill_buf()?.len();
            if length == 0 {
                return Ok(());
            }
            self.input.consume(length);
        }
    }

    fn entry(&mut self, block: &[u8; BLOCK], size: u64, extensions: Extensions) -> Result<Header, TarError> {
        let Extensions { gnu_path, gnu_link, pax } = extensions;
        let raw_path = gnu_path.or_else(|| pax.path.clone()).unwrap_or_else(|| header_path(block));
        let raw_link =
            gnu_link.or_else(|| pax.link.clone()).unwrap_or_else(|| until_nul(&block[157..257]).to_vec());
        let mode = u32::try_from(number(&block[100..108])? & 0o7777).unwrap_or(0);
        let kind = match block[156] {
            b'1' => Kind::HardLink(clean(&raw_link)?),
            b'2' => Kind::Symlink(text(&raw_link)),
            b'3' | b'4' | b'6' => Kind::Special,
            b'5' => Kind::Directory,
            // V7 has no type for directories, only the trailing slash.
            b'0' | 0 if raw_path.ends_with(b"/") => Kind::Directory,
            _ => Kind::File,
        };
        let mut header = Header { path: String::new(), kind, size: 0, hole_bytes: 0, mode };
        if header.kind == Kind::File {
            self.stored_left = pax.size.unwrap_or(size);
            self.padding = padding(self.stored_left);
            header.size = self.stored_left;
            self.sparse = self.sparse_map(block, &pax)?;
            if let Some(sparse) = &self.sparse {
                header.size = sparse.size;
                header.hole_bytes = sparse.hole_bytes();
            }
        }
        let path = pax.sparse_name.filter(|_| header.kind == Kind::File).unwrap_or(raw_path);
        header.path = clean(&path)?;
        Ok(header)
    }

    /// Where the data of a sparse file lies, if the entry is one.
    fn sparse_map(&mut self, block: &[u8; BLOCK], pax: &Pax) -> Result<Option<Sparse>, TarError> {
        let (numbers, size) = if block[156] == b'S' {
            (self.gnu_sparse_map(block)?, number(&block[483..495])?)
        } else if pax.is_sparse && pax.sparse_major == Some(1) && pax.sparse_minor.unwrap_or(0) == 0 {
            (self.pax_1_0_sparse_map()?, pax.sparse_size.unwrap_or(0))
        } else if pax.is_sparse && !pax.sparse_map.is_empty() {
            (pax.sparse_map.clone(), pax.sparse_size.unwrap_or(0))
        } else {
            return Ok(None);
        };
        Sparse::new(&numbers, size, self.stored_left).map(Some)
    }

    fn gnu_sparse_map(&mut self, block: &[u8; BLOCK]) -> Result<Vec<u64>, TarError> {
        let mut numbers = Vec::new();
        push_gnu_segments(&block[386..482], &mut numbers)?;
        let mut is_extended = block[482] != 0;
        while is_extended {
            let mut more = [0; BLOCK];
            self.input.read_exact(&mut more)?;
            push_gnu_segments(&more[..504], &mut numbers)?;
            is_extended = more[504] != 0;
        }
        Ok(numbers)
    }

    /// The map stands before the data: decimal numbers, a line each, padded to a block.
    fn pax_1_0_sparse_map(&mut self) -> Result<Vec<u64>, TarError> {
        let mut numbers: Vec<u64> = Vec::new();
        let mut current: Option<u64> = None;
        let mut wanted = usize::MAX;
        while numbers.len() < wanted {
            if self.stored_left < BLOCK as u64 {
                return Err(TarError::Damaged("a sparse map is cut off"));
            }
            let mut block = [0; BLOCK];
            self.input.read_exact(&mut block)?;
            self.stored_left -= BLOCK as u64;
            for &byte in &block {
                match byte {
                    b'0'..=b'9' => {
                        let digit = u64::from(byte - b'0');
                        let value = current.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add(digit));
                        current = Some(value.ok_or(TarError::Damaged("a sparse map has a huge number"))?);
                    }
                    b'\n' if numbers.len() < wanted => {
                        let value = current.take().ok_or(TarError::Damaged("a sparse map has no number"))?;
                        if wanted == usize::MAX {
                            let count = usize::try_from(value).unwrap_or(usize::MAX);
                            if count > SPARSE_SEGMENTS_MAX {
                                return Err(too_many_segments(value));
                            }
                            wanted = count * 2;
                        } else {
                            numbers.push(value);
                        }
                    }
                    _ if numbers.len() >= wanted => break,
                    _ => return Err(TarError::Damaged("a sparse map has something other than numbers")),
                }
            }
        }
        Ok(numbers)
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, TarError> {
        if size > EXTENSION_BYTES_MAX {
            return Err(TarError::TooLarge { what: "an extension header", size, max: EXTENSION_BYTES_MAX });
        }
        let mut bytes = Vec::new();
        (&mut self.input).take(size).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != size {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.skip(padding(size))?;
        Ok(bytes)
    }

    /// The next block that is a header; `None` at two zero blocks or at the end of the stream.
    fn header_block(&mut self) -> Result<Option<[u8; BLOCK]>, TarError> {
        let mut zero_blocks = 0;
        while !self.has_ended {
            let mut block = [0; BLOCK];
            match read_block(&mut self.input, &mut block)? {
                0 => self.has_ended = true,
                BLOCK if block.iter().all(|&byte| byte == 0) => {
                    zero_blocks += 1;
                    self.has_ended = zero_blocks == 2;
                }
                BLOCK => {
                    check_sum(&block)?;
                    return Ok(Some(block));
                }
                _ => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            }
        }
        Ok(None)
    }

    fn skip_content(&mut self) -> io::Result<()> {
        let left = std::mem::take(&mut self.stored_left);
        let padding = std::mem::take(&mut self.padding);
        self.sparse = None;
        // A size near the top of the range would overflow; nothing can be that long.
        self.skip(left.saturating_add(padding))
    }

    fn skip(&mut self, mut bytes: u64) -> io::Result<()> {
        while bytes > 0 {
            let available = self.input.fill_buf()?.len();
            if available == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let step = usize::try_from(bytes).unwrap_or(usize::MAX).min(available);
            self.input.consume(step);
            bytes -= step as u64;
        }
        Ok(())
    }

    fn read_stored(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let max = usize::try_from(self.stored_left).unwrap_or(usize::MAX).min(buffer.len());
        if max == 0 {
            return Ok(0);
        }
        let count = self.input.read(&mut buffer[..max])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.stored_left -= count as u64;
        Ok(count)
    }
}

impl<R: BufRead> Read for Archive<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut sparse) = self.sparse.take() else {
            return self.read_stored(buffer);
        };
        let (is_data, length) = sparse.next_stretch();
        let max = usize::try_from(length).unwrap_or(usize::MAX).min(buffer.len());
        let count = if is_data {
            self.read_stored(&mut buffer[..max])
        } else {
            buffer[..max].fill(0);
            Ok(max)
        };
        if let Ok(count) = count {
            sparse.position += count as u64;
        }
        self.sparse = Some(sparse);
        count
    }
}

/// Where the data of a sparse file lies.
struct Sparse {
    /// Offset and length of each stretch of data, ascending.
    segments: Vec<(u64, u64)>,
    size: u64,
    position: u64,
    index: usize,
}

impl Sparse {
    fn new(numbers: &[u64], size: u64, stored: u64) -> Result<Sparse, TarError> {
        if numbers.len() / 2 > SPARSE_SEGMENTS_MAX {
            return Err(too_many_segments(numbers.len() as u64 / 2));
        }
        let segments: Vec<(u64, u64)> = numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        let (mut end, mut total) = (0u64, 0u64);
        for &(offset, length) in &segments {
            let stop = offset.checked_add(length).ok_or(TarError::Damaged("a sparse map overflows"))?;
            if offset < end || stop > size {
                return Err(TarError::Damaged("a sparse map does not fit its file"));
            }
            end = stop;
            total += length;
        }
        if total > stored {
            return Err(TarError::Damaged("a sparse map claims more data than is stored"));
        }
        Ok(Sparse { segments, size, position: 0, index: 0 })
    }

    fn hole_bytes(&self) -> u64 {
        let data: u64 = self.segments.iter().map(|(_, length)| length).sum();
        self.size.saturating_sub(data)
    }

    /// Whether data or a hole comes next, and how long it is; a length of 0 is the end of the file.
    fn next_stretch(&mut self) -> (bool, u64) {
        while let Some(&(offset, length)) = self.segments.get(self.index) {
            if self.position < offset {
                return (false, offset - self.position);
            }
            if self.position < offset + length {
                return (true, offset + length - self.position);
            }
            self.index += 1;
        }
        (false, self.size - self.position)
    }
}

/// Fills a block as far as the stream goes.
fn read_block(input: &mut impl Read, block: &mut [u8; BLOCK]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < BLOCK {
        match input.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn padding(size: u64) -> u64 {
    (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64
}

fn too_many_segments(count: u64) -> TarError {
    TarError::TooLarge { what: "a sparse map", size: count, max: SPARSE_SEGMENTS_MAX as u64 }
}

fn push_gnu_segments(bytes: &[u8], numbers: &mut Vec<u64>) -> Result<(), TarError> {
    for pair in bytes.chunks_exact(24) {
        if pair[0] == 0 {
            break;
        }
        numbers.push(number(&pair[..12])?);
        numbers.push(number(&pair[12..])?);
        if numbers.len() / 2 > SPARSE_SEGMENTS_MAX {
            return Err(too_many_segments(numbers.len() as u64 / 2));
        }
    }
    Ok(())
}

/// A number field: octal digits, or base 256 when the first bit is set.
fn number(field: &[u8]) -> Result<u64, TarError> {
    match field.first() {
        Some(0x80) => {
            let mut value: u64 = 0;
            for &byte in &field[1..] {
                value = value
                    .checked_mul(256)
                    .map(|n| n | u64::from(byte))
                    .ok_or(TarError::Damaged("a number is too large"))?;
            }
            Ok(value)
        }
        Some(0x81..) => Err(TarError::Damaged("a number is negative or too large")),
        _ => {
            let digits = until_nul(field).trim_ascii();
            let mut value: u64 = 0;
            for &byte in digits {
                if !matches!(byte, b'0'..=b'7') {
                    return Err(TarError::Damaged("a number is not octal"));
                }
                value = value
                    .checked_mul(8)
                    .map(|n| n | u64::from(byte - b'0'))
                    .ok_or(TarError::Damaged("a number is too large"))?;
            }
            Ok(value)
        }
    }
}

/// The sum of all bytes with the checksum field taken as blanks; some old writers summed signed bytes.
fn check_sum(block: &[u8; BLOCK]) -> Result<(), TarError> {
    let stated = i64::try_from(number(&block[148..156])?).map_err(|_| TarError::Damaged("bad checksum"))?;
    let outside_field = || block[..148].iter().chain(&block[156..]);
    let blanks = 8 * i64::from(b' ');
    let unsigned: i64 = outside_field().map(|&byte| i64::from(byte)).sum::<i64>() + blanks;
    if unsigned == stated {
        return Ok(());
    }
    let signed: i64 = outside_field().map(|&byte| i64::from(byte.cast_signed())).sum::<i64>() + blanks;
    if signed == stated { Ok(()) } else { Err(TarError::Damaged("its checksum does not match")) }
}

fn header_path(block: &[u8; BLOCK]) -> Vec<u8> {
    let name = until_nul(&block[..100]);
    // GNU's magic is `ustar  \0`, and it keeps other things where POSIX has the prefix.
    let prefix = if &block[257..263] == b"ustar\0" { until_nul(&block[345..500]) } else { b"" };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&byte| byte == 0).next().unwrap_or(b"")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Cleans a path as a runtime does that unpacks into a root: `..` never leaves it.
fn clean(path: &[u8]) -> Result<String, TarError> {
    if path.len() > PATH_BYTES_MAX {
        return Err(TarError::TooLarge {
            what: "a path",
            size: path.len() as u64,
            max: PATH_BYTES_MAX as u64,
        });
    }
    Ok(clean_path(&String::from_utf8_lossy(path)))
}

/// The same for text: `./a//b/../c/` is `a/c`.
pub fn clean_path(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => out.truncate(out.rfind('/').unwrap_or(0)),
            part => {
                if !out.is_empty() {
                    out.push('/');
                }
                out.push_str(part);
            }
        }
    }
    out
}

/// Records of the form `LENGTH KEY=VALUE\n`.
fn pax_records(mut bytes: &[u8]) -> Result<Pax, TarError> {
    const DAMAGED: TarError = TarError::Damaged("a PAX record does not follow its form");
    let mut pax = Pax::default();
    let mut sparse_offset = None;
    while !bytes.is_empty() && bytes[0] != 0 {
        let blank = bytes.iter().position(|&byte| byte == b' ').ok_or(DAMAGED)?;
        let length = decimal(&bytes[..blank]).and_then(|n| usize::try_from(n).ok()).ok_or(DAMAGED)?;
        if length <= blank + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
            return Err(DAMAGED);
        }
        let record = &bytes[blank + 1..length - 1];
        bytes = &bytes[length..];
        let equals = record.iter().position(|&byte| byte == b'=').ok_or(DAMAGED)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        let number = || decimal(value).ok_or(DAMAGED);
        match key {
            b"path" => pax.path = some_bytes(value),
            b"linkpath" => pax.link = some_bytes(value),
            b"size" => pax.size = Some(number()?),
            b"GNU.sparse.name" => pax.sparse_name = some_bytes(value),
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => pax.sparse_size = Some(number()?),
            b"GNU.sparse.major" => pax.sparse_major = Some(number()?),
            b"GNU.sparse.minor" => pax.sparse_minor = Some(number()?),
            b"GNU.sparse.offset" => sparse_offset = Some(number()?),
            b"GNU.sparse.numbytes" => {
                pax.sparse_map.push(sparse_offset.take().ok_or(DAMAGED)?);
                pax.sparse_map.push(number()?);
            }
            b"GNU.sparse.map" => {
                for part in value.split(|&byte| byte == b',') {
                    pax.sparse_map.push(decimal(part).ok_or(DAMAGED)?);
                }
            }
            _ => {}
        }
        pax.is_sparse |= key.starts_with(b"GNU.sparse.");
    }
    Ok(pax)
}

fn some_bytes(value: &[u8]) -> Option<Vec<u8>> {
    (!value.is_empty()).then(|| value.to_vec())
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    digits.iter().try_fold(0u64, |value, &byte| value.checked_mul(10)?.checked_add(u64::from(byte - b'0')))
}

impl<F: Read + io::Seek> Archive<io::BufReader<F>> {
    /// Where the current entry's content stands in the stream.
    pub fn content_offset(&mut self) -> io::Result<u64> {
        io::Seek::stream_position(&mut self.input)
    }

    /// Moves behind the current entry's content without reading it.
    pub fn seek_past_content(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.stored_left).saturating_add(std::mem::take(&mut self.padding));
        self.sparse = None;
        let bytes = i64::try_from(bytes).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        self.input.seek_relative(bytes)
    }
}
