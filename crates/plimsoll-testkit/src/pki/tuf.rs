//! A TUF repository that holds the PKI's `trusted_root.json`, signed by one key
//! (`https://theupdateframework.github.io/specification/latest/`).

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Key, Pki, hex};

/// The files of a repository, by their paths in it.
type Files = BTreeMap<String, Vec<u8>>;

impl Pki {
    /// The repository by its paths, which expires at `expires` (RFC 3339); `1.root.json` is the root to pin.
    pub fn tuf_repository(&self, expires: &str) -> BTreeMap<String, Vec<u8>> {
        let key = Key::new(self.seed, "tuf");
        let target = self.trusted_root().into_bytes();
        let mut files = Files::new();
        let digest = hex(&Sha256::digest(&target));
        let targets = signed(
            &key,
            json!({
                "_type": "targets", "spec_version": "1.0.31", "version": 1, "expires": expires,
                "targets": {"trusted_root.json": {"length": target.len(), "hashes": {"sha256": digest}}},
            }),
        );
        let snapshot = signed(
            &key,
            json!({
                "_type": "snapshot", "spec_version": "1.0.31", "version": 1, "expires": expires,
                "meta": {"targets.json": pinned(&targets)},
            }),
        );
        let timestamp = signed(
            &key,
            json!({
                "_type": "timestamp", "spec_version": "1.0.31", "version": 1, "expires": expires,
                "meta": {"snapshot.json": pinned(&snapshot)},
            }),
        );
        for version in [1, 2] {
            files.insert(format!("{version}.root.json"), root(&key, version, expires));
        }
        files.insert("1.targets.json".to_owned(), targets);
        files.insert("1.snapshot.json".to_owned(), snapshot);
        files.insert("timestamp.json".to_owned(), timestamp);
        files.insert(format!("targets/{digest}.trusted_root.json"), target);
        files
    }
}

fn root(key: &Key, version: u64, expires: &str) -> Vec<u8> {
    let role = json!({"keyids": [key.id_hex()], "threshold": 1});
    signed(
        key,
        json!({
            "_type": "root", "spec_version": "1.0.31", "version": version, "expires": expires,
            "consistent_snapshot": true,
            "keys": {key.id_hex(): {
                "keytype": "ecdsa", "scheme": "ecdsa-sha2-nistp256", "keyval": {"public": key.public_pem()},
            }},
            "roles": {"root": role, "timestamp": role, "snapshot": role, "targets": role},
        }),
    )
}

fn pinned(bytes: &[u8]) -> Value {
    json!({"version": 1, "length": bytes.len(), "hashes": {"sha256": hex(&Sha256::digest(bytes))}})
}

fn signed(key: &Key, signed: Value) -> Vec<u8> {
    let signature = hex(&key.sign(canonical(&signed).as_bytes()));
    json!({"signatures": [{"keyid": key.id_hex(), "sig": signature}], "signed": signed})
        .to_string()
        .into_bytes()
}

/// What signatures are over: names sorted, no white space, and in texts nothing escaped but quotes and backslashes
/// (`http://wiki.laptop.org/go/Canonical_JSON`).
fn canonical(value: &Value) -> String {
    let text = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            let fields = sorted.iter().map(|(name, value)| format!("{}:{}", text(name), canonical(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(all) => format!("[{}]", all.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::String(string) => text(string),
        other => other.to_string(),
    }
}
