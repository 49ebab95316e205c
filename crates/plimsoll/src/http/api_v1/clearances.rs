//! Asking for clearances, where they stand, and what was decided of a digest.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query as AxumQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use plimsoll_core::clearance::Verdict;
use plimsoll_core::digest::Digest;
use plimsoll_report::clearance::FORMATS;
use plimsoll_store::{Hearing, HearingFilter, HearingState, Record, Store};
use schemars::{Schema, SchemaGenerator, json_schema};

use super::super::Refusal;
use super::super::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, schema_of};
use super::query::Query;
use super::wire::Problem;
use crate::access::Principal;
use crate::http::path::Path;
use crate::jobs::hearings;
use crate::jobs::hearings::request::ClearanceRequest;
use crate::server::Server;

mod wire;

use wire::{ClearanceDecided, ClearanceList, ClearanceStatus, DigestHistory, HistoryEntry};

/// Most records of a page of a digest's history. One may have some megabytes.
const HISTORY_MAX: u32 = 100;

const JSON: &[&str] = &["application/json"];

const STATUS: Option<Payload> = Some(Payload { media_types: JSON, schema: schema_of::<ClearanceStatus> });

const PROBLEM: Option<Payload> =
    Some(Payload { media_types: &["application/problem+json"], schema: schema_of::<Problem> });

const BAD: Answer =
    Answer { status: 400, about: "The request cannot be understood.", headers: &[], payload: PROBLEM };

pub(super) const ASK: Endpoint = Endpoint {
    method: Method::Post,
    path: "/api/v1/clearances",
    id: "askClearance",
    about: "Asks whether digests may ship, by a policy of the server. The same asked again is the same clearance as long \
            as it holds.",
    access: Access::Submit,
    is_always_there: false,
    parameters: &[],
    body: Some(Payload { media_types: JSON, schema: schema_of::<ClearanceRequest> }),
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
            about: "It speaks of a registry that is not asked here, or of a repository that the token does not reach.",
            headers: &[],
            payload: PROBLEM,
        },
    ],
    route: || post(ask),
};

pub(super) const GET: Endpoint = Endpoint {
    method: Method::Get,
    path: "/api/v1/clearances/{id}",
    id: "getClearance",
    about: "Where a clearance stands and what was decided; with `format` its report. With `wait` the answer comes when \
            something has changed, or when that time is over.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[
        Parameter::path("id", "The id that the clearance was given.", schema_of::<String>),
        Parameter::query(
            "format",
            "The report instead: `json`, `markdown` or `sarif`, as `plimsoll clear --format` writes it.",
            schema_of::<String>,
        ),
        Parameter::query(
            "wait",
            "How long to wait for a change at most, such as `60s`; two minutes at most. What is decided does not change \
             and is answered at once.",
            schema_of::<String>,
        ),
        Parameter::header(
            "If-None-Match",
            "The `ETag` of what is known already: the wait is for something else than that.",
            schema_of::<String>,
        ),
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "Where it stands, or the report.",
            headers: &[("ETag", "Another one when anything has changed.")],
            payload: Some(Payload {
                media_types: &["application/json", "application/sarif+json", "text/markdown"],
                schema: status_or_report,
            }),
        },
        Answer { status: 304, about: "Still as `If-None-Match` says.", headers: &[], payload: None },
        BAD,
        Answer { status: 404, about: "There is no such clearance.", headers: &[], payload: PROBLEM },
        Answer {
            status: 409,
            about: "There is no report: nothing is decided yet, or will be.",
            headers: &[],
            payload: PROBLEM,
        },
    ],
    route: || get(status),
};

pub(super) const LIST: Endpoint = Endpoint {
    method: Method::Get,
    path: "/api/v1/clearances",
    id: "listClearances",
    about: "Clearances, the newest first.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[
        Parameter::query("state", "Only of this state.", schema_of::<String>),
        Parameter::query("verdict", "Only `cleared`, `undecided` or `refused`.", schema_of::<String>),
        Parameter::query("registry", "Only those that speak of this registry.", schema_of::<String>),
        Parameter::query("repository", "Only those that speak of this repository.", schema_of::<String>),
        Parameter::query("before", "Only before this number: `next` of the page before.", schema_of::<u64>),
        Parameter::query("rows", "Most rows: 100, and 500 at most.", schema_of::<u32>),
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "A page of them.",
            headers: &[],
            payload: Some(Payload { media_types: JSON, schema: schema_of::<ClearanceList> }),
        },
        BAD,
    ],
    route: || get(list),
};

pub(super) const HISTORY: Endpoint = Endpoint {
    method: Method::Get,
    path: "/api/v1/digests/{digest}/clearances",
    id: "getDigestClearances",
    about: "What was decided of a digest, by itself or as an image of an index, the newest first.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[
        Parameter::path("digest", "A manifest's digest.", schema_of::<String>),
        Parameter::query("before", "Only before this record: `next` of the page before.", schema_of::<u64>),
        Parameter::query("rows", "Most records: 100, and no more.", schema_of::<u32>),
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "What is recorded; an empty list where nothing is.",
            headers: &[],
            payload: Some(Payload { media_types: JSON, schema: schema_of::<DigestHistory> }),
        },
        BAD,
    ],
    route: || get(history),
};

/// The status, or what `format` names.
fn status_or_report(generator: &mut SchemaGenerator) -> Schema {
    let status = generator.subschema_for::<ClearanceStatus>();
    json_schema!({
        "anyOf": [
            status,
            {"type": "object", "title": "report as `json` or `sarif`"},
            {"type": "string", "title": "report as `markdown`"},
        ],
    })
}

async fn ask(
    State(server): State<Arc<Server>>,
    principal: Principal,
    body: Bytes,
) -> Result<Response, Refusal> {
    let request: ClearanceRequest = serde_json::from_slice(&body).map_err(|error| {
        Refusal::bad_request(format!("the body is not a request for a clearance: {error}"))
    })?;
    let found = server
        .blocking(move |server| {
            let (hearing, _) = hearings::ask(server, &principal, &request)?;
            found(server, hearing)
        })
        .await?;
    let location = format!("/api/v1/clearances/{}", found.hearing.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(found.status())).into_response())
}

/// A clearance with its record.
pub(crate) struct Found {
    pub(crate) hearing: Hearing,
    pub(crate) record: Option<Record>,
    /// Whether the records up to this one are as they were written, as far as anybody has looked.
    pub(crate) is_whole: bool,
}

impl Found {
    fn status(&self) -> ClearanceStatus {
        let decided = self.record.as_ref().map(|record| ClearanceDecided::of(record, self.is_whole));
        ClearanceStatus { decided, ..ClearanceStatus::of(&self.hearing) }
    }

    /// Another one when anything has changed.
    fn version(&self) -> String {
        let hearing = &self.hearing;
        let text = format!("{} {} {} {}", hearing.id, hearing.state.name(), hearing.since, hearing.attempt);
        crate::jobs::attempt::digest_text(&text)[..32].to_owned()
    }
}

/// A clearance with its record. What its row says and its record does not is not said.
pub(crate) fn found(server: &Server, hearing: Hearing) -> Result<Found, Refusal> {
    let Some(number) = hearing.record else { return Ok(Found { hearing, record: None, is_whole: true }) };
    let record = server.store()?.record(number)?;
    let is_own = |record: &Record| {
        let decision = &record.decision;
        record.hearing == hearing.id
            && Some(decision.verdict) == hearing.verdict
            && decision.holds_until == hearing.holds_until
    };
    let Some(record) = record.filter(is_own) else {
        let detail =
            format!("`{}` is decided, and its record {number} is gone or says otherwise", hearing.id);
        return Err(Refusal::new(500, "internal", detail));
    };
    Ok(Found { hearing, record: Some(record), is_whole: server.chain().holds(number) })
}

/// Whether somebody may see a clearance: who is held to some repositories sees those that speak of no others.
pub(crate) fn may_see(store: &Store, principal: &Principal, id: &str) -> Result<bool, Refusal> {
    if !principal.is_limited() {
        return Ok(true);
    }
    let places = store.hearing_places(id)?;
    let is_seen = |(registry, repository): &(String, String)| principal.may_see(registry, repository);
    Ok(!places.is_empty() && places.iter().all(is_seen))
}

async fn look(server: &Arc<Server>, principal: &Principal, id: &str) -> Result<Found, Refusal> {
    let (id, principal) = (id.to_owned(), principal.clone());
    server
        .blocking(move |server| {
            let store = server.store()?;
            match store.hearing(&id)? {
                Some(hearing) if may_see(store, &principal, &id)? => found(server, hearing),
                _ => Err(Refusal::not_found(format!("there is no clearance `{id}`; ask for one first"))),
            }
        })
        .await
}

async fn status(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(id): Path<String>,
    AxumQuery(query): AxumQuery<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let query = Query::new(query, &["format", "wait"])?;
    let wait = query.wait("wait")?;
    let format = query.text("format").map(format_of).transpose()?;
    // Listened to before the first look, so that nothing falls in between.
    let mut events = server.listen();
    let mut found = look(&server, &principal, &id).await?;
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let known = known.map_or_else(|| etag(&found), str::to_owned);
    if let Some(wait) = wait {
        let until = tokio::time::Instant::now() + wait;
        let ids = [id.clone()];
        while etag(&found) == known && !found.hearing.state.is_final() && !server.lifecycle.is_ending() {
            if !events.changed(&ids, until).await {
                break;
            }
            found = look(&server, &principal, &id).await?;
        }
    }
    if let Some(format) = format {
        return report(&server, found, format).await;
    }
    let etag = etag(&found);
    if headers.contains_key(header::IF_NONE_MATCH) && etag == known {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    let headers = [(header::ETAG, etag), (header::CACHE_CONTROL, "no-cache".to_owned())];
    Ok((headers, Json(found.status())).into_response())
}

fn etag(found: &Found) -> String {
    format!("\"{}\"", found.version())
}

fn format_of(name: &str) -> Result<&'static str, Refusal> {
    let known = FORMATS.iter().find(|format| format.name == name).map(|format| format.name);
    known.ok_or_else(|| {
        let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        Refusal::bad_request(format!("there is no format `{name}`; the formats are {}", names.join(", ")))
    })
}

/// The report as it was written when it was decided.
async fn report(server: &Arc<Server>, found: Found, format: &'static str) -> Result<Response, Refusal> {
    let Found { hearing, record, .. } = found;
    let Some(record) = record else {
        let hint = if hearing.state.is_final() { "and there will be none" } else { "yet; wait for it" };
        let (id, state, reason) = (&hearing.id, hearing.state.name(), hearing.reason.name());
        let detail =
            format!("there is no report of `{id}` {hint}: it is `{state}` ({reason}): {}", hearing.detail);
        return Err(Refusal::new(409, "no_report", detail));
    };
    let number = record.number;
    let report = server.blocking(move |server| Ok(server.store()?.record_report(&record, format)?)).await?;
    let Some(report) = report else {
        let detail = format!("record {number} has no report `{format}`: it was written by an older version");
        return Err(Refusal::new(409, "no_report", detail));
    };
    let headers = [
        (header::CONTENT_TYPE, report.media_type),
        (header::ETAG, format!("\"{number}-{format}\"")),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    Ok((headers, report.body).into_response())
}

async fn list(
    State(server): State<Arc<Server>>,
    principal: Principal,
    AxumQuery(query): AxumQuery<BTreeMap<String, String>>,
) -> Result<Json<ClearanceList>, Refusal> {
    let query = Query::new(query, &["state", "verdict", "registry", "repository", "before", "rows"])?;
    let filter = HearingFilter {
        state: query.text("state").map(state_of).transpose()?,
        verdict: query.text("verdict").map(verdict_of).transpose()?,
        registry: query.text("registry").unwrap_or_default().to_owned(),
        repository: query.text("repository").unwrap_or_default().to_owned(),
        before: query.number("before")?,
        rows_max: query.rows("rows")?,
    };
    let rows_max = usize::try_from(filter.rows_max).unwrap_or(usize::MAX);
    let hearings = server
        .blocking(move |server| {
            let is_within = |registry: &str, repository: &str| principal.may_see(registry, repository);
            let is_limited = principal.is_limited();
            Ok(server.store()?.hearings(&filter, if is_limited { Some(&is_within) } else { None })?)
        })
        .await?;
    let next = hearings.last().filter(|_| hearings.len() >= rows_max).map(|hearing| hearing.number);
    Ok(Json(ClearanceList { clearances: hearings.iter().map(ClearanceStatus::of).collect(), next }))
}

fn state_of(name: &str) -> Result<HearingState, Refusal> {
    HearingState::of_name(name).ok_or_else(|| {
        let names: Vec<&str> = HearingState::ALL.iter().map(|state| state.name()).collect();
        Refusal::bad_request(format!("`{name}` is no state; the states are {}", names.join(", ")))
    })
}

fn verdict_of(name: &str) -> Result<Verdict, Refusal> {
    let all = [Verdict::Cleared, Verdict::Undecided, Verdict::Refused];
    all.into_iter().find(|verdict| verdict.name() == name).ok_or_else(|| {
        let message = format!("`{name}` is no verdict; the verdicts are cleared, undecided, refused");
        Refusal::bad_request(message)
    })
}

async fn history(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(digest): Path<String>,
    AxumQuery(query): AxumQuery<BTreeMap<String, String>>,
) -> Result<Json<DigestHistory>, Refusal> {
    let query = Query::new(query, &["before", "rows"])?;
    let (before, rows) = (query.number("before")?, query.rows("rows")?.min(HISTORY_MAX));
    let digest = Digest::from_str(&digest).map_err(|error| Refusal::bad_request(error.to_string()))?;
    let history = server
        .blocking(move |server| {
            let store = server.store()?;
            let records = store.records_of(&digest, before, rows)?;
            let is_full = records.len() >= usize::try_from(rows).unwrap_or(usize::MAX);
            let next = records.last().filter(|_| is_full).map(|record| record.number);
            let mut clearances = Vec::new();
            for record in &records {
                if may_see(store, &principal, &record.hearing)? {
                    clearances.extend(HistoryEntry::of(record, &digest));
                }
            }
            Ok(DigestHistory { clearances, next })
        })
        .await?;
    Ok(Json(history))
}
