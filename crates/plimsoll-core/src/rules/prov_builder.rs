//! `prov.builder`: was it built by what the policy names?

use super::{About, Rule, attested};
use crate::clearance::{Answer, Case, Piece, ProvenanceDemand, Weight};
use crate::evidence::Provenance;

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "prov.builder",
    asks: "did a builder that the policy names build it",
    about: About::Provenance,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    attested::of_best(case, answer)
}

/// What is said of one provenance.
pub(super) fn answer(_: &Case<'_>, demand: &ProvenanceDemand, _: &Piece, said: &Provenance) -> Answer {
    attested::together(vec![
        attested::one_of("builder", &demand.builders, said.builder.as_deref(), is_builder),
        attested::one_of("type of build", &demand.build_types, said.build_type.as_deref(), |a, b| a == b),
    ])
}

/// A builder's version follows an `@`.
fn is_builder(wanted: &str, said: &str) -> bool {
    wanted == said
        || !wanted.contains('@') && said.split_once('@').is_some_and(|(builder, _)| builder == wanted)
}
