//! A transparency log of Rekor's kind, of both versions: the first promises and states a time, the second proves alone.
//!
//! The log remembers nothing: each entry stands in a small tree of its own, between entries of nobody's, so that the same entry has
//! the same proof each time.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::key::Key;

/// Where the entry stands in its tree, and how many entries that has.
const TREE_INDEX: usize = 4;
const TREE_SIZE: usize = 7;
/// Entries before this tree: the first version counts on over several trees.
const EARLIER: u64 = 1000;

/// The two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogVersion {
    /// With promises and times.
    V1,
    /// With proofs alone.
    V2,
}

/// A transparency log.
#[derive(Clone)]
pub struct Log {
    /// Its version.
    pub version: LogVersion,
    key: Key,
}

/// What signed: it stands in the entry.
#[derive(Clone, Copy, Debug)]
pub enum Verifier<'a> {
    /// A certificate, DER.
    Certificate(&'a [u8]),
    /// A public key, DER.
    Key(&'a [u8]),
}

/// What is entered.
#[derive(Clone, Copy, Debug)]
pub enum Entered<'a> {
    /// A signature over a message.
    Message(&'a [u8]),
    /// A signature over an envelope's payload, with what was signed.
    Envelope {
        /// The payload's type.
        payload_type: &'a str,
        /// The payload.
        payload: &'a [u8],
    },
}

/// An entry of a log, with what proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands in the log.
    pub index: u64,
    /// The log's id.
    pub log: Vec<u8>,
    /// The entry's kind: `hashedrekord`.
    pub kind: String,
    /// The version of the kind: `0.0.1`.
    pub kind_version: String,
    /// When it was entered, in seconds since 1970; the second version of the log does not say.
    pub time: Option<i64>,
    /// What was entered.
    pub body: Vec<u8>,
    /// The log's promise to include it.
    pub promise: Option<Vec<u8>>,
    /// The proof that it is included.
    pub proof: Option<Proof>,
}

/// A path in a tree, and the tree's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Where the entry stands in the tree.
    pub index: u64,
    /// How many entries the tree has.
    pub size: u64,
    /// The tree's hash.
    pub root: Vec<u8>,
    /// The hashes beside the path, from the leaf up.
    pub hashes: Vec<Vec<u8>>,
    /// The head as a signed note.
    pub checkpoint: Option<String>,
}

impl Log {
    pub(super) fn new(seed: u64, version: LogVersion) -> Log {
        Log { version, key: Key::new(seed, &format!("log {version:?}")) }
    }

    /// The log's key.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The log's name.
    pub fn name(&self) -> &'static str {
        match self.version {
            LogVersion::V1 => "log1.plimsoll.test",
            LogVersion::V2 => "log2.plimsoll.test",
        }
    }

    /// Enters a signature.
    pub fn enter(&self, entered: Entered<'_>, signature: &[u8], verifier: Verifier<'_>, at: i64) -> Entry {
        let body = match (self.version, entered) {
            (LogVersion::V1, Entered::Message(message)) => hashed(message, signature, verifier),
            (LogVersion::V1, Entered::Envelope { payload_type, payload }) => {
                enveloped(payload_type, payload, signature, verifier)
            }
            (LogVersion::V2, Entered::Message(message)) => hashed_v2(message, signature, verifier),
            (LogVersion::V2, Entered::Envelope { payload_type, payload }) => {
                hashed_v2(&super::pae(payload_type, payload), signature, verifier)
            }
        };
        self.include(&body, at)
    }

    /// Includes an entry's body, whatever it says.
    pub fn include(&self, body: &Value, at: i64) -> Entry {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let bytes = body.to_string().into_bytes();
        let index = u64::try_from(TREE_INDEX).expect("it is small");
        let proof = self.prove(&bytes, at);
        let mut entry = Entry {
            index,
            log: self.key.id().to_vec(),
            kind: text("kind"),
            kind_version: text("apiVersion"),
            time: None,
            body: bytes,
            promise: None,
            proof: Some(proof),
        };
        if self.version == LogVersion::V1 {
            entry.index += EARLIER;
            entry.time = Some(at);
            entry.promise = Some(self.promise(&entry));
        }
        entry
    }

    /// Signs what an entry says of itself.
    pub fn promise(&self, entry: &Entry) -> Vec<u8> {
        let promised = json!({
            "body": BASE64_STANDARD.encode(&entry.body),
            "integratedTime": entry.time.unwrap_or_default(),
            "logID": super::hex(&entry.log),
            "logIndex": entry.index,
        });
        self.key.sign(promised.to_string().as_bytes())
    }

    fn prove(&self, body: &[u8], at: i64) -> Proof {
        let leaves: Vec<[u8; 32]> = (0..TREE_SIZE)
            .map(
                |index| {
                    if index == TREE_INDEX { leaf(body) } else { leaf(format!("entry {index}").as_bytes()) }
                },
            )
            .collect();
        let root = tree(&leaves);
        let mut hashes = Vec::new();
        path(&leaves, TREE_INDEX, &mut hashes);
        Proof {
            index: u64::try_from(TREE_INDEX).expect("it is small"),
            size: u64::try_from(TREE_SIZE).expect("it is small"),
            root: root.to_vec(),
            hashes,
            checkpoint: Some(self.checkpoint(TREE_SIZE, &root, at)),
        }
    }

    /// A tree's head as a signed note (`https://github.com/transparency-dev/formats/blob/main/log/README.md`).
    pub fn checkpoint(&self, size: usize, root: &[u8], at: i64) -> String {
        let root = BASE64_STANDARD.encode(root);
        let name = self.name();
        let note = match self.version {
            LogVersion::V1 => format!("{name} - 1\n{size}\n{root}\nTimestamp: {at}000000000\n"),
            LogVersion::V2 => format!("{name}\n{size}\n{root}\n"),
        };
        let mut signature: Vec<u8> = self.key.id().into_iter().take(4).collect();
        signature.extend(self.key.sign(note.as_bytes()));
        format!("{note}\n\u{2014} {name} {}\n", BASE64_STANDARD.encode(signature))
    }
}

/// An entry `hashedrekord/0.0.1`: the hash of what was signed.
fn hashed(message: &[u8], signature: &[u8], verifier: Verifier<'_>) -> Value {
    json!({
        "apiVersion": "0.0.1",
        "kind": "hashedrekord",
        "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": super::hex(&Sha256::digest(message))}},
            "signature": {
                "content": BASE64_STANDARD.encode(signature),
                "publicKey": {"content": BASE64_STANDARD.encode(verifier.pem())},
            },
        },
    })
}

/// An entry `dsse/0.0.1`: the hashes of the envelope and of its payload, and the signature.
fn enveloped(payload_type: &str, payload: &[u8], signature: &[u8], verifier: Verifier<'_>) -> Value {
    let envelope = super::envelope(payload_type, payload, signature).to_string();
    let hash = |bytes: &[u8]| json!({"algorithm": "sha256", "value": super::hex(&Sha256::digest(bytes))});
    json!({
        "apiVersion": "0.0.1",
        "kind": "dsse",
        "spec": {
            "envelopeHash": hash(envelope.as_bytes()),
            "payloadHash": hash(payload),
            "signatures": [{
                "signature": BASE64_STANDARD.encode(signature),
                "verifier": BASE64_STANDARD.encode(verifier.pem()),
            }],
        },
    })
}

/// An entry `hashedrekord/0.0.2`, the only kind of the second version.
fn hashed_v2(message: &[u8], signature: &[u8], verifier: Verifier<'_>) -> Value {
    let (field, bytes) = match verifier {
        Verifier::Certificate(der) => ("x509Certificate", der),
        Verifier::Key(der) => ("publicKey", der),
    };
    json!({
        "apiVersion": "0.0.2",
        "kind": "hashedrekord",
        "spec": {"hashedRekordV002": {
            "data": {"algorithm": "SHA2_256", "digest": BASE64_STANDARD.encode(Sha256::digest(message))},
            "signature": {
                "content": BASE64_STANDARD.encode(signature),
                "verifier": {
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    field: {"rawBytes": BASE64_STANDARD.encode(bytes)},
                },
            },
        }},
    })
}

impl Verifier<'_> {
    fn pem(self) -> String {
        match self {
            Verifier::Certificate(der) => super::der::pem("CERTIFICATE", der),
            Verifier::Key(der) => super::der::pem("PUBLIC KEY", der),
        }
    }
}

/// The hash of a leaf (RFC 6962, 2.1).
fn leaf(bytes: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(bytes).finalize().into()
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The largest power of two below the number of leaves: where a tree is split.
fn split(leaves: &[[u8; 32]]) -> (&[[u8; 32]], &[[u8; 32]]) {
    leaves.split_at(leaves.len().div_ceil(2).next_power_of_two())
}

fn tree(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => Sha256::digest([]).into(),
        [only] => *only,
        _ => {
            let (left, right) = split(leaves);
            node(&tree(left), &tree(right))
        }
    }
}

/// The hashes beside the way to a leaf, from the leaf up (RFC 6962, 2.1.1).
fn path(leaves: &[[u8; 32]], index: usize, hashes: &mut Vec<Vec<u8>>) {
    if leaves.len() < 2 {
        return;
    }
    let (left, right) = split(leaves);
    if index < left.len() {
        path(left, index, hashes);
        hashes.push(tree(right).to_vec());
    } else {
        path(right, index - left.len(), hashes);
        hashes.push(tree(left).to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_split_at_the_largest_power_of_two_below_its_size() {
        for (size, left) in [(2, 1), (3, 2), (4, 2), (5, 4), (7, 4), (8, 4), (9, 8)] {
            assert_eq!(split(&vec![[0; 32]; size]).0.len(), left, "{size}");
        }
    }
}
