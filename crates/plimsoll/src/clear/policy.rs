//! What is demanded of candidates: a policy, strictly typed YAML with expressions in CEL, and its waivers.
//!
//! A key that is not known, a name that an expression misspells, a severity that does not exist: each is an error when the
//! policy is read, because a rule that never matches would let everything pass. What surprises: a flaw of which something
//! is not known (its severity, whether it is new) is held against each expression with every value that it may have; only
//! where all agree is the answer one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use jiff::Timestamp;
use jiff::civil::Date;
use plimsoll_core::clearance::{Candidate, Demands, Held, Level, Mode, Observed, Trouble};
use plimsoll_core::digest::Digest;
use plimsoll_core::image::Platform;
use plimsoll_core::rules::RULES;
use serde::Deserialize;
use serde_json::{Value, json};

use super::files::Files;
use crate::config::units::Time;

pub(crate) mod expression;
pub(crate) mod flaws;
pub(crate) mod sample;
mod vouching;
mod waivers;

use expression::Expression;
use flaws::Flaw;
pub(crate) use vouching::{Vouching, nobody};
pub(crate) use waivers::Waivers;

/// The version of the format that this is.
const API_VERSION: &str = "plimsoll/policy/1";

/// Longest time that a waiver holds, in days, where the policy does not say.
const WAIVER_DAYS_MAX: u16 = 90;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wire {
    api_version: String,
    name: String,
    #[serde(default)]
    when: Option<String>,
    #[serde(default)]
    integrity: Option<WireLevel>,
    #[serde(default)]
    platforms: WirePlatforms,
    #[serde(default)]
    tags: WireTags,
    #[serde(default)]
    checks: BTreeMap<String, WireCheck>,
    #[serde(default)]
    trust: Option<vouching::WireTrust>,
    #[serde(default)]
    signers: BTreeMap<String, vouching::WireSigner>,
    #[serde(default)]
    evidence: vouching::WireEvidence,
    #[serde(default)]
    vulnerabilities: Option<WireVulnerabilities>,
    #[serde(default)]
    require: Vec<String>,
    #[serde(default)]
    waivers: Option<String>,
    #[serde(default)]
    waiver_days_max: Option<u16>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WireLevel {
    Exists,
    Content,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WirePlatforms {
    #[serde(default)]
    require: Vec<String>,
    /// Whether each platform of what the destination holds must be there.
    #[serde(default)]
    no_loss: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WireTags {
    #[serde(default)]
    pattern: Option<String>,
    #[serde(default)]
    allow_moves: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireCheck {
    mode: WireMode,
    /// From which day a mode of `require` holds; before it warns.
    #[serde(default)]
    from: Option<Day>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WireMode {
    Off,
    Warn,
    Require,
}

impl WireMode {
    /// What it means today: before its day a demand warns.
    fn on(self, from: Option<Day>, today: Date) -> Mode {
        match self {
            WireMode::Off => Mode::Off,
            WireMode::Warn => Mode::Warn,
            WireMode::Require if from.is_some_and(|from| from.0 > today) => Mode::Warn,
            WireMode::Require => Mode::Require,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WireVulnerabilities {
    #[serde(default)]
    db_max_age: Option<Time>,
    #[serde(default)]
    refuse: Vec<String>,
    #[serde(default)]
    warn: Vec<String>,
    /// Signers whose VEX counts.
    #[serde(default)]
    vex_from: Vec<String>,
}

/// A policy that was read, and means something.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) digest: Digest,
    /// The commit that it was read from.
    pub(crate) commit: Option<String>,
    /// The files that it names, with the digests of their bytes.
    pub(crate) names: Vec<(String, Digest)>,
    pub(crate) level: Option<Level>,
    demands: Demands,
    tag_pattern: Option<Expression>,
    when: Option<Expression>,
    require: Vec<Expression>,
    pub(crate) vulnerabilities: Option<Vulnerabilities>,
    /// Whom it trusts; `None` where it names no signer.
    pub(crate) vouching: Option<Vouching>,
    pub(crate) waivers: Waivers,
}

/// What is demanded of flaws.
#[derive(Debug)]
pub(crate) struct Vulnerabilities {
    /// How old the database may be, in hours.
    pub(crate) hours_max: Option<u64>,
    refuse: Vec<Expression>,
    warn: Vec<Expression>,
}

impl Policy {
    /// Reads a policy and its waivers.
    pub(crate) fn read(path: &Path, files: &Files, today: Date) -> anyhow::Result<Policy> {
        let file = path.display().to_string();
        let bytes = files.read(path)?.ok_or_else(|| match files.commit() {
            Some(commit) => anyhow!(
                "there is no policy `{file}` in commit {commit}; a change is judged by the policy of its base, never by its own"
            ),
            None => anyhow!("there is no file `{file}`"),
        })?;
        let wire: Wire = yaml(&bytes).map_err(|error| anyhow!("`{file}`: {error}"))?;
        let waivers = match &wire.waivers {
            None => Waivers::default(),
            Some(name) => {
                let path = beside(path, name);
                let days_max = wire.waiver_days_max.unwrap_or(WAIVER_DAYS_MAX);
                Waivers::read(&path, files, today, days_max)?
            }
        };
        let digest = files.digest_of(path).context("a file that was read has a digest")?;
        let of = |mut wire: Wire| {
            let vouching = vouching::Wire {
                trust: wire.trust.take(),
                signers: std::mem::take(&mut wire.signers),
                evidence: std::mem::take(&mut wire.evidence),
                vex_from: wire
                    .vulnerabilities
                    .as_mut()
                    .map_or(Vec::new(), |of| std::mem::take(&mut of.vex_from)),
            };
            let vouching = vouching::read(vouching, path, files, today)?;
            let policy = Policy::of(wire, file.clone(), digest, vouching, waivers, today)?;
            let commit = files.commit().map(str::to_owned);
            anyhow::Ok(Policy { commit, names: files.beside(path), ..policy })
        };
        of(wire).with_context(|| format!("`{file}`"))
    }

    fn of(
        wire: Wire,
        file: String,
        digest: Digest,
        vouching: vouching::Read,
        waivers: Waivers,
        today: Date,
    ) -> anyhow::Result<Policy> {
        if wire.api_version != API_VERSION {
            bail!("`apiVersion` is `{}`; write `{API_VERSION}`", wire.api_version);
        }
        let entry = |texts: &[String], what: &str| compiled(texts, what, &json!({"entry": sample::entry()}));
        let judged =
            |texts: &[String], what: &str| compiled(texts, what, &json!({"entry": sample::judged_entry()}));
        let flaw = |texts: &[String], what: &str| compiled(texts, what, &json!({"v": sample::flaw()}));
        let mut modes = modes(&wire.checks, today)?;
        // What `checks` says of a rule goes before what its kind of evidence says: the first is taken.
        modes.extend(vouching.modes.into_iter().map(|(id, mode)| (id.to_owned(), mode)));
        let platforms: Result<Vec<Platform>, _> =
            wire.platforms.require.iter().map(|text| text.parse()).collect();
        let tag_pattern = match &wire.tags.pattern {
            Some(pattern) => {
                let text = format!("tag.matches({})", serde_json::to_string(pattern)?);
                Some(Expression::compile(&text, &json!({"tag": "v1.2.3"})).context("`tags.pattern`")?)
            }
            None => None,
        };
        let vulnerabilities = match wire.vulnerabilities {
            None => None,
            Some(wire) => Some(Vulnerabilities {
                hours_max: wire.db_max_age.map(|age| age.0.as_secs() / 3600),
                refuse: flaw(&wire.refuse, "`vulnerabilities.refuse`")?,
                warn: flaw(&wire.warn, "`vulnerabilities.warn`")?,
            }),
        };
        Ok(Policy {
            name: wire.name,
            file,
            digest,
            commit: None,
            names: Vec::new(),
            level: wire.integrity.map(|level| match level {
                WireLevel::Exists => Level::Exists,
                WireLevel::Content => Level::Content,
            }),
            demands: Demands {
                platforms: platforms.context("`platforms.require`")?,
                keeps_platforms: wire.platforms.no_loss,
                allows_tag_moves: wire.tags.allow_moves,
                tag_pattern: wire.tags.pattern,
                modes,
                evidence: vouching.demands,
            },
            tag_pattern,
            when: entry(wire.when.as_slice(), "`when`")?.pop(),
            require: judged(&wire.require, "`require`")?,
            vulnerabilities,
            vouching: vouching.vouching,
            waivers,
        })
    }

    /// What the rules are to hold candidates against.
    pub(crate) fn demands(&self) -> &Demands {
        &self.demands
    }

    /// Every expression, as it was written.
    pub(crate) fn expressions(&self) -> usize {
        let of_flaws = self.vulnerabilities.as_ref().map_or(0, |of| of.refuse.len() + of.warn.len());
        of_flaws
            + self.require.len()
            + usize::from(self.when.is_some())
            + usize::from(self.tag_pattern.is_some())
    }

    /// Whether it is meant for a candidate. What cannot be told is an error: it would let the candidate pass by.
    pub(crate) fn is_for(&self, candidate: &Candidate, observed: &Observed) -> Result<bool, String> {
        match &self.when {
            None => Ok(true),
            Some(when) => when.holds(&json!({"entry": entry(candidate, observed)})),
        }
    }

    /// Adds what the policy requires of the candidate itself to what was seen.
    pub(crate) fn require(&self, candidate: &Candidate, observed: &mut Observed) {
        let facts = json!({"entry": judged_entry(candidate, observed)});
        observed.required = self.require_of(&facts);
        let Some(pattern) = &self.tag_pattern else { return };
        let is_odd = |tag: &&String| pattern.holds(&json!({ "tag": tag })) != Ok(true);
        observed.odd_tags = candidate.tags.iter().filter(is_odd).cloned().collect();
    }

    /// Each demand, and whether it holds of these facts.
    pub(crate) fn require_of(&self, facts: &Value) -> Vec<(String, Result<bool, Trouble>)> {
        let demands = self.require.iter();
        demands
            .map(|demand| {
                let holds = demand.holds(facts);
                (
                    demand.text().to_owned(),
                    holds.map_err(|error| Trouble::Unknown(format!("`{demand}`: {error}"))),
                )
            })
            .collect()
    }

    /// What the policy says of a flaw, before waivers: each rule that holds refuses or warns.
    pub(crate) fn held(&self, flaw: &Flaw) -> Held {
        let Some(rules) = &self.vulnerabilities else { return Held::ByNone };
        let mut untold = None;
        for rule in &rules.refuse {
            match flaw.meets(rule) {
                Ok(Some(true)) => return Held::Refused(rule.text().to_owned()),
                Ok(Some(false)) => {}
                Ok(None) => {
                    let unknown = flaw.unknown().join(", ");
                    untold.get_or_insert_with(|| format!("`{rule}` depends on what is not known: {unknown}"));
                }
                Err(error) => {
                    untold.get_or_insert_with(|| format!("`{rule}`: {error}"));
                }
            }
        }
        if let Some(untold) = untold {
            return Held::Untold(untold);
        }
        let warns = rules.warn.iter().find(|rule| flaw.meets(rule) != Ok(Some(false)));
        warns.map_or(Held::ByNone, |rule| Held::Warned(rule.text().to_owned()))
    }
}

/// What `checks` says of rules.
fn modes(checks: &BTreeMap<String, WireCheck>, today: Date) -> anyhow::Result<Vec<(String, Mode)>> {
    let mut modes = Vec::new();
    for (id, check) in checks {
        let Some(rule) = RULES.iter().find(|rule| rule.id == id) else {
            let ids: Vec<&str> = RULES.iter().filter(|rule| !rule.is_firm).map(|rule| rule.id).collect();
            bail!("`checks`: there is no check `{id}`; there are {}", ids.join(", "));
        };
        if rule.is_firm {
            bail!("`checks`: `{id}` is firm: a policy cannot soften whether what ships is what it says");
        }
        modes.push((id.clone(), check.mode.on(check.from, today)));
    }
    Ok(modes)
}

fn compiled(texts: &[String], what: &str, sample: &Value) -> anyhow::Result<Vec<Expression>> {
    let compile = |text: &String| Expression::compile(text, sample).with_context(|| what.to_owned());
    texts.iter().map(compile).collect()
}

/// A candidate as expressions see it; [`sample::entry`] has the same fields.
fn entry(candidate: &Candidate, observed: &Observed) -> Value {
    let platforms: Vec<String> = observed
        .images
        .iter()
        .filter_map(|image| Some(image.config.as_ref().ok()?.platform.to_string()))
        .collect();
    let layers: BTreeSet<_> =
        observed.images.iter().flat_map(|image| &image.layers).map(|layer| &layer.digest).collect();
    json!({
        "name": candidate.name,
        "project": candidate.project,
        "source": candidate.source,
        "digest": observed.top.as_ref().map_or("", |top| top.digest.as_str()),
        "mediaType": observed.top.as_ref().map_or("", |top| top.media_type.as_str()),
        "tags": candidate.tags,
        "destinations": candidate.destinations,
        "platforms": platforms,
        "layers": layers.len(),
        "bytes": observed.layer_bytes(),
    })
}

/// The same with what is known of it once its evidence was verified and what it replaces was looked at;
/// [`sample::judged_entry`] has the same fields. What could not be looked at is left out, so that what asks for it is an error.
fn judged_entry(candidate: &Candidate, observed: &Observed) -> Value {
    let mut facts = entry(candidate, observed);
    let fields = facts.as_object_mut().expect("it was made as an object");
    if let (Some(seen), Ok(top)) = (&observed.evidence, &observed.top) {
        // Of the candidate itself: a signer of one image of it did not sign the rest.
        let pieces = seen.pieces.iter().filter(|piece| piece.subject == top.digest);
        let signers: BTreeSet<&str> = pieces.flat_map(|piece| &piece.signers).map(String::as_str).collect();
        fields.insert("signers".to_owned(), json!(signers));
    }
    let users: Option<BTreeSet<&str>> =
        observed.images.iter().map(|image| Some(image.config.as_ref().ok()?.user.as_str())).collect();
    fields.extend(users.map(|users| ("users".to_owned(), json!(users))));
    let growth = match &observed.predecessor {
        Some(Ok(Some(before))) => growth(before.bytes, observed.layer_bytes()),
        Some(Ok(None)) => Some(0.0),
        Some(Err(_)) | None => None,
    };
    fields.extend(growth.map(|growth| ("growth".to_owned(), json!(growth))));
    facts
}

/// By how much something grew: 0.5 for half as much more. `None` where there was nothing that could grow.
fn growth(before: u64, now: u64) -> Option<f64> {
    // Mebibytes are exact enough for a share, and fit.
    let mebibytes = |bytes: u64| f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) / 1024.0;
    let before = mebibytes(before);
    (before > 0.0).then(|| mebibytes(now) / before - 1.0)
}

/// A file that another names: beside it.
fn beside(path: &Path, name: &str) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join(name)
}

/// Reads strict YAML.
pub(crate) fn yaml<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let budget = serde_saphyr::budget! { max_aliases: 0 };
    let options = serde_saphyr::options! { budget: budget };
    serde_saphyr::from_slice_with_options(bytes, options).map_err(|error| {
        let place = error.location().map_or(String::new(), |place| format!("line {}: ", place.line()));
        let text = error.to_string();
        format!("{place}{}", text.lines().next().unwrap_or_default())
    })
}

/// A day as people write it: `2027-01-31`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Day(Date);

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Day, String> {
        let bad = |_| format!("`{text}` is not a day; write, for example, `2027-01-31`");
        text.parse().map(Day).map_err(bad)
    }
}

/// The day of a time, in UTC.
pub(crate) fn day(now: Timestamp) -> Date {
    now.to_zoned(jiff::tz::TimeZone::UTC).date()
}

#[cfg(test)]
mod tests;
