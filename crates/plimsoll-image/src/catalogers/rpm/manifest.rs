//! The list of packages in distroless images of Azure Linux and CBL-Mariner, which have no rpm database.
//!
//! One package a line, ten fields with tabs between them: name, version-release, time of installation, time
//! of building, vendor, epoch or `(none)`, size, architecture, epoch as a number, file name of the source
//! rpm. The build writes it with `rpm -qa --qf` (<https://github.com/microsoft/azurelinux>, the toolkit's
//! documentation).

use plimsoll_core::ecosystems;

use super::{Found, FoundPackage, PACKAGES_MAX, PROBLEMS_MAX, Problem, source_package};

const FIELDS: usize = 10;

/// Reads a manifest. It states neither files nor modules.
pub fn parse(manifest: &[u8]) -> Found {
    let mut found = Found::default();
    let mut untold = 0_usize;
    let lines = manifest.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    for (number, line) in lines {
        let line = String::from_utf8_lossy(line);
        match package(line.trim_end_matches('\r')) {
            Some(package) if package.name == "gpg-pubkey" => {}
            Some(package) if found.packages.len() < PACKAGES_MAX => found.packages.push(package),
            None if found.problems.len() < PROBLEMS_MAX => found.problems.push(Problem::unreadable(format!(
                "line {} does not describe a package in {FIELDS} fields",
                number + 1
            ))),
            _ => untold += 1,
        }
    }
    if untold > 0 {
        found.problems.push(Problem::limit(format!("{untold} further lines are left out")));
    }
    if found.packages.is_empty() && found.problems.is_empty() {
        found.problems.push(Problem::unreadable("the manifest lists no package"));
    }
    found
}

fn package(line: &str) -> Option<FoundPackage> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [name, version, _, _, _, _, _, architecture, epoch, source] = fields.as_slice() else {
        return None;
    };
    if name.is_empty() || !version.contains('-') {
        return None;
    }
    let version = match epoch.parse::<u32>().ok()? {
        0 => (*version).to_owned(),
        epoch => format!("{epoch}:{version}"),
    };
    let mut package = FoundPackage::new(&ecosystems::RPM, *name, version);
    package.architecture = Some((*architecture).to_owned()).filter(|text| text != "(none)");
    package.source = source_package(source);
    Some(package)
}
