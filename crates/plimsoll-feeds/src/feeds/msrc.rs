//! Microsoft's security updates: one CVRF document a month, as the API of the Security Response Center gives them.
//!
//! A document states of products what they are affected by and which build has the fix. Products that containers are
//! made of have rows (`plimsoll_core::windows::products`); of them, of the .NET Framework on them, and of .NET and
//! PowerShell on whatever system, statements are made, and all other products are passed over. What surprises:
//! - the index leaves recent months out at times although their documents are there. The last three months that are known
//!   and the three behind them are asked for whatever it says, and a month that is here stays;
//! - a month's document is revised for years, and a flaw may stand in two of them: both count;
//! - a product may have several fixes of one flaw. Each is a range, of which matching takes the last;
//! - a fixed build may be that of another product, a revision number, a list, or missing (`builds`);
//! - hotpatches are stated beside updates, with lower builds, for a baseline that containers never have;
//! - what is called `API` gives JSON or XML as it is asked, and mirrors have what they were given: both are read.
//!
//! Format: CVRF 1.1 in Microsoft's spelling, <https://api.msrc.microsoft.com/cvrf/v3.0/swagger/v3/swagger.json>,
//! <https://docs.oasis-open.org/csaf/csaf-cvrf/v1.2/csaf-cvrf-v1.2.html>.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::distros;
use plimsoll_core::ecosystems;
use serde_json::Value;

use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, inflate, text};
use builds::Builds;
use document::Item;
use month::Month;
use products::Names;

mod builds;
mod document;
mod json_form;
mod month;
mod products;
mod statement;
#[cfg(test)]
mod tests;
mod xml_form;

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "msrc",
    title: "Microsoft security updates",
    url: "https://api.msrc.microsoft.com/cvrf/v3.0",
    format: "CVRF, JSON or XML",
    licence: "no licence; Microsoft publishes it \"as is\"",
    terms: "https://www.microsoft.com/legal/terms-of-use",
    cadence_hours: 24,
    max_age_days: 45,
    covers: &[
        Covers::Distro(&distros::windows_client::DISTRO),
        Covers::Distro(&distros::windows_server::DISTRO),
        Covers::Distro(&distros::windows_server_core::DISTRO),
        Covers::Packages(&ecosystems::DOTNET),
    ],
    gives: "fixed builds and their updates (KB), severity, CVSS, component, whether it is exploited; also of the .NET \
            Framework, .NET and PowerShell",
    is_on_by_default: true,
    plan,
    parse,
};

/// The list of the months' documents, which is a part too: what is not understood of it is told, and it says how
/// old the data is.
const INDEX: &str = "updates";
const INDEX_PART: &str = "updates.json";

/// Ending of the parts that are months. They may be XML all the same.
const MONTH_SUFFIX: &str = ".json";

/// How many months, from the newest that is known backwards and from there on, are asked for whatever the index says.
const PROBED_MONTHS: usize = 3;

/// Most bytes of the index. Ten years have some 30 KB.
const INDEX_BYTES_MAX: u64 = 16 << 20;

fn plan(_: &Feed, index: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    let bytes = index.get(INDEX)?.ok_or_else(|| PlanError(format!("there is no `{INDEX}`")))?;
    let entries = entries(&bytes).map_err(|error| PlanError(format!("`{INDEX}`: {error}")))?;
    let listed: BTreeMap<Month, Option<String>> =
        entries.iter().filter_map(|entry| Some((month_of(entry)?, date_of(entry)))).collect();
    let held: BTreeSet<Month> = index.held().iter().filter_map(|name| month_of_part(name)).collect();
    let newest = listed.keys().chain(&held).max();
    let newest = newest.ok_or_else(|| PlanError(format!("`{INDEX}` names no month")))?;
    let before = std::iter::successors(Some(newest.clone()), |month| Some(month.before()));
    let after = std::iter::successors(Some(newest.after()), |month| Some(month.after()));
    let probed = before.take(PROBED_MONTHS).chain(after.take(PROBED_MONTHS));
    let others: BTreeSet<Month> =
        probed.chain(held.iter().cloned()).filter(|month| !listed.contains_key(month)).collect();
    let mut parts = vec![Part::new(INDEX_PART, INDEX)];
    parts.extend(listed.into_iter().map(|(month, revision)| Part { revision, ..part(&month) }));
    parts.extend(others.iter().map(|month| part(month).that_stays()));
    Ok(parts)
}

/// The document of a month. Where it lies is known: the index's own word for it, `CvrfUrl`, may lead anywhere.
fn part(month: &Month) -> Part {
    Part::new(format!("{month}{MONTH_SUFFIX}"), format!("cvrf/{month}"))
}

fn month_of_part(name: &str) -> Option<Month> {
    name.strip_suffix(MONTH_SUFFIX).and_then(Month::read)
}

/// The entries of the index, which is a list, or an object with it.
fn entries(bytes: &[u8]) -> Result<Vec<Value>, &'static str> {
    let index: Value = serde_json::from_slice(bytes).map_err(|_| "it is not JSON")?;
    match index {
        Value::Array(entries) => Ok(entries),
        Value::Object(mut fields) => match fields.remove("value") {
            Some(Value::Array(entries)) => Ok(entries),
            _ => Err("its `value` is not a list"),
        },
        _ => Err("it is not a list of documents"),
    }
}

fn month_of(entry: &Value) -> Option<Month> {
    entry.get("ID").and_then(Value::as_str).and_then(Month::read)
}

fn date_of(entry: &Value) -> Option<String> {
    entry.get("CurrentReleaseDate").and_then(Value::as_str).and_then(document::instant)
}

fn parse(reading: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    match reading.part.path.as_str() {
        INDEX => parse_index(source, sink),
        _ => parse_month(reading, source, sink),
    }
}

fn parse_index(source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let bytes = inflate::whole(source, INDEX_BYTES_MAX)?;
    let bytes = bytes.ok_or_else(|| ParseError("the list is larger than 16 MiB".to_owned()))?;
    let entries = entries(&bytes).map_err(|error| ParseError(error.to_owned()))?;
    for entry in &entries {
        if month_of(entry).is_none() {
            let id = entry.get("ID").and_then(Value::as_str).unwrap_or("an entry without `ID`");
            sink.refuse(&text::shortened(id, 80), "the index names a document that is no month's");
        }
    }
    let dates = entries.iter().filter(|entry| month_of(entry).is_some()).filter_map(date_of);
    if let Some(date) = dates.max() {
        sink.data_date(&date);
    }
    Ok(())
}

/// Reads a document twice: first what its products are called and which builds its updates bring, which may stand
/// behind the flaws that need it.
fn parse_month(
    reading: &Reading<'_>,
    source: &mut dyn Source,
    sink: &mut dyn Sink,
) -> Result<(), ParseError> {
    let (mut names, mut builds) = (Names::default(), Builds::new(reading));
    document::read(source, &mut |item| match item {
        Item::Product { id, name } => names.note(id, name),
        Item::Date(date) => sink.data_date(&date),
        Item::Vulnerability(vulnerability) => builds.note(&vulnerability),
    })?;
    inflate::rewind(source)?;
    names.namespaces().iter().for_each(|namespace| sink.namespace(namespace));
    document::read(source, &mut |item| {
        if let Item::Vulnerability(vulnerability) = item {
            statement::state(&vulnerability, &names, &mut builds, sink);
        }
    })
}
