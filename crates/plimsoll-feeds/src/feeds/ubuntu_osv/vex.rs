//! What Canonical's VEX says of source packages, one number a statement.
//!
//! The VEX names each binary package on each architecture beside the source package, and always says the same of
//! all; only source packages are kept. What a statement means stands in its prose: one status stands for several of
//! Canonical's own, each of which begins with a sentence of its own
//! (<https://documentation.ubuntu.com/security/security-updates/vex/>).

use std::borrow::Cow;
use std::collections::HashMap;

use plimsoll_core::advisory::{FixState, Status};
use plimsoll_core::distros::ubuntu;
use serde::Deserialize;

use super::is_notice;
use crate::feeds::archive::{self, Content, Limits};
use crate::feeds::{ParseError, Sink, Source};

/// Most source packages: what the bits of a packed statement hold. There were some 40,000 in 2026.
const PACKAGES_MAX: usize = 1 << PACKAGE_BITS;

const PACKAGE_BITS: u32 = 20;

/// Most statements. Together with the flaws' ids they take at most about 100 MiB.
const STATEMENTS_MAX: usize = 20_000_000;

/// Most flaws. There were 60,000 in 2026.
const FLAWS_MAX: usize = 500_000;

/// What is said of one build of one package. Ordered: where several builds of Ubuntu Pro differ, the last counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Said {
    /// The release does not have the package.
    Absent,
    /// Nobody has looked into it yet (`needs-triage`).
    UnderInvestigation,
    /// The release is no longer supported, so nobody will (`ignored`).
    EndOfLife,
    /// It has the flaw, and the fix is put off (`deferred`).
    Deferred,
    /// It has the flaw, and will be fixed (`needed`, `pending`, `in-progress`).
    NeedsFix,
    /// It has the flaw, and will not be fixed (`ignored`).
    WillNotFix,
    /// It does not have the flaw.
    Cleared,
}

impl Said {
    const ALL: [Said; 7] = [
        Said::Absent,
        Said::UnderInvestigation,
        Said::EndOfLife,
        Said::Deferred,
        Said::NeedsFix,
        Said::WillNotFix,
        Said::Cleared,
    ];

    /// In the words of this database.
    pub(super) fn meaning(self) -> (Status, FixState) {
        match self {
            Said::Absent | Said::Cleared => (Status::NotAffected, FixState::Unstated),
            Said::UnderInvestigation => (Status::UnderInvestigation, FixState::Unstated),
            Said::EndOfLife => (Status::Affected, FixState::EndOfLife),
            Said::Deferred => (Status::Affected, FixState::Deferred),
            Said::NeedsFix => (Status::Affected, FixState::None),
            Said::WillNotFix => (Status::Affected, FixState::WillNotFix),
        }
    }

    /// `None` where it is fixed: in which version, the records say.
    fn of(statement: &Statement<'_>) -> Result<Option<Said>, &'static str> {
        let action = statement.action_statement.as_deref().unwrap_or_default();
        let notes = statement.status_notes.as_deref().unwrap_or_default();
        // The reasons that follow are people's words, and may say anything.
        let opening = |text: &'_ str| text.split("CVE Notes").next().unwrap_or_default().to_ascii_lowercase();
        Ok(Some(match statement.status.as_ref() {
            "fixed" => return Ok(None),
            "not_affected" if statement.justification.as_deref() == Some("component_not_present") => {
                Said::Absent
            }
            "not_affected" => Said::Cleared,
            "under_investigation" if opening(notes).contains("deferred") => Said::Deferred,
            "under_investigation" => Said::UnderInvestigation,
            "affected" if opening(action).contains("decided to not fix") => Said::WillNotFix,
            "affected" if opening(action).contains("no longer supported") => Said::EndOfLife,
            "affected" if opening(action).contains("deferred") => Said::Deferred,
            "affected" => Said::NeedsFix,
            _ => return Err("a status is not one of OpenVEX's"),
        }))
    }
}

/// A document, as far as it is read (<https://github.com/openvex/spec/blob/main/OPENVEX-SPEC.md>).
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    statements: Vec<Statement<'a>>,
}

#[derive(Deserialize)]
struct Statement<'a> {
    #[serde(borrow)]
    vulnerability: Vulnerability<'a>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow, default)]
    justification: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    action_statement: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    status_notes: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    products: Vec<Product<'a>>,
}

#[derive(Deserialize)]
struct Vulnerability<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Product<'a> {
    #[serde(rename = "@id", borrow)]
    id: Cow<'a, str>,
}

/// Where a statement holds.
struct Build {
    name: String,
    /// Which of the releases.
    release: usize,
    is_pro: bool,
}

impl Build {
    /// Reads `pkg:deb/ubuntu/curl@7.81.0-1?arch=source&distro=esm-infra/jammy`; `None` for binary packages, builds
    /// of their own and releases without a row.
    fn of(purl: &str) -> Option<Build> {
        let (path, qualifiers) = purl.strip_prefix("pkg:deb/ubuntu/")?.split_once('?')?;
        let qualifier =
            |key: &str| qualifiers.split('&').find_map(|one| one.strip_prefix(key)?.strip_prefix('='));
        if qualifier("arch") != Some("source") {
            return None;
        }
        let distro = qualifier("distro")?.replace("%2F", "/");
        // The oldest of Pro's archives are written both ways round: `trusty/esm`, `esm-infra-legacy/trusty`.
        let (pocket, codename) = match distro.split_once('/') {
            None => ("", distro.as_str()),
            Some((codename, "esm")) => ("esm", codename),
            Some(pair) => pair,
        };
        let is_pro = match pocket {
            "" => false,
            "esm" | "esm-infra" | "esm-apps" | "esm-infra-legacy" | "esm-apps-legacy" => true,
            _ => return None,
        };
        let release = ubuntu::CODENAMES.iter().position(|(name, _)| *name == codename)?;
        let name = path.rsplit_once('@').map_or(path, |(name, _)| name);
        Some(Build { name: name.replace("%2B", "+"), release, is_pro })
    }
}

/// One statement, unpacked.
pub(super) struct One<'a> {
    pub(super) release: &'static str,
    pub(super) package: &'a str,
    pub(super) is_pro: bool,
    pub(super) said: Said,
}

/// All statements, by flaw.
#[derive(Default)]
pub(super) struct Statements {
    /// Of each flaw, where its statements begin and end in `packed`.
    flaws: HashMap<Box<str>, (u32, u32)>,
    /// Package, release, whether of Pro, and what is said, from the highest bits to the lowest.
    packed: Vec<u32>,
    packages: Vec<Box<str>>,
    numbers: HashMap<Box<str>, u32>,
}

impl Statements {
    /// Reads the documents on flaws; those on notices only say what is fixed.
    pub(super) fn read(
        &mut self,
        source: &mut dyn Source,
        limits: &Limits,
        sink: &mut dyn Sink,
    ) -> Result<(), ParseError> {
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let is_wanted = |path: &str| path.ends_with(".json") && !is_notice(&name(path));
        let mut is_full = false;
        archive::each_file(source, limits, &is_wanted, &mut |path, content| {
            let result = match content {
                Content::TooLarge => Err("the document is larger than 64 MiB"),
                Content::Whole(bytes) => self.add(bytes),
            };
            if let Err(reason) = result {
                sink.refuse(&name(path), reason);
            }
            is_full |= self.is_full();
        })?;
        if is_full {
            return Err(ParseError(
                "the VEX has more flaws, packages or statements than can be kept".to_owned(),
            ));
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.packed.len() >= STATEMENTS_MAX
            || self.packages.len() >= PACKAGES_MAX
            || self.flaws.len() >= FLAWS_MAX
    }

    /// Adds what one document says, or nothing of it.
    fn add(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let document: Document<'_> =
            serde_json::from_slice(bytes).map_err(|_| "it is not an OpenVEX document")?;
        let mut said = Vec::with_capacity(document.statements.len());
        for statement in &document.statements {
            said.push(Said::of(statement)?);
        }
        let start = self.packed.len();
        let flaw = document.statements.first().map(|statement| statement.vulnerability.name.clone());
        let flaw = flaw.unwrap_or_default();
        for (statement, said) in document.statements.iter().zip(said) {
            let Some(said) = said else { continue };
            if statement.vulnerability.name != flaw {
                self.packed.truncate(start);
                return Err("it speaks of several flaws");
            }
            for build in statement.products.iter().filter_map(|product| Build::of(&product.id)) {
                if !self.is_full() {
                    self.push(&build, said);
                }
            }
        }
        // A package of several architectures or components may be named more than once.
        if let Some(own) = self.packed.get_mut(start..) {
            own.sort_unstable();
        }
        let bounds = (u32::try_from(start), u32::try_from(self.packed.len()));
        if let (Ok(start), Ok(end)) = bounds {
            self.flaws.insert(flaw.into(), (start, end));
        }
        Ok(())
    }

    fn push(&mut self, build: &Build, said: Said) {
        let number = match self.numbers.get(build.name.as_str()) {
            Some(number) => *number,
            None => {
                let number = u32::try_from(self.packages.len()).unwrap_or(u32::MAX);
                self.packages.push(build.name.as_str().into());
                self.numbers.insert(build.name.as_str().into(), number);
                number
            }
        };
        let release = u32::try_from(build.release).unwrap_or(u32::MAX) & 0xff;
        self.packed.push(number << 12 | release << 4 | u32::from(build.is_pro) << 3 | said as u32);
    }

    /// What is said of a flaw.
    pub(super) fn of(&self, flaw: &str) -> impl Iterator<Item = One<'_>> {
        let (start, end) = self.flaws.get(flaw).copied().unwrap_or_default();
        let bounds = usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0);
        self.packed.get(bounds).unwrap_or_default().iter().filter_map(|packed| {
            let at = |shift: u32, mask: u32| usize::try_from(packed >> shift & mask).ok();
            Some(One {
                release: ubuntu::CODENAMES.get(at(4, 0xff)?)?.1,
                package: self.packages.get(at(12, u32::MAX)?)?,
                is_pro: packed >> 3 & 1 == 1,
                said: *Said::ALL.get(at(0, 7)?)?,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_survives_packing() {
        let mut statements = Statements::default();
        for said in Said::ALL {
            assert_eq!(Said::ALL[said as usize], said);
        }
        let purl = |distro: &str| {
            format!(r#"{{"@id": "pkg:deb/ubuntu/libsigc%2B%2B@2.0-1?arch=source&distro={distro}"}}"#)
        };
        let distros =
            ["jammy", "trusty/esm", "esm-infra-legacy/trusty", "fips/focal", "esm-apps/noble", "atlantis"];
        let document = format!(
            r#"{{"statements": [{{"vulnerability": {{"name": "CVE-2024-0001"}}, "status": "affected",
                "action_statement": "It needs fixing. CVE Notes: no longer supported", "products": [{}]}}]}}"#,
            distros.map(purl).join(",")
        );
        statements.add(document.as_bytes()).expect("it is a document");
        let all: Vec<String> = statements
            .of("CVE-2024-0001")
            .map(|one| format!("{} {} {} {:?}", one.release, one.package, one.is_pro, one.said))
            .collect();
        assert_eq!(
            all,
            [
                "24.04 libsigc++ true NeedsFix",
                "22.04 libsigc++ false NeedsFix",
                "14.04 libsigc++ true NeedsFix",
                "14.04 libsigc++ true NeedsFix",
            ]
        );
        assert_eq!(statements.of("CVE-2024-0002").count(), 0);
    }

    #[test]
    fn the_opening_sentence_says_what_is_meant() {
        let check = |status: &'static str, text: &'static str, expected: Option<Said>| {
            let statement = Statement {
                vulnerability: Vulnerability { name: "CVE-2024-0001".into() },
                status: status.into(),
                justification: (text == "component_not_present").then(|| text.into()),
                action_statement: Some(text.into()),
                status_notes: Some(text.into()),
                products: Vec::new(),
            };
            assert_eq!(Said::of(&statement), Ok(expected), "{status}: {text}");
        };
        check("fixed", "", None);
        check("not_affected", "", Some(Said::Cleared));
        check("not_affected", "component_not_present", Some(Said::Absent));
        check("affected", "It is vulnerable and needs fixing.", Some(Said::NeedsFix));
        check(
            "affected",
            "The Ubuntu Security Team decided to not fix it. CVE Notes: x",
            Some(Said::WillNotFix),
        );
        check("affected", "It is no longer supported. Please upgrade.", Some(Said::EndOfLife));
        check("affected", "It needs fixing. CVE Notes: decided to not fix", Some(Said::NeedsFix));
        check(
            "under_investigation",
            "It is not known and needs to be evaluated.",
            Some(Said::UnderInvestigation),
        );
        check("under_investigation", "It is known but remediation is deferred.", Some(Said::Deferred));
        check("under_investigation", "Pending. CVE Notes: deferred once", Some(Said::UnderInvestigation));
    }
}
