//! A bundle of feeds as an OCI artifact: each of its entries a layer, titled with the entry's name.
//!
//! The bytes are those of the bundle's tar file, so the signature holds for both; a registry keeps an entry that
//! has not changed once.

use std::io::{self, Read};
use std::sync::Arc;

use anyhow::Context as _;
use plimsoll_core::digest::Digest;
use plimsoll_feeds::bundle::{
    BundleError, Export, Head, Incoming, MANIFEST_BYTES_MAX, MANIFEST_ENTRY, Payload, SIGNATURE_BYTES_MAX,
    SIGNATURE_ENTRY,
};
use plimsoll_image::open::registry::push::Push;
use plimsoll_image::open::registry::reference::RegistryReference;
use plimsoll_image::open::registry::{OCI_MANIFEST, RegistryOptions};
use plimsoll_net::Client;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Artifact, File, TITLE};

/// What kind of artifact it is.
const ARTIFACT_TYPE: &str = "application/vnd.plimsoll.feeds.bundle.v1";

/// What a layer is: the manifest and the signature are JSON, payloads are whatever they are.
const LAYER_TYPE: &str = "application/vnd.plimsoll.feeds.entry.v1";

/// The configuration of an artifact that has none (OCI image specification 1.1, *Guidance for an empty
/// descriptor*).
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";

/// What a push did.
#[derive(Debug, Default)]
pub(crate) struct Pushed {
    /// Digest of the artifact's manifest.
    pub(crate) digest: String,
    /// Entries that the registry had.
    pub(crate) there: usize,
    /// Entries that were sent.
    pub(crate) sent: usize,
}

/// Sends a bundle to a registry.
pub(crate) fn push(
    client: Arc<Client>,
    reference: &RegistryReference,
    options: &RegistryOptions,
    export: &Export,
    on_entry: &mut dyn FnMut(&str),
) -> anyhow::Result<Pushed> {
    let push = Push::new(client, &reference.name, options);
    let mut pushed = Pushed::default();
    let mut layers = Vec::new();
    let head = export.head();
    let documents = [(MANIFEST_ENTRY, Some(&head.manifest)), (SIGNATURE_ENTRY, head.signature.as_ref())];
    for (name, bytes) in documents {
        let Some(bytes) = bytes else { continue };
        on_entry(name);
        let digest = digest_of(bytes);
        let is_sent = push.blob(&digest, bytes.len() as u64, &|| in_memory(bytes))?;
        pushed.count(is_sent);
        layers.push(layer(LAYER_TYPE, &digest, bytes.len() as u64, name));
    }
    for (payload, source) in export.payloads() {
        on_entry(&payload.entry);
        let digest: Digest = format!("sha256:{}", payload.sha256).parse()?;
        let is_sent = push
            .blob(&digest, payload.bytes, &|| source.open())
            .with_context(|| format!("cannot send `{}`", payload.entry))?;
        pushed.count(is_sent);
        layers.push(layer(LAYER_TYPE, &digest, payload.bytes, &payload.entry));
    }
    push.blob(&digest_of(EMPTY), EMPTY.len() as u64, &|| in_memory(EMPTY))?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": ARTIFACT_TYPE,
        "config": {"mediaType": EMPTY_TYPE, "digest": digest_of(EMPTY).as_str(), "size": EMPTY.len()},
        "layers": layers,
        "annotations": {"org.opencontainers.image.created": export.manifest().created_at},
    });
    let manifest = manifest.to_string();
    push.manifest(&reference.target(), OCI_MANIFEST, manifest.as_bytes())?;
    pushed.digest = digest_of(manifest.as_bytes()).to_string();
    Ok(pushed)
}

impl Pushed {
    fn count(&mut self, is_sent: bool) {
        if is_sent {
            self.sent += 1;
        } else {
            self.there += 1;
        }
    }
}

fn layer(media_type: &str, digest: &Digest, size: u64, title: &str) -> Value {
    json!({"mediaType": media_type, "digest": digest.as_str(), "size": size, "annotations": {TITLE: title}})
}

fn digest_of(bytes: &[u8]) -> Digest {
    Digest::sha256(&Sha256::digest(bytes).into())
}

fn in_memory(bytes: &[u8]) -> io::Result<Box<dyn Read + Send>> {
    Ok(Box::new(io::Cursor::new(bytes.to_vec())))
}

/// A bundle that is read from a registry. What nobody asks for is not fetched.
impl Incoming for Artifact {
    fn head(&mut self) -> Result<Head, BundleError> {
        let document = |name: &str, bytes_max: u64| -> Result<Option<Vec<u8>>, BundleError> {
            let Some(file) = self.files.iter().find(|file| file.title == name) else { return Ok(None) };
            if file.size > bytes_max {
                return Err(BundleError::Manifest(format!("`{name}` is larger than {bytes_max} bytes")));
            }
            let mut bytes = Vec::new();
            self.entry(file)?.read_to_end(&mut bytes).map_err(BundleError::Read)?;
            Ok(Some(bytes))
        };
        let manifest = document(MANIFEST_ENTRY, MANIFEST_BYTES_MAX)?;
        let manifest = manifest.ok_or(BundleError::NotOne("the artifact has no `bundle.json`"))?;
        Ok(Head { manifest, signature: document(SIGNATURE_ENTRY, SIGNATURE_BYTES_MAX)? })
    }

    fn payload<'a>(&'a mut self, payload: &Payload) -> Result<Box<dyn Read + 'a>, BundleError> {
        let file = self.files.iter().find(|file| file.title == payload.entry);
        let file = file.filter(|file| file.size == payload.bytes);
        let missing = || BundleError::Damaged(format!("the artifact has no `{}` of its size", payload.entry));
        Ok(self.entry(file.ok_or_else(missing)?)?)
    }

    fn end(&mut self) -> Result<(), BundleError> {
        Ok(())
    }
}

impl Artifact {
    fn entry(&self, file: &File) -> Result<Box<dyn Read + Send>, BundleError> {
        self.read(file).map_err(|error| BundleError::Read(io::Error::other(error)))
    }
}
