//! From clauses to statements: one for each release, package and module, and for each set of architectures that
//! has versions of its own.
//!
//! What surprises: a document names a package several times for one release, where the fix was rebuilt or where
//! several products of the release carry it. The highest version counts, for the lower ones were superseded. A
//! fix beats `is affected`: of a release out of support the paid product has the fix, and nothing else has such a
//! version. And whatever calls a version affected beats what calls the package not affected.

use std::collections::BTreeMap;
use std::rc::Rc;

use plimsoll_core::advisory::{Affected, FixState, Range, RangeEnd, Status};
use plimsoll_core::ecosystems;

use super::clauses::{ALL, Clause, End, LeftOut, Names, Versions};

/// Most statements of a definition. Kernel flaws of SUSE have some ten thousand.
const STATEMENTS_MAX: usize = 500_000;

/// What is known of the document that clauses are from.
pub(super) struct Context<'a> {
    pub(super) namespaces: &'a Names,
    pub(super) architectures: &'a Names,
    /// The release that is meant where none is named.
    pub(super) default_namespace: Option<u64>,
    /// Whether a clause without an architecture is a mistake of the producer's.
    pub(super) needs_architecture: bool,
}

/// What clauses give.
#[derive(Debug, Default)]
pub(super) struct Statements {
    pub(super) affected: Vec<Affected>,
    /// Why clauses were left out, each reason once.
    pub(super) left_out: Vec<LeftOut>,
}

/// Release, package, module.
type Key = (u64, Rc<str>, Option<Rc<str>>);

/// Makes statements of the clauses of a definition.
pub(super) fn statements(clauses: Vec<Clause>, context: &Context<'_>) -> Statements {
    let mut statements = Statements::default();
    let mut groups: BTreeMap<Key, Vec<(u64, Versions)>> = BTreeMap::new();
    let (mut all_architectures, mut count) = (0, 0);
    for mut clause in clauses {
        if clause.namespaces == ALL {
            clause.namespaces = context.default_namespace.unwrap_or(ALL);
        }
        if clause.namespaces == 0 || clause.architectures == 0 {
            continue;
        }
        if let Some(why) = why_left_out(&clause, context.needs_architecture) {
            if !statements.left_out.contains(&why) {
                statements.left_out.push(why);
            }
            continue;
        }
        if clause.architectures != ALL {
            all_architectures |= clause.architectures;
        }
        let Some((name, versions)) = clause.package else { continue };
        count += clause.namespaces.count_ones() as usize;
        if count > STATEMENTS_MAX {
            let why = LeftOut::Refused("it makes more than 500,000 statements");
            return Statements { affected: Vec::new(), left_out: vec![why] };
        }
        for (bit, _) in context.namespaces.of(clause.namespaces) {
            let key = (bit, Rc::clone(&name), clause.module.clone());
            groups.entry(key).or_default().push((clause.architectures, versions.clone()));
        }
    }
    for (key, candidates) in groups {
        for (architectures, versions) in by_architectures(&candidates, all_architectures) {
            statements.affected.push(affected(&key, architectures, &versions, context));
        }
    }
    statements
}

fn why_left_out(clause: &Clause, needs_architecture: bool) -> Option<LeftOut> {
    if clause.left_out.is_some() {
        clause.left_out
    } else if clause.package.is_none() {
        Some(LeftOut::Refused("criteria name no package"))
    } else if clause.namespaces == ALL {
        Some(LeftOut::Refused("criteria name no release"))
    } else if needs_architecture && clause.architectures == ALL {
        Some(LeftOut::Skipped("it names no architecture, which is a mistake of its producer's"))
    } else {
        None
    }
}

/// The versions of each set of architectures. Where those of all that the definition speaks of are the same, no
/// architecture is named: on a system of one of them are packages of others (i686 on x86_64).
fn by_architectures(candidates: &[(u64, Versions)], all: u64) -> Vec<(u64, Vec<Versions>)> {
    let best_of = |set: u64| {
        best(candidates.iter().filter(|(architectures, _)| architectures & set != 0).map(|(_, it)| it))
    };
    if candidates.iter().any(|(architectures, _)| *architectures == ALL) {
        return vec![(ALL, best_of(ALL))];
    }
    let named = candidates.iter().fold(0, |set, (architectures, _)| set | architectures);
    let mut sets: Vec<(u64, Vec<Versions>)> = Vec::new();
    for bit in (0..64).map(|shift| 1_u64 << shift).filter(|bit| named & bit != 0) {
        let versions = best_of(bit);
        match sets.iter_mut().find(|(_, others)| *others == versions) {
            Some((set, _)) => *set |= bit,
            None => sets.push((bit, versions)),
        }
    }
    match sets.as_mut_slice() {
        [(set, _)] if *set == all => *set = ALL,
        _ => {}
    }
    sets
}

/// The versions that count of several statements on the same package.
fn best<'a>(candidates: impl Iterator<Item = &'a Versions>) -> Vec<Versions> {
    let mut by_start: BTreeMap<Option<Rc<str>>, Vec<&End>> = BTreeMap::new();
    for versions in candidates {
        by_start.entry(versions.from.clone()).or_default().push(&versions.end);
    }
    let mut best = Vec::new();
    for (from, ends) in by_start {
        let fixes = ends.iter().filter_map(|end| match end {
            End::Before(version) => Some(version),
            _ => None,
        });
        let lasts = ends.iter().filter_map(|end| match end {
            End::Through(version) => Some(version),
            _ => None,
        });
        let mut add = |end: End| best.push(Versions { from: from.clone(), end });
        let fixes = highest(fixes);
        if !fixes.is_empty() {
            fixes.into_iter().for_each(|version| add(End::Before(version)));
        } else if ends.contains(&&End::Open) {
            add(End::Open);
        } else {
            let lasts = highest(lasts);
            let is_never = lasts.is_empty();
            lasts.into_iter().for_each(|version| add(End::Through(version)));
            if is_never {
                add(End::Never);
            }
        }
    }
    if best.iter().any(|versions| versions.end != End::Never) {
        best.retain(|versions| versions.end != End::Never);
    }
    best
}

/// The highest version. One that does not parse is stated as well: whoever has the package learns that there is
/// something that could not be compared.
fn highest<'a>(versions: impl Iterator<Item = &'a Rc<str>>) -> Vec<Rc<str>> {
    let mut highest: Option<(Vec<u8>, &Rc<str>)> = None;
    let mut unparsable = Vec::new();
    for version in versions {
        match (ecosystems::RPM.scheme.key)(version) {
            Ok(key) => {
                if highest.as_ref().is_none_or(|(other, _)| *other < key) {
                    highest = Some((key, version));
                }
            }
            Err(_) if unparsable.contains(version) => {}
            Err(_) => unparsable.push(Rc::clone(version)),
        }
    }
    unparsable.extend(highest.map(|(_, version)| Rc::clone(version)));
    unparsable
}

fn affected(key: &Key, architectures: u64, versions: &[Versions], context: &Context<'_>) -> Affected {
    let (namespace, package, module) = key;
    let ranges: Vec<Range> = versions.iter().filter_map(range).collect();
    let is_fixed = |range: &Range| matches!(range.end, RangeEnd::Fixed(_));
    let owned = |names: &Names, set: u64| names.of(set).map(|(_, name)| name.to_owned()).collect::<Vec<_>>();
    Affected {
        namespace: owned(context.namespaces, *namespace).pop().unwrap_or_default(),
        package: package.as_ref().to_owned(),
        status: if ranges.is_empty() { Status::NotAffected } else { Status::Affected },
        fix: if ranges.is_empty() || ranges.iter().any(is_fixed) {
            FixState::Unstated
        } else {
            FixState::None
        },
        ranges,
        module: module.as_ref().map(|module| module.as_ref().to_owned()),
        architectures: if architectures == ALL {
            Vec::new()
        } else {
            owned(context.architectures, architectures)
        },
        severity: None,
    }
}

fn range(versions: &Versions) -> Option<Range> {
    let end = match &versions.end {
        End::Never => return None,
        End::Open => RangeEnd::Open,
        End::Through(version) => RangeEnd::Last(version.as_ref().to_owned()),
        End::Before(version) => RangeEnd::Fixed(version.as_ref().to_owned()),
    };
    Some(Range { introduced: versions.from.as_ref().map(|from| from.as_ref().to_owned()), end })
}
