//! A manifest as Clair's clients give it. Fields that are not known are ignored, as Clair does.

use std::collections::BTreeMap;

use plimsoll_core::digest::Digest;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::http::Refusal;
use crate::jobs::source::{ClairManifest, SourceLayer};

/// A manifest. Go's clients write an empty list or map as `null`.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Manifest {
    /// The manifest's digest.
    #[serde(default)]
    hash: Option<String>,
    /// Its layers, lowest first.
    #[serde(default)]
    layers: Option<Vec<Layer>>,
}

/// A layer.
#[derive(Deserialize, JsonSchema)]
struct Layer {
    /// Its digest.
    hash: String,
    /// Where it is.
    #[serde(default)]
    uri: String,
    /// What to send along, to that origin alone.
    #[serde(default)]
    headers: Option<BTreeMap<String, Option<Vec<String>>>>,
}

/// Reads a manifest.
pub(super) fn read(body: &[u8]) -> Result<ClairManifest, Refusal> {
    let unreadable = |what: &dyn std::fmt::Display| {
        Refusal::bad_request(format!("failed to deserialize manifest: {what}"))
    };
    let manifest: Manifest = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let hash = manifest.hash.unwrap_or_default();
    let layers = manifest.layers.unwrap_or_default();
    if hash.is_empty() || layers.is_empty() {
        return Err(Refusal::bad_request("bogus manifest: it has no `hash` or no layers"));
    }
    let digest: Digest = hash.parse().map_err(|error| unreadable(&error))?;
    let layers = layers.into_iter().map(|layer| {
        let headers = layer.headers.unwrap_or_default();
        SourceLayer {
            digest: layer.hash,
            url: layer.uri,
            headers: headers.into_iter().map(|(name, values)| (name, values.unwrap_or_default())).collect(),
        }
    });
    Ok(ClairManifest { digest, layers: layers.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_leave_out_is_empty_and_what_they_add_is_ignored() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        let text = format!(
            r#"{{"hash":"{digest}","more":1,"layers":[
                {{"hash":"{digest}","uri":"https://a.example/","media_type":"x","headers":null}},
                {{"hash":"{digest}","headers":{{"A":["b","c"],"D":null}}}}]}}"#
        );
        let manifest = read(text.as_bytes()).unwrap();
        assert_eq!(manifest.digest.as_str(), digest);
        assert!(manifest.layers[0].headers.is_empty());
        assert_eq!(manifest.layers[1].headers["A"], ["b", "c"]);
        assert!(manifest.layers[1].headers["D"].is_empty());
    }

    #[test]
    fn bogus_manifests_are_refused() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (text, said) in [
            ("{}".to_owned(), "bogus manifest"),
            (format!(r#"{{"hash":"{digest}"}}"#), "bogus manifest"),
            (format!(r#"{{"hash":"{digest}","layers":null}}"#), "bogus manifest"),
            (r#"{"layers":[{"hash":"sha256:00"}]}"#.to_owned(), "bogus manifest"),
            (r#"{"hash":"md5:00","layers":[{"hash":"sha256:00"}]}"#.to_owned(), "failed to deserialize"),
            (format!(r#"{{"hash":"{digest}","layers":[{{}}]}}"#), "failed to deserialize"),
            ("[".to_owned(), "failed to deserialize"),
            (String::new(), "failed to deserialize"),
        ] {
            let refusal = read(text.as_bytes()).unwrap_err();
            assert_eq!(refusal.status, 400, "{text}");
            assert!(refusal.message.starts_with(said), "{text}: {}", refusal.message);
        }
    }
}
