//! `[windows]`: layers of Windows that registries need not have.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use plimsoll_image::open::foreign::{ForeignOptions, HOSTS};
use plimsoll_net::{Settings, host_and_port_of, is_allowed};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Config;

/// How the layers of Windows images are had. The publisher of *foreign* layers does not let registries have them; their
/// manifests name URLs. An image's own registry is always asked first.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WindowsConfig {
    /// Whether base layers of Windows are fetched: foreign ones, and those of which the image's build history says that they
    /// are Windows itself or an update of it. Without them the version of Windows is what the image claims, and the result
    /// has a gap for each. Images in local files are read whole.
    pub(crate) fetch_base_layers: bool,
    /// The only hosts from which foreign layers are fetched, also after redirects: `HOST`, `HOST:PORT`, or `*.example.org`.
    /// They are told no login. Those that are named here in full and are not Microsoft's may have private addresses. Layers
    /// that Clair's clients hand in by URLs of these hosts count as foreign, whatever `registries_allowed` says.
    pub(crate) foreign_hosts: Vec<String>,
    /// What is asked in place of a host of foreign layers: `"mcr.microsoft.com" = "https://mirror.example.org/mcr"` has
    /// `https://mcr.microsoft.com/v2/x` fetched from `https://mirror.example.org/mcr/v2/x`. Such a host is allowed, and may
    /// have a private address; one that it redirects to has to be in `foreign_hosts`.
    pub(crate) foreign_mirrors: BTreeMap<String, String>,
}

impl Default for WindowsConfig {
    fn default() -> WindowsConfig {
        WindowsConfig {
            fetch_base_layers: true,
            foreign_hosts: HOSTS.map(str::to_owned).to_vec(),
            foreign_mirrors: BTreeMap::new(),
        }
    }
}

impl WindowsConfig {
    /// Refuses what is no host and no URL.
    fn check(&self) -> anyhow::Result<()> {
        for host in &self.foreign_hosts {
            if host_and_port_of(&format!("https://{}/", host.trim_start_matches("*."))).is_none()
                || host.contains(['/', '@', '?', '#'])
                || host.trim_start_matches("*.").contains('*')
            {
                bail!("`foreign_hosts`: `{host}` is no host; write `HOST`, `HOST:PORT` or `*.example.org`");
            }
        }
        for (host, mirror) in &self.foreign_mirrors {
            if host_and_port_of(mirror).is_none() || mirror.contains(['@', '?', '#']) {
                bail!(
                    "`foreign_mirrors`: what is asked in place of `{host}` is no URL; write `https://HOST` or `https://HOST/PATH`"
                );
            }
        }
        Ok(())
    }

    /// `HOST:PORT` of each mirror.
    fn mirror_hosts(&self) -> impl Iterator<Item = String> {
        self.foreign_mirrors.values().filter_map(|mirror| host_and_port_of(mirror))
    }
}

impl Config {
    /// Refuses hosts and mirrors that are none.
    pub(super) fn check_windows(&self) -> anyhow::Result<()> {
        self.windows.check().context("`[windows]` is not valid")
    }

    /// How foreign layers are fetched: with the proxy, the authorities and the patience of `network`, and by none of its logins
    /// and exemptions.
    pub(crate) fn foreign_options(&self, network: Settings) -> ForeignOptions {
        let WindowsConfig { fetch_base_layers, foreign_hosts, foreign_mirrors } = &self.windows;
        let is_named = |host: &&String| !host.starts_with("*.") && !HOSTS.contains(&host.as_str());
        let mirror_hosts = || self.windows.mirror_hosts();
        let client = Settings {
            plain_http_hosts: Vec::new(),
            denies_private_addresses: true,
            private_hosts_allowed: foreign_hosts
                .iter()
                .filter(is_named)
                .cloned()
                .chain(mirror_hosts())
                .collect(),
            allowed_hosts: Some(foreign_hosts.iter().cloned().chain(mirror_hosts()).collect()),
            only_hosts: self
                .offline
                .then(|| self.offline_hosts().into_iter().chain(mirror_hosts()).collect()),
            ..network
        };
        ForeignOptions {
            skips_base_layers: !fetch_base_layers,
            client: Some(client),
            mirrors: foreign_mirrors.clone(),
        }
    }

    /// Whether a URL is of a host from which foreign layers are fetched, and of no registry that is configured.
    pub(crate) fn is_foreign(&self, url: &str) -> bool {
        let Some(place) = host_and_port_of(url) else { return false };
        let registries: Vec<String> = self.registries.keys().cloned().collect();
        let mirrored: Vec<String> = self.windows.foreign_mirrors.keys().cloned().collect();
        !is_allowed(&registries, &place)
            && (is_allowed(&self.windows.foreign_hosts, &place) || is_allowed(&mirrored, &place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_mirrors_are_checked_when_they_are_read() {
        for (text, part) in [
            ("foreign_hosts = ['https://mcr.example']", "write `HOST`"),
            ("foreign_hosts = ['mcr.example/v2']", "write `HOST`"),
            ("foreign_hosts = ['*']", "write `HOST`"),
            ("foreign_hosts = ['']", "write `HOST`"),
            ("foreign_hosts = ['a.*.example']", "write `HOST`"),
            ("foreign_mirrors = {'mcr.example' = 'mirror.example'}", "no URL"),
            ("foreign_mirrors = {'mcr.example' = 'https://u:p@mirror.example'}", "no URL"),
            ("foreign_mirrors = {'mcr.example' = 'file:///mcr'}", "no URL"),
            ("fetch_base_layer = false", "unknown field"),
        ] {
            let error = format!("{:#}", Config::parse(&format!("[windows]\n{text}")).unwrap_err());
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn the_client_of_foreign_layers_asks_whom_it_may() {
        let config = Config::parse(
            "offline = true\n[windows]\nforeign_hosts = ['mcr.microsoft.com', '*.cdn.example', '[::1]:5000']\n\
             foreign_mirrors = {'go.microsoft.com' = 'https://mirror.example/go'}\n\
             [registries.'mcr.microsoft.com']\n[registries.'plain.example']\nplain_http = true",
        );
        let config = config.unwrap();
        let client = config.foreign_options(config.net_settings(&[], &[])).client.unwrap();
        let private = ["[::1]:5000", "mirror.example:443"].map(str::to_owned);
        assert_eq!((client.denies_private_addresses, client.private_hosts_allowed), (true, private.to_vec()));
        let allowed =
            ["mcr.microsoft.com", "*.cdn.example", "[::1]:5000", "mirror.example:443"].map(str::to_owned);
        assert_eq!(client.allowed_hosts, Some(allowed.to_vec()));
        let only = ["mcr.microsoft.com", "plain.example", "mirror.example:443"].map(str::to_owned);
        assert_eq!(client.only_hosts, Some(only.to_vec()));
        assert!(client.plain_http_hosts.is_empty());
        for (url, is_foreign) in [
            ("https://a.cdn.example/x", true),
            ("https://go.microsoft.com/fwlink", true),
            ("http://[::1]:5000/x", true),
            // A registry that is configured is asked as one.
            ("https://mcr.microsoft.com/v2/x", false),
            ("https://mcr.microsoft.com.evil.example/", false),
            ("mcr.microsoft.com", false),
        ] {
            assert_eq!(config.is_foreign(url), is_foreign, "{url}");
        }
    }
}
