//! What `clairctl export-updaters` writes for a Clair without network: one JSON record a line, plain or compressed.
//!
//! Each record bears its updater and the date of the update that it belongs to, and holds a vulnerability of one
//! package or an enrichment (<https://github.com/quay/claircore/blob/main/libvuln/jsonblob/jsonblob.go>). It has no
//! upstream: whoever has an export names its place. What surprises:
//! - `fixed_in_version` is URL-encoded for languages (`fixed=1.2&introduced=1.0`), `0` where the package never was
//!   affected, and empty where there is no fix;
//! - distributions that are keyed by source package here and by binary package in Clair can't be taken over, and
//!   their releases are then not served;
//! - Red Hat's records name no distribution but a CPE, and other languages than Clair scans are in it too;
//! - records of one release come from several updaters: the release is as old as the oldest of them.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::advisory::Cvss;

use super::{
    Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, inflate, json, lines, text,
};

mod record;
mod statement;

use record::Record;

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "clair-export",
    title: "Clair export",
    url: "",
    format: "JSON lines; plain, gzip or zstd",
    licence: "that of each source in it",
    terms: "https://quay.github.io/clair/concepts/updatersandairgap.html",
    cadence_hours: 24,
    max_age_days: 14,
    covers: &[Covers::Other("whatever the export has")],
    gives: "fixed versions, severity, CVSS",
    is_on_by_default: false,
    plan,
    parse,
};

/// Longest line, in bytes. Kernel records stay below 100 KiB.
const LINE_BYTES_MAX: u64 = 4 << 20;

/// The updater of Clair that takes the NVD's own vectors.
const CVSS_UPDATER: &str = "clair.cvss";

/// Most pairs of a namespace and an updater. Clair has about 150.
const UPDATERS_MAX: usize = 10_000;

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    Ok(vec![Part::new("export.json", "")])
}

fn parse(_: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let mut reader =
        Reader { sink, dates: BTreeMap::new(), updaters: 0, namespaces: BTreeSet::new(), is_one: false };
    let mut is_cut = false;
    lines::each_line(&mut inflate::inflated(source)?, LINE_BYTES_MAX, &mut |number, line| {
        let read = line.ok_or("the line is longer than 4 MiB").and_then(|line| reader.line(line));
        is_cut = read == Err(json::NO_JSON);
        if let Err(reason) = read {
            reader.sink.refuse(&format!("line {number}"), reason);
        }
        Ok(())
    })?;
    if !reader.is_one {
        return Err(ParseError("it holds no record of an export of Clair".to_owned()));
    }
    if is_cut {
        return Err(ParseError("it ends in the middle of a record".to_owned()));
    }
    reader.state_dates();
    Ok(())
}

/// Reads records one after the other.
struct Reader<'a> {
    sink: &'a mut dyn Sink,
    /// Date of the newest update, by namespace and updater. Enrichments stand under an empty one.
    dates: BTreeMap<String, BTreeMap<String, String>>,
    /// How many dates that are.
    updaters: usize,
    /// Those that the sink knows already.
    namespaces: BTreeSet<String>,
    /// Whether any line was a record.
    is_one: bool,
}

impl Reader<'_> {
    fn line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        let record: Record<'_> = json::read_whole(line, "it is not a record")?;
        let date = text::instant(&record.date).ok_or("`Date` is not a time")?;
        match (&record.vulnerability, &record.enrichment) {
            (Some(vulnerability), _) => {
                self.is_one = true;
                self.vulnerability(&record.updater, &date, vulnerability)
            }
            (None, Some(enrichment)) => {
                self.is_one = true;
                self.enrichment(&record.updater, &date, enrichment)
            }
            (None, None) => Err("it holds neither a vulnerability nor an enrichment"),
        }
    }

    fn vulnerability(
        &mut self,
        updater: &str,
        date: &str,
        vulnerability: &record::Vulnerability<'_>,
    ) -> Result<(), &'static str> {
        let place = match statement::place(updater, vulnerability)? {
            Ok(place) => place,
            Err(reason) => {
                self.sink.skip(reason);
                return Ok(());
            }
        };
        let (advisory, affected) = statement::read(updater, vulnerability, &place)?;
        self.note_date(&place.namespace, updater, date)?;
        if !self.namespaces.contains(&place.namespace) {
            self.sink.namespace(&place.namespace);
            self.namespaces.insert(place.namespace.clone());
        }
        self.sink.advisory(&advisory, &[affected]);
        Ok(())
    }

    fn enrichment(
        &mut self,
        updater: &str,
        date: &str,
        enrichment: &record::Enrichment<'_>,
    ) -> Result<(), &'static str> {
        if updater != CVSS_UPDATER {
            self.sink.skip("the enrichment is not of CVSS");
            return Ok(());
        }
        let vector = enrichment.value.get("vectorString").and_then(|vector| vector.as_str());
        // Clair takes those that are the NVD's own, and no others.
        let vector = Cvss::read("nvd", vector.ok_or("the enrichment has no vector")?);
        let vector = vector.map_err(|_| "the vector does not follow CVSS")?;
        let cves: Vec<&str> =
            enrichment.tags.iter().map(AsRef::as_ref).filter(|tag| text::is_cve(tag)).collect();
        if cves.is_empty() {
            return Err("the enrichment is of no CVE");
        }
        self.note_date("", updater, date)?;
        for cve in cves {
            self.sink.cvss(cve, std::slice::from_ref(&vector));
        }
        Ok(())
    }

    /// Those of an updater differ where the export has several of its updates.
    fn note_date(&mut self, namespace: &str, updater: &str, date: &str) -> Result<(), &'static str> {
        if let Some(known) = self.dates.get_mut(namespace).and_then(|dates| dates.get_mut(updater)) {
            if known.as_str() < date {
                date.clone_into(known);
            }
            return Ok(());
        }
        if self.updaters >= UPDATERS_MAX {
            return Err("there are more than 10000 updaters");
        }
        self.updaters += 1;
        let dates = self.dates.entry(namespace.to_owned()).or_default();
        dates.insert(updater.to_owned(), date.to_owned());
        Ok(())
    }

    /// Says how old the data is: never younger than the oldest update that is in it.
    fn state_dates(&mut self) {
        let oldest = |dates: &BTreeMap<String, String>| dates.values().min().cloned();
        if let Some(date) = self.dates.values().filter_map(oldest).min() {
            self.sink.data_date(&date);
        }
        for (namespace, dates) in self.dates.iter().filter(|(namespace, _)| !namespace.is_empty()) {
            if let Some(date) = oldest(dates) {
                self.sink.namespace_date(namespace, &date);
            }
        }
    }
}
