//! Looks at candidates in their registries.
//!
//! Documents of several candidates are read at once; layers of one candidate after the other, each on all cores. What
//! surprises: mirrors are not asked. What is promoted is what the registry itself has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use plimsoll_core::clearance::{Candidate, DestinationSeen, Level, Observed, Seen, Trouble};
use plimsoll_core::digest::Digest;
use plimsoll_core::image::Image;
use plimsoll_core::inventory::Inventory;
use plimsoll_image::attached::{Collected, Depth, collect};
use plimsoll_image::catalog::Options;
use plimsoll_image::inspect::{Inspection, digest_of_tag, inspect, trouble};
use plimsoll_image::open::registry::push::Push;
use plimsoll_image::open::registry::reference::{RepositoryName, TagOrDigest};
use plimsoll_image::open::registry::{RegistryOptions, Repository};
use plimsoll_net::Client;

/// How many candidates are looked at together.
const TOGETHER_MAX: usize = 8;

/// How registries are asked.
pub(crate) struct Asking {
    client: Arc<Client>,
    options: RegistryOptions,
}

impl Asking {
    /// Through this client; mirrors are left out.
    pub(crate) fn new(client: Arc<Client>, options: RegistryOptions) -> Asking {
        Asking { client, options: RegistryOptions { mirrors: BTreeMap::new(), ..options } }
    }

    /// A repository to write to.
    pub(super) fn push(&self, name: &RepositoryName) -> Push {
        Push::new(Arc::clone(&self.client), name, &self.options)
    }

    pub(super) fn repository(&self, name: &str) -> Seen<Repository> {
        let name: RepositoryName = name.parse().map_err(|error| Trouble::Wrong(format!("{error}")))?;
        Repository::new(Arc::clone(&self.client), &name, &self.options).map_err(|error| trouble(&error))
    }
}

/// What was seen of one candidate, and what is aboard its images where their layers were read.
pub(crate) struct Look {
    pub(crate) observed: Observed,
    pub(crate) aboard: Vec<(Image, Inventory)>,
    /// What speaks of it; `None` where it was not looked for.
    pub(crate) collected: Option<Collected>,
}

/// How closely to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closely {
    pub(crate) level: Level,
    /// Whether somebody will verify what is found.
    pub(crate) evidence: Depth,
}

/// The manifests of a candidate that evidence may speak of: itself, and what its index names but statements, of which what
/// would speak is of no interest.
pub(crate) fn subjects(observed: &Observed) -> Vec<Digest> {
    let children = observed.children.iter().filter(|child| !child.is_attestation);
    let top = observed.top.as_ref().ok().map(|top| top.digest.clone());
    let all: BTreeSet<Digest> = children.map(|child| child.digest.clone()).chain(top).collect();
    all.into_iter().collect()
}

/// Looks at all candidates; what was seen of each, in their order.
pub(crate) fn observe(
    candidates: &[Candidate],
    asking: &Asking,
    closely: Closely,
    options: &Options<'_>,
) -> anyhow::Result<Vec<Look>> {
    let inspected = together(candidates, |candidate| documents(candidate, asking, closely, options));
    let mut looks = Vec::new();
    for (candidate, (mut look, inspection)) in candidates.iter().zip(inspected) {
        if let (Level::Content, Some(mut inspection)) = (closely.level, inspection)
            && let Ok(repository) = asking.repository(&candidate.source)
        {
            look.aboard = inspection.read_layers(repository, options)?;
            look.observed.images = inspection.images;
        }
        looks.push(look);
    }
    Ok(looks)
}

/// Calls `work` for each candidate, some at a time; the results in the candidates' order.
fn together<T: Send>(candidates: &[Candidate], work: impl Fn(&Candidate) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, T>> = Mutex::default();
    let run = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(candidate) = candidates.get(at) else { return };
            let result = work(candidate);
            done.lock().unwrap_or_else(PoisonError::into_inner).insert(at, result);
        }
    };
    thread::scope(|scope| {
        for _ in 1..candidates.len().min(TOGETHER_MAX) {
            scope.spawn(run);
        }
        run();
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// All that is seen without reading layers.
fn documents(
    candidate: &Candidate,
    asking: &Asking,
    closely: Closely,
    options: &Options<'_>,
) -> (Look, Option<Inspection>) {
    let mut observed = Observed::nothing(closely.level);
    let look = |observed, collected| Look { observed, aboard: Vec::new(), collected };
    let repository = match asking.repository(&candidate.source) {
        Ok(repository) => repository,
        Err(trouble) => {
            observed.top = Err(trouble);
            return (look(observed, None), None);
        }
    };
    let target = match (&candidate.digest, candidate.tags.first()) {
        (Some(digest), _) => TagOrDigest::Digest(digest.clone()),
        (None, tag) => TagOrDigest::Tag(tag.map_or("latest", String::as_str).to_owned()),
    };
    let mut inspection = inspect(&repository, &target, &candidate.name, options.limits);
    observed.top = inspection.top.clone();
    observed.children = std::mem::take(&mut inspection.children);
    observed.images = inspection.images.clone();
    let is_asked = closely.level == Level::Content || closely.evidence == Depth::Read;
    let collected = (is_asked && observed.top.is_ok()).then(|| {
        let limits = options.limits;
        collect(&repository, &subjects(&observed), &observed.children, closely.evidence, limits)
    });
    // Asked after the documents: a tag that moves meanwhile is seen to differ.
    let tag_of = |repository: &Repository, tag: &String| (tag.clone(), digest_of_tag(repository, tag));
    observed.source_tags = candidate.tags.iter().map(|tag| tag_of(&repository, tag)).collect();
    for name in &candidate.destinations {
        let tags = match asking.repository(name) {
            Ok(destination) => candidate.tags.iter().map(|tag| tag_of(&destination, tag)).collect(),
            Err(trouble) => candidate.tags.iter().map(|tag| (tag.clone(), Err(trouble.clone()))).collect(),
        };
        observed.destinations.push(DestinationSeen { repository: name.clone(), tags });
    }
    (look(observed, collected), Some(inspection))
}
