//! Writing to a repository: blobs that it lacks, then a manifest that names them.
//!
//! OCI distribution specification 1.1, *Push* (<https://github.com/opencontainers/distribution-spec>). A blob is
//! sent in one `PUT`, which every registry takes; mirrors are never written to.

use std::io::{self, Read};
use std::sync::Arc;
use std::time::Instant;

use plimsoll_core::digest::Digest;
use plimsoll_net::{Client, Method, NetError, Request, Response, redacted, same_server};

use super::reference::{RepositoryName, TagOrDigest};
use super::{Endpoint, RegistryError, RegistryOptions, asks_for_login, succeeded};

/// A repository to write to.
#[derive(Debug)]
pub struct Push {
    pub(super) endpoint: Endpoint,
}

/// What is sent: opened anew where a login comes between.
pub type OpenBlob<'a> = &'a dyn Fn() -> io::Result<Box<dyn Read + Send>>;

impl Push {
    /// A repository to be written to; asks nothing yet.
    pub fn new(client: Arc<Client>, name: &RepositoryName, options: &RegistryOptions) -> Push {
        let endpoint = Endpoint::new(&client, name.api_host(), name.path(), options);
        let scope = format!("repository:{}:pull,push", name.path());
        Push { endpoint: Endpoint { registry: name.host().to_owned(), scope, ..endpoint } }
    }

    /// Sends a blob unless it is there. Says whether it was sent.
    pub fn blob(&self, digest: &Digest, size: u64, open: OpenBlob<'_>) -> Result<bool, RegistryError> {
        let what = format!("the blob `{digest}` of `{}`", self.endpoint.path);
        if self.has_blob(digest, &what)? {
            return Ok(false);
        }
        let begin = Request::post(self.endpoint.url("blobs", "uploads/"), Vec::new());
        let begun = self.endpoint.authorized(&what, &begin, |request| self.send(request))?;
        let put = Request::new(Method::Put, self.place(&begun, digest, &what)?)
            .header("Content-Type", "application/octet-stream");
        self.put(&put, size, open, &what)?;
        Ok(true)
    }

    /// Where the upload goes. Credentials go with it, so it must be the registry itself.
    fn place(&self, begun: &Response, digest: &Digest, what: &str) -> Result<String, RegistryError> {
        let location = begun.header("location").unwrap_or_default();
        let place = same_server(&begun.url, location).ok_or_else(|| RegistryError::BadAnswer {
            place: format!("the registry `{}`", self.endpoint.registry),
            reason: format!("{what} is to be sent to another server, `{}`", redacted(location)),
        })?;
        let joint = if place.contains('?') { '&' } else { '?' };
        Ok(format!("{place}{joint}digest={digest}"))
    }

    /// Sends the body, and once more after a challenge.
    fn put(&self, put: &Request, size: u64, open: OpenBlob<'_>, what: &str) -> Result<(), RegistryError> {
        let endpoint = &self.endpoint;
        let mut authorization = endpoint.options.tokens.get(&endpoint.host, &endpoint.scope, Instant::now());
        for is_last in [false, true] {
            let body = open().map_err(|source| RegistryError::Unsendable {
                registry: endpoint.registry.clone(),
                what: what.to_owned(),
                source,
            })?;
            let request = match authorization.take() {
                Some(value) => put.clone().header("Authorization", value),
                None => put.clone(),
            };
            match endpoint.client.upload(&request, body, size).and_then(succeeded) {
                Err(NetError::Status(refusal)) if asks_for_login(&refusal) && !is_last => {
                    authorization = Some(endpoint.authenticate(&refusal)?);
                }
                result => {
                    return result
                        .map(drop)
                        .map_err(|error| RegistryError::from_net(error, &endpoint.registry, what));
                }
            }
        }
        Ok(())
    }

    /// Writes a manifest under a tag or its digest.
    pub fn manifest(
        &self,
        reference: &TagOrDigest,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<(), RegistryError> {
        let what = format!("the manifest `{reference}` of `{}`", self.endpoint.path);
        let url = self.endpoint.url("manifests", &reference.to_string());
        let request = Request::put(url, bytes).header("Content-Type", media_type);
        self.endpoint.authorized(&what, &request, |request| self.send(request)).map(drop)
    }

    pub(super) fn has_blob(&self, digest: &Digest, what: &str) -> Result<bool, RegistryError> {
        let request = Request::head(self.endpoint.url("blobs", digest.as_str()));
        self.endpoint.authorized(what, &request, |request| {
            let response = self.endpoint.client.send(request)?;
            match response.status {
                404 => Ok(false),
                _ => succeeded(response).map(|_| true),
            }
        })
    }

    pub(super) fn send(&self, request: &Request) -> Result<Response, NetError> {
        succeeded(self.endpoint.client.send(request)?)
    }
}
