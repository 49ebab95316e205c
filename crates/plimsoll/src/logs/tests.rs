//! What the log holds, and what it never holds.

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tower::ServiceExt as _;

use super::*;
use crate::access::fresh;
use crate::http::router;
use crate::server::Server;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log of some requests to a server.
fn logged(text: &str, requests: impl Fn() -> Vec<Request>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::parse(text).unwrap();
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = subscriber(&config, move || writer.clone(), None).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let server =
            Server::new(config, folder.path().to_owned(), Vec::new(), "r".to_owned(), jiff::Timestamp::now);
        server.lifecycle.ready();
        let router = router(&Arc::new(server));
        let ask = || {
            for request in requests() {
                runtime.block_on(router.clone().oneshot(request)).unwrap();
            }
        };
        // Other tests may be the first to reach an event, and nobody listens to them; that is decided anew here.
        ask();
        tracing::callsite::rebuild_interest_cache();
        kept.0.lock().unwrap().clear();
        ask();
    });
    String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
}

fn request(path: &str, headers: &[(&str, String)]) -> Request {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    request.body(Body::empty()).unwrap()
}

#[test]
fn secrets_are_never_logged() {
    let (good, hash) = fresh().unwrap();
    let wrong = "plimsoll_wrong-and-secret";
    let config = format!(
        "[server]\nlog = 'trace'\nlog_json = true\nstore = 'postgres://plimsoll:store-secret@db.example/plimsoll'\n\
         [server.auth]\nmetrics = 'read'\n\
         [[server.auth.tokens]]\nname = 'ci'\nsha256 = '{hash}'\nscopes = ['read']\n\
         [server.traces]\nurl = 'https://user:traces-secret@collector.example'\n"
    );
    let basic = |password: &str| format!("Basic {}", STANDARD.encode(format!("user:{password}")));
    let log = logged(&config, || {
        vec![
            request("/metrics?token=query-secret", &[("authorization", format!("Bearer {good}"))]),
            request("/metrics", &[("authorization", format!("Bearer {wrong}"))]),
            request("/metrics", &[("authorization", basic(&good))]),
            request("/metrics", &[("x-scanneradapter-api-key", good.clone())]),
            request("/healthz", &[("cookie", "cookie-secret".to_owned())]),
            request("/path-secret", &[]),
        ]
    });
    assert!(log.contains("token:ci") && log.contains("\"status\":401"), "{log}");
    let encoded = [basic(&good)[6..].to_owned(), hash];
    let secrets = [
        good.as_str(),
        wrong,
        "store-secret",
        "traces-secret",
        "query-secret",
        "cookie-secret",
        "path-secret",
    ];
    for secret in secrets.into_iter().chain(encoded.iter().map(String::as_str)) {
        assert!(!log.contains(secret), "{secret}: {log}");
    }
}

#[test]
fn what_is_logged_is_the_configuration_s() {
    let count = |log: &str| {
        let requests = || vec![request("/healthz", &[]), request("/metrics", &[])];
        logged(&format!("[server]\nlog = '{log}'\n[server.auth]\nmetrics = 'read'\n"), requests)
            .lines()
            .count()
    };
    // Both endpoints are always there, so what goes well is not worth a line.
    assert_eq!((count("warn"), count("info")), (0, 0));
    assert_eq!(count("plimsoll=debug"), 2);
    let config = Config::parse("[server]\nlog = 'plimsoll=loud'\n").unwrap();
    let error = subscriber(&config, io::stderr, None).err().unwrap();
    assert!(format!("{error:#}").contains("`log = \"plimsoll=loud\"`"), "{error:#}");
}
