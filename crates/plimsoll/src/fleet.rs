//! All images together: the flaws that most of them have and that a fix is there for, and how they stand day by day.
//!
//! As when something is [searched](crate::search) for, the distinct packages are judged, which are few beside the images, and then it is
//! counted which images have them. That is done beside all requests, where something has changed, and never for more than a
//! twentieth of the time: a page shows what was found last.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use plimsoll_core::advisory::Severity;
use plimsoll_core::digest::Digest;
use plimsoll_core::finding::Finding;
use plimsoll_core::inventory::Package;
use plimsoll_store::Day;

use crate::distinct::{Batch, Distinct};
use crate::refusal::Refusal;
use crate::server::{Advised, Server};

/// Flaws that are named.
const FLAWS_MAX: usize = 10;

/// Images that are named of each.
const IMAGES_MAX: usize = 3;

/// Packages that are named of each.
const PACKAGES_MAX: usize = 3;

/// Most pairs of a flaw and a package that has it: some 100 MB.
const PAIRS_MAX: usize = 4_000_000;

/// How often it is looked whether something has changed.
const LOOK: Duration = Duration::from_secs(2);

/// The part of the time that looking may take: one in so many.
const SHARE: u32 = 20;

/// What all images have in common, as it was last found.
#[derive(Debug)]
pub(crate) struct Picture {
    /// When that was.
    pub(crate) at: Timestamp,
    /// Flaws that a fix is there for, those of most images first, the worse of equal ones first.
    pub(crate) flaws: Vec<FleetFlaw>,
    /// Whether there was more than could be looked at.
    pub(crate) is_cut: bool,
}

/// A flaw of several images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FleetFlaw {
    /// Its CVE, where it has one.
    pub(crate) id: String,
    /// The worst that is said of it in any image.
    pub(crate) severity: Option<Severity>,
    /// Whether it is exploited.
    pub(crate) is_exploited: bool,
    /// How many images have it.
    pub(crate) images: u32,
    /// Some of them, by digest.
    pub(crate) examples: Vec<Digest>,
    /// Some of the packages that have it: name, and the version that has the fix.
    pub(crate) packages: BTreeSet<(String, String)>,
}

/// Holds the newest picture.
#[derive(Debug, Default)]
pub(crate) struct Fleet(RwLock<Option<Arc<Picture>>>);

impl Fleet {
    /// The newest picture; `None` before the first.
    pub(crate) fn picture(&self) -> Option<Arc<Picture>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at all images, and keeps what it finds.
    pub(crate) fn look(&self, server: &Server) -> Result<(), Refusal> {
        let picture = picture(server)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = picture.map(Arc::new);
        note_day(server)
    }
}

/// Looks anew as long as the server runs.
pub(crate) fn run(server: &Server) {
    let mut seen = None;
    let mut rest = Duration::ZERO;
    let mut since = Instant::now();
    while !server.lifecycle.is_ending() {
        sleep(LOOK);
        let Ok(last) = server.store().map_err(drop).and_then(|store| store.last_event().map_err(drop)) else {
            continue;
        };
        let now = (server.now)();
        let state = Some((last, server.advised().stamp.clone(), now.to_zoned(TimeZone::UTC).date()));
        if state == seen || since.elapsed() < rest {
            continue;
        }
        since = Instant::now();
        match server.fleet.look(server) {
            Ok(()) => {
                tracing::debug!(seconds = since.elapsed().as_secs_f64(), "looked at all images");
                seen = state;
            }
            Err(refusal) => {
                tracing::warn!(why = refusal.message, "all images could not be looked at; it is tried again");
            }
        }
        rest = since.elapsed() * SHARE;
    }
}

/// Notes how all images stand today.
fn note_day(server: &Server) -> Result<(), Refusal> {
    let store = server.store()?;
    let mut day = Day::default();
    store.each_judged(&mut |_, judged| {
        day.add(&judged);
        match server.lifecycle.is_ending() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    if !server.lifecycle.is_ending() && day != Day::default() {
        store.note_day((server.now)().to_zoned(TimeZone::UTC).date(), &day)?;
    }
    Ok(())
}

/// What is gathered of a flaw.
struct Gathered {
    flaw: FleetFlaw,
    /// The last image that was counted, so that none is counted twice.
    counted: u32,
}

#[derive(Default)]
struct Gathering {
    flaws: Vec<Gathered>,
    by_id: HashMap<String, usize>,
    /// The flaws of each package.
    of_package: BTreeMap<u32, Vec<usize>>,
    pairs: usize,
}

fn picture(server: &Server) -> Result<Option<Picture>, Refusal> {
    let advised = server.advised();
    if advised.database.is_err() {
        return Ok(None);
    }
    let store = server.store()?;
    let mut gathering = Gathering::default();
    let (mut waiting, mut failed) = (Distinct::default(), None);
    store.each_package(&mut |row| {
        if failed.is_some() || gathering.pairs >= PAIRS_MAX || server.lifecycle.is_ending() {
            return;
        }
        if let Some(batch) = waiting.take(row) {
            failed = gathering.judge(&advised, &batch).err();
        }
    })?;
    for batch in waiting.rest() {
        failed = failed.or(gathering.judge(&advised, &batch).err());
    }
    if let Some(why) = failed {
        return Err(Refusal::new(500, "internal", why));
    }
    let numbers: Vec<u32> = gathering.of_package.keys().copied().collect();
    let mut images = 0;
    store.images_with(&numbers, &mut |image, numbers| {
        images += 1;
        gathering.count(images, &image, &numbers);
    })?;
    let is_cut = gathering.pairs >= PAIRS_MAX;
    Ok(Some(Picture { at: (server.now)(), flaws: gathering.most(), is_cut }))
}

impl Gathering {
    fn judge(&mut self, advised: &Advised, batch: &Batch) -> Result<(), String> {
        let Ok(database) = &advised.database else { return Ok(()) };
        for finding in batch.judge(database, &advised.standings)? {
            if let (Some((number, package)), Some(fixed_in)) = (batch.of(&finding), finding.fixed_in.clone())
            {
                self.add(number, package, &finding, fixed_in);
            }
        }
        Ok(())
    }

    fn add(&mut self, number: u32, package: &Package, finding: &Finding, fixed_in: String) {
        let at = *self.by_id.entry(finding.id.clone()).or_insert_with(|| {
            let flaw = FleetFlaw {
                id: finding.id.clone(),
                severity: None,
                is_exploited: false,
                images: 0,
                examples: Vec::new(),
                packages: BTreeSet::new(),
            };
            self.flaws.push(Gathered { flaw, counted: 0 });
            self.flaws.len() - 1
        });
        let Some(Gathered { flaw, .. }) = self.flaws.get_mut(at) else { return };
        flaw.severity = flaw.severity.max(finding.severity);
        flaw.is_exploited |= finding.kev.is_some() || finding.is_exploited;
        if flaw.packages.len() < PACKAGES_MAX {
            flaw.packages.insert((package.name.clone(), fixed_in));
        }
        self.of_package.entry(number).or_default().push(at);
        self.pairs += 1;
    }

    /// Counts an image, the `number`th.
    fn count(&mut self, number: u32, image: &Digest, packages: &[u32]) {
        for at in packages.iter().filter_map(|package| self.of_package.get(package)).flatten() {
            let Some(gathered) = self.flaws.get_mut(*at) else { continue };
            if gathered.counted == number {
                continue;
            }
            gathered.counted = number;
            gathered.flaw.images += 1;
            if gathered.flaw.examples.len() < IMAGES_MAX {
                gathered.flaw.examples.push(image.clone());
            }
        }
    }

    /// The flaws of most images.
    fn most(self) -> Vec<FleetFlaw> {
        let mut flaws: Vec<FleetFlaw> = self.flaws.into_iter().map(|gathered| gathered.flaw).collect();
        flaws.retain(|flaw| flaw.images > 0);
        flaws.sort_by(|one, other| {
            let rank = |flaw: &FleetFlaw| (flaw.images, flaw.severity, flaw.is_exploited);
            rank(other).cmp(&rank(one)).then_with(|| one.id.cmp(&other.id))
        });
        flaws.truncate(FLAWS_MAX);
        flaws
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flaws_of_most_images_come_first_and_each_image_counts_once() {
        let mut gathering = Gathering::default();
        let flaws = [
            ("b", Some(Severity::Low)),
            ("a", Some(Severity::Low)),
            ("c", Some(Severity::High)),
            ("d", None),
        ];
        for (id, severity) in flaws {
            let flaw = FleetFlaw {
                id: id.to_owned(),
                severity,
                is_exploited: false,
                images: 0,
                examples: Vec::new(),
                packages: BTreeSet::new(),
            };
            gathering.flaws.push(Gathered { flaw, counted: 0 });
        }
        // Packages 1 and 2 have flaws in common, package 3 has one that no image has.
        gathering.of_package = [(1, vec![0, 1]), (2, vec![1, 0, 2]), (3, vec![3])].into();
        for (number, packages) in [(1, &[1, 2][..]), (2, &[2]), (3, &[1]), (4, &[2, 7]), (5, &[])] {
            gathering.count(number, &Digest::sha256(&[u8::try_from(number).unwrap(); 32]), packages);
        }
        let most: Vec<_> =
            gathering.most().into_iter().map(|flaw| (flaw.id, flaw.images, flaw.examples.len())).collect();
        assert_eq!(most, [("a".to_owned(), 4, 3), ("b".to_owned(), 4, 3), ("c".to_owned(), 3, 3)]);
    }
}
