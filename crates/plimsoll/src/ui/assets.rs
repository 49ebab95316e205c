//! The style sheet and the script of all pages. Their names have the hash of their content, so a browser keeps them as
//! long as it likes and never has an old one.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use plimsoll_core::digest::hex;
use sha2::{Digest as _, Sha256};

use super::HTML;
use crate::http::Refusal;
use crate::http::endpoint::{Access, Answer, Endpoint, Method, Parameter, Payload, schema_of};
use crate::http::path::Path;

/// The digits of a hash that stand in a name.
const HASH_CHARS: usize = 16;

pub(super) const ASSET: Endpoint = Endpoint {
    method: Method::Get,
    path: "/ui/assets/{name}",
    id: "getAsset",
    about: "The style sheet and the script of the pages.",
    access: Access::Public,
    is_always_there: true,
    parameters: &[Parameter::path("name", "Its name, as the pages state it.", schema_of::<String>)],
    body: None,
    answers: &[
        Answer {
            status: 200,
            about: "It, which never changes.",
            headers: &[],
            payload: Some(Payload {
                media_types: &["text/css", "text/javascript"],
                schema: schema_of::<String>,
            }),
        },
        Answer { status: 400, about: "The path cannot be understood.", headers: &[], payload: Some(HTML) },
        Answer { status: 404, about: "There is none of that name.", headers: &[], payload: Some(HTML) },
    ],
    route: || get(asset),
};

/// One of the two files.
pub(super) struct Asset {
    /// Where it is.
    pub(super) path: String,
    content: String,
    media_type: &'static str,
}

/// The style sheet: that of the report, and what the pages have beside it.
pub(super) static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let content = format!("{}{}", plimsoll_report::html::STYLE, include_str!("page.css"));
    Asset::new(content, "css", "text/css; charset=utf-8")
});

/// The script.
pub(super) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(include_str!("page.js").to_owned(), "js", "text/javascript; charset=utf-8"));

impl Asset {
    fn new(content: String, ending: &str, media_type: &'static str) -> Asset {
        let hash: String = hex(&Sha256::digest(&content)).chars().take(HASH_CHARS).collect();
        Asset { path: format!("/ui/assets/page-{hash}.{ending}"), content, media_type }
    }
}

async fn asset(Path(name): Path<String>) -> Result<Response, Refusal> {
    let known: [&'static Asset; 2] = [&STYLE, &SCRIPT];
    let found = known.into_iter().find(|asset| asset.path.rsplit('/').next() == Some(name.as_str()));
    let asset = found.ok_or_else(|| {
        Refusal::not_found(
            "there is no such file; the server may be another version by now, so load the page anew",
        )
    })?;
    let headers = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, asset.content.as_str()).into_response())
}
