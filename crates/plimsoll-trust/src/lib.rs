//! Bytes to evidence: what signatures and attestations prove, verified without a network.
//!
//! Whoever finds evidence hands its bytes here, with the [`root::Trust`] that was chosen and the digest in question, and gets
//! an [`Item`](plimsoll_core::evidence::Item) of `plimsoll_core::evidence` back. Nothing fails: what does not hold is a refusal
//! with its reason.
//!
//! [`bundle`] reads Sigstore's bundles, [`cosign`] the older objects of cosign, [`gcb`] the files of Google Cloud Build,
//! [`claim`] what nobody signed; [`statement`] reads what an in-toto statement says, whoever signed it. [`sign`] makes
//! bundles with a key of our own. Only `sigstore` knows the crate that verifies, whose interface changes often.

pub mod bundle;
pub mod claim;
pub mod cosign;
pub mod gcb;
mod json;
pub mod keys;
pub mod limits;
mod predicates;
pub mod root;
pub mod sign;
mod sigstore;
pub mod statement;
pub mod tuf;
