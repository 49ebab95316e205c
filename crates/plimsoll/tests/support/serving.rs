//! A server in a process of its own, and a client of it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStderr, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use plimsoll_net::{Client, Proxies, Request, Response, Settings};
use serde_json::{Value, json};

use super::World;

/// Longest answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A server process, killed with its test.
pub(crate) struct Serving {
    pub(crate) url: String,
    child: Child,
    log: Arc<Log>,
}

/// What a server has logged so far.
#[derive(Default)]
struct Log {
    text: Mutex<String>,
    grew: Condvar,
}

/// How long something is waited for that will be logged.
const LOGGED_MAX: Duration = Duration::from_secs(120);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    /// Starts `plimsoll serve` in a world, on a port of its own; returns when it listens. It may not be ready yet.
    pub(crate) fn start(world: &World, arguments: &[&str]) -> Serving {
        Serving::start_until(world, arguments, "listening address=")
    }

    /// The same, and returns when it is ready.
    pub(crate) fn ready(world: &World, arguments: &[&str]) -> Serving {
        Serving::start_until(world, arguments, "the store is open: ready")
    }

    /// Starts the demo, with its temporary folder in one of the world; returns when everything is asked for.
    pub(crate) fn demo(world: &World, folder: &str) -> Serving {
        let mut command = world.command(&["serve", "--listen", "127.0.0.1:0", "--demo"]);
        Serving::run_until(command.env("TMPDIR", world.path(folder)), "Plimsoll's demo")
    }

    fn start_until(world: &World, arguments: &[&str], said: &str) -> Serving {
        let all = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
        Serving::run_until(&mut world.command(&all), said)
    }

    fn run_until(command: &mut Command, said: &str) -> Serving {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::<Log>::default();
        let url = listening(&mut lines, &log, said);
        let of_thread = Arc::clone(&log);
        thread::spawn(move || {
            let mut line = String::new();
            while matches!(lines.read_line(&mut line), Ok(1..)) {
                of_thread.text.lock().unwrap().push_str(&line);
                of_thread.grew.notify_all();
                line.clear();
            }
        });
        Serving { url, child, log }
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.text.lock().unwrap().clone()
    }

    /// Waits until something is logged.
    #[track_caller]
    pub(crate) fn until_logged(&self, text: &str) {
        let log = self.log.text.lock().unwrap();
        let wait = self.log.grew.wait_timeout_while(log, LOGGED_MAX, |log| !log.contains(text)).unwrap();
        let (log, over) = wait;
        assert!(!over.timed_out(), "`{text}` is not logged: {log}");
    }

    /// Ends it as an operator would, and waits for its end; its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap();
        self.child.wait().unwrap().code()
    }

    /// Kills it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a request to a path.
    pub(crate) fn send(&self, request: Request) -> Response {
        let url = format!("{}{}", self.url, request.url);
        client(1).send(&Request { url, ..request }).unwrap_or_else(|error| panic!("{error}\n{}", self.log()))
    }

    /// Reads JSON of a path; it is an error unless the status is this one.
    #[track_caller]
    pub(crate) fn get(&self, path: &str, status: u16) -> Value {
        let response = self.send(Request::get(path));
        let actual = response.status;
        let body = String::from_utf8(response.bytes(ANSWER_BYTES_MAX).unwrap()).unwrap();
        assert_eq!(actual, status, "{path}: {body}\n{}", self.log());
        serde_json::from_str(&body).unwrap_or(Value::Null)
    }

    /// Asks for something to be done; it is an error unless the status is this one.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, status: u16) {
        let response = self.send(Request::post(path, ""));
        assert_eq!(response.status, status, "{path}");
    }

    /// The events of a kind after a number up to now, as the stream tells them.
    pub(crate) fn events(&self, after: u64, kind: &str) -> Vec<Value> {
        let response = self.send(Request::get(format!("/api/v1/events?after={after}")));
        let mut lines = BufReader::new(response.into_reader(ANSWER_BYTES_MAX));
        let (mut events, mut event) = (Vec::new(), String::new());
        // The stream does not end; what ends it here is an event that is made now.
        self.submit("localhost:1/marker:1");
        loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "the stream ended: {}", self.log());
            if let Some(name) = line.strip_prefix("event: ") {
                event = name.trim().to_owned();
            }
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let data: Value = serde_json::from_str(data).unwrap();
            if data["reference"].as_str().is_some_and(|reference| reference.contains("/marker:")) {
                return events;
            }
            if event == kind {
                events.push(data);
            }
        }
    }

    /// Hands in an image; where it stands.
    #[track_caller]
    pub(crate) fn submit(&self, reference: &str) -> Value {
        let body = json!({ "reference": reference }).to_string();
        let response = self.send(Request::post("/api/v1/scans", body));
        let status = response.status;
        let body = String::from_utf8(response.bytes(ANSWER_BYTES_MAX).unwrap()).unwrap();
        assert_eq!(status, 202, "{reference}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until a scan is in one of these states, by asking so that the server waits.
    #[track_caller]
    pub(crate) fn until(&self, id: &str, states: &[&str]) -> Value {
        for _ in 0..60 {
            let status = self.get(&format!("/api/v1/scans/{id}?wait=2s"), 200);
            if states.contains(&status["state"].as_str().unwrap()) {
                return status;
            }
        }
        panic!("{id} is not {states:?}: {}\n{}", self.get(&format!("/api/v1/scans/{id}"), 200), self.log());
    }
}

/// Snapshot settings that also replace what differs from one server and registry to the next.
pub(crate) fn server_settings(world: &World) -> insta::Settings {
    let mut settings = world.settings();
    settings.add_filter(r"http://127\.0\.0\.1:\d+", "[SERVER]");
    settings.add_filter(r"localhost:\d+", "[REGISTRY]");
    settings.add_filter(r"ref-[0-9a-f]{32}", "[REF]");
    settings.add_filter(r"127\.0\.0\.1:\d+", "[ADDRESS]");
    settings
}

/// Reads the log until something is said; the server's URL.
fn listening(lines: &mut BufReader<ChildStderr>, log: &Log, said: &str) -> String {
    let mut url = None;
    loop {
        let mut line = String::new();
        let read = lines.read_line(&mut line).unwrap();
        assert!(read > 0, "the server ended: {}", log.text.lock().unwrap());
        log.text.lock().unwrap().push_str(&line);
        if let Some((_, rest)) = line.split_once("listening address=") {
            let address = rest.split_whitespace().next().unwrap();
            url = Some(format!("http://{address}"));
        }
        // What people are told, where nothing is logged.
        if let Some((_, address)) = line.split_once("demo: http://") {
            url = Some(format!("http://{}", address.trim_end().trim_end_matches('/')));
        }
        if let Some(url) = url.clone().filter(|_| line.contains(said)) {
            return url;
        }
    }
}

/// A client that asks so often at most.
fn client(attempts_max: u32) -> Client {
    let settings = Settings {
        attempts_max,
        backoff_base: Duration::from_millis(50),
        retry_after_max: Duration::ZERO,
        proxies: Proxies::none(),
        ..Settings::default()
    };
    Client::new(settings).unwrap()
}
