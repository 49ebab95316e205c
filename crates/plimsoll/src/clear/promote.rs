//! Promotes what was cleared: the same bytes under the destination's name.
//!
//! Blobs are mounted where source and destination are one registry, and streamed where they are not, hashed on the way
//! and never on disk. The order is what a reader of the destination needs: blobs before the manifests that name them,
//! children before indexes, evidence before tags, tags last. What is there already is left alone, so that whatever
//! was broken off is completed by doing it again.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read};

use anyhow::{Context as _, bail};
use plimsoll_core::clearance::{Seen, Trouble};
use plimsoll_core::digest::Digest;
use plimsoll_image::attached::{Depth, collect};
use plimsoll_image::inspect::{digest_of_tag, trouble};
use plimsoll_image::limits::Limits;
use plimsoll_image::open::documents::{Descriptor, Document};
use plimsoll_image::open::registry::push::Push;
use plimsoll_image::open::registry::reference::{RepositoryName, TagOrDigest};
use plimsoll_image::open::registry::referrers::fallback_tag;
use plimsoll_image::open::registry::{ManifestBytes, OCI_INDEX, RegistryError, Repository};
use plimsoll_image::open::verified;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::observe::Asking;
use super::summaries::{Passed, Summaries};

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Deepest index in an index, as where images are opened.
const DEPTH_MAX: usize = 4;

/// One digest, to one destination.
#[derive(Clone, Copy)]
pub(crate) struct Move<'a> {
    pub(crate) digest: &'a Digest,
    pub(crate) source: &'a str,
    pub(crate) destination: &'a str,
    pub(crate) tags: &'a [String],
    /// Who signs what of it, if anybody does.
    pub(crate) summary: Option<(&'a Summaries, &'a Passed)>,
}

/// The destination has something else by now: nothing may be written over it.
#[derive(Debug)]
pub(crate) struct Taken(String);

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; clear it again", self.0)
    }
}

impl std::error::Error for Taken {}

/// What was done, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    /// Blobs that were there already.
    pub(crate) present: usize,
    /// Blobs that the registry took from its other repository.
    pub(crate) mounted: usize,
    /// Blobs that were sent.
    pub(crate) sent: usize,
    /// Bytes of those.
    pub(crate) bytes: u64,
    /// Manifests and indexes that were written.
    pub(crate) manifests: usize,
    /// Of them, those that are evidence.
    pub(crate) evidence: usize,
    /// Verification summaries that were written.
    pub(crate) summaries: usize,
    /// Tags that were written.
    pub(crate) tags: usize,
}

/// A move that is under way.
struct Mover {
    from: Repository,
    to: Repository,
    push: Push,
    source: RepositoryName,
    is_dry: bool,
    written: BTreeSet<Digest>,
    /// Blobs that were looked at.
    blobs: BTreeSet<Digest>,
    /// What indexes name, but attestations.
    subjects: Vec<Descriptor>,
    done: Done,
}

/// Makes sure that no tag of these moves was taken meanwhile, before anything is written.
pub(crate) fn check_tags(moves: &[Move<'_>], asking: &Asking) -> anyhow::Result<()> {
    for one in moves {
        let to = asking.repository(one.destination);
        free_tags(&to.map_err(|trouble| anyhow::anyhow!("{}", words(&trouble)))?, one)?;
    }
    Ok(())
}

/// The tags that are to be written; one that is another's is an error.
fn free_tags<'t>(to: &Repository, one: &Move<'t>) -> anyhow::Result<Vec<&'t str>> {
    let mut free = Vec::new();
    for tag in one.tags {
        match digest_of_tag(to, tag) {
            Ok(digest) if digest == *one.digest => {}
            Ok(digest) => {
                let (at, own) = (one.destination, one.digest);
                bail!(Taken(format!("`{at}:{tag}` is {digest} by now, not {own}")))
            }
            Err(Trouble::Missing(_)) => free.push(tag.as_str()),
            Err(trouble) => bail!("{}", words(&trouble)),
        }
    }
    Ok(free)
}

/// Promotes one digest to one destination. With `is_dry` nothing is written, and it is said what would be.
pub(crate) fn promote(one: &Move<'_>, asking: &Asking, is_dry: bool) -> anyhow::Result<Done> {
    let source: RepositoryName = one.source.parse()?;
    let destination: RepositoryName = one.destination.parse()?;
    let of = |name: &str| asking.repository(name).map_err(|trouble| anyhow::anyhow!("{}", words(&trouble)));
    let mut mover = Mover {
        from: of(one.source)?,
        to: of(one.destination)?,
        push: asking.push(&destination),
        source,
        is_dry,
        written: BTreeSet::new(),
        blobs: BTreeSet::new(),
        subjects: Vec::new(),
        done: Done::default(),
    };
    // Tags first: one that was taken meanwhile stops the move before anything is written.
    let free = free_tags(&mover.to, one)?;
    let top = mover.tree(one.digest, 0)?;
    let mut promoted = std::mem::take(&mut mover.subjects);
    promoted.push(Descriptor::new(&top.media_type, top.digest.clone(), size(&top.bytes)));
    let subjects: Vec<Digest> = mover.written.iter().cloned().collect();
    let before = mover.done.manifests;
    for subject in &subjects {
        mover.evidence(subject)?;
    }
    mover.done.evidence = mover.done.manifests - before;
    if let Some((summaries, passed)) = one.summary {
        mover.summarize(&promoted, one.destination, (summaries, passed))?;
    }
    for tag in free {
        mover.tag(tag, &top)?;
    }
    Ok(mover.done)
}

impl Mover {
    /// Copies a manifest with all that it names, leaf first; the manifest.
    fn tree(&mut self, digest: &Digest, depth: usize) -> anyhow::Result<ManifestBytes> {
        if depth > DEPTH_MAX {
            bail!("{digest} lies deeper than {DEPTH_MAX} indexes");
        }
        let manifest = self.from.manifest(&TagOrDigest::Digest(digest.clone()))?;
        let document = Document::parse(&manifest.bytes, &manifest.media_type)
            .map_err(|error| anyhow::anyhow!("{digest} is no manifest: {error}"))?;
        match document {
            Document::Index(index) => {
                for child in &index.manifests {
                    self.tree(&child.digest, depth + 1)?;
                    if !child.is_attestation() {
                        self.subjects.push(child.clone());
                    }
                }
            }
            Document::Manifest(manifest) => {
                for blob in std::iter::once(&*manifest.config).chain(&manifest.layers) {
                    self.blob(blob)?;
                }
            }
        }
        if self.written.insert(digest.clone()) {
            self.manifest(&manifest)?;
        }
        Ok(manifest)
    }

    fn blob(&mut self, blob: &Descriptor) -> anyhow::Result<()> {
        if !self.blobs.insert(blob.digest.clone()) {
            return Ok(());
        }
        if self.push.has(&blob.digest)? {
            self.done.present += 1;
            return Ok(());
        }
        if blob.is_foreign() {
            bail!("{} is a layer that registries need not have (`{}`)", blob.digest, blob.media_type);
        }
        if self.is_dry {
            match self.push.may_mount(&self.source) {
                true => self.done.mounted += 1,
                false => self.count_sent(blob),
            }
            return Ok(());
        }
        if self.push.mount(&blob.digest, &self.source)? {
            self.done.mounted += 1;
            return Ok(());
        }
        let from = &self.from;
        let open = || {
            let input = from.blob(&blob.digest, blob.size).map_err(io::Error::other)?;
            Ok(Box::new(verified(input, blob)) as Box<dyn Read + Send>)
        };
        self.push.blob(&blob.digest, blob.size, &open)?;
        self.count_sent(blob);
        Ok(())
    }

    fn count_sent(&mut self, blob: &Descriptor) {
        self.done.sent += 1;
        self.done.bytes = self.done.bytes.saturating_add(blob.size);
    }

    /// Writes a manifest by its digest, and reads it back.
    fn manifest(&mut self, manifest: &ManifestBytes) -> anyhow::Result<()> {
        let target = TagOrDigest::Digest(manifest.digest.clone());
        match seen(self.to.manifest(&target))? {
            Some(there) if there.bytes == manifest.bytes => return Ok(()),
            Some(_) => bail!("the destination has other bytes under {}", manifest.digest),
            None => {}
        }
        self.done.manifests += 1;
        if self.is_dry {
            return Ok(());
        }
        self.push.manifest(&target, &manifest.media_type, &manifest.bytes)?;
        let back = self.to.manifest(&target).context("what was written cannot be read back")?;
        if back.bytes != manifest.bytes {
            bail!("the destination gives other bytes for {} than were written", manifest.digest);
        }
        Ok(())
    }

    /// Carries what refers to a manifest, and what cosign keeps beside it.
    fn evidence(&mut self, subject: &Digest) -> anyhow::Result<()> {
        let referrers = self.from.referrers(subject)?;
        for referrer in &referrers {
            self.tree(&referrer.digest, 0)?;
        }
        if !referrers.is_empty() {
            self.list_referrers(subject, &referrers)?;
        }
        for (tag, found) in self.from.cosign_tags(subject)? {
            self.tree(&found.digest, 0)?;
            match seen(self.to.manifest(&TagOrDigest::Tag(tag.clone())))? {
                None => self.tag(&tag, &found)?,
                Some(there) => {
                    has_layers(&there, &found).with_context(|| format!("the destination's `{tag}`"))?
                }
            }
        }
        Ok(())
    }

    /// Says of everything that was promoted that it passed, unless that is said already.
    fn summarize(
        &mut self,
        promoted: &[Descriptor],
        repository: &str,
        (summaries, passed): (&Summaries, &Passed),
    ) -> anyhow::Result<()> {
        let limits = Limits::default();
        for subject in promoted {
            let digest = std::slice::from_ref(&subject.digest);
            if !self.is_dry {
                let there = collect(&self.to, digest, &[], Depth::Read, &limits);
                if let Some(unseen) = there.unseen.first() {
                    bail!("what speaks of {} could not be looked at: {}", subject.digest, unseen.detail);
                }
                if summaries.is_among(&there.found, &subject.digest, repository, passed) {
                    continue;
                }
            }
            self.done.summaries += 1;
            if self.is_dry {
                continue;
            }
            let artifact = summaries.artifact(subject, repository, passed)?;
            for (digest, bytes) in &artifact.blobs {
                let open = || Ok(Box::new(io::Cursor::new(bytes.clone())) as Box<dyn Read + Send>);
                self.push.blob(digest, size(bytes), &open)?;
            }
            let digest = Digest::sha256(&Sha256::digest(&artifact.manifest).into());
            let one = Descriptor::new(OCI_MANIFEST, digest.clone(), size(&artifact.manifest));
            self.push.manifest(&TagOrDigest::Digest(digest), OCI_MANIFEST, &artifact.manifest)?;
            self.list_referrers(&subject.digest, &[one])?;
            let there = collect(&self.to, std::slice::from_ref(&subject.digest), &[], Depth::Read, &limits);
            if !summaries.is_among(&there.found, &subject.digest, repository, passed) {
                bail!("the verification summary of {} was written and is not found again", subject.digest);
            }
        }
        Ok(())
    }

    /// Where the destination does not list them itself, its tag for clients has to name them.
    fn list_referrers(&mut self, subject: &Digest, referrers: &[Descriptor]) -> anyhow::Result<()> {
        if self.is_dry {
            return Ok(());
        }
        let there = self.to.referrers(subject)?;
        let missing = |one: &&Descriptor| !there.iter().any(|known| known.digest == one.digest);
        if !referrers.iter().any(|one| missing(&one)) {
            return Ok(());
        }
        let tag = TagOrDigest::Tag(fallback_tag(subject));
        let mut index: Value = match seen(self.to.manifest(&tag))? {
            Some(found) => serde_json::from_slice(&found.bytes)?,
            None => json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}),
        };
        let source = seen(self.from.manifest(&tag))?.map(|found| found.bytes);
        let source: Value =
            source.map(|bytes| serde_json::from_slice(&bytes)).transpose()?.unwrap_or_default();
        let of_source = source["manifests"].as_array().cloned().unwrap_or_default();
        let listed =
            index["manifests"].as_array_mut().context("the destination's list of referrers is no index")?;
        for one in referrers.iter().filter(missing) {
            // As the source's own list words it, with the type of artifact.
            let worded = of_source.iter().find(|entry| entry["digest"] == one.digest.as_str()).cloned();
            let plain = json!({"mediaType": one.media_type, "digest": one.digest.as_str(), "size": one.size});
            listed.push(worded.unwrap_or(plain));
        }
        let bytes = serde_json::to_vec(&index)?;
        self.done.manifests += 1;
        Ok(self.push.manifest(&tag, OCI_INDEX, &bytes)?)
    }

    /// Writes a tag, and reads it back.
    fn tag(&mut self, tag: &str, manifest: &ManifestBytes) -> anyhow::Result<()> {
        self.done.tags += 1;
        if self.is_dry {
            return Ok(());
        }
        self.push.manifest(&TagOrDigest::Tag(tag.to_owned()), &manifest.media_type, &manifest.bytes)?;
        match digest_of_tag(&self.to, tag) {
            Ok(digest) if digest == manifest.digest => Ok(()),
            Ok(digest) => bail!("the tag `{tag}` was written as {} and is {digest}", manifest.digest),
            Err(trouble) => bail!("the tag `{tag}` was written and cannot be read back: {}", words(&trouble)),
        }
    }
}

/// Whether a cosign tag of the destination has all that the source's has. Somebody may have signed there too; what is lacking
/// could not be added without writing another's manifest.
fn has_layers(there: &ManifestBytes, wanted: &ManifestBytes) -> anyhow::Result<()> {
    let layers = |manifest: &ManifestBytes| match Document::parse(&manifest.bytes, &manifest.media_type) {
        Ok(Document::Manifest(parsed)) => {
            parsed.layers.into_iter().map(|layer| layer.digest).collect::<BTreeSet<Digest>>()
        }
        _ => BTreeSet::new(),
    };
    if there.bytes == wanted.bytes || layers(there).is_superset(&layers(wanted)) && !layers(wanted).is_empty()
    {
        return Ok(());
    }
    bail!(Taken("it has other signatures or attestations, and lacks some of the source's".to_owned()))
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("memory is smaller than 2^64 bytes")
}

/// What is there; `None` only where the registry itself says that it is not.
fn seen(result: Result<ManifestBytes, RegistryError>) -> anyhow::Result<Option<ManifestBytes>> {
    let seen: Seen<ManifestBytes> = result.map_err(|error| trouble(&error));
    match seen {
        Ok(found) => Ok(Some(found)),
        Err(Trouble::Missing(_)) => Ok(None),
        Err(trouble) => bail!("{}", words(&trouble)),
    }
}

fn words(trouble: &Trouble) -> &str {
    match trouble {
        Trouble::Missing(detail) | Trouble::Wrong(detail) | Trouble::Unknown(detail) => detail,
    }
}
