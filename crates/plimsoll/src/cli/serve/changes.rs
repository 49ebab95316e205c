//! Noticing what a new advisory database changes, and which feeds become late or recover.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::notify;
use crate::rematch::{self, Looked};
use crate::server::Server;

/// How often it is looked whether there is another database.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is looked how feeds stand.
const FEEDS: Duration = Duration::from_secs(60);

/// Wait after something failed.
const ERROR_WAIT: Duration = Duration::from_secs(30);

pub(super) fn run(server: &Server) {
    let mut feeds: Option<Instant> = None;
    let mut failed: Option<Instant> = None;
    let (mut comparing, mut watching) = (rematch::duty(), notify::feeds::duty());
    let mut said = String::new();
    while !server.lifecycle.is_ending() {
        sleep(LOOK);
        if failed.is_some_and(|at| at.elapsed() < ERROR_WAIT) {
            continue;
        }
        failed = None;
        match rematch::look(server, &mut comparing) {
            Ok(Looked::Compared(compared)) => tracing::info!(
                names = compared.names,
                packages = compared.packages,
                images = compared.images,
                told_before = compared.told_before,
                approximate = compared.approximate,
                seconds = compared.seconds.iter().sum::<f64>(),
                "what the advisory database changes is told"
            ),
            Ok(Looked::First(why)) => {
                tracing::info!("the advisory database is the first to compare with: {why}");
            }
            Ok(Looked::Older(what)) => {
                if said != what {
                    tracing::warn!("{what}");
                    said = what;
                }
            }
            Ok(Looked::Nothing | Looked::Elsewhere) => {}
            Err(error) => {
                tracing::warn!("what the advisory database changes cannot be told yet: {error:#}");
                failed = Some(Instant::now());
            }
        }
        if feeds.is_none_or(|at| at.elapsed() >= FEEDS) {
            feeds = Some(Instant::now());
            let Ok(store) = server.store() else { continue };
            if let Err(error) = notify::feeds::watch_alone(server, store, &mut watching) {
                tracing::warn!("how feeds stand cannot be told yet: {error}");
            }
        }
    }
}
