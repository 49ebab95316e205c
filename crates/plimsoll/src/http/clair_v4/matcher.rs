//! Clair's matcher: what is known to be wrong with images, and how its database came about.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get};
use plimsoll_core::coverage::{Coverage, CoverageState};
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::ScanState;
use serde::Serialize;
use serde_json::json;

use super::negotiation::{has, negotiated_first};
use super::operations::{self, KINDS, Operation};
use super::report::VulnerabilityReport;
use super::{
    BAD_REQUEST, DIGEST, IF_NONE_MATCH, JSON, NOT_ACCEPTABLE, PROBLEM, Refusal, digest_of, document, etag,
    header_value, set, uuid,
};
use crate::access::Principal;
use crate::config::NotReady;
use crate::http::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, schema_of};
use crate::http::path::Path;
use crate::server::{Assessed, Server};

/// What Clair says that a vulnerability report is: the type of the other report.
const MEDIA_TYPE: &str = "application/vnd.clair.index_report.v1+json";

pub(super) const REPORT: Endpoint = Endpoint {
    method: Method::Get,
    path: "/matcher/api/v1/vulnerability_report/{digest}",
    id: "clairGetVulnerabilityReport",
    about: "What is known to be wrong with an image.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[DIGEST],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "The report.",
            headers: &[
                ("Cache-Control", "For how long it may be kept."),
                ("Plimsoll-Database", "The advisory database that it was made with."),
                ("Plimsoll-Gaps", "How much could not be read, compared or known."),
                ("Plimsoll-Missing-Feeds", "Feeds that the image needs and that are not there."),
                ("Plimsoll-Stale-Feeds", "Feeds that the image needs and that are too old, or fail."),
            ],
            payload: Some(Payload { media_types: &[MEDIA_TYPE], schema: schema_of::<VulnerabilityReport> }),
        },
        Answer {
            status: 202,
            about: "There is nothing to match the image against yet.",
            headers: &[],
            payload: None,
        },
        Answer { status: 404, about: "The image is not indexed.", headers: &[], payload: PROBLEM },
        NOT_ACCEPTABLE,
    ],
    route: || negotiated_first(get(report)),
};

pub(super) const OPERATIONS: Endpoint = Endpoint {
    method: Method::Get,
    path: "/matcher/api/v1/internal/update_operation",
    id: "clairGetUpdateOperations",
    about: "How the feeds of the advisory database were fetched.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[
        Parameter::query("kind", "`vulnerability`, or `enrichment`.", schema_of::<String>),
        Parameter::query(
            "latest",
            "Whether only the newest of each feed is wanted. There are no others.",
            schema_of::<String>,
        ),
        IF_NONE_MATCH,
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "Operations by feed, the newest first.",
            headers: &[("ETag", "The newest operation.")],
            payload: Some(Payload {
                media_types: &[JSON],
                schema: schema_of::<BTreeMap<String, Vec<Operation>>>,
            }),
        },
        Answer {
            status: 304,
            about: "The newest is what `If-None-Match` says.",
            headers: &[],
            payload: None,
        },
        BAD_REQUEST,
        NOT_ACCEPTABLE,
    ],
    route: || negotiated_first(get(operations)),
};

const ID: Parameter = Parameter::path("id", "An operation's UUID.", schema_of::<String>);

pub(super) const DELETE_OPERATION: Endpoint = Endpoint {
    method: Method::Delete,
    path: "/matcher/api/v1/internal/update_operation/{id}",
    id: "clairDeleteUpdateOperation",
    about: "Forgets an operation. Those that are there are current, and are not forgotten by being asked.",
    access: Access::Admin,
    is_always_there: false,
    parameters: &[ID],
    body: None,
    answers: &[
        Answer { status: 200, about: "There is no such operation any more.", headers: &[], payload: None },
        BAD_REQUEST,
        Answer {
            status: 409,
            about: "It is the current one of its feed; switch the feed off instead.",
            headers: &[],
            payload: PROBLEM,
        },
        NOT_ACCEPTABLE,
    ],
    route: || negotiated_first(delete(delete_operation)),
};

pub(super) const DIFF: Endpoint = Endpoint {
    method: Method::Get,
    path: "/matcher/api/v1/internal/update_diff",
    id: "clairGetUpdateDiff",
    about: "What changed between two operations. Only current ones are kept, so that only none can be told.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[
        Parameter::query("cur", "The later operation.", schema_of::<String>).needed(),
        Parameter::query("prev", "The earlier operation.", schema_of::<String>),
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "What changed.",
            headers: &[],
            payload: Some(Payload { media_types: &[JSON], schema: schema_of::<Diff> }),
        },
        BAD_REQUEST,
        Answer { status: 404, about: "An operation is not kept.", headers: &[], payload: PROBLEM },
        NOT_ACCEPTABLE,
    ],
    route: || negotiated_first(get(diff)),
};

/// What changed between two operations.
#[derive(Serialize, schemars::JsonSchema)]
struct Diff {
    prev: Operation,
    cur: Operation,
    added: Vec<super::report::Vulnerability>,
    removed: Vec<super::report::Vulnerability>,
}

/// What there is to say of an image.
enum Matched {
    /// It was held against the database.
    Against(Arc<Assessed>),
    /// So it was, and nothing in it could be judged.
    Unjudged(Arc<Assessed>),
    /// There is nothing to hold it against.
    Nothing,
    /// It is not indexed.
    NotIndexed,
}

async fn report(
    State(server): State<Arc<Server>>,
    principal: Principal,
    path: Result<Path<String>, Refusal>,
) -> Result<Response, Refusal> {
    let path = path.map(|Path(path)| path).unwrap_or_default();
    let not_found = || {
        // Also for what is no digest: Quay cannot bear a 400 here.
        Refusal::not_found(format!("index report for manifest \"{path}\" not found"))
    };
    let Ok(digest) = digest_of(&path) else { return Err(not_found()) };
    let cache_seconds = server.config.server.clair.cache_seconds;
    let not_ready = server.config.server.clair.not_ready;
    let answer = server
        .blocking(move |server| {
            Ok(match matched(server, &principal, &digest)? {
                Matched::Against(assessed) => {
                    let report = VulnerabilityReport::of(&digest, &assessed.assessment);
                    Some(answer(&report, &assessed, cache_seconds))
                }
                Matched::Unjudged(assessed) => {
                    let report = VulnerabilityReport::unjudged(&digest, &assessed.assessment);
                    Some(answer(&report, &assessed, cache_seconds))
                }
                Matched::Nothing if not_ready == NotReady::Accepted => {
                    Some(StatusCode::ACCEPTED.into_response())
                }
                Matched::Nothing | Matched::NotIndexed => None,
            })
        })
        .await?;
    answer.ok_or_else(not_found)
}

/// Clair calls its database ready with its first row. Here an image also waits for the feeds that judge it.
fn matched(server: &Server, principal: &Principal, digest: &Digest) -> Result<Matched, Refusal> {
    if server.advised().database.is_err() {
        return Ok(Matched::Nothing);
    }
    let scan = match server.store()?.scan(digest.as_str())? {
        Some(scan) if server.may_see(principal, &scan)? => scan,
        _ => return Ok(Matched::NotIndexed),
    };
    if scan.state == ScanState::FeedsNotLoaded {
        return Ok(Matched::Nothing);
    }
    Ok(match server.assessed(digest)? {
        None => Matched::NotIndexed,
        Some(assessed) if !assessed.assessment.is_judged() => Matched::Unjudged(assessed),
        Some(assessed) => Matched::Against(assessed),
    })
}

fn answer(report: &VulnerabilityReport, assessed: &Assessed, cache_seconds: u32) -> Response {
    let assessment = &assessed.assessment;
    let mut response = document(StatusCode::OK, MEDIA_TYPE, report);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, header_value(&format!("max-age={cache_seconds}")));
    headers.insert("plimsoll-gaps", HeaderValue::from(assessment.gaps().len()));
    if let Some(database) = &assessment.database {
        set(headers, "plimsoll-database", &database.id);
    }
    let needs = assessment.findings.coverage.iter().filter(|need| need.packages > 0 && !need.is_fresh());
    let (late, missing): (Vec<&Coverage>, Vec<&Coverage>) = needs.partition(|need| need.state.is_there());
    for (name, needs) in [("plimsoll-missing-feeds", missing), ("plimsoll-stale-feeds", late)] {
        if !needs.is_empty() {
            set(headers, name, &needs.into_iter().map(feed_header).collect::<Vec<_>>().join(", "));
        }
    }
    response
}

/// A feed, what needs it and how it stands, as an item of a header.
fn feed_header(need: &Coverage) -> String {
    let state = match need.state {
        CoverageState::Loaded => "failing",
        state => state.name(),
    };
    let needs: String =
        need.needs.chars().filter(|c| c.is_ascii_graphic() && *c != '"' && *c != '\\').collect();
    format!("{};for=\"{needs}\";state={state}", need.feed)
}

async fn operations(
    State(server): State<Arc<Server>>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let kind = match query.get("kind").map_or("", String::as_str) {
        "" => KINDS[0],
        asked => match KINDS.into_iter().find(|kind| *kind == asked) {
            Some(kind) => kind,
            None => {
                return Err(Refusal::bad_request("unknown kind; ask for `vulnerability` or `enrichment`"));
            }
        },
    };
    let advised = server.advised();
    let operations = operations::by_updater(advised.feeds(), kind);
    let Some(newest) = operations::newest(&operations) else {
        return Ok(document(StatusCode::OK, JSON, &json!({})));
    };
    let etag = etag(&newest.reference);
    if has(&headers, &etag) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let mut response = document(StatusCode::OK, JSON, &operations);
    response.headers_mut().insert(header::ETAG, header_value(&etag));
    Ok(response)
}

async fn delete_operation(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let id = uuid(&id)?;
    if operations::by_reference(server.advised().feeds(), &id).is_some() {
        let message =
            "the operation is the current one of its feed; set `enabled = false` in the feed's section";
        return Err(Refusal::new(409, "conflict", message));
    }
    Ok(StatusCode::OK)
}

async fn diff(
    State(server): State<Arc<Server>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    let Some(cur) = query.get("cur").filter(|cur| !cur.is_empty()) else {
        return Err(Refusal::bad_request("`cur` is missing"));
    };
    let cur = uuid(cur)?;
    let prev = match query.get("prev").filter(|prev| !prev.is_empty()) {
        Some(prev) => Some(uuid(prev)?),
        None => None,
    };
    let advised = server.advised();
    let found = operations::by_reference(advised.feeds(), &cur);
    match found.filter(|_| prev.as_ref() == Some(&cur)) {
        Some(operation) => {
            let diff =
                Diff { prev: operation.clone(), cur: operation, added: Vec::new(), removed: Vec::new() };
            Ok(document(StatusCode::OK, JSON, &diff))
        }
        None => {
            let message = "only the current operation of each feed is kept, so nothing is known of what changed; \
                           follow `/api/v1/events` instead";
            Err(Refusal::not_found(message))
        }
    }
}
