//! What a registry has: tags of a repository, repositories of a registry, and where a tag points.
//!
//! OCI distribution specification 1.1, "Content Discovery", and the distribution project's `_catalog`. The
//! registry itself is asked, never a mirror: a mirror has what somebody once wanted. Of a `Link` to the next page
//! only the query is followed, so a registry that does not know its own name still works, and credentials go
//! nowhere else.

use std::collections::BTreeSet;
use std::sync::Arc;

use plimsoll_core::digest::Digest;
use plimsoll_net::{Client, NetError, Request, Response};
use serde::{Deserialize, Deserializer};

use super::reference::{TagOrDigest, is_path_part, is_registry_host, is_tag};
use super::{Endpoint, MANIFEST_TYPES, RegistryError, RegistryOptions, Repository, succeeded};

/// Largest page, in bytes. Some registries give all names at once.
const PAGE_BYTES_MAX: u64 = 16 << 20;

/// Longest query of a link to the next page, in bytes.
const CURSOR_BYTES_MAX: usize = 4 << 10;

/// How much of a list is read at once.
#[derive(Clone, Debug)]
pub struct ListingLimits {
    /// Names that are asked for in one page; the registry may give others.
    pub page_names: usize,
    /// Pages that are read.
    pub pages_max: usize,
    /// Names after which no further page is read.
    pub names_max: usize,
}

impl Default for ListingLimits {
    fn default() -> ListingLimits {
        ListingLimits { page_names: 1_000, pages_max: 1_000, names_max: 100_000 }
    }
}

/// Where a list goes on; as text it can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor that was kept. `None` if the text is none.
    pub fn new(text: &str) -> Option<Cursor> {
        let is_query = |b: u8| b.is_ascii_graphic() && b != b'#';
        let is_good = !text.is_empty() && text.len() <= CURSOR_BYTES_MAX && text.bytes().all(is_query);
        is_good.then(|| Cursor(text.to_owned()))
    }

    /// The cursor as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The names, sorted.
    pub names: Vec<String>,
    /// What the registry lists and what is no name that can be asked for, sorted.
    pub refused: Vec<String>,
    /// Where to go on; `None` at the list's end. A limit was reached where there is more.
    pub next: Option<Cursor>,
}

impl Repository {
    /// The repository's tags, from the start or from where an earlier call stopped.
    pub fn tags(&self, from: Option<&Cursor>, limits: &ListingLimits) -> Result<Listing, RegistryError> {
        let endpoint = self.registry();
        let what = format!("the tags of `{}`", endpoint.path);
        let url = endpoint.url("tags", "list");
        list(endpoint, &what, &url, from, limits, is_tag, |page| page.tags)
    }

    /// Where a tag points, by the registry's own word: enough to tell whether it moved, nothing to trust. A digest
    /// is answered with itself if it is there.
    pub fn digest(&self, reference: &TagOrDigest) -> Result<Digest, RegistryError> {
        let endpoint = self.registry();
        let what = endpoint.name_of(reference);
        let request = Request::head(endpoint.url("manifests", &reference.to_string()))
            .header("Accept", MANIFEST_TYPES.join(", "));
        let response = endpoint.authorized(&what, &request, |request| {
            let response = endpoint.client.send(request)?;
            // Some registries know no HEAD, and most proxies some other answer to it.
            if matches!(response.status, 400 | 405 | 501) { Ok(None) } else { succeeded(response).map(Some) }
        })?;
        let stated = response.as_ref().and_then(|response| response.header("docker-content-digest"));
        match stated.and_then(|text| text.trim().parse().ok()) {
            Some(digest) => Ok(digest),
            None => Ok(endpoint.manifest(reference)?.digest),
        }
    }
}

/// The repositories of a registry, `HOST` or `HOST:PORT`, from the start or from where an earlier call stopped. Many
/// registries answer only to administrators, or not at all.
pub fn repositories(
    client: &Arc<Client>,
    host: &str,
    options: &RegistryOptions,
    from: Option<&Cursor>,
    limits: &ListingLimits,
) -> Result<Listing, RegistryError> {
    if !is_registry_host(host) {
        return Err(RegistryError::BadHost { host: host.to_owned() });
    }
    let endpoint = Endpoint::new(client, &host.to_ascii_lowercase(), "", options);
    let endpoint = Endpoint { scope: "registry:catalog:*".to_owned(), ..endpoint };
    let url = format!("{}/v2/_catalog", endpoint.server());
    let is_name = |name: &str| name.split('/').all(is_path_part);
    list(&endpoint, "its repositories", &url, from, limits, is_name, |page| page.repositories)
}

/// A page has the key of what was asked for; `null`, which some registries say where there is nothing, is another thing
/// than no key: what is no answer must not look like an empty list.
#[derive(Deserialize)]
struct Page {
    #[serde(default, deserialize_with = "present")]
    tags: Option<Names>,
    #[serde(default, deserialize_with = "present")]
    repositories: Option<Names>,
}

type Names = Option<Vec<String>>;

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Names>, D::Error> {
    Names::deserialize(deserializer).map(Some)
}

fn list(
    endpoint: &Endpoint,
    what: &str,
    url: &str,
    from: Option<&Cursor>,
    limits: &ListingLimits,
    is_name: fn(&str) -> bool,
    names_of: fn(Page) -> Option<Names>,
) -> Result<Listing, RegistryError> {
    let bad = |reason: String| RegistryError::BadAnswer {
        place: format!("the registry `{}`", endpoint.registry),
        reason: format!("{what}: {reason}"),
    };
    let mut cursor = from.cloned().unwrap_or_else(|| Cursor(format!("n={}", limits.page_names)));
    let (mut names, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for nth in 1.. {
        let response = ask(endpoint, what, &format!("{url}?{}", cursor.as_str()))?;
        let next = response.headers().all("link").find_map(next_link).map(str::to_owned);
        let bytes = response
            .bytes(PAGE_BYTES_MAX)
            .map_err(|error| RegistryError::from_net(error, &endpoint.registry, what))?;
        let page: Page = serde_json::from_slice(&bytes).map_err(|error| bad(error.to_string()))?;
        let listed = names_of(page).ok_or_else(|| bad("the page has no list".to_owned()))?;
        for name in listed.unwrap_or_default() {
            if is_name(&name) {
                names.insert(name)
            } else {
                refused.insert(name)
            };
        }
        let next = match next {
            None => None,
            Some(link) => {
                let query = link.split('#').next().and_then(|link| link.split_once('?'));
                let next = query.and_then(|(_, query)| Cursor::new(query));
                let odd = || bad(format!("the next page is at `{}`", link.escape_default()));
                Some(next.filter(|next| *next != cursor).ok_or_else(odd)?)
            }
        };
        match next {
            Some(next) if nth < limits.pages_max && names.len() + refused.len() < limits.names_max => {
                cursor = next;
            }
            next => {
                let (names, refused) = (names.into_iter().collect(), refused.into_iter().collect());
                return Ok(Listing { names, refused, next });
            }
        }
    }
    Ok(Listing::default())
}

fn ask(endpoint: &Endpoint, what: &str, url: &str) -> Result<Response, RegistryError> {
    endpoint.authorized(what, &Request::get(url), |request: &Request| -> Result<Response, NetError> {
        succeeded(endpoint.client.send(request)?)
    })
}

/// The target of `rel="next"` in a `Link` header (RFC 8288 section 3).
pub fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    loop {
        let (target, after) = rest.split_once('<')?.1.split_once('>')?;
        let end = end_of_link(after);
        let (parameters, others) = after.split_at(end);
        let is_next = parameters.split(';').any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
                name.trim().eq_ignore_ascii_case("rel") && relations.any(|r| r.eq_ignore_ascii_case("next"))
            })
        });
        if is_next {
            return Some(target);
        }
        rest = others;
    }
}

/// Where the parameters of one link end: at a comma that is in no quoted string.
fn end_of_link(parameters: &str) -> usize {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, b) in parameters.bytes().enumerate() {
        match b {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => return at,
            _ => {}
        }
    }
    parameters.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_the_next_page() {
        for (header, wanted) in [
            (r#"</v2/_catalog?last=b&n=2>; rel="next""#, Some("/v2/_catalog?last=b&n=2")),
            (r#"<https://h/v2/a/tags/list?x>;rel=next"#, Some("https://h/v2/a/tags/list?x")),
            (r#"<a>; rel="prev", <b>; title="x, \" <c>; rel=next"; REL="last NEXT""#, Some("b")),
            (r#"<a>; rel="prev""#, None),
            (r#"<a>; title="rel=next""#, None),
            ("</v2/x; rel=next", None),
            ("rel=next", None),
            ("", None),
        ] {
            assert_eq!(next_link(header), wanted, "{header}");
        }
    }

    #[test]
    fn cursors_are_queries() {
        for (text, is_one) in [("n=2&last=b%2Fc", true), ("", false), ("a b", false), ("a#b", false)] {
            assert_eq!(Cursor::new(text).is_some(), is_one, "{text}");
        }
        assert!(Cursor::new(&"x".repeat(CURSOR_BYTES_MAX + 1)).is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read(header in "[a-c<>;=,\"\\\\ ]{0,40}|\\PC{0,40}") {
            next_link(&header);
        }
    }
}
