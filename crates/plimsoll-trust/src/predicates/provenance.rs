//! SLSA provenance (`https://slsa.dev/spec/v0.1/provenance`, `/v0.2/`, `/v1.0/`), as GitHub Actions, SLSA's generators
//! and Google Cloud Build fill it.
//!
//! Where the source stands differs by version and by builder: the rules below are by field, and a builder that uses
//! other fields yields a provenance with less in it, never with a guess.

use plimsoll_core::evidence::{Material, Predicate, Provenance};
use serde_json::Value;

use crate::json::{list, text};
use crate::limits::MATERIALS_MAX;

/// Version 0.1: `recipe` and `materials`, of which the recipe names the one that it is defined in.
pub(super) fn read_v0_1(value: &Value) -> Result<Predicate, String> {
    let materials = materials(list(value, "/materials"))?;
    let defined_in = value.pointer("/recipe/definedInMaterial").and_then(Value::as_u64);
    let defined_in = defined_in.and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
    let mut provenance = Provenance {
        builder: Some(text(value, "/builder/id").ok_or("it has no `builder.id`")?),
        build_type: text(value, "/recipe/type"),
        entry_point: text(value, "/recipe/entryPoint"),
        finished: text(value, "/metadata/buildFinishedOn"),
        run: text(value, "/metadata/buildInvocationId"),
        ..Provenance::default()
    };
    if let Some(material) = materials.get(defined_in) {
        source(&mut provenance, &material.uri, material.digests.first().map(String::as_str));
    }
    provenance.materials = materials;
    Ok(Predicate::Provenance(Box::new(provenance)))
}

/// Version 0.2: `invocation.configSource`; GitHub's builders put their variables into `invocation.environment`.
pub(super) fn read_v0_2(value: &Value) -> Result<Predicate, String> {
    let environment = |name: &str| text(value, &format!("/invocation/environment/{name}"));
    let mut provenance = Provenance {
        builder: Some(text(value, "/builder/id").ok_or("it has no `builder.id`")?),
        build_type: text(value, "/buildType"),
        entry_point: text(value, "/invocation/configSource/entryPoint"),
        source_repository_id: environment("github_repository_id"),
        runner: environment("github_runner_environment"),
        trigger: environment("github_event_name"),
        finished: text(value, "/metadata/buildFinishedOn"),
        materials: materials(list(value, "/materials"))?,
        ..Provenance::default()
    };
    if let Some(uri) = text(value, "/invocation/configSource/uri") {
        let commit = text(value, "/invocation/configSource/digest/sha1");
        source(&mut provenance, &uri, commit.as_deref());
    }
    provenance.run = match (&provenance.source_repository, environment("github_run_id")) {
        (Some(repository), Some(run)) => {
            let attempt = environment("github_run_attempt").unwrap_or_else(|| "1".to_owned());
            Some(format!("{repository}/actions/runs/{run}/attempts/{attempt}"))
        }
        _ => text(value, "/metadata/buildInvocationId"),
    };
    Ok(Predicate::Provenance(Box::new(provenance)))
}

/// Version 1: `buildDefinition` and `runDetails`; the source is an external parameter, its commit a dependency.
pub(super) fn read_v1(value: &Value) -> Result<Predicate, String> {
    let parameter = |pointer: &str| text(value, &format!("/buildDefinition/externalParameters{pointer}"));
    let internal = |pointer: &str| text(value, &format!("/buildDefinition/internalParameters{pointer}"));
    let materials = materials(list(value, "/buildDefinition/resolvedDependencies"))?;
    let mut provenance = Provenance {
        builder: Some(text(value, "/runDetails/builder/id").ok_or("it has no `runDetails.builder.id`")?),
        build_type: Some(
            text(value, "/buildDefinition/buildType").ok_or("it has no `buildDefinition.buildType`")?,
        ),
        // Google Cloud Build writes `git+` before it.
        source_repository: parameter("/workflow/repository")
            .or_else(|| parameter("/buildConfigSource/repository"))
            .map(|uri| split_source(&uri).0),
        source_ref: parameter("/workflow/ref").or_else(|| parameter("/buildConfigSource/ref")),
        entry_point: parameter("/workflow/path").or_else(|| parameter("/buildConfigSource/path")),
        source_repository_id: internal("/github/repository_id").or_else(|| internal("/GITHUB_REPOSITORY_ID")),
        runner: internal("/github/runner_environment").or_else(|| internal("/GITHUB_RUNNER_ENVIRONMENT")),
        trigger: internal("/github/event_name").or_else(|| internal("/GITHUB_EVENT_NAME")),
        run: text(value, "/runDetails/metadata/invocationId"),
        finished: text(value, "/runDetails/metadata/finishedOn"),
        ..Provenance::default()
    };
    if let Some(uri) = parameter("/source/uri") {
        let commit = parameter("/source/digest/gitCommit").or_else(|| parameter("/source/digest/sha1"));
        source(&mut provenance, &uri, commit.as_deref());
    }
    if provenance.commit.is_none()
        && let Some(material) = material_of_source(&materials, provenance.source_repository.as_deref())
    {
        let reference = provenance.source_ref.take();
        source(&mut provenance, &material.uri, commit_of(material));
        provenance.source_ref = reference.or(provenance.source_ref);
    }
    provenance.materials = materials;
    Ok(Predicate::Provenance(Box::new(provenance)))
}

fn materials(list: &[Value]) -> Result<Vec<Material>, String> {
    if list.len() > MATERIALS_MAX {
        return Err(format!("it has {} materials, and at most {MATERIALS_MAX} are read", list.len()));
    }
    Ok(list
        .iter()
        .map(|material| {
            let digests = material.get("digest").and_then(Value::as_object);
            let mut digests: Vec<String> = digests
                .into_iter()
                .flatten()
                .filter_map(|(algorithm, digits)| Some(format!("{algorithm}:{}", digits.as_str()?)))
                .collect();
            digests.sort();
            Material { uri: text(material, "/uri").unwrap_or_default(), digests }
        })
        .collect())
}

/// The material that is the source: the one of the repository that is stated, or the only one that has a commit.
fn material_of_source<'a>(materials: &'a [Material], repository: Option<&str>) -> Option<&'a Material> {
    let mut sources = materials.iter().filter(|material| commit_of(material).is_some());
    match repository {
        Some(repository) => sources.find(|material| split_source(&material.uri).0 == repository),
        None => sources.next().filter(|_| sources.next().is_none()),
    }
}

/// The commit that a material is, as `ALGORITHM:HEX`.
fn commit_of(material: &Material) -> Option<&str> {
    material
        .digests
        .iter()
        .map(String::as_str)
        .find(|digest| digest.starts_with("gitCommit:") || digest.starts_with("sha1:"))
}

/// Notes repository, ref and commit of a source's URI. Google Cloud Build puts the commit into the path.
fn source(provenance: &mut Provenance, uri: &str, commit: Option<&str>) {
    let (repository, reference) = split_source(uri);
    let commit = commit.map(|commit| commit.split_once(':').map_or(commit, |(_, digits)| digits).to_owned());
    match repository.rsplit_once("/commit/") {
        Some((repository, in_path)) => {
            provenance.source_repository = Some(repository.to_owned());
            provenance.commit = commit.or_else(|| Some(in_path.to_owned()));
        }
        None => {
            provenance.source_repository = Some(repository);
            provenance.commit = commit;
        }
    }
    // A source can be named by its commit, which is no ref.
    provenance.source_ref = reference.filter(|reference| provenance.commit.as_ref() != Some(reference));
}

/// `git+https://HOST/OWNER/NAME@REF` as repository and ref.
fn split_source(uri: &str) -> (String, Option<String>) {
    let uri = uri.strip_prefix("git+").unwrap_or(uri);
    let authority_end = uri.find("://").map_or(0, |start| start + 3);
    let path = uri.get(authority_end..).and_then(|rest| rest.find('/')).map(|slash| authority_end + slash);
    let at = path.and_then(|path| uri.get(path..)?.find('@').map(|at| path + at));
    match at.and_then(|at| Some((uri.get(..at)?, uri.get(at + 1..)?))) {
        Some((repository, reference)) => (repository.to_owned(), Some(reference.to_owned())),
        None => (uri.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_split_where_its_path_says_so() {
        for (uri, repository, reference) in [
            ("git+https://h/o/n@refs/heads/main", "https://h/o/n", Some("refs/heads/main")),
            ("git+https://user@h/o/n@v1", "https://user@h/o/n", Some("v1")),
            ("https://h/o/n", "https://h/o/n", None),
            ("", "", None),
        ] {
            assert_eq!(split_source(uri), (repository.to_owned(), reference.map(str::to_owned)), "{uri}");
        }
    }
}
