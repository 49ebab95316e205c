//! Where things are, and what the user changed: the configuration file and the data directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use etcetera::BaseStrategy as _;
use plimsoll_feeds::feeds::FEEDS;
use serde::Deserialize;

mod bundles;
mod feeds;
mod warnings;

pub(crate) use bundles::BundlesConfig;
pub(crate) use feeds::FeedConfig;
pub(crate) use warnings::{EmailConfig, WarningsConfig};

/// The configuration file. A key that means nothing is an error.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What is changed of feeds, by name.
    #[serde(default)]
    pub(crate) feeds: BTreeMap<String, FeedConfig>,
    /// How registries are reached, by host.
    #[serde(default)]
    pub(crate) registries: BTreeMap<String, RegistryConfig>,
    /// Whether nothing may be asked but the registries that are named and the URLs that are configured.
    #[serde(default)]
    pub(crate) offline: bool,
    /// Whose bundles of feeds are imported.
    #[serde(default)]
    pub(crate) bundles: BundlesConfig,
    /// Who is told of feeds that are late.
    #[serde(default)]
    pub(crate) warnings: WarningsConfig,
}

/// How a registry is reached.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistryConfig {
    /// Hosts to ask first, in order.
    #[serde(default)]
    pub(crate) mirrors: Vec<String>,
    /// Whether it speaks plain HTTP.
    #[serde(default)]
    pub(crate) plain_http: bool,
}

impl Config {
    /// Reads a file; without one, the file in the platform's configuration directory if there is any.
    pub(crate) fn read(path: Option<&Path>) -> anyhow::Result<Config> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => match etcetera::choose_base_strategy() {
                Ok(strategy) => {
                    let path = strategy.config_dir().join("plimsoll/config.toml");
                    if !path.exists() {
                        return Ok(Config::default());
                    }
                    path
                }
                Err(_) => return Ok(Config::default()),
            },
        };
        let text = fs::read_to_string(&path)
            .with_context(|| format!("cannot read the configuration `{}`", path.display()))?;
        let config: Config = toml::from_str(&text)
            .with_context(|| format!("the configuration `{}` is not valid", path.display()))?;
        for name in config.feeds.keys() {
            check_feed_name(name).with_context(|| format!("in the configuration `{}`", path.display()))?;
        }
        Ok(config)
    }

    /// Puts a `NAME=URL` of the command line in.
    pub(crate) fn override_feed_url(&mut self, text: &str) -> anyhow::Result<()> {
        let Some((name, url)) = text.split_once('=') else {
            bail!("`{text}` is not NAME=URL; write, for example, `--feed-url osv=file:///srv/osv`");
        };
        check_feed_name(name)?;
        self.feeds.entry(name.to_owned()).or_default().url = Some(url.to_owned());
        Ok(())
    }

    /// The warning period of a feed in days.
    pub(crate) fn max_age_days(&self, name: &str) -> Option<u32> {
        let row = FEEDS.iter().find(|feed| feed.name == name)?;
        Some(self.feeds.get(name).and_then(|feed| feed.max_age).unwrap_or(row.max_age_days))
    }
}

/// Refuses a name that no feed has.
pub(crate) fn check_feed_name(name: &str) -> anyhow::Result<()> {
    if FEEDS.iter().any(|feed| feed.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = FEEDS.iter().map(|feed| feed.name).collect();
    bail!("there is no feed `{name}`; the feeds are `{}`", names.join("`, `"))
}

/// Where state lives when the user does not say.
pub(crate) fn default_data_dir() -> anyhow::Result<PathBuf> {
    let strategy = etcetera::choose_base_strategy()
        .context("cannot find the home directory; say where state lives with `--data-dir`")?;
    Ok(strategy.data_dir().join("plimsoll"))
}
