//! How secure an image of a repository is.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use plimsoll_core::digest::Digest;
use plimsoll_core::scan::{Reason, ScanState};
use plimsoll_store::{Scan, ScanKind};
use schemars::JsonSchema;
use serde::Serialize;

use super::features::Data;
use super::standing::{ScanDetail, status};
use super::{JSON, PROBLEM, Refusal, Routes, method_not_allowed};
use crate::access::Principal;
use crate::http::clair_v4::report::VulnerabilityReport;
use crate::http::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, schema_of};
use crate::http::path::Path;
use crate::jobs::status::{shown_to, standing};
use crate::server::Server;

pub(super) const SECURITY: Endpoint = Endpoint {
    method: Method::Get,
    // A name of a repository may have any number of parts, and what follows it is read by hand.
    path: "/api/v1/repository/{*rest}",
    id: "quayGetManifestSecurity",
    about: "How secure an image is, as Quay says it: NAMESPACE/NAME/manifest/DIGEST/security.",
    access: Access::Read,
    is_always_there: true,
    parameters: &[
        Parameter::path(
            "rest",
            "NAMESPACE/NAME/manifest/DIGEST/security; the name may have further parts.",
            schema_of::<String>,
        ),
        Parameter::query(
            "vulnerabilities",
            "Ignored, as Quay does: they are always told.",
            schema_of::<String>,
        ),
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "Quay's status, what is known where it is `scanned`, and where the scan stands.",
            headers: &[],
            payload: Some(Payload { media_types: JSON, schema: schema_of::<Security> }),
        },
        Answer { status: 404, about: "There is no such image.", headers: &[], payload: PROBLEM },
        Answer { status: 520, about: "The store cannot be asked.", headers: &[], payload: PROBLEM },
    ],
    route: || -> Routes { get(security).fallback(method_not_allowed) },
};

/// Quay's word for an image of which nothing can be said.
const UNSUPPORTED: &str = "unsupported";

/// How secure an image is.
#[derive(Debug, Serialize, JsonSchema)]
struct Security {
    /// `queued`, `scanned`, `failed`, `unsupported` or `manifest_layer_too_large`.
    status: &'static str,
    /// What is known where it is `scanned`.
    data: Option<Data>,
    /// Where the scan stands, exactly.
    scan: ScanDetail,
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    repository: String,
    digest: Digest,
}

async fn security(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(rest): Path<String>,
) -> Result<Response, Refusal> {
    let asked = Asked::read(&rest).ok_or_else(not_found)?;
    // Quay's own pages would show an error; the image waits.
    if let Some(reason) = server.lifecycle.not_ready() {
        return Ok(answer(&Security::waiting(ScanState::NotReady, reason, "the server is not ready yet")));
    }
    let body = server.blocking(move |server| look(server, &principal, &asked)).await?;
    Ok(answer(&body))
}

fn answer(security: &Security) -> Response {
    let body = serde_json::to_vec(security).expect("texts and lists can be written as JSON");
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

impl Asked {
    /// Reads what follows `/api/v1/repository/`. Only a digest counts, no tag.
    fn read(rest: &str) -> Option<Asked> {
        let rest = rest.strip_suffix("/security")?;
        let (repository, digest) = rest.rsplit_once("/manifest/")?;
        let (algorithm, digits) = digest.split_once(':')?;
        let digest = format!("{algorithm}:{}", digits.to_ascii_lowercase()).parse().ok()?;
        let is_whole = repository.contains('/') && repository.split('/').all(|part| !part.is_empty());
        is_whole.then(|| Asked { repository: repository.to_owned(), digest })
    }
}

fn not_found() -> Refusal {
    Refusal::not_found("Not Found")
}

fn look(server: &Server, principal: &Principal, asked: &Asked) -> Result<Security, Refusal> {
    let store = server.store()?;
    // Of those that came by Clair's API it is not known whose they are; who may see them may see them in any.
    let is_in_it = |registry: &str, repository: &str| {
        (repository.is_empty() || repository == asked.repository) && principal.may_see(registry, repository)
    };
    let view = |scan: Scan| {
        let is_seen = match scan.id == asked.digest.as_str() {
            true => server.is_anywhere(&scan, is_in_it),
            false => server.may_see(principal, &scan),
        };
        Ok(is_seen?.then(|| shown_to(principal, scan)))
    };
    let standing = standing(store, asked.digest.as_str(), &view)?.ok_or_else(not_found)?;
    let scan = &standing.scan;
    let config = &server.config.server.quay;
    let detail = ScanDetail::of(&standing, config);
    let status = status(&standing, config);
    if scan.kind == ScanKind::Index {
        let detail = without_unjudged(server, detail)?;
        return Ok(Security { status, data: None, scan: detail });
    }
    // Which distribution it is was not known when it was scanned; it may be judged by now all the same.
    let may_be_judged = status == "scanned" || scan.reason == Reason::UnknownOs;
    match may_be_judged {
        true => scanned(server, &asked.digest, detail),
        false => Ok(Security { status, data: None, scan: detail }),
    }
}

/// What is known of an image that is scanned. Without a database it is not called scanned, whatever it was before.
fn scanned(server: &Server, digest: &Digest, mut detail: ScanDetail) -> Result<Security, Refusal> {
    if server.advised().database.is_err() {
        let missing = "there is no advisory database to match the image against";
        return Ok(Security::waiting(ScanState::FeedsNotLoaded, Reason::NoDatabase, missing));
    }
    let Some(assessed) = server.assessed(digest)? else {
        return Ok(Security { status: "queued", data: None, scan: detail });
    };
    detail.judged_by(&assessed.assessment);
    if !assessed.assessment.is_judged() {
        detail.detail = assessed.assessment.why_unjudged();
        return Ok(Security { status: UNSUPPORTED, data: None, scan: detail });
    }
    let report = VulnerabilityReport::of(digest, &assessed.assessment);
    Ok(Security { status: "scanned", data: Some(Data::of(&report)), scan: detail })
}

/// Images of an index of which nothing could be judged are not called scanned.
fn without_unjudged(server: &Server, mut detail: ScanDetail) -> Result<ScanDetail, Refusal> {
    let has_database = server.advised().database.is_ok();
    for child in detail.children.iter_mut().filter(|child| child.status == Some("scanned")) {
        let Ok(digest) = child.digest.parse::<Digest>() else { continue };
        match server.assessed(&digest)?.filter(|_| has_database) {
            Some(assessed) if assessed.assessment.is_judged() => {}
            Some(_) => child.status = Some(UNSUPPORTED),
            None => child.status = Some("queued"),
        }
    }
    Ok(detail)
}

impl Security {
    fn waiting(state: ScanState, reason: Reason, detail: &str) -> Security {
        let scan = ScanDetail { detail: detail.to_owned(), ..ScanDetail::of_state(state, reason) };
        Security { status: "queued", data: None, scan }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_digest_of_a_repository_is_asked_for() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (rest, expected) in [
            (format!("ns/name/manifest/{digest}/security"), Some("ns/name")),
            (format!("ns/a/b/c/manifest/{digest}/security"), Some("ns/a/b/c")),
            (format!("ns/manifest/x/manifest/{digest}/security"), Some("ns/manifest/x")),
            (format!("ns/name/manifest/{}/security", digest.replace('a', "A")), None),
            (format!("ns/name/manifest/sha256:{}/security", "0A".repeat(32)), Some("ns/name")),
            (format!("name/manifest/{digest}/security"), None),
            (format!("/name/manifest/{digest}/security"), None),
            (format!("ns//name/manifest/{digest}/security"), None),
            ("ns/name/manifest/latest/security".to_owned(), None),
            (format!("ns/name/manifest/{digest}"), None),
            (format!("ns/name/image/{digest}/security"), None),
            ("security".to_owned(), None),
        ] {
            let asked = Asked::read(&rest);
            assert_eq!(asked.as_ref().map(|asked| asked.repository.as_str()), expected, "{rest}");
            assert!(asked.is_none_or(|asked| asked.digest.as_str() == digest));
        }
    }
}
