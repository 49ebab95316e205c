//! Clair's indexer: what is aboard images.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::ScanState;
use plimsoll_image::cache::index_state;
use plimsoll_store::{Scan, ScanKind};
use schemars::JsonSchema;
use serde::Serialize;

use super::indexing::{Indexed, index_now, indexed};
use super::manifest::{self, Manifest};
use super::negotiation::{has, media_type, negotiated, negotiated_first};
use super::report::IndexReport;
use super::{
    BAD_REQUEST, DIGEST, IF_NONE_MATCH, JSON, NOT_ACCEPTABLE, PROBLEM, Refusal, digest_of, document, etag,
    header_value, read,
};
use crate::access::Principal;
use crate::http::endpoint::{Access, Answer, Endpoint, Method, Payload, schema_of};
use crate::http::path::Path;
use crate::jobs::submission::{self, of_layers};
use crate::server::Server;

const INDEX_REPORT: &[&str] = &["application/vnd.clair.index_report.v1+json", JSON];
const INDEX_STATE: &[&str] = &["application/vnd.clair.index_state.v1+json", JSON];

/// Largest manifest that is read, in bytes: a thousand layers with a token each.
const MANIFEST_BYTES_MAX: usize = 8 << 20;

/// Largest list of digests that is read, in bytes.
const DIGESTS_BYTES_MAX: usize = 1 << 20;

pub(super) const INDEX: Endpoint = Endpoint {
    method: Method::Post,
    path: "/indexer/api/v1/index_report",
    id: "clairIndex",
    about: "Indexes a manifest and answers when that is done. It goes on when the client goes away.",
    access: Access::Submit,
    is_always_there: false,
    parameters: &[IF_NONE_MATCH],
    body: Some(Payload { media_types: &[JSON], schema: schema_of::<Manifest> }),
    answers: &[
        Answer {
            status: 201,
            about: "It is indexed.",
            headers: &[
                ("ETag", "By what it is indexed; the state of `index_state`."),
                ("Location", "Where the report is."),
                ("Link", "Where the report and the vulnerability report are."),
            ],
            payload: Some(Payload { media_types: INDEX_REPORT, schema: schema_of::<IndexReport> }),
        },
        Answer {
            status: 400,
            about: "It is no manifest, or can never be indexed.",
            headers: &[],
            payload: PROBLEM,
        },
        Answer {
            status: 412,
            about: "Images are indexed as `If-None-Match` says.",
            headers: &[],
            payload: None,
        },
        NOT_ACCEPTABLE,
    ],
    route: || negotiated_first(post(index)),
};

pub(super) const DELETE_SEVERAL: Endpoint = Endpoint {
    method: Method::Delete,
    path: "/indexer/api/v1/index_report",
    id: "clairDeleteIndexReports",
    about: "Forgets several manifests.",
    access: Access::Submit,
    is_always_there: false,
    parameters: &[],
    body: Some(Payload { media_types: &[JSON], schema: schema_of::<Vec<String>> }),
    answers: &[
        Answer {
            status: 200,
            about: "Those that were known and are forgotten; `null` where none was.",
            headers: &[],
            payload: Some(Payload { media_types: &[JSON], schema: schema_of::<Option<Vec<String>>> }),
        },
        BAD_REQUEST,
        NOT_ACCEPTABLE,
    ],
    route: || negotiated(delete(delete_several)),
};

pub(super) const REPORT: Endpoint = Endpoint {
    method: Method::Get,
    path: "/indexer/api/v1/index_report/{digest}",
    id: "clairGetIndexReport",
    about: "What is aboard an image, and whether it is indexed.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[DIGEST, IF_NONE_MATCH],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "The report.",
            headers: &[("ETag", "By what images are indexed.")],
            payload: Some(Payload { media_types: INDEX_REPORT, schema: schema_of::<IndexReport> }),
        },
        Answer {
            status: 304,
            about: "Images are indexed as `If-None-Match` says, whether or not this one is.",
            headers: &[],
            payload: None,
        },
        BAD_REQUEST,
        Answer { status: 404, about: "There is no such manifest.", headers: &[], payload: PROBLEM },
        NOT_ACCEPTABLE,
    ],
    route: || negotiated_first(get(report)),
};

pub(super) const DELETE: Endpoint = Endpoint {
    method: Method::Delete,
    path: "/indexer/api/v1/index_report/{digest}",
    id: "clairDeleteIndexReport",
    about: "Forgets a manifest.",
    access: Access::Submit,
    is_always_there: false,
    parameters: &[DIGEST],
    body: None,
    answers: &[
        Answer { status: 204, about: "It is not known any more, or never was.", headers: &[], payload: None },
        BAD_REQUEST,
        NOT_ACCEPTABLE,
    ],
    route: || negotiated(delete(delete_one)),
};

pub(super) const STATE: Endpoint = Endpoint {
    method: Method::Get,
    path: "/indexer/api/v1/index_state",
    id: "clairGetIndexState",
    about: "By what images are indexed. When it changes, manifests should be indexed again.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[IF_NONE_MATCH],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "The state.",
            headers: &[("ETag", "The same.")],
            payload: Some(Payload { media_types: INDEX_STATE, schema: schema_of::<StateDocument> }),
        },
        Answer { status: 304, about: "It is what `If-None-Match` says.", headers: &[], payload: None },
        NOT_ACCEPTABLE,
    ],
    route: || negotiated_first(get(state)),
};

/// By what images are indexed.
#[derive(Serialize, JsonSchema)]
struct StateDocument {
    state: String,
}

async fn index(
    State(server): State<Arc<Server>>,
    principal: Principal,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let manifest = manifest::read(&read(body, MANIFEST_BYTES_MAX).await?)?;
    let etag = etag(&index_state());
    if has(&headers, &etag) {
        return Ok(StatusCode::PRECONDITION_FAILED.into_response());
    }
    let submission = of_layers(&manifest, &server.config)?;
    let submission = submission::by(&principal, submission)?;
    let scan = index_now(&server, submission).await?;
    let digest = manifest.digest;
    let of_digest = digest.clone();
    let report = server.blocking(move |server| indexed_report(server, &of_digest, &scan)).await?;
    // Clair states no type here, so that clients see whatever is guessed of the bytes.
    let mut response = document(StatusCode::CREATED, INDEX_REPORT[0], &report);
    let own = format!("/indexer/api/v1/index_report/{digest}");
    let link = |path: &str, kind: &str| {
        header_value(&format!("<{path}>; rel=\"https://projectquay.io/clair/v1/{kind}\""))
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, header_value(&etag));
    headers.insert(header::LOCATION, header_value(&own));
    headers.append(header::LINK, link(&own, "index_report"));
    let matched = format!("/matcher/api/v1/vulnerability_report/{digest}");
    headers.append(header::LINK, link(&matched, "vulnerability_report"));
    Ok(response)
}

/// The report of a scan that is settled, or why there is none.
fn indexed_report(server: &Server, digest: &Digest, scan: &Scan) -> Result<IndexReport, Refusal> {
    let assessed = server.assessed(digest)?;
    let current = assessed.filter(|assessed| assessed.index_state == index_state());
    let said = || format!("{}: {}", scan.reason, scan.detail);
    match (indexed(scan, current.is_some()), current) {
        (Indexed::Yes, Some(assessed)) => Ok(IndexReport::finished(digest, &assessed.assessment.inventory)),
        (Indexed::Never, _) => {
            Err(Refusal::bad_request(format!("the manifest can never be indexed: {}", said())))
        }
        _ => Err(Refusal::new(500, "internal", format!("the manifest is not indexed: {}", said()))),
    }
}

async fn report(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let digest = digest_of(&path)?;
    let media_type = media_type(&headers, INDEX_REPORT)?;
    let etag = etag(&index_state());
    // Before it is known whether there is such a manifest, as Clair does.
    if has(&headers, &etag) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let report = server.blocking(move |server| stored_report(server, &principal, &digest)).await?;
    let mut response = document(StatusCode::OK, media_type, &report);
    response.headers_mut().insert(header::ETAG, header_value(&etag));
    Ok(response)
}

fn stored_report(server: &Server, principal: &Principal, digest: &Digest) -> Result<IndexReport, Refusal> {
    let scan = server.store()?.scan(digest.as_str())?;
    let scan = match scan.filter(|scan| scan.kind != ScanKind::Index) {
        Some(scan) => server.shown(principal, scan)?,
        None => None,
    };
    let Some(scan) = scan else { return Err(Refusal::not_found("index report not found")) };
    if let Some(assessed) = server.assessed(digest)? {
        return Ok(IndexReport::finished(digest, &assessed.assessment.inventory));
    }
    let (state, err) = step(&scan);
    Ok(IndexReport::unfinished(digest, state, &err))
}

/// Clair's word for where a scan stands whose image is not indexed, and what went wrong.
fn step(scan: &Scan) -> (&'static str, String) {
    let state = match scan.state {
        ScanState::Queued | ScanState::NotReady | ScanState::Unavailable => "CheckManifest",
        ScanState::Fetching | ScanState::Retrying => "FetchLayers",
        ScanState::Indexing => "ScanLayers",
        ScanState::Matching | ScanState::FeedsNotLoaded | ScanState::Completed => "IndexManifest",
        ScanState::Unsupported | ScanState::Failed | ScanState::Cancelled => {
            return ("IndexError", format!("{}: {}", scan.reason, scan.detail));
        }
    };
    (state, String::new())
}

async fn delete_several(
    State(server): State<Arc<Server>>,
    principal: Principal,
    body: Body,
) -> Result<Response, Refusal> {
    check_reaches_all(&principal)?;
    let body = read(body, DIGESTS_BYTES_MAX).await?;
    let unreadable =
        |what: &dyn std::fmt::Display| Refusal::bad_request(format!("failed to deserialize digests: {what}"));
    let texts: Vec<String> = serde_json::from_slice(&body).map_err(|error| unreadable(&error))?;
    let digests: Result<Vec<Digest>, _> = texts.iter().map(|text| text.parse()).collect();
    let digests = digests.map_err(|error| unreadable(&error))?;
    let forgotten = server
        .blocking(move |server| {
            let mut forgotten = Vec::new();
            for digest in digests {
                if server.store()?.forget(digest.as_str(), (server.now)())? {
                    forgotten.push(digest.as_str().to_owned());
                }
            }
            Ok(forgotten)
        })
        .await?;
    // Go writes an empty list that was never begun as `null`.
    let forgotten = Some(forgotten).filter(|forgotten| !forgotten.is_empty());
    Ok(document(StatusCode::OK, JSON, &forgotten))
}

async fn delete_one(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(path): Path<String>,
) -> Result<StatusCode, Refusal> {
    check_reaches_all(&principal)?;
    let digest = digest_of(&path)?;
    server.blocking(move |server| Ok(server.store()?.forget(digest.as_str(), (server.now)())?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether somebody may forget manifests. What is forgotten is gone for all repositories that have it.
fn check_reaches_all(principal: &Principal) -> Result<(), Refusal> {
    match principal.is_limited() {
        true => Err(Refusal::held_to_some()),
        false => Ok(()),
    }
}

async fn state(headers: HeaderMap) -> Result<Response, Refusal> {
    // Quay cannot bear a 400 here, so what cannot be read is as good as what is not offered.
    let media_type =
        media_type(&headers, INDEX_STATE).map_err(|_| super::negotiation::Unacceptable::Nothing)?;
    let state = index_state();
    let etag = etag(&state);
    if has(&headers, &etag) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let mut response = document(StatusCode::OK, media_type, &StateDocument { state });
    response.headers_mut().insert(header::ETAG, header_value(&etag));
    Ok(response)
}
