//! A provenance held against the certificate of who signed it.
//!
//! A signer can write anything into a predicate; the certificate's claims come from the platform that ran the build.
//! A field that only one of the two states is not compared. The repository's number is what to pin: names can be
//! given away.

use plimsoll_core::evidence::{Agreement, Claim, Identity, Provenance};

/// Compares every field that both state.
pub(crate) fn compare(provenance: &Provenance, identity: &Identity) -> Vec<Agreement> {
    let config = identity.claim(Claim::BuildConfigUri).map(path_of);
    let signer = identity.claim(Claim::BuildSignerUri);
    // A builder that is not a workflow names a kind of machine, which no claim does.
    let builder = provenance.builder.as_deref().filter(|builder| builder.contains("/.github/workflows/"));
    let pairs = [
        (Claim::BuildSignerUri, builder, signer),
        (Claim::RunnerEnvironment, provenance.runner.as_deref(), identity.claim(Claim::RunnerEnvironment)),
        (
            Claim::SourceRepositoryUri,
            provenance.source_repository.as_deref(),
            identity.claim(Claim::SourceRepositoryUri),
        ),
        (
            Claim::SourceRepositoryDigest,
            provenance.commit.as_deref(),
            identity.claim(Claim::SourceRepositoryDigest),
        ),
        (
            Claim::SourceRepositoryRef,
            provenance.source_ref.as_deref(),
            identity.claim(Claim::SourceRepositoryRef),
        ),
        (
            Claim::SourceRepositoryIdentifier,
            provenance.source_repository_id.as_deref(),
            identity.claim(Claim::SourceRepositoryIdentifier),
        ),
        (Claim::BuildConfigUri, provenance.entry_point.as_deref(), config),
        (Claim::BuildTrigger, provenance.trigger.as_deref(), identity.claim(Claim::BuildTrigger)),
        (Claim::RunInvocationUri, provenance.run.as_deref(), identity.claim(Claim::RunInvocationUri)),
    ];
    pairs
        .into_iter()
        .filter_map(|(claim, predicate, certificate)| {
            let (predicate, certificate) = (predicate?.to_owned(), certificate?.to_owned());
            let agrees = predicate == certificate;
            Some(Agreement { claim, predicate, certificate, agrees })
        })
        .collect()
}

/// The path in the repository of a workflow's URI: `https://HOST/OWNER/NAME/PATH@REF`.
fn path_of(uri: &str) -> &str {
    let path = uri.split_once("://").map_or(uri, |(_, rest)| rest).splitn(4, '/').nth(3).unwrap_or(uri);
    path.split_once('@').map_or(path, |(path, _)| path)
}
