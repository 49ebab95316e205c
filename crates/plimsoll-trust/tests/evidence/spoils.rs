//! The ways in which a piece of evidence is taken away, spoilt, or made by a stranger: a row each.

use plimsoll_testkit::pki::{Bundle, Content, Entry, LEAF_SECONDS, Makers, Proof, Signer};

use crate::kinds::{AT, By, Case, Form, Kind, LogOf, What};

/// One way to spoil evidence.
pub(crate) struct Spoil {
    pub(crate) name: &'static str,
    /// Whether a kind has the piece, so that there is something to spoil.
    pub(crate) has: fn(&Kind) -> bool,
    /// Whether nothing can stand without the piece, where a kind has it.
    pub(crate) refuses: bool,
    pub(crate) make: fn(&Case) -> Bundle,
}

fn any(_: &Kind) -> bool {
    true
}

fn keyless(kind: &Kind) -> bool {
    kind.by == By::Certificate
}

fn logged(kind: &Kind) -> bool {
    kind.log != LogOf::None
}

/// cosign's older objects keep no proofs.
fn proving(kind: &Kind) -> bool {
    logged(kind) && !is_cosign(kind)
}

fn is_cosign(kind: &Kind) -> bool {
    matches!(kind.form, Form::Cosign)
}

fn promising(kind: &Kind) -> bool {
    kind.log == LogOf::V1
}

fn stamped(kind: &Kind) -> bool {
    kind.stamp
}

/// A piece without which nothing stands.
const fn needed(name: &'static str, has: fn(&Kind) -> bool, make: fn(&Case) -> Bundle) -> Spoil {
    Spoil { name, has, refuses: true, make }
}

/// A piece beside which others can vouch for the same.
const fn spare(name: &'static str, has: fn(&Kind) -> bool, make: fn(&Case) -> Bundle) -> Spoil {
    Spoil { name, has, refuses: false, make }
}

/// All ways, in the order of the pieces.
pub(crate) static SPOILS: &[Spoil] = &[
    needed("no certificate and no key", any_but_cosign_key, |case| part(case, |bundle| bundle.signer = None)),
    needed("certificate: spoilt", keyless, |case| certificate(case, flip)),
    needed("certificate: not whole", keyless, |case| certificate(case, |der| der.truncate(der.len() / 2))),
    needed("certificate: of another key", keyless, |case| {
        let other = case.signed_by(&Makers { signer: case.pki.key("other"), ..case.makers() }, &case.digest);
        part(case, |bundle| bundle.signer = other.signer.clone())
    }),
    needed("certificate: a hint of a key in its place", keyless, |case| {
        part(case, |bundle| bundle.signer = Some(Signer::Key { hint: String::new() }))
    }),
    needed("certificate: by a stranger", keyless, |case| {
        by(case, |makers| makers.authority = &case.stranger.authority)
    }),
    needed(
        "sct: none",
        |kind| keyless(kind) && kind.sct,
        |case| by(case, |makers| makers.certificates = None),
    ),
    needed(
        "sct: by a stranger",
        |kind| keyless(kind) && kind.sct,
        |case| by(case, |makers| makers.certificates = Some(&case.stranger.certificates)),
    ),
    needed(
        "time: entered before the certificate",
        |kind| keyless(kind) && promising(kind),
        |case| by(case, |makers| makers.log_delay = -1),
    ),
    needed(
        "time: entered after the certificate",
        |kind| keyless(kind) && promising(kind),
        |case| by(case, |makers| makers.log_delay = LEAF_SECONDS + 1),
    ),
    needed(
        "time: stamped before the certificate",
        |kind| keyless(kind) && stamped(kind),
        |case| by(case, |makers| makers.time_delay = -1),
    ),
    needed(
        "time: stamped after the certificate",
        |kind| keyless(kind) && stamped(kind),
        |case| by(case, |makers| makers.time_delay = LEAF_SECONDS + 1),
    ),
    needed("entry: none", logged, |case| part(case, |bundle| bundle.entries.clear())),
    needed("entry: of another signature", logged, |case| {
        let other = case.full_of_other();
        part(case, |bundle| bundle.entries.clone_from(&other.entries))
    }),
    needed("entry: by a stranger", logged, |case| {
        by(case, |makers| {
            makers.log = makers.log.map(|log| {
                if log.version == case.pki.log.version { &case.stranger.log } else { &case.stranger.log_v2 }
            });
        })
    }),
    needed("entry: its body is spoilt", logged, |case| entry(case, |entry| flip(&mut entry.body))),
    needed("entry: its body is empty", logged, |case| entry(case, |entry| entry.body.clear())),
    needed("entry: another time", promising, |case| {
        entry(case, |entry| entry.time = entry.time.map(|time| time + 1))
    }),
    spare("entry: no time", promising, |case| entry(case, |entry| entry.time = None)),
    needed("entry: another place in the log", promising, |case| entry(case, |entry| entry.index += 1)),
    spare("entry: another log's id", logged, |case| entry(case, |entry| flip(&mut entry.log))),
    needed("entry: another kind", proving, |case| entry(case, |entry| entry.kind = "rekord".to_owned())),
    spare("entry: another beside it that nothing proves", logged, |case| {
        part(case, |bundle| {
            let bare =
                bundle.entries.iter().cloned().map(|entry| Entry { promise: None, proof: None, ..entry });
            let bare: Vec<Entry> = bare.collect();
            bundle.entries.extend(bare);
        })
    }),
    spare("promise: none", promising, |case| entry(case, |entry| entry.promise = None)),
    needed("promise: spoilt", promising, |case| entry(case, |entry| entry.promise.as_mut().map_or((), flip))),
    needed("promise: by a stranger", promising, |case| {
        entry(case, |entry| entry.promise = Some(case.stranger.log.promise(entry)))
    }),
    spare("proof: none", proving, |case| entry(case, |entry| entry.proof = None)),
    needed("proof: another hash", proving, |case| {
        proof(case, |proof| proof.hashes.first_mut().map_or((), flip))
    }),
    needed("proof: a hash is missing", proving, |case| proof(case, |proof| drop(proof.hashes.pop()))),
    needed("proof: a hash more", proving, |case| proof(case, |proof| proof.hashes.push(vec![0; 32]))),
    // The second version of the log states these twice, and only what it signed counts.
    needed(
        "proof: another root",
        |kind| proving(kind) && promising(kind),
        |case| proof(case, |proof| flip(&mut proof.root)),
    ),
    needed(
        "proof: another place in the tree",
        |kind| proving(kind) && promising(kind),
        |case| proof(case, |proof| proof.index -= 1),
    ),
    spare("proof: another size of the tree", proving, |case| proof(case, |proof| proof.size += 1)),
    needed("checkpoint: none", proving, |case| proof(case, |proof| proof.checkpoint = None)),
    needed("checkpoint: its text is spoilt", proving, |case| {
        proof(case, |proof| checkpoint(proof, |text| text.replacen("plimsoll", "plimsoII", 1)))
    }),
    needed("checkpoint: by a stranger", proving, |case| {
        let strangers = if promising(&case.kind) { &case.stranger.log } else { &case.stranger.log_v2 };
        proof(case, |proof| proof.checkpoint = Some(strangers.checkpoint(7, &proof.root, AT)))
    }),
    needed("checkpoint: its signature is missing", proving, |case| {
        proof(case, |proof| {
            checkpoint(proof, |text| {
                text.split_once("\n\n").map_or(String::new(), |(head, _)| format!("{head}\n\n"))
            })
        })
    }),
    needed("promise and proof: none", logged, |case| {
        entry(case, |entry| (entry.promise, entry.proof) = (None, None))
    }),
    needed(
        "promise and stamp: none",
        |kind| keyless(kind) && (promising(kind) || stamped(kind)),
        |case| {
            part(case, |bundle| {
                bundle.stamps.clear();
                bundle.entries.iter_mut().for_each(|entry| entry.promise = None);
            })
        },
    ),
    spare("stamp: none", stamped, |case| part(case, |bundle| bundle.stamps.clear())),
    needed("stamp: spoilt", stamped, |case| part(case, |bundle| bundle.stamps.iter_mut().for_each(flip))),
    needed("stamp: not whole", stamped, |case| {
        part(case, |bundle| bundle.stamps.iter_mut().for_each(|stamp| stamp.truncate(40)))
    }),
    needed("stamp: over another signature", stamped, |case| {
        let other = case.full_of_other();
        part(case, |bundle| bundle.stamps.clone_from(&other.stamps))
    }),
    needed("stamp: by a stranger", stamped, |case| {
        by(case, |makers| makers.time = Some(&case.stranger.time))
    }),
    needed("signature: none", any, |case| signature(case, Vec::clear)),
    needed("signature: spoilt", any, |case| signature(case, flip)),
    needed("signature: of another text", any, |case| {
        let other = case.full_of_other();
        signature(case, |signature| *signature = signature_of(&other.content))
    }),
    needed("content: about another digest", any, |case| {
        let other = case.full_of_other();
        content(case, |text| *text = text_of(&other.content))
    }),
    needed("content: another field", any, |case| {
        content(case, |text| {
            let changed = String::from_utf8(text.clone()).unwrap();
            let changed =
                changed.replace("release.yml", "evil.yml").replace("registry.example", "evil.example");
            *text = changed.into_bytes();
        })
    }),
    needed("content: a blank more", any, |case| content(case, |text| text.push(b' '))),
    needed("content: none", any, |case| content(case, Vec::clear)),
    needed(
        "content: another type",
        |kind| kind.what == What::Statement,
        |case| {
            part(case, |bundle| {
                if let Content::Envelope { payload_type, .. } = &mut bundle.content {
                    *payload_type = "application/json".to_owned();
                }
            })
        },
    ),
];

/// cosign writes nothing in the place of a key.
fn any_but_cosign_key(kind: &Kind) -> bool {
    !(is_cosign(kind) && kind.by == By::Key)
}

/// The whole, and then a part of it changed.
fn part(case: &Case, change: impl FnOnce(&mut Bundle)) -> Bundle {
    let mut bundle = case.full();
    change(&mut bundle);
    bundle
}

/// The whole, made by others.
fn by<'a>(case: &'a Case, change: impl FnOnce(&mut Makers<'a>)) -> Bundle {
    let mut makers = case.makers();
    change(&mut makers);
    case.signed_by(&makers, &case.digest)
}

fn certificate(case: &Case, change: impl FnOnce(&mut Vec<u8>)) -> Bundle {
    part(case, |bundle| match &mut bundle.signer {
        Some(Signer::Certificate(der)) => change(der),
        other => panic!("{other:?}"),
    })
}

fn entry(case: &Case, change: impl FnOnce(&mut Entry)) -> Bundle {
    part(case, |bundle| change(bundle.entries.first_mut().unwrap()))
}

fn proof(case: &Case, change: impl FnOnce(&mut Proof)) -> Bundle {
    entry(case, |entry| change(entry.proof.as_mut().unwrap()))
}

fn checkpoint(proof: &mut Proof, change: impl FnOnce(&str) -> String) {
    proof.checkpoint = proof.checkpoint.as_deref().map(change);
}

fn signature(case: &Case, change: impl FnOnce(&mut Vec<u8>)) -> Bundle {
    part(case, |bundle| match &mut bundle.content {
        Content::Message { signature, .. } | Content::Envelope { signature, .. } => change(signature),
    })
}

fn content(case: &Case, change: impl FnOnce(&mut Vec<u8>)) -> Bundle {
    part(case, |bundle| match &mut bundle.content {
        Content::Message { bytes: text, .. } | Content::Envelope { payload: text, .. } => change(text),
    })
}

fn signature_of(content: &Content) -> Vec<u8> {
    match content {
        Content::Message { signature, .. } | Content::Envelope { signature, .. } => signature.clone(),
    }
}

fn text_of(content: &Content) -> Vec<u8> {
    match content {
        Content::Message { bytes: text, .. } | Content::Envelope { payload: text, .. } => text.clone(),
    }
}

/// Changes one bit of the last byte.
#[expect(clippy::ptr_arg, reason = "it is handed over where `Vec::clear` is")]
fn flip(bytes: &mut Vec<u8>) {
    *bytes.last_mut().unwrap() ^= 1;
}
