//! Images, written in every form in which the binary reads them.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::World;
use super::layer::{Layer, gzip};

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// `sha256:..` of bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// One image: its layers, lowest first, each with the command that made it.
#[derive(Clone)]
pub(crate) struct Image {
    pub(crate) architecture: String,
    pub(crate) layers: Vec<(&'static str, Layer)>,
}

impl Image {
    pub(crate) fn new(architecture: &str, layers: Vec<(&'static str, Layer)>) -> Image {
        Image { architecture: architecture.to_owned(), layers }
    }

    /// The config.
    pub(crate) fn config(&self) -> Vec<u8> {
        let diff_ids: Vec<String> = self.layers.iter().map(|(_, layer)| digest(&layer.tar())).collect();
        let history: Vec<Value> =
            self.layers.iter().map(|(command, _)| json!({"created_by": command})).collect();
        json!({
            "os": "linux",
            "architecture": self.architecture,
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": history,
        })
        .to_string()
        .into_bytes()
    }

    /// Writes a layout with this image only, named `1`; gives the manifest's digest.
    pub(crate) fn write_layout(&self, world: &World, folder: &str) -> String {
        let mut layout = Layout::default();
        let descriptor = layout.image(self);
        let digest = descriptor["digest"].as_str().unwrap().to_owned();
        layout.name(descriptor, Some("1"));
        layout.write(world, folder);
        digest
    }

    /// Writes what `docker save` of before Docker 25 writes: a folder a layer, and for a layer that stands in
    /// the archive already a link to it.
    pub(crate) fn write_docker_archive(&self, world: &World, file: &str) {
        let mut archive = Layer::new();
        let mut paths = Vec::new();
        for (at, (_, layer)) in self.layers.iter().enumerate() {
            let path = format!("{at:064}/layer.tar");
            archive = archive.file(&format!("blobs/{at}.tar"), layer.tar());
            archive = archive.symlink(&path, &format!("../blobs/{at}.tar"));
            paths.push(path);
        }
        let config = self.config();
        let config_name = format!("{}.json", &digest(&config)[7..]);
        let manifest = json!([{"Config": config_name, "RepoTags": ["harbour/ship:1"], "Layers": paths}]);
        archive = archive.file(&config_name, config).file("manifest.json", manifest.to_string());
        world.write(file, archive.tar());
    }

    /// Unpacks the image into a folder.
    pub(crate) fn write_rootfs(&self, world: &World, folder: &str) {
        fs::create_dir_all(world.path(folder)).unwrap();
        for (_, layer) in &self.layers {
            layer.lay_over(&world.path(folder));
        }
    }
}

/// An OCI image layout under construction.
#[derive(Clone, Default)]
pub(crate) struct Layout {
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    manifests: Vec<Value>,
}

impl Layout {
    /// Adds bytes; gives their descriptor.
    pub(crate) fn blob(&mut self, media_type: &str, bytes: Vec<u8>) -> Value {
        let (digest, size) = (digest(&bytes), bytes.len());
        self.blobs.insert(digest.clone(), bytes);
        json!({"mediaType": media_type, "digest": digest, "size": size})
    }

    /// Adds an image; gives its descriptor, with platform.
    pub(crate) fn image(&mut self, image: &Image) -> Value {
        let layers: Vec<Value> =
            image.layers.iter().map(|(_, layer)| self.blob(LAYER, gzip(&layer.tar()))).collect();
        let config = self.blob(CONFIG, image.config());
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        let mut descriptor = self.blob(MANIFEST, manifest.to_string().into_bytes());
        descriptor["platform"] = json!({"os": "linux", "architecture": image.architecture});
        descriptor
    }

    /// Adds what BuildKit puts beside an image: a manifest about it that is none of an image.
    pub(crate) fn attestation(&mut self, of: &Value) -> Value {
        let statement = self.blob("application/vnd.in-toto+json", b"{}".to_vec());
        let config = self.blob(CONFIG, b"{}".to_vec());
        let manifest =
            json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [statement]});
        let mut descriptor = self.blob(MANIFEST, manifest.to_string().into_bytes());
        descriptor["platform"] = json!({"os": "unknown", "architecture": "unknown"});
        descriptor["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": of["digest"],
        });
        descriptor
    }

    /// Adds an index; gives its descriptor.
    pub(crate) fn index(&mut self, manifests: &[Value]) -> Value {
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests});
        self.blob(INDEX, index.to_string().into_bytes())
    }

    /// Names something in `index.json`.
    pub(crate) fn name(&mut self, mut descriptor: Value, name: Option<&str>) {
        if let Some(name) = name {
            descriptor["annotations"][REF_NAME] = json!(name);
        }
        self.manifests.push(descriptor);
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let index = json!({"schemaVersion": 2, "manifests": self.manifests}).to_string().into_bytes();
        let blobs = self
            .blobs
            .iter()
            .map(|(digest, bytes)| (format!("blobs/{}", digest.replace(':', "/")), bytes.clone()));
        [
            ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
            ("index.json".to_owned(), index),
        ]
        .into_iter()
        .chain(blobs)
        .collect()
    }

    /// Writes the layout into a folder.
    pub(crate) fn write(&self, world: &World, folder: &str) {
        for (name, content) in self.files() {
            world.write(&format!("{folder}/{name}"), content);
        }
    }

    /// Writes a tar of the layout.
    pub(crate) fn write_archive(&self, world: &World, file: &str) {
        let tar =
            self.files().into_iter().fold(Layer::new(), |tar, (name, content)| tar.file(&name, content));
        world.write(file, tar.tar());
    }
}

/// A distribution's base: Alpine 3.20 with an affected package of the source `hull`, a fixed one, and a
/// Python distribution that belongs to a package.
pub(crate) fn base(architecture: &str) -> Layer {
    let package = |name: &str, version: &str, origin: &str, files: &str| {
        format!("P:{name}\nV:{version}\nA:{architecture}\no:{origin}\nL:MIT\n{files}\n")
    };
    let owned = "F:usr/lib/python3.12/site-packages/rope-0.9.dist-info\nR:METADATA\n";
    let installed = [
        package("hull-libs", "1.2.3-r0", "hull", ""),
        package("keel", "2.0-r5", "keel", ""),
        package("py3-rope", "0.9-r0", "py3-rope", owned),
    ];
    os_release("ID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME=\"Alpine Linux v3.20\"\n")
        .file("lib/apk/db/installed", installed.concat())
        .file("usr/lib/python3.12/site-packages/rope-0.9.dist-info/METADATA", python("rope", "0.9"))
}

/// A layer that says which distribution this is.
pub(crate) fn os_release(text: &str) -> Layer {
    Layer::new().file("etc/os-release", text)
}

/// What an installed Python distribution says of itself.
pub(crate) fn python(name: &str, version: &str) -> String {
    format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: MIT\n\n")
}

/// An application that every platform shares: `barnacle`, affected, and `bilge`, which a later layer removes.
pub(crate) fn application() -> Layer {
    Layer::new()
        .file("opt/app/barnacle-1.5.dist-info/METADATA", python("barnacle", "1.5"))
        .file("opt/app/bilge-1.0.dist-info/METADATA", python("bilge", "1.0"))
}

/// The image of most tests.
pub(crate) fn ship(architecture: &str) -> Image {
    Image::new(
        architecture,
        vec![
            ("ADD rootfs.tar /", base(architecture)),
            ("COPY app /opt/app", application()),
            ("RUN pip uninstall bilge", Layer::new().whiteout("opt/app/bilge-1.0.dist-info")),
        ],
    )
}

/// Two platforms that share a layer, with an attestation each, in an index.
pub(crate) fn fleet() -> (Layout, Value) {
    let mut layout = Layout::default();
    let mut manifests = Vec::new();
    for architecture in ["amd64", "arm64"] {
        let descriptor = layout.image(&ship(architecture));
        manifests.push(layout.attestation(&descriptor));
        manifests.push(descriptor);
    }
    let index = layout.index(&manifests);
    (layout, index)
}
