//! Where a client says who it is: `Authorization: Bearer TOKEN`, the password of `Basic` with any user name (for
//! Harbor, webhooks and browsers), or Harbor's `X-ScannerAdapter-API-Key`.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::unauthorized;
use crate::refusal::Refusal;

/// Longest credentials that are looked at, in bytes.
const CREDENTIALS_BYTES_MAX: usize = 16 << 10;

/// The token that a request brings, if any.
pub(super) fn token(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let found = headers.get(header::AUTHORIZATION).or_else(|| headers.get("x-scanneradapter-api-key"));
    let Some(found) = found else { return Ok(None) };
    let text = found.to_str().ok().map(str::trim).filter(|text| text.len() <= CREDENTIALS_BYTES_MAX);
    let Some(text) = text else {
        return Err(unauthorized("the credentials are too long, or not ASCII"));
    };
    if !headers.contains_key(header::AUTHORIZATION) {
        return Ok(Some(text.to_owned()));
    }
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
        return Ok(Some(rest.to_owned()));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded = STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some((_, password)) = decoded.as_deref().and_then(|text| text.split_once(':')) {
            return Ok(Some(password.to_owned()));
        }
    }
    Err(unauthorized("`Authorization` is neither `Bearer TOKEN` nor `Basic` with a token as its password"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_tokens_stand() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (name, value, wanted) in [
            ("authorization", "Bearer abc".to_owned(), Ok(Some("abc"))),
            ("authorization", "bearer   abc ".to_owned(), Ok(Some("abc"))),
            ("authorization", basic("anybody:abc"), Ok(Some("abc"))),
            ("authorization", basic(":a:b"), Ok(Some("a:b"))),
            ("authorization", basic("anybody"), Err(())),
            ("authorization", "Basic ???".to_owned(), Err(())),
            ("authorization", "Bearer".to_owned(), Err(())),
            ("authorization", "Digest abc".to_owned(), Err(())),
            ("authorization", format!("Bearer {}", "x".repeat(20_000)), Err(())),
            ("x-scanneradapter-api-key", "abc".to_owned(), Ok(Some("abc"))),
            ("x-other", "abc".to_owned(), Ok(None)),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(axum::http::HeaderName::from_static(name), value.parse().unwrap());
            let found = token(&headers).map_err(|refusal| assert_eq!(refusal.status, 401));
            assert_eq!(found.as_ref().map(Option::as_deref), wanted.as_ref().copied(), "{value}");
        }
    }
}
