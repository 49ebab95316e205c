//! Asking for scans, and where they stand.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query as AxumQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use plimsoll_core::digest::Digest;
use plimsoll_store::ScanFilter;

use super::super::Refusal;
use super::super::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, schema_of};
use super::query::Query;
use super::wire::{Problem, ScanList, ScanRequest, ScanStatus};
use crate::access::Principal;
use crate::http::path::Path;
use crate::jobs::hand;
use crate::jobs::source::{ClairManifest, SourceLayer};
use crate::jobs::status::{Standing, shown_to, standing};
use crate::jobs::submission::{self, Asked};
use crate::server::Server;

const JSON: &[&str] = &["application/json"];

const STATUS: Option<Payload> = Some(Payload { media_types: JSON, schema: schema_of::<ScanStatus> });

const PROBLEM: Option<Payload> =
    Some(Payload { media_types: &["application/problem+json"], schema: schema_of::<Problem> });

const ID: Parameter =
    Parameter::path("id", "A manifest's digest, or the id that a submission was given.", schema_of::<String>);

const UNKNOWN: Answer =
    Answer { status: 404, about: "There is no such scan.", headers: &[], payload: PROBLEM };

const BAD: Answer =
    Answer { status: 400, about: "The request cannot be understood.", headers: &[], payload: PROBLEM };

pub(super) const SUBMIT: Endpoint = Endpoint {
    method: Method::Post,
    path: "/api/v1/scans",
    id: "submitScan",
    about: "Has an image scanned. What is answered is stored: it is scanned whatever happens to this server.",
    access: Access::Submit,
    is_always_there: false,
    parameters: &[],
    body: Some(Payload { media_types: JSON, schema: schema_of::<ScanRequest> }),
    answers: &[
        Answer {
            status: 202,
            about: "It is taken, or was before; where it stands is in the body and at `Location`.",
            headers: &[("Location", "Where to ask how it stands.")],
            payload: STATUS,
        },
        BAD,
        Answer {
            status: 403,
            about: "Images of this registry are not scanned here.",
            headers: &[],
            payload: PROBLEM,
        },
    ],
    route: || post(submit),
};

pub(super) const GET: Endpoint = Endpoint {
    method: Method::Get,
    path: "/api/v1/scans/{id}",
    id: "getScan",
    about: "Where a scan stands. With `wait` the answer comes when something has changed, or when that time is over.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[
        ID,
        Parameter::query(
            "wait",
            "How long to wait for a change at most, such as `60s`; two minutes at most. A scan that is final \
                    does not change and is answered at once.",
            schema_of::<String>,
        ),
        Parameter::header(
            "If-None-Match",
            "The `ETag` of what is known already: the wait is for something else than that, so that no \
                    change is missed between two questions.",
            schema_of::<String>,
        ),
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "Where it stands.",
            headers: &[("ETag", "Another one when anything has changed but the progress.")],
            payload: STATUS,
        },
        Answer { status: 304, about: "Still as `If-None-Match` says.", headers: &[], payload: None },
        BAD,
        UNKNOWN,
    ],
    route: || get(status),
};

pub(super) const LIST: Endpoint = Endpoint {
    method: Method::Get,
    path: "/api/v1/scans",
    id: "listScans",
    about: "Scans, in the order of their ids.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[
        Parameter::query("state", "Only of this state.", schema_of::<String>),
        Parameter::query("registry", "Only of this registry.", schema_of::<String>),
        Parameter::query("repository", "Only of this repository.", schema_of::<String>),
        Parameter::query("after", "Only after this id: `next` of the page before.", schema_of::<String>),
        Parameter::query("rows", "Most rows: 100, and 500 at most.", schema_of::<u32>),
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "A page of them.",
            headers: &[],
            payload: Some(Payload { media_types: JSON, schema: schema_of::<ScanList> }),
        },
        BAD,
    ],
    route: || get(list),
};

pub(super) const CANCEL: Endpoint = Endpoint {
    method: Method::Post,
    path: "/api/v1/scans/{id}/cancel",
    id: "cancelScan",
    about: "Calls a scan off.",
    access: Access::Submit,
    is_always_there: false,
    parameters: &[ID],
    body: None,
    answers: &[
        Answer {
            status: 202,
            about: "It is called off, or will be as soon as its worker hears of it.",
            headers: &[],
            payload: STATUS,
        },
        Answer {
            status: 403,
            about: "It is of repositories too that the token does not reach.",
            headers: &[],
            payload: PROBLEM,
        },
        UNKNOWN,
        Answer { status: 409, about: "It has ended already.", headers: &[], payload: PROBLEM },
    ],
    route: || post(cancel),
};

pub(super) const FORGET: Endpoint = Endpoint {
    method: Method::Delete,
    path: "/api/v1/scans/{id}",
    id: "forgetScan",
    about: "Forgets a scan and what was found aboard.",
    access: Access::Admin,
    is_always_there: false,
    parameters: &[ID],
    body: None,
    answers: &[Answer { status: 204, about: "It is forgotten.", headers: &[], payload: None }, UNKNOWN],
    route: || delete(forget),
};

async fn submit(
    State(server): State<Arc<Server>>,
    principal: Principal,
    body: Bytes,
) -> Result<Response, Refusal> {
    let request: ScanRequest = serde_json::from_slice(&body)
        .map_err(|error| Refusal::bad_request(format!("the body is not a request for a scan: {error}")))?;
    let asked = Asked { is_forced: request.force, ..Asked::NOW };
    let submission = match (request.reference, request.manifest) {
        (Some(reference), None) => {
            submission::of_reference(&reference, request.authorization, false, asked, &server.config)?
        }
        (None, Some(manifest)) => {
            let digest = Digest::from_str(&manifest.hash)
                .map_err(|error| Refusal::bad_request(format!("`{}`: {error}", manifest.hash)))?;
            let layers = manifest.layers.into_iter().map(|layer| SourceLayer {
                digest: layer.hash,
                url: layer.uri,
                headers: layer.headers,
            });
            let manifest = ClairManifest { digest, layers: layers.collect() };
            submission::of_layers(&manifest, &server.config)?
        }
        _ => return Err(Refusal::bad_request("give either `reference` or `manifest`")),
    };
    let submission = submission::by(&principal, submission)?;
    let asking = principal.clone();
    let standing = server
        .blocking(move |server| {
            let store = server.store()?;
            let submitted = store.submit(&submission, (server.now)())?;
            server.bell.ring();
            look(server, &asking, &submitted.scan.id)
        })
        .await?;
    let location = format!("/api/v1/scans/{}", standing.scan.id);
    let status = ScanStatus::of(&standing);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(status)).into_response())
}

/// Where a scan stands for somebody. Whoever may not see it is told what those are told who ask for nothing.
fn look(server: &Server, principal: &Principal, id: &str) -> Result<Standing, Refusal> {
    let found = standing(server.store()?, id, &|scan| server.shown(principal, scan))?;
    found.ok_or_else(|| unknown(id))
}

/// The same, for a handler.
pub(super) async fn look_as(
    server: &Arc<Server>,
    principal: &Principal,
    id: &str,
) -> Result<Standing, Refusal> {
    let (id, principal) = (id.to_owned(), principal.clone());
    server.blocking(move |server| look(server, &principal, &id)).await
}

fn unknown(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no scan `{id}`; submit the image first"))
}

async fn status(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(id): Path<String>,
    AxumQuery(query): AxumQuery<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let query = Query::new(query, &["wait"])?;
    let wait = query.wait("wait")?;
    // Listened to before the first look, so that nothing falls in between.
    let mut events = server.listen();
    let mut standing = look_as(&server, &principal, &id).await?;
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let known = known.map_or_else(|| etag(&standing), str::to_owned);
    let is_conditional = headers.contains_key(header::IF_NONE_MATCH);
    if let Some(wait) = wait {
        let until = tokio::time::Instant::now() + wait;
        while etag(&standing) == known && !standing.scan.state.is_final() && !server.lifecycle.is_ending() {
            if !events.changed(&standing.ids, until).await {
                break;
            }
            standing = look_as(&server, &principal, &id).await?;
        }
        if !standing.scan.state.is_final() {
            // What no event tells: how far the worker is.
            standing = look_as(&server, &principal, &id).await?;
        }
    }
    let etag = etag(&standing);
    if is_conditional && etag == known && (wait.is_none() || !standing.scan.state.is_final()) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let headers = [(header::ETAG, etag), (header::CACHE_CONTROL, "no-cache".to_owned())];
    Ok((headers, Json(ScanStatus::of(&standing))).into_response())
}

fn etag(standing: &Standing) -> String {
    format!("\"{}\"", standing.version())
}

async fn list(
    State(server): State<Arc<Server>>,
    principal: Principal,
    AxumQuery(query): AxumQuery<BTreeMap<String, String>>,
) -> Result<Json<ScanList>, Refusal> {
    let query = Query::new(query, &["state", "registry", "repository", "after", "rows"])?;
    let filter = ScanFilter {
        state: query.state("state")?,
        registry: query.text("registry").unwrap_or_default().to_owned(),
        repository: query.text("repository").unwrap_or_default().to_owned(),
        after: query.text("after").map(str::to_owned),
        rows_max: query.rows("rows")?,
    };
    let rows_max = filter.rows_max;
    let list = server
        .blocking(move |server| {
            let store = server.store()?;
            let is_within = |registry: &str, repository: &str| principal.may_see(registry, repository);
            let scans = match principal.is_limited() {
                true => store.scans_within(&filter, &is_within)?,
                false => store.scans(&filter)?,
            };
            let is_full = scans.len() >= usize::try_from(rows_max).unwrap_or(usize::MAX);
            let next = scans.last().filter(|_| is_full).map(|scan| scan.id.clone());
            let shown = scans.into_iter().map(|scan| ScanStatus::of_scan(&shown_to(&principal, scan)));
            Ok(ScanList { scans: shown.collect(), next })
        })
        .await?;
    Ok(Json(list))
}

async fn cancel(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let (asking, wanted) = (principal.clone(), id.clone());
    server.blocking(move |server| hand::cancel(server, &asking, &wanted)).await?;
    let standing = look_as(&server, &principal, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(ScanStatus::of(&standing))).into_response())
}

async fn forget(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    look_as(&server, &principal, &id).await?;
    if principal.is_limited() {
        return Err(Refusal::held_to_some());
    }
    server.blocking(move |server| Ok(server.store()?.forget(&id, (server.now)())?)).await?;
    Ok(StatusCode::NO_CONTENT)
}
