//! From a tree of criteria to clauses: one package each, with the releases, architectures and module that it is
//! limited to.
//!
//! The tree is multiplied out. Where a producer writes `(product A or product B) and (package X or package Y)`,
//! alternatives that only limit become one clause, so that this gives two clauses and not four.

use std::rc::Rc;

use super::checks::{Check, Checks};
use super::definition::Criteria;

/// Most clauses of a definition. Kernel flaws of SUSE have some ten thousand.
const CLAUSES_MAX: usize = 100_000;

/// Why something is not in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::feeds) enum LeftOut {
    /// It is understood and does not belong there.
    Skipped(&'static str),
    /// It is not understood.
    Refused(&'static str),
}

/// What a criterion means.
#[derive(Debug)]
pub(in crate::feeds) enum Meaning {
    /// Nothing that is asked here, such as who signed a package.
    Holds,
    /// One of the releases with these namespaces is installed.
    Namespaces(Vec<String>),
    /// A product is installed that no row speaks of.
    Elsewhere,
    /// The architecture is one of these.
    Architectures(Vec<String>),
    /// A module is enabled: `nodejs:18`.
    Module(String),
    /// A package is installed, in these versions.
    Package(Package),
    /// Whatever it is joined to is left out.
    LeftOut(LeftOut),
}

/// A package in some versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::feeds) struct Package {
    pub(in crate::feeds) name: Rc<str>,
    pub(in crate::feeds) versions: Versions,
    /// Architectures of the package; empty for all.
    pub(in crate::feeds) architectures: Vec<String>,
}

/// Which versions have the flaw.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::feeds) struct Versions {
    /// The first; `None` from the very beginning.
    pub(in crate::feeds) from: Option<Rc<str>>,
    pub(in crate::feeds) end: End,
}

/// Where they end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::feeds) enum End {
    /// There are none: the package never had the flaw.
    Never,
    /// Nowhere.
    Open,
    /// With this version.
    Through(Rc<str>),
    /// Before this version, which has the fix.
    Before(Rc<str>),
}

/// Reads one criterion: its test, where the document is read for tests, and its comment.
pub(super) type Read = fn(comment: &str, check: Option<Check<'_>>) -> Meaning;

/// A package under limits. The limits are sets of bits, each standing for a name in [`Names`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clause {
    pub(super) namespaces: u64,
    pub(super) architectures: u64,
    pub(super) module: Option<Rc<str>>,
    pub(super) package: Option<(Rc<str>, Versions)>,
    pub(super) left_out: Option<LeftOut>,
}

/// All of a set.
pub(super) const ALL: u64 = u64::MAX;

impl Clause {
    const fn always() -> Clause {
        Clause { namespaces: ALL, architectures: ALL, module: None, package: None, left_out: None }
    }

    fn left_out(why: LeftOut) -> Clause {
        Clause { left_out: Some(why), ..Clause::always() }
    }

    /// Whether it names nothing but releases and architectures.
    fn only_limits(&self) -> bool {
        self.module.is_none() && self.package.is_none() && self.left_out.is_none()
    }

    /// What holds where both hold.
    fn and(&self, other: &Clause) -> Clause {
        let mut left_out = self.left_out.or(other.left_out);
        let module = match (&self.module, &other.module) {
            (Some(own), Some(others)) if own != others => {
                left_out = left_out.or(Some(LeftOut::Refused("criteria ask for several modules at once")));
                None
            }
            (own, others) => own.as_ref().or(others.as_ref()).cloned(),
        };
        let package = match (&self.package, &other.package) {
            (Some((own, _)), Some((others, _))) if own != others => {
                left_out = left_out.or(Some(LeftOut::Refused("criteria ask for several packages at once")));
                None
            }
            (Some((name, own)), Some((_, others))) => {
                let both = own.and(others);
                if both.is_none() {
                    left_out = left_out.or(Some(LeftOut::Refused("criteria compare a package twice")));
                }
                both.map(|versions| (Rc::clone(name), versions))
            }
            (own, others) => own.as_ref().or(others.as_ref()).cloned(),
        };
        Clause {
            namespaces: self.namespaces & other.namespaces,
            architectures: self.architectures & other.architectures,
            module,
            package,
            left_out,
        }
    }
}

impl Versions {
    fn and(&self, other: &Versions) -> Option<Versions> {
        let from = match (&self.from, &other.from) {
            (Some(own), Some(others)) if own != others => return None,
            (own, others) => own.as_ref().or(others.as_ref()).cloned(),
        };
        let end = match (&self.end, &other.end) {
            (own, others) if own == others => own.clone(),
            (End::Open, end) | (end, End::Open) => end.clone(),
            _ => return None,
        };
        Some(Versions { from, end })
    }
}

/// Names of up to 63 things, each with a bit.
#[derive(Default)]
pub(super) struct Names(Vec<String>);

impl Names {
    /// The bit of a name; `None` where there are too many.
    pub(super) fn bit(&mut self, name: &str) -> Option<u64> {
        let index = self.0.iter().position(|one| one == name).unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        });
        let fits = index < 63;
        self.0.truncate(63);
        fits.then(|| 1 << index)
    }

    /// The set of some names; `None` where there are too many.
    fn set(&mut self, names: &[String]) -> Option<u64> {
        names.iter().try_fold(0, |set, name| Some(set | self.bit(name)?))
    }

    /// The names in a set, in the order in which they came.
    pub(super) fn of(&self, set: u64) -> impl Iterator<Item = (u64, &str)> {
        let all = (0..63_u32).zip(&self.0).map(|(index, name)| (1 << index, name.as_str()));
        all.filter(move |(bit, _)| set & bit != 0)
    }

    /// All names.
    pub(super) fn all(&self) -> &[String] {
        &self.0
    }
}

/// Multiplies out the criteria of definitions.
pub(super) struct Multiplier<'a> {
    pub(super) read: Read,
    /// The tests, where the document is read for them.
    pub(super) checks: Option<&'a Checks>,
    pub(super) namespaces: &'a mut Names,
    pub(super) architectures: &'a mut Names,
}

impl Multiplier<'_> {
    /// The clauses of criteria, of which one must hold.
    pub(super) fn clauses(&mut self, criteria: &Criteria) -> Result<Vec<Clause>, &'static str> {
        match criteria {
            Criteria::All(inner) => {
                let mut product = vec![Clause::always()];
                for one in inner {
                    let clauses = self.clauses(one)?;
                    if product.len().saturating_mul(clauses.len()) > CLAUSES_MAX {
                        return Err(TOO_MANY);
                    }
                    product = multiplied(product, clauses);
                }
                Ok(product)
            }
            Criteria::Any(inner) => {
                let mut sum = Vec::new();
                for one in inner {
                    self.clauses(one)?.into_iter().for_each(|clause| add(&mut sum, clause));
                    if sum.len() > CLAUSES_MAX {
                        return Err(TOO_MANY);
                    }
                }
                Ok(sum)
            }
            Criteria::One { test, comment } => Ok(vec![self.one(test, comment)]),
            Criteria::Unknown(reason) => Ok(vec![Clause::left_out(LeftOut::Refused(reason))]),
        }
    }

    fn one(&mut self, test: &str, comment: &str) -> Clause {
        let check = match self.checks.map(|checks| checks.get(test)) {
            Some(None) => {
                return Clause::left_out(LeftOut::Refused("criteria refer to a test that is not there"));
            }
            Some(found) => found,
            None => None,
        };
        let always = Clause::always();
        match (self.read)(comment, check) {
            Meaning::Holds => always,
            Meaning::Elsewhere => Clause { namespaces: 0, ..always },
            Meaning::Namespaces(names) => match self.namespaces.set(&names) {
                Some(namespaces) => Clause { namespaces, ..always },
                None => Clause::left_out(LeftOut::Refused("the document speaks of too many releases")),
            },
            Meaning::Architectures(names) => self.of_architectures(&names, always),
            Meaning::Module(name) => Clause { module: Some(name.into()), ..always },
            Meaning::Package(package) => {
                let clause = Clause { package: Some((package.name, package.versions)), ..always };
                self.of_architectures(&package.architectures, clause)
            }
            Meaning::LeftOut(why) => Clause::left_out(why),
        }
    }

    /// No names are all of them.
    fn of_architectures(&mut self, names: &[String], clause: Clause) -> Clause {
        let set = if names.is_empty() { Some(ALL) } else { self.architectures.set(names) };
        match set {
            Some(architectures) => Clause { architectures, ..clause },
            None => Clause::left_out(LeftOut::Refused("the document speaks of too many architectures")),
        }
    }
}

const TOO_MANY: &str = "criteria multiply to more than 100,000 clauses";

fn multiplied(left: Vec<Clause>, right: Vec<Clause>) -> Vec<Clause> {
    let mut product = Vec::with_capacity(left.len().saturating_mul(right.len()));
    for one in &left {
        product.extend(right.iter().map(|other| one.and(other)));
    }
    product
}

/// Adds an alternative. One that only limits is taken together with the last of its kind.
fn add(sum: &mut Vec<Clause>, clause: Clause) {
    if let Some(last) = sum.last_mut().filter(|last| last.only_limits() && clause.only_limits()) {
        if last.architectures == clause.architectures {
            last.namespaces |= clause.namespaces;
            return;
        }
        if last.namespaces == clause.namespaces {
            last.architectures |= clause.architectures;
            return;
        }
    }
    sum.push(clause);
}
