//! The rules of a clearance: one question each, in a file of its own.
//!
//! A rule judges what was seen and says what it compared. A thing that was not seen is never a pass: it is a trouble
//! of the rule whose question it is, and not applicable to the others, which say so.

use crate::clearance::{Answer, Case, Document, FlawSeen, Flaws, Outcome, Weight};

mod attested;
mod config_platform;
mod content_user;
mod dest_mirrors;
mod evidence_discovery;
mod index_children;
mod index_platforms;
mod layer_diffid;
mod layer_digest;
mod layer_exists;
mod layer_foreign;
mod policy_require;
mod prov_builder;
mod prov_cert_agrees;
mod prov_fresh;
mod prov_ref;
mod prov_source;
mod prov_valid;
mod ref_digest;
mod ref_exists;
mod ref_media_type;
mod sbom_coverage;
mod sbom_valid;
mod sig_identity;
mod sig_name;
mod sig_present;
mod sig_valid;
mod tag_destination;
mod tag_pattern;
mod tag_source;
mod trust_age;
mod vex_applied;
mod vsa_valid;
mod vuln_db_age;
mod vuln_new;
mod vuln_refuse;
mod vuln_scanned;
mod vuln_warn;
mod waiver_valid;

/// What a question is about. Reports have a column for the first ones, policies a key for kinds of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// Whether everything is there.
    Presence,
    /// Whether the bytes are what they are called.
    Bytes,
    /// Whether the tags are its.
    Tags,
    /// For which platforms it is.
    Platforms,
    /// Who signed it.
    Signature,
    /// What built it, from what.
    Provenance,
    /// What is known to be wrong with it.
    Flaws,
    /// What is attested to be aboard.
    List,
    /// What another verifier found.
    Summary,
    /// Which evidence there is, and by what it is judged.
    Discovery,
    /// What is aboard.
    Content,
    /// Where it goes.
    Destinations,
    /// What else a policy asks.
    Policy,
}

/// One question.
#[derive(Debug)]
pub struct Rule {
    /// Stable name: a group, a dot, kebab-case.
    pub id: &'static str,
    /// What it asks, for people.
    pub asks: &'static str,
    /// What it is about.
    pub about: About,
    /// What it means where it does not hold.
    pub weight: Weight,
    /// Whether no policy may soften it: without it nothing else that is said would hold.
    pub is_firm: bool,
    /// Judges.
    pub judge: fn(&Case<'_>) -> Answer,
}

/// All rules, sorted by id.
pub static RULES: &[&Rule] = &[
    &config_platform::RULE,
    &content_user::RULE,
    &dest_mirrors::RULE,
    &evidence_discovery::RULE,
    &index_children::RULE,
    &index_platforms::RULE,
    &layer_diffid::RULE,
    &layer_digest::RULE,
    &layer_exists::RULE,
    &layer_foreign::RULE,
    &policy_require::RULE,
    &prov_builder::RULE,
    &prov_cert_agrees::RULE,
    &prov_fresh::RULE,
    &prov_ref::RULE,
    &prov_source::RULE,
    &prov_valid::RULE,
    &ref_digest::RULE,
    &ref_exists::RULE,
    &ref_media_type::RULE,
    &sbom_coverage::RULE,
    &sbom_valid::RULE,
    &sig_identity::RULE,
    &sig_name::RULE,
    &sig_present::RULE,
    &sig_valid::RULE,
    &tag_destination::RULE,
    &tag_pattern::RULE,
    &tag_source::RULE,
    &trust_age::RULE,
    &vex_applied::RULE,
    &vsa_valid::RULE,
    &vuln_db_age::RULE,
    &vuln_new::RULE,
    &vuln_refuse::RULE,
    &vuln_scanned::RULE,
    &vuln_warn::RULE,
    &waiver_valid::RULE,
];

impl std::fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "case of `{}`", self.candidate.name)
    }
}

/// What the check of an id is about; `None` for a check of the manifests.
pub fn about(id: &str) -> Option<About> {
    RULES.iter().find(|rule| rule.id == id).map(|rule| rule.about)
}

/// The manifest, or that there is nothing to ask of one that was not seen.
fn top<'a>(case: &Case<'a>) -> Result<&'a Document, Answer> {
    let not_seen =
        |_| Answer::new(Outcome::NotApplicable, "not looked at: the reference itself was not seen");
    case.observed.top.as_ref().map_err(not_seen)
}

/// The flaws, or that no policy asks for them.
fn flaws<'a>(case: &Case<'a>) -> Result<&'a Flaws, Answer> {
    if top(case)?.artifact.is_some() {
        return Err(Answer::new(Outcome::NotApplicable, "it is no image"));
    }
    let none = || Answer::new(Outcome::NotApplicable, "no policy asks what is known to be wrong");
    case.observed.flaws.as_ref().ok_or_else(none)
}

/// A flaw for people: `CVE-2026-1 high in libx 1.0, fixed in 1.1, new`.
fn shown(flaw: &FlawSeen) -> String {
    let severity = flaw.severity.map_or("of unknown severity", |severity| severity.name());
    let fixed = flaw.fixed_in.as_ref().map_or(String::new(), |version| format!(", fixed in {version}"));
    let since = match flaw.is_new {
        Some(true) => ", new",
        Some(false) => ", inherited",
        None => "",
    };
    format!("{} {severity} in {} {}{fixed}{since}", flaw.id, flaw.package, flaw.version)
}

/// `1 layer`, `2 layers`.
fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_sorted_and_well_formed() {
        assert!(RULES.windows(2).all(|pair| pair[0].id < pair[1].id));
        for rule in RULES {
            let (group, question) = rule.id.split_once('.').expect("a group and a question");
            let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            assert!(is_word(group) && is_word(question) && !rule.asks.is_empty(), "{}", rule.id);
        }
    }
}
