//! Where a scan stands, as whoever asks is told: a scan's own row, what a name led to, or what an index's images
//! come to together.

use std::collections::BTreeMap;

use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Child, Scan, ScanKind, Severities, Store};

use crate::access::Principal;
use crate::refusal::Refusal;

/// How deep an index in an index is followed.
const DEPTH_MAX: usize = 4;

/// Entries after which an index in an index is not followed any more.
const CHILDREN_MAX: usize = 1_000;

/// How often a name may lead to another before it is given up.
const SUCCESSORS_MAX: usize = 4;

/// A scan, with those of its children where it is of an index.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// The scan that was asked for, or the one that its name led to. For an index its state, reason, detail, times and
    /// counts are those of its images together.
    pub(crate) scan: Scan,
    /// Each child of an index, with its scan where it is one.
    pub(crate) children: Vec<(Child, Option<Scan>)>,
    /// All ids whose events change this.
    pub(crate) ids: Vec<String>,
}

/// How whoever asks may see a scan; `None` where they may not.
pub(crate) type View<'a> = &'a dyn Fn(Scan) -> Result<Option<Scan>, Refusal>;

/// Where a scan stands; `None` where there is no such scan for whoever asks.
pub(crate) fn standing(store: &Store, id: &str, view: View<'_>) -> Result<Option<Standing>, Refusal> {
    let mut ids = vec![id.to_owned()];
    let Some(mut scan) = store.scan(id)? else { return Ok(None) };
    for _ in 0..SUCCESSORS_MAX {
        let Some(next) = scan.successor.clone() else { break };
        let Some(successor) = store.scan(&next)? else {
            scan = forgotten(scan, &next);
            break;
        };
        ids.push(next);
        scan = successor;
    }
    let Some(scan) = view(scan)? else { return Ok(None) };
    if scan.kind != ScanKind::Index {
        return Ok(Some(Standing { scan, children: Vec::new(), ids }));
    }
    let mut children = Vec::with_capacity(scan.children.len());
    gather(store, view, &scan.children, 1, &mut children, &mut ids)?;
    let scan = together(scan, &children);
    Ok(Some(Standing { scan, children, ids }))
}

/// The same of several scans, by id: those that whoever asks may see.
pub(crate) type ViewOfSeveral<'a> =
    &'a dyn Fn(BTreeMap<String, Scan>) -> Result<BTreeMap<String, Scan>, Refusal>;

/// Where several scans stand, by id, as [`standing`] says it of one; those that are not there, or not for whoever asks, are
/// left out. Asks the store twice, however many there are, but for indexes in indexes and for names.
pub(crate) fn standings(
    store: &Store,
    ids: &[&str],
    view: ViewOfSeveral<'_>,
) -> Result<BTreeMap<String, Standing>, Refusal> {
    let scans = store.scans_of(ids)?;
    let named = scans.values().flat_map(|scan| &scan.children).filter(|child| !child.is_attestation);
    let named: Vec<&str> = named.map(|child| child.digest.as_str()).collect();
    let inner = store.scans_of(&named)?;
    let is_index =
        |child: &Child| inner.get(child.digest.as_str()).is_some_and(|scan| scan.kind == ScanKind::Index);
    let is_deep = |scan: &Scan| scan.successor.is_some() || scan.children.iter().any(is_index);
    let (deep, flat): (BTreeMap<_, _>, BTreeMap<_, _>) =
        scans.into_iter().partition(|(_, scan)| is_deep(scan));
    let mut standings = BTreeMap::new();
    let view_of_one = |scan: Scan| Ok(view(BTreeMap::from([(scan.id.clone(), scan)]))?.into_values().next());
    for id in deep.into_keys() {
        standings.extend(standing(store, &id, &view_of_one)?.map(|standing| (id, standing)));
    }
    let inner = view(inner)?;
    for (id, scan) in view(flat)? {
        let mut children = Vec::with_capacity(scan.children.len());
        for child in &scan.children {
            let known = inner.get(child.digest.as_str()).filter(|_| !child.is_attestation);
            children.push((child.clone(), known.cloned()));
        }
        let of_children = children.iter().filter(|(child, _)| !child.is_attestation);
        let of_children = of_children.map(|(child, _)| child.digest.as_str().to_owned());
        let ids = std::iter::once(id.clone()).chain(of_children).collect();
        let scan = if scan.kind == ScanKind::Index { together(scan, &children) } else { scan };
        standings.insert(id, Standing { scan, children, ids });
    }
    Ok(standings)
}

/// A name whose image was forgotten since: that the name was resolved says nothing any more.
fn forgotten(name: Scan, successor: &str) -> Scan {
    Scan {
        state: ScanState::Failed,
        reason: Reason::NotFound,
        detail: format!("it led to `{successor}`, which was forgotten since; ask for it again"),
        ..name
    }
}

/// The entries of an index with their scans, as far as whoever asks may see them; in the place of an index in it stand
/// that one's entries.
fn gather(
    store: &Store,
    view: View<'_>,
    named: &[Child],
    depth: usize,
    children: &mut Vec<(Child, Option<Scan>)>,
    ids: &mut Vec<String>,
) -> Result<(), Refusal> {
    for child in named {
        if child.is_attestation {
            children.push((child.clone(), None));
            continue;
        }
        ids.push(child.digest.as_str().to_owned());
        let scan = store.scan(child.digest.as_str())?.map_or(Ok(None), view)?;
        let is_index = |scan: &Scan| scan.kind == ScanKind::Index && !scan.children.is_empty();
        match scan {
            Some(inner) if is_index(&inner) && depth < DEPTH_MAX && children.len() < CHILDREN_MAX => {
                gather(store, view, &inner.children, depth + 1, children, ids)?;
            }
            // What lies deeper is not looked at, and so is not known.
            scan => children.push((child.clone(), scan.filter(|scan| !is_index(scan)))),
        }
    }
    Ok(())
}

/// An index stands where the image stands that is least far: it is done when all of them are. Of those that are done
/// the worst counts, but an image that is not supported beside others that were scanned does not make the index so.
fn together(index: Scan, children: &[(Child, Option<Scan>)]) -> Scan {
    let is_unknown = |(child, scan): &(Child, Option<Scan>)| !child.is_attestation && scan.is_none();
    // It is being read, or read again, and more may be known of its images then.
    if !index.state.is_final() && (children.is_empty() || children.iter().any(is_unknown)) {
        return index;
    }
    let scans: Vec<&Scan> = children.iter().filter_map(|(_, scan)| scan.as_ref()).collect();
    let deciding = scans.iter().copied().min_by_key(|scan| (rank(scan), scan.since));
    let is_image = |(child, _): &&(Child, Option<Scan>)| !child.is_attestation;
    let images = children.iter().filter(is_image).count();
    let Some(deciding) = deciding else {
        if images > 0 {
            let plural = if images == 1 { "" } else { "s" };
            return Scan {
                state: ScanState::Failed,
                reason: Reason::NotFound,
                detail: format!("the index names {images} image{plural}, of which none is known here"),
                ..index
            };
        }
        return Scan {
            state: ScanState::Unsupported,
            reason: Reason::NoLayers,
            detail: "the index names no image".to_owned(),
            ..index
        };
    };
    let done = scans.iter().filter(|scan| scan.state.is_final()).count();
    let all = scans.len();
    let with_gaps = children.iter().any(is_unknown)
        || scans.iter().any(|scan| scan.reason != Reason::Complete && scan.state.is_final());
    let (reason, detail) = match (deciding.state, with_gaps) {
        (ScanState::Completed, true) => {
            (Reason::WithGaps, format!("{all} images; of some not everything could be read or judged"))
        }
        (ScanState::Completed, false) => (Reason::Complete, format!("{all} images")),
        _ => (
            deciding.reason,
            format!("{done} of {all} images are done; {}: {}", deciding.id, deciding.detail),
        ),
    };
    Scan {
        state: deciding.state,
        reason,
        detail,
        since: deciding.since,
        started_at: scans.iter().filter_map(|scan| scan.started_at).min(),
        finished_at: scans
            .iter()
            .all(|scan| scan.state.is_final())
            .then(|| scans.iter().filter_map(|scan| scan.finished_at).max())
            .flatten(),
        attempt: deciding.attempt,
        attempts_max: deciding.attempts_max,
        retry_at: deciding.retry_at,
        position: deciding.position,
        progress: deciding.progress,
        awaited: deciding.awaited.clone(),
        ..index
    }
}

/// Smaller decides.
fn rank(scan: &Scan) -> u8 {
    match scan.state {
        ScanState::Retrying => 0,
        ScanState::Queued => 1,
        ScanState::Fetching => 2,
        ScanState::Indexing => 3,
        ScanState::Matching => 4,
        ScanState::FeedsNotLoaded => 5,
        ScanState::NotReady | ScanState::Unavailable => 6,
        ScanState::Failed => 7,
        ScanState::Cancelled => 8,
        ScanState::Completed => 9,
        ScanState::Unsupported => 10,
    }
}

/// A scan as somebody may see it who may see it at all: not by a name that it has in a repository of others, and without
/// what was said where it was asked for there.
pub(crate) fn shown_to(principal: &Principal, mut scan: Scan) -> Scan {
    if !principal.may_see(&scan.registry, &scan.repository) {
        scan.reference.clear();
        if names_its_place(scan.state) {
            scan.detail.clear();
        }
    }
    scan
}

/// Whether the detail of a scan in a state may say where it was asked for: all but what was found.
pub(crate) fn names_its_place(state: ScanState) -> bool {
    !matches!(state, ScanState::Completed | ScanState::FeedsNotLoaded)
}

impl Standing {
    /// Findings of all its images by severity; `None` where nothing was judged.
    pub(crate) fn findings(&self) -> Option<Severities> {
        let own = self.scan.judged.as_ref().filter(|_| self.children.is_empty());
        let of_children = self.children.iter().filter_map(|(_, scan)| scan.as_ref()?.judged.as_ref());
        let mut all = own.into_iter().chain(of_children).map(|judged| judged.findings).peekable();
        all.peek()?;
        let mut sum = Severities::default();
        for (severity, count) in all.flat_map(|one| one.rows()) {
            let of_all = sum.of_mut(severity);
            *of_all = of_all.saturating_add(count);
        }
        Some(sum)
    }

    /// Text that is another one whenever anything has changed that a client could wait for.
    pub(crate) fn version(&self) -> String {
        let mut text = one_version(&self.scan);
        for (_, scan) in &self.children {
            text.push(' ');
            text += &scan.as_ref().map_or("-".to_owned(), one_version);
        }
        super::attempt::digest_text(&text)[..32].to_owned()
    }
}

fn one_version(scan: &Scan) -> String {
    format!("{} {} {} {} {}", scan.id, scan.state, scan.reason, scan.since, scan.attempt)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use plimsoll_core::digest::Digest;
    use plimsoll_store::{Claim, Outcome, Priority, Submission};

    use super::*;

    fn at() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    fn submission(digest: Option<Digest>) -> Submission {
        Submission {
            kind: if digest.is_none() { ScanKind::Reference } else { ScanKind::Digest },
            digest,
            reference: "registry.example/shop/web:1".to_owned(),
            registry: "registry.example".to_owned(),
            repository: "shop/web".to_owned(),
            source: Vec::new(),
            priority: Priority::Asked,
            reason: Reason::Asked,
            attempts_max: 3,
            index_state: "rules".to_owned(),
            is_forced: false,
        }
    }

    /// Submits something and ends its attempt; its id.
    fn ended(store: &Store, digest: Option<Digest>, outcome: &Outcome) -> String {
        let id = store.submit(&submission(digest), at()).unwrap().scan.id;
        let claim = Claim { worker: "w", until: at(), per_registry_max: 9, all_max: 9, only: Some(&id) };
        let lease = store.claim(&claim, at()).unwrap().unwrap().lease;
        assert!(store.finish(&lease, outcome, at()).unwrap());
        id
    }

    #[test]
    fn what_leads_to_nothing_is_not_complete() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("store.sqlite").to_str().unwrap()).unwrap();
        let digest = |byte: u8| Digest::sha256(&[byte; 32]);
        let child = |byte: u8, is_attestation: bool| Child {
            digest: digest(byte),
            platform: String::new(),
            media_type: String::new(),
            size: 1,
            is_attestation,
        };
        let index = |children| Outcome::Index { children, submissions: Vec::new() };
        let led = Outcome::Resolved(Box::new(submission(Some(digest(9)))));
        let name = ended(&store, None, &led);
        store.forget(digest(9).as_str(), at()).unwrap();
        for (what, id, state, reason) in [
            ("a name of what was forgotten", name, ScanState::Failed, Reason::NotFound),
            (
                "an empty index",
                ended(&store, Some(digest(1)), &index(Vec::new())),
                ScanState::Unsupported,
                Reason::NoLayers,
            ),
            (
                "an index of attestations",
                ended(&store, Some(digest(2)), &index(vec![child(7, true)])),
                ScanState::Unsupported,
                Reason::NoLayers,
            ),
            (
                "an index of what is not known",
                ended(&store, Some(digest(3)), &index(vec![child(8, false)])),
                ScanState::Failed,
                Reason::NotFound,
            ),
        ] {
            let scan = standing(&store, &id, &|scan| Ok(Some(scan))).unwrap().unwrap().scan;
            assert_eq!((scan.state, scan.reason), (state, reason), "{what}: {}", scan.detail);
            let several = standings(&store, &[&id], &Ok).unwrap();
            let several = &several[&id].scan;
            assert_eq!((several.state, several.reason), (state, reason), "{what}, among others");
        }
    }
}
