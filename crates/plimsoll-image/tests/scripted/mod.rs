//! A web server that answers from a table, on a free port of the loopback address.
//!
//! The n-th request for a path gets the n-th reply of its row, the last reply again and again. What is not in
//! the table is answered with 599, which no test expects.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    cut_after: Option<usize>,
}

impl Reply {
    pub(crate) fn new(status: u16) -> Reply {
        Reply { status, headers: Vec::new(), body: Vec::new(), cut_after: None }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Reply {
        self.body = body.into();
        self
    }

    /// Closes the connection after this many bytes of the body.
    pub(crate) fn cut_after(mut self, count: usize) -> Reply {
        self.cut_after = Some(count);
        self
    }

    fn write(&self, stream: &TcpStream, is_head: bool) -> std::io::Result<bool> {
        // Many small packets would each wait for the one before.
        let mut stream = BufWriter::new(stream);
        write!(stream, "HTTP/1.1 {} Scripted\r\n", self.status)?;
        for (name, value) in &self.headers {
            write!(stream, "{name}: {value}\r\n")?;
        }
        let has_length = self.headers.iter().any(|(name, _)| {
            name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
        });
        if !has_length && self.status != 304 {
            write!(stream, "Content-Length: {}\r\n", self.body.len())?;
        }
        stream.write_all(b"\r\n")?;
        if is_head || self.status == 304 {
            stream.flush()?;
            return Ok(true);
        }
        let end = self.cut_after.unwrap_or(self.body.len()).min(self.body.len());
        stream.write_all(&self.body[..end])?;
        stream.flush()?;
        Ok(self.cut_after.is_none())
    }
}

type Table = HashMap<String, Vec<Reply>>;

/// The server. Its threads end with the test's process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    table: Arc<Mutex<Table>>,
}

impl Server {
    pub(crate) fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, table) = (Arc::default(), Arc::default());
        let server = Server { address, seen: Arc::clone(&seen), table: Arc::clone(&table) };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, table) = (Arc::clone(&seen), Arc::clone(&table));
                std::thread::spawn(move || serve(&stream, &seen, &table));
            }
        });
        server
    }

    /// Sets the answers for a path, its query included.
    pub(crate) fn on(&self, path: &str, replies: impl IntoIterator<Item = Reply>) -> &Server {
        self.table.lock().unwrap().insert(path.to_owned(), replies.into_iter().collect());
        self
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, seen: &Mutex<Vec<Seen>>, table: &Mutex<Table>) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader) {
        let is_head = request.method == "HEAD";
        let key = request.path.clone();
        let nth = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            seen.iter().filter(|earlier| earlier.path == key).count() - 1
        };
        let replies = table.lock().unwrap().get(&key).cloned().unwrap_or_default();
        let reply = replies.get(nth).or(replies.last()).cloned().unwrap_or(Reply::new(599));
        if !reply.write(stream, is_head).unwrap_or(false) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

fn read_request(reader: &mut impl BufRead) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => break,
        }
    }
    let mut seen = Seen { method, path, headers, body: String::new() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    seen.body = String::from_utf8_lossy(&body).into_owned();
    Some(seen)
}
