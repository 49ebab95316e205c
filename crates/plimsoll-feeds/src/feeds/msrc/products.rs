//! What the numbers of products mean: which packages a statement is about.
//!
//! A number of two, `11676-11572`, is a component on a platform, and its name joins both: `Microsoft .NET Framework 3.5 AND
//! 4.8 on Windows Server 2019 (Server Core installation)`. The platform is known by its own number; names vary.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::ecosystems;
use plimsoll_core::schemes::{semver, windows};
use plimsoll_core::windows::Product;
use plimsoll_core::windows::products::of_msrc;

/// What a product is to us.
#[derive(Debug)]
pub(super) enum Meaning {
    /// It is these packages. That of the platform is beside them: its updates may bring the fix of what stands on it, and
    /// are all that there is of a component without a package of its own.
    Judged(Vec<Target>, Option<Target>),
    /// Nothing that is judged.
    Skipped(&'static str),
    /// It is not understood.
    Refused(&'static str),
}

/// A package that a product is.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// Windows itself.
    Windows(&'static Product),
    /// A release of the .NET Framework on it.
    Framework(&'static Product, &'static Release),
    /// A line of a runtime, by the name of its package and its first two numbers; on whatever system.
    Runtime(&'static str, String),
}

/// A release of the .NET Framework that is a package of its own.
#[derive(Debug)]
pub(super) struct Release {
    /// `4.7.2`.
    name: &'static str,
    /// How the versions of its files begin. Those of 4.6 and 4.7 are serviced as one, as 4.7; 3.5 is known by its runtime,
    /// which is that of 2.0.
    files: &'static str,
}

/// Runtimes have patches below it, and SDKs above.
const SDK_PATCH_LEAST: u32 = 100;

impl Target {
    /// Its namespace and name.
    pub(super) fn package(&self) -> (String, String) {
        match self {
            Target::Windows(product) => (product.namespace(), product.package.to_owned()),
            Target::Framework(product, release) => {
                (product.namespace(), format!("dotnet-framework-{}", release.name))
            }
            Target::Runtime(package, _) => (ecosystems::DOTNET.name.to_owned(), (*package).to_owned()),
        }
    }

    /// The first version that can be affected; `None` where all before the fix are of the product. Previews of a line are of
    /// it.
    pub(super) fn first_version(&self) -> Option<String> {
        match self {
            Target::Windows(_) | Target::Framework(..) => None,
            Target::Runtime(_, line) => Some(format!("{line}.0-0")),
        }
    }

    /// Whether a build is one of it.
    pub(super) fn has_version(&self, build: &str) -> bool {
        match self {
            Target::Windows(product) => product.has_version(build) && (windows::SCHEME.key)(build).is_ok(),
            Target::Framework(_, release) => {
                build.starts_with(release.files) && (windows::SCHEME.key)(build).is_ok()
            }
            Target::Runtime(_, line) => {
                let rest = build.strip_prefix(line.as_str()).and_then(|rest| rest.strip_prefix('.'));
                let patch = rest.and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
                patch.is_some_and(|patch| patch < SDK_PATCH_LEAST) && (semver::SCHEME.key)(build).is_ok()
            }
        }
    }
}

/// Releases that containers may have.
const RELEASES: &[Release] = &[
    Release { name: "3.5", files: "2.0.50727." },
    Release { name: "4.6", files: "4.7." },
    Release { name: "4.6.1", files: "4.7." },
    Release { name: "4.6.2", files: "4.7." },
    Release { name: "4.7", files: "4.7." },
    Release { name: "4.7.1", files: "4.7." },
    Release { name: "4.7.2", files: "4.7." },
    Release { name: "4.8", files: "4.8." },
    Release { name: "4.8.1", files: "4.8." },
];

/// How the names of runtimes begin, and the package that each is.
const RUNTIMES: &[(&str, &str)] = &[
    (".net ", "dotnet-runtime"),
    (".net core ", "dotnet-runtime"),
    ("asp.net core ", "aspnetcore-runtime"),
    (".net desktop runtime ", "windowsdesktop-runtime"),
    ("windows desktop runtime ", "windowsdesktop-runtime"),
    ("powershell ", "powershell"),
    ("powershell core ", "powershell"),
];

const OTHER: &str = "the product is none that containers are made of";
const TOOLS: &str = "tools and SDKs for developers are not judged";
const UNNAMED: &str = "the document does not name the product";
const UNKNOWN_RELEASE: &str = "a release of the .NET Framework is not known";
const UNKNOWN_LINE: &str = "a line of .NET or PowerShell has no two numbers";

/// Names of a document's products, by number.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// Notes a name. The first counts: the tree of families repeats the list.
    pub(super) fn note(&mut self, id: String, name: String) {
        self.0.entry(id).or_insert(name);
    }

    fn name(&self, id: &str) -> &str {
        self.0.get(id).map_or("", String::as_str)
    }

    /// The namespaces of which the document's products speak.
    pub(super) fn namespaces(&self) -> BTreeSet<String> {
        let targets = self.0.keys().flat_map(|id| match self.meaning(id) {
            Meaning::Judged(targets, platform) => targets.into_iter().chain(platform).collect(),
            Meaning::Skipped(_) | Meaning::Refused(_) => Vec::new(),
        });
        targets.map(|target| target.package().0).collect()
    }

    /// What a product's number means.
    pub(super) fn meaning(&self, id: &str) -> Meaning {
        let name = self.name(id);
        if let Some((component, platform)) = id.split_once('-') {
            return self.on_platform(name, component, platform);
        }
        if let Some(product) = of_msrc(id, name) {
            return Meaning::Judged(vec![Target::Windows(product)], None);
        }
        match name {
            "" => Meaning::Refused(UNNAMED),
            name => runtime(name),
        }
    }

    fn on_platform(&self, name: &str, component: &str, platform: &str) -> Meaning {
        let (of_component, of_platform) =
            name.rsplit_once(" on ").unwrap_or((self.name(component), self.name(platform)));
        let Some(product) = of_msrc(platform, of_platform) else { return Meaning::Skipped(OTHER) };
        match of_component.split_once(".NET Framework") {
            Some((_, releases)) => framework(product, releases),
            None if of_component.is_empty() => Meaning::Refused(UNNAMED),
            None => Meaning::Judged(Vec::new(), Some(Target::Windows(product))),
        }
    }
}

/// `3.5 AND 4.8`, `4.6.2/4.7/4.7.1/4.7.2`.
fn framework(product: &'static Product, releases: &str) -> Meaning {
    let names = releases.split(|c: char| !c.is_ascii_digit() && c != '.').filter(|name| !name.is_empty());
    let release = |name| RELEASES.iter().find(|release| release.name == name);
    let targets: Option<Vec<Target>> =
        names.map(|name| Some(Target::Framework(product, release(name)?))).collect();
    match targets {
        Some(targets) if !targets.is_empty() => Meaning::Judged(targets, Some(Target::Windows(product))),
        _ => Meaning::Refused(UNKNOWN_RELEASE),
    }
}

/// `.NET 8.0 installed on Linux`, `ASP.NET Core 8.0`, `PowerShell 7.4`.
fn runtime(name: &str) -> Meaning {
    let lower = name.to_ascii_lowercase();
    let name = lower.strip_prefix("microsoft ").unwrap_or(&lower);
    if name.contains("visual studio") || name.split(' ').any(|word| word == "sdk") {
        return Meaning::Skipped(TOOLS);
    }
    let rest = |(start, package): &(&str, &'static str)| Some((name.strip_prefix(start)?, *package));
    // The longest start: `.NET Core 3.1` is no `.NET`.
    let found = RUNTIMES.iter().filter_map(rest).min_by_key(|(rest, _)| rest.len());
    let Some((rest, package)) = found else { return Meaning::Skipped(OTHER) };
    if rest.starts_with("framework") {
        // That of a platform that is not named, on its own.
        return Meaning::Skipped(OTHER);
    }
    let line = rest.split(' ').next().unwrap_or_default();
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match line.split_once('.') {
        Some((major, minor)) if is_number(major) && is_number(minor) => {
            Meaning::Judged(vec![Target::Runtime(package, line.to_owned())], None)
        }
        _ => Meaning::Refused(UNKNOWN_LINE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(id: &str, names: &[(&str, &str)]) -> String {
        let mut known = Names::default();
        for (id, name) in names {
            known.note((*id).to_owned(), (*name).to_owned());
        }
        let name = |target: &Target| match target {
            Target::Windows(product) => product.namespace(),
            Target::Framework(_, release) => release.name.to_owned(),
            Target::Runtime(package, line) => format!("{package} {line}"),
        };
        match known.meaning(id) {
            Meaning::Judged(targets, platform) => {
                let names: Vec<String> = platform.iter().chain(&targets).map(name).collect();
                names.join(" ")
            }
            Meaning::Skipped(why) | Meaning::Refused(why) => why.to_owned(),
        }
    }

    #[test]
    fn runtimes_are_known_by_name() {
        for (name, expected) in [
            (".NET 8.0", "dotnet-runtime 8.0"),
            (".NET 9.0 installed on Mac OS", "dotnet-runtime 9.0"),
            (".NET Core 3.1", "dotnet-runtime 3.1"),
            ("ASP.NET Core 8.0", "aspnetcore-runtime 8.0"),
            ("Microsoft ASP.NET Core 2.1", "aspnetcore-runtime 2.1"),
            (".NET Desktop Runtime 8.0", "windowsdesktop-runtime 8.0"),
            ("PowerShell 7.4", "powershell 7.4"),
            ("PowerShell Core 6.2", "powershell 6.2"),
            ("PowerShell 7", UNKNOWN_LINE),
            (".NET Core SDK 3.1.100", TOOLS),
            ("Microsoft Visual Studio 2022 version 17.9", TOOLS),
            ("Microsoft .NET Framework 4.8", OTHER),
            ("Windows 10 Version 22H2 for x64-based Systems", OTHER),
            ("Azure Linux 3.0 x64", OTHER),
        ] {
            assert_eq!(said("1", &[("1", name)]), expected, "{name}");
        }
        assert_eq!(said("1", &[]), UNNAMED);
        assert_eq!(said("11924", &[]), "windows-server-core:2022");
    }

    #[test]
    fn components_are_on_platforms() {
        for (id, name, expected) in [
            (
                "11676-11572",
                "Microsoft .NET Framework 3.5 AND 4.8 on Windows Server 2019 (Server Core installation)",
                "windows-server-core:2019 3.5 4.8",
            ),
            (
                "1-10816",
                "Microsoft .NET Framework 4.6.2/4.7/4.7.1/4.7.2 on Windows Server 2016",
                "windows-server:2016 4.6.2 4.7 4.7.1 4.7.2",
            ),
            (
                "1-2",
                "Microsoft .NET Framework 4.8 on Windows Server, version 20H2 (Server Core Installation)",
                "windows-server-core:20H2 4.8",
            ),
            ("1-11571", "Microsoft .NET Framework 5.5 on Windows Server 2019", UNKNOWN_RELEASE),
            ("1-11571", "Internet Explorer 11 on Windows Server 2019", "windows-server:2019"),
            ("1-10378", "Microsoft .NET Framework 3.5 on Windows Server 2012", OTHER),
            ("1-11571", "", UNNAMED),
        ] {
            assert_eq!(said(id, &[(id, name)]), expected, "{name}");
        }
        let apart = [("11676", "Microsoft .NET Framework 3.5 AND 4.8"), ("11572", "Windows Server 2019")];
        assert_eq!(said("11676-11572", &apart), "windows-server-core:2019 3.5 4.8");
    }

    #[test]
    fn builds_are_held_against_what_a_package_is() {
        let target = |id: &str, name: &str| {
            let mut names = Names::default();
            names.note(id.to_owned(), name.to_owned());
            match names.meaning(id) {
                Meaning::Judged(targets, _) => targets.into_iter().next().expect("it is a package"),
                other => panic!("{other:?}"),
            }
        };
        let server = target("12437", "");
        let framework = target("1-12437", ".NET Framework 4.8.1 on Windows Server 2025");
        let old = target("1-12437", ".NET Framework 3.5 on Windows Server 2025");
        let runtime = target("1", ".NET 8.0");
        for (target, build, expected) in [
            (&server, "10.0.26100.4349", true),
            (&server, "10.0.26200.4349", false),
            (&server, "10.0.26100", false),
            (&server, "10.0.26100.xxxx", false),
            (&server, "10.0.26100.1.2", false),
            (&server, "1.1", false),
            (&framework, "4.8.9310.0", true),
            (&framework, "4.7.4081.0", false),
            (&old, "2.0.50727.8970", true),
            (&old, "3.0.6920.8954", false),
            (&runtime, "8.0.3", true),
            (&runtime, "8.0.0-rc.2.23479.6", true),
            (&runtime, "8.0.203", false),
            (&runtime, "8.0", false),
            (&runtime, "8.1.3", false),
            (&runtime, "18.0.3", false),
            (&runtime, "https://dotnet.microsoft.com", false),
        ] {
            assert_eq!(target.has_version(build), expected, "{target:?} {build}");
        }
    }
}
