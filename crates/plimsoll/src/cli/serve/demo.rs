//! `plimsoll serve --demo`: a server that has something to show, without the internet and without a configuration.
//!
//! Only images, feeds and registries are the demo's; they are what the [archive](registry::Harbour) has. All else is real: feeds are
//! loaded, the registries are watched, images are scanned, clearances are decided. Where something waits or fails, its
//! registry makes it do so.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use plimsoll_feeds::feeds::FEEDS;

use super::super::{Session, feeds};
use crate::access::Principal;
use crate::config::{Config, Scope};
use crate::jobs::hearings;
use crate::jobs::hearings::request::ClearanceRequest;
use crate::server::Server;
use registry::{Harbour, ROWS, Registry};

mod registry;

/// What is asked to be cleared.
static CANDIDATES: &[(&str, &str)] = &[
    ("harbour", "shop/web:1.0"),
    ("harbour", "shop/web:1.1"),
    ("harbour", "shop/worker:2.3"),
    ("damaged", "wreck/mast:1"),
];

/// A demo that is about to be shown. Its folder goes with it.
pub(super) struct Demo {
    folder: tempfile::TempDir,
    harbour: Arc<Harbour>,
    /// With the host that each has.
    registries: Vec<(Registry, String)>,
}

impl Demo {
    /// Unpacks the archive into a folder of its own, and takes ports for the registries.
    ///
    /// # Errors
    ///
    /// If there is no room for a temporary folder, or no port.
    pub(super) fn prepare() -> anyhow::Result<Demo> {
        let folder = tempfile::Builder::new().prefix("plimsoll-demo-").tempdir();
        let folder = folder.context("the demo needs a temporary folder, and none can be made")?;
        let harbour = Harbour::read()?;
        let wanted = harbour.files.iter().filter(|(name, _)| !name.starts_with("blobs/"));
        for (name, bytes) in wanted {
            let path = folder.path().join(name);
            let parent = path.parent().unwrap_or(folder.path());
            fs::create_dir_all(parent).with_context(|| format!("cannot make `{}`", parent.display()))?;
            fs::write(&path, bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
        }
        let bind = |row| {
            let registry = Registry::bind(row)?;
            let host = registry.host()?;
            Ok((registry, host))
        };
        let registries = ROWS.iter().map(bind).collect::<anyhow::Result<_>>()?;
        Ok(Demo { folder, harbour: Arc::new(harbour), registries })
    }

    /// The session of its own that it runs in, with its feeds loaded.
    ///
    /// # Errors
    ///
    /// If a feed cannot be loaded.
    pub(super) fn session(&self) -> anyhow::Result<Session> {
        let session = Session {
            data_dir: self.data_dir(),
            config: self.config()?,
            ca_files: Vec::new(),
            is_quiet: true,
        };
        // What is fetched by HTTP is on its way for as long as its registry takes.
        let is_here = |name| {
            let of = session.config.feeds.get(name);
            of.and_then(|feed| feed.url.as_ref()).is_some_and(|url| url.starts_with("file:"))
        };
        let loaded: Vec<_> = FEEDS.iter().copied().filter(|feed| is_here(feed.name)).collect();
        feeds::load(&session, &loaded)?;
        Ok(session)
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn host(&self, name: &str) -> &str {
        let found = self.registries.iter().find(|(registry, _)| registry.row.name == name);
        found.map_or("", |(_, host)| host)
    }

    fn config(&self) -> anyhow::Result<Config> {
        let template =
            self.harbour.files.get("config.toml").context("the demo's archive has no configuration")?;
        let folder = self.folder.path().display().to_string();
        let mut text = String::from_utf8(template.to_vec())?
            .replace("@FOLDER@", &folder)
            .replace("@SLOW@", self.host("slow"));
        for (registry, host) in &self.registries {
            let name = registry.row.name;
            text += &format!(
                "[registries.'{host}']\nplain_http = true\n[watch.{name}]\nregistry = '{host}'\nrepositories = ['**']\nevery = '1m'\n"
            );
        }
        Config::parse(&text).context("the demo's configuration is not valid")
    }

    /// Starts its registries.
    ///
    /// # Errors
    ///
    /// If their sockets cannot be used.
    pub(super) fn open(self, address: SocketAddr) -> anyhow::Result<Opened> {
        let references = CANDIDATES.iter().map(|(registry, name)| format!("{}/{name}", self.host(registry)));
        let references = references.collect();
        for (registry, _) in self.registries {
            registry.serve(Arc::clone(&self.harbour))?;
        }
        Ok(Opened { _folder: self.folder, address, references })
    }
}

/// A demo that is shown. Its folder goes with it.
pub(super) struct Opened {
    _folder: tempfile::TempDir,
    address: SocketAddr,
    /// What is asked to be cleared.
    references: Vec<String>,
}

impl Opened {
    /// Asks for clearances, once there is a store, and says what there is to see.
    pub(super) fn ask(&self, server: &Server) {
        let principal = Principal::everywhere("demo", Scope::Submit);
        for reference in &self.references {
            let request =
                ClearanceRequest { references: vec![reference.clone()], ..ClearanceRequest::default() };
            if let Err(refusal) = hearings::ask(server, &principal, &request) {
                tracing::error!(reference, why = refusal.message, "the demo's clearance was refused");
            }
        }
        tell(self.address);
    }
}

/// What there is to see. It is talk, not data.
fn tell(address: SocketAddr) {
    anstream::eprintln!(
        "Plimsoll's demo: http://{address}/

  Images, feeds and registries are the demo's, part of this program; what is said of them is found out now.
  Nothing outside this machine is asked.

  /ui/repositories   shop/web has a flawed image, a mended one, and an index for Linux and Windows;
                     shop/billing waits for a feed that takes four minutes to come; of yard/hull and
                     yard/keel one is slow and the other queued behind it; quay/crowded is tried again;
                     wreck/mast is damaged; charts/web and tools/static are nothing that can be judged
  /ui/clearances     what may ship, and what may not
  /ui/feeds          one feed is old, one is on its way, most are off
  /docs              the API

  Ctrl-C ends it and removes what it has written."
    );
}
