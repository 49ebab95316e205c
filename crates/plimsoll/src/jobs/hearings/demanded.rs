//! The policies under one name of the configuration, and until when they say what they say.
//!
//! Policies and waivers have dates: a check that is required from a day on, a waiver that runs out. What was cleared
//! before must not be acted on after one of them, so the next of them is found wherever it stands in the files.

use std::path::Path;

use anyhow::{Context as _, bail};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use plimsoll_core::clearance::Level;
use plimsoll_core::digest::Digest;
use serde_json::Value;

use crate::clear::files::Files;
use crate::clear::policy::{Policy, day, yaml};
use crate::config::Config;

/// What is demanded.
pub(crate) struct Demanded {
    pub(crate) policies: Vec<Policy>,
    /// All files that were read, with the digests of their bytes.
    pub(crate) files: Vec<(String, Digest)>,
    /// When the files say something else by themselves.
    pub(crate) holds_until: Option<Timestamp>,
}

impl Demanded {
    /// Reads the policies of a name; none for the empty one.
    pub(crate) fn read(config: &Config, name: &str, now: Timestamp) -> anyhow::Result<Demanded> {
        let paths = match config.clearances.policies.get(name) {
            Some(paths) => paths.as_slice(),
            None if name.is_empty() => &[],
            None => bail!("there is no policy `{name}` in `policies` of `[clearances]` any more"),
        };
        let (mut policies, mut files, mut next) = (Vec::new(), Vec::new(), None);
        let today = day(now);
        for path in paths {
            let read = Files::default();
            policies.push(Policy::read(path, &read, today)?);
            for (file, digest) in read.into_read() {
                let again = Files::default();
                let bytes = again.read(Path::new(&file))?;
                if again.into_read() != [(file.clone(), digest.clone())] {
                    bail!("`{file}` was changed while it was read");
                }
                let dates: Option<Date> = bytes.and_then(|bytes| next_date(&bytes, today));
                next = [next, dates].into_iter().flatten().min();
                files.push((file, digest));
            }
        }
        let holds_until = next
            .map(|date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()))
            .transpose()
            .with_context(|| format!("a date in the policy `{name}` is out of range"))?;
        Ok(Demanded { policies, files, holds_until })
    }

    /// How closely to look.
    pub(crate) fn level(&self) -> Level {
        self.policies.iter().filter_map(|policy| policy.level).max().unwrap_or_default()
    }
}

/// The next day on which a file says something else: what is `from` a day changes with it, what `expires` on a day
/// after it.
fn next_date(bytes: &[u8], today: Date) -> Option<Date> {
    let document: Value = yaml(bytes).ok()?;
    let mut next = None;
    let mut left = vec![&document];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(values) => left.extend(values),
            Value::Object(fields) => {
                for (key, value) in fields {
                    let date = value.as_str().and_then(|text| text.parse::<Date>().ok());
                    let changes = match (key.as_str(), date) {
                        ("from", Some(date)) => Some(date),
                        ("expires", Some(date)) => date.tomorrow().ok(),
                        _ => None,
                    };
                    next = [next, changes.filter(|date| *date > today)].into_iter().flatten().min();
                    left.push(value);
                }
            }
            _ => {}
        }
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_day_on_which_something_is_otherwise() {
        let today: Date = "2030-01-02".parse().unwrap();
        for (text, wanted) in [
            (
                "name: x\nchecks: {a.b: {mode: require, from: 2030-02-01}, c.d: {from: 2030-01-20}}",
                "2030-01-20",
            ),
            ("- {id: a, expires: 2030-01-02}\n- {id: b, expires: 2030-01-09}", "2030-01-03"),
            ("- {id: a, expires: '20300105'}", "2030-01-06"),
            ("from: 2030-01-02\nother: 2030-01-04\nexpires: 2030-01-01", ""),
            ("- [not, a, policy]", ""),
        ] {
            let found = next_date(text.as_bytes(), today).map_or(String::new(), |date| date.to_string());
            assert_eq!(found, wanted, "{text}");
        }
    }
}
