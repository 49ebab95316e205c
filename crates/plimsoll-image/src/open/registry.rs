//! Reads manifests and blobs from a registry (OCI distribution specification, "Pull").
//!
//! A manifest's bytes are verified here, since they are small and everything else hangs from them. A blob's
//! bytes are only cut at their stated size: whoever reads the blob hashes it on the way. Errors keep apart
//! what is not there, what may not be seen and what could not be asked: only the first says something about
//! the image.

pub mod auth;
pub mod credentials;
mod heads;
pub mod listing;
mod mount;
pub mod push;
pub mod reference;
pub mod referrers;

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;
use std::time::Instant;

use plimsoll_core::digest::{Algorithm, Digest};
use plimsoll_net::{Client, NetError, Request, Response, StatusError, is_listed, is_loopback_name};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256, Sha512};

use super::foreign::ForeignOptions;
use auth::{Asker, Challenge, Tokens, parse_challenges};
use credentials::{Credential, Credentials, CredentialsError};
use reference::{RepositoryName, TagOrDigest, is_path_part, is_registry_host};

/// Largest manifest, in bytes; registries accept no larger ones.
pub const MANIFEST_BYTES_MAX: u64 = 4 << 20;

/// OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Docker's manifest list, the index before OCI.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Docker's manifest, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// All that is understood. A registry answers 404 for a manifest whose type is not asked for.
const MANIFEST_TYPES: [&str; 4] = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];

/// How registries are asked.
#[derive(Clone, Debug, Default)]
pub struct RegistryOptions {
    /// Registries that are asked without TLS: `HOST` or `HOST:PORT`. Loopback hosts always are. The client
    /// must allow the same.
    pub plain_http_hosts: Vec<String>,
    /// Mirrors by registry (`docker.io`), each `HOST[:PORT][/PREFIX]`: asked in order before the registry.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// Logins.
    pub credentials: Credentials,
    /// Tokens in use. Clones of the options share them.
    pub tokens: Tokens,
    /// How layers are had that registries need not have.
    pub foreign: ForeignOptions,
}

impl RegistryOptions {
    /// The same hosts for plain HTTP, and one login for one registry, `HOST` or `HOST:PORT`: that of a single job.
    /// No other login and no mirror is used, and no token is shared with anybody.
    #[must_use]
    pub fn for_one_login(&self, host: &str, credential: Credential) -> RegistryOptions {
        RegistryOptions {
            plain_http_hosts: self.plain_http_hosts.clone(),
            mirrors: BTreeMap::new(),
            credentials: Credentials::default().with(host.to_ascii_lowercase(), credential),
            tokens: Tokens::default(),
            foreign: self.foreign.clone(),
        }
    }
}

/// A manifest as the registry has it, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestBytes {
    /// Its media type, without parameters.
    pub media_type: String,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
    /// The digest of these bytes.
    pub digest: Digest,
    /// What the registry's header calls it. For a tag this can be anything.
    pub stated: Option<String>,
}

/// Why something was not read.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The registry has it not.
    #[error("the registry `{registry}` has no {what}; check name and tag")]
    NotFound {
        /// Host and port.
        registry: String,
        /// What was asked for.
        what: String,
        /// Whether the registry's own error document says so. A proxy before it, or a HEAD, may give a bare status.
        is_stated: bool,
    },
    /// The registry does not let us.
    #[error(
        "the registry `{registry}` refuses access: {reason}; check the name, and run `docker login {registry}`"
    )]
    Unauthorized {
        /// Host and port.
        registry: String,
        /// What is refused and how.
        reason: String,
    },
    /// The registry was asked too often.
    #[error("the registry `{registry}` was asked too often{}", wait_hint(retry_after.as_deref()))]
    RateLimited {
        /// Host and port.
        registry: String,
        /// Its `Retry-After`.
        retry_after: Option<String>,
    },
    /// The registry could not be asked.
    #[error("the registry `{registry}` could not be asked for {what}: {source}")]
    Unavailable {
        /// Host and port.
        registry: String,
        /// What was asked for.
        what: String,
        /// The cause.
        source: NetError,
    },
    /// The registry's answer cannot be right.
    #[error("{place} answers wrongly: {reason}")]
    BadAnswer {
        /// What answered, or for what.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The bytes are not those that were asked for.
    #[error("{place} answers wrongly: {reason}")]
    Mismatch {
        /// What answered, or for what.
        place: String,
        /// How they differ.
        reason: String,
    },
    /// The image is of a kind that is not supported.
    #[error(
        "`{what}` is in Docker's image format of before 2016 (schema 1), which cannot be verified; push it again with a current tool"
    )]
    Schema1 {
        /// What was asked for.
        what: String,
    },
    /// A registry is not one.
    #[error("`{host}` is not a registry; write `HOST` or `HOST:PORT`")]
    BadHost {
        /// The text.
        host: String,
    },
    /// A mirror is not one.
    #[error("`{mirror}` is not a mirror; write `HOST[:PORT][/PREFIX]`")]
    BadMirror {
        /// The text.
        mirror: String,
    },
    /// What was to be sent could not be read.
    #[error("cannot read {what} to send it to the registry `{registry}`")]
    Unsendable {
        /// Host and port.
        registry: String,
        /// What was to be sent.
        what: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A login could not be looked up.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
}

fn wait_hint(retry_after: Option<&str>) -> String {
    match retry_after {
        Some(after) => format!("; try again after what it says (`Retry-After: {after}`)"),
        None => "; try again later, or log in for a higher limit".to_owned(),
    }
}

impl RegistryError {
    fn from_net(error: NetError, registry: &str, what: &str) -> RegistryError {
        match error {
            NetError::Status(status) => from_status(*status, registry, what),
            NetError::BodyTooLarge { bytes_max, .. } => RegistryError::BadAnswer {
                place: format!("the registry `{registry}`"),
                reason: format!("{what} is larger than {bytes_max} bytes"),
            },
            source => {
                RegistryError::Unavailable { registry: registry.to_owned(), what: what.to_owned(), source }
            }
        }
    }
}

/// A registry's error document (distribution specification, "Error Codes").
#[derive(Deserialize)]
struct ErrorDocument {
    errors: Vec<ErrorEntry>,
}

#[derive(Deserialize)]
struct ErrorEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl ErrorEntry {
    /// Whether the code says that something is not there. `NOT_FOUND` is Harbor's.
    fn means_absent(&self) -> bool {
        ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "BLOB_UNKNOWN", "NOT_FOUND"].contains(&self.code.as_str())
    }
}

fn from_status(error: StatusError, registry: &str, what: &str) -> RegistryError {
    let document: Option<ErrorDocument> = serde_json::from_slice(&error.body).ok();
    let first = document.and_then(|document| document.errors.into_iter().next());
    let said = first.as_ref().map_or(String::new(), |entry| {
        let message: String = entry.message.chars().filter(|c| !c.is_control()).take(200).collect();
        format!(" (`{}`: {message})", entry.code.escape_default())
    });
    let registry = registry.to_owned();
    match error.status {
        404 if !error.is_foreign && first.as_ref().is_none_or(ErrorEntry::means_absent) => {
            RegistryError::NotFound { registry, what: what.to_owned(), is_stated: first.is_some() }
        }
        status @ (401 | 403) => RegistryError::Unauthorized {
            registry,
            reason: format!("{what} is answered with status {status}{said}"),
        },
        429 => RegistryError::RateLimited {
            registry,
            retry_after: error.headers.get("retry-after").map(str::to_owned),
        },
        500.. => RegistryError::Unavailable {
            registry,
            what: what.to_owned(),
            source: NetError::Status(Box::new(error)),
        },
        status => RegistryError::BadAnswer {
            place: format!("the registry `{registry}`"),
            reason: format!("{what} is answered with status {status}{said}"),
        },
    }
}

/// One repository, with its mirrors.
#[derive(Debug)]
pub struct Repository {
    /// Mirrors first, the registry itself last.
    endpoints: Vec<Arc<Endpoint>>,
}

impl Repository {
    /// A repository to be read; asks nothing yet.
    pub fn new(
        client: Arc<Client>,
        name: &RepositoryName,
        options: &RegistryOptions,
    ) -> Result<Repository, RegistryError> {
        let mirrors = options.mirrors.get(name.host()).map(Vec::as_slice).unwrap_or_default();
        let mut endpoints = Vec::with_capacity(mirrors.len() + 1);
        for mirror in mirrors {
            endpoints.push(Arc::new(Endpoint::mirror(&client, mirror, name, options)?));
        }
        let registry = Endpoint::new(&client, name.api_host(), name.path(), options);
        endpoints.push(Arc::new(Endpoint { registry: name.host().to_owned(), ..registry }));
        Ok(Repository { endpoints })
    }

    /// Reads a manifest or an index and verifies it.
    pub fn manifest(&self, reference: &TagOrDigest) -> Result<ManifestBytes, RegistryError> {
        self.first_of(|endpoint| endpoint.manifest(reference))
    }

    /// Opens a blob. Its bytes are not verified, but more than `size` of them are an error.
    pub fn blob(&self, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>, RegistryError> {
        self.first_of(|endpoint| Endpoint::blob(endpoint, digest, size))
    }

    /// The registry itself.
    fn registry(&self) -> &Arc<Endpoint> {
        self.endpoints.last().expect("`new` puts the registry last")
    }

    /// What the first endpoint answers that can, or what the registry itself says.
    fn first_of<T>(
        &self,
        ask: impl Fn(&Arc<Endpoint>) -> Result<T, RegistryError>,
    ) -> Result<T, RegistryError> {
        let (registry, mirrors) = self.endpoints.split_last().expect("`new` puts the registry last");
        for mirror in mirrors {
            // A login that cannot be looked up is for its user to mend, whatever the registry would say.
            if let result @ (Ok(_) | Err(RegistryError::Credentials(_))) = ask(mirror) {
                return result;
            }
        }
        ask(registry)
    }
}

/// One place where a repository can be read.
#[derive(Debug)]
struct Endpoint {
    client: Arc<Client>,
    /// Host and port.
    host: String,
    /// The same as people know it.
    registry: String,
    /// The repository there.
    path: String,
    /// `?ns=HOST` for a mirror of several registries, as containerd says it.
    query: String,
    scope: String,
    options: RegistryOptions,
}

impl Endpoint {
    fn new(client: &Arc<Client>, host: &str, path: &str, options: &RegistryOptions) -> Endpoint {
        Endpoint {
            client: Arc::clone(client),
            host: host.to_owned(),
            registry: host.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            scope: format!("repository:{path}:pull"),
            options: options.clone(),
        }
    }

    fn mirror(
        client: &Arc<Client>,
        mirror: &str,
        name: &RepositoryName,
        options: &RegistryOptions,
    ) -> Result<Endpoint, RegistryError> {
        let (host, prefix) = mirror.split_once('/').unwrap_or((mirror, ""));
        let prefix = prefix.trim_end_matches('/');
        if !is_registry_host(host) || !(prefix.is_empty() || prefix.split('/').all(is_path_part)) {
            return Err(RegistryError::BadMirror { mirror: mirror.to_owned() });
        }
        if prefix.is_empty() {
            let query = format!("?ns={}", name.host());
            return Ok(Endpoint { query, ..Endpoint::new(client, host, name.path(), options) });
        }
        Ok(Endpoint::new(client, host, &format!("{prefix}/{}", name.path()), options))
    }

    /// `SCHEME://HOST`
    fn server(&self) -> String {
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(host, _)| host);
        let is_plain = is_loopback_name(name) || is_listed(&self.options.plain_http_hosts, &self.host);
        let scheme = if is_plain { "http" } else { "https" };
        format!("{scheme}://{}", self.host)
    }

    fn url(&self, kind: &str, reference: &str) -> String {
        format!("{}/v2/{}/{kind}/{reference}{}", self.server(), self.path, self.query)
    }

    /// A manifest as people know it.
    fn name_of(&self, reference: &TagOrDigest) -> String {
        match reference {
            TagOrDigest::Tag(tag) => format!("`{}:{tag}`", self.path),
            TagOrDigest::Digest(digest) => format!("`{}@{digest}`", self.path),
        }
    }

    fn manifest(&self, reference: &TagOrDigest) -> Result<ManifestBytes, RegistryError> {
        let what = self.name_of(reference);
        let request = Request::get(self.url("manifests", &reference.to_string()))
            .header("Accept", MANIFEST_TYPES.join(", "));
        let response = self.authorized(&what, &request, |request| succeeded(self.client.send(request)?))?;
        let head = ManifestHead::of(&response);
        let bytes = response
            .bytes(MANIFEST_BYTES_MAX)
            .map_err(|error| RegistryError::from_net(error, &self.registry, &what))?;
        let place = || format!("{what} from `{}`", self.registry);
        let bad = |reason: String| RegistryError::BadAnswer { place: place(), reason };
        let digest = head
            .verify(reference, &bytes)
            .map_err(|reason| RegistryError::Mismatch { place: place(), reason })?;
        let media_type = match manifest_type(head.content_type.as_deref(), &bytes) {
            Ok(media_type) => media_type,
            Err(BadManifest::Schema1) => return Err(RegistryError::Schema1 { what }),
            // Bytes that are those of the digest are the thing itself; those of a tag could be anybody's page.
            Err(BadManifest::Other(reason)) => {
                return Err(match reference {
                    TagOrDigest::Digest(_) => RegistryError::Mismatch { place: place(), reason },
                    TagOrDigest::Tag(_) => bad(reason),
                });
            }
        };
        Ok(ManifestBytes { media_type, bytes, digest, stated: head.digest })
    }

    fn blob(self: &Arc<Self>, digest: &Digest, size: u64) -> Result<Box<dyn Read + Send>, RegistryError> {
        let what = format!("the blob `{digest}` of `{}`", self.path);
        let request = Request::get(self.url("blobs", digest.as_str()));
        let download = self.authorized(&what, &request, |request| self.client.download(request))?;
        if let Some(length) = download.length()
            && length != size
        {
            return Err(RegistryError::Mismatch {
                place: format!("the registry `{}`", self.registry),
                reason: format!("{what} has {length} bytes and should have {size}"),
            });
        }
        let endpoint = Arc::clone(self);
        let download = download.limit(size).renewing(move |refusal| {
            if asks_for_login(refusal) { endpoint.authenticate(refusal).ok() } else { None }
        });
        Ok(Box::new(download))
    }

    /// Sends a request with what is known of tokens, and once more after a challenge.
    fn authorized<T>(
        &self,
        what: &str,
        request: &Request,
        send: impl Fn(&Request) -> Result<T, NetError>,
    ) -> Result<T, RegistryError> {
        let with = |authorization: Option<String>| match authorization {
            Some(value) => request.clone().header("Authorization", value),
            None => request.clone(),
        };
        let known = self.options.tokens.get(&self.host, &self.scope, Instant::now());
        let result = match send(&with(known)) {
            Err(NetError::Status(refusal)) if asks_for_login(&refusal) => {
                let authorization = self.authenticate(&refusal)?;
                send(&with(Some(authorization)))
            }
            result => result,
        };
        result.map_err(|error| RegistryError::from_net(error, &self.registry, what))
    }

    /// Answers a refusal: a new value for `Authorization`.
    fn authenticate(&self, refusal: &StatusError) -> Result<String, RegistryError> {
        let challenges: Vec<Challenge> =
            refusal.headers.all("www-authenticate").flat_map(parse_challenges).collect();
        let credential = self.options.credentials.find(&self.host, &self.path)?;
        let asker = Asker {
            client: &self.client,
            host: &self.host,
            registry: &self.registry,
            scope: &self.scope,
            plain_http_hosts: &self.options.plain_http_hosts,
            tokens: &self.options.tokens,
        };
        asker.answer(&challenges, credential.as_ref())
    }
}

fn succeeded(response: Response) -> Result<Response, NetError> {
    if response.is_success() {
        Ok(response)
    } else {
        Err(NetError::Status(Box::new(response.into_status_error())))
    }
}

/// Whether the registry itself asks for a login, rather than a host that it redirected us to.
fn asks_for_login(refusal: &StatusError) -> bool {
    refusal.status == 401 && !refusal.is_foreign
}

/// What the headers say about a manifest.
struct ManifestHead {
    content_type: Option<String>,
    digest: Option<String>,
}

impl ManifestHead {
    fn of(response: &Response) -> ManifestHead {
        let content_type = response.header("content-type").and_then(|text| text.split(';').next());
        ManifestHead {
            content_type: content_type.map(|text| text.trim().to_ascii_lowercase()),
            digest: response.header("docker-content-digest").map(str::to_owned),
        }
    }

    /// The digest of the bytes, which must be what was asked for. For a tag the header is not looked at: many
    /// registries state it wrongly, and the bytes speak for themselves.
    fn verify(&self, reference: &TagOrDigest, bytes: &[u8]) -> Result<Digest, String> {
        let TagOrDigest::Digest(wanted) = reference else { return Ok(Digest::sha256(&sha256(bytes))) };
        if let Some(stated) = &self.digest
            && stated.trim() != wanted.as_str()
        {
            return Err(format!("it states the digest `{}`", stated.escape_default()));
        }
        let found = match wanted.algorithm() {
            Algorithm::Sha256 => Digest::sha256(&sha256(bytes)),
            Algorithm::Sha512 => Digest::sha512(&Sha512::digest(bytes).into()),
        };
        if found != *wanted {
            return Err(format!("its bytes have the digest `{found}`"));
        }
        Ok(found)
    }
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// As much of a manifest as tells its type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    schema_version: u64,
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
}

#[derive(Debug, PartialEq, Eq)]
enum BadManifest {
    Schema1,
    Other(String),
}

/// The type of a manifest, on which header and body must agree: who verified an index and who runs a manifest
/// must not read the same bytes differently (CVE-2021-41190).
fn manifest_type(content_type: Option<&str>, bytes: &[u8]) -> Result<String, BadManifest> {
    let other = |reason: String| BadManifest::Other(reason);
    if content_type.is_some_and(|text| text.starts_with("application/vnd.docker.distribution.manifest.v1+")) {
        return Err(BadManifest::Schema1);
    }
    let outline: Outline =
        serde_json::from_slice(bytes).map_err(|error| other(format!("it is no JSON manifest ({error})")))?;
    match outline.schema_version {
        2 => {}
        1 => return Err(BadManifest::Schema1),
        version => return Err(other(format!("its `schemaVersion` is {version} and should be 2"))),
    }
    if outline.manifests.is_some() && (outline.layers.is_some() || outline.config.is_some()) {
        return Err(other("it is an index and a manifest at once".to_owned()));
    }
    // Some stores serve every file as one of these.
    let content_type = content_type
        .filter(|text| !matches!(*text, "" | "application/json" | "text/plain" | "application/octet-stream"));
    let media_type = match (content_type, outline.media_type) {
        (Some(header), Some(body)) if header != body => {
            let body = body.escape_default();
            return Err(other(format!(
                "its type is `{}` by header and `{body}` by itself",
                header.escape_default()
            )));
        }
        (Some(header), _) => header.to_owned(),
        (None, Some(body)) => body,
        (None, None) if outline.manifests.is_some() => OCI_INDEX.to_owned(),
        (None, None) => OCI_MANIFEST.to_owned(),
    };
    let is_index = [OCI_INDEX, DOCKER_LIST].contains(&media_type.as_str());
    let is_manifest = [OCI_MANIFEST, DOCKER_MANIFEST].contains(&media_type.as_str());
    if (is_index && outline.manifests.is_none()) || (is_manifest && outline.manifests.is_some()) {
        return Err(other(format!("its content is not of its type `{media_type}`")));
    }
    Ok(media_type)
}
