//! Signing in at an OpenID provider, where one is configured for it: there, and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use maud::{Markup, html};

use super::layout::{Shown, answer, frame};
use super::{HTML, page, session, text};
use crate::access::oidc::sign_in::refused;
use crate::access::{oidc, unauthorized};
use crate::http::Refusal;
use crate::http::endpoint::{Access, Answer, Endpoint};
use crate::server::Server;

/// Where the provider sends people back to.
const ANSWER_PATH: &str = "/ui/sign-in/answer";

const ABSENT: Answer =
    Answer { status: 404, about: "Nobody signs in at a provider here.", headers: &[], payload: Some(HTML) };

const UNAVAILABLE: Answer =
    Answer { status: 503, about: "The provider cannot be asked.", headers: &[], payload: Some(HTML) };

pub(super) const BEGIN: Endpoint = Endpoint {
    access: Access::Public,
    answers: &[
        Answer {
            status: 303,
            about: "To the provider.",
            headers: &[("Set-Cookie", "What its answer is held against.")],
            payload: None,
        },
        ABSENT,
        UNAVAILABLE,
    ],
    ..page("/ui/sign-in/provider", "beginSignIn", "Sends a browser to the OpenID provider.", &[], || {
        get(begin)
    })
};

pub(super) const ANSWER: Endpoint = Endpoint {
    access: Access::Public,
    answers: &[
        Answer {
            status: 200,
            about: "It is done; the overview comes next.",
            headers: &[("Set-Cookie", "Has the browser keep the token.")],
            payload: Some(HTML),
        },
        Answer {
            status: 401,
            about: "The provider lets nobody in, or answers somebody else.",
            headers: &[],
            payload: Some(HTML),
        },
        Answer {
            status: 403,
            about: "Nothing is granted to whoever signed in.",
            headers: &[],
            payload: Some(HTML),
        },
        ABSENT,
        UNAVAILABLE,
    ],
    ..page(
        ANSWER_PATH,
        "endSignIn",
        "Where the OpenID provider sends a browser back to.",
        &[
            text("code", "What a token is given for."),
            text("state", "What the browser was sent with."),
            text("error", "Why there is no code."),
            text("error_description", "More of that."),
        ],
        || get(end),
    )
};

/// The link that begins it, where there is a provider for it.
pub(super) fn link(server: &Server) -> Option<Markup> {
    let provider = server.door().ok()?.provider()?;
    let host = plimsoll_net::host_and_port_of(provider.issuer()).unwrap_or_default();
    Some(html! {
        p { a.button href=(BEGIN.path) { "Sign in at " (host) } }
        p.quiet { "or" }
    })
}

fn provider(server: &Server) -> Result<(&oidc::Provider, String), Refusal> {
    let provider = server.door()?.provider();
    let url = server.config.server.url.as_deref();
    provider
        .zip(url)
        .map(|(provider, url)| (provider, format!("{}{ANSWER_PATH}", url.trim_end_matches('/'))))
        .ok_or_else(|| Refusal::not_found("nobody signs in at a provider here; sign in with a token"))
}

async fn begin(State(server): State<Arc<Server>>) -> Result<Response, Refusal> {
    let (provider, back) = provider(&server)?;
    let (url, secrets) = provider.begin(&back, (server.now)()).await?;
    let cookie = session::keep_sign_in(&secrets, &server.config);
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, url), (header::SET_COOKIE, cookie)]).into_response())
}

async fn end(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
) -> Result<Response, Refusal> {
    let (provider, back) = provider(&server)?;
    let of = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let secrets =
        session::sign_in(&headers, &server.config).filter(|secrets| secrets.is_answered_by(of("state")));
    let secrets = secrets.ok_or_else(|| {
        unauthorized("this answers no sign-in that this browser began in the last ten minutes; sign in again")
    })?;
    if !of("error").is_empty() {
        return Err(refused(of("error"), of("error_description"), 200));
    }
    let token = provider.redeem(of("code"), &secrets, &back, (server.now)()).await?;
    if !session::is_token(&token) {
        let why = format!(
            "the provider's token has {} bytes, and a cookie takes {}; have it say less of people: fewer groups, or `scopes` in `[server.auth.oidc.sign_in]`",
            token.len(),
            session::TOKEN_BYTES_MAX
        );
        return Err(Refusal::new(403, "forbidden", why));
    }
    // The cookie is not sent with what follows from another site's page, which this one does: so that the overview is asked for by
    // a page of our own.
    let main = html! {
        h1 { "You are signed in" }
        p { a href="/" { "To the overview" } }
    };
    let shown = Shown { title: "Signed in".to_owned(), place: "", main };
    let mut response = answer(StatusCode::OK, &frame(None, &shown)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::REFRESH, header::HeaderValue::from_static("0; url=/"));
    for cookie in [session::keep(&token, &server.config), session::forget_sign_in(&server.config)] {
        headers.append(
            header::SET_COOKIE,
            cookie
                .parse()
                .map_err(|_| Refusal::new(500, "internal", "the token cannot stand in a cookie"))?,
        );
    }
    Ok(response)
}
