//! The JSON documents of an image, read leniently: unknown fields are passed over, unknown types are kept.
//!
//! Formats: OCI image specification 1.1 (`manifest.md`, `image-index.md`, `config.md`, `descriptor.md`) and
//! Docker's image manifest version 2, schema 2.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use plimsoll_core::digest::Digest;
use plimsoll_core::image::Platform;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::cause::Cause;
use crate::limits::Limits;

/// A pointer to bytes.
#[derive(Clone, Debug, Deserialize)]
pub struct Descriptor {
    /// What the bytes are.
    #[serde(rename = "mediaType", default)]
    pub media_type: String,
    /// Their digest.
    #[serde(deserialize_with = "digest")]
    pub digest: Digest,
    /// How many there are.
    pub size: u64,
    /// What the image runs on; in an index only.
    #[serde(default, deserialize_with = "platform")]
    pub platform: Option<Platform>,
    /// Where else the bytes are: of layers that registries need not have.
    #[serde(default, deserialize_with = "null_is_default")]
    pub urls: Vec<String>,
    /// Free text.
    #[serde(default, deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
    /// Whether the image's build history says that it is a layer of Windows itself. Set when the config is read.
    #[serde(skip)]
    pub is_base_of_windows: bool,
}

/// Media types of an index.
const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// Media types of an image's config.
const CONFIG_TYPES: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

impl Descriptor {
    /// A descriptor of bytes whose digest and size are known.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest,
            size,
            platform: None,
            urls: Vec::new(),
            annotations: BTreeMap::new(),
            is_base_of_windows: false,
        }
    }

    /// Whether it points to an index.
    pub fn is_index(&self) -> bool {
        INDEX_TYPES.contains(&self.media_type.as_str())
    }

    /// Whether it points to something about an image instead of an image, as BuildKit puts it into indexes.
    pub fn is_attestation(&self) -> bool {
        self.annotations.get("vnd.docker.reference.type").is_some_and(|kind| kind == "attestation-manifest")
            || self.platform.as_ref().is_some_and(|p| p.os == "unknown" && p.architecture == "unknown")
    }

    /// What it points to speaks of, where it is something about an image and says so.
    pub fn attests(&self) -> Option<Digest> {
        self.annotations.get("vnd.docker.reference.digest")?.parse().ok()
    }

    /// Whether it points to an encrypted layer, as ocicrypt marks them.
    pub fn is_encrypted(&self) -> bool {
        self.media_type.ends_with("+encrypted")
    }

    /// Whether it points to a layer that registries need not have (OCI image specification, `layer.md`,
    /// "Non-Distributable Layers"; Docker's name is *foreign*).
    pub fn is_foreign(&self) -> bool {
        self.media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
            || self.media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
    }

    /// Whether its media type is that of a filesystem diff, or says nothing.
    pub fn may_be_filesystem(&self) -> bool {
        let says_nothing = ["", "text/plain", "application/octet-stream", "application/gzip"];
        let media_type = self.media_type.as_str();
        says_nothing.contains(&media_type)
            || ["application/x-gzip", "application/zstd"].contains(&media_type)
            || media_type.split(['.', '+', '/', '-']).any(|word| word == "tar")
    }

    /// What it says itself against reading the layer that it points to.
    pub fn obstacle(&self, limits: &Limits) -> Option<(Cause, String)> {
        let max = limits.layer_bytes_max;
        if self.is_encrypted() {
            let detail = format!("it is encrypted (`{}`)", self.media_type.escape_default());
            return Some((Cause::EncryptedLayer, detail));
        }
        let detail = || format!("it is larger than {max} bytes (layer_bytes_max)");
        (self.size > max).then(|| (Cause::LayerTooLarge, detail()))
    }
}

/// An image manifest.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// The config. In a box, lest a manifest be much larger than an index.
    pub config: Box<Descriptor>,
    /// The layers, lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub layers: Vec<Descriptor>,
    /// What an artifact is that is not an image.
    #[serde(rename = "artifactType", default)]
    pub artifact_type: Option<String>,
}

impl Manifest {
    /// What kind of artifact this is, if it is not a container image.
    pub fn artifact_kind(&self) -> Option<&str> {
        if CONFIG_TYPES.contains(&self.config.media_type.as_str()) {
            return None;
        }
        Some(self.artifact_type.as_deref().unwrap_or(&self.config.media_type))
    }
}

/// An image index.
#[derive(Clone, Debug, Deserialize)]
pub struct Index {
    /// What it names.
    #[serde(default, deserialize_with = "null_is_default")]
    pub manifests: Vec<Descriptor>,
}

/// A manifest or an index.
#[derive(Clone, Debug)]
pub enum Document {
    /// One image or artifact.
    Manifest(Manifest),
    /// Several.
    Index(Index),
}

#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "schemaVersion", default)]
    schema_version: Option<u64>,
    #[serde(rename = "mediaType", default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<IgnoredAny>,
    #[serde(default)]
    config: Option<IgnoredAny>,
    #[serde(default)]
    layers: Option<IgnoredAny>,
}

/// Names that mean something in manifests, indexes and descriptors.
const NAMES: [&str; 17] = [
    "annotations",
    "architecture",
    "artifactType",
    "config",
    "data",
    "digest",
    "layers",
    "manifests",
    "mediaType",
    "os",
    "os.version",
    "platform",
    "schemaVersion",
    "size",
    "subject",
    "urls",
    "variant",
];

/// JSON in which every reader finds the same: no name stands twice, and none is another but for case. Go's reader takes
/// `Layers` for `layers`, and of two the last; by its rules `ſ` is an `s` and the sign of Kelvin a `k`.
struct Unambiguous;

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unambiguous, D::Error> {
        deserializer.deserialize_any(Unambiguous)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
    type Value = Unambiguous;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unambiguous, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unambiguous, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unambiguous, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unambiguous, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unambiguous, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Unambiguous, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Unambiguous, A::Error> {
        while elements.next_element::<Unambiguous>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Unambiguous, A::Error> {
        let mut known = BTreeSet::new();
        while let Some(name) = fields.next_key::<String>()? {
            let folded = name.to_uppercase().to_lowercase();
            let meant = NAMES.iter().find(|meant| meant.to_lowercase() == folded);
            if let Some(meant) = meant.filter(|meant| **meant != name) {
                let name = name.escape_default();
                return Err(A::Error::custom(format!("`{name}` is `{meant}` to readers that ignore case")));
            }
            if !known.insert(folded) {
                return Err(A::Error::custom(format!("`{}` stands twice", name.escape_default())));
            }
            // What people write there is nobody's name.
            if name == "annotations" {
                fields.next_value::<IgnoredAny>()?;
            } else {
                fields.next_value::<Unambiguous>()?;
            }
        }
        Ok(self)
    }
}

impl Document {
    /// Reads a document. What could be taken for a manifest by one reader and for an index by another is
    /// refused.
    pub fn parse(bytes: &[u8], media_type: &str) -> Result<Document, String> {
        let Unambiguous = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let shape: Shape = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if shape.schema_version != Some(2) {
            return Err("`schemaVersion` is not 2; images of schema 1 must be pushed anew".to_owned());
        }
        if let Some(stated) = shape.media_type.as_deref().filter(|_| !media_type.is_empty())
            && stated != media_type
        {
            return Err(format!("it calls itself `{stated}`, its descriptor `{media_type}`"));
        }
        match (shape.manifests.is_some(), shape.config.is_some() || shape.layers.is_some()) {
            (true, true) => Err("it could be read as a manifest and as an index".to_owned()),
            (true, false) => {
                serde_json::from_slice(bytes).map(Document::Index).map_err(|error| error.to_string())
            }
            (false, _) => {
                serde_json::from_slice(bytes).map(Document::Manifest).map_err(|error| error.to_string())
            }
        }
    }
}

/// An image's config.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Config {
    /// How it is run.
    #[serde(default, deserialize_with = "null_is_default")]
    pub config: ConfigRun,
    /// Processor.
    #[serde(default)]
    pub architecture: String,
    /// Operating system.
    #[serde(default)]
    pub os: String,
    /// Variant of the processor.
    #[serde(default)]
    pub variant: Option<String>,
    /// Version of the operating system.
    #[serde(rename = "os.version", default)]
    pub os_version: Option<String>,
    /// The layers' unpacked digests.
    #[serde(default, deserialize_with = "null_is_default")]
    pub rootfs: ConfigRootfs,
    /// How the layers were made.
    #[serde(default, deserialize_with = "null_is_default")]
    pub history: Vec<History>,
}

/// How an image is run (OCI image specification, `config.md`, "config").
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ConfigRun {
    /// As whom, as written; empty for `root`.
    #[serde(rename = "User", default, deserialize_with = "null_is_default")]
    pub user: String,
}

/// `rootfs` of a config.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ConfigRootfs {
    /// Digests of the unpacked layers, lowest first.
    #[serde(default, deserialize_with = "digests")]
    pub diff_ids: Vec<Digest>,
}

/// One step of the build.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct History {
    /// The command.
    #[serde(default)]
    pub created_by: Option<String>,
    /// Whether it made no layer.
    #[serde(default)]
    pub empty_layer: Option<bool>,
}

impl Config {
    /// What the image runs on.
    pub fn platform(&self) -> Platform {
        Platform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: self.variant.clone().filter(|text| !text.is_empty()),
            os_version: self.os_version.clone().filter(|text| !text.is_empty()),
        }
    }

    /// The command of each layer.
    pub fn commands(&self) -> Vec<Option<String>> {
        self.history
            .iter()
            .filter(|step| step.empty_layer != Some(true))
            .map(|step| step.created_by.clone().filter(|text| !text.is_empty()))
            .collect()
    }
}

fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
    let text = String::deserialize(deserializer)?;
    Digest::from_str(&text).map_err(D::Error::custom)
}

fn digests<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Digest>, D::Error> {
    let texts: Vec<String> = null_is_default(deserializer)?;
    texts.iter().map(|text| Digest::from_str(text).map_err(D::Error::custom)).collect()
}

fn platform<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Platform>, D::Error> {
    #[derive(Deserialize)]
    struct Wire {
        #[serde(default)]
        os: String,
        #[serde(default)]
        architecture: String,
        #[serde(default)]
        variant: Option<String>,
        #[serde(rename = "os.version", default)]
        os_version: Option<String>,
    }
    Ok(Option::<Wire>::deserialize(deserializer)?.map(|wire| Platform {
        os: wire.os,
        architecture: wire.architecture,
        variant: wire.variant.filter(|text| !text.is_empty()),
        os_version: wire.os_version.filter(|text| !text.is_empty()),
    }))
}

/// Go writes an empty list as `null`.
fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
