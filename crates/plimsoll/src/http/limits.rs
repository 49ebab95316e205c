//! How much a client may ask for: how often, how large, how long.
//!
//! Rates are buckets that fill with time. Whoever says who they are has one, wherever they ask from; all others have one
//! by address, so that guessing tokens is slow and costs nobody else anything.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{Response, header};
use jiff::Timestamp;
use tokio::time::timeout;
use tokio_stream::StreamExt as _;

use super::Refusal;
use super::guard::Place;
use crate::access::Principal;
use crate::config::Network;

/// Most clients of which it is remembered how often they asked.
const CLIENTS_MAX: usize = 20_000;

/// How many seconds' worth of requests may come at once.
const BURST_SECONDS: f64 = 4.0;

/// Most entries of `X-Forwarded-For` that are looked at.
const HOPS_MAX: usize = 32;

/// Who is at the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// How often clients asked of late.
#[derive(Default)]
pub(crate) struct Rates(Mutex<HashMap<String, Bucket>>);

/// What a client has left, and since when.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Timestamp,
}

impl Bucket {
    fn filled(self, per_second: f64, now: Timestamp) -> Bucket {
        // A clock that was set back gives nothing.
        let seconds = now.duration_since(self.at).as_secs_f64().max(0.0);
        Bucket { left: (self.left + seconds * per_second).min(per_second * BURST_SECONDS), at: now }
    }
}

impl Rates {
    /// Takes one request out of a client's bucket; else after how many seconds there is one again.
    pub(crate) fn take(&self, client: &str, per_second: u32, now: Timestamp) -> Result<(), u32> {
        let per_second = f64::from(per_second.max(1));
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= CLIENTS_MAX && !buckets.contains_key(client) {
            // Full buckets say nothing. If all are in use, all begin anew: better too much than nobody.
            buckets.retain(|_, bucket| bucket.filled(per_second, now).left < per_second * BURST_SECONDS);
            if buckets.len() >= CLIENTS_MAX {
                tracing::warn!(
                    "more than {CLIENTS_MAX} clients ask at once; how often each did is forgotten"
                );
                buckets.clear();
            }
        }
        let full = Bucket { left: per_second * BURST_SECONDS, at: now };
        let bucket = buckets.get(client).map_or(full, |bucket| bucket.filled(per_second, now));
        let (left, taken) =
            if bucket.left >= 1.0 { (bucket.left - 1.0, Ok(())) } else { (bucket.left, Err(1)) };
        buckets.insert(client.to_owned(), Bucket { left, ..bucket });
        taken
    }
}

/// Refuses who asks too often.
pub(super) fn check_rate(
    place: &Place,
    who: Option<&Principal>,
    address: Option<IpAddr>,
) -> Result<(), Refusal> {
    let server = &place.server;
    let limits = &server.config.server.limits;
    let (client, per_second) = match (who.filter(|who| !who.is_anonymous()), address) {
        (Some(_), _) if !place.api.front.limits_rate => return Ok(()),
        (Some(who), _) => (who.name.clone(), limits.requests_per_second_max),
        (None, Some(address)) if !address.is_loopback() => {
            (format!("address:{}", block(address)), limits.anonymous_requests_per_second_max)
        }
        (None, _) => return Ok(()),
    };
    server.rates.take(&client, per_second, (server.now)()).map_err(|seconds| Refusal {
        retry_after: Some(seconds),
        ..Refusal::new(
            429,
            "rate_limited",
            format!("more than {per_second} requests a second; ask again later, or wait for a change instead of asking"),
        )
    })
}

/// Who has one address of IPv6 has 2^64 of them.
fn block(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address => address,
    }
}

/// From where a request comes: the connection's other end, or what proxies say that are trusted. `None` where there is
/// no connection.
pub(super) fn client_address(request: &Request, trusted: &[Network]) -> Option<IpAddr> {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut address = request.extensions().get::<Peer>()?.0.ip().to_canonical();
    if !is_trusted(address) {
        return Some(address);
    }
    let headers = request.headers().get_all("x-forwarded-for");
    let lines: Vec<&str> = headers.iter().filter_map(|value| value.to_str().ok()).collect();
    // Each proxy adds who asked it at the end; what stands before the first that is not trusted, anybody could have written.
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS_MAX) {
        let Ok(before) = hop.trim().parse::<IpAddr>() else { break };
        address = before.to_canonical();
        if !is_trusted(address) {
            break;
        }
    }
    Some(address)
}

/// Reads the body of a request, so that what is too large or too slow is refused in the words of the API. An endpoint
/// that takes none gets none.
pub(super) async fn read_body(place: &Place, request: Request) -> Result<Request, Refusal> {
    let limits = &place.server.config.server.limits;
    let (head, body) = request.into_parts();
    if place.endpoint.body.is_none() {
        return Ok(Request::from_parts(head, Body::empty()));
    }
    let bytes_max = limits.body_max.0;
    let declared = head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared.and_then(|text| text.parse::<u64>().ok()).is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large(bytes_max));
    }
    let time = limits.body_time_max;
    match timeout(time.0, collect(body, bytes_max)).await {
        Ok(bytes) => Ok(Request::from_parts(head, Body::from(bytes?))),
        Err(_) => Err(Refusal::new(408, "timeout", format!("the body did not come within {time}"))),
    }
}

async fn collect(body: Body, bytes_max: u64) -> Result<Bytes, Refusal> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| Refusal::bad_request(format!("the body broke off: {error}")))?;
        if (bytes.len() + chunk.len()) as u64 > bytes_max {
            return Err(too_large(bytes_max));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

fn too_large(bytes_max: u64) -> Refusal {
    Refusal::new(
        413,
        "too_large",
        format!("the body is larger than the {bytes_max} bytes that `body_max` in `[server.limits]` allows"),
    )
}

/// Holds a handler to the time that an answer may take.
pub(super) async fn in_time(
    place: &Place,
    answer: impl Future<Output = Response<Body>>,
) -> Result<Response<Body>, Refusal> {
    let limit = place.server.config.server.limits.answer_time_max;
    let longest = if place.api.front.limits_time { limit.0 } else { Duration::MAX };
    timeout(longest, answer).await.map_err(|_| {
        Refusal::unavailable("unavailable", format!("there is no answer after {limit}; ask again"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + milliseconds).unwrap()
    }

    #[test]
    fn buckets_fill_with_time() {
        let rates = Rates::default();
        for _ in 0..8 {
            assert_eq!(rates.take("a", 2, at(0)), Ok(()));
        }
        for (client, milliseconds, wanted) in [
            ("a", 0, Err(1)),
            ("b", 0, Ok(())),
            ("a", 400, Err(1)),
            ("a", 600, Ok(())),
            ("a", 600, Err(1)),
            ("a", 100, Err(1)),
            ("a", 60_000, Ok(())),
        ] {
            assert_eq!(rates.take(client, 2, at(milliseconds)), wanted, "{client} {milliseconds}");
        }
    }

    #[test]
    fn only_so_many_clients_are_remembered() {
        let rates = Rates::default();
        for number in 0..CLIENTS_MAX + 10 {
            rates.take(&number.to_string(), 1, at(0)).unwrap();
        }
        assert!(rates.0.lock().unwrap().len() <= CLIENTS_MAX);
    }

    #[test]
    fn addresses_behind_proxies() {
        let trusted: Vec<Network> = ["10.0.0.0/8", "::1"].iter().map(|text| text.parse().unwrap()).collect();
        for (peer, forwarded, wanted) in [
            ("203.0.113.1:1", None, "203.0.113.1"),
            ("203.0.113.1:1", Some("198.51.100.7"), "203.0.113.1"),
            ("10.0.0.1:1", Some("198.51.100.7"), "198.51.100.7"),
            ("10.0.0.1:1", Some("1.1.1.1, 198.51.100.7"), "198.51.100.7"),
            ("10.0.0.1:1", Some("198.51.100.7, 10.0.0.2"), "198.51.100.7"),
            ("10.0.0.1:1", Some("10.0.0.3, 10.0.0.2"), "10.0.0.3"),
            ("10.0.0.1:1", Some("nonsense"), "10.0.0.1"),
            ("10.0.0.1:1", None, "10.0.0.1"),
            ("[::1]:1", Some("2001:db8::7"), "2001:db8::7"),
            ("[::ffff:10.0.0.1]:1", Some("198.51.100.7"), "198.51.100.7"),
        ] {
            let mut request = Request::new(Body::empty());
            request.extensions_mut().insert(Peer(peer.parse().unwrap()));
            if let Some(forwarded) = forwarded {
                request.headers_mut().insert("x-forwarded-for", forwarded.parse().unwrap());
            }
            let found = client_address(&request, &trusted).unwrap();
            assert_eq!(found, wanted.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
        assert_eq!(client_address(&Request::new(Body::empty()), &trusted), None);
        assert_eq!(block("2001:db8::1:2:3:4".parse().unwrap()), "2001:db8::".parse::<IpAddr>().unwrap());
    }
}
