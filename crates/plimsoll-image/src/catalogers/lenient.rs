//! Reads text and JSON of packages the way their own tools do: what is odd in one place costs that place alone.
//!
//! Serde's derived structs refuse a whole file for one field of another type, one key that occurs twice or
//! one number out of range. Here an object's members are handed out one by one as raw text that borrows from
//! the file, and each field is read for itself. Whatever stands before the place where a file breaks is kept.
//! Values that nobody wants are skipped without recursion, so their depth costs nothing.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::value::RawValue;

use super::{File, Found, Problem};

/// Longest name or version that is taken, in bytes. npm and NuGet end at 214 and 100 characters.
pub(super) const TEXT_BYTES_MAX: usize = 1024;

/// Longest licence that is taken for a name or an expression rather than for the licence's text, in bytes.
const LICENSE_BYTES_MAX: usize = 256;

/// Most licences of one package.
const LICENSES_MAX: usize = 64;

/// Most fields or items of one file that are handed out. Large `installed.json` and `*.deps.json` have hundreds.
const MEMBERS_MAX: usize = 50_000;

/// Most problems of one file.
const PROBLEMS_MAX: usize = 100;

/// Reads the whole file as [`text`], or fails if it is larger than `bytes_max`.
pub(super) fn read_text(file: &mut File<'_>, bytes_max: u64) -> Result<String, Problem> {
    file.whole_bytes_max = file.whole_bytes_max.min(bytes_max);
    file.bytes().map(text)
}

/// The bytes as text: without a byte order mark, what is not UTF-8 replaced by `?`. That happens in place, so
/// that a file full of such bytes takes no more memory than another.
pub(super) fn text(mut bytes: Vec<u8>) -> String {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    let mut rest = bytes.as_mut_slice();
    while let Err(error) = std::str::from_utf8(rest) {
        let (_, wrong) = rest.split_at_mut(error.valid_up_to());
        let length = error.error_len().unwrap_or(wrong.len());
        let (wrong, behind) = wrong.split_at_mut(length);
        wrong.fill(b'?');
        rest = behind;
    }
    String::from_utf8(bytes).expect("all that was not UTF-8 has been replaced")
}

/// Adds a problem, up to [`PROBLEMS_MAX`] of them.
pub(super) fn add_problem(found: &mut Found, problem: Problem) {
    let count = found.problems.len();
    if count < PROBLEMS_MAX {
        found.problems.push(problem);
    } else if count == PROBLEMS_MAX {
        found.problems.push(Problem::limit(format!("has more than {PROBLEMS_MAX} problems")));
    }
}

/// What a field of a JSON object holds, where a string is wanted.
pub(super) enum Text<'a> {
    /// Nothing: the field is not there, `null` or blank.
    Absent,
    /// A string, trimmed.
    Is(Cow<'a, str>),
    /// Something else, or a string of more than [`TEXT_BYTES_MAX`] bytes.
    Wrong,
}

impl<'a> Text<'a> {
    /// Reads a field's raw value.
    pub(super) fn of(raw: Option<&'a RawValue>) -> Text<'a> {
        let Some(raw) = raw.map(RawValue::get).filter(|raw| *raw != "null") else {
            return Text::Absent;
        };
        match serde_json::from_str::<Borrowed<'a>>(raw) {
            Ok(Borrowed(text)) if text.trim().is_empty() => Text::Absent,
            Ok(Borrowed(text)) if text.len() <= TEXT_BYTES_MAX => Text::Is(trim(text)),
            _ => Text::Wrong,
        }
    }

    /// The string, empty if there is none, or what is wrong with the field called `field`.
    pub(super) fn or_problem(self, field: &str) -> Result<Cow<'a, str>, Problem> {
        match self {
            Text::Absent => Ok(Cow::Borrowed("")),
            Text::Is(text) => Ok(text),
            Text::Wrong => Err(Problem::unreadable(format!(
                "`{field}` is not a well-formed string of at most {TEXT_BYTES_MAX} bytes"
            ))),
        }
    }
}

fn trim(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// A string that borrows from the file unless it has escapes.
#[derive(Deserialize)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

/// Hands every field of a JSON object to `each`, in the file's order, as key and raw value.
///
/// With `under`, an outermost object is only looked through for this key, and the fields of its value are
/// handed out instead. Says whether there was an object whose fields could be handed out.
///
/// # Errors
/// The text is no such JSON from some place on, or more than [`MEMBERS_MAX`] would be handed out. What stands
/// before that place has been handed out.
pub(super) fn fields<'a>(
    text: &'a str,
    under: Option<&str>,
    each: impl FnMut(Cow<'a, str>, &'a RawValue),
) -> Result<bool, Problem> {
    walk(text, under, false, each)
}

/// Hands every field of an object inside a file to `each`.
///
/// # Errors
/// It is no object.
pub(super) fn fields_of<'a>(
    raw: &'a RawValue,
    each: impl FnMut(Cow<'a, str>, &'a RawValue),
) -> Result<(), Problem> {
    // The file's parser has been over it, so that only its type can be wrong; a position in it says nothing.
    walk(raw.get(), None, false, each).map(drop).map_err(|problem| match problem.is_limit {
        true => problem,
        false => Problem::unreadable("is not an object with readable keys"),
    })
}

/// Hands every item of a JSON array to `each`: of the outermost or, if that is an object, of that under the
/// key `under`. As PHP writes an array with holes as an object, the values of an object are items too.
/// Answers and fails like [`fields`].
pub(super) fn items<'a>(
    text: &'a str,
    under: &str,
    mut each: impl FnMut(&'a RawValue),
) -> Result<bool, Problem> {
    walk(text, Some(under), true, |_, raw| each(raw))
}

fn walk<'a>(
    text: &'a str,
    under: Option<&str>,
    takes_arrays: bool,
    mut each: impl FnMut(Cow<'a, str>, &'a RawValue),
) -> Result<bool, Problem> {
    let mut state = WalkState { is_found: false, count: 0, each: &mut each };
    let mut json = serde_json::Deserializer::from_str(text);
    let outcome = Walk { under, takes_arrays, state: &mut state }.deserialize(&mut json);
    match outcome.and_then(|()| json.end()) {
        Ok(()) => Ok(state.is_found),
        Err(_) if state.count > MEMBERS_MAX => Err(Problem::limit(format!(
            "has more than {MEMBERS_MAX} records, of which the rest was not read"
        ))),
        Err(error) => Err(Problem::unreadable(format!("is not the JSON that it should be: {error}"))),
    }
}

struct WalkState<'w, F> {
    is_found: bool,
    count: usize,
    each: &'w mut F,
}

impl<F> WalkState<'_, F> {
    /// Hands out one member, or fails at the limit.
    fn hand_out<'de, E: serde::de::Error>(&mut self, key: Cow<'de, str>, raw: &'de RawValue) -> Result<(), E>
    where
        F: FnMut(Cow<'de, str>, &'de RawValue),
    {
        self.count = self.count.saturating_add(1);
        if self.count > MEMBERS_MAX {
            return Err(E::custom("too many members"));
        }
        (self.each)(key, raw);
        Ok(())
    }
}

/// Walks an object or array; both levels of a walk share one state.
struct Walk<'w, 's, F> {
    under: Option<&'w str>,
    takes_arrays: bool,
    state: &'w mut WalkState<'s, F>,
}

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> DeserializeSeed<'de> for Walk<'_, '_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Walk<'_, '_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.takes_arrays { "an array or an object" } else { "an object" })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.state.is_found |= self.under.is_none();
        while let Some(Borrowed(key)) = map.next_key()? {
            match self.under {
                None => self.state.hand_out(key, map.next_value()?)?,
                Some(under) if under == key => map.next_value_seed(Walk {
                    under: None,
                    takes_arrays: self.takes_arrays,
                    state: &mut *self.state,
                })?,
                Some(_) => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if !self.takes_arrays {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        self.state.is_found = true;
        while let Some(raw) = seq.next_element()? {
            self.state.hand_out(Cow::Borrowed(""), raw)?;
        }
        Ok(())
    }
}

/// The licences that one package states.
#[derive(Default)]
pub(super) struct Licenses {
    names: Vec<String>,
    is_over: bool,
}

impl Licenses {
    /// Adds a licence if it is one short line; the text of a licence is not its name.
    pub(super) fn add(&mut self, text: &str) {
        let text = text.trim();
        if text.is_empty() || text.len() > LICENSE_BYTES_MAX || text.contains(['\n', '\r']) {
            return;
        }
        if self.names.len() == LICENSES_MAX {
            self.is_over = true;
        } else if !self.names.iter().any(|name| name == text) {
            self.names.push(text.to_owned());
        }
    }

    /// Adds what a JSON field states: a string, an object with a `type` or `name`, or an array of these.
    /// What has another shape names no licence.
    pub(super) fn add_json(&mut self, raw: &RawValue) {
        if raw.get().starts_with('[') {
            // The file's parser has been over it, so that only the limit can be in the way.
            self.is_over |= walk(raw.get(), None, true, |_, item| self.add_one_json(item)).is_err();
        } else {
            self.add_one_json(raw);
        }
    }

    fn add_one_json(&mut self, raw: &RawValue) {
        if raw.get().starts_with('{') {
            let _ = walk(raw.get(), None, false, |key, value| {
                if matches!(&*key, "type" | "name") {
                    self.add_string(value);
                }
            });
        } else {
            self.add_string(raw);
        }
    }

    fn add_string(&mut self, raw: &RawValue) {
        if let Text::Is(text) = Text::of(Some(raw)) {
            self.add(&text);
        }
    }

    /// Whether there is none so far.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The licences, in the order stated; says in `found` if there were too many.
    pub(super) fn finish(self, found: &mut Found) -> Vec<String> {
        if self.is_over {
            add_problem(found, Problem::limit(format!("states more than {LICENSES_MAX} licences")));
        }
        self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_larger_than_the_limit_is_not_read() {
        for (size, is_read) in [(10, true), (11, false), (u64::MAX, false)] {
            let outcome = read_text(&mut File::new("x", size, &mut [b'x'; 10].as_slice()), 10);
            assert_eq!(outcome.is_ok(), is_read, "{size}");
            assert!(outcome.is_ok() || outcome.is_err_and(|problem| problem.is_limit), "{size}");
        }
    }

    #[test]
    fn problems_end_with_the_limit() {
        let mut found = Found::default();
        for count in 0..PROBLEMS_MAX + 10 {
            add_problem(&mut found, Problem::unreadable(count.to_string()));
        }
        assert_eq!(found.problems.len(), PROBLEMS_MAX + 1);
        assert!(found.problems.last().is_some_and(|problem| problem.is_limit));
    }

    #[test]
    fn members_end_with_the_limit() {
        for (extra, is_whole) in [(0, true), (1, false)] {
            let text = format!("[{}1]", "1,".repeat(MEMBERS_MAX - 1 + extra));
            let mut count = 0;
            let outcome = items(&text, "x", |_| count += 1);
            assert_eq!(count, MEMBERS_MAX);
            assert_eq!(outcome.is_ok(), is_whole);
            assert!(outcome.is_ok() || outcome.is_err_and(|problem| problem.is_limit));
        }
    }

    #[test]
    fn text_replaces_what_is_not_utf_8() {
        for (bytes, expected) in [
            (&b"plain"[..], "plain"),
            (b"\xef\xbb\xbfmarked", "marked"),
            (b"J\xf6rg \xc3\xb6 \xff\xfe", "J?rg \u{f6} ??"),
            (b"cut \xe2\x82", "cut ??"),
            (b"", ""),
        ] {
            assert_eq!(text(bytes.to_vec()), expected);
        }
    }

    #[test]
    fn fields_before_the_break_are_handed_out() {
        for (text, under, expected, is_ok) in [
            (r#"{"a": 1, "b": [2]}"#, None, "a=1 b=[2] ", true),
            (r#"{"a": 1, "b": [2"#, None, "a=1 ", false),
            (r#"{"a": {"b": 1}, "c": {"d": 2}}"#, Some("c"), "d=2 ", true),
            (r#"{"c": {"b": 1, "d"#, Some("c"), "b=1 ", false),
            (r#"{"c": [1]}"#, Some("c"), "", false),
            (r#"[{"a": 1}]"#, None, "", false),
            ("7", None, "", false),
        ] {
            let mut handed = String::new();
            let outcome = fields(text, under, |key, raw| handed += &format!("{key}={raw} "));
            assert_eq!((handed.as_str(), outcome.is_ok()), (expected, is_ok), "{text}");
        }
    }
}
