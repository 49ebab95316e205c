//! What somebody does to a scan by hand: has it done again, or calls it off.

use plimsoll_store::Scan;

use super::status::standing;
use super::submission::{self, Asked};
use crate::access::Principal;
use crate::refusal::Refusal;
use crate::server::Server;

/// Calls a scan off: that of an image, or those of all images of an index.
pub(crate) fn cancel(server: &Server, principal: &Principal, id: &str) -> Result<(), Refusal> {
    let before = standing(server.store()?, id, &|scan| server.shown(principal, scan))?;
    let before = before.ok_or_else(|| unknown(id))?;
    let (mut is_done, mut is_shared) = (false, false);
    for id in &before.ids {
        match server.is_shared(principal, id)? {
            true => is_shared = true,
            false => is_done |= server.store()?.cancel(id, (server.now)())?,
        }
    }
    if is_done {
        return Ok(());
    }
    if is_shared && !before.scan.state.is_final() {
        return Err(Refusal::held_to_some());
    }
    let detail = format!("the scan `{id}` has ended already, as `{}`", before.scan.state);
    Err(Refusal::new(409, "conflict", detail))
}

/// Has an image read once more, from the registry that it is known from, and says which scan that is.
pub(crate) fn again(server: &Server, principal: &Principal, id: &str) -> Result<String, Refusal> {
    let found = standing(server.store()?, id, &|scan| server.shown(principal, scan))?;
    let scan = found.ok_or_else(|| unknown(id))?.scan;
    // Of the repositories that it was asked for in, one that whoever asks reaches: no other is even named.
    let mut places = vec![(scan.registry.clone(), scan.repository.clone())];
    places.extend(server.store()?.places(&scan.id)?);
    let reached = places.iter().find(|(registry, repository)| principal.may_submit(registry, repository));
    let reference = reached.and_then(|(registry, repository)| reference(&scan, registry, repository));
    let reference = reference.ok_or_else(|| {
        let detail = "it is not known here which repository this image is in; hand it in again by its name";
        Refusal::new(409, "conflict", detail)
    })?;
    let asked = Asked { is_forced: true, ..Asked::NOW };
    let submission = submission::of_reference(&reference, None, false, asked, &server.config)?;
    let submission = submission::by(principal, submission)?;
    let submitted = server.store()?.submit(&submission, (server.now)())?;
    server.bell.ring();
    Ok(submitted.scan.id)
}

/// The name of what was scanned, in a repository that it is in: a tag may lead elsewhere by now. `None` where it was handed
/// in without a name.
fn reference(scan: &Scan, registry: &str, repository: &str) -> Option<String> {
    if repository.is_empty() {
        return None;
    }
    match &scan.digest {
        Some(digest) => Some(format!("{registry}/{repository}@{}", digest.as_str())),
        None => Some(scan.reference.clone()).filter(|reference| !reference.is_empty()),
    }
}

/// Whether somebody may have an image read once more, as far as its own repository says.
pub(crate) fn may_be_again(principal: &Principal, scan: &Scan) -> bool {
    principal.may_submit(&scan.registry, &scan.repository)
        && reference(scan, &scan.registry, &scan.repository).is_some()
}

fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no scan `{id}`; submit the image first"))
}
