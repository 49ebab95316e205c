//! Layers of Windows images, as tars.
//!
//! What is special about them (<https://github.com/microsoft/go-winio>, `backuptar`; OCI image specification, `layer.md`):
//! `C:\` stands below `Files/`, hives of what a layer changed below `Hives/`, the utility virtual machine below `UtilityVM/`;
//! attributes and security descriptors are PAX records; an alternate data stream is an entry `path:stream`; a junction is a
//! link with the record `MSWINDOWS.mountpoint`; a hard link may point into a layer below.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Bytes of a tar's block.
const BLOCK: usize = 512;

/// One layer on its way.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    tar: Vec<u8>,
}

impl Layer {
    /// An empty layer.
    pub fn new() -> Layer {
        Layer::default()
    }

    /// A file, with the attributes that Windows gives every file.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Layer {
        self.pax(&[("MSWINDOWS.fileattr", "32"), ("MSWINDOWS.rawsd", "AQAAgA==")]);
        self.entry(path, b'0', "", content.as_ref());
        self
    }

    /// A directory.
    #[must_use]
    pub fn directory(mut self, path: &str) -> Layer {
        self.pax(&[("MSWINDOWS.fileattr", "16")]);
        self.entry(&format!("{}/", path.trim_end_matches('/')), b'5', "", b"");
        self
    }

    /// A hard link to a path of this layer or of one below.
    #[must_use]
    pub fn hard_link(mut self, path: &str, target: &str) -> Layer {
        self.entry(path, b'1', target, b"");
        self
    }

    /// A junction to a path as Windows writes it: `C:\Users`.
    #[must_use]
    pub fn junction(mut self, path: &str, target: &str) -> Layer {
        self.pax(&[("MSWINDOWS.mountpoint", "1")]);
        self.entry(path, b'2', target, b"");
        self
    }

    /// An alternate data stream of a file.
    #[must_use]
    pub fn stream(mut self, path: &str, stream: &str, content: impl AsRef<[u8]>) -> Layer {
        self.entry(&format!("{path}:{stream}"), b'0', "", content.as_ref());
        self
    }

    /// Removes what a layer below has at the path.
    #[must_use]
    pub fn whiteout(mut self, path: &str) -> Layer {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.entry(&format!("{directory}/.wh.{name}"), b'0', "", b"");
        self
    }

    /// PAX records for the next entry.
    #[must_use]
    pub fn records(mut self, records: &[(&str, &str)]) -> Layer {
        self.pax(records);
        self
    }

    /// The layer as a tar.
    pub fn tar(&self) -> Vec<u8> {
        let mut tar = self.tar.clone();
        tar.resize(tar.len() + 2 * BLOCK, 0);
        tar
    }

    /// The layer as it is stored: a tar in gzip.
    pub fn gzip(&self) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&self.tar()).expect("a vector takes everything");
        encoder.finish().expect("a vector takes everything")
    }

    fn pax(&mut self, records: &[(&str, &str)]) {
        let mut content = String::new();
        for (key, value) in records {
            // The length counts its own digits.
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            content.push_str(&format!("{length} {key}={value}\n"));
        }
        self.block("PaxHeaders.0/entry", b'x', "", content.len());
        self.content(content.as_bytes());
    }

    /// An entry; a name or a target that is longer than its field goes into a record.
    fn entry(&mut self, path: &str, kind: u8, target: &str, content: &[u8]) {
        if path.len() > 100 {
            self.pax(&[("path", path)]);
        }
        if target.len() > 100 {
            self.pax(&[("linkpath", target)]);
        }
        self.block(path, kind, target, content.len());
        self.content(content);
    }

    fn block(&mut self, path: &str, kind: u8, target: &str, size: usize) {
        let mut block = [0_u8; BLOCK];
        let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
        put(0, &path.as_bytes()[..path.len().min(100)]);
        put(100, b"0000644\0");
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{size:011o}\0").as_bytes());
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[kind]);
        put(157, &target.as_bytes()[..target.len().min(100)]);
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.tar.extend_from_slice(&block);
    }

    fn content(&mut self, content: &[u8]) {
        self.tar.extend_from_slice(content);
        self.tar.resize(self.tar.len().next_multiple_of(BLOCK), 0);
    }
}
