//! The stream of events, read by a client that breaks off and comes again, of a server that is killed and started anew.

// Clippy takes only functions marked as tests for tests, not their helpers.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read};

use plimsoll_net::Request;
use serde_json::{Value, json};
use support::World;
use support::images::{Image, Layout};
use support::layer::Layer;
use support::scripted::Scripted;
use support::serving::Serving;

mod support;

/// Longest stream that is read, in bytes.
const STREAM_BYTES_MAX: u64 = 64 << 20;

/// An event: its number, its kind and what it says.
#[derive(Clone, Debug, PartialEq)]
struct Event {
    number: u64,
    kind: String,
    data: Value,
}

/// A stream that is open.
struct Stream(BufReader<Box<dyn Read + Send>>);

impl Stream {
    /// Opens it behind an event.
    fn behind(serving: &Serving, number: u64) -> Stream {
        let request = Request::get("/api/v1/events").header("Last-Event-ID", number.to_string());
        let response = serving.send(request);
        assert_eq!(response.status, 200);
        assert_eq!(response.header("content-type"), Some("text/event-stream"));
        Stream(BufReader::new(Box::new(response.into_reader(STREAM_BYTES_MAX))))
    }

    /// The next event; `None` where the stream ends or breaks.
    fn next(&mut self) -> Option<Event> {
        let mut event = Event { number: 0, kind: String::new(), data: Value::Null };
        loop {
            let mut line = String::new();
            if !matches!(self.0.read_line(&mut line), Ok(1..)) {
                return None;
            }
            let line = line.trim_end();
            match line.split_once(": ") {
                Some(("id", number)) => event.number = number.parse().unwrap(),
                Some(("event", kind)) => event.kind = kind.to_owned(),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                _ if line.is_empty() && !event.kind.is_empty() => return Some(event),
                // A line that says nothing keeps the stream open.
                _ => {}
            }
        }
    }

    /// All events until so many scans have completed.
    fn until_completed(&mut self, mut scans: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while scans > 0 {
            let event = self.next().expect("the stream goes on");
            let is_image = event.data["subject"].as_str().unwrap().starts_with("sha256:");
            scans -= usize::from(is_image && event.data["state"] == "completed");
            events.push(event);
        }
        events
    }

    /// All events until one of an image that was handed in.
    fn until_named(&mut self, reference: &str) -> Vec<Event> {
        let mut events = Vec::new();
        while events.last().is_none_or(|event: &Event| event.data["reference"] != reference) {
            events.push(self.next().expect("the stream goes on"));
        }
        events
    }
}

fn push(registry: &Scripted, nth: usize) -> String {
    let mut layout = Layout::default();
    let layer = Layer::new().file("etc/os-release", format!("ID=alpine\nVERSION_ID=3.20.{nth}\n"));
    let top = layout.image(&Image::new("amd64", vec![("ADD /", layer)]));
    let name = format!("harbour/ship{nth}");
    registry.push(&name, &layout, &top, "1");
    format!("{}/{name}:1", registry.host)
}

#[test]
fn a_client_that_comes_again_misses_nothing_and_hears_nothing_twice() {
    let world = World::with_database();
    let registry = Scripted::start();
    let mut config = std::fs::read_to_string(world.path("config.toml")).unwrap();
    config += &format!("[registries.\"{}\"]\nplain_http = true\n", registry.host);
    world.write("config.toml", config);

    let serving = Serving::ready(&world, &["--no-update"]);
    let mut heard = Vec::new();
    let mut stream = Stream::behind(&serving, 0);
    for nth in 0..3 {
        serving.submit(&push(&registry, nth));
    }
    heard.extend(stream.until_completed(2));
    // The client breaks off in the middle, and comes again.
    let mut stream = Stream::behind(&serving, heard.last().map_or(0, |event: &Event| event.number));
    heard.extend(stream.until_completed(1));
    // The server is killed with scans on their way.
    for nth in 3..6 {
        serving.submit(&push(&registry, nth));
    }
    heard.push(stream.next().unwrap());
    serving.kill();
    while let Some(event) = stream.next() {
        heard.push(event);
    }
    let serving = Serving::ready(&world, &["--no-update"]);
    let mut stream = Stream::behind(&serving, heard.last().unwrap().number);
    serving.submit("localhost:1/after/kill:1");
    heard.extend(stream.until_named("localhost:1/after/kill:1"));
    // And one that ends in order says so to whoever listens.
    let ending = std::thread::spawn(move || serving.end());
    while let Some(event) = stream.next() {
        heard.push(event);
    }
    assert_eq!(ending.join().unwrap(), Some(0));

    let serving = Serving::ready(&world, &["--no-update"]);
    serving.submit("localhost:1/after/end:1");
    let mut stream = Stream::behind(&serving, heard.last().unwrap().number);
    heard.extend(stream.until_named("localhost:1/after/end:1"));
    let last = heard.last().unwrap().number;
    let mut all = Vec::new();
    let mut stream = Stream::behind(&serving, 0);
    while all.last().is_none_or(|event: &Event| event.number < last) {
        all.push(stream.next().unwrap());
    }
    assert_eq!(numbers(&heard), numbers(&all));
    assert_eq!(heard, all);
    assert!(numbers(&all).is_sorted_by(|one, other| one < other));
    assert!(all.iter().all(|event| event.kind != "missed"));
}

fn numbers(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.number).collect()
}

#[test]
fn what_is_no_number_is_refused_and_one_to_come_is_waited_for() {
    let world = World::new();
    let serving = Serving::ready(&world, &["--no-update"]);
    for number in ["-1", "one", "1.5", "18446744073709551616", ""] {
        let request = Request::get("/api/v1/events").header("Last-Event-ID", number);
        assert_eq!(serving.send(request).status, 400, "{number}");
    }
    // From another store, it may be: what happens from now on is told.
    let mut stream = Stream::behind(&serving, u64::MAX);
    serving.submit("localhost:1/a/b:1");
    let event = stream.next().unwrap();
    assert_eq!((event.kind.as_str(), &event.data["state"]), ("scan", &json!("queued")));
}
