//! What `plimsoll serve --demo` shows.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};

use plimsoll_net::Request;
use serde_json::Value;

use super::serving::Serving;

/// What there is to see: image, state and reason.
pub(crate) const SHOWN: &str = "quay/crowded:1 retrying rate_limited
shop/billing:7 feeds_not_loaded feeds_awaited
charts/web:1.1 unsupported artifact_type
shop/web:1.0 completed complete
shop/web:1.1 completed complete
shop/web:1.1-arm64 completed complete
shop/web:1.1-windows completed with_gaps
shop/web:latest completed complete
shop/worker:2.3 completed with_gaps
tools/static:1 unsupported unknown_os
windows/iis:ltsc2022 completed with_gaps
wreck/mast:1 failed digest_mismatch";

/// Most of the event stream that is read.
const STREAM_BYTES_MAX: u64 = 4 << 20;

/// Follows the server's events until every image stands as it should.
pub(crate) fn until_shown(serving: &Serving) {
    let response = serving.send(Request::get("/api/v1/events?after=0"));
    assert_eq!(response.status, 200);
    let lines = BufReader::new(response.into_reader(STREAM_BYTES_MAX)).lines();
    let mut missing: BTreeMap<&str, &str> = SHOWN.lines().map(|line| line.split_once(' ').unwrap()).collect();
    let mut seen = Vec::new();
    for line in lines.map(Result::unwrap) {
        let Some(event) = line.strip_prefix("data: ") else { continue };
        let event: Value = serde_json::from_str(event).unwrap();
        let Some(name) = event["reference"].as_str().and_then(name) else { continue };
        let stands = format!("{} {}", event["state"].as_str().unwrap(), event["reason"].as_str().unwrap());
        if missing.get(name.as_str()) == Some(&stands.as_str()) {
            missing.remove(name.as_str());
        }
        seen.push(format!("{name} {stands}"));
        if missing.is_empty() {
            return;
        }
    }
    panic!("the stream ended before {missing:#?}, after {seen:#?}\n{}", serving.log());
}

/// `REPOSITORY:TAG` of a reference.
fn name(reference: &str) -> Option<String> {
    Some(reference.split('@').next()?.split_once('/')?.1.to_owned())
}
