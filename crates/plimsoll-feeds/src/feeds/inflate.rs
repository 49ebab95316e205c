//! Files of upstreams as they were before they were compressed.
//!
//! What a file is compressed with is told by its first bytes, not by its name: mirrors and people who carry
//! files by hand may keep them plain or compress them again. Several streams one after the other are one file,
//! as `cat a.gz b.gz` makes them; `pbzip2` writes such files.

use std::io::{self, BufRead, BufReader, Read};

use super::{ParseError, Source};

/// Most bytes that one file may inflate to, 8 GiB. The largest real one (Red Hat's VEX) has about 4 GiB.
const INFLATED_BYTES_MAX: u64 = 8 << 30;

/// Most memory for what an xz file refers back to, in KiB. `xz -9` asks for 64 MiB.
const XZ_KIB_MAX: u32 = 128 << 10;

/// Most memory for what a zstd file refers back to, as a power of two. 128 MiB is what `zstd -d` takes.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Size of the buffer between inflating and parsing.
const BUFFER_BYTES: usize = 64 << 10;

/// Reads a source that may be compressed with gzip, bzip2, xz or zstd, from where it stands.
///
/// An error in the middle of the file, or more than [`INFLATED_BYTES_MAX`] of it, is the error of a read.
pub(super) fn inflated(source: &mut dyn Source) -> Result<Box<dyn BufRead + '_>, ParseError> {
    inflated_to(source, INFLATED_BYTES_MAX)
}

/// The same with a limit of its own.
pub(super) fn inflated_to(
    source: &mut dyn Source,
    bytes_max: u64,
) -> Result<Box<dyn BufRead + '_>, ParseError> {
    let unreadable = |error: io::Error| ParseError(format!("cannot inflate it: {error}"));
    let start = source.fill_buf().map_err(unreadable)?;
    let reader: Box<dyn Read + '_> = if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(source))
    } else if start.starts_with(b"BZh") {
        Box::new(bzip2::bufread::MultiBzDecoder::new(source))
    } else if start.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        Box::new(lzma_rust2::XzReader::new_mem_limit(source, true, XZ_KIB_MAX))
    } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        let mut decoder = zstd::stream::read::Decoder::with_buffer(source).map_err(unreadable)?;
        decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(unreadable)?;
        Box::new(decoder)
    } else {
        Box::new(source)
    };
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, Limited { reader, left: bytes_max, bytes_max })))
}

/// Reads a whole source that may be compressed; `None` where it has more than `bytes_max`.
pub(super) fn whole(source: &mut dyn Source, bytes_max: u64) -> Result<Option<Vec<u8>>, ParseError> {
    let mut bytes = Vec::new();
    let read = inflated(source)?.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| ParseError(format!("cannot read it: {error}")))?;
    Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
}

/// Goes back to the start of a source, to read it a second time.
pub(super) fn rewind(source: &mut dyn Source) -> Result<(), ParseError> {
    source.rewind().map_err(|error| ParseError(format!("cannot read it again: {error}")))
}

/// Fails at the first byte too many.
struct Limited<'a> {
    reader: Box<dyn Read + 'a>,
    left: u64,
    bytes_max: u64,
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => {
                let reason = format!("it inflates to more than {} bytes", self.bytes_max);
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::tests::{bzip2ed, gzipped, xzed};
    use super::*;

    fn zstded(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 0).unwrap()
    }

    type Compress = fn(&[u8]) -> Vec<u8>;

    fn compressors() -> [Compress; 5] {
        [gzipped, bzip2ed, xzed, zstded, <[u8]>::to_vec]
    }

    fn read(bytes: &[u8], bytes_max: u64) -> Result<Vec<u8>, String> {
        let (mut source, mut out) = (Cursor::new(bytes), Vec::new());
        let mut reader = inflated_to(&mut source, bytes_max).map_err(|error| error.to_string())?;
        reader.read_to_end(&mut out).map_err(|error| error.to_string())?;
        Ok(out)
    }

    #[test]
    fn compression_is_told_by_the_first_bytes() {
        let text = "a line of text\n".repeat(20_000);
        for compress in compressors() {
            assert_eq!(read(&compress(text.as_bytes()), 1 << 20), Ok(text.clone().into_bytes()));
        }
        assert_eq!(read(b"", 1), Ok(Vec::new()));
    }

    #[test]
    fn streams_one_after_the_other_are_one_file() {
        for compress in compressors() {
            let two = [compress(b"one "), compress(b"two")].concat();
            assert_eq!(read(&two, 100), Ok(b"one two".to_vec()));
        }
    }

    #[test]
    fn what_inflates_too_far_is_an_error() {
        let zeros = vec![0; 1 << 20];
        for compress in compressors() {
            let bomb = compress(&zeros);
            assert_eq!(read(&bomb, 1 << 20).map(|out| out.len()), Ok(1 << 20));
            let error = read(&bomb, (1 << 20) - 1).unwrap_err();
            assert!(error.contains("more than 1048575 bytes"), "{error}");
        }
    }

    #[test]
    fn a_whole_file_is_read_up_to_its_limit_and_can_be_read_again() {
        for compress in compressors() {
            let packed = compress(b"0123456789");
            let mut source = Cursor::new(packed.as_slice());
            for (bytes_max, expected) in [(10, Some(b"0123456789".to_vec())), (9, None), (0, None)] {
                assert_eq!(whole(&mut source, bytes_max).unwrap(), expected, "{bytes_max}");
                rewind(&mut source).unwrap();
            }
        }
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        // Of text that does not compress, so that the cut is in the middle of it.
        let mut seed = 1_u64;
        let mut noise = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        };
        let noise: Vec<u8> = (0..100_000).map(|_| noise()).collect();
        for compress in &compressors()[..4] {
            let whole = compress(&noise);
            for length in [7, whole.len() / 2, whole.len() - 1] {
                assert!(read(&whole[..length], 1 << 20).is_err(), "cut to {length} of {}", whole.len());
            }
        }
    }
}
