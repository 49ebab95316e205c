//! Layers: a list of entries, written as a tar or laid over a folder.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

/// One layer.
#[derive(Clone, Default)]
pub(crate) struct Layer {
    entries: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    path: String,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    File(Vec<u8>),
    Symlink(String),
    Whiteout,
}

impl Layer {
    pub(crate) fn new() -> Layer {
        Layer::default()
    }

    pub(crate) fn file(self, path: &str, content: impl Into<Vec<u8>>) -> Layer {
        self.entry(path, Kind::File(content.into()))
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Layer {
        self.entry(path, Kind::Symlink(target.to_owned()))
    }

    /// Removes what a lower layer has at the path.
    pub(crate) fn whiteout(self, path: &str) -> Layer {
        self.entry(path, Kind::Whiteout)
    }

    fn entry(mut self, path: &str, kind: Kind) -> Layer {
        self.entries.push(Entry { path: path.to_owned(), kind });
        self
    }

    /// The layer as a tar.
    pub(crate) fn tar(&self) -> Vec<u8> {
        let mut tar = Vec::new();
        for Entry { path, kind } in &self.entries {
            match kind {
                Kind::File(content) => append(&mut tar, path, b'0', "", content),
                Kind::Symlink(target) => append(&mut tar, path, b'2', target, b""),
                Kind::Whiteout => {
                    let (folder, name) = path.rsplit_once('/').unwrap();
                    append(&mut tar, &format!("{folder}/.wh.{name}"), b'0', "", b"");
                }
            }
        }
        tar.resize(tar.len() + 1024, 0);
        tar
    }

    /// Lays the layer over a folder as a runtime would.
    pub(crate) fn lay_over(&self, folder: &Path) {
        for Entry { path, kind } in &self.entries {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match kind {
                Kind::File(content) => fs::write(path, content).unwrap(),
                Kind::Symlink(target) => std::os::unix::fs::symlink(target, path).unwrap(),
                Kind::Whiteout => fs::remove_dir_all(&path).or_else(|_| fs::remove_file(&path)).unwrap(),
            }
        }
    }
}

/// Appends an entry (POSIX.1-1988 ustar).
fn append(tar: &mut Vec<u8>, path: &str, kind: u8, link: &str, content: &[u8]) {
    let mut block = [0; 512];
    block[..path.len()].copy_from_slice(path.as_bytes());
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
    block[148..156].fill(b' ');
    block[156] = kind;
    block[157..157 + link.len()].copy_from_slice(link.as_bytes());
    block[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    tar.extend_from_slice(&block);
    tar.extend_from_slice(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

/// Wraps bytes into a gzip. Not compressed, so that digests in snapshots don't depend on a compressor's version.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
