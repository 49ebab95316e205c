//! What `plimsoll serve --demo` shows: images of several kinds, and the feeds that they are held against, packed into
//! `examples/demo/harbour.zip`.
//!
//! The archive has `blobs/DIGEST`, `feeds/..`, `policies/..`, `config.toml` and `tags.json`. An image is a row. Nothing is
//! compressed: the bytes must not change with the next version of the compressor.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use plimsoll_testkit::hive::Hive;
use plimsoll_testkit::layer::Layer as WindowsLayer;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::files;
use crate::pack::{TarWriter, hex, zip};

/// Where the archive is, below the root.
pub(super) const ARCHIVE: &str = "examples/demo/harbour.zip";

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const CHART_CONFIG: &str = "application/vnd.cncf.helm.config.v1+json";
const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// Where a layer's files come from.
enum Files {
    /// A folder of `examples/source`.
    Folder(&'static str),
    /// One file, so that the layer is like no other.
    Note(&'static str),
    /// What a Windows base layer has of a build and a revision: the registry, and the program of IIS.
    Windows(u32, u32),
}

/// An image: its place, its platform, and its layers with the commands that made them.
struct Image {
    /// Which of the demo's registries has it; those are rows of the binary.
    registry: &'static str,
    repository: &'static str,
    tag: &'static str,
    os: &'static str,
    os_version: Option<&'static str>,
    architecture: &'static str,
    layers: &'static [(&'static str, Files)],
}

/// An image for Linux on amd64.
const LINUX: Image = Image {
    registry: "harbour",
    repository: "",
    tag: "",
    os: "linux",
    os_version: None,
    architecture: "amd64",
    layers: &[],
};

const BASE: (&str, Files) = ("ADD alpine-minirootfs.tar.gz / # buildkit", Files::Folder("base"));
const OLD: (&str, Files) = ("COPY srv /srv # buildkit", Files::Folder("app"));
const NEXT: (&str, Files) = ("COPY srv /srv # buildkit", Files::Folder("app-next"));
const DEBIAN: (&str, Files) = ("ADD rootfs.tar.xz / # buildkit", Files::Folder("debian"));
const WINDOWS: (&str, Files) = ("Apply image 10.0.20348.2402", Files::Windows(20348, 2402));

static IMAGES: &[Image] = &[
    Image { repository: "shop/web", tag: "1.0", layers: &[BASE, OLD], ..LINUX },
    Image { repository: "shop/web", tag: "1.1", layers: &[BASE, NEXT], ..LINUX },
    Image { repository: "shop/web", tag: "1.1-arm64", architecture: "arm64", layers: &[BASE, NEXT], ..LINUX },
    Image {
        repository: "shop/web",
        tag: "1.1-windows",
        os: "windows",
        os_version: Some("10.0.20348.2402"),
        layers: &[WINDOWS, ("COPY srv C:/srv # buildkit", Files::Note("Files/srv/shop.txt"))],
        ..LINUX
    },
    Image {
        repository: "windows/iis",
        tag: "ltsc2022",
        os: "windows",
        os_version: Some("10.0.20348.2402"),
        layers: &[WINDOWS],
        ..LINUX
    },
    // Its gem is of an ecosystem whose feed is off: a gap.
    Image {
        repository: "shop/worker",
        tag: "2.3",
        layers: &[BASE, ("RUN gem install rack -v 2.2.8 # buildkit", Files::Folder("gem"))],
        ..LINUX
    },
    // Its feed is on its way.
    Image { repository: "shop/billing", tag: "7", layers: &[DEBIAN], ..LINUX },
    // Nothing says which system it is.
    Image {
        repository: "tools/static",
        tag: "1",
        layers: &[("COPY hello.txt /srv # buildkit", Files::Folder("static"))],
        ..LINUX
    },
    // One is on its way, and one stands behind it.
    Image {
        registry: "slow",
        repository: "yard/hull",
        tag: "1",
        layers: &[BASE, ("COPY hull /srv # buildkit", Files::Note("srv/hull.txt"))],
        ..LINUX
    },
    Image {
        registry: "slow",
        repository: "yard/keel",
        tag: "1",
        layers: &[BASE, ("COPY keel /srv # buildkit", Files::Note("srv/keel.txt"))],
        ..LINUX
    },
    Image {
        registry: "busy",
        repository: "quay/crowded",
        tag: "1",
        layers: &[BASE, ("COPY crowded /srv # buildkit", Files::Note("srv/crowded.txt"))],
        ..LINUX
    },
    Image {
        registry: "damaged",
        repository: "wreck/mast",
        tag: "1",
        layers: &[BASE, ("COPY mast /srv # buildkit", Files::Note("srv/mast.txt"))],
        ..LINUX
    },
];

/// What `shop/web:latest` leads to.
static LATEST: &[&str] = &["1.1", "1.1-arm64", "1.1-windows"];

/// The archive's bytes.
pub(super) fn pack(root: &Path) -> anyhow::Result<Vec<u8>> {
    let mut harbour = Harbour::default();
    let mut of_index = Vec::new();
    for image in IMAGES {
        let manifest = harbour.image(&root.join("examples/source"), image)?;
        harbour.name(image.registry, image.repository, image.tag, &manifest);
        if image.repository == "shop/web" && LATEST.contains(&image.tag) {
            of_index.push(with_platform(manifest, image));
        }
    }
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": of_index});
    let index = harbour.document(INDEX, &index);
    harbour.name("harbour", "shop/web", "latest", &index);
    let chart = harbour.chart();
    harbour.name("harbour", "charts/web", "1.1", &chart);

    let mut entries: Vec<(String, Vec<u8>)> =
        harbour.blobs.into_iter().map(|(digest, bytes)| (format!("blobs/{digest}"), bytes)).collect();
    let demo = root.join("examples/demo");
    let sources = [
        ("feeds", root.join("examples/feeds")),
        ("feeds", demo.join("feeds")),
        ("policies", demo.join("policies")),
    ];
    for (name, folder) in sources {
        let found = files(&folder)?.into_iter();
        entries.extend(found.filter_map(|(path, bytes)| Some((format!("{name}/{path}"), bytes?))));
    }
    entries.push(("config.toml".to_owned(), fs::read(demo.join("config.toml"))?));
    entries.push(("tags.json".to_owned(), pretty(&Value::Array(harbour.tags))));
    entries.sort();
    Ok(zip(&entries))
}

/// Blobs by digest, and what they are called.
#[derive(Default)]
struct Harbour {
    blobs: BTreeMap<String, Vec<u8>>,
    tags: Vec<Value>,
}

impl Harbour {
    /// Adds an image; its manifest's descriptor.
    fn image(&mut self, source: &Path, image: &Image) -> anyhow::Result<Value> {
        let (mut layers, mut diff_ids, mut history) = (Vec::new(), Vec::new(), Vec::new());
        for (command, files) in image.layers {
            let tar = tar(source, files).with_context(|| format!("the layer of `{command}`"))?;
            diff_ids.push(format!("sha256:{}", hex(&Sha256::digest(&tar))));
            history.push(json!({"created_by": command}));
            let mut stored = GzEncoder::new(Vec::new(), Compression::none());
            stored.write_all(&tar)?;
            layers.push(self.blob(LAYER, stored.finish()?));
        }
        let mut config = json!({
            "os": image.os,
            "architecture": image.architecture,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": history,
        });
        if let Some(version) = image.os_version {
            config["os.version"] = json!(version);
        }
        let config = self.blob(CONFIG, config.to_string().into_bytes());
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        Ok(self.document(MANIFEST, &manifest))
    }

    /// Adds a Helm chart: an artifact in a registry of images that is none.
    fn chart(&mut self) -> Value {
        let config = json!({"name": "web", "version": "1.1.0", "apiVersion": "v2", "type": "application"});
        let config = self.blob(CHART_CONFIG, config.to_string().into_bytes());
        let content = self.blob(CHART, b"of a chart nobody reads more than its kind".to_vec());
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [content]});
        self.document(MANIFEST, &manifest)
    }

    fn document(&mut self, media_type: &str, document: &Value) -> Value {
        self.blob(media_type, document.to_string().into_bytes())
    }

    /// Adds bytes; their descriptor.
    fn blob(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let (digest, size) = (format!("sha256:{}", hex(&Sha256::digest(&bytes))), bytes.len());
        self.blobs.insert(digest.clone(), bytes);
        json!({"mediaType": media_type, "digest": digest, "size": size})
    }

    fn name(&mut self, registry: &str, repository: &str, tag: &str, descriptor: &Value) {
        self.tags.push(json!({
            "registry": registry,
            "repository": repository,
            "tag": tag,
            "digest": descriptor["digest"],
        }));
    }
}

fn with_platform(mut descriptor: Value, image: &Image) -> Value {
    descriptor["platform"] = json!({"os": image.os, "architecture": image.architecture});
    if let Some(version) = image.os_version {
        descriptor["platform"]["os.version"] = json!(version);
    }
    descriptor
}

fn tar(source: &Path, of: &Files) -> anyhow::Result<Vec<u8>> {
    let mut tar = TarWriter::new(Vec::new());
    match of {
        Files::Folder(name) => {
            for (path, content) in files(&source.join(name))? {
                match content {
                    None => tar.directory(&path)?,
                    Some(content) => tar.file(&path, 0o644, &content)?,
                }
            }
        }
        Files::Note(path) => tar.file(path, 0o644, format!("The layer with {path}.\n").as_bytes())?,
        Files::Windows(build, revision) => return Ok(windows(*build, *revision)),
    }
    Ok(tar.finish()?)
}

fn windows(build: u32, revision: u32) -> Vec<u8> {
    const CURRENT: &str = r"Microsoft\Windows NT\CurrentVersion";
    let hive = Hive::base()
        .value(CURRENT, "CurrentBuild", build.to_string().as_str())
        .value(CURRENT, "CurrentMajorVersionNumber", 10_u32)
        .value(CURRENT, "CurrentMinorVersionNumber", 0_u32)
        .value(CURRENT, "UBR", revision)
        .value(CURRENT, "InstallationType", "Server Core")
        .value(CURRENT, "EditionID", "ServerDatacenter")
        .value(CURRENT, "DisplayVersion", "21H2")
        .value(CURRENT, "ProductName", "Windows Server 2022 Datacenter");
    WindowsLayer::new()
        .directory("Files")
        .file("Files/Windows/System32/config/SOFTWARE", hive.build())
        .file("Files/Windows/System32/inetsrv/w3wp.exe", b"the program by which IIS is known")
        .tar()
}

fn pretty(value: &Value) -> Vec<u8> {
    serde_json::to_vec_pretty(value).expect("a value can be written as JSON")
}

/// Writes the archive.
pub(super) fn write(root: &Path, target: &Path) -> anyhow::Result<()> {
    fs::write(target, pack(root)?).with_context(|| format!("cannot write `{}`", target.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest archive: it is in every binary.
    const BYTES_MAX: usize = 200 << 10;

    #[test]
    fn the_archive_is_packed_from_its_sources_and_small() {
        let root = crate::root();
        let packed = pack(&root).unwrap();
        assert!(packed.len() < BYTES_MAX, "{}", packed.len());
        let committed = fs::read(root.join(ARCHIVE)).unwrap_or_default();
        assert!(
            committed == packed,
            "{ARCHIVE} is not packed from its sources: `cargo xtask example --write`"
        );
    }
}
