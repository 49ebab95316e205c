//! `prov.ref`: was it built from the ref that the policy names, or from the git tag that it is promoted as?

use super::{About, Rule, attested, prov_source};
use crate::clearance::{Answer, Case, Outcome, Piece, ProvenanceDemand, Weight};
use crate::evidence::{Claim, Provenance};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "prov.ref",
    asks: "was it built from the ref that belongs to its tag",
    about: About::Provenance,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    attested::of_best(case, answer)
}

/// What is said of one provenance.
pub(super) fn answer(case: &Case<'_>, demand: &ProvenanceDemand, piece: &Piece, said: &Provenance) -> Answer {
    let reference = prov_source::proven(piece, Claim::SourceRepositoryRef).or(said.source_ref.as_deref());
    let of_tag = match (demand.tag_matches_ref, reference) {
        (false, _) => Answer::new(Outcome::NotApplicable, "no ref is demanded"),
        (true, _) if case.candidate.tags.is_empty() => {
            Answer::new(Outcome::NotApplicable, "no tag is claimed that a git tag could belong to")
        }
        (true, None) => Answer::new(Outcome::Fail, "it does not say from which ref it was built"),
        (true, Some(reference)) => match reference.strip_prefix("refs/tags/") {
            None => Answer::new(Outcome::Fail, format!("it was built from `{reference}`, which is no tag")),
            Some(tag) if case.candidate.tags.iter().any(|own| is_of(tag, own)) => {
                Answer::new(Outcome::Pass, format!("built from `{reference}`"))
            }
            Some(_) => {
                let tags = case.candidate.tags.join("`, `");
                Answer::new(Outcome::Fail, format!("it was built from `{reference}`, and is tagged `{tags}`"))
            }
        },
    };
    attested::together(vec![
        of_tag,
        attested::one_of("ref", &demand.source_refs, reference, |wanted, said| wanted == said),
    ])
}

/// Versions are tagged with and without a `v`; of a part of a repository, below its name: `charts/v1.2`.
fn is_of(git: &str, own: &str) -> bool {
    let version = git.rsplit_once('/').map_or(git, |(_, version)| version);
    let plain = |tag: &str| tag.strip_prefix('v').map(str::to_owned).unwrap_or_else(|| tag.to_owned());
    git == own || plain(version) == plain(own)
}
