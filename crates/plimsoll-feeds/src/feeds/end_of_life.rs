//! endoflife.date: how long each release of a product is supported, in one JSON document of all products.
//!
//! Which product is which distribution, and how its releases are named there, is a fact of the distribution's row.
//! What surprises:
//! - a product may have been renamed, and then goes by its old name among its `aliases`;
//! - `isEol` is computed when the document is made: where a date is given, only the date counts;
//! - what is called extended support is sold, but for Debian's, which everybody has.
//!
//! Format: <https://endoflife.date/docs/api/v1/>.

use plimsoll_core::advisory::EndOfLife;
use plimsoll_core::distros::{DISTROS, Distro};
use serde_json::Value;

use super::json::{self, Field, Text};
use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, inflate, text};

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "end-of-life",
    title: "endoflife.date",
    url: "https://endoflife.date/api/v1/products/full",
    format: "JSON",
    licence: "MIT",
    terms: "https://github.com/endoflife-date/endoflife.date/blob/master/LICENSE",
    cadence_hours: 24,
    max_age_days: 60,
    covers: &[Covers::Other("releases of distributions")],
    gives: "how long they are supported",
    is_on_by_default: true,
    plan,
    parse,
};

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    Ok(vec![Part::new("products.json", "")])
}

fn parse(_: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    let mut made = None;
    json::each_element(
        &mut inflate::inflated(source)?,
        "result",
        &mut |product| {
            let product: Value = json::read(product);
            if let Err(reason) = read(&product, sink) {
                sink.refuse(&name_of(&product), reason);
            }
        },
        &mut |field, value| {
            if field == "generated_at" {
                made = json::read::<Field<Text<'_>>>(value).text().and_then(text::instant);
            }
        },
    )?;
    if let Some(date) = made {
        sink.data_date(&date);
    }
    Ok(())
}

fn name_of(record: &Value) -> String {
    text::shortened(record.get("name").and_then(Value::as_str).unwrap_or("a record without a name"), 80)
}

fn read(product: &Value, sink: &mut dyn Sink) -> Result<(), &'static str> {
    let name = product.get("name").and_then(Value::as_str).ok_or("the product has no name")?;
    let aliases = product.get("aliases").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<&str> = std::iter::once(name).chain(aliases.filter_map(Value::as_str)).collect();
    let distros: Vec<&Distro> = DISTROS.iter().copied().filter(|row| is_of(row, &names)).collect();
    if distros.is_empty() {
        sink.skip("the product is no distribution that is judged");
        return Ok(());
    }
    let releases = product.get("releases").and_then(Value::as_array).ok_or("`releases` is not a list")?;
    for (distro, release) in distros.iter().flat_map(|distro| releases.iter().map(move |one| (distro, one))) {
        let name = release.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(ours) = (distro.lifecycle.release)(name) else {
            sink.skip("the release is none that advisories speak of");
            continue;
        };
        match end(release, distro.lifecycle.is_extended_for_all) {
            Ok(end) => sink.end_of_life(&distro.name_of(&ours), end),
            Err(reason) => sink.refuse(&format!("{} {}", distro.id, name_of(release)), reason),
        }
    }
    Ok(())
}

/// Whether a product is the distribution's. Several distributions may be of one product, as those of Windows are.
fn is_of(distro: &Distro, names: &[&str]) -> bool {
    let product = distro.lifecycle.product;
    !product.is_empty() && names.contains(&product)
}

fn end(release: &Value, is_extended_for_all: bool) -> Result<EndOfLife, &'static str> {
    let date = |name| match release.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_str().and_then(text::date).map(Some).ok_or("an end is not a date"),
    };
    let claim = |name| release.get(name).and_then(Value::as_bool);
    let (plain, extended) = (date("eolFrom")?, date("eoesFrom")?);
    let is_over = claim("isEol").ok_or("`isEol` is not true or false")?;
    let (date, is_over, extended_until) = match (extended, claim("isEoes")) {
        (Some(extended), _) if is_extended_for_all => (Some(extended), is_over, None),
        (None, Some(is_over)) if is_extended_for_all => (None, is_over, None),
        (extended, _) => (plain, is_over, extended),
    };
    Ok(EndOfLife { is_over: is_over && date.is_none(), date, extended_until })
}
