//! What may be asked for, and what the store keeps of it.
//!
//! A client names a place, and the server goes there: so only registries count, no paths of this machine, and of
//! registries only those that the operator allows. Addresses are guarded once more when they are asked.

use std::str::FromStr as _;

use plimsoll_core::digest::Digest;
use plimsoll_core::scan::Reason;
use plimsoll_image::cache;
use plimsoll_image::open::registry::credentials::Credential;
use plimsoll_image::open::registry::reference::RegistryReference;
use plimsoll_store::{Priority, ScanKind, Submission};

use super::source::{ClairManifest, Source};
use crate::access::Principal;
use crate::config::Config;
use crate::refusal::Refusal;

/// Longest reference, in bytes.
const REFERENCE_BYTES_MAX: usize = 1_024;

/// Most layers of a manifest that a client gives.
const LAYERS_MAX: usize = 1_000;

/// Who asks for a scan, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Whose turn it is.
    pub(crate) priority: Priority,
    /// Why it is queued.
    pub(crate) reason: Reason,
    /// Whether it is scanned again although it is scanned.
    pub(crate) is_forced: bool,
}

impl Asked {
    /// Somebody waits for it.
    pub(crate) const NOW: Asked =
        Asked { priority: Priority::Asked, reason: Reason::Asked, is_forced: false };

    /// A registry that is watched has it.
    pub(crate) const WATCHED: Asked =
        Asked { priority: Priority::Watched, reason: Reason::Watched, is_forced: false };
}

/// A submission of an image in a registry: `authorization` is the client's own, for that registry alone.
pub(crate) fn of_reference(
    text: &str,
    authorization: Option<String>,
    plain_http: bool,
    asked: Asked,
    config: &Config,
) -> Result<Submission, Refusal> {
    let reference = parse(text)?;
    check_registry(reference.name.host(), config)?;
    if authorization.as_deref().is_some_and(|text| Credential::from_authorization(text).is_none()) {
        let message = "`authorization` is neither `Basic` with a user and a password in base64 nor `Bearer`";
        return Err(Refusal::bad_request(message));
    }
    if plain_http && !config.registries.get(reference.name.host()).is_some_and(|known| known.plain_http) {
        return Err(Refusal::bad_request(format!(
            "`{}` is not configured to speak plain HTTP; set `plain_http` of the registry in `[registries]`",
            reference.name.host()
        )));
    }
    let is_forced = asked.is_forced;
    let source = Source::Registry { reference: reference.to_string(), authorization, plain_http, is_forced };
    Ok(Submission {
        digest: reference.digest.clone(),
        kind: if reference.digest.is_some() { ScanKind::Digest } else { ScanKind::Reference },
        reference: reference.to_string(),
        registry: reference.name.host().to_owned(),
        repository: reference.name.path().to_owned(),
        source: source.encode(),
        priority: asked.priority,
        reason: asked.reason,
        attempts_max: config.server.attempts_max,
        index_state: cache::index_state(),
        is_forced: asked.is_forced,
    })
}

/// A submission of a digest that another one led to: an index's child, or what a name means.
pub(crate) fn of_digest(parent: &Submission, digest: &Digest, source: &Source, kind: ScanKind) -> Submission {
    let is_forced = matches!(source, Source::Registry { is_forced: true, .. });
    Submission { digest: Some(digest.clone()), kind, source: source.encode(), is_forced, ..parent.clone() }
}

/// A submission of layers as Clair's clients give them.
pub(crate) fn of_layers(manifest: &ClairManifest, config: &Config) -> Result<Submission, Refusal> {
    if manifest.layers.is_empty() {
        return Err(Refusal::bad_request("bogus manifest: it has no layers"));
    }
    if manifest.layers.len() > LAYERS_MAX {
        return Err(Refusal::bad_request(format!("bogus manifest: it has more than {LAYERS_MAX} layers")));
    }
    for layer in &manifest.layers {
        if let Err(error) = Digest::from_str(&layer.digest) {
            return Err(Refusal::bad_request(format!("bogus manifest: `{}`: {error}", layer.digest)));
        }
        check_place(&layer.url, config)?;
    }
    // Foreign layers are the lowest, and say nothing of where the image is.
    let layers = || manifest.layers.iter();
    let own = layers().find(|layer| !config.is_foreign(&layer.url)).or_else(|| layers().next());
    let host = own.map_or("", |layer| host_of(&layer.url));
    Ok(Submission {
        digest: Some(manifest.digest.clone()),
        kind: ScanKind::Image,
        reference: String::new(),
        registry: host.to_owned(),
        repository: String::new(),
        source: Source::Layers(manifest.layers.clone()).encode(),
        priority: Priority::Asked,
        reason: Reason::Asked,
        attempts_max: config.server.attempts_max,
        index_state: cache::index_state(),
        is_forced: false,
    })
}

/// What somebody may submit. Who is held to some repositories has to be shown by the registry that the image is there:
/// whoever merely names a digest must not see what is known of it from elsewhere.
pub(crate) fn by(principal: &Principal, submission: Submission) -> Result<Submission, Refusal> {
    if !principal.may_submit(&submission.registry, &submission.repository) {
        let place = format!("{}/{}", submission.registry, submission.repository);
        let message = format!("who asks may not submit images of `{place}`; ask with another token");
        return Err(Refusal::new(403, "forbidden", message));
    }
    match principal.is_limited() {
        true => Ok(Submission { digest: None, kind: ScanKind::Reference, ..submission }),
        false => Ok(submission),
    }
}

/// Reads a reference to a registry.
pub(crate) fn parse(text: &str) -> Result<RegistryReference, Refusal> {
    if text.len() > REFERENCE_BYTES_MAX {
        let message = format!("the reference is longer than {REFERENCE_BYTES_MAX} bytes");
        return Err(Refusal::bad_request(message));
    }
    let text = text.strip_prefix("docker://").unwrap_or(text);
    RegistryReference::from_str(text).map_err(|error| Refusal::bad_request(error.to_string()))
}

/// Refuses registries that are not allowed. Whether an address is private is seen only when it is asked.
pub(crate) fn check_registry(host: &str, config: &Config) -> Result<(), Refusal> {
    let Some(allowed) = &config.server.registries_allowed else { return Ok(()) };
    let is_allowed = config.registries.contains_key(host)
        || config.watches(host)
        || allowed.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')),
            None => pattern == host,
        });
    if is_allowed {
        return Ok(());
    }
    let message =
        format!("images of `{host}` are not scanned here; add it to `registries_allowed` of `[server]`");
    Err(Refusal::new(403, "forbidden", message))
}

/// Refuses layers in places that are not allowed. What is no URL is refused when it is to be fetched. Clair's clients give
/// the URL of a foreign layer as they give any other, and hosts of such are allowed by a list of their own.
fn check_place(url: &str, config: &Config) -> Result<(), Refusal> {
    if config.is_foreign(url) {
        return Ok(());
    }
    let Some(place) = plimsoll_net::host_and_port_of(url) else { return Ok(()) };
    let host = [("https:", ":443"), ("http:", ":80")].into_iter().find_map(|(scheme, port)| {
        let is_scheme = url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        place.strip_suffix(port).filter(|_| is_scheme)
    });
    // The configuration may name the host with its usual port or without.
    let checked = check_registry(host.unwrap_or(&place), config);
    checked.or_else(|refusal| check_registry(&place, config).map_err(|_| refusal))
}

/// Host and port of a URL.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    rest.rsplit('@').next().unwrap_or_default()
}
