//! A client that asks as Quay does, and is as strict.
//!
//! It signs each request anew with the shared key, takes no redirect, holds every answer against
//! `testdata/quay/accepts.schema.json`, cannot live without an `ETag`, and reads a 400 as ASCII. What it makes of reports is
//! what Quay shows; what it demands of a webhook's token is what Quay demands.

// Each test file takes what it needs.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use plimsoll_net::{Method, Request, Response};
use serde_json::{Value, json};

use super::serving::Serving;

const ACCEPTS: &str = include_str!("../../testdata/quay/accepts.schema.json");
const BODY_BYTES_MAX: u64 = 64 << 20;
pub(crate) const INDEX: &str = "/indexer/api/v1/index_report";
pub(crate) const STATE: &str = "/indexer/api/v1/index_state";
pub(crate) const MATCH: &str = "/matcher/api/v1/vulnerability_report";
const NOTICE: &str = "/notifier/api/v1/notification";

/// How long Quay's tokens hold, in seconds.
const TOKEN_SECONDS: i64 = 300;

/// A Quay that knows one scanner.
pub(crate) struct Quay<'a> {
    pub(crate) scanner: &'a Serving,
    /// `SECURITY_SCANNER_V4_PSK`.
    pub(crate) key: Option<String>,
}

/// What came of an image that was handed in.
#[derive(Debug, PartialEq)]
pub(crate) enum Indexed {
    /// The report, and the state by which it was made.
    Done(Value, String),
    /// A 400: Quay never asks again.
    Unsupported(String),
    /// Any other status: Quay asks again, five times.
    Failed(u16),
}

/// A token as Quay signs it: who, and until when.
pub(crate) fn token(key: &str, issuer: &str, ends_in: i64) -> String {
    let key = EncodingKey::from_secret(&BASE64_STANDARD.decode(key).unwrap());
    let claims = json!({"iss": issuer, "exp": Timestamp::now().as_second() + ends_in});
    encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap()
}

/// Holds a document against a definition of what Quay accepts.
#[track_caller]
pub(crate) fn assert_accepted(definition: &str, document: &Value) {
    let mut schema: Value = serde_json::from_str(ACCEPTS).unwrap();
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let complaints: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
    assert_eq!(complaints, Vec::<String>::new(), "{document}");
}

/// The body's bytes.
pub(crate) fn bytes(response: Response) -> Vec<u8> {
    response.bytes(BODY_BYTES_MAX).unwrap()
}

#[track_caller]
fn accepted(definition: &str, response: Response) -> Value {
    let document = serde_json::from_slice(&bytes(response)).unwrap();
    assert_accepted(definition, &document);
    document
}

impl Quay<'_> {
    /// Sends a request, signed where there is a key.
    pub(crate) fn send(&self, request: Request) -> Response {
        let request = request.header("Accept", "*/*");
        let request = match &self.key {
            Some(key) => {
                request.header("Authorization", format!("Bearer {}", token(key, "quay", TOKEN_SECONDS)))
            }
            None => request,
        };
        self.scanner.send(request)
    }

    /// By what the scanner indexes.
    #[track_caller]
    pub(crate) fn state(&self) -> String {
        let response = self.send(Request::get(STATE));
        assert_eq!(response.status, 200);
        accepted("State", response)["state"].as_str().unwrap().to_owned()
    }

    /// Hands in a manifest.
    #[track_caller]
    pub(crate) fn index(&self, manifest: &Value) -> Indexed {
        let request = Request::post(INDEX, manifest.to_string()).header("Content-Type", "application/json");
        let response = self.send(request);
        match response.status {
            200..=299 => {
                let etag = response.header("etag").expect("Quay fails without an `ETag`").to_owned();
                Indexed::Done(accepted("IndexReport", response), etag.trim_matches('"').to_owned())
            }
            400 => {
                let body = bytes(response);
                assert!(body.is_ascii(), "Quay's worker ends");
                Indexed::Unsupported(String::from_utf8(body).unwrap())
            }
            status => Indexed::Failed(status),
        }
    }

    /// Hands in a manifest that can be indexed.
    #[track_caller]
    pub(crate) fn indexed(&self, manifest: &Value) -> Value {
        match self.index(manifest) {
            Indexed::Done(report, _) => {
                assert_eq!((&report["state"], &report["err"]), (&json!("IndexFinished"), &json!("")));
                assert_eq!(report["manifest_hash"], manifest["hash"]);
                report
            }
            other => panic!("{other:?}\n{}", self.scanner.log()),
        }
    }

    /// What is known to be wrong with an image; `None` where it is not indexed.
    #[track_caller]
    pub(crate) fn vulnerabilities(&self, digest: &str) -> Option<(Vec<u8>, Value)> {
        let response = self.send(Request::get(format!("{MATCH}/{digest}")));
        if response.status == 404 {
            return None;
        }
        assert_eq!(response.status, 200);
        let text = bytes(response);
        let report = serde_json::from_slice(&text).unwrap();
        assert_accepted("VulnerabilityReport", &report);
        Some((text, report))
    }

    /// All pages of a notification; `None` where it is gone.
    #[track_caller]
    pub(crate) fn notification(&self, id: &str, page_size: u32) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        let mut next = String::new();
        loop {
            let path = format!("{NOTICE}/{id}?page_size={page_size}{next}");
            let response = self.send(Request::get(path));
            if response.status == 404 {
                return None;
            }
            assert_eq!(response.status, 200);
            let page = accepted("NotificationPage", response);
            assert_eq!(page["page"]["size"], page_size);
            let found = page["notifications"].as_array().unwrap();
            assert!(found.len() <= usize::try_from(page_size).unwrap());
            items.extend(found.iter().cloned());
            // Quay stops where there is no `next`, and nowhere else.
            match page["page"].get("next") {
                Some(id) => next = format!("&next={}", id.as_str().unwrap()),
                None => return Some(items),
            }
        }
    }

    /// Says that a notification was read; the status.
    pub(crate) fn delete_notification(&self, id: &str) -> u16 {
        self.send(Request::new(Method::Delete, format!("{NOTICE}/{id}"))).status
    }

    /// Takes a webhook; the notification that it names, or why Quay answers 401.
    pub(crate) fn webhook(&self, authorization: &str, body: &str) -> Result<String, String> {
        if let Some(key) = &self.key {
            let token = authorization.strip_prefix("Bearer ").ok_or("no token")?;
            let key = DecodingKey::from_secret(&BASE64_STANDARD.decode(key).unwrap());
            let mut validation = Validation::new(Algorithm::HS256);
            validation.leeway = 0;
            validation.validate_nbf = true;
            validation.set_required_spec_claims(&["exp", "nbf"]);
            let claims = decode::<BTreeMap<String, Value>>(token, &key, &validation)
                .map_err(|error| error.to_string())?
                .claims;
            let issued = claims.get("iat").and_then(Value::as_i64).ok_or("no `iat`")?;
            if issued > Timestamp::now().as_second() {
                return Err("`iat` is yet to come".to_owned());
            }
        }
        let body: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
        body["notification_id"].as_str().map(str::to_owned).ok_or("no `notification_id`".to_owned())
    }
}

/// What Quay shows of a report: for each package its name, version, the layer that brought it in, and for each thing that
/// is wrong with it name, severity, fixed version and score. As Quay, it reads the first enrichment of the document, and
/// each package's first environment, and fails without them.
pub(crate) fn features_for(text: &[u8], report: &Value) -> Vec<Value> {
    let scores = first_enrichment(text, report);
    let mut told = BTreeSet::new();
    let mut features = Vec::new();
    for (id, package) in report["packages"].as_object().unwrap() {
        let added_by = report["environments"][id][0]["introduced_in"].as_str().expect("Quay raises KeyError");
        let mut vulnerabilities = Vec::new();
        for of_package in report["package_vulnerabilities"][id].as_array().into_iter().flatten() {
            let vulnerability = &report["vulnerabilities"][of_package.as_str().unwrap()];
            let key = [&package["name"], &package["version"], &vulnerability["name"]].map(Value::to_string);
            if told.insert(key.join("_")) {
                vulnerabilities.push(shown(vulnerability, &scores));
            }
        }
        features.push(json!({
            "Name": package["name"],
            "Version": package["version"],
            "AddedBy": added_by,
            "Vulnerabilities": vulnerabilities,
        }));
    }
    features.sort_by_key(|feature| ["Name", "Version", "AddedBy"].map(|key| feature[key].to_string()));
    features
}

fn shown(vulnerability: &Value, scores: &Value) -> Value {
    let mut best = (String::new(), Value::from(""));
    for score in scores[vulnerability["id"].as_str().unwrap()].as_array().into_iter().flatten() {
        let base = score["baseScore"].as_f64().expect("Quay raises KeyError");
        if best.1.as_f64().is_none_or(|known| base > known) {
            best = (score["vectorString"].as_str().expect("Quay raises KeyError").to_owned(), base.into());
        }
    }
    let stated = vulnerability["normalized_severity"].as_str().unwrap();
    let severity = match best.1.as_f64() {
        Some(score) if stated == "Unknown" => match score {
            0.0 => "Unknown",
            ..4.0 => "Low",
            ..7.0 => "Medium",
            ..9.0 => "High",
            _ => "Critical",
        },
        _ => stated,
    };
    let fixed = vulnerability["fixed_in_version"].as_str().unwrap();
    let fixed = fixed.split('&').find_map(|pair| pair.strip_prefix("fixed=")).unwrap_or(fixed);
    json!({
        "Name": vulnerability["name"],
        "Severity": severity,
        "FixedBy": if fixed == "0" { "" } else { fixed },
        "Link": vulnerability["links"],
        "Description": vulnerability["description"],
        "Vectors": best.0,
        "Score": best.1,
    })
}

/// The first object of the first enrichment, in the order of the text.
fn first_enrichment(text: &[u8], report: &Value) -> Value {
    let Some(enrichments) = report["enrichments"].as_object().filter(|found| !found.is_empty()) else {
        return json!({});
    };
    let text = String::from_utf8_lossy(text);
    let first = enrichments.keys().min_by_key(|key| text.find(key.as_str())).unwrap();
    enrichments[first].get(0).cloned().expect("Quay raises IndexError")
}
