//! Where things are, and what the user changed: the configuration file and the data directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use etcetera::BaseStrategy as _;
use serde::Deserialize;

mod bundles;
mod feeds;
mod units;
mod warnings;

pub(crate) use bundles::BundlesConfig;
pub(crate) use feeds::{FeedConfig, select};
pub(crate) use warnings::WarningsConfig;

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
        config
            .check_feeds()
            .with_context(|| format!("the configuration `{}` is not valid", path.display()))?;
        Ok(config)
    }
}

/// Where state lives when the user does not say.
pub(crate) fn default_data_dir() -> anyhow::Result<PathBuf> {
    let strategy = etcetera::choose_base_strategy()
        .context("cannot find the home directory; say where state lives with `--data-dir`")?;
    Ok(strategy.data_dir().join("plimsoll"))
}
