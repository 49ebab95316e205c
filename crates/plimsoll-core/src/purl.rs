//! Writing package URLs (<https://github.com/package-url/purl-spec>).

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
}
