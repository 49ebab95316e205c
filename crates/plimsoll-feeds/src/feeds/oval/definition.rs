//! One definition of a document: what it says of a flaw, and the tree of its criteria.

use std::io::BufRead;

use plimsoll_core::advisory::{Advisory, Cvss, Severity};

use super::xml::{Next, Xml};
use crate::feeds::{ParseError, text};

/// Most references and CVEs of a definition that are kept, each. A kernel update names hundreds of CVEs.
const REFERENCES_MAX: usize = 4000;

/// Most criteria of a definition. Kernel flaws of SUSE have some ten thousand.
const CRITERIA_MAX: usize = 200_000;

/// How much is kept of any text but the description, in bytes. Nothing that is longer is understood.
const TEXT_BYTES_MAX: usize = 4096;

/// A definition.
#[derive(Debug, Default)]
pub(in crate::feeds) struct Definition {
    pub(in crate::feeds) id: String,
    /// `vulnerability` or `patch`.
    pub(in crate::feeds) class: String,
    pub(in crate::feeds) title: String,
    pub(in crate::feeds) description: String,
    pub(in crate::feeds) references: Vec<Reference>,
    pub(in crate::feeds) cves: Vec<Cve>,
    pub(in crate::feeds) severity: String,
    /// When it was published, as written.
    pub(in crate::feeds) issued: String,
    /// When it was last changed, as written.
    pub(in crate::feeds) updated: String,
    /// Microsoft's word on whether there is a fix.
    pub(in crate::feeds) patchable: String,
    /// Under what conditions a system has the flaw; `None` where there are no criteria.
    pub(in crate::feeds) criteria: Option<Criteria>,
    /// What could not be understood.
    pub(in crate::feeds) problem: Option<&'static str>,
}

/// A reference.
#[derive(Debug)]
pub(in crate::feeds) struct Reference {
    pub(in crate::feeds) source: String,
    pub(in crate::feeds) id: String,
    pub(in crate::feeds) url: String,
}

/// A CVE that a definition names.
#[derive(Debug)]
pub(in crate::feeds) struct Cve {
    pub(in crate::feeds) id: String,
    /// Whose page on it is linked.
    pub(in crate::feeds) href: String,
    /// `SCORE/VECTOR`, as they stand, or nothing.
    pub(in crate::feeds) scores: [String; 3],
}

/// Criteria.
#[derive(Debug)]
pub(in crate::feeds) enum Criteria {
    /// All of them hold.
    All(Vec<Criteria>),
    /// One of them holds.
    Any(Vec<Criteria>),
    /// A test.
    One {
        /// Id of the test.
        test: String,
        /// What it says, for people.
        comment: String,
    },
    /// Something else.
    Unknown(&'static str),
}

impl Definition {
    /// Reads the definition whose tag was read last.
    pub(super) fn read<R: BufRead>(xml: &mut Xml<R>) -> Result<Definition, ParseError> {
        let (id, class) = (attribute(xml, "id"), attribute(xml, "class"));
        let mut definition = Definition { id, class, ..Definition::default() };
        let outer = xml.depth();
        let mut count = 0;
        loop {
            match xml.next()? {
                Next::Open => definition.element(xml, &mut count)?,
                Next::Close if xml.depth() < outer => break,
                _ => {}
            }
        }
        if count > CRITERIA_MAX {
            // Without some of them it would state more than it does.
            definition.criteria = Some(Criteria::Unknown("it has more than 200,000 criteria"));
        }
        Ok(definition)
    }

    fn element<R: BufRead>(&mut self, xml: &mut Xml<R>, count: &mut usize) -> Result<(), ParseError> {
        match xml.name() {
            "title" => self.title = xml.content(TEXT_BYTES_MAX)?,
            "description" => self.description = xml.content(text::DESCRIPTION_BYTES_MAX + 1)?,
            "severity" => self.severity = xml.content(TEXT_BYTES_MAX)?,
            "patchable" => self.patchable = xml.content(TEXT_BYTES_MAX)?,
            "advisory_date" => self.issued = xml.content(TEXT_BYTES_MAX)?,
            "issued" => self.issued = attribute(xml, "date"),
            "updated" => self.updated = attribute(xml, "date"),
            "reference" => self.reference(xml),
            "cve" => self.cve(xml)?,
            "criteria" => self.criteria = Some(criteria(xml, count)?),
            "affected_cpe_list" | "affected" => xml.skip()?,
            _ => {}
        }
        Ok(())
    }

    fn reference<R: BufRead>(&mut self, xml: &Xml<R>) {
        let reference = Reference {
            source: attribute(xml, "source"),
            id: attribute(xml, "ref_id"),
            url: attribute(xml, "ref_url"),
        };
        if self.references.len() < REFERENCES_MAX {
            self.references.push(reference);
        } else {
            self.problem = Some("it has more than 4,000 references");
        }
    }

    fn cve<R: BufRead>(&mut self, xml: &mut Xml<R>) -> Result<(), ParseError> {
        let href = attribute(xml, "href");
        let scores = ["cvss4", "cvss3", "cvss2"].map(|name| attribute(xml, name));
        let id = xml.content(TEXT_BYTES_MAX)?;
        let id = id.split_whitespace().next().unwrap_or_default().to_owned();
        if self.cves.len() < REFERENCES_MAX {
            self.cves.push(Cve { id, href, scores });
        } else {
            self.problem = Some("it names more than 4,000 CVEs");
        }
        Ok(())
    }

    /// The CVEs that it names, sorted.
    pub(in crate::feeds) fn cve_ids(&self) -> Vec<String> {
        let of_references = self.references.iter().map(|reference| reference.id.as_str());
        let mut ids: Vec<String> = self
            .cves
            .iter()
            .map(|cve| cve.id.as_str())
            .chain(of_references)
            .filter(|id| text::is_cve(id))
            .map(str::to_owned)
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Everything but ids and scores.
    pub(in crate::feeds) fn advisory(&self) -> Advisory {
        let mut links: Vec<String> = Vec::new();
        for url in self.references.iter().map(|reference| reference.url.as_str()) {
            if links.len() < text::LINKS_MAX && text::is_link(url) && !links.iter().any(|link| link == url) {
                links.push(url.to_owned());
            }
        }
        Advisory {
            description: text::shortened(&self.description, text::DESCRIPTION_BYTES_MAX),
            severity: Severity::from_vendor_word(&self.severity),
            references: links,
            published: text::instant(&self.issued),
            modified: text::instant(&self.updated),
            ..Advisory::default()
        }
    }

    /// The vectors that it gives. One that is none is counted as a problem; a score without one is not.
    pub(in crate::feeds) fn vectors(&self, source: &str, problems: &mut Vec<&'static str>) -> Vec<Cvss> {
        let mut vectors: Vec<Cvss> = Vec::new();
        for (cve, score) in self.cves.iter().flat_map(|cve| cve.scores.iter().map(move |score| (cve, score)))
        {
            let source = if cve.href.contains("//nvd.nist.gov/") { "nvd" } else { source };
            let vector = score.split_once('/').map_or("", |(_, vector)| vector.trim());
            match Cvss::read(source, vector) {
                _ if vector.is_empty() => {}
                Ok(cvss) if vectors.contains(&cvss) => {}
                Ok(cvss) => vectors.push(cvss),
                Err(_) => problems.push("a CVSS vector that is none was left out"),
            }
        }
        vectors
    }
}

/// An attribute of the element that was opened last; nothing where there is none.
fn attribute<R: BufRead>(xml: &Xml<R>, name: &str) -> String {
    let value = xml.attribute(name).unwrap_or_default();
    if value.len() > TEXT_BYTES_MAX { text::shortened(&value, TEXT_BYTES_MAX) } else { value }
}

/// Reads the criteria whose tag was read last. The reader limits how deep they are nested.
fn criteria<R: BufRead>(xml: &mut Xml<R>, count: &mut usize) -> Result<Criteria, ParseError> {
    let is_negated = is_negated(xml);
    let make: fn(Vec<Criteria>) -> Criteria = match xml.attribute("operator").as_deref() {
        None | Some("AND") => Criteria::All,
        Some("OR") => Criteria::Any,
        Some(_) => |_| Criteria::Unknown("criteria are joined by neither `AND` nor `OR`"),
    };
    let (outer, mut inner) = (xml.depth(), Vec::new());
    loop {
        match xml.next()? {
            Next::Open => {
                *count += 1;
                let one = match xml.name() {
                    "criteria" => criteria(xml, count)?,
                    "criterion" => criterion(xml)?,
                    _ => {
                        xml.skip()?;
                        Criteria::Unknown("criteria refer to something else than a test")
                    }
                };
                if *count <= CRITERIA_MAX {
                    inner.push(one);
                }
            }
            Next::Close if xml.depth() < outer => break,
            _ => {}
        }
    }
    Ok(if is_negated { Criteria::Unknown(NEGATED) } else { make(inner) })
}

const NEGATED: &str = "criteria are negated";

fn is_negated<R: BufRead>(xml: &Xml<R>) -> bool {
    xml.attribute("negate").is_some_and(|negate| matches!(negate.as_str(), "true" | "1"))
}

fn criterion<R: BufRead>(xml: &mut Xml<R>) -> Result<Criteria, ParseError> {
    let one = match is_negated(xml) {
        true => Criteria::Unknown(NEGATED),
        false => Criteria::One { test: attribute(xml, "test_ref"), comment: attribute(xml, "comment") },
    };
    xml.skip()?;
    Ok(one)
}
