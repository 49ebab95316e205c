//! From where each feed is fetched, as the configuration has it: URLs, trust, credentials, limits.
//!
//! Offline a feed is fetched from the URLs that are configured for it and never from its upstream. Credentials
//! are read when it is the feed's turn, so that a secret that is missing costs that feed alone.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use plimsoll_feeds::Transport;
use plimsoll_feeds::feeds::Feed;
use plimsoll_feeds::update::{PART_BYTES_MAX, Upstream};
use plimsoll_image::open::registry::RegistryOptions;
use plimsoll_net::{Client, NetError, Settings, has_same_origin, host_and_port_of};

use crate::config::Config;
use crate::oci::{self, OciTransport};

/// What makes one feed's client differ from another's.
type Special = (Option<PathBuf>, Option<Duration>);

/// The upstreams of one run. Clients are shared where their settings are equal.
pub(crate) struct Upstreams<'a> {
    config: &'a Config,
    settings: Settings,
    /// How registries are asked that hold feeds.
    registries: RegistryOptions,
    made: RefCell<Vec<(Special, Client)>>,
}

impl<'a> Upstreams<'a> {
    /// `settings` are those of feeds without any of their own.
    pub(crate) fn new(
        config: &'a Config,
        mut settings: Settings,
        registries: RegistryOptions,
    ) -> Upstreams<'a> {
        settings.plain_http_hosts.extend(config.plain_http_feed_hosts());
        Upstreams { config, settings, registries, made: RefCell::default() }
    }

    /// From where a feed is fetched, or why it cannot be.
    pub(crate) fn of(&self, feed: &'static Feed) -> Result<Upstream, String> {
        let special = self.config.feed(feed.name);
        let urls = special.urls(feed, self.config.offline);
        if urls.is_empty() {
            return Err(without_url(feed, self.config.offline));
        }
        let client = self.client((special.ca.clone(), special.timeout.map(|time| time.0)));
        let mut client = client.map_err(|error| error.to_string())?;
        if let Some(credentials) = &special.credentials {
            let asked = special.asked_first(feed);
            // Who is let into a server has nothing to do with files.
            if host_and_port_of(asked).is_some() && urls.iter().any(|url| has_same_origin(url, asked)) {
                let authorization = credentials.authorization().map_err(|error| format!("{error:#}"))?;
                client = client.authorized(asked, authorization).map_err(|error| error.to_string())?;
            }
        }
        let part_bytes_max = special.size_max.map_or(PART_BYTES_MAX, |size| size.0);
        let transport: Arc<dyn Transport> = match urls.iter().any(|url| oci::is_oci(url)) {
            true => Arc::new(OciTransport::new(Arc::new(client), self.registries.clone())),
            false => Arc::new(client),
        };
        Ok(Upstream { urls, transport, part_bytes_max })
    }

    fn client(&self, special: Special) -> Result<Client, NetError> {
        let mut made = self.made.borrow_mut();
        if let Some((_, client)) = made.iter().find(|(known, _)| *known == special) {
            return Ok(client.clone());
        }
        let mut settings = self.settings.clone();
        settings.ca_files.extend(special.0.clone());
        settings.total_timeout = special.1.unwrap_or(settings.total_timeout);
        let client = Client::new(settings)?;
        made.push((special, client.clone()));
        Ok(client)
    }
}

fn without_url(feed: &Feed, is_offline: bool) -> String {
    let name = feed.name;
    let why = if is_offline { "`offline` is set, and no URL is configured for it" } else { "it has no URL" };
    format!(
        "{why}; set `url` in `[feeds.{name}]` to a mirror (http, https, file or oci), or `enabled = false` if it is not needed"
    )
}

#[cfg(test)]
mod tests {
    use plimsoll_feeds::feeds::by_name;

    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text).unwrap()
    }

    fn urls(config: &Config, name: &str) -> Result<Vec<String>, String> {
        let upstreams = Upstreams::new(config, Settings::default(), RegistryOptions::default());
        upstreams.of(by_name(name).unwrap()).map(|upstream| upstream.urls)
    }

    #[test]
    fn urls_in_their_order() {
        let own = by_name("kev").unwrap().url;
        for (text, wanted) in [
            ("", vec![own]),
            ("mirrors = ['https://a/', 'https://b/']", vec![own, "https://a/", "https://b/"]),
            ("url = 'https://c/'\nmirrors = ['https://a/']", vec!["https://c/", "https://a/"]),
        ] {
            let mut config = config(&format!("[feeds.kev]\n{text}\n"));
            assert_eq!(urls(&config, "kev").unwrap(), wanted, "{text}");
            config.offline = true;
            let configured: Vec<&str> = wanted.into_iter().filter(|url| *url != own).collect();
            match urls(&config, "kev") {
                Ok(urls) => assert_eq!(urls, configured, "{text}"),
                Err(error) => {
                    assert!(configured.is_empty() && error.contains("`[feeds.kev]`"), "{text}: {error}");
                }
            }
        }
    }

    #[test]
    fn the_command_line_replaces_all_urls_and_takes_no_credentials_along() {
        let text = "[feeds.kev]\nurl = 'https://a/kev'\nmirrors = ['https://b/']\n\
                    credentials = { token_env = 'PLIMSOLL_NO_SUCH_VARIABLE' }\n";
        let mut config = config(text);
        assert!(urls(&config, "kev").unwrap_err().contains("PLIMSOLL_NO_SUCH_VARIABLE"));
        config.override_feed_url("kev=https://a/other").unwrap();
        assert!(urls(&config, "kev").is_err(), "the same server asks for the same credentials");
        config.override_feed_url("k*=https://evil/").unwrap();
        assert_eq!(urls(&config, "kev").unwrap(), ["https://evil/"]);
        config.override_feed_url("kev=file:///srv/kev").unwrap();
        assert_eq!(urls(&config, "kev").unwrap(), ["file:///srv/kev"]);
    }

    #[test]
    fn clients_are_shared_where_they_are_equal() {
        let config = config(
            "[feeds.kev]\ntimeout = '5m'\nsize_max = '1MB'\n[feeds.epss]\ntimeout = '300s'\n[feeds.osv-go]\ntimeout = '6m'\n",
        );
        let upstreams = Upstreams::new(&config, Settings::default(), RegistryOptions::default());
        for name in ["kev", "epss", "osv-go", "osv-npm", "osv-pypi"] {
            let upstream = upstreams.of(by_name(name).unwrap()).unwrap();
            let wanted = if name == "kev" { 1_000_000 } else { PART_BYTES_MAX };
            assert_eq!(upstream.part_bytes_max, wanted);
        }
        assert_eq!(upstreams.made.borrow().len(), 3);
    }

    #[test]
    fn plain_http_is_for_those_who_wrote_it() {
        let config = config("[feeds.kev]\nurl = 'http://mirror.example:8080/kev'\n");
        let upstreams = Upstreams::new(&config, Settings::default(), RegistryOptions::default());
        let hosts = &upstreams.settings.plain_http_hosts;
        assert!(plimsoll_net::is_listed(hosts, "mirror.example:8080"));
        assert!(!plimsoll_net::is_listed(hosts, "mirror.example:80"));
    }
}
