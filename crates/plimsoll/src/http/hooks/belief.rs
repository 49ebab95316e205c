//! Which registries a webhook may speak of. Pure.
//!
//! A webhook names a place, and the server goes there: so only those that the operator has named count, in
//! `registries_allowed`, in `[registries]`, or in a watch, and of a watch only what it chooses.

use plimsoll_image::open::registry::reference::RegistryReference;

use crate::config::Config;
use crate::jobs::submission::check_registry;
use crate::watch::patterns::Patterns;

/// Why an image is none of ours; `Ok` where it is.
pub(super) fn check(reference: &RegistryReference, config: &Config) -> Result<(), String> {
    let host = reference.name.host();
    let is_allowed = config.server.registries_allowed.is_some() && check_registry(host, config).is_ok();
    let mut watches =
        config.watch.values().filter(|watch| watch.registry.eq_ignore_ascii_case(host)).peekable();
    let is_watched = watches.peek().is_some();
    if config.registries.contains_key(host) || (is_allowed && !is_watched) {
        return Ok(());
    }
    if !is_watched {
        return Err(format!(
            "webhooks may not speak of `{host}`; name it in `registries_allowed` of `[server]`, in `[registries]`, or in \
             a watch"
        ));
    }
    let chooses = |texts: &[String], name: &str| Patterns::read(texts).is_ok_and(|these| these.choose(name));
    let is_chosen = watches.any(|watch| {
        chooses(&watch.repositories, reference.name.path())
            && reference.tag.as_ref().is_none_or(|tag| chooses(&watch.tags, tag))
    });
    match is_chosen {
        true => Ok(()),
        false => Err(format!("no watch of `{host}` chooses it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_operator_named_is_believed() {
        let registries = "[registries.'named.example']";
        let allowed = "[server]\nregistries_allowed = ['allowed.example', '*.org.example']";
        let watch =
            "[watch.w]\nregistry = 'watched.example:5000'\nrepositories = ['team/*']\ntags = ['*', '!x-*']";
        for (config, reference, is_believed) in [
            ("", "anywhere.example/a:1", false),
            (registries, "named.example/a:1", true),
            (registries, "anywhere.example/a:1", false),
            ("[registries.'*']\nplain_http = true", "anywhere.example/a:1", false),
            (allowed, "allowed.example/a:1", true),
            (allowed, "sub.org.example/a:1", true),
            (allowed, "org.example/a:1", false),
            (allowed, "anywhere.example/a:1", false),
            (watch, "watched.example:5000/team/a:1", true),
            (watch, "watched.example:5000/team/a", true),
            (watch, "watched.example:5000/team/a:x-1", false),
            (watch, "watched.example:5000/other/a:1", false),
            (watch, "watched.example/team/a:1", false),
        ] {
            let config = Config::parse(config).unwrap();
            let reference: RegistryReference = reference.parse().unwrap();
            assert_eq!(check(&reference, &config).is_ok(), is_believed, "{reference}");
        }
    }
}
