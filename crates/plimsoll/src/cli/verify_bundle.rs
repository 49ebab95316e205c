//! `plimsoll verify-bundle`: one Sigstore bundle held against one file, as the conformance suite of Sigstore calls
//! its clients (`https://github.com/sigstore/sigstore-conformance/blob/main/docs/cli_protocol.md`).
//!
//! It is hidden: people ask `plimsoll clear`, which finds the bundles itself. What it prints is for a log.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::Timestamp;
use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Identity, Place, Scheme, Signer, Standing};
use plimsoll_trust::bundle;
use plimsoll_trust::keys::TrustedKey;
use plimsoll_trust::limits::{BUNDLE_BYTES_MAX, CERTIFICATE_BYTES_MAX};
use plimsoll_trust::root::{Trust, TrustRoot};

use super::{Outcome, misused};

/// Bytes of the file that is signed, which is read into memory. Larger ones are named by their digest.
const FILE_BYTES_MAX: usize = 1 << 30;

/// Verify one Sigstore bundle, without asking anybody.
#[derive(Args, Debug)]
pub(super) struct VerifyBundleArgs {
    /// The bundle.
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// The identity that must have signed, exactly.
    #[arg(long, value_name = "TEXT", requires = "certificate_oidc_issuer")]
    certificate_identity: Option<String>,
    /// The issuer that must have authenticated it, exactly.
    #[arg(long, value_name = "URL", requires = "certificate_identity")]
    certificate_oidc_issuer: Option<String>,
    /// The public key that must have signed (PEM).
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "certificate_identity",
        required_unless_present = "certificate_identity"
    )]
    key: Option<PathBuf>,
    /// The roots of trust; Sigstore's public instance, as this build knows it, if left out.
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// Sigstore's instance for tests, of which this build has no roots.
    #[arg(long)]
    staging: bool,
    /// What is signed: a file, or `sha256:HEX`.
    #[arg(value_name = "FILE_OR_DIGEST")]
    signed: String,
}

pub(super) fn run(args: &VerifyBundleArgs) -> anyhow::Result<Outcome> {
    let root = match (&args.trusted_root, args.staging) {
        (Some(file), _) => TrustRoot::Pinned { file: file.clone(), digest: None },
        (None, false) => TrustRoot::Bundled,
        (None, true) => {
            return Err(misused(anyhow::anyhow!(
                "there are no roots for `--staging`; add `--trusted-root FILE`"
            )));
        }
    };
    let mut trust = Trust::load(&root, Timestamp::now().as_second())?;
    if let Some(file) = &args.key {
        let pem = String::from_utf8(read(file, CERTIFICATE_BYTES_MAX)?).context("the key is not PEM")?;
        let key = TrustedKey::from_pem(None, &pem).with_context(|| format!("`{}`", file.display()))?;
        trust = trust.with_keys(vec![key]);
    }
    let bytes = read(&args.bundle, BUNDLE_BYTES_MAX)?;
    let place = Place { scheme: Scheme::File, name: args.bundle.display().to_string() };
    let item = match args.signed.parse::<Digest>() {
        Ok(digest) => bundle::verify(&bytes, &digest, place, &trust),
        Err(_) => {
            let signed = read(Path::new(&args.signed), FILE_BYTES_MAX)?;
            bundle::verify_bytes(&bytes, &signed, place, &trust)
        }
    };
    let refused = |why: &str| {
        anstream::eprintln!("refused: {why}");
        Ok(Outcome::ThresholdMet)
    };
    let proof = match item.standing {
        Standing::Proven(proof) => proof,
        Standing::Refused(refusal) => {
            return refused(&format!("{}: {}", refusal.kind.name(), refusal.detail));
        }
        Standing::Unsigned | Standing::Unverified(_) => return refused("nobody signed it"),
    };
    match (&proof.signer, wanted(args)) {
        // A bundle that is signed otherwise than was demanded must not pass for what was.
        (Signer::Key { .. }, Some(_)) => refused("it is signed with a key, and an identity is demanded"),
        (Signer::Keyless(identity), None) => {
            refused(&format!("it is signed by `{}`, and a key is demanded", identity.san))
        }
        (Signer::Keyless(identity), Some(wanted)) if !is_wanted(identity, wanted) => {
            refused(&format!("identity: it is signed by `{}` of `{}`", identity.san, identity.issuer))
        }
        (Signer::Keyless(identity), Some(_)) => {
            anstream::eprintln!("verified: signed by `{}` of `{}`", identity.san, identity.issuer);
            Ok(Outcome::Done)
        }
        (Signer::Key { fingerprint, .. }, None) => {
            anstream::eprintln!("verified: signed with the key {fingerprint}");
            Ok(Outcome::Done)
        }
    }
}

/// The identity and the issuer that are demanded, if no key is.
fn wanted(args: &VerifyBundleArgs) -> Option<(&str, &str)> {
    Some((args.certificate_identity.as_deref()?, args.certificate_oidc_issuer.as_deref()?))
}

fn is_wanted(identity: &Identity, (san, issuer): (&str, &str)) -> bool {
    identity.san == san && identity.issuer == issuer
}

/// Reads a file of at most `bytes_max` bytes.
fn read(file: &Path, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let cannot = || format!("cannot read `{}`", file.display());
    File::open(file).with_context(cannot)?.take(limit).read_to_end(&mut bytes).with_context(cannot)?;
    if bytes.len() > bytes_max {
        bail!("`{}` has more than {bytes_max} bytes", file.display());
    }
    Ok(bytes)
}
