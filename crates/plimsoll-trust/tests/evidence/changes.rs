//! Evidence as JSON, changed in any place: a value is taken away, spoilt, written twice, or taken from other evidence that is whole.

use plimsoll_testkit::pki::CosignLayer;
use serde_json::{Value, json};

use crate::kinds::Kept;

/// Evidence as one JSON value; JSON that stands in it as text is opened.
pub(crate) fn open(kept: &Kept) -> Value {
    match kept {
        Kept::Bundle(text) => serde_json::from_str(text).unwrap(),
        Kept::Cosign(layer) => {
            let open = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| json!(text));
            let annotations: serde_json::Map<_, _> =
                layer.annotations.iter().map(|(name, text)| (name.clone(), open(text))).collect();
            json!({"layer": open(std::str::from_utf8(&layer.bytes).unwrap()), "annotations": annotations})
        }
    }
}

/// The other way; what is not there any more is left away or empty.
pub(crate) fn close(value: &Value, like: &Kept) -> Kept {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match like {
        Kept::Bundle(_) => Kept::Bundle(value.to_string()),
        Kept::Cosign(layer) => {
            let annotations = value.get("annotations").and_then(Value::as_object).into_iter().flatten();
            Kept::Cosign(CosignLayer {
                media_type: layer.media_type,
                bytes: text(&value["layer"]).into_bytes(),
                annotations: annotations.map(|(name, value)| (name.clone(), text(value))).collect(),
            })
        }
    }
}

/// The pointers (RFC 6901) to every value in `value` but itself.
pub(crate) fn pointers(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(value, String::new(), &mut found);
    found
}

fn walk(value: &Value, pointer: String, found: &mut Vec<String>) {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(elements) => {
            elements.iter().enumerate().map(|(index, value)| (index.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    for (name, value) in below {
        let pointer = format!("{pointer}/{name}");
        found.push(pointer.clone());
        walk(value, pointer, found);
    }
}

/// What is done to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Remove,
    Null,
    Empty,
    Letter,
    Twice,
    /// It is taken from other evidence.
    Transplant,
}

impl Change {
    pub(crate) const ALL: [Change; 6] =
        [Change::Remove, Change::Null, Change::Empty, Change::Letter, Change::Twice, Change::Transplant];

    /// Changes the value at `pointer`. `donor` is other evidence of the same kind. Nothing comes of a change that changes nothing.
    pub(crate) fn make(self, value: &Value, pointer: &str, donor: &Value) -> Option<Value> {
        let mut changed = value.clone();
        let target = changed.pointer_mut(pointer)?;
        match (self, &mut *target) {
            (Change::Remove, _) => return removed(value, pointer),
            (Change::Null, target) => *target = Value::Null,
            (Change::Empty, Value::String(text)) => text.clear(),
            (Change::Empty, Value::Array(elements)) => elements.clear(),
            (Change::Empty, Value::Object(members)) => members.clear(),
            (Change::Empty, target) => *target = json!(0),
            (Change::Letter, Value::String(text)) => *text = other_letter(text, pointer.len())?,
            (Change::Letter, Value::Number(number)) => *target = json!(number.as_i64()? + 1),
            (Change::Twice, Value::Array(elements)) => elements.push(elements.first()?.clone()),
            (Change::Transplant, target) => target.clone_from(donor.pointer(pointer)?),
            _ => return None,
        }
        (changed != *value && changed != *donor).then_some(changed)
    }
}

fn removed(value: &Value, pointer: &str) -> Option<Value> {
    let mut changed = value.clone();
    let (parent, name) = pointer.rsplit_once('/')?;
    match changed.pointer_mut(parent)? {
        Value::Object(members) => drop(members.remove(&name.replace("~1", "/").replace("~0", "~"))?),
        Value::Array(elements) => drop(elements.remove(name.parse().ok()?)),
        _ => return None,
    }
    Some(changed)
}

/// The text with another letter or digit in some place, so that base64 stays base64 and numbers stay numbers.
fn other_letter(text: &str, seed: usize) -> Option<String> {
    let mut letters: Vec<char> = text.chars().collect();
    let places: Vec<usize> =
        (0..letters.len()).filter(|place| letters[*place].is_ascii_alphanumeric()).collect();
    let place = *places.get(seed * 7 % places.len().max(1))?;
    letters[place] = match letters[place] {
        digit @ '0'..='8' => char::from(u8::try_from(digit).unwrap() + 1),
        '9' => '0',
        'z' => 'a',
        'Z' => 'A',
        letter => char::from(u8::try_from(letter).unwrap() + 1),
    };
    Some(letters.into_iter().collect())
}
