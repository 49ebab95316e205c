//! `updateinfo.xml`, the updates that an rpm repository lists beside its packages: Amazon Linux, Fedora.
//!
//! `repodata/repomd.xml` says where it lies and what its digest is, which is the part's revision. An update names
//! packages with the version that has the fix; flaws without a fix are not listed at all. What surprises:
//! - Amazon's list of one architecture names packages of the others as well, and lists of several architectures
//!   repeat an update: the same body is one advisory, its statements are limited to the architectures of the
//!   packages;
//! - Amazon Linux 2 has, beside its core repository, one for each *topic* of its extras library, each of which may
//!   have another series of the same package (`series.rs`);
//! - Fedora has CVEs in the titles of bugs only; an update may name none.
//!
//! What the repositories of a release state is held together, so the statements of all of them come with the part
//! of the release's own repository. The parts of the others are checked by themselves, and refused records are
//! told there.

use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, inflate, text};

mod document;
mod plan;
mod repomd;
pub(super) mod rows;
mod series;
mod statement;
mod xml;

#[cfg(test)]
mod tests;

use document::Update;
use plan::Place;
use series::{Bounds, Survey};

/// What differs between those who write the format.
struct Vendor {
    /// The vendor's page on an update, by release and id.
    page: fn(&str, &str) -> Option<String>,
}

fn parse(
    reading: &Reading<'_>,
    source: &mut dyn Source,
    sink: &mut dyn Sink,
    vendor: &Vendor,
) -> Result<(), ParseError> {
    let place = Place::read(&reading.part.name)
        .ok_or_else(|| ParseError("the name of the part does not say what it is of".to_owned()))?;
    let release = ReleaseReader { namespace: namespace(reading.feed, place.release), place: &place, vendor };
    if place.repository.is_some() {
        return document::each_update(inflate::inflated(source)?, &mut |update| {
            release.tell_problems(&update, sink);
        });
    }
    sink.namespace(&release.namespace);
    let others = others(reading, &place);
    let bounds = if others.is_empty() { Bounds::default() } else { bounds(reading, source, &others)? };
    let mut latest = None;
    document::each_update(inflate::inflated(source)?, &mut |update| {
        release.tell_problems(&update, sink);
        latest = latest.take().max(statement::date(&update));
        release.tell(&update, 0, &bounds, sink);
    })?;
    for (number, name) in others.iter().enumerate() {
        each_of_other(reading, name, &mut |update| {
            release.tell(&update, number + 1, &bounds, sink);
            Ok(())
        })?;
    }
    if let Some(date) = latest {
        sink.data_date(&date);
        sink.namespace_date(&release.namespace, &date);
    }
    Ok(())
}

fn namespace(feed: &Feed, release: &str) -> String {
    let distro = feed.covers.iter().find_map(|covers| match covers {
        Covers::Distro(row) => Some(row),
        _ => None,
    });
    distro.expect("a row of updateinfo covers a distribution").namespace(release)
}

/// Names of the parts of a release's other repositories.
fn others(reading: &Reading<'_>, own: &Place<'_>) -> Vec<String> {
    let is_other = |name: &String| {
        Place::read(name).is_some_and(|place| {
            (place.release, place.architecture) == (own.release, own.architecture)
                && place.repository.is_some()
        })
    };
    reading.snapshot.names().into_iter().filter(is_other).collect()
}

/// Reads all repositories once for where their statements begin, and goes back to the start of the own one.
fn bounds(reading: &Reading<'_>, source: &mut dyn Source, others: &[String]) -> Result<Bounds, ParseError> {
    let mut survey = Survey::default();
    let mut note = |repository: usize, update: &Update| {
        if !statement::is_about_security(update) {
            return Ok(());
        }
        update.packages.iter().try_for_each(|one| survey.note(repository, &one.name, &one.version))
    };
    let mut result = Ok(());
    document::each_update(inflate::inflated(source)?, &mut |update| {
        if result.is_ok() {
            result = note(0, &update);
        }
    })?;
    result?;
    inflate::rewind(source)?;
    for (number, name) in others.iter().enumerate() {
        each_of_other(reading, name, &mut |update| note(number + 1, &update))?;
    }
    Ok(survey.bounds())
}

/// Reads another part.
fn each_of_other(
    reading: &Reading<'_>,
    name: &str,
    each: &mut dyn FnMut(Update) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    let of_other = |error: String| ParseError(format!("`{name}`, which is read with it: {error}"));
    let source = reading.snapshot.open(name).map_err(|error| of_other(format!("cannot open it: {error}")))?;
    let Some(mut source) = source else { return Ok(()) };
    let mut result = Ok(());
    document::each_update(inflate::inflated(&mut source)?, &mut |update| {
        if result.is_ok() {
            result = each(update);
        }
    })
    .map_err(|error| of_other(error.to_string()))?;
    result
}

/// Reads the repositories of one release.
struct ReleaseReader<'a> {
    namespace: String,
    place: &'a Place<'a>,
    vendor: &'a Vendor,
}

impl ReleaseReader<'_> {
    /// Tells what of an update is left out.
    fn tell_problems(&self, update: &Update, sink: &mut dyn Sink) {
        let id = update.id.trim();
        if !statement::is_about_security(update) {
            sink.skip("a bug fix or an enhancement without a flaw");
        } else if !text::is_id(id) {
            sink.refuse(&text::shortened(&format!("update {id}"), 120), "it has no usable id");
        } else {
            let id = text::shortened(id, 120);
            update.problems.iter().for_each(|reason| sink.refuse(&id, reason));
            if update.packages.is_empty() && update.problems.is_empty() {
                sink.refuse(&id, "it names no package");
            }
        }
    }

    /// Tells what an update of a repository states.
    fn tell(&self, update: &Update, repository: usize, bounds: &Bounds, sink: &mut dyn Sink) {
        let id = update.id.trim();
        if !statement::is_about_security(update) || !text::is_id(id) {
            return;
        }
        let begin = |package: &str| bounds.of(repository, package);
        let affected = statement::affected(&update.packages, &self.namespace, &begin);
        if !affected.is_empty() {
            let page = (self.vendor.page)(self.place.release, id);
            sink.advisory(&statement::advisory(update, page), &affected);
        }
    }
}
