//! Evidence of a candidate, each piece with the signers of the policy that it is by, and what a policy demands of it.
//!
//! What surprises: evidence of an index is either of the index itself or of every image in it; one image is not enough.

use crate::digest::Digest;
use crate::evidence::{Item, Proof, SbomFormat, Standing, Statement, Unseen};

/// What speaks of a candidate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvidenceSeen {
    /// Each thing that was found, sorted by subject and place.
    pub pieces: Vec<Piece>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
    /// Whether somebody tried to verify it.
    pub is_verified: bool,
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The manifest that it speaks of.
    pub subject: Digest,
    /// What it says, and whether that is proven.
    pub item: Item,
    /// The policy's signers that it is proven to be by.
    pub signers: Vec<String>,
    /// Whether the name that the signer wrote down is one of the candidate's; `None` where none is written down.
    pub is_named: Option<bool>,
}

impl Piece {
    /// The proof, if it is proven.
    pub fn proof(&self) -> Option<&Proof> {
        match &self.item.standing {
            Standing::Proven(proof) => Some(proof),
            _ => None,
        }
    }

    /// The statement, if it is one.
    pub fn statement(&self) -> Option<&Statement> {
        match &self.item.content {
            crate::evidence::Content::Statement(statement) => Some(statement),
            _ => None,
        }
    }

    /// Whether it is proven to be by one of these signers.
    pub fn is_by(&self, any_of: &[String]) -> bool {
        self.proof().is_some() && self.signers.iter().any(|signer| any_of.contains(signer))
    }
}

/// An attested list of packages, held against what is aboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListSeen {
    /// The manifest that it speaks of.
    pub subject: Digest,
    /// The policy's signers that it is by.
    pub signers: Vec<String>,
    /// Its format.
    pub format: SbomFormat,
    /// The comparison, or why the list could not be read or held against anything.
    pub compared: Result<ListCompared, String>,
}

/// How a list of packages and what is aboard differ. Packages are compared by type, name and version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListCompared {
    /// Packages that are both listed and aboard.
    pub both: usize,
    /// Packages that are aboard and not listed, sorted.
    pub unlisted: Vec<String>,
    /// Packages that are listed and were not found aboard, sorted.
    pub absent: Vec<String>,
}

impl ListCompared {
    /// How much of what is aboard is listed, from 0 to 1; 1 where nothing is aboard.
    pub fn coverage(&self) -> f64 {
        let [both, unlisted] =
            [self.both, self.unlisted.len()].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        let aboard = f64::from(both) + f64::from(unlisted);
        if aboard > 0.0 { f64::from(both) / aboard } else { 1.0 }
    }
}

/// What is demanded of evidence; nothing of a kind that is `None`.
#[derive(Clone, Debug, Default)]
pub struct EvidenceDemands {
    /// Of signatures.
    pub signature: Option<SignatureDemand>,
    /// Of provenance.
    pub provenance: Option<ProvenanceDemand>,
    /// Of lists of packages.
    pub list: Option<ListDemand>,
    /// Of what another verifier found.
    pub summary: Option<SummaryDemand>,
    /// How old the roots of trust are and may be, in days.
    pub root_age: Option<(u64, u64)>,
}

/// What is demanded of signatures.
#[derive(Clone, Debug, Default)]
pub struct SignatureDemand {
    /// Signers of whom one must have signed.
    pub any_of: Vec<String>,
    /// Whether the name that the signer wrote down must be the candidate's.
    pub is_named: bool,
}

/// What is demanded of provenance. Lists that are empty demand nothing.
#[derive(Clone, Debug, Default)]
pub struct ProvenanceDemand {
    /// Signers of whom one must vouch for it.
    pub any_of: Vec<String>,
    /// Builders' ids, of which it must name one; what follows an `@` is not compared where the demand has none.
    pub builders: Vec<String>,
    /// Types of build, of which it must name one.
    pub build_types: Vec<String>,
    /// The repository that must have been built.
    pub source_repository: Option<String>,
    /// The number of that repository.
    pub source_repository_id: Option<String>,
    /// Refs, of which one must have been built.
    pub source_refs: Vec<String>,
    /// Whether it must have been built from a git tag that is one of the candidate's tags.
    pub tag_matches_ref: bool,
    /// How long ago the build may have ended, and now, in seconds since 1970.
    pub age: Option<(i64, i64)>,
}

/// What is demanded of attested lists of packages.
#[derive(Clone, Debug, Default)]
pub struct ListDemand {
    /// Signers of whom one must vouch for it.
    pub any_of: Vec<String>,
    /// How much of what is aboard must be listed, from 0 to 1.
    pub coverage: Option<f64>,
}

/// What is demanded of verification summaries.
#[derive(Clone, Debug, Default)]
pub struct SummaryDemand {
    /// Signers of whom one must vouch for it.
    pub any_of: Vec<String>,
    /// Verifiers' ids, of which it must name one.
    pub verifiers: Vec<String>,
    /// Levels, all of which it must state.
    pub levels: Vec<String>,
}
