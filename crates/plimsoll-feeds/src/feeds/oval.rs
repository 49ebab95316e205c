//! OVAL: XML documents of definitions, one reader for all of them.
//!
//! A definition states under what criteria a system has a flaw: a tree of tests joined by `and` and `or`. It is
//! made for a program that runs on that system; here the tree is turned into statements instead, of releases,
//! packages and versions (`clauses`, `statements`). What a criterion means differs by producer and is the only
//! code of a row (`oracle_oval`, `suse_oval`, `azurelinux_oval`).
//!
//! The tests that criteria refer to stand behind the definitions. A document whose criteria do not say everything
//! in their comments is read twice, first for the tests (`checks`).
//!
//! Format: OVAL 5.11, <https://github.com/OVALProject/Language>.

use std::io::BufRead;

use plimsoll_core::advisory::Advisory;

use super::{ParseError, Part, Reading, Sink, Source, inflate, text};
use checks::Checks;
use clauses::{Multiplier, Names, Read};
use statements::{Context, statements};
use xml::{Next, Xml};

mod checks;
mod clauses;
mod definition;
mod statements;
#[cfg(test)]
mod tests;
pub(super) mod xml;

pub(super) use checks::{Check, Compares, Operation};
pub(super) use clauses::{End, LeftOut, Meaning, Package, Versions};
pub(super) use definition::Definition;

/// How a producer writes OVAL.
pub(super) struct Dialect {
    /// Whether criteria are read by their tests, not by their comments alone.
    pub(super) has_tests: bool,
    /// Whether a clause without an architecture is a mistake of the producer's.
    pub(super) needs_architecture: bool,
    /// The release that a document is about, where its criteria name none: its namespace.
    pub(super) namespace: fn(&Part) -> Option<String>,
    /// Makes the advisory of a definition, or says why it is left out. Problems that leave it standing are pushed.
    pub(super) advisory: fn(&Definition, &mut Vec<&'static str>) -> Result<Advisory, LeftOut>,
    /// What a criterion means.
    pub(super) read: Read,
}

/// Reads a document in a dialect.
pub(super) fn read(
    dialect: &Dialect,
    reading: &Reading<'_>,
    source: &mut dyn Source,
    sink: &mut dyn Sink,
) -> Result<(), ParseError> {
    let checks = match dialect.has_tests {
        true => Some(Checks::read(&mut Xml::new(inflate::inflated(source)?))?),
        false => None,
    };
    inflate::rewind(source)?;
    let mut document = Document {
        dialect,
        checks: checks.as_ref(),
        namespaces: Names::default(),
        architectures: Names::default(),
        default_namespace: None,
        named: 0,
        sink,
    };
    if let Some(namespace) = (dialect.namespace)(reading.part) {
        document.default_namespace = document.namespaces.bit(&namespace);
        document.tell_namespaces();
    }
    let date = document.read(&mut Xml::new(inflate::inflated(source)?))?;
    if let Some(date) = date {
        document.sink.data_date(&date);
        for namespace in document.namespaces.all() {
            document.sink.namespace_date(namespace, &date);
        }
    }
    Ok(())
}

/// A document that is being read.
struct Document<'a> {
    dialect: &'a Dialect,
    checks: Option<&'a Checks>,
    namespaces: Names,
    architectures: Names,
    default_namespace: Option<u64>,
    /// How many of the namespaces the sink was told.
    named: usize,
    sink: &'a mut dyn Sink,
}

impl Document<'_> {
    /// Reads the definitions; gives the date on which the document was made.
    fn read<R: BufRead>(&mut self, xml: &mut Xml<R>) -> Result<Option<String>, ParseError> {
        let (mut date, mut has_definitions) = (None, false);
        loop {
            match xml.next()? {
                Next::Open if xml.depth() == 1 && xml.name() != "oval_definitions" => {
                    return Err(ParseError("it is not an OVAL document".to_owned()));
                }
                Next::Open => match xml.name() {
                    "timestamp" => date = instant(&xml.content(64)?),
                    "definitions" => has_definitions = true,
                    "definition" => {
                        let definition = Definition::read(xml)?;
                        self.definition(&definition);
                    }
                    "tests" | "objects" | "states" => xml.skip()?,
                    _ => {}
                },
                Next::End if has_definitions => return Ok(date),
                Next::End => return Err(ParseError("it has no definitions".to_owned())),
                _ => {}
            }
        }
    }

    /// Hands one definition to the sink. What is understood of it counts, also where the rest is refused.
    fn definition(&mut self, definition: &Definition) {
        let mut problems: Vec<&'static str> = definition.problem.into_iter().collect();
        let advisory = match (self.dialect.advisory)(definition, &mut problems) {
            Ok(advisory) => advisory,
            Err(why) => return self.leave_out(&definition.id, why),
        };
        let Some(criteria) = &definition.criteria else {
            return self.leave_out(&advisory.id, LeftOut::Refused("it has no criteria"));
        };
        let clauses = Multiplier {
            read: self.dialect.read,
            checks: self.checks,
            namespaces: &mut self.namespaces,
            architectures: &mut self.architectures,
        }
        .clauses(criteria);
        self.tell_namespaces();
        let clauses = match clauses {
            Ok(clauses) => clauses,
            Err(reason) => return self.leave_out(&advisory.id, LeftOut::Refused(reason)),
        };
        let statements = statements(
            clauses,
            &Context {
                namespaces: &self.namespaces,
                architectures: &self.architectures,
                default_namespace: self.default_namespace,
                needs_architecture: self.dialect.needs_architecture,
            },
        );
        if !statements.affected.is_empty() {
            self.sink.advisory(&advisory, &statements.affected);
        } else if statements.left_out.is_empty() {
            self.sink.skip("it speaks of other products");
        }
        let refused = problems.into_iter().map(LeftOut::Refused);
        for why in statements.left_out.into_iter().chain(refused) {
            self.leave_out(&advisory.id, why);
        }
    }

    fn leave_out(&mut self, record: &str, why: LeftOut) {
        match why {
            LeftOut::Skipped(reason) => self.sink.skip(reason),
            LeftOut::Refused(reason) => self.sink.refuse(&text::shortened(record, 120), reason),
        }
    }

    /// Tells the sink the namespaces that are new.
    fn tell_namespaces(&mut self) {
        for namespace in self.namespaces.all().iter().skip(self.named) {
            self.sink.namespace(namespace);
        }
        self.named = self.namespaces.all().len();
    }
}

/// Reads a generator's time. OVAL asks for `xsd:dateTime`, which may have no offset; then it is taken for UTC.
fn instant(written: &str) -> Option<String> {
    text::instant(&format!("{}Z", written.trim())).or_else(|| text::instant(written))
}

/// A version as people write it: without an epoch of 0, which is what no epoch means.
pub(super) fn without_zero_epoch(version: &str) -> &str {
    version.strip_prefix("0:").unwrap_or(version)
}
