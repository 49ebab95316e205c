//! Red Hat's map of package repositories to the products that they serve, which tells what an image's packages were
//! installed from.
//!
//! One JSON document: `data -> repository id -> cpes`. What surprises: the prefix says whether a product is an
//! operating system or an application, and one product is written with either; it is left out here.

use serde_json::Value;

use super::{Covers, Feed, Index, ParseError, Part, PlanError, Reading, Sink, Source, json, text};

/// Prefixes of Red Hat's CPEs (CPE 2.2 URIs, NISTIR 7695).
const PREFIXES: [&str; 2] = ["cpe:/a:redhat:", "cpe:/o:redhat:"];

/// Most products of one repository. Real ones serve up to a dozen.
const PRODUCTS_MAX: usize = 200;

/// The row.
pub(super) static FEED: Feed = Feed {
    name: "redhat-repositories",
    title: "Red Hat repository to CPE map",
    url: "https://security.access.redhat.com/data/metrics/repository-to-cpe.json",
    format: "JSON",
    licence: "CC-BY-4.0",
    terms: "https://access.redhat.com/security/data",
    cadence_hours: 24,
    max_age_days: 30,
    covers: &[Covers::Other("package repositories of Red Hat")],
    gives: "the products that a package repository serves",
    is_on_by_default: false,
    plan,
    parse,
};

fn plan(_: &Feed, _: &mut dyn Index) -> Result<Vec<Part>, PlanError> {
    Ok(vec![Part::new("repository-to-cpe.json", "")])
}

fn parse(_: &Reading<'_>, source: &mut dyn Source, sink: &mut dyn Sink) -> Result<(), ParseError> {
    json::each_inner_member(source, &mut |outer, repository, record| {
        if outer != "data" {
            return;
        }
        if let Err(reason) = one(repository, &json::read(record), sink) {
            sink.refuse(&text::shortened(repository, 120), reason);
        }
    })
}

fn one(repository: &str, record: &Value, sink: &mut dyn Sink) -> Result<(), &'static str> {
    if !text::is_id(repository) {
        return Err("the repository has no usable id");
    }
    let cpes = record.get("cpes").and_then(Value::as_array).ok_or("`cpes` is not a list")?;
    if cpes.len() > PRODUCTS_MAX {
        return Err("the repository serves more than 200 products");
    }
    let mut products = Vec::with_capacity(cpes.len());
    for cpe in cpes {
        let cpe = cpe.as_str().ok_or("a CPE is not a text")?;
        let product = PREFIXES.iter().find_map(|prefix| cpe.strip_prefix(prefix));
        products.push(product.filter(|product| text::is_id(product)).ok_or("a CPE is not one of Red Hat's")?);
    }
    products.sort_unstable();
    products.dedup();
    sink.repository(repository, &products);
    Ok(())
}
