//! What Harbor sends to have an artifact scanned: bytes to what is meant, or why not.

use plimsoll_core::digest::Digest;
use plimsoll_image::open::registry::credentials::Credential;
use schemars::JsonSchema;
use serde::Deserialize;

use super::capabilities::{self, CAPABILITIES, CONSUMES, Capability};
use super::media::MediaType;
use super::wire::Artifact;
use crate::http::Refusal;

/// Largest request, in bytes.
pub(super) const REQUEST_BYTES_MAX: usize = 64 << 10;

/// Longest `Authorization` that is taken over, in bytes. Tokens of registries are long.
const AUTHORIZATION_BYTES_MAX: usize = 16 << 10;

/// A request as it is sent. Everything may be missing, so that what is missing can be named.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "HarborScanRequest")]
pub(super) struct ScanRequest {
    /// Where the artifact is.
    registry: Option<Registry>,
    /// What is to be scanned.
    artifact: Option<Artifact>,
    /// What is wanted of it. Without it: what is known to be wrong.
    enabled_capabilities: Option<Vec<Enabled>>,
}

/// Where an artifact is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "HarborRegistry")]
struct Registry {
    /// `https://HOST[:PORT]`.
    url: Option<String>,
    /// `Basic ..` or `Bearer ..`, good for this job alone.
    authorization: Option<String>,
}

/// Something that is wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "HarborEnabledCapability")]
struct Enabled {
    /// The capability's name.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Media types of reports.
    produces_mime_types: Option<Vec<String>>,
    /// More of what is wanted.
    parameters: Option<Parameters>,
}

/// More of what is wanted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(rename = "HarborParameters")]
struct Parameters {
    /// Media types of documents.
    sbom_media_types: Option<Vec<String>>,
}

/// What is meant by a request.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The artifact.
    pub(super) artifact: Artifact,
    /// `HOST[:PORT]/REPOSITORY[:TAG]@DIGEST`.
    pub(super) reference: String,
    /// The job's own credentials.
    pub(super) authorization: Option<String>,
    /// Whether the registry speaks plain HTTP.
    pub(super) plain_http: bool,
    /// Names of capabilities, sorted, joined by `+`.
    pub(super) asked: String,
}

/// Reads a request.
pub(super) fn read(bytes: &[u8]) -> Result<Wanted, Refusal> {
    if bytes.len() > REQUEST_BYTES_MAX {
        let message = format!("the scan request is larger than {REQUEST_BYTES_MAX} bytes");
        return Err(Refusal::new(413, "too_large", message));
    }
    let request: ScanRequest = serde_json::from_slice(bytes)
        .map_err(|error| Refusal::bad_request(format!("the scan request is not one: {error}")))?;
    let asked = asked(request.enabled_capabilities.as_deref().unwrap_or_default())?;
    let registry = request.registry.unwrap_or_default();
    let (host, plain_http) = host(registry.url.as_deref().unwrap_or_default())?;
    let authorization = registry.authorization.filter(|text| !text.trim().is_empty());
    if let Some(text) = &authorization {
        check_authorization(text)?;
    }
    let mut artifact = request.artifact.unwrap_or_default();
    for (name, value) in
        [("artifact.repository", &artifact.repository), ("artifact.digest", &artifact.digest)]
    {
        if value.is_empty() {
            return Err(invalid(format!("missing `{name}`")));
        }
    }
    if let Err(error) = artifact.digest.parse::<Digest>() {
        return Err(invalid(format!("`artifact.digest` is not valid: {error}")));
    }
    // Also when it is asked for a report: whatever else stands there goes into no id.
    artifact.mime_type = mime_type(&artifact.mime_type)?;
    let tag = if artifact.tag.is_empty() { String::new() } else { format!(":{}", artifact.tag) };
    let reference = format!("{host}/{}{tag}@{}", artifact.repository, artifact.digest);
    Ok(Wanted { artifact, reference, authorization, plain_http, asked })
}

/// Which capabilities are wanted. Of those that are named each must be one that is here.
fn asked(enabled: &[Enabled]) -> Result<String, Refusal> {
    let mut names = Vec::new();
    for one in enabled {
        let kind = one.kind.as_deref().unwrap_or_default();
        let Some(capability) = capabilities::by_name(kind) else {
            let known: Vec<&str> = CAPABILITIES.iter().map(|row| row.name).collect();
            return Err(unsupported(format!(
                "`{kind}` is no capability of this scanner; it has {}",
                known.join(", ")
            )));
        };
        let types = one.produces_mime_types.as_deref().unwrap_or_default();
        if types.is_empty() {
            return Err(Refusal::bad_request(format!(
                "missing `enabled_capabilities[].produces_mime_types` of `{kind}`"
            )));
        }
        check_types(capability, types)?;
        let documents = one.parameters.as_ref().and_then(|more| more.sbom_media_types.as_deref());
        for document in documents.unwrap_or_default() {
            self::document(capability, Some(document))?;
        }
        names.push(capability.name);
    }
    if names.is_empty() {
        names.push(capabilities::usual().name);
    }
    names.sort_unstable();
    names.dedup();
    Ok(names.join("+"))
}

fn check_types(capability: &Capability, types: &[String]) -> Result<(), Refusal> {
    let offered = || capability.reports.iter().map(|report| report.media_type);
    let is_made = |wanted: &MediaType| offered().any(|text| wanted.takes(&MediaType::read(text)));
    match types.iter().find(|text| !is_made(&MediaType::read(text))) {
        None => Ok(()),
        Some(text) => Err(unsupported(format!(
            "no report of the type `{text}` is made for `{}`; ask for one of: {}",
            capability.name,
            offered().collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// Which document a report shall hold: that which is asked for, else the usual one; empty where there is no choice.
pub(super) fn document(
    capability: &'static Capability,
    asked: Option<&str>,
) -> Result<&'static str, Refusal> {
    let asked = asked.map(MediaType::read).filter(|wanted| !wanted.is_any());
    match asked {
        _ if capability.documents.is_empty() => Ok(""),
        None => Ok(capability.documents.first().copied().unwrap_or_default()),
        Some(wanted) => {
            capability.documents.iter().copied().find(|text| *text == wanted.essence).ok_or_else(|| {
                Refusal::bad_request(format!(
                    "`{}` is no `sbom_media_type` that is made; ask for one of: {}",
                    wanted.essence,
                    capability.documents.join(", ")
                ))
            })
        }
    }
}

/// Host and port of the registry, and whether it speaks plain HTTP.
fn host(url: &str) -> Result<(String, bool), Refusal> {
    if url.is_empty() {
        return Err(invalid("missing `registry.url`".to_owned()));
    }
    let bad = || invalid(format!("`registry.url` is `{}`; it must be `https://HOST[:PORT]`", redacted(url)));
    let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
    let plain_http = match scheme.to_ascii_lowercase().as_str() {
        "https" => false,
        "http" => true,
        _ => return Err(bad()),
    };
    let host = rest.trim_end_matches('/').to_ascii_lowercase();
    if host.is_empty() || host.contains(['/', '?', '#', '@']) {
        return Err(bad());
    }
    // A name without dot and port reads as a repository of Docker Hub: internal names of Harbor's core are such.
    let is_plain_word = !host.contains(['.', ':']);
    let port = if plain_http { ":80" } else { ":443" };
    Ok((if is_plain_word { host + port } else { host }, plain_http))
}

/// A URL without what might be a login.
fn redacted(url: &str) -> String {
    let text = match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}://..{}", url.get(..scheme).unwrap_or_default(), url.get(at..).unwrap_or_default())
        }
        _ => url.to_owned(),
    };
    text.chars().take(300).collect()
}

/// What it says is not shown. One that cannot be used would mean that the server's own logins are.
fn check_authorization(text: &str) -> Result<(), Refusal> {
    let is_plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let is_short = text.len() <= AUTHORIZATION_BYTES_MAX;
    match is_plain && is_short && Credential::from_authorization(text).is_some() {
        true => Ok(()),
        false => Err(invalid("`registry.authorization` must be `Basic ..` or `Bearer ..`".to_owned())),
    }
}

/// The type alone. An index is not refused for being unknown but for being several images.
fn mime_type(text: &str) -> Result<String, Refusal> {
    let essence = MediaType::read(text).essence;
    if essence.is_empty() || CONSUMES.contains(&essence.as_str()) {
        return Ok(essence);
    }
    Err(invalid(format!(
        "`artifact.mime_type` is `{text}`, which is not scanned as it is; send images, each as one of: {}",
        CONSUMES.join(", ")
    )))
}

fn invalid(message: String) -> Refusal {
    Refusal::new(422, "invalid", message)
}

fn unsupported(message: String) -> Refusal {
    Refusal::new(501, "not_implemented", message)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// As Harbor 2.16 sends it.
    pub(super) fn request() -> Value {
        json!({
            "registry": {
                "url": "https://core.harbor.example",
                "authorization": "Basic cm9ib3QkbGlicmFyeStzY2FubmVyOmdlOmhlaW0=",
                "insecure": false
            },
            "artifact": {
                "repository": "library/mongo",
                "tag": "7",
                "digest": format!("sha256:{}", "0".repeat(64)),
                "mime_type": "application/vnd.oci.image.manifest.v1+json",
                "size": 1234
            },
            "enabled_capabilities": [{
                "type": "vulnerability",
                "produces_mime_types": ["application/vnd.security.vulnerability.report; version=1.1"],
                "parameters": null
            }]
        })
    }

    fn changed(pointer: &str, value: Value) -> Vec<u8> {
        let mut request = request();
        *request.pointer_mut(pointer).unwrap() = value;
        serde_json::to_vec(&request).unwrap()
    }

    #[test]
    fn what_harbor_sends_is_understood() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let wanted = read(&serde_json::to_vec(&request()).unwrap()).unwrap_or_else(|r| panic!("{r:?}"));
        assert_eq!(wanted.reference, format!("core.harbor.example/library/mongo:7@{digest}"));
        assert_eq!(wanted.authorization.as_deref(), Some("Basic cm9ib3QkbGlicmFyeStzY2FubmVyOmdlOmhlaW0="));
        assert_eq!((wanted.plain_http, wanted.asked.as_str()), (false, "vulnerability"));
        for (pointer, value, reference, plain_http, asked) in [
            (
                "/registry/url",
                json!("http://harbor.example:8080/"),
                "harbor.example:8080",
                true,
                "vulnerability",
            ),
            ("/registry/url", json!("http://core"), "core:80", true, "vulnerability"),
            ("/registry/authorization", json!("Bearer a.b.c"), "core.harbor.example", false, "vulnerability"),
            ("/registry/authorization", json!(""), "core.harbor.example", false, "vulnerability"),
            ("/enabled_capabilities", json!(null), "core.harbor.example", false, "vulnerability"),
            ("/enabled_capabilities", json!([]), "core.harbor.example", false, "vulnerability"),
            (
                "/enabled_capabilities",
                json!([
                    {"type": "sbom", "produces_mime_types": ["application/vnd.security.sbom.report+json; version=1.0"],
                     "parameters": {"sbom_media_types": ["application/spdx+json"]}},
                    {"type": "vulnerability", "produces_mime_types": ["*/*"]}
                ]),
                "core.harbor.example",
                false,
                "sbom+vulnerability",
            ),
            ("/artifact/mime_type", json!(""), "core.harbor.example", false, "vulnerability"),
        ] {
            let wanted = read(&changed(pointer, value.clone())).unwrap_or_else(|r| panic!("{value}: {r:?}"));
            assert_eq!(wanted.reference, format!("{reference}/library/mongo:7@{digest}"), "{value}");
            assert_eq!((wanted.plain_http, wanted.asked.as_str()), (plain_http, asked), "{value}");
        }
        // What is sealed into an id is what was understood.
        let type_of = |text: String| {
            let wanted = read(&changed("/artifact/mime_type", json!(text)));
            wanted.unwrap_or_else(|r| panic!("{r:?}")).artifact.mime_type
        };
        assert_eq!(type_of(format!("{}; a=b\nc\n{}", CONSUMES[0], "d".repeat(5_000))), CONSUMES[0]);
        assert_eq!(type_of(CONSUMES[1].to_uppercase()), CONSUMES[1]);
        let wanted = read(&changed("/artifact/tag", json!(""))).unwrap_or_else(|r| panic!("{r:?}"));
        assert_eq!(wanted.reference, format!("core.harbor.example/library/mongo@{digest}"));
    }

    #[test]
    fn what_is_wrong_is_named_and_secrets_are_not() {
        for (pointer, value, status, part) in [
            ("/registry", json!(null), 422, "missing `registry.url`"),
            ("/registry/url", json!("core.harbor.example"), 422, "must be `https://HOST[:PORT]`"),
            ("/registry/url", json!("ftp://core.harbor.example"), 422, "must be `https://HOST[:PORT]`"),
            ("/registry/url", json!("https://a:geheim@h.example"), 422, "`https://..@h.example`"),
            ("/registry/url", json!("https://h.example/path"), 422, "must be `https://HOST[:PORT]`"),
            ("/registry/authorization", json!("geheim"), 422, "must be `Basic ..` or `Bearer ..`"),
            ("/registry/authorization", json!("Basic geheim!"), 422, "must be `Basic ..` or `Bearer ..`"),
            ("/registry/authorization", json!("Basic geheim\r\nHost: x"), 422, "`registry.authorization`"),
            ("/artifact/repository", json!(""), 422, "missing `artifact.repository`"),
            ("/artifact/digest", json!(""), 422, "missing `artifact.digest`"),
            ("/artifact/digest", json!("sha256:00"), 422, "`artifact.digest` is not valid"),
            ("/artifact/mime_type", json!("application/vnd.oci.image.index.v1+json"), 422, "send images"),
            ("/artifact", json!(7), 400, "the scan request is not one"),
            ("/enabled_capabilities/0/type", json!("license"), 501, "`license` is no capability"),
            (
                "/enabled_capabilities/0/produces_mime_types",
                json!([]),
                400,
                "missing `enabled_capabilities[]",
            ),
            ("/enabled_capabilities/0/produces_mime_types", json!(["text/html"]), 501, "`text/html`"),
        ] {
            let refusal = read(&changed(pointer, value.clone())).map(|_| ()).unwrap_err();
            assert_eq!(refusal.status, status, "{value}: {}", refusal.message);
            assert!(refusal.message.contains(part), "{value}: {}", refusal.message);
            assert!(!refusal.message.contains("geheim"), "{}", refusal.message);
        }
        assert_eq!(read(b"{").map(|_| ()).unwrap_err().status, 400);
        assert_eq!(read(b"{}").map(|_| ()).unwrap_err().status, 422);
        assert_eq!(read(&vec![b' '; REQUEST_BYTES_MAX + 1]).map(|_| ()).unwrap_err().status, 413);
    }

    #[test]
    fn documents() {
        let sbom = capabilities::by_name("sbom").unwrap();
        for (capability, asked, answer) in [
            (sbom, None, Ok("application/spdx+json")),
            (sbom, Some(""), Ok("application/spdx+json")),
            (sbom, Some("Application/SPDX+json; version=2.3"), Ok("application/spdx+json")),
            (sbom, Some("application/vnd.cyclonedx+json"), Ok("application/vnd.cyclonedx+json")),
            (sbom, Some("text/spdx"), Err(400)),
            (capabilities::usual(), Some("text/spdx"), Ok("")),
        ] {
            assert_eq!(document(capability, asked).map_err(|refusal| refusal.status), answer, "{asked:?}");
        }
    }
}
