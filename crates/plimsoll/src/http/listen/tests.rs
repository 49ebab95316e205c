//! Real sockets on the loopback address: both versions of HTTP, TLS with a certificate that changes, and the end.

use std::fs;
use std::path::Path;

use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::*;
use crate::config::Config;
use crate::http::router;

struct Running {
    address: SocketAddr,
    tell: watch::Sender<bool>,
    task: JoinHandle<anyhow::Result<()>>,
    _folder: TempDir,
}

impl Running {
    async fn start(config: &str) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::parse(&format!("[server]\nlisten = '127.0.0.1:0'\n{config}")).unwrap();
        let server = Server::new(config, folder.path().to_owned(), Vec::new(), "r".to_owned(), jiff::Timestamp::now);
        let server = Arc::new(server);
        let listener = bind(&server).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, ending) = watch::channel(false);
        let task = tokio::spawn(listen(Arc::clone(&server), router(&server), listener, ending));
        Running { address, tell, task, _folder: folder }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn end(self) {
        self.tell.send(true).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

const GET: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Reads one answer of HTTP/1.1 whose body is `ok`.
async fn read_ok(stream: &mut (impl AsyncRead + Unpin)) {
    let mut text = Vec::new();
    while !text.ends_with(b"ok\n") {
        let byte = stream
            .read_u8()
            .await
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&text)));
        text.push(byte);
    }
    assert!(text.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&text));
}

#[tokio::test]
async fn connections_are_kept_until_the_end() {
    let running = Running::start("").await;
    let mut stream = running.connect().await;
    for _ in 0..2 {
        stream.write_all(GET).await.unwrap();
        read_ok(&mut stream).await;
    }
    let address = running.address;
    running.end().await;
    assert_eq!(stream.read(&mut [0; 10]).await.unwrap_or_default(), 0, "it is closed");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

/// RFC 9113, 3.4: a client that knows begins with its preface; the server answers with settings.
#[tokio::test]
async fn http_2_without_tls() {
    let running = Running::start("").await;
    let mut stream = running.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "a SETTINGS frame: {head:?}");
    running.end().await;
}

/// What a client sends that never says what it wants. `P` could be the begin of either version.
#[tokio::test]
async fn whoever_says_nothing_is_shown_out() {
    let running = Running::start("[server.limits]\nheader_time_max = '50ms'\n").await;
    for begin in [b"".as_slice(), b"P", b"GET /healthz HTTP/1.1\r\nhost:"] {
        let mut stream = running.connect().await;
        stream.write_all(begin).await.unwrap();
        let mut rest = Vec::new();
        // Whether it is closed or broken off is the system's.
        drop(stream.read_to_end(&mut rest).await);
        assert!(!rest.starts_with(b"HTTP/1.1 200"), "{begin:?}");
    }
    running.end().await;
}

#[tokio::test]
async fn only_so_many_connections_at_once() {
    let running = Running::start("[server.limits]\nconnections_max = 1\n").await;
    let mut first = running.connect().await;
    first.write_all(GET).await.unwrap();
    read_ok(&mut first).await;
    let mut second = running.connect().await;
    second.write_all(GET).await.unwrap();
    let waits = timeout(Duration::from_millis(50), second.read_u8()).await;
    assert!(waits.is_err(), "{waits:?}");
    drop(first);
    read_ok(&mut second).await;
    drop(second);
    running.end().await;
}

fn tls_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plimsoll-net/testdata/tls").join(name)
}

/// A client that trusts one authority.
fn connector(authority: &Path, versions: &[&[u8]]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = versions.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn certificates_are_read_again_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("a.pem"), folder.path().join("a.key"));
    fs::copy(tls_file("server.pem"), &certificate).unwrap();
    fs::copy(tls_file("server.key"), &key).unwrap();
    let config =
        format!("[server.tls]\ncertificate = '{}'\nkey = '{}'\n", certificate.display(), key.display());
    let running = Running::start(&config).await;
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/tls/other.pem");
    let open = async |authority: &Path| {
        let stream = running.connect().await;
        let name = ServerName::try_from("localhost").unwrap();
        connector(authority, &[b"http/1.1"]).connect(name, stream).await
    };
    let mut first = open(&tls_file("ca.pem")).await.unwrap();
    assert!(open(&other).await.is_err());

    // A broken file leaves the old certificate in force.
    fs::write(&certificate, "half of a certificate").unwrap();
    open(&tls_file("ca.pem")).await.unwrap();

    // One that is not of the key's, too.
    fs::copy(&other, &certificate).unwrap();
    open(&tls_file("ca.pem")).await.unwrap();

    fs::copy(other.with_extension("key"), &key).unwrap();
    open(&other).await.unwrap();
    assert!(open(&tls_file("ca.pem")).await.is_err());

    // The connection from before goes on.
    first.write_all(GET).await.unwrap();
    read_ok(&mut first).await;
    drop(first);
    running.end().await;
}

#[tokio::test]
async fn the_version_is_agreed_on_in_the_handshake() {
    let config = format!(
        "[server.tls]\ncertificate = '{}'\nkey = '{}'\n",
        tls_file("server.pem").display(),
        tls_file("server.key").display()
    );
    let running = Running::start(&config).await;
    for (offered, wanted) in [
        (vec![b"h2".as_slice(), b"http/1.1"], Some(b"h2".as_slice())),
        (vec![b"http/1.1"], Some(b"http/1.1")),
    ] {
        let name = ServerName::try_from("localhost").unwrap();
        let connector = connector(&tls_file("ca.pem"), &offered);
        let stream = connector.connect(name, running.connect().await).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), wanted);
    }
    running.end().await;
}

#[tokio::test]
async fn who_may_be_let_in_from_where() {
    let token =
        format!("[[server.auth.tokens]]\nname = 'a'\nsha256 = '{}'\nscopes = ['read']\n", "0".repeat(64));
    for (listen, config, wanted) in [
        ("127.0.0.1:0", "", Ok(())),
        ("[::1]:0", "", Ok(())),
        ("0.0.0.0:0", "", Err("plimsoll token new")),
        ("0.0.0.0:0", "[server.auth]\nanonymous = 'read'\n", Err("plimsoll token new")),
        ("0.0.0.0:0", "[server.auth]\nopen = true\n", Ok(())),
        ("0.0.0.0:0", token.as_str(), Ok(())),
        ("nowhere", "", Err("an address and a port")),
        ("127.0.0.1:0", "[server.auth]\ntokens_file = '/nowhere'\n", Err("/nowhere")),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::parse(&format!("[server]\nlisten = '{listen}'\n{config}")).unwrap();
        let server = Server::new(config, folder.path().to_owned(), Vec::new(), "r".to_owned(), jiff::Timestamp::now);
        match (bind(&server).await, wanted) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(wanted)) => assert!(format!("{error:#}").contains(wanted), "{error:#}"),
            // A machine without IPv6.
            (Err(_), Ok(())) if listen.starts_with('[') => println!("skipped: there is no `::1`"),
            (found, wanted) => panic!("{listen}: {found:?}, not {wanted:?}"),
        }
    }
}
