//! `plimsoll policy`: whether a policy means anything, and whether it means what it should.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, Subcommand};
use jiff::Timestamp;
use plimsoll_core::clearance::Held;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, misused, print};
use crate::clear::files::Files;
use crate::clear::policy::flaws::Flaw;
use crate::clear::policy::{Policy, day, sample, yaml};

/// Check policies of clearances, and hold them against cases.
#[derive(Args, Debug)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Say whether a policy can be read, and every name in its expressions is one.
    Check {
        /// The policy.
        policy: PathBuf,
    },
    /// Hold a policy against cases: what it says of a flaw, or whether a candidate has what it requires.
    Test {
        /// The policy.
        policy: PathBuf,
        /// Cases (YAML): `name`, `flaw` or `entry` with the fields that differ from the sample, `expect`.
        cases: PathBuf,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    flaw: Option<Map<String, Value>>,
    #[serde(default)]
    entry: Option<Map<String, Value>>,
    expect: Expected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Refuse,
    Warn,
    Undecided,
    Pass,
}

pub(super) fn run(args: &PolicyArgs) -> anyhow::Result<Outcome> {
    match &args.command {
        PolicyCommand::Check { policy } => {
            let policy = read(policy)?;
            let (name, count, waivers) = (&policy.name, policy.expressions(), policy.waivers.count());
            print(&format!("{name}: good, {count} expressions, {waivers} waivers\n"))
        }
        PolicyCommand::Test { policy, cases } => test(&read(policy)?, cases),
    }
}

fn read(path: &Path) -> anyhow::Result<Policy> {
    Policy::read(path, &Files::default(), day(Timestamp::now())).map_err(misused)
}

fn test(policy: &Policy, path: &Path) -> anyhow::Result<Outcome> {
    let file = path.display();
    let bytes = Files::default().read(path)?.ok_or_else(|| misused(anyhow!("there is no file `{file}`")))?;
    let cases: Vec<Case> = yaml(&bytes).map_err(|error| misused(anyhow!("`{file}`: {error}")))?;
    if cases.is_empty() {
        return Err(misused(anyhow!("`{file}` has no cases")));
    }
    let mut text = String::new();
    let mut failed = 0;
    for case in &cases {
        let said = outcome(policy, case).with_context(|| format!("case `{}`", case.name)).map_err(misused)?;
        if said == case.expect {
            text += &format!("ok      {}\n", case.name);
        } else {
            failed += 1;
            text += &format!("FAILED  {}: {said:?}, and {:?} was expected\n", case.name, case.expect);
        }
    }
    text += &format!("{} cases, {failed} failed\n", cases.len());
    print(&text)?;
    Ok(if failed == 0 { Outcome::Done } else { Outcome::ThresholdMet })
}

fn outcome(policy: &Policy, case: &Case) -> anyhow::Result<Expected> {
    match (&case.flaw, &case.entry) {
        (Some(fields), None) => {
            let facts = with(sample::flaw(), fields)?;
            let flaw = Flaw::of_facts(&facts).map_err(|error| anyhow!(error))?;
            Ok(match policy.held(&flaw) {
                Held::Refused(_) => Expected::Refuse,
                Held::Untold(_) => Expected::Undecided,
                Held::Warned(_) => Expected::Warn,
                Held::ByNone | Held::Waived { .. } | Held::Expired(_) | Held::Harmless { .. } => {
                    Expected::Pass
                }
            })
        }
        (None, Some(fields)) => {
            let facts = json!({"entry": with(sample::judged_entry(), fields)?});
            let answers = policy.require_of(&facts);
            Ok(if answers.iter().any(|(_, holds)| *holds == Ok(false)) {
                Expected::Refuse
            } else if answers.iter().any(|(_, holds)| holds.is_err()) {
                Expected::Undecided
            } else {
                Expected::Pass
            })
        }
        _ => bail!("write either `flaw` or `entry`"),
    }
}

/// The sample with other values; a field that it has not means nothing.
fn with(mut sample: Value, fields: &Map<String, Value>) -> anyhow::Result<Value> {
    let known = sample.as_object_mut().expect("samples are objects");
    for (name, value) in fields {
        if !known.contains_key(name) {
            let there: Vec<&str> = known.keys().map(String::as_str).collect();
            bail!("there is no field `{name}`; there is `{}`", there.join("`, `"));
        }
        known.insert(name.clone(), value.clone());
    }
    Ok(sample)
}
