//! The client against a server that misbehaves by script.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod scripted;

use std::io::Read;
use std::time::Duration;

use plimsoll_net::{Authorization, Client, Fetched, NetError, Proxies, Request, Settings, Validators};
use scripted::{Reply, Server};

fn settings() -> Settings {
    Settings { backoff_base: Duration::ZERO, proxies: Proxies::none(), ..Settings::default() }
}

fn client() -> Client {
    Client::new(settings()).unwrap()
}

#[track_caller]
fn body_of(client: &Client, url: &str) -> Result<String, NetError> {
    client.send(&Request::get(url))?.bytes(1 << 20).map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn what_is_sent_is_what_was_asked() {
    let server = Server::start();
    server.on("/a?b=c", [Reply::new(200).header("X-Case", "kept").body("hello")]);
    let client = client();
    let request = Request::get(server.url("/a?b=c")).header("Accept", "x/y");
    let response = client.send(&request).unwrap();
    assert_eq!((response.status, response.header("x-case")), (200, Some("kept")));
    assert_eq!(response.bytes(5).unwrap(), b"hello");
    let seen = &server.seen()[0];
    assert_eq!(seen.header("accept"), Some("x/y"));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
    assert!(seen.header("user-agent").unwrap().starts_with("plimsoll/"));
    assert_eq!(seen.header("authorization"), None);
}

#[test]
fn credentials_of_the_url_become_a_header() {
    let server = Server::start();
    server.on("/", [Reply::new(200)]);
    body_of(&client(), &format!("http://us%65r:p%40ss@{}/", server.address)).unwrap();
    // "user:p@ss", checked with `base64`
    assert_eq!(server.seen()[0].header("authorization"), Some("Basic dXNlcjpwQHNz"));
}

#[test]
fn a_redirect_to_another_port_loses_credentials() {
    let (first, second) = (Server::start(), Server::start());
    second.on("/far", [Reply::new(200).body("far")]);
    for (location, wanted) in [("/near".to_owned(), "near"), (second.url("/far"), "far")] {
        let path = format!("/to-{wanted}");
        first.on(&path, [Reply::new(307).header("Location", location)]);
        first.on("/near", [Reply::new(200).body("near")]);
        let request = Request::get(first.url(&path))
            .header("Authorization", "Bearer secret")
            .header("cookie", "secret")
            .header("Accept", "x/y");
        let response = client().send(&request).unwrap();
        assert!(response.url.ends_with(wanted));
        assert_eq!(response.bytes(9).unwrap(), wanted.as_bytes());
    }
    let near = first.seen().into_iter().find(|seen| seen.path == "/near").unwrap();
    assert_eq!(
        (near.header("authorization"), near.header("cookie")),
        (Some("Bearer secret"), Some("secret"))
    );
    let far = &second.seen()[0];
    assert_eq!((far.header("authorization"), far.header("cookie")), (None, None));
    assert_eq!(far.header("accept"), Some("x/y"));
}

#[test]
fn a_header_for_one_origin_stays_there() {
    let (first, second) = (Server::start(), Server::start());
    first.on("/a", [Reply::new(302).header("Location", "/b")]);
    first.on("/b", [Reply::new(302).header("Location", second.url("/c"))]);
    second.on("/c", [Reply::new(302).header("Location", first.url("/d"))]);
    first.on("/d", [Reply::new(200)]);
    let request = Request::get(first.url("/a")).header("Accept", "x/y").origin_header("X-Key", "secret");
    assert!(!format!("{request:?}").contains("secret"));
    client().send(&request).unwrap();
    let told = |seen: &scripted::Seen| (seen.header("accept").is_some(), seen.header("x-key").is_some());
    let first: Vec<_> = first.seen().iter().map(told).collect();
    assert_eq!(first, [(true, true), (true, true), (true, false)]);
    assert_eq!(second.seen().iter().map(told).collect::<Vec<_>>(), [(true, false)]);
}

#[test]
fn a_redirect_back_does_not_bring_credentials_back() {
    let (first, second) = (Server::start(), Server::start());
    first.on("/a", [Reply::new(302).header("Location", second.url("/b"))]);
    second.on("/b", [Reply::new(302).header("Location", first.url("/c"))]);
    first.on("/c", [Reply::new(200)]);
    client().send(&Request::get(first.url("/a")).header("Authorization", "secret")).unwrap();
    assert_eq!(first.seen()[1].header("authorization"), None);
}

#[test]
fn only_the_origin_that_is_meant_is_told_who_asks() {
    let (first, second) = (Server::start(), Server::start());
    let plain = client();
    let client = plain.authorized(&first.url("/feeds"), Authorization::bearer("geheim")).unwrap();
    assert!(!format!("{client:?} {:?}", Authorization::bearer("geheim")).contains("geheim"));
    for server in [&first, &second] {
        server.on("/here", [Reply::new(200)]);
    }
    first.on("/far", [Reply::new(307).header("Location", second.url("/back"))]);
    second.on("/back", [Reply::new(307).header("Location", first.url("/here?2"))]);
    first.on("/here?2", [Reply::new(200)]);
    body_of(&client, &first.url("/here")).unwrap();
    client.get_if_changed(&first.url("/here"), &Validators::default()).unwrap();
    body_of(&client, &second.url("/here")).unwrap();
    body_of(&client, &first.url("/far")).unwrap();
    client.send(&Request::get(first.url("/here")).basic_auth("me", "own")).unwrap();
    body_of(&plain, &first.url("/here")).unwrap();
    let told = |server: &Server| -> Vec<String> {
        let seen = server.seen();
        seen.iter().map(|seen| seen.header("authorization").unwrap_or("-").to_owned()).collect()
    };
    // The last but one is "me:own".
    let ours = "Bearer geheim";
    assert_eq!(told(&first), [ours, ours, ours, "-", "Basic bWU6b3du", "-"]);
    assert_eq!(told(&second), ["-", "-"]);
}

#[test]
fn only_named_hosts_are_asked_offline() {
    let (named, other) = (Server::start(), Server::start());
    named.on("/a", [Reply::new(200).body("a")]);
    named.on("/away", [Reply::new(307).header("Location", other.url("/a"))]);
    let only_hosts = Some(vec![named.address.to_string()]);
    let client = Client::new(Settings { only_hosts, ..settings() }).unwrap();
    assert_eq!(body_of(&client, &named.url("/a")).unwrap(), "a");
    // The same server by a name that resolves; another; one that would be looked up; a redirect.
    let by_name = format!("http://localhost:{}/a", named.address.port());
    for (url, host) in [
        (by_name.as_str(), format!("localhost:{}", named.address.port())),
        (&other.url("/a"), other.address.to_string()),
        ("https://example.org/feed?token=geheim", "example.org".to_owned()),
        (&named.url("/away"), other.address.to_string()),
    ] {
        let error = body_of(&client, url).unwrap_err();
        assert!(matches!(&error, NetError::Offline { host: refused, .. } if *refused == host), "{error}");
        assert!(!error.to_string().contains("geheim"), "{error}");
    }
    assert_eq!((named.seen().len(), other.seen().len()), (2, 0));
    let nobody = Client::new(Settings { only_hosts: Some(Vec::new()), ..settings() }).unwrap();
    assert!(matches!(body_of(&nobody, &named.url("/a")), Err(NetError::Offline { .. })));
}

#[test]
fn only_allowed_hosts_are_asked_for_a_purpose() {
    let (allowed, other) = (Server::start(), Server::start());
    allowed.on("/a", [Reply::new(200).body("a")]);
    allowed.on("/away", [Reply::new(302).header("Location", other.url("/a"))]);
    let allowed_hosts = Some(vec![allowed.address.to_string(), "*.example.org".to_owned()]);
    let client = Client::new(Settings { allowed_hosts, ..settings() }).unwrap();
    assert_eq!(body_of(&client, &allowed.url("/a")).unwrap(), "a");
    for (url, host) in [
        (other.url("/a"), other.address.to_string()),
        (allowed.url("/away"), other.address.to_string()),
        ("https://example.org/".to_owned(), "example.org".to_owned()),
    ] {
        let error = body_of(&client, &url).unwrap_err();
        assert!(matches!(&error, NetError::HostRefused { host: refused, .. } if *refused == host), "{error}");
    }
    assert_eq!(other.seen().len(), 0);
}

#[test]
fn redirect_loops_and_odd_redirects_end() {
    let server = Server::start();
    server.on("/loop", [Reply::new(302).header("Location", "/loop")]);
    server.on("/odd", [Reply::new(302).header("Location", "ftp://elsewhere/")]);
    server.on("/post", [Reply::new(307).header("Location", "/loop")]);
    let client = client();
    let error = body_of(&client, &server.url("/loop")).unwrap_err();
    assert!(matches!(error, NetError::TooManyRedirects { redirects_max: 5, .. }), "{error}");
    assert_eq!(server.seen().len(), 6);
    assert!(matches!(body_of(&client, &server.url("/odd")), Err(NetError::BadUrl { .. })));
    let error = client.send(&Request::post(server.url("/post"), "x")).unwrap_err();
    assert!(matches!(error, NetError::RedirectRefused { .. }), "{error}");
}

#[test]
fn transient_statuses_are_asked_again() {
    for status in [429, 500, 502, 503, 504] {
        let server = Server::start();
        server
            .on("/", [Reply::new(status).header("Retry-After", "0").body("no"), Reply::new(200).body("yes")]);
        assert_eq!(body_of(&client(), &server.url("/")).unwrap(), "yes", "{status}");
        assert_eq!(server.seen().len(), 2, "{status}");
    }
}

#[test]
fn attempts_are_counted_and_the_last_answer_is_handed_back() {
    let server = Server::start();
    server.on("/busy", [Reply::new(503).body("busy")]);
    server.on("/long", [Reply::new(429).header("Retry-After", "100000")]);
    server.on("/gone", [Reply::new(404)]);
    let client = client();
    for (path, status, requests) in [("/busy", 503, 4), ("/long", 429, 1), ("/gone", 404, 1)] {
        assert_eq!(client.send(&Request::get(server.url(path))).unwrap().status, status);
        assert_eq!(server.seen().iter().filter(|seen| seen.path == path).count(), requests, "{path}");
    }
    assert_eq!(client.send(&Request::post(server.url("/busy"), "x")).unwrap().status, 503);
    assert_eq!(
        server.seen().iter().filter(|seen| seen.method == "POST").count(),
        1,
        "a POST is not repeated"
    );
}

#[test]
fn a_refused_connection_is_an_error_without_secrets() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = body_of(&client(), &format!("http://me:pass@127.0.0.1:{port}/x?key=pass")).unwrap_err();
    assert!(matches!(error, NetError::Connection { .. }), "{error}");
    assert!(!error.to_string().contains("pass"), "{error}");
    assert!(error.to_string().contains(&format!("`http://127.0.0.1:{port}/x?key=…`")), "{error}");
}

#[test]
fn bodies_have_limits() {
    let server = Server::start();
    server.on("/", [Reply::new(200).body("12345")]);
    let client = client();
    let too_large = client.send(&Request::get(server.url("/"))).unwrap().bytes(4);
    assert!(matches!(too_large, Err(NetError::BodyTooLarge { bytes_max: 4, .. })));
    let too_large = client.download(&Request::get(server.url("/"))).unwrap().limit(4).bytes(4);
    assert!(matches!(too_large, Err(NetError::BodyTooLarge { bytes_max: 4, .. })));
    assert_eq!(client.download(&Request::get(server.url("/"))).unwrap().bytes(5).unwrap(), b"12345");
}

#[test]
fn endless_headers_end() {
    let server = Server::start();
    server.on("/", [Reply::endless_headers()]);
    let error = body_of(&client(), &server.url("/")).unwrap_err();
    assert!(matches!(error, NetError::HeadersTooLarge { .. } | NetError::Protocol { .. }), "{error}");
    assert_eq!(server.seen().len(), 1, "not asked again");
}

#[test]
fn silence_ends() {
    let server = Server::start();
    // One byte of two, and the connection stays open.
    server.on("/", [Reply::new(200).header("Content-Length", "2").body("1")]);
    let idle_timeout = Duration::from_millis(20);
    let client = Client::new(Settings { idle_timeout, attempts_max: 1, ..settings() }).unwrap();
    let error = body_of(&client, &server.url("/")).unwrap_err();
    assert!(matches!(error, NetError::TimedOut { limit: "idle_timeout", .. }), "{error}");
}

#[test]
fn a_trickle_ends() {
    let server = Server::start();
    server.on("/", [Reply::new(200).body("12345678")]);
    let client = Client::new(Settings {
        progress_window: Duration::ZERO,
        progress_bytes_min: 1000,
        attempts_max: 1,
        ..settings()
    })
    .unwrap();
    let error = body_of(&client, &server.url("/")).unwrap_err();
    assert!(matches!(error, NetError::TooSlow { bytes_min: 1000, .. }), "{error}");
}

#[test]
fn a_broken_body_is_resumed() {
    let server = Server::start();
    let whole = || Reply::new(200).header("ETag", "\"one\"").body("0123456789");
    let rest = |from: usize, range: &str| {
        let body = "0123456789"[from..].to_owned();
        Reply::new(206).header("ETag", "\"one\"").header("Content-Range", range).body(body)
    };
    server.on("/", [whole().cut_after(3), rest(3, "bytes 3-9/10").cut_after(4), rest(7, "bytes 7-9/10")]);
    let mut download = client().download(&Request::get(server.url("/")).header("Accept", "x/y")).unwrap();
    assert_eq!(download.length(), Some(10));
    assert_eq!(download.validators().etag.as_deref(), Some("\"one\""));
    let mut text = String::new();
    download.read_to_string(&mut text).unwrap();
    assert_eq!(text, "0123456789");
    let ranges: Vec<_> = server
        .seen()
        .iter()
        .map(|seen| {
            let get = |name| seen.header(name).map(str::to_owned);
            (get("range"), get("if-range"), get("accept"))
        })
        .collect();
    let asked = |range: &str| (Some(range.to_owned()), Some("\"one\"".to_owned()), Some("x/y".to_owned()));
    assert_eq!(ranges, [(None, None, Some("x/y".to_owned())), asked("bytes=3-"), asked("bytes=7-")]);
}

/// What the server answers to the second request, after `"0123456789"` was cut with `first`'s validators,
/// and the whole text or the beginning of the error.
#[track_caller]
fn check_resume(first: &[(&str, &str)], second: Reply, wanted: Result<&str, &str>) {
    let server = Server::start();
    let mut reply = Reply::new(200).body("0123456789").cut_after(4);
    for (name, value) in first {
        reply = reply.header(name, *value);
    }
    server.on("/", [reply, second]);
    let result = client().download(&Request::get(server.url("/"))).unwrap().bytes(100);
    match (result, wanted) {
        (Ok(bytes), Ok(wanted)) => assert_eq!(bytes, wanted.as_bytes()),
        (Err(error), Err(wanted)) => assert!(error.to_string().contains(wanted), "{error}"),
        (result, wanted) => panic!("{result:?} is not {wanted:?}"),
    }
}

#[test]
fn only_the_same_body_is_resumed() {
    let one = [("ETag", "\"one\"")];
    let weak = [("ETag", "W/\"one\"")];
    let range = "bytes 4-9/10";
    let rest = || Reply::new(206).header("Content-Range", range).body("456789");
    let whole = || Reply::new(200).body("0123456789");
    check_resume(&one, rest(), Ok("0123456789"));
    check_resume(&weak, rest().header("ETag", "W/\"one\""), Ok("0123456789"));
    check_resume(&[], rest(), Ok("0123456789"));
    check_resume(&[], whole(), Ok("0123456789"));
    check_resume(&one, whole().header("ETag", "\"one\""), Ok("0123456789"));
    check_resume(&one, whole().header("ETag", "\"two\""), Err("changed while it was fetched (`ETag`"));
    check_resume(&one, whole(), Err("changed"));
    check_resume(&one, rest().header("ETag", "\"two\""), Err("`ETag` was `\"one\"` and is `\"two\"`"));
    check_resume(&weak, rest().header("ETag", "W/\"two\""), Err("changed"));
    check_resume(&[], Reply::new(200).body("012345678"), Err("its length was 10 bytes and is 9"));
    check_resume(
        &[],
        Reply::new(206).header("Content-Range", "bytes 4-10/11").body("456789X"),
        Err("changed"),
    );
    check_resume(
        &[],
        Reply::new(206).header("Content-Range", "bytes 3-9/10").body("3456789"),
        Err("changed"),
    );
    check_resume(&[], Reply::new(206).body("456789"), Err("changed"));
    check_resume(&[], Reply::new(416), Err("changed"));
    check_resume(&[], Reply::new(404), Err("status 404"));
    check_resume(&[("Last-Modified", "a")], whole().header("Last-Modified", "b"), Err("changed"));
}

#[test]
fn a_body_that_failed_does_not_go_on() {
    let server = Server::start();
    let other = Reply::new(200).header("ETag", "\"two\"").body("9876543210");
    let rest = Reply::new(206).header("Content-Range", "bytes 4-9/10").body("456789");
    let first = Reply::new(200).header("ETag", "\"one\"").body("0123456789").cut_after(4);
    server.on("/", [first, other, rest]);
    let mut download = client().download(&Request::get(server.url("/"))).unwrap();
    let error = download.read_to_end(&mut Vec::new()).unwrap_err();
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<NetError>());
    assert!(matches!(cause, Some(NetError::Changed { .. })), "{error}");
    assert!(download.read(&mut [0; 10]).is_err());
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn credentials_are_renewed_when_they_run_out_in_a_body() {
    let server = Server::start();
    let whole = Reply::new(200).body("0123456789").cut_after(4);
    let rest = Reply::new(206).header("Content-Range", "bytes 4-9/10").body("456789");
    server.on("/", [whole, Reply::new(401).header("WWW-Authenticate", "Basic"), rest]);
    let request = Request::get(server.url("/")).header("authorization", "old");
    let download = client().download(&request).unwrap().renewing(|refusal| {
        assert_eq!(refusal.headers.get("www-authenticate"), Some("Basic"));
        Some("new".to_owned())
    });
    assert_eq!(download.bytes(10).unwrap(), b"0123456789");
    let sent: Vec<_> =
        server.seen().iter().map(|seen| seen.header("authorization").map(str::to_owned)).collect();
    assert_eq!(sent, ["old", "old", "new"].map(|value| Some(value.to_owned())));
}

#[test]
fn a_body_that_breaks_again_and_again_ends() {
    let server = Server::start();
    server.on("/", [Reply::new(200).body("0123456789").cut_after(0)]);
    let mut download = client().download(&Request::get(server.url("/"))).unwrap();
    let mut bytes = Vec::new();
    let error = download.read_to_end(&mut bytes).unwrap_err();
    assert!(error.to_string().contains("broke off after 0 bytes and 4 attempts"), "{error}");
    assert_eq!(server.seen().len(), 4);
    assert!(download.read(&mut [0]).is_err(), "an error is not followed by an end");
}

#[test]
fn a_body_without_length_that_is_cut_is_an_error() {
    let server = Server::start();
    let chunked = Reply::new(200).header("Transfer-Encoding", "chunked");
    server.on("/", [chunked.body("5\r\n01234\r\n0\r\n\r\n").cut_after(10)]);
    let error = client().download(&Request::get(server.url("/"))).unwrap().bytes(100).unwrap_err();
    assert!(matches!(error, NetError::BrokenOff { offset: 5, .. }), "{error}");
}

#[test]
fn private_addresses_are_refused_where_guarded() {
    let (first, second) = (Server::start(), Server::start());
    first.on("/", [Reply::new(302).header("Location", second.url("/"))]);
    second.on("/", [Reply::new(200)]);
    let guarded =
        Settings { denies_private_addresses: true, plain_http_hosts: vec!["*".into()], ..settings() };
    let client = Client::new(guarded.clone()).unwrap();
    let port = second.address.port();
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0"] {
        let error = body_of(&client, &format!("http://{host}:{port}/")).unwrap_err();
        assert!(matches!(error, NetError::AddressRefused { .. }), "{host}: {error}");
    }
    let private_hosts_allowed = vec![first.address.to_string()];
    let client = Client::new(Settings { private_hosts_allowed, ..guarded }).unwrap();
    let error = body_of(&client, &first.url("/")).unwrap_err();
    assert!(matches!(error, NetError::AddressRefused { .. }), "{error}");
    assert_eq!((first.seen().len(), second.seen().len()), (1, 0));
}

#[test]
fn plain_http_is_for_listed_hosts() {
    let error = body_of(&client(), "http://plimsoll.invalid/").unwrap_err();
    assert!(matches!(&error, NetError::PlainHttp { host, .. } if host == "plimsoll.invalid:80"), "{error}");
}

#[test]
fn requests_go_through_the_proxy() {
    let proxy = Server::start();
    proxy.on("plimsoll.invalid:80", [Reply::new(502)]);
    let proxies = Proxies { http: Some(proxy.url("")), ..Proxies::none() };
    let plain_http_hosts = vec!["plimsoll.invalid".to_owned()];
    let client = Client::new(Settings { proxies, plain_http_hosts, ..settings() }).unwrap();
    let error = body_of(&client, "http://plimsoll.invalid/").unwrap_err();
    assert!(matches!(error, NetError::Proxy { .. }), "{error}");
    assert_eq!((proxy.seen()[0].method.as_str(), proxy.seen().len()), ("CONNECT", 1));
}

#[test]
fn a_proxy_tunnels_and_is_told_who_we_are() {
    let proxy = Server::start();
    proxy.on("plimsoll.invalid:80", [Reply::new(200)]);
    proxy.on("/page", [Reply::new(200).body("through")]);
    let proxies = Proxies { http: Some(format!("http://me:pass@{}", proxy.address)), ..Proxies::none() };
    let plain_http_hosts = vec!["*".to_owned()];
    let settings = Settings { proxies, plain_http_hosts, denies_private_addresses: true, ..settings() };
    let client = Client::new(settings).unwrap();
    assert_eq!(body_of(&client, "http://plimsoll.invalid/page").unwrap(), "through");
    let seen = proxy.seen();
    assert_eq!(seen[0].header("proxy-authorization"), Some("Basic bWU6cGFzcw=="));
    assert_eq!((seen[1].path.as_str(), seen[1].header("proxy-authorization")), ("/page", None));
    // The proxy would connect to an address that we must not reach.
    let error = body_of(&client, "http://10.0.0.1/page").unwrap_err();
    assert!(matches!(error, NetError::AddressRefused { .. }), "{error}");
    assert_eq!(proxy.seen().len(), 2);
}

#[test]
fn documents_are_fetched_when_they_change() {
    let server = Server::start();
    let page = Reply::new(200).header("ETag", "\"1\"").header("Last-Modified", "then").body("page");
    server.on("/page", [page, Reply::new(304)]);
    server.on("/none", [Reply::new(404)]);
    server.on("/gone", [Reply::new(410)]);
    server.on("/busy", [Reply::new(503)]);
    server.on("/login", [Reply::new(403)]);
    server.on("/odd", [Reply::new(304)]);
    let client = client();
    let none = Validators::default();
    let Fetched::Changed(download) = client.get_if_changed(&server.url("/page"), &none).unwrap() else {
        panic!("not fetched");
    };
    let validators = download.validators();
    assert_eq!(download.bytes(10).unwrap(), b"page");
    let again = client.get_if_changed(&server.url("/page"), &validators).unwrap();
    assert!(matches!(again, Fetched::Unchanged));
    let seen = server.seen();
    assert_eq!(seen[1].header("if-none-match"), Some("\"1\""));
    assert_eq!(seen[1].header("if-modified-since"), Some("then"));
    // Of several forms JSON is wanted.
    assert!(seen.iter().all(|seen| seen.header("accept") == Some("application/json, */*;q=0.9")));
    for path in ["/none", "/gone"] {
        assert!(matches!(client.get_if_changed(&server.url(path), &none), Ok(Fetched::Absent)), "{path}");
    }
    let other = Server::start();
    other.on("/none", [Reply::new(404)]);
    server.on("/moved", [Reply::new(302).header("Location", other.url("/none"))]);
    for (path, status) in [("/busy", 503), ("/login", 403), ("/odd", 304), ("/moved", 404)] {
        let error = client.get_if_changed(&server.url(path), &none).unwrap_err();
        assert_eq!(error.status(), Some(status), "{path}");
    }
}

#[test]
fn a_document_that_breaks_off_is_resumed_without_its_conditions() {
    let server = Server::start();
    let whole = Reply::new(200).header("ETag", "\"2\"").body("0123456789").cut_after(4);
    let rest = Reply::new(206).header("Content-Range", "bytes 4-9/10").body("456789");
    server.on("/", [whole, rest]);
    let old = Validators { etag: Some("\"1\"".to_owned()), last_modified: None };
    let Fetched::Changed(download) = client().get_if_changed(&server.url("/"), &old).unwrap() else {
        panic!("not fetched");
    };
    assert_eq!(download.bytes(10).unwrap(), b"0123456789");
    let seen = server.seen();
    assert_eq!(seen[1].header("if-none-match"), None);
    assert_eq!(seen[1].header("if-range"), Some("\"2\""));
}

#[test]
fn files_answer_like_servers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a feed.json");
    std::fs::write(&path, "feed").unwrap();
    let url = format!("file://{}", path.to_str().unwrap().replace(' ', "%20"));
    let client = client();
    let Fetched::Changed(download) = client.get_if_changed(&url, &Validators::default()).unwrap() else {
        panic!("not read");
    };
    assert_eq!(download.length(), Some(4));
    let validators = download.validators();
    assert_eq!(download.bytes(10).unwrap(), b"feed");
    assert!(matches!(client.get_if_changed(&url, &validators), Ok(Fetched::Unchanged)));
    std::fs::write(&path, "other").unwrap();
    let Ok(Fetched::Changed(download)) = client.get_if_changed(&url, &validators) else { panic!("not read") };
    std::fs::write(&path, "a").unwrap();
    assert!(matches!(download.bytes(10), Err(NetError::Changed { .. })), "it shrank while it was read");
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(client.get_if_changed(&url, &validators), Ok(Fetched::Absent)));
    for bad in [format!("file://{}", folder.path().display()), "file://relative".to_owned()] {
        assert!(client.get_if_changed(&bad, &validators).is_err(), "{bad}");
    }
}

#[test]
fn bad_settings_are_found_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, "no certificate").unwrap();
    for path in [path, folder.path().join("missing.pem")] {
        let error = Client::new(Settings { ca_files: vec![path], ..settings() }).unwrap_err();
        assert!(matches!(error, NetError::CaFile { .. }), "{error}");
    }
    let proxies = Proxies { https: Some("socks5://u:p@h:1".to_owned()), ..Proxies::none() };
    let error = Client::new(Settings { proxies, ..settings() }).unwrap_err();
    assert!(error.to_string().contains("`socks5://h:1`"), "{error}");
}

#[test]
fn clients_are_shared_between_threads() {
    fn is_shareable<T: Send + Sync + Clone>(_: &T) {}
    fn is_sendable<T: Send>(_: &T) {}
    let server = Server::start();
    server.on("/", [Reply::new(200)]);
    let client = client();
    is_shareable(&client);
    is_sendable(&client.download(&Request::get(server.url("/"))).unwrap());
}
