//! What the rules of evidence share: of which manifests there must be some, and which piece of several is meant.
//!
//! What surprises: more evidence never makes it worse. One good piece is enough, whatever lies beside it, since whoever can
//! push can lay anything beside it; and for the same reason taking a piece away never helps.

use super::{count, prov_builder, prov_cert_agrees, prov_fresh, prov_ref, prov_source, top};
use crate::clearance::{Answer, Case, EvidenceSeen, Outcome, Piece, ProvenanceDemand};
use crate::digest::Digest;
use crate::evidence::{Content, Predicate, Provenance, Scheme, Signer, Standing};

/// The type of statement that cosign signs images with since version 3.
const COSIGN_SIGN: &str = "https://sigstore.dev/cosign/sign/v1";

/// Most refused pieces that an answer tells of; the rest are counted.
const REFUSED_SHOWN_MAX: usize = 5;

/// What was found, where a policy demands something of it and it was looked for.
pub(super) fn asked<'a, T>(
    case: &Case<'a>,
    demand: Option<&'a T>,
    of_what: &str,
) -> Result<(&'a T, &'a EvidenceSeen), Answer> {
    top(case)?;
    let none = || Answer::new(Outcome::NotApplicable, format!("no policy asks for {of_what}"));
    let demand = demand.ok_or_else(none)?;
    let unseen = || Answer::new(Outcome::Error, "evidence was not looked for");
    Ok((demand, case.observed.evidence.as_ref().ok_or_else(unseen)?))
}

/// Judges evidence of the candidate itself, or else of every image in its index.
pub(super) fn whole(case: &Case<'_>, judge: impl Fn(&Digest) -> Answer) -> Answer {
    let top = match top(case) {
        Ok(top) => &top.digest,
        Err(answer) => return answer,
    };
    let of_top = judge(top);
    let mut images: Vec<&Digest> = case.observed.images.iter().map(|image| &image.digest).collect();
    images.sort_unstable();
    images.dedup();
    if of_top.outcome == Outcome::Pass || images.is_empty() || images == [top] {
        return of_top;
    }
    let of_images: Vec<Answer> = images.iter().map(|digest| judge(digest)).collect();
    if of_images.iter().all(|answer| answer.outcome == Outcome::Pass) {
        let first = of_images.first().map_or("", |answer| answer.detail.as_str());
        return Answer::new(Outcome::Pass, format!("of each of {}: {first}", count(images.len(), "image")));
    }
    // What is known of some image says more than that there is nothing of the index.
    match of_top.outcome {
        Outcome::Missing => Answer::all(of_images, String::new),
        _ => of_top,
    }
}

/// As [`whole`], for what can only be asked of what is there: that it is not is another rule's answer.
pub(super) fn whole_of_found(case: &Case<'_>, of_what: &str, judge: impl Fn(&Digest) -> Answer) -> Answer {
    let answer = whole(case, judge);
    match answer.outcome {
        Outcome::Missing => {
            Answer::new(Outcome::NotApplicable, format!("there is no {of_what} to ask it of"))
        }
        _ => answer,
    }
}

/// Pieces that speak of a manifest.
pub(super) fn of<'a>(seen: &'a EvidenceSeen, subject: &Digest) -> impl Iterator<Item = &'a Piece> {
    seen.pieces.iter().filter(move |piece| piece.subject == *subject)
}

/// That there is nothing, or that this could not be told.
pub(super) fn none(seen: &EvidenceSeen, of_what: &str) -> Answer {
    match seen.unseen.as_slice() {
        [] => Answer::new(Outcome::Missing, format!("there is no {of_what}")),
        unseen => Answer::new(
            Outcome::Error,
            format!("no {of_what} was seen, and {} could not be looked at", count(unseen.len(), "thing")),
        ),
    }
}

/// Whether a piece is a signature of the manifest and says nothing else. One that could not be read is taken for what the
/// place says where it lay.
pub(super) fn is_signature(piece: &Piece) -> bool {
    match &piece.item.content {
        Content::Signature { .. } => true,
        Content::Statement(statement) => statement.predicate_type == COSIGN_SIGN,
        Content::Unread => piece.item.place.scheme == Scheme::CosignSignature,
    }
}

/// The provenance that a piece is.
pub(super) fn provenance(piece: &Piece) -> Option<&Provenance> {
    match &piece.statement()?.predicate {
        Predicate::Provenance(provenance) => Some(provenance),
        _ => None,
    }
}

/// Why pieces do not count, for people.
pub(super) fn refusals<'a>(pieces: impl Iterator<Item = &'a Piece>) -> String {
    let said: Vec<String> = pieces
        .map(|piece| match &piece.item.standing {
            Standing::Proven(proof) => format!("{} is by {}", name(piece), signer(&proof.signer)),
            Standing::Refused(refusal) => {
                format!("{}: {} ({})", name(piece), refusal.detail, refusal.kind.name())
            }
            Standing::Unsigned => format!("{} is a claim that nobody signed", name(piece)),
            Standing::Unverified(why) => format!("{}: {why}", name(piece)),
        })
        .collect();
    let rest = said.len().saturating_sub(REFUSED_SHOWN_MAX);
    let mut text = said.iter().take(REFUSED_SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join("; ");
    if rest > 0 {
        text += &format!("; and {rest} more");
    }
    text
}

/// What came of pieces of which none counts: an error where nobody could verify them.
pub(super) fn refused<'a>(mut pieces: impl Iterator<Item = &'a Piece>, detail: String) -> Answer {
    match pieces.all(|piece| matches!(piece.item.standing, Standing::Unverified(_))) {
        true => Answer::new(Outcome::Error, detail),
        false => Answer::new(Outcome::Fail, detail),
    }
}

fn name(piece: &Piece) -> String {
    format!("{} {}", piece.item.place.scheme.name(), piece.item.place.name)
}

/// Who signed, for people.
pub(super) fn signer(signer: &Signer) -> String {
    match signer {
        Signer::Keyless(identity) => format!("`{}` of `{}`", identity.san, identity.issuer),
        Signer::Key { name: Some(name), .. } => format!("the key `{name}`"),
        Signer::Key { fingerprint, .. } => format!("the key {fingerprint}"),
    }
}

/// The provenance of a manifest that meets most of what is demanded, of those by the right signers.
pub(super) fn best<'a>(
    case: &Case<'_>,
    demand: &ProvenanceDemand,
    seen: &'a EvidenceSeen,
    subject: &Digest,
) -> Option<(&'a Piece, &'a Provenance)> {
    let checks = [
        prov_builder::answer,
        prov_cert_agrees::answer,
        prov_fresh::answer,
        prov_ref::answer,
        prov_source::answer,
    ];
    let bad = |piece: &Piece, provenance: &Provenance| {
        let is_bad = |answer: Answer| !matches!(answer.outcome, Outcome::Pass | Outcome::NotApplicable);
        checks.iter().filter(|check| is_bad(check(case, demand, piece, provenance))).count()
    };
    of(seen, subject)
        .filter(|piece| piece.is_by(&demand.any_of))
        .filter_map(|piece| Some((piece, provenance(piece)?)))
        .min_by_key(|(piece, provenance)| bad(piece, provenance))
}

/// What one question says of the best provenance.
pub(super) fn of_best(
    case: &Case<'_>,
    answer: fn(&Case<'_>, &ProvenanceDemand, &Piece, &Provenance) -> Answer,
) -> Answer {
    let (demand, seen) = match asked(case, case.demands.evidence.provenance.as_ref(), "provenance") {
        Ok(asked) => asked,
        Err(answer) => return answer,
    };
    let judge = |subject: &Digest| match best(case, demand, seen, subject) {
        Some((piece, provenance)) => answer(case, demand, piece, provenance),
        None => Answer::new(Outcome::Missing, "there is none"),
    };
    // Nothing is demanded: that holds, whatever is there.
    whole_of_found(case, "provenance that counts", judge)
}

/// One of the demanded values, or why it is not: shared by questions of the form "is it one of these".
pub(super) fn one_of(
    what: &str,
    wanted: &[String],
    said: Option<&str>,
    is_same: fn(&str, &str) -> bool,
) -> Answer {
    let shown = || wanted.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ");
    match said {
        _ if wanted.is_empty() => Answer::new(Outcome::NotApplicable, format!("no {what} is demanded")),
        None => Answer::new(Outcome::Fail, format!("it does not say its {what}; demanded is {}", shown())),
        Some(said) if wanted.iter().any(|wanted| is_same(wanted, said)) => {
            Answer::new(Outcome::Pass, format!("{what} `{said}`"))
        }
        Some(said) => Answer::new(Outcome::Fail, format!("{what} `{said}`; demanded is {}", shown())),
    }
}

/// Several answers about one thing: what is not asked drops out.
pub(super) fn together(answers: Vec<Answer>) -> Answer {
    let asked: Vec<Answer> =
        answers.iter().filter(|answer| answer.outcome != Outcome::NotApplicable).cloned().collect();
    if asked.is_empty() {
        return answers
            .into_iter()
            .next()
            .unwrap_or_else(|| Answer::new(Outcome::NotApplicable, "nothing is asked"));
    }
    let all: Vec<String> = asked.iter().map(|answer| answer.detail.clone()).collect();
    Answer::all(asked, || all.join(", "))
}
