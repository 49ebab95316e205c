//! The server's own sockets: connections are accepted, put behind TLS, served, and ended in time.
//!
//! What surprises:
//!
//! - Whoever connects has only so long to say what they want; a connection that says nothing is closed, also in the
//!   middle of a TLS handshake.
//! - Certificates are looked at anew for each connection and read again when they have changed. A broken file leaves the
//!   old ones in force.
//! - Without anybody who could be told apart, everybody may do everything; then only the loopback address is listened on.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::util::ServiceExt as _;

use super::Ending;
use super::limits::Peer;
use crate::config::{ServerConfig, TlsConfig};
use crate::server::Server;
use crate::watched::Watched;

/// Largest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// Most headers of a request.
const HEADERS_MAX: usize = 128;

/// Most requests at once on one connection of HTTP/2.
const STREAMS_MAX: u32 = 128;

/// How often a silent connection of HTTP/2 is asked whether it is still there, and how long it has to say so.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIME_MAX: Duration = Duration::from_secs(20);

/// How long to wait when no connection can be accepted: there are no file descriptors left.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// Opens the socket that the configuration names. Refuses to let everybody in from everywhere unless that is meant.
pub(crate) async fn bind(server: &Server) -> anyhow::Result<TcpListener> {
    let listen = &server.config.server.listen;
    let listener = TcpListener::bind(listen.as_str()).await;
    let listener = listener.with_context(|| {
        format!("cannot listen on `{listen}`; give an address and a port that are free, such as `127.0.0.1:6060`, with `--listen` or as `listen` in `[server]`")
    })?;
    check(server, listener.local_addr()?)?;
    Ok(listener)
}

/// Refuses to let everybody in from everywhere unless that is meant.
fn check(server: &Server, address: SocketAddr) -> anyhow::Result<()> {
    let door = server.door().map_err(|refusal| anyhow::anyhow!(refusal.message))?;
    if door.is_open() && !server.config.server.auth.open && !address.ip().is_loopback() {
        bail!(
            "nobody would have to say who they are, and `{address}` can be reached from other machines; make a token with `plimsoll token new NAME` and put it into `[server.auth]`, or listen on `127.0.0.1`, or say `open = true` in `[server.auth]` if everybody may do everything"
        );
    }
    Ok(())
}

/// Serves until the end is told, and then for as long as requests under way may take.
pub(crate) async fn listen(
    server: Arc<Server>,
    router: Router,
    listener: TcpListener,
    ending: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    check(&server, listener.local_addr()?)?;
    let limits = &server.config.server.limits;
    let tls = server.config.server.tls.as_ref().map(certificates).transpose()?;
    let front = Arc::new(Listening {
        tls,
        builder: builder(&server.config.server),
        header_time_max: limits.header_time_max.0,
        router,
        ending: Ending::new(ending.clone()),
    });
    let connections =
        Arc::new(Semaphore::new(usize::try_from(limits.connections_max).unwrap_or(usize::MAX >> 3)));
    let open = GracefulShutdown::new();
    let mut ended = pin!(Ending::new(ending).begun());
    loop {
        let next = async {
            let permit = Arc::clone(&connections).acquire_owned().await;
            (permit, listener.accept().await)
        };
        tokio::select! {
            () = &mut ended => break,
            (permit, accepted) = next => match (permit, accepted) {
                (Ok(permit), Ok((stream, address))) => {
                    tokio::spawn(Arc::clone(&front).serve(stream, address, open.watcher(), permit));
                }
                (_, Err(error)) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    sleep(ACCEPT_AGAIN).await;
                }
                (Err(_), _) => break,
            }
        }
    }
    // Nobody is let in any more, so that others can take the port.
    drop(listener);
    let longest = limits.ending_time_max;
    if timeout(longest.0, open.shutdown()).await.is_err() {
        tracing::warn!("requests that were not answered within {longest} are broken off");
    }
    Ok(())
}

fn builder(config: &ServerConfig) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.limits.header_time_max.0)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIME_MAX);
    builder
}

struct Listening {
    tls: Option<Watched<TlsAcceptor>>,
    builder: Builder<TokioExecutor>,
    header_time_max: Duration,
    router: Router,
    ending: Ending,
}

impl Listening {
    /// One connection.
    async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        address: SocketAddr,
        watcher: Watcher,
        _permit: OwnedSemaphorePermit,
    ) {
        // Small answers would wait for each other.
        drop(stream.set_nodelay(true));
        let Some(tls) = &self.tls else {
            return self.speak(stream, address, watcher).await;
        };
        match timeout(self.header_time_max, tls.get().accept(stream)).await {
            Ok(Ok(stream)) => self.speak(stream, address, watcher).await,
            Ok(Err(error)) => tracing::debug!(%address, "a TLS handshake failed: {error}"),
            Err(_) => tracing::debug!(%address, "a TLS handshake took too long"),
        }
    }

    async fn speak<S>(&self, stream: S, address: SocketAddr, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let has_asked = Arc::new(AtomicBool::new(false));
        let service = {
            let (has_asked, ending) = (Arc::clone(&has_asked), self.ending.clone());
            self.router.clone().map_request(move |request: hyper::Request<hyper::body::Incoming>| {
                has_asked.store(true, Ordering::Relaxed);
                let mut request: Request = request.map(Body::new);
                request.extensions_mut().insert(Peer(address));
                request.extensions_mut().insert(ending.clone());
                request
            })
        };
        let service = TowerToHyperService::new(service);
        let connection = self.builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = pin!(watcher.watch(connection));
        // The version is only known after some bytes, for which nothing else sets a limit.
        tokio::select! {
            served = &mut connection => return note(address, served),
            () = sleep(self.header_time_max) => {}
        }
        if has_asked.load(Ordering::Relaxed) {
            note(address, connection.await);
        } else {
            tracing::debug!(%address, "a connection asked nothing in time");
        }
    }
}

fn note(address: SocketAddr, served: Result<(), impl std::fmt::Display>) {
    if let Err(error) = served {
        tracing::debug!(%address, "a connection broke: {error}");
    }
}

/// The certificate and its key, read again when one of the files changes.
fn certificates(config: &TlsConfig) -> anyhow::Result<Watched<TlsAcceptor>> {
    Watched::new(vec![config.certificate.clone(), config.key.clone()], read_certificates)
}

fn read_certificates(paths: &[PathBuf]) -> anyhow::Result<TlsAcceptor> {
    let (certificate, key) = (&paths[0], &paths[1]);
    let place = certificate.display();
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.with_context(|| format!("cannot read the certificate `{place}`"))?;
    if chain.is_empty() {
        bail!("there is no certificate in `{place}`; it has to be PEM");
    }
    let key_place = key.display();
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("cannot read the private key `{key_place}`"))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_no_client_auth().with_single_cert(chain, key);
    let mut config = config.with_context(|| {
        format!("the certificate `{place}` and the key `{key_place}` do not belong together")
    })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests;
