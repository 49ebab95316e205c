//! What signatures and attestations say of a digest, and what of it is proven.
//!
//! Plain data. Whoever verifies bytes builds it (`plimsoll-trust`), rules judge it, a report shows it. Three things
//! are never mixed: what is proven, what is claimed by something unsigned, and what could not be looked at.
//! A valid signature says who signed and when. Whether that signer may vouch for the image is for a policy.

use crate::digest::Digest;

/// Everything that was found for one digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// One entry for each object, in the order of where it was found.
    pub items: Vec<Item>,
    /// What could not be looked at. An item that is missing here and above is absent.
    pub unseen: Vec<Unseen>,
}

impl Evidence {
    /// The items whose signature is proven, with their proof.
    pub fn proven(&self) -> impl Iterator<Item = (&Item, &Proof)> {
        self.items.iter().filter_map(|item| match &item.standing {
            Standing::Proven(proof) => Some((item, proof.as_ref())),
            Standing::Refused(_) | Standing::Unsigned | Standing::Unverified(_) => None,
        })
    }
}

/// One signature or attestation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where it was found.
    pub place: Place,
    /// Whether what it says is proven.
    pub standing: Standing,
    /// What it says. Of a refused item nothing may be believed; it is here so that a report can name it.
    pub content: Content,
}

/// Where a piece of evidence was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// By which way it was found.
    pub scheme: Scheme,
    /// The digest of the object, or the name of the file.
    pub name: String,
}

/// The ways to find evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// The referrers API or its tag.
    Referrer,
    /// cosign's tag that ends in `.sig`.
    CosignSignature,
    /// cosign's tag that ends in `.att`.
    CosignAttestation,
    /// An attestation manifest inside the image's index.
    Buildkit,
    /// A file that the user names.
    File,
}

impl Scheme {
    /// The scheme's stable name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Referrer => "referrer",
            Scheme::CosignSignature => "cosign-signature",
            Scheme::CosignAttestation => "cosign-attestation",
            Scheme::Buildkit => "buildkit",
            Scheme::File => "file",
        }
    }
}

/// Whether an item's content is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The signature holds over this content and this digest, by the trust root that was chosen.
    Proven(Box<Proof>),
    /// There is a signature, and it must not be believed.
    Refused(Refusal),
    /// Nobody signed it: a claim.
    Unsigned,
    /// Nobody looked whether it holds: why. One sentence, no full stop.
    Unverified(String),
}

impl Standing {
    /// The standing's stable name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Standing::Proven(_) => "proven",
            Standing::Refused(_) => "refused",
            Standing::Unsigned => "unsigned",
            Standing::Unverified(_) => "unverified",
        }
    }
}

/// What a verified signature proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Who signed.
    pub signer: Signer,
    /// When the signature existed at the latest, each by whom it is witnessed. May be empty for a key.
    pub times: Vec<WitnessedTime>,
    /// What was verified on the way.
    pub checked: Checked,
}

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// A short-lived certificate for an identity.
    Keyless(Box<Identity>),
    /// A key that the user trusts.
    Key {
        /// SHA-256 of the key's `SubjectPublicKeyInfo` in DER.
        fingerprint: Digest,
        /// The name that the user gave the key.
        name: Option<String>,
    },
}

/// The identity that a certificate of Fulcio's kind was issued for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The subject alternative name: a mail address, or the URI of a workflow.
    pub san: String,
    /// The OIDC issuer that authenticated it.
    pub issuer: String,
    /// The other extensions, sorted by claim, each at most once.
    pub claims: Vec<(Claim, String)>,
}

impl Identity {
    /// What the certificate says for `claim`.
    pub fn claim(&self, claim: Claim) -> Option<&str> {
        self.claims.iter().find(|(known, _)| *known == claim).map(|(_, value)| value.as_str())
    }
}

/// Extensions of a certificate below `1.3.6.1.4.1.57264.1`
/// (`https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// `.9`: the workflow that built, by which a reusable workflow is told from its caller.
    BuildSignerUri,
    /// `.10`: the commit of that workflow.
    BuildSignerDigest,
    /// `.11`: `github-hosted` or `self-hosted`.
    RunnerEnvironment,
    /// `.12`: the repository that was built.
    SourceRepositoryUri,
    /// `.13`: the commit that was built.
    SourceRepositoryDigest,
    /// `.14`: the ref that was built.
    SourceRepositoryRef,
    /// `.15`: the repository's number, which renaming does not change.
    SourceRepositoryIdentifier,
    /// `.16`: the owner of the repository.
    SourceRepositoryOwnerUri,
    /// `.17`: the owner's number.
    SourceRepositoryOwnerIdentifier,
    /// `.18`: the workflow that was started.
    BuildConfigUri,
    /// `.19`: the commit of that workflow.
    BuildConfigDigest,
    /// `.20`: the event that started the build.
    BuildTrigger,
    /// `.21`: the run.
    RunInvocationUri,
    /// `.22`: whether the repository could be seen by all when the certificate was issued.
    SourceRepositoryVisibility,
    /// `.23`: the environment that was deployed to.
    DeploymentEnvironment,
}

impl Claim {
    /// All claims, by the number of their extension.
    pub const ALL: [Claim; 15] = [
        Claim::BuildSignerUri,
        Claim::BuildSignerDigest,
        Claim::RunnerEnvironment,
        Claim::SourceRepositoryUri,
        Claim::SourceRepositoryDigest,
        Claim::SourceRepositoryRef,
        Claim::SourceRepositoryIdentifier,
        Claim::SourceRepositoryOwnerUri,
        Claim::SourceRepositoryOwnerIdentifier,
        Claim::BuildConfigUri,
        Claim::BuildConfigDigest,
        Claim::BuildTrigger,
        Claim::RunInvocationUri,
        Claim::SourceRepositoryVisibility,
        Claim::DeploymentEnvironment,
    ];

    /// The claim's name in policies and reports, snake case.
    pub fn name(self) -> &'static str {
        match self {
            Claim::BuildSignerUri => "build_signer_uri",
            Claim::BuildSignerDigest => "build_signer_digest",
            Claim::RunnerEnvironment => "runner_environment",
            Claim::SourceRepositoryUri => "source_repository_uri",
            Claim::SourceRepositoryDigest => "source_repository_digest",
            Claim::SourceRepositoryRef => "source_repository_ref",
            Claim::SourceRepositoryIdentifier => "source_repository_identifier",
            Claim::SourceRepositoryOwnerUri => "source_repository_owner_uri",
            Claim::SourceRepositoryOwnerIdentifier => "source_repository_owner_identifier",
            Claim::BuildConfigUri => "build_config_uri",
            Claim::BuildConfigDigest => "build_config_digest",
            Claim::BuildTrigger => "build_trigger",
            Claim::RunInvocationUri => "run_invocation_uri",
            Claim::SourceRepositoryVisibility => "source_repository_visibility",
            Claim::DeploymentEnvironment => "deployment_environment",
        }
    }
}

/// A time that somebody trusted vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WitnessedTime {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub at: i64,
    /// Who vouches for it.
    pub witness: Witness,
}

/// Who vouches for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Witness {
    /// A transparency log's integrated time, signed by the log.
    Log,
    /// A time stamp of RFC 3161.
    TimestampAuthority,
}

/// What was verified for a signature. `false` means that it was not demanded; what was demanded and did not hold
/// is a refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// The certificate leads to an authority of the trust root, at every witnessed time.
    pub certificate: bool,
    /// A trusted log of certificates vouches that the certificate was published (RFC 6962).
    pub sct: bool,
    /// The signature's entry stands in a trusted transparency log: what proves it.
    pub log: Option<LogProof>,
}

/// What proves that an entry stands in a transparency log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogProof {
    /// The log's signed promise to include it.
    Promise,
    /// A path in the log's tree to a head that the log signed.
    Inclusion,
    /// Both.
    Both,
}

/// Why a signature must not be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The sort of reason.
    pub kind: RefusalKind,
    /// What exactly did not hold. One sentence, no full stop.
    pub detail: String,
}

impl Refusal {
    /// Builds a refusal.
    pub fn new(kind: RefusalKind, detail: impl Into<String>) -> Refusal {
        Refusal { kind, detail: detail.into() }
    }
}

/// The closed list of reasons to refuse a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefusalKind {
    /// The bytes do not follow their format.
    Malformed,
    /// A named limit was reached.
    LimitReached,
    /// The format is known and nobody here can verify it, such as a log entry of kind `intoto/0.0.1`.
    Unsupported,
    /// The certificate does not lead to the trust root, was not valid when it was used, or is for another use.
    Certificate,
    /// No trusted log of certificates vouches for the certificate.
    Sct,
    /// The transparency log's proof or promise is missing or does not hold.
    Log,
    /// The log's entry is of another signature, key or content.
    LogEntry,
    /// No trusted time, or one at which the certificate was not valid.
    Time,
    /// The signature does not hold over the content.
    Signature,
    /// The signature holds, over something that is not the digest in question.
    Subject,
    /// It is signed with a key, and none of the trusted keys is that key.
    KeyUnknown,
    /// The key is trusted, and not at the time in question.
    KeyExpired,
    /// Signed content and what stands beside it unsigned say different things.
    Disagreement,
    /// The certificate's identity or issuer is not what was demanded.
    Identity,
}

impl RefusalKind {
    /// All kinds.
    pub const ALL: [RefusalKind; 14] = [
        RefusalKind::Malformed,
        RefusalKind::LimitReached,
        RefusalKind::Unsupported,
        RefusalKind::Certificate,
        RefusalKind::Sct,
        RefusalKind::Log,
        RefusalKind::LogEntry,
        RefusalKind::Time,
        RefusalKind::Signature,
        RefusalKind::Subject,
        RefusalKind::KeyUnknown,
        RefusalKind::KeyExpired,
        RefusalKind::Disagreement,
        RefusalKind::Identity,
    ];

    /// The kind's stable name in reports, kebab case.
    pub fn name(self) -> &'static str {
        match self {
            RefusalKind::Malformed => "malformed",
            RefusalKind::LimitReached => "limit-reached",
            RefusalKind::Unsupported => "unsupported",
            RefusalKind::Certificate => "certificate",
            RefusalKind::Sct => "sct",
            RefusalKind::Log => "log",
            RefusalKind::LogEntry => "log-entry",
            RefusalKind::Time => "time",
            RefusalKind::Signature => "signature",
            RefusalKind::Subject => "subject",
            RefusalKind::KeyUnknown => "key-unknown",
            RefusalKind::KeyExpired => "key-expired",
            RefusalKind::Disagreement => "disagreement",
            RefusalKind::Identity => "identity",
        }
    }
}

/// What an item says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Nothing could be read of it; its refusal says why.
    Unread,
    /// A signature of the digest and nothing else.
    Signature {
        /// The name of the image that the signer wrote down (`docker-reference`), where the format has one.
        image_name: Option<String>,
    },
    /// An in-toto statement.
    Statement(Box<Statement>),
}

/// An in-toto statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// SHA-256 of the payload's bytes: the same statement found in two places has one digest.
    pub digest: Digest,
    /// The predicate's type, as written.
    pub predicate_type: String,
    /// What it is about, in the statement's order.
    pub subjects: Vec<Subject>,
    /// What it says.
    pub predicate: Predicate,
}

/// One thing that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The name, as written; may be empty.
    pub name: String,
    /// The digests that Plimsoll can compare (SHA-256 and SHA-512).
    pub digests: Vec<Digest>,
}

/// What a statement says, read by its predicate's type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Predicate {
    /// Who built it, of what.
    Provenance(Box<Provenance>),
    /// A list of what is aboard.
    Sbom(SbomReference),
    /// Which flaws do harm and which do not.
    Vex(Vec<VexStatement>),
    /// What a verifier found.
    VerificationSummary(Box<VerificationSummary>),
    /// Another kind, of which Plimsoll reads nothing.
    Other,
    /// A kind that Plimsoll reads, and this one does not follow it: why.
    Unreadable(String),
}

/// Who built something, of what: SLSA provenance of any version, and Google Cloud Build's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The builder's id.
    pub builder: Option<String>,
    /// The type of build, which says what the parameters mean.
    pub build_type: Option<String>,
    /// The repository that was built, without commit and ref.
    pub source_repository: Option<String>,
    /// The repository's number, which renaming does not change.
    pub source_repository_id: Option<String>,
    /// The commit that was built, hexadecimal.
    pub commit: Option<String>,
    /// The ref that was built, `refs/heads/main`.
    pub source_ref: Option<String>,
    /// The file in the repository that says how to build.
    pub entry_point: Option<String>,
    /// The kind of machine: `github-hosted`, `self-hosted`.
    pub runner: Option<String>,
    /// The event that started the build.
    pub trigger: Option<String>,
    /// The run.
    pub run: Option<String>,
    /// When the build ended, as written (RFC 3339).
    pub finished: Option<String>,
    /// Everything that went into the build, as far as it is stated.
    pub materials: Vec<Material>,
    /// The predicate held against the signer's certificate, field by field. Empty where there is no certificate.
    pub agreement: Vec<Agreement>,
}

impl Provenance {
    /// The fields in which predicate and certificate say different things.
    pub fn disagreeing(&self) -> impl Iterator<Item = &Agreement> {
        self.agreement.iter().filter(|field| !field.agrees)
    }
}

/// Something that went into a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Material {
    /// Its URI, as written.
    pub uri: String,
    /// Its digests, `ALGORITHM:HEX` as written; git commits are `sha1` or `gitCommit`.
    pub digests: Vec<String>,
}

/// One field of a predicate held against the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The claim of the certificate.
    pub claim: Claim,
    /// What the predicate says.
    pub predicate: String,
    /// What the certificate says.
    pub certificate: String,
    /// Whether the two are the same.
    pub agrees: bool,
}

/// A list of what is aboard, which is read elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SbomReference {
    /// Its format.
    pub format: SbomFormat,
    /// The document itself, as JSON text.
    pub document: String,
}

/// The formats of lists of what is aboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SbomFormat {
    /// SPDX 2 or 3.
    Spdx,
    /// CycloneDX.
    CycloneDx,
}

impl SbomFormat {
    /// The format's own name.
    pub fn title(self) -> &'static str {
        match self {
            SbomFormat::Spdx => "SPDX",
            SbomFormat::CycloneDx => "CycloneDX",
        }
    }
}

/// One statement of an OpenVEX document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VexStatement {
    /// The author of the document, as written: a claim, which only the signer proves.
    pub author: String,
    /// The flaw's id and its other names.
    pub vulnerabilities: Vec<String>,
    /// The products' ids (purls and digests) and, of each, the subcomponents' ids.
    pub products: Vec<VexProduct>,
    /// What is stated.
    pub status: VexStatus,
    /// Why the flaw does no harm, of OpenVEX's list.
    pub justification: Option<String>,
    /// Why it does no harm, in words.
    pub impact: Option<String>,
    /// When it was stated, as written (RFC 3339).
    pub timestamp: Option<String>,
}

/// A product of a VEX statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VexProduct {
    /// All its ids: `@id`, purl, CPE.
    pub ids: Vec<String>,
    /// Its digests.
    pub digests: Vec<Digest>,
    /// The parts of it that are meant, by id. Empty: all of it.
    pub subcomponents: Vec<String>,
}

/// OpenVEX's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VexStatus {
    /// The flaw does no harm here.
    NotAffected,
    /// The flaw does harm here.
    Affected,
    /// The flaw is mended here.
    Fixed,
    /// Nobody knows yet.
    UnderInvestigation,
}

impl VexStatus {
    /// The status as OpenVEX writes it.
    pub fn name(self) -> &'static str {
        match self {
            VexStatus::NotAffected => "not_affected",
            VexStatus::Affected => "affected",
            VexStatus::Fixed => "fixed",
            VexStatus::UnderInvestigation => "under_investigation",
        }
    }
}

/// SLSA's verification summary (`https://slsa.dev/spec/v1.0/verification_summary`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationSummary {
    /// Who verified.
    pub verifier: String,
    /// When, as written (RFC 3339).
    pub verified: Option<String>,
    /// The resource that was verified.
    pub resource: String,
    /// The policy's URI.
    pub policy: String,
    /// The policy's digest.
    pub policy_digest: Option<Digest>,
    /// Whether it passed. Everything but `PASSED` is `false`.
    pub passed: bool,
    /// The levels that were found, as written.
    pub levels: Vec<String>,
}

/// Something that could not be looked at. It is never the same as nothing having been there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unseen {
    /// Where it would have been.
    pub place: Place,
    /// What happened. One sentence, no full stop.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        let claims: std::collections::BTreeSet<_> = Claim::ALL.iter().map(|claim| claim.name()).collect();
        assert_eq!(claims.len(), Claim::ALL.len());
        let kinds: std::collections::BTreeSet<_> = RefusalKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(kinds.len(), RefusalKind::ALL.len());
    }

    #[test]
    fn only_what_is_proven_is_told_as_proven() {
        let item = |standing| Item {
            place: Place { scheme: Scheme::File, name: String::new() },
            standing,
            content: Content::Unread,
        };
        let signer = Signer::Key { fingerprint: Digest::sha256(&[0; 32]), name: None };
        let proof = Proof { signer, times: Vec::new(), checked: Checked::default() };
        let evidence = Evidence {
            items: vec![
                item(Standing::Unsigned),
                item(Standing::Refused(Refusal::new(RefusalKind::Log, "no"))),
                item(Standing::Proven(Box::new(proof))),
            ],
            unseen: Vec::new(),
        };
        assert_eq!(evidence.proven().count(), 1);
    }
}
