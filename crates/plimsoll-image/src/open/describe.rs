//! What a reference in a registry leads to, without reading layers: an image, an artifact, or an index with its
//! children, each of which can then be scanned by its digest.

use std::str::FromStr as _;
use std::sync::Arc;

use plimsoll_core::digest::Digest;
use plimsoll_core::image::Platform;
use plimsoll_net::Client;

use super::documents::{Config, Descriptor, Document, Manifest};
use super::registry::reference::RegistryReference;
use super::registry::{RegistryError, RegistryOptions, Repository};
use super::{OpenError, check_layer_count, read_document};
use crate::cause::Cause;
use crate::limits::Limits;

/// What a reference leads to.
#[derive(Clone, Debug)]
pub struct Description {
    /// Digest of the manifest or index.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// What it says.
    pub content: Content,
}

/// What a manifest or an index says.
#[derive(Clone, Debug)]
pub enum Content {
    /// One image, or an artifact.
    Manifest(ManifestFacts),
    /// An index and what it names, in its order; nested indexes are not followed.
    Index(Vec<Child>),
}

/// What a manifest says.
#[derive(Clone, Debug)]
pub struct ManifestFacts {
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// Digest of the config.
    pub config: Digest,
    /// What the image runs on, from its config; an artifact says nothing of that.
    pub platform: Option<Platform>,
    /// What kind of artifact it is, if it is not a container image.
    pub artifact_kind: Option<String>,
    /// What stands in the way of indexing it whole, as far as the documents tell: cause and words for people.
    pub obstacle: Option<(Cause, String)>,
}

/// What an index names.
#[derive(Clone, Debug)]
pub struct Child {
    /// Digest of the manifest or the nested index.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
    /// What the index says that it runs on.
    pub platform: Option<Platform>,
    /// Whether it says something about an image instead of being one.
    pub is_attestation: bool,
    /// Whether it is an index itself.
    pub is_index: bool,
}

/// Looks at what a reference leads to. Asks for the manifest or index, and for an image's config.
pub fn describe(
    reference: &str,
    location: &str,
    client: Arc<Client>,
    registry: &RegistryOptions,
    limits: &Limits,
) -> Result<Description, OpenError> {
    let parsed = RegistryReference::from_str(location)
        .map_err(|error| OpenError::BadReference { reference: reference.to_owned(), reason: error.hint })?;
    let repository = Repository::new(client, &parsed.name, registry)?;
    let found = repository.manifest(&parsed.target())?;
    let what = format!("`{reference}` ({})", found.digest);
    let document = Document::parse(&found.bytes, &found.media_type)
        .map_err(|detail| OpenError::Malformed { what: what.clone(), detail })?;
    let content = match document {
        Document::Manifest(manifest) => Content::Manifest(facts(&repository, &what, manifest, limits)?),
        Document::Index(index) if index.manifests.len() > limits.manifests_max => {
            let max = limits.manifests_max;
            return Err(OpenError::Unsupported {
                what,
                detail: format!("it names more than {max} manifests (manifests_max)"),
                cause: Cause::Limit,
            });
        }
        Document::Index(index) => Content::Index(index.manifests.into_iter().map(child).collect()),
    };
    let size = found.bytes.len() as u64;
    Ok(Description { digest: found.digest, media_type: found.media_type, size, content })
}

/// Whether a repository has a manifest, `location` being its name and a digest: it is asked, and what it answers is
/// verified. That it lets nobody see it counts as that it has it not.
pub fn has_manifest(
    location: &str,
    client: Arc<Client>,
    registry: &RegistryOptions,
) -> Result<bool, OpenError> {
    let parsed = RegistryReference::from_str(location)
        .map_err(|error| OpenError::BadReference { reference: location.to_owned(), reason: error.hint })?;
    match Repository::new(client, &parsed.name, registry)?.manifest(&parsed.target()) {
        Ok(_) => Ok(true),
        Err(RegistryError::NotFound { .. } | RegistryError::Unauthorized { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn facts(
    repository: &Repository,
    what: &str,
    manifest: Manifest,
    limits: &Limits,
) -> Result<ManifestFacts, OpenError> {
    check_layer_count(what, manifest.layers.len(), limits)?;
    let artifact_kind = artifact_kind(&manifest);
    let obstacle = match &artifact_kind {
        Some(kind) => {
            let detail = format!("it is an artifact of type `{}`", kind.escape_default());
            Some((Cause::Artifact(kind.clone()), detail))
        }
        None => super::obstacle(&manifest.layers, limits),
    };
    let platform = match &artifact_kind {
        Some(_) => None,
        None => Some(read_config(repository, &manifest.config, limits)?.platform()),
    };
    let Manifest { config, layers, .. } = manifest;
    Ok(ManifestFacts { layers, config: config.digest, platform, artifact_kind, obstacle })
}

/// What kind of artifact a manifest is: by its own word, or because none of its layers is a filesystem. Signatures
/// and attestations come with the config of an image.
fn artifact_kind(manifest: &Manifest) -> Option<String> {
    let first = manifest.layers.first().map(|layer| layer.media_type.as_str());
    let has_filesystem = manifest.layers.iter().any(Descriptor::may_be_filesystem);
    let by_layers =
        first.filter(|_| !has_filesystem && !manifest.layers.iter().any(Descriptor::is_encrypted));
    manifest.artifact_kind().or(by_layers).map(str::to_owned)
}

fn read_config(
    repository: &Repository,
    descriptor: &Descriptor,
    limits: &Limits,
) -> Result<Config, OpenError> {
    let what = format!("config {}", descriptor.digest);
    let input = repository.blob(&descriptor.digest, descriptor.size)?;
    let bytes = read_document(input, &what, descriptor, limits)?;
    serde_json::from_slice(&bytes).map_err(|error| OpenError::Malformed { what, detail: error.to_string() })
}

fn child(descriptor: Descriptor) -> Child {
    Child {
        is_attestation: descriptor.is_attestation(),
        is_index: descriptor.is_index(),
        digest: descriptor.digest,
        media_type: descriptor.media_type,
        size: descriptor.size,
        platform: descriptor.platform,
    }
}
