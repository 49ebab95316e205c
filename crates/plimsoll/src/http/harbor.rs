//! Harbor's Pluggable Scanner API, version 1.1 with the capability `sbom` of version 1.2.
//! (<https://github.com/goharbor/pluggable-scanner-spec>)
//!
//! Harbor is given `https://HOST/harbor` as the scanner's URL and asks below `/harbor/api/v1`. What surprises of Harbor:
//! each request must be answered within five seconds; it follows no redirect but reads a 302 as "not yet", with
//! `Refresh-After` as a signed byte of seconds; any other answer but 200 ends its job for good, with our message in its
//! log. So whatever may pass is a 302 here, also that the server is starting or its store is away.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Response, StatusCode, Uri, header};
use axum::response::IntoResponse as _;
use plimsoll_core::advisory::Advisories as _;
use plimsoll_core::digest::Digest;
use serde::Serialize;

use super::endpoint::{Payload, schema_of};
use super::{Api, Front, Refusal};
use crate::access::Principal;
use crate::http::path::Path;
use crate::jobs::status::standing;
use crate::jobs::submission::{self, Asked};
use crate::server::Server;
use capabilities::{Capability, Report, Told};
use next::{Next, Question};
use scan_id::ScanId;
use wire::{ErrorBody, ErrorMessage, ScanResponse};

mod capabilities;
mod endpoints;
mod media;
mod metadata;
mod next;
mod scan_id;
mod scan_request;
mod wire;

/// The row.
pub(super) static API: Api = Api {
    name: "harbor",
    about: "Harbor's Pluggable Scanner API: Harbor has images scanned and fetches reports.",
    endpoints: endpoints::ENDPOINTS,
    refuse,
    front: Front {
        // To Harbor that is a failure for good.
        limits_rate: false,
        refusal: Some(Payload { media_types: &[wire::ERROR], schema: schema_of::<ErrorBody> }),
        ..Front::USUAL
    },
};

/// How long to wait, as Harbor reads it; its documents say `Retry-After`.
const REFRESH_AFTER: &str = "refresh-after";

fn refuse(refusal: &Refusal) -> Response<Body> {
    let body = ErrorBody { error: ErrorMessage { message: refusal.message.clone() } };
    json(refusal.status_code(), wire::ERROR, &body)
}

fn json(status: StatusCode, media_type: &'static str, body: &impl Serialize) -> Response<Body> {
    let bytes = serde_json::to_vec(body).expect("texts, lists and maps can be written as JSON");
    (status, [(header::CONTENT_TYPE, media_type)], bytes).into_response()
}

async fn metadata(State(server): State<Arc<Server>>) -> Response<Body> {
    let advised = server.advised();
    let built_at = advised.database.as_ref().ok().map(|database| database.identity().built_at.as_str());
    let body = metadata::metadata(built_at, server.config.harbor.registry_authorization);
    json(StatusCode::OK, wire::METADATA, &body)
}

async fn healthy() -> &'static str {
    "ok\n"
}

async fn ready(State(server): State<Arc<Server>>) -> Result<&'static str, Refusal> {
    match server.lifecycle.not_ready() {
        None => Ok("ok\n"),
        Some(reason) => Err(Refusal::unavailable("not_ready", format!("not ready: {reason}"))),
    }
}

async fn scan(
    State(server): State<Arc<Server>>,
    principal: Principal,
    body: Bytes,
) -> Result<Response<Body>, Refusal> {
    let wanted = scan_request::read(&body)?;
    // What cannot be a reference is a field that is not valid; that a registry is not allowed stays what it is.
    let as_field =
        |refusal: Refusal| if refusal.status == 400 { Refusal { status: 422, ..refusal } } else { refusal };
    let authorization = wanted.authorization;
    let config = &server.config;
    let submission =
        submission::of_reference(&wanted.reference, authorization, wanted.plain_http, Asked::NOW, config)
            .map_err(as_field)?;
    let submission = submission::by(&principal, submission)?;
    let (artifact, asked) = (wanted.artifact, wanted.asked);
    let id = server
        .blocking(move |server| {
            let store = server.store()?;
            let key = scan_id::key(store, &server.replica, server.now)?;
            let now = (server.now)();
            let scan = store.submit(&submission, now)?.scan.id;
            server.bell.ring();
            let registry = submission.registry;
            Ok(ScanId { asked, artifact, registry, scan, asked_at: now.as_second() }.seal(&key))
        })
        .await?;
    Ok(json(StatusCode::ACCEPTED, wire::SCAN_RESPONSE, &ScanResponse { id }))
}

/// A question for a report, understood.
struct Wish {
    principal: Principal,
    id: String,
    says: ScanId,
    capability: &'static Capability,
    report: &'static Report,
    document: &'static str,
}

/// What it comes to.
enum Found {
    /// Not yet: ask again after so many seconds.
    Wait(u8),
    /// The report.
    Report(Vec<u8>),
}

async fn report(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(id): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let here = uri.path_and_query().map_or(uri.path(), |path| path.as_str());
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let document = query.get("sbom_media_type").map(String::as_str);
    let wish = wish(id, accept, document, principal)?;
    let media_type = wish.report.media_type;
    Ok(match server.blocking(move |server| find(server, &wish)).await? {
        Found::Report(bytes) => (StatusCode::OK, [(header::CONTENT_TYPE, media_type)], bytes).into_response(),
        Found::Wait(seconds) => wait(here, seconds),
    })
}

fn wish(
    id: String,
    accept: Option<&str>,
    document: Option<&str>,
    principal: Principal,
) -> Result<Wish, Refusal> {
    let says = ScanId::read(&id).ok_or_else(unknown)?;
    if !principal.may_see(&says.registry, &says.artifact.repository) {
        return Err(unknown());
    }
    let (capability, report) = capabilities::choose(accept, &says.capabilities())?;
    let document = scan_request::document(capability, document)?;
    Ok(Wish { principal, id, says, capability, report, document })
}

fn unknown() -> Refusal {
    Refusal::not_found("there is no scan with this id; have the artifact scanned again")
}

fn wait(here: &str, seconds: u8) -> Response<Body> {
    let seconds = seconds.to_string();
    let headers = [
        (REFRESH_AFTER, seconds.as_str()),
        (header::RETRY_AFTER.as_str(), &seconds),
        (header::LOCATION.as_str(), here),
    ];
    (StatusCode::FOUND, headers).into_response()
}

/// The report, or a wait. That the store is away passes, so Harbor waits for it as long as for feeds.
fn find(server: &Server, wish: &Wish) -> Result<Found, Refusal> {
    let now = (server.now)();
    let question = Question {
        needs_feeds: wish.capability.needs_feeds,
        age: wish.says.age(now),
        patience: server.config.harbor.patience.0,
        now,
    };
    match find_now(server, wish, &question) {
        Err(refusal) if refusal.status == 503 && question.may_wait() => Ok(Found::Wait(next::AWAY_SECONDS)),
        // An error of its own ends Harbor's job: it must not look as if asking again would help.
        Err(refusal) if refusal.status == 503 => Err(Refusal { status: 500, retry_after: None, ..refusal }),
        found => found,
    }
}

fn find_now(server: &Server, wish: &Wish, question: &Question) -> Result<Found, Refusal> {
    let store = server.store()?;
    if !ScanId::is_sealed(&wish.id, &scan_id::key(store, &server.replica, server.now)?) {
        return Err(unknown());
    }
    let digest: Digest = wish.says.artifact.digest.parse().map_err(|_| unknown())?;
    let view = |scan| server.shown(&wish.principal, scan);
    let scan = standing(store, &wish.says.scan, &view)?.ok_or_else(unknown)?.scan;
    let otherwise = match next::next(&scan, question) {
        Next::Wait(seconds) => return Ok(Found::Wait(seconds)),
        Next::Failed(why) => return Err(Refusal::new(500, "failed", why)),
        Next::ReportOr(why) => why,
        Next::Report => format!("`{digest}` is {} and nothing is known of it; scan again", scan.state),
    };
    // A replica may have lost its advisories, or not have got any yet, while another has.
    if let (true, Err(why)) = (question.needs_feeds, &server.advised().database) {
        if question.may_wait() {
            return Ok(Found::Wait(next::FEEDS_SECONDS));
        }
        let message =
            format!("`{digest}` is indexed and cannot be judged: {why}; have feeds loaded, then scan again");
        return Err(Refusal::new(500, "feeds_not_loaded", message));
    }
    let assessed = server.assessed(&digest)?.ok_or_else(|| Refusal::new(500, "failed", otherwise))?;
    if question.needs_feeds && !assessed.assessment.is_judged() {
        // Harbor shows a report without vulnerabilities as a clean image.
        return Err(Refusal::new(500, "failed", next::unjudged(&scan, &assessed.assessment)));
    }
    let told = Told {
        assessed: &assessed,
        artifact: &wish.says.artifact,
        document: wish.document,
        now: question.now,
    };
    (wish.report.write)(&told).map(Found::Report)
}

#[cfg(test)]
mod tests;
