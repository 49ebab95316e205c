//! Signatures, attestations and whatever else a registry keeps beside a manifest, with their bytes.
//!
//! Looked for by the referrers API with all its pages, by its tag, by cosign's tags, and among the attestations that BuildKit
//! puts into indexes. Nothing is verified here but that the bytes are those of their digests. What surprises: an object that is
//! named by a list of referrers and does not name the manifest itself is refused, since anybody's list could name it.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::clearance::{Child, Trouble};
use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Place, Refusal, RefusalKind, Scheme, Unseen};
use serde::Deserialize;

use crate::inspect::trouble;
use crate::limits::Limits;
use crate::open::documents::{Descriptor, Document};
use crate::open::registry::reference::TagOrDigest;
use crate::open::registry::{ManifestBytes, RegistryError, Repository};
use crate::open::{OpenError, read_document};

/// Largest object, in bytes. Attested lists of packages are large.
const OBJECT_BYTES_MAX: u64 = 32 << 20;
/// Bytes of all objects of one collection.
const ALL_BYTES_MAX: u64 = 128 << 20;
/// Most layers of one object; each is one signature or statement.
const LAYERS_MAX: usize = 100;

/// Something that speaks of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The manifest that it is said to speak of.
    pub subject: Digest,
    /// Where it lies.
    pub place: Place,
    /// What it is.
    pub form: Form,
}

/// What an object is, by its media type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A bundle of Sigstore, as JSON.
    Bundle(Vec<u8>),
    /// A signature as cosign kept it before bundles: what is signed, with the proof in the annotations.
    CosignSignature(Vec<u8>, BTreeMap<String, String>),
    /// An envelope of DSSE, perhaps with proof in annotations.
    Envelope(Vec<u8>, BTreeMap<String, String>),
    /// A plain statement of in-toto, which nobody signed.
    Statement(Vec<u8>),
    /// Of a type that is not known here.
    Unknown(String),
    /// It does not speak of the manifest, or is no object at all.
    Refused(Refusal),
    /// Its bytes were not asked for.
    Unread,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// In the order of the subjects, of each by scheme.
    pub found: Vec<Attached>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
}

/// Whether objects are only listed, or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// That they are there.
    List,
    /// Their bytes.
    Read,
}

/// Looks for everything that speaks of these manifests, and for the attestations among an index's children.
pub fn collect(
    repository: &Repository,
    subjects: &[Digest],
    children: &[Child],
    depth: Depth,
    limits: &Limits,
) -> Collected {
    let limits = Limits { document_bytes_max: OBJECT_BYTES_MAX, ..limits.clone() };
    let mut collector =
        Collector { repository, limits, depth, bytes: 0, known: BTreeSet::new(), all: Collected::default() };
    for subject in subjects {
        collector.referrers(subject);
        collector.cosign(subject);
    }
    for child in children.iter().filter(|child| child.is_attestation && child.seen.is_ok()) {
        collector.attestation(child);
    }
    collector.all
}

/// What a manifest says that it speaks of (OCI image specification 1.1, `manifest.md`, `subject`).
#[derive(Deserialize)]
struct Speaks {
    #[serde(default)]
    subject: Option<Subject>,
}

#[derive(Deserialize)]
struct Subject {
    digest: String,
}

struct Collector<'a> {
    repository: &'a Repository,
    limits: Limits,
    depth: Depth,
    /// Bytes that were read.
    bytes: u64,
    /// Subjects with the objects that were looked at.
    known: BTreeSet<(Digest, Digest)>,
    all: Collected,
}

impl Collector<'_> {
    fn referrers(&mut self, subject: &Digest) {
        let found = match self.repository.referrers(subject) {
            Ok(found) => found,
            Err(error) => return self.unseen(Scheme::Referrer, subject.as_str(), &error),
        };
        for descriptor in found {
            let place = Place { scheme: Scheme::Referrer, name: descriptor.digest.to_string() };
            if !self.known.insert((subject.clone(), descriptor.digest.clone())) {
                continue;
            }
            if self.depth == Depth::List {
                self.found(subject, &place, Form::Unread);
                continue;
            }
            match self.repository.manifest(&TagOrDigest::Digest(descriptor.digest)) {
                Ok(manifest) if speaks_of(&manifest, subject) => self.object(subject, &place, &manifest),
                Ok(_) => {
                    let detail = format!("it is listed as a referrer of {subject}, and does not name it");
                    self.found(subject, &place, Form::Refused(Refusal::new(RefusalKind::Subject, detail)));
                }
                Err(error) => self.unseen(Scheme::Referrer, &place.name, &error),
            }
        }
    }

    fn cosign(&mut self, subject: &Digest) {
        let found = match self.repository.cosign_tags(subject) {
            Ok(found) => found,
            Err(error) => return self.unseen(Scheme::CosignSignature, subject.as_str(), &error),
        };
        for (tag, manifest) in found {
            let scheme = match tag.ends_with(".sig") {
                true => Scheme::CosignSignature,
                false => Scheme::CosignAttestation,
            };
            let place = Place { scheme, name: tag };
            match self.depth {
                Depth::List => self.found(subject, &place, Form::Unread),
                Depth::Read => self.object(subject, &place, &manifest),
            }
        }
    }

    /// An attestation that an index names: nobody signed it, and it may be replaced with the index.
    fn attestation(&mut self, child: &Child) {
        let place = Place { scheme: Scheme::Buildkit, name: child.digest.to_string() };
        let Some(subject) = &child.attests else {
            let detail = "the index does not say what it speaks of".to_owned();
            let refusal = Refusal::new(RefusalKind::Subject, detail);
            return self.found(&child.digest, &place, Form::Refused(refusal));
        };
        if self.depth == Depth::List {
            return self.found(subject, &place, Form::Unread);
        }
        match self.repository.manifest(&TagOrDigest::Digest(child.digest.clone())) {
            Ok(manifest) => self.object(subject, &place, &manifest),
            Err(error) => self.unseen(Scheme::Buildkit, &place.name, &error),
        }
    }

    /// Each layer of an object is a piece of its own.
    fn object(&mut self, subject: &Digest, place: &Place, manifest: &ManifestBytes) {
        let malformed = |detail: String| Form::Refused(Refusal::new(RefusalKind::Malformed, detail));
        let parsed = match Document::parse(&manifest.bytes, &manifest.media_type) {
            Ok(Document::Manifest(parsed)) => parsed,
            Ok(Document::Index(_)) => {
                return self.found(subject, place, malformed("it is an index".to_owned()));
            }
            Err(error) => {
                return self.found(subject, place, malformed(format!("it is no manifest: {error}")));
            }
        };
        if parsed.layers.len() > LAYERS_MAX {
            let detail = format!("it has more than {LAYERS_MAX} layers (LAYERS_MAX)");
            return self.all.unseen.push(Unseen { place: place.clone(), detail });
        }
        if parsed.layers.is_empty() {
            let kind = parsed.artifact_kind().unwrap_or(&manifest.media_type).to_owned();
            return self.found(subject, place, Form::Unknown(kind));
        }
        for layer in parsed.layers {
            self.layer(subject, place, layer);
        }
    }

    fn layer(&mut self, subject: &Digest, place: &Place, layer: Descriptor) {
        let Some(form) = form(&layer.media_type) else {
            return self.found(subject, place, Form::Unknown(layer.media_type));
        };
        let bytes = match self.read(&layer) {
            Ok(bytes) => bytes,
            Err(detail) => return self.all.unseen.push(Unseen { place: place.clone(), detail }),
        };
        self.found(subject, place, form(bytes, layer.annotations));
    }

    fn read(&mut self, layer: &Descriptor) -> Result<Vec<u8>, String> {
        if self.bytes.saturating_add(layer.size) > ALL_BYTES_MAX {
            return Err(format!("there are more than {ALL_BYTES_MAX} bytes of evidence (ALL_BYTES_MAX)"));
        }
        self.bytes += layer.size;
        let input = self.repository.blob(&layer.digest, layer.size).map_err(|error| error.to_string())?;
        let what = format!("layer {}", layer.digest);
        read_document(input, &what, layer, &self.limits).map_err(|error: OpenError| error.to_string())
    }

    fn found(&mut self, subject: &Digest, place: &Place, form: Form) {
        self.all.found.push(Attached { subject: subject.clone(), place: place.clone(), form });
    }

    fn unseen(&mut self, scheme: Scheme, name: &str, error: &RegistryError) {
        let detail = match trouble(error) {
            Trouble::Missing(detail) | Trouble::Wrong(detail) | Trouble::Unknown(detail) => detail,
        };
        self.all.unseen.push(Unseen { place: Place { scheme, name: name.to_owned() }, detail });
    }
}

fn speaks_of(manifest: &ManifestBytes, subject: &Digest) -> bool {
    let speaks = serde_json::from_slice::<Speaks>(&manifest.bytes).ok();
    speaks.and_then(|speaks| speaks.subject).is_some_and(|said| said.digest == subject.as_str())
}

type Make = fn(Vec<u8>, BTreeMap<String, String>) -> Form;

/// What a layer of a media type is made into; `None` for one that is not known.
fn form(media_type: &str) -> Option<Make> {
    if media_type.starts_with("application/vnd.dev.sigstore.bundle") {
        return Some(|bytes, _| Form::Bundle(bytes));
    }
    match media_type {
        "application/vnd.dev.cosign.simplesigning.v1+json" => Some(Form::CosignSignature),
        "application/vnd.dsse.envelope.v1+json" => Some(Form::Envelope),
        "application/vnd.in-toto+json" => Some(|bytes, _| Form::Statement(bytes)),
        _ => None,
    }
}
