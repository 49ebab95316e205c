//! Files in an OCI registry: an artifact is a manifest whose layers are files, each titled with its path.
//!
//! That is what ORAS writes (<https://oras.land/docs/how_to_guides/pushing_and_pulling>): the annotation
//! `org.opencontainers.image.title` of a layer is the path of the file. `oci://HOST/REPOSITORY:TAG` names an
//! artifact, `oci://HOST/REPOSITORY:TAG/PATH` a file in it; without a path it is the only file. A layer's digest
//! is what a file is known by, so what is here already is not fetched.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail};
use plimsoll_core::digest::Digest;
use plimsoll_feeds::{Answer, Transport, TransportError};
use plimsoll_image::open::registry::reference::RegistryReference;
use plimsoll_image::open::registry::{OCI_MANIFEST, RegistryError, RegistryOptions, Repository};
use plimsoll_net::{Client, Validators};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

mod bundle;

pub(crate) use bundle::push;

/// What a URL of an artifact begins with.
pub(crate) const SCHEME: &str = "oci://";

/// Annotation with the path of a file.
pub(crate) const TITLE: &str = "org.opencontainers.image.title";

/// Most files of one artifact. A manifest ends at 4 MiB anyway.
const FILES_MAX: usize = 20_000;

/// Whether a URL names something in a registry.
pub(crate) fn is_oci(url: &str) -> bool {
    url.get(..SCHEME.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

/// The artifact that a URL names, and the path of the file in it.
pub(crate) fn parse(url: &str) -> anyhow::Result<(RegistryReference, &str)> {
    let hint = "write `oci://HOST/REPOSITORY:TAG`";
    let rest = url.get(SCHEME.len()..).filter(|_| is_oci(url)).context(hint)?;
    let host = rest.find('/').with_context(|| format!("`{url}` names no repository; {hint}"))?;
    let tagged = rest[host..].find([':', '@']).with_context(|| format!("`{url}` names no tag; {hint}"))?;
    let end = rest[host + tagged..].find('/').map_or(rest.len(), |at| host + tagged + at);
    let path = rest[end..].trim_start_matches('/');
    Ok((rest[..end].parse()?, path))
}

/// The host of a URL of an artifact.
pub(crate) fn host_of(url: &str) -> Option<&str> {
    url.get(SCHEME.len()..).filter(|_| is_oci(url))?.split('/').next().filter(|host| !host.is_empty())
}

/// A manifest's part that counts here.
#[derive(Deserialize)]
struct Manifest {
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: HashMap<String, String>,
}

/// One file of an artifact.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) digest: Digest,
    /// In bytes.
    pub(crate) size: u64,
    /// Its path; empty where it has none.
    pub(crate) title: String,
}

impl File {
    fn of(mut layer: Layer) -> anyhow::Result<File> {
        let title = layer.annotations.remove(TITLE).unwrap_or_default();
        Ok(File { digest: layer.digest.parse()?, size: layer.size, title })
    }
}

/// An artifact that is there.
#[derive(Debug)]
pub(crate) struct Artifact {
    repository: Repository,
    pub(crate) files: Vec<File>,
}

impl Artifact {
    /// Reads the manifest. `None` where the registry has none of that name.
    pub(crate) fn open(
        client: &Arc<Client>,
        reference: &RegistryReference,
        options: &RegistryOptions,
    ) -> anyhow::Result<Option<Artifact>> {
        let repository = Repository::new(Arc::clone(client), &reference.name, options)?;
        let manifest = match repository.manifest(&reference.target()) {
            Ok(manifest) => manifest,
            Err(RegistryError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if manifest.media_type != OCI_MANIFEST {
            bail!("`{reference}` is a `{}` and no artifact", manifest.media_type);
        }
        let files = serde_json::from_slice(&manifest.bytes)
            .map_err(anyhow::Error::from)
            .and_then(|Manifest { layers }| layers.into_iter().map(File::of).collect())
            .with_context(|| format!("cannot read the manifest of `{reference}`"))?;
        let files: Vec<File> = files;
        if files.len() > FILES_MAX {
            bail!("`{reference}` has {} files, more than {FILES_MAX}", files.len());
        }
        Ok(Some(Artifact { repository, files }))
    }

    /// The file at a path; the only one where the path is empty.
    fn file(&self, path: &str) -> Option<&File> {
        match self.files.as_slice() {
            [only] if path.is_empty() => Some(only),
            files => files.iter().find(|file| !path.is_empty() && file.title == path),
        }
    }

    /// The bytes of a file, an error at their end where they are not the ones of its digest.
    pub(crate) fn read(&self, file: &File) -> Result<Box<dyn Read + Send>, RegistryError> {
        let body = self.repository.blob(&file.digest, file.size)?;
        Ok(Box::new(Verified { body, wanted: file.digest.clone(), hash: Some(Sha256::new()) }))
    }
}

/// Bytes that are held against their digest.
struct Verified {
    body: Box<dyn Read + Send>,
    wanted: Digest,
    hash: Option<Sha256>,
}

impl Read for Verified {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.body.read(buffer)?;
        if length > 0 {
            if let Some(hash) = &mut self.hash {
                hash.update(&buffer[..length]);
            }
        } else if !buffer.is_empty()
            && let Some(hash) = self.hash.take()
        {
            let found = Digest::sha256(&hash.finalize().into());
            if found != self.wanted {
                return Err(io::Error::other(format!(
                    "its bytes have the digest `{found}` and not `{}`",
                    self.wanted
                )));
            }
        }
        Ok(length)
    }
}

/// Reads files of artifacts, and all other URLs as a [`Client`] does.
pub(crate) struct OciTransport {
    client: Arc<Client>,
    options: RegistryOptions,
    /// Manifests that were read in this run, by reference.
    known: Mutex<HashMap<String, Option<Arc<Artifact>>>>,
}

impl OciTransport {
    pub(crate) fn new(client: Arc<Client>, options: RegistryOptions) -> OciTransport {
        OciTransport { client, options, known: Mutex::default() }
    }

    fn artifact(&self, reference: &RegistryReference) -> anyhow::Result<Option<Arc<Artifact>>> {
        let key = reference.to_string();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(artifact) = known.get(&key) {
            return Ok(artifact.clone());
        }
        let artifact = Artifact::open(&self.client, reference, &self.options)?.map(Arc::new);
        known.insert(key, artifact.clone());
        Ok(artifact)
    }

    fn get(&self, url: &str, validators: &Validators, bytes_max: u64) -> anyhow::Result<Answer> {
        let (reference, path) = parse(url)?;
        let Some(artifact) = self.artifact(&reference)? else { return Ok(Answer::Absent) };
        let Some(file) = artifact.file(path) else { return Ok(Answer::Absent) };
        let etag = Some(file.digest.to_string());
        if validators.etag == etag {
            return Ok(Answer::Unchanged);
        }
        if file.size > bytes_max {
            bail!("`{url}` has {} bytes, more than the limit of {bytes_max}", file.size);
        }
        Ok(Answer::Changed {
            body: artifact.read(file)?,
            validators: Validators { etag, last_modified: None },
        })
    }
}

impl Transport for OciTransport {
    fn get_if_changed(
        &self,
        url: &str,
        validators: &Validators,
        bytes_max: u64,
    ) -> Result<Answer, TransportError> {
        if is_oci(url) {
            return Ok(self.get(url, validators, bytes_max)?);
        }
        Transport::get_if_changed(&*self.client, url, validators, bytes_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_an_artifact_and_a_file() {
        for (url, expected) in [
            ("oci://registry.example/feeds:latest", "registry.example/feeds:latest|"),
            (
                "oci://localhost:5000/team/feeds:v1/v3.20/main.json",
                "localhost:5000/team/feeds:v1|v3.20/main.json",
            ),
            ("OCI://registry.example/feeds:latest/", "registry.example/feeds:latest|"),
        ] {
            let (reference, path) = parse(url).unwrap();
            assert_eq!(format!("{reference}|{path}"), expected, "{url}");
        }
        for url in
            ["oci://", "oci://host", "oci://host:5000/feeds", "https://host/feeds:1", "oci:host/feeds:1"]
        {
            assert!(parse(url).is_err(), "{url}");
        }
        assert_eq!(host_of("oci://localhost:5000/feeds:v1"), Some("localhost:5000"));
        assert_eq!(host_of("https://localhost:5000/feeds:v1"), None);
    }
}
