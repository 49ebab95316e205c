//! A synthetic image of the size and the kinds of content of a real one: the same bytes every time.
//!
//! Packages are as many as a large application image has; what fills it up compresses about as well as
//! programs do.

use std::io::{self, Write};
use std::path::Path;

use flate2::Compression;

use crate::pack::{Layout, TarWriter, zip};

/// What a layer is filled with beside packages, in mebibytes, for an image of size 1.
static LAYERS: &[Layer] = &[
    Layer { fill: os, mebibytes: 110 },
    Layer { fill: node, mebibytes: 280 },
    Layer { fill: python, mebibytes: 120 },
    Layer { fill: java, mebibytes: 60 },
    Layer { fill: ruby, mebibytes: 60 },
    Layer { fill: nothing, mebibytes: 20 },
];

struct Layer {
    fill: fn(&mut Filler<'_>) -> io::Result<()>,
    mebibytes: usize,
}

/// Makes the layout, `scale` times as large as usual, with `scale` times as many layers of fillers.
pub(super) fn write(folder: &Path, scale: usize) -> anyhow::Result<()> {
    let mut layout = Layout::new(folder)?;
    for round in 0..scale {
        for (index, layer) in LAYERS.iter().enumerate() {
            layout.layer(Compression::default(), |tar| {
                let mut filler = Filler { tar, seed: (round * 100 + index) as u64 };
                if round == 0 {
                    (layer.fill)(&mut filler)?;
                }
                filler.libraries(&format!("opt/fill/{round}-{index}"), layer.mebibytes)
            })?;
        }
    }
    layout.finish("linux", "bench")
}

pub(super) struct Filler<'a> {
    pub(super) tar: &'a mut dyn Entries,
    pub(super) seed: u64,
}

/// A tar of any stream.
pub(super) trait Entries {
    fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()>;
}

impl<W: Write> Entries for TarWriter<W> {
    fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        TarWriter::file(self, path, mode, content)
    }
}

impl Filler<'_> {
    /// The next of a row of numbers (splitmix64).
    fn next(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Bytes that gzip to about 36 %: a run of noise, then pieces of what came before.
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 64);
        while bytes.len() < length {
            for _ in 0..2 {
                bytes.extend(self.next().to_le_bytes());
            }
            bytes.extend(&self.next().to_le_bytes()[..4]);
            let piece = 24 + (self.next() % 40) as usize;
            let back = piece + (self.next() % 8_000) as usize;
            let start = bytes.len().saturating_sub(back);
            bytes.extend_from_within(start..(start + piece).min(bytes.len()));
        }
        bytes.truncate(length);
        bytes
    }

    fn file(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.tar.file(path, 0o644, content)
    }

    /// Files of 1 to 8 MiB, every fourth an ELF program without sections, as stripped ones look to a cataloger.
    pub(super) fn libraries(&mut self, folder: &str, mebibytes: usize) -> io::Result<()> {
        let mut left = mebibytes;
        let mut number = 0;
        while left > 0 {
            let size = (1 + (self.next() % 8) as usize).min(left);
            left -= size;
            number += 1;
            let mut content = self.bytes(size << 20);
            let is_program = number % 4 == 0;
            if is_program {
                content[..64].copy_from_slice(&elf_header());
            }
            let mode = if is_program { 0o755 } else { 0o644 };
            self.tar.file(&format!("{folder}/lib{number}.so"), mode, &content)?;
        }
        Ok(())
    }
}

/// Header of a 64-bit little-endian program for x86-64 with neither segments nor sections.
fn elf_header() -> [u8; 64] {
    let mut header = [0; 64];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    header[16] = 2;
    header[18] = 62;
    header[20] = 1;
    header[52] = 64;
    header[54] = 56;
    header[58] = 64;
    header
}

fn os(filler: &mut Filler<'_>) -> io::Result<()> {
    let release = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
    filler.file("etc/os-release", release.as_bytes())?;
    let mut status = String::new();
    for number in 0..400 {
        status += &format!(
            "Package: binary-{number}\nStatus: install ok installed\nPriority: optional\nSection: libs\n\
             Installed-Size: {}\nMaintainer: Somebody <somebody@example.org>\nArchitecture: amd64\n\
             Source: source-{}\nVersion: {}.{}-{}\nDepends: libc6 (>= 2.34), libgcc-s1 (>= 3.0)\n\
             Description: a library of number {number}\n It does what libraries of that number do.\n\n",
            filler.next() % 9_000,
            filler.next() % 20_000,
            filler.next() % 9 + 1,
            filler.next() % 40,
            number % 7 + 1,
        );
    }
    filler.file("var/lib/dpkg/status", status.as_bytes())?;
    for number in 0..400 {
        let list: String = (0..20).map(|file| format!("/usr/lib/binary-{number}/file-{file}\n")).collect();
        filler.file(&format!("var/lib/dpkg/info/binary-{number}.list"), list.as_bytes())?;
    }
    Ok(())
}

fn node(filler: &mut Filler<'_>) -> io::Result<()> {
    for number in 0..1_600 {
        let folder = format!("srv/app/node_modules/package-{number}");
        let (major, minor) = (filler.next() % 20 + 1, filler.next() % 30);
        let manifest = format!(
            "{{\n  \"name\": \"package-{number}\",\n  \"version\": \"{major}.{minor}.0\",\n  \"license\": \"MIT\",\n  \
             \"main\": \"index.js\",\n  \"scripts\": {{ \"test\": \"node test\" }},\n  \"dependencies\": {{ \"package-{}\": \"^1.0.0\" }}\n}}\n",
            filler.next() % 20_000
        );
        filler.file(&format!("{folder}/package.json"), manifest.as_bytes())?;
        for file in 0..6 {
            let size = 500 + (filler.next() % 8_000) as usize;
            let content = filler.bytes(size);
            filler.file(&format!("{folder}/lib/{file}.js"), &content)?;
        }
    }
    Ok(())
}

fn python(filler: &mut Filler<'_>) -> io::Result<()> {
    for number in 0..250 {
        let (major, minor) = (filler.next() % 20 + 1, filler.next() % 30);
        let folder = format!("usr/lib/python3/dist-packages/package_{number}-{major}.{minor}.0.dist-info");
        let metadata = format!(
            "Metadata-Version: 2.1\nName: package-{number}\nVersion: {major}.{minor}.0\nLicense: MIT\n\n{}",
            "A long description. ".repeat(200)
        );
        filler.file(&format!("{folder}/METADATA"), metadata.as_bytes())?;
        let record: String = (0..60)
            .map(|file| format!("package_{number}/file_{file}.py,sha256={file:043},{file}\n"))
            .collect();
        filler.file(&format!("{folder}/RECORD"), record.as_bytes())?;
    }
    Ok(())
}

fn java(filler: &mut Filler<'_>) -> io::Result<()> {
    for number in 0..60 {
        let (major, minor) = (filler.next() % 20 + 1, filler.next() % 30);
        let group = format!("org.example.group{}", number % 500);
        let artifact = format!("artifact-{number}");
        let properties = format!("groupId={group}\nartifactId={artifact}\nversion={major}.{minor}.0\n");
        let mut entries = vec![
            ("META-INF/MANIFEST.MF".to_owned(), b"Manifest-Version: 1.0\r\n\r\n".to_vec()),
            (format!("META-INF/maven/{group}/{artifact}/pom.properties"), properties.into_bytes()),
        ];
        for class in 0..300 {
            entries.push((format!("org/example/Class{class}.class"), filler.bytes(1_500)));
        }
        filler.file(&format!("opt/java/lib/{artifact}-{major}.{minor}.0.jar"), &zip(&entries))?;
    }
    Ok(())
}

fn ruby(filler: &mut Filler<'_>) -> io::Result<()> {
    for number in 0..150 {
        let version = format!("{}.{}.0", filler.next() % 20 + 1, filler.next() % 30);
        let specification = format!(
            "Gem::Specification.new do |s|\n  s.name = \"gem-{number}\".freeze\n  s.version = \"{version}\"\n  \
             s.licenses = [\"MIT\".freeze]\n  s.summary = \"A gem\".freeze\nend\n"
        );
        let path = format!("usr/local/lib/ruby/gems/3.3.0/specifications/gem-{number}-{version}.gemspec");
        filler.file(&path, specification.as_bytes())?;
    }
    Ok(())
}

fn nothing(_: &mut Filler<'_>) -> io::Result<()> {
    Ok(())
}
