//! What refers to a manifest: signatures, attestations and whatever else names it as its subject.
//!
//! OCI distribution specification 1.1, "Listing Referrers". What surprises: a registry without this API answers 404, and
//! what refers to a manifest then stands in an index under the tag `sha256-HEX`, which clients keep up.

use std::collections::BTreeSet;

use plimsoll_core::digest::Digest;
use plimsoll_net::Request;

use super::reference::TagOrDigest;
use super::{MANIFEST_BYTES_MAX, OCI_INDEX, RegistryError, Repository, succeeded};
use crate::open::documents::{Descriptor, Document};

/// Most manifests that may refer to one. More is an error, never a part of them.
pub const REFERRERS_MAX: usize = 200;

/// The tag under which clients keep what refers to a digest.
pub fn fallback_tag(digest: &Digest) -> String {
    digest.as_str().replacen(':', "-", 1)
}

impl Repository {
    /// What refers to a manifest, by the API and by the tag, each once.
    pub fn referrers(&self, digest: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        let mut all = match self.referrers_of_api(digest) {
            Err(RegistryError::NotFound { .. }) => Vec::new(),
            found => found?,
        };
        match self.manifest(&TagOrDigest::Tag(fallback_tag(digest))) {
            Err(RegistryError::NotFound { .. }) => {}
            found => {
                let found = found?;
                all.extend(
                    descriptors(&found.bytes, &found.media_type)
                        .map_err(|reason| self.bad(digest, reason))?,
                );
            }
        }
        let mut known = BTreeSet::new();
        all.retain(|descriptor| known.insert(descriptor.digest.clone()));
        if all.len() > REFERRERS_MAX {
            return Err(
                self.bad(digest, format!("there are more than {REFERRERS_MAX} of them (REFERRERS_MAX)"))
            );
        }
        Ok(all)
    }

    fn referrers_of_api(&self, digest: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        let endpoint = self.registry();
        let what = format!("what refers to `{}@{digest}`", endpoint.path);
        let request = Request::get(endpoint.url("referrers", digest.as_str())).header("Accept", OCI_INDEX);
        let response =
            endpoint.authorized(&what, &request, |request| succeeded(endpoint.client.send(request)?))?;
        if response.header("link").is_some() {
            // A part of them would look like all of them.
            return Err(self.bad(digest, "it comes in several pages, which are not read".to_owned()));
        }
        let bytes = response
            .bytes(MANIFEST_BYTES_MAX)
            .map_err(|error| RegistryError::from_net(error, &endpoint.registry, &what))?;
        descriptors(&bytes, "").map_err(|reason| self.bad(digest, reason))
    }

    fn bad(&self, digest: &Digest, reason: String) -> RegistryError {
        let endpoint = self.registry();
        RegistryError::BadAnswer {
            place: format!("the registry `{}`", endpoint.registry),
            reason: format!("what refers to `{}@{digest}`: {reason}", endpoint.path),
        }
    }
}

fn descriptors(bytes: &[u8], media_type: &str) -> Result<Vec<Descriptor>, String> {
    match Document::parse(bytes, media_type)? {
        Document::Index(index) => Ok(index.manifests),
        Document::Manifest(_) => Err("it is no index".to_owned()),
    }
}
