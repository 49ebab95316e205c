//! Compressing the bodies of advisories so that one can be read without the others.
//!
//! Bodies are much alike and short, so small frames alone compress badly and large ones cost a reader what it
//! does not want. They are therefore compressed twice: as they come, quickly and in large *chunks*, to hold
//! them in little memory; and when all are there, in small *frames* that share a dictionary made from a sample
//! of all of them.

use std::io;

use zstd::bulk::{Compressor, Decompressor};

use super::format::{self, Reader, put_text};

/// Where a chunk is closed.
const CHUNK_BYTES: usize = 256 << 10;

/// Compression of chunks, which are read once.
const CHUNK_LEVEL: i32 = 1;

/// Compression of frames. On prose 6 takes a twentieth off 3's size, 9 less than a hundredth more.
const FRAME_LEVEL: i32 = 6;

/// Most bytes that the dictionary is made from.
const SAMPLE_BYTES_MAX: usize = 6 << 20;

/// Bodies of fewer bytes have no dictionary: there is too little to learn from.
const SAMPLE_BYTES_MIN: usize = 256 << 10;

/// Bodies on their way into a database, numbered as they come.
#[derive(Default)]
pub(super) struct Bodies {
    chunks: Vec<Chunk>,
    open: Vec<u8>,
    compressor: Option<Compressor<'static>>,
}

struct Chunk {
    compressed: Vec<u8>,
    inflated_bytes: usize,
}

/// Bodies as the database has them.
#[derive(Default)]
pub(super) struct Frames {
    /// What all frames are compressed with; empty for nothing.
    pub(super) dictionary: Vec<u8>,
    pub(super) table: Vec<Frame>,
    pub(super) bytes: Vec<u8>,
}

/// Where a frame begins.
pub(super) struct Frame {
    pub(super) offset: usize,
    pub(super) first_advisory: u32,
    pub(super) inflated_bytes: usize,
}

impl Bodies {
    /// Adds the next body.
    pub(super) fn push(&mut self, body: &[u8]) -> io::Result<()> {
        put_text(&mut self.open, body);
        if self.open.len() >= CHUNK_BYTES { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> io::Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let compressor = match &mut self.compressor {
            Some(compressor) => compressor,
            none => none.insert(Compressor::new(CHUNK_LEVEL)?),
        };
        let compressed = compressor.compress(&self.open)?;
        self.chunks.push(Chunk { compressed, inflated_bytes: self.open.len() });
        self.open.clear();
        Ok(())
    }

    /// Compresses all bodies for good. Each chunk is let go as its frames are made.
    pub(super) fn finish(mut self) -> io::Result<Frames> {
        self.close()?;
        let mut inflater = Decompressor::new()?;
        let dictionary = self.dictionary(&mut inflater)?;
        let mut writer = FrameWriter {
            compressor: Compressor::with_dictionary(FRAME_LEVEL, &dictionary)?,
            open: Vec::new(),
            first: 0,
            frames: Frames { dictionary, ..Frames::default() },
        };
        let mut number = 0;
        for chunk in self.chunks {
            let inflated = inflater.decompress(&chunk.compressed, chunk.inflated_bytes)?;
            each_body(&inflated, |body| {
                writer.push(number, body)?;
                number += 1;
                Ok(())
            })?;
        }
        writer.close()?;
        Ok(writer.frames)
    }

    /// Learns from bodies that are spread evenly over all.
    fn dictionary(&self, inflater: &mut Decompressor<'static>) -> io::Result<Vec<u8>> {
        let total: usize = self.chunks.iter().map(|chunk| chunk.inflated_bytes).sum();
        if total < SAMPLE_BYTES_MIN {
            return Ok(Vec::new());
        }
        let one_in = total.div_ceil(SAMPLE_BYTES_MAX);
        let (mut samples, mut sizes, mut number) = (Vec::new(), Vec::new(), 0);
        for chunk in &self.chunks {
            let inflated = inflater.decompress(&chunk.compressed, chunk.inflated_bytes)?;
            each_body(&inflated, |body| {
                if number % one_in == 0 && samples.len() + body.len() <= SAMPLE_BYTES_MAX {
                    samples.extend_from_slice(body);
                    sizes.push(body.len());
                }
                number += 1;
                Ok(())
            })?;
        }
        // Bodies that have nothing in common teach nothing, which is no error.
        Ok(zstd::dict::from_continuous(&samples, &sizes, format::DICTIONARY_BYTES_MAX).unwrap_or_default())
    }
}

fn each_body(inflated: &[u8], mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut reader = Reader(inflated);
    while !reader.is_empty() {
        each(reader.text(format::BODY_BYTES_MAX).ok_or(io::ErrorKind::InvalidData)?)?;
    }
    Ok(())
}

struct FrameWriter {
    compressor: Compressor<'static>,
    open: Vec<u8>,
    first: u32,
    frames: Frames,
}

impl FrameWriter {
    fn push(&mut self, number: u32, body: &[u8]) -> io::Result<()> {
        if !self.open.is_empty() && self.open.len() + body.len() > format::FRAME_TARGET_BYTES {
            self.close()?;
        }
        if self.open.is_empty() {
            self.first = number;
        }
        put_text(&mut self.open, body);
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let offset = self.frames.bytes.len();
        let (first_advisory, inflated_bytes) = (self.first, self.open.len());
        self.frames.table.push(Frame { offset, first_advisory, inflated_bytes });
        let compressed = self.compressor.compress(&self.open)?;
        self.frames.bytes.extend_from_slice(&compressed);
        self.open.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(number: u32) -> Vec<u8> {
        let word = number.wrapping_mul(2_654_435_761);
        format!(
            "A flaw in component {word:x} lets a remote attacker of level {} read memory {word:o}.",
            number % 7
        )
        .repeat(3)
        .into_bytes()
    }

    fn frames(count: u32) -> Frames {
        let mut bodies = Bodies::default();
        for number in 0..count {
            bodies.push(&body(number)).unwrap();
        }
        bodies.finish().unwrap()
    }

    #[test]
    fn every_body_is_in_its_frame() {
        for (count, has_dictionary) in [(0, false), (1, false), (5_000, true)] {
            let Frames { dictionary, table, bytes } = frames(count);
            assert_eq!(!dictionary.is_empty(), has_dictionary, "{count}");
            let mut inflater = Decompressor::with_dictionary(&dictionary).unwrap();
            let mut number = 0;
            for (index, frame) in table.iter().enumerate() {
                assert_eq!(frame.first_advisory, number);
                let end = table.get(index + 1).map_or(bytes.len(), |next| next.offset);
                let inflated = inflater.decompress(&bytes[frame.offset..end], frame.inflated_bytes).unwrap();
                each_body(&inflated, |found| {
                    assert_eq!(found, body(number));
                    number += 1;
                    Ok(())
                })
                .unwrap();
            }
            assert_eq!(number, count);
        }
    }

    #[test]
    fn the_same_bodies_give_the_same_bytes() {
        let (one, two) = (frames(5_000), frames(5_000));
        assert_eq!((one.dictionary, one.bytes), (two.dictionary, two.bytes));
    }
}
