//! An image given as its layers' URLs, as Clair's clients name it: without manifest and config.
//!
//! What surprises: nothing states the layers' sizes or types, and the manifest's digest is only the caller's word
//! for it; the layers' own digests are verified like any other's. What lets the URLs be read may live for a
//! minute, so connections to the layers are opened at once and their bodies are read as workers come to them. A
//! body that breaks off is asked for once more with the same headers, and may by then be refused.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use plimsoll_core::digest::Digest;
use plimsoll_core::image::{Image, Layer, Platform};
use plimsoll_net::{Client, Download, NetError, Request};

use super::documents::Descriptor;
use super::foreign::{Foreign, ForeignOptions};
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
    /// What to say there. It is said to the scheme, host and port of `url` alone, and not to foreign hosts.
    pub headers: BTreeMap<String, Vec<String>>,
    /// Whether it is a host of layers that registries need not have, and asked as such; see [`super::foreign`].
    pub is_foreign: bool,
}

impl std::fmt::Debug for LayerUrl {
    /// Without secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.digest, plimsoll_net::redacted(&self.url))
    }
}

/// Which layers are asked for at once.
#[derive(Clone, Copy)]
pub struct Ahead<'a> {
    /// Most of them; [`OPEN_AHEAD_MAX`] is a good number, 0 asks for each when a worker comes to it.
    pub layers_max: usize,
    /// Whether a layer was read before and need not be asked for.
    pub is_known: &'a dyn Fn(&Digest) -> bool,
}

/// Opens an image by its layers, lowest first. Those that are to be asked for at once are, each on a thread of its
/// own, and this does not wait for them: a layer that cannot be had fails when it is read.
pub fn open(
    reference: &str,
    manifest: Digest,
    layers: Vec<LayerUrl>,
    client: Arc<Client>,
    foreign: &ForeignOptions,
    ahead: Ahead<'_>,
    limits: &Limits,
) -> Result<Opened, OpenError> {
    check_layer_count(&format!("`{reference}`"), layers.len(), limits)?;
    for layer in &layers {
        check_headers(layer)?;
    }
    let descriptors: Vec<Descriptor> =
        layers.iter().map(|layer| Descriptor::new("", layer.digest.clone(), 0)).collect();
    let image = Image {
        reference: reference.to_owned(),
        digest: Some(manifest),
        config_digest: None,
        platform: Platform::default(),
        layers: descriptors.iter().map(layer_of).collect(),
    };
    let foreign = Arc::new(Foreign::new(foreign));
    let layer_bytes_max = limits.layer_bytes_max;
    let mut places = HashMap::new();
    let mut wanted = Vec::new();
    for layer in layers {
        // A layer that is given twice is fetched once.
        if !places.contains_key(&layer.digest) {
            let place = Arc::new(Place {
                foreign: layer.is_foreign.then(|| Arc::clone(&foreign)),
                client: Arc::clone(&client),
                layer,
                layer_bytes_max,
                length: Mutex::default(),
            });
            wanted.push(Arc::clone(&place));
            places.insert(place.layer.digest.clone(), place);
        }
    }
    wanted.retain(|place| !(ahead.is_known)(&place.layer.digest));
    wanted.truncate(ahead.layers_max);
    let ahead = wanted.into_iter().filter_map(open_ahead).collect();
    let images = vec![OpenedImage { image, layers: descriptors, gaps: Vec::new() }];
    Ok(Opened { images, store: Box::new(Blobs { places, ahead: Mutex::new(ahead) }) })
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

/// Size 0, for want of knowledge.
fn layer_of(descriptor: &Descriptor) -> Layer {
    Layer {
        digest: descriptor.digest.clone(),
        diff_id: None,
        media_type: descriptor.media_type.clone(),
        size: descriptor.size,
        created_by: None,
    }
}

/// A layer that is being opened, or that is open.
type Opening = JoinHandle<Result<Download, OpenError>>;

fn open_ahead(place: Arc<Place>) -> Option<(Digest, Opening)> {
    let digest = place.layer.digest.clone();
    let name = format!("layer {}", digest.short());
    // Where there can be no more threads, the layer is opened when it is wanted.
    let thread = thread::Builder::new().name(name).spawn(move || place.fetch()).ok()?;
    Some((digest, thread))
}

struct Blobs {
    places: HashMap<Digest, Arc<Place>>,
    ahead: Mutex<HashMap<Digest, Opening>>,
}

/// One layer's place.
struct Place {
    layer: LayerUrl,
    client: Arc<Client>,
    /// Who asks in place of the client.
    foreign: Option<Arc<Foreign>>,
    layer_bytes_max: u64,
    /// Its size, once its server has said it.
    length: Mutex<Option<u64>>,
}

impl Place {
    fn fetch(&self) -> Result<Download, OpenError> {
        let what = || format!("layer {}", self.layer.digest);
        let download = match &self.foreign {
            Some(foreign) => foreign.open(&self.descriptor(), None, None)?,
            None => self.ask().map_err(|source| OpenError::Fetch { what: what(), source })?,
        };
        *self.length.lock().unwrap_or_else(PoisonError::into_inner) = download.length();
        let max = self.layer_bytes_max;
        if download.length().is_some_and(|length| length > max) {
            return Err(OpenError::Unsupported {
                what: what(),
                detail: format!("it is larger than {max} bytes (layer_bytes_max)"),
                cause: Cause::LayerTooLarge,
            });
        }
        // One byte more than may be, so that whoever reads the layer sees that there is more.
        Ok(download.limit(max.saturating_add(1)))
    }

    fn ask(&self) -> Result<Download, NetError> {
        let LayerUrl { url, headers, .. } = &self.layer;
        let mut request = Request::get(url);
        for (name, values) in headers {
            // The client asks for the bytes as they were hashed, whatever else is said to be welcome.
            if !name.eq_ignore_ascii_case("accept-encoding") {
                request = values.iter().fold(request, |request, value| request.origin_header(name, value));
            }
        }
        self.client.download(&request)
    }

    fn descriptor(&self) -> Descriptor {
        let LayerUrl { digest, url, .. } = &self.layer;
        Descriptor { urls: vec![url.clone()], ..Descriptor::new("", digest.clone(), 0) }
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
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).remove(&descriptor.digest);
        let opened = ahead.and_then(|thread| thread.join().ok()).unwrap_or_else(|| place.fetch());
        Ok(Box::new(opened?))
    }

    fn reject(&self, layer: &Descriptor, why: &str) -> bool {
        self.places.get(&layer.digest).is_some_and(|place| {
            place.foreign.as_ref().is_some_and(|foreign| foreign.reject(&place.descriptor(), why))
        })
    }

    fn stated_size(&self, _layer: &Descriptor) -> Option<u64> {
        None
    }

    fn known_size(&self, layer: &Descriptor) -> Option<u64> {
        *self.places.get(&layer.digest)?.length.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
