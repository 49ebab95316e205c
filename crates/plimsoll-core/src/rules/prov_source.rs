//! `prov.source`: was it built from the repository that the policy names?
//!
//! What the certificate says goes before what the predicate says: the builder does not write it. A repository's number
//! goes before its name, which can be given to another.

use super::{About, Rule, attested};
use crate::clearance::{Answer, Case, Piece, ProvenanceDemand, Weight};
use crate::evidence::{Claim, Provenance, Signer};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "prov.source",
    asks: "was it built from the repository that the policy names",
    about: About::Provenance,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    attested::of_best(case, answer)
}

/// What is said of one provenance.
pub(super) fn answer(_: &Case<'_>, demand: &ProvenanceDemand, piece: &Piece, said: &Provenance) -> Answer {
    let of = |claim, field| proven(piece, claim).or(field);
    let repository = of(Claim::SourceRepositoryUri, said.source_repository.as_deref());
    let number = of(Claim::SourceRepositoryIdentifier, said.source_repository_id.as_deref());
    let wanted = |one: &Option<String>| one.iter().cloned().collect::<Vec<_>>();
    attested::together(vec![
        attested::one_of("repository", &wanted(&demand.source_repository), repository, is_repository),
        attested::one_of("repository's number", &wanted(&demand.source_repository_id), number, |a, b| a == b),
    ])
}

/// What the certificate says.
pub(super) fn proven(piece: &Piece, claim: Claim) -> Option<&str> {
    match &piece.proof()?.signer {
        Signer::Keyless(identity) => identity.claim(claim),
        Signer::Key { .. } => None,
    }
}

/// Addresses of one repository are written in several ways.
fn is_repository(wanted: &str, said: &str) -> bool {
    fn plain(address: &str) -> &str {
        let address = address.strip_prefix("git+").unwrap_or(address).trim_end_matches('/');
        address.strip_suffix(".git").unwrap_or(address)
    }
    plain(wanted) == plain(said)
}
