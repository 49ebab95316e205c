//! What Clair calls the places where packages of each ecosystem lie and come from.

use plimsoll_core::ecosystems::{self, Ecosystem};
use plimsoll_core::inventory::Package;

use super::{Repository, id};

/// How Clair writes one ecosystem.
struct Spelling {
    ecosystem: &'static Ecosystem,
    /// Stands before the path of the evidence.
    prefix: &'static str,
    /// Whether the path is that of the folder in which the packages lie, instead of a file.
    is_folder: bool,
    /// Name of where its packages come from; empty for operating systems.
    repository: &'static str,
    /// Its address.
    url: &'static str,
}

/// All of them, sorted by the ecosystem's name. Of those that Clair does not read, the prefix is ours.
static SPELLINGS: &[Spelling] = &[
    Spelling { ecosystem: &ecosystems::APK, prefix: "", is_folder: false, repository: "", url: "" },
    Spelling {
        ecosystem: &ecosystems::CARGO,
        prefix: "cargo:",
        is_folder: false,
        repository: "crates.io",
        url: "https://crates.io/",
    },
    Spelling {
        ecosystem: &ecosystems::CHOCOLATEY,
        prefix: "chocolatey:",
        is_folder: false,
        repository: "chocolatey",
        url: "https://community.chocolatey.org/packages/",
    },
    Spelling {
        ecosystem: &ecosystems::COMPOSER,
        prefix: "composer:",
        is_folder: false,
        repository: "packagist",
        url: "https://packagist.org/",
    },
    Spelling { ecosystem: &ecosystems::DEB, prefix: "", is_folder: false, repository: "", url: "" },
    Spelling {
        ecosystem: &ecosystems::DOTNET,
        prefix: "dotnet:",
        is_folder: false,
        repository: "dotnet",
        url: "https://dotnet.microsoft.com/download/dotnet/",
    },
    Spelling {
        ecosystem: &ecosystems::GEM,
        prefix: "ruby:",
        is_folder: false,
        repository: "rubygems",
        url: "https://rubygems.org/gems/",
    },
    Spelling {
        ecosystem: &ecosystems::GOLANG,
        prefix: "go:",
        is_folder: false,
        repository: "go",
        url: "https://pkg.go.dev/",
    },
    Spelling {
        ecosystem: &ecosystems::MAVEN,
        prefix: "maven:",
        is_folder: false,
        repository: "maven",
        url: "https://repo1.maven.apache.org/maven2",
    },
    Spelling {
        ecosystem: &ecosystems::NPM,
        prefix: "nodejs:",
        is_folder: false,
        repository: "npm",
        url: "https://www.npmjs.com/",
    },
    Spelling {
        ecosystem: &ecosystems::NUGET,
        prefix: "nuget:",
        is_folder: false,
        repository: "nuget",
        url: "https://www.nuget.org/packages/",
    },
    Spelling {
        ecosystem: &ecosystems::PYPI,
        prefix: "python:",
        is_folder: true,
        repository: "pypi",
        url: "https://pypi.org/simple",
    },
    Spelling { ecosystem: &ecosystems::RPM, prefix: "", is_folder: false, repository: "", url: "" },
    Spelling { ecosystem: &ecosystems::WINDOWS, prefix: "", is_folder: false, repository: "", url: "" },
    Spelling {
        ecosystem: &ecosystems::WINDOWS_PROGRAM,
        prefix: "windows:",
        is_folder: false,
        repository: "windows-programs",
        url: "https://learn.microsoft.com/windows/win32/msi/uninstall-registry-key",
    },
];

/// Databases of rpm: the name of the file, and what Clair writes before its folder.
static RPM_DATABASES: &[(&str, &str)] =
    &[("/Packages", "bdb:"), ("/Packages.db", "ndb:"), ("/rpmdb.sqlite", "sqlite:")];

fn spelling(ecosystem: &Ecosystem) -> Option<&'static Spelling> {
    SPELLINGS.iter().find(|spelling| spelling.ecosystem == ecosystem)
}

/// The evidence of a package: a path without its first slash, and what is inside an archive after a colon.
pub(super) fn package_db(package: &Package) -> String {
    let path = package.evidence_path.trim_start_matches('/').replace("!/", ":");
    if package.ecosystem == &ecosystems::RPM
        && let Some((folder, prefix)) =
            RPM_DATABASES.iter().find_map(|(name, prefix)| Some((path.strip_suffix(name)?, prefix)))
    {
        return format!("{prefix}{folder}");
    }
    let Some(spelling) = spelling(package.ecosystem) else { return path };
    let path = if spelling.is_folder { folder_of(&path) } else { &path };
    format!("{}{path}", spelling.prefix)
}

/// Where a distribution of Python lies: beside the folder with its metadata.
fn folder_of(path: &str) -> &str {
    let parent = |path: &str| path.rsplit_once('/').map_or(0, |(parent, _)| parent.len());
    let mut folder = &path[..parent(path)];
    let name = folder.rsplit('/').next().unwrap_or_default();
    if name == "EGG-INFO" {
        folder = &folder[..parent(folder)];
    }
    let name = folder.rsplit('/').next().unwrap_or_default();
    let is_metadata = [".dist-info", ".egg-info", ".egg"].iter().any(|end| name.ends_with(end));
    if is_metadata { &folder[..parent(folder)] } else { folder }
}

/// Where packages of an ecosystem come from; `None` for operating systems.
pub(super) fn repository(ecosystem: &Ecosystem) -> Option<Repository> {
    let Spelling { repository: name, url: uri, .. } = spelling(ecosystem)?;
    if name.is_empty() {
        return None;
    }
    Some(Repository {
        id: id(&["repository", name, uri]),
        name: (*name).to_owned(),
        uri: (*uri).to_owned(),
        cpe: String::new(),
    })
}

/// The language ecosystem whose packages come from a repository of this name.
pub(in crate::http::clair_v4) fn of_repository(name: &str) -> Option<&'static Ecosystem> {
    let found = SPELLINGS.iter().find(|spelling| !name.is_empty() && spelling.repository == name);
    found.map(|spelling| spelling.ecosystem)
}

#[cfg(test)]
mod tests {
    use plimsoll_core::ecosystems::{ECOSYSTEMS, by_name};

    use super::*;

    #[test]
    fn every_ecosystem_is_spelled_once() {
        let spelled: Vec<&str> = SPELLINGS.iter().map(|spelling| spelling.ecosystem.name).collect();
        assert_eq!(spelled, ECOSYSTEMS.iter().map(|row| row.name).collect::<Vec<_>>());
        for spelling in SPELLINGS {
            assert_eq!(spelling.repository.is_empty(), spelling.ecosystem.is_os);
            let back = repository(spelling.ecosystem).map(|repository| of_repository(&repository.name));
            assert_eq!(back, (!spelling.ecosystem.is_os).then_some(Some(spelling.ecosystem)));
        }
    }

    #[test]
    fn evidence_is_written_as_clair_does() {
        for (ecosystem, path, expected) in [
            ("deb", "/var/lib/dpkg/status", "var/lib/dpkg/status"),
            ("apk", "/lib/apk/db/installed", "lib/apk/db/installed"),
            ("rpm", "/var/lib/rpm/Packages", "bdb:var/lib/rpm"),
            ("rpm", "/usr/lib/sysimage/rpm/Packages.db", "ndb:usr/lib/sysimage/rpm"),
            ("rpm", "/var/lib/rpm/rpmdb.sqlite", "sqlite:var/lib/rpm"),
            ("rpm", "/var/lib/rpmmanifest/container-manifest-2", "var/lib/rpmmanifest/container-manifest-2"),
            ("pypi", "/usr/lib/python3/a-1.dist-info/METADATA", "python:usr/lib/python3"),
            ("pypi", "/usr/lib/python3/a.egg-info", "python:usr/lib/python3"),
            ("pypi", "/usr/lib/python3/a.egg/EGG-INFO/PKG-INFO", "python:usr/lib/python3"),
            ("pypi", "/srv/app/Pipfile.lock", "python:srv/app"),
            ("pypi", "/METADATA", "python:"),
            ("maven", "/app.jar!/BOOT-INF/lib/x.jar", "maven:app.jar:BOOT-INF/lib/x.jar"),
            ("golang", "/usr/bin/tool", "go:usr/bin/tool"),
            ("npm", "/srv/node_modules/a/package.json", "nodejs:srv/node_modules/a/package.json"),
            ("cargo", "/usr/bin/tool", "cargo:usr/bin/tool"),
        ] {
            let package = Package {
                ecosystem: by_name(ecosystem).unwrap(),
                name: String::new(),
                version: String::new(),
                purl: String::new(),
                source: None,
                architecture: None,
                module: None,
                licenses: Vec::new(),
                evidence_path: path.to_owned(),
                layer: None,
                owned_by: None,
            };
            assert_eq!(package_db(&package), expected);
        }
    }
}
