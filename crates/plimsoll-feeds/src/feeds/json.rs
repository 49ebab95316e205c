//! Reading a large JSON document record by record, never as a whole.
//!
//! A record is handed out as a [`Value`], so that one of an unexpected shape is refused alone. What cannot be
//! survived is a document that is not JSON: then the part is not what it should be. The depth is bounded by
//! `serde_json` (128 levels), the size of one record by [`RECORD_BYTES_MAX`].

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::de::IoRead;

use super::ParseError;

/// Most bytes of the document that one record may take.
const RECORD_BYTES_MAX: u64 = 16 << 20;

/// Bytes read from the source at a time.
const BLOCK_BYTES: usize = 64 << 10;

/// Hands out the elements of the array in field `records` of the document's top object, and its other
/// fields, in the document's order.
pub(super) fn each_element(
    source: &mut dyn BufRead,
    records: &str,
    on_element: &mut dyn FnMut(Value),
    on_field: &mut dyn FnMut(&str, Value),
) -> Result<(), ParseError> {
    let budget = Cell::new(RECORD_BYTES_MAX);
    let mut has_records = false;
    read(
        source,
        &budget,
        WithRecords { budget: &budget, records, on_element, on_field, has_records: &mut has_records },
    )?;
    if !has_records {
        return Err(ParseError(format!("the document has no `{records}`")));
    }
    Ok(())
}

/// Hands out the members of the members of the document's top object: `(outer key, inner key, value)`. An
/// outer member that is no object is handed out as a null with an empty inner key.
pub(super) fn each_inner_member(
    source: &mut dyn BufRead,
    on_member: &mut dyn FnMut(&str, &str, Value),
) -> Result<(), ParseError> {
    let budget = Cell::new(RECORD_BYTES_MAX);
    read(source, &budget, TwoLevels { budget: &budget, on_member })
}

/// Hands out the elements of a document that is an array.
pub(super) fn each_item(
    source: &mut dyn BufRead,
    on_element: &mut dyn FnMut(Value),
) -> Result<(), ParseError> {
    let budget = Cell::new(RECORD_BYTES_MAX);
    let mut json = deserializer(source, &budget);
    let read = (&mut json).deserialize_seq(Elements { budget: &budget, on_element });
    read.and_then(|()| json.end()).map_err(unreadable)
}

fn read<'de>(
    source: &mut dyn BufRead,
    budget: &Cell<u64>,
    top: impl Visitor<'de, Value = ()>,
) -> Result<(), ParseError> {
    let mut json = deserializer(source, budget);
    (&mut json).deserialize_map(top).and_then(|()| json.end()).map_err(unreadable)
}

fn deserializer<'a>(
    source: &'a mut dyn BufRead,
    budget: &'a Cell<u64>,
) -> serde_json::Deserializer<IoRead<BufReader<Metered<'a>>>> {
    let metered = BufReader::with_capacity(BLOCK_BYTES, Metered { source, budget });
    serde_json::Deserializer::from_reader(metered)
}

fn unreadable(error: serde_json::Error) -> ParseError {
    ParseError(format!("cannot read the document as JSON: {error}"))
}

/// Counts what is read for one record, in whole blocks, and fails where it is too much.
struct Metered<'a> {
    source: &'a mut dyn BufRead,
    budget: &'a Cell<u64>,
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.source.fill_buf()?;
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.source.consume(length);
        let left = self.budget.get().checked_sub(length as u64);
        let left = left.ok_or_else(|| io::Error::other("a record is larger than 16 MiB"))?;
        self.budget.set(left);
        Ok(length)
    }
}

/// Visits a top object of which one field holds the records.
struct WithRecords<'a> {
    budget: &'a Cell<u64>,
    records: &'a str,
    on_element: &'a mut dyn FnMut(Value),
    on_field: &'a mut dyn FnMut(&str, Value),
    has_records: &'a mut bool,
}

impl<'de> Visitor<'de> for WithRecords<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == self.records {
                *self.has_records = true;
                map.next_value_seed(Elements { budget: self.budget, on_element: &mut *self.on_element })?;
            } else {
                let value = map.next_value()?;
                (self.on_field)(&key, value);
            }
            self.budget.set(RECORD_BYTES_MAX);
        }
        Ok(())
    }
}

/// Visits a top object of objects of records.
struct TwoLevels<'a> {
    budget: &'a Cell<u64>,
    on_member: &'a mut dyn FnMut(&str, &str, Value),
}

impl<'de> Visitor<'de> for TwoLevels<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key::<String>()? {
            let mut on_member = |inner: &str, value| (self.on_member)(&key, inner, value);
            map.next_value_seed(Members { budget: self.budget, on_member: &mut on_member })?;
            self.budget.set(RECORD_BYTES_MAX);
        }
        Ok(())
    }
}

/// Visits an array, handing out its elements.
struct Elements<'a> {
    budget: &'a Cell<u64>,
    on_element: &'a mut dyn FnMut(Value),
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        while let Some(value) = seq.next_element()? {
            (self.on_element)(value);
            self.budget.set(RECORD_BYTES_MAX);
        }
        Ok(())
    }
}

/// Visits an object, handing out its members; anything else is handed out as a null without a key.
struct Members<'a> {
    budget: &'a Cell<u64>,
    on_member: &'a mut dyn FnMut(&str, Value),
}

impl Members<'_> {
    fn odd<E>(self) -> Result<(), E> {
        (self.on_member)("", Value::Null);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some((key, value)) = map.next_entry::<String, Value>()? {
            (self.on_member)(&key, value);
            self.budget.set(RECORD_BYTES_MAX);
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.odd()
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.odd()
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.odd()
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.odd()
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.odd()
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.odd()
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.odd()
    }
}
