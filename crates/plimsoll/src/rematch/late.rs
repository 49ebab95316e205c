//! An image whose scan ended with the database before, after all others were told of the new one, or while they are.
//!
//! Nobody comes by such an image again, so whoever scanned it holds it against both databases. What was noted of it moves
//! together with the event, and a comparison on its way moves it in the same way: whichever is first tells, and the other
//! finds it told.

use std::collections::BTreeSet;

use plimsoll_core::advisory::Advisories as _;
use plimsoll_core::policy::Policy;
use plimsoll_feeds::database::Database;
use plimsoll_store::{EventKind, InventoryRow, Judged, NewEvent, PackageRow, Step, Store};

use super::deltas::{Comparing, Pair};
use super::place::{Files, SETTING, Standing};
use crate::jobs::judging;
use crate::pipeline;
use crate::server::Server;

/// How often it is tried anew because a comparison went on meanwhile.
const TRIES_MAX: u32 = 100;

/// Tells of an image what the newest database that images are told of changes, where it was judged with an older one.
/// Whether it did. `used` is the database that it was judged with.
pub(crate) fn catch_up(
    server: &Server,
    store: &Store,
    row: &InventoryRow,
    judged: &Judged,
    used: &Database,
) -> anyhow::Result<bool> {
    let Some(digest) = row.image.digest.clone() else { return Ok(false) };
    for _ in 0..TRIES_MAX {
        let Some(text) = store.setting(SETTING)? else { return Ok(false) };
        let Some(standing) =
            Standing::read(&text).filter(|standing| standing.is_older(&judged.database_built_at))
        else {
            return Ok(false);
        };
        let newest = standing.comparing.as_ref().map_or(&standing.compared, |comparing| &comparing.to);
        let Some(new) = Files::of(&server.data_dir).open(newest) else {
            tracing::warn!(
                image = %digest,
                "it was judged with an older database than the one that images are told of, which this replica lacks; \
                 what that changes is not told"
            );
            return Ok(false);
        };
        let standings = &server.advised().standings;
        let (changes, ..) = {
            let mut comparing = Comparing::new(Pair { old: used, new: &new, standings });
            let packages = distinct(row);
            let numbers: Vec<u32> = packages.iter().map(|package| package.number).collect();
            packages.into_iter().for_each(|package| comparing.take(package));
            let mut changes = comparing.end()?.of_image(&numbers);
            changes.0.old_database.clone_from(&used.identity().id);
            changes.0.new_database.clone_from(&new.identity().id);
            changes
        };
        let catalogued = (row.image.clone(), row.inventory.clone());
        let assessment = pipeline::assess(catalogued, Ok(&new), standings, &Policy::default());
        let now = (server.now)();
        let after = judging::judged(&assessment, now);
        let event = NewEvent {
            kind: EventKind::FindingsChanged,
            subject: digest.as_str().to_owned(),
            body: serde_json::to_string(&changes).expect("plain structs with text keys are JSON"),
        };
        let events = if changes.total() > 0 { vec![event] } else { Vec::new() };
        let step = Step {
            setting: SETTING,
            before: Some(&text),
            after: &text,
            events: &events,
            judged: &[(digest.clone(), judged.clone(), after)],
        };
        if store.take_step(&step, now)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The packages, each once as for the whole fleet, wherever and however often they lie.
fn distinct(row: &InventoryRow) -> Vec<PackageRow> {
    let mut seen = BTreeSet::new();
    let distinct = row.inventory.packages.iter().filter(|package| {
        seen.insert((
            package.ecosystem.name,
            &package.purl,
            &package.name,
            &package.version,
            &package.owned_by,
        ))
    });
    (0..)
        .zip(distinct)
        .map(|(number, package)| PackageRow {
            number,
            release: row.inventory.distro.clone(),
            package: package.clone(),
        })
        .collect()
}
