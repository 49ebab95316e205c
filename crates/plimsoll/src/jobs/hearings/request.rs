//! What is asked to be cleared, from its text to candidates, and whether whoever asks may.
//!
//! Manifests come as text, so that nobody names files of this machine. What surprises: a manifest that is malformed is no
//! bad request. It is judged, and refuses, as on the command line: a change that cannot be read must not pass by.

use std::collections::BTreeSet;

use plimsoll_core::clearance::Candidate;
use plimsoll_core::digest::Digest;
use plimsoll_core::promotion::Manifest;
use plimsoll_image::open::registry::reference::RepositoryName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::access::Principal;
use crate::clear::candidates::{of_manifests, of_reference};
use crate::clear::clearing::Asked;
use crate::clear::manifests::{Kind, names_of, one_file, project_of};
use crate::config::Config;
use crate::jobs::submission::{check_registry, parse};
use crate::refusal::Refusal;

/// Most digests that one clearance is asked for.
const CANDIDATES_MAX: usize = 1_000;

/// Most repositories that one clearance speaks of.
const PLACES_MAX: usize = 5_000;

/// Most manifests of one request, and as many of their base.
const MANIFESTS_MAX: usize = 500;

/// Longest name of a manifest or a project, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// What is to be cleared: references, manifests, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ClearanceRequest {
    /// References: `HOST/REPO[:TAG][@DIGEST]`.
    pub(crate) references: Vec<String>,
    /// Manifests of what is to be promoted.
    pub(crate) manifests: Vec<ManifestText>,
    /// What the manifests were before: what differs is judged. Without it all of them are.
    pub(crate) base: Option<Vec<ManifestText>>,
    /// By which of the server's policies. It may be left out where the server has one, or none.
    pub(crate) policy: Option<String>,
    /// Whether it is decided anew although the same was decided and still holds.
    pub(crate) fresh: bool,
}

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum ManifestText {
    /// A list of Plimsoll's: lines `from PREFIX`, `to PREFIX`, `IMAGE DIGEST [TAG ..]`.
    List {
        /// What it is called in reports.
        name: String,
        /// Its text.
        text: String,
    },
    /// A thick manifest of kpromo: registries and images in one YAML file.
    Thick {
        /// What it is called in reports.
        name: String,
        /// Its text.
        text: String,
    },
    /// A thin manifest of kpromo, of two YAML files.
    Thin {
        /// The project.
        project: String,
        /// Text of `manifests/PROJECT/promoter-manifest.yaml`.
        registries: Option<String>,
        /// Text of `images/PROJECT/images.yaml`.
        images: Option<String>,
    },
}

/// What is asked, understood.
pub(crate) struct Understood {
    pub(crate) asked: Asked,
    /// Every repository that it speaks of: registry and repository, sorted.
    pub(crate) places: Vec<(String, String)>,
}

impl ManifestText {
    fn name(&self) -> &str {
        match self {
            ManifestText::List { name, .. } | ManifestText::Thick { name, .. } => name,
            ManifestText::Thin { project, .. } => project,
        }
    }

    fn read(&self) -> Manifest {
        match self {
            ManifestText::List { name, text } => one_file(Kind::List, name, text.as_bytes()),
            ManifestText::Thick { name, text } => one_file(Kind::Thick, name, text.as_bytes()),
            ManifestText::Thin { project, registries, images } => {
                let bytes = |text: &'_ Option<String>| text.as_ref().map(|text| text.clone().into_bytes());
                project_of(project, bytes(registries).as_deref(), bytes(images).as_deref())
            }
        }
    }

    /// The texts by the names that they have in reports.
    fn files(&self) -> Vec<(String, Digest)> {
        let digest = |text: &str| Digest::sha256(&Sha256::digest(text).into());
        match self {
            ManifestText::List { name, text } | ManifestText::Thick { name, text } => {
                vec![(name.clone(), digest(text))]
            }
            ManifestText::Thin { project, registries, images } => {
                let texts = names_of(project).into_iter().zip([registries, images]);
                texts.filter_map(|(name, text)| Some((name, digest(text.as_deref()?)))).collect()
            }
        }
    }
}

impl ClearanceRequest {
    /// Makes candidates of it.
    pub(crate) fn understand(&self) -> Result<Understood, Refusal> {
        let base = self.base.as_deref();
        if self.references.is_empty() && self.manifests.is_empty() && base.is_none() {
            return Err(Refusal::bad_request("nothing is asked for; give `references` or `manifests`"));
        }
        if self.references.len() > CANDIDATES_MAX {
            return Err(too_many(self.references.len(), "references", CANDIDATES_MAX));
        }
        let (head, before) = (read(&self.manifests)?, base.map(read).transpose()?);
        let references = self.references.iter().map(|text| {
            // First, for it has a limit on the length.
            parse(text)?;
            of_reference(text).map_err(|error| Refusal::bad_request(error.to_string()))
        });
        let references = references.collect::<Result<Vec<Candidate>, Refusal>>()?;
        let mut all = of_manifests(&head, None);
        all.extend(of_manifests(before.as_deref().unwrap_or_default(), None));
        all.extend(references.iter().cloned());
        let asked = Asked::of(&head, before.as_deref(), references);
        if asked.is_nothing() {
            return Err(Refusal::bad_request("the manifests list nothing"));
        }
        if asked.candidates.len() > CANDIDATES_MAX {
            return Err(too_many(asked.candidates.len(), "digests", CANDIDATES_MAX));
        }
        let files = self.manifests.iter().flat_map(ManifestText::files).collect();
        let base = base.map(|base| {
            let files: Vec<(String, Digest)> = base.iter().flat_map(ManifestText::files).collect();
            let texts: Vec<String> =
                files.iter().map(|(name, digest)| format!("{name} {digest}\n")).collect();
            Digest::sha256(&Sha256::digest(texts.concat()).into()).as_str().to_owned()
        });
        Ok(Understood { places: places(&all)?, asked: Asked { base, files, ..asked } })
    }
}

fn read(manifests: &[ManifestText]) -> Result<Vec<Manifest>, Refusal> {
    if manifests.len() > MANIFESTS_MAX {
        return Err(too_many(manifests.len(), "manifests", MANIFESTS_MAX));
    }
    let mut names = BTreeSet::new();
    for manifest in manifests {
        let name = manifest.name();
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            let message = format!("a manifest needs a name of at most {NAME_BYTES_MAX} bytes");
            return Err(Refusal::bad_request(message));
        }
        if !names.insert(name) {
            return Err(Refusal::bad_request(format!("two manifests are called `{name}`")));
        }
    }
    Ok(manifests.iter().map(ManifestText::read).collect())
}

fn too_many(count: usize, what: &str, max: usize) -> Refusal {
    Refusal::bad_request(format!("{count} {what} are asked for, more than {max}; ask in parts"))
}

/// Every repository of candidates.
fn places(candidates: &[Candidate]) -> Result<Vec<(String, String)>, Refusal> {
    let mut places = BTreeSet::new();
    for name in candidates.iter().flat_map(|one| one.destinations.iter().chain([&one.source])) {
        // What is none is a fault of its manifest, and no candidate.
        let Ok(name) = name.parse::<RepositoryName>() else { continue };
        places.insert((name.host().to_owned(), name.path().to_owned()));
    }
    match places.len() > PLACES_MAX {
        true => Err(too_many(places.len(), "repositories", PLACES_MAX)),
        false => Ok(places.into_iter().collect()),
    }
}

/// Refuses what somebody may not ask: the server looks at destinations too, and says what is there.
pub(crate) fn check(
    places: &[(String, String)],
    principal: &Principal,
    config: &Config,
) -> Result<(), Refusal> {
    if places.is_empty() && principal.is_limited() {
        let message = "nothing says of which repositories it is; ask with a token that is not held to some";
        return Err(Refusal::new(403, "forbidden", message));
    }
    for (registry, repository) in places {
        check_registry(registry, config)?;
        if !principal.may_submit(registry, repository) {
            let message =
                format!("who asks may not have `{registry}/{repository}` cleared; ask with another token");
            return Err(Refusal::new(403, "forbidden", message));
        }
    }
    Ok(())
}
