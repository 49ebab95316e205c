//! What criteria refer to: tests, and the objects and states that these refer to in turn.
//!
//! They stand behind the definitions, so they are read before them, in a pass of their own. Ids end in a number
//! that is unique among their kind (OVAL 5.11, *DefinitionIDPattern* and its like), by which they are kept.

use std::collections::HashMap;
use std::io::BufRead;

use super::xml::{Next, Xml};
use crate::feeds::ParseError;

/// Most tests, objects and states, each. SUSE's largest document has a few hundred thousand.
const CHECKS_MAX: usize = 2_000_000;

/// Most characters of a version, a name or a pattern that are kept.
const TEXT_MAX: usize = 512;

/// Most bytes of all of them together. SUSE's largest document has some ten million.
const TEXTS_BYTES_MAX: usize = 256 << 20;

/// Everything that criteria refer to.
#[derive(Default)]
pub(super) struct Checks {
    tests: HashMap<u64, Test>,
    objects: HashMap<u64, Box<str>>,
    states: HashMap<u64, State>,
    /// Bytes of all texts.
    bytes: usize,
}

struct Test {
    object: u64,
    state: u64,
    is_of_rpm: bool,
    is_none: bool,
}

#[derive(Default)]
struct State {
    compares: Compares,
    operation: Operation,
    value: Box<str>,
    architectures: Box<str>,
}

/// What a state looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::feeds) enum Compares {
    /// Something else, such as who signed the package.
    #[default]
    Other,
    /// Epoch, version and release.
    Evr,
    /// The version alone.
    Version,
}

/// How it is compared (OVAL 5.11, *OperationEnumeration*).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::feeds) enum Operation {
    Equals,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    #[default]
    Other,
}

impl Operation {
    fn read(text: &str) -> Operation {
        match text {
            "equals" => Operation::Equals,
            "less than" => Operation::Less,
            "less than or equal" => Operation::LessOrEqual,
            "greater than" => Operation::Greater,
            "greater than or equal" => Operation::GreaterOrEqual,
            _ => Operation::Other,
        }
    }
}

/// A test with its object and its state.
#[derive(Clone, Copy, Debug)]
pub(in crate::feeds) struct Check<'a> {
    /// Whether it is about a package. SUSE's are about the running kernel as well.
    pub(in crate::feeds) is_of_rpm: bool,
    /// Whether no installed package may be as the state says.
    pub(in crate::feeds) is_none: bool,
    /// Name of the package.
    pub(in crate::feeds) package: &'a str,
    pub(in crate::feeds) compares: Compares,
    pub(in crate::feeds) operation: Operation,
    /// What it is compared with.
    pub(in crate::feeds) value: &'a str,
    /// Pattern of architectures, `(aarch64|x86_64)`; empty for all.
    pub(in crate::feeds) architectures: &'a str,
}

/// The number that an id ends in.
pub(super) fn number(id: &str) -> Option<u64> {
    id.rsplit(':').next()?.parse().ok()
}

impl Checks {
    /// Reads a document for its tests, objects and states.
    pub(super) fn read<R: BufRead>(xml: &mut Xml<R>) -> Result<Checks, ParseError> {
        let mut checks = Checks::default();
        loop {
            match xml.next()? {
                Next::Open => checks.element(xml)?,
                Next::End => return Ok(checks),
                _ => {}
            }
        }
    }

    fn element<R: BufRead>(&mut self, xml: &mut Xml<R>) -> Result<(), ParseError> {
        let id = |xml: &Xml<R>| xml.attribute("id").as_deref().and_then(number);
        match xml.name() {
            "definitions" => xml.skip()?,
            "rpminfo_object" => {
                if let (Some(id), Some(name)) = (id(xml), child(xml, "name")?) {
                    self.bytes += name.len();
                    self.objects.insert(id, name.into());
                }
            }
            "rpminfo_state" => {
                if let Some(id) = id(xml) {
                    let state = state(xml)?;
                    self.bytes += state.value.len() + state.architectures.len();
                    self.states.insert(id, state);
                }
            }
            name if name.ends_with("_test") => {
                if let Some(id) = id(xml) {
                    let test = test(xml)?;
                    self.tests.insert(id, test);
                }
            }
            _ => {}
        }
        let most = self.tests.len().max(self.objects.len()).max(self.states.len());
        if most > CHECKS_MAX {
            return Err(ParseError(format!("it has more than {CHECKS_MAX} tests, objects or states")));
        }
        if self.bytes > TEXTS_BYTES_MAX {
            let reason = format!("its tests, objects and states hold more than {TEXTS_BYTES_MAX} bytes");
            return Err(ParseError(reason));
        }
        Ok(())
    }

    /// A test by its id; `None` where it, its object or its state is not there.
    pub(super) fn get(&self, id: &str) -> Option<Check<'_>> {
        let test = self.tests.get(&number(id)?)?;
        if !test.is_of_rpm {
            return Some(Check {
                is_of_rpm: false,
                is_none: test.is_none,
                package: "",
                compares: Compares::Other,
                operation: Operation::Other,
                value: "",
                architectures: "",
            });
        }
        let (package, state) = (self.objects.get(&test.object)?, self.states.get(&test.state)?);
        Some(Check {
            is_of_rpm: true,
            is_none: test.is_none,
            package,
            compares: state.compares,
            operation: state.operation,
            value: &state.value,
            architectures: &state.architectures,
        })
    }
}

/// Text of the first child of a name of the element that was opened last; reads to its end.
fn child<R: BufRead>(xml: &mut Xml<R>, name: &str) -> Result<Option<String>, ParseError> {
    let (outer, mut found) = (xml.depth(), None);
    loop {
        match xml.next()? {
            Next::Open if xml.name() == name && found.is_none() => found = Some(xml.content(TEXT_MAX)?),
            Next::Close if xml.depth() < outer => return Ok(found),
            _ => {}
        }
    }
}

fn test<R: BufRead>(xml: &mut Xml<R>) -> Result<Test, ParseError> {
    let is_of_rpm = xml.name() == "rpminfo_test";
    let is_none = xml.attribute("check").is_some_and(|check| check.starts_with("none"));
    // No id is 0 (*ObjectIDPattern*), so what is not stated leads nowhere.
    let mut test = Test { object: 0, state: 0, is_of_rpm, is_none };
    let outer = xml.depth();
    loop {
        match xml.next()? {
            Next::Open => {
                let of = |name| xml.attribute(name).as_deref().and_then(number).unwrap_or(0);
                match xml.name() {
                    "object" => test.object = of("object_ref"),
                    "state" => test.state = of("state_ref"),
                    _ => {}
                }
            }
            Next::Close if xml.depth() < outer => return Ok(test),
            _ => {}
        }
    }
}

fn state<R: BufRead>(xml: &mut Xml<R>) -> Result<State, ParseError> {
    let (outer, mut state) = (xml.depth(), State::default());
    loop {
        match xml.next()? {
            Next::Open => {
                let compares = match xml.name() {
                    "evr" => Compares::Evr,
                    "version" => Compares::Version,
                    "arch" => {
                        state.architectures = xml.content(TEXT_MAX)?.into();
                        continue;
                    }
                    _ => continue,
                };
                state.compares = compares;
                state.operation = Operation::read(xml.attribute("operation").as_deref().unwrap_or("equals"));
                state.value = xml.content(TEXT_MAX)?.into();
            }
            Next::Close if xml.depth() < outer => return Ok(state),
            _ => {}
        }
    }
}
