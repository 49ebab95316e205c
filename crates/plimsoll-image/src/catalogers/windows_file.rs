//! The version of a file of Windows, where nothing else says how far something is updated: the .NET Framework, whose
//! registry says its release and not its updates; and PowerShell, which is judged by its own.
//!
//! Most files of Windows state a version, and it says nothing: files that an update did not touch keep an old one. So only
//! those in the list are read.

use plimsoll_core::ecosystems;

use super::{Cataloger, Entry, File, Found, FoundPackage, Problem};
use crate::windows::version_resource::file_version;

pub(super) static CATALOGER: Cataloger = Cataloger {
    name: "windows-file",
    title: "versions of the .NET Framework and of PowerShell",
    version: 1,
    reads: &["Windows/Microsoft.NET/Framework*/v*/{clr,mscorwks}.dll", "**/PowerShell/*/pwsh.dll"],
    wants,
    read,
};

/// Largest file that is read, in bytes. The .NET Framework's are about 10 MiB.
const BYTES_MAX: u64 = 64 << 20;

/// Where the runtimes of the .NET Framework are, lower-case: the one of version 4 and the one that 3.5 runs on. The first
/// that is there counts.
pub(crate) const FRAMEWORK_4: [&str; 2] = [
    "windows/microsoft.net/framework64/v4.0.30319/clr.dll",
    "windows/microsoft.net/framework/v4.0.30319/clr.dll",
];

/// See [`FRAMEWORK_4`].
pub(crate) const FRAMEWORK_2: [&str; 2] = [
    "windows/microsoft.net/framework64/v2.0.50727/mscorwks.dll",
    "windows/microsoft.net/framework/v2.0.50727/mscorwks.dll",
];

fn wants(entry: &Entry<'_>) -> bool {
    is_powershell(entry) || (ends_with(entry.path, ".dll") && is_framework(entry.path))
}

fn is_framework(path: &str) -> bool {
    FRAMEWORK_4.iter().chain(&FRAMEWORK_2).any(|known| path.eq_ignore_ascii_case(known))
}

/// `C:\Program Files\PowerShell\7\pwsh.dll`, `/opt/microsoft/powershell/7/pwsh.dll`.
fn is_powershell(entry: &Entry<'_>) -> bool {
    entry.file_name().eq_ignore_ascii_case("pwsh.dll")
        && entry.path.rsplit('/').nth(2).is_some_and(|directory| directory.eq_ignore_ascii_case("powershell"))
}

fn ends_with(path: &str, end: &str) -> bool {
    let at = path.len().checked_sub(end.len());
    at.and_then(|at| path.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
}

fn read(file: &mut File<'_>) -> Found {
    file.whole_bytes_max = file.whole_bytes_max.min(BYTES_MAX);
    let is_powershell = is_powershell(&file.entry);
    let bytes = match file.bytes() {
        Ok(bytes) => bytes,
        Err(problem) => return Found::problem(problem),
    };
    match file_version(&bytes) {
        Ok(Some(version)) if is_powershell => {
            // A release has three numbers; the fourth is the build's.
            let release: Vec<&str> = version.split('.').take(3).collect();
            let package = FoundPackage::new(&ecosystems::DOTNET, "powershell", release.join("."));
            Found { packages: vec![package], ..Found::default() }
        }
        Ok(Some(version)) => Found { file_version: Some(version), ..Found::default() },
        Ok(None) => Found::problem(Problem::unreadable("states no version in its resources")),
        Err(reason) => Found::problem(Problem::unreadable(reason)),
    }
}
