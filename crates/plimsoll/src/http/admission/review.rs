//! The reviews as Kubernetes writes them (`k8s.io/api/admission/v1`, `k8s.io/api/imagepolicy/v1alpha1`), and the answers.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::images;
use super::judge::Judged;

const ADMISSION: &str = "admission.k8s.io/v1";

const IMAGE_POLICY: &str = "imagepolicy.k8s.io/v1alpha1";

/// Longest `uid`, in bytes. Kubernetes' own are 36.
const UID_BYTES_MAX: usize = 253;

/// A review, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AdmissionReview {
    api_version: String,
    kind: String,
    request: Option<AdmissionRequest>,
}

/// What is to be admitted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdmissionRequest {
    uid: String,
    kind: GroupVersionKind,
    #[serde(default)]
    namespace: Option<String>,
    operation: String,
    #[serde(default)]
    object: Value,
    #[serde(default)]
    old_object: Value,
}

#[derive(Deserialize)]
struct GroupVersionKind {
    #[serde(default)]
    group: String,
    kind: String,
}

/// The answer to a review.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdmissionAnswer {
    api_version: &'static str,
    kind: &'static str,
    response: AdmissionResponse,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct AdmissionResponse {
    /// The review's.
    uid: String,
    allowed: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<AdmissionStatus>,
    /// What whoever starts it is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// By which records it was judged, for the cluster's audit log.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct AdmissionStatus {
    code: u16,
    message: String,
}

impl AdmissionRequest {
    /// The namespace; empty where there is none.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// The images that would start; why they cannot be told.
    pub(super) fn images(&self) -> Result<BTreeSet<String>, String> {
        let of = |object: &Value| images::of_object(&self.kind.group, &self.kind.kind, object);
        match self.operation.as_str() {
            "CREATE" => of(&self.object),
            "UPDATE" => {
                let (new, old) = (of(&self.object)?, of(&self.old_object)?);
                Ok(new.difference(&old).cloned().collect())
            }
            // Nothing starts.
            "DELETE" | "CONNECT" => Ok(BTreeSet::new()),
            other => Err(format!("`{}` is no operation of Kubernetes", other.escape_debug())),
        }
    }

    /// The answer.
    pub(super) fn answer(self, judged: Judged) -> AdmissionAnswer {
        let status = (!judged.is_allowed()).then(|| AdmissionStatus { code: 403, message: judged.message() });
        AdmissionAnswer {
            api_version: ADMISSION,
            kind: "AdmissionReview",
            response: AdmissionResponse {
                uid: self.uid,
                allowed: judged.is_allowed(),
                status,
                warnings: judged.warnings(),
                audit_annotations: judged.audit(),
            },
        }
    }
}

/// Reads a review; why it is none.
pub(super) fn read_admission(body: &[u8]) -> Result<AdmissionRequest, String> {
    let review: AdmissionReview =
        serde_json::from_slice(body).map_err(|error| format!("the body is no AdmissionReview: {error}"))?;
    check_version(&review.api_version, &review.kind, ADMISSION, "AdmissionReview")?;
    let request = review.request.ok_or("the AdmissionReview has no `request`")?;
    match request.uid.len() {
        1..=UID_BYTES_MAX => Ok(request),
        _ => Err(format!("the `uid` is empty or longer than {UID_BYTES_MAX} bytes")),
    }
}

fn check_version(version: &str, kind: &str, wanted: &str, name: &str) -> Result<(), String> {
    match (version, kind) == (wanted, name) {
        true => Ok(()),
        false => Err(format!(
            "the body is `{}` of `{}`; send {name} of {wanted}",
            kind.escape_debug(),
            version.escape_debug()
        )),
    }
}

/// A review of images, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImageReview {
    api_version: String,
    kind: String,
    spec: ImageRequest,
}

/// Images that are to be admitted.
#[derive(Deserialize)]
pub(super) struct ImageRequest {
    #[serde(default)]
    containers: Vec<ImageContainer>,
    #[serde(default)]
    namespace: Option<String>,
}

#[derive(Deserialize)]
struct ImageContainer {
    #[serde(default)]
    image: Option<String>,
}

/// The answer to a review of images.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageAnswer {
    api_version: &'static str,
    kind: &'static str,
    status: ImageStatus,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ImageStatus {
    allowed: bool,
    /// Why it is not.
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<String, String>,
}

impl ImageRequest {
    /// The namespace; empty where there is none.
    pub(super) fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// The images; why they cannot be told.
    pub(super) fn images(&self) -> Result<BTreeSet<String>, String> {
        let images: BTreeSet<String> =
            self.containers.iter().map(|container| container.image.clone().unwrap_or_default()).collect();
        match images.len() > images::IMAGES_MAX {
            true => Err(format!("{} images are asked for, more than {}", images.len(), images::IMAGES_MAX)),
            false => Ok(images),
        }
    }

    /// The answer.
    pub(super) fn answer(self, judged: Judged) -> ImageAnswer {
        ImageAnswer {
            api_version: IMAGE_POLICY,
            kind: "ImageReview",
            status: ImageStatus {
                allowed: judged.is_allowed(),
                reason: if judged.is_allowed() { String::new() } else { judged.message() },
                audit_annotations: judged.audit(),
            },
        }
    }
}

/// Reads a review of images; why it is none.
pub(super) fn read_images(body: &[u8]) -> Result<ImageRequest, String> {
    let review: ImageReview =
        serde_json::from_slice(body).map_err(|error| format!("the body is no ImageReview: {error}"))?;
    check_version(&review.api_version, &review.kind, IMAGE_POLICY, "ImageReview")?;
    Ok(review.spec)
}
