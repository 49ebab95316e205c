//! The demo's registries, on loopback: what each has, and how each behaves.
//!
//! They speak what Plimsoll asks of a registry (OCI distribution specification: catalog, tags, manifests, blobs), and give the
//! feed that is on its way.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_stream::wrappers::ReceiverStream;
use zip::ZipArchive;

/// What the demo shows, packed by `cargo xtask example --write`.
static ARCHIVE: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/demo/harbour.zip"));

/// How many pieces a slow answer comes in, and how long each takes: four minutes together, in which everything can be
/// looked at.
const PIECES: usize = 240;
const PIECE_TIME: Duration = Duration::from_secs(1);

/// Seconds for which a busy registry asks not to be asked.
const BUSY_SECONDS: u32 = 300;

/// A registry of the demo.
#[derive(Debug)]
pub(super) struct Row {
    /// By which the archive says what it has.
    pub(super) name: &'static str,
    /// How it behaves.
    manner: Manner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// As registries do.
    Usual,
    /// Layers and feeds trickle.
    Slow,
    /// Whoever wants a blob is asked to come back later.
    Busy,
    /// Layers are not what their digests say.
    Damaged,
}

/// All of them.
pub(super) static ROWS: &[Row] = &[
    Row { name: "harbour", manner: Manner::Usual },
    Row { name: "slow", manner: Manner::Slow },
    Row { name: "busy", manner: Manner::Busy },
    Row { name: "damaged", manner: Manner::Damaged },
];

/// A tag of the archive.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Tag {
    pub(super) registry: String,
    pub(super) repository: String,
    pub(super) tag: String,
    pub(super) digest: String,
}

/// The archive, read.
#[derive(Debug, Default)]
pub(super) struct Harbour {
    /// By path: `blobs/DIGEST`, `feeds/..`, `policies/..`.
    pub(super) files: BTreeMap<String, Bytes>,
    pub(super) tags: Vec<Tag>,
}

impl Harbour {
    /// Reads the archive that is part of the binary.
    ///
    /// # Errors
    ///
    /// If it is none, which a test refutes.
    pub(super) fn read() -> anyhow::Result<Harbour> {
        let mut archive = ZipArchive::new(Cursor::new(ARCHIVE)).context("the demo's archive is damaged")?;
        let mut harbour = Harbour::default();
        for at in 0..archive.len() {
            let mut file = archive.by_index(at)?;
            let (name, mut bytes) = (file.name()?.into_owned(), Vec::new());
            file.read_to_end(&mut bytes)?;
            harbour.files.insert(name, bytes.into());
        }
        let tags = harbour.files.get("tags.json").context("the demo's archive has no tags")?;
        harbour.tags = serde_json::from_slice(tags)?;
        Ok(harbour)
    }
}

/// A registry that listens.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) row: &'static Row,
    listener: TcpListener,
}

impl Registry {
    /// Takes a port of loopback that is free.
    pub(super) fn bind(row: &'static Row) -> anyhow::Result<Registry> {
        let listener = TcpListener::bind("127.0.0.1:0");
        let listener =
            listener.context("no port of the loopback address is free for a registry of the demo")?;
        listener.set_nonblocking(true)?;
        Ok(Registry { row, listener })
    }

    /// `HOST:PORT`.
    pub(super) fn host(&self) -> anyhow::Result<String> {
        Ok(format!("localhost:{}", self.listener.local_addr()?.port()))
    }

    /// Serves until the process ends.
    pub(super) fn serve(self, harbour: Arc<Harbour>) -> anyhow::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let shown = Shown { row: self.row, harbour };
        let router = Router::new().fallback(get(answer)).with_state(shown);
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(error = %error, "a registry of the demo broke off");
            }
        });
        Ok(())
    }
}

#[derive(Clone)]
struct Shown {
    row: &'static Row,
    harbour: Arc<Harbour>,
}

impl Shown {
    fn tags(&self) -> impl Iterator<Item = &Tag> {
        self.harbour.tags.iter().filter(|tag| tag.registry == self.row.name)
    }

    fn blob(&self, digest: &str) -> Option<Bytes> {
        self.harbour.files.get(&format!("blobs/{digest}")).cloned()
    }
}

async fn answer(State(shown): State<Shown>, uri: Uri) -> Response {
    let path = uri.path();
    let found = match path.strip_prefix("/v2/") {
        Some("") => Some(Json(json!({})).into_response()),
        Some("_catalog") => Some(catalog(&shown)),
        Some(rest) => of_repository(&shown, rest),
        None => shown
            .harbour
            .files
            .get(path.trim_start_matches('/'))
            .filter(|_| path.starts_with("/feeds/"))
            .map(|bytes| content(&shown, bytes.clone())),
    };
    found.unwrap_or_else(|| error(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"))
}

fn catalog(shown: &Shown) -> Response {
    let mut names: Vec<&str> = shown.tags().map(|tag| tag.repository.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Json(json!({"repositories": names})).into_response()
}

fn of_repository(shown: &Shown, rest: &str) -> Option<Response> {
    if let Some(name) = rest.strip_suffix("/tags/list") {
        let tags: Vec<&str> =
            shown.tags().filter(|tag| tag.repository == name).map(|tag| tag.tag.as_str()).collect();
        return (!tags.is_empty()).then(|| Json(json!({"name": name, "tags": tags})).into_response());
    }
    if let Some((name, reference)) = rest.split_once("/manifests/") {
        let named = shown.tags().find(|tag| tag.repository == name && tag.tag == reference);
        let digest = named.map_or(reference, |tag| tag.digest.as_str());
        return Some(manifest(digest, shown.blob(digest)?));
    }
    let (_, digest) = rest.split_once("/blobs/")?;
    Some(content(shown, shown.blob(digest)?))
}

fn manifest(digest: &str, bytes: Bytes) -> Response {
    let document: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let media_type = document["mediaType"].as_str().unwrap_or_default().to_owned();
    let headers = [(header::CONTENT_TYPE.as_str(), media_type), ("docker-content-digest", digest.to_owned())];
    (headers, bytes).into_response()
}

/// A blob or a feed, in the registry's manner.
fn content(shown: &Shown, bytes: Bytes) -> Response {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    let is_layer = bytes.starts_with(GZIP);
    match shown.row.manner {
        Manner::Damaged if is_layer => {
            let mut bytes = bytes.to_vec();
            if let Some(last) = bytes.last_mut() {
                *last = !*last;
            }
            bytes.into_response()
        }
        Manner::Slow => trickle(bytes),
        Manner::Busy => {
            let retry = [(header::RETRY_AFTER, BUSY_SECONDS.to_string())];
            (retry, error(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS")).into_response()
        }
        Manner::Usual | Manner::Damaged => bytes.into_response(),
    }
}

/// Sends bytes in pieces.
fn trickle(bytes: Bytes) -> Response {
    let length = bytes.len();
    let (pieces, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    tokio::spawn(async move {
        for piece in bytes.chunks(length.div_ceil(PIECES).max(1)) {
            if pieces.send(Ok(Bytes::copy_from_slice(piece))).await.is_err() {
                break;
            }
            tokio::time::sleep(PIECE_TIME).await;
        }
    });
    ([(header::CONTENT_LENGTH, length)], Body::from_stream(ReceiverStream::new(receiver))).into_response()
}

fn error(status: StatusCode, code: &str) -> Response {
    (status, Json(json!({"errors": [{"code": code, "message": "said by the demo"}]}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_whole() {
        let harbour = Harbour::read().unwrap();
        for tag in &harbour.tags {
            assert!(ROWS.iter().any(|row| row.name == tag.registry), "{tag:?}");
            assert!(harbour.files.contains_key(&format!("blobs/{}", tag.digest)), "{tag:?}");
        }
        for row in ROWS {
            assert!(harbour.tags.iter().any(|tag| tag.registry == row.name), "{row:?}");
        }
    }
}
