//! Which distribution release this is: os-release and its older relatives.
//!
//! `/etc/os-release` is usually a link to `/usr/lib/os-release`, which is then the file that is read. Older
//! releases have a line of their own in `/etc/redhat-release`, `/etc/system-release` or a bare version in
//! `/etc/alpine-release`. Which of several files counts is decided where they are joined.
//!
//! Format: `man 5 os-release` of systemd.

use super::{Cataloger, Entry, File, Found, FoundOsRelease, Problem};

/// The row.
pub(super) static CATALOGER: Cataloger = Cataloger {
    name: "os-release",
    title: "os-release and its older relatives",
    version: 1,
    reads: PATHS,
    wants,
    read,
};

/// The files, the one that counts most first.
pub const PATHS: &[&str] = &[
    "etc/os-release",
    "usr/lib/os-release",
    "etc/alpine-release",
    "etc/centos-release",
    "etc/redhat-release",
    "etc/system-release",
];

/// Largest file that is read, in bytes. Real ones are below 1 KiB.
const FILE_BYTES_MAX: u64 = 64 << 10;

fn wants(entry: &Entry<'_>) -> bool {
    entry.path.ends_with("-release") && PATHS.contains(&entry.path)
}

fn read(file: &mut File<'_>) -> Found {
    file.whole_bytes_max = FILE_BYTES_MAX;
    let path = file.entry.path;
    let bytes = match file.bytes() {
        Ok(bytes) => bytes,
        Err(problem) => return Found::problem(problem),
    };
    let text = String::from_utf8_lossy(&bytes);
    let release = match path {
        "etc/os-release" | "usr/lib/os-release" => Some(os_release(&text)),
        "etc/alpine-release" => Some(bare("alpine", text.trim())),
        _ => red_hat_release(text.trim()),
    };
    match release.filter(|release| !release.id.is_empty()) {
        Some(release) => Found { os_release: Some(release), ..Found::default() },
        None if bytes.is_empty() => Found::default(),
        None => Found::problem(Problem::unreadable("does not name a distribution")),
    }
}

/// Reads `KEY=value` lines; values may be quoted as a shell would.
pub fn os_release(text: &str) -> FoundOsRelease {
    let mut release = FoundOsRelease::default();
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = unquote(value.trim());
        let stated = Some(value.clone()).filter(|value| !value.is_empty());
        match key.trim() {
            "ID" => release.id = value.to_ascii_lowercase(),
            "ID_LIKE" => release.id_like = value.split_whitespace().map(str::to_owned).collect(),
            "VERSION_ID" => release.version_id = stated,
            "VERSION_CODENAME" => release.codename = stated,
            "PRETTY_NAME" => release.pretty_name = stated,
            "CPE_NAME" => release.cpe = stated,
            _ => {}
        }
    }
    release
}

fn unquote(value: &str) -> String {
    let quoted = |quote: char| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    if let Some(inner) = quoted('\'') {
        return inner.to_owned();
    }
    let inner = quoted('"').unwrap_or(value);
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

fn bare(id: &str, version: &str) -> FoundOsRelease {
    FoundOsRelease { id: id.to_owned(), version_id: Some(version.to_owned()), ..FoundOsRelease::default() }
}

/// Reads `CentOS release 6.10 (Final)` and its like.
fn red_hat_release(line: &str) -> Option<FoundOsRelease> {
    const NAMES: [(&str, &str); 8] = [
        ("AlmaLinux", "almalinux"),
        ("Amazon Linux", "amzn"),
        ("CentOS", "centos"),
        ("Fedora", "fedora"),
        ("Oracle Linux", "ol"),
        ("Red Hat Enterprise Linux", "rhel"),
        ("Rocky Linux", "rocky"),
        ("Scientific Linux", "scientific"),
    ];
    let (_, id) = NAMES.iter().find(|(name, _)| line.starts_with(name))?;
    let version = line.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(FoundOsRelease { pretty_name: Some(line.to_owned()), ..bare(id, version) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_unquoted_as_a_shell_would() {
        for (value, expected) in [
            ("alpine", "alpine"),
            ("\"3.20\"", "3.20"),
            ("'a b'", "a b"),
            (r#""a \"b\"""#, "a \"b\""),
            ("\"", "\""),
        ] {
            assert_eq!(unquote(value), expected, "{value}");
        }
    }

    #[test]
    fn older_releases_have_a_line() {
        for (line, expected) in [
            ("CentOS release 6.10 (Final)", Some(("centos", "6.10"))),
            ("Red Hat Enterprise Linux Server release 7.9 (Maipo)", Some(("rhel", "7.9"))),
            ("Amazon Linux AMI release 2018.03", Some(("amzn", "2018.03"))),
            ("Something else 3", None),
        ] {
            let release = red_hat_release(line);
            let got = release.as_ref().map(|r| (r.id.as_str(), r.version_id.as_deref().unwrap_or("")));
            assert_eq!(got, expected, "{line}");
        }
    }
}
