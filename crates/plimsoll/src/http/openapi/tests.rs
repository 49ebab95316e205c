//! The document holds what the rows say, and is what the repository shows.

use std::fs;
use std::path::Path;
use std::process::Command;

use tower::ServiceExt as _;

use super::*;
use crate::config::{Config, check_document};

#[test]
fn the_document_is_what_the_rows_say() {
    check_document("docs/schema/openapi-1.json", &DOCUMENT);
}

#[test]
fn every_endpoint_is_there_with_all_its_answers() {
    let document = document(APIS);
    for api in APIS {
        for endpoint in api.endpoints {
            let operation = &document["paths"][open_path(endpoint.path)][method(endpoint.method)];
            assert_eq!(operation["operationId"], endpoint.id);
            let mut wanted: Vec<u16> = endpoint.answers.iter().map(|answer| answer.status).collect();
            wanted.extend([429, 500, 503]);
            if endpoint.access != Access::Public {
                wanted.extend([401, 403]);
            }
            if endpoint.body.is_some() {
                wanted.extend([408, 413]);
            }
            for status in wanted {
                let response = &operation["responses"][status.to_string()];
                assert!(response["description"].is_string(), "{} {status}", endpoint.id);
            }
        }
    }
}

/// What the path names are its parameters, and none is left out.
#[test]
fn parameters_of_paths_are_described() {
    for endpoint in APIS.iter().flat_map(|api| api.endpoints) {
        let path = open_path(endpoint.path);
        let named: Vec<&str> = path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let of_path = endpoint.parameters.iter().filter(|parameter| parameter.place == Place::Path);
        let described: Vec<&str> = of_path.map(|parameter| parameter.name).collect();
        assert_eq!(named, described, "{}", endpoint.id);
    }
}

/// Every reference leads somewhere.
#[test]
fn references_resolve() {
    fn walk(root: &Value, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    let path = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference}"));
                    assert!(root.pointer(path).is_some(), "{reference}");
                }
                fields.values().for_each(|value| walk(root, value));
            }
            Value::Array(values) => values.iter().for_each(|value| walk(root, value)),
            _ => {}
        }
    }
    let document = document(APIS);
    walk(&document, &document);
}

/// The page loads nothing and runs nothing, and its own style is the one that its policy lets through.
#[tokio::test]
async fn the_page_needs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Server::new(Config::default(), folder.path().to_owned(), Vec::new(), "r".to_owned(), jiff::Timestamp::now);
    let request = axum::extract::Request::builder().uri("/docs").body(axum::body::Body::empty()).unwrap();
    let response = crate::http::router(&Arc::new(server)).oneshot(request).await.unwrap();
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let body = axum::body::to_bytes(response.into_body(), 8 << 20).await.unwrap();
    let page = String::from_utf8(body.to_vec()).unwrap();
    for banned in ["<script", "src=", "style=", "http://", "https://cdn", " onclick"] {
        assert!(!page.contains(banned), "{banned}");
    }
    for endpoint in APIS.iter().flat_map(|api| api.endpoints) {
        assert!(page.contains(&format!("id=\"{}\"", endpoint.id)), "{}", endpoint.id);
    }
}

/// Against the schema of OpenAPI 3.1 itself: PyPI's `openapi-spec-validator`.
#[test]
fn the_document_is_openapi() {
    if std::env::var_os("PLIMSOLL_TIER2").is_none_or(|value| value != "1") {
        println!("skipped: needs openapi-spec-validator; run with PLIMSOLL_TIER2=1");
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/openapi-1.json");
    assert!(fs::exists(&path).unwrap());
    match Command::new("openapi-spec-validator").arg("--schema").arg("3.1").arg(&path).output() {
        Ok(ran) => assert!(ran.status.success(), "{ran:?}"),
        Err(error) => println!("skipped: `openapi-spec-validator` cannot be run: {error}"),
    }
}
