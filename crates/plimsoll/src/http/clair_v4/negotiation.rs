//! What a client accepts, and what it has already, as Clair reads it.
//!
//! What surprises: a client that accepts no coding that is known here, `br` alone, is refused instead of served without
//! one; and only the very same text in `If-None-Match` counts, no lists, no `*`.

use std::cmp::Reverse;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::MethodRouter;
use tower_http::compression::CompressionLayer;

use super::{Refusal, Routes, method_not_allowed};

/// What is said of codings to those who accept none of them.
const CODINGS: HeaderValue = HeaderValue::from_static("zstd, gzip, deflate");

/// Most alternatives of one header that are looked at.
const ALTERNATIVES_MAX: usize = 64;

/// Why none of what is offered will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unacceptable {
    /// The header cannot be understood.
    Malformed,
    /// It names nothing that is offered.
    Nothing,
}

impl From<Unacceptable> for Refusal {
    fn from(why: Unacceptable) -> Refusal {
        match why {
            Unacceptable::Malformed => Refusal::bad_request("malformed `Accept` header"),
            Unacceptable::Nothing => {
                Refusal::new(415, "not_acceptable", "no media type of the `Accept` header is offered")
            }
        }
    }
}

/// The media type to answer with: the client's favourite among what is offered; the first for a client that says
/// nothing.
pub(super) fn media_type(
    headers: &HeaderMap,
    offered: &'static [&'static str],
) -> Result<&'static str, Unacceptable> {
    let first = offered.first().copied().unwrap_or("application/json");
    let Some(accepted) = alternatives(headers, &header::ACCEPT) else { return Ok(first) };
    for accepted in accepted.ok_or(Unacceptable::Malformed)? {
        let Some((kind, subtype)) = accepted.split_once('/') else { return Err(Unacceptable::Malformed) };
        let serves = |offer: &&str| match (kind, subtype) {
            ("*", "*") => true,
            (kind, "*") => offer.split_once('/').is_some_and(|(offered, _)| offered == kind),
            _ => **offer == accepted,
        };
        if let Some(offer) = offered.iter().copied().find(serves) {
            return Ok(offer);
        }
    }
    Err(Unacceptable::Nothing)
}

/// The content coding to answer with.
fn coding(headers: &HeaderMap) -> Result<&'static str, Unacceptable> {
    let Some(accepted) = alternatives(headers, &header::ACCEPT_ENCODING) else { return Ok("identity") };
    let known = accepted.ok_or(Unacceptable::Malformed)?.into_iter().find_map(|name| match name.as_str() {
        "gzip" | "x-gzip" | "*" => Some("gzip"),
        "zstd" => Some("zstd"),
        "deflate" => Some("deflate"),
        "identity" => Some("identity"),
        _ => None,
    });
    known.ok_or(Unacceptable::Nothing)
}

/// What a header lists, the most wanted first and in lower case; what has a weight of 0 is left out. `None` without
/// such a header, `Some(None)` where it cannot be understood.
fn alternatives(headers: &HeaderMap, name: &HeaderName) -> Option<Option<Vec<String>>> {
    let values: Vec<&HeaderValue> = headers.get_all(name).iter().collect();
    if values.iter().all(|value| value.is_empty()) {
        return None;
    }
    Some(weighted(&values))
}

fn weighted(values: &[&HeaderValue]) -> Option<Vec<String>> {
    let mut found: Vec<(u32, String)> = Vec::new();
    for value in values {
        for item in value.to_str().ok()?.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let mut parts = item.split(';').map(str::trim);
            let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
            let mut weight = 1000;
            for parameter in parts {
                if let Some(text) = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")) {
                    weight = thousandths(text)?;
                }
            }
            found.push((weight, name));
        }
        if found.len() > ALTERNATIVES_MAX {
            return None;
        }
    }
    found.retain(|(weight, _)| *weight > 0);
    found.sort_by_key(|(weight, _)| Reverse(*weight));
    Some(found.into_iter().map(|(_, name)| name).collect())
}

/// A weight (RFC 9110, section 12.4.2) in thousandths.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u32 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

/// Whether the client has this already.
pub(super) fn has(headers: &HeaderMap, etag: &str) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|value| value.as_bytes() == etag.as_bytes())
}

/// A path as Clair serves it: codings are negotiated and other methods are refused in its words.
pub(super) fn negotiated(methods: Routes) -> Routes {
    let coded: MethodRouter<_> = methods.layer(CompressionLayer::new());
    coded.layer(middleware::from_fn(coded_as_accepted))
}

/// The same for the first endpoint of a path, which also answers for methods that the path does not have.
pub(super) fn negotiated_first(methods: Routes) -> Routes {
    negotiated(methods.fallback(method_not_allowed))
}

/// Leaves one coding to whatever comes next, so that it is the one that Clair would choose.
async fn coded_as_accepted(mut request: Request, next: Next) -> Response {
    let Ok(chosen) = coding(request.headers()) else {
        let refusal =
            Refusal::new(415, "not_acceptable", "no coding of the `Accept-Encoding` header is offered");
        let mut response = super::refuse(&refusal);
        response.headers_mut().insert(header::ACCEPT_ENCODING, CODINGS);
        return response;
    };
    request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static(chosen));
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: &[&str] = &["application/vnd.clair.index_report.v1+json", "application/json"];

    fn headers(name: HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_favourite_media_type_is_served() {
        let (own, json) = (Ok(OFFERED[0]), Ok(OFFERED[1]));
        for (accept, expected) in [
            (&[][..], own),
            (&[""], own),
            (&["*/*"], own),
            (&["application/*"], own),
            (&["application/json"], json),
            (&["APPLICATION/JSON;charset=utf-8"], json),
            (&["text/html, application/json;q=0.5, */*;q=0.1"], json),
            (&["application/json;q=0.5", "application/vnd.clair.index_report.v1+json;q=0.8"], own),
            (&["text/html"], Err(Unacceptable::Nothing)),
            (&["application/json;q=0"], Err(Unacceptable::Nothing)),
            (&["json"], Err(Unacceptable::Malformed)),
            (&["application/json;q=2"], Err(Unacceptable::Malformed)),
            (&["application/json;q=much"], Err(Unacceptable::Malformed)),
        ] {
            assert_eq!(media_type(&headers(header::ACCEPT, accept), OFFERED), expected, "{accept:?}");
        }
    }

    #[test]
    fn the_first_coding_by_weight_is_chosen() {
        for (accept, expected) in [
            (&[][..], Ok("identity")),
            (&["gzip, deflate"], Ok("gzip")),
            (&["deflate, gzip"], Ok("deflate")),
            (&["br, zstd;q=0.5, x-gzip;q=0.9"], Ok("gzip")),
            (&["*"], Ok("gzip")),
            (&["identity"], Ok("identity")),
            (&["br"], Err(Unacceptable::Nothing)),
            (&["gzip;q=0"], Err(Unacceptable::Nothing)),
            (&["gzip;q=."], Err(Unacceptable::Malformed)),
        ] {
            assert_eq!(coding(&headers(header::ACCEPT_ENCODING, accept)), expected, "{accept:?}");
        }
    }

    #[test]
    fn only_the_same_text_is_the_same() {
        for (values, expected) in [
            (&["\"a\""][..], true),
            (&["\"b\"", "\"a\""], true),
            (&["\"b\", \"a\""], false),
            (&["W/\"a\""], false),
            (&["*"], false),
            (&["a"], false),
            (&[], false),
        ] {
            assert_eq!(has(&headers(header::IF_NONE_MATCH, values), "\"a\""), expected, "{values:?}");
        }
    }
}
