//! What a new advisory database changes: which images have findings that came, went or changed.
//!
//! The fleet is not matched again. The two databases say which packages they speak of differently; each distinct package
//! of the fleet with such a name is held against both; and the images that have one of those with a difference are told,
//! one event each (`deltas.rs`, `changes.rs`).
//!
//! How far that is, is a setting that moves in one transaction with the events (`place.rs`), so that an image is told
//! once of a pair of databases, whoever is killed in between. A replica that lacks the database that was compared last
//! waits for one that has it; where none comes, it says so and takes the new one as the first: it makes no changes up.
//!
//! Replicas may have databases of their own. One of them compares, and keeps doing so as long as it lives, so that what
//! is told is what came to one place; and a database that is older than the last is compared with nothing.
//!
//! The counts that are noted of each image move by what came and went. Of language packages an image may have several
//! copies, which a difference does not say: of those images that have such a change, so many as can be matched in
//! little time are judged anew.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::advisory::{Advisories as _, Severity};
use plimsoll_core::digest::Digest;
use plimsoll_feeds::database::{self, Database};
use plimsoll_store::{EventKind, Judged, NewEvent, Step, Store};

pub(crate) mod changes;
mod deltas;
mod late;
mod place;

use crate::jobs::judging;
use crate::server::Server;
use crate::server::duty::Duty;
use changes::{Changes, Tally};
use deltas::{Comparing as ComparingPackages, Deltas, Pair};
pub(crate) use late::catch_up;
use place::{Comparing, Files, Kept, SETTING, Standing};

/// Name of the duty.
const DUTY: &str = "rematch";

/// How long the duty is taken for.
const DUTY_TIME: Duration = Duration::from_secs(10 * 60);

/// Images that are told in one transaction.
const IMAGES_AT_ONCE: usize = 500;

/// How long a replica without the old database waits for one that has it.
const OTHERS_WAIT: SignedDuration = SignedDuration::from_mins(10);

/// Most images that are judged anew after a comparison, because differences do not say their counts.
const JUDGED_ANEW_MAX: usize = 500;

/// What a look came to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Looked {
    /// All images are told of the database that the server has.
    Nothing,
    /// Another replica does it, or is waited for.
    Elsewhere,
    /// The database that the server has is older than what all images are told of; what is to be done.
    Older(String),
    /// The database is the first to compare with; why.
    First(String),
    /// Images were told.
    Compared(Compared),
}

/// What a comparison did.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Compared {
    /// Packages that the databases speak of differently.
    pub(crate) names: usize,
    /// Distinct packages of the fleet with such a name.
    pub(crate) packages: usize,
    /// Images whose findings changed, and which were told.
    pub(crate) images: u64,
    /// Images that had been judged with the new database already.
    pub(crate) told_before: u64,
    /// Images whose counts are near, not exact.
    pub(crate) approximate: u64,
    /// Seconds for the difference of the databases, for the packages, and for the images.
    pub(crate) seconds: [f64; 3],
}

/// The duty of comparing, which is kept between looks.
pub(crate) fn duty() -> Duty {
    Duty::new(DUTY, DUTY_TIME)
}

/// Looks whether the server has another database than the one that all images are told of, and tells them.
///
/// To be called every now and then, by every replica; blocks for as long as it takes.
pub(crate) fn look(server: &Server, duty: &mut Duty) -> anyhow::Result<Looked> {
    let Ok(store) = server.store() else { return Ok(Looked::Elsewhere) };
    let advised = server.advised();
    let Ok(current) = &advised.database else { return Ok(Looked::Nothing) };
    let files = Files::of(&server.data_dir);
    let text = store.setting(SETTING)?;
    let standing = text.as_deref().and_then(Standing::read);
    let Some(standing) = standing else {
        if !duty.has(server, store)? {
            return Ok(Looked::Elsewhere);
        }
        return first(store, &files, text.as_deref(), current, "it is the first", (server.now)());
    };
    keep(&files, &standing)?;
    let id = current.identity().id.as_str();
    if standing.comparing.is_none() && standing.compared == id {
        // Whoever has what was compared last is the one to go on from it.
        duty.has(server, store)?;
        return Ok(Looked::Nothing);
    }
    let has_all = files.open(&standing.compared).is_some()
        && standing.comparing.as_ref().is_none_or(|comparing| files.open(&comparing.to).is_some());
    let goes_on = has_all && standing.comparing.is_some();
    if !goes_on && standing.is_older(&current.identity().built_at) {
        duty.leave(server, store)?;
        return Ok(Looked::Older(format!(
            "the advisory database `{id}` is older than the one that all images are told of; update the feeds of this \
             replica"
        )));
    }
    if !has_all && !is_overdue(store, &standing, (server.now)())? {
        duty.leave(server, store)?;
        return Ok(Looked::Elsewhere);
    }
    if !duty.has(server, store)? {
        return Ok(Looked::Elsewhere);
    }
    if !has_all {
        let why = format!("this replica lacks the database `{}` that was compared last", standing.compared);
        tracing::warn!("{why}; what `{id}` changes is not told");
        return first(store, &files, text.as_deref(), current, &why, (server.now)());
    }
    run(server, store, duty, &files, &standing, current)
}

/// Takes the database that is there as the first to compare with.
fn first(
    store: &Store,
    files: &Files,
    before: Option<&str>,
    current: &Database,
    why: &str,
    now: Timestamp,
) -> anyhow::Result<Looked> {
    let id = current.identity().id.clone();
    files.keep(Kept::Compared, &id).context("cannot keep the database to compare with")?;
    let standing = Standing {
        compared: id,
        compared_built_at: current.identity().built_at.clone(),
        comparing: None,
        skipped: Some(format!("{now}: {why}")),
    };
    let step = Step { setting: SETTING, before, after: &standing.text(), events: &[], judged: &[] };
    Ok(if store.take_step(&step, now)? { Looked::First(why.to_owned()) } else { Looked::Elsewhere })
}

/// Keeps the files that the setting speaks of, as far as this replica has them.
fn keep(files: &Files, standing: &Standing) -> anyhow::Result<()> {
    let keep = |kept, id: &str| {
        files.keep(kept, id).with_context(|| format!("cannot keep the database `{id}` to compare with"))
    };
    if let Some(comparing) = &standing.comparing {
        keep(Kept::Comparing, &comparing.to)?;
    }
    keep(Kept::Compared, &standing.compared).map(drop)
}

/// Whether a replica that has the files has been waited for long enough. When the wait began is a setting of its own.
fn is_overdue(store: &Store, standing: &Standing, now: Timestamp) -> anyhow::Result<bool> {
    const WAITING: &str = "compared_database_lacking";
    let text = store.setting(WAITING)?.unwrap_or_default();
    let (of, since) = text.split_once(' ').unwrap_or_default();
    match since.parse::<Timestamp>() {
        Ok(since) if of == standing.compared => Ok(now.duration_since(since) >= OTHERS_WAIT),
        _ => {
            store.set_setting(WAITING, &format!("{} {now}", standing.compared))?;
            Ok(false)
        }
    }
}

/// Begins a comparison or goes on with one, to its end.
fn run(
    server: &Server,
    store: &Store,
    duty: &mut Duty,
    files: &Files,
    standing: &Standing,
    current: &Database,
) -> anyhow::Result<Looked> {
    let mut standing = standing.clone();
    if standing.comparing.is_none() {
        let Some(begun) = begin(server, store, files, &standing, current)? else {
            return Ok(Looked::Elsewhere);
        };
        standing = begun;
    }
    let to = standing.comparing.as_ref().map(|comparing| comparing.to.clone()).unwrap_or_default();
    let (Some(old), Some(new)) = (files.open(&standing.compared), files.open(&to)) else {
        return Ok(Looked::Elsewhere);
    };
    let mut compared = Compared::default();
    let advised = server.advised();
    let pair = Pair { old: &old, new: &new, standings: &advised.standings };
    let deltas = compare(store, pair, &mut compared)?;
    let started = Instant::now();
    let mut telling = Telling {
        server,
        store,
        duty,
        pair,
        deltas: &deltas,
        standing,
        compared,
        waiting: Vec::new(),
        anew: Vec::new(),
    };
    let is_mine = telling.tell_all()? && telling.end()?;
    let Telling { mut compared, anew, .. } = telling;
    files.keep(Kept::Compared, &to).context("cannot keep the database to compare with")?;
    compared.seconds[2] = started.elapsed().as_secs_f64();
    compared.approximate = judge_anew(server, store, &anew)?;
    Ok(if is_mine { Looked::Compared(compared) } else { Looked::Elsewhere })
}

/// Notes that a comparison is on its way; `None` where another replica was faster.
fn begin(
    server: &Server,
    store: &Store,
    files: &Files,
    standing: &Standing,
    current: &Database,
) -> anyhow::Result<Option<Standing>> {
    let now = (server.now)();
    let id = current.identity().id.clone();
    // It may have been replaced since: the next look finds the other one.
    if !files.keep(Kept::Comparing, &id).context("cannot keep the new database")? {
        return Ok(None);
    }
    let comparing = Comparing {
        to: id.clone(),
        to_built_at: current.identity().built_at.clone(),
        since: now.to_string(),
        ..Comparing::default()
    };
    let after = Standing { comparing: Some(comparing), skipped: None, ..standing.clone() };
    let step = Step {
        setting: SETTING,
        before: Some(&standing.text()),
        after: &after.text(),
        events: &[],
        judged: &[],
    };
    Ok(store.take_step(&step, now)?.then_some(after))
}

/// Holds each distinct package that the databases speak of differently against both.
fn compare(store: &Store, pair: Pair<'_>, compared: &mut Compared) -> anyhow::Result<Deltas> {
    let started = Instant::now();
    let mut names = database::diff(pair.old, pair.new)?.packages;
    names.extend(database::packages_rated_anew(pair.old, pair.new)?);
    names.sort_unstable();
    names.dedup();
    compared.names = names.len();
    compared.seconds[0] = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let mut comparing = ComparingPackages::new(pair);
    store.packages_named(&names, &mut |row| comparing.take(row))?;
    let deltas = comparing.end()?;
    compared.packages = deltas.packages;
    compared.seconds[1] = started.elapsed().as_secs_f64();
    Ok(deltas)
}

/// Telling images.
struct Telling<'a> {
    server: &'a Server,
    store: &'a Store,
    duty: &'a mut Duty,
    pair: Pair<'a>,
    deltas: &'a Deltas,
    standing: Standing,
    compared: Compared,
    /// Images that are told with the next transaction, sorted by digest.
    waiting: Vec<(Digest, Vec<u32>)>,
    /// Images whose counts differences do not say.
    anew: Vec<Digest>,
}

/// Why telling ended early.
enum Ended {
    /// Another replica goes on.
    Elsewhere,
    Failed(anyhow::Error),
}

impl Telling<'_> {
    /// Tells the images but for the last few. Whether it was this replica that did; another one tells the rest then.
    fn tell_all(&mut self) -> anyhow::Result<bool> {
        let numbers = self.deltas.numbers();
        let store = self.store;
        let mut ended = None;
        let after = self.comparing().after.clone();
        store.images_with(&numbers, &mut |digest, numbers| {
            if ended.is_some() || digest.as_str() <= after.as_str() {
                return;
            }
            self.waiting.push((digest, numbers));
            if self.waiting.len() >= IMAGES_AT_ONCE {
                ended = self.tell_waiting(false).err();
            }
        })?;
        match ended {
            None => Ok(true),
            Some(Ended::Elsewhere) => Ok(false),
            Some(Ended::Failed(error)) => Err(error),
        }
    }

    /// Tells what is left and that all of it is told. Whether it was this replica that did.
    fn end(&mut self) -> anyhow::Result<bool> {
        match self.tell_waiting(true) {
            Ok(()) => Ok(true),
            Err(Ended::Elsewhere) => Ok(false),
            Err(Ended::Failed(error)) => Err(error),
        }
    }

    fn comparing(&mut self) -> &mut Comparing {
        self.standing.comparing.get_or_insert_default()
    }

    fn tell_waiting(&mut self, is_last: bool) -> Result<(), Ended> {
        let failed = |error: plimsoll_store::StoreError| Ended::Failed(error.into());
        if !self.duty.has(self.server, self.store).map_err(failed)? {
            return Err(Ended::Elsewhere);
        }
        let waiting = std::mem::take(&mut self.waiting);
        let digests: Vec<Digest> = waiting.iter().map(|(digest, _)| digest.clone()).collect();
        let noted = self.store.judged(&digests).map_err(failed)?;
        let (mut events, mut judged) = (Vec::new(), Vec::new());
        for (digest, numbers) in waiting {
            // One of which nothing is noted is still to be judged, and whoever asked is told then.
            let Some((_, noted)) = noted.iter().find(|(one, _)| *one == digest) else { continue };
            let Some((event, after)) = self.compared_of(&digest, &numbers, noted) else { continue };
            events.push(event);
            judged.push((digest, noted.clone(), after));
        }
        let before = self.standing.text();
        let mut after = self.standing.clone();
        if let Some(comparing) = &mut after.comparing {
            comparing.images += u64::try_from(events.len()).unwrap_or(u64::MAX);
            if let Some(digest) = digests.last() {
                comparing.after = digest.as_str().to_owned();
            }
        }
        if is_last {
            let comparing = after.comparing.take().unwrap_or_default();
            (after.compared, after.compared_built_at) = (comparing.to, comparing.to_built_at);
        }
        let step = Step {
            setting: SETTING,
            before: Some(&before),
            after: &after.text(),
            events: &events,
            judged: &judged,
        };
        if !self.store.take_step(&step, (self.server.now)()).map_err(failed)? {
            return Err(Ended::Elsewhere);
        }
        self.compared.images += u64::try_from(events.len()).unwrap_or(u64::MAX);
        self.standing = after;
        Ok(())
    }

    /// The event of an image, and what is noted of it afterwards. `None` for an image that was judged with
    /// the new database, or a newer one: whoever asked for that was told.
    fn compared_of(
        &mut self,
        digest: &Digest,
        numbers: &[u32],
        noted: &Judged,
    ) -> Option<(NewEvent, Judged)> {
        let (old, new) = (self.pair.old.identity(), self.pair.new.identity());
        let newest = (&old.built_at).max(&new.built_at);
        let is_new =
            noted.database == new.id || (noted.database != old.id && noted.database_built_at > *newest);
        if is_new {
            self.compared.told_before += 1;
            return None;
        }
        let (mut changes, changed_before, is_of_language) = self.deltas.of_image(numbers);
        changes.old_database.clone_from(&old.id);
        changes.new_database.clone_from(&new.id);
        if is_of_language {
            self.anew.push(digest.clone());
        }
        let body = serde_json::to_string(&changes).expect("plain structs with text keys are JSON");
        let event = NewEvent { kind: EventKind::FindingsChanged, subject: digest.as_str().to_owned(), body };
        let mut after = noted.clone();
        after.database.clone_from(&new.id);
        after.database_built_at.clone_from(&new.built_at);
        after.at = (self.server.now)();
        move_counts(&mut after, &changes, &changed_before);
        Some((event, after))
    }
}

/// Moves counts by what came and went.
fn move_counts(judged: &mut Judged, changes: &Changes, changed_before: &Tally) {
    let shift =
        |count: &mut u32, came: u32, went: u32| *count = count.saturating_add(came).saturating_sub(went);
    let sum = |tallies: [&Tally; 2]| {
        let mut sum = Tally::default();
        tallies.into_iter().for_each(|tally| sum.add(tally));
        sum
    };
    let mut came = sum([&changes.added, &changes.changed]);
    let mut went = sum([&changes.removed, changed_before]);
    for severity in Severity::ALL.into_iter().map(Some).chain([None]) {
        shift(judged.findings.of_mut(severity), *came.all.of(severity), *went.all.of(severity));
    }
    let total = |tally: &Tally| u32::try_from(tally.fixable.total()).unwrap_or(u32::MAX);
    shift(&mut judged.fixable, total(&came), total(&went));
    shift(&mut judged.exploited, came.exploited, went.exploited);
}

/// Judges images anew whose counts differences do not say, as many as there may be. How many are left as they are.
fn judge_anew(server: &Server, store: &Store, digests: &[Digest]) -> anyhow::Result<u64> {
    let (some, others) = digests.split_at(digests.len().min(JUDGED_ANEW_MAX));
    for digest in some {
        if server.lifecycle.is_ending() {
            break;
        }
        if let Some(assessed) = server.assessed(digest)? {
            store.note_judged(digest, &judging::judged(&assessed.assessment, (server.now)()))?;
        }
    }
    Ok(u64::try_from(others.len()).unwrap_or(u64::MAX))
}

#[cfg(test)]
pub(crate) mod tests;
