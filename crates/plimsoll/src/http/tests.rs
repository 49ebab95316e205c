//! What stands before every handler, by requests without a socket. The API here has an endpoint of each kind.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use axum::Extension;
use axum::extract::Request;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use plimsoll_core::digest::hex;
use sha2::{Digest as _, Sha256};
use tower::ServiceExt as _;

use super::endpoint::{Access, Method, schema_of};
use super::limits::Peer;
use super::*;
use crate::access::Principal;
use crate::config::Config;

mod following;
mod reach;
pub(crate) mod samples;
mod verdicts;

#[test]
fn names_are_unique_and_sorted() {
    assert!(APIS.is_sorted_by(|a, b| a.name < b.name));
    let mut ids = BTreeSet::new();
    for endpoint in APIS.iter().flat_map(|api| api.endpoints) {
        assert!(ids.insert(endpoint.id), "{}", endpoint.id);
    }
}

/// Every row answers where it says, and with nothing but what it says.
#[tokio::test]
async fn every_endpoint_is_routed() {
    let (server, _folder) = server("");
    let router = router(&server);
    for endpoint in APIS.iter().flat_map(|api| api.endpoints) {
        let path = endpoint.path.replace(['{', '}', '*'], "");
        let method = match endpoint.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        };
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let status = router.clone().oneshot(request).await.unwrap().status().as_u16();
        let own = endpoint.answers.iter().map(|answer| answer.status);
        let known: Vec<u16> = own.chain([400, 401, 403, 408, 413, 429, 500, 503]).collect();
        assert!(known.contains(&status), "{}: {status}", endpoint.id);
    }
}

/// What is no text is refused as everything else is, and not by whatever the router is made of.
#[tokio::test]
async fn paths_that_are_no_text_are_refused_in_the_words_of_the_api() {
    let (server, _folder) = server("");
    let router = router(&server);
    for endpoint in APIS.iter().flat_map(|api| api.endpoints).filter(|row| row.path.contains('{')) {
        let start = endpoint.path.find('{').unwrap();
        let end = endpoint.path.rfind('}').unwrap() + 1;
        let path = format!("{}%ff{}", &endpoint.path[..start], &endpoint.path[end..]);
        let method = match endpoint.method {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        };
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        // Quay cannot bear a 400 where it asks for vulnerabilities.
        assert!([400, 404, 503].contains(&status), "{}: {status}", endpoint.id);
        let media_type = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        // The page says it as a page.
        let wanted = if endpoint.path.starts_with("/ui/") { "text/html" } else { "json" };
        assert!(media_type.contains(wanted), "{}: {media_type}", endpoint.id);
    }
}

const fn row(path: &'static str, id: &'static str, access: Access) -> Endpoint {
    Endpoint {
        method: Method::Get,
        path,
        id,
        about: "A test's.",
        access,
        is_always_there: false,
        parameters: &[],
        body: None,
        answers: &[],
        route: || get(who),
    }
}

async fn who(Extension(principal): Extension<Arc<Principal>>) -> String {
    principal.name.clone()
}

fn refuse(refusal: &Refusal) -> Response<Body> {
    (StatusCode::from_u16(refusal.status).unwrap(), format!("{}: {}", refusal.code, refusal.message))
        .into_response()
}

static TEST_API: Api = Api {
    name: "test",
    about: "A test's.",
    endpoints: &[
        Endpoint {
            route: || get(async || "anybody"),
            is_always_there: true,
            ..row("/public", "p", Access::Public)
        },
        row("/read", "r", Access::Read),
        Endpoint {
            method: Method::Post,
            body: Some(Payload { media_types: &["text/plain"], schema: schema_of::<String> }),
            route: || post(async |body: String| body.len().to_string()),
            ..row("/submit", "s", Access::Submit)
        },
        row("/admin", "a", Access::Admin),
        Endpoint { route: || get(async || "counted"), ..row("/counted", "m", Access::Metrics) },
        Endpoint {
            route: || get(async || -> &'static str { panic!("a secret") }),
            ..row("/panics", "x", Access::Read)
        },
        Endpoint { route: || get(std::future::pending::<()>), ..row("/hangs", "h", Access::Read) },
        Endpoint { route: || get(async || "x".repeat(5000)), ..row("/large", "l", Access::Read) },
    ],
    refuse,
    front: Front::USUAL,
};

static PATIENT_API: Api = Api {
    name: "patient",
    about: "A test's, whose clients do not know 429.",
    endpoints: &[row("/patient", "pp", Access::Read)],
    refuse,
    front: Front {
        cookies: Cookies::Never,
        limits_rate: false,
        limits_time: false,
        compresses: false,
        takes_shared_keys: true,
        refusal: None,
    },
};

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn server(config: &str) -> (Arc<Server>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::parse(config).unwrap();
    let server = Server::new(config, folder.path().to_owned(), Vec::new(), "replica".to_owned(), now);
    server.lifecycle.ready();
    (Arc::new(server), folder)
}

static TEST_APIS: &[&Api] = &[&TEST_API, &PATIENT_API];

fn test_router(server: &Arc<Server>) -> Router {
    router_of(TEST_APIS, server)
}

fn token(name: &str, scope: &str, rest: &str) -> String {
    let hash = hex(&Sha256::digest(name));
    format!("[[server.auth.tokens]]\nname = '{name}'\nsha256 = '{hash}'\nscopes = ['{scope}']\n{rest}\n")
}

fn tokens() -> String {
    [
        token("reader", "read", ""),
        token("pipeline", "submit", "repositories = ['registry.example/team/*']"),
        token("operator", "admin", ""),
        token("former", "admin", "expires = '2025-12-31T23:59:59Z'"),
    ]
    .concat()
}

fn request(path: &str) -> axum::http::request::Builder {
    Request::builder().method(if path == "/submit" { "POST" } else { "GET" }).uri(path)
}

async fn ask(router: &Router, request: Request) -> (u16, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// Rows: who asks. Columns: what is answered by `/public`, `/read`, `/submit`, `/admin`, `/counted`.
#[tokio::test]
async fn who_may_ask_for_what() {
    let anonymous = |who: &str, metrics: &str| {
        format!("[server.auth]\nanonymous = '{who}'\nmetrics = '{metrics}'\n{}", tokens())
    };
    let (closed, reading) = (anonymous("none", "read"), anonymous("read", "everybody"));
    for (config, who, wanted) in [
        ("", "", [200, 200, 200, 200, 200]),
        ("", "nobody knows", [200, 200, 200, 200, 200]),
        ("[server.auth]\nopen = true", "", [200, 200, 200, 200, 200]),
        (closed.as_str(), "", [200, 401, 401, 401, 401]),
        (closed.as_str(), "reader", [200, 200, 403, 403, 200]),
        (closed.as_str(), "pipeline", [200, 200, 200, 403, 200]),
        (closed.as_str(), "operator", [200, 200, 200, 200, 200]),
        (closed.as_str(), "former", [200, 401, 401, 401, 401]),
        (closed.as_str(), "nobody knows", [200, 401, 401, 401, 401]),
        (closed.as_str(), "a.b.c", [200, 401, 401, 401, 401]),
        (reading.as_str(), "", [200, 200, 403, 403, 200]),
        (reading.as_str(), "nobody knows", [200, 401, 401, 401, 200]),
        (reading.as_str(), "operator", [200, 200, 200, 200, 200]),
    ] {
        let (server, _folder) = server(config);
        let router = test_router(&server);
        let mut found = Vec::new();
        for path in ["/public", "/read", "/submit", "/admin", "/counted"] {
            let mut request = request(path);
            if !who.is_empty() {
                request = request.header("authorization", format!("Bearer {who}"));
            }
            found.push(ask(&router, request.body(Body::empty()).unwrap()).await.0);
        }
        assert_eq!(found, wanted, "`{who}` with:\n{config}");
    }
}

#[tokio::test]
async fn tokens_come_in_three_ways() {
    let (server, _folder) = server(&tokens());
    let router = test_router(&server);
    let basic = format!("Basic {}", STANDARD.encode("anybody:reader"));
    for (name, value, wanted) in [
        ("authorization", "Bearer reader", (200, "token:reader")),
        ("authorization", basic.as_str(), (200, "token:reader")),
        ("x-scanneradapter-api-key", "reader", (200, "token:reader")),
        (
            "authorization",
            "Bearer former",
            (401, "unauthorized: the token ended at 2025-12-31T23:59:59Z; ask for another one"),
        ),
    ] {
        let found = ask(&router, request("/read").header(name, value).body(Body::empty()).unwrap()).await;
        assert_eq!((found.0, found.1.as_str()), wanted, "{name}: {value}");
    }
    let response = router.oneshot(request("/read").body(Body::empty()).unwrap()).await.unwrap();
    assert!(response.headers()[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with("Bearer"));
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing() {
    let (open, _folder) = server("");
    let (closed, _other) = server(&tokens());
    for (server, site, token, wanted) in [
        (&open, "cross-site", "", 403),
        (&open, "same-site", "", 403),
        (&open, "same-origin", "", 200),
        (&open, "none", "", 200),
        (&closed, "cross-site", "operator", 200),
    ] {
        let mut request = request("/submit").header("sec-fetch-site", site);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let found = ask(&test_router(server), request.body(Body::empty()).unwrap()).await;
        assert_eq!(found.0, wanted, "{site} {}", found.1);
    }
}

/// While the server starts and ends, only what is always there is answered.
#[tokio::test]
async fn readiness() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Arc::new(Server::new(Config::default(), folder.path().to_owned(), Vec::new(), "r".to_owned(), now));
    let router = test_router(&server);
    let lifecycle = &server.lifecycle;
    for (step, status, text) in [
        (&(|| ()) as &dyn Fn(), 503, "starting"),
        (&|| lifecycle.migrating(), 503, "migrating"),
        (&|| lifecycle.ready(), 200, "anonymous"),
        (&|| lifecycle.ending(), 503, "ending"),
    ] {
        step();
        let response = router.clone().oneshot(request("/read").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.headers().contains_key(header::RETRY_AFTER), status == 503);
        let found = ask(&router, request("/read").body(Body::empty()).unwrap()).await;
        assert!(found.0 == status && found.1.contains(text), "{found:?}");
        assert_eq!(ask(&router, request("/public").body(Body::empty()).unwrap()).await.0, 200);
    }
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let (server, _folder) = server("[server.limits]\nbody_max = '1kB'\nbody_time_max = '1s'\n");
    let router = test_router(&server);
    let sized = |bytes: usize| request("/submit").body(Body::from("x".repeat(bytes))).unwrap();
    assert_eq!(ask(&router, sized(1000)).await, (200, "1000".to_owned()));
    assert_eq!(ask(&router, sized(1001)).await.0, 413);
    let declared = request("/submit").header("content-length", "1001").body(Body::empty()).unwrap();
    let (status, text) = ask(&router, declared).await;
    assert!(status == 413 && text.starts_with("too_large:") && text.contains("1000 bytes"), "{text}");
    // What an endpoint does not take is not read.
    assert_eq!(ask(&router, request("/read").body(Body::from("x".repeat(2000))).unwrap()).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn slow_bodies_and_slow_answers_end() {
    let (server, _folder) = server("[server.limits]\nbody_time_max = '5s'\nanswer_time_max = '1m'\n");
    let router = test_router(&server);
    let silent = Body::from_stream(tokio_stream::pending::<Result<axum::body::Bytes, std::io::Error>>());
    let (status, text) = ask(&router, request("/submit").body(silent).unwrap()).await;
    assert_eq!((status, text.as_str()), (408, "timeout: the body did not come within 5s"));
    let (status, text) = ask(&router, request("/hangs").body(Body::empty()).unwrap()).await;
    assert_eq!((status, text.as_str()), (503, "unavailable: there is no answer after 1m; ask again"));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_when_the_server_ends_is_told() {
    let (server, _folder) = server("");
    let (tell, ending) = tokio::sync::watch::channel(false);
    let mut request = request("/hangs").body(Body::empty()).unwrap();
    request.extensions_mut().insert(Ending::new(ending));
    tell.send(true).unwrap();
    let (status, text) = ask(&test_router(&server), request).await;
    assert!(status == 503 && text.contains("ending"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn streams_of_events_end_with_the_server() {
    let (tell, ending) = tokio::sync::watch::channel(false);
    for (name, is_ended) in [("text/event-stream", true), ("application/octet-stream", false)] {
        let body = Body::from_stream(tokio_stream::pending::<Result<axum::body::Bytes, std::io::Error>>());
        let response = Response::builder().header("content-type", name).body(body).unwrap();
        let response = super::ending::end_streams(response, Ending::new(ending.clone()));
        tell.send(true).unwrap();
        let whole = axum::body::to_bytes(response.into_body(), 1000);
        let whole = tokio::time::timeout(std::time::Duration::from_millis(20), whole).await;
        assert_eq!(whole.is_ok(), is_ended, "{name}");
    }
}

/// Whoever says who they are is counted by that, all others by their address.
#[tokio::test]
async fn rates() {
    let limits = "[server.limits]\nrequests_per_second_max = 2\nanonymous_requests_per_second_max = 1\ntrusted_proxies = ['10.0.0.1']\n";
    let config = format!("{limits}[server.auth]\nanonymous = 'read'\n{}", tokens());
    let (server, _folder) = server(&config);
    let router = test_router(&server);
    for (path, peer, forwarded, token, admitted) in [
        ("/read", "203.0.113.1:1", "", "reader", 8),
        ("/read", "203.0.113.1:1", "", "operator", 8),
        ("/read", "203.0.113.1:1", "", "", 4),
        ("/read", "203.0.113.1:2", "", "", 0),
        ("/read", "203.0.113.2:1", "", "", 4),
        // Tokens that are guessed wrong count against the address.
        ("/read", "203.0.113.3:1", "", "wrong", 0),
        ("/read", "203.0.113.3:1", "", "", 0),
        ("/read", "10.0.0.1:1", "203.0.113.4", "", 4),
        ("/read", "10.0.0.1:1", "203.0.113.5", "", 4),
        ("/read", "127.0.0.1:1", "", "", 20),
        // Quay takes 429 for a failure.
        ("/patient", "203.0.113.1:1", "", "reader", 20),
    ] {
        let mut found = 0;
        for _ in 0..20 {
            let mut request = request(path).body(Body::empty()).unwrap();
            let headers = request.headers_mut();
            if !token.is_empty() {
                headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
            }
            if !forwarded.is_empty() {
                headers.insert("x-forwarded-for", forwarded.parse().unwrap());
            }
            request.extensions_mut().insert(Peer(peer.parse::<SocketAddr>().unwrap()));
            let response = router.clone().oneshot(request).await.unwrap();
            match response.status().as_u16() {
                200 => found += 1,
                429 => assert!(response.headers().contains_key(header::RETRY_AFTER)),
                other => assert_eq!((other, token), (401, "wrong")),
            }
        }
        assert_eq!(found, admitted, "{path} {peer} {forwarded} {token}");
    }
}

#[tokio::test]
async fn a_handler_that_panics_says_nothing_of_it() {
    let (server, _folder) = server("");
    let (status, text) = ask(&test_router(&server), request("/panics").body(Body::empty()).unwrap()).await;
    assert_eq!((status, text.as_str()), (500, "internal: a mistake in plimsoll; the log says more"));
}

#[tokio::test]
async fn answers_are_compressed_where_the_api_leaves_it_to_us() {
    let (server, _folder) = server("");
    let router = test_router(&server);
    for (path, wanted) in [("/large", Some("gzip")), ("/patient", None)] {
        let request = request(path).header("accept-encoding", "gzip").body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let encoding = response.headers().get("content-encoding").map(|value| value.to_str().unwrap());
        assert_eq!(encoding, wanted, "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let (server, _folder) = server("");
    let router = router(&server);
    for (method, path, wanted) in
        [("GET", "/nothing", 404), ("DELETE", "/healthz", 405), ("HEAD", "/healthz", 200)]
    {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        assert_eq!(ask(&router, request).await.0, wanted, "{method} {path}");
    }
}

/// Tokens that cannot be read let nobody in, instead of everybody.
#[tokio::test]
async fn a_door_that_cannot_be_made_is_closed() {
    let (server, _folder) = server("[server.auth]\ntokens_file = '/nowhere/tokens.toml'\n");
    let found = ask(&test_router(&server), request("/read").body(Body::empty()).unwrap()).await;
    assert!(found.0 == 500 && found.1.contains("/nowhere/tokens.toml"), "{found:?}");
}

#[tokio::test]
async fn every_request_is_counted() {
    let (server, _folder) = server(&tokens());
    let router = test_router(&server);
    ask(&router, request("/public").body(Body::empty()).unwrap()).await;
    ask(&router, request("/read").body(Body::empty()).unwrap()).await;
    let text = server.metrics.text().unwrap();
    for line in [
        "plimsoll_http_requests_total{endpoint=\"p\",status=\"200\"} 1",
        "plimsoll_http_requests_total{endpoint=\"r\",status=\"401\"} 1",
        "plimsoll_http_request_duration_seconds_count{endpoint=\"p\"} 1",
    ] {
        assert!(text.contains(line), "{text}");
    }
}
