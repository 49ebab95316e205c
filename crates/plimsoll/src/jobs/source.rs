//! How a worker gets what it scans: what a submission keeps beside its scan.
//!
//! It may hold the credentials of one client for one registry. The store keeps it only while the scan is on its way,
//! and nothing here shows it.

use std::collections::BTreeMap;
use std::fmt;

use plimsoll_core::digest::Digest;
use serde::{Deserialize, Serialize};

/// How to get an image.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// From a registry.
    Registry {
        /// `HOST/REPO[:TAG][@DIGEST]`.
        reference: String,
        /// The client's own `Authorization`, for that registry alone; without it those of the configuration.
        authorization: Option<String>,
        /// Whether the client says that the registry speaks plain HTTP.
        plain_http: bool,
        /// Whether what the reference leads to is scanned again although it is scanned.
        #[serde(default)]
        is_forced: bool,
    },
    /// Layer by layer, as Clair's clients give them: lowest first.
    Layers(Vec<SourceLayer>),
}

/// A layer and where it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SourceLayer {
    /// Its digest.
    pub(crate) digest: String,
    /// Where it is.
    pub(crate) url: String,
    /// What to send along, to that origin alone.
    pub(crate) headers: BTreeMap<String, Vec<String>>,
}

/// A manifest as Clair's clients give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClairManifest {
    /// The manifest's digest, which nothing proves.
    pub(crate) digest: Digest,
    /// The layers, lowest first.
    pub(crate) layers: Vec<SourceLayer>,
}

impl Source {
    /// As a submission keeps it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and lists can be written as JSON")
    }

    /// What [`encode`](Self::encode) was given; `None` where it is of another version, or gone.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Source> {
        serde_json::from_slice(bytes).ok()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Registry { reference, .. } => write!(f, "Registry({reference})"),
            Source::Layers(layers) => write!(f, "Layers({})", layers.len()),
        }
    }
}

impl fmt::Debug for SourceLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceLayer({})", self.digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded_and_secrets_are_not_shown() {
        let registry = Source::Registry {
            reference: "registry.example/a:1".to_owned(),
            authorization: Some("Basic c2VjcmV0".to_owned()),
            plain_http: false,
            is_forced: true,
        };
        let layers = Source::Layers(vec![SourceLayer {
            digest: "sha256:00".to_owned(),
            url: "https://registry.example/?sig=c2VjcmV0".to_owned(),
            headers: [("Authorization".to_owned(), vec!["Bearer c2VjcmV0".to_owned()])].into(),
        }]);
        for source in [registry, layers] {
            assert_eq!(Source::decode(&source.encode()).as_ref(), Some(&source));
            assert!(!format!("{source:?}").contains("c2VjcmV0"));
        }
        assert_eq!(Source::decode(b""), None);
    }
}
