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
        if let Err(error) = server.follow_advisories() {
            tracing::warn!(error = %error, "another advisory database could not be told of; it is tried again");
        }
    };
    feeds::keep_fresh(
        &session,
        &|| server.lifecycle.is_ending(),
        &|line| tracing::info!(target: "plimsoll::feeds", "{line}"),
        &after_round,
    );
}
