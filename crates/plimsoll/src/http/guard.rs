//! What every request meets before its handler.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Response, header};
use axum::middleware::Next;
use axum::response::IntoResponse as _;

use super::endpoint::Endpoint;
use super::{Api, Ending, Refusal, access, ending, limits, observe, readiness};
use crate::access::Principal;
use crate::server::Server;

/// Where a request goes.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) server: Arc<Server>,
    pub(super) api: &'static Api,
    pub(super) endpoint: &'static Endpoint,
}

/// The whole way of a request, noted from its start to its end.
pub(super) async fn guard(place: Place, request: Request, next: Next) -> Response<Body> {
    let noted = observe::Noted::begin(&place, &request);
    let span = noted.span();
    let asked = async {
        let mut who = None;
        let mut answer = admit(&place, request, next, &mut who).await.unwrap_or_else(Refusal::into_response);
        if let Some(refusal) = answer.extensions_mut().remove::<Refusal>() {
            answer = refuse(place.api, &refusal);
        }
        (answer, who)
    };
    let (answer, who) = tracing::Instrument::instrument(asked, span).await;
    noted.end(&place, who.as_deref(), &answer);
    answer
}

/// Lets a request through to its handler, or says why not.
async fn admit(
    place: &Place,
    mut request: Request,
    next: Next,
    who: &mut Option<Arc<Principal>>,
) -> Result<Response<Body>, Refusal> {
    let server = &place.server;
    readiness::check(server, place.endpoint)?;
    let address = limits::client_address(&request, &server.config.server.limits.trusted_proxies);
    let known = access::identify(place, request.headers()).await;
    *who = known.as_ref().ok().and_then(Clone::clone);
    limits::check_rate(place, who.as_deref(), address)?;
    let principal = access::check(place, known, request.headers())?;
    if let Some(principal) = principal {
        request.extensions_mut().insert(principal);
    }
    let ending = request.extensions().get::<Ending>().cloned().unwrap_or_default();
    // Whoever waits for something looks here, whatever the way by which the request came.
    request.extensions_mut().insert(ending.clone());
    let request = limits::read_body(place, request).await?;
    let answer = async {
        tokio::select! {
            answer = limits::in_time(place, next.run(request)) => answer,
            () = ending.and_grace() => Err(readiness::ending()),
        }
    };
    answer.await.map(|answer| ending::end_streams(answer, ending))
}

/// Says no in the words of an API, with the headers that belong to it in every API.
pub(super) fn refuse(api: &Api, refusal: &Refusal) -> Response<Body> {
    let mut response = (api.refuse)(refusal);
    let headers = response.headers_mut();
    if let Some(seconds) = refusal.retry_after {
        headers.entry(header::RETRY_AFTER).or_insert(HeaderValue::from(seconds));
    }
    if refusal.status == 401 {
        headers
            .entry(header::WWW_AUTHENTICATE)
            .or_insert(HeaderValue::from_static("Bearer realm=\"plimsoll\", Basic realm=\"plimsoll\""));
    }
    response
}
