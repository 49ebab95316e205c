//! The two texts in which a Java archive says what it is: its manifest and Maven's `pom.properties`.

/// The main attributes of a manifest
/// (<https://docs.oracle.com/en/java/javase/21/docs/specs/jar/jar.html#jar-manifest>), as far as they matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Manifest {
    /// `Implementation-Title`.
    pub(super) title: Option<String>,
    /// `Implementation-Version`.
    pub(super) version: Option<String>,
    /// `Implementation-Vendor-Id`: Maven writes the group here, others write anything.
    pub(super) vendor_id: Option<String>,
    /// `Bundle-SymbolicName`, without its parameters.
    pub(super) bundle_name: Option<String>,
    /// `Bundle-Version`: OSGi's form, which is not always the artifact's.
    pub(super) bundle_version: Option<String>,
    /// `Group-Id` of a Jenkins plugin.
    pub(super) plugin_group: Option<String>,
    /// `Short-Name` of a Jenkins plugin, which is its artifact.
    pub(super) plugin_name: Option<String>,
    /// `Plugin-Version` of a Jenkins plugin.
    pub(super) plugin_version: Option<String>,
}

impl Manifest {
    /// Reads the main section: the lines up to the first empty one. A line that begins with a blank goes on
    /// with the one before it.
    pub(super) fn read(bytes: &[u8]) -> Manifest {
        let mut manifest = Manifest::default();
        let mut attribute: Vec<u8> = Vec::new();
        for line in lines(bytes) {
            match line.split_first() {
                Some((b' ', more)) => attribute.extend_from_slice(more),
                first => {
                    manifest.take(&attribute);
                    attribute.clear();
                    if first.is_none() {
                        break;
                    }
                    attribute.extend_from_slice(line);
                }
            }
        }
        manifest.take(&attribute);
        manifest
    }

    fn take(&mut self, attribute: &[u8]) {
        let text = String::from_utf8_lossy(attribute);
        let Some((name, value)) = text.split_once(':') else {
            return;
        };
        let slot = match name.to_ascii_lowercase().as_str() {
            "implementation-title" => &mut self.title,
            "implementation-version" => &mut self.version,
            "implementation-vendor-id" => &mut self.vendor_id,
            "bundle-symbolicname" => &mut self.bundle_name,
            "bundle-version" => &mut self.bundle_version,
            "group-id" => &mut self.plugin_group,
            "short-name" => &mut self.plugin_name,
            "plugin-version" => &mut self.plugin_version,
            _ => return,
        };
        // `name;singleton:=true`: OSGi puts parameters behind.
        let value = value.split(';').next().unwrap_or_default();
        *slot = stated(value);
    }
}

/// One `pom.properties`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pom {
    /// `groupId`.
    pub(super) group: Option<String>,
    /// `artifactId`.
    pub(super) artifact: Option<String>,
    /// `version`.
    pub(super) version: Option<String>,
}

impl Pom {
    /// Reads the lines of a properties file, as far as Maven writes them: `key=value`, or `:` for `=`.
    pub(super) fn read(bytes: &[u8]) -> Pom {
        let mut pom = Pom::default();
        for line in lines(bytes) {
            let text = String::from_utf8_lossy(line);
            let text = text.trim();
            if text.starts_with(['#', '!']) {
                continue;
            }
            let Some((key, value)) = text.split_once(['=', ':']) else {
                continue;
            };
            let value = stated(&value.replace('\\', ""));
            match key.trim() {
                "groupId" => pom.group = value,
                "artifactId" => pom.artifact = value,
                "version" => pom.version = value,
                _ => {}
            }
        }
        pom
    }
}

/// The value, unless it is empty or a placeholder that the build failed to fill: `${project.version}`.
fn stated(value: &str) -> Option<String> {
    let value = value.trim();
    let is_placeholder = value.contains("${") || (value.starts_with('@') && value.ends_with('@'));
    (!value.is_empty() && !is_placeholder && value.len() <= VALUE_BYTES_MAX).then(|| value.to_owned())
}

/// Longest value that is a name or a version, in bytes.
const VALUE_BYTES_MAX: usize = 512;

/// The lines of a text, which may end with CR, LF or both.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        let after = if rest[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 };
        rest = rest.get(after..).unwrap_or_default();
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_go_on_over_lines_and_end_with_the_main_section() {
        for break_ in ["\n", "\r\n", "\r"] {
            let text = [
                "Manifest-Version: 1.0",
                "Bundle-SymbolicName: org.example.a-very-lo",
                " ng-name;singleton:=true",
                "implementation-version: 1.2",
                " .3",
                "Implementation-Title: ${project.name}",
                "",
                "Name: a/B.class",
                "Implementation-Version: 9",
                "",
            ]
            .join(break_);
            let expected = Manifest {
                version: Some("1.2.3".into()),
                bundle_name: Some("org.example.a-very-long-name".into()),
                ..Manifest::default()
            };
            assert_eq!(Manifest::read(text.as_bytes()), expected, "{break_:?}");
        }
    }

    #[test]
    fn poms_are_read_as_maven_writes_them() {
        let text =
            "#Generated by Maven\n#Sat Mar 06 2021\nversion=2.14.1\r\ngroupId: org.example\nartifactId = a\n";
        let expected = Pom {
            group: Some("org.example".into()),
            artifact: Some("a".into()),
            version: Some("2.14.1".into()),
        };
        assert_eq!(Pom::read(text.as_bytes()), expected);
        assert_eq!(Pom::read(b"version=${project.version}\nartifactId="), Pom::default());
    }
}
