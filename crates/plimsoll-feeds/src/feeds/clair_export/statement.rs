//! What one vulnerability of Clair states, in our words.

use std::collections::BTreeSet;

use plimsoll_core::advisory::{Advisory, Affected, Cvss, FixState, Range, RangeEnd, Severity, Status};
use plimsoll_core::distros::{self, Distro, KeyedBy};
use plimsoll_core::ecosystems::{ECOSYSTEMS, Ecosystem};
use plimsoll_core::inventory::OsRelease;

use super::record::{Distribution, Package, Repository, Vulnerability};
use crate::feeds::text;

/// Before the name of an ecosystem of OSV, in lower case, in the name of its updater.
const OSV_UPDATERS: &str = "osv/";

/// The key of a repository whose name is a CPE of Red Hat.
const RED_HAT_KEY: &str = "rhel-cpe-repository";

/// Most links that are looked through for CVEs.
const LINKS_MAX: usize = 1_000;

/// Where a vulnerability belongs.
pub(super) struct Place {
    pub(super) namespace: String,
    ecosystem: &'static Ecosystem,
}

/// Finds it; the inner error says why there is none.
pub(super) fn place(
    updater: &str,
    vulnerability: &Vulnerability<'_>,
) -> Result<Result<Place, &'static str>, &'static str> {
    let package = vulnerability.package.as_ref().ok_or("it names no package")?;
    if let Some(name) = updater.strip_prefix(OSV_UPDATERS) {
        let row = ECOSYSTEMS.iter().find(|row| !row.osv.is_empty() && row.osv.eq_ignore_ascii_case(name));
        let place = row.map(|row| Place { namespace: row.name.to_owned(), ecosystem: row });
        return Ok(place.ok_or("the packages of the updater are not judged"));
    }
    let release = match (&vulnerability.distribution, &vulnerability.repository) {
        (Some(distribution), _) if !distribution.did.is_empty() => of_release(distribution),
        (_, Some(repository)) => of_repository(repository),
        _ => None,
    };
    let Some((distro, release)) = release else {
        return Ok(Err("the distribution or repository is not known"));
    };
    if !is_keyed_alike(distro, package) {
        return Ok(Err("the package is not named as the distribution's are looked up"));
    }
    Ok(Ok(Place { namespace: distro.namespace(&release), ecosystem: distro.ecosystem }))
}

fn of_release(distribution: &Distribution<'_>) -> Option<(&'static Distro, String)> {
    let stated = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let os = OsRelease {
        id: distribution.did.to_string(),
        version_id: stated(&distribution.version_id).or_else(|| stated(&distribution.version)),
        codename: stated(&distribution.version_code_name),
        pretty_name: stated(&distribution.pretty_name),
        ..OsRelease::default()
    };
    distros::recognise(&os).map(|found| (found.distro, found.release))
}

/// Red Hat's, of `cpe:/o:redhat:enterprise_linux:9::baseos` or the same as `cpe:2.3:o:redhat:enterprise_linux:9:..`.
fn of_repository(repository: &Repository<'_>) -> Option<(&'static Distro, String)> {
    let cpe = repository.name.strip_prefix("cpe:").filter(|_| repository.key == RED_HAT_KEY)?;
    let mut fields = cpe.strip_prefix("2.3:").unwrap_or(cpe).split(':').skip(1);
    let (vendor, product, version) = (fields.next()?, fields.next()?, fields.next()?);
    let distro = &distros::redhat::DISTRO;
    let release = (distro.osv_release)(&format!("{product}:{version}")).filter(|_| vendor == "redhat")?;
    Some((distro, release))
}

fn is_keyed_alike(distro: &Distro, package: &Package<'_>) -> bool {
    match (package.kind.as_ref(), distro.keyed_by) {
        ("source", keyed_by) => keyed_by == KeyedBy::Source,
        ("binary", keyed_by) => keyed_by == KeyedBy::Binary,
        _ => true,
    }
}

/// Reads it.
pub(super) fn read(
    updater: &str,
    vulnerability: &Vulnerability<'_>,
    place: &Place,
) -> Result<(Advisory, Affected), &'static str> {
    let package = vulnerability.package.as_ref().ok_or("it names no package")?;
    if !text::is_package_name(&package.name) {
        return Err("the package has no usable name");
    }
    let (status, ranges) = if vulnerability.is_denial {
        (Status::NotAffected, Vec::new())
    } else {
        versions(&vulnerability.fixed_in_version)
    };
    let is_open = ranges.iter().any(|range| range.end == RangeEnd::Open);
    let affected = Affected {
        namespace: place.namespace.clone(),
        package: (place.ecosystem.normalize)(&package.name).into_owned(),
        status,
        fix: if is_open { FixState::None } else { FixState::Unstated },
        ranges,
        module: Some(package.module.to_string()).filter(|module| !module.is_empty()),
        architectures: architectures(package, &vulnerability.arch_op),
        severity: None,
    };
    Ok((advisory(updater, vulnerability)?, affected))
}

/// The id is the first word of the name: errata go on with their title.
fn advisory(updater: &str, vulnerability: &Vulnerability<'_>) -> Result<Advisory, &'static str> {
    let id = vulnerability.name.split_whitespace().next().unwrap_or_default().trim_end_matches(':');
    if !text::is_id(id) {
        return Err("the vulnerability has no usable id");
    }
    let links = || vulnerability.links.split_whitespace().filter(|link| text::is_link(link));
    let mut advisory = Advisory {
        id: id.to_owned(),
        description: text::shortened(&vulnerability.description, text::DESCRIPTION_BYTES_MAX),
        references: links().take(text::LINKS_MAX).map(str::to_owned).collect(),
        published: text::instant(&vulnerability.issued),
        ..Advisory::default()
    };
    match Cvss::read(updater, &vulnerability.severity) {
        Ok(vector) => advisory.cvss.push(vector),
        Err(_) => advisory.severity = Severity::from_vendor_word(&vulnerability.normalized_severity),
    }
    let linked: BTreeSet<String> = links().take(LINKS_MAX).filter_map(linked_cve).collect();
    // A linked CVE is another name of a record of OSV if it is the only one; errata list all that they fix.
    match (text::is_cve(id), updater.starts_with(OSV_UPDATERS), linked.len()) {
        (true, ..) | (false, _, 0) => {}
        (false, true, 1) => advisory.aliases = linked.into_iter().collect(),
        (false, true, _) => {}
        (false, false, _) => advisory.flaws = linked.into_iter().collect(),
    }
    Ok(advisory)
}

/// The CVE that a link leads to: `..vuln/detail/CVE-2022-21797`, `..?name=CVE-2022-41973`, `..CVE-2023-0002.html`.
fn linked_cve(link: &str) -> Option<String> {
    let last = link.trim_end_matches('/').rsplit(['/', '=']).next()?;
    let name = last.strip_suffix(".html").unwrap_or(last);
    text::is_cve(name).then(|| name.to_owned())
}

/// What `fixed_in_version` says.
fn versions(stated: &str) -> (Status, Vec<Range>) {
    let range = |introduced, end| (Status::Affected, vec![Range { introduced, end }]);
    let keys = ["fixed=", "introduced=", "lastAffected="];
    if !keys.iter().any(|key| stated.starts_with(key)) {
        return match stated {
            "0" => (Status::NotAffected, Vec::new()),
            "" => range(None, RangeEnd::Open),
            version => range(None, RangeEnd::Fixed(version.to_owned())),
        };
    }
    let field = |key: &str| {
        let value = stated.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        value.map(decoded).filter(|value| !value.is_empty())
    };
    let introduced = field("introduced").filter(|version| version != "0");
    let end = match (field("fixed"), field("lastAffected")) {
        (Some(version), _) => RangeEnd::Fixed(version),
        (None, Some(version)) => RangeEnd::Last(version),
        (None, None) => RangeEnd::Open,
    };
    range(introduced, end)
}

/// Undoes the encoding of a URL's query. What is no such encoding stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        bytes.push(match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                rest = after.get(2..).unwrap_or_default();
                u8::try_from(high * 16 + low).unwrap_or(b'?')
            }
            (b'+', ..) => b' ',
            _ => *byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Those that it is limited to. A pattern is taken where it is a choice of names; what is said of all others is said
/// of all.
fn architectures(package: &Package<'_>, operation: &str) -> Vec<String> {
    let is_plain = |name: &str| {
        !name.is_empty() && name.len() <= 32 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let names: Vec<&str> = package.arch.split('|').collect();
    if !matches!(operation, "equals" | "pattern match") || !names.iter().all(|name| is_plain(name)) {
        return Vec::new();
    }
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fixed_versions_are_read_in_all_spellings() {
        for (stated, expected) in [
            ("", "affected [, )"),
            ("0", "not_affected"),
            ("1.2-3", "affected [, 1.2-3)"),
            ("1:1.2+dfsg-3", "affected [, 1:1.2+dfsg-3)"),
            ("fixed=1.2.3", "affected [, 1.2.3)"),
            ("fixed=1.2.3&introduced=1.0", "affected [1.0, 1.2.3)"),
            ("introduced=0&lastAffected=2.0", "affected [, 2.0]"),
            ("introduced=1.0", "affected [1.0, )"),
            ("fixed=1.0%2Bbuild%213&introduced=", "affected [, 1.0+build!3)"),
            ("fixed=1.0%zz%2", "affected [, 1.0%zz%2)"),
            ("fixed=", "affected [, )"),
        ] {
            let (status, ranges) = versions(stated);
            let range = ranges.first().map(|range| {
                let low = range.introduced.as_deref().unwrap_or_default();
                match &range.end {
                    RangeEnd::Open => format!(" [{low}, )"),
                    RangeEnd::Last(end) => format!(" [{low}, {end}]"),
                    RangeEnd::Fixed(end) | RangeEnd::Before(end) => format!(" [{low}, {end})"),
                }
            });
            assert_eq!(format!("{}{}", status.name(), range.unwrap_or_default()), expected, "{stated}");
        }
    }

    #[test]
    fn limits_to_architectures_are_names() {
        for (arch, operation, expected) in [
            ("x86_64", "equals", "x86_64"),
            ("aarch64|x86_64", "pattern match", "aarch64 x86_64"),
            ("i.86|x86_64", "pattern match", ""),
            ("x86_64", "not equals", ""),
            ("x86_64", "", ""),
            ("", "equals", ""),
        ] {
            let package = Package { arch: arch.into(), ..Package::default() };
            assert_eq!(architectures(&package, operation).join(" "), expected, "{arch} {operation}");
        }
    }

    #[test]
    fn cpes_of_red_hat_lead_to_a_release() {
        for (name, expected) in [
            ("cpe:/o:redhat:enterprise_linux:9::baseos", Some("9")),
            ("cpe:2.3:a:redhat:enterprise_linux:8:*:appstream:*:*:*:*:*", Some("8")),
            ("cpe:2.3:o:redhat:enterprise_linux:10.0:*:*:*:*:*:*:*", Some("10")),
            ("cpe:/o:redhat:rhel_eus:9.4::baseos", None),
            ("cpe:/a:redhat:openshift:4.14::el9", None),
            ("cpe:/o:other:enterprise_linux:9", None),
            ("cpe:", None),
            ("", None),
        ] {
            let repository = Repository { name: name.into(), key: RED_HAT_KEY.into() };
            let found = of_repository(&repository).map(|(_, release)| release);
            assert_eq!(found.as_deref(), expected, "{name}");
        }
        let other = Repository { name: "cpe:/o:redhat:enterprise_linux:9".into(), key: "other".into() };
        assert!(of_repository(&other).is_none());
    }
}
