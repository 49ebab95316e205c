//! Evidence of an entry: what is proven, what is claimed, what is refused, and what could not be looked at, never mixed.

use plimsoll_core::clearance::{EvidenceSeen, ListSeen, Piece};
use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{
    Content, LogProof, Predicate, Proof, Provenance, Signer, Standing, Statement, Unseen, Witness,
};
use schemars::JsonSchema;
use serde::Serialize;

/// What speaks of an entry.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireEvidence<'a> {
    /// Whether a policy named signers, so that it was verified.
    is_verified: bool,
    pieces: Vec<WirePiece<'a>>,
    /// What could not be looked at.
    unseen: Vec<WireUnseen<'a>>,
    /// Attested lists of packages, held against what is aboard.
    lists: Vec<WireList<'a>>,
}

/// One piece of evidence.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WirePiece<'a> {
    /// The manifest that it speaks of.
    subject: &'a str,
    /// `referrer`, `cosign-signature`, `cosign-attestation`, `buildkit` or `file`.
    scheme: &'a str,
    /// Digest of the object, the tag, or the file.
    place: &'a str,
    /// `proven`, `refused`, `unsigned` or `unverified`.
    standing: &'a str,
    /// Why it is not proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// The sort of reason, where it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    /// Who signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<WireSigner<'a>>,
    /// The policy's signers that this is.
    signers: &'a [String],
    /// `signature`, `statement` or `unread`.
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<WireStatement<'a>>,
}

/// Who signed, and what proves it.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WireSigner<'a> {
    /// Subject of the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    san: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    /// Fingerprint of the key (SHA-256 of its `SubjectPublicKeyInfo`).
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    /// What else the certificate says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    claims: Vec<WireClaim<'a>>,
    /// What was verified: `certificate`, `sct`, `log-promise`, `log-inclusion`, `time-stamp`.
    checked: Vec<&'a str>,
    /// Earliest witnessed time, in seconds since 1970.
    witnessed: Option<i64>,
}

#[derive(Serialize, JsonSchema)]
struct WireClaim<'a> {
    name: &'a str,
    value: &'a str,
}

/// What an in-toto statement says.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WireStatement<'a> {
    /// Digest of its bytes.
    digest: &'a str,
    predicate_type: &'a str,
    /// Why the predicate could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<WireProvenance<'a>>,
}

/// Who built it, of what.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WireProvenance<'a> {
    builder: Option<&'a str>,
    build_type: Option<&'a str>,
    source_repository: Option<&'a str>,
    source_repository_id: Option<&'a str>,
    commit: Option<&'a str>,
    source_ref: Option<&'a str>,
    entry_point: Option<&'a str>,
    runner: Option<&'a str>,
    trigger: Option<&'a str>,
    run: Option<&'a str>,
    finished: Option<&'a str>,
    /// Fields in which predicate and certificate differ.
    disagreeing: Vec<&'a str>,
}

#[derive(Serialize, JsonSchema)]
struct WireUnseen<'a> {
    scheme: &'a str,
    place: &'a str,
    detail: &'a str,
}

/// An attested list of packages.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct WireList<'a> {
    subject: &'a str,
    signers: &'a [String],
    /// `SPDX` or `CycloneDX`.
    format: &'a str,
    /// Why it could not be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// Packages that are listed and aboard.
    both: usize,
    /// Packages that are aboard and not listed.
    unlisted: &'a [String],
    /// Packages that are listed and were not found aboard.
    absent: &'a [String],
}

pub(super) fn wire<'a>(seen: &'a EvidenceSeen, lists: &'a [ListSeen]) -> WireEvidence<'a> {
    WireEvidence {
        is_verified: seen.is_verified,
        pieces: seen.pieces.iter().map(piece).collect(),
        unseen: seen.unseen.iter().map(unseen).collect(),
        lists: lists.iter().map(list).collect(),
    }
}

fn piece(piece: &Piece) -> WirePiece<'_> {
    let item = &piece.item;
    let (reason, refusal) = match &item.standing {
        Standing::Refused(refusal) => (Some(refusal.detail.as_str()), Some(refusal.kind.name())),
        Standing::Unverified(why) => (Some(why.as_str()), None),
        Standing::Proven(_) | Standing::Unsigned => (None, None),
    };
    WirePiece {
        subject: piece.subject.as_str(),
        scheme: item.place.scheme.name(),
        place: &item.place.name,
        standing: item.standing.name(),
        reason,
        refusal,
        signer: piece.proof().map(signer),
        signers: &piece.signers,
        content: match &item.content {
            Content::Unread => "unread",
            Content::Signature { .. } => "signature",
            Content::Statement(_) => "statement",
        },
        statement: piece.statement().map(statement),
    }
}

fn signer(proof: &Proof) -> WireSigner<'_> {
    let (san, issuer, key, claims) = match &proof.signer {
        Signer::Keyless(identity) => {
            let claims = identity.claims.iter().map(|(claim, value)| WireClaim { name: claim.name(), value });
            (Some(identity.san.as_str()), Some(identity.issuer.as_str()), None, claims.collect())
        }
        Signer::Key { fingerprint, .. } => (None, None, Some(fingerprint.as_str()), Vec::new()),
    };
    let stamped = proof.times.iter().any(|time| time.witness == Witness::TimestampAuthority);
    let promised = matches!(proof.checked.log, Some(LogProof::Promise | LogProof::Both));
    let included = matches!(proof.checked.log, Some(LogProof::Inclusion | LogProof::Both));
    let checked = [
        (proof.checked.certificate, "certificate"),
        (proof.checked.sct, "sct"),
        (promised, "log-promise"),
        (included, "log-inclusion"),
        (stamped, "time-stamp"),
    ];
    WireSigner {
        san,
        issuer,
        key,
        claims,
        checked: checked.into_iter().filter(|(was, _)| *was).map(|(_, name)| name).collect(),
        witnessed: proof.times.iter().map(|time| time.at).min(),
    }
}

fn statement(statement: &Statement) -> WireStatement<'_> {
    WireStatement {
        digest: statement.digest.as_str(),
        predicate_type: &statement.predicate_type,
        unreadable: match &statement.predicate {
            Predicate::Unreadable(why) => Some(why),
            _ => None,
        },
        provenance: match &statement.predicate {
            Predicate::Provenance(said) => Some(provenance(said)),
            _ => None,
        },
    }
}

fn provenance(said: &Provenance) -> WireProvenance<'_> {
    WireProvenance {
        builder: said.builder.as_deref(),
        build_type: said.build_type.as_deref(),
        source_repository: said.source_repository.as_deref(),
        source_repository_id: said.source_repository_id.as_deref(),
        commit: said.commit.as_deref(),
        source_ref: said.source_ref.as_deref(),
        entry_point: said.entry_point.as_deref(),
        runner: said.runner.as_deref(),
        trigger: said.trigger.as_deref(),
        run: said.run.as_deref(),
        finished: said.finished.as_deref(),
        disagreeing: said.disagreeing().map(|field| field.claim.name()).collect(),
    }
}

fn unseen(unseen: &Unseen) -> WireUnseen<'_> {
    WireUnseen { scheme: unseen.place.scheme.name(), place: &unseen.place.name, detail: &unseen.detail }
}

fn list(list: &ListSeen) -> WireList<'_> {
    let compared = list.compared.as_ref().ok();
    WireList {
        subject: Digest::as_str(&list.subject),
        signers: &list.signers,
        format: list.format.title(),
        error: list.compared.as_ref().err().map(String::as_str),
        both: compared.map_or(0, |compared| compared.both),
        unlisted: compared.map_or(&[], |compared| &compared.unlisted),
        absent: compared.map_or(&[], |compared| &compared.absent),
    }
}
