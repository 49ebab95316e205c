//! What refers to a manifest: signatures, attestations and whatever else names it as its subject.
//!
//! OCI distribution specification 1.1, "Listing Referrers". What surprises: a registry without this API answers 404, and
//! what refers to a manifest then stands in an index under the tag `sha256-HEX`, which clients keep up.

use std::collections::BTreeSet;

use plimsoll_core::digest::Digest;
use plimsoll_net::Request;

use super::listing::{Cursor, next_link};
use super::reference::TagOrDigest;
use super::{MANIFEST_BYTES_MAX, ManifestBytes, OCI_INDEX, RegistryError, Repository, succeeded};
use crate::open::documents::{Descriptor, Document};

/// Most manifests that may refer to one. More is an error, never a part of them.
pub const REFERRERS_MAX: usize = 200;

/// Most pages of a list.
const PAGES_MAX: usize = 20;

/// Signatures, attestations and SBOMs of cosign before version 3.
const COSIGN_SUFFIXES: [&str; 3] = [".att", ".sbom", ".sig"];

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
            Err(RegistryError::NotFound { is_stated: true, .. }) => {}
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

    /// All pages of the API's list. Only the first may say that there is no such API.
    fn referrers_of_api(&self, digest: &Digest) -> Result<Vec<Descriptor>, RegistryError> {
        let endpoint = self.registry();
        let what = format!("what refers to `{}@{digest}`", endpoint.path);
        let url = endpoint.url("referrers", digest.as_str());
        let mut all = Vec::new();
        let mut query = None;
        for nth in 0..PAGES_MAX {
            let page = match &query {
                None => url.clone(),
                Some(query) => format!("{url}?{query}"),
            };
            let request = Request::get(page).header("Accept", OCI_INDEX);
            let response = endpoint
                .authorized(&what, &request, |request| succeeded(endpoint.client.send(request)?))
                .map_err(|error| match error {
                    RegistryError::NotFound { .. } if nth > 0 => {
                        self.bad(digest, "a page that it names is not there".to_owned())
                    }
                    error => error,
                })?;
            let next = response.headers().all("link").find_map(next_link).map(str::to_owned);
            let bytes = response
                .bytes(MANIFEST_BYTES_MAX)
                .map_err(|error| RegistryError::from_net(error, &endpoint.registry, &what))?;
            all.extend(descriptors(&bytes, "").map_err(|reason| self.bad(digest, reason))?);
            let Some(next) = next else { return Ok(all) };
            // Of the link only the query is followed: credentials go nowhere else.
            let cursor = next.split('#').next().and_then(|link| link.split_once('?'));
            let cursor = cursor.and_then(|(_, query)| Cursor::new(query));
            let cursor = cursor.filter(|cursor| query.as_deref() != Some(cursor.as_str()));
            let cursor = cursor.ok_or_else(|| {
                self.bad(digest, format!("the next page is at `{}`", next.escape_default()))
            })?;
            query = Some(cursor.as_str().to_owned());
        }
        Err(self.bad(digest, format!("there are more than {PAGES_MAX} pages (PAGES_MAX)")))
    }

    /// What cosign before bundles keeps beside a manifest, by tags: each tag that is there, and its manifest.
    pub fn cosign_tags(&self, digest: &Digest) -> Result<Vec<(String, ManifestBytes)>, RegistryError> {
        let mut found = Vec::new();
        for suffix in COSIGN_SUFFIXES {
            let tag = format!("{}{suffix}", fallback_tag(digest));
            match self.manifest(&TagOrDigest::Tag(tag.clone())) {
                Err(RegistryError::NotFound { is_stated: true, .. }) => {}
                manifest => found.push((tag, manifest?)),
            }
        }
        Ok(found)
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
