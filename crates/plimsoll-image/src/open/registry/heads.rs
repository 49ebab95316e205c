//! Whether a blob is there, and how large it is, without reading it.
//!
//! What surprises: a 404 of `HEAD` has no body, so nobody knows who says it. The blob is then asked for, to hear whether
//! it is the registry that does not have it.

use plimsoll_core::digest::Digest;
use plimsoll_net::Request;

use super::{RegistryError, Repository, succeeded};

impl Repository {
    /// Size of a blob in bytes, as the registry states it.
    pub fn blob_size(&self, digest: &Digest) -> Result<u64, RegistryError> {
        let endpoint = self.registry();
        let what = format!("the blob `{digest}` of `{}`", endpoint.path);
        let url = endpoint.url("blobs", digest.as_str());
        let response = endpoint
            .authorized(&what, &Request::head(&url), |request| succeeded(endpoint.client.send(request)?));
        let response = match response {
            Err(RegistryError::NotFound { .. }) => {
                endpoint.authorized(&what, &Request::get(&url), |request| {
                    succeeded(endpoint.client.send(request)?)
                })?
            }
            response => response?,
        };
        let length = response.header("content-length").and_then(|text| text.trim().parse().ok());
        length.ok_or_else(|| RegistryError::BadAnswer {
            place: format!("the registry `{}`", endpoint.registry),
            reason: format!("{what} is there, without a word on its size"),
        })
    }
}
