//! Keys of `[server]` that are set by variables of the environment: `PLIMSOLL_SERVER_LISTEN` is `listen`,
//! `PLIMSOLL_SERVER_TLS_KEY` is `key` in `[server.tls]`.
//!
//! Which there are is read off the schema, so that none can be forgotten. Lists and tables have no variable. A name that
//! means nothing is an error, since a limit that was misspelt would not hold. Values are never part of an error: they
//! may be secrets that were put into the wrong variable.

use anyhow::{Context as _, bail};
use serde_json::Value as Json;
use toml::{Table, Value};

use super::feeds::distance;
use super::{Config, schema};

/// What all of them begin with.
const PREFIX: &str = "PLIMSOLL_SERVER_";

/// One variable.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Variable {
    /// Its name.
    pub(super) name: String,
    /// The keys from the top of the configuration.
    pub(super) path: Vec<String>,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Boolean,
}

/// The variables of this process that are meant for the configuration.
pub(super) fn variables() -> Vec<(String, String)> {
    let ours = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
        // What is not UTF-8 is no value of any key; it is refused where it is parsed.
        Some((name, value.to_string_lossy().into_owned()))
    };
    let mut found: Vec<_> = std::env::vars_os().filter_map(ours).collect();
    found.sort();
    found
}

/// All variables that mean something, sorted by name.
pub(super) fn known() -> Vec<Variable> {
    let schema = schema().to_value();
    let mut found = Vec::new();
    walk(&schema, &schema["properties"]["server"], &mut vec!["server".to_owned()], &mut found);
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn walk(root: &Json, field: &Json, path: &mut Vec<String>, found: &mut Vec<Variable>) {
    let reference = field["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    let target = reference.and_then(|path| root.pointer(path)).unwrap_or(field);
    if let Some(fields) = target["properties"].as_object() {
        for (name, field) in fields {
            path.push(name.clone());
            walk(root, field, path, found);
            path.pop();
        }
        return;
    }
    let kind = match target["type"].as_str() {
        Some("string") => Kind::Text,
        Some("integer") => Kind::Integer,
        Some("boolean") => Kind::Boolean,
        _ => return,
    };
    let name = format!("PLIMSOLL_{}", path.join("_").to_ascii_uppercase());
    found.push(Variable { name, path: path.clone(), kind });
}

impl Config {
    /// The configuration with what variables say in place of what the file says.
    pub(super) fn overridden(self, variables: Vec<(String, String)>) -> anyhow::Result<Config> {
        if variables.is_empty() {
            return Ok(self);
        }
        let known = known();
        let mut table = Table::try_from(&self).context("the configuration cannot be written as TOML")?;
        for (name, value) in &variables {
            let Some(variable) = known.iter().find(|variable| variable.name == *name) else {
                bail!("{}", unknown(name, &known));
            };
            let value = variable.kind.parse(value);
            let value = value.with_context(|| format!("the environment variable `{name}` is not valid"))?;
            set(&mut table, &variable.path, value);
        }
        // At the end, since one variable may need another.
        let config = table.try_into().map_err(|error: toml::de::Error| {
            let mut what = error.message().to_owned();
            for (_, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
                what = what.replace(value.as_str(), "..");
            }
            let names: Vec<&str> = variables.iter().map(|(name, _)| name.as_str()).collect();
            anyhow::anyhow!(
                "with the environment variables `{}` the configuration is not valid: {what}",
                names.join("`, `")
            )
        })?;
        let config = Config { feed_urls: self.feed_urls, ..config };
        config.check().context("with the variables of the environment the configuration is not valid")?;
        Ok(config)
    }
}

impl Kind {
    fn parse(self, text: &str) -> anyhow::Result<Value> {
        match self {
            Kind::Text => Ok(Value::String(text.to_owned())),
            Kind::Integer => Ok(Value::Integer(text.trim().parse().context("it is not a whole number")?)),
            Kind::Boolean => match text.trim() {
                "true" | "1" => Ok(Value::Boolean(true)),
                "false" | "0" => Ok(Value::Boolean(false)),
                _ => bail!("it is neither `true` nor `false`"),
            },
        }
    }
}

fn set(table: &mut Table, path: &[String], value: Value) {
    let Some((last, above)) = path.split_last() else { return };
    let mut table = table;
    for key in above {
        let entry = table.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(below) = entry else { return };
        table = below;
    }
    table.insert(last.clone(), value);
}

fn unknown(name: &str, known: &[Variable]) -> String {
    let nearest = known.iter().map(|one| (distance(name, &one.name), &one.name)).min();
    let hint = match nearest.filter(|(letters, _)| *letters <= 3) {
        Some((_, meant)) => format!("was `{meant}` meant?"),
        // Kubernetes sets such names for each Service of the namespace.
        None if name.contains("_PORT") || name.contains("_SERVICE_") => {
            "Kubernetes sets it for a Service named `plimsoll-server`; set `enableServiceLinks: false` in the pod"
                .to_owned()
        }
        None => "`docs/configuration.md` lists those that do".to_owned(),
    };
    format!("the environment variable `{name}` means nothing; {hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overridden(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let variables = variables.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Config::parse(file).unwrap().overridden(variables).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn names_are_unique() {
        let known = known();
        assert!(known.is_sorted_by(|a, b| a.name < b.name));
        for name in ["PLIMSOLL_SERVER_LISTEN", "PLIMSOLL_SERVER_TLS_KEY", "PLIMSOLL_SERVER_LIMITS_BODY_MAX"] {
            assert!(known.iter().any(|one| one.name == name), "{name}");
        }
    }

    #[test]
    fn variables_come_before_the_file() {
        let file =
            "offline = true\n[server]\nlisten = '127.0.0.1:1'\nurl = 'https://a'\n[feeds.kev]\nmax_age = 3\n";
        let config = overridden(
            file,
            &[
                ("PLIMSOLL_SERVER_LISTEN", "127.0.0.1:2"),
                ("PLIMSOLL_SERVER_UPDATES_FEEDS", "false"),
                ("PLIMSOLL_SERVER_WORKERS", "3"),
                ("PLIMSOLL_SERVER_AUTH_ANONYMOUS", "read"),
                ("PLIMSOLL_SERVER_LIMITS_ANSWER_TIME_MAX", "5m"),
            ],
        )
        .unwrap();
        let server = &config.server;
        assert_eq!((server.listen.as_str(), server.url.as_deref()), ("127.0.0.1:2", Some("https://a")));
        assert_eq!((server.updates_feeds, server.workers), (false, Some(3)));
        assert_eq!(server.auth.anonymous, crate::config::Anonymous::Read);
        assert_eq!(server.limits.answer_time_max.0.as_secs(), 300);
        assert!(config.offline && config.feeds.contains_key("kev"));
    }

    #[test]
    fn what_is_refused() {
        for (name, value, wanted) in [
            ("PLIMSOLL_SERVER_LISTN", "x", "was `PLIMSOLL_SERVER_LISTEN` meant?"),
            ("PLIMSOLL_SERVER_PORT_6060_TCP", "tcp://10.0.0.1", "enableServiceLinks"),
            ("PLIMSOLL_SERVER_WORKERS", "many", "not a whole number"),
            ("PLIMSOLL_SERVER_WORKERS", "-1", "PLIMSOLL_SERVER_WORKERS"),
            ("PLIMSOLL_SERVER_LOG_JSON", "yes", "neither `true` nor `false`"),
            ("PLIMSOLL_SERVER_LIMITS_BODY_MAX", "geheim", "PLIMSOLL_SERVER_LIMITS_BODY_MAX"),
            ("PLIMSOLL_SERVER_TLS_KEY", "key.pem", "certificate"),
        ] {
            let error = overridden("", &[(name, value)]).unwrap_err();
            assert!(error.contains(wanted), "{error}");
            assert!(!error.contains("geheim"), "{error}");
        }
        // Two variables may need each other.
        let both = [("PLIMSOLL_SERVER_TLS_CERTIFICATE", "a.pem"), ("PLIMSOLL_SERVER_TLS_KEY", "b.pem")];
        assert!(overridden("", &both).unwrap().server.tls.is_some());
    }
}
