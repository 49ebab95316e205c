//! Keeping the feeds of a server's data directory fresh, as `feeds watch` does.

use super::super::{Session, feeds};
use crate::server::Server;

/// A first round may take minutes; whoever waits for feeds waits no longer than for them.
pub(super) fn run(server: &Server) {
    let session = Session {
        data_dir: server.data_dir.clone(),
        config: server.config.clone(),
        ca_files: server.ca_files.clone(),
        is_quiet: true,
    };
    let after_round = || {
        server.refresh_advised();
        let woken = server.store().map(|store| store.wake_awaiting((server.now)()));
        if matches!(woken, Ok(Ok(1..))) {
            server.bell.ring();
        }
    };
    feeds::keep_fresh(
        &session,
        &|| server.lifecycle.is_ending(),
        &|line| tracing::info!(target: "plimsoll::feeds", "{line}"),
        &after_round,
    );
}
