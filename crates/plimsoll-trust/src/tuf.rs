//! Roots of trust out of the files of a TUF repository (`https://theupdateframework.github.io/specification/latest/`), verified
//! from a root that the user pins, at a time that the user states.
//!
//! Nothing is fetched. What surprises: the metadata has to be unexpired at the stated time and not today. Copies of a
//! repository are always expired after a week, and how old they may be is for whoever states the time.

use jiff::Timestamp;
use plimsoll_core::digest::hex;
use sigstore_tuf::trusted::TrustedMetadataSet;

use crate::keys::{raw, sha256};

/// The target that holds the roots.
const TARGET: &str = "trusted_root.json";
/// Most roots that follow each other.
const ROOTS_MAX: u64 = 1_024;

/// Reads a file of the repository by its path; `None` where there is none.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// The bytes of `trusted_root.json`, verified from `anchor`, the pinned `root.json`, at `at`; or why there are none.
pub(crate) fn trusted_root(anchor: &[u8], read: ReadFile<'_>, at: Timestamp) -> Result<Vec<u8>, String> {
    let wrong = |what: &str, error: sigstore_tuf::Error| format!("{what}: {error}");
    let mut set = TrustedMetadataSet::from_root(anchor).map_err(|error| wrong("the pinned root", error))?;
    let first = set.root().version;
    for version in (first..first.saturating_add(ROOTS_MAX)).map(|version| version.saturating_add(1)) {
        let name = format!("{version}.root.json");
        let Some(bytes) = read(&name) else { break };
        set.update_root(&bytes).map_err(|error| wrong(&name, error))?;
    }
    set.check_root_expired(at).map_err(|error| wrong("the root", error))?;
    let timestamp = needed(read, &["timestamp.json".to_owned()])?;
    set.update_timestamp(&timestamp, at).map_err(|error| wrong("timestamp.json", error))?;
    let pinned = set.timestamp().and_then(|signed| signed.snapshot_meta()).map(|meta| meta.version);
    let snapshot = needed(read, &versioned("snapshot.json", pinned))?;
    set.update_snapshot(&snapshot, at).map_err(|error| wrong("snapshot.json", error))?;
    let pinned = set.snapshot().and_then(|signed| signed.meta.get("targets.json")).map(|meta| meta.version);
    let targets = needed(read, &versioned("targets.json", pinned))?;
    let targets = set.update_targets(&targets, at).map_err(|error| wrong("targets.json", error))?;
    let target = targets.target(TARGET).ok_or_else(|| format!("the targets do not name `{TARGET}`"))?;
    let digest = target.hashes.get("sha256").ok_or_else(|| format!("`{TARGET}` has no SHA-256"))?;
    let bytes = needed(
        read,
        &[format!("targets/{digest}.{TARGET}"), format!("targets/{TARGET}"), TARGET.to_owned()],
    )?;
    let found = hex(&raw(&sha256(&bytes)));
    if found != *digest || u64::try_from(bytes.len()) != Ok(target.length) {
        return Err(format!("`{TARGET}` is {found}, and the targets say {digest}"));
    }
    Ok(bytes)
}

/// The names that a file has in repositories with consistent snapshots and without.
fn versioned(name: &str, version: Option<u64>) -> Vec<String> {
    version.map(|version| format!("{version}.{name}")).into_iter().chain([name.to_owned()]).collect()
}

fn needed(read: ReadFile<'_>, names: &[String]) -> Result<Vec<u8>, String> {
    names.iter().find_map(|name| read(name)).ok_or_else(|| format!("there is no `{}`", names.join("`, `")))
}
