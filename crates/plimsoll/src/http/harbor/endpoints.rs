//! The endpoints that Harbor asks.

use axum::routing::{get, post};

use super::metadata::Metadata;
use super::scan_request::ScanRequest;
use super::wire::{self, ErrorBody, ScanResponse};
use crate::http::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, schema_of};

/// All of them.
pub(super) static ENDPOINTS: &[Endpoint] = &[METADATA, SCAN, REPORT, HEALTHY, READY];

const ERROR: Option<Payload> = Some(Payload { media_types: &[wire::ERROR], schema: schema_of::<ErrorBody> });

const METADATA: Endpoint = Endpoint {
    method: Method::Get,
    path: "/harbor/api/v1/metadata",
    id: "getHarborMetadata",
    about: "Who this scanner is and what it can. Answered at once, whatever the server is doing.",
    access: Access::Read,
    is_always_there: true,
    parameters: &[],
    body: None,
    answers: &[Answer {
        status: 200,
        about: "Who it is and what it can.",
        headers: &[],
        payload: Some(Payload { media_types: &[wire::METADATA], schema: schema_of::<Metadata> }),
    }],
    route: || get(super::metadata),
};

const SCAN: Endpoint = Endpoint {
    method: Method::Post,
    path: "/harbor/api/v1/scan",
    id: "submitHarborScan",
    about: "Has an artifact scanned. The credentials in it are used for this job and its registry alone.",
    access: Access::Submit,
    is_always_there: false,
    parameters: &[],
    body: Some(Payload { media_types: &[wire::SCAN_REQUEST], schema: schema_of::<ScanRequest> }),
    answers: &[
        Answer {
            status: 202,
            about: "It is taken, and on disk.",
            headers: &[],
            payload: Some(Payload { media_types: &[wire::SCAN_RESPONSE], schema: schema_of::<ScanResponse> }),
        },
        Answer { status: 400, about: "The body is not a scan request.", headers: &[], payload: ERROR },
        Answer {
            status: 403,
            about: "Images of this registry or repository are not scanned here.",
            headers: &[],
            payload: ERROR,
        },
        Answer { status: 422, about: "A field is missing or not valid.", headers: &[], payload: ERROR },
        Answer {
            status: 501,
            about: "A capability or a media type is asked for that is not here.",
            headers: &[],
            payload: ERROR,
        },
    ],
    route: || post(super::scan),
};

const REPORT: Endpoint = Endpoint {
    method: Method::Get,
    path: "/harbor/api/v1/scan/{scan_request_id}/report",
    id: "getHarborReport",
    about: "The report of a scan, in the form that `Accept` asks for. Any replica answers any id.",
    access: Access::Read,
    // It says itself that it is not ready: Harbor takes nothing but 302 for that.
    is_always_there: true,
    parameters: &[
        Parameter::path("scan_request_id", "The id that the scan was given.", schema_of::<String>),
        Parameter::query(
            "sbom_media_type",
            "Which document a report of packages holds: `application/spdx+json` where nothing is said, or \
                    `application/vnd.cyclonedx+json`.",
            schema_of::<String>,
        ),
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "The report.",
            headers: &[],
            payload: Some(Payload {
                media_types: &[
                    "application/vnd.security.vulnerability.report; version=1.1",
                    "application/vnd.security.sbom.report+json; version=1.0",
                    "application/vnd.scanner.adapter.vuln.report.harbor+json; version=1.0",
                    "application/vnd.scanner.adapter.vuln.report.raw",
                ],
                schema: schema_of::<serde_json::Value>,
            }),
        },
        Answer {
            status: 302,
            about: "Not yet.",
            headers: &[
                ("Refresh-After", "After how many seconds to ask again, 1 to 127."),
                ("Retry-After", "The same."),
                ("Location", "Where it was asked."),
            ],
            payload: None,
        },
        Answer { status: 400, about: "There is no such document.", headers: &[], payload: ERROR },
        Answer { status: 404, about: "There is no such scan.", headers: &[], payload: ERROR },
        Answer { status: 501, about: "There is no such report.", headers: &[], payload: ERROR },
    ],
    route: || get(super::report),
};

const HEALTHY: Endpoint = Endpoint {
    method: Method::Get,
    path: "/harbor/probe/healthy",
    id: "getHarborHealthy",
    about: "Whether the process answers at all.",
    access: Access::Public,
    is_always_there: true,
    parameters: &[],
    body: None,
    answers: &[Answer { status: 200, about: "It does.", headers: &[], payload: None }],
    route: || get(super::healthy),
};

const READY: Endpoint = Endpoint {
    method: Method::Get,
    path: "/harbor/probe/ready",
    id: "getHarborReady",
    about: "Whether scans are taken.",
    access: Access::Public,
    is_always_there: true,
    parameters: &[],
    body: None,
    answers: &[
        Answer { status: 200, about: "They are.", headers: &[], payload: None },
        Answer { status: 503, about: "Not yet, or not any more.", headers: &[], payload: ERROR },
    ],
    route: || get(super::ready),
};

#[cfg(test)]
mod tests {
    use super::super::capabilities::CAPABILITIES;
    use super::*;

    #[test]
    fn the_document_names_all_reports() {
        let told = REPORT.answers.iter().find_map(|answer| answer.payload.as_ref()).unwrap();
        let mut told = told.media_types.to_vec();
        let rows = CAPABILITIES.iter().flat_map(|row| row.reports);
        let mut made: Vec<&str> = rows.map(|report| report.media_type).collect();
        told.sort_unstable();
        made.sort_unstable();
        assert_eq!(told, made);
    }
}
