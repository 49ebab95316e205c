//! Finding an image's manifest, config and layers, wherever it is.
//!
//! Every place is a [`Store`]: it hands out bytes by descriptor. What a manifest or an index means is decided
//! here, once for all places. Every document is held against its digest and size before it is believed.

use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;

use plimsoll_core::digest::Digest;
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::image::{Image, Layer, Platform};
use plimsoll_net::NetError;

use crate::cause::Cause;
use crate::layers::Hasher;
use crate::limits::Limits;
use crate::open::documents::{Config, Descriptor, Document, Manifest};
use crate::windows::assemble::version_in;

pub mod blobs;
pub mod describe;
pub mod docker_archive;
pub mod documents;
pub mod foreign;
pub mod layout;
pub mod registry;
pub mod remote;
pub mod rootfs;
mod tar_file;
mod verified;

pub use verified::verified;

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageRef {
    /// `oci:DIR[:TAG|@DIGEST]`: an OCI image layout.
    Layout(PathBuf, Selection),
    /// `oci-archive:FILE[:TAG|@DIGEST]`: a tar of an OCI image layout.
    LayoutArchive(PathBuf, Selection),
    /// `docker-archive:FILE[:TAG]`: what `docker save` writes.
    DockerArchive(PathBuf, Selection),
    /// `dir:ROOT`: an unpacked root filesystem.
    Rootfs(PathBuf),
    /// `HOST/REPO[:TAG][@DIGEST]`: a registry. The text is parsed by the registry client.
    Registry(String),
}

/// Which of a place's images is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// The only one.
    Only,
    /// The one with this name.
    Tag(String),
    /// The one with this digest.
    Digest(Digest),
}

/// Which of an index's platforms are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlatformChoice {
    /// This one; where the index has only one image, that one.
    Default(Platform),
    /// This one and no other.
    Exactly(Platform),
    /// All of them.
    All,
}

/// Bytes by descriptor.
pub trait Store: Send + Sync {
    /// Opens a manifest or an index, which registries keep apart from blobs.
    fn manifest(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError>;

    /// Opens any other blob.
    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError>;

    /// Whether layers are addressed by the digest of what they unpack to.
    fn layers_are_by_diff_id(&self) -> bool {
        false
    }

    /// Told that the bytes of a layer that it gave last are not the layer's, and why. Whether asking it again is worth it:
    /// there is another place, or else it now knows what to say.
    fn reject(&self, _layer: &Descriptor, _why: &str) -> bool {
        false
    }

    /// What a layer must unpack to, where that is to be held against its bytes too. A scan does without: it costs a
    /// second hash, and the stored digest says which bytes were meant.
    fn stated_diff_id(&self, _layer: &Descriptor) -> Option<Digest> {
        None
    }

    /// How many bytes a layer must have; `None` where no manifest says it.
    fn stated_size(&self, layer: &Descriptor) -> Option<u64> {
        Some(layer.size)
    }

    /// How many bytes a layer has as far as is known by now, for people to see.
    fn known_size(&self, layer: &Descriptor) -> Option<u64> {
        self.stated_size(layer)
    }
}

/// Images that are open: their documents are read and verified, their layers are not yet.
pub struct Opened {
    /// The images, in the index's order.
    pub images: Vec<OpenedImage>,
    /// Where their layers are.
    pub store: Box<dyn Store>,
}

/// One image that is open.
#[derive(Clone, Debug)]
pub struct OpenedImage {
    /// The image.
    pub image: Image,
    /// The layers' descriptors, lowest first.
    pub layers: Vec<Descriptor>,
    /// What is wrong with its documents.
    pub gaps: Vec<Gap>,
}

impl OpenedImage {
    /// What the documents alone say against indexing the whole image: there are no layers, one is encrypted, or
    /// one is larger than the limit. A scan goes on and tells each as a gap.
    pub fn obstacle(&self, limits: &Limits) -> Option<(Cause, String)> {
        obstacle(&self.layers, limits)
    }
}

fn obstacle(layers: &[Descriptor], limits: &Limits) -> Option<(Cause, String)> {
    if layers.is_empty() {
        return Some((Cause::NoLayers, "it has no layers".to_owned()));
    }
    layers.iter().find_map(|layer| {
        let (cause, detail) = layer.obstacle(limits)?;
        Some((cause, format!("layer {}: {detail}", layer.digest)))
    })
}

/// Why an image could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The reference is not one.
    #[error("`{reference}` is not an image reference: {reason}")]
    BadReference {
        /// The reference.
        reference: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no such image.
    #[error("{what} is not there: {detail}")]
    NotFound {
        /// What was looked for.
        what: String,
        /// Where, and what there is instead.
        detail: String,
    },
    /// It has no image, or none for the platform that is wanted.
    #[error("{what} is not there: {detail}")]
    NoSuchPlatform {
        /// What was looked for.
        what: String,
        /// What there is instead.
        detail: String,
    },
    /// A document does not follow its format.
    #[error("{what} is not what it should be: {detail}")]
    Malformed {
        /// What was read.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Something there is not what it claims to be.
    #[error("{what} is not what it should be: {detail}")]
    Mismatch {
        /// What was read.
        what: String,
        /// How it differs.
        detail: String,
    },
    /// It is not a container image, or not one that Plimsoll reads.
    #[error("{what} is not supported: {detail}")]
    Unsupported {
        /// What was read.
        what: String,
        /// What it is.
        detail: String,
        /// The same, for callers to decide by.
        cause: Cause,
    },
    /// A file or directory could not be read.
    #[error("cannot read `{path}`")]
    Io {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The registry did not give it.
    #[error("{0}")]
    Registry(registry::RegistryError),
    /// Nobody gave a layer that registries need not have, or it is not to be fetched.
    #[error("{detail}")]
    Foreign {
        /// What each place said.
        detail: String,
    },
    /// A layer's URL did not give it.
    #[error("cannot fetch {what}: {source}")]
    Fetch {
        /// What was fetched.
        what: String,
        /// Why.
        source: NetError,
    },
}

impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> io::Error {
        match error {
            OpenError::Io { source, path } => io::Error::new(source.kind(), format!("`{path}`: {source}")),
            // Whole, so that its cause can be told from the error of reading.
            other => io::Error::other(other),
        }
    }
}

impl ImageRef {
    /// Reads a reference. Looks at the file system to tell a path's colon from a tag's.
    pub fn parse(text: &str) -> Result<ImageRef, OpenError> {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let with_selection = |make: fn(PathBuf, Selection) -> ImageRef| {
            let (path, selection) = split_selection(text, rest)?;
            Ok(make(path, selection))
        };
        match scheme {
            "oci" => with_selection(ImageRef::Layout),
            "oci-archive" => with_selection(ImageRef::LayoutArchive),
            "docker-archive" => with_selection(ImageRef::DockerArchive),
            "dir" if rest.is_empty() => Err(bad_reference(text, "it names no directory")),
            "dir" => Ok(ImageRef::Rootfs(PathBuf::from(rest))),
            _ if text.is_empty() => Err(bad_reference(text, "it is empty")),
            _ => Ok(ImageRef::Registry(text.strip_prefix("docker://").unwrap_or(text).to_owned())),
        }
    }
}

fn bad_reference(reference: &str, reason: &str) -> OpenError {
    OpenError::BadReference { reference: reference.to_owned(), reason: reason.to_owned() }
}

/// Splits `PATH[:TAG|@DIGEST]`. A path may hold colons: the longest one that exists is the path.
fn split_selection(reference: &str, rest: &str) -> Result<(PathBuf, Selection), OpenError> {
    if rest.is_empty() {
        return Err(bad_reference(reference, "it names no path"));
    }
    if let Some((path, digest)) = rest.rsplit_once('@')
        && let Ok(digest) = digest.parse()
    {
        return Ok((PathBuf::from(path), Selection::Digest(digest)));
    }
    if PathBuf::from(rest).exists() {
        return Ok((PathBuf::from(rest), Selection::Only));
    }
    if let Some((path, digest)) = rest.rsplit_once('@')
        && PathBuf::from(path).exists()
    {
        return Err(bad_reference(reference, &format!("`{digest}` is not a digest")));
    }
    for (colon, _) in rest.rmatch_indices(':') {
        let (path, tag) = (&rest[..colon], &rest[colon + 1..]);
        if !tag.is_empty() && PathBuf::from(path).exists() {
            return Ok((PathBuf::from(path), Selection::Tag(tag.to_owned())));
        }
    }
    Ok((PathBuf::from(rest), Selection::Only))
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Selection::Only => Ok(()),
            Selection::Tag(tag) => write!(f, ":{tag}"),
            Selection::Digest(digest) => write!(f, "@{digest}"),
        }
    }
}

/// Reads a document and holds it against its descriptor.
pub fn read_document(
    input: Box<dyn Read + Send>,
    what: &str,
    descriptor: &Descriptor,
    limits: &Limits,
) -> Result<Vec<u8>, OpenError> {
    let mismatch = |detail: String| OpenError::Mismatch { what: what.to_owned(), detail };
    let max = limits.document_bytes_max;
    let mut bytes = Vec::new();
    input
        .take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| OpenError::Io { path: what.to_owned(), source })?;
    if bytes.len() as u64 > max {
        return Err(mismatch(format!("it is larger than {max} bytes (document_bytes_max)")));
    }
    if descriptor.size != bytes.len() as u64 {
        return Err(mismatch(format!(
            "its descriptor states {} bytes, there are {}",
            descriptor.size,
            bytes.len()
        )));
    }
    let actual = digest_of(&bytes, &descriptor.digest);
    if actual != descriptor.digest {
        return Err(mismatch(format!("its bytes are {actual}, not {}", descriptor.digest)));
    }
    Ok(bytes)
}

fn digest_of(bytes: &[u8], like: &Digest) -> Digest {
    let mut hasher = Hasher::new(like.algorithm());
    hasher.update(bytes);
    hasher.digest()
}

/// Follows descriptors to images: through indexes to the platforms that are asked for.
pub fn resolve(
    store: Box<dyn Store>,
    reference: &str,
    top: &[Descriptor],
    choice: &PlatformChoice,
    limits: &Limits,
) -> Result<Opened, OpenError> {
    let mut walk = IndexWalk { store: store.as_ref(), limits, seen: Vec::new(), leaves: Vec::new() };
    for descriptor in top {
        walk.visit(descriptor, 0)?;
    }
    let leaves = choose(reference, walk.leaves, choice)?;
    let is_only = leaves.len() == 1;
    let mut images = Vec::new();
    let mut gaps = Vec::new();
    let mut passed_over = None;
    for leaf in leaves {
        let digest = leaf.descriptor.digest.clone();
        let opened = match open_manifest(store.as_ref(), reference, leaf, limits) {
            Ok(opened) => opened,
            // Beside images an index may name what is none; that is told, and does not cost the images.
            Err(OpenError::Unsupported { detail, cause, .. }) if !is_only => {
                passed_over.get_or_insert(cause);
                let detail = format!("the index names it, and it was not read: {detail}");
                gaps.push(Gap::new(GapKind::Unsupported, digest.as_str(), detail));
                continue;
            }
            Err(error) => return Err(error),
        };
        if let PlatformChoice::Exactly(wanted) = choice
            && !opened.image.platform.serves(wanted)
        {
            return Err(no_such_platform(reference, wanted, &[opened.image.platform.to_string()]));
        }
        images.push(opened);
    }
    if images.is_empty() {
        return Err(OpenError::Unsupported {
            what: format!("`{reference}`"),
            detail: "its index names no container image".to_owned(),
            cause: passed_over.unwrap_or(Cause::NoSuchPlatform),
        });
    }
    for image in &mut images {
        image.gaps.extend(gaps.iter().cloned());
    }
    Ok(Opened { images, store })
}

/// What an index names that is not an index itself. Its manifest is there if it had to be read to know.
struct Leaf {
    descriptor: Descriptor,
    manifest: Option<Manifest>,
}

struct IndexWalk<'a> {
    store: &'a dyn Store,
    limits: &'a Limits,
    seen: Vec<Digest>,
    leaves: Vec<Leaf>,
}

impl IndexWalk<'_> {
    fn visit(&mut self, descriptor: &Descriptor, depth: usize) -> Result<(), OpenError> {
        if self.seen.contains(&descriptor.digest) {
            return Ok(());
        }
        self.seen.push(descriptor.digest.clone());
        if depth > self.limits.index_depth_max || self.seen.len() > self.limits.manifests_max {
            return Err(OpenError::Unsupported {
                what: format!("index {}", descriptor.digest),
                detail: format!(
                    "it is nested deeper than {} indexes (index_depth_max) or names more than {} manifests (manifests_max)",
                    self.limits.index_depth_max, self.limits.manifests_max
                ),
                cause: Cause::Limit,
            });
        }
        if depth > 0 && !descriptor.is_index() {
            self.leaves.push(Leaf { descriptor: descriptor.clone(), manifest: None });
            return Ok(());
        }
        match read_manifest(self.store, descriptor, self.limits)? {
            Document::Manifest(manifest) => {
                self.leaves.push(Leaf { descriptor: descriptor.clone(), manifest: Some(manifest) });
            }
            Document::Index(index) => {
                for child in index.manifests.iter().filter(|child| !child.is_attestation()) {
                    self.visit(child, depth + 1)?;
                }
            }
        }
        Ok(())
    }
}

fn read_manifest(store: &dyn Store, descriptor: &Descriptor, limits: &Limits) -> Result<Document, OpenError> {
    let what = format!("manifest {}", descriptor.digest);
    let bytes = read_document(store.manifest(descriptor)?, &what, descriptor, limits)?;
    Document::parse(&bytes, &descriptor.media_type).map_err(|detail| OpenError::Malformed { what, detail })
}

/// Picks the platform that is asked for.
fn choose(reference: &str, leaves: Vec<Leaf>, choice: &PlatformChoice) -> Result<Vec<Leaf>, OpenError> {
    if leaves.is_empty() {
        let what = format!("an image in `{reference}`");
        return Err(OpenError::NoSuchPlatform { what, detail: "its index names none".to_owned() });
    }
    let (wanted, is_exact) = match choice {
        PlatformChoice::All => return Ok(leaves),
        PlatformChoice::Default(platform) => (platform, false),
        PlatformChoice::Exactly(platform) => (platform, true),
    };
    let is_only = leaves.len() == 1;
    let mut there: Vec<String> = leaves
        .iter()
        .map(|leaf| leaf.descriptor.platform.as_ref().map_or("unstated".to_owned(), Platform::to_string))
        .collect();
    let mut chosen: Vec<Leaf> = leaves
        .into_iter()
        .filter(|leaf| match &leaf.descriptor.platform {
            Some(platform) => platform.serves(wanted) || (is_only && !is_exact),
            // What it runs on is in its config, which is looked at when it is opened.
            None => is_only,
        })
        .collect();
    there.sort_unstable();
    there.dedup();
    if let Some(versions) = os_versions(&chosen) {
        return Err(OpenError::NoSuchPlatform {
            what: format!("one image for {wanted} in `{reference}`"),
            detail: format!("it has several; choose one with `--platform`: {}", versions.join(", ")),
        });
    }
    chosen.truncate(1);
    if chosen.is_empty() { Err(no_such_platform(reference, wanted, &there)) } else { Ok(chosen) }
}

/// The platforms of images that are for several versions of an operating system: which one is meant, only the user knows.
fn os_versions(leaves: &[Leaf]) -> Option<Vec<String>> {
    let platforms = leaves.iter().filter_map(|leaf| leaf.descriptor.platform.as_ref());
    let mut versions: Vec<String> =
        platforms.filter(|platform| platform.os_version.is_some()).map(Platform::to_string).collect();
    versions.sort_unstable();
    versions.dedup();
    (versions.len() > 1).then_some(versions)
}

fn no_such_platform(reference: &str, wanted: &Platform, there: &[String]) -> OpenError {
    OpenError::NoSuchPlatform {
        what: format!("platform {wanted} of `{reference}`"),
        detail: format!("it has {}; choose one with `--platform`, or `--platform all`", there.join(", ")),
    }
}

fn open_manifest(
    store: &dyn Store,
    reference: &str,
    leaf: Leaf,
    limits: &Limits,
) -> Result<OpenedImage, OpenError> {
    let Leaf { descriptor, manifest } = leaf;
    let what = format!("`{reference}` ({})", descriptor.digest);
    let mut manifest = match manifest {
        Some(manifest) => manifest,
        None => match read_manifest(store, &descriptor, limits)? {
            Document::Manifest(manifest) => manifest,
            Document::Index(_) => {
                let detail = "its index calls it a manifest, and it is an index".to_owned();
                return Err(OpenError::Malformed { what, detail });
            }
        },
    };
    if let Some(kind) = manifest.artifact_kind() {
        let detail = format!("it is an artifact of type `{kind}`, not a container image");
        return Err(OpenError::Unsupported { what, detail, cause: Cause::Artifact(kind.to_owned()) });
    }
    check_layer_count(&what, manifest.layers.len(), limits)?;
    let config_name = format!("config {}", manifest.config.digest);
    let bytes = read_document(store.blob(&manifest.config)?, &config_name, &manifest.config, limits)?;
    let config: Config = serde_json::from_slice(&bytes)
        .map_err(|error| OpenError::Malformed { what: config_name, detail: error.to_string() })?;
    let mut gaps = Vec::new();
    if config.rootfs.diff_ids.len() != manifest.layers.len() {
        let detail = format!(
            "the config lists {} layers, the manifest {}",
            config.rootfs.diff_ids.len(),
            manifest.layers.len()
        );
        gaps.push(Gap::new(GapKind::LayerMismatch, descriptor.digest.as_str(), detail));
    }
    let platform = config.platform();
    if let Some(claimed) = &descriptor.platform
        && (claimed.os != platform.os || claimed.architecture != platform.architecture)
    {
        let detail = format!("the index calls it {claimed}, its config {platform}");
        gaps.push(Gap::new(GapKind::LayerMismatch, descriptor.digest.as_str(), detail));
    }
    let commands = config.commands();
    if platform.is_windows() == Some(true) {
        for (layer, command) in manifest.layers.iter_mut().zip(&commands) {
            layer.is_base_of_windows = command.as_deref().is_some_and(|text| version_in(text).is_some());
        }
    }
    let layers = manifest.layers.iter().enumerate().map(|(index, layer)| Layer {
        digest: layer.digest.clone(),
        diff_id: config.rootfs.diff_ids.get(index).cloned(),
        media_type: layer.media_type.clone(),
        size: layer.size,
        created_by: commands.get(index).cloned().flatten(),
    });
    let image = Image {
        reference: reference.to_owned(),
        digest: Some(descriptor.digest),
        config_digest: Some(manifest.config.digest.clone()),
        platform,
        layers: layers.collect(),
    };
    Ok(OpenedImage { image, layers: manifest.layers, gaps })
}

fn check_layer_count(what: &str, count: usize, limits: &Limits) -> Result<(), OpenError> {
    if count <= limits.layers_max {
        return Ok(());
    }
    Err(OpenError::Unsupported {
        what: what.to_owned(),
        detail: format!("it has more than {} layers (layers_max)", limits.layers_max),
        cause: Cause::TooManyLayers,
    })
}
