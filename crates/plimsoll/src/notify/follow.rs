//! Making deliveries of events: one replica at a time reads what happened, and notes for each target what it is to be
//! told. Nothing is sent here, so no target can hold up another.
//!
//! The deliveries and how far the events are read are one transaction. A delivery has a key, so that what is read again
//! is not told again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::digest::Digest;
use plimsoll_store::{CursorMove, Judged, NewDelivery, Store, StoreError, TagFilter};

use super::kinds::Target;
use super::topics::{self, Found, Occurrence, What};
use crate::rematch::changes::BySeverity;

/// Name of the cursor, and of the duty.
pub(crate) const NAME: &str = "notify";

/// Prefix of the settings that say from which event on a target is told.
const SINCE: &str = "notify.since.";

/// Events that are read at once.
const EVENTS_MAX: u32 = 500;

/// Most tags of an image that are looked at. The repositories that it was asked for in are known besides.
const TAGS_MAX: u32 = 10_000;

/// Events older than this are of no interest to anybody any more: nobody was to be told for a while, and then is
/// again.
const EVENT_AGE_MAX: SignedDuration = SignedDuration::from_hours(3 * 24);

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Followed {
    /// Events that were read.
    pub(crate) events: usize,
    /// Deliveries that came of them.
    pub(crate) deliveries: usize,
    /// Events whose body is not understood, and which nobody is told of.
    pub(crate) refused: usize,
    /// Events that were too old to be told.
    pub(crate) too_old: usize,
}

/// From which event on each target is told: a target that is new is not told of what was before it.
pub(crate) fn since(store: &Store, targets: &[Target]) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut since = BTreeMap::new();
    // One number for all that are new: no event is told to one of them and not to another.
    let last = store.last_event()?;
    for target in targets {
        let name = format!("{SINCE}{}", target.name);
        let known = store.setting(&name)?.and_then(|number| number.parse().ok());
        let number = match known {
            Some(number) => number,
            None => {
                store.set_setting(&name, &last.to_string())?;
                last
            }
        };
        since.insert(target.name.clone(), number);
    }
    Ok(since)
}

/// Reads what happened, waiting a while for it, and makes deliveries of it.
pub(crate) fn step(
    store: &Store,
    targets: &[Target],
    since: &BTreeMap<String, u64>,
    wait: Duration,
    clock: fn() -> Timestamp,
) -> Result<Followed, StoreError> {
    // Nobody is told of what was before all of them.
    let first = since.values().copied().min().unwrap_or_default();
    let before = store.cursor(NAME)?;
    let after = before.max(first);
    let events = store.events(after, EVENTS_MAX, wait)?;
    let Some(last) = events.last().map(|event| event.number) else { return Ok(Followed::default()) };
    let now = clock();
    let mut followed = Followed { events: events.len(), ..Followed::default() };
    let mut happened = Vec::new();
    for event in &events {
        match topics::read(event) {
            Ok(Some(_)) if now.duration_since(event.at) > EVENT_AGE_MAX => followed.too_old += 1,
            Ok(Some(one)) if targets.iter().any(|target| target.wants.has(one.topic)) => happened.push(one),
            Ok(_) => {}
            Err(_) => followed.refused += 1,
        }
    }
    for one in &mut happened {
        look_up(store, one)?;
    }
    let mut deliveries = Vec::new();
    for target in targets {
        let since = since.get(&target.name).copied().unwrap_or_default();
        // Who takes nothing is not told that it does, which would wait with the rest.
        let is_own = |one: &Occurrence| matches!(one.what, What::Dropped(_)) && one.subject == target.name;
        let told = happened.iter().filter(|happened| happened.number > since && !is_own(happened));
        let told: Vec<(String, Occurrence)> = told
            .filter_map(|happened| Some((target.wants.key(happened), target.wants.narrow(happened)?)))
            .collect();
        let prepared = (target.ways.prepare)(&told, now);
        for (id, items) in &prepared.notices {
            store.put_notice(id, items, now)?;
        }
        deliveries.extend(prepared.drafts.into_iter().map(|draft| NewDelivery {
            target: target.name.clone(),
            key: draft.key,
            media_type: draft.media_type.to_owned(),
            body: draft.body.into_bytes(),
            due_at: draft.due_at,
        }));
    }
    followed.deliveries = deliveries.len();
    // Another replica that believed this one gone may have read the same, and told it in other notices.
    let cursor = CursorMove { name: NAME, before, after: last };
    let is_put = store.put_deliveries(&deliveries, Some(cursor), now)?;
    Ok(if is_put { followed } else { Followed::default() })
}

/// Adds all that the image is called and where it is, and of a scan what was found.
fn look_up(store: &Store, happened: &mut Occurrence) -> Result<(), StoreError> {
    match &happened.what {
        What::Feed(_) | What::Dropped(_) => return Ok(()),
        What::Clearance(ended) => {
            happened.repositories = ended.repositories.iter().cloned().collect();
            return Ok(());
        }
        What::Scan(_) | What::Findings(_) => {}
    }
    let scan = store.scan(&happened.subject)?;
    let digest: Option<Digest> = match &happened.what {
        What::Scan(ended) => ended.digest.as_deref().and_then(|digest| digest.parse().ok()),
        _ => happened.subject.parse().ok(),
    };
    let (mut names, mut repositories) = (BTreeSet::new(), BTreeSet::new());
    if let Some(digest) = &digest {
        let filter = TagFilter { digest: Some(digest.clone()), rows_max: TAGS_MAX, ..TagFilter::default() };
        for tag in store.tags(&filter)? {
            let repository = format!("{}/{}", tag.registry, tag.repository);
            names.insert(format!("{repository}:{}", tag.tag));
            repositories.insert(repository);
        }
    }
    // An image is in every repository that it was asked for in, not in the first of them alone.
    let ids: BTreeSet<&str> = [Some(happened.subject.as_str()), digest.as_ref().map(Digest::as_str)]
        .into_iter()
        .flatten()
        .collect();
    for id in ids {
        let places = store.places(id)?;
        repositories.extend(places.iter().map(|(registry, repository)| format!("{registry}/{repository}")));
    }
    if let Some(scan) = &scan
        && names.is_empty()
        && !scan.reference.is_empty()
    {
        names.insert(scan.reference.clone());
    }
    if let What::Scan(ended) = &mut happened.what {
        let judged = scan.as_ref().and_then(|scan| scan.judged.as_ref());
        ended.found = judged.filter(|_| ended.state == "completed").map(found);
    }
    happened.names = names;
    happened.repositories = repositories;
    Ok(())
}

fn found(judged: &Judged) -> Found {
    let findings = judged.findings;
    Found {
        database: judged.database.clone(),
        packages: judged.packages,
        findings: BySeverity {
            critical: findings.critical,
            high: findings.high,
            medium: findings.medium,
            low: findings.low,
            negligible: findings.negligible,
            unknown: findings.unknown,
        },
        fixable: judged.fixable,
        exploited: judged.exploited,
        gaps: judged.gaps,
        late_feeds: judged.late_feeds.iter().map(|(name, state)| format!("{name}: {state}")).collect(),
    }
}
