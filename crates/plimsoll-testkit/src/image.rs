//! Windows images: configs, manifests, foreign layers, and the layout that holds them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::layer::Layer;

/// Media type of an OCI manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI config.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of an OCI layer.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Docker's media type of a layer that registries need not have.
pub const FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

/// `sha256:..` of bytes.
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// One layer of an image.
#[derive(Clone, Debug)]
pub struct ImageLayer {
    /// The bytes as they are stored.
    pub stored: Vec<u8>,
    /// The digest of the tar.
    pub diff_id: String,
    /// The media type that the manifest states.
    pub media_type: String,
    /// Where a foreign layer is; the layout does not have it then.
    pub urls: Vec<String>,
    /// The command that made it.
    pub created_by: String,
}

/// One image on its way.
#[derive(Clone, Debug, Default)]
pub struct Image {
    /// `os` of the config.
    pub os: String,
    /// `os.version` of the config.
    pub os_version: Option<String>,
    /// The layers, lowest first.
    pub layers: Vec<ImageLayer>,
}

impl Image {
    /// A Windows image for amd64 whose config states a version.
    pub fn windows(os_version: Option<&str>) -> Image {
        Image { os: "windows".to_owned(), os_version: os_version.map(str::to_owned), layers: Vec::new() }
    }

    /// An image with one more layer.
    #[must_use]
    pub fn layer(mut self, created_by: &str, layer: &Layer) -> Image {
        self.layers.push(ImageLayer {
            stored: layer.gzip(),
            diff_id: digest(&layer.tar()),
            media_type: LAYER.to_owned(),
            urls: Vec::new(),
            created_by: created_by.to_owned(),
        });
        self
    }

    /// Makes the last layer a foreign one.
    #[must_use]
    pub fn foreign(mut self, urls: &[&str]) -> Image {
        if let Some(last) = self.layers.last_mut() {
            last.media_type = FOREIGN.to_owned();
            last.urls = urls.iter().map(|url| (*url).to_owned()).collect();
        }
        self
    }

    /// The config.
    pub fn config(&self) -> Vec<u8> {
        let history: Vec<Value> =
            self.layers.iter().map(|layer| json!({"created_by": layer.created_by})).collect();
        let diff_ids: Vec<&str> = self.layers.iter().map(|layer| layer.diff_id.as_str()).collect();
        let mut config = json!({
            "os": self.os,
            "architecture": "amd64",
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": history,
        });
        if let Some(version) = &self.os_version {
            config["os.version"] = json!(version);
        }
        config.to_string().into_bytes()
    }

    /// The manifest.
    pub fn manifest(&self) -> Vec<u8> {
        let layers: Vec<Value> = self
            .layers
            .iter()
            .map(|layer| {
                let mut descriptor = json!({
                    "mediaType": layer.media_type,
                    "digest": digest(&layer.stored),
                    "size": layer.stored.len(),
                });
                if !layer.urls.is_empty() {
                    descriptor["urls"] = json!(layer.urls);
                }
                descriptor
            })
            .collect();
        let config = self.config();
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest(&config), "size": config.len()},
            "layers": layers,
        })
        .to_string()
        .into_bytes()
    }

    /// All blobs that a registry has of it, the manifest among them, by digest. Foreign layers are not.
    pub fn blobs(&self) -> BTreeMap<String, Vec<u8>> {
        let own = self.layers.iter().filter(|layer| layer.urls.is_empty()).map(|layer| layer.stored.clone());
        own.chain([self.config(), self.manifest()]).map(|bytes| (digest(&bytes), bytes)).collect()
    }

    /// Writes an OCI image layout with this image alone; gives the manifest's digest.
    ///
    /// # Panics
    ///
    /// Where the folder cannot be written.
    pub fn write_layout(&self, folder: &Path) -> String {
        let blobs = folder.join("blobs/sha256");
        fs::create_dir_all(&blobs).expect("the folder can be made");
        for (digest, bytes) in self.blobs() {
            let name = digest.trim_start_matches("sha256:");
            fs::write(blobs.join(name), bytes).expect("the folder can be written");
        }
        let manifest = self.manifest();
        let mut descriptor = json!({
            "mediaType": MANIFEST,
            "digest": digest(&manifest),
            "size": manifest.len(),
            "platform": {"os": self.os, "architecture": "amd64"},
        });
        if let Some(version) = &self.os_version {
            descriptor["platform"]["os.version"] = json!(version);
        }
        let index = json!({"schemaVersion": 2, "manifests": [descriptor]});
        fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
            .expect("the folder can be written");
        fs::write(folder.join("index.json"), index.to_string()).expect("the folder can be written");
        digest(&manifest)
    }
}
