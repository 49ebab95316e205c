//! `sig.name`: did the signer write down the name of this image?
//!
//! A signature is of a digest. The name that cosign writes beside it is the only thing that binds it to an image's name.

use super::{About, Rule, attested};
use crate::clearance::{Answer, Case, Outcome, Piece, Weight};
use crate::digest::Digest;
use crate::evidence::Content;

/// The row.
pub(super) static RULE: Rule = Rule {
    id: "sig.name",
    asks: "is it signed under its own name",
    about: About::Signature,
    weight: Weight::Refuse,
    is_firm: false,
    judge,
};

fn judge(case: &Case<'_>) -> Answer {
    let demand = case.demands.evidence.signature.as_ref().filter(|demand| demand.is_named);
    let (demand, seen) = match attested::asked(case, demand, "names in signatures") {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    attested::whole_of_found(case, "signature by the right signer", |subject: &Digest| {
        let by_signer = || {
            attested::of(seen, subject)
                .filter(|piece| attested::is_signature(piece) && piece.is_by(&demand.any_of))
        };
        if let Some(piece) = by_signer().find(|piece| piece.is_named == Some(true)) {
            return Answer::new(Outcome::Pass, format!("signed as `{}`", name(piece)));
        }
        match by_signer().next() {
            None => Answer::new(Outcome::Missing, "there is none"),
            Some(_) => {
                let names: Vec<&str> = by_signer().map(name).collect();
                let names = names.join("`, `");
                Answer::new(Outcome::Fail, format!("signed as `{names}`, which is none of its names"))
            }
        }
    })
}

fn name(piece: &Piece) -> &str {
    match &piece.item.content {
        Content::Signature { image_name } => image_name.as_deref().unwrap_or_default(),
        Content::Statement(statement) => statement.subjects.first().map_or("", |subject| &subject.name),
        Content::Unread => "",
    }
}
