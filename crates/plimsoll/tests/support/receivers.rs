//! Who is told: a mail server and a webhook's receiver, each on a port of its own, that keep what they get.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// A file of the test authority, which vouches for `localhost`.
pub(crate) fn tls_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plimsoll-net/testdata/tls").join(name)
}

/// When a mail server speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    Never,
    OnDemand,
    AtOnce,
}

/// One mail as it was handed over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mail {
    /// The commands before the text, without what credentials say.
    pub(crate) commands: Vec<String>,
    /// What `AUTH PLAIN` said, base64.
    pub(crate) credentials: Option<String>,
    /// Head and body, without dot-stuffing; lines end in a line feed.
    pub(crate) text: String,
    /// How many lines came with a dot too many.
    pub(crate) stuffed: usize,
}

impl Mail {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> &str {
        let start = format!("{name}: ");
        let found = self.text.lines().find_map(|line| line.strip_prefix(&start));
        found.unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }

    /// The body as it was before quoted-printable (RFC 2045 section 6.7), where it came so.
    pub(crate) fn body(&self) -> String {
        let (_, body) = self.text.split_once("\n\n").unwrap();
        // What ended the text is the transport's.
        let body = body.strip_suffix('\n').unwrap_or(body);
        if self.header("Content-Transfer-Encoding") != "quoted-printable" {
            return body.to_owned();
        }
        let joined = body.replace("=\n", "");
        let (mut bytes, mut rest) = (Vec::new(), joined.as_bytes());
        while let Some((first, after)) = rest.split_first() {
            let hex = after.get(..2).filter(|_| *first == b'=');
            let escaped = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).unwrap(), 16).ok());
            bytes.push(escaped.unwrap_or(*first));
            rest = if escaped.is_some() { &after[2..] } else { after };
        }
        String::from_utf8(bytes).unwrap()
    }
}

/// Mails in the order in which they came.
type Mails = Arc<Mutex<Vec<Mail>>>;

/// A mail server (RFC 5321) that takes everything, but for `nobody`.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    mails: Mails,
}

impl MailServer {
    pub(crate) fn start(tls: Tls) -> MailServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mails = Mails::default();
        let kept = Arc::clone(&mails);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that breaks off is its test's business.
                let _ = serve(stream, tls, &kept);
            }
        });
        MailServer { port, mails }
    }

    /// What came since it was last asked.
    pub(crate) fn take(&self) -> Vec<Mail> {
        std::mem::take(&mut *self.mails.lock().unwrap())
    }
}

fn serve(mut stream: TcpStream, tls: Tls, mails: &Mails) -> io::Result<()> {
    let mut mail = Mail::default();
    if tls == Tls::AtOnce {
        return talk(&mut over_tls(stream), true, false, &mut mail, mails).map(drop);
    }
    let wants_tls = talk(&mut stream, true, tls == Tls::OnDemand, &mut mail, mails)?;
    if wants_tls { talk(&mut over_tls(stream), false, false, &mut mail, mails).map(drop) } else { Ok(()) }
}

fn over_tls(stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    let certificate = CertificateDer::from_pem_file(tls_file("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(tls_file("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
}

/// One conversation, until it ends or the client asks for TLS.
fn talk<S: Read + Write>(
    stream: &mut S,
    greets: bool,
    offers_tls: bool,
    mail: &mut Mail,
    mails: &Mails,
) -> io::Result<bool> {
    let say = |stream: &mut S, text: &str| {
        stream.write_all(text.as_bytes())?;
        stream.flush()
    };
    if greets {
        say(stream, "220 mail.example ESMTP\r\n")?;
    }
    loop {
        let line = read_line(stream)?;
        let verb = line.split(' ').next().unwrap_or_default().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" if offers_tls => "250-mail.example\r\n250 STARTTLS\r\n",
            "RCPT" if line.contains("nobody@") => "550 5.1.1 no such mailbox\r\n",
            "EHLO" => "250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n",
            "AUTH" => "235 welcome\r\n",
            "STARTTLS" => "220 go on\r\n",
            "DATA" => "354 go on\r\n",
            "QUIT" => "221 bye\r\n",
            _ => "250 fine\r\n",
        };
        if verb == "AUTH" {
            mail.credentials = line.split(' ').nth(2).map(str::to_owned);
        } else {
            mail.commands.push(line);
        }
        say(stream, answer)?;
        match verb.as_str() {
            "STARTTLS" => return Ok(true),
            "QUIT" => return Ok(false),
            "DATA" => {
                read_text(stream, mail)?;
                // Kept before it is acknowledged: the client may be gone when it has read that.
                mails.lock().unwrap().push(std::mem::take(mail));
                say(stream, "250 taken\r\n")?;
            }
            _ => {}
        }
    }
}

fn read_text(stream: &mut impl Read, mail: &mut Mail) -> io::Result<()> {
    loop {
        let line = read_line(stream)?;
        let line = match line.strip_prefix('.') {
            Some("") => return Ok(()),
            Some(rest) => {
                mail.stuffed += 1;
                rest
            }
            None => &line,
        };
        mail.text += line;
        mail.text.push('\n');
    }
}

/// Byte by byte: what follows may be TLS.
fn read_line(stream: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        stream.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    line.truncate(line.len() - 2);
    Ok(String::from_utf8(line).unwrap())
}

/// One request to a webhook.
#[derive(Clone, Debug, Default)]
pub(crate) struct HookRequest {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl HookRequest {
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

/// A webhook's receiver.
pub(crate) struct HookServer {
    pub(crate) port: u16,
    requests: Arc<(Mutex<Vec<HookRequest>>, Condvar)>,
    /// What it answers. While somebody holds it, it answers nothing.
    pub(crate) status: Arc<Mutex<u16>>,
    /// What it answers the next request, and none after it.
    once: Arc<Mutex<Option<u16>>>,
}

impl HookServer {
    pub(crate) fn start() -> HookServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let status = Arc::new(Mutex::new(204));
        let server = HookServer { port, requests: Arc::default(), status, once: Arc::default() };
        let (requests, status) = (Arc::clone(&server.requests), Arc::clone(&server.status));
        let once = Arc::clone(&server.once);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = take_request(stream, &status, &once, &requests);
            }
        });
        server
    }

    /// What it answers from now on.
    pub(crate) fn answer(&self, status: u16) {
        *self.status.lock().unwrap() = status;
    }

    /// What it answers the next request alone.
    pub(crate) fn answer_once(&self, status: u16) {
        *self.once.lock().unwrap() = Some(status);
    }

    /// What came since it was last asked.
    pub(crate) fn take(&self) -> Vec<HookRequest> {
        std::mem::take(&mut *self.requests.0.lock().unwrap())
    }

    /// The next one, waited for.
    #[track_caller]
    pub(crate) fn next(&self) -> HookRequest {
        let (requests, came) = &*self.requests;
        let requests = requests.lock().unwrap();
        let (mut requests, _) =
            came.wait_timeout_while(requests, ARRIVAL_MAX, |requests| requests.is_empty()).unwrap();
        assert!(!requests.is_empty(), "nothing came");
        requests.remove(0)
    }
}

/// How long a request is waited for.
const ARRIVAL_MAX: Duration = Duration::from_secs(120);

fn take_request(
    stream: TcpStream,
    status: &Mutex<u16>,
    once: &Mutex<Option<u16>>,
    requests: &(Mutex<Vec<HookRequest>>, Condvar),
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let mut request =
        HookRequest { line: lines.first().cloned().unwrap_or_default(), headers, body: String::new() };
    let length: u64 = request.header("content-length").parse().unwrap_or(0);
    reader.by_ref().take(length).read_to_string(&mut request.body)?;
    requests.0.lock().unwrap().push(request);
    requests.1.notify_all();
    let status = once.lock().unwrap().take().unwrap_or_else(|| *status.lock().unwrap());
    let answer = format!("HTTP/1.1 {status} Answer\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    reader.into_inner().write_all(answer.as_bytes())
}
