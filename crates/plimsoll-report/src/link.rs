//! Links and paths as URIs.
//!
//! References come from feeds and paths from images, so neither is a URI just because it should be. What is
//! written here follows RFC 3986, and only `http` and `https` links get through.

use std::borrow::Cow;

use plimsoll_core::digest::hex;

/// A web link that follows RFC 3986: bytes that no URI may hold are percent-encoded. `None` for anything that
/// is not a link to the web, such as `javascript:`.
pub fn web(text: &str) -> Option<Cow<'_, str>> {
    let text = text.trim();
    let is_web = ["https://", "http://"].iter().any(|scheme| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
            && text.len() > scheme.len()
    });
    if !is_web {
        return None;
    }
    let mut has_fragment = false;
    let bytes = text.as_bytes();
    Some(encode(text, |at, byte| match byte {
        b'%' => bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)),
        b'#' => !std::mem::replace(&mut has_fragment, true),
        _ => is_unreserved(byte) || b":/?@!$&'()*+,;=".contains(&byte),
    }))
}

/// The page of a flaw, for one that has no reference of its own.
pub fn of_flaw(id: &str) -> String {
    let page = if id.starts_with("CVE-") {
        "https://www.cve.org/CVERecord?id="
    } else if id.starts_with("GHSA-") {
        "https://github.com/advisories/"
    } else {
        "https://osv.dev/vulnerability/"
    };
    format!("{page}{}", encode(id, |_, byte| is_unreserved(byte)))
}

/// A text as the value of a query, or as one part of a path. Commas stay, since lists have them.
pub fn of_value(text: &str) -> Cow<'_, str> {
    encode(text, |_, byte| is_unreserved(byte) || byte == b',')
}

/// A path in an image as a URI that is relative to the image's root. Empty for the root itself.
pub(crate) fn of_path(path: &str) -> Cow<'_, str> {
    encode(path.trim_start_matches('/'), |_, byte| is_unreserved(byte) || b"/!$&'()*+,;=@".contains(&byte))
}

/// Unreserved characters (RFC 3986 section 2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Percent-encodes the bytes that are not kept.
fn encode(text: &str, mut is_kept: impl FnMut(usize, u8) -> bool) -> Cow<'_, str> {
    let mut out: Option<String> = None;
    for (at, &byte) in text.as_bytes().iter().enumerate() {
        if is_kept(at, byte) {
            if let Some(out) = &mut out {
                out.push(char::from(byte));
            }
        } else {
            // Everything before the first byte that is encoded was kept, and only ASCII is ever kept.
            let out = out.get_or_insert_with(|| text.get(..at).unwrap_or_default().to_owned());
            out.push('%');
            out.push_str(&hex(&[byte]).to_ascii_uppercase());
        }
    }
    out.map_or(Cow::Borrowed(text), Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_the_web_pass() {
        for (text, expected) in [
            ("https://a.example/x?y=1#z", Some("https://a.example/x?y=1#z")),
            (" http://a.example/a b ", Some("http://a.example/a%20b")),
            ("HTTPS://a.example/ü", Some("HTTPS://a.example/%C3%BC")),
            ("https://a.example/%41%4x#a#b", Some("https://a.example/%41%254x#a%23b")),
            ("https://a.example/<script>|[x]", Some("https://a.example/%3Cscript%3E%7C%5Bx%5D")),
            ("javascript:alert(1)", None),
            ("https://", None),
            ("ü", None),
            ("", None),
        ] {
            assert_eq!(web(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn every_flaw_has_a_page() {
        assert_eq!(of_flaw("CVE-2024-1"), "https://www.cve.org/CVERecord?id=CVE-2024-1");
        assert_eq!(of_flaw("GHSA-x"), "https://github.com/advisories/GHSA-x");
        assert_eq!(of_flaw("ALSA-2023:4520"), "https://osv.dev/vulnerability/ALSA-2023%3A4520");
    }

    #[test]
    fn paths_become_relative_uris() {
        for (path, expected) in [
            ("/var/lib/dpkg/status", "var/lib/dpkg/status"),
            ("/app.jar!/BOOT-INF/lib/x y.jar", "app.jar!/BOOT-INF/lib/x%20y.jar"),
            ("//evil:8080/a?b#c%d", "evil%3A8080/a%3Fb%23c%25d"),
            ("/é\x1b", "%C3%A9%1B"),
            ("/", ""),
        ] {
            assert_eq!(of_path(path), expected);
        }
    }
}
