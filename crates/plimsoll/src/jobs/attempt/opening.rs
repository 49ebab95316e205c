//! From a source to an open image, or to what the reference is instead.

use std::collections::BTreeSet;
use std::str::FromStr as _;
use std::sync::Arc;

use plimsoll_core::digest::Digest;
use plimsoll_image::cache;
use plimsoll_image::open::describe::{self, Content, describe};
use plimsoll_image::open::registry::RegistryOptions;
use plimsoll_image::open::registry::reference::{RegistryReference, RepositoryName};
use plimsoll_image::open::{Opened, PlatformChoice, blobs, remote};
use plimsoll_net::Client;
use plimsoll_store::{Child, ScanKind, Submission};

use super::super::source::{Source, SourceLayer};
use super::{Broken, Cause, Fate, Work, fate, limits};
use crate::jobs::submission;

/// What a source leads to.
pub(super) enum Found {
    /// A name, whose digest is another scan.
    Elsewhere(Box<Submission>),
    /// An index, whose images are scans of their own.
    Index { children: Vec<Child>, submissions: Vec<Submission> },
    /// An image, its layers not read yet.
    Image(Opened),
}

pub(super) fn open(work: &Work<'_>, source: &Source) -> Result<Found, Broken> {
    match source {
        Source::Registry { reference, authorization, .. } => {
            let options = work.server.registry_options(reference, authorization.as_deref());
            in_registry(work, reference, &options, source)
        }
        Source::Layers(layers) => by_layers(work, layers).map(Found::Image),
    }
}

fn in_registry(
    work: &Work<'_>,
    text: &str,
    options: &RegistryOptions,
    source: &Source,
) -> Result<Found, Broken> {
    let reference = RegistryReference::from_str(text)
        .map_err(|error| Broken::Image(Cause::BadReference, error.to_string()))?;
    let client = work.server.registry_client().map_err(|error| {
        Broken::Image(Cause::Configuration, format!("registries cannot be asked: {error:#}"))
    })?;
    let limits = limits(work.server);
    let location = match &work.scan.digest {
        Some(digest) => format!("{}@{digest}", reference.name),
        None => text.to_owned(),
    };
    if work.scan.kind != ScanKind::Image {
        let found = describe(text, &location, Arc::clone(&client), options, &limits)?;
        if work.scan.digest.is_none() {
            let to = submission::of_digest(&resubmitted(work), &found.digest, source, ScanKind::Digest);
            return Ok(Found::Elsewhere(Box::new(to)));
        }
        match found.content {
            Content::Index(named) => {
                let place = Place { name: &reference.name, client, options };
                return children(work, source, text, &place, &named);
            }
            Content::Manifest(facts) => {
                if let Some((cause, detail)) = facts.obstacle {
                    return Err(Broken::Image(cause, detail));
                }
            }
        }
    }
    let opened = remote::open(text, &location, client, options, &PlatformChoice::All, &limits)?;
    Ok(Found::Image(opened))
}

/// Where an index was found.
struct Place<'a> {
    name: &'a RepositoryName,
    client: Arc<Client>,
    options: &'a RegistryOptions,
}

/// What an index names. Attestations are told and not scanned; an index in it is a scan that leads to others. Anybody
/// who may push can have an index name an image of others: so an image is of the index's repository only where that
/// repository has it.
fn children(
    work: &Work<'_>,
    source: &Source,
    text: &str,
    place: &Place<'_>,
    named: &[describe::Child],
) -> Result<Found, Broken> {
    let children: Vec<Child> = named
        .iter()
        .map(|child| Child {
            digest: child.digest.clone(),
            platform: child.platform.as_ref().map_or(String::new(), ToString::to_string),
            media_type: child.media_type.clone(),
            size: child.size,
            is_attestation: child.is_attestation,
        })
        .collect();
    let parent = Submission {
        reference: text.to_owned(),
        registry: place.name.host().to_owned(),
        repository: place.name.path().to_owned(),
        ..resubmitted(work)
    };
    let mut submissions = Vec::with_capacity(children.len());
    for child in children.iter().filter(|child| !child.is_attestation) {
        if work.pulse.stop().is_some() {
            return Err(Broken::Stopped);
        }
        let submission = submission::of_digest(&parent, &child.digest, source, ScanKind::Digest);
        submissions.push(match is_held(work, place, &child.digest)? {
            true => submission,
            false => Submission { repository: String::new(), ..submission },
        });
    }
    Ok(Found::Index { children, submissions })
}

/// Whether a repository has a manifest, as it has shown before or shows now.
fn is_held(work: &Work<'_>, place: &Place<'_>, digest: &Digest) -> Result<bool, Broken> {
    let known = (place.name.host().to_owned(), place.name.path().to_owned());
    if work.store.places(digest.as_str())?.contains(&known) {
        return Ok(true);
    }
    let location = format!("{}@{digest}", place.name);
    match describe::has_manifest(&location, Arc::clone(&place.client), place.options) {
        Ok(is_held) => Ok(is_held),
        Err(error) if matches!(fate(&error.cause()), Fate::Retry(_)) => Err(error.into()),
        // Its own scan says what is wrong with it.
        Err(_) => Ok(false),
    }
}

/// The submission that the scan came from, as far as its successors share it.
fn resubmitted(work: &Work<'_>) -> Submission {
    let scan = work.scan;
    Submission {
        digest: scan.digest.clone(),
        kind: scan.kind,
        reference: scan.reference.clone(),
        registry: scan.registry.clone(),
        repository: scan.repository.clone(),
        source: Vec::new(),
        priority: scan.priority,
        reason: super::Reason::Asked,
        attempts_max: scan.attempts_max,
        index_state: cache::index_state(),
        is_forced: false,
    }
}

fn by_layers(work: &Work<'_>, layers: &[SourceLayer]) -> Result<Opened, Broken> {
    let manifest = work.scan.digest.clone().ok_or(Broken::NoSource)?;
    check_shown(work, &manifest, layers)?;
    let urls = layers.iter().map(|layer| {
        Ok(blobs::LayerUrl {
            digest: Digest::from_str(&layer.digest)
                .map_err(|error| Broken::Image(Cause::BadReference, error.to_string()))?,
            url: layer.url.clone(),
            headers: layer.headers.clone(),
            is_foreign: work.server.config.is_foreign(&layer.url),
        })
    });
    let urls = urls.collect::<Result<Vec<_>, Broken>>()?;
    let client = work.server.registry_client().map_err(|error| {
        Broken::Image(Cause::Configuration, format!("layers cannot be asked for: {error:#}"))
    })?;
    let limits = limits(work.server);
    let fingerprint = cache::fingerprint(&limits);
    let is_known = |digest: &Digest| matches!(work.store.layer(digest, &fingerprint), Ok(Some(_)));
    let ahead = blobs::Ahead { layers_max: blobs::OPEN_AHEAD_MAX, is_known: &is_known };
    Ok(blobs::open(&work.scan.id, manifest, urls, client, &work.server.foreign_options(), ahead, &limits)?)
}

/// Where a registry has shown an image before, nobody says that it has other layers.
fn check_shown(work: &Work<'_>, manifest: &Digest, layers: &[SourceLayer]) -> Result<(), Broken> {
    if work.scan.reference.is_empty() {
        return Ok(());
    }
    let Some(row) = work.store.inventory(manifest)? else { return Ok(()) };
    let shown: BTreeSet<&str> = row.image.layers.iter().map(|layer| layer.digest.as_str()).collect();
    let said: BTreeSet<&str> = layers.iter().map(|layer| layer.digest.as_str()).collect();
    match shown == said {
        true => Ok(()),
        false => {
            let detail = format!("the layers that were handed in are not those of `{manifest}`");
            Err(Broken::Image(Cause::Mismatch, detail))
        }
    }
}
