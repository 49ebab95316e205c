//! `prov.valid`: does a signer that the policy names say what built it, from what?

use super::{About, Rule, attested};
use crate::clearance::{Answer, Case, Outcome, Piece, Weight};
use crate::digest::Digest;
use crate::evidence::{Content, Predicate, Provenance, Scheme, Standing};

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "prov.valid",
    asks: "does a signer that the policy names say how it was built",
    about: About::Provenance,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    let asked = attested::asked(case, case.demands.evidence.provenance.as_ref(), "provenance");
    let (demand, seen) = match asked {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    attested::whole(case, |subject: &Digest| {
        if let Some((piece, provenance)) = attested::best(case, demand, seen, subject)
            && let Some(proof) = piece.proof()
        {
            let kind = piece.statement().map_or("", |statement| statement.predicate_type.as_str());
            let who = attested::signer(&proof.signer);
            let what = built(provenance);
            return Answer::new(Outcome::Pass, format!("`{kind}` by {who}{what}"));
        }
        let is_signed = |piece: &&Piece| !matches!(piece.item.standing, Standing::Unsigned);
        let there = || attested::of(seen, subject).filter(|piece| may_be(piece));
        match (there().any(|piece| is_signed(&piece)), there().count()) {
            (true, _) => {
                let wanted = demand.any_of.join("`, `");
                let refusals = attested::refusals(there().filter(is_signed));
                let detail = format!("no provenance is by `{wanted}`: {refusals}");
                attested::refused(there().filter(is_signed), detail)
            }
            (false, 0) => attested::none(seen, &format!("provenance of {subject}")),
            (false, claims) => {
                let what = format!("provenance of {subject} but {claims} claims that nobody signed");
                attested::none(seen, &what)
            }
        }
    })
}

/// Whether it is a provenance, or says that it is one and cannot be read. Evidence of which nothing could be read is
/// counted too, save cosign's signatures: what it would have said is not known.
fn may_be(piece: &Piece) -> bool {
    match &piece.item.content {
        Content::Statement(statement) => match &statement.predicate {
            Predicate::Provenance(_) => true,
            Predicate::Unreadable(_) => statement.predicate_type.contains("provenance"),
            _ => false,
        },
        Content::Signature { .. } => false,
        // What BuildKit put into the index nobody signed, so it would not count whatever it said.
        Content::Unread => !attested::is_signature(piece) && piece.item.place.scheme != Scheme::Buildkit,
    }
}

/// `, built by X from Y at Z`, as far as it is said.
fn built(provenance: &Provenance) -> String {
    let mut text = String::new();
    for (word, said) in [
        (", built by", &provenance.builder),
        (" from", &provenance.source_repository),
        (" at", &provenance.commit),
    ] {
        if let Some(said) = said {
            text += &format!("{word} `{said}`");
        }
    }
    text
}
