//! An image in a registry, as a place to read it from.

use std::io::{Cursor, Read};
use std::str::FromStr as _;
use std::sync::Arc;

use plimsoll_net::Client;

use super::documents::Descriptor;
use super::foreign::Foreign;
use super::registry::reference::{RegistryReference, TagOrDigest};
use super::registry::{RegistryError, RegistryOptions, Repository};
use super::{OpenError, Opened, PlatformChoice, Store, resolve};
use crate::limits::Limits;

/// Opens images in a registry.
pub fn open(
    reference: &str,
    location: &str,
    client: Arc<Client>,
    registry: &RegistryOptions,
    choice: &PlatformChoice,
    limits: &Limits,
) -> Result<Opened, OpenError> {
    let parsed = RegistryReference::from_str(location)
        .map_err(|error| OpenError::BadReference { reference: reference.to_owned(), reason: error.hint })?;
    let repository = Repository::new(client, &parsed.name, registry)?;
    let manifest = repository.manifest(&parsed.target())?;
    let top = Descriptor::new(&manifest.media_type, manifest.digest, manifest.bytes.len() as u64);
    let foreign = Foreign::new(&registry.foreign);
    let store = Remote { repository, foreign, top: top.clone(), top_bytes: manifest.bytes };
    resolve(Box::new(store), reference, &[top], choice, limits)
}

/// A repository, and the document that the reference led to, so that it is asked for once.
struct Remote {
    repository: Repository,
    foreign: Foreign,
    top: Descriptor,
    top_bytes: Vec<u8>,
}

impl Store for Remote {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        if descriptor.digest == self.top.digest {
            return Ok(Box::new(Cursor::new(self.top_bytes.clone())));
        }
        let manifest = self.repository.manifest(&TagOrDigest::Digest(descriptor.digest.clone()))?;
        Ok(Box::new(Cursor::new(manifest.bytes)))
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        self.foreign.check(descriptor)?;
        match self.repository.blob(&descriptor.digest, descriptor.size) {
            Err(RegistryError::NotFound { registry, .. }) if descriptor.is_foreign() => {
                let said = format!("the registry `{registry}` does not have it");
                Ok(Box::new(self.foreign.open(descriptor, Some(descriptor.size), Some(said))?))
            }
            blob => Ok(blob?),
        }
    }

    fn reject(&self, layer: &Descriptor, why: &str) -> bool {
        self.foreign.reject(layer, why)
    }
}

impl From<RegistryError> for OpenError {
    fn from(error: RegistryError) -> OpenError {
        OpenError::Registry(error)
    }
}
