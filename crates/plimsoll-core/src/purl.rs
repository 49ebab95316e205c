//! Writing package URLs, and comparing them (<https://github.com/package-url/purl-spec>).

use std::str::FromStr as _;

use packageurl::PackageUrl;

/// Writes a purl in its canonical form. Empty parts are left out.
///
/// Returns an empty text where the specification allows no purl at all (an empty name).
pub fn write(kind: &str, namespace: &str, name: &str, version: &str, qualifiers: &[(&str, &str)]) -> String {
    let Ok(mut purl) = PackageUrl::new(kind, name) else {
        return String::new();
    };
    if !namespace.is_empty() && purl.with_namespace(namespace).is_err() {
        return String::new();
    }
    if !version.is_empty() && purl.with_version(version).is_err() {
        return String::new();
    }
    for (key, value) in qualifiers.iter().filter(|(_, value)| !value.is_empty()) {
        if purl.add_qualifier(*key, *value).is_err() {
            return String::new();
        }
    }
    purl.to_string()
}

/// What a package URL names: type, namespace, name and version, in canonical form. `None` for what is no package URL.
///
/// Qualifiers and subpath are left out: tools write different ones for the same package.
pub fn identity(text: &str) -> Option<String> {
    let purl = PackageUrl::from_str(text).ok()?;
    let part = |part: Option<&str>| part.unwrap_or_default().to_owned();
    let (namespace, version) = (part(purl.namespace()), part(purl.version()));
    Some(write(purl.ty(), &namespace, purl.name(), &version, &[])).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purls_are_canonical() {
        for (got, expected) in [
            (
                write(
                    "deb",
                    "debian",
                    "libstdc++6",
                    "12.2.0-14",
                    &[("arch", "amd64"), ("distro", "debian-12")],
                ),
                "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64&distro=debian-12",
            ),
            (write("npm", "@babel", "core", "7.0.0", &[]), "pkg:npm/%40babel/core@7.0.0"),
            (
                write("golang", "golang.org/x", "net", "v0.1.0", &[("arch", "")]),
                "pkg:golang/golang.org/x/net@v0.1.0",
            ),
            (
                write("rpm", "almalinux", "perl", "4:5.26.3-1.el8", &[("epoch", "4")]),
                "pkg:rpm/almalinux/perl@4:5.26.3-1.el8?epoch=4",
            ),
            (write("pypi", "", "", "1", &[]), ""),
        ] {
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn one_package_has_one_identity_however_it_is_written() {
        for (text, expected) in [
            (
                "pkg:deb/debian/libssl3@3.0.11-1?arch=amd64&distro=debian-12",
                "pkg:deb/debian/libssl3@3.0.11-1",
            ),
            ("pkg:npm/%40babel/core@7.0.0", "pkg:npm/%40babel/core@7.0.0"),
            ("pkg:npm/@babel/core@7.0.0#sub", "pkg:npm/%40babel/core@7.0.0"),
            ("pkg:deb/debian/libstdc%2B%2B6@1%3A2", "pkg:deb/debian/libstdc%2B%2B6@1:2"),
            ("pkg:deb/debian/libstdc++6@1:2", "pkg:deb/debian/libstdc%2B%2B6@1:2"),
        ] {
            assert_eq!(identity(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "libssl3", "pkg:", "pkg:deb"] {
            assert_eq!(identity(text), None, "{text}");
        }
    }
}
