//! Sending a body that is too large to hold.

use std::io::Read;

use ureq::SendBody;

use crate::client::{Client, add_credentials};
use crate::error::NetError;
use crate::message::{Request, Response};
use crate::url::Url;

impl Client {
    /// Sends a request whose body is `length` bytes of a reader, once: what a reader gave cannot be sent again,
    /// so nothing is repeated and no redirect is followed. Any status is a response.
    pub fn upload(
        &self,
        request: &Request,
        body: Box<dyn Read + Send>,
        length: u64,
    ) -> Result<Response, NetError> {
        let url = Url::parse(&request.url)?;
        let mut headers = request.headers.clone();
        headers.extend(request.origin_headers.iter().cloned());
        add_credentials(&url, &mut headers)?;
        headers.push(("Content-Length".to_owned(), length.to_string()));
        self.exchange_body(request.method, &url, &headers, SendBody::from_owned_reader(body.take(length)))
    }
}
