//! From a flaw to advisories.
//!
//! Each product that the flaw names leads to packages, and each of its fixes to a range below the build that has it.
//! Several products may be one package (.NET on Windows and on Linux): what is stated of them is put together. A fix of
//! which no build is known is a range that no version can be compared with, so that matching tells a gap; a product
//! without any fix is affected in every version.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::advisory::{
    Advisory, Affected, Cvss, FixState, Range, RangeEnd, Severity, Status, VendorUpdate,
};

use super::super::{Sink, text};
use super::builds::{self, Builds};
use super::document::{Fix, Vulnerability};
use super::products::{Meaning, Names, Target};

/// The page of a flaw.
const PAGE: &str = "https://msrc.microsoft.com/update-guide/vulnerability/";

const NO_ID: &str = "its id is neither a CVE nor an advisory of Microsoft's";
const HOTPATCH: &str = "a hotpatch, which containers do not get";
const SERVICING_STACK: &str = "an update of the servicing stack, which fixes no flaw";
const NAMELESS_FIX: &str = "a fix states neither a build nor an update, beside one that does";
const CORRECTED: &str = "a fixed build is of another branch, and which is meant is known";
const BUILD_OF_UPDATE: &str = "a fixed build is none of its product's, and the update says which is meant";
const BAD_BUILD: &str = "a fixed build is none of its product's";
const COMPONENT: &str = "a component without a package of its own, of which no update of Windows speaks";
const UNKNOWN_WORD: &str = "a word for how bad it is is not known";
const BAD_VECTOR: &str = "a vector does not follow CVSS";

/// What stands for the build of a fix that names nothing. No version can be compared with it.
const UNSTATED: &str = "a build that is not stated";

/// What a statement is about: namespace and name of a package, and the first version of the line that is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct About {
    namespace: String,
    package: String,
    first_version: Option<String>,
}

impl About {
    fn of(target: &Target) -> About {
        let (namespace, package) = target.package();
        About { namespace, package, first_version: target.first_version() }
    }
}

/// Hands a flaw's advisories to the sink.
pub(super) fn state(flaw: &Vulnerability, names: &Names, builds: &mut Builds<'_>, sink: &mut dyn Sink) {
    if !is_id(&flaw.id) {
        let record = if flaw.id.is_empty() { "a flaw without an id" } else { &flaw.id };
        return sink.refuse(&text::shortened(record, 80), NO_ID);
    }
    for problem in &flaw.problems {
        sink.refuse(&flaw.id, problem);
    }
    let mut flaw = Stating { flaw, builds, sink, statements: BTreeMap::new() };
    for product in flaw.products() {
        flaw.product(&product, names.meaning(&product));
    }
    flaw.hand_out();
}

fn is_id(text: &str) -> bool {
    let is_number = |number: &str| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    text::is_cve(text) || text::is_id(text) && text.strip_prefix("ADV").is_some_and(is_number)
}

/// What is stated of a package.
#[derive(Default)]
struct Statement {
    /// Builds with the fix, each with the update that brings it.
    fixes: BTreeSet<(String, Option<String>)>,
    /// What stands for fixes of which no build is known.
    unknown: BTreeSet<String>,
    severity: Option<Severity>,
    vectors: BTreeSet<String>,
}

/// A flaw that is being stated.
struct Stating<'f, 'b, 'a> {
    flaw: &'f Vulnerability,
    builds: &'f mut Builds<'b>,
    sink: &'a mut dyn Sink,
    statements: BTreeMap<About, Statement>,
}

impl Stating<'_, '_, '_> {
    /// All that it names, sorted: those known to be affected, and those that only a fix speaks of.
    fn products(&self) -> BTreeSet<String> {
        let fixed = self.flaw.fixes.iter().flat_map(|fix| &fix.products);
        self.flaw.affected.iter().chain(fixed).cloned().collect()
    }

    fn product(&mut self, product: &str, meaning: Meaning) {
        let (targets, platform) = match meaning {
            Meaning::Skipped(why) => return self.sink.skip(why),
            Meaning::Refused(why) => return self.refuse(product, "", why),
            Meaning::Judged(targets, platform) => (targets, platform),
        };
        let stated = self.flaw.fixes.iter().filter(|fix| fix.products.iter().any(|one| one == product));
        let stated: Vec<&Fix> = stated.collect();
        let fixes = self.counting(&stated);
        let (mut fixed, mut left) = (BTreeSet::new(), Vec::new());
        for fix in &fixes {
            let builds = self.builds(product, fix, targets.iter().chain(&platform));
            if builds.is_empty() {
                left.push(*fix);
            }
            for (about, build) in builds {
                self.statements.entry(about.clone()).or_default().fixes.insert((build, fix.update()));
                fixed.insert(about);
            }
        }
        if targets.is_empty() && fixed.is_empty() {
            return self.sink.skip(COMPONENT);
        }
        for fix in &left {
            self.tell_left(product, fix, !fixed.is_empty());
        }
        let is_fixed_by_platform = platform.is_some_and(|platform| fixed.contains(&About::of(&platform)));
        for target in &targets {
            let about = About::of(target);
            let unknown: Vec<String> = match fixed.contains(&about) {
                // Beside a build that is known, one that is a mere slip does not count.
                true => {
                    left.iter().filter(|fix| fix.build.is_empty()).filter_map(|fix| fix.update()).collect()
                }
                false if is_fixed_by_platform => continue,
                false => fixes.iter().map(|fix| fix.update().unwrap_or(UNSTATED.to_owned())).collect(),
            };
            // What the servicing stack alone was updated for is no flaw of the product's.
            if fixes.is_empty() && stated.iter().any(|fix| is_of_servicing(fix)) {
                continue;
            }
            self.statements.entry(about.clone()).or_default().unknown.extend(unknown);
            fixed.insert(about);
        }
        for about in fixed {
            self.rate(product, &about);
        }
    }

    /// The fixes that containers can have.
    fn counting<'x>(&mut self, stated: &[&'x Fix]) -> Vec<&'x Fix> {
        let mut fixes = Vec::new();
        for fix in stated {
            match fix {
                fix if fix.kind.to_ascii_lowercase().contains("hotpatch") => self.sink.skip(HOTPATCH),
                fix if is_of_servicing(fix) => self.sink.skip(SERVICING_STACK),
                fix => fixes.push(*fix),
            }
        }
        fixes
    }

    /// The builds that have a fix, by the package that each is of.
    fn builds<'t>(
        &mut self,
        product: &str,
        fix: &Fix,
        targets: impl Iterator<Item = &'t Target> + Clone,
    ) -> Vec<(About, String)> {
        let stated = builds::builds_of(fix);
        let fitting = |builds: &[String]| -> Vec<(About, String)> {
            let of = |target: &'t Target| {
                let fitting = builds.iter().filter(|build| target.has_version(build));
                fitting.map(|build| (About::of(target), build.clone())).collect::<Vec<_>>()
            };
            targets.clone().flat_map(of).collect()
        };
        let found = fitting(&stated);
        if !found.is_empty() {
            return found;
        }
        if let Some(build) = builds::correction(&self.flaw.id, product).filter(|_| !stated.is_empty()) {
            self.sink.skip(CORRECTED);
            return fitting(&[build.to_owned()]);
        }
        let Some(update) = fix.update() else { return found };
        let mut found = Vec::new();
        for target in targets {
            let build = self.builds.of_update(&update, product, target);
            found.extend(build.map(|build| (About::of(target), build)));
        }
        if !found.is_empty() && !stated.is_empty() {
            self.sink.skip(BUILD_OF_UPDATE);
        }
        found
    }

    /// Tells of a fix of which no build is known. That of an update is a range which the sink counts.
    fn tell_left(&mut self, product: &str, fix: &Fix, has_others: bool) {
        match (fix.build.trim(), fix.update()) {
            ("", Some(_)) => {}
            ("", None) if has_others => self.sink.skip(NAMELESS_FIX),
            ("", None) => {}
            (build, _) => self.refuse(product, build, BAD_BUILD),
        }
    }

    fn refuse(&mut self, product: &str, what: &str, why: &str) {
        let record = format!("{} {product} {what}", self.flaw.id);
        self.sink.refuse(&text::shortened(&record, 120), why);
    }

    /// How bad it is for a product. Of several products that are one package the worst counts.
    fn rate(&mut self, product: &str, about: &About) {
        let Some(statement) = self.statements.get_mut(about) else { return };
        for word in self.flaw.severities.iter().filter(|word| word.is_of(product)) {
            statement.severity = statement.severity.max(Severity::from_vendor_word(&word.text));
        }
        let vectors = self.flaw.vectors.iter().filter(|vector| vector.is_of(product));
        statement.vectors.extend(vectors.map(|vector| vector.text.clone()));
    }

    /// One advisory for all packages that are scored alike. Each line of a runtime has its own: an update of another line
    /// would pass for one that the installed version has.
    fn hand_out(self) {
        for word in &self.flaw.severities {
            let is_known = word.text.is_empty() || Severity::from_vendor_word(&word.text).is_some();
            if !is_known && !self.statements.is_empty() {
                self.sink
                    .refuse(&text::shortened(&format!("{} {}", self.flaw.id, word.text), 120), UNKNOWN_WORD);
            }
        }
        let mut alike: BTreeMap<_, Vec<(About, Statement)>> = BTreeMap::new();
        for (about, mut statement) in self.statements {
            let vectors = std::mem::take(&mut statement.vectors);
            alike.entry((vectors, about.first_version.clone())).or_default().push((about, statement));
        }
        for ((vectors, _), statements) in alike {
            let mut advisory = advisory(self.flaw);
            for vector in &vectors {
                match Cvss::read(super::FEED.name, vector) {
                    Ok(cvss) => advisory.cvss.push(cvss),
                    Err(_) => {
                        let record = format!("{} {vector}", self.flaw.id);
                        self.sink.refuse(&text::shortened(&record, 120), BAD_VECTOR);
                    }
                }
            }
            advisory.updates = statements.iter().flat_map(updates).collect();
            let affected: Vec<Affected> = statements.into_iter().map(affected).collect();
            self.sink.advisory(&advisory, &affected);
        }
    }
}

fn is_of_servicing(fix: &Fix) -> bool {
    fix.kind.to_ascii_lowercase().starts_with("servicing stack")
}

fn advisory(flaw: &Vulnerability) -> Advisory {
    Advisory {
        id: flaw.id.clone(),
        summary: text::shortened(&flaw.title, text::SUMMARY_BYTES_MAX),
        description: text::shortened(&flaw.description, text::DESCRIPTION_BYTES_MAX),
        references: vec![format!("{PAGE}{}", flaw.id)],
        component: text::shortened(&flaw.component, text::SUMMARY_BYTES_MAX),
        is_exploited: flaw.is_exploited,
        published: flaw.dates.iter().min().cloned(),
        modified: flaw.dates.iter().max().cloned(),
        ..Advisory::default()
    }
}

fn updates((about, statement): &(About, Statement)) -> Vec<VendorUpdate> {
    let update = |(build, name): &(String, Option<String>)| {
        let About { namespace, package, .. } = about.clone();
        Some(VendorUpdate { name: name.clone()?, namespace, package, version: build.clone() })
    };
    statement.fixes.iter().filter_map(update).collect()
}

/// Of several products that are one package, one without a fix says nothing where another has one.
fn affected((about, statement): (About, Statement)) -> Affected {
    let range = |end| Range { introduced: about.first_version.clone(), end };
    let builds: BTreeSet<&String> = statement.fixes.iter().map(|(build, _)| build).collect();
    let ends = builds.into_iter().chain(&statement.unknown).cloned().map(RangeEnd::Fixed);
    let mut ranges: Vec<Range> = ends.map(range).collect();
    let fix = match ranges.is_empty() {
        true => FixState::None,
        false => FixState::Unstated,
    };
    if ranges.is_empty() {
        ranges.push(range(RangeEnd::Open));
    }
    Affected {
        namespace: about.namespace,
        package: about.package,
        status: Status::Affected,
        fix,
        ranges,
        module: None,
        architectures: Vec::new(),
        severity: statement.severity,
    }
}
