//! `sbom.valid`: does a signer that the policy names say what is aboard?

use super::{About, Rule, attested, count};
use crate::clearance::{Answer, Case, ListSeen, Outcome, Weight};
use crate::digest::Digest;
use crate::evidence::Predicate;

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "sbom.valid",
    asks: "does a signer that the policy names list what is aboard",
    about: About::List,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    let asked = attested::asked(case, case.demands.evidence.list.as_ref(), "lists of packages");
    let (demand, seen) = match asked {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    attested::whole(case, |subject: &Digest| {
        let lists: Vec<&ListSeen> = of(case, &demand.any_of, subject).collect();
        if let Some(list) = lists.iter().find(|list| list.compared.is_ok()) {
            let (format, by) = (list.format.title(), list.signers.join(", "));
            let there = count(lists.len(), "list");
            return Answer::new(Outcome::Pass, format!("{there}, {format} by `{by}`"));
        }
        if let Some(why) = lists.iter().find_map(|list| list.compared.as_ref().err()) {
            return Answer::new(Outcome::Error, format!("a list could not be held against the image: {why}"));
        }
        let others = || {
            attested::of(seen, subject).filter(|piece| {
                piece.statement().is_some_and(|statement| matches!(statement.predicate, Predicate::Sbom(_)))
            })
        };
        match others().next() {
            None => attested::none(seen, &format!("list of packages of {subject}")),
            Some(_) => {
                let detail = format!(
                    "no list is by `{}`: {}",
                    demand.any_of.join("`, `"),
                    attested::refusals(others())
                );
                attested::refused(others(), detail)
            }
        }
    })
}

/// Lists of a manifest by one of these signers.
pub(super) fn of<'a>(
    case: &Case<'a>,
    any_of: &'a [String],
    subject: &'a Digest,
) -> impl Iterator<Item = &'a ListSeen> {
    let is_by = |list: &&ListSeen| list.signers.iter().any(|signer| any_of.contains(signer));
    case.observed.lists.iter().filter(move |list| list.subject == *subject && is_by(list))
}
