//! Many scans at once, as a page of tags shows them: three questions at most, however many there are.

use std::collections::{BTreeMap, BTreeSet};

use super::{Child, Scan, ScanKind, row};
use crate::engine::{Transaction, json};
use crate::{Store, StoreError};

impl Store {
    /// The scans of these ids that there are, by id, each with its position, its children, and what was found.
    pub fn scans_of(&self, ids: &[&str]) -> Result<BTreeMap<String, Scan>, StoreError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        // An id that is named twice would have its children twice.
        let distinct: BTreeSet<&str> = ids.iter().copied().collect();
        let listed: Vec<[&str; 1]> = distinct.into_iter().map(|id| [id]).collect();
        self.engine.read(|transaction| {
            let of_ids = "WHERE id IN (SELECT listed.value->>0 FROM {rows})";
            let rows = row::rows(transaction, of_ids, &[json(&listed).into()])?;
            let mut scans: BTreeMap<String, Scan> =
                rows.into_iter().map(|row| (row.scan.id.clone(), row.scan)).collect();
            add_positions(transaction, &listed, &mut scans)?;
            if scans.values().any(|scan| scan.kind == ScanKind::Index) {
                add_children(transaction, &listed, &mut scans)?;
            }
            Ok(scans)
        })
    }

    /// Every repository that each of these scans was asked for in, registry and repository, sorted, by id; those that were
    /// asked for in none are left out.
    pub fn places_of(&self, ids: &[&str]) -> Result<BTreeMap<String, Vec<(String, String)>>, StoreError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let distinct: BTreeSet<&str> = ids.iter().copied().collect();
        let listed: Vec<[&str; 1]> = distinct.into_iter().map(|id| [id]).collect();
        let asked = "SELECT places.scan, places.registry, places.repository
                     FROM {rows} JOIN places ON places.scan = listed.value->>0
                     ORDER BY places.scan, places.registry, places.repository";
        let mut places: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        for mut row in self.engine.query(asked, &[json(&listed).into()])? {
            let (id, place) = (row.text()?, (row.text()?, row.text()?));
            places.entry(id).or_default().push(place);
        }
        Ok(places)
    }
}

fn add_positions(
    transaction: &mut Transaction<'_>,
    listed: &[[&str; 1]],
    scans: &mut BTreeMap<String, Scan>,
) -> Result<(), StoreError> {
    let ranked = "SELECT ranked.id, ranked.before FROM {rows} JOIN (
                      SELECT id, row_number() OVER (ORDER BY priority, queued_at, id) - 1 AS before
                      FROM scans WHERE state = 'queued'
                  ) ranked ON ranked.id = listed.value->>0";
    for mut row in transaction.query(ranked, &[json(&listed).into()])? {
        let (id, before) = (row.text()?, row.number()?);
        if let Some(scan) = scans.get_mut(&id) {
            scan.position = Some(before);
        }
    }
    Ok(())
}

fn add_children(
    transaction: &mut Transaction<'_>,
    listed: &[[&str; 1]],
    scans: &mut BTreeMap<String, Scan>,
) -> Result<(), StoreError> {
    // What lays out the rows has columns of such names, too.
    let named =
        "SELECT children.parent, children.digest, children.platform, children.media_type, children.size,
                 children.attestation FROM {rows} JOIN children ON children.parent = listed.value->>0
                 ORDER BY children.parent, children.position";
    for mut row in transaction.query(named, &[json(&listed).into()])? {
        let parent = row.text()?;
        let child = Child {
            digest: row.digest()?,
            platform: row.text()?,
            media_type: row.text()?,
            size: row.number()?,
            is_attestation: row.is_so()?,
        };
        if let Some(scan) = scans.get_mut(&parent) {
            scan.children.push(child);
        }
    }
    Ok(())
}
