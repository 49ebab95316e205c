//! The five verbs, in one place: open, catalog, find, judge, and (in [`plimsoll_report`]) write.
//!
//! The command line and every other way in call these.

use std::path::Path;
use std::sync::Arc;

use plimsoll_core::advisory::{Advisories as _, FeedRecord};
use plimsoll_core::assessment::Assessment;
use plimsoll_core::image::{Image, Platform};
use plimsoll_core::inventory::Inventory;
use plimsoll_core::matching;
use plimsoll_core::policy::{Policy, judge};
use plimsoll_feeds::database::Database;
use plimsoll_image::catalog::{Options, catalog, catalog_rootfs};
use plimsoll_image::limits::Limits;
use plimsoll_image::open::{ImageRef, OpenError, Opened, PlatformChoice, docker_archive, layout};
use plimsoll_net::Client;

/// What a place in a registry needs beside the reference.
pub(crate) struct Registries<'a> {
    pub(crate) client: &'a dyn Fn() -> anyhow::Result<Arc<Client>>,
}

/// An image and what is aboard.
pub(crate) type Catalogued = (Image, Inventory);

/// Opens an image and catalogues it; several for several platforms.
pub(crate) fn open_and_catalog(
    reference: &str,
    choice: &PlatformChoice,
    registries: &Registries<'_>,
    options: &Options<'_>,
) -> anyhow::Result<Vec<Catalogued>> {
    let parsed = ImageRef::parse(reference)?;
    if let ImageRef::Rootfs(root) = &parsed {
        let inventory = catalog_rootfs(root, options)
            .map_err(|source| OpenError::Io { path: root.display().to_string(), source })?;
        return Ok(vec![(rootfs_image(reference), inventory)]);
    }
    let opened = open(reference, &parsed, choice, registries, options.limits)?;
    let inventories = catalog(&opened, options);
    Ok(opened.images.into_iter().map(|opened| opened.image).zip(inventories).collect())
}

fn open(
    reference: &str,
    parsed: &ImageRef,
    choice: &PlatformChoice,
    registries: &Registries<'_>,
    limits: &Limits,
) -> anyhow::Result<Opened> {
    Ok(match parsed {
        ImageRef::Layout(path, selection) => {
            layout::open_directory(reference, path, selection, choice, limits)?
        }
        ImageRef::LayoutArchive(path, selection) => {
            layout::open_archive(reference, path, selection, choice, limits)?
        }
        ImageRef::DockerArchive(path, selection) => {
            docker_archive::open(reference, path, selection, limits)?
        }
        ImageRef::Registry(_) | ImageRef::Rootfs(_) => {
            let _ = registries.client;
            anyhow::bail!("registries are not read yet")
        }
    })
}

fn rootfs_image(reference: &str) -> Image {
    Image {
        reference: reference.to_owned(),
        digest: None,
        config_digest: None,
        platform: Platform::default(),
        layers: Vec::new(),
    }
}

/// Matches an inventory and judges what is found. Without a database the detail says why there is none.
pub(crate) fn assess(
    (image, inventory): Catalogued,
    database: Result<&Database, &str>,
    is_stale: &dyn Fn(&FeedRecord) -> bool,
    policy: &Policy,
) -> Assessment {
    let findings = match database {
        Ok(database) => matching::find(&inventory, database, is_stale),
        Err(detail) => matching::without_database(&inventory, detail),
    };
    let verdict = judge(&inventory, &findings, policy);
    let database = database.ok().map(|database| database.identity().clone());
    Assessment { image, inventory, findings, database, verdict }
}

/// The advisory database of a data directory.
pub(crate) fn database_path(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("database.plimsoll")
}
