//! `[watch.NAME]`: registries whose images are scanned without anybody asking for it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use plimsoll_image::open::registry::reference::RepositoryName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Config;
use super::units::Time;
use crate::watch::patterns::Patterns;

/// Most watches: each has a thread of its own.
const WATCHES_MAX: usize = 64;

/// Most questions at once that a watch may be allowed.
const REQUESTS_MAX: u32 = 32;

/// A registry that is watched: its tags are looked at from time to time, and what is new is scanned.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WatchConfig {
    /// The registry: `HOST` or `HOST:PORT`.
    pub(crate) registry: String,
    /// Repositories, by patterns: `team/app`, `team/*`, `**`. `*` stands for any characters of one part, `**` for any
    /// parts, `?` for one character; a pattern after `!` takes away what the others chose. Where a pattern has one of
    /// these signs, the registry is asked for the list of its repositories.
    pub(crate) repositories: Vec<String>,
    /// Tags, by the same patterns.
    #[serde(default = "all_tags")]
    pub(crate) tags: Vec<String>,
    /// How often the registry is looked at.
    #[serde(default = "every_hour")]
    pub(crate) every: Time,
    /// Most repositories that are looked at.
    #[serde(default = "repositories_max")]
    pub(crate) repositories_max: u32,
    /// Most tags of each repository that are looked at.
    #[serde(default = "tags_max")]
    pub(crate) tags_max: u32,
    /// Most questions that are asked at once.
    #[serde(default = "requests_max")]
    pub(crate) requests_max: u32,
}

fn all_tags() -> Vec<String> {
    vec!["*".to_owned()]
}

fn every_hour() -> Time {
    Time(Duration::from_secs(60 * 60))
}

fn repositories_max() -> u32 {
    1_000
}

fn tags_max() -> u32 {
    1_000
}

fn requests_max() -> u32 {
    4
}

impl WatchConfig {
    fn check(&self) -> anyhow::Result<()> {
        let name: Result<RepositoryName, _> = format!("{}/repository", self.registry).parse();
        if name.is_err() || !self.registry.contains(['.', ':']) && self.registry != "localhost" {
            bail!("`registry` is `{}`; write `HOST` or `HOST:PORT`", self.registry);
        }
        Patterns::read(&self.repositories).context("`repositories`")?;
        Patterns::read(&self.tags).context("`tags`")?;
        if self.requests_max == 0 || self.requests_max > REQUESTS_MAX {
            bail!("`requests_max` is {}; it must be 1 to {REQUESTS_MAX}", self.requests_max);
        }
        Ok(())
    }
}

impl Config {
    /// Refuses watches of which it is not clear what they watch.
    pub(super) fn check_watches(&self) -> anyhow::Result<()> {
        if self.watch.len() > WATCHES_MAX {
            bail!("there are {} watches; there may be {WATCHES_MAX}: join some", self.watch.len());
        }
        for (name, watch) in &self.watch {
            watch.check().with_context(|| format!("`[watch.{name}]` is not valid"))?;
        }
        Ok(())
    }

    /// Whether a registry, `HOST[:PORT]`, is watched.
    pub(crate) fn watches(&self, registry: &str) -> bool {
        self.watch.values().any(|watch| watch.registry.eq_ignore_ascii_case(registry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_are_checked_when_they_are_read() {
        let read = |text: &str| Config::parse(text).map_err(|error| format!("{error:#}"));
        let config = read("[watch.team]\nregistry = 'registry.example.org:5000'\nrepositories = ['team/*']");
        let config = config.unwrap();
        let watch = &config.watch["team"];
        assert_eq!((watch.tags.as_slice(), watch.every.to_string().as_str()), (&["*".to_owned()][..], "1h"));
        assert!(config.watches("Registry.example.org:5000") && !config.watches("registry.example.org"));
        for (rest, part) in [
            ("registry = 'team'\nrepositories = ['a']", "write `HOST` or `HOST:PORT`"),
            ("registry = 'https://r.example'\nrepositories = ['a']", "write `HOST` or `HOST:PORT`"),
            ("registry = 'r.example'\nrepositories = []", "chooses nothing"),
            ("registry = 'r.example'\nrepositories = ['!a']", "chooses nothing"),
            ("registry = 'r.example'\nrepositories = ['a', '']", "is empty"),
            ("registry = 'r.example'\nrepositories = ['a']\ntags = ['[0-9]']", "`[0-9]`"),
            ("registry = 'r.example'\nrepositories = ['a']\nrequests_max = 0", "1 to 32"),
            ("registry = 'r.example'\nrepositories = ['a']\nevery = '0s'", "above zero"),
            ("registry = 'r.example'\nrepositories = ['a']\nevry = '1h'", "unknown field"),
        ] {
            let error = read(&format!("[watch.team]\n{rest}")).unwrap_err();
            assert!(error.contains(part), "{rest}: {error}");
        }
    }
}
