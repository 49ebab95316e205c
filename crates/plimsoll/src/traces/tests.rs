//! What a collector gets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use tracing::field;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

/// A collector that takes everything: where it is, and the documents that it gets.
fn collector() -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, documents) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut line) = (String::new(), String::new());
            while reader.read_line(&mut line).unwrap() > 2 {
                head.push_str(&line.to_ascii_lowercase());
                line.clear();
            }
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            let mut body = vec![0; length.unwrap().parse().unwrap()];
            reader.read_exact(&mut body).unwrap();
            // Handed over first: once it is answered, the exporter may end and the test look. A test that has seen enough
            // is gone by then.
            let _ = sender.send((head, serde_json::from_slice(&body).unwrap()));
            stream.write_all(b"HTTP/1.1 200 -\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").unwrap();
        }
    });
    (url, documents)
}

fn start(text: &str) -> (Layer, Exporter) {
    let config = Config::parse(text).unwrap();
    Exporter::start(config.server.traces.as_ref().unwrap(), &config, "replica").unwrap()
}

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn spans_arrive_with_their_parents() {
    let (url, documents) = collector();
    let (layer, exporter) = start(&format!("[server.traces]\nurl = '{url}'\n"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let outer = tracing::info_span!(
            "outer",
            traceparent = PARENT,
            otel.kind = "server",
            http.response.status_code = field::Empty,
        );
        outer.in_scope(|| drop(tracing::info_span!("inner", layers = 3, whole = true)));
        outer.record("http.response.status_code", 503);
    });
    drop(exporter);
    let (head, document) = documents.recv().unwrap();
    assert!(
        head.starts_with("post /v1/traces ") && head.contains("content-type: application/json"),
        "{head}"
    );
    let resource = &document["resourceSpans"][0]["resource"]["attributes"];
    assert_eq!(resource[0]["value"]["stringValue"], "plimsoll");
    let spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    let [inner, outer] = spans.as_slice() else { panic!("{document:#}") };
    assert_eq!((&inner["name"], &outer["name"]), (&json!("inner"), &json!("outer")));
    assert_eq!(outer["traceId"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(outer["parentSpanId"], "b7ad6b7169203331");
    assert_eq!((&inner["traceId"], &inner["parentSpanId"]), (&outer["traceId"], &outer["spanId"]));
    assert_eq!((&inner["kind"], &outer["kind"]), (&json!(1), &json!(2)));
    assert_eq!((&inner["status"], &outer["status"]), (&json!({}), &json!({"code": 2})));
    let attributes = json!([
        {"key": "layers", "value": {"intValue": "3"}},
        {"key": "whole", "value": {"boolValue": true}},
    ]);
    assert_eq!(inner["attributes"], attributes);
    let time = |name: &str| outer[name].as_str().unwrap().parse::<u128>().unwrap();
    assert!(time("startTimeUnixNano") <= time("endTimeUnixNano"));
}

/// All spans of a trace are sent, or none.
#[test]
fn a_part_of_all_traces() {
    let (url, documents) = collector();
    let (layer, exporter) = start(&format!("[server.traces]\nurl = '{url}'\none_of = 4\n"));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for _ in 0..400 {
            tracing::info_span!("outer").in_scope(|| drop(tracing::info_span!("inner")));
        }
    });
    drop(exporter);
    let spans = documents.try_iter().map(|(_, document)| {
        document["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().len()
    });
    let spans: usize = spans.sum();
    // That 400 tries give fewer than 40 or more than 180 has a probability below 10^-12.
    assert!(spans.is_multiple_of(2) && (80..360).contains(&spans), "{spans}");
}

#[test]
fn parents_of_clients() {
    let good = traceparent(PARENT).unwrap();
    assert_eq!(
        (hex(&good.0), good.1.map(|id| hex(&id))),
        ("0af7651916cd43dd8448eb211c80319c".to_owned(), Some("b7ad6b7169203331".to_owned()))
    );
    for bad in [
        "",
        "00-x-y-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
    ] {
        assert_eq!(traceparent(bad), None, "{bad}");
    }
}

#[test]
fn collectors_that_cannot_be_asked() {
    for (text, wanted) in [
        ("url = 'collector.example:4318'", "none of http or https"),
        (
            "url = 'https://c.example'\ncredentials = { token_env = 'PLIMSOLL_NO_SUCH_VARIABLE' }",
            "is not set",
        ),
    ] {
        let config = Config::parse(&format!("[server.traces]\n{text}\n")).unwrap();
        let error = Exporter::start(config.server.traces.as_ref().unwrap(), &config, "r").err().unwrap();
        assert!(format!("{error:#}").contains(wanted), "{error:#}");
    }
}
