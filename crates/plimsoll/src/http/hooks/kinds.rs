//! What registries send when something was pushed or deleted: bytes to events, one row a kind.
//!
//! Nothing that is sent is believed here: an event says which names an image may have, and whoever reads it decides which of
//! these registries are asked. What was not understood is a problem; what is of no interest, such as pulls, is counted.
//!
//! This file and its rows use nothing else of the server, so that the fuzz target can read them as they are.

use serde_json::Value;

mod distribution;
mod github_package;
mod harbor;
mod plain;
mod quay;

/// Largest body, in bytes.
pub(crate) const BODY_BYTES_MAX: usize = 1 << 20;
/// Most events of one body.
pub(crate) const EVENTS_MAX: usize = 256;
/// Most problems that are told.
const PROBLEMS_MAX: usize = 32;
/// Longest name, tag or digest, in bytes.
const TEXT_BYTES_MAX: usize = 512;

/// A kind of webhook.
pub(crate) struct Kind {
    /// Its name, kebab-case, as the URL has it.
    pub(crate) name: &'static str,
    /// Who sends it, for people.
    pub(crate) about: &'static str,
    /// Reads a body.
    pub(crate) read: fn(&Value, &mut Events),
}

/// All kinds, sorted by name.
pub(crate) static KINDS: &[&Kind] =
    &[&distribution::KIND, &github_package::KIND, &harbor::KIND, &plain::KIND, &quay::KIND];

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// Something is there that was not, or a tag leads elsewhere.
    Pushed,
    /// Something is gone.
    Deleted,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// What happened.
    pub(crate) happened: Happened,
    /// What the repository may be called, `HOST/REPOSITORY`: the likeliest first.
    pub(crate) names: Vec<String>,
    /// The tag, where one is told.
    pub(crate) tag: Option<String>,
    /// The digest, where one is told.
    pub(crate) digest: Option<String>,
}

/// What a body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Events {
    /// What happened, in the order of the body.
    pub(crate) events: Vec<Event>,
    /// What was not understood.
    pub(crate) problems: Vec<String>,
    /// Problems that are not told.
    pub(crate) more_problems: usize,
    /// Events that are of no interest.
    pub(crate) ignored: usize,
}

impl Events {
    /// Adds an event. Without a name it is a problem.
    fn push(&mut self, event: Event) {
        if event.names.is_empty() {
            self.problem("an event names no repository that could be asked for");
        } else if self.events.len() == EVENTS_MAX {
            self.problem(&format!("there are more than {EVENTS_MAX} events; the rest was not looked at"));
        } else {
            self.events.push(event);
        }
    }

    /// Adds a problem.
    fn problem(&mut self, text: &str) {
        if self.problems.iter().any(|known| known == text) || self.problems.len() == PROBLEMS_MAX {
            self.more_problems += 1;
        } else {
            self.problems.push(text.to_owned());
        }
    }
}

/// The kind with a name.
pub(crate) fn by_name(name: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|kind| kind.name == name)
}

/// Reads a body. An error says why it is none at all.
pub(crate) fn read(kind: &Kind, bytes: &[u8]) -> Result<Events, String> {
    if bytes.len() > BODY_BYTES_MAX {
        return Err(format!("it is larger than {BODY_BYTES_MAX} bytes"));
    }
    let body: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let mut events = Events::default();
    (kind.read)(&body, &mut events);
    Ok(events)
}

/// A text of a body, where it is there, not empty and not too long.
fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .map(str::trim)
        .filter(|text| !text.is_empty() && text.len() <= TEXT_BYTES_MAX)
}

/// The same, owned.
fn owned(value: &Value, pointer: &str) -> Option<String> {
    text(value, pointer).map(str::to_owned)
}

/// A list of a body; a problem where it is not there.
fn list<'a>(value: &'a Value, pointer: &str, events: &mut Events) -> &'a [Value] {
    match value.pointer(pointer).and_then(Value::as_array) {
        Some(list) => list,
        None => {
            events.problem(&format!("it has no list at `{pointer}`"));
            &[]
        }
    }
}

/// `HOST/REPOSITORY[:TAG][@DIGEST]` in its parts, none of them checked; `https://` before it is left out.
fn split(reference: &str) -> (String, Option<String>, Option<String>) {
    let rest = reference.split_once("://").map_or(reference, |(_, rest)| rest);
    let (rest, digest) = match rest.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.to_owned())),
        None => (rest, None),
    };
    match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name.to_owned(), Some(tag.to_owned()), digest),
        _ => (rest.to_owned(), None, digest),
    }
}
