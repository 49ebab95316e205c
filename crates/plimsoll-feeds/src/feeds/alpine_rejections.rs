//! Alpine's rejections: two YAML files of source packages, each with the CVEs that do not affect it.
//!
//! They answer what guesses by name and version claim. No release is named, so each rejection is stated of every
//! release that Alpine states anything of; that makes no release served, for nothing else is said of it. The files are
//! lists in a map and nothing more, so they are read by line, and a line that cannot be understood costs only itself:
//!
//! ```yaml
//! dnsmasq:
//!   - CVE-2021-45951 # a remark
//! ```

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::advisory::{Advisory, Affected, FixState, Status};
use plimsoll_core::distros::alpine;

use super::alpine_secdb::releases;
use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, inflate, lines, text};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "alpine-rejections",
    title: "Alpine security rejections",
    url: "https://gitlab.alpinelinux.org/alpine/security/security-rejections/-/raw/master",
    format: "YAML",
    licence: "public",
    terms: "https://gitlab.alpinelinux.org/alpine/security/security-rejections",
    cadence_hours: 24,
    max_age_days: 30,
    covers: &[Covers::Distro(&alpine::DISTRO)],
    gives: "CVEs that do not affect a package, in any release",
    is_on_by_default: true,
    plan,
    parse,
};

/// Longest line, in bytes. A list may stand in one.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Most pairs of a package and a CVE in one file. Each is stated of each release.
const REJECTIONS_MAX: usize = 200_000;

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    Ok(["main.yaml", "community.yaml"].map(|file| Part::new(file, file)).to_vec())
}

fn parse(_: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let mut rejections = Rejections::default();
    let mut has_bad_line = false;
    lines::each_line(&mut inflate::inflated(source)?, LINE_BYTES_MAX, &mut |number, line| {
        let line = line.and_then(|line| std::str::from_utf8(line).ok());
        let understood =
            line.ok_or("the line is too long or not UTF-8").and_then(|line| rejections.line(line));
        if let Err(reason) = understood {
            has_bad_line = true;
            sink.refuse(&format!("line {number}"), reason);
        }
        match rejections.count {
            0..=REJECTIONS_MAX => Ok(()),
            _ => Err(ParseError(format!("there are more than {REJECTIONS_MAX} rejections"))),
        }
    })?;
    if rejections.count == 0 && has_bad_line {
        return Err(ParseError("it lists no CVEs of packages".to_owned()));
    }
    rejections.state(sink);
    Ok(())
}

/// What does not affect whom.
#[derive(Default)]
struct Rejections {
    /// Packages by CVE.
    packages: BTreeMap<String, BTreeSet<String>>,
    /// Pairs of a package and a CVE.
    count: usize,
    /// Whose list is being read; `None` where its name was not understood.
    package: Option<String>,
}

impl Rejections {
    fn line(&mut self, line: &str) -> Result<(), &'static str> {
        match read(line) {
            Ok(Line::Nothing) => Ok(()),
            Ok(Line::Package(name, flaws)) => {
                self.package = Some(name.to_owned());
                // One that is none does not cost the others.
                flaws.iter().map(|flaw| self.add(flaw)).fold(Ok(()), Result::and)
            }
            Ok(Line::Flaw(flaw)) => self.add(flaw),
            Err(reason) => {
                if !line.starts_with([' ', '-']) {
                    self.package = None;
                }
                Err(reason)
            }
        }
    }

    fn add(&mut self, flaw: &str) -> Result<(), &'static str> {
        let package = self.package.as_ref().ok_or("the entry is of no package")?;
        if !text::is_cve(flaw) {
            return Err("the entry is not a CVE");
        }
        if self.packages.entry(flaw.to_owned()).or_default().insert(package.clone()) {
            self.count += 1;
        }
        Ok(())
    }

    fn state(&self, sink: &mut dyn Sink) {
        let namespaces: Vec<String> = releases().map(|release| alpine::DISTRO.namespace(&release)).collect();
        let denied = |namespace: &String, package: &String| Affected {
            namespace: namespace.clone(),
            package: package.clone(),
            status: Status::NotAffected,
            fix: FixState::Unstated,
            ranges: Vec::new(),
            module: None,
            architectures: Vec::new(),
            severity: None,
        };
        for (cve, packages) in &self.packages {
            let affected: Vec<Affected> = packages
                .iter()
                .flat_map(|package| namespaces.iter().map(move |namespace| denied(namespace, package)))
                .collect();
            let advisory = Advisory {
                id: cve.clone(),
                references: vec![format!("https://security.alpinelinux.org/vuln/{cve}")],
                ..Advisory::default()
            };
            sink.advisory(&advisory, &affected);
        }
    }
}

/// What a line says.
enum Line<'a> {
    Nothing,
    /// A package, and the flaws that stand in the same line.
    Package(&'a str, Vec<&'a str>),
    Flaw(&'a str),
}

fn read(line: &str) -> Result<Line<'_>, &'static str> {
    let is_comment = |(at, _): &(usize, &str)| *at == 0 || line[..*at].ends_with([' ', '\t']);
    let end = line.match_indices('#').find(is_comment).map_or(line.len(), |(at, _)| at);
    let line = line[..end].trim_end();
    let text = line.trim_start();
    if matches!(text, "" | "---" | "..." | "{}") {
        return Ok(Line::Nothing);
    }
    if let Some(flaw) = text.strip_prefix("- ") {
        return Ok(Line::Flaw(unquoted(flaw)));
    }
    if text.len() < line.len() {
        return Err("the line is neither a package nor an entry");
    }
    let (name, rest) = line.rsplit_once(':').ok_or("the line is neither a package nor an entry")?;
    let name = unquoted(name);
    if !text::is_package_name(name) || name.contains(char::is_whitespace) {
        return Err("the package has no usable name");
    }
    let flaws = match rest.trim() {
        "" | "null" | "~" => "",
        rest => {
            let list = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            list.ok_or("what is stated of the package is not a list")?
        }
    };
    let flaws = flaws.split(',').map(unquoted).filter(|flaw| !flaw.is_empty());
    Ok(Line::Package(name, flaws.collect()))
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\''])
}
