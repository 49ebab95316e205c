//! Reports of scanned images, in every format that there is.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query as AxumQuery, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::digest::Digest;
use plimsoll_core::finding::Findings;
use plimsoll_core::gap::{Gap, GapKind};
use plimsoll_core::image::Image;
use plimsoll_core::inventory::Inventory;
use plimsoll_core::policy::{Policy, judge};
use plimsoll_core::scan::ScanState;
use plimsoll_report::formats::{Context, FORMATS, Format, by_name};
use plimsoll_store::{Child, Scan};

use super::super::Refusal;
use super::super::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, schema_of};
use super::query::Query;
use super::scans::look_as;
use super::wire::Problem;
use crate::access::Principal;
use crate::http::path::Path;
use crate::jobs::status::Standing;
use crate::server::Server;

/// The format where none is asked for: that of `scan --format json`.
const FORMAT: &str = "json";

pub(super) const REPORT: Endpoint = Endpoint {
    method: Method::Get,
    path: "/api/v1/scans/{id}/report",
    id: "getReport",
    about: "What is aboard an image and what is known to be wrong with it now, with every gap; of an index, of all its \
            images; one that was not scanned is a gap.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[
        Parameter::path(
            "id",
            "A manifest's digest, or the id that a submission was given.",
            schema_of::<String>,
        ),
        Parameter::query(
            "format",
            "One of those that `plimsoll scan --format` takes; `json` where nothing is asked for.",
            schema_of::<String>,
        ),
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "The report. It is the same as long as image, database and feeds are.",
            headers: &[
                ("ETag", "Another one when the report is."),
                ("Plimsoll-Database", "The advisory database that the image was held against."),
            ],
            payload: Some(Payload {
                media_types: &["application/json"],
                schema: schema_of::<serde_json::Value>,
            }),
        },
        Answer { status: 304, about: "Still as `If-None-Match` says.", headers: &[], payload: None },
        Answer {
            status: 400,
            about: "The request cannot be understood.",
            headers: &[],
            payload: Some(Payload {
                media_types: &["application/problem+json"],
                schema: schema_of::<Problem>,
            }),
        },
        Answer {
            status: 404,
            about: "There is no such scan.",
            headers: &[],
            payload: Some(Payload {
                media_types: &["application/problem+json"],
                schema: schema_of::<Problem>,
            }),
        },
        Answer {
            status: 409,
            about: "There is no report: the scan has not come so far, or will not.",
            headers: &[],
            payload: Some(Payload {
                media_types: &["application/problem+json"],
                schema: schema_of::<Problem>,
            }),
        },
    ],
    route: || get(report),
};

async fn report(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(id): Path<String>,
    AxumQuery(query): AxumQuery<BTreeMap<String, String>>,
    headers: axum::http::HeaderMap,
) -> Result<Response, Refusal> {
    let query = Query::new(query, &["format"])?;
    let name = query.text("format").unwrap_or(FORMAT);
    let format = by_name(name).ok_or_else(|| {
        let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        Refusal::bad_request(format!("there is no format `{name}`; the formats are {}", names.join(", ")))
    })?;
    let standing = look_as(&server, &principal, &id).await?;
    let database = server.advised().database_id().to_owned();
    let etag = format!("\"{}\"", etag_text(&server, &standing, format));
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return Ok((axum::http::StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let body = server
        .blocking(move |server| {
            let assessments = assessments(server, &standing)?;
            write(server, format, &assessments)
        })
        .await?;
    let headers = [
        (header::CONTENT_TYPE, format.media_type.to_owned()),
        (header::ETAG, etag),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
        (header::HeaderName::from_static("plimsoll-database"), database),
    ];
    Ok((headers, body).into_response())
}

fn etag_text(server: &Server, standing: &Standing, format: &Format) -> String {
    let text = format!("{} {} {}", standing.version(), server.advised().stamp, format.name);
    crate::jobs::attempt::digest_text(&text)[..32].to_owned()
}

/// What is known of the images of a scan now. An image of an index that was not scanned is there too, with a gap that
/// says so: without it the others would answer for it.
pub(super) fn assessments(server: &Server, standing: &Standing) -> Result<Vec<Assessment>, Refusal> {
    let mut assessments = Vec::new();
    let mut is_any_known = false;
    for (digest, missing) in images(standing) {
        // What whoever asks may not see is not known to them.
        let is_seen = missing.is_none_or(|(_, scan)| scan.is_some());
        let assessed = if is_seen { server.assessed(&digest)? } else { None };
        is_any_known |= assessed.is_some();
        match assessed {
            Some(assessed) => assessments.push(named(&assessed.assessment, standing, &digest)),
            None => assessments.extend(missing.map(|child| unscanned(child, standing))),
        }
    }
    match is_any_known {
        true => Ok(assessments),
        false => Err(none("report", &standing.scan)),
    }
}

/// The same for a verdict, which nothing takes back: there is none before all images have come to their end, and none
/// where one of them is not known, for the others do not answer for it.
pub(super) fn settled(server: &Server, standing: &Standing) -> Result<Vec<Assessment>, Refusal> {
    if !standing.scan.state.is_final() {
        return Err(none("verdict", &standing.scan));
    }
    for (digest, child) in images(standing) {
        let scan = child.map_or(Some(&standing.scan), |(_, scan)| scan.as_ref());
        let Some(scan) = scan else {
            let detail = format!(
                "there is no verdict of `{}`: its image `{digest}` is not known here",
                standing.scan.id
            );
            return Err(Refusal::new(409, "no_verdict", detail));
        };
        if !scan.state.is_final() || server.assessed(&digest)?.is_none() {
            return Err(none("verdict", scan));
        }
    }
    assessments(server, standing)
}

/// That there is no report or no verdict of a scan, and whether there will be.
fn none(what: &str, scan: &Scan) -> Refusal {
    let hint = match scan.state.is_final() {
        true => "and there will be none",
        false => "yet; wait for the scan",
    };
    let code = if what == "report" { "no_report" } else { "no_verdict" };
    let detail = format!(
        "there is no {what} of `{}` {hint}: it is `{}` ({}): {}",
        scan.id, scan.state, scan.reason, scan.detail
    );
    Refusal::new(409, code, detail)
}

/// A child of an index, with its scan where there is one.
type Entry = (Child, Option<Scan>);

/// The images of a scan: its own, or those of its index, each with its entry there.
fn images(standing: &Standing) -> Vec<(Digest, Option<&Entry>)> {
    if standing.children.is_empty() {
        return standing.scan.digest.iter().map(|digest| (digest.clone(), None)).collect();
    }
    let images = standing.children.iter().filter(|(child, _)| !child.is_attestation);
    images.map(|child| (child.0.digest.clone(), Some(child))).collect()
}

/// An image of an index of which nothing is known but why not.
fn unscanned((child, scan): &Entry, standing: &Standing) -> Assessment {
    let why = match scan {
        Some(scan) => format!("it is `{}` ({}): {}", scan.state, scan.reason, scan.detail),
        None => "it is not known here".to_owned(),
    };
    let is_unsupported = scan.as_ref().is_some_and(|scan| scan.state == ScanState::Unsupported);
    let kind = if is_unsupported { GapKind::Unsupported } else { GapKind::LayerUnreadable };
    let gap = Gap::new(kind, child.digest.as_str(), format!("this image of the index is not scanned: {why}"));
    let inventory = Inventory { gaps: vec![gap], ..Inventory::default() };
    let findings = Findings::default();
    let verdict = judge(&inventory, &findings, &Policy::default());
    let image = Image {
        reference: reference(standing, &child.digest),
        digest: Some(child.digest.clone()),
        config_digest: None,
        platform: child.platform.parse().unwrap_or_default(),
        layers: Vec::new(),
    };
    Assessment { image, inventory, findings, database: None, verdict }
}

/// An image is known by what it was first submitted as; a report is of what was asked for.
fn named(assessment: &Assessment, standing: &Standing, digest: &Digest) -> Assessment {
    let mut assessment = assessment.clone();
    assessment.image.reference = reference(standing, digest);
    assessment
}

fn reference(standing: &Standing, digest: &Digest) -> String {
    match standing.scan.reference.as_str() {
        "" => digest.as_str().to_owned(),
        reference => reference.to_owned(),
    }
}

fn write(server: &Server, format: &Format, assessments: &[Assessment]) -> Result<Vec<u8>, Refusal> {
    let context = Context {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now: (server.now)().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        colour: false,
        width: usize::MAX,
    };
    let mut body = Vec::new();
    (format.write)(assessments, &context, &mut body)
        .map_err(|error| Refusal::new(500, "internal", format!("the report cannot be written: {error}")))?;
    Ok(body)
}
