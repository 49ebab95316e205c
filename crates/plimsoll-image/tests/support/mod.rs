//! Layers built from nothing, for tests.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use plimsoll_core::digest::Digest;
use sha2::{Digest as _, Sha256};

/// A tar under construction.
#[derive(Clone, Default)]
pub(crate) struct Layer {
    bytes: Vec<u8>,
}

impl Layer {
    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Layer {
        self.entry(path, b'0', "", 0o644, content.as_ref())
    }

    pub(crate) fn directory(self, path: &str) -> Layer {
        self.entry(path, b'5', "", 0o755, b"")
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Layer {
        self.entry(path, b'2', target, 0o777, b"")
    }

    pub(crate) fn hard_link(self, path: &str, target: &str) -> Layer {
        self.entry(path, b'1', target, 0o644, b"")
    }

    fn entry(mut self, path: &str, kind: u8, link: &str, mode: u32, content: &[u8]) -> Layer {
        let mut block = [0; 512];
        block[..path.len()].copy_from_slice(path.as_bytes());
        block[100..108].copy_from_slice(format!("{mode:07o}\0").as_bytes());
        block[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        block[148..156].fill(b' ');
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link.as_bytes());
        block[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        self.bytes.extend_from_slice(&block);
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn tar(mut self) -> Vec<u8> {
        self.bytes.extend_from_slice(&[0; 1024]);
        self.bytes
    }

    pub(crate) fn gzip(self) -> Vec<u8> {
        gzip(&self.tar())
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn digest(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}
