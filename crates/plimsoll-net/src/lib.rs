//! The one guarded HTTP client: limits, retry, resume, redirects, certificates. Nothing else in Plimsoll
//! opens a socket outwards, but for the mail of warnings.
//!
//! Synchronous on purpose: layers and feeds are streamed through `Read` on threads of their own.
//!
//! Three verbs: [`Client::send`] for one exchange, [`Client::download`] for a body that may be large, and
//! [`Client::get_if_changed`] for a document that is fetched again and again. What surprises:
//!
//! - `http://` is refused unless the host is a loopback address or listed in [`Settings::plain_http_hosts`].
//! - A status that is not a success is a [`Response`] from `send` and an error from the other two.
//! - With [`Settings::only_hosts`] every other host is refused before its name is looked up.
//! - Only requests that may be repeated are repeated; a POST gets one attempt.

mod body;
mod budget;
mod client;
mod download;
mod error;
mod fetch;
mod guard;
mod message;
mod proxy;
mod retry;
mod settings;
mod trust;
mod upload;
mod url;

pub use client::Client;
pub use download::Download;
pub use error::{NetError, StatusError};
pub use fetch::{Fetched, Validators};
pub use message::{Authorization, Body, Headers, Method, Request, Response};
pub use proxy::Proxies;
pub use retry::asked_wait;
pub use settings::Settings;
pub use url::{
    has_same_origin, host_and_port_of, is_allowed, is_listed, is_loopback_name, redacted, same_server,
};
