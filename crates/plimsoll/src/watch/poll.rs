//! One look at a registry: which repositories and tags it has, where they lead, and what is new.
//!
//! What is wrong with one repository or tag is a problem of that one. Only where the list of repositories cannot be had, the
//! registry wants to be left alone, or the store is away, the whole look comes to nothing and is made again sooner.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_image::open::registry::listing::{ListingLimits, repositories};
use plimsoll_image::open::registry::reference::{RepositoryName, TagOrDigest};
use plimsoll_image::open::registry::{RegistryError, RegistryOptions, Repository};
use plimsoll_net::{Client, asked_wait};
use plimsoll_store::{Store, StoreError, TagFilter};

use super::patterns::Patterns;
use super::plan::{Plan, Seen, plan};
use crate::config::WatchConfig;
use crate::jobs::submission::{self, Asked};
use crate::server::Server;

/// Most tags of a repository that are compared with what is known of it.
const KNOWN_TAGS_MAX: u32 = 100_000;

/// What a look has come to.
#[derive(Debug, Default)]
pub(super) struct Polled {
    /// Repositories that were looked at.
    pub(super) repositories: u64,
    /// Tags that were looked at.
    pub(super) tags: u64,
    /// Images that were submitted.
    pub(super) submitted: u64,
    /// What went wrong with single ones, and which limits were reached; sorted.
    pub(super) problems: Vec<String>,
}

/// Why a look has come to nothing.
#[derive(Debug)]
pub(super) struct Broken {
    /// For people.
    pub(super) why: String,
    /// How long the registry wants to be left alone.
    pub(super) wait: Option<Duration>,
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Broken {
        Broken { why: error.to_string(), wait: None }
    }
}

/// What came of looking at one repository.
struct LookedAt {
    seen: Seen,
    /// Tags that were chosen and not asked for.
    left: usize,
    /// Why they were not, where that concerns the whole registry.
    broken: Option<Broken>,
}

/// A look in the making.
struct Look<'a> {
    server: &'a Server,
    store: &'a Store,
    watch: &'a WatchConfig,
    tags: Patterns,
    client: Arc<Client>,
    options: RegistryOptions,
    /// Says that somebody still works at it; `false` where it is another replica's by now.
    keeps: &'a (dyn Fn() -> bool + Sync),
    is_broken: AtomicBool,
    found: Mutex<(Polled, Option<Broken>)>,
}

/// Looks at a registry. `keeps` is called before each repository and says whether to go on.
pub(super) fn poll(
    server: &Server,
    store: &Store,
    watch: &WatchConfig,
    keeps: &(dyn Fn() -> bool + Sync),
) -> Result<Polled, Broken> {
    let broken = |error: anyhow::Error| Broken { why: format!("{error:#}"), wait: None };
    let look = Look {
        server,
        store,
        watch,
        tags: Patterns::read(&watch.tags).map_err(broken)?,
        client: server.registry_client().map_err(broken)?,
        options: server.registry_options(&watch.registry, None),
        keeps,
        is_broken: AtomicBool::new(false),
        found: Mutex::default(),
    };
    let names = look.repositories(&Patterns::read(&watch.repositories).map_err(broken)?)?;
    let next = AtomicUsize::new(0);
    let threads = usize::try_from(watch.requests_max).unwrap_or(1).clamp(1, names.len().max(1));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::SeqCst)) {
                    if look.is_broken.load(Ordering::SeqCst) || !(look.keeps)() {
                        break;
                    }
                    if let Err(broken) = look.repository(name) {
                        look.is_broken.store(true, Ordering::SeqCst);
                        look.with(|(_, first)| {
                            first.get_or_insert(broken);
                        });
                    }
                }
            });
        }
    });
    let (mut polled, broken) = look.found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if polled.submitted > 0 {
        server.bell.ring();
    }
    polled.problems.sort_unstable();
    match (broken, polled.problems.first()) {
        (Some(Broken { why, wait }), _) => {
            let (whole, all) = (polled.repositories, names.len());
            Err(Broken {
                why: format!("{why}; {whole} of {all} repositories were looked at to their end"),
                wait,
            })
        }
        (None, Some(problem)) if polled.repositories == 0 && !names.is_empty() => {
            Err(Broken { why: problem.clone(), wait: None })
        }
        (None, _) => Ok(polled),
    }
}

impl Look<'_> {
    fn with(&self, change: impl FnOnce(&mut (Polled, Option<Broken>))) {
        change(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn problem(&self, text: String) {
        self.with(|(polled, _)| polled.problems.push(text));
    }

    /// The repositories that are looked at, sorted: those that are named, or those that the registry lists.
    fn repositories(&self, patterns: &Patterns) -> Result<Vec<String>, Broken> {
        let registry = &self.watch.registry;
        let mut names = match patterns.names() {
            Some(names) => names,
            None => {
                let limits = ListingLimits::default();
                let begun = (self.server.now)();
                let listing = repositories(&self.client, registry, &self.options, None, &limits)
                    .map_err(|error| without_catalog(registry, &error, (self.server.now)()))?;
                if listing.next.is_some() {
                    self.problem(format!(
                        "`{registry}` lists more than {} repositories; what follows was not looked at",
                        limits.names_max
                    ));
                }
                let names: Vec<String> =
                    listing.names.into_iter().filter(|name| patterns.choose(name)).collect();
                if listing.next.is_none() {
                    self.forget_others(patterns, &names, begun)?;
                }
                names
            }
        };
        let most = usize::try_from(self.watch.repositories_max).unwrap_or(usize::MAX);
        if names.len() > most {
            self.problem(format!(
                "{} repositories are chosen and {most} looked at (`repositories_max`)",
                names.len()
            ));
            names.truncate(most);
        }
        Ok(names)
    }

    /// Forgets the tags of repositories that were chosen once and were not there any more when the list was begun; what was
    /// seen of them since stays.
    fn forget_others(&self, patterns: &Patterns, names: &[String], begun: Timestamp) -> Result<(), Broken> {
        let there: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let registry = self.watch.registry.as_str();
        let mut after = (registry.to_owned(), String::new());
        loop {
            let page = self.store.repositories(Some((&after.0, &after.1)), 1_000)?;
            for known in page.iter().filter(|known| known.registry == registry) {
                if patterns.choose(&known.repository) && !there.contains(known.repository.as_str()) {
                    self.store.forget_tags(registry, &known.repository, begun, (self.server.now)())?;
                }
            }
            match page.last() {
                Some(last) if last.registry == registry => {
                    after = (last.registry.clone(), last.repository.clone());
                }
                _ => return Ok(()),
            }
        }
    }

    /// Looks at one repository. Only what concerns the whole registry is an error.
    fn repository(&self, name: &str) -> Result<(), Broken> {
        let registry = &self.watch.registry;
        let begun = (self.server.now)();
        let parsed: Result<RepositoryName, _> = format!("{registry}/{name}").parse();
        let repository = match parsed {
            Ok(parsed) => Repository::new(Arc::clone(&self.client), &parsed, &self.options),
            Err(error) => {
                self.problem(error.to_string());
                return Ok(());
            }
        };
        // Docker Hub's names are spelled out by reading them.
        let (registry, name) = match format!("{registry}/{name}").parse::<RepositoryName>() {
            Ok(parsed) => (parsed.host().to_owned(), parsed.path().to_owned()),
            Err(_) => (registry.clone(), name.to_owned()),
        };
        let looked = match repository {
            Ok(repository) => self.look_at(&name, &repository)?,
            Err(error) => {
                self.problem(error.to_string());
                return Ok(());
            }
        };
        let Some(LookedAt { seen, left, broken }) = looked else { return Ok(()) };
        // Another replica may have been taken for the one that looks, and knows better by now.
        if !(self.keeps)() {
            return Ok(());
        }
        let filter = TagFilter {
            registry: registry.clone(),
            repository: name.clone(),
            rows_max: KNOWN_TAGS_MAX,
            ..TagFilter::default()
        };
        let known = self.store.tags(&filter)?;
        let plan = plan(&registry, &name, &known, &seen, begun);
        self.carry_out(&registry, &name, &plan, begun)?;
        self.with(|(polled, _)| {
            polled.repositories += u64::from(left == 0);
            polled.tags += seen.digests.len() as u64;
        });
        match broken {
            Some(Broken { why, wait }) => {
                Err(Broken { why: format!("{why}; {left} tags of `{name}` were not looked at"), wait })
            }
            None => Ok(()),
        }
    }

    /// What a repository has; `None` where it could not be listed at all.
    fn look_at(&self, name: &str, repository: &Repository) -> Result<Option<LookedAt>, Broken> {
        let most = usize::try_from(self.watch.tags_max).unwrap_or(usize::MAX);
        let limits = ListingLimits::default();
        let listing = match repository.tags(None, &limits) {
            Ok(listing) => listing,
            // It is gone, and so are its tags.
            Err(RegistryError::NotFound { is_stated: true, .. }) => {
                self.problem(format!("`{name}` is not there; check its name"));
                let seen = Seen { listed: Some(BTreeSet::new()), digests: BTreeMap::new() };
                return Ok(Some(LookedAt { seen, left: 0, broken: None }));
            }
            // What stands before a registry may say so of everything for a while.
            Err(error @ RegistryError::NotFound { .. }) => {
                self.problem(format!(
                    "`{name}`: {error}; the answer has status 404 and is not the registry's own, so its tags are kept"
                ));
                return Ok(None);
            }
            Err(error) => {
                self.problem(format!("`{name}`: {}", unless_of_all(error, (self.server.now)())?));
                return Ok(None);
            }
        };
        let mut chosen: Vec<&String> = listing.names.iter().filter(|tag| self.tags.choose(tag)).collect();
        if chosen.len() > most {
            self.problem(format!(
                "`{name}` has {} tags that are chosen, and {most} were looked at (`tags_max`)",
                chosen.len()
            ));
            chosen.truncate(most);
        }
        let (mut digests, mut left, mut broken) = (BTreeMap::new(), chosen.len(), None);
        for tag in chosen {
            if self.is_broken.load(Ordering::SeqCst) {
                break;
            }
            match repository.digest(&TagOrDigest::Tag(tag.clone())) {
                Ok(digest) => drop(digests.insert(tag.clone(), digest)),
                Err(error) => match unless_of_all(error, (self.server.now)()) {
                    Ok(text) => self.problem(format!("`{name}:{tag}`: {text}")),
                    // What was learnt until now is kept all the same: the next look may come no further.
                    Err(of_all) => {
                        broken = Some(of_all);
                        break;
                    }
                },
            }
            left -= 1;
        }
        let listed = listing.next.is_none().then(|| listing.names.iter().cloned().collect());
        Ok(Some(LookedAt { seen: Seen { listed, digests }, left, broken }))
    }

    fn carry_out(&self, registry: &str, name: &str, plan: &Plan, begun: Timestamp) -> Result<(), Broken> {
        for (tag, digest) in &plan.submit {
            let reference = format!("{registry}/{name}:{tag}@{digest}");
            let config = &self.server.config;
            match submission::of_reference(&reference, None, false, Asked::WATCHED, config) {
                Ok(submission) => {
                    self.store.submit(&submission, (self.server.now)())?;
                    self.with(|(polled, _)| polled.submitted += 1);
                }
                Err(refusal) => self.problem(format!("`{name}:{tag}`: {}", refusal.message)),
            }
        }
        let now = (self.server.now)();
        self.store.note_tags(&plan.note, now)?;
        if plan.forgets {
            // What a webhook noted since stays.
            self.store.forget_tags(registry, name, begun, now)?;
        }
        Ok(())
    }
}

/// That the registry wants to be left alone, or does not answer, concerns all of it; anything else is a text about what
/// was asked for.
fn unless_of_all(error: RegistryError, now: Timestamp) -> Result<String, Broken> {
    match &error {
        RegistryError::RateLimited { retry_after, .. } => {
            Err(Broken { wait: wait_of(retry_after.as_deref(), now), why: error.to_string() })
        }
        // Nothing answers: asking for the next would take as long and end so too.
        RegistryError::Unavailable { source, .. } if source.status().is_none() => {
            Err(Broken { wait: None, why: error.to_string() })
        }
        _ => Ok(error.to_string()),
    }
}

/// How long the registry wants to be left alone.
fn wait_of(retry_after: Option<&str>, now: Timestamp) -> Option<Duration> {
    asked_wait(retry_after?, now.into())
}

/// Many registries list their repositories to nobody.
fn without_catalog(registry: &str, error: &RegistryError, now: Timestamp) -> Broken {
    let wait = match error {
        RegistryError::RateLimited { retry_after, .. } => wait_of(retry_after.as_deref(), now),
        _ => None,
    };
    let advice = match error {
        RegistryError::NotFound { .. } | RegistryError::Unauthorized { .. } => format!(
            "; `{registry}` may list its repositories to nobody: name them in `repositories` without `*` and `?`, or have \
             it send webhooks"
        ),
        _ => String::new(),
    };
    Broken { why: format!("{error}{advice}"), wait }
}
