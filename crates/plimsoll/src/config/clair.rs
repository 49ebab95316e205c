//! Takes over the configuration of Clair 4: what it says of feeds becomes ours, and every key that means nothing
//! here is named.
//!
//! Clair's keys: <https://quay.github.io/clair/reference/config.html>. What surprises:
//! - names of sets that do not exist are passed over by Clair without a word, its own sample's `rhel` and `rhcc`
//!   among them since 4.8: whoever copied it reads no Red Hat data;
//! - `airgap` keeps Clair's indexer from public addresses, and not its updaters;
//! - values are never repeated in a warning: a connection string holds a password.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::ecosystems::Ecosystem;
use plimsoll_feeds::feeds::{Covers, FEEDS, Feed, by_name};
use plimsoll_net::{host_and_port_of, redacted};
use serde::Serialize;
use serde_json::Value;

use super::feeds::{FeedConfig, distance};
use super::units::Time;

mod keys;

use keys::{KEYS, Key, Meaning, NOTES, SETS, Set};

/// Longest path of keys that is followed.
const DEPTH_MAX: usize = 32;

/// What became of Clair's configuration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Imported {
    /// Our configuration, TOML.
    pub(crate) config: String,
    /// What was not taken over, or means something else here; one line each.
    pub(crate) warnings: Vec<String>,
}

/// Our configuration as far as Clair's has a counterpart.
#[derive(Default, Serialize)]
struct Ours {
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    offline: bool,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    feeds: BTreeMap<String, FeedConfig>,
}

/// Takes over a configuration, merged from its files.
pub(crate) fn import(clair: &Value) -> Imported {
    let mut import = Import::default();
    import.network(clair);
    import.sets(clair);
    import.allowlist(clair);
    import.visit(clair, &mut Vec::new());
    let config = toml::to_string(&import.ours).expect("plain structs with text keys are TOML");
    Imported { config, warnings: import.warnings }
}

/// Merges a drop-in into a configuration (RFC 7386).
pub(crate) fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (key, value) in patch {
        match value {
            Value::Null => drop(fields.remove(&key)),
            value => merge(fields.entry(key).or_insert(Value::Null), value),
        }
    }
}

#[derive(Default)]
struct Import {
    ours: Ours,
    warnings: Vec<String>,
    /// Paths of keys that are understood, joined by dots.
    understood: BTreeSet<String>,
}

impl Import {
    fn warn(&mut self, path: &str, text: &str) {
        self.warnings.push(format!("`{path}` {text}"));
    }

    fn feed(&mut self, name: &str) -> &mut FeedConfig {
        self.ours.feeds.entry(name.to_owned()).or_default()
    }

    /// Marks a key as understood; its value, where it is there.
    fn take<'a>(&mut self, clair: &'a Value, path: &[&str]) -> Option<&'a Value> {
        let value = path.iter().try_fold(clair, |value, key| value.get(key))?;
        self.understood.insert(path.join("."));
        Some(value).filter(|value| !value.is_null())
    }

    /// Whether a switch is on.
    fn is_on(&mut self, clair: &Value, path: &[&str]) -> bool {
        match self.take(clair, path) {
            None => false,
            Some(Value::Bool(is_on)) => *is_on,
            Some(_) => {
                self.warn(&path.join("."), "is neither `true` nor `false`, and is taken for `false`");
                false
            }
        }
    }

    fn network(&mut self, clair: &Value) {
        let is_disabled = self.is_on(clair, &["matcher", "disable_updaters"]);
        if is_disabled {
            self.warn(
                "matcher.disable_updaters",
                "turns off no feed here, since images need them; bring them with `plimsoll feeds import`, and do not run `plimsoll feeds update`",
            );
        }
        if self.is_on(clair, &["indexer", "airgap"]) {
            self.ours.offline = true;
            if !is_disabled {
                self.warn(
                    "indexer.airgap",
                    "becomes `offline`, which means feeds as well: each that is on needs a `url` here or comes in a bundle, and each registry has to be named in `[registries]`",
                );
            }
        }
        if let Some(period) = self.take(clair, &["matcher", "period"]) {
            match time(period) {
                Some(time) => self.feed("*").every = Some(time),
                None => {
                    self.warn("matcher.period", "is not a length of time above zero, and is not taken over")
                }
            }
        }
    }

    /// Which feeds are on. Without the key all of Clair's are.
    fn sets(&mut self, clair: &Value) {
        let path = ["updaters", "sets"];
        let Some(sets) = self.take(clair, &path) else { return };
        let Some(sets) = sets.as_array().filter(|sets| sets.iter().all(Value::is_string)) else {
            self.warn(&path.join("."), "is not a list of names, and is not taken over");
            return;
        };
        let named: BTreeSet<&str> = sets.iter().filter_map(Value::as_str).collect();
        let mut on = BTreeSet::new();
        for name in &named {
            let Some(set) = SETS.iter().find(|set| set.name == *name) else {
                self.unknown_set(name);
                continue;
            };
            on.extend(set.feeds());
            if let Some(instead) = set.gone {
                let rest = match named.contains(instead) {
                    true => format!("`{instead}`, which took its place, is named as well"),
                    false => format!("it has read no such data. Taken for `{instead}` here"),
                };
                self.warn(
                    "updaters.sets",
                    &format!("names `{name}`, which Clair has not had since 4.8 and passes over without a word; {rest}"),
                );
            }
        }
        for feed in SETS.iter().flat_map(Set::feeds) {
            let is_on = on.contains(&feed);
            // What the feed does by itself is not said.
            if by_name(&feed).is_none_or(|row| row.is_on_by_default) != is_on {
                self.feed(&feed).enabled = Some(is_on);
            }
        }
    }

    fn unknown_set(&mut self, name: &str) {
        let nearest = SETS.iter().map(|set| (distance(name, set.name), set.name)).min();
        let meant = nearest.filter(|(letters, _)| *letters <= 2).map(|(_, meant)| meant);
        let meant = meant
            .map_or(String::new(), |meant| format!("; if `{meant}` was meant, mend it and run this again"));
        let name = name.escape_default();
        self.warn(
            "updaters.sets",
            &format!("names `{name}`, which is no set of Clair's: Clair passes it over without a word, and it turns on nothing here{meant}"),
        );
    }

    /// The languages that are read of OSV.
    fn allowlist(&mut self, clair: &Value) {
        let path = ["updaters", "config", "osv", "allowlist"];
        let Some(list) = self.take(clair, &path) else { return };
        let Some(list) = list.as_array().filter(|list| list.iter().all(Value::is_string)) else {
            self.warn(&path.join("."), "is not a list of names, and is not taken over");
            return;
        };
        let allowed: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
        let is_named = |row: &Ecosystem, name: &str| row.osv.eq_ignore_ascii_case(name);
        for (feed, ecosystem) in languages() {
            let is_off = self.ours.feeds.get(feed.name).is_some_and(|feed| feed.enabled == Some(false));
            if !is_off && !allowed.iter().any(|name| is_named(ecosystem, name)) {
                self.feed(feed.name).enabled = Some(false);
            }
        }
        for name in allowed {
            if !languages().any(|(_, ecosystem)| is_named(ecosystem, name)) {
                let text = format!("names `{}`, which no feed here is of", name.escape_default());
                self.warn(&path.join("."), &text);
            }
        }
    }

    /// Goes through all keys.
    fn visit<'a>(&mut self, value: &'a Value, path: &mut Vec<&'a str>) {
        if self.understood.contains(&path.join(".")) || value.is_null() {
            return;
        }
        if let Some(key) = KEYS.iter().find(|key| key.is_at(path)) {
            return self.key(key, value, &path.join("."));
        }
        match value {
            Value::Object(fields) if path.len() < DEPTH_MAX => {
                for (name, field) in fields {
                    path.push(name);
                    self.visit(field, path);
                    path.pop();
                }
            }
            _ => {
                let text = NOTES
                    .iter()
                    .find(|note| note.is_for(path))
                    .map_or("has no meaning here", |note| note.text);
                self.warn(&path.join(".").escape_debug().to_string(), text);
            }
        }
    }

    fn key(&mut self, key: &Key, value: &Value, path: &str) {
        let feed = key.feed;
        match key.meaning {
            Meaning::Url(note) => match value.as_str().filter(|url| host_and_port_of(url).is_some()) {
                Some(url) => {
                    self.url(feed, url, path);
                    if !note.is_empty() {
                        self.warn(path, &format!("is taken over; {note}"));
                    }
                }
                None => self.warn(path, "is not an `http` or `https` URL, and is not taken over"),
            },
            Meaning::File => match value.as_str().filter(|file| file.starts_with('/')) {
                Some(file) => self.url(feed, &file_url(file), path),
                None => self.warn(
                    path,
                    &format!("is not an absolute path; set `url` of `[feeds.{feed}]` to its `file:///` URL"),
                ),
            },
            Meaning::Zip => self.zip(value, path),
            Meaning::Timeout => match time(value) {
                Some(time) => self.feed(feed).timeout = Some(time),
                None => self.warn(path, "is not a length of time above zero, and is not taken over"),
            },
            Meaning::Elsewhere => self.warn(
                path,
                &format!(
                    "is not taken over: the feed `{feed}` reads other files than Clair; mirror those of the URL that `plimsoll feeds list` shows, and set `url` of `[feeds.{feed}]`"
                ),
            ),
            Meaning::Off => match value {
                Value::Bool(true) => self.feed(feed).enabled = Some(false),
                Value::Bool(false) => {}
                _ => self.warn(path, "is neither `true` nor `false`, and is taken for `false`"),
            },
            Meaning::OneFile => self.warn(
                path,
                &format!("is not taken over: it is the URL of one file; set `url` of `[feeds.{feed}]` to that of the folder"),
            ),
            Meaning::Nothing(why) => self.warn(path, why),
        }
    }

    fn url(&mut self, feed: &str, url: &str, path: &str) {
        if url
            .split_once("://")
            .is_some_and(|(_, rest)| rest.split('/').next().unwrap_or_default().contains('@'))
        {
            self.warn(
                path,
                "holds a password, which is not taken over; name it in `credentials` of the feed",
            );
        }
        self.feed(feed).url = Some(without_user(url));
    }

    /// The URL of one zip of OSV, where it lies as upstream lays it out.
    fn zip(&mut self, value: &Value, path: &str) {
        let url = value.as_str().filter(|url| host_and_port_of(url).is_some()).unwrap_or_default();
        let found = languages().find_map(|(feed, ecosystem)| {
            Some((feed, url.strip_suffix(&format!("/{}/all.zip", ecosystem.osv))?))
        });
        match found {
            Some((feed, base)) => self.url(feed.name, base, path),
            None => self.warn(path, "is not taken over: it does not end in `/ECOSYSTEM/all.zip`; set `url` of the feed to the folder above"),
        }
    }
}

/// The feeds of OSV that are of languages, which are what Clair reads of it.
fn languages() -> impl Iterator<Item = (&'static Feed, &'static Ecosystem)> {
    let of_osv = FEEDS.iter().copied().filter(|feed| feed.name.starts_with("osv-"));
    of_osv.filter_map(|feed| {
        feed.covers.iter().find_map(|covers| match covers {
            Covers::Packages(row) => Some((feed, *row)),
            _ => None,
        })
    })
}

impl Set {
    /// The feeds that have its data.
    fn feeds(&self) -> Vec<String> {
        match self.feeds {
            [] => languages().map(|(feed, _)| feed.name.to_owned()).collect(),
            feeds => feeds.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// A length of time as Go writes it: `6h`, `1h30m0s`.
fn time(value: &Value) -> Option<Time> {
    value.as_str()?.parse().ok()
}

fn file_url(path: &str) -> String {
    let mut url = "file://".to_owned();
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => url.push(char::from(byte)),
            byte => url += &format!("%{byte:02X}"),
        }
    }
    url
}

/// The URL without user and password, and without a slash at its end.
fn without_user(url: &str) -> String {
    let (place, query) = url.split_once('?').map_or((url, None), |(place, query)| (place, Some(query)));
    let place = redacted(place).trim_end_matches('/').to_owned();
    query.map_or(place.clone(), |query| format!("{place}?{query}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The examples of RFC 7386, appendix A, that are objects.
    #[test]
    fn drop_ins_are_merged() {
        for (target, patch, wanted) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut merged = target.clone();
            merge(&mut merged, patch.clone());
            assert_eq!(merged, wanted, "{target} with {patch}");
        }
    }

    #[test]
    fn secrets_of_urls_stay_where_they_are() {
        let url = "https://user:geheim@mirror.example/alpine/";
        let imported = import(&json!({"updaters": {"config": {"alpine": {"url": url}}}}));
        assert_eq!(imported.config, "[feeds.alpine-secdb]\nurl = \"https://mirror.example/alpine\"\n");
        assert!(imported.warnings[0].contains("`credentials`"), "{imported:?}");
        assert!(!format!("{imported:?}").contains("geheim"), "{imported:?}");
    }

    #[test]
    fn odd_values_are_named_and_never_repeated() {
        let clair = json!({
            "indexer": {"airgap": "yes", "connstring": {"geheim": ["geheim"]}},
            "matcher": {"period": "geheim", "disable_updaters": 1},
            "updaters": {"sets": "geheim", "config": {
                "alpine": {"url": "geheim"}, "osv": {"allowlist": [1]}, "rhel-vex": {"compressed_file_timeout": 5},
            }},
            "\u{1b}[31m": 1,
        });
        let imported = import(&clair);
        assert_eq!(imported.config, "");
        assert_eq!(imported.warnings.len(), 9, "{imported:#?}");
        let text = imported.warnings.join("\n").replace("connstring.geheim", "");
        assert!(!text.contains("geheim") && !text.contains('\u{1b}'), "{text}");
        for odd in [json!(null), json!(3), json!([]), json!({})] {
            import(&odd);
        }
    }

    #[test]
    fn urls_of_files_are_encoded() {
        assert_eq!(file_url("/srv/my feeds/a%b.json"), "file:///srv/my%20feeds/a%25b.json");
    }
}
