//! Statements for any predicate, and predicates as builders and tools write them.

use serde_json::{Value, json};

use super::identity::Workflow;

/// The type of SLSA provenance, version 1.
pub const PROVENANCE_V1: &str = "https://slsa.dev/provenance/v1";
/// The type of SLSA provenance, version 0.2.
pub const PROVENANCE_V0_2: &str = "https://slsa.dev/provenance/v0.2";
/// The type of SLSA provenance, version 0.1.
pub const PROVENANCE_V0_1: &str = "https://slsa.dev/provenance/v0.1";
/// The type of OpenVEX.
pub const OPENVEX: &str = "https://openvex.dev/ns/v0.2.0";
/// The type of CycloneDX.
pub const CYCLONEDX: &str = "https://cyclonedx.org/bom";
/// The type of SPDX.
pub const SPDX: &str = "https://spdx.dev/Document";
/// The type of verification summaries.
pub const VERIFICATION_SUMMARY: &str = "https://slsa.dev/verification_summary/v1";
/// The type that cosign 3 signs an image with, which says nothing more.
pub const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";

/// An in-toto statement, JSON text, about the thing that `name` and `digest` (`sha256:..`) name.
pub fn statement(name: &str, digest: &str, predicate_type: &str, predicate: &Value) -> String {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest.trim_start_matches("sha256:")}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    })
    .to_string()
}

/// The text that cosign before version 3 signs of an image (`https://github.com/containers/image/blob/main/docs/containers-signature.5.md`).
pub fn simple_signing(name: &str, digest: &str) -> String {
    json!({
        "critical": {
            "identity": {"docker-reference": name},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string()
}

/// SLSA provenance, version 1, as GitHub's own builder writes it (`https://slsa.dev/spec/v1.0/provenance`).
pub fn provenance_v1(workflow: &Workflow) -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {"workflow": {
                "ref": workflow.reference,
                "repository": workflow.repository_url(),
                "path": workflow.path,
            }},
            "internalParameters": {"github": {
                "event_name": workflow.trigger,
                "repository_id": workflow.repository_id,
                "repository_owner_id": "42",
                "runner_environment": workflow.runner,
            }},
            "resolvedDependencies": [{
                "uri": format!("git+{}@{}", workflow.repository_url(), workflow.reference),
                "digest": {"gitCommit": workflow.commit},
            }],
        },
        "runDetails": {
            "builder": {"id": workflow.uri()},
            "metadata": {"invocationId": workflow.run_url()},
        },
    })
}

/// SLSA provenance, version 1, as Google Cloud Build writes it (`https://cloud.google.com/build/docs/securing-builds/view-build-provenance`).
pub fn cloud_build_v1(repository_url: &str, reference: &str, commit: &str) -> Value {
    json!({
        "buildDefinition": {
            "buildType": "https://cloud.google.com/build/gcb-buildtypes/google-worker/v1",
            "externalParameters": {"buildConfigSource": {
                "path": "cloudbuild.yaml",
                "ref": reference,
                "repository": format!("git+{repository_url}"),
            }},
            "internalParameters": {"systemSubstitutions": {"COMMIT_SHA": commit}},
            "resolvedDependencies": [{
                "uri": format!("git+{repository_url}@{reference}"),
                "digest": {"gitCommit": commit},
            }],
        },
        "runDetails": {
            "builder": {"id": "https://cloudbuild.googleapis.com/GoogleHostedWorker"},
            "metadata": {
                "invocationId": "https://cloudbuild.googleapis.com/v1/projects/example/locations/global/builds/1",
                "finishedOn": "2026-02-02T02:40:00Z",
            },
        },
    })
}

/// SLSA provenance, version 0.2, as SLSA's generators for GitHub write it (`https://slsa.dev/spec/v0.2/provenance`).
pub fn provenance_v0_2(workflow: &Workflow) -> Value {
    let uri = format!("git+{}@{}", workflow.repository_url(), workflow.reference);
    json!({
        "builder": {"id": workflow.uri()},
        "buildType": "https://github.com/slsa-framework/slsa-github-generator/container@v1",
        "invocation": {
            "configSource": {"uri": uri, "digest": {"sha1": workflow.commit}, "entryPoint": workflow.path},
            "environment": {
                "github_event_name": workflow.trigger,
                "github_repository_id": workflow.repository_id,
                "github_run_id": workflow.run,
                "github_run_attempt": "1",
                "github_runner_environment": workflow.runner,
            },
        },
        "metadata": {"buildFinishedOn": "2026-02-02T02:40:00Z"},
        "materials": [{"uri": uri, "digest": {"sha1": workflow.commit}}],
    })
}

/// SLSA provenance, version 0.1 (`https://slsa.dev/spec/v0.1/provenance`).
pub fn provenance_v0_1(workflow: &Workflow) -> Value {
    let uri = format!("git+{}@{}", workflow.repository_url(), workflow.reference);
    json!({
        "builder": {"id": workflow.uri()},
        "recipe": {
            "type": "https://github.com/Attestations/GitHubActionsWorkflow@v1",
            "definedInMaterial": 0,
            "entryPoint": workflow.path,
        },
        "metadata": {"buildInvocationId": workflow.run_url()},
        "materials": [{"uri": uri, "digest": {"sha1": workflow.commit}}],
    })
}

/// An OpenVEX document of one statement about a product.
pub fn openvex(author: &str, vulnerability: &str, product: &str, status: &str) -> Value {
    let mut statement = json!({
        "vulnerability": {"name": vulnerability},
        "products": [{"@id": product}],
        "status": status,
    });
    if status == "not_affected" {
        statement["justification"] = json!("vulnerable_code_not_in_execute_path");
    }
    json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://plimsoll.test/vex/1",
        "author": author,
        "timestamp": "2026-02-02T02:40:00Z",
        "version": 1,
        "statements": [statement],
    })
}

/// A verification summary that passed.
pub fn verification_summary(verifier: &str, resource: &str, levels: &[&str]) -> Value {
    json!({
        "verifier": {"id": verifier},
        "timeVerified": "2026-02-02T02:40:00Z",
        "resourceUri": resource,
        "policy": {"uri": "https://plimsoll.test/policy"},
        "verificationResult": "PASSED",
        "verifiedLevels": levels,
    })
}
