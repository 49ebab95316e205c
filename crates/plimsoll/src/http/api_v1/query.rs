//! What queries say, read with care: a key that means nothing is an error, as in the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use plimsoll_core::scan::ScanState;

use super::super::Refusal;

/// Longest time that a client may wait for an answer.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(120);

/// Most rows of a list.
const ROWS_MAX: u32 = 500;

/// Rows of a list where nothing else is asked for.
const ROWS: u32 = 100;

/// A query, key by key.
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    /// Takes a query with these keys and no others.
    pub(super) fn new(query: BTreeMap<String, String>, known: &[&str]) -> Result<Query, Refusal> {
        match query.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(Query(query)),
            Some(key) if known.is_empty() => {
                Err(Refusal::bad_request(format!("`{key}` means nothing here; there is nothing to ask for")))
            }
            Some(key) => Err(Refusal::bad_request(format!(
                "`{key}` means nothing here; what can be asked for is {}",
                known.join(", ")
            ))),
        }
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// `true` or `false`.
    pub(super) fn is(&self, key: &str) -> Result<bool, Refusal> {
        match self.text(key) {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(text) => Err(Refusal::bad_request(format!("`{key}` is `{text}`; write true or false"))),
        }
    }

    /// A time to wait: seconds, with or without `s`, or minutes with `m`; cut to [`WAIT_MAX`].
    pub(super) fn wait(&self, key: &str) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let (number, unit) = match text.strip_suffix('m') {
            Some(number) => (number, 60),
            None => (text.strip_suffix('s').unwrap_or(text), 1),
        };
        let number: u64 = number.parse().map_err(|_| {
            Refusal::bad_request(format!("`{key}` is `{text}`; write seconds, such as `60s`"))
        })?;
        Ok(Some(Duration::from_secs(number.saturating_mul(unit)).min(WAIT_MAX)))
    }

    /// How many rows.
    pub(super) fn rows(&self, key: &str) -> Result<u32, Refusal> {
        let Some(text) = self.text(key) else { return Ok(ROWS) };
        let rows: u32 = text.parse().map_err(|_| {
            Refusal::bad_request(format!("`{key}` is `{text}`; write a number up to {ROWS_MAX}"))
        })?;
        Ok(rows.clamp(1, ROWS_MAX))
    }

    /// A number.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let number = text.parse();
        number.map(Some).map_err(|_| Refusal::bad_request(format!("`{key}` is `{text}`; write a number")))
    }

    /// A state's name.
    pub(super) fn state(&self, key: &str) -> Result<Option<ScanState>, Refusal> {
        let Some(text) = self.text(key) else { return Ok(None) };
        ScanState::of_name(text).map(Some).ok_or_else(|| {
            let names: Vec<&str> = ScanState::ALL.iter().map(|state| state.name()).collect();
            Refusal::bad_request(format!("`{text}` is no state; the states are {}", names.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(key: &str, value: &str) -> Query {
        Query::new([(key.to_owned(), value.to_owned())].into(), &[key]).unwrap_or_else(|_| panic!("{key}"))
    }

    #[test]
    fn waits_are_seconds_or_minutes_and_cut() {
        for (text, seconds) in [("60s", 60), ("5", 5), ("1m", 60), ("0s", 0), ("99999999999999999999m", 0)] {
            let wait = query("wait", text).wait("wait");
            match seconds {
                0 if text != "0s" => assert!(wait.is_err(), "{text}"),
                _ => assert_eq!(wait.ok().flatten(), Some(Duration::from_secs(seconds)), "{text}"),
            }
        }
        assert_eq!(query("wait", "600s").wait("wait").ok().flatten(), Some(WAIT_MAX));
        assert!(query("wait", "soon").wait("wait").is_err());
    }

    #[test]
    fn a_key_that_means_nothing_is_refused() {
        assert!(Query::new([("wiat".to_owned(), String::new())].into(), &["wait"]).is_err());
    }
}
