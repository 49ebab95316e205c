//! Whether a scanned image meets what is demanded of it, for a pipeline that wants one word.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query as AxumQuery, State};
use axum::routing::get;
use plimsoll_core::assessment::Assessment;
use plimsoll_core::policy::{Policy, Verdict, judge};

use super::super::Refusal;
use super::super::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, schema_of};
use super::query::Query;
use super::reports::settled;
use super::scans::look_as;
use super::wire::{ImageVerdict, Problem, SeverityCounts, VerdictAnswer};
use crate::access::Principal;
use crate::http::path::Path;
use crate::jobs::judging::{judged, severities};
use crate::server::Server;
use crate::threshold::threshold;

const PROBLEM: Option<Payload> =
    Some(Payload { media_types: &["application/problem+json"], schema: schema_of::<Problem> });

pub(super) const VERDICT: Endpoint = Endpoint {
    method: Method::Get,
    path: "/api/v1/scans/{id}/verdict",
    id: "getVerdict",
    about: "Whether a scanned image meets what is demanded of it; of an index, whether all its images do.",
    access: Access::Read,
    is_always_there: false,
    parameters: &[
        Parameter::path(
            "id",
            "A manifest's digest, or the id that a submission was given.",
            schema_of::<String>,
        ),
        Parameter::query(
            "fail_on",
            "What refuses it: a severity or `any`, with `,fixable` only findings that have a fix.",
            schema_of::<String>,
        ),
        Parameter::query(
            "allow_gaps",
            "Whether what could not be read, compared or known is accepted.",
            schema_of::<bool>,
        ),
        Parameter::query(
            "fail_on_stale",
            "Whether a feed that is old, missing, off or failing refuses it.",
            schema_of::<bool>,
        ),
    ],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "The verdict.",
            headers: &[],
            payload: Some(Payload { media_types: &["application/json"], schema: schema_of::<VerdictAnswer> }),
        },
        Answer { status: 400, about: "The request cannot be understood.", headers: &[], payload: PROBLEM },
        Answer { status: 404, about: "There is no such scan.", headers: &[], payload: PROBLEM },
        Answer {
            status: 409,
            about: "There is no verdict: the scan, or an image of the index, has not come to its end, or will not be known.",
            headers: &[],
            payload: PROBLEM,
        },
    ],
    route: || get(verdict),
};

async fn verdict(
    State(server): State<Arc<Server>>,
    principal: Principal,
    Path(id): Path<String>,
    AxumQuery(query): AxumQuery<BTreeMap<String, String>>,
) -> Result<Json<VerdictAnswer>, Refusal> {
    let query = Query::new(query, &["fail_on", "allow_gaps", "fail_on_stale"])?;
    let fail_on = query
        .text("fail_on")
        .map(|text| threshold(text).map_err(|error| Refusal::bad_request(format!("`fail_on`: {error:#}"))));
    let policy = Policy {
        fail_on: fail_on.transpose()?,
        allows_gaps: query.is("allow_gaps")?,
        fails_on_stale: query.is("fail_on_stale")?,
    };
    let standing = look_as(&server, &principal, &id).await?;
    let images = server
        .blocking(move |server| {
            let assessments = settled(server, &standing)?;
            Ok(assessments.iter().map(|one| of_image(one, &policy, server)).collect::<Vec<_>>())
        })
        .await?;
    Ok(Json(VerdictAnswer { verdict: worst(&images), images }))
}

/// The worst word of all.
fn worst(images: &[ImageVerdict]) -> String {
    let worst = ["refused", "undecided", "cleared"];
    let worst = worst.into_iter().find(|word| images.iter().any(|image| image.verdict == *word));
    worst.unwrap_or("nothing-demanded").to_owned()
}

fn of_image(assessment: &Assessment, policy: &Policy, server: &Server) -> ImageVerdict {
    let Assessment { image, inventory, findings, .. } = assessment;
    let verdict = judge(inventory, findings, policy);
    let (reasons, gaps) = match &verdict {
        Verdict::NothingDemanded => (Vec::new(), Vec::new()),
        Verdict::Cleared(gaps) | Verdict::Undecided(gaps) => (Vec::new(), gaps.clone()),
        Verdict::Refused(reasons) => {
            (reasons.iter().map(|reason| reason.detail.clone()).collect(), Vec::new())
        }
    };
    ImageVerdict {
        digest: image.digest.as_ref().map_or(String::new(), |digest| digest.as_str().to_owned()),
        platform: image.platform.to_string(),
        verdict: verdict.name().to_owned(),
        reasons,
        gaps: gaps.iter().map(|gap| format!("{} {}: {}", gap.kind, gap.subject, gap.detail)).collect(),
        findings: SeverityCounts::of(severities(&findings.findings)),
        fixable: judged(assessment, (server.now)()).fixable,
    }
}
