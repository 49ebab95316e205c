//! Which images an object of Kubernetes would have run: containers of every sort, and volumes that are images, of pods and
//! of whatever has a template of pods.
//!
//! Fields are those of `k8s.io/api` (`core/v1`, `apps/v1`, `batch/v1`). Whatever else stands in an object is left aside; what
//! stands there in another form than the API has is an error.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

/// Most distinct images of one object.
pub(super) const IMAGES_MAX: usize = 500;

/// A kind of objects that have pods: its API group, its name, and where the pod's `spec` stands.
static KINDS: &[(&str, &str, &[&str])] = &[
    ("", "Pod", &["spec"]),
    ("", "PodTemplate", &["template", "spec"]),
    ("", "ReplicationController", &["spec", "template", "spec"]),
    ("apps", "DaemonSet", &["spec", "template", "spec"]),
    ("apps", "Deployment", &["spec", "template", "spec"]),
    ("apps", "ReplicaSet", &["spec", "template", "spec"]),
    ("apps", "StatefulSet", &["spec", "template", "spec"]),
    ("batch", "CronJob", &["spec", "jobTemplate", "spec", "template", "spec"]),
    ("batch", "Job", &["spec", "template", "spec"]),
];

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodSpec {
    containers: Option<Vec<Container>>,
    init_containers: Option<Vec<Container>>,
    ephemeral_containers: Option<Vec<Container>>,
    volumes: Option<Vec<Volume>>,
}

#[derive(Deserialize)]
struct Container {
    image: Option<String>,
}

#[derive(Deserialize)]
struct Volume {
    image: Option<VolumeImage>,
}

#[derive(Deserialize)]
struct VolumeImage {
    reference: Option<String>,
}

/// The images of an object, sorted; why they cannot be told. A container that names none is an empty text among them.
pub(super) fn of_object(group: &str, kind: &str, object: &Value) -> Result<BTreeSet<String>, String> {
    let row = KINDS.iter().find(|(of, name, _)| *of == group && *name == kind);
    let Some((_, _, path)) = row else {
        let names: Vec<&str> = KINDS.iter().map(|(_, name, _)| *name).collect();
        return Err(format!(
            "it is not known where a `{kind}` of `{group}` has its images; those that are known are {}",
            names.join(", ")
        ));
    };
    let mut spec = object;
    for field in *path {
        spec = spec.get(field).unwrap_or(&Value::Null);
    }
    // A replication controller and a pod template may have no pod yet, and then start none.
    if spec.is_null() && path.contains(&"template") {
        return Ok(BTreeSet::new());
    }
    let spec = PodSpec::deserialize(spec)
        .map_err(|error| format!("the `{}` of the {kind} cannot be read: {error}", path.join(".")))?;
    let images = images(spec);
    if images.len() > IMAGES_MAX {
        return Err(format!("the {kind} has {} images, more than {IMAGES_MAX}", images.len()));
    }
    Ok(images)
}

fn images(spec: PodSpec) -> BTreeSet<String> {
    let containers = [spec.containers, spec.init_containers, spec.ephemeral_containers];
    let containers = containers.into_iter().flatten().flatten();
    let volumes = spec.volumes.into_iter().flatten();
    containers
        .map(|container| container.image.unwrap_or_default())
        .chain(volumes.filter_map(|volume| volume.image).map(|image| image.reference.unwrap_or_default()))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn kinds_are_sorted() {
        assert!(KINDS.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)));
    }

    #[test]
    fn where_images_stand() {
        let pod = json!({
            "containers": [{"name": "a", "image": "a"}, {"name": "none"}],
            "initContainers": [{"image": "b"}],
            "ephemeralContainers": [{"image": "c", "targetContainerName": "a"}],
            "volumes": [{"name": "v", "image": {"reference": "d", "pullPolicy": "Always"}}, {"emptyDir": {}}],
        });
        let all: BTreeSet<String> = ["", "a", "b", "c", "d"].map(str::to_owned).into();
        for (group, kind, path) in KINDS {
            let mut object = pod.clone();
            for field in path.iter().rev() {
                object = json!({ *field: object });
            }
            assert_eq!(of_object(group, kind, &object), Ok(all.clone()), "{kind}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_without_images() {
        for (kind, object, said) in [
            ("Node", json!({"spec": {"containers": []}}), "it is not known where a `Node`"),
            ("Pod", json!({}), "cannot be read"),
            ("Pod", json!({"spec": {"containers": {"image": "a"}}}), "cannot be read"),
            ("Pod", json!({"spec": {"containers": [{"image": 7}]}}), "cannot be read"),
            ("Pod", json!({"spec": {"volumes": [{"image": "a"}]}}), "cannot be read"),
            ("Pod", json!({"spec": ["containers"]}), "cannot be read"),
        ] {
            let error = of_object("", kind, &object).unwrap_err();
            assert!(error.contains(said), "{object}: {error}");
        }
        let many: Vec<Value> = (0..=IMAGES_MAX).map(|number| json!({"image": number.to_string()})).collect();
        let error = of_object("", "Pod", &json!({"spec": {"containers": many}})).unwrap_err();
        assert!(error.contains("more than 500"), "{error}");
    }
}
