//! Google's public keys, a row each. The files are those of `slsa-verifier`, `verifiers/internal/gcb/keys/materials`.

use super::SignedForm;

pub(super) struct Row {
    /// Where the key is kept: a region, or `global`.
    pub(super) location: &'static str,
    /// The key's name and version.
    pub(super) key: &'static str,
    pub(super) form: SignedForm,
    pub(super) pem: &'static str,
}

impl Row {
    pub(super) fn id(&self) -> String {
        let Row { location, key, .. } = self;
        format!("projects/verified-builder/locations/{location}/keyRings/attestor/cryptoKeys/{key}")
    }
}

const BUILT: &str = "builtByGCB/cryptoKeyVersions/1";

/// All keys, sorted by where they are kept and by name.
pub(super) static KEYS: &[Row] = &[
    Row {
        location: "asia-east1",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/asia-east1.key"),
    },
    Row {
        location: "asia-northeast1",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/asia-northeast1.key"),
    },
    Row {
        location: "asia-southeast1",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/asia-southeast1.key"),
    },
    Row {
        location: "australia-southeast1",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/australia-southeast1.key"),
    },
    Row {
        location: "europe-north1",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/europe-north1.key"),
    },
    Row {
        location: "europe-west1",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/europe-west1.key"),
    },
    Row {
        location: "europe-west2",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/europe-west2.key"),
    },
    Row {
        location: "europe-west3",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/europe-west3.key"),
    },
    Row {
        location: "europe-west4",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/europe-west4.key"),
    },
    Row {
        location: "global",
        key: "google-hosted-worker/cryptoKeyVersions/1",
        form: SignedForm::Pae,
        pem: include_str!("../../data/gcb/global-pae-google-hosted-worker_1.key"),
    },
    Row {
        location: "global",
        key: "provenanceSigner/cryptoKeyVersions/1",
        form: SignedForm::Pae,
        pem: include_str!("../../data/gcb/global-pae-provenanceSigner_1.key"),
    },
    Row {
        location: "global",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/global.key"),
    },
    Row {
        location: "southamerica-west1",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/southamerica-west1.key"),
    },
    Row {
        location: "us-central1",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/us-central1.key"),
    },
    Row {
        location: "us-central2",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/us-central2.key"),
    },
    Row {
        location: "us-east1",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/us-east1.key"),
    },
    Row {
        location: "us-east4",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/us-east4.key"),
    },
    Row {
        location: "us-west1",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/us-west1.key"),
    },
    Row {
        location: "us-west2",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/us-west2.key"),
    },
    Row {
        location: "us-west3",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/us-west3.key"),
    },
    Row {
        location: "us-west4",
        key: BUILT,
        form: SignedForm::Payload,
        pem: include_str!("../../data/gcb/us-west4.key"),
    },
];
