//! A client that asks as Harbor 2.16 does, and is as strict.
//!
//! It allows each request five seconds, follows no redirect, reads `Refresh-After` as a signed byte, fetches every media
//! type that a capability names, takes the same (id, package, version) only once, and fails the job at any answer that
//! is neither 200 nor 302. What it gets is held against `testdata/harbor/schema.json`.

// Each test file takes what it needs.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const SCHEMA: &str = include_str!("../../testdata/harbor/schema.json");
/// Harbor's limit for a request, its body included.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(5);
/// How long Harbor waits before it first asks for a report.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// How long Harbor waits where it cannot read how long to.
const UNREADABLE_WAIT: Duration = Duration::from_secs(5);

/// A Harbor that knows one scanner.
pub(crate) struct Harbor {
    /// `http://HOST:PORT/harbor`: where the scanner is registered.
    pub(crate) url: String,
    /// The header that signs in to the scanner: name and value.
    pub(crate) login: Option<(String, String)>,
}

/// An artifact that Harbor wants scanned.
#[derive(Clone, Debug)]
pub(crate) struct Artifact {
    /// `https://HOST[:PORT]` of the registry.
    pub(crate) registry: String,
    /// `Basic ..` or `Bearer ..` for it; empty for none.
    pub(crate) authorization: String,
    /// `PROJECT/NAME`.
    pub(crate) repository: String,
    /// A tag.
    pub(crate) tag: String,
    /// The manifest's digest.
    pub(crate) digest: String,
    /// The manifest's media type.
    pub(crate) mime_type: String,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: u16,
    /// Headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.body)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

/// Holds a document against one of the definitions of the schema.
pub(crate) fn check(definition: &str, document: &Value) -> Result<(), String> {
    let mut schema: Value = serde_json::from_str(SCHEMA).unwrap();
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if errors.is_empty() { Ok(()) } else { Err(format!("no {definition}: {errors:?}")) }
}

/// Whether the same (id, package, version) comes twice, which Harbor's table refuses.
pub(crate) fn check_unique(report: &Value) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for item in report["vulnerabilities"].as_array().unwrap() {
        let key = ["id", "package", "version"].map(|name| item[name].as_str().unwrap_or_default());
        if !seen.insert(key) {
            return Err(format!("{key:?} comes twice"));
        }
    }
    Ok(())
}

impl Harbor {
    /// What the scanner says of itself, checked as Harbor checks it when it is registered and before each scan.
    pub(crate) fn metadata(&self) -> Result<Value, String> {
        let accept = "application/vnd.scanner.adapter.metadata+json; version=1.0";
        let answer = self.ask("GET", "/api/v1/metadata", &[("Accept", accept)], b"")?;
        if answer.status != 200 {
            return Err(format!("unhealthy: {} {}", answer.status, String::from_utf8_lossy(&answer.body)));
        }
        let metadata = answer.json()?;
        check("metadata", &metadata)?;
        Ok(metadata)
    }

    /// Has an artifact scanned and fetches all reports of a capability: media type and report. `pause` is called with
    /// the time that Harbor waits before it asks again.
    pub(crate) fn scan(
        &self,
        artifact: &Artifact,
        capability: &str,
        pause: &mut dyn FnMut(Duration),
    ) -> Result<Vec<(String, Value)>, String> {
        let metadata = self.metadata()?;
        let offered = metadata["capabilities"].as_array().unwrap();
        let offer = offered
            .iter()
            .find(|offer| offer["type"] == capability)
            .ok_or(format!("the scanner does not offer `{capability}`"))?;
        let id = self.submit(artifact, offer)?;
        pause(FIRST_WAIT);
        let mut reports = Vec::new();
        for mime_type in offer["produces_mime_types"].as_array().unwrap() {
            let mime_type = mime_type.as_str().unwrap();
            reports.push((mime_type.to_owned(), self.fetch(&id, mime_type, capability, pause)?));
        }
        Ok(reports)
    }

    /// Has an artifact scanned; the id that it is given.
    pub(crate) fn submit(&self, artifact: &Artifact, offer: &Value) -> Result<String, String> {
        let parameters = match offer["additional_attributes"]["sbom_media_types"].is_array() {
            true => json!({"sbom_media_types": ["application/spdx+json"]}),
            false => Value::Null,
        };
        let request = json!({
            "registry": {
                "url": artifact.registry,
                "authorization": artifact.authorization,
                "insecure": false,
            },
            "artifact": {
                "repository": artifact.repository,
                "tag": artifact.tag,
                "digest": artifact.digest,
                "mime_type": artifact.mime_type,
                "size": 1234,
            },
            "enabled_capabilities": [{
                "type": offer["type"],
                "produces_mime_types": offer["produces_mime_types"],
                "parameters": parameters,
            }],
        });
        check("scan_request", &request)?;
        let headers = [
            ("Content-Type", "application/vnd.scanner.adapter.scan.request+json; version=1.0"),
            ("Accept", "application/vnd.scanner.adapter.scan.response+json; version=1.0"),
        ];
        let answer = self.ask("POST", "/api/v1/scan", &headers, request.to_string().as_bytes())?;
        if answer.status != 202 {
            return Err(failure(&answer));
        }
        let response = answer.json()?;
        check("scan_response", &response)?;
        Ok(response["id"].as_str().unwrap().to_owned())
    }

    /// Fetches a report, asking again as long as it is told to.
    pub(crate) fn fetch(
        &self,
        id: &str,
        mime_type: &str,
        capability: &str,
        pause: &mut dyn FnMut(Duration),
    ) -> Result<Value, String> {
        let is_sbom = capability == "sbom";
        let query = if is_sbom { "?sbom_media_type=application%2Fspdx%2Bjson" } else { "" };
        let place = format!("/api/v1/scan/{id}/report{query}");
        loop {
            let answer = self.ask("GET", &place, &[("Accept", mime_type)], b"")?;
            match answer.status {
                302 => pause(refresh_after(&answer)),
                200 => {
                    let report = answer.json()?;
                    check(if is_sbom { "sbom_report" } else { "vulnerability_report" }, &report)?;
                    if !is_sbom {
                        check_unique(&report)?;
                    }
                    return Ok(report);
                }
                _ => return Err(failure(&answer)),
            }
        }
    }

    /// One request, as Harbor's client makes it.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, String> {
        let begun = Instant::now();
        let (_, rest) = self.url.split_once("://").unwrap();
        let (host, base) = rest.split_once('/').unwrap_or((rest, ""));
        let mut head = format!("{method} /{base}{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
        let login = self.login.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in headers.iter().copied().chain(login) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let went = || -> std::io::Result<Vec<u8>> {
            let address = host.to_socket_addrs()?.next().expect("the host has an address");
            let mut stream = TcpStream::connect_timeout(&address, REQUEST_TIME_MAX)?;
            stream.set_read_timeout(Some(REQUEST_TIME_MAX))?;
            stream.write_all(head.as_bytes())?;
            stream.write_all(body)?;
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = went().map_err(|error| format!("{method} {path}: {error}"))?;
        if begun.elapsed() > REQUEST_TIME_MAX {
            return Err(format!("{method} {path}: it took longer than {REQUEST_TIME_MAX:?}"));
        }
        parse(&bytes).ok_or(format!("{method} {path}: this is no HTTP"))
    }
}

/// What stands in Harbor's log. An error of another shape is reported as one of JSON, which helps nobody.
fn failure(answer: &Answer) -> String {
    let told = answer.json().and_then(|body| check("error", &body).map(|()| body));
    match told {
        Ok(body) => format!("{}: {}", answer.status, body["error"]["message"].as_str().unwrap()),
        Err(error) => format!("{}: the error is of no form that Harbor reads: {error}", answer.status),
    }
}

fn refresh_after(answer: &Answer) -> Duration {
    let seconds = answer.header("refresh-after").and_then(|text| text.parse::<i8>().ok());
    match seconds.and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0) {
        Some(seconds) => Duration::from_secs(seconds),
        None => UNREADABLE_WAIT,
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut answer = Answer { status, headers, body: bytes[end + 4..].to_vec() };
    if answer.header("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        answer.body = unchunked(&answer.body)?;
    }
    Some(answer)
}

fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(out);
        }
        out.extend_from_slice(bytes.get(end + 2..end + 2 + size)?);
        bytes = bytes.get(end + 4 + size..)?;
    }
}
