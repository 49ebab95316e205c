//! References as people write them: `HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]`.
//!
//! The grammar is that of the distribution project's `reference` package, with Docker's short names: a first
//! part without `.` and `:` that is not `localhost` is no host, and Docker Hub's single names are below
//! `library/`.

use std::fmt;
use std::str::FromStr;

use plimsoll_core::digest::Digest;

/// The host that short names mean.
pub const DOCKER_HUB: &str = "docker.io";

/// Where Docker Hub's registry really is.
const DOCKER_HUB_API: &str = "registry-1.docker.io";

/// Longest repository with its host, in bytes, as the grammar has it.
const NAME_BYTES_MAX: usize = 255;

/// Longest tag, in bytes.
const TAG_BYTES_MAX: usize = 128;

/// One repository on one registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RepositoryName {
    host: String,
    path: String,
}

impl RepositoryName {
    /// Host and port of the registry as people know it: `docker.io`, `localhost:5000`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository on that registry: `library/alpine`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Host and port that answer for the registry.
    pub(crate) fn api_host(&self) -> &str {
        if self.host == DOCKER_HUB { DOCKER_HUB_API } else { &self.host }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

/// How a manifest is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TagOrDigest {
    /// By a name that may move.
    Tag(String),
    /// By its content.
    Digest(Digest),
}

impl fmt::Display for TagOrDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TagOrDigest::Tag(tag) => f.write_str(tag),
            TagOrDigest::Digest(digest) => write!(f, "{digest}"),
        }
    }
}

/// A whole reference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegistryReference {
    /// The repository.
    pub name: RepositoryName,
    /// The tag, where one is written.
    pub tag: Option<String>,
    /// The digest, where one is written. It wins over the tag.
    pub digest: Option<Digest>,
}

impl RegistryReference {
    /// What to ask for: the digest, else the tag, else `latest`.
    pub fn target(&self) -> TagOrDigest {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => TagOrDigest::Digest(digest.clone()),
            (None, Some(tag)) => TagOrDigest::Tag(tag.clone()),
            (None, None) => TagOrDigest::Tag("latest".to_owned()),
        }
    }
}

impl fmt::Display for RegistryReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Why a text is not a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an image reference: {hint}")]
pub struct BadReference {
    /// The text.
    pub text: String,
    /// What is wrong and what to write.
    pub hint: String,
}

impl FromStr for RegistryReference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<RegistryReference, BadReference> {
        parse(text).map_err(|hint| BadReference { text: text.chars().take(300).collect(), hint })
    }
}

impl FromStr for RepositoryName {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<RepositoryName, BadReference> {
        parse_name(text).map_err(|hint| BadReference { text: text.chars().take(300).collect(), hint })
    }
}

fn parse(text: &str) -> Result<RegistryReference, String> {
    if text.is_empty() {
        return Err("it is empty; write `HOST/REPOSITORY:TAG`".to_owned());
    }
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(format!("leave out `{scheme}://`"));
    }
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse().map_err(|error| format!("{error}"))?)),
        None => (text, None),
    };
    // A colon before the last slash belongs to the port.
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    if let Some(tag) = tag
        && !is_tag(tag)
    {
        return Err(format!(
            "`{tag}` is not a tag; a tag has up to {TAG_BYTES_MAX} letters, digits, `_`, `.` and `-`"
        ));
    }
    Ok(RegistryReference { name: parse_name(name)?, tag: tag.map(str::to_owned), digest })
}

fn parse_name(text: &str) -> Result<RepositoryName, String> {
    let is_host = |part: &str| part.contains(['.', ':', '[']) || part.eq_ignore_ascii_case("localhost");
    let (host, path) = match text.split_once('/') {
        Some((first, path)) if is_host(first) => (first, path),
        _ => (DOCKER_HUB, text),
    };
    if !is_registry_host(host) {
        return Err(format!("`{host}` is not a host; write `HOST` or `HOST:PORT`"));
    }
    if path.is_empty() {
        return Err(format!("the repository is missing; write `{host}/REPOSITORY`"));
    }
    if path.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(format!("repositories are lower case; write `{}`", path.to_ascii_lowercase()));
    }
    if !path.split('/').all(is_path_part) {
        return Err(format!(
            "`{path}` is not a repository; its parts are lower-case letters and digits, joined by `.`, `_`, `__` or `-`"
        ));
    }
    let host = match host.to_ascii_lowercase() {
        host if host == "index.docker.io" || host == DOCKER_HUB_API => DOCKER_HUB.to_owned(),
        host => host,
    };
    let path = match path {
        short if host == DOCKER_HUB && !short.contains('/') => format!("library/{short}"),
        path => path.to_owned(),
    };
    if host.len() + 1 + path.len() > NAME_BYTES_MAX {
        return Err(format!("it is longer than {NAME_BYTES_MAX} characters"));
    }
    Ok(RepositoryName { host, path })
}

/// Whether a text is `HOST` or `HOST:PORT`.
pub(crate) fn is_registry_host(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = port.is_none_or(|port| {
        port.bytes().all(|b| b.is_ascii_digit()) && port.parse().is_ok_and(|p: u16| p > 0)
    });
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    is_port
        && match literal {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => host.split('.').all(is_label),
        }
}

/// Whether a text is one part of a repository: words of letters and digits, joined by one of the separators.
pub(crate) fn is_path_part(part: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let is_edge = |edge: Option<&u8>| edge.is_some_and(|b| is_word(*b));
    if !is_edge(bytes.first()) || !is_edge(bytes.last()) {
        return false;
    }
    part.split(|c: char| u8::try_from(c).is_ok_and(is_word))
        .all(|separator| matches!(separator, "" | "." | "_" | "__") || separator.bytes().all(|b| b == b'-'))
}

/// Whether a text is a tag.
pub(crate) fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= TAG_BYTES_MAX
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || b == b'.' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn references_parse() {
        for (text, full, target) in [
            ("alpine", "docker.io/library/alpine", "latest"),
            ("alpine:3.20", "docker.io/library/alpine:3.20", "3.20"),
            ("quay/clair", "docker.io/quay/clair", "latest"),
            ("index.docker.io/alpine", "docker.io/library/alpine", "latest"),
            ("Registry-1.docker.io/a/b", "docker.io/a/b", "latest"),
            ("localhost/x", "localhost/x", "latest"),
            ("localhost:5000/x:v1", "localhost:5000/x:v1", "v1"),
            ("ghcr.io/a/b/c-d__e.f", "ghcr.io/a/b/c-d__e.f", "latest"),
            ("[::1]:5000/x", "[::1]:5000/x", "latest"),
            ("127.0.0.1:5000/x/y:_T", "127.0.0.1:5000/x/y:_T", "_T"),
        ] {
            let reference: RegistryReference = text.parse().unwrap();
            assert_eq!(reference.to_string(), full, "{text}");
            assert_eq!(reference.target().to_string(), target, "{text}");
        }
        let both: RegistryReference = format!("h.example/x:1@{DIGEST}").parse().unwrap();
        assert_eq!(both.tag.as_deref(), Some("1"));
        assert_eq!(both.target().to_string(), DIGEST);
        assert_eq!("alpine".parse::<RepositoryName>().unwrap().api_host(), "registry-1.docker.io");
    }

    #[test]
    fn bad_references_say_what_to_write() {
        for (text, hint) in [
            ("", "it is empty"),
            ("https://h.example/x", "leave out `https://`"),
            ("h.example/", "the repository is missing; write `h.example/REPOSITORY`"),
            ("h.example/Team/App", "write `team/app`"),
            ("h.example/a//b", "not a repository"),
            ("h.example/../x", "not a repository"),
            ("h.example/a___b", "not a repository"),
            ("h.example/-a", "not a repository"),
            ("h.example/a b", "not a repository"),
            ("h.example/ä", "not a repository"),
            ("h.example/x?y", "not a repository"),
            ("h.example:0/x", "not a host"),
            ("h.example:99999/x", "not a host"),
            ("h_.example/x", "not a host"),
            ("user@h.example/x", "not a digest"),
            ("h.example/x:", "not a tag"),
            ("h.example/x:.a", "not a tag"),
            ("h.example/x@sha256:12", "not a digest"),
            ("h.example/x@md5:12", "not a digest"),
        ] {
            let error = text.parse::<RegistryReference>().unwrap_err();
            assert!(error.hint.contains(hint), "{text}: {}", error.hint);
        }
        assert!(format!("a:{}", "t".repeat(129)).parse::<RegistryReference>().is_err());
        assert!("a".repeat(300).parse::<RegistryReference>().is_err());
    }

    proptest::proptest! {
        #[test]
        fn what_parses_is_written_as_it_is_read(text in "[a-zA-Z0-9./:@_-]{0,40}|\\PC{0,20}") {
            if let Ok(reference) = text.parse::<RegistryReference>() {
                proptest::prop_assert_eq!(reference.to_string().parse::<RegistryReference>(), Ok(reference));
            }
        }
    }
}
