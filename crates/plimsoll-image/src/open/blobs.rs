//! An image given as its layers' URLs, as Clair's clients name it: without manifest and config.
//!
//! What surprises: nothing states the layers' sizes or types, and the manifest's digest is only the caller's word
//! for it; the layers' own digests are verified like any other's. What lets the URLs be read may live for a
//! minute, so connections to the layers are opened at once and their bodies are read as workers come to them. A
//! body that breaks off is asked for once more with the same headers, and may by then be refused.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use plimsoll_core::digest::Digest;
use plimsoll_core::image::{Image, Layer, Platform};
use plimsoll_net::{Client, Download, Request};

use super::documents::Descriptor;
use super::{OpenError, Opened, OpenedImage, Store, check_layer_count};
use crate::cause::Cause;
use crate::limits::Limits;

/// Most layers to which connections are opened at once, where nothing else is wanted.
pub const OPEN_AHEAD_MAX: usize = 64;

/// Headers that belong to the connection or to the part of the body that is asked for, so nobody else may set
/// them.
const OWN_HEADERS: [&str; 14] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "range",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Where one layer is.
#[derive(Clone)]
pub struct LayerUrl {
    /// Digest of the bytes as they are stored.
    pub digest: Digest,
    /// Where they are: `https://` or, where the client allows it, `http://`.
    pub url: String,
    /// What to say there. It is said to the scheme, host and port of `url` alone.
    pub headers: BTreeMap<String, Vec<String>>,
}

impl std::fmt::Debug for LayerUrl {
    /// Without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.digest, plimsoll_net::redacted(&self.url))
    }
}

/// Opens an image by its layers, lowest first. At most `open_ahead_max` of them are asked for at once and now;
/// a layer that cannot be had fails when it is read.
pub fn open(
    reference: &str,
    manifest: Digest,
    layers: Vec<LayerUrl>,
    client: Arc<Client>,
    open_ahead_max: usize,
    limits: &Limits,
) -> Result<Opened, OpenError> {
    check_layer_count(&format!("`{reference}`"), layers.len(), limits)?;
    for layer in &layers {
        check_headers(layer)?;
    }
    let order: Vec<Digest> = layers.iter().map(|layer| layer.digest.clone()).collect();
    let mut places = HashMap::new();
    let mut distinct = Vec::new();
    for layer in layers {
        if !places.contains_key(&layer.digest) {
            distinct.push(layer.digest.clone());
            places.insert(layer.digest.clone(), Place { layer, state: Mutex::default() });
        }
    }
    let blobs = Blobs { client, places, layer_bytes_max: limits.layer_bytes_max };
    blobs.open_ahead(&distinct, open_ahead_max);
    let descriptors: Vec<Descriptor> =
        order.iter().map(|digest| Descriptor::new("", digest.clone(), 0)).collect();
    let image = Image {
        reference: reference.to_owned(),
        digest: Some(manifest),
        config_digest: None,
        platform: Platform::default(),
        layers: descriptors.iter().map(|descriptor| blobs.layer(descriptor)).collect(),
    };
    let images = vec![OpenedImage { image, layers: descriptors, gaps: Vec::new() }];
    Ok(Opened { images, store: Box::new(blobs) })
}

fn check_headers(layer: &LayerUrl) -> Result<(), OpenError> {
    let own = |name: &&String| OWN_HEADERS.iter().any(|own| name.eq_ignore_ascii_case(own));
    match layer.headers.keys().find(own) {
        None => Ok(()),
        Some(name) => Err(OpenError::BadReference {
            reference: plimsoll_net::redacted(&layer.url),
            reason: format!("the header `{name}` of layer {} cannot be given", layer.digest),
        }),
    }
}

struct Blobs {
    client: Arc<Client>,
    places: HashMap<Digest, Place>,
    layer_bytes_max: u64,
}

struct Place {
    layer: LayerUrl,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was opened ahead and has not been read.
    ahead: Option<Result<Download, OpenError>>,
    length: Option<u64>,
}

impl Place {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Blobs {
    fn open_ahead(&self, distinct: &[Digest], open_ahead_max: usize) {
        let ahead = distinct.get(..open_ahead_max.min(distinct.len())).unwrap_or_default();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(digest) = ahead.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some(place) = self.places.get(digest) else { continue };
                let opened = self.fetch(place);
                place.with(|state| state.ahead = Some(opened));
            }
        };
        thread::scope(|scope| {
            for _ in 1..ahead.len() {
                scope.spawn(work);
            }
            work();
        });
    }

    fn fetch(&self, place: &Place) -> Result<Download, OpenError> {
        let LayerUrl { digest, url, headers } = &place.layer;
        let mut request = Request::get(url);
        for (name, values) in headers {
            // The client asks for the bytes as they were hashed, whatever else is said to be welcome.
            if !name.eq_ignore_ascii_case("accept-encoding") {
                request = values.iter().fold(request, |request, value| request.origin_header(name, value));
            }
        }
        let download = self
            .client
            .download(&request)
            .map_err(|source| OpenError::Fetch { what: format!("layer {digest}"), source })?;
        place.with(|state| state.length = download.length());
        let max = self.layer_bytes_max;
        if download.length().is_some_and(|length| length > max) {
            return Err(OpenError::Unsupported {
                what: format!("layer {digest}"),
                detail: format!("it is larger than {max} bytes (layer_bytes_max)"),
                cause: Cause::LayerTooLarge,
            });
        }
        // One byte more than may be, so that whoever reads the layer sees that there is more.
        Ok(download.limit(max.saturating_add(1)))
    }

    fn layer(&self, descriptor: &Descriptor) -> Layer {
        Layer {
            digest: descriptor.digest.clone(),
            diff_id: None,
            media_type: descriptor.media_type.clone(),
            size: self.known_size(descriptor).unwrap_or(0),
            created_by: None,
        }
    }
}

impl Store for Blobs {
    fn manifest(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        self.blob(descriptor)
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send>, OpenError> {
        let place = self.places.get(&descriptor.digest).ok_or_else(|| OpenError::NotFound {
            what: descriptor.digest.to_string(),
            detail: "it is not among the layers that were given".to_owned(),
        })?;
        let ahead = place.with(|state| state.ahead.take());
        Ok(Box::new(ahead.unwrap_or_else(|| self.fetch(place))?))
    }

    fn stated_size(&self, _layer: &Descriptor) -> Option<u64> {
        None
    }

    fn known_size(&self, layer: &Descriptor) -> Option<u64> {
        self.places.get(&layer.digest)?.with(|state| state.length)
    }
}
