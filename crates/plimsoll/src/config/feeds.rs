//! `[feeds.NAME]`: what is changed of a feed. A name may end in `*` and then means all feeds that begin so; the
//! longer of two such names outweighs the shorter, and an exact name all of them, field by field.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use plimsoll_feeds::feeds::{FEEDS, Feed, by_name};
use plimsoll_net::{has_same_origin, host_and_port_of, is_loopback_name, redacted};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Config;
use super::credentials::CredentialsConfig;
use super::units::{Size, Time};
use crate::oci::{host_of, is_oci, parse};

/// What is changed of a feed. A name may end in `*` (`[feeds."osv-*"]`) and then means all feeds that begin so;
/// the longer of two such names outweighs the shorter, and an exact name all of them, key by key.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FeedConfig {
    /// Whether it is fetched and needed. Left out: as `plimsoll feeds list` says.
    pub(crate) enabled: Option<bool>,
    /// Base URL in place of the upstream's: `https://`, `http://` or `file:///`, with the files laid out as upstream
    /// has them, or `oci://HOST/REPOSITORY:TAG`. Left out: the upstream's own, which is not asked offline.
    pub(crate) url: Option<String>,
    /// Base URLs that are asked in this order where the URL fails. Left out: none.
    pub(crate) mirrors: Option<Vec<String>>,
    /// Certificate authority to trust beside the system's (a PEM file). Left out: none.
    pub(crate) ca: Option<PathBuf>,
    /// Who asks. Sent to the host and port of `url` alone; of the first of `mirrors` where there is no `url`, of
    /// the upstream where there is neither. Left out: nobody.
    pub(crate) credentials: Option<CredentialsConfig>,
    /// How often `feeds watch` fetches it: `6h`, `1d`. Left out: the feed's own cadence.
    pub(crate) every: Option<Time>,
    /// Longest time for fetching one file: `10m`. Left out: `4h`.
    pub(crate) timeout: Option<Time>,
    /// Largest file that is fetched: `500MB`. Left out: `4GiB`.
    pub(crate) size_max: Option<Size>,
    /// Age of the data in days above which results are warned of. Left out: the feed's own.
    pub(crate) max_age: Option<u32>,
}

impl FeedConfig {
    /// What this says, else what `weaker` says.
    fn over(&self, weaker: FeedConfig) -> FeedConfig {
        fn or<T: Clone>(stronger: &Option<T>, weaker: Option<T>) -> Option<T> {
            stronger.clone().or(weaker)
        }
        FeedConfig {
            enabled: self.enabled.or(weaker.enabled),
            url: or(&self.url, weaker.url),
            mirrors: or(&self.mirrors, weaker.mirrors),
            ca: or(&self.ca, weaker.ca),
            credentials: or(&self.credentials, weaker.credentials),
            every: self.every.or(weaker.every),
            timeout: self.timeout.or(weaker.timeout),
            size_max: self.size_max.or(weaker.size_max),
            max_age: self.max_age.or(weaker.max_age),
        }
    }
}

impl FeedConfig {
    /// The URLs to ask, in order.
    pub(crate) fn urls(&self, feed: &Feed, is_offline: bool) -> Vec<String> {
        let own = Some(feed.url).filter(|url| !is_offline && !url.is_empty());
        let first = self.url.as_deref().or(own).into_iter().map(str::to_owned);
        first.chain(self.mirrors.iter().flatten().cloned()).collect()
    }

    /// The URL that the credentials are for.
    pub(crate) fn asked_first<'a>(&'a self, feed: &'a Feed) -> &'a str {
        let mirror = self.mirrors.iter().flatten().next();
        self.url.as_ref().or(mirror).map_or(feed.url, String::as_str)
    }

    fn configured_urls(&self) -> impl Iterator<Item = &str> {
        self.url.iter().chain(self.mirrors.iter().flatten()).map(String::as_str)
    }

    /// Refuses what cannot work, whatever feed it is for.
    fn check(&self) -> anyhow::Result<()> {
        for url in self.configured_urls() {
            check_url(url)?;
        }
        let Some(credentials) = &self.credentials else { return Ok(()) };
        credentials.check()?;
        if let Some(url) = self.configured_urls().find(|url| is_oci(url)) {
            bail!("`credentials` are not used for `{url}`; run `docker login` for its registry");
        }
        for url in self.configured_urls().filter(|url| is_plain_http(url)) {
            let host = host_and_port_of(url).unwrap_or_default();
            let host = host.rsplit_once(':').map_or("", |(host, _)| host);
            if !is_loopback_name(host) {
                bail!(
                    "credentials are not sent without TLS, as they would be to `{}`; use `https`",
                    redacted(url)
                );
            }
        }
        Ok(())
    }
}

/// Refuses what is not a URL that a feed can be fetched from.
fn check_url(url: &str) -> anyhow::Result<()> {
    if host_and_port_of(url).is_some() || url.starts_with("file:/") {
        return Ok(());
    }
    if is_oci(url) {
        return parse(url).map(drop).with_context(|| format!("`{}` names no artifact", redacted(url)));
    }
    bail!(
        "`{}` is not a URL that a feed can be fetched from; write `https://HOST/PATH`, `http://HOST/PATH`, \
         `file:///PATH` or `oci://HOST/REPOSITORY:TAG`",
        redacted(url)
    )
}

fn is_plain_http(url: &str) -> bool {
    url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"))
}

impl Config {
    /// What is changed of a feed, patterns and the command line included.
    pub(crate) fn feed(&self, name: &str) -> FeedConfig {
        let mut feed = self.feed_by_file(name);
        if let Some(url) = self.feed_urls.get(name) {
            let is_same = by_name(name).is_some_and(|row| has_same_origin(feed.asked_first(row), url));
            feed.credentials = feed.credentials.filter(|_| is_same);
            (feed.url, feed.mirrors) = (Some(url.clone()), None);
        }
        feed
    }

    /// Hosts that feeds are fetched from without TLS because their URLs say `http`.
    pub(crate) fn plain_http_feed_hosts(&self) -> Vec<String> {
        let urls = FEEDS.iter().flat_map(|row| self.feed(row.name).urls(row, false));
        urls.filter(|url| is_plain_http(url)).filter_map(|url| host_and_port_of(&url)).collect()
    }

    /// Hosts of the URLs that are configured for feeds.
    pub(super) fn feed_hosts(&self) -> Vec<String> {
        let urls = FEEDS.iter().flat_map(|row| self.feed(row.name).urls(row, true));
        urls.filter_map(|url| host_of(&url).map(str::to_owned).or_else(|| host_and_port_of(&url))).collect()
    }

    fn feed_by_file(&self, name: &str) -> FeedConfig {
        let mut sections: Vec<(&String, &FeedConfig)> =
            self.feeds.iter().filter(|(pattern, _)| is_match(pattern, name)).collect();
        sections.sort_by_key(|(pattern, _)| (!pattern.ends_with('*'), pattern.len()));
        sections.into_iter().fold(FeedConfig::default(), |weaker, (_, section)| section.over(weaker))
    }

    /// Whether a feed is fetched and needed. One that does not exist is not.
    pub(crate) fn is_enabled(&self, name: &str) -> bool {
        by_name(name).is_some_and(|row| self.feed(name).enabled.unwrap_or(row.is_on_by_default))
    }

    /// The feeds that are neither fetched nor needed.
    pub(crate) fn off(&self) -> BTreeSet<&'static str> {
        FEEDS.iter().map(|row| row.name).filter(|name| !self.is_enabled(name)).collect()
    }

    /// The warning period of a feed in days; `None` for a feed that does not exist.
    pub(crate) fn max_age_days(&self, name: &str) -> Option<u32> {
        let row = by_name(name)?;
        Some(self.feed(name).max_age.unwrap_or(row.max_age_days))
    }

    /// How often a feed is fetched; `None` for a feed that does not exist.
    #[allow(dead_code, reason = "for whoever fetches feeds again and again")]
    pub(crate) fn every(&self, name: &str) -> Option<Duration> {
        let row = by_name(name)?;
        let own = Duration::from_secs(u64::from(row.cadence_hours) * 3600);
        Some(self.feed(name).every.map_or(own, |time| time.0))
    }

    /// Puts a `NAME=URL` of the command line in.
    pub(crate) fn override_feed_url(&mut self, text: &str) -> anyhow::Result<()> {
        let Some((name, url)) = text.split_once('=') else {
            bail!("`{text}` is not NAME=URL; write, for example, `--feed-url 'osv-*=file:///srv/osv'`");
        };
        check_url(url)?;
        for feed in select(name)? {
            self.feed_urls.insert(feed.name.to_owned(), url.to_owned());
        }
        Ok(())
    }

    /// Refuses what no feed can be meant by, and what cannot work.
    pub(super) fn check_feeds(&self) -> anyhow::Result<()> {
        for (name, feed) in &self.feeds {
            select(name).and_then(|_| feed.check()).with_context(|| format!("in `[feeds.{name}]`"))?;
        }
        Ok(())
    }
}

/// Whether a name, or the beginning of one with a `*` behind it, means a feed.
fn is_match(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

/// The feeds that a name or a pattern means, at least one.
pub(crate) fn select(pattern: &str) -> anyhow::Result<Vec<&'static Feed>> {
    let feeds: Vec<&'static Feed> =
        FEEDS.iter().copied().filter(|feed| is_match(pattern, feed.name)).collect();
    if !feeds.is_empty() {
        return Ok(feeds);
    }
    let what = if pattern.ends_with('*') { "name of a feed begins with" } else { "feed is called" };
    match likely(pattern) {
        Some(meant) => bail!("no {what} `{}`; did you mean `{meant}`", pattern.trim_end_matches('*')),
        None => bail!("no {what} `{}`; `plimsoll feeds list` shows them all", pattern.trim_end_matches('*')),
    }
}

/// The feeds that several names and patterns mean, in the order of the rows.
pub(crate) fn select_all(patterns: &[String]) -> anyhow::Result<Vec<&'static Feed>> {
    for pattern in patterns {
        select(pattern)?;
    }
    let is_meant = |feed: &&&Feed| patterns.iter().any(|pattern| is_match(pattern, feed.name));
    Ok(FEEDS.iter().filter(is_meant).copied().collect())
}

/// What was probably meant by a name that no feed has.
fn likely(written: &str) -> Option<String> {
    let bare = written.trim_end_matches('*').to_ascii_lowercase().replace('_', "-");
    // Most mistakes are half a name: `osv` for the many that begin so, `redhat` for one that ends so.
    let begun = FEEDS.iter().filter(|feed| !bare.is_empty() && feed.name.starts_with(&format!("{bare}-")));
    if begun.clone().count() > 1 && !written.ends_with('*') {
        return Some(format!("{bare}-*"));
    }
    let is_part = |name: &str| bare.len() > 2 && name.split('-').any(|word| word == bare);
    if let Some(feed) = FEEDS.iter().find(|feed| is_part(feed.name)) {
        return Some(feed.name.to_owned());
    }
    let nearest = FEEDS.iter().map(|feed| (distance(&bare, feed.name), feed.name)).min()?;
    (nearest.0 <= 1 + bare.len() / 5).then(|| nearest.1.to_owned())
}

/// How many letters have to be added, removed or replaced to make one word the other.
pub(super) fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (at, letter) in one.chars().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (cell, wanted) in row.iter_mut().skip(1).zip(other.chars()) {
            let above = *cell;
            left = (diagonal + usize::from(letter != wanted)).min(above + 1).min(left + 1);
            (diagonal, *cell) = (above, left);
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (one, other, wanted) in [
            ("", "", 0),
            ("", "ab", 2),
            ("kev", "kev", 0),
            ("kve", "kev", 2),
            ("epps", "epss", 1),
            ("oscv", "osv", 1),
        ] {
            assert_eq!(distance(one, other), wanted, "{one} {other}");
            assert_eq!(distance(other, one), wanted, "{other} {one}");
        }
    }

    #[test]
    fn what_was_meant() {
        for (written, meant) in [
            ("osv", Some("osv-*")),
            ("OSV_PyPI", Some("osv-pypi")),
            ("osv-pipy", Some("osv-pypi")),
            ("pypi", Some("osv-pypi")),
            ("epps", Some("epss")),
            ("barnacle", None),
            ("", None),
            ("*", None),
        ] {
            assert_eq!(likely(written).as_deref(), meant, "{written}");
        }
    }

    #[test]
    fn an_exact_name_outweighs_a_pattern_field_by_field() {
        let text = r#"
            ["osv-*"]
            enabled = true
            max_age = 3
            every = "1h"
            [osv-debian]
            max_age = 30
            ["osv-d*"]
            max_age = 5
            url = "file:///srv/d"
            [kev]
            enabled = false
        "#;
        let config = Config { feeds: toml::from_str(text).unwrap(), ..Config::default() };
        assert_eq!(config.max_age_days("osv-debian"), Some(30));
        assert_eq!(config.max_age_days("osv-ubuntu"), Some(3));
        assert_eq!(config.feed("osv-debian").url.as_deref(), Some("file:///srv/d"));
        assert_eq!(config.every("osv-debian"), Some(Duration::from_secs(3600)));
        assert_eq!(config.every("epss"), Some(Duration::from_secs(24 * 3600)));
        assert_eq!((config.max_age_days("barnacle"), config.every("barnacle")), (None, None));
        let is_enabled = ["osv-debian", "kev", "epss", "barnacle"].map(|name| config.is_enabled(name));
        assert_eq!(is_enabled, [true, false, true, false]);
        assert!(!Config::default().is_enabled("osv-debian"), "off unless turned on");
    }
}
