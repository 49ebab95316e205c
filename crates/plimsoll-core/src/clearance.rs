//! May this digest ship: what is asked to be promoted, what was seen of it, and what each check says.
//!
//! Whoever asks registries hands over [`Observed`]: for each thing that was looked for what was there, or a
//! [`Trouble`] that says which of three it is: not there, there and wrong, or not to be known. The [`rules`]
//! judge that and nothing else, so that the same observations give the same verdict everywhere.
//!
//! What surprises: a thing that is not there refuses, and a thing that could not be looked at leaves undecided.
//! Neither clears.

use std::collections::BTreeMap;

use crate::advisory::{DatabaseIdentity, Severity};
use crate::digest::Digest;
use crate::image::Platform;
use crate::promotion::{Change, Fault};
use crate::rules::{self, About, RULES, Rule};

/// One digest that is asked to be promoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Name for people: the image, or the reference that was typed.
    pub name: String,
    /// Project of the manifest that lists it; empty for a reference.
    pub project: String,
    /// The repository where it is: `HOST/PATH`.
    pub source: String,
    /// The digest; `None` where only a tag was typed.
    pub digest: Option<Digest>,
    /// Tags that are claimed to be its.
    pub tags: Vec<String>,
    /// Repositories that it is to be promoted to.
    pub destinations: Vec<String>,
}

/// Why something was not seen as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The registry itself says that it has it not.
    Missing(String),
    /// It is there, and is not what it should be.
    Wrong(String),
    /// It could not be asked for, or the answer says nothing.
    Unknown(String),
}

/// What was looked for, or why it was not seen.
pub type Seen<T> = Result<T, Trouble>;

/// How closely was looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every manifest and config is read; of layers, that they are there and how large they are.
    Exists,
    /// Every byte is read.
    #[default]
    Content,
}

impl Level {
    /// Name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Level::Exists => "exists",
            Level::Content => "content",
        }
    }
}

/// What was seen of a candidate.
#[derive(Clone, Debug)]
pub struct Observed {
    /// How closely was looked.
    pub level: Level,
    /// The manifest or index itself, by its digest.
    pub top: Seen<Document>,
    /// What the index names, and the indexes in it, in their order.
    pub children: Vec<Child>,
    /// The images: the manifest itself, or those of the index.
    pub images: Vec<ImageSeen>,
    /// What each claimed tag points to at the source.
    pub source_tags: Vec<(String, Seen<Digest>)>,
    /// What each destination has.
    pub destinations: Vec<DestinationSeen>,
    /// What speaks of the manifest or of what its index names; `None` where it was not looked for.
    pub evidence: Option<EvidenceSeen>,
    /// What lists of packages that were attested have in common with what is aboard.
    pub lists: Vec<ListSeen>,
    /// Tags that do not follow the pattern that is demanded.
    pub odd_tags: Vec<String>,
    /// What the first destination holds today; `None` where nobody asked.
    pub predecessor: Option<Seen<Option<PredecessorSeen>>>,
    /// What is known to be wrong with the images; `None` where no policy asks.
    pub flaws: Option<Flaws>,
    /// The name of the policy that is for it.
    pub policy: Option<String>,
    /// What the policy requires of the candidate as a whole: each demand, and whether it holds.
    pub required: Vec<(String, Seen<bool>)>,
}

impl Observed {
    /// Bytes of the images' layers, each once, as stored.
    pub fn layer_bytes(&self) -> u64 {
        layer_bytes(&self.images)
    }

    /// Nothing was looked at yet.
    pub fn nothing(level: Level) -> Observed {
        Observed {
            level,
            top: Err(Trouble::Unknown("it was not asked for".to_owned())),
            children: Vec::new(),
            images: Vec::new(),
            source_tags: Vec::new(),
            destinations: Vec::new(),
            evidence: None,
            lists: Vec::new(),
            odd_tags: Vec::new(),
            predecessor: None,
            flaws: None,
            policy: None,
            required: Vec::new(),
        }
    }
}

/// What is known to be wrong with the images of one candidate, and what the policy says of each flaw.
#[derive(Clone, Debug)]
pub struct Flaws {
    /// Images that were matched, and the database that they were held against; or why some were not.
    pub matched: Seen<usize>,
    /// What could hide a flaw, for people.
    pub gaps: Vec<String>,
    /// The flaws, worst first.
    pub flaws: Vec<FlawSeen>,
    /// Age of the database in hours, and how old it may be.
    pub database_age: Option<(u64, u64)>,
    /// How many statements of VEX there are by signers whose word counts; `None` where the policy names none.
    pub vex_statements: Option<usize>,
}

/// What a destination holds today, with which a candidate is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PredecessorSeen {
    /// `HOST/PATH:TAG`.
    pub reference: String,
    /// Platforms of its images, as their configs say; sorted.
    pub platforms: Vec<Platform>,
    /// Bytes of its layers, each once, as stored.
    pub bytes: u64,
    /// How the packages differ; `None` where layers were not read.
    pub packages: Option<PackagesSeen>,
}

/// How the packages of a candidate differ from those of its predecessor. One that is there on several platforms counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PackagesSeen {
    /// Packages that the predecessor has not.
    pub added: usize,
    /// Packages that the predecessor alone has.
    pub removed: usize,
    /// Packages that both have, in different versions.
    pub changed: usize,
}

/// One flaw of one package, on any of the platforms.
#[derive(Clone, Debug)]
pub struct FlawSeen {
    /// The flaw.
    pub id: String,
    /// The package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// How bad it is, if anybody says.
    pub severity: Option<Severity>,
    /// The version with the fix.
    pub fixed_in: Option<String>,
    /// Whether the predecessor has it not; `None` where that could not be told.
    pub is_new: Option<bool>,
    /// What the policy says.
    pub held: Held,
}

/// What a policy says of a flaw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// Nothing.
    ByNone,
    /// This rule warns of it.
    Warned(String),
    /// This rule refuses it.
    Refused(String),
    /// It would be refused or not by what is not known.
    Untold(String),
    /// Somebody answers for it.
    Waived {
        /// Who.
        owner: String,
        /// Why.
        reason: String,
        /// Until when, `2027-01-31`.
        expires: String,
    },
    /// A waiver of it has run out.
    Expired(String),
    /// It would be refused, and a signer that the policy names says that it does no harm here.
    Harmless {
        /// The policy's name of the signer.
        signer: String,
        /// What is said, for people.
        why: String,
    },
}

impl Held {
    /// Name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Held::ByNone => "by-none",
            Held::Warned(_) => "warned",
            Held::Refused(_) => "refused",
            Held::Untold(_) => "untold",
            Held::Waived { .. } => "waived",
            Held::Expired(_) => "expired",
            Held::Harmless { .. } => "harmless",
        }
    }
}

/// A manifest or an index, whose bytes were hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Digest of the bytes.
    pub digest: Digest,
    /// Media type, on which header and content agree.
    pub media_type: String,
    /// How many bytes.
    pub size: u64,
    /// What it is if it is neither an image nor an index.
    pub artifact: Option<String>,
}

/// What an index names.
#[derive(Clone, Debug)]
pub struct Child {
    /// Its digest.
    pub digest: Digest,
    /// What the index calls it.
    pub platform: Option<Platform>,
    /// Whether it is a statement about an image (BuildKit's, which nobody signed), not an image.
    pub is_attestation: bool,
    /// What it is a statement about, as the index says.
    pub attests: Option<Digest>,
    /// What was there.
    pub seen: Seen<Document>,
}

/// One image.
#[derive(Clone, Debug)]
pub struct ImageSeen {
    /// Digest of its manifest.
    pub digest: Digest,
    /// What its index calls it.
    pub claimed: Option<Platform>,
    /// Its config.
    pub config: Seen<ConfigSeen>,
    /// Its layers, lowest first.
    pub layers: Vec<LayerSeen>,
}

/// An image's config, whose bytes were hashed.
#[derive(Clone, Debug)]
pub struct ConfigSeen {
    /// What it says that the image runs on.
    pub platform: Platform,
    /// How many layers it lists.
    pub diff_ids: usize,
    /// As whom it runs, as written; empty for `root`.
    pub user: String,
}

/// One layer.
#[derive(Clone, Debug)]
pub struct LayerSeen {
    /// Its digest.
    pub digest: Digest,
    /// Size in bytes, as the manifest states it.
    pub size: u64,
    /// Media type.
    pub media_type: String,
    /// Whether registries need not have it.
    pub is_foreign: bool,
    /// Size in bytes, as the registry states it.
    pub there: Seen<u64>,
    /// Whether its bytes are what its digest says; `None` where they were not read.
    pub stored: Option<Seen<()>>,
    /// Whether they unpack to what the config says; `None` where they were not read or no config says it.
    pub unpacked: Option<Seen<()>>,
}

/// What a destination has.
#[derive(Clone, Debug)]
pub struct DestinationSeen {
    /// The repository: `HOST/PATH`.
    pub repository: String,
    /// Each tag that is to be written, and what it points to now.
    pub tags: Vec<(String, Seen<Digest>)>,
}

/// What is demanded of all candidates.
#[derive(Clone, Debug, Default)]
pub struct Demands {
    /// Platforms that an index must have.
    pub platforms: Vec<Platform>,
    /// Whether each platform of the predecessor must be there.
    pub keeps_platforms: bool,
    /// Whether a destination's tag may be moved.
    pub allows_tag_moves: bool,
    /// The pattern that tags must follow.
    pub tag_pattern: Option<String>,
    /// What is made of checks that are not firm, by id.
    pub modes: Vec<(String, Mode)>,
    /// What is demanded of evidence.
    pub evidence: EvidenceDemands,
}

/// What is made of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is not asked.
    Off,
    /// It is told.
    Warn,
    /// It decides.
    Require,
}

/// What a rule is given.
pub struct Case<'a> {
    /// What is asked.
    pub candidate: &'a Candidate,
    /// What was seen.
    pub observed: &'a Observed,
    /// What is demanded.
    pub demands: &'a Demands,
}

/// What came of one check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// What it is about is not there.
    Missing,
    /// It could not be told.
    Error,
    /// It does not hold, and somebody answers for that.
    Waived,
    /// There is nothing to check.
    NotApplicable,
}

impl Outcome {
    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Pass => "PASS",
            Outcome::Fail => "FAIL",
            Outcome::Missing => "MISSING",
            Outcome::Error => "ERROR",
            Outcome::Waived => "WAIVED",
            Outcome::NotApplicable => "N/A",
        }
    }
}

/// What a check that does not hold means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It is told.
    Inform,
    /// It is told as a warning.
    Warn,
    /// It refuses, or leaves undecided.
    Refuse,
}

impl Weight {
    /// Name in policies and reports.
    pub fn name(self) -> &'static str {
        match self {
            Weight::Inform => "inform",
            Weight::Warn => "warn",
            Weight::Refuse => "refuse",
        }
    }
}

/// Most things that one answer tells of in words, the worst first; the rest are counted. Nobody reads a longer line.
const DETAILS_MAX: usize = 8;

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What came of it.
    pub outcome: Outcome,
    /// What was compared, or what is wrong. One sentence, no full stop.
    pub detail: String,
}

impl Answer {
    /// An answer.
    pub fn new(outcome: Outcome, detail: impl Into<String>) -> Answer {
        Answer { outcome, detail: detail.into() }
    }

    /// What one trouble means.
    pub fn of(trouble: &Trouble) -> Answer {
        match trouble {
            Trouble::Missing(detail) => Answer::new(Outcome::Missing, detail),
            Trouble::Wrong(detail) => Answer::new(Outcome::Fail, detail),
            Trouble::Unknown(detail) => Answer::new(Outcome::Error, detail),
        }
    }

    /// What several answers come to: the worst outcome, with the words of what is not well; `pass` where all is.
    pub fn all(answers: impl IntoIterator<Item = Answer>, pass: impl FnOnce() -> String) -> Answer {
        let mut bad: Vec<Answer> =
            answers.into_iter().filter(|one| rank(one.outcome) > rank(Outcome::Pass)).collect();
        bad.sort_by_key(|one| std::cmp::Reverse(rank(one.outcome)));
        bad.dedup();
        let Some(outcome) = bad.first().map(|one| one.outcome) else {
            return Answer::new(Outcome::Pass, pass());
        };
        let details: Vec<&str> = bad.iter().take(DETAILS_MAX).map(|one| one.detail.as_str()).collect();
        let rest = match bad.len().saturating_sub(DETAILS_MAX) {
            0 => String::new(),
            rest => format!("; and {rest} more"),
        };
        Answer::new(outcome, format!("{}{rest}", details.join("; ")))
    }
}

/// How much worse an outcome is: what is known to be wrong decides before what is not known.
fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::NotApplicable => 0,
        Outcome::Pass => 1,
        Outcome::Waived => 2,
        Outcome::Error => 3,
        Outcome::Missing => 4,
        Outcome::Fail => 5,
    }
}

/// One check of one candidate, or of the manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Stable name: `ref.exists`.
    pub id: &'static str,
    /// What came of it.
    pub outcome: Outcome,
    /// What it means where it does not hold.
    pub weight: Weight,
    /// What was compared, or what is wrong.
    pub detail: String,
}

impl Check {
    fn of(rule: &Rule, case: &Case<'_>) -> Check {
        let mode = case.demands.modes.iter().find(|(id, _)| !rule.is_firm && id == rule.id);
        let weight = match mode {
            Some((_, Mode::Off)) => {
                let detail = "the policy does not ask it".to_owned();
                return Check { id: rule.id, outcome: Outcome::NotApplicable, weight: rule.weight, detail };
            }
            Some((_, Mode::Warn)) => Weight::Warn,
            Some((_, Mode::Require)) => Weight::Refuse,
            None => rule.weight,
        };
        let answer = (rule.judge)(case);
        Check { id: rule.id, outcome: answer.outcome, weight, detail: answer.detail }
    }

    /// What it does to the verdict.
    pub fn verdict(&self) -> Verdict {
        match self.outcome {
            _ if self.weight != Weight::Refuse => Verdict::Cleared,
            Outcome::Pass | Outcome::Waived | Outcome::NotApplicable => Verdict::Cleared,
            Outcome::Error => Verdict::Undecided,
            Outcome::Fail | Outcome::Missing => Verdict::Refused,
        }
    }
}

/// The answer. Ordered: the worst of several decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It may ship.
    Cleared,
    /// Nothing refused it, but something could not be told.
    Undecided,
    /// It may not.
    Refused,
}

impl Verdict {
    /// Name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Cleared => "cleared",
            Verdict::Undecided => "undecided",
            Verdict::Refused => "refused",
        }
    }
}

/// A candidate, judged.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What was asked.
    pub candidate: Candidate,
    /// What was seen.
    pub observed: Observed,
    /// Each check, in the rules' order.
    pub checks: Vec<Check>,
}

impl Entry {
    /// Judges what was seen.
    pub fn judge(candidate: Candidate, observed: Observed, demands: &Demands) -> Entry {
        let case = Case { candidate: &candidate, observed: &observed, demands };
        let checks = RULES.iter().map(|rule| Check::of(rule, &case)).collect();
        Entry { candidate, observed, checks }
    }

    /// The worst of its checks.
    pub fn verdict(&self) -> Verdict {
        self.checks.iter().map(Check::verdict).max().unwrap_or(Verdict::Undecided)
    }

    /// The worst outcome of the checks that are about something.
    pub fn outcome(&self, about: About) -> Outcome {
        let of = self.checks.iter().filter(|check| rules::about(check.id) == Some(about));
        of.map(|check| check.outcome).max_by_key(|outcome| rank(*outcome)).unwrap_or(Outcome::NotApplicable)
    }

    /// Whether any of the checks that are about something had anything to say.
    fn was_asked(&self, about: About) -> bool {
        self.outcome(about) != Outcome::NotApplicable
    }
}

/// A policy as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRead {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Digest of the file's bytes.
    pub digest: Digest,
    /// The commit that it was read from; `None` for the file as it was.
    pub commit: Option<String>,
    /// The files that it names, with the digests of their bytes: waivers, roots of trust, keys.
    pub names: Vec<(String, Digest)>,
}

/// What the answer was made from.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// When it was asked, as `2026-11-26T18:00:00Z`: the hour, so that the same inputs give the same answer for a while.
    pub asked: Option<String>,
    /// The commit that the manifests were compared with.
    pub base: Option<String>,
    /// Files that were read, with the digest of their bytes.
    pub files: Vec<(String, Digest)>,
    /// The policies: name, file and digest of each.
    pub policies: Vec<PolicyRead>,
    /// The advisory database.
    pub database: Option<DatabaseIdentity>,
    /// How closely was looked.
    pub level: Level,
}

/// The whole answer.
#[derive(Clone, Debug)]
pub struct Clearance {
    /// What it was made from.
    pub inputs: Inputs,
    /// What the manifests change, where they were compared.
    pub changes: Vec<Change>,
    /// Checks of the manifests.
    pub checks: Vec<Check>,
    /// The candidates, in the manifests' order.
    pub entries: Vec<Entry>,
}

impl Clearance {
    /// The worst of all.
    pub fn verdict(&self) -> Verdict {
        let entries = self.entries.iter().map(Entry::verdict);
        entries.chain(self.checks.iter().map(Check::verdict)).max().unwrap_or(Verdict::Cleared)
    }

    /// What a reader might take for checked, and was not. Never empty: no check sees who may write a tag tomorrow.
    pub fn unchecked(&self) -> Vec<String> {
        let mut unchecked = Vec::new();
        if self.inputs.level == Level::Exists {
            unchecked
                .push("the layers' bytes: at level `exists` only their presence and their sizes".to_owned());
        }
        if self
            .entries
            .iter()
            .any(|entry| entry.observed.top.as_ref().is_ok_and(|top| top.artifact.is_some()))
        {
            unchecked.push("what artifacts that are no images contain".to_owned());
        }
        if self.changes.is_empty() && self.inputs.base.is_none() && !self.checks.is_empty() {
            unchecked.push("what the manifests change: no base was named".to_owned());
        }
        for (about, what) in [
            (About::Signature, "who signed the images"),
            (About::Provenance, "from what the images were built, and by whom"),
        ] {
            let all = self.entries.len();
            let without = self.entries.iter().filter(|entry| !entry.was_asked(about)).count();
            if without > 0 {
                unchecked.push(format!("{what}, of {without} of {all} entries"));
            }
        }
        if self.entries.iter().any(|entry| entry.observed.flaws.is_none()) {
            unchecked.push(
                "whether what is known to be wrong with the images lets them ship: no policy asks".to_owned(),
            );
        }
        unchecked.push("who may move the tags after this was looked at".to_owned());
        unchecked
    }

    /// How many entries came to each verdict: cleared, undecided, refused.
    pub fn counts(&self) -> [usize; 3] {
        let count = |verdict| self.entries.iter().filter(|entry| entry.verdict() == verdict).count();
        [count(Verdict::Cleared), count(Verdict::Undecided), count(Verdict::Refused)]
    }
}

/// Bytes of images' layers, each once, as stored.
pub fn layer_bytes(images: &[ImageSeen]) -> u64 {
    let layers = images.iter().flat_map(|image| &image.layers);
    let distinct: BTreeMap<&Digest, u64> = layers.map(|layer| (&layer.digest, layer.size)).collect();
    distinct.values().fold(0, |sum, size| sum.saturating_add(*size))
}

mod attested;
mod manifests;

pub use attested::{
    EvidenceDemands, EvidenceSeen, ListCompared, ListDemand, ListSeen, Piece, ProvenanceDemand,
    SignatureDemand, SummaryDemand,
};

/// Checks of the manifests themselves.
pub fn manifest_checks(faults: &[Fault], changes: Option<&[Change]>, count: usize) -> Vec<Check> {
    manifests::checks(faults, changes, count)
}

#[cfg(test)]
mod tests;
