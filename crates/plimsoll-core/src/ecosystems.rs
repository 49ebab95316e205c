//! The kinds of packages: one row each.
//!
//! An operating-system ecosystem (`deb`, `rpm`, `apk`) is judged by the advisories of the image's
//! distribution. A language ecosystem has a namespace, a scheme and a way to write names of its own.

use std::borrow::Cow;

use crate::schemes::{self, Scheme};

/// One kind of package.
#[derive(Debug)]
pub struct Ecosystem {
    /// Its name, which is also the namespace of its advisories: `pypi`, `npm`.
    pub name: &'static str,
    /// Its purl type; `generic` where the specification has none.
    pub purl_type: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Its name in OSV (<https://ossf.github.io/osv-schema/#affectedpackage-field>); empty for
    /// operating-system packages, whose OSV ecosystem is the distribution's.
    pub osv: &'static str,
    /// Feeds that state its advisories; empty for operating-system packages, whose distribution says.
    pub feeds: &'static [&'static str],
    /// Whether a distribution judges its packages.
    pub is_os: bool,
    /// How its versions are ordered.
    pub scheme: &'static Scheme,
    /// Writes a name as advisories are looked up by it.
    pub normalize: for<'a> fn(&'a str) -> Cow<'a, str>,
    /// Splits a name into a purl's namespace and name; the namespace may be empty.
    pub purl_name: fn(&str) -> (&str, &str),
    /// Whether a purl has the version's epoch as a qualifier instead of in the version.
    pub purl_has_epoch: bool,
    /// Whether the version of a source package leaves out the epoch that it may have.
    pub source_lacks_epoch: bool,
    /// Whether a package is known by a namespace and a name, so that a name alone says nothing.
    pub needs_namespace: bool,
}

impl PartialEq for Ecosystem {
    fn eq(&self, other: &Ecosystem) -> bool {
        self.name == other.name
    }
}

impl Eq for Ecosystem {}

/// All ecosystems, sorted by name.
pub static ECOSYSTEMS: &[&Ecosystem] = &[
    &APK,
    &CARGO,
    &CHOCOLATEY,
    &COMPOSER,
    &DEB,
    &DOTNET,
    &GEM,
    &GOLANG,
    &MAVEN,
    &NPM,
    &NUGET,
    &PYPI,
    &RPM,
    &WINDOWS,
    &WINDOWS_PROGRAM,
];

/// The ecosystem with a name.
pub fn by_name(name: &str) -> Option<&'static Ecosystem> {
    ECOSYSTEMS.iter().copied().find(|row| row.name == name)
}

/// The language ecosystem with a name in OSV.
pub fn by_osv(name: &str) -> Option<&'static Ecosystem> {
    ECOSYSTEMS.iter().copied().find(|row| !row.osv.is_empty() && row.osv == name)
}

/// Alpine packages, also of Wolfi and Chainguard.
pub static APK: Ecosystem = Ecosystem {
    name: "apk",
    purl_type: "apk",
    title: "apk",
    osv: "",
    feeds: &[],
    is_os: true,
    scheme: &schemes::apk::SCHEME,
    normalize: as_written,
    purl_name: whole,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: false,
};

/// Rust crates.
pub static CARGO: Ecosystem = Ecosystem {
    name: "cargo",
    purl_type: "cargo",
    title: "Rust",
    osv: "crates.io",
    feeds: &["osv-crates-io", "github-advisories"],
    is_os: false,
    scheme: &schemes::semver::SCHEME,
    normalize: as_written,
    purl_name: whole,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: false,
};

/// Packages of Chocolatey, a package manager for Windows. Nobody states advisories for them.
pub static CHOCOLATEY: Ecosystem = Ecosystem {
    name: "chocolatey",
    purl_type: "chocolatey",
    title: "Chocolatey",
    osv: "",
    feeds: &[],
    is_os: false,
    scheme: &schemes::nuget::SCHEME,
    normalize: lower_case,
    purl_name: whole,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: false,
};

/// PHP packages.
pub static COMPOSER: Ecosystem = Ecosystem {
    name: "composer",
    purl_type: "composer",
    title: "PHP",
    osv: "Packagist",
    feeds: &["osv-packagist", "github-advisories"],
    is_os: false,
    scheme: &schemes::packagist::SCHEME,
    normalize: lower_case,
    purl_name: before_slash,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: false,
};

/// Debian packages, also of Ubuntu.
pub static DEB: Ecosystem = Ecosystem {
    name: "deb",
    purl_type: "deb",
    title: "deb",
    osv: "",
    feeds: &[],
    is_os: true,
    scheme: &schemes::deb::SCHEME,
    normalize: as_written,
    purl_name: whole,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: false,
};

/// Runtimes of .NET and PowerShell, on whatever system: what is judged by its release and is no NuGet package.
pub static DOTNET: Ecosystem = Ecosystem {
    name: "dotnet",
    purl_type: "generic",
    title: ".NET runtime",
    osv: "",
    feeds: &["msrc", "dotnet-releases"],
    is_os: false,
    scheme: &schemes::semver::SCHEME,
    normalize: lower_case,
    purl_name: of_microsoft,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: false,
};

/// Ruby gems.
pub static GEM: Ecosystem = Ecosystem {
    name: "gem",
    purl_type: "gem",
    title: "Ruby",
    osv: "RubyGems",
    feeds: &["osv-rubygems", "github-advisories"],
    is_os: false,
    scheme: &schemes::rubygems::SCHEME,
    normalize: as_written,
    purl_name: whole,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: false,
};

/// Go modules. The standard library is the module `stdlib`.
pub static GOLANG: Ecosystem = Ecosystem {
    name: "golang",
    purl_type: "golang",
    title: "Go",
    osv: "Go",
    feeds: &["osv-go", "github-advisories"],
    is_os: false,
    scheme: &schemes::go::SCHEME,
    normalize: as_written,
    purl_name: before_last_slash,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: false,
};

/// Java artifacts, `group:artifact`.
pub static MAVEN: Ecosystem = Ecosystem {
    name: "maven",
    purl_type: "maven",
    title: "Java",
    osv: "Maven",
    feeds: &["osv-maven", "github-advisories"],
    is_os: false,
    scheme: &schemes::maven::SCHEME,
    normalize: as_written,
    purl_name: before_colon,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: true,
};

/// Node packages.
pub static NPM: Ecosystem = Ecosystem {
    name: "npm",
    purl_type: "npm",
    title: "Node.js",
    osv: "npm",
    feeds: &["osv-npm", "github-advisories"],
    is_os: false,
    scheme: &schemes::npm::SCHEME,
    normalize: as_written,
    purl_name: before_slash,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: false,
};

/// .NET packages.
pub static NUGET: Ecosystem = Ecosystem {
    name: "nuget",
    purl_type: "nuget",
    title: ".NET",
    osv: "NuGet",
    feeds: &["osv-nuget", "github-advisories"],
    is_os: false,
    scheme: &schemes::nuget::SCHEME,
    normalize: lower_case,
    purl_name: whole,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: false,
};

/// Python distributions.
pub static PYPI: Ecosystem = Ecosystem {
    name: "pypi",
    purl_type: "pypi",
    title: "Python",
    osv: "PyPI",
    feeds: &["osv-pypi", "github-advisories"],
    is_os: false,
    scheme: &schemes::pep440::SCHEME,
    normalize: pep_503,
    purl_name: whole,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: false,
};

/// Packages of the Red Hat, SUSE and other rpm families.
pub static RPM: Ecosystem = Ecosystem {
    name: "rpm",
    purl_type: "rpm",
    title: "rpm",
    osv: "",
    feeds: &[],
    is_os: true,
    scheme: &schemes::rpm::SCHEME,
    normalize: as_written,
    purl_name: whole,
    purl_has_epoch: true,
    source_lacks_epoch: true,
    needs_namespace: false,
};

/// Windows itself and what is updated with it, the .NET Framework.
pub static WINDOWS: Ecosystem = Ecosystem {
    name: "windows",
    purl_type: "generic",
    title: "Windows",
    osv: "",
    feeds: &[],
    is_os: true,
    scheme: &schemes::windows::SCHEME,
    normalize: as_written,
    purl_name: whole,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: false,
};

/// Programs that Windows lists as installed. Nobody states advisories for them by the names that they have there.
pub static WINDOWS_PROGRAM: Ecosystem = Ecosystem {
    name: "windows-program",
    purl_type: "generic",
    title: "Windows program",
    osv: "",
    feeds: &[],
    is_os: false,
    scheme: &schemes::windows::SCHEME,
    normalize: as_written,
    purl_name: whole,
    purl_has_epoch: false,
    source_lacks_epoch: false,
    needs_namespace: false,
};

fn whole(name: &str) -> (&str, &str) {
    ("", name)
}

fn of_microsoft(name: &str) -> (&str, &str) {
    ("microsoft", name)
}

fn before_slash(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or(("", name))
}

fn before_last_slash(name: &str) -> (&str, &str) {
    name.rsplit_once('/').unwrap_or(("", name))
}

fn before_colon(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

fn as_written(name: &str) -> Cow<'_, str> {
    Cow::Borrowed(name)
}

fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

/// Lower case, every run of `-`, `_` and `.` one `-` (PEP 503, "Normalized Names").
fn pep_503(name: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(name.len());
    let mut in_run = false;
    for c in name.chars() {
        if matches!(c, '-' | '_' | '.') {
            if !in_run {
                out.push('-');
            }
            in_run = true;
        } else {
            out.push(c.to_ascii_lowercase());
            in_run = false;
        }
    }
    if out == name { Cow::Borrowed(name) } else { Cow::Owned(out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sorted() {
        assert!(ECOSYSTEMS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn names_are_normalized_as_their_registry_does() {
        for (row, from, to) in [
            (&PYPI, "Zope.Interface__x", "zope-interface-x"),
            (&PYPI, "django", "django"),
            (&NUGET, "Newtonsoft.Json", "newtonsoft.json"),
            (&NPM, "JSONStream", "JSONStream"),
        ] {
            assert_eq!((row.normalize)(from), to, "{}", row.name);
        }
    }
}
