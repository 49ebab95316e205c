//! What is aboard each image, and the packages of all images, each once.
//!
//! An inventory is kept whole, for reports, and as the numbers of its packages. Packages that are judged alike have one
//! number over the whole fleet: a change of advisories is held against each distinct package once, and then against
//! lists of numbers, never by matching the fleet again.

use jiff::Timestamp;
use plimsoll_core::advisory::Severity;
use plimsoll_core::digest::{Digest, hex};
use plimsoll_core::image::Image;
use plimsoll_core::inventory::{Inventory, Package, Release};
use plimsoll_core::matching::looked_up_by;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::engine::{Alone, Engine, Transaction, clean, json};
use crate::wire::{
    INVENTORY_FORMAT, inventory_of_bytes, inventory_to_bytes, judged_to_json, package_of_bytes,
    package_to_bytes,
};
use crate::{Store, StoreError};

mod numbers;

use numbers::{Marks, decode, encode};

/// Images whose numbers are read at once.
const IMAGES_AT_ONCE_MAX: u32 = 4096;

/// Names that are looked up at once.
const NAMES_AT_ONCE_MAX: usize = 500;

/// Longest name that is kept as it is, for looking up.
const NAME_BYTES_MAX: usize = 1024;

/// Packages that are read or forgotten at once.
const PACKAGES_AT_ONCE_MAX: u32 = 10_000;

/// An image and what is aboard.
#[derive(Clone, Debug)]
pub struct InventoryRow {
    /// The image; its `digest` is there.
    pub image: Image,
    /// What is aboard.
    pub inventory: Inventory,
    /// What it was indexed by.
    pub index_state: String,
    /// When.
    pub indexed_at: Timestamp,
}

/// How many findings there are of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Severities {
    /// Critical.
    pub critical: u32,
    /// High.
    pub high: u32,
    /// Medium.
    pub medium: u32,
    /// Low.
    pub low: u32,
    /// Negligible.
    pub negligible: u32,
    /// Nobody says.
    pub unknown: u32,
}

impl Severities {
    /// The numbers, the worst severity first; `None` is that nobody says.
    pub fn rows(&self) -> [(Option<Severity>, u32); 6] {
        [
            (Some(Severity::Critical), self.critical),
            (Some(Severity::High), self.high),
            (Some(Severity::Medium), self.medium),
            (Some(Severity::Low), self.low),
            (Some(Severity::Negligible), self.negligible),
            (None, self.unknown),
        ]
    }

    /// The number of one severity.
    pub fn of_mut(&mut self, severity: Option<Severity>) -> &mut u32 {
        match severity {
            Some(Severity::Critical) => &mut self.critical,
            Some(Severity::High) => &mut self.high,
            Some(Severity::Medium) => &mut self.medium,
            Some(Severity::Low) => &mut self.low,
            Some(Severity::Negligible) => &mut self.negligible,
            None => &mut self.unknown,
        }
    }

    /// The worst severity of which there is any; `None` where there is nothing.
    pub fn worst(&self) -> Option<Option<Severity>> {
        self.rows().into_iter().find(|(_, count)| *count > 0).map(|(severity, _)| severity)
    }
}

/// What was found, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// `sha256:..` of the advisory database.
    pub database: String,
    /// When that was built, RFC 3339.
    pub database_built_at: String,
    /// When it was judged.
    pub at: Timestamp,
    /// Packages.
    pub packages: u32,
    /// Findings by severity.
    pub findings: Severities,
    /// Findings that have a fix.
    pub fixable: u32,
    /// Findings that CISA lists as exploited.
    pub exploited: u32,
    /// Gaps.
    pub gaps: u32,
    /// Feeds that the image needs and that are old, missing, off or failing: name and state.
    pub late_feeds: Vec<(String, String)>,
    /// Bytes of its layers as they are stored; `None` where it was judged before that was noted.
    pub layer_bytes: Option<u64>,
}

/// A package as all images share it: everything that decides how it is judged, nothing of where it lies.
#[derive(Clone, Debug)]
pub struct PackageRow {
    /// Its number.
    pub number: u32,
    /// The distribution release that it is judged by; `None` where the image has none.
    pub release: Option<Release>,
    /// The package, without evidence path and layer. `owned_by` is there where an operating-system package owns it.
    pub package: Package,
}

impl Store {
    /// What is aboard an image.
    pub fn inventory(&self, digest: &Digest) -> Result<Option<InventoryRow>, StoreError> {
        let rows = self.engine.query(
            "SELECT index_state, indexed_at, format, body FROM inventories WHERE image = $1",
            &[digest.into()],
        )?;
        let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
        let (index_state, indexed_at) = (row.text()?, row.time()?);
        let (image, inventory) = inventory_of_bytes(row.number()?, &row.blob()?)?;
        Ok(Some(InventoryRow { image, inventory, index_state, indexed_at }))
    }

    /// When an image was indexed: another time where another inventory is there. Reads no inventory.
    pub fn indexed_at(&self, digest: &Digest) -> Result<Option<Timestamp>, StoreError> {
        let rows =
            self.engine.query("SELECT indexed_at FROM inventories WHERE image = $1", &[digest.into()])?;
        rows.into_iter().next().map(|mut row| row.time()).transpose()
    }

    /// Notes what was found with another database, where the image is still known; the scan's state stays.
    pub fn note_judged(&self, digest: &Digest, judged: &Judged) -> Result<(), StoreError> {
        let values = [digest.into(), judged_to_json(judged).into()];
        self.engine.transaction(|transaction| {
            transaction.execute("UPDATE scans SET judged = $2 WHERE id = $1", &values)?;
            Ok(())
        })
    }

    /// All distinct packages with a name that one of these may be looked up by: pairs of namespace and name as a
    /// database's diff has them. Handed out one by one.
    pub fn packages_named(
        &self,
        names: &[(String, String)],
        each: &mut dyn FnMut(PackageRow),
    ) -> Result<(), StoreError> {
        let mut names: Vec<(String, String)> =
            names.iter().map(|(namespace, name)| (clean(namespace), indexed(name))).collect();
        // Nobody judges what is looked up by nothing.
        names.retain(|(namespace, name)| !namespace.is_empty() && !name.is_empty());
        names.sort_unstable();
        names.dedup();
        for some in names.chunks(NAMES_AT_ONCE_MAX) {
            let rows = self.engine.query(
                "SELECT packages.number, packages.body FROM {rows}
                 JOIN packages ON packages.namespace = listed.value->>0 AND packages.name = listed.value->>1
                 ORDER BY packages.number",
                &[json(&some).into()],
            )?;
            for mut row in rows {
                let number = row.number()?;
                let (release, package) = package_of_bytes(&row.blob()?)?;
                each(PackageRow { number, release, package });
            }
        }
        Ok(())
    }

    /// Every distinct package, in the order of numbers. Handed out one by one.
    pub fn each_package(&self, each: &mut dyn FnMut(PackageRow)) -> Result<(), StoreError> {
        let mut after = 0_u32;
        loop {
            let rows = self.engine.query(
                "SELECT number, body FROM packages WHERE number > $1 ORDER BY number LIMIT $2",
                &[after.into(), PACKAGES_AT_ONCE_MAX.into()],
            )?;
            if rows.is_empty() {
                return Ok(());
            }
            for mut row in rows {
                after = row.number()?;
                let (release, package) = package_of_bytes(&row.blob()?)?;
                each(PackageRow { number: after, release, package });
            }
        }
    }

    /// Each image that has one of these packages, with those that it has, in the order of digests. `numbers` is
    /// sorted.
    pub fn images_with(
        &self,
        numbers: &[u32],
        each: &mut dyn FnMut(Digest, Vec<u32>),
    ) -> Result<(), StoreError> {
        let mut last = self.engine.query("SELECT COALESCE(max(number), 0) FROM packages", &[])?;
        let last: u32 = last.pop().map_or(Ok(0), |mut row| row.number())?;
        let mut wanted = Marks::new();
        numbers.iter().filter(|number| **number <= last).for_each(|number| wanted.set(*number));
        let mut after = String::new();
        loop {
            let some = self.engine.read(|transaction| numbers_after(transaction, &after))?;
            let Some((last, _)) = some.last() else { return Ok(()) };
            after.clone_from(last);
            for (image, bytes) in some {
                let mut found = Vec::new();
                let is_whole = decode(&bytes, |number| {
                    if wanted.has(number) {
                        found.push(number);
                    }
                });
                check_numbers(is_whole, &image)?;
                if !found.is_empty() {
                    let digest =
                        image.parse().map_err(|_| StoreError::Damaged(format!("`{image}` is no digest")))?;
                    each(digest, found);
                }
            }
        }
    }
}

/// The numbers of the packages of the images that follow, as bytes.
fn numbers_after(
    transaction: &mut Transaction<'_>,
    after: &str,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let rows = transaction.query(
        "SELECT image, numbers FROM image_packages WHERE image > $1 ORDER BY image LIMIT $2",
        &[after.into(), IMAGES_AT_ONCE_MAX.into()],
    )?;
    rows.into_iter().map(|mut row| Ok((row.text()?, row.blob()?))).collect()
}

fn check_numbers(is_whole: bool, image: &str) -> Result<(), StoreError> {
    match is_whole {
        true => Ok(()),
        false => Err(StoreError::Damaged(format!("the packages of `{image}` cannot be read"))),
    }
}

/// An inventory in the form in which it is stored.
pub(crate) struct Encoded {
    image: String,
    index_state: String,
    indexed_at: Timestamp,
    body: Vec<u8>,
    layers: Vec<[String; 1]>,
    /// Sorted by their hashes, each once, so that all who number packages lock them in one order.
    packages: Vec<EncodedPackage>,
}

struct EncodedPackage {
    hash: String,
    namespace: String,
    name: String,
    body: Vec<u8>,
}

impl Encoded {
    pub(crate) fn of(digest: &Digest, row: &InventoryRow) -> Result<Encoded, StoreError> {
        let names = looked_up_by(&row.inventory);
        let packages = row.inventory.packages.iter().zip(names);
        let mut packages: Vec<EncodedPackage> =
            packages.map(|(package, name)| shared(row.inventory.distro.as_ref(), package, name)).collect();
        packages.sort_unstable_by(|a, b| a.hash.cmp(&b.hash));
        packages.dedup_by(|a, b| a.hash == b.hash);
        let mut layers: Vec<[String; 1]> =
            row.image.layers.iter().map(|layer| [layer.digest.as_str().to_owned()]).collect();
        layers.sort_unstable();
        layers.dedup();
        Ok(Encoded {
            image: digest.as_str().to_owned(),
            index_state: row.index_state.clone(),
            indexed_at: row.indexed_at,
            body: inventory_to_bytes(&row.image, &row.inventory)?,
            layers,
            packages,
        })
    }
}

/// A package as all images share it: its purl and what matching looks at, and nothing of where it lies.
///
/// The release matters to what a distribution judges. The owner of a language package matters where it is judged
/// instead, and such a package is looked up by nothing. The hash is of the whole, so that nobody can make a package of
/// theirs pass for another one.
fn shared(distro: Option<&Release>, package: &Package, name: Option<(String, String)>) -> EncodedPackage {
    let is_judged = name.is_some();
    let package = Package {
        licenses: Vec::new(),
        evidence_path: String::new(),
        layer: None,
        owned_by: package.owned_by.clone().filter(|_| !is_judged),
        ..package.clone()
    };
    let release = distro.filter(|_| package.ecosystem.is_os);
    let (namespace, name) = name.unwrap_or_default();
    let body = package_to_bytes(release, &package);
    let mut hash = Sha256::new();
    // The name alone does not say whether it is judged.
    hash.update([u8::from(is_judged)]);
    hash.update(&body);
    let hash = hex(&hash.finalize()[..16]);
    EncodedPackage { hash, namespace: clean(&namespace), name: indexed(&name), body }
}

/// A name as it is found by. An index takes no text of any length, and an image may name its packages as it likes.
fn indexed(name: &str) -> String {
    match name.len() {
        0..=NAME_BYTES_MAX => clean(name),
        _ => format!("sha256:{}", hex(&Sha256::digest(name.as_bytes()))),
    }
}

/// Keeps an inventory in place of an older one. [`Alone::Numbering`] is held.
pub(crate) fn put(transaction: &mut Transaction<'_>, inventory: &Encoded) -> Result<(), StoreError> {
    let numbers = numbers(transaction, &inventory.packages)?;
    let image = inventory.image.as_str();
    transaction.execute(
        "INSERT INTO inventories (image, index_state, indexed_at, format, body) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (image) DO UPDATE SET index_state = excluded.index_state, indexed_at = excluded.indexed_at,
         format = excluded.format, body = excluded.body",
        &[
            image.into(),
            inventory.index_state.as_str().into(),
            inventory.indexed_at.into(),
            INVENTORY_FORMAT.into(),
            inventory.body.as_slice().into(),
        ],
    )?;
    transaction.execute(
        "INSERT INTO image_packages (image, numbers) VALUES ($1, $2)
         ON CONFLICT (image) DO UPDATE SET numbers = excluded.numbers",
        &[image.into(), encode(&numbers).into()],
    )?;
    transaction.execute("DELETE FROM image_layers WHERE image = $1", &[image.into()])?;
    transaction.execute(
        "INSERT INTO image_layers (image, layer) SELECT $2, listed.value->>0 FROM {rows}",
        &[json(&inventory.layers).into(), image.into()],
    )?;
    Ok(())
}

/// The numbers of packages, sorted; those that have none get one.
fn numbers(transaction: &mut Transaction<'_>, packages: &[EncodedPackage]) -> Result<Vec<u32>, StoreError> {
    let mut numbers = Vec::with_capacity(packages.len());
    let mut new = known(transaction, packages.iter().collect(), &mut numbers)?;
    if !new.is_empty() {
        insert(transaction, &new)?;
        // Others may have been faster with some, so all are asked for.
        new = known(transaction, new, &mut numbers)?;
    }
    if let Some(package) = new.first() {
        return Err(StoreError::Conflict(format!("the package `{}` comes and goes", package.name)));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Adds the numbers of packages that have one; returns the others.
fn known<'p>(
    transaction: &mut Transaction<'_>,
    mut packages: Vec<&'p EncodedPackage>,
    numbers: &mut Vec<u32>,
) -> Result<Vec<&'p EncodedPackage>, StoreError> {
    let hashes: Vec<[&str; 1]> = packages.iter().map(|package| [package.hash.as_str()]).collect();
    let rows = transaction.query(
        "SELECT packages.hash, packages.number FROM {rows} JOIN packages ON packages.hash = listed.value->>0",
        &[json(&hashes).into()],
    )?;
    let mut found = std::collections::HashSet::with_capacity(rows.len());
    for mut row in rows {
        found.insert(row.text()?);
        numbers.push(row.number()?);
    }
    packages.retain(|package| !found.contains(&package.hash));
    Ok(packages)
}

fn insert(transaction: &mut Transaction<'_>, packages: &[&EncodedPackage]) -> Result<(), StoreError> {
    let mut bodies = Vec::new();
    let mut rows = Vec::with_capacity(packages.len());
    for package in packages {
        // `substr` counts from one.
        rows.push((&package.hash, &package.namespace, &package.name, bodies.len() + 1, package.body.len()));
        bodies.extend_from_slice(&package.body);
    }
    transaction.execute(
        "INSERT INTO packages (hash, namespace, name, body)
         SELECT listed.value->>0, listed.value->>1, listed.value->>2,
                substr(CAST($2 AS {blob}), CAST(listed.value->>3 AS INTEGER), CAST(listed.value->>4 AS INTEGER))
         FROM {rows} WHERE true ON CONFLICT (hash) DO NOTHING",
        &[json(&rows).into(), bodies.into()],
    )?;
    Ok(())
}

/// Forgets packages that no inventory has, while nobody gives packages numbers.
pub(crate) fn forget_packages(engine: &Engine) -> Result<(), StoreError> {
    engine.transaction(|transaction| {
        transaction.alone(Alone::Forgetting)?;
        let used = used(transaction)?;
        let mut after = 0_u32;
        loop {
            let rows = transaction.query(
                "SELECT number FROM packages WHERE number > $1 ORDER BY number LIMIT $2",
                &[after.into(), PACKAGES_AT_ONCE_MAX.into()],
            )?;
            let mut unused = Vec::new();
            let is_last = rows.is_empty();
            for mut row in rows {
                after = row.number()?;
                if !used.has(after) {
                    unused.push([after]);
                }
            }
            if is_last {
                return Ok(());
            }
            transaction.execute(
                "DELETE FROM packages WHERE number IN (SELECT CAST(listed.value->>0 AS BIGINT) FROM {rows})",
                &[json(&unused).into()],
            )?;
        }
    })
}

fn used(transaction: &mut Transaction<'_>) -> Result<Marks, StoreError> {
    let (mut used, mut after) = (Marks::new(), String::new());
    loop {
        let some = numbers_after(transaction, &after)?;
        let Some((last, _)) = some.last() else { return Ok(used) };
        after.clone_from(last);
        for (image, bytes) in &some {
            let is_whole = decode(bytes, |number| used.set(number));
            check_numbers(is_whole, image)?;
        }
    }
}
