//! Signing in with a token, and out. The token is one of `plimsoll token new` or of the OpenID provider: whatever the API
//! takes, too.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;

use super::layout::{Shown, answer, frame};
use super::{HTML, page, provider, session};
use crate::access::unauthorized;
use crate::http::endpoint::{Access, Answer, Endpoint, Method, Payload, schema_of};
use crate::http::{Refusal, is_cross_site};
use crate::server::Server;

pub(super) const PAGE: Endpoint = Endpoint {
    access: Access::Public,
    answers: &[Answer { status: 200, about: "The form.", headers: &[], payload: Some(HTML) }],
    ..page("/ui/sign-in", "showSignIn", "Asks whoever looks for a token.", &[], || {
        get(async |State(server): State<Arc<Server>>| {
            answer(StatusCode::OK, &frame(None, &shown(provider::link(&server).as_ref())))
        })
    })
};

/// What forms bring.
pub(super) const FORM: Option<Payload> =
    Some(Payload { media_types: &["application/x-www-form-urlencoded"], schema: schema_of::<String> });

/// The form is no form.
pub(super) const BAD: Answer =
    Answer { status: 400, about: "The form cannot be read.", headers: &[], payload: Some(HTML) };

const DONE: Answer = Answer {
    status: 303,
    about: "It is done; the overview comes next.",
    headers: &[("Set-Cookie", "Has the browser keep the token, or forget it.")],
    payload: None,
};

const FOREIGN: Answer =
    Answer { status: 403, about: "None of our own pages sent it.", headers: &[], payload: Some(HTML) };

pub(super) const SIGN_IN: Endpoint = Endpoint {
    method: Method::Post,
    access: Access::Public,
    body: FORM,
    answers: &[
        DONE,
        FOREIGN,
        Answer {
            status: 401,
            about: "The token is not known here, or has ended.",
            headers: &[],
            payload: Some(HTML),
        },
    ],
    ..page("/ui/sign-in", "signIn", "Has a browser keep a token.", &[], || post(sign_in))
};

pub(super) const SIGN_OUT: Endpoint = Endpoint {
    method: Method::Post,
    access: Access::Public,
    body: FORM,
    answers: &[DONE, FOREIGN],
    ..page("/ui/sign-out", "signOut", "Has a browser forget its token.", &[], || post(sign_out))
};

#[derive(Deserialize)]
struct SignIn {
    token: String,
}

#[derive(Deserialize)]
struct SignOut {
    #[serde(default)]
    form_key: String,
}

fn shown(provider: Option<&Markup>) -> Shown {
    Shown { title: "Sign in".to_owned(), place: "", main: form(None, provider) }
}

/// The form, why it is shown, and another way in where there is one.
pub(super) fn form(why: Option<&str>, provider: Option<&Markup>) -> Markup {
    html! {
        div.sign-in {
            h1 { "Sign in" }
            @if let Some(why) = why { p role="alert" { (why) } }
            @if let Some(provider) = provider { (provider) }
            p { "Give a token that this server knows. " code { "plimsoll token new" } " makes one; whoever runs the server enters it." }
            form method="post" action="/ui/sign-in" {
                label for="token" { "Token" }
                input #token type="password" name="token" required autocomplete="current-password" maxlength=(session::TOKEN_BYTES_MAX);
                button type="submit" { "Sign in" }
            }
        }
    }
}

pub(super) fn unread(_: FormRejection) -> Refusal {
    Refusal::bad_request("the form cannot be read; go back, load the page anew, and send it again")
}

async fn sign_in(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    form: Result<Form<SignIn>, FormRejection>,
) -> Result<Response, Refusal> {
    if is_cross_site(&headers) {
        return Err(Refusal::new(
            403,
            "forbidden",
            "a page of another site sent this; sign in on a page of this server",
        ));
    }
    let Form(SignIn { token }) = form.map_err(unread)?;
    let token = token.trim();
    let lent = session::as_header(token).filter(|_| session::is_token(token));
    let lent = lent.ok_or_else(|| {
        unauthorized(format!(
            "this is no token: it is empty, has other characters, or more than {} of them; ask for another one",
            session::TOKEN_BYTES_MAX
        ))
    })?;
    // Says no by itself where it is not known.
    server.door()?.identify(&lent, false, (server.now)()).await?;
    let cookie = session::keep(token, &server.config);
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, "/".to_owned()), (header::SET_COOKIE, cookie)])
        .into_response())
}

async fn sign_out(
    headers: HeaderMap,
    form: Result<Form<SignOut>, FormRejection>,
) -> Result<Response, Refusal> {
    let Form(SignOut { form_key }) = form.map_err(unread)?;
    session::check_form(&headers, &form_key)?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, "/"), (header::SET_COOKIE, session::forget())])
        .into_response())
}
