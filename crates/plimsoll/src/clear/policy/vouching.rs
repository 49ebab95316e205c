//! Whom a policy trusts, and for what: roots of trust, signers by name, and what is demanded of evidence.
//!
//! What surprises: nothing is trusted that the policy does not name. Without `trust` no certificate is believed, not even one
//! of Sigstore's public instance. Files that are named (roots, keys) are read from where the policy is: a change does not
//! bring its own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use plimsoll_core::clearance::{
    EvidenceDemands, ListDemand, Mode, ProvenanceDemand, SignatureDemand, SummaryDemand,
};
use plimsoll_core::digest::Digest;
use plimsoll_core::evidence::{Claim, Identity, Proof, Signer as By};
use plimsoll_core::rules::{About, RULES};
use plimsoll_trust::gcb::GcbKey;
use plimsoll_trust::keys::TrustedKey;
use plimsoll_trust::root::{Demands, Trust, TrustRoot};
use serde::Deserialize;
use serde_json::json;

use super::expression::Expression;
use super::{Day, Files, WireMode, beside};
use crate::config::units::Time;

/// Days of which one is as long as the other.
const DAY_SECONDS: u64 = 86_400;

/// What a policy writes of trust.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Wire {
    #[serde(default)]
    pub(super) trust: Option<WireTrust>,
    #[serde(default)]
    pub(super) signers: BTreeMap<String, WireSigner>,
    #[serde(default)]
    pub(super) evidence: WireEvidence,
    #[serde(default)]
    pub(super) vex_from: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct WireTrust {
    mode: WireTrustMode,
    /// `trusted_root.json`, beside the policy; of TUF the `root.json` that is trusted first.
    #[serde(default)]
    root: Option<String>,
    /// Folder with the files of a TUF repository, beside the policy.
    #[serde(default)]
    repository: Option<String>,
    /// What the bytes of the root must hash to.
    #[serde(default)]
    digest: Option<String>,
    /// When the root was fetched.
    #[serde(default)]
    as_of: Option<Day>,
    #[serde(default)]
    max_age: Option<Time>,
    /// Whether certificates' signatures must stand in a transparency log.
    #[serde(default = "yes")]
    log: bool,
    /// Whether certificates must stand in a log of certificates.
    #[serde(default = "yes")]
    sct: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WireTrustMode {
    Pinned,
    Bundled,
    Tuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct WireSigner {
    /// `google-cloud-build`.
    #[serde(default)]
    kind: Option<WireKind>,
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    san: Option<String>,
    #[serde(default)]
    san_pattern: Option<String>,
    #[serde(default)]
    claims: BTreeMap<String, String>,
    /// A public key (PEM), beside the policy.
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    from: Option<Day>,
    #[serde(default)]
    until: Option<Day>,
    /// Whether the key's signatures must stand in a transparency log.
    #[serde(default)]
    log: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WireKind {
    GoogleCloudBuild,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct WireEvidence {
    #[serde(default)]
    signature: Option<WireSignature>,
    #[serde(default)]
    provenance: Option<WireProvenance>,
    #[serde(default)]
    sbom: Option<WireList>,
    #[serde(default)]
    vsa: Option<WireSummary>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WireSignature {
    any_of: Vec<String>,
    #[serde(default)]
    mode: Option<WireMode>,
    #[serde(default)]
    from: Option<Day>,
    /// Whether the name in the signature must be the image's.
    #[serde(default)]
    named: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WireProvenance {
    any_of: Vec<String>,
    #[serde(default)]
    mode: Option<WireMode>,
    #[serde(default)]
    from: Option<Day>,
    #[serde(default)]
    builders: Vec<String>,
    #[serde(default)]
    build_types: Vec<String>,
    #[serde(default)]
    source_repository: Option<String>,
    #[serde(default)]
    source_repository_id: Option<String>,
    #[serde(default)]
    source_refs: Vec<String>,
    #[serde(default)]
    tag_matches_ref: bool,
    #[serde(default)]
    max_age: Option<Time>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WireList {
    any_of: Vec<String>,
    #[serde(default)]
    mode: Option<WireMode>,
    #[serde(default)]
    from: Option<Day>,
    #[serde(default)]
    coverage: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WireSummary {
    any_of: Vec<String>,
    #[serde(default)]
    mode: Option<WireMode>,
    #[serde(default)]
    from: Option<Day>,
    #[serde(default)]
    verifiers: Vec<String>,
    #[serde(default)]
    levels: Vec<String>,
}

fn yes() -> bool {
    true
}

/// Whom a policy trusts.
pub(crate) struct Vouching {
    /// What signatures are held against.
    pub(crate) trust: Trust,
    /// Whether roots were chosen: without, no certificate can be told good from bad.
    pub(crate) has_roots: bool,
    /// Google's keys, where a signer names them.
    pub(crate) gcb: Vec<GcbKey>,
    /// Signers whose VEX counts.
    pub(crate) vex_from: Vec<String>,
    signers: Vec<(String, Signer)>,
}

impl fmt::Debug for Vouching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.signers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Vouching").field("signers", &names).finish_non_exhaustive()
    }
}

/// Somebody that a policy names.
enum Signer {
    Identity {
        issuer: String,
        san: San,
        claims: Vec<(Claim, String)>,
    },
    Key(Digest),
    /// Any of Google's keys.
    GoogleCloudBuild(Vec<Digest>),
}

/// The subject of a certificate.
enum San {
    Exact(String),
    Pattern(Box<Expression>),
}

impl Vouching {
    /// The names of the signers that a proof is by, sorted.
    pub(crate) fn signers_of(&self, proof: &Proof) -> Vec<String> {
        let is_it = |signer: &Signer| match (signer, &proof.signer) {
            (Signer::Identity { issuer, san, claims }, By::Keyless(identity)) => {
                identity.issuer == *issuer && is_san(san, identity) && has_all(claims, identity)
            }
            (Signer::Key(wanted), By::Key { fingerprint, .. }) => wanted == fingerprint,
            (Signer::GoogleCloudBuild(keys), By::Key { fingerprint, .. }) => keys.contains(fingerprint),
            _ => false,
        };
        self.signers.iter().filter(|(_, signer)| is_it(signer)).map(|(name, _)| name.clone()).collect()
    }
}

fn is_san(san: &San, identity: &Identity) -> bool {
    match san {
        San::Exact(wanted) => identity.san == *wanted,
        San::Pattern(pattern) => pattern.holds(&json!({ "san": identity.san })) == Ok(true),
    }
}

fn has_all(claims: &[(Claim, String)], identity: &Identity) -> bool {
    claims.iter().all(|(claim, wanted)| identity.claim(*claim) == Some(wanted.as_str()))
}

/// What a policy says of evidence, read.
pub(super) struct Read {
    /// `None` where no signer is named: then nothing is verified.
    pub(super) vouching: Option<Vouching>,
    pub(super) demands: EvidenceDemands,
    /// Modes of the rules, by id.
    pub(super) modes: Vec<(&'static str, Mode)>,
}

/// Reads what a policy at `path` says; `today` is the day in UTC.
pub(super) fn read(wire: Wire, path: &Path, files: &Files, today: Date) -> anyhow::Result<Read> {
    let now = second(today)?;
    let mut signers = Vec::new();
    let (mut keys, mut gcb) = (Vec::new(), Vec::new());
    for (name, signer) in wire.signers {
        let read = signer_of(&name, signer, path, files).with_context(|| format!("`signers`: `{name}`"))?;
        signers.push((
            name,
            match read {
                ReadSigner::Identity(signer) => signer,
                ReadSigner::Key(key) => {
                    let signer = Signer::Key(key.fingerprint().clone());
                    keys.push(*key);
                    signer
                }
                ReadSigner::GoogleCloudBuild => {
                    gcb = GcbKey::bundled();
                    Signer::GoogleCloudBuild(gcb.iter().map(|key| key.key.fingerprint().clone()).collect())
                }
            },
        ));
    }
    let names: Vec<&str> = signers.iter().map(|(name, _)| name.as_str()).collect();
    for name in &wire.vex_from {
        is_known(name, &names).context("`vulnerabilities.vexFrom`")?;
    }
    let mut modes = Vec::new();
    let mut demands = demands(wire.evidence, &names, today, now, &mut modes)?;
    if let Some(trust) = &wire.trust {
        demands.root_age = root_age(trust, today)?;
    }
    let vouching = match signers.is_empty() {
        true if wire.trust.is_some() => bail!("`trust` is of no use without `signers`"),
        true => None,
        false => {
            let has_roots = wire.trust.is_some();
            let trust = trust(wire.trust.as_ref(), path, files, now)?.with_keys(keys);
            Some(Vouching { trust, has_roots, gcb, vex_from: wire.vex_from, signers })
        }
    };
    Ok(Read { vouching, demands, modes })
}

/// The first second of a day.
fn second(day: Date) -> anyhow::Result<i64> {
    Ok(day.to_zoned(TimeZone::UTC)?.timestamp().as_second())
}

enum ReadSigner {
    Identity(Signer),
    Key(Box<TrustedKey>),
    GoogleCloudBuild,
}

fn signer_of(name: &str, wire: WireSigner, path: &Path, files: &Files) -> anyhow::Result<ReadSigner> {
    let is_identity =
        wire.issuer.is_some() || wire.san.is_some() || wire.san_pattern.is_some() || !wire.claims.is_empty();
    let is_key = wire.key.is_some();
    let is_of_key = wire.from.is_some() || wire.until.is_some() || wire.log.is_some();
    match (wire.kind, is_identity, is_key) {
        (Some(WireKind::GoogleCloudBuild), false, false) if !is_of_key => Ok(ReadSigner::GoogleCloudBuild),
        (None, true, false) if !is_of_key => Ok(ReadSigner::Identity(identity_of(wire)?)),
        (None, false, true) => Ok(ReadSigner::Key(Box::new(key_of(name, &wire, path, files)?))),
        _ => bail!(
            "write either `issuer` with `san` or `sanPattern` (and `claims`), or `key` (with `from`, `until`, `log`), or `kind: google-cloud-build`"
        ),
    }
}

fn identity_of(wire: WireSigner) -> anyhow::Result<Signer> {
    let issuer = wire.issuer.ok_or_else(|| anyhow!("there is no `issuer`: anybody can issue any subject"))?;
    let san = match (wire.san, wire.san_pattern) {
        (Some(san), None) => San::Exact(san),
        (None, Some(pattern)) => {
            let whole = serde_json::to_string(&format!("^(?:{pattern})$"))?;
            let expression = Expression::compile(&format!("san.matches({whole})"), &json!({ "san": "x" }));
            San::Pattern(Box::new(expression.context("`sanPattern`")?))
        }
        _ => bail!("write either `san` or `sanPattern`"),
    };
    let claims = wire.claims.into_iter().map(|(name, value)| {
        let claim = Claim::ALL.into_iter().find(|claim| claim.name() == name);
        let there = || Claim::ALL.map(Claim::name).join("`, `");
        let claim = claim.ok_or_else(|| anyhow!("there is no claim `{name}`; there are `{}`", there()))?;
        Ok((claim, value))
    });
    Ok(Signer::Identity { issuer, san, claims: claims.collect::<anyhow::Result<_>>()? })
}

fn key_of(name: &str, wire: &WireSigner, path: &Path, files: &Files) -> anyhow::Result<TrustedKey> {
    let file = wire.key.as_deref().unwrap_or_default();
    let bytes = named(path, file, files)?;
    let pem = std::str::from_utf8(&bytes).with_context(|| format!("`{file}` is not PEM"))?;
    let mut key = TrustedKey::from_pem(Some(name), pem).with_context(|| format!("`{file}`"))?;
    key.from = wire.from.map(|day| second(day.0)).transpose()?;
    // The last day counts whole.
    key.until = wire.until.map(|day| anyhow::Ok(second(day.0.tomorrow()?)? - 1)).transpose()?;
    key.needs_log = wire.log.unwrap_or(true);
    Ok(key)
}

/// A file that the policy names.
fn named(path: &Path, name: &str, files: &Files) -> anyhow::Result<Vec<u8>> {
    let file = beside(path, name);
    files.read(&file)?.ok_or_else(|| anyhow!("there is no file `{}`", file.display()))
}

/// A root that trusts nobody, for policies that name keys alone.
const NOBODY: &str = r#"{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}"#;

/// Trust in nobody, to which keys can be added; `now` is in seconds since 1970.
pub(crate) fn nobody(now: i64) -> anyhow::Result<Trust> {
    Ok(Trust::from_bytes(NOBODY.as_bytes(), now)?)
}

fn trust(wire: Option<&WireTrust>, path: &Path, files: &Files, now: i64) -> anyhow::Result<Trust> {
    let Some(wire) = wire else { return nobody(now) };
    let demands = Demands { log: wire.log, sct: wire.sct };
    if wire.repository.is_some() && !matches!(wire.mode, WireTrustMode::Tuf) {
        bail!("`trust.repository` is of mode `tuf`");
    }
    let trust = match (wire.mode, &wire.root) {
        (WireTrustMode::Tuf, Some(root)) => {
            let (Some(folder), Some(as_of)) = (&wire.repository, wire.as_of) else {
                bail!(
                    "`trust`: `tuf` needs `repository`, a folder beside the policy, and `asOf`, the day when it was copied"
                );
            };
            let anchor = pinned(path, root, wire.digest.as_deref(), files)?;
            let failed = std::cell::RefCell::new(None);
            let read = |name: &str| {
                let file = beside(path, folder).join(name);
                files.read(&file).unwrap_or_else(|error| {
                    failed.borrow_mut().get_or_insert(error);
                    None
                })
            };
            let trust = Trust::from_tuf(&anchor, &read, second(as_of.0)?, now);
            if let Some(error) = failed.take() {
                return Err(error.context("`trust.repository`"));
            }
            trust.context("`trust`")?
        }
        (WireTrustMode::Tuf, None) => {
            bail!("`trust`: `tuf` needs `root`, the `root.json` that is trusted first")
        }
        (WireTrustMode::Bundled, None) if wire.digest.is_none() => Trust::load(&TrustRoot::Bundled, now)?,
        (WireTrustMode::Bundled, _) => {
            bail!("`trust`: `bundled` roots come with this build; leave `root` and `digest` out")
        }
        (WireTrustMode::Pinned, None) => {
            bail!("`trust`: `pinned` needs `root`, a `trusted_root.json` beside the policy")
        }
        (WireTrustMode::Pinned, Some(root)) => {
            let bytes = pinned(path, root, wire.digest.as_deref(), files)?;
            Trust::from_bytes(&bytes, now).with_context(|| format!("`trust.root`: `{root}`"))?
        }
    };
    Ok(trust.with_demands(demands))
}

/// A file of roots, held to the digest that the policy pins.
fn pinned(path: &Path, root: &str, digest: Option<&str>, files: &Files) -> anyhow::Result<Vec<u8>> {
    let bytes = named(path, root, files).context("`trust.root`")?;
    let found = files.digest_of(&beside(path, root)).context("a file that was read has a digest")?;
    if let Some(pinned) = digest.filter(|pinned| *pinned != found.as_str()) {
        bail!("`trust.root`: `{root}` is {found}, and {pinned} is pinned; check the file, then the pin");
    }
    Ok(bytes)
}

/// How old the roots are and may be, in days.
fn root_age(wire: &WireTrust, today: Date) -> anyhow::Result<Option<(u64, u64)>> {
    match (wire.as_of, wire.max_age) {
        (_, None) => Ok(None),
        (None, Some(_)) => bail!("`trust.maxAge` needs `asOf`, the day when the root was fetched"),
        (Some(as_of), Some(age)) => {
            let days = today.since(as_of.0)?.get_days();
            let days = u64::try_from(days).map_err(|_| anyhow!("`trust.asOf` is a day to come"))?;
            Ok(Some((days, age.0.as_secs() / DAY_SECONDS)))
        }
    }
}

fn is_known(name: &str, names: &[&str]) -> anyhow::Result<()> {
    if names.contains(&name) {
        return Ok(());
    }
    match names {
        [] => bail!("there is no signer `{name}`; name it in `signers`"),
        _ => bail!("there is no signer `{name}`; there are `{}`", names.join("`, `")),
    }
}

/// What stands in front of every kind of evidence: its signers, and what its rules mean.
struct Head<'a> {
    kind: &'a str,
    about: About,
    any_of: &'a [String],
    mode: Option<WireMode>,
    from: Option<Day>,
}

impl Head<'_> {
    /// Whether the kind is demanded; notes the modes of its rules.
    fn read(
        &self,
        names: &[&str],
        today: Date,
        modes: &mut Vec<(&'static str, Mode)>,
    ) -> anyhow::Result<bool> {
        let kind = self.kind;
        if self.any_of.is_empty() {
            bail!("`evidence.{kind}` names no signer in `anyOf`; nobody's word would count");
        }
        for name in self.any_of {
            is_known(name, names).with_context(|| format!("`evidence.{kind}.anyOf`"))?;
        }
        let mode = self.mode.map(|mode| mode.on(self.from, today));
        // A day without a mode is one of the mode that lists of packages have not.
        let mode = mode.or_else(|| self.from.map(|_| WireMode::Require.on(self.from, today)));
        if mode == Some(Mode::Off) {
            return Ok(false);
        }
        let rules = RULES.iter().filter(|rule| rule.about == self.about);
        modes.extend(mode.into_iter().flat_map(|mode| rules.clone().map(move |rule| (rule.id, mode))));
        Ok(true)
    }
}

fn demands(
    wire: WireEvidence,
    names: &[&str],
    today: Date,
    now: i64,
    modes: &mut Vec<(&'static str, Mode)>,
) -> anyhow::Result<EvidenceDemands> {
    let mut demands = EvidenceDemands::default();
    if let Some(of) = wire.signature {
        let head = Head {
            kind: "signature",
            about: About::Signature,
            any_of: &of.any_of,
            mode: of.mode,
            from: of.from,
        };
        if head.read(names, today, modes)? {
            demands.signature = Some(SignatureDemand { any_of: of.any_of, is_named: of.named });
        }
    }
    if let Some(of) = wire.provenance {
        let head = Head {
            kind: "provenance",
            about: About::Provenance,
            any_of: &of.any_of,
            mode: of.mode,
            from: of.from,
        };
        if head.read(names, today, modes)? {
            let age = of.max_age.map(|age| i64::try_from(age.0.as_secs())).transpose()?;
            demands.provenance = Some(ProvenanceDemand {
                any_of: of.any_of,
                builders: of.builders,
                build_types: of.build_types,
                source_repository: of.source_repository,
                source_repository_id: of.source_repository_id,
                source_refs: of.source_refs,
                tag_matches_ref: of.tag_matches_ref,
                age: age.map(|age| (age, now)),
            });
        }
    }
    if let Some(of) = wire.sbom {
        // What an attested list lacks is told, unless the policy says more.
        let mode = of.mode.or_else(|| of.from.is_none().then_some(WireMode::Warn));
        let head = Head { kind: "sbom", about: About::List, any_of: &of.any_of, mode, from: of.from };
        if head.read(names, today, modes)? {
            if of.coverage.is_some_and(|coverage| !(0.0..=1.0).contains(&coverage)) {
                bail!("`evidence.sbom.coverage` is between 0 and 1");
            }
            demands.list = Some(ListDemand { any_of: of.any_of, coverage: of.coverage });
        }
    }
    if let Some(of) = wire.vsa {
        let head =
            Head { kind: "vsa", about: About::Summary, any_of: &of.any_of, mode: of.mode, from: of.from };
        if head.read(names, today, modes)? {
            demands.summary =
                Some(SummaryDemand { any_of: of.any_of, verifiers: of.verifiers, levels: of.levels });
        }
    }
    Ok(demands)
}
