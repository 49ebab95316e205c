//! The frame of every page: its head, its policy, where it leads, who looks at it; and pages that say no.

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse as _;
use maud::{DOCTYPE, Markup, html};
use plimsoll_report::html::{emblem, marks};

use super::session::{self, Visitor};
use super::{NAVIGATION, assets, sign_in};
use crate::http::Refusal;
use crate::http::api_v1::events;

/// What a page may do: only what this server itself has, and no script or style of its own.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// What a page shows.
pub(super) struct Shown {
    /// Its title, without Plimsoll's name.
    pub(super) title: String,
    /// The path of the navigation that it belongs to; empty for none.
    pub(super) place: &'static str,
    /// What stands in its main part.
    pub(super) main: Markup,
}

/// A page for a visitor.
pub(super) fn page(visitor: &Visitor, shown: &Shown) -> Response<Body> {
    answer(StatusCode::OK, &frame(Some(visitor), shown))
}

/// A page that says no. Whoever must say who they are can do so there.
pub(super) fn refuse(refusal: &Refusal) -> Response<Body> {
    let title = match refusal.status {
        400 => "This cannot be understood",
        401 => "Sign in",
        403 => "You may not do this",
        404 => "There is no such page",
        409 => "There is nothing to show yet",
        429 => "Too many requests",
        503 => "The server is not ready",
        _ => "Something went wrong",
    };
    let main = html! {
        @if refusal.status == 401 {
            @let ways = html! { p { a href="/ui/sign-in" { "All ways to sign in" } } };
            (sign_in::form(Some(&refusal.message), Some(&ways)))
         } @else {
            h1 { (title) }
            p { (refusal.message) }
            p { a href="/" { "To the overview" } }
        }
    };
    let shown = Shown { title: title.to_owned(), place: "", main };
    let mut response = answer(refusal.status_code(), &frame(None, &shown));
    if refusal.status == 401 {
        let headers = response.headers_mut();
        // `Basic` would have a browser ask with a window of its own.
        headers
            .insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer realm=\"plimsoll\""));
        // A token that has ended is not sent again: without one, some pages may be there for everybody.
        headers.insert(header::SET_COOKIE, header::HeaderValue::from_static(session::forget()));
    }
    response
}

pub(super) fn answer(status: StatusCode, page: &Markup) -> Response<Body> {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "private, no-store"),
    ];
    (status, headers, page.0.clone()).into_response()
}

/// The whole document. Without a visitor it does not say who looks.
pub(super) fn frame(visitor: Option<&Visitor>, shown: &Shown) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (shown.title) " · Plimsoll" }
                link rel="stylesheet" href=(assets::STYLE.path);
                // An empty one of our own: a browser would ask for one otherwise.
                link rel="icon" href="data:,";
                // The script reloads what is live when any of these happens.
                script src=(assets::SCRIPT.path) data-events=(events::names().collect::<Vec<_>>().join(" ")) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                (marks::shapes())
                header.top { div.inside {
                    a.brand href="/" { (emblem()) "Plimsoll" }
                    nav aria-label="Main" { ul {
                        @for (path, title) in NAVIGATION {
                            li { a href=(path) aria-current=[(*path == shown.place).then_some("page")] { (title) } }
                        }
                        li { a href="/docs" { "API" } }
                    } }
                    @if let Some(visitor) = visitor { (who(visitor)) }
                } }
                main #main .inside tabindex="-1" { (shown.main) }
                footer.inside { p.quiet { "Plimsoll " (env!("CARGO_PKG_VERSION")) } }
            }
        }
    }
}

fn who(visitor: &Visitor) -> Markup {
    html! {
        div.who {
            @if visitor.form_key.is_empty() {
                @if visitor.principal.is_anonymous() { a href="/ui/sign-in" { "Sign in" } }
            } @else {
                span.quiet { (plimsoll_report::html::shown(&visitor.principal.name)) }
                form method="post" action="/ui/sign-out" {
                    input type="hidden" name="form_key" value=(visitor.form_key);
                    button type="submit" { "Sign out" }
                }
            }
        }
    }
}
