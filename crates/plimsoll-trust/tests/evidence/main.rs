//! Evidence of every kind, made by a PKI of our own: it is proven where it is whole, and nothing that is taken away, spoilt or made
//! by a stranger ever makes it stand better.

#![allow(clippy::unwrap_used)]

mod kinds;

use kinds::{Case, KINDS, identities, told};
use plimsoll_core::evidence::Standing;

#[test]
fn whole_evidence_of_every_kind_is_proven() {
    let mut lines = Vec::new();
    for kind in KINDS {
        for (index, identity) in identities().into_iter().enumerate() {
            let case = Case::new(*kind, identity);
            let item = case.verify(&case.kept(&case.full()), &case.digest, &case.trust());
            let told = told(&item);
            assert!(told.starts_with("proven"), "{}: {:?}", kind.name, item.standing);
            if index == 0 {
                lines.push(format!("{}: {told}", kind.name));
            }
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_stranger_and_another_digest_are_refused() {
    for kind in KINDS {
        let case = Case::new(*kind, kinds::workflow().identity());
        let kept = case.kept(&case.full());
        let stranger = kinds::trust_of(&case.stranger.trusted_root()).with_demands(case.demands());
        for (trust, digest) in [(stranger, &case.digest), (case.trust(), &case.other)] {
            let item = case.verify(&kept, digest, &trust);
            assert!(matches!(item.standing, Standing::Refused(_)), "{}: {}", kind.name, told(&item));
        }
    }
}
