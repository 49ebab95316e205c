//! Indexing while a client waits.
//!
//! The scan is stored before anything else happens, so that it is done whatever becomes of the connection, and a second
//! client that asks for the same manifest waits for the same scan. Quay's tokens for layers hold for a minute: this
//! replica takes the scan at once and does not leave it to whoever is free next. Nobody is told to come again later,
//! because Quay gives an image up after five such answers; whoever is too many waits.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Scan, Submission};
use tokio::time::Instant;

use crate::http::Refusal;
use crate::jobs::{attempt, workers};
use crate::server::Server;

/// How long a client waits at most. Quay gives up after ten minutes.
const WAIT_MAX: Duration = Duration::from_secs(590);

/// How long a change may go unnoticed, whatever events say.
const LOOK: Duration = Duration::from_secs(2);

/// What became of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Indexed {
    /// The image is indexed.
    Yes,
    /// It can never be: clients need not try again.
    Never,
    /// It is not, which may be otherwise another time.
    No,
}

/// Has a manifest indexed and waits until it is, or cannot be.
pub(super) async fn index_now(server: &Arc<Server>, submission: Submission) -> Result<Scan, Refusal> {
    let until = Instant::now() + WAIT_MAX;
    // Listened to before the scan is stored, so that nothing falls in between.
    let mut events = server.listen();
    let submitted =
        server.blocking(move |server| Ok(server.store()?.submit(&submission, (server.now)())?)).await?;
    let mut scan = submitted.scan;
    let ids = [scan.id.clone()];
    if !is_settled(&scan) {
        // On its own: a client that goes away ends nothing.
        drop(tokio::spawn(work(Arc::clone(server), scan.id.clone())));
    }
    while !is_settled(&scan) {
        if server.lifecycle.is_ending() {
            let message = "the server ends; the manifest is stored and will be indexed, ask again";
            return Err(Refusal::unavailable("not_ready", message));
        }
        if Instant::now() >= until {
            let message = format!("the manifest is still being indexed: {}; ask again", scan.state);
            return Err(Refusal::unavailable("unavailable", message));
        }
        events.changed(&ids, until.min(Instant::now() + LOOK)).await;
        let id = scan.id.clone();
        let found = server.blocking(move |server| Ok(server.store()?.scan(&id)?)).await?;
        scan = found.ok_or_else(|| Refusal::new(500, "internal", "the manifest was deleted meanwhile"))?;
    }
    Ok(scan)
}

/// Does a scan here, unless somebody does already.
async fn work(server: Arc<Server>, id: String) {
    // Never closed.
    let Ok(_permit) = server.indexing.acquire().await else { return };
    let worker = format!("{}-asked-{id}", server.replica);
    let worked = server
        .blocking(move |server| {
            if let Some(claimed) = workers::claim(server, &worker, Some(&id))? {
                attempt::make(server, claimed);
            }
            Ok(())
        })
        .await;
    if let Err(refusal) = worked {
        tracing::warn!(error = %refusal.message, "a scan could not be taken at once; a worker will");
    }
    server.bell.ring();
}

/// Whether there is nothing to wait for.
fn is_settled(scan: &Scan) -> bool {
    scan.state.is_final() || scan.state == ScanState::FeedsNotLoaded
}

/// What a scan means for a client that wants an image indexed. `is_indexed` says that what is aboard is known, by
/// today's rules.
pub(super) fn indexed(scan: &Scan, is_indexed: bool) -> Indexed {
    match scan.reason {
        _ if is_indexed && scan.state != ScanState::Failed => Indexed::Yes,
        // The bytes are what they are, and how many layers are read nobody can raise.
        Reason::ArtifactType
        | Reason::NoLayers
        | Reason::TooManyLayers
        | Reason::EncryptedLayer
        | Reason::LayerType
        | Reason::ManifestFormat
        | Reason::Corrupt
        | Reason::BadRequest => Indexed::Never,
        // Other limits are the operator's, and what is not to be had today may be tomorrow.
        _ => Indexed::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::tests::samples::TestServer;
    use plimsoll_store::ScanKind;

    #[test]
    fn clients_are_told_to_give_up_what_no_attempt_will_change() {
        let server = TestServer::new("", false);
        let waiting = server.claim(1, ScanKind::Image).scan;
        let never: Vec<&str> = Reason::ALL
            .into_iter()
            .filter(|reason| {
                let scan = Scan { state: ScanState::Failed, reason: *reason, ..waiting.clone() };
                indexed(&scan, true) == Indexed::Never
            })
            .map(Reason::name)
            .collect();
        let expected = [
            "artifact_type",
            "no_layers",
            "encrypted_layer",
            "too_many_layers",
            "layer_type",
            "manifest_format",
            "corrupt",
            "bad_request",
        ];
        assert_eq!(never, expected);
    }
}
