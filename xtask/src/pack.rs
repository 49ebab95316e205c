//! Writes tar and zip files and OCI image layouts, the same bytes for the same content: no times, no owners.
//!
//! What goes in is ours, so nothing is checked that a reader of strangers' archives would check.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use flate2::{Compression, Crc, write::GzEncoder};
use sha2::{Digest as _, Sha256};

/// Writes a tar: ustar, with a GNU long name where a path needs one.
pub(crate) struct TarWriter<W> {
    out: W,
}

const TAR_BLOCK: usize = 512;

impl<W: Write> TarWriter<W> {
    pub(crate) fn new(out: W) -> TarWriter<W> {
        TarWriter { out }
    }

    /// Adds a directory; the path without a slash at the end.
    pub(crate) fn directory(&mut self, path: &str) -> io::Result<()> {
        self.entry(&format!("{path}/"), b'5', 0o755, &[])
    }

    /// Adds a file.
    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.entry(path, b'0', mode, content)
    }

    fn entry(&mut self, path: &str, kind: u8, mode: u32, content: &[u8]) -> io::Result<()> {
        if path.len() > 100 {
            self.entry("././@LongLink", b'L', 0o644, format!("{path}\0").as_bytes())?;
        }
        let mut header = [0; TAR_BLOCK];
        let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
        put(0, &path.as_bytes()[..path.len().min(100)]);
        put(100, format!("{mode:07o}").as_bytes());
        for at in [108, 116] {
            put(at, b"0000000");
        }
        put(124, format!("{:011o}", content.len()).as_bytes());
        put(136, b"00000000000");
        put(148, b"        ");
        put(156, &[kind]);
        put(257, b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.out.write_all(&header)?;
        self.out.write_all(content)?;
        self.out.write_all(&[0; TAR_BLOCK][..content.len().next_multiple_of(TAR_BLOCK) - content.len()])
    }

    /// Ends the archive and hands the stream back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * TAR_BLOCK])?;
        Ok(self.out)
    }
}

/// Writes a zip whose entries are stored as they are.
pub(crate) fn zip(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, content) in entries {
        let mut crc = Crc::new();
        crc.update(content);
        let size = length(content.len());
        let name_length = u16::try_from(name.len()).expect("names are short").to_le_bytes();
        // What local and central header share: version, flags, method, time and date (1980-01-01), sums, sizes.
        let mut shared = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0];
        shared.extend([crc.sum().to_le_bytes(), size, size].concat());
        shared.extend(name_length);
        shared.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\0");
        directory.extend(&shared);
        directory.extend([0; 10]);
        directory.extend(length(out.len()));
        directory.extend(name.as_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&shared);
        out.extend(name.as_bytes());
        out.extend(content);
    }
    let count = u16::try_from(entries.len()).expect("entries are few").to_le_bytes();
    let (start, size) = (length(out.len()), length(directory.len()));
    out.extend(directory);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count, count].concat());
    out.extend([size, start].concat());
    out.extend([0, 0]);
    out
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("what is packed here is small").to_le_bytes()
}

/// Counts and hashes what goes through.
pub(crate) struct Hashing<W> {
    inner: W,
    hasher: Sha256,
    count: u64,
}

impl<W> Hashing<W> {
    pub(crate) fn new(inner: W) -> Hashing<W> {
        Hashing { inner, hasher: Sha256::new(), count: 0 }
    }

    fn finish(self) -> (W, String, u64) {
        (self.inner, hex(&self.hasher.finalize()), self.count)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        self.count += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A blob that stands in a layout.
struct Blob {
    digest: String,
    size: u64,
}

/// An OCI image layout in the making.
pub(crate) struct Layout<'a> {
    folder: &'a Path,
    layers: Vec<Blob>,
    diff_ids: Vec<String>,
}

/// The stream that a layer's tar goes into.
pub(crate) type LayerStream = Hashing<GzEncoder<Hashing<io::BufWriter<fs::File>>>>;

impl<'a> Layout<'a> {
    /// Begins a layout in an empty folder, which is made.
    pub(crate) fn new(folder: &'a Path) -> anyhow::Result<Layout<'a>> {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).with_context(|| format!("cannot make `{}`", blobs.display()))?;
        Ok(Layout { folder, layers: Vec::new(), diff_ids: Vec::new() })
    }

    /// Adds a layer, gzipped; what `fill` writes is its tar.
    pub(crate) fn layer(
        &mut self,
        compression: Compression,
        fill: impl FnOnce(&mut TarWriter<LayerStream>) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let aside = self.folder.join("layer.part");
        let file = io::BufWriter::with_capacity(1 << 20, fs::File::create(&aside)?);
        let stream = Hashing::new(GzEncoder::new(Hashing::new(file), compression));
        let mut tar = TarWriter::new(stream);
        fill(&mut tar)?;
        let (stream, diff_id, _) = tar.finish()?.finish();
        let (mut file, digest, size) = stream.finish()?.finish();
        file.flush()?;
        fs::rename(&aside, self.blob_path(&digest))?;
        self.layers.push(Blob { digest, size });
        self.diff_ids.push(format!("\"sha256:{diff_id}\""));
        Ok(())
    }

    /// Writes config, manifest and index. The image is for an operating system and amd64.
    pub(crate) fn finish(self, os: &str, tag: &str) -> anyhow::Result<()> {
        const OCI: &str = "application/vnd.oci.image";
        let config = self.blob(&format!(
            "{{\"architecture\":\"amd64\",\"os\":\"{os}\",\"config\":{{}},\"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[{}]}}}}",
            self.diff_ids.join(",")
        ))?;
        let descriptor = |kind: &str, blob: &Blob, rest: &str| {
            let Blob { digest, size } = blob;
            format!("{{\"mediaType\":\"{OCI}.{kind}\",\"digest\":\"sha256:{digest}\",\"size\":{size}{rest}}}")
        };
        let layers: Vec<String> =
            self.layers.iter().map(|layer| descriptor("layer.v1.tar+gzip", layer, "")).collect();
        let manifest = self.blob(&format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{OCI}.manifest.v1+json\",\"config\":{},\"layers\":[{}]}}",
            descriptor("config.v1+json", &config, ""),
            layers.join(",")
        ))?;
        let name = format!(",\"annotations\":{{\"org.opencontainers.image.ref.name\":\"{tag}\"}}");
        let index = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{OCI}.index.v1+json\",\"manifests\":[{}]}}",
            descriptor("manifest.v1+json", &manifest, &name)
        );
        fs::write(self.folder.join("index.json"), index)?;
        fs::write(self.folder.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}")?;
        Ok(())
    }

    fn blob(&self, text: &str) -> io::Result<Blob> {
        let digest = hex(&Sha256::digest(text));
        fs::write(self.blob_path(&digest), text)?;
        Ok(Blob { digest, size: text.len() as u64 })
    }

    fn blob_path(&self, digest: &str) -> std::path::PathBuf {
        self.folder.join("blobs/sha256").join(digest)
    }
}
