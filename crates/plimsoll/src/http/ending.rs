//! The end of the server, as requests that wait see it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{Response, header};
use tokio::sync::watch;
use tokio_stream::Stream;

/// How long a handler has to answer once the server ends; whoever looks at [`Ending`] needs none of it.
const GRACE: Duration = Duration::from_secs(5);

/// Tells that the server ends. Never, where nobody listens: in tests of routes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ending(Option<watch::Receiver<bool>>);

impl Ending {
    /// One that tells when this becomes `true`.
    pub(crate) fn new(ending: watch::Receiver<bool>) -> Ending {
        Ending(Some(ending))
    }

    /// Waits for the end.
    pub(crate) async fn begun(mut self) {
        match &mut self.0 {
            Some(ending) => {
                if ending.wait_for(|is_ending| *is_ending).await.is_err() {
                    // Nobody is left to tell it.
                    std::future::pending::<()>().await;
                }
            }
            None => std::future::pending().await,
        }
    }

    /// Waits for the end, and some time more.
    pub(super) async fn and_grace(&self) {
        self.clone().begun().await;
        tokio::time::sleep(GRACE).await;
    }
}

/// Has a stream of events end with the server; other bodies have an end of their own.
pub(super) fn end_streams(response: Response<Body>, ending: Ending) -> Response<Body> {
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(|name| name.starts_with("text/event-stream")) {
        return response;
    }
    response.map(|body| {
        let events = body.into_data_stream();
        Body::from_stream(Events { events, ending: Box::pin(ending.begun()) })
    })
}

struct Events {
    events: BodyDataStream,
    ending: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Stream for Events {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ending.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.events).poll_next(context)
    }
}
