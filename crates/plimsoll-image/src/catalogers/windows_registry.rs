//! The registry hives of a Windows image: which Windows it is, its updates, its programs.
//!
//! A base layer has a whole hive; each layer above it one of what it changed, below `Hives/`. What they state is joined
//! where layers are: [`crate::windows`].

use super::{Cataloger, Entry, File, Found};
use crate::windows::extract::extract;
use crate::windows::hive::HIVE_BYTES_MAX;

pub(super) static CATALOGER: Cataloger = Cataloger {
    name: "windows-registry",
    title: "registry hives of Windows",
    version: 1,
    reads: &["Windows/System32/config/SOFTWARE", "Hives/Software_Delta", "Users/*/NTUSER.DAT"],
    wants,
    read,
};

/// The whole hive of the machine, lower-case, below `C:\`.
const SOFTWARE: &str = "windows/system32/config/software";

/// The hive of what a layer changed, lower-case, in the layer itself.
const SOFTWARE_DELTA: &str = "hives/software_delta";

fn wants(entry: &Entry<'_>) -> bool {
    let path = entry.path;
    is_machine(path) || is_users(path)
}

/// Whether a path is that of a hive of the machine.
pub(crate) fn is_machine(path: &str) -> bool {
    path.eq_ignore_ascii_case(SOFTWARE) || path.eq_ignore_ascii_case(SOFTWARE_DELTA)
}

/// Whether a path is that of a user's own hive: `Users/ContainerAdministrator/NTUSER.DAT`.
pub(crate) fn is_users(path: &str) -> bool {
    let mut parts = path.split('/');
    let is = |part: Option<&str>, name: &str| part.is_some_and(|part| part.eq_ignore_ascii_case(name));
    is(parts.next(), "users")
        && parts.next().is_some()
        && is(parts.next(), "ntuser.dat")
        && parts.next().is_none()
}

fn read(file: &mut File<'_>) -> Found {
    file.whole_bytes_max = file.whole_bytes_max.min(HIVE_BYTES_MAX as u64);
    let bytes = match file.bytes() {
        Ok(bytes) => bytes,
        Err(problem) => return Found::problem(problem),
    };
    let (hive, problems) = extract(&bytes);
    Found { hive: Some(hive), problems, ..Found::default() }
}
