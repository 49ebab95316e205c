//! What is bound to a statement and what it answers, alike for both engines.

use jiff::Timestamp;
use plimsoll_core::digest::Digest;

use crate::StoreError;

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Integer(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Integer(i64::from(number))
    }
}

impl From<u64> for Value {
    /// Counts and sizes; none comes near the end.
    fn from(number: u64) -> Value {
        Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<bool> for Value {
    fn from(is_so: bool) -> Value {
        Value::Integer(i64::from(is_so))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(clean(text))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(if text.contains('\0') { clean(&text) } else { text })
    }
}

impl From<&Digest> for Value {
    fn from(digest: &Digest) -> Value {
        Value::Text(digest.as_str().to_owned())
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Value {
        Value::Blob(bytes)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value::Blob(bytes.to_vec())
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Value {
        Value::Integer(time.as_microsecond())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

/// A time as it is kept, in whole microseconds, so that what is returned is what is found later.
pub(crate) fn as_kept(time: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time)
}

/// PostgreSQL keeps no NUL in a text, so neither engine does: what comes from outside may have some.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The values of a row, taken one after the other.
pub(crate) struct Columns {
    values: std::vec::IntoIter<Value>,
}

impl Columns {
    pub(crate) fn of(values: Vec<Value>) -> Columns {
        Columns { values: values.into_iter() }
    }

    fn value(&mut self) -> Result<Value, StoreError> {
        self.values.next().ok_or_else(|| StoreError::Damaged("a row has too few columns".to_owned()))
    }

    pub(crate) fn optional_integer(&mut self) -> Result<Option<i64>, StoreError> {
        match self.value()? {
            Value::Null => Ok(None),
            Value::Integer(number) => Ok(Some(number)),
            other => Err(unexpected("a number", &other)),
        }
    }

    pub(crate) fn optional_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.value()? {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            other => Err(unexpected("a text", &other)),
        }
    }

    pub(crate) fn blob(&mut self) -> Result<Vec<u8>, StoreError> {
        match self.value()? {
            Value::Blob(bytes) => Ok(bytes),
            other => Err(unexpected("bytes", &other)),
        }
    }

    pub(crate) fn integer(&mut self) -> Result<i64, StoreError> {
        self.optional_integer()?.ok_or_else(|| unexpected("a number", &Value::Null))
    }

    pub(crate) fn text(&mut self) -> Result<String, StoreError> {
        self.optional_text()?.ok_or_else(|| unexpected("a text", &Value::Null))
    }

    pub(crate) fn number<N: TryFrom<i64>>(&mut self) -> Result<N, StoreError> {
        let number = self.integer()?;
        N::try_from(number).map_err(|_| StoreError::Damaged(format!("{number} is out of range")))
    }

    pub(crate) fn is_so(&mut self) -> Result<bool, StoreError> {
        Ok(self.integer()? != 0)
    }

    pub(crate) fn optional_time(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let Some(microseconds) = self.optional_integer()? else { return Ok(None) };
        let time = Timestamp::from_microsecond(microseconds);
        // The very last second of all times has no microseconds.
        let time = time.or_else(|_| Timestamp::from_second(microseconds.div_euclid(1_000_000)));
        time.map(Some).map_err(|_| StoreError::Damaged(format!("{microseconds} is no time")))
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, StoreError> {
        self.optional_time()?.ok_or_else(|| unexpected("a time", &Value::Null))
    }

    pub(crate) fn digest(&mut self) -> Result<Digest, StoreError> {
        self.named(|text| text.parse().ok())
    }

    pub(crate) fn optional_digest(&mut self) -> Result<Option<Digest>, StoreError> {
        let Some(text) = self.optional_text()? else { return Ok(None) };
        let digest = text.parse().map_err(|_| StoreError::Damaged(format!("`{text}` is no digest")))?;
        Ok(Some(digest))
    }

    /// A text that names something.
    pub(crate) fn named<T>(&mut self, of_name: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        let name = self.text()?;
        of_name(&name).ok_or_else(|| StoreError::Damaged(format!("`{name}` names nothing that is known")))
    }

    /// A text that is JSON.
    pub(crate) fn optional_json<T: serde::de::DeserializeOwned>(&mut self) -> Result<Option<T>, StoreError> {
        let Some(text) = self.optional_text()? else { return Ok(None) };
        let value = serde_json::from_str(&text)
            .map_err(|error| StoreError::Damaged(format!("a text is no such JSON: {error}")))?;
        Ok(Some(value))
    }
}

/// Never with what is there instead: it may be a secret.
fn unexpected(wanted: &str, found: &Value) -> StoreError {
    let found = match found {
        Value::Null => "nothing",
        Value::Integer(_) => "a number",
        Value::Text(_) => "a text",
        Value::Blob(_) => "bytes",
    };
    StoreError::Damaged(format!("{found} stands where {wanted} should"))
}

/// Plain data as JSON.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data with text keys is always JSON")
}
