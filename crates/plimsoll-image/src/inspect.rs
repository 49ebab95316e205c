//! Looking at what a registry has, as closely as whoever promotes it must: every document by its digest, every layer.
//!
//! Opening an image stops at the first thing that is wrong; here each thing is told, and whether it is absent, wrong or
//! not to be known. What surprises: only a registry's own error document makes something absent. A bare 404 may be a
//! proxy's word, and leaves it unknown.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read};

use plimsoll_core::clearance::{Child, ConfigSeen, Document as Told, ImageSeen, LayerSeen, Seen, Trouble};
use plimsoll_core::digest::{Digest, hex};
use plimsoll_core::image::{Image, Layer, Platform};
use plimsoll_core::inventory::Inventory;
use sha2::{Digest as _, Sha256};

use crate::cache::LayerStore;
use crate::catalog::{Cancelled, Options, catalog};
use crate::cause::Cause;
use crate::facts::LayerFacts;
use crate::layers::LayerFailure;
use crate::limits::Limits;
use crate::open::documents::{Config, Descriptor, Document, Manifest};
use crate::open::registry::reference::TagOrDigest;
use crate::open::registry::{ManifestBytes, RegistryError, Repository};
use crate::open::{OpenError, Opened, OpenedImage, Store, read_document};

/// What a registry has under one reference.
pub struct Inspection {
    /// The manifest or index itself.
    pub top: Seen<Told>,
    /// What the index names, and the indexes in it.
    pub children: Vec<Child>,
    /// The images, for each of which there is one in `opened`, in the same order.
    pub images: Vec<ImageSeen>,
    opened: Vec<OpenedImage>,
}

/// What an error of the registry says of the thing that was asked for.
pub fn trouble(error: &RegistryError) -> Trouble {
    let detail = error.to_string();
    match error {
        RegistryError::NotFound { is_stated: true, .. } => Trouble::Missing(detail),
        RegistryError::NotFound { .. } => Trouble::Unknown(format!(
            "{detail}; the answer is a bare 404, without a registry's error document"
        )),
        RegistryError::Mismatch { .. } | RegistryError::Schema1 { .. } => Trouble::Wrong(detail),
        _ => Trouble::Unknown(detail),
    }
}

/// The digest that a tag points to: that of the bytes. A registry that calls them by another digest is not believed.
pub fn digest_of_tag(repository: &Repository, tag: &str) -> Seen<Digest> {
    let manifest = repository.manifest(&TagOrDigest::Tag(tag.to_owned())).map_err(|error| trouble(&error))?;
    let stated: Option<Digest> = manifest.stated.as_deref().and_then(|text| text.trim().parse().ok());
    let digest = manifest.digest;
    match stated {
        Some(stated) if stated.algorithm() == digest.algorithm() && stated != digest => Err(Trouble::Wrong(
            format!("what tag `{tag}` points to has the digest {digest}, and the registry calls it {stated}"),
        )),
        _ => Ok(digest),
    }
}

/// Reads the documents below a reference, and asks for each layer whether it is there.
pub fn inspect(
    repository: &Repository,
    target: &TagOrDigest,
    reference: &str,
    limits: &Limits,
) -> Inspection {
    let mut walk = Walk {
        repository,
        limits,
        reference,
        sizes: HashMap::new(),
        manifests: 1,
        found: Inspection {
            top: Err(Trouble::Unknown("it was not asked for".to_owned())),
            children: Vec::new(),
            images: Vec::new(),
            opened: Vec::new(),
        },
    };
    walk.found.top = walk.top(target);
    walk.found
}

struct Walk<'a> {
    repository: &'a Repository,
    limits: &'a Limits,
    reference: &'a str,
    /// Layers that were asked for before: images share them.
    sizes: HashMap<Digest, Seen<u64>>,
    manifests: usize,
    found: Inspection,
}

impl Walk<'_> {
    fn top(&mut self, target: &TagOrDigest) -> Seen<Told> {
        let read = self.repository.manifest(target).map_err(|error| trouble(&error))?;
        let descriptor = Descriptor::new(&read.media_type, read.digest.clone(), size(&read.bytes));
        let document = parse(&read, &descriptor)?;
        let told = told(&read, &document);
        self.enter(&descriptor, document, 0);
        Ok(told)
    }

    fn enter(&mut self, descriptor: &Descriptor, document: Document, depth: usize) {
        match document {
            Document::Index(index) => {
                for child in &index.manifests {
                    self.child(child, depth + 1);
                }
            }
            Document::Manifest(manifest) if manifest.artifact_kind().is_none() => {
                self.image(descriptor, manifest);
            }
            Document::Manifest(_) => {}
        }
    }

    fn child(&mut self, descriptor: &Descriptor, depth: usize) {
        self.manifests += 1;
        let read = if depth > self.limits.index_depth_max || self.manifests > self.limits.manifests_max {
            Err(Trouble::Unknown(format!(
                "{} lies deeper than {} indexes (index_depth_max), or behind more than {} manifests (manifests_max)",
                descriptor.digest, self.limits.index_depth_max, self.limits.manifests_max
            )))
        } else {
            self.read_child(descriptor)
        };
        let (seen, document) = match read {
            Ok((told, document)) => (Ok(told), Some(document)),
            Err(trouble) => (Err(trouble), None),
        };
        self.found.children.push(Child {
            digest: descriptor.digest.clone(),
            platform: descriptor.platform.clone(),
            is_attestation: descriptor.is_attestation(),
            attests: descriptor.attests(),
            seen,
        });
        if let Some(document) = document
            && !descriptor.is_attestation()
        {
            self.enter(descriptor, document, depth);
        }
    }

    fn read_child(&self, descriptor: &Descriptor) -> Seen<(Told, Document)> {
        let target = TagOrDigest::Digest(descriptor.digest.clone());
        let read = self.repository.manifest(&target).map_err(|error| trouble(&error))?;
        let (stated, actual) = (descriptor.size, size(&read.bytes));
        if stated != actual {
            let digest = &descriptor.digest;
            return Err(Trouble::Wrong(format!("{digest} has {actual} bytes, the index states {stated}")));
        }
        let document = parse(&read, descriptor)?;
        Ok((told(&read, &document), document))
    }

    fn image(&mut self, descriptor: &Descriptor, manifest: Manifest) {
        let config = match manifest.layers.len() > self.limits.layers_max {
            true => Err(Trouble::Unknown(format!(
                "{} has more than {} layers (layers_max)",
                descriptor.digest, self.limits.layers_max
            ))),
            false => self.config(&manifest.config),
        };
        let diff_ids = config.as_ref().map_or(Vec::new(), |config| config.rootfs.diff_ids.clone());
        let layers: Vec<LayerSeen> = manifest.layers.iter().map(|layer| self.layer(layer)).collect();
        let platform = config.as_ref().map_or_else(|_| Platform::default(), Config::platform);
        self.found.images.push(ImageSeen {
            digest: descriptor.digest.clone(),
            claimed: descriptor.platform.clone(),
            config: config.map(|config| ConfigSeen {
                platform: config.platform(),
                diff_ids: config.rootfs.diff_ids.len(),
                user: config.config.user,
            }),
            layers,
        });
        let of_image = |(at, layer): (usize, &Descriptor)| Layer {
            digest: layer.digest.clone(),
            diff_id: diff_ids.get(at).cloned(),
            media_type: layer.media_type.clone(),
            size: layer.size,
            created_by: None,
        };
        let image = Image {
            reference: self.reference.to_owned(),
            digest: Some(descriptor.digest.clone()),
            config_digest: Some(manifest.config.digest.clone()),
            platform,
            layers: manifest.layers.iter().enumerate().map(of_image).collect(),
        };
        self.found.opened.push(OpenedImage { image, layers: manifest.layers, gaps: Vec::new() });
    }

    fn config(&self, descriptor: &Descriptor) -> Seen<Config> {
        let what = format!("config {}", descriptor.digest);
        let input =
            self.repository.blob(&descriptor.digest, descriptor.size).map_err(|error| trouble(&error))?;
        let bytes = read_document(input, &what, descriptor, self.limits).map_err(|error| match error {
            OpenError::Mismatch { .. } => Trouble::Wrong(error.to_string()),
            OpenError::Registry(registry) => trouble(&registry),
            error => Trouble::Unknown(error.to_string()),
        })?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Trouble::Wrong(format!("{what} is no config: {error}")))
    }

    fn layer(&mut self, layer: &Descriptor) -> LayerSeen {
        let repository = self.repository;
        let there = self
            .sizes
            .entry(layer.digest.clone())
            .or_insert_with(|| repository.blob_size(&layer.digest).map_err(|error| trouble(&error)));
        LayerSeen {
            digest: layer.digest.clone(),
            size: layer.size,
            media_type: layer.media_type.clone(),
            is_foreign: layer.is_foreign(),
            there: there.clone(),
            stored: None,
            unpacked: None,
        }
    }
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("memory is smaller than 2^64 bytes")
}

fn parse(read: &ManifestBytes, descriptor: &Descriptor) -> Seen<Document> {
    Document::parse(&read.bytes, &descriptor.media_type)
        .map_err(|error| Trouble::Wrong(format!("{} is no manifest: {error}", read.digest)))
}

fn told(read: &ManifestBytes, document: &Document) -> Told {
    let artifact = match document {
        Document::Manifest(manifest) => manifest.artifact_kind().map(str::to_owned),
        Document::Index(_) => None,
    };
    Told {
        digest: read.digest.clone(),
        media_type: read.media_type.clone(),
        size: size(&read.bytes),
        artifact,
    }
}

impl Inspection {
    /// Reads every layer to its end, once: its bytes against digest, size and diff id, and in the same pass what is
    /// aboard. Layers that were read with the same diff id before are taken from the cache. Gives an inventory for
    /// each image, in their order.
    pub fn read_layers(
        &mut self,
        repository: Repository,
        options: &Options<'_>,
    ) -> Result<Vec<(Image, Inventory)>, Cancelled> {
        let diff_ids = diff_ids(&self.opened);
        let cache = options.cache.map(|cache| Verified { cache, diff_ids: &diff_ids });
        let options = Options {
            cache: cache.as_ref().map(|cache| cache as &dyn LayerStore),
            limits: options.limits,
            threads: options.threads,
            progress: options.progress,
            is_cancelled: options.is_cancelled,
        };
        let store = Box::new(Content { repository, diff_ids: diff_ids.clone() });
        let opened = Opened { images: std::mem::take(&mut self.opened), store };
        let catalogued = catalog(&opened, &options)?;
        for ((seen, read), opened) in self.images.iter_mut().zip(&catalogued).zip(&opened.images) {
            for (layer, stated) in seen.layers.iter_mut().zip(&opened.image.layers) {
                let failure = read.failures.iter().find(|(digest, _)| *digest == layer.digest);
                (layer.stored, layer.unpacked) =
                    judge(layer, stated.diff_id.as_ref(), &diff_ids, failure.map(|(_, failure)| failure));
            }
        }
        let inventories = catalogued.into_iter().map(|one| one.inventory);
        Ok(opened.images.into_iter().map(|opened| opened.image).zip(inventories).collect())
    }
}

/// The diff id of each layer. One that images state differently has none: at most one of them can be right. An image whose
/// config was not read states none.
fn diff_ids(images: &[OpenedImage]) -> HashMap<Digest, Option<Digest>> {
    let mut stated: HashMap<&Digest, BTreeSet<&Digest>> = HashMap::new();
    for layer in images.iter().flat_map(|image| &image.image.layers) {
        stated.entry(&layer.digest).or_default().extend(&layer.diff_id);
    }
    let only = |ids: BTreeSet<&Digest>| ids.first().filter(|_| ids.len() == 1).map(|id| (*id).clone());
    stated.into_iter().map(|(digest, ids)| (digest.clone(), only(ids))).collect()
}

/// What a pass over a layer says: of its stored bytes, and of what they unpack to.
fn judge(
    layer: &LayerSeen,
    stated: Option<&Digest>,
    diff_ids: &HashMap<Digest, Option<Digest>>,
    failure: Option<&LayerFailure>,
) -> (Option<Seen<()>>, Option<Seen<()>>) {
    let digest = &layer.digest;
    let told = |failure: &LayerFailure| format!("layer {digest}: {}", failure.detail);
    match failure {
        None => {
            let unpacked = match (diff_ids.get(digest), stated) {
                (Some(Some(_)), Some(_)) => Some(Ok(())),
                (_, Some(_)) => {
                    let detail = format!("layer {digest} is stated with several diff ids");
                    Some(Err(Trouble::Wrong(detail)))
                }
                (_, None) => None,
            };
            (Some(Ok(())), unpacked)
        }
        Some(failure) if failure.is_of_unpacked => (Some(Ok(())), Some(Err(Trouble::Wrong(told(failure))))),
        Some(failure) if failure.cause == Cause::Mismatch => (Some(Err(Trouble::Wrong(told(failure)))), None),
        // The stored bytes are the right ones; what they are is not known.
        Some(failure) if matches!(failure.cause, Cause::Corrupt | Cause::LayerType(_)) => {
            (Some(Ok(())), Some(Err(Trouble::Unknown(told(failure)))))
        }
        Some(failure) => (Some(Err(Trouble::Unknown(told(failure)))), None),
    }
}

/// The layers of a repository, held against their diff ids.
struct Content {
    repository: Repository,
    diff_ids: HashMap<Digest, Option<Digest>>,
}

impl Store for Content {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        self.blob(descriptor)
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        Ok(self.repository.blob(&descriptor.digest, descriptor.size)?)
    }

    fn stated_diff_id(&self, layer: &Descriptor) -> Option<Digest> {
        self.diff_ids.get(&layer.digest).cloned().flatten()
    }
}

/// A cache whose entries say that a layer's bytes unpack to a diff id: a layer that was read without one is not in it.
struct Verified<'a> {
    cache: &'a dyn LayerStore,
    diff_ids: &'a HashMap<Digest, Option<Digest>>,
}

impl Verified<'_> {
    fn key(&self, digest: &Digest) -> Option<Digest> {
        let diff_id = self.diff_ids.get(digest)?.as_ref()?;
        let sum = Sha256::digest(format!("{digest} unpacks to {diff_id}"));
        format!("sha256:{}", hex(&sum)).parse().ok()
    }
}

impl LayerStore for Verified<'_> {
    fn get(&self, digest: &Digest) -> Option<LayerFacts> {
        self.cache.get(&self.key(digest)?)
    }

    fn put(&self, digest: &Digest, facts: &LayerFacts) -> io::Result<()> {
        match self.key(digest) {
            Some(key) => self.cache.put(&key, facts),
            None => Ok(()),
        }
    }
}
