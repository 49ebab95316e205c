//! Fields that may hold anything: what is of another kind than it should be costs itself, not its record.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A text, borrowed where it has no escapes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::feeds) struct Text<'a>(#[serde(borrow)] pub(in crate::feeds) Cow<'a, str>);

/// An object of known fields.
#[derive(Debug, Default)]
pub(in crate::feeds) struct Object<T>(pub(in crate::feeds) T);

/// What a field holds: a [`Text`], an `f64`, a `Vec`, an [`Object`] or, for one of any fields, a `BTreeMap`.
#[derive(Debug, Default)]
pub(in crate::feeds) enum Field<T> {
    /// Nothing, or `null`.
    #[default]
    Absent,
    /// What it should.
    Read(T),
    /// A value of another kind.
    Other,
}

impl<T> Field<T> {
    pub(in crate::feeds) fn read(&self) -> Option<&T> {
        if let Field::Read(value) = self { Some(value) } else { None }
    }
}

impl<T> Field<Object<T>> {
    /// The fields of the object.
    pub(in crate::feeds) fn fields(&self) -> Option<&T> {
        self.read().map(|object| &object.0)
    }

    pub(in crate::feeds) fn into_fields(self) -> Option<T> {
        if let Field::Read(Object(fields)) = self { Some(fields) } else { None }
    }
}

impl Field<Text<'_>> {
    pub(in crate::feeds) fn text(&self) -> Option<&str> {
        self.read().map(|text| &*text.0)
    }
}

/// A kind of value; `None` for all others.
trait Kind<'de>: Sized {
    fn of_text(_: Cow<'de, str>) -> Option<Self> {
        None
    }

    fn of_number(_: f64) -> Option<Self> {
        None
    }

    fn of_list<S: SeqAccess<'de>>(mut list: S) -> Result<Option<Self>, S::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn of_object<M: MapAccess<'de>>(mut object: M) -> Result<Option<Self>, M::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl<'a, 'de: 'a> Kind<'de> for Text<'a> {
    fn of_text(text: Cow<'de, str>) -> Option<Self> {
        Some(Text(text))
    }
}

impl Kind<'_> for f64 {
    fn of_number(number: f64) -> Option<f64> {
        Some(number)
    }
}

impl<'de, T: Deserialize<'de>> Kind<'de> for Vec<T> {
    fn of_list<S: SeqAccess<'de>>(mut list: S) -> Result<Option<Self>, S::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(Some(elements))
    }
}

impl<'de, T: Deserialize<'de>> Kind<'de> for Object<T> {
    fn of_object<M: MapAccess<'de>>(object: M) -> Result<Option<Self>, M::Error> {
        T::deserialize(MapAccessDeserializer::new(object)).map(|fields| Some(Object(fields)))
    }
}

impl<'a, 'de: 'a, T: Deserialize<'de>> Kind<'de> for BTreeMap<Text<'a>, T> {
    fn of_object<M: MapAccess<'de>>(mut object: M) -> Result<Option<Self>, M::Error> {
        let mut fields = BTreeMap::new();
        while let Some((key, value)) = object.next_entry()? {
            fields.insert(key, value);
        }
        Ok(Some(fields))
    }
}

impl<'de, T: Kind<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any(PhantomData))
    }
}

/// Visits whatever comes.
struct Any<T>(PhantomData<T>);

fn field<T>(value: Option<T>) -> Field<T> {
    value.map_or(Field::Other, Field::Read)
}

impl<'de, T: Kind<'de>> Visitor<'de> for Any<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Field<T>, E> {
        Ok(Field::Absent)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Field<T>, E> {
        Ok(Field::Other)
    }

    fn visit_i64<E>(self, number: i64) -> Result<Field<T>, E> {
        Ok(field(T::of_number(number as f64)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Field<T>, E> {
        Ok(field(T::of_number(number as f64)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Field<T>, E> {
        Ok(field(T::of_number(number)))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<T>, E> {
        Ok(field(T::of_text(Cow::Borrowed(text))))
    }

    fn visit_str<E>(self, text: &str) -> Result<Field<T>, E> {
        Ok(field(T::of_text(Cow::Owned(text.to_owned()))))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, list: S) -> Result<Field<T>, S::Error> {
        T::of_list(list).map(field)
    }

    fn visit_map<M: MapAccess<'de>>(self, object: M) -> Result<Field<T>, M::Error> {
        T::of_object(object).map(field)
    }
}
