//! NIST's National Vulnerability Database: one gzipped JSON document a year from 2002 on, of API 2.0's shape.
//!
//! Taken from it are CVSS vectors, whoever gave them: NIST itself, CISA's Vulnrichment, or the authority that assigned
//! the CVE. Its ranges, which name products and not packages, are not read. A document beside each (`.meta`) has the
//! digest of its content, so that years that have not changed are not asked for. What surprises:
//! - a year is that of the CVE's id, so old files go on changing, and the first holds all that is older;
//! - times bear no zone and are UTC;
//! - since 2024 NIST scores only some, and CISA or the assigning authority may be all that there is.
//!
//! Formats: <https://nvd.nist.gov/vuln/data-feeds>,
//! <https://csrc.nist.gov/schema/nvd/api/2.0/cve_api_json_2.0.schema>.

use plimsoll_core::advisory::Cvss;
use serde::Deserialize;

use super::json::{self, Field, Object, Text};
use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, inflate, text};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "nvd",
    title: "National Vulnerability Database",
    url: "https://nvd.nist.gov/feeds/json/cve/2.0",
    format: "JSON, gzip",
    licence: "public domain in the United States",
    terms: "https://nvd.nist.gov/general/legal-disclaimer",
    cadence_hours: 24,
    max_age_days: 14,
    covers: &[Covers::Flaws("CVEs")],
    gives: "CVSS vectors of NIST, CISA and the authorities that assign CVEs",
    is_on_by_default: true,
    plan,
    parse,
};

/// The first file.
const YEAR_FIRST: u32 = 2002;

/// The last that is asked for.
const YEAR_LAST: u32 = 2100;

/// Most vectors of one CVE.
const VECTORS_MAX: usize = 32;

/// NIST, as a source of scores.
const NIST: &str = "nvd@nist.gov";

/// CISA's Vulnrichment, as a source of scores.
const CISA_ADP: &str = "134c704f-9b21-4f2e-91b3-4a467353bcc0";

/// How much of a source's name is kept, in bytes: that of a UUID.
const SOURCE_BYTES_MAX: usize = 36;

fn plan(_: &Feed, index: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let mut parts = Vec::new();
    for year in YEAR_FIRST..=YEAR_LAST {
        let Some(meta) = index.get(&format!("nvdcve-2.0-{year}.meta"))? else { break };
        let file = format!("nvdcve-2.0-{year}.json.gz");
        parts.push(Part { revision: revision(&meta), ..Part::new(file.clone(), file) });
    }
    if parts.is_empty() {
        return Err(PlanError(format!("there is no `nvdcve-2.0-{YEAR_FIRST}.meta`")));
    }
    Ok(parts)
}

/// The digest of the content, which a `.meta` states as `sha256:` and hex digits.
fn revision(meta: &[u8]) -> Option<String> {
    let digest =
        std::str::from_utf8(meta).ok()?.lines().find_map(|line| line.trim().strip_prefix("sha256:"))?;
    let digest = digest.trim();
    let is_digest = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    is_digest.then(|| format!("sha256:{}", digest.to_ascii_lowercase()))
}

fn parse(_: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let mut made = None;
    json::each_element(
        &mut inflate::inflated(source)?,
        "vulnerabilities",
        &mut |entry| {
            let entry: Entry<'_> = json::read(entry);
            let none = Cve::default();
            let cve = entry.cve.fields().unwrap_or(&none);
            if let Err(reason) = read(cve, sink) {
                let record = cve.id.text().unwrap_or("an entry without an id");
                sink.refuse(&text::shortened(record, 80), reason);
            }
        },
        &mut |field, value| {
            if field == "timestamp" {
                made = json::read::<Field<Text<'_>>>(value).text().and_then(instant);
            }
        },
    )?;
    if let Some(date) = made {
        sink.data_date(&date);
    }
    Ok(())
}

fn instant(text: &str) -> Option<String> {
    text::instant(&format!("{text}Z")).or_else(|| text::instant(text))
}

/// An element of `vulnerabilities`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry<'a> {
    #[serde(borrow)]
    cve: Field<Object<Cve<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cve<'a> {
    #[serde(borrow)]
    id: Field<Text<'a>>,
    #[serde(borrow, rename = "vulnStatus")]
    status: Field<Text<'a>>,
    #[serde(borrow)]
    metrics: Field<Object<Metrics<'a>>>,
}

/// Vectors by the version of CVSS.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metrics<'a> {
    #[serde(borrow, rename = "cvssMetricV40")]
    v4_0: Vectors<'a>,
    #[serde(borrow, rename = "cvssMetricV31")]
    v3_1: Vectors<'a>,
    #[serde(borrow, rename = "cvssMetricV30")]
    v3_0: Vectors<'a>,
    #[serde(borrow, rename = "cvssMetricV2")]
    v2: Vectors<'a>,
}

type Vectors<'a> = Field<Vec<Field<Object<Metric<'a>>>>>;

impl<'a> Metrics<'a> {
    /// The newest version first.
    fn all(&self) -> impl Iterator<Item = &Field<Object<Metric<'a>>>> {
        [&self.v4_0, &self.v3_1, &self.v3_0, &self.v2].into_iter().filter_map(Field::read).flatten()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metric<'a> {
    /// Who scored.
    #[serde(borrow)]
    source: Field<Text<'a>>,
    #[serde(borrow, rename = "cvssData")]
    data: Field<Object<Data<'a>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data<'a> {
    #[serde(borrow, rename = "vectorString")]
    vector: Field<Text<'a>>,
}

fn read(cve: &Cve<'_>, sink: &mut dyn Sink) -> Result<(), &'static str> {
    let id = cve.id.text().filter(|id| text::is_cve(id)).ok_or("`id` is not a CVE")?;
    if cve.status.text() == Some("Rejected") {
        sink.skip("the CVE was rejected");
        return Ok(());
    }
    let mut vectors: Vec<Cvss> = Vec::new();
    let mut bad = None;
    if matches!(cve.metrics, Field::Other) {
        return Err("`metrics` is not an object");
    }
    for metric in cve.metrics.fields().into_iter().flat_map(Metrics::all) {
        match metric.fields().ok_or("a metric has no vector").and_then(vector) {
            Ok(vector) if vectors.len() < VECTORS_MAX && !vectors.contains(&vector) => vectors.push(vector),
            Ok(_) => {}
            Err(reason) => bad = Some(reason),
        }
    }
    if !vectors.is_empty() {
        sink.cvss(id, &vectors);
    } else if bad.is_none() {
        sink.skip("nobody has scored it");
    }
    bad.map_or(Ok(()), Err)
}

fn vector(metric: &Metric<'_>) -> Result<Cvss, &'static str> {
    let vector = metric.data.fields().and_then(|data| data.vector.text());
    let vector = vector.ok_or("a metric has no vector")?;
    let by = source(metric.source.text().unwrap_or_default());
    // What is not defined is the same as what is left out, and the NVD spells it out.
    let stated = vector.split('/').filter(|metric| !metric.ends_with(":X"));
    Cvss::read(&by, &stated.collect::<Vec<_>>().join("/")).map_err(|_| "a vector does not follow CVSS")
}

/// Who scored, in short: authorities are known by mail address, whose domain is enough, or by UUID.
fn source(stated: &str) -> String {
    match stated {
        NIST => "nvd".to_owned(),
        CISA_ADP => "cisa-adp".to_owned(),
        other => {
            let name = other.rsplit_once('@').map_or(other, |(_, domain)| domain);
            let is_plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
            let name: String = name.chars().filter(is_plain).take(SOURCE_BYTES_MAX).collect();
            if name.is_empty() { "cna".to_owned() } else { name.to_ascii_lowercase() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_a_digest() {
        let digest = "0F".repeat(32);
        let meta = format!("lastModifiedDate:2025-11-20T03:00:01-05:00\r\nsize:1\r\nsha256:{digest}\r\n");
        assert_eq!(revision(meta.as_bytes()), Some(format!("sha256:{}", digest.to_lowercase())));
        for meta in ["", "sha256:", "sha256:0f", "<html>", &format!("sha256:{}g0", "0f".repeat(31))] {
            assert_eq!(revision(meta.as_bytes()), None, "{meta}");
        }
    }

    #[test]
    fn sources_are_named_in_short() {
        for (stated, expected) in [
            (NIST, "nvd"),
            (CISA_ADP, "cisa-adp"),
            ("contact@wpscan.com", "wpscan.com"),
            ("416BAAA9-dc9f-4396-8d5f-8c081fb06d67", "416baaa9-dc9f-4396-8d5f-8c081fb06d67"),
            ("a@b@Example.ORG", "example.org"),
            ("\u{1b}[31m", "31m"),
            ("", "cna"),
        ] {
            assert_eq!(source(stated), expected, "{stated}");
        }
    }
}
