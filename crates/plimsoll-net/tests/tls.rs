//! Which TLS servers are trusted, and what a redirect from one may do.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use plimsoll_net::{Client, NetError, Proxies, Request, Settings};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/tls").join(name)
}

/// A server that gives the same answer to everybody, one request a connection.
fn serve(answer: &'static str) -> SocketAddr {
    let certificate = CertificateDer::from_pem_file(fixture("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that does not trust us breaks off; that is its test's business.
            let _ = answer_one(stream, Arc::clone(&config), answer);
        }
    });
    address
}

fn answer_one(stream: TcpStream, config: Arc<ServerConfig>, answer: &str) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        request.extend_from_slice(&buffer[..count]);
    }
    stream.write_all(answer.as_bytes())?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn client(ca_files: Vec<PathBuf>) -> Client {
    let settings = Settings { ca_files, attempts_max: 1, proxies: Proxies::none(), ..Settings::default() };
    Client::new(settings).unwrap()
}

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";

#[test]
fn a_given_authority_is_trusted_for_the_names_it_vouches_for() {
    let port = serve(HELLO).port();
    let trusting = client(vec![fixture("ca.pem")]);
    let response = trusting.send(&Request::get(format!("https://localhost:{port}/"))).unwrap();
    assert_eq!(response.bytes(5).unwrap(), b"hello");
    let error = trusting.send(&Request::get(format!("https://127.0.0.1:{port}/"))).unwrap_err();
    assert!(matches!(error, NetError::Tls { .. }), "another name: {error:?}");
}

#[test]
fn an_unknown_authority_is_not_trusted() {
    let port = serve(HELLO).port();
    let result = client(Vec::new()).send(&Request::get(format!("https://localhost:{port}/")));
    // A machine without any authorities refuses too, with its own reason.
    assert!(matches!(result, Err(NetError::Tls { .. } | NetError::NoAuthorities { .. })), "{result:?}");
}

#[test]
fn a_redirect_to_plain_http_is_not_followed() {
    let port =
        serve("HTTP/1.1 302 Found\r\nLocation: http://localhost:1/\r\nContent-Length: 0\r\n\r\n").port();
    let error = client(vec![fixture("ca.pem")])
        .send(&Request::get(format!("https://localhost:{port}/")))
        .unwrap_err();
    assert!(matches!(error, NetError::RedirectRefused { .. }), "{error:?}");
}

#[test]
fn a_plain_server_is_no_tls_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let error = client(vec![fixture("ca.pem")])
        .send(&Request::get(format!("https://localhost:{port}/")))
        .unwrap_err();
    assert!(matches!(error, NetError::Tls { .. }), "{error:?}");
}
