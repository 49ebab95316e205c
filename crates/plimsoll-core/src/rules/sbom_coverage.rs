//! `sbom.coverage`: does the attested list have what is aboard, and is what it lists aboard?

use super::{About, Rule, attested, sbom_valid};
use crate::clearance::{Answer, Case, ListCompared, Outcome, Weight};
use crate::digest::Digest;

/// Most packages that are named; the rest are counted.
const NAMED_MAX: usize = 5;

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "sbom.coverage",
    asks: "does the attested list have what is aboard",
    about: About::List,
    weight: Weight::Warn,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    let asked = attested::asked(case, case.demands.evidence.list.as_ref(), "lists of packages");
    let (demand, _) = match asked {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    attested::whole_of_found(case, "list of packages that could be compared", |subject: &Digest| {
        let lists =
            sbom_valid::of(case, &demand.any_of, subject).filter_map(|list| list.compared.as_ref().ok());
        let Some(best) = lists.max_by(|a, b| a.coverage().total_cmp(&b.coverage())) else {
            return Answer::new(Outcome::Missing, "there is none");
        };
        let outcome = match demand.coverage {
            Some(least) if best.coverage() < least => Outcome::Fail,
            _ => Outcome::Pass,
        };
        Answer::new(outcome, detail(best, demand.coverage))
    })
}

fn detail(best: &ListCompared, least: Option<f64>) -> String {
    let aboard = best.both + best.unlisted.len();
    let mut text = format!("{} of {aboard} packages aboard are listed", best.both);
    if let Some(least) = least {
        text += &format!(" ({:.0} %, demanded {:.0} %)", best.coverage() * 100.0, least * 100.0);
    }
    for (packages, what) in [(&best.unlisted, "not listed"), (&best.absent, "listed and not found aboard")] {
        if !packages.is_empty() {
            text += &format!("; {what}: {}", named(packages));
        }
    }
    text
}

fn named(packages: &[String]) -> String {
    let shown: Vec<&str> = packages.iter().take(NAMED_MAX).map(String::as_str).collect();
    match packages.len().saturating_sub(NAMED_MAX) {
        0 => shown.join(", "),
        rest => format!("{} and {rest} more", shown.join(", ")),
    }
}
