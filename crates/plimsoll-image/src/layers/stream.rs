//! A layer's bytes on their way: counted, hashed, inflated and held against the limits.

use std::io::{self, BufReader, Read};
use std::time::Instant;

use flate2::bufread::MultiGzDecoder;
use plimsoll_core::digest::{Algorithm, Digest};
use sha2::{Digest as _, Sha256, Sha512};

use super::Shared;

/// A layer's stored bytes, counted, hashed and cut off.
pub(super) struct Hashed<R> {
    pub(super) input: R,
    pub(super) hasher: Option<Hasher>,
    pub(super) count: u64,
    pub(super) max: u64,
    pub(super) is_cut: bool,
    /// The first error of `input`.
    pub(super) broken: Option<io::Error>,
}

impl<R> Hashed<R> {
    pub(super) fn new(input: R, hasher: Option<Hasher>, max: u64) -> Hashed<R> {
        Hashed { input, hasher, count: 0, max, is_cut: false, broken: None }
    }
}

impl<R: Read> Hashed<R> {
    fn input(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let result = self.input.read(buffer);
        match result {
            // The first one says what happened; those after it often only that something did.
            Err(error) if self.broken.is_none() && error.kind() != io::ErrorKind::Interrupted => {
                let again = io::Error::new(error.kind(), error.to_string());
                self.broken = Some(error);
                Err(again)
            }
            result => result,
        }
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.max - self.count).unwrap_or(usize::MAX);
        if left == 0 && !buffer.is_empty() {
            self.is_cut |= self.input(&mut [0])? > 0;
            return Ok(0);
        }
        let max = left.min(buffer.len());
        let count = self.input(&mut buffer[..max])?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        self.count += count as u64;
        Ok(count)
    }
}

/// A layer's unpacked bytes, counted, hashed where asked for, and held against the limits.
pub(super) struct Unpacked<'a, R> {
    pub(super) inflated: R,
    pub(super) hasher: Option<Hasher>,
    pub(super) count: u64,
    pub(super) shared: &'a Shared<'a>,
}

/// Reports how many stored bytes an inflater has been given.
pub(super) trait Stored {
    fn stored(&self) -> u64;
}

impl<R: Read + Stored> Read for Unpacked<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inflated.read(buffer)?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        self.count += count as u64;
        let limits = self.shared.limits;
        if self.count > limits.unpacked_bytes_max {
            let max = limits.unpacked_bytes_max;
            return Err(quota(format!("unpacks to more than {max} bytes (unpacked_bytes_max)")));
        }
        if self.count > limits.inflate_free_bytes
            && self.count / limits.inflate_ratio_max > self.inflated.stored()
        {
            let max = limits.inflate_ratio_max;
            return Err(quota(format!("unpacks to more than {max} times its size (inflate_ratio_max)")));
        }
        if self.shared.deadline.is_some_and(|deadline| Instant::now() > deadline) {
            let seconds = limits.time_max.as_secs();
            let message = format!("was not read within {seconds} seconds of the image's start (time_max)");
            return Err(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        Ok(count)
    }
}

pub(super) fn quota(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::QuotaExceeded, message)
}

/// How a layer is stored. Decided by its first bytes: media types are often wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

/// An inflater over a layer's stored bytes.
pub(super) enum Inflated<'a, R: Read> {
    None(&'a mut BufReader<Hashed<R>>),
    Gzip(Box<MultiGzDecoder<&'a mut BufReader<Hashed<R>>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, &'a mut BufReader<Hashed<R>>>>),
}

impl Compression {
    pub(super) fn of(start: &[u8]) -> Compression {
        match start {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            // A frame, or a skippable frame as zstd:chunked writes them.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            _ => Compression::None,
        }
    }

    pub(super) fn open<R: Read>(self, stored: &mut BufReader<Hashed<R>>) -> io::Result<Inflated<'_, R>> {
        Ok(match self {
            Compression::None => Inflated::None(stored),
            Compression::Gzip => Inflated::Gzip(Box::new(MultiGzDecoder::new(stored))),
            Compression::Zstd => Inflated::Zstd(Box::new(zstd::stream::read::Decoder::with_buffer(stored)?)),
        })
    }
}

impl<R: Read> Read for Inflated<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Inflated::None(stored) => stored.read(buffer),
            Inflated::Gzip(decoder) => decoder.read(buffer),
            Inflated::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

impl<R: Read> Stored for Inflated<'_, R> {
    fn stored(&self) -> u64 {
        match self {
            Inflated::None(stored) => stored.get_ref().count,
            Inflated::Gzip(decoder) => decoder.get_ref().get_ref().count,
            Inflated::Zstd(decoder) => decoder.get_ref().get_ref().count,
        }
    }
}

/// A running hash.
#[derive(Debug)]
pub(crate) enum Hasher {
    Sha256(Box<Sha256>),
    Sha512(Box<Sha512>),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Hasher {
        match algorithm {
            Algorithm::Sha256 => Hasher::Sha256(Box::default()),
            Algorithm::Sha512 => Hasher::Sha512(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn digest(self) -> Digest {
        match self {
            Hasher::Sha256(hasher) => Digest::sha256(&hasher.finalize().into()),
            Hasher::Sha512(hasher) => Digest::sha512(&hasher.finalize().into()),
        }
    }
}
