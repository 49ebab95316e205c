//! CISA's catalogue of known exploited vulnerabilities: one JSON document, about 1.3 MB.
//!
//! It enriches CVEs and states nothing about packages. Format:
//! <https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities_schema.json>.

use plimsoll_core::advisory::Kev;
use serde_json::Value;

use super::json::{self, Field, Text};
use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, text};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "kev",
    title: "CISA KEV",
    url: "https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
    format: "JSON",
    licence: "CC0-1.0",
    terms: "https://www.cisa.gov/sites/default/files/licenses/kev/license.txt",
    cadence_hours: 24,
    max_age_days: 14,
    covers: &[Covers::Flaws("CVEs that are known to be exploited")],
    gives: "since when, and whether ransomware uses them",
    is_on_by_default: true,
    plan,
    parse,
};

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    Ok(vec![Part::new("known_exploited_vulnerabilities.json", "")])
}

fn parse(_: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let mut released = None;
    json::each_element(
        source,
        "vulnerabilities",
        &mut |entry| {
            let entry: Value = json::read(entry);
            match read(&entry) {
                Ok((cve, kev)) => sink.kev(cve, kev),
                Err(reason) => {
                    let record = entry.get("cveID").and_then(Value::as_str);
                    sink.refuse(&text::shortened(record.unwrap_or("an entry without `cveID`"), 80), reason);
                }
            }
        },
        &mut |field, value| {
            if field == "dateReleased" {
                released = json::read::<Field<Text<'_>>>(value).text().and_then(text::instant);
            }
        },
    )?;
    if let Some(date) = released {
        sink.data_date(&date);
    }
    Ok(())
}

fn read(entry: &Value) -> Result<(&str, Kev), &'static str> {
    let field = |name| entry.get(name).and_then(Value::as_str);
    let cve = field("cveID").filter(|id| text::is_cve(id)).ok_or("`cveID` is not a CVE")?;
    let date_added = field("dateAdded").and_then(text::date).ok_or("`dateAdded` is not a date")?;
    let due_date = field("dueDate").and_then(text::date).ok_or("`dueDate` is not a date")?;
    let is_used_by_ransomware =
        field("knownRansomwareCampaignUse").is_some_and(|word| word.eq_ignore_ascii_case("known"));
    Ok((cve, Kev { date_added, due_date, is_used_by_ransomware }))
}
