//! The policies under one name of the configuration, and until when they say what they say.
//!
//! Policies and waivers have dates: a check that is required from a day on, a waiver that runs out. What was cleared
//! before must not be acted on after one of them, so the next of them is found wherever it stands in the files.

use std::path::Path;

use anyhow::{Context as _, bail};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use plimsoll_core::clearance::Level;
use plimsoll_core::digest::Digest;
use serde_json::{Map, Value};

use crate::clear::files::Files;
use crate::clear::policy::{Policy, day, yaml};
use crate::config::Config;
use crate::config::units::Time;

/// Days of which one is as long as the other.
const DAY_SECONDS: u64 = 86_400;

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

/// The next day on which a file says something else: what is `from` a day changes with it, what is `until` a day or `expires` on
/// it after it, and roots of trust `asOf` a day when they are older than their `maxAge`.
fn next_date(bytes: &[u8], today: Date) -> Option<Date> {
    let document: Value = yaml(bytes).ok()?;
    let mut dates = Vec::new();
    let mut left = vec![&document];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(values) => left.extend(values),
            Value::Object(fields) => {
                dates.extend(dates_of(fields));
                left.extend(fields.values());
            }
            _ => {}
        }
    }
    dates.into_iter().filter(|date| *date > today).min()
}

/// The days on which what these fields say changes.
fn dates_of(fields: &Map<String, Value>) -> Vec<Date> {
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    let date = |key: &str| text(key).and_then(|text| text.parse::<Date>().ok());
    let after = |date: Date| date.tomorrow().ok();
    let too_old = date("asOf").zip(text("maxAge").and_then(|text| text.parse::<Time>().ok()));
    let too_old = too_old.and_then(|(date, age)| {
        date.checked_add(i64::try_from(age.0.as_secs() / DAY_SECONDS).ok()?.days()).ok()
    });
    let last_days = [date("expires"), date("until"), too_old].into_iter().flatten();
    date("from").into_iter().chain(last_days.filter_map(after)).collect()
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
            ("signers: {a: {key: k.pem, until: 2030-01-02}}", "2030-01-03"),
            ("signers: {a: {key: k.pem, until: 2030-01-05}}", "2030-01-06"),
            ("trust: {mode: pinned, asOf: 2029-12-31, maxAge: 180d}", "2030-06-30"),
            ("trust: {mode: pinned, asOf: 2029-12-31, maxAge: 60h}", "2030-01-03"),
            ("from: 2030-01-02\nother: 2030-01-04\nexpires: 2030-01-01", ""),
            ("- [not, a, policy]", ""),
        ] {
            let found = next_date(text.as_bytes(), today).map_or(String::new(), |date| date.to_string());
            assert_eq!(found, wanted, "{text}");
        }
    }
}
