//! A registry in this process that answers as a test wants: from a layout, or by stalling, refusing, breaking off.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::Value;

use super::images::{Layout, digest};

/// What registries say of what they do not have.
pub(crate) const UNKNOWN: &str = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;

/// What is done with requests whose path holds a text.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// The answer waits until [`Scripted::release`].
    Stall,
    /// This status, with these headers and this body.
    Say(u16, &'static str, &'static str),
    /// Half of the body, then the end.
    Break,
    /// Other bytes of the same length.
    Spoil,
    /// 401, unless the request has this `Authorization`.
    Demand(String),
    /// To another URL.
    Redirect(String),
    /// Half of the body, then silence until [`Scripted::release`].
    Hush,
    /// A body that never ends.
    Endless,
    /// Without saying which digest it has.
    Nameless,
    /// With another digest in the header.
    Misname,
    /// With a length that is more than comes.
    Overstate,
    /// What stands under another path.
    Instead(String),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
}

impl Asked {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A registry in this process.
pub(crate) struct Scripted {
    pub(crate) host: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    released: Condvar,
}

impl Shared {
    /// Waits for [`Scripted::release`].
    fn wait(&self) {
        let state = self.state.lock().unwrap();
        drop(self.released.wait_while(state, |state| !state.is_released).unwrap());
    }
}

#[derive(Default)]
struct State {
    /// By `REPO/TAG` or `REPO/DIGEST`: media type and bytes.
    manifests: BTreeMap<String, (String, Vec<u8>)>,
    blobs: BTreeMap<String, Vec<u8>>,
    /// By repository.
    tags: BTreeMap<String, Vec<String>>,
    deeds: Vec<(String, Deed)>,
    /// Deeds that are done to one request alone, the first first.
    once: Vec<(String, Deed)>,
    is_released: bool,
    asked: Vec<Asked>,
}

impl Scripted {
    /// Starts one on a port of its own.
    pub(crate) fn start() -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // An answer is written in two parts; the second would wait for the client's word on the first.
                stream.set_nodelay(true).unwrap();
                let shared = Arc::clone(&of_thread);
                thread::spawn(move || drop(serve(&shared, stream)));
            }
        });
        Scripted { host, shared }
    }

    /// Has all that a layout holds; `top` under a tag.
    pub(crate) fn push(&self, repository: &str, layout: &Layout, top: &Value, tag: &str) {
        let mut state = self.shared.state.lock().unwrap();
        for (digest, bytes) in &layout.blobs {
            let json: Value = serde_json::from_slice(bytes).unwrap_or_default();
            if let Some(media_type) = json["mediaType"].as_str() {
                let manifest = (media_type.to_owned(), bytes.clone());
                state.manifests.insert(format!("{repository}/{digest}"), manifest);
            }
            state.blobs.insert(digest.clone(), bytes.clone());
        }
        let bytes = layout.blobs[top["digest"].as_str().unwrap()].clone();
        let media_type = top["mediaType"].as_str().unwrap().to_owned();
        state.manifests.insert(format!("{repository}/{tag}"), (media_type, bytes));
    }

    /// Has a manifest of any kind, as `REPO/TAG`.
    pub(crate) fn manifest(&self, name: &str, media_type: &str, bytes: &[u8]) {
        let manifest = (media_type.to_owned(), bytes.to_vec());
        self.shared.state.lock().unwrap().manifests.insert(name.to_owned(), manifest);
    }

    /// Has a blob.
    pub(crate) fn blob(&self, digest: &str, bytes: &[u8]) {
        self.shared.state.lock().unwrap().blobs.insert(digest.to_owned(), bytes.to_vec());
    }

    /// Lists these tags of a repository.
    pub(crate) fn tags(&self, repository: &str, tags: &[&str]) {
        let tags = tags.iter().map(|&tag| tag.to_owned()).collect();
        self.shared.state.lock().unwrap().tags.insert(repository.to_owned(), tags);
    }

    /// The bytes of a manifest, by `REPO/TAG`.
    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        self.shared.state.lock().unwrap().manifests[name].1.clone()
    }

    /// Does this with requests whose path holds a text.
    pub(crate) fn script(&self, path: &str, deed: Deed) {
        let mut state = self.shared.state.lock().unwrap();
        state.deeds.push((path.to_owned(), deed));
        state.is_released = false;
    }

    /// Does this with the next request whose path holds a text.
    pub(crate) fn script_once(&self, path: &str, deed: Deed) {
        self.shared.state.lock().unwrap().once.push((path.to_owned(), deed));
    }

    /// Does nothing special any more.
    pub(crate) fn behave(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.deeds.clear();
        state.once.clear();
        drop(state);
        self.release();
    }

    /// Ends the waiting of what stalls.
    pub(crate) fn release(&self) {
        self.shared.state.lock().unwrap().is_released = true;
        self.shared.released.notify_all();
    }

    /// Paths that were asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.path).collect()
    }

    /// Requests that came so far.
    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.shared.state.lock().unwrap().asked.clone()
    }
}

fn serve(shared: &Shared, stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    while let Some((method, asked)) = read(&mut reader)? {
        let path = asked.path.clone();
        let authorization = asked.header("authorization").map(str::to_owned);
        let deed = {
            let mut state = shared.state.lock().unwrap();
            state.asked.push(asked);
            let is_it = |(text, _): &(String, Deed)| path.contains(text.as_str());
            match state.once.iter().position(is_it) {
                Some(at) => Some(state.once.remove(at).1),
                None => state.deeds.iter().find(|one| is_it(one)).map(|(_, deed)| deed.clone()),
            }
        };
        let path = match deed {
            Some(Deed::Stall) => {
                shared.wait();
                path
            }
            Some(Deed::Say(status, headers, body)) => {
                write!(
                    stream,
                    "HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}",
                    body.len()
                )?;
                continue;
            }
            Some(Deed::Redirect(to)) => {
                write!(stream, "HTTP/1.1 307 X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")?;
                continue;
            }
            Some(Deed::Demand(wanted)) if authorization.as_deref() != Some(&wanted) => {
                let is_basic = wanted.starts_with("Basic ");
                let challenge = if is_basic { "WWW-Authenticate: Basic realm=\"x\"\r\n" } else { "" };
                write!(stream, "HTTP/1.1 401 X\r\n{challenge}Content-Length: 0\r\n\r\n")?;
                continue;
            }
            Some(Deed::Instead(ref other)) => other.clone(),
            _ => path,
        };
        let found = find(&shared.state.lock().unwrap(), &path);
        let goes_on = match found {
            None => say_unknown(&mut stream, &method).map(|()| true),
            Some(found) => hand_over(shared, &mut stream, &method, deed.as_ref(), found),
        };
        if !goes_on? {
            return Ok(());
        }
    }
    Ok(())
}

/// The method and the rest of the next request; `None` at the end.
fn read(reader: &mut impl BufRead) -> std::io::Result<Option<(String, Asked)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default());
    let mut asked = Asked { path: path.to_owned(), headers: Vec::new() };
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        if header.trim().is_empty() {
            return Ok(Some((method, asked)));
        }
        let (name, value) = header.split_once(':').unwrap_or_default();
        asked.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// Sends what is there, with what is done to it. Says whether the connection goes on.
fn hand_over(
    shared: &Shared,
    stream: &mut TcpStream,
    method: &str,
    deed: Option<&Deed>,
    (media_type, mut bytes): (String, Vec<u8>),
) -> std::io::Result<bool> {
    let named = match deed {
        Some(Deed::Nameless) => String::new(),
        Some(Deed::Misname) => format!("Docker-Content-Digest: sha256:{}\r\n", "0".repeat(64)),
        _ => format!("Docker-Content-Digest: {}\r\n", digest(&bytes)),
    };
    if let Some(Deed::Spoil) = deed {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let length = match deed {
        Some(Deed::Endless) => "Transfer-Encoding: chunked".to_owned(),
        Some(Deed::Overstate) => format!("Content-Length: {}", bytes.len() + 9),
        _ => format!("Content-Length: {}", bytes.len()),
    };
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\n{named}{length}\r\n\r\n")?;
    if method == "HEAD" {
        return Ok(true);
    }
    match deed {
        Some(Deed::Endless) => loop {
            // Ends where the client has had enough.
            write!(stream, "{:x}\r\n", bytes.len())?;
            stream.write_all(&bytes)?;
            stream.write_all(b"\r\n")?;
        },
        Some(Deed::Hush) => {
            stream.write_all(&bytes[..bytes.len() / 2])?;
            shared.wait();
            Ok(false)
        }
        Some(Deed::Overstate) => stream.write_all(&bytes).map(|()| false),
        Some(Deed::Break) => stream.write_all(&bytes[..bytes.len() / 2]).map(|()| false),
        _ => stream.write_all(&bytes).map(|()| true),
    }
}

/// As registries do: in words, except to `HEAD`.
fn say_unknown(stream: &mut TcpStream, method: &str) -> std::io::Result<()> {
    let said = if method == "HEAD" { "" } else { UNKNOWN };
    write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{said}", said.len())
}

fn find(state: &State, path: &str) -> Option<(String, Vec<u8>)> {
    let rest = path.strip_prefix("/v2/")?;
    if rest.is_empty() {
        return Some(("application/json".to_owned(), b"{}".to_vec()));
    }
    if let Some((repository, reference)) = rest.split_once("/manifests/") {
        return state.manifests.get(&format!("{repository}/{reference}")).cloned();
    }
    if let Some((repository, _)) = rest.split_once("/tags/list") {
        let list = serde_json::json!({"name": repository, "tags": state.tags.get(repository)?});
        return Some(("application/json".to_owned(), list.to_string().into_bytes()));
    }
    let (_, digest) = rest.split_once("/blobs/")?;
    Some(("application/octet-stream".to_owned(), state.blobs.get(digest)?.clone()))
}
