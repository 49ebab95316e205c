//! What a CVSS vector says, in words: versions 2.0, 3.0, 3.1 and 4.0.
//!
//! The words are those of FIRST's specifications (<https://www.first.org/cvss/v2/guide>, sections 2.1 to 2.3;
//! <https://www.first.org/cvss/v3.1/specification-document>, tables 1 to 14;
//! <https://www.first.org/cvss/v4.0/specification-document>, tables 1 to 24). What a vector has and the tables do not is
//! shown as it stands.

use maud::{Markup, html};
use plimsoll_core::advisory::Cvss;

use super::marks;
use super::said::shown;

/// A metric: its letters, its name, and its values.
type Metric = (&'static str, &'static str, &'static [Value]);

/// A value: its letters, its name, and how much worse it makes the flaw.
type Value = (&'static str, &'static str, Weight);

/// How much worse a value makes a flaw than the others of its metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weight {
    /// As bad as it can be.
    Worst,
    /// In between.
    Middle,
    /// As good as it can be.
    Best,
    /// It says nothing.
    None,
}

use Weight::{Best, Middle, Worst};

const UNDEFINED: Value = ("X", "Not defined", Weight::None);

const V3: &[Metric] = &[
    (
        "AV",
        "Attack vector",
        &[
            ("N", "Network", Worst),
            ("A", "Adjacent network", Middle),
            ("L", "Local", Middle),
            ("P", "Physical", Best),
        ],
    ),
    ("AC", "Attack complexity", &[("L", "Low", Worst), ("H", "High", Best)]),
    ("PR", "Privileges required", &[("N", "None", Worst), ("L", "Low", Middle), ("H", "High", Best)]),
    ("UI", "User interaction", &[("N", "None", Worst), ("R", "Required", Best)]),
    ("S", "Scope", &[("U", "Unchanged", Best), ("C", "Changed", Worst)]),
    ("C", "Confidentiality", IMPACT_3),
    ("I", "Integrity", IMPACT_3),
    ("A", "Availability", IMPACT_3),
    (
        "E",
        "Exploit code maturity",
        &[
            UNDEFINED,
            ("H", "High", Worst),
            ("F", "Functional", Middle),
            ("P", "Proof of concept", Middle),
            ("U", "Unproven", Best),
        ],
    ),
    (
        "RL",
        "Remediation level",
        &[
            UNDEFINED,
            ("U", "Unavailable", Worst),
            ("W", "Workaround", Middle),
            ("T", "Temporary fix", Middle),
            ("O", "Official fix", Best),
        ],
    ),
    (
        "RC",
        "Report confidence",
        &[UNDEFINED, ("C", "Confirmed", Worst), ("R", "Reasonable", Middle), ("U", "Unknown", Best)],
    ),
    ("CR", "Confidentiality requirement", REQUIREMENT),
    ("IR", "Integrity requirement", REQUIREMENT),
    ("AR", "Availability requirement", REQUIREMENT),
];

const IMPACT_3: &[Value] = &[("H", "High", Worst), ("L", "Low", Middle), ("N", "None", Best)];

const REQUIREMENT: &[Value] = &[UNDEFINED, ("H", "High", Worst), ("M", "Medium", Middle), ("L", "Low", Best)];

const IMPACT_2: &[Value] = &[("C", "Complete", Worst), ("P", "Partial", Middle), ("N", "None", Best)];

const V2: &[Metric] = &[
    (
        "AV",
        "Access vector",
        &[("N", "Network", Worst), ("A", "Adjacent network", Middle), ("L", "Local", Best)],
    ),
    ("AC", "Access complexity", &[("L", "Low", Worst), ("M", "Medium", Middle), ("H", "High", Best)]),
    ("Au", "Authentication", &[("N", "None", Worst), ("S", "Single", Middle), ("M", "Multiple", Best)]),
    ("C", "Confidentiality", IMPACT_2),
    ("I", "Integrity", IMPACT_2),
    ("A", "Availability", IMPACT_2),
    (
        "E",
        "Exploitability",
        &[
            ("ND", "Not defined", Weight::None),
            ("H", "High", Worst),
            ("F", "Functional", Middle),
            ("POC", "Proof of concept", Middle),
            ("U", "Unproven", Best),
        ],
    ),
    (
        "RL",
        "Remediation level",
        &[
            ("ND", "Not defined", Weight::None),
            ("U", "Unavailable", Worst),
            ("W", "Workaround", Middle),
            ("TF", "Temporary fix", Middle),
            ("OF", "Official fix", Best),
        ],
    ),
    (
        "RC",
        "Report confidence",
        &[
            ("ND", "Not defined", Weight::None),
            ("C", "Confirmed", Worst),
            ("UR", "Uncorroborated", Middle),
            ("UC", "Unconfirmed", Best),
        ],
    ),
];

const V4: &[Metric] = &[
    (
        "AV",
        "Attack vector",
        &[
            ("N", "Network", Worst),
            ("A", "Adjacent", Middle),
            ("L", "Local", Middle),
            ("P", "Physical", Best),
        ],
    ),
    ("AC", "Attack complexity", &[("L", "Low", Worst), ("H", "High", Best)]),
    ("AT", "Attack requirements", &[("N", "None", Worst), ("P", "Present", Best)]),
    ("PR", "Privileges required", &[("N", "None", Worst), ("L", "Low", Middle), ("H", "High", Best)]),
    ("UI", "User interaction", &[("N", "None", Worst), ("P", "Passive", Middle), ("A", "Active", Best)]),
    ("VC", "Confidentiality of the system", IMPACT_3),
    ("VI", "Integrity of the system", IMPACT_3),
    ("VA", "Availability of the system", IMPACT_3),
    ("SC", "Confidentiality of others", IMPACT_3),
    ("SI", "Integrity of others", IMPACT_3),
    ("SA", "Availability of others", IMPACT_3),
    (
        "E",
        "Exploit maturity",
        &[UNDEFINED, ("A", "Attacked", Worst), ("P", "Proof of concept", Middle), ("U", "Unreported", Best)],
    ),
    ("CR", "Confidentiality requirement", REQUIREMENT),
    ("IR", "Integrity requirement", REQUIREMENT),
    ("AR", "Availability requirement", REQUIREMENT),
    ("S", "Safety", &[UNDEFINED, ("N", "Negligible", Best), ("P", "Present", Worst)]),
    ("AU", "Automatable", &[UNDEFINED, ("N", "No", Best), ("Y", "Yes", Worst)]),
    (
        "R",
        "Recovery",
        &[UNDEFINED, ("A", "Automatic", Best), ("U", "User", Middle), ("I", "Irrecoverable", Worst)],
    ),
    ("V", "Value density", &[UNDEFINED, ("D", "Diffuse", Best), ("C", "Concentrated", Worst)]),
    (
        "RE",
        "Response effort",
        &[UNDEFINED, ("L", "Low", Best), ("M", "Moderate", Middle), ("H", "High", Worst)],
    ),
    (
        "U",
        "Urgency of the provider",
        &[
            UNDEFINED,
            ("Clear", "Clear", Best),
            ("Green", "Green", Best),
            ("Amber", "Amber", Middle),
            ("Red", "Red", Worst),
        ],
    ),
];

/// Most metrics of a vector that are looked at: version 4.0 has 32.
const METRICS_MAX: usize = 40;

/// One metric of a vector, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    name: String,
    value: String,
    weight: Weight,
}

/// The metrics of a vector, in its order. Those that say that they say nothing are left out.
fn decode(version: &str, vector: &str) -> Vec<Said> {
    let metrics = match version {
        "2.0" => V2,
        "4.0" => V4,
        _ => V3,
    };
    let pairs = vector.trim_matches(['(', ')']).split('/').filter_map(|pair| pair.split_once(':'));
    let of_metrics = pairs.filter(|(key, _)| *key != "CVSS").take(METRICS_MAX);
    of_metrics
        .map(|(key, value)| said(metrics, key, value))
        .filter(|said| said.weight != Weight::None)
        .collect()
}

/// A metric of a vector. An environment's `MAV` has the values of `AV`, and in 4.0 also that safety is at stake.
fn said(metrics: &[Metric], key: &str, value: &str) -> Said {
    let named = |key: &str| metrics.iter().find(|(letters, _, _)| *letters == key);
    let modified = || key.strip_prefix('M').and_then(named);
    let (metric, modified) = match named(key) {
        Some(metric) => (Some(metric), ""),
        None => (modified(), "Modified: "),
    };
    let Some((_, name, values)) = metric else {
        return Said { name: shown(key), value: shown(value), weight: Middle };
    };
    let found = values.iter().find(|(letters, _, _)| *letters == value);
    let (value, weight) = match (found, modified, value) {
        (Some((_, title, weight)), ..) => ((*title).to_owned(), *weight),
        (None, "Modified: ", "X") => (String::new(), Weight::None),
        (None, "Modified: ", "S") => ("Safety".to_owned(), Worst),
        (None, ..) => (shown(value), Middle),
    };
    Said { name: format!("{modified}{name}"), value, weight }
}

/// A vector with its score and what it says.
pub(super) fn vector(cvss: &Cvss) -> Markup {
    html! {
        div.cvss {
            p.cvss-head {
                strong { "CVSS " (cvss.version) } " by " (shown(&cvss.source)) ": "
                strong { (format!("{:.1}", cvss.score)) } " "
                @if let Some(rating) = cvss.rating() { (marks::severity(Some(rating))) }
            }
            dl.metrics {
                @for said in decode(cvss.version, &cvss.vector) {
                    div class=(class(said.weight)) { dt { (said.name) } dd { (said.value) } }
                }
            }
            p.quiet { code { (shown(&cvss.vector)) } }
        }
    }
}

/// Shown by weight of the type and by a word for readers of screens; the colour only helps.
fn class(weight: Weight) -> &'static str {
    match weight {
        Worst => "worst",
        Middle => "middle",
        Best | Weight::None => "best",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_every_version_are_words() {
        for (version, vector, wanted) in [
            (
                "2.0",
                "AV:N/AC:L/Au:N/C:P/I:N/A:C/E:POC/RL:ND",
                "Access vector: Network, Access complexity: Low, Authentication: None, Confidentiality: Partial, \
                 Integrity: None, Availability: Complete, Exploitability: Proof of concept",
            ),
            (
                "3.1",
                "CVSS:3.1/AV:P/AC:H/PR:L/UI:R/S:C/C:H/I:L/A:N/MAV:N/E:X",
                "Attack vector: Physical, Attack complexity: High, Privileges required: Low, User interaction: Required, \
                 Scope: Changed, Confidentiality: High, Integrity: Low, Availability: None, Modified: Attack vector: Network",
            ),
            (
                "4.0",
                "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N/MSI:S/MVC:X/U:Red",
                "Attack vector: Network, Attack complexity: Low, Attack requirements: Present, Privileges required: None, \
                 User interaction: Passive, Confidentiality of the system: High, Integrity of the system: None, \
                 Availability of the system: None, Confidentiality of others: None, Integrity of others: None, \
                 Availability of others: None, Modified: Integrity of others: Safety, Urgency of the provider: Red",
            ),
            ("3.1", "CVSS:3.1/AV:Z/QQ:1", "Attack vector: Z, QQ: 1"),
            ("3.1", "", ""),
        ] {
            let said = decode(version, vector);
            let said: Vec<String> =
                said.iter().map(|said| format!("{}: {}", said.name, said.value)).collect();
            assert_eq!(said.join(", "), wanted);
        }
    }
}
