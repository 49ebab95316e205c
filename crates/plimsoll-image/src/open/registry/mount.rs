//! Having a blob in another repository of the same registry without sending it.
//!
//! OCI distribution specification 1.1, "Mounting a blob from another repository". What surprises: 202 is no error and no
//! mount, it is an upload that nobody asked for. It is called off, and the blob has to be sent.

use plimsoll_core::digest::Digest;
use plimsoll_net::{Method, Request, same_server};

use super::RegistryError;
use super::push::Push;
use super::reference::RepositoryName;

impl Push {
    /// Whether a blob is in the repository.
    pub fn has(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let what = format!("the blob `{digest}` of `{}`", self.endpoint.path);
        self.has_blob(digest, &what)
    }

    /// Whether another repository is of the same registry, so that its blobs need not be sent.
    pub fn may_mount(&self, from: &RepositoryName) -> bool {
        from.api_host() == self.endpoint.host
    }

    /// Asks the registry to take a blob from another of its repositories. Says whether it did.
    pub fn mount(&self, digest: &Digest, from: &RepositoryName) -> Result<bool, RegistryError> {
        let endpoint = &self.endpoint;
        if !self.may_mount(from) {
            return Ok(false);
        }
        let what = format!("the blob `{digest}` of `{}` for `{}`", from.path(), endpoint.path);
        let place = format!("uploads/?mount={digest}&from={}", from.path());
        let request = Request::post(endpoint.url("blobs", &place), Vec::new());
        let response = endpoint.authorized(&what, &request, |request| self.send(request))?;
        if response.status == 201 {
            return Ok(true);
        }
        let session = response.header("location").and_then(|location| same_server(&response.url, location));
        if let Some(session) = session {
            let request = Request::new(Method::Delete, session);
            // One that stays is swept by the registry; it costs nobody anything.
            drop(endpoint.authorized(&what, &request, |request| self.send(request)));
        }
        Ok(false)
    }
}
