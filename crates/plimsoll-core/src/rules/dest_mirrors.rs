//! `dest.mirrors`: do all destinations have the same?

use super::{About, Rule, count};
use crate::clearance::{Answer, Case, Outcome, Trouble, Weight};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "dest.mirrors",
    asks: "do all destinations have the same",
    about: About::Destinations,
    weight: Weight::Warn,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    let destinations = &case.observed.destinations;
    if destinations.len() < 2 {
        return Answer::new(Outcome::NotApplicable, "there are no several destinations");
    }
    let mut odd = Vec::new();
    for tag in &case.candidate.tags {
        let of_tag = destinations.iter().filter_map(|destination| {
            let (_, seen) = destination.tags.iter().find(|(name, _)| name == tag)?;
            Some((destination.repository.as_str(), seen))
        });
        let mut has = Vec::new();
        let mut has_not = Vec::new();
        for (repository, seen) in of_tag {
            match seen {
                Ok(_) => has.push(repository),
                Err(Trouble::Missing(_)) => has_not.push(repository),
                // `tag.destination` tells it.
                Err(_) => {}
            }
        }
        if let ([has, ..], [has_not, ..]) = (has.as_slice(), has_not.as_slice()) {
            odd.push(format!("`{tag}` is at `{has}` and not at `{has_not}`"));
        }
    }
    match odd.is_empty() {
        true => Answer::new(
            Outcome::Pass,
            format!("{} have the same tags", count(destinations.len(), "destination")),
        ),
        false => Answer::new(Outcome::Fail, odd.join("; ")),
    }
}
