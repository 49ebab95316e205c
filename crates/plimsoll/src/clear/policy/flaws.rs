//! A flaw as policies see it, with what is not known of it.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::advisory::Severity;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::coverage::knows_exploited;
use serde_json::{Value, json};

use super::expression::Expression;
use super::sample::SEVERITIES;

/// A flaw of a package, on any of a candidate's platforms.
#[derive(Clone, Debug)]
pub(crate) struct Flaw {
    pub(crate) id: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) package: String,
    pub(crate) ecosystem: &'static str,
    pub(crate) version: String,
    /// The package URL, which VEX names packages by; not told to expressions.
    pub(crate) purl: String,
    pub(crate) severity: Option<Severity>,
    pub(crate) fixed_in: Option<String>,
    /// Whether it is exploited; `None` where nobody was asked.
    pub(crate) kev: Option<bool>,
    pub(crate) epss: Option<f64>,
    /// Whether the predecessor has it not.
    pub(crate) is_new: Option<bool>,
}

/// What tells one flaw from another, whatever the version.
pub(crate) type Key = (String, &'static str, String);

impl Flaw {
    /// A flaw of a policy's case: fields as in the sample, `null` for what is not known.
    pub(crate) fn of_facts(facts: &Value) -> Result<Flaw, String> {
        let text = |name: &str| {
            let value = facts.get(name).and_then(Value::as_str).map(str::to_owned);
            value.ok_or_else(|| format!("`{name}` is no text"))
        };
        let is = |name: &str| match facts.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(is)) => Ok(Some(*is)),
            Some(_) => Err(format!("`{name}` is neither true, false nor null")),
        };
        let severity = match facts.get("severity") {
            None | Some(Value::Null) => None,
            Some(word) => Some(
                Severity::ALL
                    .into_iter()
                    .find(|severity| Some(severity.name()) == word.as_str())
                    .ok_or_else(|| format!("`severity` is none of `{}`", SEVERITIES.join("`, `")))?,
            ),
        };
        let is_fixed = is("fixed")?.ok_or("`fixed` is not known")?;
        Ok(Flaw {
            id: text("id")?,
            aliases: Vec::new(),
            package: text("package")?,
            ecosystem: "",
            version: text("version")?,
            purl: String::new(),
            severity,
            fixed_in: is_fixed.then(|| text("fixedIn")).transpose()?,
            kev: is("kev")?,
            epss: facts.get("epss").and_then(Value::as_f64),
            is_new: is("new")?,
        })
    }

    pub(crate) fn key(&self) -> Key {
        (self.id.clone(), self.ecosystem, self.package.clone())
    }

    /// Whether this is one of its names.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.id == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// Whether it meets a rule: `None` where that depends on what is not known.
    pub(crate) fn meets(&self, rule: &Expression) -> Result<Option<bool>, String> {
        let mut answers = BTreeSet::new();
        for facts in self.possible(rule) {
            answers.insert(rule.holds(&json!({ "v": facts }))?);
        }
        Ok(answers.first().copied().filter(|_| answers.len() == 1))
    }

    /// What is not known of it, for people.
    pub(crate) fn unknown(&self) -> Vec<&'static str> {
        let unknown = [
            (self.severity.is_none(), "its severity"),
            (self.kev.is_none(), "whether it is exploited"),
            (self.epss.is_none(), "how likely it is exploited"),
            (self.is_new.is_none(), "whether it is new"),
        ];
        unknown.into_iter().filter(|(is_unknown, _)| *is_unknown).map(|(_, what)| what).collect()
    }

    /// The flaw with every value that it may have where none is known. Of scores those that the rule could tell apart: what
    /// it compares with, and what lies between.
    fn possible(&self, rule: &Expression) -> Vec<Value> {
        let severities = self.severity.map_or(SEVERITIES.to_vec(), |severity| vec![severity.name()]);
        let both = |known: Option<bool>| known.map_or(vec![false, true], |known| vec![known]);
        let scores = self.epss.map_or_else(|| scores_of(rule), |score| vec![score]);
        let mut all = Vec::new();
        for severity in severities {
            for kev in both(self.kev) {
                for is_new in both(self.is_new) {
                    for epss in &scores {
                        all.push(json!({
                            "id": self.id,
                            "aliases": self.aliases,
                            "package": self.package,
                            "ecosystem": self.ecosystem,
                            "version": self.version,
                            "severity": severity,
                            "fixed": self.fixed_in.is_some(),
                            "fixedIn": self.fixed_in.as_deref().unwrap_or_default(),
                            "kev": kev,
                            "epss": epss,
                            "new": is_new,
                        }));
                    }
                }
            }
        }
        all
    }
}

/// Scores on both sides of each number that a rule names, and the numbers themselves.
fn scores_of(rule: &Expression) -> Vec<f64> {
    let named = rule.numbers().iter().copied().filter(|number| (0.0..=1.0).contains(number));
    let mut bounds: Vec<f64> = named.chain([0.0, 1.0]).collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    let between: Vec<f64> =
        bounds.iter().zip(bounds.iter().skip(1)).map(|(low, high)| low.midpoint(*high)).collect();
    bounds.extend(between);
    bounds
}

/// The flaws of all images of a candidate, each once, the worst first.
pub(crate) fn of_assessments(assessments: &[Assessment]) -> Vec<Flaw> {
    let mut flaws: BTreeMap<(Key, String), Flaw> = BTreeMap::new();
    for assessment in assessments {
        let knows_kev = knows_exploited(&assessment.findings.coverage);
        for finding in &assessment.findings.findings {
            let Some(package) = assessment.inventory.packages.get(finding.package) else { continue };
            let is_kev = finding.kev.is_some() || finding.is_exploited;
            let flaw = Flaw {
                id: finding.id.clone(),
                aliases: finding.aliases.clone(),
                package: package.name.clone(),
                ecosystem: package.ecosystem.name,
                version: package.version.clone(),
                purl: package.purl.clone(),
                severity: finding.severity,
                fixed_in: finding.fixed_in.clone(),
                kev: (is_kev || knows_kev).then_some(is_kev),
                epss: finding.epss.map(|epss| epss.score),
                is_new: None,
            };
            flaws.entry((flaw.key(), flaw.version.clone())).or_insert(flaw);
        }
    }
    let mut flaws: Vec<Flaw> = flaws.into_values().collect();
    // An unknown severity may be the worst.
    flaws.sort_by_key(|flaw| std::cmp::Reverse(flaw.severity.map_or(u8::MAX, rank)));
    flaws
}

fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Negligible => 0,
        Severity::Low => 1,
        Severity::Medium => 2,
        Severity::High => 3,
        Severity::Critical => 4,
    }
}
