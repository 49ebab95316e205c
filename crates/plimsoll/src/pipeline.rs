//! The five verbs, in one place: open, catalog, find, judge, and (in [`plimsoll_report`]) write.
//!
//! The command line and every other way in call these.

use std::sync::Arc;

use plimsoll_core::advisory::Advisories as _;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::image::{Image, Platform};
use plimsoll_core::inventory::Inventory;
use plimsoll_core::matching;
use plimsoll_core::policy::{Policy, judge};
use plimsoll_core::standings::Standings;
use plimsoll_feeds::database::Database;
use plimsoll_image::catalog::{Options, catalog, catalog_rootfs};
use plimsoll_image::open::registry::RegistryOptions;
use plimsoll_image::open::{ImageRef, OpenError, PlatformChoice, docker_archive, layout, remote};
use plimsoll_net::Client;

/// How registries are asked. The client is made only when one is: trust anchors take time to load.
pub(crate) struct Registries<'a> {
    pub(crate) client: &'a dyn Fn() -> anyhow::Result<Arc<Client>>,
    pub(crate) options: RegistryOptions,
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
    let limits = options.limits;
    let opened = match ImageRef::parse(reference)? {
        ImageRef::Rootfs(root) => {
            let inventory = catalog_rootfs(&root, options)
                .map_err(|source| OpenError::Io { path: root.display().to_string(), source })?;
            return Ok(vec![(rootfs_image(reference), inventory)]);
        }
        ImageRef::Layout(path, selection) => {
            layout::open_directory(reference, &path, &selection, choice, limits)?
        }
        ImageRef::LayoutArchive(path, selection) => {
            layout::open_archive(reference, &path, &selection, choice, limits)?
        }
        ImageRef::DockerArchive(path, selection) => {
            docker_archive::open(reference, &path, &selection, limits)?
        }
        ImageRef::Registry(location) => {
            let client = (registries.client)()?;
            remote::open(reference, &location, client, &registries.options, choice, limits)?
        }
    };
    let inventories = catalog(&opened, options)?.into_iter().map(|catalogued| catalogued.inventory);
    Ok(opened.images.into_iter().map(|opened| opened.image).zip(inventories).collect())
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
    standings: &Standings,
    policy: &Policy,
) -> Assessment {
    let findings = match database {
        Ok(database) => matching::find(&inventory, database, standings),
        Err(detail) => matching::without_database(&inventory, detail, standings),
    };
    let verdict = judge(&inventory, &findings, policy);
    let database = database.ok().map(|database| database.identity().clone());
    Assessment { image, inventory, findings, database, verdict }
}
