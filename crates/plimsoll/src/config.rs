//! Where things are, and what the user changed: the configuration file and the data directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use etcetera::BaseStrategy as _;
use plimsoll_image::open::registry::RegistryOptions;
use plimsoll_image::open::registry::credentials::Credentials;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod apis;
mod bundles;
pub(crate) mod clair;
mod clearances;
mod credentials;
mod environment;
mod feeds;
mod harbor;
mod network;
mod notify;
mod psk;
mod schema;
mod server;
pub(crate) mod units;
mod warnings;
mod watch;
mod windows;

pub(crate) use apis::{ClairApiConfig, NotReady, QuayApiConfig};
pub(crate) use bundles::BundlesConfig;
pub(crate) use clearances::{AdmissionConfig, ClearancesConfig, Rules, Unknown};
pub(crate) use credentials::secret;
pub(crate) use feeds::{FeedConfig, select, select_all};
pub(crate) use harbor::{HarborConfig, RegistryAuthorization};
pub(crate) use network::NetworkConfig;
pub(crate) use notify::TargetConfig;
pub(crate) use psk::PskConfig;
pub(crate) use schema::schema;
#[cfg(test)]
pub(crate) use schema::tests::check as check_document;
pub(crate) use server::{
    Anonymous, AuthConfig, GrantConfig, MetricsAccess, Network, OidcConfig, Scope, ServerConfig,
    SignInConfig, TlsConfig, TokenConfig, TracesConfig,
};
pub(crate) use warnings::{EmailConfig, WarningsConfig};
pub(crate) use watch::WatchConfig;
pub(crate) use windows::WindowsConfig;

/// The configuration file. A key that means nothing is an error.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What is changed of feeds, by name.
    #[serde(default)]
    pub(crate) feeds: BTreeMap<String, FeedConfig>,
    /// How registries are reached, by host.
    #[serde(default)]
    pub(crate) registries: BTreeMap<String, RegistryConfig>,
    /// Whether nothing may be asked but the registries that are named here with their mirrors, the URLs that are
    /// configured for feeds, and where warnings go. Also `--offline` and `PLIMSOLL_OFFLINE=1`.
    #[serde(default)]
    pub(crate) offline: bool,
    /// How patient we are with those whom we ask.
    #[serde(default)]
    pub(crate) network: NetworkConfig,
    /// Whose bundles of feeds are imported.
    #[serde(default)]
    pub(crate) bundles: BundlesConfig,
    /// Who is told of feeds that are late.
    #[serde(default)]
    pub(crate) warnings: WarningsConfig,
    /// How `plimsoll serve` listens, remembers and works.
    #[serde(default)]
    pub(crate) server: ServerConfig,
    /// How Harbor is answered.
    #[serde(default)]
    pub(crate) harbor: HarborConfig,
    /// Clearances that the server is asked for.
    #[serde(default)]
    pub(crate) clearances: ClearancesConfig,
    /// What a Kubernetes cluster is told that asks whether pods may start.
    #[serde(default)]
    pub(crate) admission: AdmissionConfig,
    /// Registries that are watched, by names of your choice.
    #[serde(default)]
    pub(crate) watch: BTreeMap<String, WatchConfig>,
    /// How the layers of Windows images are had.
    #[serde(default)]
    pub(crate) windows: WindowsConfig,
    /// Who is told of what happens to images and feeds, by a name of your own.
    #[serde(default)]
    pub(crate) notify: BTreeMap<String, TargetConfig>,
    /// URLs of feeds by the command line.
    #[serde(skip)]
    pub(crate) feed_urls: BTreeMap<String, String>,
}

/// How a registry is reached.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
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
        match Config::place(path) {
            Some(path) => Config::read_from(&path),
            None => Config::default().overridden(environment::variables()),
        }
    }

    /// Where the configuration is: `path`, else in the platform's configuration directory if there is one.
    pub(crate) fn place(path: Option<&Path>) -> Option<PathBuf> {
        if let Some(path) = path {
            return Some(path.to_owned());
        }
        let strategy = etcetera::choose_base_strategy().ok()?;
        Some(strategy.config_dir().join("plimsoll/config.toml")).filter(|path| path.exists())
    }

    fn read_from(path: &Path) -> anyhow::Result<Config> {
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration `{}`", path.display()))?;
        let config = Config::parse(&text);
        config
            .with_context(|| format!("the configuration `{}` is not valid", path.display()))?
            .overridden(environment::variables())
    }

    /// Reads the text of a file.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Config> {
        let config: Config = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    /// Refuses what contradicts itself.
    fn check(&self) -> anyhow::Result<()> {
        self.check_feeds()?;
        self.check_watches()?;
        self.check_windows()?;
        self.network.check()?;
        self.clearances.check()?;
        self.admission.check(&self.clearances)?;
        self.server.check()
    }

    /// How registries are asked.
    pub(crate) fn registry_options(
        &self,
        credentials: Credentials,
        plain_http: &[String],
    ) -> RegistryOptions {
        let registries = self.registries.iter();
        let mirrors = registries.map(|(host, registry)| (host.clone(), registry.mirrors.clone())).collect();
        let plain_http_hosts = self.plain_http_hosts(plain_http);
        RegistryOptions { plain_http_hosts, mirrors, credentials, ..RegistryOptions::default() }
    }

    /// How the network is used; registries that speak plain HTTP are those named here and configured so.
    pub(crate) fn net_settings(&self, ca_files: &[PathBuf], plain_http: &[String]) -> plimsoll_net::Settings {
        self.network.apply(plimsoll_net::Settings {
            ca_files: ca_files.to_vec(),
            plain_http_hosts: self.plain_http_hosts(plain_http),
            only_hosts: self.offline.then(|| self.offline_hosts()),
            ..plimsoll_net::Settings::default()
        })
    }

    fn plain_http_hosts(&self, also: &[String]) -> Vec<String> {
        let configured = self.registries.iter().filter(|(_, registry)| registry.plain_http);
        configured.map(|(host, _)| host).chain(also).cloned().collect()
    }

    /// The hosts that may be asked offline: `HOST` or `HOST:PORT`.
    pub(crate) fn offline_hosts(&self) -> Vec<String> {
        let mut hosts = self.feed_hosts();
        for (host, registry) in &self.registries {
            // Docker's registry has a name of its own.
            hosts.extend((host == "docker.io").then(|| "registry-1.docker.io".to_owned()));
            hosts.push(host.clone());
            hosts.extend(registry.mirrors.iter().map(|mirror| authority(mirror).to_owned()));
        }
        hosts.extend(self.watch.values().map(|watch| watch.registry.clone()));
        hosts.extend(self.warnings.email.iter().map(|email| authority(&email.server).to_owned()));
        hosts.extend(self.warnings.webhook.iter().map(|webhook| authority(&webhook.url).to_owned()));
        let targets = self.notify.values().flat_map(|target| [&target.url, &target.server]);
        hosts.extend(targets.flatten().map(|url| authority(url).to_owned()));
        // It would mean every host.
        hosts.retain(|host| host != "*");
        hosts
    }
}

/// The host of a URL of any scheme, or of `HOST[:PORT][/PATH]`.
fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    rest.rsplit('@').next().unwrap_or_default()
}

/// Where state lives when the user does not say.
pub(crate) fn default_data_dir() -> anyhow::Result<PathBuf> {
    let strategy = etcetera::choose_base_strategy()
        .context("cannot find the home directory; say where state lives with `--data-dir`")?;
    Ok(strategy.data_dir().join("plimsoll"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_may_be_asked_offline() {
        let config = Config::parse(
            r#"
            [registries."registry.example:5000"]
            mirrors = ["mirror.example/prefix", "[::1]:5001"]
            [registries."docker.io"]
            [registries."*"]
            plain_http = true
            [feeds.kev]
            url = "https://user:word@feeds.example/kev"
            mirrors = ["http://other.example:8080", "file:///srv/kev"]
            [warnings.email]
            server = "smtp://mail.example:587"
            from = "a@example.org"
            to = ["b@example.org"]
            [warnings.webhook]
            url = "https://hooks.example/x?y"
            "#,
        )
        .unwrap();
        let mut hosts = config.offline_hosts();
        hosts.sort();
        let wanted = [
            "[::1]:5001",
            "docker.io",
            "feeds.example:443",
            "hooks.example",
            "mail.example:587",
            "mirror.example",
            "other.example:8080",
            "registry-1.docker.io",
            "registry.example:5000",
        ];
        assert_eq!(hosts, wanted);
        assert!(Config::default().offline_hosts().is_empty());
    }
}
