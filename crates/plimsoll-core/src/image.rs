//! What an image is, once its manifest and config have been read and verified.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;

/// One image: a manifest with its config and layers. An index is several of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The reference as the user wrote it.
    pub reference: String,
    /// Digest of the manifest. A root filesystem has none.
    pub digest: Option<Digest>,
    /// Digest of the config.
    pub config_digest: Option<Digest>,
    /// What the config says that the image runs on.
    pub platform: Platform,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
}

/// One layer: one filesystem diff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Digest of the blob as it is stored, compressed or not.
    pub digest: Digest,
    /// Digest of the uncompressed tar, as the config states it.
    pub diff_id: Option<Digest>,
    /// Media type from the manifest.
    pub media_type: String,
    /// Size of the blob in bytes, as the manifest states it.
    pub size: u64,
    /// The build command that made the layer, from the config's history.
    pub created_by: Option<String>,
}

/// Operating system and processor that an image is for (OCI image index, `platform`).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    /// `linux`, `windows`.
    pub os: String,
    /// Go's name of the processor: `amd64`, `arm64`.
    pub architecture: String,
    /// Variant of the processor, such as `v7`.
    pub variant: Option<String>,
    /// Version of the operating system, such as `10.0.20348.2527`. Windows images have one.
    pub os_version: Option<String>,
}

impl Platform {
    /// Whether it is Windows; `None` where nothing says what it is.
    pub fn is_windows(&self) -> Option<bool> {
        (!self.os.is_empty()).then(|| self.os.eq_ignore_ascii_case("windows"))
    }

    /// Whether an image for this platform is one for the platform that is wanted. Without a variant wanted,
    /// any will do; a version of the operating system that is wanted may be the beginning of the image's.
    pub fn serves(&self, wanted: &Platform) -> bool {
        self.os == wanted.os
            && self.architecture == wanted.architecture
            && (wanted.variant.is_none() || self.variant == wanted.variant)
            && wanted.os_version.as_deref().is_none_or(|version| self.has_os_version(version))
    }

    /// Whether the version of the operating system is this one, or begins with its numbers.
    fn has_os_version(&self, wanted: &str) -> bool {
        let rest = self.os_version.as_deref().and_then(|own| own.strip_prefix(wanted));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

/// Why a text is not a platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a platform; write OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT, such as `linux/arm64`, and of Windows also a \
     version, such as `windows(10.0.20348)/amd64`"
)]
pub struct BadPlatform(pub String);

impl FromStr for Platform {
    type Err = BadPlatform;

    fn from_str(text: &str) -> Result<Platform, BadPlatform> {
        let parts: Vec<&str> = text.split('/').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(BadPlatform(text.to_owned()));
        }
        let (os, architecture, variant) = match parts[..] {
            [os, architecture] => (os, architecture, None),
            [os, architecture, variant] => (os, architecture, Some(variant.to_owned())),
            _ => return Err(BadPlatform(text.to_owned())),
        };
        let (os, os_version) = match os.strip_suffix(')').and_then(|text| text.split_once('(')) {
            Some((os, version)) if !os.is_empty() && !version.is_empty() => (os, Some(version.to_owned())),
            _ if os.contains(['(', ')']) => return Err(BadPlatform(text.to_owned())),
            _ => (os, None),
        };
        Ok(Platform { os: os.to_owned(), architecture: architecture.to_owned(), variant, os_version })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.os.is_empty() && self.architecture.is_empty() {
            return f.write_str("unstated platform");
        }
        // As containerd writes platforms (<https://github.com/containerd/platforms>).
        match &self.os_version {
            Some(version) => write!(f, "{}({version})/{}", self.os, self.architecture)?,
            None => write!(f, "{}/{}", self.os, self.architecture)?,
        }
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_round_trip() {
        for text in ["linux/amd64", "linux/arm/v7", "windows(10.0.20348.2402)/amd64"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        for bad in [
            "",
            "linux",
            "linux/",
            "/amd64",
            "a/b/c/d",
            "windows(/amd64",
            "windows()/amd64",
            "(1)/amd64",
            "w(1)x/y",
        ] {
            assert!(bad.parse::<Platform>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_version_of_windows_may_be_the_beginning_of_the_images() {
        let image: Platform = "windows(10.0.20348.2402)/amd64".parse().unwrap();
        for (wanted, serves) in [
            ("windows/amd64", true),
            ("windows(10.0.20348)/amd64", true),
            ("windows(10.0.20348.2402)/amd64", true),
            ("windows(10.0.2034)/amd64", false),
            ("windows(10.0.17763)/amd64", false),
            ("windows/arm64", false),
        ] {
            assert_eq!(image.serves(&wanted.parse().unwrap()), serves, "{wanted}");
        }
        assert!(!Platform { os_version: None, ..image }.serves(&"windows(10.0)/amd64".parse().unwrap()));
    }
}
