//! `config check`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use plimsoll_feeds::feeds::{FEEDS, Feed};
use plimsoll_image::open::registry::RegistryOptions;
use plimsoll_net::{host_and_port_of, redacted};

use super::print;
use crate::cli::{Global, Outcome, misused};
use crate::config::{Config, FeedConfig};
use crate::upstreams::Upstreams;

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    /// The file; the one that is in force if left out.
    file: Option<PathBuf>,
}

pub(super) fn run(global: &Global, args: &CheckArgs) -> anyhow::Result<Outcome> {
    let place = Config::place(args.file.as_deref().or(global.config.as_deref()));
    let mut config = Config::read(place.as_deref()).map_err(misused)?;
    config.offline |= global.offline;
    let mut out = match &place {
        Some(path) => format!("the configuration `{}` can be read\n", path.display()),
        None => "there is no configuration; the defaults are in force\n".to_owned(),
    };
    describe(&mut out, &config)?;
    let problems = problems(&config);
    for problem in &problems {
        writeln!(out, "problem: {problem}")?;
    }
    print(&out)?;
    Ok(if problems.is_empty() { Outcome::Done } else { Outcome::Usage })
}

/// What is in force in place of the defaults.
fn describe(out: &mut String, config: &Config) -> std::fmt::Result {
    if config.offline {
        let hosts = config.offline_hosts();
        let named = if hosts.is_empty() { "none".to_owned() } else { format!("`{}`", hosts.join("`, `")) };
        writeln!(out, "offline; the hosts that may be asked: {named}")?;
        let without = |row: &&&Feed| config.feed(row.name).urls(row, true).is_empty();
        let without = names(FEEDS.iter().filter(|row| config.is_enabled(row.name)).filter(without));
        if !without.is_empty() {
            writeln!(
                out,
                "feeds that are on and have no URL offline, so that only a bundle can bring them: {without}"
            )?;
        }
    }
    for (text, is_on) in [("feeds that are turned off", false), ("feeds that are turned on", true)] {
        let is_turned = |row: &&&Feed| row.is_on_by_default != is_on && config.is_enabled(row.name) == is_on;
        let turned = names(FEEDS.iter().filter(is_turned));
        if !turned.is_empty() {
            writeln!(out, "{text}: {turned}")?;
        }
    }
    for row in FEEDS {
        let changes = changes(&config.feed(row.name));
        if !changes.is_empty() {
            writeln!(out, "{}: {}", row.name, changes.join(", "))?;
        }
    }
    for (host, registry) in &config.registries {
        let mirrors = registry.mirrors.iter().map(|mirror| format!(", mirror `{mirror}`"));
        let plain = if registry.plain_http { ", plain HTTP" } else { "" };
        writeln!(out, "registry `{host}`{plain}{}", mirrors.collect::<String>())?;
    }
    if let Some(email) = &config.warnings.email {
        writeln!(out, "warnings by e-mail to {} through `{}`", email.to.join(", "), redacted(&email.server))?;
    }
    if let Some(webhook) = &config.warnings.webhook {
        // The path may be what lets us in.
        let host = host_and_port_of(&webhook.url).unwrap_or_default();
        writeln!(out, "warnings by requests to `{host}`")?;
    }
    if !config.bundles.keys.is_empty() {
        writeln!(out, "keys that may sign bundles: {}", config.bundles.keys.len())?;
    }
    Ok(())
}

fn names<'a>(rows: impl Iterator<Item = &'a &'static Feed>) -> String {
    rows.map(|row| row.name).collect::<Vec<_>>().join(", ")
}

fn changes(feed: &FeedConfig) -> Vec<String> {
    let mut changes = Vec::new();
    changes.extend(feed.url.iter().map(|url| format!("url `{}`", redacted(url))));
    changes.extend(feed.mirrors.iter().flatten().map(|url| format!("mirror `{}`", redacted(url))));
    changes.extend(feed.ca.iter().map(|path| format!("authority `{}`", path.display())));
    changes.extend(feed.credentials.iter().map(|credentials| match &credentials.user {
        Some(user) => format!("user `{user}`"),
        None => "a token".to_owned(),
    }));
    changes.extend(feed.every.map(|time| format!("every {time}")));
    changes.extend(feed.timeout.map(|time| format!("timeout {time}")));
    changes.extend(feed.size_max.map(|size| format!("at most {size} a file")));
    changes.extend(feed.max_age.map(|days| format!("warned of after {days} days")));
    changes
}

/// What keeps feeds from being fetched whatever their servers say: secrets and authorities that are not there.
fn problems(config: &Config) -> Vec<String> {
    let settings = plimsoll_net::Settings::default();
    let upstreams = Upstreams::new(config, settings, RegistryOptions::default());
    let is_asked = |row: &&&'static Feed| {
        config.is_enabled(row.name) && !config.feed(row.name).urls(row, config.offline).is_empty()
    };
    let asked = FEEDS.iter().filter(is_asked);
    asked.filter_map(|row| Some(format!("{}: {}", row.name, upstreams.of(row).err()?))).collect()
}
