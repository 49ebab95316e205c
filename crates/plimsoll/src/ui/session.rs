//! Who looks at a page: a token in a cookie, and the text that the page's forms bring so that no other site's page can
//! send them.
//!
//! Nothing is kept here: the cookie is the token, and the forms' text is made of it by a hash, so every replica knows
//! both.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use plimsoll_core::digest::hex;
use sha2::{Digest as _, Sha256};

use crate::access::Principal;
use crate::access::oidc::sign_in::Secrets;
use crate::config::Config;
use crate::http::{Refusal, is_cross_site};

/// The cookie's name.
const COOKIE: &str = "plimsoll_token";

/// Longest token that a cookie takes: browsers keep 4,096 bytes with the name and all attributes.
pub(super) const TOKEN_BYTES_MAX: usize = 3_800;

/// The token that a cookie says, if any.
pub(crate) fn token(headers: &HeaderMap) -> Option<String> {
    cookie(headers, COOKIE).filter(|token| is_token(token))
}

/// A cookie's value.
fn cookie(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| *name == wanted)?;
    Some(value.to_owned())
}

/// Whether a text can be a token: what a header and a cookie both can carry as it is.
pub(super) fn is_token(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
    !text.is_empty() && text.len() <= TOKEN_BYTES_MAX && text.bytes().all(is_plain)
}

/// The same as the header that says who asks.
pub(crate) fn as_header(token: &str) -> Option<HeaderMap> {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    Some([(header::AUTHORIZATION, value)].into_iter().collect())
}

/// The header that has a browser keep a token until it is closed.
pub(super) fn keep(token: &str, config: &Config) -> String {
    format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Strict{}", secure(config))
}

/// The header that has a browser forget it.
pub(super) fn forget() -> &'static str {
    "plimsoll_token=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
}

/// The name of the cookie that somebody has while they sign in at a provider. Under TLS no other host of the domain can set
/// one of its name (RFC 6265bis, section 4.1.3.2), and so none can have somebody signed in as somebody else.
fn sign_in_cookie(config: &Config) -> &'static str {
    if secure(config).is_empty() { "plimsoll_sign_in" } else { "__Host-plimsoll_sign_in" }
}

/// How long signing in at a provider may take.
const SIGN_IN_SECONDS: u32 = 600;

/// The header that has a browser keep what the provider's answer is held against. It comes back from another site, so
/// that the cookie is not strict.
pub(super) fn keep_sign_in(secrets: &Secrets, config: &Config) -> String {
    let (name, text, secure) = (sign_in_cookie(config), secrets.encode(), secure(config));
    format!("{name}={text}; Path=/; HttpOnly; SameSite=Lax; Max-Age={SIGN_IN_SECONDS}{secure}")
}

/// The header that has a browser forget that.
pub(super) fn forget_sign_in(config: &Config) -> String {
    let (name, secure) = (sign_in_cookie(config), secure(config));
    format!("{name}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{secure}")
}

/// What a provider's answer is held against.
pub(super) fn sign_in(headers: &HeaderMap, config: &Config) -> Option<Secrets> {
    Secrets::decode(&cookie(headers, sign_in_cookie(config))?)
}

/// Under TLS, our own or that of a proxy before us, the cookie never goes without it.
fn secure(config: &Config) -> &'static str {
    let is_https = config.server.url.as_deref().is_some_and(|url| url.starts_with("https://"));
    if config.server.tls.is_some() || is_https { "; Secure" } else { "" }
}

/// Who looks at a page.
#[derive(Clone)]
pub(super) struct Visitor {
    /// Who it is.
    pub(super) principal: Principal,
    /// What forms bring; empty for whoever has not signed in.
    pub(super) form_key: String,
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = (StatusCode, &'static str);

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Visitor, Self::Rejection> {
        let principal = Principal::from_request_parts(parts, state).await?;
        Ok(Visitor { principal, form_key: form_key(&parts.headers) })
    }
}

/// What the forms of whoever has this cookie bring.
pub(super) fn form_key(headers: &HeaderMap) -> String {
    let of_token = |token: String| hex(&Sha256::digest(format!("plimsoll form\n{token}")));
    token(headers).map(of_token).unwrap_or_default()
}

/// Refuses a form that none of our own pages sent.
pub(super) fn check_form(headers: &HeaderMap, brought: &str) -> Result<(), Refusal> {
    let is_own = verify_slices_are_equal(form_key(headers).as_bytes(), brought.as_bytes()).is_ok();
    match is_own && !is_cross_site(headers) {
        true => Ok(()),
        false => Err(Refusal::new(
            403,
            "forbidden",
            "the form was not sent by a page of this server, or by one from before you signed in; go back, load the page anew, and send it again",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(text: &str) -> HeaderMap {
        [(header::COOKIE, HeaderValue::from_str(text).unwrap())].into_iter().collect()
    }

    #[test]
    fn where_the_token_stands() {
        for (text, wanted) in [
            ("plimsoll_token=abc", Some("abc")),
            ("other=1; plimsoll_token=a.b=c; more=2", Some("a.b=c")),
            ("xplimsoll_token=abc", None),
            ("plimsoll_token=", None),
            ("plimsoll_token=\"abc\"", None),
            ("plimsoll_token", None),
        ] {
            assert_eq!(token(&cookie(text)).as_deref(), wanted, "{text}");
        }
        assert!(!is_token(&"x".repeat(TOKEN_BYTES_MAX + 1)) && !is_token("a b") && !is_token("a;b"));
    }

    #[test]
    fn forms_bring_what_belongs_to_the_cookie() {
        let headers = cookie("plimsoll_token=abc");
        assert!(check_form(&headers, &form_key(&headers)).is_ok());
        assert!(check_form(&headers, "").is_err());
        assert!(check_form(&headers, &form_key(&cookie("plimsoll_token=abd"))).is_err());
        let mut foreign = headers.clone();
        foreign.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
        assert!(check_form(&foreign, &form_key(&headers)).is_err());
        assert!(check_form(&HeaderMap::new(), "").is_ok());
    }
}
