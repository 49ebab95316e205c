//! Whether pods may start, for a Kubernetes cluster that asks: `ValidatingWebhookConfiguration` (`admission.k8s.io/v1`) and
//! `ImageReview` (`imagepolicy.k8s.io/v1alpha1`).
//!
//! Answers are made of records alone. Nothing is scanned and no registry is asked, so an answer takes as long as a look into
//! the store, and asking has no effect, dry run or not. What surprises: on an update only images count that were not there
//! before, since a pod that runs must be able to end; and an object that cannot be understood is denied, not let through.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::routing::post;
use serde_json::Value;

use super::endpoint::{Access, Answer, Endpoint, Method, Payload, schema_of};
use super::{Api, Front, Refusal, api_v1};
use crate::access::Principal;
use crate::server::Server;

mod images;
mod judge;
mod review;

use review::{AdmissionAnswer, ImageAnswer};

/// Largest review that is read: etcd holds objects of 1.5 MiB, and a review of an update has two.
const REVIEW_BYTES_MAX: usize = 4 << 20;

/// The row.
pub(super) static API: Api = Api {
    name: "admission",
    about: "Whether pods may start, for Kubernetes clusters: by records of clearances alone.",
    endpoints: &[REVIEW, IMAGES],
    refuse: api_v1::refuse,
    front: Front {
        refusal: Some(Payload {
            media_types: &["application/problem+json"],
            schema: schema_of::<api_v1::wire::Problem>,
        }),
        ..Front::USUAL
    },
};

const OFF: Answer = Answer {
    status: 404,
    about: "Admission is not enabled in the configuration.",
    headers: &[],
    payload: None,
};

const BAD: Answer = Answer { status: 400, about: "The body is no review.", headers: &[], payload: None };

const REVIEW: Endpoint = Endpoint {
    method: Method::Post,
    path: "/admission",
    id: "reviewAdmission",
    about: "Answers an `AdmissionReview` of a pod, or of what makes pods: whether every image is named by its digest and \
            cleared.",
    access: Access::Admission,
    is_always_there: false,
    parameters: &[],
    body: Some(Payload { media_types: &["application/json"], schema: schema_of::<Value> }),
    answers: &[
        Answer {
            status: 200,
            about: "The answer; the first reasons are in its message.",
            headers: &[],
            payload: Some(Payload {
                media_types: &["application/json"],
                schema: schema_of::<AdmissionAnswer>,
            }),
        },
        BAD,
        OFF,
    ],
    route: || post(admit),
};

const IMAGES: Endpoint = Endpoint {
    method: Method::Post,
    path: "/admission/images",
    id: "reviewImages",
    about: "Answers an `ImageReview`, as the `ImagePolicyWebhook` of an API server asks.",
    access: Access::Admission,
    is_always_there: false,
    parameters: &[],
    body: Some(Payload { media_types: &["application/json"], schema: schema_of::<Value> }),
    answers: &[
        Answer {
            status: 200,
            about: "The answer.",
            headers: &[],
            payload: Some(Payload { media_types: &["application/json"], schema: schema_of::<ImageAnswer> }),
        },
        BAD,
        OFF,
    ],
    route: || post(admit_images),
};

/// Who asks, where they say so.
type Asking = Option<Extension<Arc<Principal>>>;

async fn admit(
    State(server): State<Arc<Server>>,
    principal: Asking,
    body: Bytes,
) -> Result<Json<AdmissionAnswer>, Refusal> {
    check(&server, &body)?;
    let asked = review::read_admission(&body).map_err(Refusal::bad_request)?;
    let answer = server
        .blocking(move |server| {
            let principal = principal.as_ref().map(|Extension(principal)| &**principal);
            let judged = match asked.images() {
                Ok(images) => judge::judge(server, principal, asked.namespace(), &images)?,
                Err(why) => judge::Judged::denied(why),
            };
            judged.note(server, asked.namespace());
            Ok(asked.answer(judged))
        })
        .await?;
    Ok(Json(answer))
}

async fn admit_images(
    State(server): State<Arc<Server>>,
    principal: Asking,
    body: Bytes,
) -> Result<Json<ImageAnswer>, Refusal> {
    check(&server, &body)?;
    let asked = review::read_images(&body).map_err(Refusal::bad_request)?;
    let answer = server
        .blocking(move |server| {
            let principal = principal.as_ref().map(|Extension(principal)| &**principal);
            let judged = match asked.images() {
                Ok(images) => judge::judge(server, principal, asked.namespace(), &images)?,
                Err(why) => judge::Judged::denied(why),
            };
            judged.note(server, asked.namespace());
            Ok(asked.answer(judged))
        })
        .await?;
    Ok(Json(answer))
}

/// Refuses where nobody is to be answered, and what is too large.
fn check(server: &Server, body: &[u8]) -> Result<(), Refusal> {
    if !server.config.admission.enabled {
        let message = "admission is not enabled; set `enabled` and `policy` in `[admission]`";
        return Err(Refusal::not_found(message));
    }
    if body.len() > REVIEW_BYTES_MAX {
        let message = format!("the review is larger than {REVIEW_BYTES_MAX} bytes");
        return Err(Refusal::new(413, "too_large", message));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
